/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror: the local copy of the directory, in one LMDB environment below
 * state_dir. One process writes (role sync), any number read without locks.
 *
 * Tables: entry (UUID -> record), dn (parent number + RDN -> UUID, own number),
 * org (number -> inherited settings), addr (address -> claims), domain (name ->
 * claims), site, meta, digest, dup, bad. An entry knows its parent by number, so
 * a renamed department is one changed row however many people are in it.
 *
 * Spans and records handed out point into the store: valid until the read ends.
 * Results: 1 found, 0 not found, -1 can't tell (the store could not be read).
 */
#ifndef POSTROAD_MIRROR_H
#define POSTROAD_MIRROR_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "addr.h"
#include "digest.h"
#include "site.h"
#include "span.h"

#define MIRROR_FORMAT     3
#define MIRROR_DN_MAX     2048
#define MIRROR_RDN_MAX    480 /* bytes of a normalised RDN; longer ones are bad entries */
#define MIRROR_COOKIE_MAX 4096

struct mirror;

/* --- reading --- */

/* Open for reading what a writer made. NULL and error when there is none (yet) or it has another format. */
struct mirror *mirror_open(const char *dir, size_t map_mib, char *error, size_t error_n);
void mirror_close(struct mirror **m);

/*
 * 1 when there was no room for the store's lock file: then it can be read while nobody writes, and a
 * begin that fails means that somebody does. It is to be opened anew as soon as it can be locked.
 */
int mirror_is_unlocked(const struct mirror *m);
int mirror_can_lock(const struct mirror *m);

/* 1 when the file the store was opened from is another one by now, 2 when it is gone; else 0. */
int mirror_replaced(struct mirror *m);

/* 1 when a call failed since mirror_begin: "not found" and "none" may be wrong then. */
int mirror_failed(const struct mirror *m);
/* 1 when a read ran into something that only a damaged store holds. */
int mirror_damaged(const struct mirror *m);
/* The same of errno after mirror_open failed. */
int mirror_is_damage(int rc);

/* All reads happen between these two; begin gives the newest snapshot, and is cheap. -1: can't read. */
int mirror_begin(struct mirror *m);
void mirror_end(struct mirror *m);
/*
 * Like mirror_end, but keeps the snapshot: the next begin takes it up again for next to nothing when
 * nothing was committed since. Follow with mirror_end before long: it keeps the writer from using
 * old pages again.
 */
void mirror_pause(struct mirror *m);

/* Counts up whenever sites, departments or domains changed: caches of those hold while it stays. */
uint64_t mirror_structure(struct mirror *m);
/* Another number for each snapshot that may differ at all; 0: can't be read. */
uint64_t mirror_snapshot(struct mirror *m);

enum claim_how { CLAIM_PRIMARY, CLAIM_ALIAS };

/* Who has an address; all a route needs of its owner. */
struct mirror_claim {
    unsigned char uuid[UUID_LEN];
    uint64_t created;
    uint32_t parent;           /* number of the entry's parent, see mirror_org */
    uint8_t kind, state;       /* the entry's own, not inherited */
    uint8_t how;               /* enum claim_how */
    uint8_t forwards;          /* 1: it has TAG_FORWARD items */
    struct span home, standby; /* own, may be empty */
};

/*
 * All addresses that anybody claims, in some order, part by part: *at 0 to begin, then as it was
 * left. 1; 0 there are no more; -1. One may come twice.
 */
int mirror_next_addresses(struct mirror *m, uint64_t *at, int (*fn)(void *, struct span address),
                          void *ctx);

/* The winner among those who claim the canonical address: oldest created, then lowest UUID. */
int mirror_claim(struct mirror *m, struct span address, struct mirror_claim *out);

/* What a container passes down to what is below it: nearest value upwards. Deny adds up. */
struct mirror_org {
    uint32_t parent;
    uint8_t kind, state; /* state: disabled or suspended or moving if any level up says so */
    struct span home, standby, quota;
    struct span deny;             /* blank-separated words */
    struct span domain;           /* primary name of the domain it is in, "" outside any */
    unsigned char uuid[UUID_LEN]; /* all zero while only the number is known */
};
int mirror_org(struct mirror *m, uint32_t number, struct mirror_org *out);

struct mirror_domain {
    unsigned char uuid[UUID_LEN];
    uint32_t number;     /* its own number: mirror_org(number) */
    uint8_t is_alias;    /* the name asked is a further name */
    uint8_t catch_all;   /* 1: its record has TAG_CATCHALL */
    struct span primary; /* primary name */
};
int mirror_domain(struct mirror *m, struct span name, struct mirror_domain *out);

int mirror_entry(struct mirror *m, const unsigned char uuid[UUID_LEN], struct record *out);
/* By normalised DN (as the writer was given it). */
int mirror_by_dn(struct mirror *m, struct span ndn, unsigned char uuid[UUID_LEN]);
/* The entry's DN as it is now, built from the RDNs up to the base. Length, or -1. */
long mirror_dn_of(struct mirror *m, const unsigned char uuid[UUID_LEN], char *out, size_t cap);

/* Fill and seal t from all sites and servers. 0, or -1. */
int mirror_sites(struct mirror *m, struct site_table *t);

/*
 * Addresses whose claims were changed, oldest first, by number; next is the number the next one
 * gets. From a number on, some perhaps more than once: 1; 0 when they are not kept any more, and
 * everything may have changed; -1. What follows from structure is not among them.
 */
#define MIRROR_CHANGES 4096
uint64_t mirror_change_next(struct mirror *m);
int mirror_each_change(struct mirror *m, uint64_t from, int (*fn)(void *, struct span address),
                       void *ctx);

struct mirror_info {
    int complete;          /* a load or refresh was finished once */
    uint64_t updated_ms;   /* wall clock of the last commit that changed something, ms since 1970 */
    uint64_t refreshed_ms; /* wall clock of the last finished load or refresh */
    uint64_t entries, accounts, addresses, domains, dups, bad;
    uint64_t bytes_used, bytes_max; /* of the store */
};
int mirror_info(struct mirror *m, struct mirror_info *out);

/* Walk; fn returns 0 to go on. */
void mirror_each_digest(struct mirror *m,
                        int (*fn)(void *, struct span domain, const struct digest *), void *ctx);
void mirror_each_dup(struct mirror *m, int (*fn)(void *, struct span address, unsigned claims),
                     void *ctx);
void mirror_each_claim(struct mirror *m, struct span address,
                       int (*fn)(void *, const struct mirror_claim *), void *ctx);
/* The entries that claim a domain name, as primary or further one, best first. */
void mirror_each_domain_claim(struct mirror *m, struct span name,
                              int (*fn)(void *, const unsigned char uuid[UUID_LEN]), void *ctx);
/* Entries that themselves are in state moving, in the order of their UUIDs. */
void mirror_each_moving(struct mirror *m,
                        int (*fn)(void *, const unsigned char uuid[UUID_LEN],
                                  const struct record *),
                        void *ctx);
/*
 * Entries in the order of their UUIDs, those above *after (NULL: from the first); names of domains
 * likewise, above after. 1 when the end was reached, 0 fn stopped it, -1.
 */
int mirror_each_entry(struct mirror *m, const unsigned char *after,
                      int (*fn)(void *, const unsigned char uuid[UUID_LEN], const struct record *),
                      void *ctx);
int mirror_each_domain(struct mirror *m, struct span after, int (*fn)(void *, struct span name),
                       void *ctx);
void mirror_each_bad(struct mirror *m,
                     int (*fn)(void *, const unsigned char uuid[UUID_LEN], struct span why),
                     void *ctx);
/* Sites that accounts, departments or domains name but none of sites (from mirror_sites) is. */
void mirror_each_lost_site(struct mirror *m, const struct site_table *sites,
                           int (*fn)(void *, struct span site, uint64_t entries), void *ctx);

/* --- writing (role sync only) --- */

/* Open for writing, create when absent. A store of another format is put aside and begun anew. */
struct mirror *mirror_open_writer(const char *dir, size_t map_mib, char *error, size_t error_n);

/* Why the file the store was opened from can't be its whole content any more, in words; NULL: it can. */
const char *mirror_missing(struct mirror *m);
/* 1 when its lock file is gone or another one: close it and open it anew before a reader does. */
int mirror_lock_lost(const struct mirror *m);
/*
 * Read all of the store in dir, which nobody in this process may have open: 0; 1 damaged, or not there;
 * -1 can't tell; both with error. A store with pages missing ends the process with SIGBUS, a damaged one
 * may keep it busy for ever.
 */
int mirror_verify(const char *dir, size_t map_mib, char *error, size_t error_n);
/* Move a store that can't be used out of the way; one such is kept for whoever wants to look. 0 or -1. */
int mirror_put_aside(const char *dir);

/* Whether changed addresses are noted for mirror_each_change: not, unless told to. */
void mirror_note_changes(struct mirror *m, int on);

/* All writes happen inside a transaction; readers see all of it after commit, or nothing. */
int mirror_write_begin(struct mirror *m);
/* Whether one is open: then reads see what nobody else does yet. */
int mirror_is_writing(const struct mirror *m);
int mirror_write_commit(struct mirror *m);
void mirror_write_abort(struct mirror *m);

/*
 * Add or replace the entry. ndn: normalised DN; buf/n a finished record, whose parent number is
 * set here. complaint: why it is a bad entry, or "". Handles renames (same UUID, other DN) and a
 * DN that another UUID held. 0, or -1 (store full or broken: abort). Outside the base: counted bad, 0.
 */
int mirror_put(struct mirror *m, const unsigned char uuid[UUID_LEN], struct span ndn,
               unsigned char *buf, size_t n, const char *complaint);
int mirror_delete(struct mirror *m, const unsigned char uuid[UUID_LEN]);

/*
 * Remove every entry whose UUID is not among the n sorted ones in seen (16 bytes each).
 * First counts; if more than guard_percent of all, and more than floor, would go, removes nothing and
 * returns 1 with *would_r; else 0; -1 error. guard_percent 100: no guard.
 */
int mirror_sweep(struct mirror *m, const unsigned char *seen, size_t n, int guard_percent,
                 uint64_t floor, uint64_t *would_r);

/*
 * Small values kept with the data in the same transaction: "base", "cookie", "fingerprint"
 * (of base, filter, attributes). get: length or -1 when absent. put with n = 0 removes.
 */
long mirror_meta_get(struct mirror *m, const char *key, char *out, size_t cap);
int mirror_meta_put(struct mirror *m, const char *key, const void *value, size_t n);
/* Set the base DN (normalised); a different one empties the store. */
int mirror_set_base(struct mirror *m, struct span ndn);
/* Mark a finished load or refresh, at now_ms wall clock. */
int mirror_set_complete(struct mirror *m, uint64_t now_ms);
/* What the last failed call ran into, in words. */
const char *mirror_error(const struct mirror *m);
/* Give reader slots of killed processes back; call now and then. */
void mirror_reap_readers(struct mirror *m);

#endif
