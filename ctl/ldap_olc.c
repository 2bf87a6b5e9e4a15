/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_olc: which attribute of which entry of cn=config a directive of slapd.conf
 * is, for the directives that access.in may have; any other is an error.
 *
 * Promises: values keep their words and order; only blanks and the quotes around
 * a single word change.
 */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "ldap_olc.h"

#define LINE_BYTES 54

static const struct row {
    const char *keyword, *attr, *overlay;
    enum olc_where where;
    enum olc_style style;
} rows[] = {
    {"access", "olcAccess", "", OLC_DATABASE, OLC_RULES},
    {"limits", "olcLimits", "", OLC_DATABASE, OLC_EACH},
    {"index", "olcDbIndex", "", OLC_DATABASE, OLC_INDEX},
    {"add_content_acl", "olcAddContentAcl", "", OLC_DATABASE, OLC_ONE},
    {"syncrepl", "olcSyncrepl", "", OLC_REPLICATION, OLC_REPLICA},
    {"multiprovider", "olcMultiProvider", "", OLC_REPLICATION, OLC_ONE},
    {"moduleload", "olcModuleLoad", "", OLC_MODULE, OLC_EACH},
    {"serverID", "olcServerID", "", OLC_GLOBAL, OLC_ONE},
    {"authz-policy", "olcAuthzPolicy", "", OLC_GLOBAL, OLC_ONE},
    {"authz-regexp", "olcAuthzRegexp", "", OLC_GLOBAL, OLC_EACH},
    {"TLSCACertificateFile", "olcTLSCACertificateFile", "", OLC_GLOBAL, OLC_ONE},
    {"TLSCertificateFile", "olcTLSCertificateFile", "", OLC_GLOBAL, OLC_ONE},
    {"TLSCertificateKeyFile", "olcTLSCertificateKeyFile", "", OLC_GLOBAL, OLC_ONE},
    {"TLSVerifyClient", "olcTLSVerifyClient", "", OLC_GLOBAL, OLC_ONE},
    {"TLSCipherSuite", "olcTLSCipherSuite", "", OLC_GLOBAL, OLC_ONE},
    {"TLSProtocolMin", "olcTLSProtocolMin", "", OLC_GLOBAL, OLC_ONE},
    {"overlay", NULL, "", OLC_OVERLAY, OLC_ONE},
    {"syncprov-checkpoint", "olcSpCheckpoint", "syncprov", OLC_OVERLAY, OLC_ONE},
    {"refint_attributes", "olcRefintAttribute", "refint", OLC_OVERLAY, OLC_EACH},
    {"refint_nothing", "olcRefintNothing", "refint", OLC_OVERLAY, OLC_ONE},
    {"unique_uri", "olcUniqueURI", "unique", OLC_OVERLAY, OLC_EACH},
};

static const struct {
    const char *overlay, *class;
} overlays[] = {{"syncprov", "olcSyncProvConfig"},
                {"refint", "olcRefintConfig"},
                {"unique", "olcUniqueConfig"}};

const char *
olc_overlay_class(const char *overlay)
{
    for (size_t i = 0; i < sizeof overlays / sizeof *overlays; i++)
        if (strcmp(overlays[i].overlay, overlay) == 0)
            return overlays[i].class;
    return "olcOverlayConfig";
}

static const struct row *
row_of(const char *text)
{
    size_t n = strcspn(text, " \t\n");

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].keyword) == n && strncmp(rows[i].keyword, text, n) == 0)
            return &rows[i];
    return NULL;
}

int
olc_part_wanted(const char *parts, const char *part)
{
    char word[24];

    if (strcmp(part, "begin") == 0 || strcmp(part, "end") == 0)
        return strstr(parts, " services ") || strstr(parts, " held ") || strstr(parts, " access ");
    snprintf(word, sizeof word, " %s ", part);
    return strstr(parts, word) != NULL;
}

/* --- values --- */

static int
push(struct olc_list *list, const struct row *row, const struct ldap_line *line, const char *text,
     size_t n)
{
    struct olc_value *more = realloc(list->v, (list->n + 1) * sizeof *more);
    char *copy = strndup(text, n);

    if (more)
        list->v = more;
    if (!more || !copy) {
        free(copy);
        return -1;
    }
    list->v[list->n++] =
        (struct olc_value){row->where, row->style, row->overlay, row->attr, copy, line};
    return 0;
}

/* The directive's arguments become one value; those of an attribute list one each. */
static int
take(struct olc_list *list, const struct row *row, const struct ldap_line *line)
{
    const char *text = line->text + strlen(row->keyword);
    size_t n;

    text += strspn(text, " \t\n");
    n = strlen(text);
    if (strcmp(row->keyword, "refint_attributes") == 0) {
        for (; *text; text += n, text += strspn(text, " \t\n"))
            if (n = strcspn(text, " \t\n"), push(list, row, line, text, n) < 0)
                return -1;
        return 0;
    }
    if (row->style == OLC_ONE && strcmp(text, "on") == 0)
        return push(list, row, line, "TRUE", 4);
    if (n > 1 && text[0] == '"' && strchr(text + 1, '"') == text + n - 1)
        return push(list, row, line, text + 1, n - 2);
    return push(list, row, line, text, n);
}

int
olc_from(const struct ldap_template *t, const char *parts, struct olc_list *list, char *error_r,
         size_t error_n)
{
    *list = (struct olc_list){NULL, 0};
    for (size_t i = 0; i < t->n; i++) {
        const struct ldap_line *line = &t->lines[i];
        const struct row *row = line->comment ? NULL : row_of(line->text);

        if (line->comment || !olc_part_wanted(parts, line->part))
            continue;
        if (!row || take(list, row, line) < 0) {
            snprintf(error_r, error_n, row ? "no memory" : "cn=config has no place for: %.60s",
                     line->text);
            olc_free(list);
            return -1;
        }
    }
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].where == OLC_OVERLAY && !list->v[i].attr)
            list->v[i].overlay = list->v[i].text;
    return 0;
}

void
olc_free(struct olc_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i].text);
    free(list->v);
    *list = (struct olc_list){NULL, 0};
}

/* --- comparing --- */

const char *
olc_text(const char *value)
{
    size_t n = *value == '{' ? 1 + strspn(value + 1, "-0123456789") : 0;

    return n > 1 && value[n] == '}' ? value + n + 1 : value;
}

int
olc_names(const char *value, const char *overlay)
{
    const char *slash = strrchr(value, '/');
    size_t n = strlen(overlay);

    value = slash ? slash + 1 : olc_text(value);
    return strncmp(value, overlay, n) == 0 && (!value[n] || value[n] == '.');
}

int
olc_same(const char *a, const char *b)
{
    a = olc_text(a);
    b = olc_text(b);
    for (;;) {
        size_t na = strspn(a, " \t\n"), nb = strspn(b, " \t\n");

        a += na;
        b += nb;
        if (!*a || !*b)
            return *a == *b;
        if ((na > 0) != (nb > 0) || *a++ != *b++)
            return 0;
    }
}

/* --- LDIF --- */

static void
put_base64(FILE *f, const char *s, size_t n)
{
    char line[BASE64_SIZE(LINE_BYTES)];
    const char *fold = "";

    for (size_t took; (took = base64_write(line, LINE_BYTES, s, n)); s += took, n -= took) {
        fprintf(f, "%s%s", fold, line);
        fold = "\n ";
    }
}

void
olc_put(FILE *f, const char *attr, const char *value)
{
    int plain = *value != ' ' && *value != ':' && *value != '<';

    for (const char *p = value; *p && plain; p++)
        plain = (unsigned char)*p < 0x80;
    fprintf(f, "%s:%s ", attr, plain ? "" : ":");
    if (!plain) {
        put_base64(f, value, strlen(value));
        fputc('\n', f);
        return;
    }
    for (const char *p = value; *p; p++) {
        if (*p == '\n') {
            fputs("\n  ", f);
            p += strspn(p + 1, " \t");
        } else {
            fputc(*p, f);
        }
    }
    fputc('\n', f);
}
