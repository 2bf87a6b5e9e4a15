/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site: the sites, their servers and next hops, as route decisions need them.
 *
 * A table of fixed size that the caller owns; filled from postroadSite and
 * postroadServer records, then sealed: the answers for each site are rendered
 * once, so that a lookup copies bytes. Pure: no allocation.
 */
#ifndef POSTROAD_SITE_H
#define POSTROAD_SITE_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "span.h"

#define SITE_MAX           64
#define SITE_HOPS_MAX      16  /* next hops of one site, its servers' included */
#define SITE_HOP_MAX       255 /* bytes of "[192.0.2.1]:25" */
#define SITE_TRANSPORT_MAX 64
#define SITE_NAME_MAX      64
#define SITE_PRINTS_MAX    16 /* certificate fingerprints of one site */
#define SITE_HOSTS_MAX     16 /* servers' names of one site, for directories that store a home host */
#define SITE_PRINT_MAX     95 /* "AA:BB:…" of SHA-256 */
#define SITE_ANSWER_MAX    4096

enum hop_state { HOP_UP, HOP_DRAIN, HOP_DOWN }; /* best first */

struct site_hop {
    char transport[SITE_TRANSPORT_MAX]; /* "relay" */
    char hop[SITE_HOP_MAX + 1];         /* "[192.0.2.1]:25" */
    uint32_t priority;                  /* lowest first */
    uint8_t state;                      /* enum hop_state */
};

struct site {
    char name[SITE_NAME_MAX + 1]; /* lower case */
    char standby[SITE_NAME_MAX + 1];
    uint8_t failed_over; /* postroadDesiredState is failed-over */
    uint8_t nhops, nprints, nhosts;
    struct site_hop hops[SITE_HOPS_MAX];
    char prints[SITE_PRINTS_MAX][SITE_PRINT_MAX + 1];
    char hosts[SITE_HOSTS_MAX][256];
    char answer
        [SITE_ANSWER_MAX]; /* after site_table_seal: "relay:[h1]:25, [h2]:25", "" without a hop */
    uint16_t answer_len;
};

struct site_table {
    uint16_t n;
    uint16_t bad; /* sites, hops, prints left out: too many, or not readable */
    struct site sites[SITE_MAX];
};

/* Parse "10 relay:[192.0.2.1]:25". Returns 1, or -1 when it is not of that shape. */
int site_hop_parse(struct span s, struct site_hop *hop);

/* MD5, SHA-1 or SHA-256 in hex, as "AA:BB:…" into out, wherever the colons were. Its length, or -1. */
long site_print_canon(struct span s, char out[SITE_PRINT_MAX + 1]);
/* A site's or server's name in lower case, into out. 0, or -1. */
int site_name_canon(struct span s, char out[SITE_NAME_MAX + 1]);
/* The same of a host's name or address. */
int site_host_canon(struct span s, char out[256]);

/* Empty the table. */
void site_table_init(struct site_table *t);
/* Add a postroadSite record, named name (its cn). Returns the site, NULL when full or badly named. */
struct site *site_table_add(struct site_table *t, struct span name, const struct record *r);
/* Add a postroadServer record to its site: its hops take the server's desired state. */
void site_add_server(struct site_table *t, struct site *s, struct span name,
                     const struct record *r);
/*
 * Order the hops (up, drain, down; then priority; then text, so that every site
 * answers the same) and render the answers: the hops of the first one's
 * transport. Hops that are down are left out unless all are.
 */
void site_table_seal(struct site_table *t);
/*
 * By site name, else by the name of one of its servers; without case. NULL when unknown, or when
 * servers of two sites have that name. t may be NULL: no site is known.
 */
const struct site *site_find(const struct site_table *t, struct span name);
/* The site that owns a certificate fingerprint, compared without case. NULL when none. */
const struct site *site_by_print(const struct site_table *t, struct span print);
/*
 * The site one of whose hops is written this way ("[192.0.2.1]:25", or with the transport in
 * front). A hop that two sites name belongs to the first. NULL when none.
 */
const struct site *site_by_hop(const struct site_table *t, struct span hop);

#endif
