/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_spoof: eleven rules, the first that applies decides.
 *
 * Promises: a refusal for good has a fact behind it: the message claims a domain that is
 * ours, or holds what no mail program writes. Doubt about whose a domain is makes mail
 * wait where it might have been refused, else marks it; it never lets mail pass
 * unmarked. Must not look anything up, or know an address.
 */
#include "guard_spoof.h"

#include <strings.h>

static struct guard_spoof
by(int rule, enum spoof_action action, const char *why)
{
    static const enum guard_spoof_verdict verdicts[SPOOF_ACTIONS] = {
        SPOOF_PASSES, SPOOF_IS_TAGGED, SPOOF_IS_HELD, SPOOF_IS_REJECTED};

    return (struct guard_spoof){verdicts[action], rule, why};
}

struct guard_spoof
guard_spoof(const struct guard_spoofing *s)
{
    int strict = s->otherwise >= SPOOF_QUARANTINE;

    if (s->inside)
        return by(1, SPOOF_OFF, "not from outside");
    if (s->forwarder)
        return by(2, SPOOF_OFF, "from a trusted forwarder");
    if (s->claimed == GUARD_YES && s->action == SPOOF_REJECT)
        return by(3, SPOOF_REJECT, "from outside, in the name of one of our domains");
    if (s->claimed == GUARD_YES && s->action == SPOOF_QUARANTINE)
        return by(4, SPOOF_QUARANTINE, "from outside, in the name of one of our domains");
    if (s->too_much)
        return by(5, strict ? s->otherwise : SPOOF_TAG, "more in From than can be looked at");
    if (s->claimed == GUARD_UNSURE || s->shown == GUARD_UNSURE)
        return s->claimed == GUARD_UNSURE && strict
                   ? (struct guard_spoof){SPOOF_WAITS, 6, "can't tell whose the domain is"}
                   : by(6, SPOOF_TAG, "can't tell whose the domain is");
    if (s->shown == GUARD_YES && s->shown_action > SPOOF_OFF)
        return by(7, s->shown_action, "the sender's name shows an address of one of our domains");
    if (s->claimed == GUARD_YES && s->action == SPOOF_TAG)
        return by(8, SPOOF_TAG, "from outside, in the name of one of our domains");
    if (s->claimed == GUARD_YES)
        return by(9, SPOOF_OFF, "the domain does not mind");
    if (s->vouched)
        return by(10, SPOOF_OFF, "the verifier vouches for it");
    return by(11, SPOOF_OFF, "not in the name of one of our domains");
}

const char *
guard_spoof_rule_text(int rule)
{
    static const char *const texts[GUARD_SPOOF_RULES] = {
        "another site handed it over, its sender logged in, or it comes from this machine: passes",
        "the client is one of spoof.trusted_forwarders: passes",
        "an address it is from is of a domain of ours that says reject, and nobody vouches for it: "
        "refused",
        "of one that says quarantine: held",
        "From has more bytes or domains than are looked at: as spoof.action or the strictest "
        "domain "
        "says, but tagged at least",
        "whether an address it is from is ours can't be told: later where spoof.action or a domain "
        "says reject or quarantine, else tagged; of one in a display name: tagged",
        "a display name shows an address of ours: as spoof.display_name says, but no more than the "
        "domain does",
        "an address it is from is of a domain of ours that says tag: tagged",
        "of one that says off: passes",
        "all of ours are vouched for: passes",
        "it is not from any of ours: passes",
    };

    return rule >= 1 && rule <= GUARD_SPOOF_RULES ? texts[rule - 1] : NULL;
}

static const char *const actions[SPOOF_ACTIONS] = {"off", "tag", "quarantine", "reject"};

int
spoof_action_parse(struct span word)
{
    for (int i = 0; i < SPOOF_ACTIONS; i++)
        if (strlen(actions[i]) == word.n && strncasecmp(actions[i], word.p, word.n) == 0)
            return i;
    return -1;
}

const char *
spoof_action_word(enum spoof_action a)
{
    return (unsigned)a < SPOOF_ACTIONS ? actions[a] : "";
}

enum spoof_action
spoof_strictest(unsigned set)
{
    enum spoof_action most = SPOOF_REJECT;

    while (most > SPOOF_OFF && !(set >> most & 1))
        most--;
    return most;
}

const char *
guard_spoof_verdict_word(enum guard_spoof_verdict v)
{
    static const char *const words[] = {"passes", "tagged", "held", "later", "rejected"};

    return (unsigned)v <= SPOOF_IS_REJECTED ? words[v] : "";
}
