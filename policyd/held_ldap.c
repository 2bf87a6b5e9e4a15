/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap: role held at the directory: the connection, in the event loop, and the requests that are under
 * way there. See held_ldap.h for who asks what.
 *
 * Promises: nothing waits; each job ends once, with the answer, or when held.timeout is over, or with the
 * connection; a server that is away or hangs costs nothing but that entries and verdicts come
 * later. Must not put the password into any text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat.h"
#include "held_ldap.h"
#include "syncrepl_conn.h"

#define POLL_MS    2000
#define COMPARE_MS 3600000
#define RETRY_MIN  1000
#define RETRY_MAX  30000
#define BUDGET_MS  200 /* of answers, then others have their turn */

int
held_ldap_wanted(const struct conf *conf)
{
    return *conf->held.bind_dn || *conf->held.sasl_mech;
}

static struct conf
as_held(const struct conf *conf)
{
    const struct syncrepl_login login = {.bind_dn = conf->held.bind_dn,
                                         .password_file = conf->held.password_file,
                                         .sasl_mech = conf->held.sasl_mech,
                                         .timeout = conf->held.timeout,
                                         .uri = {&conf->held.uri, &conf->directory.uri}};

    return syncrepl_conn_conf(conf, &login);
}

int
held_ldap_setup(const struct conf *conf, char *error, size_t n)
{
    const struct conf c = as_held(conf);

    return syncrepl_conn_setup(&c, "held", error, n, NULL);
}

/* --- requests --- */

int
held_ldap_state(const struct held *h)
{
    return !h->ldap ? 0 : held_ldap_usable(h) ? 1 : -1;
}

int
held_ldap_usable(const struct held *h)
{
    return h->ldap && h->ldap->ld && !h->ldap->lost;
}

static int
is_lost(int code)
{
    return code == LDAP_SERVER_DOWN || code == LDAP_TIMEOUT || code == LDAP_CONNECT_ERROR ||
           code == LDAP_UNAVAILABLE || code == LDAP_DECODING_ERROR || code == LDAP_ENCODING_ERROR;
}

void
held_ldap_trouble(struct held *h, const char *what, const char *of, int code)
{
    struct held_ldap *l = h->ldap;
    char reason[256];
    unsigned skipped;

    if (l->ld)
        syncrepl_conn_reason(l->ld, code, reason, sizeof reason);
    else
        snprintf(reason, sizeof reason, "%s", ldap_err2string(code));
    if (log_limit(&h->ldap_limit, 3, 60, &skipped))
        log_warning("held mail is not kept up in the directory, it is tried again what=%s of=%s "
                    "error=\"%s\" unlogged=%u",
                    what, of, reason, skipped);
    l->lost |= is_lost(code);
}

void
held_ldap_dn(const struct held_ldap *l, const char *id, char *out, size_t cap)
{
    snprintf(out, cap, "postroadHeldId=%s,%s", id, l->base);
}

void
held_ldap_value(const struct held *h, LDAPMessage *entry, const char *name, char *out, size_t cap)
{
    struct berval **v = ldap_get_values_len(h->ldap->ld, entry, name);

    *out = '\0';
    if (v && v[0] && v[0]->bv_len < cap && !memchr(v[0]->bv_val, '\0', v[0]->bv_len)) {
        memcpy(out, v[0]->bv_val, v[0]->bv_len);
        out[v[0]->bv_len] = '\0';
    }
    ldap_value_free_len(v);
}

struct held_job *
held_job_new(const char *what, const char *id, held_end_fn *on_end)
{
    struct held_job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    job->what = what;
    job->on_end = on_end;
    snprintf(job->id, sizeof job->id, "%s", id);
    return job;
}

static int64_t
until(const struct held_ldap *l)
{
    return (int64_t)board_now_ms() + l->conf.held.timeout * 1000LL;
}

int
held_job_sent(struct held *h, struct held_job *job, int rc)
{
    struct held_ldap *l = h->ldap;

    if (rc != LDAP_SUCCESS) {
        held_ldap_trouble(h, job->what, job->id, rc);
        free(job);
        return -1;
    }
    job->until_ms = until(l);
    job->next = l->jobs;
    l->jobs = job;
    return 0;
}

/* --- answers --- */

static void
end_job(struct held *h, struct held_job *job, int code)
{
    struct held_job **at = &h->ldap->jobs;

    while (*at && *at != job)
        at = &(*at)->next;
    if (*at)
        *at = job->next;
    job->on_end(h, job, code);
    free(job);
}

/* Without the connection; what was asked by it has no answer. */
static void
lose(struct held *h)
{
    struct held_ldap *l = h->ldap;

    l->lost = 1;
    if (l->readable)
        event_free(l->readable);
    l->readable = NULL;
    while (l->jobs)
        end_job(h, l->jobs, LDAP_SERVER_DOWN);
    held_ldap_compare_stop(h);
    syncrepl_conn_close(&l->ld);
    l->lost = 0;
    l->retry_ms = beat_now() + RETRY_MIN;
}

static struct held_job *
job_of(const struct held_ldap *l, LDAPMessage *m)
{
    struct held_job *job = l->jobs;

    while (job && job->msgid != ldap_msgid(m))
        job = job->next;
    return job;
}

static void
take_answer(struct held *h, LDAPMessage *m, int type)
{
    struct held_ldap *l = h->ldap;
    struct held_job *job = job_of(l, m);
    int code = LDAP_OTHER;

    if (!job || type == LDAP_RES_SEARCH_REFERENCE || type == LDAP_RES_INTERMEDIATE)
        return;
    job->until_ms = until(l);
    if (type == LDAP_RES_SEARCH_ENTRY) {
        if (job->on_entry)
            job->on_entry(h, job, m);
        return;
    }
    if (ldap_parse_result(l->ld, m, &code, NULL, NULL, NULL, NULL, 0) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    end_job(h, job, code);
}

/* All that has come; libldap may have read more than it gave, so a budget that is spent is taken up again. */
static void
take_answers(struct held *h)
{
    struct held_ldap *l = h->ldap;
    int64_t end = beat_now() + BUDGET_MS;
    struct timeval nothing = {0, 0};
    LDAPMessage *m = NULL;
    int type = 0;

    while (held_ldap_usable(h) && beat_now() < end &&
           (type = ldap_result(l->ld, LDAP_RES_ANY, LDAP_MSG_ONE, &nothing, &m)) > 0) {
        take_answer(h, m, type);
        ldap_msgfree(m);
    }
    if (type < 0)
        held_ldap_trouble(h, "connection", l->base, LDAP_SERVER_DOWN);
    if (l->lost)
        lose(h);
    else if (type > 0 && l->readable)
        event_active(l->readable, EV_READ, 0);
}

static void
on_readable(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    take_answers(ctx);
}

/* --- the connection --- */

static void
later(struct held *h, const char *error)
{
    struct held_ldap *l = h->ldap;
    unsigned skipped;

    l->pause_ms = l->pause_ms ? l->pause_ms * 2 : RETRY_MIN;
    l->pause_ms = l->pause_ms < RETRY_MAX ? l->pause_ms : RETRY_MAX;
    l->retry_ms = beat_now() + l->pause_ms;
    if (log_limit(&h->ldap_limit, 3, 60, &skipped))
        log_warning("held mail can't be shown in the directory, it is tried again error=\"%s\" "
                    "unlogged=%u",
                    error, skipped);
}

static int
listen_to(struct held *h)
{
    struct held_ldap *l = h->ldap;

    l->readable = event_new(h->base, syncrepl_conn_fd(l->ld), EV_READ | EV_PERSIST, on_readable, h);
    if (l->readable && event_add(l->readable, NULL) == 0)
        return 0;
    if (l->readable)
        event_free(l->readable);
    l->readable = NULL;
    syncrepl_conn_close(&l->ld);
    return -1;
}

static void
on_opened(struct held *h)
{
    struct held_ldap *l = h->ldap;
    char error[256], *uri = NULL;

    if (!*l->keeper && held_keeper(h->folder, l->keeper) < 0)
        log_warning("it can't be kept which entries of held mail are this policyd's");
    l->ld = held_opening_end(h, error, sizeof error);
    if (!l->ld || listen_to(h) < 0) {
        later(h, error);
        return;
    }
    ldap_get_option(l->ld, LDAP_OPT_URI, &uri);
    log_notice("held mail is shown in the directory uri=%s base=\"%s\"", uri ? uri : "", l->base);
    ldap_memfree(uri);
    l->lost = l->no_keeper = l->pause_ms = 0;
    l->compare_ms = l->poll_ms = 0;
    held_ldap_tick(h, beat_now());
    held_soon(h);
}

static void
check_time(struct held *h, int64_t mono_ms)
{
    const struct held_job *job = h->ldap->jobs;

    while (job && mono_ms < job->until_ms)
        job = job->next;
    if (job)
        held_ldap_trouble(h, job->what, job->id, LDAP_TIMEOUT);
}

void
held_ldap_tick(struct held *h, int64_t mono_ms)
{
    struct held_ldap *l = h->ldap;

    if (!l)
        return;
    if (!l->ld && !l->opening && mono_ms >= l->retry_ms && held_opening_begin(h, on_opened) < 0)
        later(h, "no memory, or no thread");
    if (!l->ld)
        return;
    take_answers(h);
    if (held_ldap_usable(h))
        check_time(h, mono_ms);
    if (l->lost)
        lose(h);
    if (held_ldap_usable(h) && mono_ms >= l->compare_ms && !l->comparing) {
        l->compare_ms = mono_ms + COMPARE_MS;
        held_ldap_compare(h);
    }
    if (held_ldap_usable(h) && mono_ms >= l->poll_ms && !l->polling && !l->taking) {
        l->poll_ms = mono_ms + POLL_MS;
        held_ldap_poll(h);
    }
    held_target_tick(h, mono_ms);
}

int
held_ldap_open(struct held *h)
{
    const struct conf *conf = h->env->conf;

    if (!held_ldap_wanted(conf))
        return 0;
    h->ldap = calloc(1, sizeof *h->ldap);
    if (!h->ldap)
        return -1;
    h->ldap->conf = as_held(conf);
    snprintf(h->ldap->base, sizeof h->ldap->base, "cn=held,%s", conf->directory.base);
    return 0;
}

void
held_ldap_close(struct held *h)
{
    struct held_ldap *l = h->ldap;

    if (!l)
        return;
    held_opening_forget(h);
    if (l->readable)
        event_free(l->readable);
    for (struct held_job *next; l->jobs; l->jobs = next) {
        next = l->jobs->next;
        free(l->jobs);
    }
    held_ldap_compare_stop(h);
    syncrepl_conn_close(&l->ld);
    free(l);
    h->ldap = NULL;
}
