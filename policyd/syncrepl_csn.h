/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_csn: how far a provider is: its contextCSN, which stands at the suffix of
 * its database: at the mirror's base, or above it.
 */
#ifndef POSTROAD_SYNCREPL_CSN_H
#define POSTROAD_SYNCREPL_CSN_H

#include <ldap.h>

#include "cookie.h"
#include "mirror.h"

/* Ask for the contextCSN of dn. 0 and *id_r, or an LDAP result code. */
int syncrepl_csn_ask(LDAP *ld, const char *dn, int *id_r);
/* Read the entry of the answer. 1; 0 there is none in it; -1 there is, and it can't be used. */
int syncrepl_csn_read(LDAP *ld, LDAPMessage *entry, struct cookie *out);
/* One level up, in place: 1, or 0 where there is none. dn is normalised. */
int syncrepl_csn_up(char *dn);

/*
 * The heart-beat of a connection that follows changes: a question that shows whether the provider
 * is there, and whose answer tells what it has to send.
 */
struct syncrepl_beat {
    int id;             /* of the question that is out; -1: none */
    int64_t asked_ms;   /* when the last one was sent */
    int seen;           /* contextCSN, in its answer */
    struct cookie told; /* what the provider knew, until it has come; n 0: it has */
    int64_t told_ms;
    char dn[MIRROR_DN_MAX + 1]; /* where contextCSN is, or is looked for */
};

void syncrepl_beat_init(struct syncrepl_beat *b, const char *base);
/* 0, or an LDAP result code. */
int syncrepl_beat_ask(struct syncrepl_beat *b, LDAP *ld, int64_t now_ms);
/* A message of the answer. refreshing: what it knows is on its way. */
void syncrepl_beat_answer(struct syncrepl_beat *b, LDAP *ld, LDAPMessage *message, int refreshing);
/* For how long the provider has known something that is not in have: ms, 0: it has come. */
int64_t syncrepl_beat_ahead(struct syncrepl_beat *b, const struct cookie *have, int64_t now_ms);

#endif
