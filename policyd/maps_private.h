/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps, inside: what the files maps*.c share. Nobody else includes this.
 *
 * maps.c holds the mirror and the caches, maps_find.c finds who has an address and
 * what he inherits, maps_alias.c writes out lists and forwards, maps_answer.c
 * renders each map's answer.
 */
#ifndef POSTROAD_MAPS_PRIVATE_H
#define POSTROAD_MAPS_PRIVATE_H

#include "freshness.h"
#include "inquiry.h"
#include "log.h"
#include "maps.h"

#define MAPS_DOMAINS  1024  /* slots of the caches, direct-mapped */
#define MAPS_ORGS     16384 /* small ones: a large tree has tens of thousands of departments */
#define MAPS_NAMES    1024
#define MAPS_NAME_MAX 255 /* bytes of a home site or host */
/* What fits in a reply beside "OK ". */
#define MAPS_DATA_MAX (SOCKETMAP_REPLY_MAX - 16)

/* A domain we asked the mirror for, found or not. */
struct domain_slot {
    uint32_t epoch; /* valid while it is that of the maps */
    uint32_t number;
    uint8_t found, is_alias, catch_all;
    unsigned char uuid[UUID_LEN];
    char name[ADDR_DOMAIN_MAX + 1], primary[ADDR_DOMAIN_MAX + 1];
};

/* A container's inherited settings; names are numbers in maps.names, 0 none. */
struct org_slot {
    uint32_t epoch, number;
    uint16_t home, standby;
    uint8_t found, state;
};

/* Sites' and hosts' names, each kept once: there are few, whatever the number of containers. */
struct name_slot {
    uint8_t n;
    char text[MAPS_NAME_MAX];
};

/*
 * The route of all accounts that stand in one container, have addresses in one domain and say
 * nothing of their own: nearly everybody's.
 */
struct way_slot {
    uint32_t epoch, parent, domain;
    uint8_t own_state, kind, state;
    struct route route;
};

/* Who has an address. */
struct hit {
    int ours; /* the domain is ours */
    int found;
    int proven;      /* only set when nothing was found, or it is disabled */
    int stripped;    /* found without its extension */
    int catch_all;   /* found by the domain's catch-all */
    int inherits;    /* 0: a catch-all that leads outside or nowhere */
    uint32_t domain; /* number of the domain whose settings count */
    const char *how;
    struct mirror_claim claim;
    char matched[ADDR_MAX + 1];
};

/* A comma list under construction, each address once. */
struct listing {
    char *p;
    size_t n;
    unsigned count;
    int too_large;
    uint32_t round; /* marks its rows in maps.seen */
};

#define SEEN_SLOTS 32768 /* twice what the longest reply holds */

struct seen {
    uint32_t round, offset, n;
};

struct maps {
    const struct conf *conf;
    struct board *board;
    struct span own_site, local, wait; /* of conf */
    struct mirror *mirror;
    struct site_table *sites;
    uint64_t structure, generation;
    uint32_t epoch;
    int64_t checked_ms;
    int depth, readable, complete, check; /* check: look whether the store is the right one */
    int left; /* sync writes another store by now, which is not filled yet */
    char error[256];
    struct domain_slot *domains;
    struct org_slot *orgs;
    struct way_slot *ways;
    struct name_slot *names;
    uint16_t nnames;
    struct seen *seen;
    uint32_t round;
    struct log_limit large_limit;
    int64_t proof_ms,
        next_asked_ms; /* proof_ms, answered: as they were before the snapshot was taken */
    uint64_t answered;
    struct inquiry inquiry; /* our questions about addresses */
    int verifies, asks;     /* they count, we put any */
    /* the lookup at hand */
    int64_t asked_ms;             /* 0: not needed yet */
    int cant_wait;                /* a recent proof will do */
    int judged;                   /* all holds */
    enum freshness_verdict all;   /* of the mirror as a whole */
    enum freshness_verdict fresh; /* of the address that was asked last: "nobody has it" */
    const char *all_why, *fresh_why;
    int slot; /* of our question about that address, -1 none */
    int waits,
        ticket; /* another answer is possible later; when the question of that slot, less one, is answered */
    int parsed;
    struct addr addr;
    struct hit hit;
    struct route_input in;
    struct route route;
    int traced; /* explain wants to see every input: take no short cut */
    const char *why;
    char home[MAPS_NAME_MAX + 1], standby[MAPS_NAME_MAX + 1];
};

/* maps.c: cached rows; NULL when the mirror can't be read. Valid until the next call of either. */
const struct domain_slot *maps_domain(struct maps *m, struct span name);
const struct org_slot *maps_org(struct maps *m, uint32_t number);
struct span maps_org_name(const struct maps *m, uint16_t name);

/* maps_find.c. 1 found, 0 not, -1 can't read. maps_resolve knows no catch-all. */
int maps_resolve(struct maps *m, const struct addr *a, struct hit *h);
int maps_find(struct maps *m, const struct addr *a, struct hit *h);
/* Parse key and find its route into m->addr, hit, in, route. 1; 0 no address; -1 can't read. */
int maps_route(struct maps *m, struct span key);
/* The state that holds for h, inherited ones included; -1 can't read. */
int maps_state(struct maps *m, const struct hit *h);
/* maps_proof.c. Whether it is a fact that nobody has the address, for the lookup at hand. */
int maps_proven(struct maps *m, const struct addr *a);
void maps_proof_begin(struct maps *m);
/* What an answer has to say that would need such a fact and has none, of the address asked last. */
const char *maps_doubt(struct maps *m);

/* maps_alias.c. What the address in m->hit stands for. */
enum socketmap_status maps_alias(struct maps *m, struct span key, char *out, size_t *len_r);
enum socketmap_status maps_logins(struct maps *m, char *out, size_t *len_r);
/* Whether the list in m->hit has anybody to deliver to; uses out. -1 can't read. */
int maps_list_delivers(struct maps *m, char *out);

#endif
