/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secret: a password on its way from a file or the terminal to the directory. Kept
 * in one place, wiped when it was used; never on a command line, in a text or log.
 */
#ifndef POSTROAD_SECRET_H
#define POSTROAD_SECRET_H

#include <stddef.h>

#define SECRET_MAX 1024 /* bytes */

struct secret {
    size_t n;
    char text[SECRET_MAX + 2];
};

/* The first line of path; "-": of standard input. 0, or -1 and error. Warns when all can read it. */
int secret_read(struct secret *s, const char *path, char *error, size_t error_n);
/* Ask at the terminal, without echo. 0, or -1 and error: there is none, or nothing was typed. */
int secret_prompt(struct secret *s, const char *prompt, char *error, size_t error_n);
/* One that nobody can guess, easy to read out: 20 letters and digits in groups, 100 bits. */
int secret_generate(struct secret *s, char *error, size_t error_n);
int secret_same(const struct secret *a, const struct secret *b);
void secret_wipe(struct secret *s);

#endif
