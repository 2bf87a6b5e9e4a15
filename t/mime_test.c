/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_text, mime_names, mime_type, mime_scan: the rows of t/tables/mime-names.tbl and mime-sealed.tbl; subjects; and messages in which an
 * attachment is or is not, each cut in two at every place.
 */
#include <stdlib.h>

#include "charset.h"
#include "hold_rule.h"
#include "mime_scan.h"
#include "t/tap.h"

static struct hold_rule rule;
static struct mime_scan scan;

struct found {
    int exe, doubt, names;
    char why[128], last[512], best[512]; /* best: all names that are to be shown */
};

static void
on_name(void *ctx, struct span name, int best)
{
    struct found *f = ctx;

    f->names += best;
    f->exe |= hold_rule_attachment(&rule, name);
    snprintf(f->last, sizeof f->last, "%.*s", (int)name.n, name.p);
    if (best)
        snprintf(f->best + strlen(f->best), sizeof f->best - strlen(f->best), "%s%.*s",
                 *f->best ? "," : "", (int)name.n, name.p);
}

static void
on_doubt(void *ctx, const char *why)
{
    struct found *f = ctx;

    f->doubt = 1;
    snprintf(f->why, sizeof f->why, "%s", why);
}

/* The whole of a message as text, header and all, of which the first n bytes of the body come first. */
static struct found
look(struct span text, size_t n)
{
    struct found f = {0};
    struct mime_sink sink = {&f, charset_utf8, on_name, on_doubt};
    const char *end = memmem(text.p, text.n, "\n\n", 2);
    const char *p = text.p, *body = end ? end + 2 : text.p + text.n, *next;

    mime_scan_begin(&scan, &sink);
    for (; p < body - 1; p = next) {
        const char *colon = memchr(p, ':', (size_t)(body - p));

        for (next = p;
             (next = memchr(next, '\n', (size_t)(body - next))) && strchr(" \t", next[1]);)
            next++;
        next = next ? next + 1 : body;
        if (colon && colon < next)
            mime_scan_header(&scan, (struct span){p, (size_t)(colon - p)},
                             (struct span){colon + 1, (size_t)(next - 1 - colon - 1)});
    }
    mime_scan_headers_end(&scan);
    n = n < (size_t)(text.p + text.n - body) ? n : (size_t)(text.p + text.n - body);
    mime_scan_body(&scan, (struct span){body, n});
    mime_scan_body(&scan, (struct span){body + n, (size_t)(text.p + text.n - body) - n});
    mime_scan_end(&scan);
    return f;
}

static const char *
answer(const struct found *f)
{
    return f->exe ? "exe" : f->doubt ? "doubt" : "none";
}

/* --- headers --- */

static size_t
unescape(char *out, const char *in)
{
    size_t n = 0;

    for (; *in; in++) {
        if (*in != '\\') {
            out[n++] = *in;
        } else if (*++in == 'x') {
            out[n++] = (char)strtol((char[]){in[1], in[2], 0}, NULL, 16);
            in += 2;
        } else {
            out[n++] = *in == 'r'   ? '\r'
                       : *in == 'n' ? '\n'
                       : *in == 't' ? '\t'
                       : *in == '0' ? '\0'
                                    : *in;
        }
    }
    return n;
}

/* One header: what is found when it is of the message, and of a part of one. */
static void
look_at_header(const char *header, size_t n, struct found *alone, struct found *part)
{
    size_t name = (size_t)((const char *)memchr(header, ':', n) - header), head;
    char text[2048];

    *alone = (struct found){0};
    mime_scan_begin(&scan, &(struct mime_sink){alone, charset_utf8, on_name, on_doubt});
    mime_scan_header(&scan, (struct span){header, name},
                     (struct span){header + name + 1, n - name - 1});
    head = (size_t)snprintf(text, sizeof text, "Content-Type: multipart/mixed\n\n--x\n");
    memcpy(text + head, header, n);
    memcpy(text + head + n, "\n\n.exe\n", 7);
    *part = look((struct span){text, head + n + 7}, 1);
}

static void
test_row(const char *line)
{
    char want[8], header[1024], what[600];
    const char *bar = strchr(line, '|');
    struct found alone, part;

    if (!bar || sscanf(line, "%7s", want) != 1 || strlen(bar) > 500) {
        ok(0, "an unreadable row: %s", line);
        return;
    }
    look_at_header(header, unescape(header, bar + 2), &alone, &part);
    snprintf(what, sizeof what, "%s: %s", want, bar + 2);
    is_str(answer(&alone), want, what);
    is_str(answer(&part), want, "and of a part");
}

/* What can't be looked into: "NAME,NAME; DOUBT | header". */
static const char *
sealed_answer(const struct found *f, char out[700])
{
    snprintf(out, 700, "%s%s%s", *f->best ? f->best : "none", f->doubt ? "; " : "", f->why);
    return out;
}

static void
test_sealed_row(const char *line)
{
    char want[300] = "", header[1024], got[700];
    const char *bar = strchr(line, '|');
    struct found alone, part;
    size_t n = bar ? (size_t)(bar - line) : 0;

    if (!bar || n >= sizeof want || strlen(bar) > 500) {
        ok(0, "an unreadable row: %s", line);
        return;
    }
    while (n > 0 && line[n - 1] == ' ')
        n--;
    memcpy(want, line, n);
    look_at_header(header, unescape(header, bar + 2), &alone, &part);
    is_str(sealed_answer(&alone, got), want, bar + 2);
    is_str(sealed_answer(&part, got), want, "and of a part");
}

/* --- messages --- */

static const struct {
    const char *want, *what, *text;
} messages[] = {
    {"exe", "a part",
     "Content-Type: multipart/mixed; boundary=b\n\nPreamble\n--b\n"
     "Content-Disposition: attachment; filename=evil.exe\n\nTVqQ\n--b--\n"},
    {"exe", "the message itself", "Content-Disposition: attachment; filename=evil.exe\n\nTVqQ\n"},
    {"exe", "after a text",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\n"
     "Content-Type: x/y;\n name=evil.exe\n\nTVqQ\n--b--\n"},
    {"exe", "a folded header, cut anywhere",
     "Content-Type: multipart/mixed; boundary=b\r\n\n--b\r\nContent-Type:\r\n x/y;\r\n\tname=\r\n "
     "\"evil.exe\"\r\n\r\nTVqQ\r\n"},
    {"exe", "a boundary that was not announced",
     "Content-Type: multipart/mixed; boundary=b\n\n--c\nContent-Type: x/y; "
     "name=evil.exe\n\nTVqQ\n"},
    {"exe", "no boundary announced",
     "Content-Type: multipart/mixed\n\n--c\nContent-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "two types, the first harmless",
     "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "a type that is none",
     "Content-Type: ; boundary=b\n\n--b\nContent-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "a multipart in a multipart",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; "
     "boundary=bb\n\n--bb\n\nHi\n--bb\nContent-Type: x/y; name=evil.exe\n\nTVqQ\n--bb--\n--b--\n"},
    {"exe", "behind the end",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b--\n--b\nContent-Type: x/y; "
     "name=evil.exe\n\nTVqQ\n"},
    {"exe", "a message in the message",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nFrom: "
     "<a@b.example>\nContent-Disposition: attachment; filename=evil.exe\n\nTVqQ\n--b--\n"},
    {"exe", "a message that is all of the message",
     "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "a message in a message",
     "Content-Type: message/rfc822\n\n\nSubject: x\nContent-Type: message/rfc822\n\nFrom a@b\n"
     "Content-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "no blank line before the next part",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n--b\n"
     "Content-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "a line among headers that is none",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nX: y\nwhat is this\n"
     "Content-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "a message in a digest, which needs no type",
     "Content-Type: multipart/digest; boundary=b\n\n--b\n\nFrom: <a@b.example>\n"
     "Content-Disposition: attachment; filename=evil.exe\n\nTVqQ\n--b--\n"},
    {"none", "a text in a digest",
     "Content-Type: multipart/digest; boundary=b\n\n--b\nContent-Type: text/plain\n\n"
     "Content-Disposition: attachment; filename=evil.exe\n\nTVqQ\n--b--\n"},
    {"exe", "a message whose type is behind a comment",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: (x) message/rfc822\n\nX: y\n"
     "Content-Disposition: attachment; filename=evil.exe\n\nTVqQ\n--b--\n"},
    {"exe", "uuencoded behind what looks like a header",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--\nTel: 1\n"
     "begin 644 evil.exe\n#0V%T\n"},
    {"exe", "a line before the headers that is none",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nwhat is this\n"
     "Content-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "such a line in a message",
     "Content-Type: message/rfc822\n\n\nwhat is this\n"
     "Content-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"none", "a text behind such a line",
     "Content-Type: message/rfc822\n\n\nwhat is this\n\n"
     "Content-Type: x/y; name=evil.exe\n\nTVqQ\n"},
    {"exe", "uuencoded where headers may be",
     "Content-Type: multipart/mixed; boundary=b\n\n-- \nTel: 1\n--b\nHi\n"
     "begin 644 evil.exe\n#0V%T\n"},
    {"exe", "a header cut by a line that is none",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: x/y; name=evil.exe\nfoo\n"
     "\nTVqQ\n"},
    {"exe", "lines that end in CR",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\rContent-Type: x/y; "
     "name=evil.exe\r\rTVqQ\n"},
    {"exe", "a CR inside a name",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: x/y; name=evil.\rexe\n\nT\n"},
    {"exe", "a header hidden behind a CR",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nX: y\rContent-Type: x/y; "
     "name=evil.exe\n\nT\n"},
    {"exe", "no line end behind it",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: x/y; name=evil.exe"},
    {"exe", "uuencoded", "Subject: x\n\nSee here:\nbegin 644 evil.exe\n#0V%T\n`\nend\n"},
    {"exe", "uuencoded in a part",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nbegin 0755 "
     "a b.exe\n#0V%T\n`\nend\n--b--\n"},
    {"doubt", "parts encoded as a whole",
     "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\nLS1iCg==\n"},
    {"doubt", "a message encoded as a whole",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: "
     "quoted-printable\nContent-Type: message/rfc822\n\nX: y\n\nHi\n--b--\n"},
    {"doubt", "a part of a message",
     "Content-Type: message/partial; id=x; number=2\n\nX: y\n\nHi\n"},
    {"doubt", "a part of a message in a part",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Type: message/partial; id=x; number=1\n\nX: y\n\nHi\n--b--\n"},
    {"doubt", "a file that is elsewhere",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/external-body; "
     "access-type=URL; URL=\"http://x.example/evil\"\n\nContent-Type: x/y\n\n--b--\n"},
    {"exe", "one that has a name",
     "Content-Type: message/external-body; access-type=URL\n\nContent-Type: x/y; "
     "name=evil.exe\n\n"},
    {"none", "a part of another type",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Type: application/pdf; name=a.pdf\n\nJVBE\n--b--\n"},
    {"none", "a text that speaks of it",
     "Content-Type: text/plain\n\nWrite\n--b\nContent-Type: x/y; name=evil.exe\n\nthere.\n"},
    {"none", "a text without a type that speaks of it",
     "Subject: x\n\n--b\nContent-Type: x/y; name=evil.exe\n\nthere.\n"},
    {"none", "a text that begins", "Subject: x\n\nbegin with evil.exe\nbegin 12345 evil.exe\n"},
    {"none", "a signature",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n-- \nTel: 1\n"
     "evil.exe\n--b--\n"},
    {"none", "a message with text in base64",
     "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nSGkK\n"},
    {"none", "a NUL before it", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n"},
};

static void
test_messages(void)
{
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct span text = span_of(messages[i].text);
        unsigned bad = 0;
        struct found f;

        for (size_t n = 0; n <= text.n; n++) {
            f = look(text, n);
            bad += strcmp(answer(&f), messages[i].want) != 0;
        }
        if (!ok(bad == 0, "%s: %s", messages[i].want, messages[i].what))
            printf("# %u of %zu cuts; %s %s\n", bad, text.n + 1, answer(&f), f.why);
    }
}

static void
test_armour(void)
{
    struct found f = look(span_of("Subject: x\n\n-----BEGIN PGP MESSAGE-----\n\nhQ\n"), 7);

    is_str(f.best, "encrypted.pgp", "encrypted text without MIME");
    f = look(span_of("Content-Type: multipart/mixed\n\n--b\n\n-----BEGIN PGP MESSAGE-----\n--b\n"
                     "Content-Type: x/y; name=evil.exe\n\n"),
             40);
    is_str(f.best, "encrypted.pgp,evil.exe", "in a part, before another");
    f = look(span_of("Subject: x\n\n> -----BEGIN PGP MESSAGE-----\n"
                     "-----BEGIN PGP SIGNATURE-----\n"),
             7);
    is_str(f.best, "", "quoted, or a signature");
}

/* --- limits --- */

static char *
repeat(const char *head, const char *one, size_t times, const char *tail, size_t *n_r)
{
    size_t n = strlen(one), at = strlen(head);
    char *text = malloc(at + times * n + strlen(tail) + 1);

    memcpy(text, head, at);
    for (size_t i = 0; i < times; i++, at += n)
        memcpy(text + at, one, n);
    strcpy(text + at, tail);
    *n_r = at + strlen(tail);
    return text;
}

static void
limit(const char *head, const char *one, size_t times, const char *tail, const char *want,
      const char *what)
{
    size_t n;
    char *text = repeat(head, one, times, tail, &n);
    struct found f = look((struct span){text, n}, 65536);

    is_str(answer(&f), want, what);
    if (f.doubt)
        printf("# %s\n", f.why);
    free(text);
}

static void
test_limits(void)
{
    static const char parts[] = "Content-Type: multipart/mixed\n\n";
    static const char evil[] = "\n--b\nContent-Type: x/y; name=evil.exe\n\n";

    limit(parts, "--b\nContent-Type: multipart/mixed; boundary=b\n\n", 900, evil, "exe",
          "900 levels deep");
    limit(parts, "--b\nContent-Type: text/plain\n\n", 2001, "", "doubt", "too many parts");
    limit(parts, "QUFB\n", 200000, evil, "exe", "behind a megabyte");
    limit(parts, "A", 1000000, evil, "exe", "behind a line of a megabyte");
    limit("Content-Type: multipart/mixed\n\n--b\nContent-Type: x/y;\n", " x=y;\n", 20000,
          " name=a.pdf\n\n", "doubt", "behind a header of 100 kB");
    limit("Content-Type: multipart/mixed\n\n--b\nContent-Type: x/y;\n", " x=y;\n", 2000,
          " name=evil.exe\n\n", "exe", "behind a header of 12 kB");
    limit("Content-Type: multipart/mixed\n\n--b\nX: y\n", " x=y;\n", 200000, "\n", "none",
          "another header of a megabyte");
    limit("Content-Type: multipart/mixed\n\n--b\nContent-Type: x/y\n", "what\n", 100000, "\n",
          "doubt", "many lines that are no headers");
    limit("Content-Type: multipart/mixed\n\n--b\nContent-Type: x/y;name=", "a", 3000, ".exe\n\n",
          "doubt", "a name of 3,000 bytes");
    limit("Content-Type: x/y;name=\"evil.exe:", "a", 1500, "\"\n\n", "exe",
          "a long name of which a client leaves the beginning");
    limit("Content-Type: x/y", ";name=a", 2000, "\n\n", "doubt", "2,000 names");
    limit("Content-Type: x/y", ";name*=a", 100, "\n\n", "doubt", "100 names");
}

/* --- subjects --- */

static void
subject(const char *in, size_t cap, const char *want, int doubt)
{
    char out[256];
    int doubt_is = 0;
    long n = mime_text(out, cap, span_of(in), charset_utf8, &doubt_is);

    out[n < 0 ? 0 : n] = '\0';
    is_str(n < 0 ? NULL : out, want, in);
    is_int(doubt_is, doubt, "in doubt");
}

static void
test_subjects(void)
{
    subject("plain", 255, "plain", 0);
    subject("=?utf-8?B?5py65a+G?= and =?utf-8?q?more?=", 255, "机密 and more", 0);
    subject("=?utf-8?B?5py6?= =?utf-8?B?5a+G?=", 255, "机密", 0);
    subject("=?utf-8?B?5py65a8=?=\r\n =?utf-8?B?hg==?=", 255, "机密", 0);
    subject("=?gb2312?B?u/o=?= =?gbk?B?w9w=?=", 255, "机密", 0);
    subject("=?iso-2022-jp?B?GyRCNUFMKRsoQg==?=", 255, "義密", 0);
    subject("=?us-ascii?q?a_b?=", 255, "a b", 0);
    subject("=?utf-8?q?unclosed", 255, "=?utf-8?q?unclosed", 0);
    subject("=?//x?q?a?=", 255, "=?//x?q?a?=", 0);
    subject("=?utf-8//translit?q?a?=", 255, "=?utf-8//translit?q?a?=", 0);
    subject("=?x-nobody?q?a?=", 255, "a", MIME_DOUBT_CHARSET);
    subject("=?utf-8?q?=FF?=", 255, "\xFF", MIME_DOUBT_CHARSET);
    subject("a \xBB\xFA", 255, "a \xBB\xFA", MIME_DOUBT_RAW);
    subject("too long", 5, NULL, 0);
    subject("=?us-ascii?q?too_long?=", 5, NULL, MIME_DOUBT_CHARSET);
}

/* What mail programs write is read; of what else the C library knows, nothing is loaded. */
static void
test_charsets(void)
{
    static const char *const known[] = {
        "utf-8",        "UTF8",         "utf-7",        "US-ASCII",       "iso-8859-1",
        "Latin1",       "iso-8859-2",   "iso-8859-5",   "iso-8859-6",     "iso-8859-7",
        "ISO-8859-8-I", "iso-8859-9",   "iso-8859-15",  "windows-1250",   "Windows-1251",
        "windows-1252", "windows-1253", "windows-1254", "windows-1255",   "windows-1256",
        "windows-1257", "windows-1258", "windows-874",  "TIS-620",        "koi8-r",
        "koi8-u",       "ibm866",       "macintosh",    "x-mac-cyrillic", "gb2312",
        "GBK",          "gb18030",      "big5",         "big5-hkscs",     "iso-2022-jp",
        "euc-jp",       "shift_jis",    "euc-kr",       "ks_c_5601-1987"};
    static const char *const others[] = {"ISO-2022-CN-EXT",
                                         "iso-2022-cn",
                                         "iso-2022-kr",
                                         "hz-gb-2312",
                                         "utf-16le//ignore",
                                         "INIS-8",
                                         "TSCII",
                                         "IBM037",
                                         "UTF-8 US-ASCII",
                                         "utf",
                                         "utf-8//",
                                         "../utf-8",
                                         " ",
                                         "*"};
    char out[16];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        long n = charset_utf8(span_of(known[i]), span_of("a b"), out, sizeof out);

        ok(n == 3 && memcmp(out, "a b", 3) == 0, "%s is read", known[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        is_int(charset_utf8(span_of(others[i]), span_of("a b"), out, sizeof out), -1, others[i]);
    is_int(charset_utf8((struct span){"utf-8\0x", 7}, span_of("a"), out, sizeof out), -1,
           "a NUL in the name");
    is_int(charset_utf8(span_of("utf-16be"), (struct span){"\0a", 2}, out, sizeof out), 1,
           "UTF-16, in bytes with NUL");
    is_int(charset_utf8(span_of(""), span_of("\xE4"), out, sizeof out), -1, "ASCII has seven bits");
}

static unsigned conversions;

static long
counting(struct span charset, struct span in, char *out, size_t cap)
{
    conversions++;
    return charset_utf8(charset, in, out, cap);
}

/* What takes long if it is looked at over and over, or by a converter for each word. */
static void
test_endless(void)
{
    static char out[16384];
    int doubt = 0;
    size_t n;
    char *text = repeat("", "=?a?q?x", 300000, "", &n);

    is_int(mime_text(out, sizeof out, (struct span){text, n}, charset_utf8, &doubt), -1,
           "words without end");
    free(text);
    text = repeat("", "=?koi8-r?q?x?==?big5?q?x?=", 1000, "", &n);
    conversions = 0;
    is_int(mime_text(out, sizeof out, (struct span){text, n}, counting, &doubt), 2000,
           "2,000 words in two charsets");
    is_int(doubt, MIME_DOUBT_CHARSET, "are a doubt");
    ok(conversions <= 64, "and few are converted: %u", conversions);
    free(text);
}

static void
each_row(const char *path, void (*test)(const char *line), int least)
{
    FILE *f = fopen(path, "r");
    char line[1024];
    int rows = 0;

    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        test(line);
        rows++;
    }
    if (f)
        fclose(f);
    ok(rows > least, "%s has %d rows", path, rows);
}

int
main(void)
{
    char error[256];

    hold_rule_parse(&rule, "p: attachment=exe", error, sizeof error);
    each_row("t/tables/mime-names.tbl", test_row, 50);
    each_row("t/tables/mime-sealed.tbl", test_sealed_row, 20);
    test_messages();
    test_armour();
    test_limits();
    test_subjects();
    test_charsets();
    test_endless();
    return tap_done();
}
