/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_auth: the endpoint for Dovecot's auth policy: POST /?command=allow and report.
 */
#ifndef POSTROAD_HTTP_AUTH_H
#define POSTROAD_HTTP_AUTH_H

#include "access_client.h"
#include "control.h"

#define HTTP_AUTH_BODY_MAX 16384

struct evhttp_request;
struct http_auth;

/* With privileges, before they are dropped: read access.http_key_file. 0, or -1 and error. */
int http_auth_setup(const struct conf *conf, char *error, size_t n);

struct http_auth *http_auth_open(struct control *c);
/* Whether somebody waits for an answer. */
int http_auth_owes(const struct http_auth *a);
/* Forgets the questions under way; before the HTTP server is freed. */
void http_auth_close(struct http_auth **a);
/* A request for "/". 1: it is answered, now or later; 0: it is none of ours. */
int http_auth_request(struct http_auth *a, struct evhttp_request *req);

#endif
