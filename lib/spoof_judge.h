/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spoof_judge: whom a message from outside claims to be from, asked of whoever knows which domains
 * are ours, and what becomes of it. Used by the milter, which judges, and by
 * policyd, which explains.
 *
 * Claims are the domains of the envelope's sender and of From and Sender. One is vouched for
 * when the verifier names it, another name of the same domain, or one above or below it that
 * is part of a domain of ours (RFC 7489 3.1, relaxed alignment). SPF speaks of the envelope only. Pure.
 */
#ifndef POSTROAD_SPOOF_JUDGE_H
#define POSTROAD_SPOOF_JUDGE_H

#include "auth_vouch.h"
#include "from_header.h"
#include "guard_spoof.h"

/* What the directory says of a domain of ours. */
struct spoof_domain {
    char primary[ADDR_DOMAIN_MAX + 1];
    int action; /* enum spoof_action, or -1: it says nothing */
};

/* 1 name is ours, 0 it is not, -1 can't tell. */
typedef int spoof_lookup(void *ctx, struct span name, struct spoof_domain *out);

struct spoof_settings {
    enum spoof_action action;  /* of domains that say nothing */
    enum spoof_action display; /* most that is done about a display name */
    int subdomains;            /* names below ours that are not in the directory count as ours */
    enum spoof_action most;    /* the strictest that any domain of ours says */
};

struct spoof_message {
    int inside, forwarder;            /* see guard_spoof.h */
    const char *envelope;             /* sender without angle brackets; "" the null sender */
    const struct from_header *from;   /* From */
    const struct from_header *sender; /* Sender */
    const struct vouch *vouch;
};

struct spoof_result {
    struct guard_spoof guard;
    struct guard_spoofing facts;
    char domain[ADDR_DOMAIN_MAX + 1];  /* the claim that decided; "" none */
    const char *where;                 /* "From", "Sender", "envelope", "display-name"; "" */
    char voucher[ADDR_DOMAIN_MAX + 1]; /* one that was vouched for, as it says so; "" none */
    const char *by;                    /* "dkim" …; "" */
};

/* By the words of the configuration, which holds known ones only. */
struct spoof_settings spoof_settings_of(const char *action, const char *display, int subdomains);

/* The domain of ours that name is, or is below: 1, 0, -1. */
int spoof_find(const char *name, const struct spoof_settings *s, spoof_lookup *lookup, void *ctx,
               struct spoof_domain *d);

void spoof_judge(const struct spoof_message *m, const struct spoof_settings *s,
                 spoof_lookup *lookup, void *ctx, struct spoof_result *out);

#define SPOOF_REPLY 700 /* bytes */
/* What a client is told whose message is refused, or has to come again: one line. contact: whom to ask. */
void spoof_reply(char out[SPOOF_REPLY], const struct spoof_result *r, const char *contact);

#endif
