/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attrs_take: the values of a directory entry, each checked and brought into the
 * form in which the record holds it.
 *
 * Promises: a value is added whole or complained of; complaints are fit for a log
 * line. An item that a record may hold once is left to the caller to take once.
 */
#include "attrs_take.h"

#include <stdio.h>

#include "addr.h"
#include "attrs_text.h"
#include "limits.h"
#include "site.h"

#define NAME_TEXT_MAX 1024 /* bytes of a name for people */
#define DN_MAX        2048
#define SHOWN_MAX     80 /* bytes of a bad value in a complaint */

/* --- complaints --- */

void
pack_complain(struct pack *p, struct span v, const char *why)
{
    char shown[SHOWN_MAX];

    if (p->complaints++ > 0)
        return;
    text_show(v, shown, sizeof shown);
    if (v.n > 0)
        snprintf(p->complaint, sizeof p->complaint, "%.80s '%s' %s", p->attr, shown, why);
    else
        snprintf(p->complaint, sizeof p->complaint, "%.80s %s", p->attr, why);
}

void
pack_complaint(const struct pack *p, char *out, size_t cap)
{
    char whole[sizeof p->complaint + 32] = "";

    if (p->complaints > 1)
        snprintf(whole, sizeof whole, "%s (and %u more)", p->complaint, p->complaints - 1);
    else if (p->complaints == 1)
        snprintf(whole, sizeof whole, "%s", p->complaint);
    if (cap > 0)
        text_show(span_of(whole), out, cap);
}

/* --- taking values --- */

void
pack_add(struct pack *p, enum record_tag tag, struct span v)
{
    record_add(&p->b, tag, v);
    p->have |= UINT32_C(1) << tag;
}

int
pack_has(const struct pack *p, enum record_tag tag)
{
    return (p->have >> tag & 1) != 0;
}

/* Whether an item of this tag with these bytes was added already. */
static int
has_value(const struct pack *p, enum record_tag tag, struct span v)
{
    struct record so_far = {p->b.buf, p->b.n};
    enum record_tag t;
    struct span have;
    size_t pos = 0;

    if (!pack_has(p, tag) || p->b.full)
        return 0;
    while (record_next(&so_far, &pos, &t, &have))
        if (t == tag && span_same(have, v))
            return 1;
    return 0;
}

int
pack_usable(struct pack *p, struct span v, size_t max)
{
    if (v.n > 0 && v.n <= max && text_clean(v))
        return 1;
    pack_complain(p, v,
                  v.n == 0    ? "is empty"
                  : v.n > max ? "is too long"
                              : "holds control bytes or no UTF-8");
    return 0;
}

static int
parse_address(struct pack *p, struct span v, struct addr *a)
{
    if (!pack_usable(p, v, ADDR_MAX))
        return 0;
    if (addr_parse(a, v.p, v.n, "") == 1)
        return 1;
    pack_complain(p, v, "is no address");
    return 0;
}

static void
add_alias(struct pack *p, struct span v)
{
    if (!has_value(p, TAG_MAIL, v) && !has_value(p, TAG_ALIAS, v))
        pack_add(p, TAG_ALIAS, v);
}

void
take_mail(struct pack *p, struct span v)
{
    struct addr a;

    if (!parse_address(p, v, &a))
        return;
    if (pack_has(p, p->tag))
        add_alias(p, (struct span){a.text, a.len});
    else
        pack_add(p, p->tag, (struct span){a.text, a.len});
}

void
take_alias(struct pack *p, struct span v)
{
    struct addr a;

    if (parse_address(p, v, &a))
        add_alias(p, (struct span){a.text, a.len});
}

void
take_canonical(struct pack *p, struct span v)
{
    struct addr a;

    if (parse_address(p, v, &a))
        pack_add(p, p->tag, (struct span){a.text, a.len});
}

/* An address that is kept as it is written. */
void
take_written(struct pack *p, struct span v)
{
    struct addr a;

    if (parse_address(p, v, &a))
        pack_add(p, p->tag, v);
}

/* A site or host. What can't be read is kept, legibly, as one that nobody knows. */
void
take_place(struct pack *p, struct span v)
{
    char shown[256];

    if (!pack_usable(p, v, sizeof shown - 1))
        v = text_show(v, shown, sizeof shown) > 0 ? span_of(shown) : span_of("?");
    pack_add(p, p->tag, text_lower(v, shown));
}

void
take_word(struct pack *p, struct span v)
{
    const char *w = p->words;
    char low[32];

    for (size_t n; *w != '\0'; w += n + (w[n] == ' ')) {
        n = strcspn(w, " ");
        if (n < sizeof low && text_same(v, (struct span){w, n})) {
            pack_add(p, p->tag, text_lower(v, low));
            return;
        }
    }
    pack_complain(p, v, "is unknown");
}

void
take_text(struct pack *p, struct span v)
{
    if (pack_usable(p, v, NAME_TEXT_MAX))
        pack_add(p, p->tag, v);
}

void
take_host(struct pack *p, struct span v)
{
    char low[256];

    if (pack_usable(p, v, sizeof low - 1))
        pack_add(p, p->tag, text_lower(v, low));
}

/* An empty DN is what groups hold that must have a member and have none. */
void
take_dn(struct pack *p, struct span v)
{
    char out[DN_MAX];
    long n = p->dn(v, out, sizeof out);

    if (n < 0)
        pack_complain(p, v, "is no DN");
    else if (n > 0)
        pack_add(p, p->tag, (struct span){out, (size_t)n});
}

static int
is_number(struct span v)
{
    size_t i = 0;

    while (i < v.n && v.p[i] >= '0' && v.p[i] <= '9')
        i++;
    return i > 0 && i == v.n;
}

void
take_quota(struct pack *p, struct span v)
{
    uint64_t unit =
        text_same(span_of(p->attr), span_of("postroadQuota")) ? 1 : (uint64_t)p->quota_unit;
    uint64_t n = 0;
    char text[32];

    if (!is_number(v)) {
        pack_complain(p, v, "is no number");
        return;
    }
    for (size_t i = 0; i < v.n; i++) {
        n = n * 10 + (unsigned)(v.p[i] - '0');
        if (n > INT64_MAX / unit / 10) {
            pack_complain(p, v, "is too large");
            return;
        }
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)(n * unit));
    pack_add(p, p->tag, span_of(text));
}

void
take_limit(struct pack *p, struct span v)
{
    enum limit_kind kind;
    uint64_t n;
    int total;

    if (limit_parse(v, &kind, &n, &total))
        pack_add(p, p->tag, v);
    else
        pack_complain(p, v, "is no limit like 'messages/hour 100'");
}

void
take_hop(struct pack *p, struct span v)
{
    struct site_hop hop;

    if (site_hop_parse(v, &hop) == 1)
        pack_add(p, p->tag, v);
    else
        pack_complain(p, v, "is no next hop like '10 relay:[192.0.2.1]:25'");
}

void
take_print(struct pack *p, struct span v)
{
    char out[SITE_PRINT_MAX + 1];
    long n = site_print_canon(v, out);

    if (n > 0)
        pack_add(p, p->tag, (struct span){out, (size_t)n});
    else
        pack_complain(p, v, "is no fingerprint");
}

void
take_domain(struct pack *p, struct span v)
{
    char canon[ADDR_DOMAIN_MAX + 1];
    long n = v.n > 0 ? addr_domain_canon(v.p, v.n, canon) : -1;

    if (n < 0)
        pack_complain(p, v, "is no domain name");
    else if (!has_value(p, p->tag, (struct span){canon, (size_t)n}))
        pack_add(p, p->tag, (struct span){canon, (size_t)n});
}
