/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain, renaming: the entry gets another name, and people's addresses follow it or
 * stay, as the administrator says. What it changes is said before.
 *
 * Promises: at no moment is mail to an address refused that was taken before: the
 * old name stays an alias domain until it is dropped on request, last of all, and
 * only when no address needs it. Interrupted, the same call goes on.
 * Must not move a mailbox: where its place is made of the address, that is said.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "domain_addresses.h"
#include "text.h"

struct renaming {
    struct org *o;
    const struct dir_entry *e;
    char from[ADDR_DOMAIN_MAX + 1], to[ADDR_DOMAIN_MAX + 1], dn[ORG_DN_MAX], now[ORG_DN_MAX];
    struct address_moves m;
};

/* --- before anything is changed --- */

static int
check_names(struct renaming *r)
{
    char value[1024], filter[1200], other[ORG_DN_MAX], rdn[512];
    size_t n = 0;
    int code = org_canon_domain(r->o, r->o->ctl->argv[0], r->from);

    if (code == CTL_DONE)
        code = org_canon_domain(r->o, r->o->ctl->argv[1], r->to);
    if (code != CTL_DONE)
        return code;
    if (strcmp(r->from, r->to) == 0)
        return ctl_usage("both names are %s", r->to);
    if (strncasecmp(r->e->dn, "dc=", 3) != 0)
        return ctl_fail(r->o->ctl, CTL_NO, "%s is not named by dc, and is not renamed here",
                        r->e->dn);
    if (dir_dn_below(dir_self(r->o->d), r->e->dn) == 1)
        return ctl_fail(
            r->o->ctl, CTL_NO,
            "your own entry is in %s: your rights would hang on a name that changes. An "
            "administrator outside it can do it",
            r->from);
    if (dir_rdn("dc", r->to, rdn, sizeof rdn) < 0 ||
        dir_dn(rdn, dir_parent(r->e->dn), r->now, sizeof r->now) < 0 ||
        dir_filter_escape(r->to, value, sizeof value) < 0)
        return ctl_usage("the name is too long");
    snprintf(r->dn, sizeof r->dn, "%s", r->e->dn);
    snprintf(filter, sizeof filter, "(&(objectClass=postroadDomain)(associatedDomain=%s))", value);
    code = org_count(r->o, dir_base(r->o->d), DIR_SUB, filter, &n, other);
    if (code == CTL_DONE && n > 0 && dir_dn_same(other, r->e->dn) != 1)
        return ctl_fail(r->o->ctl, CTL_NO, "%s is taken: %s has it", r->to, other);
    return code;
}

/* What is to become of addresses has no default: either way somebody would be surprised. */
static int
choose(struct renaming *r)
{
    const char *word = ctl_value(r->o->ctl, "addresses");
    size_t n = r->m.n - address_moves_left(&r->m);

    if (n > 0 && !word)
        return ctl_usage(
            "%zu addresses are in %s. What becomes of them?\n"
            "  --addresses new   they become addresses of %s; the old ones go on working while %s "
            "is an alias domain.\n"
            "                    Logins change with them, and mailboxes whose place is made of the "
            "address must be moved.\n"
            "  --addresses keep  they stay, and each gets one of %s besides",
            n, r->from, r->to, r->from, r->to);
    if (word && strcmp(word, "new") != 0 && strcmp(word, "keep") != 0)
        return ctl_usage("--addresses takes new or keep");
    r->m.keep = word && strcmp(word, "keep") == 0;
    if (r->m.keep && ctl_value(r->o->ctl, "drop-old"))
        return ctl_usage("--drop-old: addresses that are kept need %s", r->from);
    return CTL_DONE;
}

static int
ask(struct renaming *r)
{
    size_t people = 0, lists = 0, n = r->m.n - address_moves_left(&r->m);
    int drop = ctl_value(r->o->ctl, "drop-old") != NULL;
    char text[600] = "";
    int code = org_count(r->o, r->e->dn, DIR_SUB, "(objectClass=postroadAccount)", &people, NULL);

    if (code == CTL_DONE)
        code = org_count(r->o, r->e->dn, DIR_SUB, "(objectClass=postroadList)", &lists, NULL);
    if (code != CTL_DONE)
        return code;
    if (n > 0 && r->m.keep)
        snprintf(text, sizeof text, "%zu addresses get one of %s besides. ", n, r->to);
    else if (n > 0)
        snprintf(text, sizeof text,
                 "%zu addresses become those of %s, and so do logins; a mailbox whose place is "
                 "made of the address\n(mail_location with %%u or %%d) has to be moved by you, "
                 "before its owner logs in again. ",
                 n, r->to);
    return org_confirm(r->o,
                       "%s becomes %s, with %zu accounts and %zu lists in it; what names these "
                       "entries is rewritten.\n%sMail to %s %s. Go on?",
                       r->from, r->to, people, lists, text, r->from,
                       drop ? "is refused afterwards (--drop-old)"
                            : "still arrives, as it becomes an alias domain");
}

/* --- changing --- */

/* The new name is one of the domain's before anybody has an address of it; this also tries the right. */
static int
add_name(struct renaming *r)
{
    struct dir_change *c;
    int code;

    if (dir_has(r->e, "associatedDomain", r->to))
        return CTL_DONE;
    c = dir_change_new();
    dir_change_value(c, DIR_ADD, "associatedDomain", r->to);
    code = dir_modify(r->o->d, r->e->dn, c);
    dir_change_free(&c);
    return code == CTL_DONE ? CTL_DONE : org_fail(r->o, code);
}

static int
rename_entry(struct renaming *r)
{
    char rdn[512];
    int code;

    if (dir_dn_same(r->dn, r->now) == 1) /* an earlier call has come so far */
        return CTL_DONE;
    if (dir_rdn("dc", r->to, rdn, sizeof rdn) < 0)
        return ctl_usage("the name is too long");
    code = dir_rename(r->o->d, r->dn, rdn, NULL);
    return code == CTL_DONE ? org_references(r->o, r->dn, r->now) : org_fail(r->o, code);
}

static int
drop_name(struct renaming *r)
{
    struct dir_change *c;
    size_t left = address_moves_left(&r->m);
    int code;

    if (!ctl_value(r->o->ctl, "drop-old"))
        return CTL_DONE;
    if (left > 0) {
        fprintf(stderr,
                "postroad: %s stays an alias domain: %zu addresses still need it. Later: postroad "
                "domain modify %s --remove-alias %s\n",
                r->from, left, r->to, r->from);
        return CTL_DONE;
    }
    c = dir_change_new();
    dir_change_value(c, DIR_DELETE, "associatedDomain", r->from);
    code = dir_modify(r->o->d, r->now, c);
    dir_change_free(&c);
    return code == CTL_DONE ? CTL_DONE : org_fail(r->o, code);
}

/* --- telling --- */

static void
report_json(const struct renaming *r, int code)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < r->m.n; i++) {
        const struct address_move *a = &r->m.list[i];

        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s*}", "dn", a->dn, "old",
                                              a->old, "new", a->now, "fate",
                                              a->why ? "left" : "done", "why", a->why));
    }
    ctl_print_json(json_pack("{s:b, s:s, s:s, s:o, s:i}", "ok", code == CTL_DONE, "dn", r->now,
                             "done", r->to, "addresses", rows, "left",
                             (int)address_moves_left(&r->m)));
}

static int
report(const struct renaming *r)
{
    size_t left = address_moves_left(&r->m);
    int code = left > 0 ? CTL_NO : CTL_DONE;

    if (dir_dry(r->o->d)) {
        for (size_t i = 0; i < r->m.n; i++)
            if (r->m.list[i].why)
                fprintf(stderr, "postroad: %s would be left: %s\n", r->m.list[i].old,
                        r->m.list[i].why);
        return code;
    }
    if (r->o->ctl->json) {
        report_json(r, code);
        return code;
    }
    for (size_t i = 0; i < r->m.n; i++) {
        const struct address_move *a = &r->m.list[i];

        text_put(stdout, a->old);
        fputs(a->why ? ": left as it is: " : r->m.keep ? " is also " : " is now ", stdout);
        text_put(stdout, a->why ? a->why : a->now);
        putchar('\n');
    }
    printf("%s is %s now; %zu addresses done, %zu left\n", r->from, r->to, r->m.n - left, left);
    return code;
}

static int
steps(struct renaming *r)
{
    int code = check_names(r);

    r->m.from = r->from;
    r->m.to = r->to;
    if (code == CTL_DONE)
        code = address_moves_find(r->o, &r->m);
    if (code == CTL_DONE)
        code = choose(r);
    if (code == CTL_DONE)
        code = ask(r);
    if (code == CTL_DONE)
        code = add_name(r);
    if (code == CTL_DONE)
        code = address_moves_begin(r->o, &r->m);
    if (code == CTL_DONE)
        code = rename_entry(r);
    if (code == CTL_DONE)
        code = address_moves_end(r->o, &r->m, r->dn, r->now);
    if (code == CTL_DONE)
        code = drop_name(r);
    return code == CTL_DONE ? report(r) : code;
}

int
verb_domain_rename(struct ctl *ctl)
{
    struct renaming r = {0};
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code;

    if (ctl_needs_preset(ctl, "names for domains", "postroad") != CTL_DONE)
        return CTL_USAGE;
    code = org_open(&o, ctl, 2, 2, "a domain and its new name");
    if (code == CTL_DONE)
        code = org_domain(&o, ctl->argv[0], NULL, &e);
    r.o = &o;
    r.e = e;
    if (code == CTL_DONE)
        code = steps(&r);
    address_moves_free(&r.m);
    dir_entry_free(&e);
    return org_close(&o, code);
}
