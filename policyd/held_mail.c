/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_mail: sends notices to senders by SMTP with libcurl, in libevent's loop, without an envelope
 * sender, so that nothing answers them.
 *
 * Promises: a notice that the server may have taken is not sent again; one it certainly did not take (no
 * connection, a 4xx answer) is tried again, for as long as its message is remembered. Must not
 * wait, or hold anything up.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat.h"
#include "held.h"
#include "held_notice.h"

#define MAILS_MAX 8 /* at once */
#define TIMEOUT_S 20
#define AGAIN_MS  60000

struct held_mailer {
    struct held *held;
    CURLM *multi;
    struct event *timer;
    unsigned n;
};

/* One notice on its way. */
struct mail {
    struct curl_slist *to;
    size_t n, sent;
    int end;
    char id[HELD_ID_MAX + 1], error[CURL_ERROR_SIZE], text[HELD_NOTICE_MAX];
};

static size_t
give(char *out, size_t size, size_t count, void *ctx)
{
    struct mail *m = ctx;
    size_t n = m->n - m->sent < size * count ? m->n - m->sent : size * count;

    memcpy(out, m->text + m->sent, n);
    m->sent += n;
    return n;
}

/* --- what became of it --- */

/* It was certainly not taken: it may be sent later. */
static void
send_again(struct held *h, const struct mail *m)
{
    struct held_item *item = held_index_find(&h->index, m->id);

    if (!item || held_load(h, item) < 0)
        return;
    if (m->end)
        h->record.end_noticed = 0;
    else
        h->record.noticed = 0;
    if (held_save(h, item) == 0 && !item->busy)
        item->due_ms = (int64_t)board_now_ms() + AGAIN_MS;
}

static void
mail_free(struct mail *m)
{
    curl_slist_free_all(m->to);
    free(m);
}

static int
not_taken(CURLcode code, long status)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
           (status >= 400 && status < 500);
}

static void
finished(struct held_mailer *s, CURL *easy, CURLcode code)
{
    struct held *h = s->held;
    struct mail *m;
    long status = 0;
    unsigned skipped;
    int again;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &m);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    again = code != CURLE_OK && not_taken(code, status);
    board_add(&h->env->board, code == CURLE_OK ? BOARD_HELD_NOTICES : BOARD_HELD_NOTICES_LOST,
              !again);
    if (code == CURLE_OK)
        log_info("held message, its sender was told id=%s what=%s", m->id, m->end ? "end" : "held");
    else if (log_limit(&h->mail_limit, 3, 60, &skipped))
        log_warning("held message, its sender could not be told id=%s what=%s again=%s status=%ld "
                    "error=\"%s\" unlogged=%u",
                    m->id, m->end ? "end" : "held", again ? "yes" : "no", status,
                    *m->error ? m->error : curl_easy_strerror(code), skipped);
    if (again)
        send_again(h, m);
    curl_multi_remove_handle(s->multi, easy);
    curl_easy_cleanup(easy);
    mail_free(m);
    s->n--;
}

static void
look_for_finished(struct held_mailer *s)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(s->multi, &left)))
        if (m->msg == CURLMSG_DONE)
            finished(s, m->easy_handle, m->data.result);
}

/* --- libcurl in libevent --- */

static void
on_socket(evutil_socket_t fd, short what, void *ctx)
{
    struct held_mailer *s = ctx;
    int running;
    int mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

    beat_now();
    curl_multi_socket_action(s->multi, fd, mask, &running);
    look_for_finished(s);
}

static void
on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct held_mailer *s = ctx;
    int running;

    (void)fd;
    (void)what;
    beat_now();
    curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    look_for_finished(s);
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct held_mailer *s = ctx;
    struct event *ev = socket_ctx;
    short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
                           (what & CURL_POLL_OUT ? EV_WRITE : 0));

    (void)easy;
    if (ev)
        event_free(ev);
    ev = what == CURL_POLL_REMOVE ? NULL : event_new(s->held->base, fd, events, on_socket, s);
    if (ev)
        event_add(ev, NULL);
    curl_multi_assign(s->multi, fd, ev);
    return 0;
}

static int
want_timer(CURLM *multi, long ms, void *ctx)
{
    struct held_mailer *s = ctx;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    (void)multi;
    if (ms < 0)
        return event_del(s->timer);
    return event_add(s->timer, &tv);
}

/* --- sending --- */

static struct mail *
mail_new(struct held *h, int end)
{
    struct mail *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->end = end;
    memcpy(m->id, h->record.id, sizeof m->id);
    m->n =
        held_notice_write(m->text, &h->record, end, h->env->conf->sending.contact, held_wall_ms());
    m->to = curl_slist_append(NULL, h->record.sender);
    return m;
}

static void
set_options(CURL *easy, const char *url, struct mail *m)
{
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, m);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, m->error);
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, "");
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, m->to);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(easy, CURLOPT_READDATA, m);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
}

int
held_mail_room(const struct held *h)
{
    return h->mailer && h->mailer->n < MAILS_MAX;
}

void
held_mail_send(struct held *h, int end)
{
    struct mail *m = mail_new(h, end);
    CURL *easy = m && m->to ? curl_easy_init() : NULL;

    if (m && m->n == 0)
        log_info("held message, its sender's address is not written to id=%s", m->id);
    if (easy && m->n > 0) {
        set_options(easy, h->env->conf->held.submit, m);
        if (curl_multi_add_handle(h->mailer->multi, easy) == CURLM_OK) {
            h->mailer->n++;
            return;
        }
    }
    if (easy)
        curl_easy_cleanup(easy);
    if (m)
        mail_free(m);
}

/* --- beginning and end --- */

int
held_mail_open(struct held *h)
{
    struct held_mailer *s;

    if (!h->env->conf->held.notify || !*h->env->conf->held.submit)
        return 0;
    s = h->mailer = calloc(1, sizeof *s);
    if (!s || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -1;
    s->held = h;
    s->multi = curl_multi_init();
    s->timer = evtimer_new(h->base, on_timer, s);
    if (!s->multi || !s->timer)
        return -1;
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
    return 0;
}

/* What is on its way is lost, as at a kill. */
void
held_mail_close(struct held *h)
{
    struct held_mailer *s = h->mailer;

    if (!s)
        return;
    if (s->multi)
        curl_multi_cleanup(s->multi);
    if (s->timer)
        event_free(s->timer);
    free(s);
    h->mailer = NULL;
}
