/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap: role held at the directory: an entry below cn=held,BASE for each message of this site that
 * waits for a verdict or had one lately, and the verdicts moderators add there.
 *
 * Promises: every step ends within held.timeout; a server that is away costs nothing but that entries
 * and verdicts come later; what is written is always of this site. Must not judge verdicts, or write
 * them, or put the password into any text.
 */
#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "beat.h"
#include "held.h"
#include "syncrepl_conn.h"

#define POLL_MS    2000
#define COMPARE_MS 3600000
#define RETRY_MIN  1000
#define RETRY_MAX  30000
#define VERDICTS   100 /* heard at once */
#define STALE_MAX  256 /* entries of nobody, removed in one comparison */
#define MEND_MS    3000
#define VALUES_MAX (HELD_RECIPIENTS + 1)
#define ATTRS_MAX  16

struct held_ldap {
    struct conf conf; /* with our bind in the place of the mirror's; borrows */
    char base[1100];  /* cn=held,… */
    LDAP *ld;
    int64_t retry_ms, poll_ms, compare_ms;
    int pause_ms;
};

int
held_ldap_wanted(const struct conf *conf)
{
    return *conf->held.bind_dn || *conf->held.sasl_mech;
}

static struct conf
as_held(const struct conf *conf)
{
    struct conf c = *conf;

    c.directory.bind_dn = conf->held.bind_dn;
    c.directory.password_file = conf->held.password_file;
    c.directory.sasl_mech = conf->held.sasl_mech;
    c.directory.timeout = conf->held.timeout;
    c.directory.uri = conf->held.uri.n > 0 ? conf->held.uri : conf->directory.uri;
    c.directory.providers = c.directory.uri;
    return c;
}

int
held_ldap_setup(const struct conf *conf, char *error, size_t n)
{
    const struct conf c = as_held(conf);
    const char *warning = NULL;
    char text[HELD_ERROR];

    if (syncrepl_conn_setup(&c, text, sizeof text, &warning) == 0)
        return 0;
    /* It knows one password_file only. */
    snprintf(error, n, "%s%s", strncmp(text, "directory.password_file", 23) == 0 ? "held" : "",
             strncmp(text, "directory.password_file", 23) == 0 ? text + 9 : text);
    return -1;
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
    if (h->ldap)
        syncrepl_conn_close(&h->ldap->ld);
    free(h->ldap);
    h->ldap = NULL;
}

int
held_ldap_state(const struct held *h)
{
    return !h->ldap ? 0 : h->ldap->ld ? 1 : -1;
}

/* --- requests --- */

static int
is_lost(int code)
{
    return code == LDAP_SERVER_DOWN || code == LDAP_TIMEOUT || code == LDAP_CONNECT_ERROR ||
           code == LDAP_UNAVAILABLE || code == LDAP_DECODING_ERROR || code == LDAP_ENCODING_ERROR;
}

/* Something did not work: say so; without the connection when that is why. */
static void
trouble(struct held *h, const char *what, const char *of, int code)
{
    struct held_ldap *l = h->ldap;
    char reason[256];
    unsigned skipped;

    syncrepl_conn_reason(l->ld, code, reason, sizeof reason);
    if (log_limit(&h->ldap_limit, 3, 60, &skipped))
        log_warning("held mail is not kept up in the directory, it is tried again what=%s of=%s "
                    "error=\"%s\" unlogged=%u",
                    what, of, reason, skipped);
    if (!is_lost(code))
        return;
    syncrepl_conn_close(&l->ld);
    l->retry_ms = beat_now() + RETRY_MIN;
}

/* The next message of an answer: its type, or -1 and an LDAP code. */
static int
next_answer(struct held_ldap *l, int id, int all, LDAPMessage **m_r, int *code_r)
{
    struct timeval limit = {l->conf.held.timeout, 0};
    int type;

    beat_wait();
    type = ldap_result(l->ld, id, all, &limit, m_r);
    beat_now();
    if (type > 0)
        return type;
    *code_r = type == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN;
    if (type == 0)
        ldap_abandon_ext(l->ld, id, NULL, NULL);
    return -1;
}

/* The result code of a request that was sent as id (rc: of sending it). */
static int
finish(struct held_ldap *l, int rc, int id)
{
    LDAPMessage *m = NULL;
    int code = LDAP_OTHER;

    if (rc != LDAP_SUCCESS)
        return rc;
    if (next_answer(l, id, LDAP_MSG_ALL, &m, &code) < 0)
        return code;
    rc = ldap_parse_result(l->ld, m, &code, NULL, NULL, NULL, NULL, 1);
    return rc == LDAP_SUCCESS ? code : LDAP_DECODING_ERROR;
}

/* IDs hold nothing that has to be escaped in a DN. */
static void
dn_of(const struct held_ldap *l, const char *id, char *out, size_t cap)
{
    snprintf(out, cap, "postroadHeldId=%s,%s", id, l->base);
}

/* --- one entry --- */

struct entry {
    LDAPMod mod[ATTRS_MAX], *mods[ATTRS_MAX + 1];
    char *value[ATTRS_MAX][2];
    char *recipients[VALUES_MAX], *attachments[VALUES_MAX];
    char count[24], size[24], time[24], expires[24], decided[24];
    int n;
};

static void
add_values(struct entry *e, int op, const char *name, char **values)
{
    LDAPMod *m = &e->mod[e->n];

    if (!values[0] || e->n == ATTRS_MAX)
        return;
    *m = (LDAPMod){.mod_op = op, .mod_type = (char *)name, .mod_vals.modv_strvals = values};
    e->mods[e->n++] = m;
    e->mods[e->n] = NULL;
}

/* Blank text is no value in a directory. */
static void
add(struct entry *e, int op, const char *name, const char *text)
{
    if (e->n == ATTRS_MAX || text[strspn(text, " ")] == '\0')
        return;
    e->value[e->n][0] = (char *)text;
    e->value[e->n][1] = NULL;
    add_values(e, op, name, e->value[e->n]);
}

/* Without those that are there already. */
static void
fill_list(char **out, char *first, unsigned n, size_t size)
{
    size_t k = 0;

    for (unsigned i = 0; i < n && k + 1 < VALUES_MAX; i++) {
        char *text = first + i * size;
        size_t j = 0;

        while (j < k && strcasecmp(out[j], text) != 0)
            j++;
        if (j == k && text[strspn(text, " ")])
            out[k++] = text;
    }
    out[k] = NULL;
}

static const char *
time_text(char out[24], int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;

    *out = '\0';
    if (ms > 0 && gmtime_r(&t, &tm) && tm.tm_year < 8100)
        strftime(out, 24, "%Y%m%d%H%M%SZ", &tm);
    return out;
}

/* whole: with what people wrote, too, which a directory may find unfit. */
static void
fill(struct held *h, struct entry *e, const char *target, int whole)
{
    struct held_record *r = &h->record;

    memset(e, 0, sizeof *e);
    snprintf(e->count, sizeof e->count, "%llu", (unsigned long long)r->recipient_count);
    snprintf(e->size, sizeof e->size, "%llu", (unsigned long long)r->size);
    fill_list(e->recipients, r->recipient[0], r->recipients, sizeof r->recipient[0]);
    fill_list(e->attachments, r->attachment[0], r->attachments, sizeof r->attachment[0]);
    add(e, LDAP_MOD_ADD, "objectClass", "postroadHeld");
    add(e, LDAP_MOD_ADD, "postroadHeldId", r->id);
    add(e, LDAP_MOD_ADD, "postroadHeldSite", h->env->conf->site);
    add(e, LDAP_MOD_ADD, "postroadHeldState", held_state_word(r->state));
    add(e, LDAP_MOD_ADD, "postroadHeldTarget", target);
    add(e, LDAP_MOD_ADD, "postroadHeldRule", r->rule);
    add(e, LDAP_MOD_ADD, "postroadHeldCount", e->count);
    add(e, LDAP_MOD_ADD, "postroadHeldSize", e->size);
    add(e, LDAP_MOD_ADD, "postroadHeldTime", time_text(e->time, r->time_ms));
    add(e, LDAP_MOD_ADD, "postroadHeldExpires", time_text(e->expires, r->expires_ms));
    if (!whole)
        return;
    add(e, LDAP_MOD_ADD, "postroadHeldSender", r->sender);
    add(e, LDAP_MOD_ADD, "postroadHeldSubject", r->subject);
    add_values(e, LDAP_MOD_ADD, "postroadHeldRecipient", e->recipients);
    add_values(e, LDAP_MOD_ADD, "postroadHeldAttachment", e->attachments);
}

static int
is_unfit(int code)
{
    return code == LDAP_INVALID_SYNTAX || code == LDAP_CONSTRAINT_VIOLATION ||
           code == LDAP_TYPE_OR_VALUE_EXISTS;
}

int
held_ldap_publish(struct held *h)
{
    struct held_ldap *l = h->ldap;
    char dn[1300], target[MIRROR_DN_MAX];
    struct entry e;
    int code = LDAP_INVALID_SYNTAX, id = 0;

    if (!l || !l->ld || held_target_dn(h, target) < 0)
        return -1;
    dn_of(l, h->record.id, dn, sizeof dn);
    for (int whole = 1; whole >= 0 && is_unfit(code); whole--) {
        fill(h, &e, target, whole);
        code = ldap_add_ext(l->ld, dn, e.mods, NULL, NULL, &id);
        code = finish(l, code, id);
    }
    if (code == LDAP_SUCCESS || code == LDAP_ALREADY_EXISTS)
        return 0; /* a process that was killed made it */
    trouble(h, "add", h->record.id, code);
    return -1;
}

int
held_ldap_show(struct held *h)
{
    struct held_ldap *l = h->ldap;
    struct held_record *r = &h->record;
    struct entry e = {.n = 0};
    char dn[1300];
    int code, id = 0;

    if (!l || !l->ld)
        return -1;
    dn_of(l, r->id, dn, sizeof dn);
    add(&e, LDAP_MOD_REPLACE, "postroadHeldState", held_state_word(r->state));
    add(&e, LDAP_MOD_REPLACE, "postroadHeldBy", r->by);
    add(&e, LDAP_MOD_REPLACE, "postroadHeldDecided", time_text(e.decided, r->decided_ms));
    code = ldap_modify_ext(l->ld, dn, e.mods, NULL, NULL, &id);
    code = finish(l, code, id);
    if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT)
        return 0;
    trouble(h, "state", r->id, code);
    return -1;
}

int
held_ldap_remove(struct held *h, const char *id)
{
    struct held_ldap *l = h->ldap;
    char dn[1300];
    int code, msgid = 0;

    if (!l || !l->ld)
        return -1;
    dn_of(l, id, dn, sizeof dn);
    code = ldap_delete_ext(l->ld, dn, NULL, NULL, &msgid);
    code = finish(l, code, msgid);
    if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT)
        return 0;
    trouble(h, "delete", id, code);
    return -1;
}

/* --- verdicts --- */

/* Its first value, NUL-terminated into out; "" when there is none, or it is longer. */
static void
value_of(struct held_ldap *l, LDAPMessage *entry, const char *name, char *out, size_t cap)
{
    struct berval **v = ldap_get_values_len(l->ld, entry, name);

    *out = '\0';
    if (v && v[0] && v[0]->bv_len < cap && !memchr(v[0]->bv_val, '\0', v[0]->bv_len)) {
        memcpy(out, v[0]->bv_val, v[0]->bv_len);
        out[v[0]->bv_len] = '\0';
    }
    ldap_value_free_len(v);
}

/* The very value that was judged, and its reason: another one may be there by now. 0, or -1: not now. */
static int
take_away(struct held *h, const char *id, const char *verdict, int has_reason)
{
    struct held_ldap *l = h->ldap;
    char dn[1300];
    struct entry e = {.n = 0};
    LDAPMod reason = {.mod_op = LDAP_MOD_DELETE,
                      .mod_type = (char *)"postroadHeldReason",
                      .mod_vals.modv_strvals = NULL};
    int code, msgid = 0;

    dn_of(l, id, dn, sizeof dn);
    add(&e, LDAP_MOD_DELETE, "postroadHeldVerdict", verdict);
    if (has_reason) {
        e.mods[e.n++] = &reason;
        e.mods[e.n] = NULL;
    }
    code = ldap_modify_ext(l->ld, dn, e.mods, NULL, NULL, &msgid);
    code = finish(l, code, msgid);
    if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_ATTRIBUTE || code == LDAP_NO_SUCH_OBJECT)
        return 0;
    trouble(h, "verdict", id, code);
    return -1;
}

static void
hear(struct held *h, LDAPMessage *entry)
{
    char id[HELD_ID_MAX + 1], verdict[17], reason[1025], by[1025];

    value_of(h->ldap, entry, "postroadHeldId", id, sizeof id);
    value_of(h->ldap, entry, "postroadHeldVerdict", verdict, sizeof verdict);
    value_of(h->ldap, entry, "postroadHeldReason", reason, sizeof reason);
    value_of(h->ldap, entry, "modifiersName", by, sizeof by);
    /* One that can't be taken away comes again every two seconds: it is not recorded each time. */
    if (held_verdict_heard(h, id, verdict, by, reason) == 0 &&
        take_away(h, id, verdict, *reason != '\0') == 0)
        held_verdict_refused(h, verdict, by);
}

static void
poll_verdicts(struct held *h)
{
    static const char *const attrs[] = {"postroadHeldId", "postroadHeldVerdict",
                                        "postroadHeldReason", "modifiersName", NULL};
    struct held_ldap *l = h->ldap;
    struct timeval limit = {l->conf.held.timeout, 0};
    LDAPMessage *answer = NULL, *m;
    char filter[256];
    int id = 0, code = LDAP_SUCCESS, rc;

    snprintf(filter, sizeof filter,
             "(&(postroadHeldSite=%s)(postroadHeldState=held)(postroadHeldVerdict=*))",
             l->conf.site);
    rc = ldap_search_ext(l->ld, l->base, LDAP_SCOPE_ONELEVEL, filter, (char **)attrs, 0, NULL, NULL,
                         &limit, VERDICTS, &id);
    if (rc == LDAP_SUCCESS && next_answer(l, id, LDAP_MSG_ALL, &answer, &code) > 0)
        rc = ldap_parse_result(l->ld, answer, &code, NULL, NULL, NULL, NULL, 0);
    code = rc != LDAP_SUCCESS ? rc : code;
    if (code != LDAP_SUCCESS && code != LDAP_SIZELIMIT_EXCEEDED)
        trouble(h, "verdicts", l->base, code);
    else
        board_add(&h->env->board, BOARD_HELD_POLLS, 1);
    m = l->ld && answer ? ldap_first_entry(l->ld, answer) : NULL;
    while (m) {
        hear(h, m);
        m = l->ld ? ldap_next_entry(l->ld, m) : NULL;
    }
    ldap_msgfree(answer);
}

/* --- comparing --- */

struct stale {
    char id[STALE_MAX][HELD_ID_MAX + 1];
    size_t n;
};

/* One entry of this site: whose is it? */
static void
compare_entry(struct held *h, LDAPMessage *m, struct stale *s)
{
    char id[HELD_ID_MAX + 1], error[HELD_ERROR];
    struct held_item *item;

    value_of(h->ldap, m, "postroadHeldId", id, sizeof id);
    item = held_id_is(span_of(id)) ? held_index_find(&h->index, id) : NULL;
    if (item)
        item->listed = 1;
    else if (s->n < STALE_MAX && held_id_is(span_of(id)) &&
             held_record_read(h->folder, id, &h->record, error, sizeof error) == 0)
        memcpy(s->id[s->n++], id, sizeof id);
}

/* All entries of this site were seen: 0; -1. */
static int
compare_all(struct held *h, int id, struct stale *s)
{
    struct held_ldap *l = h->ldap;
    LDAPMessage *m = NULL;
    int code = LDAP_OTHER, type;

    while ((type = next_answer(l, id, LDAP_MSG_ONE, &m, &code)) > 0) {
        if (type == LDAP_RES_SEARCH_ENTRY)
            compare_entry(h, m, s);
        if (type == LDAP_RES_SEARCH_RESULT) {
            if (ldap_parse_result(l->ld, m, &code, NULL, NULL, NULL, NULL, 1) != LDAP_SUCCESS)
                code = LDAP_DECODING_ERROR;
            break;
        }
        ldap_msgfree(m);
    }
    if (type > 0 && code == LDAP_SUCCESS)
        return 0;
    trouble(h, "comparison", l->base, code);
    return -1;
}

/* What has no record here is nobody's; what has no entry there gets one again. Much of it not at once. */
static void
mend(struct held *h, const struct stale *s)
{
    int64_t until = beat_now() + MEND_MS;

    for (size_t i = 0; i < s->n && h->ldap->ld; i++)
        if (held_ldap_remove(h, s->id[i]) == 0)
            log_warning("entry of a held message that is not here removed id=%s", s->id[i]);
    for (size_t i = 0; i < h->index.n; i++) {
        struct held_item *item = h->index.at[i];

        if (item->published == item->listed || item->busy || held_load(h, item) < 0)
            continue;
        if (beat_now() >= until) {
            h->ldap->compare_ms = until + MEND_MS;
            return;
        }
        if (item->published)
            log_warning("entry of a held message was missing in the directory id=%s", item->id);
        h->record.published = item->listed; /* a process that was killed may have made it */
        h->record.shown = 0;
        held_save(h, item);
    }
}

static void
compare(struct held *h)
{
    static const char *const attrs[] = {"postroadHeldId", NULL};
    struct held_ldap *l = h->ldap;
    struct stale *s = calloc(1, sizeof *s);
    char filter[128];
    int id = 0, rc;

    for (size_t i = 0; i < h->index.n; i++)
        h->index.at[i]->listed = 0;
    snprintf(filter, sizeof filter, "(postroadHeldSite=%s)", l->conf.site);
    rc = s ? ldap_search_ext(l->ld, l->base, LDAP_SCOPE_ONELEVEL, filter, (char **)attrs, 0, NULL,
                             NULL, NULL, 0, &id)
           : LDAP_NO_MEMORY;
    if (rc != LDAP_SUCCESS)
        trouble(h, "comparison", l->base, rc);
    else if (compare_all(h, id, s) == 0)
        mend(h, s);
    free(s);
}

/* --- the connection --- */

static void
connect_somewhere(struct held *h)
{
    struct held_ldap *l = h->ldap;
    const struct conf_list *uri = &l->conf.directory.uri;
    char error[256] = "no server";
    unsigned skipped;

    for (size_t i = 0; i < uri->n && !l->ld; i++) {
        beat_wait();
        l->ld = syncrepl_conn_open(&l->conf, uri->v[i], error, sizeof error);
        beat_now();
        if (l->ld)
            log_notice("held mail is shown in the directory uri=%s base=\"%s\"", uri->v[i],
                       l->base);
    }
    if (l->ld) {
        l->pause_ms = 0;
        l->compare_ms = l->poll_ms = 0;
        return;
    }
    l->pause_ms = l->pause_ms ? l->pause_ms * 2 : RETRY_MIN;
    l->pause_ms = l->pause_ms < RETRY_MAX ? l->pause_ms : RETRY_MAX;
    l->retry_ms = beat_now() + l->pause_ms;
    if (log_limit(&h->ldap_limit, 3, 60, &skipped))
        log_warning("held mail can't be shown in the directory, it is tried again error=\"%s\" "
                    "unlogged=%u",
                    error, skipped);
}

void
held_ldap_tick(struct held *h, int64_t mono_ms)
{
    struct held_ldap *l = h->ldap;

    if (!l)
        return;
    if (!l->ld && mono_ms >= l->retry_ms)
        connect_somewhere(h);
    if (l->ld && mono_ms >= l->compare_ms) {
        l->compare_ms = mono_ms + COMPARE_MS;
        compare(h);
    }
    if (l->ld && mono_ms >= l->poll_ms) {
        l->poll_ms = mono_ms + POLL_MS;
        poll_verdicts(h);
    }
}
