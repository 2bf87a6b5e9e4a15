/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_compare: see control_compare.h. Equal contextCSN is not equal content; addresses
 * that somebody asks for are verified one by one (look.c), here all of it is compared.
 *
 * Promises: one short question at a time for each site, over the event loop, with bounded
 * time and bytes; nobody waits for it, and what it learns decides nothing. "Differs" is
 * said only of domains whose digests differ, and are the same two, at two looks in a row,
 * while both mirrors are proven current: what is on its way changes one of them. "Equal"
 * is never said because something could not be asked. Must not repair anything.
 */
#include "control_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>

#include "control_digest.h"
#include "log.h"

#define PEERS_MAX   16
#define ANSWER_S    10
#define AGAIN_MS    10000 /* between two looks at what differs; never longer than the interval */
#define REPLY_MAX   ((size_t)8 << 20)
#define PAGES_MAX   100
#define NAMES_SHOWN 10

struct peer {
    struct compare *compare;
    char site[65];
    struct sockaddr_storage address;
    int address_n;
    struct bufferevent *conn; /* while it is asked */
    json_t *there;            /* its domains, name -> digest, as far as they came */
    unsigned pages;
    int64_t next_ms; /* monotonic */
    json_t *before,
        *lasting; /* name -> both digests: at the last look; and what stayed like that */
    int64_t looked_ms, since_ms;
    char why[200]; /* why it can't be told; "" it can */
};

struct compare {
    struct control *control;
    int64_t interval_ms;
    size_t n;
    struct peer peer[PEERS_MAX];
};

/* --- what comes out of a look --- */

static int64_t
again_ms(const struct compare *cmp)
{
    return cmp->interval_ms < AGAIN_MS ? cmp->interval_ms : AGAIN_MS;
}

static void
hang_up(struct peer *p, int64_t wait_ms)
{
    if (p->conn)
        bufferevent_free(p->conn);
    p->conn = NULL;
    json_decref(p->there);
    p->there = NULL;
    p->next_ms = control_now().mono_ms + wait_ms;
}

static void
cant_tell(struct peer *p, const char *why)
{
    if (!*p->why)
        log_warning("can't be compared with another site site=%s why=\"%s\"", p->site, why);
    snprintf(p->why, sizeof p->why, "%s", why);
    hang_up(p, p->compare->interval_ms);
}

static void
now_equal(struct peer *p)
{
    json_object_clear(p->lasting);
    if (p->since_ms)
        log_notice("equal to the other site again site=%s", p->site);
    p->since_ms = 0;
}

static void
now_differs(struct peer *p)
{
    const char *name = json_object_iter_key(json_object_iter(p->lasting));

    if (p->since_ms)
        return;
    p->since_ms = control_now().wall_ms;
    log_error("other content than at another site, though both are current site=%s domains=%zu "
              "domain=\"%s\"",
              p->site, json_object_size(p->lasting), name);
}

static void
note_if_other(json_t *out, const char *name, json_t *here, json_t *there)
{
    const char *h = json_string_value(here), *t = json_string_value(there);
    char both[160];

    if (h && t && strcmp(h, t) == 0)
        return;
    snprintf(both, sizeof both, "%s %s", h ? h : "none", t ? t : "none");
    json_object_set_new(out, name, json_string(both));
}

/* Domains whose digests are others here and there, or that one has not: name -> "here there". */
static json_t *
other_domains(json_t *here, json_t *there)
{
    json_t *out = json_object(), *digest;
    const char *name;

    json_object_foreach(here, name, digest)
    {
        note_if_other(out, name, digest, json_object_get(there, name));
    }
    json_object_foreach(there, name, digest)
    {
        note_if_other(out, name, json_object_get(here, name), digest);
    }
    return out;
}

static json_t *
those_as_before(json_t *now, json_t *before)
{
    json_t *out = json_object(), *both;
    const char *name;

    json_object_foreach(now, name, both)
    {
        if (json_equal(both, json_object_get(before, name)))
            json_object_set(out, name, both);
    }
    return out;
}

static void
conclude(struct peer *p, json_t *differ)
{
    json_t *lasting = those_as_before(differ, p->before);
    size_t n = json_object_size(differ);

    p->why[0] = '\0';
    json_decref(p->before);
    p->before = differ;
    if (n == 0 || json_object_size(lasting) > 0) {
        json_decref(p->lasting);
        p->lasting = json_incref(lasting);
        p->looked_ms = control_now().wall_ms;
    }
    json_decref(lasting);
    if (n == 0)
        now_equal(p);
    else if (json_object_size(p->lasting) > 0)
        now_differs(p);
    hang_up(p, n > 0 && !p->since_ms ? again_ms(p->compare) : p->compare->interval_ms);
}

/* --- reading digests --- */

/* Add a page's domains to out. The last one's name; NULL: there are no more. */
static const char *
take_page(json_t *page, json_t *out)
{
    const char *last = NULL, *name;
    json_t *domain;
    size_t i;

    json_array_foreach(json_object_get(page, "domains"), i, domain)
    {
        name = json_string_value(json_object_get(domain, "name"));
        if (name)
            json_object_set(out, name, json_object_get(domain, "digest"));
        last = name ? name : last;
    }
    return json_is_true(json_object_get(page, "more")) ? last : NULL;
}

static const char *
text_of(json_t *page, const char *key)
{
    const char *s = json_string_value(json_object_get(page, key));

    return s ? s : "";
}

/* Our own domains, and the first page of them for what else it says; NULL: it can't be read. */
static json_t *
own_domains(struct control *c, json_t **page_r)
{
    json_t *out = json_object(), *page = digest_domains_json(c, (struct span){NULL, 0});
    const char *last;

    *page_r = json_incref(page);
    while (json_object_get(page, "domains") && (last = take_page(page, out))) {
        json_t *next = digest_domains_json(c, span_of(last));

        json_decref(page);
        page = next;
    }
    if (!json_object_get(page, "domains")) {
        json_decref(out);
        out = NULL;
    }
    json_decref(page);
    return out;
}

/* Why these two can't be compared; NULL: they can. */
static const char *
unfit(const struct peer *p, json_t *own, json_t *page)
{
    if (strcmp(text_of(page, "site"), p->site) != 0)
        return "it is another site: where does the tunnel lead?";
    if (strcmp(text_of(own, "rules"), text_of(page, "rules")) != 0)
        return "its version, or its settings below directory.map and directory.preset, are others";
    if (json_is_false(json_object_get(own, "current")))
        return "our mirror is not proven current";
    if (json_is_false(json_object_get(page, "current")))
        return "its mirror is not proven current";
    return NULL;
}

/* All of it came; page is the last one. */
static void
compare_with(struct peer *p, json_t *page)
{
    json_t *own_page, *own = own_domains(p->compare->control, &own_page);
    const char *why = own ? unfit(p, own_page, page) : "our mirror can't be read";

    if (why)
        cant_tell(p, why);
    else
        conclude(p, other_domains(own, p->there));
    json_decref(own);
    json_decref(own_page);
}

/* --- asking --- */

static void
ask(struct peer *p, const char *after)
{
    json_t *request = json_pack("{s:s}", "verb", "digests");
    char *line;

    if (after)
        json_object_set_new(request, "after", json_string(after));
    line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (line)
        evbuffer_add_printf(bufferevent_get_output(p->conn), "%s\n", line);
    free(line);
}

static void
on_page(struct peer *p, json_t *page)
{
    const char *after;

    if (!json_is_array(json_object_get(page, "domains"))) {
        const char *error = text_of(page, "error");

        cant_tell(p, *error ? error : "what it says is no answer");
        return;
    }
    after = take_page(page, p->there);
    if (!after)
        compare_with(p, page);
    else if (++p->pages >= PAGES_MAX)
        cant_tell(p, "it has more domains than can be compared");
    else
        ask(p, after);
}

static void
on_reply(struct bufferevent *conn, void *ctx)
{
    struct peer *p = ctx;
    struct evbuffer *in = bufferevent_get_input(conn);
    size_t n;
    char *line = evbuffer_readln(in, &n, EVBUFFER_EOL_LF);
    json_t *page;

    if (!line) {
        if (evbuffer_get_length(in) > REPLY_MAX)
            cant_tell(p, "its answer is too long");
        return;
    }
    page = json_loadb(line, n, 0, NULL);
    free(line);
    on_page(p, page);
    json_decref(page);
}

static void
on_event(struct bufferevent *conn, short what, void *ctx)
{
    struct peer *p = ctx;
    int error = EVUTIL_SOCKET_ERROR();

    (void)conn;
    if (what & BEV_EVENT_CONNECTED)
        return;
    if (what & BEV_EVENT_TIMEOUT)
        cant_tell(p, "no answer in time");
    else if (what & BEV_EVENT_EOF)
        cant_tell(p, "it closed the connection");
    else
        cant_tell(p, error ? evutil_socket_error_to_string(error) : "can't connect");
}

static void
begin(struct peer *p)
{
    const struct timeval limit = {ANSWER_S, 0};

    p->conn = bufferevent_socket_new(p->compare->control->base, -1, BEV_OPT_CLOSE_ON_FREE);
    p->there = json_object();
    p->pages = 0;
    if (!p->conn || !p->there) {
        cant_tell(p, "no memory");
        return;
    }
    bufferevent_setcb(p->conn, on_reply, NULL, on_event, p);
    bufferevent_set_timeouts(p->conn, &limit, &limit);
    bufferevent_enable(p->conn, EV_READ | EV_WRITE);
    ask(p, NULL);
    if (bufferevent_socket_connect(p->conn, (struct sockaddr *)&p->address, p->address_n) < 0 &&
        p->conn)
        cant_tell(p, "can't connect");
}

/* --- beginning and end --- */

/* "SITE=unix:/path" or "SITE=inet:127.0.0.1:port", as conf_check.c left it. 0, or -1. */
static int
peer_init(struct peer *p, const char *row)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&p->address;
    const char *at = strchr(row, '=') + 1;
    char where[80];

    snprintf(p->site, sizeof p->site, "%.*s", (int)(at - row - 1), row);
    p->before = json_object();
    p->lasting = json_object();
    if (strncmp(at, "unix:", 5) == 0) {
        un->sun_family = AF_UNIX;
        p->address_n = sizeof *un;
        return snprintf(un->sun_path, sizeof un->sun_path, "%s", at + 5) < (int)sizeof un->sun_path
                   ? 0
                   : -1;
    }
    at += 5;
    snprintf(where, sizeof where, "%s%s", strncmp(at, "localhost:", 10) == 0 ? "127.0.0.1" : "",
             strncmp(at, "localhost:", 10) == 0 ? at + 9 : at);
    p->address_n = sizeof p->address;
    return evutil_parse_sockaddr_port(where, (struct sockaddr *)&p->address, &p->address_n);
}

struct compare *
compare_open(struct control *c)
{
    const struct conf *conf = c->env->conf;
    struct compare *cmp;

    if (conf->compare.interval == 0 || conf->compare.peers.n == 0)
        return NULL;
    cmp = calloc(1, sizeof *cmp);
    if (!cmp)
        return NULL;
    cmp->control = c;
    cmp->interval_ms = conf->compare.interval * 1000LL;
    for (size_t i = 0; i < conf->compare.peers.n && cmp->n < PEERS_MAX; i++) {
        struct peer *p = &cmp->peer[cmp->n++];

        p->compare = cmp;
        p->next_ms = control_now().mono_ms + again_ms(cmp);
        if (peer_init(p, conf->compare.peers.v[i]) == 0 && strcmp(p->site, conf->site) != 0)
            continue;
        json_decref(p->before);
        json_decref(p->lasting);
        memset(p, 0, sizeof *p);
        cmp->n--; /* ourselves, in a file that all sites share; or a path too long to be one */
    }
    return cmp;
}

void
compare_tick(struct compare *cmp, const struct moment *now)
{
    for (size_t i = 0; cmp && i < cmp->n; i++)
        if (!cmp->peer[i].conn && now->mono_ms >= cmp->peer[i].next_ms)
            begin(&cmp->peer[i]);
}

void
compare_close(struct compare **cp)
{
    for (size_t i = 0; *cp && i < (*cp)->n; i++) {
        hang_up(&(*cp)->peer[i], 0);
        json_decref((*cp)->peer[i].before);
        json_decref((*cp)->peer[i].lasting);
    }
    free(*cp);
    *cp = NULL;
}

/* --- showing --- */

static json_t *
names_json(json_t *domains)
{
    json_t *list = json_array(), *unused;
    const char *name;

    json_object_foreach(domains, name, unused)
    {
        if (json_array_size(list) < NAMES_SHOWN)
            json_array_append_new(list, json_string(name));
    }
    return list;
}

json_t *
compare_json(const struct compare *cmp)
{
    json_t *list = json_array();

    for (size_t i = 0; cmp && i < cmp->n; i++) {
        const struct peer *p = &cmp->peer[i];

        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:o}", "site", p->site, "state",
                      p->since_ms                ? "differs"
                      : *p->why || !p->looked_ms ? "unknown"
                                                 : "equal",
                      "why", *p->why ? control_text(span_of(p->why)) : json_null(), "looked",
                      control_time(p->looked_ms), "since", control_time(p->since_ms), "differ",
                      (json_int_t)json_object_size(p->lasting), "domains", names_json(p->lasting)));
    }
    return list;
}

int
compare_figures(const struct compare *cmp, size_t i, struct compare_figures *out)
{
    if (!cmp || i >= cmp->n)
        return 0;
    out->site = cmp->peer[i].site;
    out->differ = (unsigned)json_object_size(cmp->peer[i].lasting);
    out->looked_ms = cmp->peer[i].looked_ms;
    return 1;
}
