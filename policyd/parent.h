/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parent: the process that is started, and stays in the foreground.
 */
#ifndef POSTROAD_PARENT_H
#define POSTROAD_PARENT_H

#include <stddef.h>

#include "conf.h"

enum parent_exit { PARENT_OK = 0, PARENT_CONFIGURATION = 2, PARENT_TEMPORARY = 75 };

/* Run until SIGTERM; the exit code. */
int parent_run(const char *conf_path);

/*
 * What of a configuration can be checked without starting anything: files readable, folders there,
 * users known. 0, or "FILE: key: what is wrong" and -1; -2 where that can't be told now. Also for -t.
 */
int parent_check(const char *conf_path, const struct conf *conf, char *error, size_t error_n);

/*
 * Root has found nothing wrong: will user see it so, too, as whom systemd starts the daemon where queue.manage
 * is off? 0, or -1 or -2 and the same text. A daemon that is started as root does without.
 */
int parent_foresee(const char *conf_path, const struct conf *conf, char *warning, size_t warning_n);

#endif
