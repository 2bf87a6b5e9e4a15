/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_edit: what of our settings is not in effect at one entry of cn=config.
 *
 * Promises: nothing that is right already is touched. Rules of others stay, behind
 * ours; ours are found again between their two marks. An index keeps what it has.
 * Must not ask or change the server.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ldap_edit.h"

#define MARK_BEGIN "cn=postroad-rules-begin,"
#define MARK_END   "cn=postroad-rules-end,"

/* --- one change --- */

int
edit_begin(struct edit *e, const char *dn, const char *undo_dn, int adds)
{
    struct ldap_change *c = calloc(1, sizeof *c);

    memset(e, 0, sizeof *e);
    e->change = c;
    if (!c)
        return -1;
    c->adds = adds;
    c->dn = strdup(dn);
    c->undo_dn = strdup(undo_dn);
    c->change = dir_change_new();
    e->ldif = open_memstream(&c->ldif, &e->ldif_n);
    e->undo = open_memstream(&c->undo, &e->undo_n);
    if (!c->dn || !c->undo_dn || !c->change || !e->ldif || !e->undo)
        return -1;
    olc_put(e->ldif, "dn", dn);
    fprintf(e->ldif, "changetype: %s\n", adds ? "add" : "modify");
    return 0;
}

/* One value to the change; lines are joined for the server. */
void
edit_value(struct edit *e, enum dir_op op, const char *attr, const char *value)
{
    char *flat = strdup(value), *to = flat;

    for (const char *p = value; flat && *p; p++) {
        *to++ = *p == '\n' ? ' ' : *p;
        if (*p == '\n')
            p += strspn(p + 1, " \t");
    }
    if (flat)
        *to = '\0';
    dir_change_value(e->change->change, op, attr, flat);
    olc_put(e->ldif, attr, value);
    free(flat);
}

void
edit_open(struct edit *e, const char *op, const char *attr)
{
    fprintf(e->ldif, "%s%s: %s\n", e->parts++ ? "-\n" : "", op, attr);
}

/* Undo: the attribute as it was; each attribute once. */
static void
edit_undo(struct edit *e, const char *attr, const struct dir_attr *was)
{
    if (ftell(e->undo) == 0) {
        olc_put(e->undo, "dn", e->change->undo_dn);
        fputs("changetype: modify\n", e->undo);
    } else {
        fputs("-\n", e->undo);
    }
    fprintf(e->undo, "replace: %s\n", attr);
    for (size_t i = 0; was && i < was->n; i++)
        olc_put(e->undo, attr, was->v[i].p);
}

int
edit_end(struct edit *e, struct ldap_change **change_r)
{
    int failed = !e->change || !e->ldif || !e->undo;

    if (e->ldif && fclose(e->ldif) != 0)
        failed = 1;
    if (e->undo && fclose(e->undo) != 0)
        failed = 1;
    *change_r = e->change;
    if (failed || (!e->change->adds && e->parts == 0))
        ldap_change_free(change_r);
    return failed ? -1 : 0;
}

void
edit_delete_all(struct edit *e, const struct dir_attr *was)
{
    edit_open(e, "delete", was->name);
    dir_change_value(e->change->change, DIR_DELETE, was->name, NULL);
    edit_undo(e, was->name, was);
}

void
ldap_change_free(struct ldap_change **first)
{
    while (*first) {
        struct ldap_change *c = *first;

        *first = c->next;
        dir_change_free(&c->change);
        free(c->dn);
        free(c->undo_dn);
        free(c->ldif);
        free(c->undo);
        free(c);
    }
}

/* --- attributes --- */

static int
has_value(const struct dir_attr *a, const char *value)
{
    for (size_t i = 0; a && i < a->n; i++)
        if (olc_same(a->v[i].p, value))
            return 1;
    return 0;
}

static void
put_one(struct edit *e, const struct dir_entry *at, const struct olc_value *v)
{
    const struct dir_attr *a = at ? dir_attr(at, v->attr) : NULL;

    if (a && a->n == 1 && olc_same(a->v[0].p, v->text))
        return;
    edit_open(e, "replace", v->attr);
    edit_value(e, DIR_REPLACE, v->attr, v->text);
    edit_undo(e, v->attr, a);
}

/* All values of one attribute of style OLC_EACH that are missing. */
static void
put_each(struct edit *e, const struct dir_entry *at, const struct olc_list *list, size_t first)
{
    const struct olc_value *v = &list->v[first];
    const struct dir_attr *a = at ? dir_attr(at, v->attr) : NULL;
    int n = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct olc_value *other = &list->v[i];

        if (!other->attr || strcmp(other->attr, v->attr) != 0 || has_value(a, other->text))
            continue;
        if (i < first)
            return;
        if (n++ == 0)
            edit_open(e, "add", v->attr);
        edit_value(e, DIR_ADD, v->attr, other->text);
    }
    if (n)
        edit_undo(e, v->attr, a);
}

static const char *
rid_of(const char *value)
{
    const char *rid = strstr(value, "rid=");

    return rid ? rid + 4 : "";
}

/* A syncrepl of the same rid goes, unless it says the same. */
static void
put_replica(struct edit *e, const struct dir_entry *at, const struct olc_value *v)
{
    const struct dir_attr *a = dir_attr(at, v->attr);

    if (has_value(a, v->text))
        return;
    for (size_t i = 0; a && i < a->n; i++) {
        if (atoi(rid_of(a->v[i].p)) != atoi(rid_of(v->text)))
            continue;
        edit_open(e, "delete", v->attr);
        edit_value(e, DIR_DELETE, v->attr, a->v[i].p);
    }
    edit_open(e, "add", v->attr);
    edit_value(e, DIR_ADD, v->attr, v->text);
    edit_undo(e, v->attr, a);
}

/* --- indices --- */

/* Whether word is one of the words of list, divided by commas, up to a blank. */
static int
comma_has(const char *list, const char *word, size_t n)
{
    while (*list && *list != ' ') {
        size_t len = strcspn(list, ", ");

        if (len == n && strncasecmp(list, word, n) == 0)
            return 1;
        list += len + (list[len] == ',');
    }
    return 0;
}

static const char *
kinds_of(const char *value)
{
    const char *blank = strchr(value, ' ');

    return blank ? blank + strspn(blank, " ") : "";
}

/* Whether a has all kinds of index of attribute name that kinds asks for. */
static int
is_indexed(const struct dir_attr *a, const char *name, size_t n, const char *kinds)
{
    for (size_t i = 0; a && i < a->n; i++) {
        const char *have = olc_text(a->v[i].p);

        if (!comma_has(have, name, n))
            continue;
        for (const char *k = kinds; *k; k += strcspn(k, ","), k += *k == ',')
            if (!comma_has(kinds_of(have), k, strcspn(k, ",")))
                return 0;
        return 1;
    }
    return 0;
}

struct index_word {
    const char *name;
    size_t n;
    const char *kinds;
};

static size_t
index_words(const struct olc_list *list, struct index_word *words, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++) {
        const char *p = list->v[i].text;

        if (list->v[i].style != OLC_INDEX)
            continue;
        while (*p && *p != ' ' && n < cap) {
            words[n] = (struct index_word){p, strcspn(p, ", "), kinds_of(list->v[i].text)};
            p += words[n].n;
            p += *p == ',';
            n++;
        }
    }
    return n;
}

/* An old line with an attribute that needs more: it goes, and comes again without that attribute. */
static void
split_line(struct edit *e, const char *attr, const char *line, const struct index_word *words,
           size_t nwords)
{
    char left[1024] = "";

    for (const char *p = line; *p && *p != ' '; p += *p == ',') {
        size_t n = strcspn(p, ", "), ours = 0;

        for (size_t i = 0; i < nwords; i++)
            ours |= words[i].n == n && strncasecmp(words[i].name, p, n) == 0;
        if (!ours && strlen(left) + n + 2 < sizeof left)
            sprintf(left + strlen(left), "%s%.*s", *left ? "," : "", (int)n, p);
        p += n;
    }
    if (*left && strlen(left) + strlen(kinds_of(line)) + 2 < sizeof left) {
        sprintf(left + strlen(left), " %s", kinds_of(line));
        edit_open(e, "add", attr);
        edit_value(e, DIR_ADD, attr, left);
    }
}

static void
put_indices(struct edit *e, const struct dir_entry *at, const struct olc_list *list)
{
    struct index_word words[64], miss[64];
    size_t n = index_words(list, words, 64), nmiss = 0;
    const struct dir_attr *a = dir_attr(at, "olcDbIndex");

    for (size_t i = 0; i < n; i++)
        if (!is_indexed(a, words[i].name, words[i].n, words[i].kinds))
            miss[nmiss++] = words[i];
    if (!nmiss)
        return;
    for (size_t i = 0; a && i < a->n; i++) {
        const char *line = olc_text(a->v[i].p);
        size_t hit = 0;

        for (size_t j = 0; j < nmiss; j++)
            hit |= (size_t)comma_has(line, miss[j].name, miss[j].n);
        if (!hit)
            continue;
        edit_open(e, "delete", "olcDbIndex");
        edit_value(e, DIR_DELETE, "olcDbIndex", a->v[i].p);
        split_line(e, "olcDbIndex", line, miss, nmiss);
    }
    edit_open(e, "add", "olcDbIndex");
    for (size_t i = 0; i < nmiss; i++) {
        char value[256];

        snprintf(value, sizeof value, "%.*s %s", (int)miss[i].n, miss[i].name, miss[i].kinds);
        edit_value(e, DIR_ADD, "olcDbIndex", value);
    }
    edit_undo(e, "olcDbIndex", a);
}

/* --- rules --- */

static size_t
find_mark(const struct dir_attr *a, const char *mark)
{
    size_t i = 0;

    while (a && i < a->n && !strstr(a->v[i].p, mark))
        i++;
    return a ? i : 0;
}

static int
is_ours(const struct olc_list *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].style == OLC_RULES && olc_same(list->v[i].text, text))
            return 1;
    return 0;
}

static void
put_rule(struct edit *e, const char *text, size_t *n)
{
    char *numbered = NULL;

    if (asprintf(&numbered, "{%zu}%s", (*n)++, olc_text(text)) < 0)
        return;
    edit_value(e, DIR_REPLACE, "olcAccess", numbered);
    free(numbered);
}

/* Whether the rules at the server are, in order, what they shall be. */
static int
rules_stand(const struct dir_attr *a, const struct olc_list *list, size_t from)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->v[i].style != OLC_RULES)
            continue;
        if (!a || from >= a->n || !olc_same(a->v[from++].p, list->v[i].text))
            return 0;
    }
    return 1;
}

/* What stands before our marks stays there, ours come anew, all else follows. */
static void
put_rules(struct edit *e, const struct dir_entry *at, const struct olc_list *list)
{
    const struct dir_attr *a = dir_attr(at, "olcAccess");
    size_t begin = find_mark(a, MARK_BEGIN), end = find_mark(a, MARK_END), n = 0;
    int marked = a && begin < a->n && end < a->n && begin < end;

    if (marked && rules_stand(a, list, begin))
        return;
    edit_open(e, "replace", "olcAccess");
    for (size_t i = 0; marked && i < begin; i++)
        put_rule(e, a->v[i].p, &n);
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].style == OLC_RULES)
            put_rule(e, list->v[i].text, &n);
    for (size_t i = marked ? end + 1 : 0; a && i < a->n; i++)
        if (!is_ours(list, a->v[i].p))
            put_rule(e, a->v[i].p, &n);
    edit_undo(e, "olcAccess", a);
}

static int
first_of(const struct olc_list *list, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (list->v[j].attr && strcmp(list->v[j].attr, list->v[i].attr) == 0)
            return 0;
    return 1;
}

/* The settings of one place, into e. overlay: only those of this one. */
void
edit_settings(struct edit *e, const struct dir_entry *at, const struct olc_list *list,
              enum olc_where where, const char *overlay)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct olc_value *v = &list->v[i];

        if (v->where != where || !v->attr || strcmp(v->overlay, overlay) != 0)
            continue;
        if (v->style == OLC_ONE)
            put_one(e, at, v);
        else if (v->style == OLC_REPLICA)
            put_replica(e, at, v);
        else if (!first_of(list, i))
            continue;
        else if (v->style == OLC_EACH)
            put_each(e, at, list, i);
        else if (v->style == OLC_INDEX)
            put_indices(e, at, list);
        else
            put_rules(e, at, list);
    }
}
