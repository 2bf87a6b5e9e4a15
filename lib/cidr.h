/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cidr: whether an IP address is in one of some networks, which are written as in Postfix's
 * mynetworks: 192.0.2.0/24, 192.0.2.7, 2001:db8::/32, [2001:db8::]/32.
 *
 * Pure. IPv4 addresses are kept as IPv6 has them (::ffff:192.0.2.7), so both ways
 * of writing one, and both ways a socket may show it, are the same address.
 */
#ifndef POSTROAD_CIDR_H
#define POSTROAD_CIDR_H

#include "span.h"

#define CIDR_MOST 16 /* networks in a set */

struct sockaddr;

struct cidr {
    unsigned char ip[16];
    unsigned bits; /* of the 128 that count */
};

struct cidr_set {
    struct cidr v[CIDR_MOST];
    unsigned n;
};

/* An address as text, with or without brackets or "IPv6:" before it. 0, or -1: it is none. */
int cidr_address(struct span text, unsigned char ip_r[16]);
/* The same of a socket: 0, or -1: it is neither IPv4 nor IPv6. */
int cidr_of_socket(const struct sockaddr *a, unsigned char ip_r[16]);

/* One network. 0, or -1 with a fixed string in *why_r: what is wrong with it. */
int cidr_parse(struct span text, struct cidr *c_r, const char **why_r);
/* Into the set. 0, or -1: it is none, or there is no room. */
int cidr_add(struct cidr_set *set, struct span text);
/* A set of n such texts; those that are none are left out. */
void cidr_fill(struct cidr_set *set_r, char *const *v, size_t n);
/* 1 when ip is in one of them, else 0. */
int cidr_has(const struct cidr_set *set, const unsigned char ip[16]);
/* 1 for 127.0.0.0/8 and ::1, else 0. */
int cidr_is_loopback(const unsigned char ip[16]);

#endif
