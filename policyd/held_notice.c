/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_notice: see held_notice.h. What happened, what is still safe, what to do.
 *
 * Promises: lines that any server takes: headers in ASCII or as the addresses are, the text in base64;
 * nothing of the record can make a header, as it holds no control characters. The moderator is
 * not named.
 */
#include "held_notice.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base64.h"

#define BODY_MAX   16384
#define LINE_BYTES 57
#define SHOW_SOME  5 /* recipients */

struct text {
    char *p;
    size_t n, cap;
};

static void __attribute__((format(printf, 2, 3))) say(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->p + t->n, t->cap - t->n, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->n = t->n + (size_t)n < t->cap ? t->n + (size_t)n : t->cap - 1;
}

static void
say_time(struct text *t, int64_t ms, const char *format)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char out[64] = "?";

    if (gmtime_r(&s, &tm))
        strftime(out, sizeof out, format, &tm);
    say(t, "%s", out);
}

/* --- the text --- */

static void
say_message(struct text *t, const struct held_record *r)
{
    say(t, "    Subject:    %s\r\n    Sent:       ", *r->subject ? r->subject : "(none)");
    say_time(t, r->time_ms, "%Y-%m-%d %H:%M UTC");
    say(t, "\r\n    Recipients: ");
    for (unsigned i = 0; i < r->recipients && i < SHOW_SOME; i++)
        say(t, "%s%s", i ? ", " : "", r->recipient[i]);
    if (r->recipient_count > SHOW_SOME)
        say(t, ", and %" PRIu64 " more", r->recipient_count - SHOW_SOME);
    say(t, "\r\n    Rule:       %s\r\n    Held as:    %s\r\n\r\n", r->rule, r->id);
}

static void
say_held(struct text *t, const struct held_record *r)
{
    say(t, "this message of yours waits until a moderator has approved it:\r\n\r\n");
    say_message(t, r);
    say(t, "Nobody has received it yet, and it is not lost. You need not do anything. Do not send "
           "it again: it would be held again.\r\n\r\n");
    if (r->on_expire == HELD_EXPIRE_KEEP) {
        say(t, "You hear of it if it is rejected.\r\n");
        return;
    }
    say(t, "You hear of it if it is rejected. If nobody has decided before ");
    say_time(t, r->expires_ms, "%Y-%m-%d %H:%M UTC");
    say(t, r->on_expire == HELD_EXPIRE_APPROVE
               ? ", it is sent on.\r\n"
               : ", it is not sent, and you hear of that, too.\r\n");
}

static void
say_end(struct text *t, const struct held_record *r)
{
    if (r->state == HELD_EXPIRED) {
        say(t, "nobody decided in time about this message of yours, which was held, so it was not "
               "sent:\r\n\r\n");
        say_message(t, r);
    } else {
        say(t, "a moderator has rejected this message of yours, which was held:\r\n\r\n");
        say_message(t, r);
        if (*r->reason)
            say(t, "The reason given is:\r\n\r\n    %s\r\n\r\n", r->reason);
    }
    say(t,
        "Nobody has received it, and nobody will. Your own copy is where your mail program keeps "
        "what you send.\r\n");
}

/* --- about several --- */

static void
say_held_many(struct text *t, const struct held_record *r, unsigned more)
{
    say(t,
        "%u more messages of yours were held until a moderator has approved them. One of them "
        "is:\r\n\r\n",
        more);
    say_message(t, r);
    say(t, "None of them is lost, and you need not do anything. Do not send them again: they would "
           "be held again. So many in an hour are told of in one notice.\r\n\r\n"
           "If you have not sent them, a program may send in your name: tell your "
           "administrators.\r\n");
}

static void
say_end_many(struct text *t, const struct held_record *r, unsigned more)
{
    say(t,
        "%u more messages of yours, which were held, were not sent: a moderator has rejected "
        "them, or nobody decided in time. One of them is:\r\n\r\n",
        more);
    say_message(t, r);
    if (r->state != HELD_EXPIRED && *r->reason)
        say(t, "The reason given for this one is:\r\n\r\n    %s\r\n\r\n", r->reason);
    say(t, "Nobody has received them, and nobody will. Your own copies are where your mail program "
           "keeps what you send.\r\n");
}

static void
say_body(struct text *t, const struct held_record *r, int end, unsigned more)
{
    if (more > 1 && end)
        say_end_many(t, r, more);
    else if (more > 1)
        say_held_many(t, r, more);
    else if (end)
        say_end(t, r);
    else
        say_held(t, r);
}

/* --- the message --- */

static void
say_base64(struct text *t, const char *p, size_t n)
{
    char line[BASE64_SIZE(LINE_BYTES)];

    for (size_t took; (took = base64_write(line, LINE_BYTES, p, n)); p += took, n -= took)
        say(t, "%s\r\n", line);
}

static const char *
subject_of(const struct held_record *r, int end, unsigned more)
{
    if (more > 1)
        return end ? "More messages of yours were not sent"
                   : "More messages of yours wait for approval";
    return !end                       ? "Your message waits for approval"
           : r->state == HELD_EXPIRED ? "Your message was not approved in time"
                                      : "Your message was rejected";
}

static void
say_headers(struct text *t, const struct held_record *r, int end, unsigned more, const char *domain,
            int64_t now_ms)
{
    say(t, "From: Mail moderation <postmaster%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: ", domain,
        r->sender, subject_of(r, end, more));
    say_time(t, now_ms, "%a, %d %b %Y %H:%M:%S +0000");
    say(t,
        "\r\nMessage-ID: <held.%s.%s%s>\r\nAuto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n",
        r->id,
        more > 1 ? (end ? "ends" : "begins")
        : end    ? "end"
                 : "begin",
        domain);
}

size_t
held_notice_write(char out[HELD_NOTICE_MAX], const struct held_record *r, int end, unsigned more,
                  const char *contact, int64_t now_ms)
{
    char body[BODY_MAX];
    struct text text = {body, 0, sizeof body}, whole = {out, 0, HELD_NOTICE_MAX};
    const char *domain = strrchr(r->sender, '@');

    if (!domain || !domain[1] || strpbrk(r->sender, " \t<>\"\\,;:()[]"))
        return 0;
    say(&text, "Hello,\r\n\r\n");
    say_body(&text, r, end, more);
    if (*contact)
        say(&text, "\r\nQuestions? %s\r\n", contact);
    say_headers(&whole, r, end, more, domain, now_ms);
    say_base64(&whole, body, text.n);
    return whole.n;
}
