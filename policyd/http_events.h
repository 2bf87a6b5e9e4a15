/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_events: POST /events, where Dovecot's event export tells of delivered mail, see
 * postroad-hook(5). Each is handed to role hook, and answered 200 when that has it on disk.
 */
#ifndef POSTROAD_HTTP_EVENTS_H
#define POSTROAD_HTTP_EVENTS_H

#include <event2/http.h>

#define EVENTS_BODY_MAX 65536

/* An evhttp callback; ctx: struct control. */
void http_events(struct evhttp_request *req, void *ctx);

#endif
