/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ask: a question to policyd over one of its UNIX sockets, answered before a
 * deadline or not at all. For the administrator's command, and later the plugin
 * and the milter: it never blocks past the deadline, keeps no state.
 */
#ifndef POSTROAD_ASK_H
#define POSTROAD_ASK_H

#include <stddef.h>

#include "socketmap.h"

/*
 * One lookup over the map socket at path ("unix:/x" or "/x" or "inet:host:port", the host in
 * numbers or "localhost": names are not resolved). Returns 0 and
 * *status_r and the data, NUL-terminated in out (cut at cap); -1 and a text in
 * error when there was no answer (no daemon, deadline, garbage).
 */
int ask_map(const char *path, const char *map, const char *key, int timeout_ms,
            enum socketmap_status *status_r, char *out, size_t cap, char *error, size_t error_n);

/*
 * One JSON line to the control socket, one line back (without the newline), malloc'd into
 * *reply_r, at most 64 MiB. Returns 0, or -1 and error.
 */
int ask_line(const char *path, const char *line, int timeout_ms, char **reply_r, char *error,
             size_t error_n);
/* The same for a question of several lines, each with its newline: the first line of the answer. */
int ask_text(const char *path, const char *text, int timeout_ms, char **reply_r, char *error,
             size_t error_n);

#endif
