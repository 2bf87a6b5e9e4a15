/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site, what is wanted: a site that is failed over, a server that is drained. It
 * stands in the directory (postroadDesiredState), so every site acts on it within a
 * second; what is healthy is the daemon's to find out, and is not overwritten here.
 *
 * Promises: whoever looks next finds since when it is so, by whom and why: at the
 * entry, in the same change, and in the system's log here.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "log.h"
#include "site_verbs.h"

#define REASON_MAX 500

void
site_log(const struct org *o, const char *dn, const char *what)
{
    const char *reason = o->ctl->reason;

    if (dir_dry(o->d))
        return;
    log_open("syslog", o->ctl->conf->log.facility, "notice", "postroad");
    log_notice("site %s dn=\"%s\" by=\"%s\"%s%.*s%s", what, dn, dir_self(o->d),
               reason ? " reason=\"" : "", REASON_MAX, reason ? reason : "", reason ? "\"" : "");
}

/* "postroad: drain since 2026-11-22 09:30 UTC by uid=lina,…: a disk is replaced" */
static void
note(const struct org *o, const char *state, char *out, size_t cap)
{
    time_t now = time(NULL);
    struct tm tm;
    char when[32];

    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &tm);
    snprintf(out, cap, SITE_NOTE "%s since %s by %s%s%s", state, when, dir_self(o->d),
             o->ctl->reason ? ": " : "", o->ctl->reason ? o->ctl->reason : "");
}

static int
check_reason(struct org *o)
{
    const char *reason = o->ctl->reason;

    if (!reason)
        return CTL_DONE;
    if (!*reason || strlen(reason) > REASON_MAX)
        return ctl_usage("--reason takes a sentence of at most %d bytes", REASON_MAX);
    for (const char *p = reason; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return ctl_usage("--reason takes one line");
    return CTL_DONE;
}

/* One change: the state, the old note away, the new one in. Up without a reason needs no note. */
static int
want(struct org *o, const struct dir_entry *e, const char *name, const char *state)
{
    int same = strcasecmp(site_wanted(e), state) == 0;
    char text[REASON_MAX + ORG_DN_MAX + 128];
    struct dir_change *c;
    int code = check_reason(o);

    if (code == CTL_DONE && same && !o->ctl->reason)
        return org_done(o, e->dn, "%s is %s already", name, state);
    if (code != CTL_DONE)
        return code;
    c = dir_change_new();
    if (!same)
        dir_change_value(c, DIR_REPLACE, "postroadDesiredState", state);
    if (*site_note(e))
        dir_change_value(c, DIR_DELETE, "description", site_note(e));
    note(o, state, text, sizeof text);
    if (o->ctl->reason || strcmp(state, "up") != 0)
        dir_change_value(c, DIR_ADD, "description", text);
    code = dir_modify(o->d, e->dn, c);
    dir_change_free(&c);
    if (code != CTL_DONE)
        return org_fail(o, code);
    site_log(o, e->dn, state);
    return org_done(o, e->dn, "%s: %s", name, state);
}

/* Whether the other site can take over. */
static int
check_standby(struct org *o, const struct dir_entry *e, const char *name)
{
    const char *standby = dir_value(e, "postroadStandbySite");
    struct dir_entry *other = NULL;
    int code;

    if (!*standby)
        return ctl_fail(o->ctl, CTL_NO,
                        "%s has no standby site (postroadStandbySite): nobody would take over, and "
                        "its mail would wait",
                        name);
    code = org_site(o, standby, NULL, &other);
    if (code == CTL_DONE && strcasecmp(site_wanted(other), "failed-over") == 0)
        code = ctl_fail(o->ctl, CTL_NO, "%s is failed over itself: restore it first", standby);
    dir_entry_free(&other);
    if (code != CTL_DONE)
        return code;
    return org_confirm(o,
                       "Mail for the accounts of %s will be delivered at their standby site (%s, "
                       "where none is said) from now on,\nby every site. Mail already in the "
                       "mailboxes of %s stays there. Go on?",
                       name, standby, name);
}

static int
failover(struct org *o, const struct dir_entry *e)
{
    const char *name = dir_value(e, "cn");
    int code = CTL_DONE;

    if (strcasecmp(site_wanted(e), "failed-over") != 0)
        code = check_standby(o, e, name);
    return code == CTL_DONE ? want(o, e, name, "failed-over") : code;
}

static int
restore(struct org *o, const struct dir_entry *e)
{
    const char *name = dir_value(e, "cn");
    int code = CTL_DONE;

    if (strcasecmp(site_wanted(e), "failed-over") == 0)
        code =
            org_confirm(o,
                        "Mail for the accounts of %s will be delivered there again. What came to "
                        "the standby site meanwhile is still there:\nbring it home with doveadm "
                        "sync. Go on?",
                        name);
    return code == CTL_DONE ? want(o, e, name, "up") : code;
}

static const struct org_kind one_site = {.what = "site", .args = "one site", .find = org_site};

int
verb_site_failover(struct ctl *ctl)
{
    return org_one(ctl, &one_site, failover);
}

int
verb_site_restore(struct ctl *ctl)
{
    return org_one(ctl, &one_site, restore);
}

/* --- servers --- */

/* Servers of the same site that are wanted up and have a next hop, e itself not counted. */
static int
others_up(struct org *o, const struct dir_entry *e, size_t *n_r)
{
    size_t up = 0;
    int mine = *dir_value(e, "postroadNextHop") && strcasecmp(site_wanted(e), "up") == 0;
    int code = org_count(o, dir_parent(e->dn), DIR_ONE,
                         "(&(objectClass=postroadServer)(postroadNextHop=*)"
                         "(|(postroadDesiredState=up)(!(postroadDesiredState=*))))",
                         &up, NULL);

    *n_r = up - (up > 0 && mine);
    return code;
}

static int
server(struct org *o, const struct dir_entry *e, const char *state)
{
    size_t others = 1;
    int code = strcmp(state, "up") != 0 ? others_up(o, e, &others) : CTL_DONE;

    if (code == CTL_DONE && others == 0)
        code =
            org_confirm(o, "No other server of the site is up: other sites go on handing mail to "
                           "this one while there is none better. Go on?");
    return code == CTL_DONE ? want(o, e, o->ctl->argv[0], state) : code;
}

static int
drain(struct org *o, const struct dir_entry *e)
{
    return server(o, e, "drain");
}

static int
down(struct org *o, const struct dir_entry *e)
{
    return server(o, e, "down");
}

static int
up(struct org *o, const struct dir_entry *e)
{
    return server(o, e, "up");
}

static const struct org_kind one_server = {
    .what = "site", .args = "one SITE/SERVER", .find = org_server};

int
verb_site_drain(struct ctl *ctl)
{
    return org_one(ctl, &one_server, drain);
}

int
verb_site_down(struct ctl *ctl)
{
    return org_one(ctl, &one_server, down);
}

int
verb_site_up(struct ctl *ctl)
{
    return org_one(ctl, &one_server, up);
}
