/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_vouch: for which domains a verifier before us vouches, as the header of a message says:
 * DMARC, DKIM and SPF by Authentication-Results, ARC by a chain of seals of those we trust.
 *
 * Whose results count (RFC 8601 5, 7.1: anybody can write such a field): those of our
 * authserv-id, of these the topmost ones only, as many as there are verifiers that write
 * one; and none below a Received field that came with the message, unless it came
 * from a gateway of ours. Pure and bounded; what is too much vouches for nothing.
 */
#ifndef POSTROAD_AUTH_VOUCH_H
#define POSTROAD_AUTH_VOUCH_H

#include <stdint.h>

#include "addr.h"
#include "span.h"

#define VOUCH_DOMAINS 16
#define VOUCH_VALUE   32768 /* bytes of a field that are looked at; a longer one says nothing */

enum vouch_by {
    VOUCH_DMARC,
    VOUCH_DKIM,
    VOUCH_SPF, /* for the envelope's sender only */
    VOUCH_ARC  /* what the first ones in the chain of seals found */
};

struct vouch_settings {
    const char *authserv_id;    /* "": there is no verifier */
    unsigned results;           /* how many of its fields count */
    const char *const *sealers; /* domains whose seals are trusted */
    size_t nsealers;
    int gateway; /* the client is one of ours, which adds Received fields of its own */
};

struct vouch {
    struct {
        char name[ADDR_DOMAIN_MAX + 1]; /* canonical */
        enum vouch_by by;
    } domain[VOUCH_DOMAINS];
    unsigned n, fields, seals;
    uint64_t sealed, reported; /* instances of the chain that have a seal, and results */
    int below;                 /* a Received field was seen */
    int arc_pass;              /* the verifier says that the chain of seals is unbroken */
    int stranger;              /* somebody sealed whom we don't trust, or the chain is none */
    int dmarc_not;             /* a result of DMARC is not "pass" */
};

void vouch_begin(struct vouch *v);

/* The next field of the header, from its top on. */
void vouch_header(struct vouch *v, const struct vouch_settings *s, const char *name,
                  const char *value, size_t n);

/* The i-th domain that is vouched for, once the header was read: its name, NULL after the last. */
const char *vouch_domain(const struct vouch *v, unsigned *i, enum vouch_by *by);

/* "dmarc", "dkim", "spf", "arc" */
const char *vouch_word(enum vouch_by by);

#endif
