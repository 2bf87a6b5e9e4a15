/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site: the table of sites, with the answer for each rendered beforehand.
 *
 * Promises: the same records give the same answers at every site, in whatever
 * order they were added; what does not fit or can't be read is counted in
 * table.bad and left out, never cut in half. A server name that two sites use
 * finds neither: to wait is better than to go to the wrong site.
 * Must not: allocate, or check whether a next hop can be reached.
 */
#include "site.h"

static unsigned char
lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* 1 when s equals the NUL-terminated word, without case. */
static int
same_word(struct span s, const char *word)
{
    size_t i;

    for (i = 0; i < s.n && word[i] != '\0'; i++)
        if (lower(s.p[i]) != lower(word[i]))
            return 0;
    return i == s.n && word[i] == '\0';
}

static int
is_name_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/*
 * Copy a name of name bytes and those in also, in lower case, without a trailing dot.
 * 0, or -1 when it is none or too long.
 */
static int
name_copy(char *out, size_t cap, struct span s, const char *also)
{
    if (s.n > 0 && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || s.n >= cap)
        return -1;
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_byte(lower(s.p[i])) && (s.p[i] == '\0' || strchr(also, s.p[i]) == NULL))
            return -1;
    for (size_t i = 0; i < s.n; i++)
        out[i] = (char)lower(s.p[i]);
    out[s.n] = '\0';
    return 0;
}

int
site_name_canon(struct span s, char out[SITE_NAME_MAX + 1])
{
    return name_copy(out, SITE_NAME_MAX + 1, s, "");
}

int
site_host_canon(struct span s, char out[256])
{
    return name_copy(out, 256, s, ":[]");
}

/* Colons are where anybody likes them. */
long
site_print_canon(struct span s, char out[SITE_PRINT_MAX + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = lower(s.p[i]);

        if (c == ':' && n % 3 == 2)
            continue;
        if (n >= SITE_PRINT_MAX || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return -1;
        if (n % 3 == 2)
            out[n++] = ':';
        out[n++] = (char)(c >= 'a' ? c - 32 : c);
    }
    out[n] = '\0';
    return n == 47 || n == 59 || n == 95 ? (long)n : -1;
}

static struct span
trim(struct span s)
{
    while (s.n > 0 && s.p[0] == ' ')
        s.p++, s.n--;
    while (s.n > 0 && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

/* Visible ASCII that stands in a list of next hops by itself; a bracket is closed, then at most a port. */
static int
is_hop(struct span s)
{
    size_t close = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || c == ',' || c == '"' || (c == '[' && i > 0) ||
            (c == ']' && (s.p[0] != '[' || close > 0 || i < 2)))
            return 0;
        if (c == ']')
            close = i;
    }
    if (s.n == 0 || s.p[0] != '[')
        return s.n > 0;
    return close > 0 && (close + 1 == s.n || (s.p[close + 1] == ':' && close + 2 < s.n));
}

static int
priority_parse(struct span *s, uint32_t *out)
{
    uint64_t v = 0;
    size_t i;

    for (i = 0; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++)
        if ((v = v * 10 + (uint64_t)(s->p[i] - '0')) > UINT32_MAX)
            return -1;
    if (i == 0 || i == s->n || s->p[i] != ' ')
        return -1;
    *out = (uint32_t)v;
    s->p += i;
    s->n -= i;
    return 0;
}

int
site_hop_parse(struct span s, struct site_hop *hop)
{
    const char *colon;
    size_t len;

    *hop = (struct site_hop){.state = HOP_UP};
    s = trim(s);
    if (priority_parse(&s, &hop->priority) < 0)
        return -1;
    s = trim(s);
    colon = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
    if (colon == NULL || (len = (size_t)(colon - s.p)) == 0 || len >= sizeof hop->transport)
        return -1;
    for (size_t i = 0; i < len; i++)
        if (!is_name_byte(lower(s.p[i])))
            return -1;
    memcpy(hop->transport, s.p, len);
    s.p += len + 1;
    s.n -= len + 1;
    if (!is_hop(s) || s.n > SITE_HOP_MAX)
        return -1;
    memcpy(hop->hop, s.p, s.n);
    return 1;
}

static int
hop_compare(const struct site_hop *a, const struct site_hop *b)
{
    int c;

    if (a->state != b->state)
        return a->state < b->state ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    c = strcmp(a->transport, b->transport);
    return c != 0 ? c : strcmp(a->hop, b->hop);
}

static void
hops_sort(struct site *s)
{
    for (unsigned i = 1; i < s->nhops; i++) {
        struct site_hop x = s->hops[i];
        unsigned j = i;

        for (; j > 0 && hop_compare(&x, &s->hops[j - 1]) < 0; j--)
            s->hops[j] = s->hops[j - 1];
        s->hops[j] = x;
    }
}

/* A hop that site and server both name counts once, with the worse state; a full table drops the last in order. */
static void
hop_add(struct site_table *t, struct site *s, const struct site_hop *hop)
{
    unsigned i;

    for (i = 0; i < s->nhops; i++) {
        struct site_hop *have = &s->hops[i];

        if (strcmp(have->transport, hop->transport) == 0 &&
            same_word(span_of(hop->hop), have->hop)) {
            have->priority = hop->priority < have->priority ? hop->priority : have->priority;
            have->state = hop->state > have->state ? hop->state : have->state;
            if (strcmp(hop->hop, have->hop) < 0)
                memcpy(have->hop, hop->hop, sizeof have->hop);
            return;
        }
    }
    if (i == SITE_HOPS_MAX) {
        t->bad++;
        hops_sort(s);
        if (hop_compare(hop, &s->hops[--i]) > 0)
            return;
    } else {
        s->nhops++;
    }
    s->hops[i] = *hop;
}

static void
hops_add(struct site_table *t, struct site *s, struct span text, enum hop_state state)
{
    struct site_hop hop;

    if (site_hop_parse(text, &hop) < 0) {
        t->bad++;
        return;
    }
    hop.state = (uint8_t)state;
    hop_add(t, s, &hop);
}

static int
is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* "AA:BB:…", kept in upper case as Postfix writes it. */
static void
print_add(struct site_table *t, struct site *s, struct span v)
{
    char *out = s->prints[s->nprints < SITE_PRINTS_MAX ? s->nprints : 0];

    if (s->nprints == SITE_PRINTS_MAX || v.n >= sizeof s->prints[0] || v.n % 3 != 2) {
        t->bad++;
        return;
    }
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = lower(v.p[i]);

        if (i % 3 == 2 ? c != ':' : !is_hex(c)) {
            t->bad++;
            return;
        }
        out[i] = (char)(c >= 'a' ? c - 32 : c);
    }
    out[v.n] = '\0';
    s->nprints++;
}

/* A host name or an address, IPv6 with or without brackets. 0, or -1 when it is none or one too many. */
static int
host_add(struct site *s, struct span v)
{
    char name[sizeof s->hosts[0]];

    if (site_host_canon(v, name) < 0)
        return -1;
    for (unsigned i = 0; i < s->nhosts; i++)
        if (strcmp(s->hosts[i], name) == 0)
            return 0;
    if (s->nhosts == SITE_HOSTS_MAX)
        return -1;
    memcpy(s->hosts[s->nhosts++], name, strlen(name) + 1);
    return 0;
}

void
site_table_init(struct site_table *t)
{
    t->n = 0;
    t->bad = 0;
}

static const struct site *
site_named(const struct site_table *t, struct span name)
{
    for (unsigned i = 0; i < t->n; i++)
        if (same_word(name, t->sites[i].name))
            return &t->sites[i];
    return NULL;
}

static void
site_fill(struct site_table *t, struct site *s, const struct record *r)
{
    size_t pos = 0;
    enum record_tag tag;
    struct span v;

    while (record_next(r, &pos, &tag, &v)) {
        if (tag == TAG_STANDBY && s->standby[0] == '\0')
            t->bad += site_name_canon(v, s->standby) < 0;
        else if (tag == TAG_DESIRED && same_word(v, "failed-over"))
            s->failed_over = 1;
        else if (tag == TAG_DESIRED)
            t->bad += !same_word(v, "up");
        else if (tag == TAG_NEXTHOP)
            hops_add(t, s, v, HOP_UP);
        else if (tag == TAG_FINGERPRINT)
            print_add(t, s, v);
    }
}

struct site *
site_table_add(struct site_table *t, struct span name, const struct record *r)
{
    struct site *s = &t->sites[t->n < SITE_MAX ? t->n : 0];
    char canon[SITE_NAME_MAX + 1];

    if (t->n == SITE_MAX || site_name_canon(name, canon) < 0 ||
        site_named(t, span_of(canon)) != NULL) {
        t->bad++;
        return NULL;
    }
    memset(s, 0, sizeof *s);
    memcpy(s->name, canon, sizeof canon);
    t->n++;
    site_fill(t, s, r);
    return s;
}

static enum hop_state
server_state(struct site_table *t, const struct record *r)
{
    struct span v;

    if (!record_find(r, TAG_DESIRED, &v) || same_word(v, "up"))
        return HOP_UP;
    if (same_word(v, "drain"))
        return HOP_DRAIN;
    if (same_word(v, "down"))
        return HOP_DOWN;
    t->bad++;
    return HOP_UP;
}

void
site_add_server(struct site_table *t, struct site *s, struct span name, const struct record *r)
{
    enum hop_state state = server_state(t, r);
    size_t pos = 0;
    enum record_tag tag;
    struct span v;

    (void)host_add(s, name); /* a cn that is for people only is no mistake */
    while (record_next(r, &pos, &tag, &v)) {
        if (tag == TAG_HOST)
            t->bad += host_add(s, v) < 0;
        else if (tag == TAG_NEXTHOP)
            hops_add(t, s, v, state);
        else if (tag == TAG_FINGERPRINT)
            print_add(t, s, v);
    }
}

/* Append before and text as a whole, or nothing: 0, or -1 when it does not fit. */
static int
answer_append(struct site *s, const char *before, const char *text)
{
    size_t a = strlen(before), b = strlen(text);

    if (s->answer_len + a + b >= sizeof s->answer)
        return -1;
    memcpy(s->answer + s->answer_len, before, a);
    memcpy(s->answer + s->answer_len + a, text, b + 1);
    s->answer_len = (uint16_t)(s->answer_len + a + b);
    return 0;
}

static void
site_render(struct site_table *t, struct site *s)
{
    const char *transport = s->hops[0].transport;
    int all_down = s->hops[0].state == HOP_DOWN;

    s->answer_len = 0;
    s->answer[0] = '\0';
    if (s->nhops == 0)
        return;
    answer_append(s, transport, ":");
    for (unsigned i = 0; i < s->nhops; i++) {
        const struct site_hop *h = &s->hops[i];

        if (strcmp(h->transport, transport) != 0 || (h->state == HOP_DOWN && !all_down))
            continue;
        t->bad += answer_append(s, i == 0 ? "" : ", ", h->hop) < 0;
    }
}

void
site_table_seal(struct site_table *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        hops_sort(&t->sites[i]);
        site_render(t, &t->sites[i]);
    }
}

const struct site *
site_find(const struct site_table *t, struct span name)
{
    const struct site *found;

    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    if (t == NULL || name.n == 0)
        return NULL;
    found = site_named(t, name);
    if (found != NULL)
        return found;
    for (unsigned i = 0; i < t->n; i++) {
        const struct site *s = &t->sites[i];

        for (unsigned h = 0; h < s->nhosts; h++) {
            if (!same_word(name, s->hosts[h]))
                continue;
            if (found != NULL)
                return NULL;
            found = s;
        }
    }
    return found;
}

const struct site *
site_by_print(const struct site_table *t, struct span print)
{
    for (unsigned i = 0; i < t->n; i++)
        for (unsigned k = 0; k < t->sites[i].nprints; k++)
            if (same_word(print, t->sites[i].prints[k]))
                return &t->sites[i];
    return NULL;
}

/* "[192.0.2.1]:25", or "relay:[192.0.2.1]:25". */
static int
hop_is(const struct site_hop *h, struct span text)
{
    size_t len = strlen(h->transport);

    if (same_word(text, h->hop))
        return 1;
    if (text.n <= len || text.p[len] != ':' || memcmp(text.p, h->transport, len) != 0)
        return 0;
    return same_word((struct span){text.p + len + 1, text.n - len - 1}, h->hop);
}

const struct site *
site_by_hop(const struct site_table *t, struct span hop)
{
    for (unsigned i = 0; i < t->n; i++)
        for (unsigned k = 0; k < t->sites[i].nhops; k++)
            if (hop_is(&t->sites[i].hops[k], hop))
                return &t->sites[i];
    return NULL;
}
