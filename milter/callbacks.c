/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callbacks: the only file that speaks with libmilter.
 *
 * Each connection of Postfix is a thread of libmilter's; what belongs to it is in struct
 * session. Callbacks collect; only the end of the message has an answer worth
 * waiting for, so Postfix is told not to wait for any other.
 * Promises: no accepted message without a record, unless told to go on. Must not
 * hold mail back for trouble of any other kind.
 */
#include "callbacks.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "libmilter/mfapi.h"

#include "figures.h"
#include "log.h"
#include "message.h"
#include "steps.h"
#include "trace.h"

/* As milter_macro_daemon_name calls the port where other sites hand mail over. */
#define HANDOFF_NAME "handoff"

#define ADDRESS_MAX 1024 /* with its angle brackets */

struct session {
    struct message message;
    struct envelope envelope; /* only where something is journaled */
    int unsure;               /* whether it is to be journaled can't be told */
    int handed, local;
    struct hold_mail held;
    struct spoof_mail spoof;
    unsigned char ip[16];
    int has_ip;
    unsigned traces; /* headers that only sites write, in this message */
    int place;       /* in the accounting; -1 none */
    int told;        /* 0: an answer is on its way that accounting_told has to be called for */
    int damaged;     /* a recipient could not be counted */
};

static const struct callbacks_shared *shared;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit limit;

static const char *
macro(SMFICTX *ctx, const char *name)
{
    const char *value = smfi_getsymval(ctx, (char *)name);

    return value ? value : "";
}

/* --- the connection --- */

#define ACTIONS                                                                             \
    (SMFIF_SETSYMLIST | SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_ADDRCPT | SMFIF_ADDRCPT_PAR | \
     SMFIF_QUARANTINE)

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long reserved0,
             unsigned long reserved1, unsigned long *actions_r, unsigned long *steps_r,
             unsigned long *reserved0_r, unsigned long *reserved1_r)
{
    (void)reserved0;
    (void)reserved1;
    *actions_r = actions & ACTIONS;
    *steps_r = steps & (STEPS_NOT_WANTED | STEPS_NO_REPLY | SMFIP_HDR_LEADSPC);
    *reserved0_r = *reserved1_r = 0;
    if (actions & SMFIF_SETSYMLIST) {
        smfi_setsymlist(ctx, SMFIM_CONNECT, (char *)"{daemon_name}");
        smfi_setsymlist(ctx, SMFIM_ENVFROM, (char *)"{auth_authen} {mail_addr}");
        smfi_setsymlist(ctx, SMFIM_ENVRCPT, (char *)"{rcpt_addr}");
        smfi_setsymlist(ctx, SMFIM_EOM, (char *)"i");
    }
    return SMFIS_CONTINUE;
}

/* This machine, without an address too (sendmail), or one of inside_networks. */
static int
is_inside(const struct sockaddr *a)
{
    unsigned char ip[16];

    if (!a || a->sa_family == AF_UNIX)
        return 1;
    return cidr_of_socket(a, ip) == 0 && (cidr_is_loopback(ip) || cidr_has(&shared->inside, ip));
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    struct session *s = calloc(1, sizeof *s);

    (void)host;
    smfi_setpriv(ctx, s);
    if (!s)
        return SMFIS_NOREPLY;
    s->told = 1;
    s->place = accounting_enter(shared->accounting);
    s->local = is_inside((const struct sockaddr *)address);
    s->has_ip = address && cidr_of_socket((const struct sockaddr *)address, s->ip) == 0;
    s->handed = strcmp(macro(ctx, "{daemon_name}"), HANDOFF_NAME) == 0;
    return SMFIS_NOREPLY;
}

/* Postfix went on after our last answer, or left: it has it. */
static void
answer_is_told(struct session *s)
{
    if (s && !s->told && s->place >= 0)
        accounting_told(shared->accounting, s->place);
    if (s)
        s->told = 1;
}

static sfsistat
on_close(SMFICTX *ctx)
{
    struct session *s = smfi_getpriv(ctx);

    smfi_setpriv(ctx, NULL);
    if (!s)
        return SMFIS_CONTINUE;
    if (s->place >= 0)
        accounting_leave(shared->accounting, s->place);
    message_free(&s->message);
    envelope_free(&s->envelope);
    hold_free(&s->held);
    free(s);
    return SMFIS_CONTINUE;
}

/* --- the message --- */

/*
 * An address of the envelope as Postfix reads it. The client may have written it otherwise:
 * "<@a.example:all@corp.example>", "<corp.example!all>" and "<all @corp.example>" are one.
 */
static const char *
address_of(SMFICTX *ctx, const char *name, char **argv, char out[ADDRESS_MAX])
{
    const char *written = argv && argv[0] ? argv[0] : "", *read = macro(ctx, name);

    if (!*read || !*written || strcmp(written, "<>") == 0 || strlen(read) + 3 > ADDRESS_MAX)
        return written;
    snprintf(out, ADDRESS_MAX, "<%s>", read);
    return out;
}

static sfsistat
on_mail(SMFICTX *ctx, char **argv)
{
    struct session *s = smfi_getpriv(ctx);
    char sender[ADDRESS_MAX];

    answer_is_told(s);
    if (!s)
        return SMFIS_NOREPLY;
    s->damaged = 0;
    s->traces = 0;
    message_begin(&s->message, shared->people, macro(ctx, "{auth_authen}"),
                  address_of(ctx, "{mail_addr}", argv, sender), s->handed, s->local);
    envelope_begin(&s->envelope);
    hold_begin(shared->hold, &s->held, &s->message);
    spoof_begin(shared->spoof, &s->spoof, s->handed || s->message.inside, s->has_ip ? s->ip : NULL);
    if (spoof_may_hold(shared->spoof, &s->spoof))
        hold_expect(&s->held);
    s->unsure = 0;
    return SMFIS_NOREPLY;
}

/* What another site hands over it has journaled. */
static void
journal_recipient(struct session *s, const char *recipient, const struct message_way *way)
{
    const struct person *from = &s->message.from;
    int sender_counts = s->message.inside || way->direction == DIRECTION_OUTBOUND;

    if (!shared->journal || s->handed)
        return;
    envelope_add(&s->envelope, recipient);
    s->envelope.rules |= journal_rules(shared->journal, &way->to);
    if (sender_counts)
        s->envelope.rules |= journal_rules(shared->journal, from);
    s->unsure |=
        way->to.verdict == ROUTE_UNSURE || (sender_counts && from->verdict == ROUTE_UNSURE);
}

static sfsistat
on_recipient(SMFICTX *ctx, char **argv)
{
    struct session *s = smfi_getpriv(ctx);
    char address[ADDRESS_MAX];
    const char *recipient = address_of(ctx, "{rcpt_addr}", argv, address);
    struct message_way way;

    if (!s)
        return SMFIS_NOREPLY;
    if (message_recipient(&s->message, shared->people, recipient, &way) < 0)
        s->damaged = 1;
    journal_recipient(s, recipient, &way);
    hold_recipient(shared->hold, &s->held, recipient, &way);
    return SMFIS_NOREPLY;
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
    struct session *s = smfi_getpriv(ctx);

    if (!s)
        return SMFIS_NOREPLY;
    message_header(&s->message, name, value);
    hold_header(shared->hold, &s->held, &s->message, name, value);
    s->traces += (unsigned)trace_is_ours(name);
    spoof_header(shared->spoof, &s->spoof, name, value);
    return SMFIS_NOREPLY;
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *bytes, size_t n)
{
    struct session *s = smfi_getpriv(ctx);

    if (!s)
        return SMFIS_NOREPLY;
    message_body(&s->message, n);
    hold_body(&s->held, (struct span){(const char *)bytes, n});
    return SMFIS_NOREPLY;
}

static sfsistat
on_abort(SMFICTX *ctx)
{
    answer_is_told(smfi_getpriv(ctx));
    return SMFIS_CONTINUE;
}

/* --- its end --- */

static void
log_message(const char *queue, const struct accounting_mail *mail, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        log_info("message queue=%s direction=%s recipients=%llu bytes=%llu", queue,
                 direction_word(mail[i].direction), (unsigned long long)mail[i].recipients,
                 (unsigned long long)mail[i].bytes);
}

/* 0, or -1 and error: nothing was written. */
static int
count(struct session *s, const char *queue, int64_t now_ms, char *error, size_t error_n)
{
    struct accounting_mail *mail = calloc(s->message.n ? s->message.n : 1, sizeof *mail);
    unsigned n = mail ? message_records(&s->message, queue, mail) : 0;
    int rc = -1;

    for (unsigned i = 0; i < n; i++)
        mail[i].held = s->held.held;
    if (!mail || s->damaged)
        snprintf(error, error_n, "out of memory");
    else if (s->place < 0)
        snprintf(error, error_n, "too many connections");
    else if (n == 0)
        rc = 0; /* every recipient was refused by somebody behind us */
    else
        rc = accounting_add(shared->accounting, s->place, now_ms, mail, n, error, error_n);
    if (rc == 0) {
        s->told = 0;
        log_message(queue, mail, n);
    }
    free(mail);
    return rc;
}

static int
say(unsigned *skipped_r)
{
    int now;

    pthread_mutex_lock(&limit_lock);
    now = log_limit(&limit, 5, 60, skipped_r);
    pthread_mutex_unlock(&limit_lock);
    return now;
}

static sfsistat
not_counted(SMFICTX *ctx, const struct session *s, const char *queue, int64_t now_ms,
            const char *error)
{
    unsigned skipped;

    if (say(&skipped))
        log_error("a message can't be counted, it %s queue=%s skipped=%u error=\"%s\"",
                  shared->goes_on ? "goes on" : "has to come again", queue, skipped, error);
    if (shared->goes_on) {
        accounting_missed(shared->accounting, now_ms, s->message.recipients, s->message.bytes);
        return SMFIS_CONTINUE;
    }
    smfi_setreply(ctx, (char *)"451", (char *)"4.3.0",
                  (char *)"This server can't account for mail now, try again later");
    return SMFIS_TEMPFAIL;
}

/* Take others' traces away, and put ours at the top. Nobody's mail waits when Postfix can't. */
static void
put_trace(SMFICTX *ctx, const struct session *s, const char *queue, int64_t now_ms)
{
    char value[TRACE_MAX];
    unsigned skipped;
    int rc = MI_SUCCESS;

    /* From the last on: the numbers of the others stay. */
    for (unsigned i = s->handed ? 0 : s->traces; i > 0 && rc == MI_SUCCESS; i--)
        rc = smfi_chgheader(ctx, (char *)TRACE_NAME, (int)i, NULL);
    trace_value(value, shared->site, queue, now_ms);
    if (rc == MI_SUCCESS)
        rc = smfi_insheader(ctx, 0, (char *)TRACE_NAME, value);
    if (rc != MI_SUCCESS && say(&skipped))
        log_warning("a message's trace could not be changed queue=%s skipped=%u", queue, skipped);
}

static sfsistat
too_many(SMFICTX *ctx, const char *queue, const char *name)
{
    unsigned skipped;
    char text[80];

    if (say(&skipped))
        log_warning("refused a message full of forged headers name=%s queue=%s skipped=%u", name,
                    queue, skipped);
    snprintf(text, sizeof text, "Too many %s headers", name);
    smfi_setreply(ctx, (char *)"554", (char *)"5.6.0", text);
    return SMFIS_REJECT;
}

/* --- forged senders --- */

/* Take marks away that are not ours, and put ours at the top, unless r is NULL. */
static void
put_mark(SMFICTX *ctx, const struct session *s, const char *queue, const struct spoof_result *r)
{
    char value[SPOOF_TAG_MAX];
    unsigned skipped;
    int rc = MI_SUCCESS;

    for (unsigned i = s->handed ? 0 : s->spoof.tags; i > 0 && rc == MI_SUCCESS; i--)
        rc = smfi_chgheader(ctx, (char *)SPOOF_TAG_NAME, (int)i, NULL);
    if (r)
        spoof_tag(shared->spoof, r, value);
    if (r && rc == MI_SUCCESS)
        rc = smfi_insheader(ctx, 0, (char *)SPOOF_TAG_NAME, value);
    if (rc != MI_SUCCESS && say(&skipped))
        log_warning("a message could not be marked queue=%s skipped=%u", queue, skipped);
}

/* SMFIS_CONTINUE unless it is refused or has to come again; what is to be held is asked of hold. */
static sfsistat
judge(SMFICTX *ctx, struct session *s, const char *queue)
{
    struct spoof_result r;
    char text[SPOOF_REPLY];
    int later;

    spoof_end(shared->spoof, &s->spoof, s->message.sender, &r);
    spoof_log(&s->spoof, &r, queue, s->message.sender);
    later = r.guard.verdict == SPOOF_WAITS;
    if (later || r.guard.verdict == SPOOF_IS_REJECTED) {
        if (!later)
            figures_event(FLOW_SPOOFED, clock_wall_ms());
        spoof_reply(text, &r, shared->contact);
        smfi_setreply(ctx, (char *)(later ? "451" : "550"), (char *)(later ? "4.7.1" : "5.7.1"),
                      text);
        return later ? SMFIS_TEMPFAIL : SMFIS_REJECT;
    }
    if (r.guard.verdict == SPOOF_IS_HELD)
        hold_request(&s->held, "spoof", r.guard.why);
    put_mark(ctx, s, queue, r.guard.verdict == SPOOF_PASSES ? NULL : &r);
    return SMFIS_CONTINUE;
}

/* 0, or -1 and error. What goes wrong with the copy is not told to the sender: he would learn of it. */
static int
journal(SMFICTX *ctx, const struct session *s, const char *queue, int64_t now_ms, char *error,
        size_t error_n)
{
    struct journal_message m = {queue, s->message.login, s->message.sender, &s->envelope};
    const char *address;
    unsigned at = 0;

    snprintf(error, error_n, "%s",
             s->unsure ? "the mirror can't be read" : "too many recipients, or out of memory");
    if (s->unsure || s->envelope.broken)
        return -1;
    if (s->envelope.rules && journal_add(shared->journal, now_ms, &m, error, error_n) < 0)
        return -1;
    while ((address = journal_address(shared->journal, s->envelope.rules, &at)))
        if (smfi_addrcpt_par(ctx, (char *)address, (char *)"NOTIFY=NEVER") != MI_SUCCESS) {
            snprintf(error, error_n, "Postfix takes no further recipient");
            return -1;
        }
    return 0;
}

/*
 * The record first: what Postfix holds is then known, whatever happens to us. 1 it is held, 0 it is not,
 * -1 and error.
 */
static int
hold(SMFICTX *ctx, struct session *s, const char *queue, int64_t now_ms, char *error,
     size_t error_n)
{
    int rc = hold_end(shared->hold, &s->held, &s->message, queue, now_ms, error, error_n);

    if (rc <= 0)
        return rc;
    if (smfi_quarantine(ctx, (char *)hold_record(&s->held)->rule) != MI_SUCCESS) {
        hold_undo(shared->hold, &s->held);
        snprintf(error, error_n, "Postfix does not hold messages for a milter");
        return -1;
    }
    log_info("held queue=%s id=%s rule=%s why=\"%s\"", queue, hold_record(&s->held)->id,
             hold_record(&s->held)->rule, hold_record(&s->held)->why);
    return 1;
}

static sfsistat
not_held(SMFICTX *ctx, const char *queue, const char *error)
{
    unsigned skipped;

    if (say(&skipped))
        log_error(
            "can't tell whether a message is to be held, or not hold it, it has to come again "
            "queue=%s skipped=%u error=\"%s\"",
            queue, skipped, error);
    smfi_setreply(ctx, (char *)"451", (char *)"4.3.0",
                  (char *)"This server can't take mail now, try again later");
    return SMFIS_TEMPFAIL;
}

static sfsistat
not_journaled(SMFICTX *ctx, const char *queue, const char *error)
{
    unsigned skipped;

    if (say(&skipped))
        log_error("a message can't be journaled, it has to come again queue=%s skipped=%u "
                  "error=\"%s\"",
                  queue, skipped, error);
    smfi_setreply(ctx, (char *)"451", (char *)"4.3.0",
                  (char *)"This server can't take mail now, try again later");
    return SMFIS_TEMPFAIL;
}

/* Journal it and count it: what decides whether Postfix may accept it. */
static sfsistat
take(SMFICTX *ctx, struct session *s, const char *queue, int64_t now_ms)
{
    char error[256];

    if (shared->journal && !s->handed && journal(ctx, s, queue, now_ms, error, sizeof error) < 0)
        return not_journaled(ctx, queue, error);
    if (count(s, queue, now_ms, error, sizeof error) == 0)
        return SMFIS_CONTINUE;
    return not_counted(ctx, s, queue, now_ms, error);
}

static sfsistat
end_message(SMFICTX *ctx, struct session *s, int64_t now_ms)
{
    const char *queue = macro(ctx, "i");
    char error[256];
    sfsistat rc;

    if (!s) /* no rule can be asked about a message nothing is known of */
        return not_held(ctx, queue, "out of memory");
    if (shared->traces && !s->handed && s->traces > TRACE_MOST)
        return too_many(ctx, queue, TRACE_NAME);
    if (!s->handed && s->spoof.tags > TRACE_MOST)
        return too_many(ctx, queue, SPOOF_TAG_NAME);
    rc = judge(ctx, s, queue);
    if (rc != SMFIS_CONTINUE)
        return rc;
    if (shared->traces)
        put_trace(ctx, s, queue, now_ms);
    if (hold(ctx, s, queue, now_ms, error, sizeof error) < 0)
        return not_held(ctx, queue, error);
    rc = take(ctx, s, queue, now_ms);
    if (rc != SMFIS_CONTINUE)
        hold_undo(shared->hold, &s->held);
    return rc;
}

static sfsistat
on_end(SMFICTX *ctx)
{
    struct session *s = smfi_getpriv(ctx);
    int64_t now_ms = clock_wall_ms();
    sfsistat rc = end_message(ctx, s, now_ms);

    if (rc == SMFIS_TEMPFAIL)
        figures_event(FLOW_TEMPFAILED, now_ms);
    if (rc != SMFIS_CONTINUE)
        return rc;
    figures_message(&s->message, now_ms);
    if (s->held.held)
        figures_event(FLOW_HELD, now_ms);
    return rc;
}

/* --- libmilter --- */

int
callbacks_register(const struct callbacks_shared *with)
{
    struct smfiDesc d = {.xxfi_name = (char *)"postroad-milter",
                         .xxfi_version = SMFI_VERSION,
                         .xxfi_flags = ACTIONS,
                         .xxfi_connect = on_connect,
                         .xxfi_envfrom = on_mail,
                         .xxfi_envrcpt = on_recipient,
                         .xxfi_header = on_header,
                         .xxfi_body = on_body,
                         .xxfi_eom = on_end,
                         .xxfi_abort = on_abort,
                         .xxfi_close = on_close,
                         .xxfi_negotiate = on_negotiate};

    shared = with;
    return smfi_register(d) == MI_SUCCESS ? 0 : -1;
}

int
callbacks_listen(const char *address)
{
    if (smfi_setconn((char *)address) != MI_SUCCESS)
        return -1;
    smfi_setbacklog(1024);
    return smfi_opensocket(1) == MI_SUCCESS ? 0 : -1;
}

int
callbacks_run(void)
{
    return smfi_main() == MI_SUCCESS ? 0 : -1;
}

void
callbacks_stop(void)
{
    smfi_stop();
}
