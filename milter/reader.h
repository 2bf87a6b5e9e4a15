/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader: the process that reads the mirror for the milter, when the milter is another user than
 * postroad-policyd: the same program again, as `user`, with nothing but a socket to us.
 */
#ifndef POSTROAD_READER_H
#define POSTROAD_READER_H

#include "conf.h"

/* As root, before there are threads or sockets. Our end of the line, or -1 and error. */
int reader_start(const struct conf *conf, char *error, size_t error_n);
/* From now on who reads nothing any more ends the milter: without it no mail can be judged. 0 or -1. */
int reader_watch(void);
/* Whether that has come. */
int reader_is_gone(void);

/* The other program: answers until the milter is gone; an exit code. */
int reader_run(void);

#endif
