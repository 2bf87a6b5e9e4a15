/* SPDX-License-Identifier: BSD-2-Clause */
/* x509: when a certificate ends, from DER put together here; each cut and each wrong shape is none. */
#include <string.h>

#include "tap.h"
#include "x509.h"

struct der {
    unsigned char b[600];
    size_t n;
};

static void
put(struct der *d, unsigned char tag, const void *value, size_t n)
{
    d->b[d->n++] = tag;
    if (n > 127) {
        d->b[d->n++] = 0x82;
        d->b[d->n++] = (unsigned char)(n >> 8);
    }
    d->b[d->n++] = (unsigned char)n;
    memcpy(d->b + d->n, value, n);
    d->n += n;
}

/* version 0: without it, as in certificates of version 1. */
static struct der
certificate(int version, unsigned char tag, const char *to)
{
    struct der tbs = {.n = 0}, validity = {.n = 0}, inner = {.n = 0}, all = {.n = 0};
    char name[200] = "";

    if (version)
        put(&tbs, 0xa0, "\2\1\2", 3);
    put(&tbs, 0x02, "\1", 1);
    put(&tbs, 0x30, "\6\1\1", 3);
    put(&tbs, 0x30, name, sizeof name); /* a long issuer: the length takes three bytes */
    put(&validity, 0x17, "251122000000Z", 13);
    put(&validity, tag, to, strlen(to));
    put(&tbs, 0x30, validity.b, validity.n);
    put(&tbs, 0x30, "\5\0", 2);
    put(&inner, 0x30, tbs.b, tbs.n);
    put(&inner, 0x30, "\5\0", 2);
    put(&all, 0x30, inner.b, inner.n);
    return all;
}

static long long
end_of(struct der d)
{
    return x509_not_after((struct span){(char *)d.b, d.n});
}

static void
test_times(void)
{
    is_int(end_of(certificate(1, 0x17, "261122093000Z")), 1795339800, "two digits of a year");
    is_int(end_of(certificate(0, 0x17, "261122093000Z")), 1795339800, "without a version");
    is_int(end_of(certificate(1, 0x17, "491231235959Z")), 2524607999, "up to 2049");
    is_int(end_of(certificate(1, 0x17, "991231235959Z")), 946684799, "and from 1950");
    is_int(end_of(certificate(1, 0x18, "20500101000000Z")), 2524608000, "four digits");
    is_int(end_of(certificate(1, 0x18, "99991231235959Z")), 253402300799, "no end at all");
    is_int(end_of(certificate(1, 0x16, "261122093000Z")), -1, "another type");
    is_int(end_of(certificate(1, 0x17, "261322093000Z")), -1, "no such month");
    is_int(end_of(certificate(1, 0x17, "")), -1, "no time");
    is_int(end_of(certificate(1, 0x18, "20500101000000.00000000000000000000Z")), -1, "a long one");
}

static void
test_shapes(void)
{
    struct der whole = certificate(1, 0x17, "261122093000Z"), d;
    int cut = 0;

    for (size_t n = 0; n < whole.n; n++) {
        d = whole;
        d.n = n;
        cut += end_of(d) == -1;
    }
    is_int(cut, (long long)whole.n, "cut anywhere it is none");
    for (size_t i = 0; i < whole.n; i++) { /* whatever comes out, nothing is read outside */
        d = whole;
        d.b[i] ^= 0xff;
        end_of(d);
    }
    d = whole;
    d.b[0] = 0x31;
    is_int(end_of(d), -1, "a set is none");
    is_int(x509_not_after((struct span){"\x30\x84\x7f\xff\xff\xff", 6}), -1, "a huge length");
    is_int(x509_not_after((struct span){"\x30\x80", 2}), -1, "an open length");
    is_int(x509_not_after((struct span){NULL, 0}), -1, "nothing");
}

int
main(void)
{
    test_times();
    test_shapes();
    return tap_done();
}
