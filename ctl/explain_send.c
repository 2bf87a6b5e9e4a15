/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_send: "postroad explain --from A --to B": what smtpd would be told, asked over
 * the very socket it asks, what that rests on, and whether moderation would hold it. Counts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "ctl.h"
#include "policy.h"
#include "tabline.h"
#include "text.h"

#define TIMEOUT_MS 10000

static const struct {
    const char *key, *shown;
} facts[] = {
    {"login", "logged in"},
    {"submission", "submission withheld at"},
    {"send-external", "send-external withheld at"},
    {"limits", "limits"},
    {"total1", "for all together"},
    {"total2", "for all together"},
    {"total3", "for all together"},
    {"total4", "for all together"},
    {"total5", "for all together"},
    {"total6", "for all together"},
    {"total7", "for all together"},
    {"total8", "for all together"},
    {"inside", "recipient is inside"},
    {"may-write", "may write to the list"},
    {"receive-external", "receive-external withheld at"},
    {"action", "Postfix is told"},
};

static const char *
value_of(const struct tabline *l, const char *key, char *out, size_t cap)
{
    struct span s;

    tabline_get(l, key, &s);
    snprintf(out, cap, "%.*s", (int)(s.n < cap ? s.n : cap - 1), s.p);
    return out;
}

static void
print_text(const struct tabline *l, json_t *hold, const char *from, const char *to)
{
    char value[2000];

    text_put(stdout, from);
    printf(" to ");
    text_put(stdout, to);
    printf(": %s, ", value_of(l, "verdict", value, sizeof value));
    printf("because of rule %s: ", value_of(l, "rule", value, sizeof value));
    puts(value_of(l, "why", value, sizeof value));
    if (!*value_of(l, "login", value, sizeof value))
        puts("  nobody is logged in: the sender has no account here");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        if (!*value_of(l, facts[i].key, value, sizeof value))
            continue;
        printf("  ");
        text_pad(stdout, facts[i].shown, 30);
        text_put(stdout, value);
        putchar('\n');
    }
    explain_hold_print(hold);
    puts("See postroad-sending(7) for the rules, and postroad-milter(8) for those of moderation.");
}

static void
print_json(const struct tabline *l, json_t *hold, const char *from, const char *to)
{
    json_t *o = json_pack("{s:s, s:s}", "from", from, "to", to);
    char value[2000];

    for (size_t i = 0; i < l->n; i++) {
        char key[64];

        snprintf(key, sizeof key, "%.*s", (int)l->field[i].key.n, l->field[i].key.p);
        json_object_set_new(o, key, json_string(value_of(l, key, value, sizeof value)));
    }
    json_object_set(o, "moderation", hold);
    ctl_print_json(o);
}

/* A word that fits into one line of the request, or is not there. */
static int
fits(const char *s)
{
    return !s || (strlen(s) <= 1000 && !strpbrk(s, "\r\n"));
}

static int
is_size(const char *s)
{
    size_t n = strspn(s, "0123456789");

    return n > 0 && n <= 18 && !s[n];
}

/* Print what smtpd would be told, and what moderation would do. */
static int
print_both(struct ctl *ctl, const struct tabline *line, struct explain_who *who)
{
    const char *from = ctl_value(ctl, "from"), *to = ctl_value(ctl, "to");
    char login[EXPLAIN_ADDRESS];
    json_t *hold;
    int code;

    who->login = value_of(line, "login", login, sizeof login);
    code = explain_hold(ctl, who, &hold);

    if (ctl->json)
        print_json(line, hold, from, to);
    else
        print_text(line, hold, from, to);
    json_decref(hold);
    return code;
}

int
explain_send(struct ctl *ctl)
{
    const char *from = ctl_value(ctl, "from"), *to = ctl_value(ctl, "to");
    const char *size = ctl_value(ctl, "size"), *path = ctl->conf->sockets.policy;
    char request[4000], error[512], bare[2][EXPLAIN_ADDRESS], *reply;
    struct explain_who who;
    struct tabline line;
    size_t n;
    int code;

    if (ctl->argc != 0 || !from || !to || !fits(from) || !fits(to) || (size && !is_size(size)) ||
        !fits(ctl_value(ctl, "subject")) || !fits(ctl_value(ctl, "attachment")))
        return ctl_usage("explain takes one address, or --from ADDRESS --to ADDRESS "
                         "[--size BYTES] [--subject TEXT] [--attachment NAME]");
    if (!*path)
        return ctl_fail(ctl, CTL_USAGE, "sockets.policy is empty: nobody judges what is sent");
    who.from = explain_address(from, bare[0]);
    who.to = explain_address(to, bare[1]);
    snprintf(request, sizeof request,
             "request=" POLICY_EXPLAIN
             "\nprotocol_state=RCPT\nsender=%s\nrecipient=%s\nsize=%s\n\n",
             who.from, who.to, size ? size : "");
    if (ask_text(path, request, TIMEOUT_MS, &reply, error, sizeof error) < 0)
        return daemon_silent(ctl, path, error);
    n = strlen(reply);
    reply[n++] = '\n'; /* in the place of its end */
    if (tabline_parse(reply, n, &line) <= 0 || !span_same(line.word, span_of("explained"))) {
        free(reply);
        return ctl_fail(ctl, CTL_TEMPORARY,
                        "the answer makes no sense: is postroad-policyd older "
                        "than this command?");
    }
    code = print_both(ctl, &line, &who);
    free(reply);
    return code;
}
