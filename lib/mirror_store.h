/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_store: what the mirror's own files share: the open store, its tables
 * and the layout of their rows. Nobody outside lib/mirror*.c includes this.
 *
 * Rows are byte strings, little-endian where nothing is said; what orders a key
 * or a duplicate is big-endian. Widths never change within one MIRROR_FORMAT.
 */
#ifndef POSTROAD_MIRROR_STORE_H
#define POSTROAD_MIRROR_STORE_H

#include <lmdb.h>
#include <stdint.h>

#include "mirror.h"

enum table {
    T_META,    /* word -> bytes */
    T_ENTRY,   /* UUID -> record */
    T_DN,      /* parent u32 BE, normalised RDN -> UUID, own number u32 (0: no children yet) */
    T_ORG,     /* number u32 BE -> org row */
    T_NUMBER,  /* UUID -> number u32, for entries that have one */
    T_ADDR,    /* highest hash u32 -> bucket of claims on addresses, see mirror_addr.c */
    T_DOMAIN,  /* canonical domain name -> domain rows, best first */
    T_SITE,    /* UUID of sites, of servers, and of what is moving -> kind u8 */
    T_DIGEST,  /* "d" domain name -> four lanes, count: u64 each */
    T_CHANGE,  /* number u64 BE -> address */
    T_DUP,     /* address or domain name -> how many claim it, u32 */
    T_BAD,     /* UUID -> complaint */
    T_SITEREF, /* site or host name -> how many entries name it, u64 */
    T_N
};

/* A row may be written before its entry is known: then the UUID is all zero. */
struct dn_row {
    unsigned char uuid[UUID_LEN];
    uint32_t number;
};

/* One org row, decoded: own settings, and what holds after inheritance (eff_). */
struct org_row {
    uint32_t parent;
    uint8_t kind, state, eff_state;
    unsigned char uuid[UUID_LEN];
    struct span nrdn, home, standby, quota, deny, domain;
    struct span eff_home, eff_standby, eff_quota, eff_deny, eff_domain;
};
#define ORG_SPANS   11
#define ORG_ROW_MAX 8192

#define MIRROR_BASE_NUMBER 1 /* in T_ORG and T_NUMBER: the base of the tree */

#define MIRROR_CACHE 32 /* changed digests and site counts kept until commit */

enum { SCRATCH_WHOLE, SCRATCH_LOW, SCRATCH_HIGH, SCRATCH_PUT, SCRATCH_N };

struct mirror {
    MDB_env *env;
    MDB_dbi dbi[T_N];
    MDB_txn *rtxn;       /* kept between reads: reset and renewed */
    int reading, paused; /* paused: rtxn holds a snapshot nobody reads */
    size_t structure_txn;
    uint64_t structure;
    uint64_t dev, ino;       /* of the data file, to notice that it was replaced */
    uint64_t lock_ino;       /* of the lock file; 0: opened without */
    long long bytes;         /* in it, to notice that it was cut */
    int damaged;             /* a read ran into what LMDB would not have written */
    int unlocked;            /* there was no room for a lock file: see mirror_lock.c */
    int failed;              /* a call failed since this transaction or snapshot was begun */
    MDB_cursor *addr_cursor; /* goes with rtxn */
    int addr_stale;          /* and is to be renewed as that was */
    char path[1024];
    char error[256];

    /* the writer's */
    MDB_txn *wtxn;
    int changed, org_dirty, structure_dirty, collect;
    uint64_t accounts, addresses;
    struct bulk *bulk;        /* claims of a first fill that are not written yet */
    MDB_cursor *addr_wcursor; /* goes with wtxn, and ends with it */
    unsigned char *addr_scratch[SCRATCH_N];
    size_t addr_scratch_n[SCRATCH_N];
    uint32_t next_number;
    int note_changes;
    uint64_t change_next; /* number of this transaction's first change */
    unsigned changes;     /* in it, so far */
    char base[MIRROR_DN_MAX + 1];
    size_t base_n;
    char last_parent[MIRROR_DN_MAX + 1];
    size_t last_parent_n;
    uint32_t last_parent_number;
    struct {
        char name[ADDR_DOMAIN_MAX + 1];
        struct digest sum;
        int used;
    } digests[MIRROR_CACHE];
    struct {
        char name[256];
        int64_t delta;
    } siterefs[MIRROR_CACHE];
};

/* mirror.c */
/* The write transaction inside one, else the read one; NULL: neither. */
MDB_txn *mirror_txn(struct mirror *m);
int mirror_get(struct mirror *m, enum table t, const void *key, size_t n,
               MDB_val *out);                                /* 1, 0, -1 */
int mirror_fail(struct mirror *m, int rc, const char *what); /* notes it, returns -1 */
void mirror_dn_split(struct span ndn, struct span *nrdn, struct span *parent);
int mirror_dn_row(struct mirror *m, uint32_t parent, struct span nrdn, struct dn_row *out);
int mirror_org_row(struct mirror *m, uint32_t number, struct org_row *out);
void mirror_claim_decode(const MDB_val *v, struct mirror_claim *out);
uint32_t mirror_u32(const void *p);
uint64_t mirror_u64(const void *p);

/* mirror_lock.c. 0 or errno */
int mirror_lock_prepare(const char *path, int writer); /* before the store is opened */
uint64_t
mirror_lock_ino(const struct mirror *m); /* as it is on disk, 0: there is none, or not for us */
/* Keep writers out (shared), or those that read without a lock file, without waiting. */
int mirror_lock_claim(MDB_env *env, int shared);
void mirror_lock_release(MDB_env *env);

/*
 * mirror_addr.c: claims on addresses (reading is mirror_claim). add, del: one claim row; how many
 * there are on the address then. 0, or -1.
 */
int mirror_addr_add(struct mirror *m, struct span address, struct span claim, unsigned *claims_r);
int mirror_addr_del(struct mirror *m, struct span address, struct span claim, unsigned *claims_r);
void mirror_addr_forget(struct mirror *m); /* the table is about to be emptied */
void mirror_addr_close(struct mirror *m);

/* mirror_txn.c */
int mirror_is_base(const struct mirror *m, struct span ndn);

/* mirror_bulk.c: claims of a first fill, written together. All: 0, or -1 */
int mirror_bulk_begin(struct mirror *m);
int mirror_bulk_add(struct mirror *m, struct span address, struct span claim);
int mirror_bulk_end(struct mirror *m);    /* write them, if there are any to write */
int mirror_bulk_commit(struct mirror *m); /* before a commit: write them when they are few */
void mirror_bulk_drop(struct mirror *m);  /* forget them: the transaction is aborted */

/* mirror_change.c: note that claims on an address change; once before the commit */
int mirror_change_add(struct mirror *m, struct span address);
int mirror_change_flush(struct mirror *m);

/* mirror_index.c: what follows from a record */
int mirror_index(struct mirror *m, const unsigned char uuid[UUID_LEN], const struct record *r,
                 uint32_t number, int add);
int mirror_index_flush(struct mirror *m);
/* Keep T_DUP in step with how many claim this name. */
int mirror_note_dup(struct mirror *m, struct span name, size_t claims);

/* mirror_tree.c: places in the tree, and what is inherited */
int mirror_tables_put(struct mirror *m, enum table t, const void *key, size_t kn, const void *v,
                      size_t vn);
int mirror_tables_del(struct mirror *m, enum table t, const void *key, size_t kn);
int mirror_number_of(struct mirror *m, const unsigned char uuid[UUID_LEN], uint32_t *number);
int mirror_container(struct mirror *m, struct span ndn, uint32_t *number); /* find or make */
int mirror_number_new(struct mirror *m, uint32_t parent, struct span nrdn, struct dn_row *row);
int mirror_dn_put(struct mirror *m, uint32_t parent, struct span nrdn, const struct dn_row *row);
int mirror_dn_del(struct mirror *m, uint32_t parent, struct span nrdn);
int mirror_org_put(struct mirror *m, uint32_t number, const struct org_row *row);
int mirror_org_from_record(struct mirror *m, uint32_t number, uint32_t parent, struct span nrdn,
                           const unsigned char uuid[UUID_LEN], const struct record *r);
int mirror_org_merge(struct mirror *m, uint32_t from, uint32_t into);
int mirror_has_children(struct mirror *m, uint32_t number);
int mirror_org_inherit(struct mirror *m); /* recompute all eff_ values */
int mirror_org_collect(struct mirror *m); /* drop numbers nobody needs */

#endif
