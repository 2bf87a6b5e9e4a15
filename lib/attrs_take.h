/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attrs_take: how one value of an attribute becomes an item of the record, or a
 * complaint. For attrs.c only. Pure.
 */
#ifndef POSTROAD_ATTRS_TAKE_H
#define POSTROAD_ATTRS_TAKE_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "attrs.h"
#include "span.h"

struct pack {
    const struct conf_class *map; /* of the entry's class; NULL for sites, servers and others */
    const struct entry_view *e;
    attrs_dn_fn *dn;
    int quota_unit;
    struct record_builder b;
    const char *attr;    /* the attribute being read */
    enum record_tag tag; /* what its values become */
    const char *words;   /* take_word: what may stand there, blank-separated */
    uint32_t have;       /* one bit for each tag that was added */
    char complaint[512];
    unsigned complaints;
};

/* Read v, a value of p->attr, and add it as p->tag, or complain. */
typedef void taker(struct pack *p, struct span v);

taker take_mail;      /* canonical address; the second and further ones become TAG_ALIAS */
taker take_alias;     /* canonical address, each once */
taker take_canonical; /* canonical address */
taker take_written;   /* address, kept as it is written */
taker take_place;     /* site or host; one that can't be read is kept as one that nobody knows */
taker take_word;
taker take_text; /* UTF-8 for people */
taker take_host;
taker take_dn;
taker take_quota;
taker take_limit;
taker take_hop;
taker take_print;
taker take_domain;

void pack_add(struct pack *p, enum record_tag tag, struct span v);
/* Whether any item of this tag was added. */
int pack_has(const struct pack *p, enum record_tag tag);
/* 1 when v is clean text of 1..max bytes; else complains. */
int pack_usable(struct pack *p, struct span v, size_t max);
/* Complain of v, a value of p->attr; v may be empty. The first is kept in words, the others are counted. */
void pack_complain(struct pack *p, struct span v, const char *why);
/* Write what was complained of into out: "" for nothing. */
void pack_complaint(const struct pack *p, char *out, size_t cap);

#endif
