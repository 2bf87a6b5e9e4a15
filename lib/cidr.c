/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cidr: see cidr.h.
 *
 * Promises: what is not clearly a network is none, a leading zero or bits behind the
 * length included: an address that was mistyped trusts nobody. Must not look up names.
 */
#include "cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define V4_BITS 96 /* in front of an IPv4 address */

static const unsigned char v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static struct span
without_brackets(struct span s)
{
    if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        return (struct span){s.p + 1, s.n - 2};
    return s;
}

int
cidr_address(struct span text, unsigned char ip_r[16])
{
    char copy[INET6_ADDRSTRLEN];
    struct span s = without_brackets(text);

    if (s.n > 5 && memcmp(s.p, "IPv6:", 5) == 0)
        s = (struct span){s.p + 5, s.n - 5};
    if (s.n == 0 || s.n >= sizeof copy || memchr(s.p, '\0', s.n))
        return -1;
    memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    memcpy(ip_r, v4_prefix, sizeof v4_prefix);
    if (inet_pton(AF_INET, copy, ip_r + 12) == 1 || inet_pton(AF_INET6, copy, ip_r) == 1)
        return 0;
    return -1;
}

int
cidr_of_socket(const struct sockaddr *a, unsigned char ip_r[16])
{
    const void *p = a;

    if (a->sa_family == AF_INET) {
        memcpy(ip_r, v4_prefix, sizeof v4_prefix);
        memcpy(ip_r + 12, &((const struct sockaddr_in *)p)->sin_addr, 4);
        return 0;
    }
    if (a->sa_family != AF_INET6)
        return -1;
    memcpy(ip_r, &((const struct sockaddr_in6 *)p)->sin6_addr, 16);
    return 0;
}

/* Whether the first bits of both are the same. */
static int
same(const unsigned char a[16], const unsigned char b[16], unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 &&
           (rest == 0 || ((a[whole] ^ b[whole]) & (0xff00u >> rest) & 0xff) == 0);
}

/* The number behind the slash; -1: it is none. */
static int
length_of(struct span s)
{
    int n = 0;

    if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0'))
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        n = 10 * n + (s.p[i] - '0');
    }
    return n;
}

int
cidr_parse(struct span text, struct cidr *c_r, const char **why_r)
{
    const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
    struct span address = {text.p, slash ? (size_t)(slash - text.p) : text.n};
    int room, bits;

    *why_r = "is no IP address or network";
    if (cidr_address(address, c_r->ip) < 0)
        return -1;
    room = memchr(address.p, ':', address.n) ? 128 : 32;
    bits = slash ? length_of((struct span){slash + 1, text.n - address.n - 1}) : room;
    *why_r = "has no length between 0 and 32, or 128 with IPv6, behind its slash";
    if (bits < 0 || bits > room)
        return -1;
    c_r->bits = (unsigned)bits + (room == 32 ? V4_BITS : 0);
    *why_r = "has bits set behind its length: is the address or the length meant?";
    for (unsigned i = c_r->bits; i < 128; i++)
        if (c_r->ip[i / 8] >> (7 - i % 8) & 1)
            return -1;
    return 0;
}

int
cidr_add(struct cidr_set *set, struct span text)
{
    const char *why;

    if (set->n == CIDR_MOST || cidr_parse(text, &set->v[set->n], &why) < 0)
        return -1;
    set->n++;
    return 0;
}

void
cidr_fill(struct cidr_set *set_r, char *const *v, size_t n)
{
    set_r->n = 0;
    for (size_t i = 0; i < n; i++)
        cidr_add(set_r, span_of(v[i]));
}

int
cidr_has(const struct cidr_set *set, const unsigned char ip[16])
{
    for (unsigned i = 0; i < set->n; i++)
        if (same(set->v[i].ip, ip, set->v[i].bits))
            return 1;
    return 0;
}

int
cidr_is_loopback(const unsigned char ip[16])
{
    static const unsigned char v6[16] = {[15] = 1};

    return memcmp(ip, v6, 16) == 0 ||
           (memcmp(ip, v4_prefix, sizeof v4_prefix) == 0 && ip[12] == 127);
}
