/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account: the packed, versioned record in which the mirror keeps one directory
 * entry (an account, and with the same shape a list, domain, department, site
 * or server).
 *
 * Layout: header of RECORD_HEADER bytes, then items {tag u8, length u16 LE,
 * bytes}. Unknown tags are skipped, so a newer writer's record can be read; a
 * record with another RECORD_VERSION can't, and the mirror is filled anew.
 * Pure: works on the caller's buffers, never allocates.
 */
#ifndef POSTROAD_ACCOUNT_H
#define POSTROAD_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "span.h"

#define RECORD_VERSION 1
#define RECORD_HEADER  16
#define RECORD_MAX     (4u << 20) /* bytes; a list of 50,000 members fits */
#define UUID_LEN       16

enum record_kind {
    KIND_NONE,
    KIND_ACCOUNT,
    KIND_LIST,
    KIND_DOMAIN,
    KIND_DEPARTMENT,
    KIND_SITE,
    KIND_SERVER,
    KIND_OTHER, /* a container, role group or service: kept for its place in the tree */
    KIND_LAST = KIND_OTHER
};

enum record_state {
    STATE_UNSET, /* nothing said: active, unless a department or domain says otherwise */
    STATE_ACTIVE,
    STATE_SUSPENDED, /* receives, but no login and no sending */
    STATE_DISABLED,  /* unknown to senders */
    STATE_MOVING,    /* mail waits while the mailbox moves */
    STATE_LAST = STATE_MOVING
};

/* Numbers are stored: never reuse one. "canonical" means as addr_parse writes it. */
enum record_tag {
    TAG_RDN = 1,          /* as the directory writes it: "uid=alice" */
    TAG_MAIL = 2,         /* primary address, canonical */
    TAG_ALIAS = 3,        /* further address, canonical; repeated */
    TAG_FORWARD = 4,      /* address a copy goes to, as written; repeated */
    TAG_HOME = 5,         /* home site's name, or a home host; lower case */
    TAG_STANDBY = 6,      /* standby site's name, lower case */
    TAG_DENY = 7,         /* function withheld, lower case; repeated */
    TAG_QUOTA = 8,        /* decimal bytes */
    TAG_ROLE = 9,         /* system, super, domain, department */
    TAG_SCOPE = 10,       /* normalised DN; repeated */
    TAG_RIGHT = 11,       /* repeated */
    TAG_NEXTHOP = 12,     /* "10 relay:[192.0.2.1]:25"; repeated */
    TAG_FINGERPRINT = 13, /* upper-case hex with colons; repeated */
    TAG_DESIRED = 14,     /* up, failed-over, drain, down */
    TAG_MEMBER = 15,      /* list member, an address as written; repeated */
    TAG_MEMBER_DN = 16,   /* list member, normalised DN; repeated */
    TAG_SENDER = 17,      /* who may write to the list; repeated */
    TAG_CATCHALL = 18,    /* canonical address */
    TAG_DOMAIN = 19,      /* canonical domain name; the first is the primary one; repeated */
    TAG_OWNER_DN = 20,    /* list's owner, normalised DN; repeated */
    TAG_NAME = 21,        /* cn or displayName, UTF-8, for people to read */
    TAG_HOST = 22,        /* server's host name or address, lower case */
    TAG_LIMIT = 23,       /* how much may be sent, see limits.h; repeated */
    TAG_DELEGATE = 24,    /* canonical address of an account that may send as this one; repeated */
    TAG_SPOOF = 25, /* what is done about mail that may be forged: off, tag, quarantine, reject */
    TAG_LAST = TAG_SPOOF
};

struct record {
    const unsigned char *p;
    size_t n;
};

struct record_builder {
    unsigned char *buf;
    size_t cap, n;
    int full; /* something did not fit; record_end will fail */
};

/* Start a record in buf. created: seconds since 1970 (createTimestamp), 0 when unknown. */
void record_begin(struct record_builder *b, unsigned char *buf, size_t cap, enum record_kind kind,
                  enum record_state state, uint64_t created);
/* Add one item; values over 65,535 bytes do not fit. */
void record_add(struct record_builder *b, enum record_tag tag, struct span value);
/* Finish: *r points into the builder's buffer. Returns 0, or -1 when something did not fit. */
int record_end(struct record_builder *b, struct record *r);

/* Whether n bytes at p are a whole record of this version: 0, else -1. Run once on what is read from disk. */
int record_check(const unsigned char *p, size_t n);

/* These take a checked record. */
enum record_kind record_kind(const struct record *r);
enum record_state record_state(const struct record *r);
uint64_t record_created(const struct record *r);
/* The mirror's number of the parent (see mirror.h); set in place by the mirror. */
uint32_t record_parent(const struct record *r);
void record_set_parent(unsigned char *buf, uint32_t parent);
/* Another state for a record that has to wait whatever its entry says; in place. */
void record_set_state(unsigned char *buf, enum record_state state);
/* Walk: start with *pos = 0; returns 1 and an item, 0 at the end. Spans point into the record. */
int record_next(const struct record *r, size_t *pos, enum record_tag *tag, struct span *value);
/* The first item with this tag: 1, or 0 when there is none (value becomes empty). */
int record_find(const struct record *r, enum record_tag tag, struct span *value);

/* Words as the directory writes them. state: -1 when the word is unknown. */
int record_state_parse(struct span word);
const char *record_state_word(enum record_state s);
const char *record_kind_word(enum record_kind k);

#endif
