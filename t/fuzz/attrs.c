/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "PRESET RDN" in the first line and "attribute: value" in the others: every entry gives a good
 * record and a complaint fit to be shown; a site's record gives a table whose answers are whole.
 */
#include <string.h>

#include "attrs.h"
#include "attrs_text.h"
#include "digest.h"
#include "fuzz.h"
#include "site.h"

enum { LINES_MAX = 64, RECORD_ROOM = 65536 };

static long
fuzz_dn(struct span dn, char *out, size_t cap)
{
    if (dn.n > cap || (dn.n > 0 && memchr(dn.p, '=', dn.n) == NULL))
        return -1;
    text_lower(dn, out);
    return (long)dn.n;
}

static struct span
take_line(struct span *rest)
{
    const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
    struct span line = {rest->p, end ? (size_t)(end - rest->p) : rest->n};

    rest->p += line.n + (end != NULL);
    rest->n -= line.n + (end != NULL);
    return line;
}

/* What stands before and after the first sep of s. */
static struct span
split(struct span *s, char sep)
{
    const char *at = s->n > 0 ? memchr(s->p, sep, s->n) : NULL;
    struct span before = {s->p, at ? (size_t)(at - s->p) : s->n};

    s->p += before.n + (at != NULL);
    s->n -= before.n + (at != NULL);
    return before;
}

/* Lines of one attribute that follow one another are its values. */
static size_t
attrs_of(struct span rest, struct entry_attr *attrs, struct span *values)
{
    size_t n = 0;

    for (size_t lines = 0; rest.n > 0 && lines < LINES_MAX; lines++) {
        struct span line = take_line(&rest), name = split(&line, ':');

        values[lines] = line;
        if (n > 0 && span_same(attrs[n - 1].name, name))
            attrs[n - 1].n++;
        else
            attrs[n++] = (struct entry_attr){name, &values[lines], 1};
    }
    return n;
}

static void
check_site(const struct record *r)
{
    static struct site_table t;
    struct site *s;

    site_table_init(&t);
    s = site_table_add(&t, span_of("a"), r);
    must(s != NULL);
    site_add_server(&t, s, span_of("b"), r);
    site_table_seal(&t);
    must(s->answer_len < SITE_ANSWER_MAX && strlen(s->answer) == s->answer_len);
    must(s->nhops == 0 || s->answer_len > 0);
    for (unsigned i = 0; i < s->nhops; i++)
        must(site_by_hop(&t, span_of(s->hops[i].hop)) == s);
    must(site_find(&t, span_of("A.")) == s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static unsigned char record[RECORD_ROOM];
    static const unsigned char uuid[UUID_LEN] = {1};
    struct span values[LINES_MAX], rest = {(const char *)data, n}, rdn = take_line(&rest), preset;
    struct entry_attr attrs[LINES_MAX];
    struct entry_view e = {attrs, attrs_of(rest, attrs, values)};
    struct conf_class map[CLASS_N] = {{0}};
    struct digest d = {0};
    char name[16] = "", complaint[100];
    struct record r;

    preset = split(&rdn, ' ');
    memcpy(name, preset.p, preset.n < sizeof name ? preset.n : 0);
    if (attrs_preset(name, map) < 0 || n > RECORD_ROOM / 2)
        return 0;
    must(attrs_pack(map, &e, rdn, 1048576, fuzz_dn, record, sizeof record, &r, complaint,
                    sizeof complaint) == 0);
    must(record_check(r.p, r.n) == 0 && text_clean(span_of(complaint)));
    digest_update(&d, uuid, &r, +1);
    must(d.count == 1);
    digest_update(&d, uuid, &r, -1);
    must((d.lane[0] | d.lane[1] | d.lane[2] | d.lane[3] | d.count) == 0);
    if (record_kind(&r) == KIND_SITE || record_kind(&r) == KIND_SERVER)
        check_site(&r);
    return 0;
}
