/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights_words: the words for actions, levels and rights, and where one DN stands
 * to another.
 *
 * Promises: an ancestor is one at RDN boundaries only; a comma that belongs to a
 * value is none, in whichever way it is escaped. Must not: normalise DNs.
 */
#include "rights.h"

#include <string.h>

/* The first word of an action is its name; a second one is accepted for it, too. */
static const char *const action_words[ACT_LAST + 1][2] = {
    [ACT_MANAGE] = {"manage", NULL},
    [ACT_ADD] = {"manage:add", NULL},
    [ACT_DELETE] = {"manage:delete", NULL},
    [ACT_MOVE] = {"manage:move", NULL},
    [ACT_PERSON] = {"manage:person", NULL},
    [ACT_ADDRESS] = {"manage:address", NULL},
    [ACT_FORWARD] = {"manage:forward", NULL},
    [ACT_PLACEMENT] = {"manage:placement", NULL},
    [ACT_STATE] = {"manage:state", NULL},
    [ACT_MEMBERS] = {"manage:members", NULL},
    [ACT_SENDERS] = {"manage:senders", NULL},
    [ACT_NAMES] = {"manage:names", NULL},
    [ACT_CLASS] = {"manage:class", NULL},
    [ACT_PASSWORD] = {"password", NULL},
    [ACT_QUOTA] = {"quota", NULL},
    [ACT_FUNCTIONS] = {"functions", NULL},
    [ACT_ROLE] = {"grant", "grant:role"},
    [ACT_SCOPE] = {"grant:scope", NULL},
    [ACT_RIGHT] = {"grant:right", NULL},
    [ACT_GATE] = {"grant:gate", NULL},
    [ACT_READ_MAIL] = {"read-mail", NULL},
    [ACT_WRITE_MAIL] = {"write-mail", NULL},
    [ACT_SHARE] = {"share", NULL},
    [ACT_APPROVE] = {"approve", NULL},
    [ACT_AUDIT] = {"audit", NULL},
    [ACT_USAGE] = {"usage", NULL},
};

static const char *const level_words[] = {"user", "department", "domain", "super", "system"};
static const char *const right_words[] = {"read-mail", "write-mail", "approve", "audit"};
static const char *const kind_words[] = {"account",   "list",   "department",
                                         "container", "domain", "site"};

static int
same_word(struct span s, const char *word)
{
    size_t i;

    for (i = 0; i < s.n && word[i] != '\0'; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (unsigned char)word[i])
            return 0;
    }
    return i == s.n && word[i] == '\0';
}

int
rights_in_directory(enum rights_action a)
{
    return a < ACT_READ_MAIL;
}

int
rights_action_parse(struct span word)
{
    for (int a = 0; a <= ACT_LAST; a++)
        for (int i = 0; i < 2 && action_words[a][i] != NULL; i++)
            if (span_same(word, span_of(action_words[a][i])))
                return a;
    return -1;
}

const char *
rights_action_word(enum rights_action a)
{
    return (unsigned)a <= ACT_LAST ? action_words[a][0] : "";
}

int
rights_level_parse(struct span word)
{
    for (int l = LEVEL_DEPARTMENT; l <= LEVEL_SYSTEM; l++)
        if (same_word(word, level_words[l]))
            return l;
    return -1;
}

const char *
rights_level_word(enum rights_level l)
{
    return (unsigned)l <= LEVEL_SYSTEM ? level_words[l] : "user";
}

int
rights_right_parse(struct span word)
{
    for (int i = 0; i < 4; i++)
        if (same_word(word, right_words[i]))
            return 1 << i;
    return -1;
}

const char *
rights_kind_word(enum rights_kind k)
{
    return (unsigned)k <= RIGHTS_KIND_LAST ? kind_words[k] : "container";
}

const char *
rights_verdict_word(enum rights_verdict v)
{
    return v == RIGHTS_ALLOWED ? "allowed" : v == RIGHTS_REFUSED ? "refused" : "can't tell";
}

/* --- DNs --- */

int
rights_below(struct span dn, struct span top)
{
    size_t at, slashes = 0;

    if (top.n == 0 || span_same(dn, top))
        return 1;
    if (dn.n <= top.n || memcmp(dn.p + dn.n - top.n, top.p, top.n) != 0)
        return 0;
    at = dn.n - top.n - 1;
    while (slashes < at && dn.p[at - 1 - slashes] == '\\')
        slashes++;
    return dn.p[at] == ',' && slashes % 2 == 0;
}

struct span
rights_parent(struct span dn)
{
    size_t i = 0;

    while (i < dn.n && dn.p[i] != ',')
        i += dn.p[i] == '\\' ? 2 : 1;
    if (i >= dn.n)
        return (struct span){NULL, 0};
    return (struct span){dn.p + i + 1, dn.n - i - 1};
}

int
rights_in_tree(enum rights_kind kind, struct span dn, struct span domains)
{
    if (!rights_below(dn, domains) || span_same(dn, domains))
        return 0;
    return kind != RIGHTS_CONTAINER || !span_same(rights_parent(dn), domains);
}

static int
begins(struct span s, const char *word)
{
    size_t n = strlen(word);

    return s.n >= n && same_word((struct span){s.p, n}, word);
}

int
rights_odd_name(struct span dn)
{
    int starts = 1;

    for (size_t i = 0; i < dn.n; i++) {
        struct span rest = {dn.p + i, dn.n - i};

        if (dn.p[i] == '+' ||
            (starts && (begins(rest, "postroad") || begins(rest, "associateddomain="))))
            return 1;
        starts = dn.p[i] == ',';
        i += dn.p[i] == '\\';
    }
    return 0;
}
