/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socketmap: request "NAME KEY" and reply "STATUS DATA" of socketmap_table(5),
 * each inside one netstring. Parser and writer over bytes; no I/O.
 */
#ifndef POSTROAD_SOCKETMAP_H
#define POSTROAD_SOCKETMAP_H

#include <stddef.h>

#include "netstring.h"
#include "span.h"

#define SOCKETMAP_REQUEST_MAX 10000  /* bytes; Postfix 3.12 sends no more */
#define SOCKETMAP_REPLY_MAX   100000 /* bytes; what Postfix before 3.10 takes */
#define SOCKETMAP_WIRE_MAX    (SOCKETMAP_REPLY_MAX + NETSTRING_HEAD_MAX + 1) /* framed */

enum socketmap_status { SOCKETMAP_OK, SOCKETMAP_NOTFOUND, SOCKETMAP_TEMP, SOCKETMAP_PERM };

struct socketmap_request {
    struct span name; /* map, 1..64 bytes of [a-z0-9-] */
    struct span key;  /* may be empty, may hold any byte but NUL */
};

/*
 * Parse one request from the first n bytes. >0 consumed, and *req points into
 * buf; 0 more needed; -1 not a netstring (the stream can't be resynchronised:
 * close). A whole netstring that is no request (no blank, bad name, NUL in the
 * key) is consumed with req->name.p == NULL: answer PERM and go on.
 */
long socketmap_parse(const char *buf, size_t n, struct socketmap_request *req);

/*
 * Write a reply into out. Returns its length, or -1 when cap is too small for it or
 * "STATUS DATA" is over SOCKETMAP_REPLY_MAX. SOCKETMAP_WIRE_MAX is always enough room.
 * Control bytes in data become '?'. data may not overlap out.
 */
long socketmap_reply(char *out, size_t cap, enum socketmap_status status, struct span data);

/*
 * Take a reply's payload apart, as a client. Returns 0, or -1 when it begins with no status
 * word. "TIMEOUT", which others send, reads as TEMP. *data_r points into payload.
 */
int socketmap_reply_parse(struct span payload, enum socketmap_status *status_r,
                          struct span *data_r);

/* The word on the wire: "OK", "NOTFOUND", "TEMP", "PERM". */
const char *socketmap_status_word(enum socketmap_status s);

#endif
