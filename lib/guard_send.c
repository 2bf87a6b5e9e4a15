/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_send: fourteen rules, the first that applies decides.
 *
 * Promises: no permission out of doubt, where the rule says stop: what a rule would
 * need to know and nobody can tell is a 4xx. No refusal for good out of doubt either.
 * A limit that will have room again is a 4xx, one of the message itself a 5xx.
 * Must not: look anything up, count, or know an address.
 */
#include "guard_send.h"

#include <stddef.h>

#define ACCEPT(rule, why)          \
    (struct guard_send)            \
    {                              \
        SEND_OK, rule, "", "", why \
    }
#define DEFER(rule, code, name, why)      \
    (struct guard_send)                   \
    {                                     \
        SEND_DEFER, rule, code, name, why \
    }
#define REJECT(rule, code, name, why)      \
    (struct guard_send)                    \
    {                                      \
        SEND_REJECT, rule, code, name, why \
    }

/* 1 to 5: who is it, and may he send at all, as this sender. rule 0: go on. */
static struct guard_send
by_login(const struct guard_sending *s)
{
    if (s->login == LOGIN_UNSURE)
        return DEFER(1, "451 4.3.0", "login", "can't tell who is logged in");
    if (s->login == LOGIN_STRANGER)
        return REJECT(2, "554 5.7.1", "login", "the directory has no such account");
    if (s->state == STATE_SUSPENDED || s->state == STATE_DISABLED)
        return REJECT(3, "554 5.7.1", "state", "the account may not send while it is suspended");
    if (s->submission_withheld)
        return REJECT(4, "554 5.7.1", "submission", "the account may not send mail");
    if (s->sender == GUARD_UNSURE)
        return DEFER(5, "451 4.3.0", "sender", "can't tell whose the sender's address is");
    if (s->sender == GUARD_NO)
        return REJECT(5, "553 5.7.1", "sender", "the sender's address is not the account's to use");
    return ACCEPT(0, "");
}

/* 6 to 8: to this recipient. */
static struct guard_send
by_recipient(const struct guard_sending *s)
{
    int logged_in = s->login == LOGIN_ACCOUNT;

    if (logged_in && s->send_withheld && s->inside == GUARD_UNSURE)
        return DEFER(6, "451 4.3.0", "send-external", "can't tell whether this leaves the company");
    if (logged_in && s->send_withheld && s->inside == GUARD_NO)
        return REJECT(6, "550 5.7.1", "send-external", "the account may not send to the outside");
    if (s->may_list == GUARD_UNSURE)
        return DEFER(7, "451 4.3.0", "list", "can't tell who may write to the list");
    if (s->may_list == GUARD_NO)
        return REJECT(7, "550 5.7.1", "list", "not one of those who may write to the list");
    if (!logged_in && s->receives == GUARD_UNSURE)
        return DEFER(8, "451 4.3.0", "receive-external",
                     "can't tell whether the recipient takes it");
    if (!logged_in && s->receives == GUARD_NO)
        return REJECT(8, "550 5.7.1", "receive-external",
                      "the recipient takes no mail from the outside");
    return ACCEPT(0, "");
}

/* 9 to 12: how large, how many. */
static struct guard_send
by_limits(const struct guard_sending *s)
{
    if (s->size_most > 0 && s->size > s->size_most)
        return REJECT(9, "552 5.3.4", "size", "the message is larger than the account may send");
    if (s->recipients_most > 0 && s->recipients > s->recipients_most)
        return REJECT(10, "554 5.5.3", "recipients/message", "too many recipients in one message");
    if (s->own_room == GUARD_UNSURE || s->total_room == GUARD_UNSURE)
        return DEFER(11, "451 4.3.0", "rate", "can't tell how much was sent");
    if (s->own_room == GUARD_NO)
        return DEFER(11, "450 4.7.1", "rate", "the account has sent as much as it may for now");
    if (s->total_room == GUARD_NO)
        return DEFER(12, "450 4.7.1", "total",
                     "all together have sent as much as they may for now");
    return ACCEPT(0, "");
}

struct guard_send
guard_send(const struct guard_sending *s)
{
    struct guard_send g = {0};

    if (s->login != LOGIN_NONE)
        g = by_login(s);
    if (g.rule == 0)
        g = by_recipient(s);
    if (g.rule == 0 && s->login == LOGIN_ACCOUNT)
        g = by_limits(s);
    if (g.rule > 0)
        return g;
    return s->login == LOGIN_NONE ? ACCEPT(13, "nobody logged in, and nothing speaks against it")
                                  : ACCEPT(14, "within what the account may");
}

const char *
guard_send_rule_text(int rule)
{
    static const char *const texts[GUARD_SEND_RULES] = {
        "who is logged in can't be told now: later",
        "the directory has no account of that login: refused",
        "the account, its department or domain is suspended or disabled: refused",
        "the function submission is withheld from the account: refused",
        "the sender's address is not the account's to use: refused; whose it is can't be told: "
        "later",
        "the function send-external is withheld from the account and the recipient is outside: "
        "refused; whether he is can't be told: later",
        "the recipient is a list and this is not one of those who may write to it: refused; who "
        "may can't be told: later",
        "nobody is logged in and the function receive-external is withheld from the recipient: "
        "refused; whether it is can't be told: later",
        "the message is larger than the limit size: refused",
        "it has more recipients than the limit recipients/message: refused",
        "the account has no room in one of its limits: later; what it has sent can't be told: "
        "later",
        "a department or domain above has no room in one of its limits for all: later",
        "nobody is logged in: nothing is said",
        "everybody else: nothing is said",
    };

    return rule >= 1 && rule <= GUARD_SEND_RULES ? texts[rule - 1] : NULL;
}
