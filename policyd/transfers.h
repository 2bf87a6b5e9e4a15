/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transfers: requests that libcurl carries out beside libevent's loop, many at once.
 */
#ifndef POSTROAD_TRANSFERS_H
#define POSTROAD_TRANSFERS_H

#include <curl/curl.h>

struct event_base;
struct transfers;

struct transfers_kind {
    /*
     * request, which came with transfers_add, is over: code says how, status what the server answered
     * last, 0: nothing. Its handle is gone.
     */
    void (*ended)(void *ctx, void *request, CURLcode code, long status);
    /* Some may have ended, there may be room for more; NULL: nobody cares. */
    void (*moved)(void *ctx);
    /*
     * Each in a thread of its own, which the caller keeps few: for SMTP, where libcurl waits by itself for the
     * answer to the whole message. What its callbacks use is that thread's until it is over.
     */
    int aside;
};

/* For a role with a heart-beat (beat.h). kind is borrowed for good. NULL: no memory. */
struct transfers *transfers_new(struct event_base *base, const struct transfers_kind *kind,
                                void *ctx);
/*
 * What is on its way is not waited for, and nobody is told: for the end of a process. 1: a thread may still be
 * within libcurl, see role.h.
 */
int transfers_free(struct transfers **t);

/* Takes over easy, whose private pointer is request: 0, and ended is called once, later; -1: none of it. */
int transfers_add(struct transfers *t, CURL *easy, void *request);

#endif
