/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * withheld: see withheld.h.
 *
 * Promises: what is withheld adds up: nothing below gives back what something above
 * takes away. A container nobody has withholds nothing. Must not decide what follows
 * from it.
 */
#include "withheld.h"

#include "attrs.h"

#define DEPTH_MAX 64 /* levels between an account and the base */

int
withheld_next_word(struct span *rest, struct span *word)
{
    size_t n = 0;

    while (rest->n > 0 && *rest->p == ' ')
        rest->p++, rest->n--;
    while (n < rest->n && rest->p[n] != ' ')
        n++;
    *word = (struct span){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return n > 0;
}

unsigned
withheld_bit(struct span function)
{
    struct span all = span_of(attrs_deny_words), word;

    for (unsigned bit = 1; withheld_next_word(&all, &word); bit <<= 1)
        if (span_same(word, function))
            return bit;
    return 0;
}

/* What a record itself says. */
static unsigned
own_bits(const struct record *r)
{
    enum record_tag tag;
    struct span v;
    size_t pos = 0;
    unsigned bits = 0;

    while (record_next(r, &pos, &tag, &v))
        if (tag == TAG_DENY)
            bits |= withheld_bit(v);
    return bits;
}

/*
 * Where the account inherits from: the entry it stands below, and the domain of its primary
 * address, as accounts need not stand below it. 0, or -1; a number may be 0: none.
 */
static int
above(struct mirror *m, const struct record *r, uint32_t number_r[2])
{
    struct mirror_domain d;
    struct span mail;
    const char *at;
    int found = 0;

    number_r[0] = record_parent(r);
    number_r[1] = 0;
    at = record_find(r, TAG_MAIL, &mail) ? memrchr(mail.p, '@', mail.n) : NULL;
    if (at)
        found = mirror_domain(m, (struct span){at + 1, mail.n - (size_t)(at + 1 - mail.p)}, &d);
    if (found == 1)
        number_r[1] = d.number;
    return found < 0 ? -1 : 0;
}

int
withheld_functions(struct mirror *m, const struct record *r, unsigned *bits_r)
{
    uint32_t number[2];
    struct mirror_org org;
    struct span word;
    int rc = above(m, r, number);

    *bits_r = own_bits(r);
    for (int i = 0; i < 2; i++) {
        int found = mirror_org(m, number[i], &org);

        if (found < 0)
            rc = -1;
        while (found == 1 && withheld_next_word(&org.deny, &word))
            *bits_r |= withheld_bit(word);
    }
    return rc;
}

/* The nearest entry from this number upwards: 1, 0, -1. */
static int
by_above(struct mirror *m, uint32_t number, unsigned bit, unsigned char by_r[UUID_LEN])
{
    struct mirror_org org;
    struct record r;

    for (int depth = 0; depth < DEPTH_MAX && number != 0; depth++) {
        int found = mirror_org(m, number, &org);

        if (found <= 0)
            return found;
        found = mirror_entry(m, org.uuid, &r);
        if (found < 0)
            return -1;
        if (found && own_bits(&r) & bit) {
            memcpy(by_r, org.uuid, UUID_LEN);
            return 1;
        }
        number = org.parent;
    }
    return 0;
}

int
withheld_by(struct mirror *m, const unsigned char uuid[UUID_LEN], const char *function,
            unsigned char by_r[UUID_LEN])
{
    unsigned bit = withheld_bit(span_of(function));
    uint32_t number[2];
    struct record r;
    int found = mirror_entry(m, uuid, &r);

    if (found <= 0 || above(m, &r, number) < 0)
        return found <= 0 ? found : -1;
    if (own_bits(&r) & bit) {
        memcpy(by_r, uuid, UUID_LEN);
        return 1;
    }
    found = by_above(m, number[0], bit, by_r);
    return found == 0 ? by_above(m, number[1], bit, by_r) : found;
}
