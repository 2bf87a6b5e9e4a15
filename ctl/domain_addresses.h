/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain_addresses: what becomes of people's addresses when their domain gets
 * another name: each address has a fate, and doing it again does what is left.
 */
#ifndef POSTROAD_DOMAIN_ADDRESSES_H
#define POSTROAD_DOMAIN_ADDRESSES_H

#include "org.h"

/* One address, at one entry, in the order the directory sends them. */
struct address_move {
    char *dn;
    const char *attr; /* mail or postroadAlias */
    char *old, *now;
    int there; /* the entry has the new one already: 1 as an alias, 2 as its primary one */
    char *why; /* NULL: done, or to be done; else left as it was, because */
};

struct address_moves {
    const char *from, *to; /* domain names */
    int keep;              /* the old ones stay the primary ones; the new ones are further ones */
    struct address_move *list;
    size_t n, cap;
    int failed; /* memory was out */
};

/* All addresses of accounts and lists in domain from; those somebody else has at `to` are left. */
int address_moves_find(struct org *o, struct address_moves *m);
void address_moves_free(struct address_moves *m);
/* How many have a reason to be left. */
size_t address_moves_left(const struct address_moves *m);

/* The new ones come in, while the old ones still work. A refusal decides that entry's, and no other's. */
int address_moves_begin(struct org *o, struct address_moves *m);
/*
 * The old ones go, except where they are kept, and what names them (forwards, members, senders,
 * catch-alls) names the new ones. dn is called `renamed` by now.
 */
int address_moves_end(struct org *o, struct address_moves *m, const char *dn, const char *renamed);

#endif
