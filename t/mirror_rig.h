/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_rig: stores in a temporary folder and entries in one line, for the tests
 * of the mirror. rig_up before the first store, rig_down at the end.
 */
#ifndef POSTROAD_MIRROR_RIG_H
#define POSTROAD_MIRROR_RIG_H

#include "mirror.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB 64

static char top[64]; /* where the stores of this test are */
static unsigned char buf[65536];

static inline struct mirror *
fresh(const char *name)
{
    char dir[128], error[256];
    struct mirror *m;

    snprintf(dir, sizeof dir, "%s/%s", top, name);
    mkdir(dir, 0700);
    m = mirror_open_writer(dir, MIB, error, sizeof error);
    if (!m) {
        printf("Bail out! %s\n", error);
        exit(1);
    }
    if (mirror_write_begin(m) || mirror_set_base(m, span_of("o=corp"))) {
        printf("Bail out! %s\n", mirror_error(m));
        exit(1);
    }
    return m;
}

static inline const unsigned char *
id(unsigned n)
{
    static unsigned char u[8][UUID_LEN];
    static int turn;
    unsigned char *p = u[turn++ & 7];

    memset(p, 0, UUID_LEN);
    p[0] = 0xAA;
    p[14] = (unsigned char)(n >> 8);
    p[15] = (unsigned char)n;
    return p;
}

/* Put an entry: kind, DN, then tag/value pairs ended by 0. */
struct item {
    int tag;
    const char *value;
};

static inline int
put(struct mirror *m, unsigned n, enum record_kind kind, uint64_t created, const char *dn,
    const struct item *items, const char *complaint)
{
    struct record_builder b;
    struct record r;
    char rdn[512];

    snprintf(rdn, sizeof rdn, "%.*s", (int)strcspn(dn, ","), dn);
    record_begin(&b, buf, sizeof buf, kind, STATE_UNSET, created);
    record_add(&b, TAG_RDN, span_of(rdn));
    for (; items && items->tag; items++)
        record_add(&b, (enum record_tag)items->tag, span_of(items->value));
    if (record_end(&b, &r) < 0)
        return -1;
    return mirror_put(m, id(n), span_of(dn), buf, r.n, complaint);
}

#define ITEMS(...) ((const struct item[]){__VA_ARGS__, {0, NULL}})

static inline int
rig_up(void)
{
    snprintf(top, sizeof top, "/tmp/postroad-mirror.XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static inline void
rig_down(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", top);
    if (system(command) != 0)
        printf("# %s is left behind\n", top);
}

#endif
