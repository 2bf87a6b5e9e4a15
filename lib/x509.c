/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x509: walks down to the one value that is wanted, over the shapes of DER:
 * Certificate { tbs { [0] version, serial, algorithm, issuer, validity { from, to … } } }.
 * What does not look like that, or ends too early, is no certificate.
 */
#include "x509.h"

#include "attrs_text.h"

enum { INTEGER = 0x02, UTC_TIME = 0x17, GENERAL_TIME = 0x18, SEQUENCE = 0x30, VERSION = 0xa0 };

/* The element in begins with: its tag, its value; in goes on behind it. Tag, or -1. */
static int
element(struct span *in, struct span *value)
{
    const unsigned char *p = (const unsigned char *)in->p;
    size_t head = 2, len;

    if (in->n < 2)
        return -1;
    len = p[1];
    if (len & 0x80) {
        size_t bytes = len & 0x7f;

        if (bytes == 0 || bytes > 3 || in->n < 2 + bytes)
            return -1;
        len = 0;
        for (size_t i = 0; i < bytes; i++)
            len = len << 8 | p[2 + i];
        head += bytes;
    }
    if (len > in->n - head)
        return -1;
    *value = (struct span){in->p + head, len};
    in->p += head + len;
    in->n -= head + len;
    return p[0];
}

/* Over one element of this tag. 1, or 0. */
static int
pass(struct span *in, int tag)
{
    struct span value;

    return element(in, &value) == tag;
}

/* Two digits of a year are those of 1950 to 2049. */
static int64_t
time_of(int tag, struct span s)
{
    char text[32] = "20";

    if ((tag != UTC_TIME && tag != GENERAL_TIME) || s.n < 11 || s.n > sizeof text - 4)
        return -1;
    if (tag == UTC_TIME && s.p[0] >= '5')
        memcpy(text, "19", 2);
    memcpy(text + (tag == UTC_TIME ? 2 : 0), s.p, s.n);
    return text_time((struct span){text, s.n + (tag == UTC_TIME ? 2 : 0)});
}

int64_t
x509_not_after(struct span der)
{
    struct span certificate, tbs, validity, time, rest;
    int tag;

    if (element(&der, &certificate) != SEQUENCE || element(&certificate, &tbs) != SEQUENCE)
        return -1;
    rest = tbs;
    if (element(&rest, &time) == VERSION)
        tbs = rest;
    if (!pass(&tbs, INTEGER) || !pass(&tbs, SEQUENCE) || !pass(&tbs, SEQUENCE) ||
        element(&tbs, &validity) != SEQUENCE || element(&validity, &time) < 0)
        return -1;
    tag = element(&validity, &time);
    return time_of(tag, time);
}
