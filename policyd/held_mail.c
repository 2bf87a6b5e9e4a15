/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_mail: sends notices to senders by SMTP with libcurl (transfers.h), without an envelope sender, so
 * that nothing answers them.
 *
 * Promises: a notice that the server may have taken is not sent again; one it certainly did not take (nothing
 * of it was sent, a 4xx answer) is tried again, for as long as its message is remembered. Must not
 * wait, or hold anything up.
 */
#include <stdlib.h>
#include <string.h>

#include "held.h"
#include "held_notice.h"
#include "transfers.h"

#define MAILS_MAX 8 /* at once */
#define TIMEOUT_S 20

struct held_mailer {
    struct transfers *transfers;
    unsigned n;
};

/* One notice on its way. */
struct mail {
    struct curl_slist *to;
    size_t n, sent;
    int end;
    unsigned more; /* messages it is about, 0: one */
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

static void
mail_free(struct mail *m)
{
    curl_slist_free_all(m->to);
    free(m);
}

static int
not_taken(const struct mail *m, long status)
{
    return status < 500 && (m->sent == 0 || status >= 400);
}

static void
log_lost(struct held *h, const struct mail *m, CURLcode code, long status, int again)
{
    unsigned skipped;

    if (log_limit(&h->mail_limit, 3, 60, &skipped))
        log_warning("held message, its sender could not be told id=%s what=%s again=%s status=%ld "
                    "error=\"%s\" unlogged=%u",
                    m->id, m->end ? "end" : "held", again ? "yes" : "no", status,
                    *m->error ? m->error : curl_easy_strerror(code), skipped);
}

static void
on_ended(void *ctx, void *request, CURLcode code, long status)
{
    struct held *h = ctx;
    struct mail *m = request;
    int again = code != CURLE_OK && not_taken(m, status);

    board_add(&h->env->board, code == CURLE_OK ? BOARD_HELD_NOTICES : BOARD_HELD_NOTICES_LOST,
              !again);
    if (code == CURLE_OK)
        log_info("held message, its sender was told id=%s what=%s messages=%u", m->id,
                 m->end ? "end" : "held", m->more ? m->more : 1);
    else
        log_lost(h, m, code, status, again);
    if (again)
        held_untold(h, m->id, m->end, m->more); /* it may be sent later */
    mail_free(m);
    h->mailer->n--;
}

/* --- sending --- */

static struct mail *
mail_new(struct held *h, int end, unsigned more)
{
    struct mail *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->end = end;
    m->more = more;
    memcpy(m->id, h->record.id, sizeof m->id);
    m->n = held_notice_write(m->text, &h->record, end, more, h->env->conf->sending.contact,
                             held_wall_ms());
    m->to = curl_slist_append(NULL, h->record.sender);
    return m;
}

/* 0, or -1: no memory. */
static int
set_options(CURL *easy, const char *url, struct mail *m)
{
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, m->error);
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, "");
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, m->to);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(easy, CURLOPT_READDATA, m);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -1;
}

int
held_mail_room(const struct held *h)
{
    return h->mailer && h->mailer->n < MAILS_MAX;
}

int
held_mail_send(struct held *h, int end, unsigned more)
{
    struct mail *m = mail_new(h, end, more);
    int writable = !m || m->n > 0;
    CURL *easy = m && m->to && writable ? curl_easy_init() : NULL;

    if (!writable)
        log_info("held message, its sender's address is not written to id=%s", m->id);
    if (easy) {
        if (set_options(easy, h->env->conf->held.submit, m) == 0 &&
            transfers_add(h->mailer->transfers, easy, m) == 0) {
            h->mailer->n++;
            return 0;
        }
        curl_easy_cleanup(easy);
    }
    if (m)
        mail_free(m);
    return writable ? -1 : 0;
}

/* --- beginning and end --- */

int
held_mail_open(struct held *h)
{
    static const struct transfers_kind kind = {.ended = on_ended, .aside = 1};
    struct held_mailer *s;

    if (!h->env->conf->held.notify || !*h->env->conf->held.submit)
        return 0;
    s = h->mailer = calloc(1, sizeof *s);
    if (!s)
        return -1;
    s->transfers = transfers_new(h->base, &kind, h);
    return s->transfers ? 0 : -1;
}

/* What is on its way is lost, as at a kill. */
void
held_mail_close(struct held *h)
{
    if (!h->mailer)
        return;
    h->env->lingers |= transfers_free(&h->mailer->transfers);
    free(h->mailer);
    h->mailer = NULL;
}
