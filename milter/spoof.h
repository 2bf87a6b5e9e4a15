/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spoof: what the milter sees of a message from outside that may be forged, and what it does
 * about it. See postroad-spoof(7).
 */
#ifndef POSTROAD_SPOOF_H
#define POSTROAD_SPOOF_H

#include "cidr.h"
#include "message.h"
#include "spoof_judge.h"

#define SPOOF_TAG_NAME "Postroad-Spoof"
#define SPOOF_TAG_MAX  512 /* bytes of its value */

struct spoof; /* shared by all threads */

/* One message; all zero before the first spoof_begin. */
struct spoof_mail {
    int judged;    /* it comes from outside */
    unsigned tags; /* headers that only sites write */
    unsigned char ip[16];
    int has_ip, gateway, forwarder;
    struct from_header from, sender;
    struct vouch vouch;
};

/* NULL: no memory. conf and people are borrowed. */
struct spoof *spoof_new(const struct conf *conf, struct people *people);

/* A new message in place of the last. inside: it is not judged. ip: the client's, NULL for none. */
void spoof_begin(const struct spoof *s, struct spoof_mail *m, int inside, const unsigned char *ip);
/* Whether anybody wants such a message held, whatever it is. */
int spoof_may_hold(const struct spoof *s, const struct spoof_mail *m);
void spoof_header(const struct spoof *s, struct spoof_mail *m, const char *name, const char *value);
/* At its end: what becomes of it. */
void spoof_end(const struct spoof *s, const struct spoof_mail *m, const char *envelope,
               struct spoof_result *out);

/* The value of the header that marks it, with the blank before it. */
void spoof_tag(const struct spoof *s, const struct spoof_result *r, char out[SPOOF_TAG_MAX]);
/* One line for the log, unless nothing was claimed. */
void spoof_log(const struct spoof_mail *m, const struct spoof_result *r, const char *queue,
               const char *envelope);

#endif
