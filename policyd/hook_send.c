/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_send: events as HTTP POST by libcurl (transfers.h).
 *
 * Promises: certificates are verified; redirects, proxies of the environment and other
 * protocols are not followed; a request ends within hook.timeout; what the other side
 * says is not kept, but for its status. 2xx: taken. 400, 410, 413, 415, 422: it will
 * never take this one. All else may be otherwise the next time, also what looks like a
 * mistake in the configuration (401, 404): that must not cost events.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hook.h"
#include "transfers.h"

struct hook_sender {
    struct hook *hook;
    struct transfers *transfers;
};

/* One request. */
struct request {
    struct hook_item *item;
    struct curl_slist *headers;
    char *event;
    char error[CURL_ERROR_SIZE];
};

static size_t
swallow(char *p, size_t size, size_t n, void *ctx)
{
    (void)p;
    (void)ctx;
    return size * n;
}

/* --- what became of it --- */

static enum hook_outcome
judge(long status)
{
    if (status >= 200 && status < 300)
        return HOOK_TAKEN;
    return status == 400 || status == 410 || status == 413 || status == 415 || status == 422
               ? HOOK_REFUSED
               : HOOK_FAILED;
}

static void
request_free(struct request *r)
{
    curl_slist_free_all(r->headers);
    free(r->event);
    free(r);
}

static void
on_ended(void *ctx, void *request, CURLcode code, long status)
{
    struct request *r = request;
    struct hook_item *item = r->item;
    char why[CURL_ERROR_SIZE + 64];

    if (code == CURLE_OK)
        snprintf(why, sizeof why, "HTTP status %ld", status);
    else
        snprintf(why, sizeof why, "%s", *r->error ? r->error : curl_easy_strerror(code));
    request_free(r);
    hook_landed(ctx, item, code == CURLE_OK ? judge(status) : HOOK_FAILED, why);
}

static void
on_moved(void *ctx)
{
    hook_pump(ctx);
}

/* --- sending --- */

static int
add_header(struct request *r, const char *line)
{
    struct curl_slist *more = curl_slist_append(r->headers, line);

    if (more)
        r->headers = more;
    return more ? 0 : -1;
}

static int
add_signature(struct request *r, const struct hook_target *t, size_t n)
{
    char line[160], stamp[24], hex[65];

    snprintf(stamp, sizeof stamp, "%lld", (long long)time(NULL));
    hook_sign(t->secret, t->secret_n, stamp, r->event, n, hex);
    snprintf(line, sizeof line, "Postroad-Signature: t=%s, v1=%s", stamp, hex);
    return add_header(r, line);
}

/* Each line of the target's file of headers. */
static int
add_own(struct request *r, const char *text)
{
    char line[1024];

    for (size_t n; *text; text += n + strspn(text + n, "\r\n")) {
        n = strcspn(text, "\r\n");
        if (n > 0 && n < sizeof line) {
            memcpy(line, text, n);
            line[n] = '\0';
            if (add_header(r, line) < 0)
                return -1;
        }
    }
    return 0;
}

static struct request *
request_new(const struct hook_target *t, struct hook_item *item, const char *event, size_t n)
{
    struct request *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->item = item;
    r->event = malloc(n + 1);
    if (r->event) {
        memcpy(r->event, event, n);
        r->event[n] = '\0';
    }
    if (r->event && add_header(r, "Content-Type: application/json") == 0 &&
        add_header(r, "Expect:") == 0 && (!t->secret || add_signature(r, t, n) == 0) &&
        (!t->headers || add_own(r, t->headers) == 0))
        return r;
    request_free(r);
    return NULL;
}

/* 0, or -1 no memory: without ca_file it would believe others. */
static int
set_options(CURL *easy, const struct conf *conf, const struct hook_target *t, struct request *r,
            size_t n)
{
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)n);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->event);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "postroad");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)conf->hook.timeout);
    if (*conf->hook.ca_file &&
        curl_easy_setopt(easy, CURLOPT_CAINFO, conf->hook.ca_file) != CURLE_OK)
        return -1;
    return curl_easy_setopt(easy, CURLOPT_URL, t->url) == CURLE_OK ? 0 : -1;
}

int
hook_send(struct hook_sender *s, struct hook_target *t, struct hook_item *item, const char *event,
          size_t n)
{
    struct request *r = request_new(t, item, event, n);
    CURL *easy = r ? curl_easy_init() : NULL;

    if (!easy) {
        if (r)
            request_free(r);
        return -1;
    }
    if (set_options(easy, s->hook->env->conf, t, r, n) == 0 &&
        transfers_add(s->transfers, easy, r) == 0)
        return 0;
    curl_easy_cleanup(easy);
    request_free(r);
    return -1;
}

struct hook_sender *
hook_sender_new(struct hook *h)
{
    static const struct transfers_kind kind = {.ended = on_ended, .moved = on_moved};
    struct hook_sender *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->hook = h;
    s->transfers = transfers_new(h->base, &kind, h);
    if (!s->transfers)
        hook_sender_free(&s);
    return s;
}

/* What is on its way goes again when the role is back. */
void
hook_sender_free(struct hook_sender **s)
{
    if (!*s)
        return;
    (*s)->hook->env->lingers |= transfers_free(&(*s)->transfers);
    free(*s);
    *s = NULL;
}
