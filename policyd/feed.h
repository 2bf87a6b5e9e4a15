/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feed: from an entry as the directory or a file has it to a row of the mirror:
 * normalises the DN, packs the attributes by the configured map, writes. Both
 * sources feed the mirror through here, so that they can't differ.
 */
#ifndef POSTROAD_FEED_H
#define POSTROAD_FEED_H

#include <stdint.h>

#include "attrs.h"
#include "collect.h"
#include "conf.h"
#include "dn.h"
#include "mirror.h"

struct feed {
    struct mirror *mirror;
    struct conf_class map[CLASS_N]; /* the configured one, completed by the preset */
    const char **wanted;            /* attributes to ask for, NULL-terminated */
    int quota_unit;
    struct dn_cache *dns;
    const char *admins;   /* rights.admins of the configuration, borrowed */
    char *admins_ndn;     /* the same normalised; NULL: the default, below whichever base */
    struct collect entry; /* fill it, then feed_put */
    unsigned char *record;
    char ndn[MIRROR_DN_MAX + 1];
    uint64_t puts, complaints; /* since feed_open */
    char error[300];           /* after feed_put failed */
};

/* 0, or -1 and a text in error. The caller sets f->mirror, which is borrowed. */
int feed_open(struct feed *f, const struct conf *conf, char *error, size_t error_n);
void feed_close(struct feed *f);

/*
 * The record of the entry collected in f->entry, in memory of f; its name is in f->ndn. 0; -1 it gives
 * none; -2 memory is short. Why not, or what makes no sense in it, in complaint, or "". Never logs.
 */
int feed_pack(struct feed *f, struct span dn, struct record *r, char *complaint,
              size_t complaint_n);

/*
 * Write the entry collected in f->entry. An entry that makes no sense is written as far as it does,
 * and its trouble kept with it in the mirror and logged. 0, or -1 and f->error: the store failed,
 * or memory is short; abort.
 */
int feed_put(struct feed *f, const unsigned char uuid[UUID_LEN], struct span dn);

/*
 * What the meaning of the mirror's content depends on besides the directory: map, base, versions of
 * the formats; and more, which the source adds. As a UUID's text.
 */
void feed_fingerprint(const struct feed *f, struct span base, struct span more, char out[37]);

/* UUIDs met in a load or refresh: what is not among them is swept. */
struct seen {
    unsigned char *uuid; /* 16 bytes each */
    size_t n, cap;
};
int seen_add(struct seen *s, const unsigned char uuid[UUID_LEN]); /* 0, or -1: no memory */
void seen_sort(struct seen *s);
void seen_free(struct seen *s);

#endif
