/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_poll: see syncrepl_poll.h.
 *
 * Everything shared stands behind one lock, held for moments only. A thread has its
 * connection for itself; every wait of it but those inside the library (connect, TLS,
 * bind: within directory.timeout each, and name look-ups) ends when it is told to. One
 * that does not come back out of the library is seen by the main thread: what the library
 * holds meanwhile nobody can give back but the end of the process.
 * A question is dated before it is sent: the answer holds for that moment. Addresses
 * are looked for first and contextCSN is asked for then, so a mirror that covers that
 * should have what was found. Threads do not log: what happened is shown and logged by
 * the one that asks for it.
 */
#include "syncrepl_poll.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "look.h"
#include "mirror.h"
#include "proof.h"
#include "syncrepl_conn.h"
#include "syncrepl_csn.h"
#include "syncrepl_find.h"

#define POLL_MS      800 /* from one question to the next */
#define RETRY_MIN_MS 500 /* before a connection is tried again; doubled each time */
#define RETRY_MAX_MS 5000
#define STACK_BYTES  (512u << 10)
#define SEARCHES_MAX 4    /* for addresses, in one turn */
#define HUNG_TIMES   20   /* directory.timeout: longer than this no call of the library takes */
#define HUNG_WORK_MS 5000 /* nor so much of the processor's time */

struct poller {
    struct syncrepl_polls *polls;
    unsigned number;
    const char *uri;
    pthread_t thread;
    int started;
    _Atomic int64_t due_ms,
        work_due_ms; /* when it waits for something again: clock, and CPU time */
    /* the thread's own */
    LDAP *ld;
    struct syncrepl_find *find; /* NULL: addresses are not looked for */
    char dn[MIRROR_DN_MAX + 1]; /* where contextCSN is, or is looked for */
    int retry_ms;
    /* under the lock */
    int ended;
    char error[256];
    /* the main thread's own */
    uint64_t down_ms; /* wall clock, 0: it answers */
};

struct syncrepl_polls {
    const struct conf *conf;
    char base[MIRROR_DN_MAX + 1];
    pthread_mutex_t lock;
    struct proof proof; /* under the lock */
    struct look *look;  /* NULL: addresses are not looked for */
    int news_fd, stop_fd;
    unsigned n;
    struct poller poller[PROOF_PROVIDERS_MAX];
};

static int64_t
now_ms(void)
{
    return (int64_t)board_now_ms();
}

static void
tell(struct syncrepl_polls *p)
{
    (void)!write(p->news_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* --- a thread: waiting --- */

static int64_t
work_ms(clockid_t clock)
{
    struct timespec ts = {0, 0};

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A sign of life: it goes on after waiting for at most ms. */
static void
alive(struct poller *t, clockid_t clock, int64_t ms)
{
    atomic_store(&t->work_due_ms, work_ms(clock) + HUNG_WORK_MS);
    atomic_store(&t->due_ms,
                 now_ms() + ms + t->polls->conf->directory.timeout * 1000LL * HUNG_TIMES);
}

/* Until fd (-1: none) is readable or ms passed. 1 go on, 0 we are told to end. */
static int
wait_for(struct poller *t, int fd, int64_t ms)
{
    struct pollfd fds[2] = {{t->polls->stop_fd, POLLIN, 0}, {fd, POLLIN, 0}};

    ms = ms > 0 ? ms : 0;
    alive(t, CLOCK_THREAD_CPUTIME_ID, ms);
    poll(fds, 2, (int)ms);
    alive(t, CLOCK_THREAD_CPUTIME_ID, 0);
    return fds[0].revents == 0;
}

/* --- a thread: what happened --- */

static void
asked(struct poller *t, int64_t at)
{
    pthread_mutex_lock(&t->polls->lock);
    proof_asked(&t->polls->proof, t->number, at);
    pthread_mutex_unlock(&t->polls->lock);
}

static void
answered(struct poller *t, int64_t at, const struct cookie *knows)
{
    pthread_mutex_lock(&t->polls->lock);
    proof_answered(&t->polls->proof, t->number, at, now_ms(), knows);
    pthread_mutex_unlock(&t->polls->lock);
    tell(t->polls);
}

static int
failed(struct poller *t, const char *text)
{
    pthread_mutex_lock(&t->polls->lock);
    proof_failed(&t->polls->proof, t->number);
    snprintf(t->error, sizeof t->error, "%s", text);
    pthread_mutex_unlock(&t->polls->lock);
    tell(t->polls);
    return -1;
}

static int
failed_by_code(struct poller *t, const char *step, int code)
{
    char reason[200], text[240];

    syncrepl_conn_reason(t->ld, code, reason, sizeof reason);
    snprintf(text, sizeof text, "%s: %s", step, reason);
    return failed(t, text);
}

/* --- a thread: one question --- */

/* Wait for the whole answer. 1 and *answer_r, 0 told to end, -1 failed. */
static int
receive(struct poller *t, int id, int64_t at, LDAPMessage **answer_r)
{
    int64_t end = at + t->polls->conf->directory.timeout * 1000LL, left;

    for (;;) {
        struct timeval now = {0, 0};
        int rc = ldap_result(t->ld, id, LDAP_MSG_ALL, &now, answer_r);

        if (rc > 0)
            return 1;
        if (rc < 0)
            return failed_by_code(t, "connection", LDAP_SERVER_DOWN);
        left = end - now_ms();
        if (left <= 0)
            return failed(t, "no answer in time");
        if (!wait_for(t, syncrepl_conn_fd(t->ld), left))
            return 0;
    }
}

/* 1 it says what it knows, 0 there is no contextCSN here, -1 failed. */
static int
read_answer(struct poller *t, LDAPMessage *answer, struct cookie *knows)
{
    LDAPMessage *entry = ldap_first_entry(t->ld, answer);
    int code = LDAP_DECODING_ERROR, rc;

    if (ldap_parse_result(t->ld, answer, &code, NULL, NULL, NULL, NULL, 0) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT && code != LDAP_SIZELIMIT_EXCEEDED)
        return failed_by_code(t, "contextCSN", code);
    rc = entry ? syncrepl_csn_read(t->ld, entry, knows) : 0;
    return rc < 0 ? failed(t, "a contextCSN that can't be read") : rc;
}

/* Ask once. 1 answered, 0 no contextCSN here or told to end, -1 failed. */
static int
ask(struct poller *t, int64_t at)
{
    LDAPMessage *answer = NULL;
    struct cookie knows;
    int id, rc;

    asked(t, at);
    rc = syncrepl_csn_ask(t->ld, t->dn, &id);
    if (rc != LDAP_SUCCESS)
        return failed_by_code(t, "contextCSN", rc);
    rc = receive(t, id, at, &answer);
    if (rc == 1)
        rc = read_answer(t, answer, &knows);
    ldap_msgfree(answer);
    if (rc == 1)
        answered(t, at, &knows);
    return rc;
}

/* Ask, at the base or wherever above it contextCSN is. 0, or -1: failed. */
static int
ask_where_it_is(struct poller *t, int64_t at)
{
    int rc;

    while ((rc = ask(t, at)) == 0 && wait_for(t, -1, 0)) {
        if (!syncrepl_csn_up(t->dn)) {
            snprintf(t->dn, sizeof t->dn, "%s", t->polls->base);
            return failed(t, "no contextCSN can be read at directory.base or above it");
        }
        at = now_ms();
    }
    return rc < 0 ? -1 : 0;
}

/* --- a thread: addresses --- */

/* One search. 1 answered, 0 told to end, -1 failed. */
static int
find(struct poller *t, struct search *s)
{
    LDAPMessage *answer = NULL;
    int id, rc, code;

    asked(t, s->at_ms);
    rc = syncrepl_find_ask(t->find, t->ld, t->polls->base, s, &id);
    if (rc != LDAP_SUCCESS)
        return failed_by_code(t, "search", rc);
    look_begun(t->polls->look, s);
    rc = receive(t, id, s->at_ms, &answer);
    code = rc == 1 ? syncrepl_find_read(t->find, t->ld, answer, s) : LDAP_SUCCESS;
    ldap_msgfree(answer);
    return code == LDAP_SUCCESS ? rc : failed_by_code(t, "search", code);
}

/* Look for all that is asked for, as far as a turn allows. 1, 0 told to end, -1 failed. */
static int
find_all(struct poller *t)
{
    struct search *s;
    int rc = 1;

    for (int i = 0; t->find && rc == 1 && i < SEARCHES_MAX; i++) {
        s = look_take(t->polls->look, t->number, now_ms());
        if (!s)
            break;
        rc = find(t, s);
        if (rc == 1)
            look_done(t->polls->look, &s);
        else
            look_failed(t->polls->look, &s);
    }
    return rc;
}

/* --- a thread --- */

static int
connect_to(struct poller *t)
{
    char error[200];

    asked(t, now_ms());
    t->ld = syncrepl_conn_open(t->polls->conf, t->uri, error, sizeof error);
    return t->ld ? 0 : failed(t, error);
}

/* One turn; how long to wait for the next, ms. */
static int64_t
turn(struct poller *t)
{
    int64_t at;

    if (!t->ld && connect_to(t) < 0) {
        t->retry_ms = t->retry_ms * 2 < RETRY_MAX_MS ? t->retry_ms * 2 : RETRY_MAX_MS;
        return t->retry_ms;
    }
    at = now_ms();
    if (find_all(t) < 0 || ask_where_it_is(t, now_ms()) < 0) {
        syncrepl_conn_close(&t->ld);
        t->retry_ms = t->retry_ms * 2 < RETRY_MAX_MS ? t->retry_ms * 2 : RETRY_MAX_MS;
        return t->retry_ms;
    }
    t->retry_ms = RETRY_MIN_MS / 2;
    return at + POLL_MS - now_ms();
}

static void *
poll_thread(void *ctx)
{
    struct poller *t = ctx;

    while (wait_for(t, -1, turn(t)))
        ;
    syncrepl_conn_close(&t->ld);
    syncrepl_find_free(&t->find);
    pthread_mutex_lock(&t->polls->lock);
    t->ended = 1;
    pthread_mutex_unlock(&t->polls->lock);
    return NULL;
}

/* --- beginning and end --- */

static int
start_thread(struct syncrepl_polls *p, unsigned i)
{
    struct poller *t = &p->poller[i];
    pthread_attr_t attr;
    sigset_t all, before;
    int rc;

    t->polls = p;
    t->number = i;
    t->uri = conf_providers(p->conf)->v[i];
    t->retry_ms = RETRY_MIN_MS / 2;
    memcpy(t->dn, p->base, sizeof t->dn);
    atomic_store(&t->work_due_ms, HUNG_WORK_MS);
    atomic_store(&t->due_ms, now_ms() + p->conf->directory.timeout * 1000LL * HUNG_TIMES);
    if (p->look && !(t->find = syncrepl_find_new(p->conf))) {
        errno = ENOMEM;
        return -1;
    }
    errno = pthread_attr_init(&attr);
    if (errno)
        return -1;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&t->thread, &attr, poll_thread, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    t->started = rc == 0;
    if (rc)
        syncrepl_find_free(&t->find);
    errno = rc;
    return rc ? -1 : 0;
}

struct syncrepl_polls *
syncrepl_polls_start(const struct conf *conf, const char *base, struct board *board)
{
    struct syncrepl_polls *p = calloc(1, sizeof *p);
    int saved, ready;

    if (!p)
        return NULL;
    p->conf = conf;
    snprintf(p->base, sizeof p->base, "%s", base);
    pthread_mutex_init(&p->lock, NULL);
    p->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    proof_init(&p->proof, (unsigned)conf_providers(conf)->n);
    if (conf->directory.verify_unknown)
        p->look = look_new(conf, board, p->proof.n);
    ready = p->news_fd >= 0 && p->stop_fd >= 0 && (p->look || !conf->directory.verify_unknown);
    while (ready && p->n < p->proof.n && start_thread(p, p->n) == 0)
        p->n++;
    if (ready && p->n == p->proof.n)
        return p;
    saved = errno;
    syncrepl_polls_stop(&p, 1000);
    errno = saved;
    return NULL;
}

static int
all_ended(struct syncrepl_polls *p)
{
    int ended = 1;

    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->n; i++)
        ended &= p->poller[i].ended;
    pthread_mutex_unlock(&p->lock);
    return ended;
}

int
syncrepl_polls_stop(struct syncrepl_polls **pp, int wait_ms)
{
    const struct timespec moment = {0, 5 * 1000000};
    struct syncrepl_polls *p = *pp;
    int64_t end = now_ms() + wait_ms;

    *pp = NULL;
    if (!p)
        return 1;
    if (p->stop_fd >= 0)
        (void)!write(p->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
    while (!all_ended(p)) {
        if (now_ms() >= end)
            return 0;
        nanosleep(&moment, NULL);
    }
    for (unsigned i = 0; i < p->n; i++)
        pthread_join(p->poller[i].thread, NULL);
    if (p->news_fd >= 0)
        close(p->news_fd);
    if (p->stop_fd >= 0)
        close(p->stop_fd);
    look_free(&p->look);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return 1;
}

/* --- the main thread --- */

int
syncrepl_polls_fd(const struct syncrepl_polls *p)
{
    return p->news_fd;
}

/* Log, once, that a provider fell silent or answers again. Under the lock, for the text. */
static void
notice(struct poller *t, const struct proof_provider *v, int64_t now)
{
    int down = proof_unreachable(v, now);

    if (down && !t->down_ms) {
        t->down_ms = clock_wall_ms();
        log_warning("provider does not answer, unknown addresses get TEMP uri=%s why=\"%s\"",
                    t->uri, v->failed ? t->error : "silent");
    } else if (!down && t->down_ms && v->answered_ms > 0) {
        log_notice("provider answers again uri=%s", t->uri);
        t->down_ms = 0;
    }
}

static void
show(struct board *b, const struct poller *t, const struct proof_provider *v)
{
    int row = BOARD_SYNC_PROVIDER + BOARD_PROVIDER_WORDS * (int)t->number;

    board_set(b, row + PROVIDER_DOWN_MS, t->down_ms);
    board_set(b, row + PROVIDER_ANSWERED_MS, (uint64_t)v->answered_ms);
    board_set(b, row + PROVIDER_PROOF_MS, (uint64_t)v->covered_ms);
    board_set(b, row + PROVIDER_BEHIND_MS, (uint64_t)proof_behind_ms(v));
}

/* Under the lock: work out and show what is proven; covered: for each provider. */
static void
prove(struct syncrepl_polls *p, const struct cookie *visible, struct board *b, int64_t now,
      int64_t covered[PROOF_PROVIDERS_MAX])
{
    if (visible)
        proof_cover(&p->proof, visible);
    for (unsigned i = 0; i < p->n; i++) {
        notice(&p->poller[i], &p->proof.provider[i], now);
        show(b, &p->poller[i], &p->proof.provider[i]);
        covered[i] = p->proof.provider[i].covered_ms;
    }
    board_set(b, BOARD_SYNC_UNREACHABLE, proof_count_unreachable(&p->proof, now));
    board_publish(b, BOARD_SYNC_PROOF_MS, (uint64_t)proof_ms(&p->proof));
}

void
syncrepl_polls_update(struct syncrepl_polls *p, const struct cookie *visible, struct mirror *m,
                      struct board *b)
{
    struct moment now = {now_ms(), (int64_t)clock_wall_ms()};
    int64_t covered[PROOF_PROVIDERS_MAX];
    uint64_t news;

    (void)!read(p->news_fd, &news, sizeof news);
    pthread_mutex_lock(&p->lock);
    prove(p, visible, b, now.mono_ms, covered);
    pthread_mutex_unlock(&p->lock);
    if (p->look)
        look_settle(p->look, visible ? m : NULL, covered, now);
}

const char *
syncrepl_polls_hung(const struct syncrepl_polls *p)
{
    int64_t now = now_ms();

    for (unsigned i = 0; i < p->n; i++) {
        const struct poller *t = &p->poller[i];
        clockid_t clock;

        if (now > atomic_load(&t->due_ms) || (pthread_getcpuclockid(t->thread, &clock) == 0 &&
                                              work_ms(clock) > atomic_load(&t->work_due_ms)))
            return t->uri;
    }
    return NULL;
}

void
syncrepl_polls_forget(struct syncrepl_polls *p, struct board *b)
{
    pthread_mutex_lock(&p->lock);
    proof_forget(&p->proof);
    board_publish(b, BOARD_SYNC_PROOF_MS, 0);
    pthread_mutex_unlock(&p->lock);
}
