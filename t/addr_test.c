/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of t/tables/addr.tbl, and what a table can't show: limits, delimiters,
 * rewriting, and that a canonical address is its own canonical form.
 */
#include <stdlib.h>

#include "addr.h"
#include "tap.h"

/* Undo \xNN in place; returns the length. */
static size_t
unescape(char *s)
{
    char *out = s, *in = s;

    while (*in) {
        unsigned byte;

        if (in[0] == '\\' && in[1] == 'x' && sscanf(in + 2, "%2x", &byte) == 1) {
            *out++ = (char)byte;
            in += 4;
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
    return (size_t)(out - s);
}

static const char *
canonical(const char *s, size_t n, const char *delims, struct addr *a)
{
    int r = addr_parse(a, s, n, delims);

    return r == 1 ? a->text : r == 0 ? "none" : "malformed";
}

static void
check_row(int line, char *written, const char *want, const char *base)
{
    struct addr a, again;
    char what[64], out[ADDR_MAX + 1];
    size_t n = strcmp(written, "(nothing)") == 0 ? 0 : unescape(written);

    snprintf(what, sizeof what, "addr.tbl line %d", line);
    is_str(canonical(written, n, "+", &a), want, what);
    if (strcmp(want, "none") == 0 || strcmp(want, "malformed") == 0)
        return;
    ok(a.len == strlen(a.text) && a.text[a.at] == '@', "%s: offsets", what);
    ok(addr_rewrite(&a, 0, NULL, out) == (int)strlen(out), "%s: rewrite", what);
    is_str(out, base ? base : want, "  without extension");
    ok(addr_parse(&again, a.text, a.len, "+") == 1 && !strcmp(again.text, a.text) &&
           again.at == a.at && again.base == a.base && again.len == a.len,
       "%s: is its own canonical form", what);
}

static void
table(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[1024], *save;

    if (!ok(f != NULL, "open %s", path))
        return;
    for (int n = 1; fgets(line, sizeof line, f); n++) {
        char *written, *want, *base;

        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "# ", 2) == 0 || line[0] == '\0')
            continue;
        written = strtok_r(line, "\t", &save);
        want = strtok_r(NULL, "\t", &save);
        base = strtok_r(NULL, "\t", &save);
        check_row(n, written, want, base);
    }
    fclose(f);
}

/* An address of local a's and a domain of labels of 63, domain bytes long in all. */
static int
parse_long(struct addr *a, size_t local, size_t domain, const char *tail)
{
    char s[1024];
    size_t n = 0;

    while (n < local)
        s[n++] = 'a';
    s[n++] = '@';
    for (size_t i = 0; i < domain; i++)
        s[n++] = i % 64 == 63 ? '.' : 'd';
    memcpy(s + n, tail, strlen(tail));
    return addr_parse(a, s, n + strlen(tail), "+");
}

static void
limits(void)
{
    struct addr a;
    char big[10000], quoted[ADDR_MAX + 8];
    size_t n = 0;

    is_int(parse_long(&a, 66, 253, ""), 1, "320 bytes");
    is_int(a.len, 320, "  all of them");
    is_int(parse_long(&a, 67, 253, ""), -1, "321 bytes");
    is_int(parse_long(&a, 65, 253, "."), 1, "domain of 253 bytes and the root dot");
    is_int(a.len, 319, "  which is not kept");
    is_int(parse_long(&a, 1, 254, ""), -1, "domain of 254 bytes");
    is_int(addr_parse(&a, "a@ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.x", 67,
                      "+"),
           1, "label of 63");
    is_int(addr_parse(&a, "a@dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.x",
                      68, "+"),
           -1, "label of 64");
    memset(big, 'a', sizeof big);
    is_int(addr_parse(&a, big, sizeof big, "+"), 0, "10 kB without @");
    is_int(addr_parse(&a, big, ADDR_MAX, "+"), 0, "320 bytes without @");
    big[5000] = '@';
    is_int(addr_parse(&a, big, sizeof big, "+"), -1, "10 kB with @");
    memset(quoted, 'a', sizeof quoted);
    quoted[0] = '"';
    memcpy(quoted + ADDR_MAX - 3, "\"@x", 3);
    is_int(addr_parse(&a, quoted, ADDR_MAX, "+"), 1, "320 bytes with quotes that go");
    quoted[ADDR_MAX] = 'x';
    is_int(addr_parse(&a, quoted, ADDR_MAX + 1, "+"), -1, "321 bytes that would be less");
    /* bare specials grow by the quotes and escapes */
    while (n < 200)
        quoted[n++] = '\\';
    memcpy(quoted + n, "@x", 2);
    is_int(addr_parse(&a, quoted, n + 2, "+"), -1, "too long once it is quoted");
    n = 150;
    memcpy(quoted + n, "@x", 2);
    is_int(addr_parse(&a, quoted, n + 2, "+"), 1, "quoted and just fits");
    is_int(a.len, 2 + 300 + 2, "  with its escapes");
}

static void
folding_grows(void)
{
    struct addr a;
    char s[ADDR_MAX];
    size_t n = 0;

    while (n + 2 <= 300) { /* U+0390: six bytes when decomposed and folded */
        s[n++] = (char)0xce;
        s[n++] = (char)0x90;
    }
    memcpy(s + n, "@x", 2);
    is_int(addr_parse(&a, s, n + 2, ""), 1, "decomposed, folded and composed again");
    is_int(a.len, 302, "  as long as before");
    n = 0;
    while (n + 3 <= 300) { /* U+FB2C: stays decomposed, six bytes */
        memcpy(s + n, "\xef\xac\xac", 3);
        n += 3;
    }
    memcpy(s + n, "@x", 2);
    is_int(addr_parse(&a, s, n + 2, ""), -1, "too long once it is composed");
}

static void
delimiters(void)
{
    static const struct {
        const char *delims, *written, *base;
    } rows[] = {
        {"", "a+b@x", "a+b@x"},    {"-", "a-b+c@x", "a@x"},  {"+-", "a-b+c@x", "a@x"},
        {"-+", "a+b-c@x", "a@x"},  {"+-", "+a-b@x", "+a@x"}, {"=", "a+b=c@x", "a+b@x"},
        {"+", "a@b+c.x", NULL},    {"+", "a@b.x", "a@b.x"},  {"+", "\"a+ b\"@x", "\"a+ b\"@x"},
        {"+", "\"a+b\"@x", "a@x"},
    };
    struct addr a;
    char out[ADDR_MAX + 1];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int r = addr_parse(&a, rows[i].written, strlen(rows[i].written), rows[i].delims);

        if (rows[i].base && addr_rewrite(&a, 0, NULL, out) > 0)
            is_str(out, rows[i].base, rows[i].written);
        else
            is_int(r, -1, rows[i].written);
    }
}

static void
rewriting(void)
{
    struct addr a;
    char out[ADDR_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];

    addr_parse(&a, "Alice+X@Alias.Example", 21, "+");
    is_str(addr_domain(&a), "alias.example", "domain");
    is_int(addr_rewrite(&a, 1, "a.example", out), 17, "rewrite, extension kept");
    is_str(out, "alice+x@a.example", "  text");
    is_int(addr_rewrite(&a, 0, "a.example", out), 15, "rewrite, extension dropped");
    is_str(out, "alice@a.example", "  text");
    is_int(parse_long(&a, 67, 63, ""), 1, "a long local part");
    memset(domain, 'd', sizeof domain - 1);
    domain[sizeof domain - 1] = '\0';
    is_int(addr_rewrite(&a, 1, domain, out), -1, "rewritten to 321 bytes");
    domain[sizeof domain - 2] = '\0';
    is_int(addr_rewrite(&a, 1, domain, out), 320, "rewritten to 320 bytes");
}

static void
domains(void)
{
    static const struct {
        const char *written, *want;
    } rows[] = {
        {"A.Example", "a.example"},
        {"a.example.", "a.example"},
        {"河北.example", "xn--djrv90d.example"},
        {"a", "a"},
        {"", NULL},
        {".", NULL},
        {"a..b", NULL},
        {".a", NULL},
        {"a..", NULL},
        {"a b", NULL},
        {"a@b", NULL},
        {"[192.0.2.1]", NULL},
        {"*", NULL},
        {"\xff", NULL},
        {"。", NULL},
    };
    char out[ADDR_DOMAIN_MAX + 1];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int n = addr_domain_canon(rows[i].written, strlen(rows[i].written), out);

        is_int(n, rows[i].want ? (int)strlen(rows[i].want) : -1, rows[i].written);
        if (n > 0)
            is_str(out, rows[i].want, "  canonical");
    }
    is_int(addr_domain_canon("a\0b", 3, out), -1, "NUL in a domain");
    is_int(addr_domain_canon("\xe6\xb2\xb3\0b", 5, out), -1, "NUL in a U-label");
}

int
main(void)
{
    table("t/tables/addr.tbl");
    limits();
    folding_grows();
    delimiters();
    rewriting();
    domains();
    return tap_done();
}
