/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request goes where it was meant to, or not at all: not by a proxy of the environment either, when there is
 * no memory to say that it shall not.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "policyd/transfers.h"
#include "t/tap.h"

static int no_memory;

/* libcurl's, too. */
char *
strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = no_memory ? NULL : malloc(n);

    return copy ? memcpy(copy, s, n) : NULL;
}

static void
ended(void *ctx, void *request, CURLcode code, long status)
{
    (void)ctx;
    (void)request;
    (void)code;
    (void)status;
}

int
main(void)
{
    static const struct transfers_kind kind = {.ended = ended};
    struct event_base *base = event_base_new();
    struct transfers *t = transfers_new(base, &kind, NULL);
    CURL *easy = curl_easy_init();

    if (!t || !easy || curl_easy_setopt(easy, CURLOPT_URL, "http://192.0.2.1/") != CURLE_OK)
        return 1;
    no_memory = 1;
    is_int(transfers_add(t, easy, NULL), -1, "no memory to do without a proxy: it is not sent");
    no_memory = 0;
    is_int(transfers_add(t, easy, NULL), 0, "else it is");
    transfers_free(&t);
    event_base_free(base);
    return tap_done();
}
