/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights_find: from names to the facts rights_decide() wants, out of the mirror: who
 * a name stands for, his role and state, where he is. For whoever asks for rights:
 * `postroad may`, and the access socket.
 *
 * Everything found points into the mirror or into its own struct: valid until the
 * read of the mirror ends. 1 found, 0 not, -1 can't tell.
 */
#ifndef POSTROAD_RIGHTS_FIND_H
#define POSTROAD_RIGHTS_FIND_H

#include "addr.h"
#include "conf.h"
#include "mirror.h"
#include "rights.h"

#define RIGHTS_SCOPES 256 /* of one administrator; with more nobody can tell what he may */

/* The places in the tree that rights depend on, normalised. */
struct rights_places {
    struct mirror *mirror;
    const char *delimiters; /* of address extensions */
    int whole;              /* 1: what is not in the mirror is nowhere, as a file is the source */
    struct span base, admins, domains;
    char text[3][MIRROR_DN_MAX];
};

/* 0, or -1 and a fixed text: the mirror has no base yet, or the configuration names no usable DN. */
int rights_places_open(struct rights_places *p, const struct conf *conf, struct mirror *m,
                       const char **why_r);

/* What a name stands for. */
struct rights_entry {
    int found;
    unsigned char uuid[UUID_LEN];
    struct record record; /* when found */
    struct span dn;       /* normalised; given by DN also when there is no such entry */
    const char *note;     /* fixed text: why it was not found, or can't be told; "" */
    char text[MIRROR_DN_MAX];
};

/*
 * name: a DN below the base, an address, or a domain's name. exactly: an address extension is not
 * taken off, as for who acts: "lina+x@…" is not how Lina logs in.
 */
void rights_find(const struct rights_places *p, struct span name, int exactly,
                 struct rights_entry *e);

/* The same when only e->uuid is known. */
void rights_find_uuid(const struct rights_places *p, struct rights_entry *e);

/* rights_facts.c. What rights_decide wants of who acts; scopes: room for RIGHTS_SCOPES, stays in use. */
void rights_actor_of(const struct rights_places *p, const struct rights_entry *e,
                     struct span *scopes, struct rights_actor *out);
/* And of what he does it to. An entry that is not there (known 0) has its DN, when one was given. */
void rights_target_of(const struct rights_places *p, const struct rights_entry *e,
                      struct rights_target *out);

/*
 * What rights_decide wants of an address given to the target: whether it is of a domain the target is
 * below, and which entry is that domain's (dn: room for MIRROR_DN_MAX). Sets the address… members.
 */
void rights_address_of(const struct rights_places *p, struct span address, struct span target_dn,
                       char *dn, struct rights_value *out);

#endif
