/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The LDIF reader on small files: what it makes of records, and what it refuses
 * with which file and line. Then lines and records that are too long.
 */
#include <stdlib.h>
#include <unistd.h>

#include "policyd/ldif_read.h"
#include "tap.h"

struct got {
    int rc;
    int records;
    char text[4096]; /* "dn|attr=value,value|…\n" for each record */
    char error[512];
};

static void
print(const struct span s, char *out, size_t cap)
{
    size_t n = strlen(out);

    snprintf(out + n, cap - n, "%.*s", (int)s.n, s.p ? s.p : "");
}

static void
print_record(struct got *g, struct span dn, struct collect *c)
{
    struct entry_view view;
    size_t i, j;

    collect_view(c, &view);
    print(dn, g->text, sizeof g->text);
    for (i = 0; i < view.n; i++) {
        print(span_of("|"), g->text, sizeof g->text);
        print(view.attrs[i].name, g->text, sizeof g->text);
        for (j = 0; j < view.attrs[i].n; j++) {
            print(span_of(j ? "," : "="), g->text, sizeof g->text);
            print(view.attrs[i].values[j], g->text, sizeof g->text);
        }
    }
    print(span_of("\n"), g->text, sizeof g->text);
}

static void
read_all(struct got *g, const void *ldif, size_t n)
{
    char path[] = "/tmp/postroad-ldif.XXXXXX";
    int fd = mkstemp(path);
    struct ldif_reader r;
    struct collect c = {0};
    struct span dn;

    memset(g, 0, sizeof *g);
    unlink(path);
    if (write(fd, ldif, n) != (ssize_t)n || ldif_reader_open(&r, fd, "f") < 0)
        return;
    while ((g->rc = ldif_reader_next(&r, &dn, &c)) > 0 && ++g->records)
        if (n < 4096)
            print_record(g, dn, &c);
    strcpy(g->error, r.error);
    ldif_reader_close(&r);
    collect_free(&c);
    close(fd);
}

static void
good(const char *ldif, const char *want, const char *what)
{
    struct got g;

    read_all(&g, ldif, strlen(ldif));
    is_str(g.rc ? g.error : g.text, want, what);
}

static void
bad(const char *ldif, const char *want, const char *what)
{
    struct got g;

    read_all(&g, ldif, strlen(ldif));
    is_str(g.rc < 0 ? g.error : "nothing", want, what);
}

static void
records(void)
{
    good("dn: o=corp\no: corp\n", "o=corp|o=corp\n", "one record");
    good("dn: o=corp\no: corp", "o=corp|o=corp\n", "without the last newline");
    good("\n\n# hello\nversion: 1\n\n\ndn: o=a\n\n\ndn: o=b\n\n", "o=a\no=b\n",
         "version, empty lines");
    good("version: 1\ndn: o=a\nx: 1\n", "o=a|x=1\n", "version in the first record");
    good("dn: o=a\r\nx: 1\r\n\r\ndn: o=b\r\n", "o=a|x=1\no=b\n", "lines from another system");
    good("dn: o=\n corp\nma\n il: a\n @\n b\n", "o=corp|mail=a@b\n", "folded lines");
    good("dn: o=a\n# a\n  comment\nx: 1\n#\ny: 2\n", "o=a|x=1|y=2\n", "folded comments");
    good("dn:: bz1jb3Jw\nx:: YSBi\n", "o=corp|x=a b\n", "base64");
    good("dn: o=a\nx: 1\ny: 2\nX: 3\nx;lang-en: 4\n", "o=a|x=1,3,4|y=2\n",
         "values brought together");
    good("dn: o=a\nx:\ny:   z\n", "o=a|x=|y=z\n", "an empty value, blanks before one");
    good("dn: ou=\xe4\xba\xba,o=a\n", "ou=\xe4\xba\xba,o=a\n", "UTF-8 as it is");
    good("", "", "an empty file has no records");
    good("# nothing\n", "", "nor has a comment");
}

static void
refusals(void)
{
    struct got g;

    bad("dn: o=a\nx:< file:///etc/hostname\n", "f:2: values from URLs (x:<) are refused", "URL");
    bad("dn: o=a\n\ndn: o=b\njpeg\n Photo:\n < file:///etc/hostname\n",
        "f:4: values from URLs (jpegPhoto:<) are refused", "a folded URL");
    bad("dn:< file:///etc/hostname\n", "f:1: values from URLs (dn:<) are refused", "URL as DN");
    bad("dn: o=a\n\ninclude: file:///etc/passwd\n", "f:3: includes are refused", "include");
    bad("dn: o=a\nchangetype: delete\n", "f:2: a change record; only entries are read", "change");
    bad("dn: o=a\nx: 1\n\nx: 2\n", "f:4: a record that does not begin with \"dn:\"", "no dn");
    bad("dn: o=a\nx: 1\ndn: o=b\n", "f:3: a second \"dn:\": an empty line is missing", "two dn");
    bad("dn: o=a\nx 1\n", "f:2: no \"attribute: value\"", "no colon");
    bad("dn: o=a\n: 1\n", "f:2: no \"attribute: value\"", "no name");
    bad("dn: o=a\n-\n", "f:2: no \"attribute: value\"", "a dash");
    bad("dn: o=a\nx y: 1\n", "f:2: no \"attribute: value\"", "a blank in the name");
    bad(" x\ndn: o=a\n", "f:1: a continuation of nothing", "continuation at the start");
    bad("dn: o=a\n\n x\n", "f:3: a continuation of nothing", "continuation after an empty line");
    bad("version: 2\n\ndn: o=a\n", "f:1: LDIF of another version than 1", "version");
    read_all(&g, "dn: o=a\nx: \0\n", 13);
    is_str(g.error, "f:2: a NUL byte", "NUL");
}

static void
long_ones(void)
{
    size_t big = (size_t)LDIF_RECORD_MAX + (2u << 20), n, at;
    char *text = malloc(big);
    struct got g;

    memset(text, 'y', big);
    n = (size_t)sprintf(text, "dn: o=a\nx: ");
    text[n] = 'y';
    text[n + LDIF_LINE_MAX - 3] = '\n';
    read_all(&g, text, n + LDIF_LINE_MAX - 2);
    ok(g.rc == 0 && g.records == 1, "a line as long as may be");
    text[n + LDIF_LINE_MAX - 3] = 'y';
    read_all(&g, text, n + LDIF_LINE_MAX - 2);
    is_str(g.error, "f:2: a line longer than 1048576 bytes", "one byte more");
    for (at = n; at + 100 < LDIF_LINE_MAX + 200; at += 80)
        memcpy(text + at, "\n yyyy", 6);
    read_all(&g, text, LDIF_LINE_MAX * 2);
    ok(g.rc < 0 && strstr(g.error, "a line longer"), "folding does not hide it");
    for (at = n; at + 80 < big; at += 80)
        memcpy(text + at, "\nx: y", 5);
    read_all(&g, text, big);
    ok(g.rc < 0 && strstr(g.error, "a record longer than 16777216 bytes"), "a record too long");
    for (at = n; at + 80 < big; at += 80)
        memcpy(text + at, "\n#: y", 5);
    read_all(&g, text, big);
    is_str(g.rc < 0 ? g.error : "taken", "taken", "comments don't count");
    free(text);
}

int
main(void)
{
    records();
    refusals();
    long_ones();
    return tap_done();
}
