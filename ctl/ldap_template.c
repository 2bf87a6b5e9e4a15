/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_template: read access.in: "[part]", "let NAME = text", directives with
 * continuation lines, comments; @NAME@ becomes the text, or what the caller gave.
 * A directive that names a peer comes once for each.
 *
 * Promises: a name that nobody gave is an error, not an empty text. Must not know
 * what the directives mean.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ldap_template.h"

#define LETS_MAX 40
#define TEXT_MAX 16384

struct reader {
    const char *file;
    unsigned line;
    const struct ldap_names *names;
    struct {
        char name[32], *text;
    } lets[LETS_MAX];
    size_t nlets, peer;
    char part[16];
    struct ldap_template *t;
    char *error;
    size_t error_n;
};

static int
fail(struct reader *r, const char *what, const char *name)
{
    snprintf(r->error, r->error_n, "%s:%u: %s%s%s", r->file, r->line, what, *name ? " " : "", name);
    return -1;
}

/* --- names --- */

static const char *
given(const struct reader *r, const char *name)
{
    const struct ldap_names *n = r->names;
    const struct {
        const char *name, *text;
    } all[] = {{"BASE", n->base},
               {"DOMAINS", n->domains},
               {"GATE", n->gate},
               {"SERVICES", n->services},
               {"SITES", n->sites},
               {"ID", n->server_id},
               {"TLS", n->tls},
               {"PEER_RID", r->peer < n->npeers ? n->peers[r->peer].rid : ""},
               {"PEER_URI", r->peer < n->npeers ? n->peers[r->peer].uri : ""},
               {"PEER_HOST_RE", r->peer < n->npeers ? n->peers[r->peer].host_re : ""}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].text;
    for (size_t i = 0; i < r->nlets; i++)
        if (strcmp(r->lets[i].name, name) == 0)
            return r->lets[i].text;
    return NULL;
}

/* The length of NAME when p is at "@NAME@", else 0. */
static size_t
reference(const char *p)
{
    size_t n = 1;

    while ((p[n] >= 'A' && p[n] <= 'Z') || p[n] == '_')
        n++;
    return n > 1 && p[n] == '@' ? n - 1 : 0;
}

/* A copy of text with its references filled in; NULL: said why. */
static char *
expand(struct reader *r, const char *text)
{
    char *out = malloc(TEXT_MAX), name[32];
    size_t n = 0, len;

    for (const char *p = text; out && *p;) {
        const char *piece = p;

        len = *p == '@' ? reference(p) : 0;
        if (len) {
            snprintf(name, sizeof name, "%.*s", (int)len, p + 1);
            p += len + 2;
            piece = given(r, name);
            len = piece ? strlen(piece) : 0;
        } else {
            len = 1;
            p++;
        }
        if (!piece || n + len + 1 > TEXT_MAX) {
            fail(r, piece ? "too long" : "unknown name", piece ? "" : name);
            free(out);
            return NULL;
        }
        memcpy(out + n, piece, len);
        n += len;
    }
    if (out)
        out[n] = '\0';
    else
        fail(r, strerror(ENOMEM), "");
    return out;
}

/* --- lines --- */

static int
keep(struct reader *r, const char *text)
{
    struct ldap_line *more = realloc(r->t->lines, (r->t->n + 1) * sizeof *more);

    if (!more)
        return fail(r, strerror(ENOMEM), "");
    r->t->lines = more;
    more += r->t->n;
    memcpy(more->part, r->part, sizeof more->part);
    more->comment = *text == '#';
    more->text = more->comment ? strdup(text) : expand(r, text);
    if (!more->text)
        return *r->error ? -1 : fail(r, strerror(ENOMEM), "");
    r->t->n++;
    return 0;
}

static int
take_let(struct reader *r, const char *text)
{
    char name[32];
    int at = 0;

    if (r->nlets == LETS_MAX || sscanf(text, "let %31[A-Z_] = %n", name, &at) != 1 || !at)
        return fail(r, "this is written: let NAME = text", "");
    r->lets[r->nlets].text = expand(r, text + at);
    if (!r->lets[r->nlets].text)
        return -1;
    strcpy(r->lets[r->nlets++].name, name);
    return 0;
}

static int
take_part(struct reader *r, const char *text)
{
    int end = 0;

    if (sscanf(text, "[%15[a-z-]]%n", r->part, &end) != 1 || !end || text[end])
        return fail(r, "a part is written: [name]", "");
    return 0;
}

/* One line as it stands after its continuation lines have been added. */
static int
take(struct reader *r, const char *text)
{
    if (!*text || (*text == '#' && !*r->part))
        return 0;
    if (*text == '[')
        return take_part(r, text);
    if (strncmp(text, "let ", 4) == 0)
        return take_let(r, text);
    if (!*r->part)
        return fail(r, "stands before the first [part]", "");
    if (*text == '#' || !strstr(text, "@PEER_"))
        return keep(r, text);
    for (r->peer = 0; r->peer < r->names->npeers; r->peer++)
        if (keep(r, text) < 0)
            return -1;
    return 0;
}

static int
read_lines(struct reader *r, FILE *f)
{
    char *line = NULL, *whole = NULL;
    size_t cap = 0, used = 0;
    ssize_t n;
    int status = 0;

    while (status == 0 && (n = getline(&line, &cap, f)) >= 0) {
        int goes_on = n > 0 && (line[0] == '\t' || line[0] == ' ');
        char *more;

        if (n > 0 && line[n - 1] == '\n')
            line[--n] = '\0';
        if (whole && !goes_on && *whole)
            status = take(r, whole);
        r->line++;
        used = goes_on && whole ? used + 1 : 0;
        more = realloc(whole, used + (size_t)n + 1);
        if (status == 0 && !more)
            status = fail(r, strerror(ENOMEM), "");
        if (status < 0 || !more) {
            whole = more ? more : whole;
            break;
        }
        whole = more;
        if (used)
            whole[used - 1] = '\n';
        memcpy(whole + used, line, (size_t)n + 1);
        used += (size_t)n;
    }
    if (status == 0 && whole)
        status = take(r, whole);
    free(line);
    free(whole);
    return status;
}

int
ldap_template_read(const char *file, const struct ldap_names *names, struct ldap_template *t,
                   char *error_r, size_t error_n)
{
    struct reader r = {.file = file, .names = names, .t = t, .error = error_r, .error_n = error_n};
    FILE *f = fopen(file, "r");
    int status;

    memset(t, 0, sizeof *t);
    *error_r = '\0';
    if (!f) {
        snprintf(error_r, error_n, "%s: %s", file, strerror(errno));
        return -1;
    }
    status = read_lines(&r, f);
    if (status == 0 && ferror(f))
        status = fail(&r, strerror(errno), "");
    fclose(f);
    for (size_t i = 0; i < r.nlets; i++)
        free(r.lets[i].text);
    if (status < 0)
        ldap_template_free(t);
    return status;
}

int
ldap_template_has(const struct ldap_template *t, const char *part)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->lines[i].part, part) == 0)
            return 1;
    return 0;
}

void
ldap_template_free(struct ldap_template *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->lines[i].text);
    free(t->lines);
    memset(t, 0, sizeof *t);
}
