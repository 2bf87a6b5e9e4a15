/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_modify: change what an entry holds, by the options that are said and nothing
 * else; suspend and resume are the same with the state alone. An option with an
 * empty value takes the attribute away, so that what is inherited counts again.
 *
 * A new primary address keeps the old one as a further address: mail to it goes on
 * arriving until somebody takes it away on purpose.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "claim.h"
#include "limit.h"
#include "text.h"
#include "user.h"

#define NEW_MAX 64

struct modifying {
    struct dir *d;
    const struct ctl *ctl;
    const struct dir_entry *e;
    struct dir_change *c;
    struct user u;
    const char *fresh[NEW_MAX]; /* addresses nobody may have yet; into text */
    size_t nfresh, used;
    char text[NEW_MAX * 64 + ADDR_MAX];
};

/* Whether the entry has the value, as the directory would compare it. */
static int
has(const struct modifying *m, enum user_field f, const char *value)
{
    return dir_has(m->e, user_field_attr(f), value);
}

static int
want_free(struct modifying *m, const char *address)
{
    size_t n = strlen(address) + 1;

    if (m->nfresh == NEW_MAX || m->used + n > sizeof m->text)
        return ctl_usage("more than %d new addresses at once", NEW_MAX);
    m->fresh[m->nfresh++] = strcpy(m->text + m->used, address);
    m->used += n;
    return CTL_DONE;
}

/* --- fields of one value --- */

static void
replace(struct modifying *m, const char *attr, const char *value)
{
    if (*value ? !(strcmp(dir_value(m->e, attr), value) == 0) : dir_attr(m->e, attr) != NULL)
        dir_change_value(m->c, DIR_REPLACE, attr, *value ? value : NULL);
}

/* cn and sn must stay: without a name, what else we know of him. */
static int
change_one(struct modifying *m, enum user_field f)
{
    const char *value = m->u.value[f];

    if (!value)
        return CTL_DONE;
    if (f == USER_SURNAME && !*value)
        return ctl_usage("--surname: a person must have one");
    if (f == USER_UID)
        return ctl_usage("--uid is part of the entry's name and is not changed here");
    if (f == USER_DEPARTMENT)
        return ctl_usage("to another department: postroad user move");
    replace(m, user_field_attr(f), value);
    if (f == USER_NAME && *value)
        replace(m, "cn", value);
    return CTL_DONE;
}

static int
change_site(struct modifying *m, enum user_field f)
{
    const char *site = m->u.value[f];

    if (!site || !*site)
        return CTL_DONE;
    return place_site(m->d, site);
}

/* --- fields of several --- */

static int
add_values(struct modifying *m, enum user_field f)
{
    const char *at = NULL;
    char value[4200];
    int code = CTL_DONE;

    while (code == CTL_DONE && user_next(&m->u, f, &at, value, sizeof value)) {
        if (has(m, f, value))
            continue;
        if (f == USER_ALIAS)
            code = want_free(m, value);
        dir_change_value(m->c, DIR_ADD, user_field_attr(f), value);
    }
    return code;
}

/* The value of attr that means the same as text, as the directory has it; NULL. */
static const char *
value_like(const struct modifying *m, enum user_field f, const char *text)
{
    const struct dir_attr *a = dir_attr(m->e, user_field_attr(f));
    struct addr want, have;
    int address = addr_parse(&want, text, strlen(text), "") == 1;

    for (size_t i = 0; a && i < a->n; i++) {
        if (strcasecmp(a->v[i].p, text) == 0)
            return a->v[i].p;
        if (address && addr_parse(&have, a->v[i].p, a->v[i].n, "") == 1 &&
            strcmp(have.text, want.text) == 0)
            return a->v[i].p;
    }
    return NULL;
}

static int
remove_values(struct modifying *m, const char *option, enum user_field f)
{
    const char *text, *value;
    size_t at = 0;

    while ((text = ctl_next_value(m->ctl, option, &at))) {
        value = value_like(m, f, text);
        if (!value)
            return dir_refuse(m->d, CTL_NO, "%s has no %s \"%.200s\"", dir_value(m->e, "mail"),
                              user_field_name(f), text);
        dir_change_value(m->c, DIR_DELETE, user_field_attr(f), value);
    }
    return CTL_DONE;
}

static int
change_several(struct modifying *m)
{
    static const struct {
        const char *option;
        enum user_field f;
    } removing[] = {{"remove-alias", USER_ALIAS},
                    {"remove-forward", USER_FORWARD},
                    {"remove-delegate", USER_DELEGATE},
                    {"allow", USER_DENY}};
    int code = CTL_DONE;

    for (size_t i = 0; code == CTL_DONE && i < sizeof removing / sizeof *removing; i++)
        code = remove_values(m, removing[i].option, removing[i].f);
    for (int f = 0; code == CTL_DONE && f < USER_FIELDS; f++)
        if (user_field_many((enum user_field)f))
            code = add_values(m, (enum user_field)f);
    return code;
}

/* --- the primary address --- */

static int
change_address(struct modifying *m)
{
    const char *to = ctl_value(m->ctl, "mail"), *from = dir_value(m->e, "mail"), *same;
    char error[640];

    if (!to)
        return CTL_DONE;
    if (user_set(&m->u, USER_ADDRESS, to, strlen(to), error, sizeof error) < 0 || !*to)
        return ctl_usage("--mail: %s", *to ? error : "which address?");
    to = m->u.value[USER_ADDRESS];
    if (strcasecmp(to, from) == 0)
        return CTL_DONE;
    same = value_like(m, USER_ALIAS, to);
    if (same)
        dir_change_value(m->c, DIR_DELETE, "postroadAlias", same);
    dir_change_value(m->c, DIR_REPLACE, "mail", to);
    if (*from && !ctl_value(m->ctl, "drop-old") && !value_like(m, USER_ALIAS, from))
        dir_change_value(m->c, DIR_ADD, "postroadAlias", from);
    return same ? CTL_DONE : want_free(m, to);
}

/* --- all of it --- */

static int
gather(struct modifying *m)
{
    int code = change_address(m);

    for (int f = 0; code == CTL_DONE && f < USER_FIELDS; f++)
        if (f != USER_ADDRESS && !user_field_many((enum user_field)f))
            code = change_one(m, (enum user_field)f);
    if (code == CTL_DONE)
        code = change_several(m);
    if (code == CTL_DONE)
        code = limit_options(m->ctl, m->e, 0, m->c);
    if (code == CTL_DONE)
        code = change_site(m, USER_SITE);
    if (code == CTL_DONE)
        code = change_site(m, USER_STANDBY);
    if (code == CTL_DONE && m->nfresh > 0)
        code = claim_free(m->d, m->fresh, m->nfresh, m->e->dn);
    return code;
}

static void
report(const struct ctl *ctl, const struct dir_entry *e, size_t changes, const char *done)
{
    if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:s, s:s, s:b}", "ok", 1, "dn", e->dn, "address",
                                 dir_value(e, "mail"), "changed", changes > 0));
        return;
    }
    printf("%s ", changes > 0 ? done : "Nothing to change at");
    text_put(stdout, *dir_value(e, "mail") ? dir_value(e, "mail") : e->dn);
    putchar('\n');
}

static int
apply(struct modifying *m, const char *done)
{
    size_t n = dir_change_count(m->c);
    int code = n > 0 ? dir_modify(m->d, m->e->dn, m->c) : CTL_DONE;

    if (code == CTL_DONE && !dir_dry(m->d))
        report(m->ctl, m->e, n, done);
    return code;
}

static int
modify(struct ctl *ctl, int (*what)(struct modifying *), const char *done)
{
    struct modifying m;
    struct dir_entry *e = NULL;
    int code;

    memset(&m, 0, sizeof m);
    m.ctl = ctl;
    code = user_from_options(&m.u, ctl);
    if (code == CTL_DONE && (code = dir_open(ctl, &m.d)) == CTL_DONE) {
        m.c = dir_change_new();
        code = user_find(m.d, ctl->argv[0], &e);
        m.e = e;
        if (code == CTL_DONE && !m.c)
            code = dir_refuse(m.d, CTL_TEMPORARY, "no memory");
        if (code == CTL_DONE)
            code = what(&m);
        if (code == CTL_DONE)
            code = apply(&m, done);
        if (code != CTL_DONE && *dir_error(m.d))
            dir_fail(m.d, code);
        dir_entry_free(&e);
        dir_change_free(&m.c);
        dir_close(&m.d);
    }
    user_clear(&m.u);
    return code;
}

int
verb_user_modify(struct ctl *ctl)
{
    if (ctl->argc != 1)
        return ctl_usage("user modify takes one address and options that say what changes");
    return modify(ctl, gather, "Changed");
}

/* --- suspend, resume --- */

/* Who is on his way to another site must not be stopped in between. */
static int
set_state(struct modifying *m, const char *state)
{
    const char *now = dir_value(m->e, "postroadState");

    if (strcasecmp(now, "moving") == 0)
        return dir_refuse(m->d, CTL_NO,
                          "%s is moving to another site: finish that first (postroad status)",
                          dir_value(m->e, "mail"));
    if (*state)
        replace(m, "postroadState", state);
    else if (*now && strcasecmp(now, "active") != 0)
        dir_change_value(m->c, DIR_REPLACE, "postroadState", NULL);
    return CTL_DONE;
}

static int
suspend(struct modifying *m)
{
    return set_state(m, "suspended");
}

static int
resume(struct modifying *m)
{
    return set_state(m, "");
}

int
verb_user_suspend(struct ctl *ctl)
{
    if (ctl->argc != 1)
        return ctl_usage("user suspend takes one address");
    return modify(ctl, suspend, "Suspended (receives mail, can't log in or send):");
}

int
verb_user_resume(struct ctl *ctl)
{
    if (ctl->argc != 1)
        return ctl_usage("user resume takes one address");
    return modify(ctl, resume, "Resumed (unless the department is suspended):");
}
