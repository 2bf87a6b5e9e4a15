/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_ldif: the LDIF (RFC 2849) of a change, for --dry-run: what ldapmodify would
 * take to do the same, and nothing about passwords but that there is one.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "dir_private.h"

#define WIDTH 76

/* Whether v can't stand as it is (RFC 2849, SAFE-STRING; a trailing blank would be lost to the eye). */
static int
needs_base64(const char *v, size_t n)
{
    if (n > 0 && (v[0] == ' ' || v[0] == ':' || v[0] == '<' || v[n - 1] == ' '))
        return 1;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)v[i] < 0x20 || (unsigned char)v[i] >= 0x7f)
            return 1;
    return 0;
}

/* One character, after a line's end and a blank when the line is full. */
static void
put(int c, size_t *column)
{
    if (*column == WIDTH) {
        fputs("\n ", stdout);
        *column = 1;
    }
    putchar(c);
    ++*column;
}

static void
put_text(const char *s, size_t n, size_t *column)
{
    for (size_t i = 0; i < n; i++)
        put((unsigned char)s[i], column);
}

static void
put_base64(const char *s, size_t n, size_t *column)
{
    char four[BASE64_SIZE(3)];

    for (size_t took; (took = base64_write(four, 3, s, n)); s += took, n -= took)
        put_text(four, 4, column);
}

void
dir_ldif_line(const char *attr, const char *v, size_t n)
{
    size_t column = 0;

    put_text(attr, strlen(attr), &column);
    if (needs_base64(v, n)) {
        put_text(":: ", 3, &column);
        put_base64(v, n, &column);
    } else {
        put_text(": ", n ? 2 : 1, &column);
        put_text(v, n, &column);
    }
    putchar('\n');
}

static void
text_line(const char *attr, const char *v)
{
    dir_ldif_line(attr, v, strlen(v));
}

static int
is_secret(const char *attr)
{
    return strcasecmp(attr, "userPassword") == 0;
}

void
dir_ldif_add(const char *dn, const struct dir_change *c)
{
    text_line("dn", dn);
    text_line("changetype", "add");
    for (size_t i = 0; i < c->n; i++) {
        const struct dir_mod *m = &c->mods[i];

        if (is_secret(m->attr))
            puts("# userPassword: a hash of the password, not shown");
        for (size_t j = 0; j < m->n && !is_secret(m->attr); j++)
            dir_ldif_line(m->attr, m->v[j].bv_val, m->v[j].bv_len);
    }
    putchar('\n');
}

static void
mod_lines(const struct dir_mod *m)
{
    text_line(m->op == LDAP_MOD_ADD      ? "add"
              : m->op == LDAP_MOD_DELETE ? "delete"
                                         : "replace",
              m->attr);
    for (size_t j = 0; j < m->n; j++)
        dir_ldif_line(m->attr, m->v[j].bv_val, m->v[j].bv_len);
    puts("-");
}

void
dir_ldif_modify(const char *dn, const struct dir_change *c)
{
    int head = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (is_secret(c->mods[i].attr))
            continue;
        if (!head++) {
            text_line("dn", dn);
            text_line("changetype", "modify");
        }
        mod_lines(&c->mods[i]);
    }
    if (head)
        putchar('\n');
    for (size_t i = 0; i < c->n; i++)
        if (is_secret(c->mods[i].attr))
            dir_ldif_password(dn);
}

void
dir_ldif_delete(const char *dn)
{
    text_line("dn", dn);
    text_line("changetype", "delete");
    putchar('\n');
}

void
dir_ldif_rename(const char *dn, const char *rdn, const char *parent)
{
    text_line("dn", dn);
    text_line("changetype", "modrdn");
    text_line("newrdn", rdn);
    text_line("deleteoldrdn", "1");
    if (parent)
        text_line("newsuperior", parent);
    putchar('\n');
}

void
dir_ldif_password(const char *dn)
{
    fputs("# dn: ", stdout);
    for (const char *p = dn; *p; p++)
        if ((unsigned char)*p >= 0x20 && *p != 0x7f)
            putchar((unsigned char)*p);
    fputs("\n# userPassword: a hash of the new password, not shown\n\n", stdout);
}
