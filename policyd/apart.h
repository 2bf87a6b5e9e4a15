/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apart: the configuration file is read and checked in a process of its own.
 */
#ifndef POSTROAD_APART_H
#define POSTROAD_APART_H

#include <stddef.h>

/*
 * Read and check conf_path, and leave the settings in fd, an empty file, for conf_take(). 0; or
 * an error text and -1: the configuration is wrong, -2: it could not be read now.
 */
int apart_read(const char *conf_path, int fd, char *error, size_t error_n);

#endif
