/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_rule: see hold_rule.h. This file asks the conditions; hold_parse.c reads them.
 *
 * Promises: what the directory can't say is "unsure", never yes or no. A name with something behind its
 * type that a client may cut off (a dot, a blank, a NUL, a path's other part) is of that type. Must
 * not decide what becomes of the message: that is guard_hold's.
 */
#include "hold_rule.h"

#include <strings.h>

#include "fold_text.h"

#define NAME_MOST 4096 /* bytes of a name that are looked at, its end */

static enum guard_known
is_one_of(const struct named *named, unsigned n, const struct hold_person *who)
{
    if (who->unsure)
        return GUARD_UNSURE;
    for (unsigned i = 0; i < n; i++)
        if (named_is(&named[i], who->account, who->domain, who->department))
            return GUARD_YES;
    return GUARD_NO;
}

enum guard_known
hold_rule_sender(const struct hold_rule *r, const struct hold_person *from, int outside)
{
    if (r->froms == 0)
        return GUARD_YES;
    return outside ? GUARD_NO : is_one_of(r->from, r->froms, from);
}

int
hold_rule_asks_recipient(const struct hold_rule *r)
{
    return r->tos > 0 || r->directions != 0 || r->members >= 0;
}

/* A no is a no, whatever else can't be told. */
static enum guard_known
both(enum guard_known a, enum guard_known b)
{
    return a == GUARD_NO || b == GUARD_NO           ? GUARD_NO
           : a == GUARD_UNSURE || b == GUARD_UNSURE ? GUARD_UNSURE
                                                    : GUARD_YES;
}

enum guard_known
hold_rule_recipient(const struct hold_rule *r, const struct hold_recipient *to)
{
    enum guard_known known = GUARD_YES;

    if (r->directions && to->who.unsure)
        known = GUARD_UNSURE;
    else if (r->directions && !(r->directions >> to->direction & 1))
        known = GUARD_NO;
    if (r->tos > 0)
        known = both(known, is_one_of(r->to, r->tos, &to->who));
    if (r->members >= 0 && to->who.unsure)
        known = both(known, GUARD_UNSURE);
    else if (r->members >= 0 && !to->is_list)
        known = GUARD_NO;
    else if (r->members >= 0)
        known = both(known, to->members < 0            ? GUARD_UNSURE
                            : to->members > r->members ? GUARD_YES
                                                       : GUARD_NO);
    return known;
}

int
hold_rule_means_list(const struct hold_rule *r, const struct hold_recipient *to)
{
    if (!to->is_list)
        return 0;
    for (unsigned i = 0; i < r->tos; i++)
        if (*r->to[i].account && strcmp(r->to[i].account, to->who.account) == 0)
            return 1;
    return r->members >= 0;
}

static int
has_type(struct span name, const char *type)
{
    size_t n = strlen(type);

    return name.n > n && name.p[name.n - n - 1] == '.' &&
           strncasecmp(name.p + name.n - n, type, n) == 0;
}

/* Whether a part of a name, up to where some client may cut it off, ends in a type. */
static int
is_of(const struct hold_rule *r, struct span part)
{
    while (part.n > 0 && strchr(". \"'", part.p[part.n - 1]))
        part.n--;
    for (const char *type = r->attachment; *type; type += strlen(type) + 1)
        if (has_type(part, type))
            return 1;
    return 0;
}

/* Folded, and once more without the blanks that a folded line may have left. */
static int
is_of_folded(const struct hold_rule *r, struct span part)
{
    char folded[NAME_MOST + 1];
    size_t tight = 0;
    long n;

    if (part.n > NAME_MOST / 4)
        part = (struct span){part.p + part.n - NAME_MOST / 4, NAME_MOST / 4};
    n = fold_text(folded, sizeof folded, part);
    if (n <= 0 || is_of(r, (struct span){folded, (size_t)n}))
        return n != 0; /* one that can't be folded is one of them */
    for (long i = 0; i < n; i++)
        if (folded[i] != ' ')
            folded[tight++] = folded[i];
    return is_of(r, (struct span){folded, tight});
}

int
hold_rule_attachment(const struct hold_rule *r, struct span name)
{
    if (name.n > 0 && strcmp(r->attachment, "*") == 0)
        return 1;
    for (size_t at = 0, end; at < name.n; at = end + 1) {
        for (end = at; end < name.n && name.p[end] && !strchr("\r\n\t/\\:;?*|<>", name.p[end]);)
            end++;
        if (is_of_folded(r, (struct span){name.p + at, end - at}))
            return 1;
    }
    return 0;
}

int
hold_rule_subject(const struct hold_rule *r, struct span folded)
{
    for (const char *word = r->subject; *word; word += strlen(word) + 1)
        if (memmem(folded.p, folded.n, word, strlen(word)))
            return 1;
    return 0;
}
