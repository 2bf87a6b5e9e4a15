/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * people: who an address belongs to, out of the mirror of the directory: which account,
 * domain and department, and which way mail to it goes.
 */
#ifndef POSTROAD_PEOPLE_H
#define POSTROAD_PEOPLE_H

#include "addr.h"
#include "conf.h"
#include "named.h"
#include "route.h"

#define PEOPLE_DEPARTMENT NAMED_DEPARTMENT /* a longer path loses its end */

struct person {
    enum route_verdict verdict;
    char account[ADDR_MAX + 1];       /* primary address; "": nobody's */
    char domain[ADDR_DOMAIN_MAX + 1]; /* primary name of the domain; "": not ours */
    int is_list;
    char department[PEOPLE_DEPARTMENT]; /* path below the domain, "/" in a name as "\/"; "": none */
};

/* A domain of ours. */
struct people_domain {
    char primary[ADDR_DOMAIN_MAX + 1];
    char spoof[16]; /* postroadSpoof; "": it says nothing */
};

struct people;

/* NULL: no memory. conf is borrowed. The mirror need not be there yet. */
struct people *people_new(const struct conf *conf);
/* Over a mirror somebody else reads: for as long as his read goes on, and for one thread. Borrowed, too. */
struct mirror;
struct people *people_over(const struct conf *conf, struct mirror *mirror);
/* Asked at the other end of fd, which stays the caller's; see people_line.h. No answer is "can't tell". */
struct people *people_apart(const struct conf *conf, int fd);
void people_free(struct people **p);
/*
 * Find address (without angle brackets) into *out. 1 it is an account's or list's, 0 it is not, with
 * the verdict outside or unknown, -1 can't tell. Never waits for anybody; may be called by any thread.
 */
int people_find(struct people *p, struct span address, struct person *out);
/*
 * How many members the list has whose primary address that is, those of lists in it counted instead of these;
 * from most on it is not counted further. 0: there is no such list; -1 can't tell.
 */
int64_t people_members(struct people *p, struct span address, int64_t most);
/* The domain of that canonical name, primary or further one: 1, 0 it is not ours, -1 can't tell. Likewise. */
int people_domain(struct people *p, struct span name, struct people_domain *out);
/* What postroadSpoof of any domain is, 1 << enum spoof_action; as it last was when it can't be told. Likewise. */
unsigned people_spoof_actions(struct people *p);

#endif
