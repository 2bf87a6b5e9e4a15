/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: requests of Postfix's policy delegation protocol (SMTPD_POLICY_README):
 * lines NAME=VALUE up to an empty line. Parser over bytes; no I/O.
 */
#ifndef POSTROAD_POLICY_H
#define POSTROAD_POLICY_H

#include <stddef.h>

#include "span.h"

/* A request of our own: `postroad explain` asks what smtpd would be told at RCPT, and why. */
#define POLICY_EXPLAIN "postroad_explain"

#define POLICY_LINE_MAX    4096  /* bytes of one line, its newline included */
#define POLICY_REQUEST_MAX 65536 /* bytes of a whole request */

/* The attributes we use; p is NULL when it was not sent. Others are skipped. */
struct policy_request {
    struct span request; /* "smtpd_access_policy"; never NULL after a successful parse */
    struct span protocol_state, policy_context;
    struct span client_address, sender, recipient, ccert_fingerprint;
    struct span sasl_username, size, recipient_count;
};

/*
 * Parse one request from the first n bytes. >0 consumed, and *req points into buf; 0 more needed,
 * never said to POLICY_REQUEST_MAX bytes; -1 bad: a line without "=", over-long, a NUL byte, no
 * "request". Of an attribute that is sent twice the first counts.
 */
long policy_parse(const char *buf, size_t n, struct policy_request *req);

#endif
