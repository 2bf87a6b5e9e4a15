/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look: see look.h.
 *
 * Promises: nothing a provider has is called the mirror's unless the same entry with
 * the same digest is in it, committed; nothing is called a difference that may still be
 * on its way, or was changed meanwhile (confirm.h). Shared state stands behind one lock, held for
 * moments. What there is to do is bounded: by the slots askers have, by what one search
 * holds, by the number of searches that may wait. Must not: speak with providers.
 */
#include "look.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "confirm.h"
#include "log.h"

#define WAITING_MAX 64    /* searches whose differences may be on their way */
#define WAITING_MS  15000 /* and for how long */
#define AGAIN_MS    5000  /* between two looks for what an alarm was raised for */

struct alarm {
    struct inquiry_alarm shown;
    char text[INQUIRY_TEXT];
    size_t n;
    int slot;
    int64_t asked_ms;
};

struct look {
    const struct conf *conf;
    struct board *board;
    pthread_mutex_t lock;
    struct confirm *confirm;             /* under the lock */
    struct search *handed_in;            /* under the lock */
    unsigned start[PROOF_PROVIDERS_MAX]; /* each thread's own: where its walk goes on */
    /* the main thread's own */
    struct search *waiting;
    unsigned nwaiting;
    struct inquiry own;
    struct alarm alarm[INQUIRY_ALARMS];
    struct log_limit limit;
};

struct look *
look_new(const struct conf *conf, struct board *board, unsigned providers)
{
    static const struct inquiry_alarm none;
    struct look *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->conf = conf;
    l->board = board;
    pthread_mutex_init(&l->lock, NULL);
    inquiry_init(&l->own, board);
    l->confirm = confirm_new(INQUIRY_ROWS, providers);
    if (!l->confirm)
        look_free(&l);
    for (int i = 0; l && i < INQUIRY_ALARMS; i++)
        inquiry_alarm_set(board, i, &none);
    board_set(board, BOARD_SYNC_DIFFERS, 0);
    return l;
}

static void
free_all(struct search *s)
{
    for (struct search *next; s; s = next) {
        next = s->next;
        search_free(&s);
    }
}

void
look_free(struct look **lp)
{
    struct look *l = *lp;

    *lp = NULL;
    if (!l)
        return;
    free_all(l->handed_in);
    free_all(l->waiting);
    confirm_free(&l->confirm);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* --- the threads --- */

/* Under the lock. Add what is due of a part of the walk; 1 when there was no room for all. */
static int
add_due(struct look *l, struct search *s, unsigned from, unsigned to)
{
    static _Thread_local struct inquiry_question q;
    unsigned at = from;

    while (at < to && inquiry_next(l->board, &at, s->at_ms, &q)) {
        if (!confirm_due(l->confirm, inquiry_row(q.id), s->provider, q.id.version, q.want_ms))
            continue;
        if (search_add(s, &q) < 0) {
            l->start[s->provider] = at - 1;
            return 1;
        }
    }
    return 0;
}

struct search *
look_take(struct look *l, unsigned provider, int64_t now_ms)
{
    struct search *s = search_new(provider, now_ms);
    unsigned start;

    if (!s)
        return NULL;
    pthread_mutex_lock(&l->lock);
    start = l->start[provider];
    l->start[provider] = 0;
    if (!add_due(l, s, start, INQUIRY_WALK))
        add_due(l, s, 0, start);
    pthread_mutex_unlock(&l->lock);
    if (s->n == 0)
        search_free(&s);
    return s;
}

void
look_begun(struct look *l, const struct search *s)
{
    pthread_mutex_lock(&l->lock);
    for (unsigned i = 0; i < s->n; i++)
        confirm_asked(l->confirm, inquiry_row(s->item[i].id), s->provider, s->item[i].id.version,
                      s->at_ms);
    pthread_mutex_unlock(&l->lock);
}

void
look_done(struct look *l, struct search **s)
{
    struct search **end;

    pthread_mutex_lock(&l->lock);
    for (end = &l->handed_in; *end; end = &(*end)->next)
        ;
    *end = *s;
    pthread_mutex_unlock(&l->lock);
    *s = NULL;
}

void
look_failed(struct look *l, struct search **sp)
{
    struct search *s = *sp;

    pthread_mutex_lock(&l->lock);
    for (unsigned i = 0; i < s->n; i++)
        if (!s->answered[i])
            confirm_unanswered(l->confirm, inquiry_row(s->item[i].id), s->provider,
                               s->item[i].id.version);
    pthread_mutex_unlock(&l->lock);
    search_free(sp);
}

/* --- the main thread: alarms --- */

/* That of this entry at this provider, else a free one; NULL when there is none. */
static struct alarm *
alarm_for(struct look *l, const struct inquiry_alarm *shown, int *is_new)
{
    struct alarm *free_one = NULL;

    *is_new = 0;
    for (int i = 0; i < INQUIRY_ALARMS; i++) {
        struct alarm *a = &l->alarm[i];

        if (a->shown.since_ms && a->shown.provider == shown->provider &&
            strcmp(a->shown.entry, shown->entry) == 0)
            return a;
        if (!a->shown.since_ms && !free_one)
            free_one = a;
    }
    *is_new = 1;
    return free_one;
}

static void
count_alarms(struct look *l)
{
    unsigned n = 0;

    for (int i = 0; i < INQUIRY_ALARMS; i++)
        n += l->alarm[i].shown.since_ms > 0;
    board_set(l->board, BOARD_SYNC_DIFFERS, n);
}

static void
alarm_raise(struct look *l, const struct search *s, const struct search_item *item, const char *dn,
            const struct moment *now)
{
    struct inquiry_alarm shown = {(int)s->provider, (uint64_t)now->wall_ms, "", ""};
    struct span text = item->text, line;
    unsigned skipped;
    int is_new;
    struct alarm *a;

    inquiry_line(&text, &line);
    snprintf(shown.address, sizeof shown.address, "%.*s", (int)line.n, line.p);
    snprintf(shown.entry, sizeof shown.entry, "%s", dn);
    a = alarm_for(l, &shown, &is_new);
    if (!is_new)
        return;
    board_add(l->board, BOARD_SYNC_DIFFERED, 1);
    if (log_limit(&l->limit, 10, 60, &skipped))
        log_error("directories differ though contextCSN is equal, unknown addresses concerned get "
                  "TEMP uri=%s entry=\"%s\" skipped=%u address=%s",
                  conf_providers(l->conf)->v[s->provider], dn, skipped, shown.address);
    if (!a)
        return;
    *a = (struct alarm){.shown = shown, .n = item->text.n, .slot = -1, .asked_ms = now->mono_ms};
    memcpy(a->text, item->text.p, item->text.n);
    inquiry_alarm_set(l->board, (int)(a - l->alarm), &a->shown);
    count_alarms(l);
}

/* What an alarm was raised for is looked for again and again, until it is the same everywhere. */
static void
alarm_follow(struct look *l, struct alarm *a, int64_t now_ms)
{
    uint64_t answered = board_get(l->board, BOARD_SYNC, BOARD_SYNC_ANSWERED);

    if (a->slot >= 0 && inquiry_look(&l->own, a->slot, a->asked_ms, answered) == INQUIRY_SAME) {
        log_notice("directories no longer differ uri=%s entry=\"%s\" address=%s",
                   conf_providers(l->conf)->v[a->shown.provider], a->shown.entry, a->shown.address);
        a->shown.since_ms = 0;
        inquiry_alarm_set(l->board, (int)(a - l->alarm), &a->shown);
        count_alarms(l);
    } else if (now_ms - a->asked_ms >= AGAIN_MS) {
        a->asked_ms = now_ms;
        a->slot = inquiry_put(&l->own, (struct span){a->text, a->n}, now_ms, now_ms);
    }
}

/* --- the main thread: comparing --- */

/* Whether the mirror has the entry as it was found: 1, 0, -1 can't tell. */
static int
is_same(struct mirror *m, const struct search_found *f)
{
    struct digest own = {0};
    struct record r;
    int found = mirror_entry(m, f->uuid, &r);

    if (found <= 0)
        return found;
    digest_update(&own, f->uuid, &r, 1);
    return memcmp(&own, &f->digest, sizeof own) == 0;
}

/* What is said of one question, as far as this provider goes; dn: of what differs. */
static void
answer(struct look *l, struct search *s, unsigned i, const char *dn, const struct moment *now)
{
    const struct search_item *item = &s->item[i];
    unsigned row = inquiry_row(item->id), provider = s->provider;
    enum confirm_verdict v;
    int64_t at = 0;

    s->answered[i] = 1;
    s->open--;
    pthread_mutex_lock(&l->lock);
    confirm_result(l->confirm, row, s->provider, item->id.version, s->at_ms, dn == NULL);
    v = confirm_verdict(l->confirm, row, item->id.version, &at, &provider);
    pthread_mutex_unlock(&l->lock);
    if (v == CONFIRM_NONE)
        return;
    inquiry_answer(l->board, item->id, v == CONFIRM_SAME ? INQUIRY_SAME : INQUIRY_DIFFERS, at);
    if (dn && v == CONFIRM_DIFFERS)
        alarm_raise(l, s, item, dn, now);
}

/*
 * Answer what can be answered: questions nothing was found for but what the mirror has; and the
 * others, when the mirror should have all that the provider had.
 */
static void
settle(struct look *l, struct search *s, struct mirror *m, int covered, const struct moment *now)
{
    const struct search_found *differs[SEARCH_ITEMS] = {NULL};

    for (unsigned k = 0; k < s->nfound; k++) {
        int same = is_same(m, &s->found[k]);

        if (same < 0)
            return;
        for (unsigned i = 0; i < s->n && !same; i++)
            if (search_touches(&s->found[k], i))
                differs[i] = &s->found[k];
    }
    for (unsigned i = 0; i < s->n; i++)
        if (!s->answered[i] && (!differs[i] || covered))
            answer(l, s, i, differs[i] ? differs[i]->dn : NULL, now);
}

static void
take_handed_in(struct look *l)
{
    struct search **end = &l->waiting, *first;

    while (*end)
        end = &(*end)->next;
    pthread_mutex_lock(&l->lock);
    first = *end = l->handed_in;
    l->handed_in = NULL;
    pthread_mutex_unlock(&l->lock);
    for (; first; first = first->next) {
        l->nwaiting++;
        board_add(l->board, BOARD_SYNC_SEARCHED, first->n);
    }
}

void
look_settle(struct look *l, struct mirror *m, const int64_t *covered_ms, struct moment now)
{
    struct search **at = &l->waiting, *s;
    int readable;

    take_handed_in(l);
    for (int i = 0; i < INQUIRY_ALARMS; i++)
        if (l->alarm[i].shown.since_ms)
            alarm_follow(l, &l->alarm[i], now.mono_ms);
    readable = l->waiting && m && !mirror_is_writing(m) && mirror_begin(m) == 0;
    while ((s = *at)) {
        if (readable)
            settle(l, s, m, covered_ms[s->provider] > s->at_ms, &now);
        if (s->open > 0 && l->nwaiting <= WAITING_MAX && now.mono_ms - s->at_ms < WAITING_MS) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        l->nwaiting--;
        look_failed(l, &s);
    }
    if (readable)
        mirror_end(m);
}
