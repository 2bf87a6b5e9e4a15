/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics, inside: what the files that write them share.
 */
#ifndef POSTROAD_METRICS_PRIVATE_H
#define POSTROAD_METRICS_PRIVATE_H

#include <event2/buffer.h>

#include "control.h"

/* HELP and TYPE; the series follow. */
void metrics_head(struct evbuffer *out, const char *name, const char *type, const char *help);
/* All of a metric without labels. */
void metrics_single(struct evbuffer *out, const char *name, const char *type, const char *help,
                    double v);

/* metrics_mail.c: how much mail went which way, and what is in Postfix's queues. */
void metrics_mail(struct control *c, const struct moment *now, struct evbuffer *out);

#endif
