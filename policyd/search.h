/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search: one search of one provider for many addresses: the filter, made of what may
 * be asked by an index only, and what was found, each entry with the addresses it
 * touches. Knows no LDAP library: t/search_test.c holds the filter to its words.
 */
#ifndef POSTROAD_SEARCH_H
#define POSTROAD_SEARCH_H

#include "conf.h"
#include "digest.h"
#include "inquiry.h"

#define SEARCH_ITEMS  256   /* questions in one search */
#define SEARCH_TEXT   65536 /* bytes of their texts */
#define SEARCH_FILTER 98304 /* bytes; slapd takes 262143 from strangers */
#define SEARCH_FOUND  1024  /* entries one search may find */

struct search_item {
    struct inquiry_id id;
    struct span text; /* into search.text */
};

struct search_found {
    unsigned char uuid[UUID_LEN];
    struct digest digest;
    uint32_t touches[SEARCH_ITEMS / 32]; /* bit per item */
    char *dn;
};

struct search {
    struct search *next;
    unsigned provider;
    int64_t at_ms;
    unsigned n, nfound, text_n, open; /* open: items that are not answered yet */
    struct search_item item[SEARCH_ITEMS];
    unsigned char answered[SEARCH_ITEMS];
    struct search_found *found;
    char text[SEARCH_TEXT];
};

/* Which attributes are asked: the map's addresses, and its names of domains. */
struct search_attrs {
    const char *address[2 * CLASS_N * CONF_LIST_MAX], *domain[CONF_LIST_MAX];
    unsigned naddress, ndomain;
};
/* map: completed by its preset; borrowed. */
void search_attrs(struct search_attrs *a, const struct conf_class map[CLASS_N]);

/* NULL: no memory. */
struct search *search_new(unsigned provider, int64_t at_ms);
void search_free(struct search **s);
/* Add a question. 0, or -1: it is full. */
int search_add(struct search *s, const struct inquiry_question *q);
/*
 * The filter (RFC 4515) for all of them, into out. Its length; as many items as fit, the rest is taken
 * off again.
 */
size_t search_filter(struct search *s, const struct search_attrs *a, char *out, size_t cap);
/* Add an entry that was found. 0; -1: no memory, or too many. */
int search_add_found(struct search *s, const unsigned char uuid[UUID_LEN], const struct record *r,
                     struct span dn);

static inline int
search_touches(const struct search_found *f, unsigned item)
{
    return f->touches[item / 32] >> item % 32 & 1;
}

#endif
