/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * department, moving and renaming: one change in the directory that takes everybody
 * below along. What else it changes is said before: whose scopes and lists name
 * people below by their DN (rewritten afterwards), and which home site they would
 * inherit at the new place.
 *
 * Must not move anybody's mail to another site in passing: that is refused.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "org.h"

/* Refuse a new place from which people would inherit another home site than they have now. */
static int
check_home(struct org *o, const char *dn, const char *parent, const char *path)
{
    char before[256], now[256], from[ORG_DN_MAX];
    size_t n = 0;
    int code = org_inherited(o, dn, "postroadHomeSite", before, sizeof before, from);

    if (code != CTL_DONE || dir_dn_same(from, dn) == 1)
        return code;
    code = org_inherited(o, parent, "postroadHomeSite", now, sizeof now, from);
    if (code != CTL_DONE || strcasecmp(before, now) == 0)
        return code;
    code = org_home_followers(o, dn, &n);
    if (code != CTL_DONE || n == 0)
        return code;
    return ctl_fail(o->ctl, CTL_NO,
                    "%zu accounts of %s have their home site \"%s\" from above; at the new place "
                    "it would be \"%s\", and their mail would go where their mailboxes are not.\n"
                    "To keep them where they are: postroad department modify %s --site %s",
                    n, path, before, now, path, *before ? before : "SITE");
}

/* Say what it takes along, and ask. */
static int
ask(struct org *o, const char *dn, const char *path, const char *to)
{
    size_t people = 0, lists = 0;
    int code = org_count(o, dn, DIR_SUB, "(objectClass=postroadAccount)", &people, NULL);

    if (code == CTL_DONE)
        code = org_count(o, dn, DIR_SUB, "(objectClass=postroadList)", &lists, NULL);
    if (code != CTL_DONE)
        return code;
    return org_confirm(o,
                       "%s becomes %s, with %zu accounts and %zu lists in it. Addresses and "
                       "mailboxes stay as they are;\nwhat names these entries (members and owners "
                       "of lists, scopes of administrators) is rewritten. Go on?",
                       path, to, people, lists);
}

static int
rename_to(struct org *o, const char *dn, const char *name, const char *parent)
{
    char rdn[512], now[ORG_DN_MAX], path[ORG_DN_MAX], to[ORG_DN_MAX];
    int code;

    if (dir_rdn("ou", name, rdn, sizeof rdn) < 0 ||
        dir_dn(rdn, parent ? parent : dir_parent(dn), now, sizeof now) < 0)
        return ctl_usage("the name is too long");
    org_path(dn, path, sizeof path);
    org_path(now, to, sizeof to);
    code = parent ? check_home(o, dn, parent, path) : CTL_DONE;
    if (code == CTL_DONE)
        code = ask(o, dn, path, to);
    if (code != CTL_DONE)
        return code;
    code = dir_rename(o->d, dn, rdn, parent);
    if (code != CTL_DONE)
        return org_fail(o, code);
    code = org_references(o, dn, now);
    return code == CTL_DONE ? org_done(o, now, "%s is %s now", path, to) : code;
}

int
verb_department_rename(struct ctl *ctl)
{
    static const char *const none[] = {"1.1", NULL};
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 2, 2, "one DOMAIN/NAME and the new name");

    if (code == CTL_DONE && (!*ctl->argv[1] || strchr(ctl->argv[1], '/')))
        code = ctl_usage("the new name is a name only; \"department move\" puts it elsewhere");
    if (code == CTL_DONE)
        code = org_department(&o, ctl->argv[0], none, &e);
    if (code == CTL_DONE)
        code = rename_to(&o, e->dn, ctl->argv[1], NULL);
    dir_entry_free(&e);
    return org_close(&o, code);
}

static int
move(struct org *o, const char *dn, const char *parent)
{
    char name[512];

    if (dir_dn_below(parent, dn) == 1)
        return ctl_fail(o->ctl, CTL_NO, "a department can't be moved into itself");
    if (dir_dn_same(dir_parent(dn), parent) == 1)
        return ctl_fail(o->ctl, CTL_NO, "it stands there already");
    if (dir_rdn_value(dn, name, sizeof name) < 0)
        return ctl_usage("the name is too long");
    return rename_to(o, dn, name, parent);
}

int
verb_department_move(struct ctl *ctl)
{
    static const char *const none[] = {"1.1", NULL};
    struct dir_entry *e = NULL, *to = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 2, 2, "one DOMAIN/NAME and the domain or department to put it in");

    if (code == CTL_DONE)
        code = org_department(&o, ctl->argv[0], none, &e);
    if (code == CTL_DONE)
        code = org_container(&o, ctl->argv[1], none, &to);
    if (code == CTL_DONE)
        code = move(&o, e->dn, to->dn);
    dir_entry_free(&e);
    dir_entry_free(&to);
    return org_close(&o, code);
}
