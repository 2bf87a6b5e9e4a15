/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_json: a held message's record as JSON, and back. For held_record.c.
 */
#ifndef POSTROAD_HELD_JSON_H
#define POSTROAD_HELD_JSON_H

#include "held_record.h"

/* malloc'd, with a line end; NULL: no memory. */
char *held_json_write(const struct held_record *r, size_t *n_r);
/* 0; -1 and error: it is none, or lacks what every record has. Unknown members are passed over. */
int held_json_read(struct held_record *r, const char *text, size_t n, char *error, size_t error_n);

#endif
