/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addressbook, writing: vCard 4.0 (RFC 6350), CSV (RFC 4180) and LDIF (RFC 2849).
 * Values come from a directory that many people write to: none can end a line, begin
 * a property, or become a formula in a spreadsheet.
 */
#include <string.h>

#include "addressbook.h"

#define LINE_MAX_LEN 4096
#define FOLD         75 /* octets of a vCard line, without its end */

/* --- vCard --- */

/* One vCard line with CRLF, folded at 75 octets, never inside a character. */
static void
vcard_line(FILE *f, const char *line)
{
    size_t column = 0;

    for (const char *p = line; *p;) {
        size_t n = 1;

        while (((unsigned char)p[n] & 0xc0) == 0x80)
            n++; /* the rest of one character */
        if (column + n > FOLD) {
            fputs("\r\n ", f);
            column = 1;
        }
        fwrite(p, 1, n, f);
        column += n;
        p += n;
    }
    fputs("\r\n", f);
}

/* Add text to a line as a vCard value: \ , ; and line ends escaped (RFC 6350, 3.4). -1: too long. */
static int
vcard_escape(char *line, size_t cap, const char *text)
{
    size_t n = strlen(line);

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (n + 3 > cap)
            return -1;
        if (c == '\r')
            continue;
        if (c == '\n' || strchr("\\,;", c))
            line[n++] = '\\';
        line[n++] = c == '\n' ? 'n' : c < 0x20 && c != '\t' ? ' ' : (char)c;
        line[n] = '\0';
    }
    return 0;
}

/* "NAME:value"; several values become components, with ";" between. A value too long is cut. */
static void
property(const char *name, const char *const values[], size_t n)
{
    char line[LINE_MAX_LEN];

    snprintf(line, sizeof line, "%s:", name);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(line);

        if (i > 0 && used + 1 < sizeof line)
            memcpy(line + used, ";", 2);
        if (vcard_escape(line, sizeof line, values[i]) < 0)
            break;
    }
    vcard_line(stdout, line);
}

static void
one(const char *name, const char *value)
{
    if (*value)
        property(name, &value, 1);
}

static void
each(const char *name, const struct dir_entry *e, const char *attr)
{
    const struct dir_attr *a = dir_attr(e, attr);

    for (size_t i = 0; a && i < a->n; i++)
        one(name, a->v[i].p);
}

/* Domain and departments are the units of the organisation, from the top. */
static void
organisation(const struct dir_entry *e)
{
    char path[ORG_DN_MAX];
    const char *units[16];
    size_t n = 0;

    addressbook_place(e, path, sizeof path);
    for (char *p = path, *next; p && n < 16; p = next) {
        if ((next = strchr(p, '/')))
            *next++ = '\0';
        units[n++] = p;
    }
    property("ORG", units, n);
}

static void
vcard_entry(const struct dir_entry *e)
{
    const char *names[5] = {dir_value(e, "sn"), dir_value(e, "givenName"), "", "", ""};
    char uid[512];

    vcard_line(stdout, "BEGIN:VCARD");
    vcard_line(stdout, "VERSION:4.0");
    vcard_line(stdout, addressbook_is_list(e) ? "KIND:group" : "KIND:individual");
    snprintf(uid, sizeof uid, "mailto:%s", dir_value(e, "mail"));
    one("UID", uid);
    one("FN", addressbook_name(e));
    if (*names[0] && !addressbook_is_list(e))
        property("N", names, 5);
    one("EMAIL;PREF=1", dir_value(e, "mail"));
    each("EMAIL", e, "postroadAlias");
    each("TEL;TYPE=work", e, "telephoneNumber");
    each("TEL;TYPE=cell", e, "mobile");
    each("TITLE", e, "title");
    organisation(e);
    vcard_line(stdout, "END:VCARD");
}

const struct addressbook_format addressbook_vcard = {"vcard", NULL, vcard_entry};

/* --- CSV --- */

/* "+86 10 1234" is a number to call, "+1-cmd()" is none. */
static int
is_phone(const char *text)
{
    return *text == '+' && strspn(text + 1, "0123456789 ().-/") == strlen(text + 1);
}

/* One CSV cell, quoted where due; what a spreadsheet would take for a formula gets a ' before it. */
static void
csv_cell(FILE *f, const char *text)
{
    int formula = *text && strchr("=+-@\t\r", *text) && !is_phone(text);

    if (!formula && !strpbrk(text, "\",\r\n;")) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    if (formula)
        fputc('\'', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static void
csv_begin(void)
{
    fputs("kind,name,given,surname,address,aliases,title,phone,mobile,department\r\n", stdout);
}

static void
cell(const char *text)
{
    fputc(',', stdout);
    csv_cell(stdout, text);
}

static void
csv_entry(const struct dir_entry *e)
{
    const struct dir_attr *a = dir_attr(e, "postroadAlias");
    char text[ORG_DN_MAX] = "";
    size_t n = 0;

    fputs(addressbook_is_list(e) ? "list" : "person", stdout);
    cell(addressbook_name(e));
    cell(dir_value(e, "givenName"));
    cell(dir_value(e, "sn"));
    cell(dir_value(e, "mail"));
    for (size_t i = 0; a && i < a->n && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", a->v[i].p);
    cell(text);
    cell(dir_value(e, "title"));
    cell(dir_value(e, "telephoneNumber"));
    cell(dir_value(e, "mobile"));
    cell(addressbook_place(e, text, sizeof text));
    fputs("\r\n", stdout);
}

const struct addressbook_format addressbook_csv = {"csv", csv_begin, csv_entry};

/* --- LDIF, with the classes other address books know --- */

static void
ldif_line(const char *attr, const char *value)
{
    if (*value)
        dir_ldif_line(attr, value, strlen(value));
}

static void
ldif_entry(const struct dir_entry *e)
{
    static const char *const attrs[] = {"sn", "givenName", "telephoneNumber", "mobile", "title"};
    const char *sn = dir_value(e, "sn");

    ldif_line("dn", e->dn);
    ldif_line("objectClass", "top");
    ldif_line("objectClass", "person");
    ldif_line("objectClass", "organizationalPerson");
    ldif_line("objectClass", "inetOrgPerson");
    ldif_line("cn", addressbook_name(e));
    if (!*sn)
        ldif_line("sn", addressbook_name(e));
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++)
        ldif_line(attrs[i], dir_value(e, attrs[i]));
    ldif_line("mail", dir_value(e, "mail"));
    putchar('\n');
}

static void
ldif_begin(void)
{
    puts("version: 1\n");
}

const struct addressbook_format addressbook_ldif = {"ldif", ldif_begin, ldif_entry};
