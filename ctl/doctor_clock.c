/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, clock: a directory server's clock against ours, because the last writer wins by the clock: its own,
 * where its monitor shows that; else the newest change it knows, which can't lie in the future, as it is shown to
 * us or to the daemon. Where neither is, why: whether the server has it, and who is not let see it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "attrs_text.h"
#include "dir.h"
#include "doctor.h"
#include "secret.h"

#define SKEW_WARNING_S 2
#define SKEW_TROUBLE_S 30
#define TO_DO \
    "as root, who can read directory.password_file; or let slapd show you its database monitor"

/* "20261122093000.123456Z#…" as seconds; -1. */
static int64_t
stamp(const char *text)
{
    return text_time((struct span){text, strcspn(text, "#")});
}

static void
say_skew(struct doctor *d, const char *uri, int64_t ahead)
{
    enum doctor_mark mark = ahead > SKEW_TROUBLE_S || ahead < -SKEW_TROUBLE_S   ? DOCTOR_TROUBLE
                            : ahead > SKEW_WARNING_S || ahead < -SKEW_WARNING_S ? DOCTOR_WARNING
                                                                                : DOCTOR_OK;

    doctor_say(d, mark, "clock", mark == DOCTOR_OK ? NULL : "let chrony or ntpd set both clocks",
               "the clock of %s is %lld s %s of ours", uri, (long long)(ahead < 0 ? -ahead : ahead),
               ahead < 0 ? "behind" : "ahead");
}

/* Seconds since 1970 by its own clock; -1: it is not shown. */
static int64_t
monitor_time(struct dir *dir)
{
    static const char *const attrs[] = {"monitorTimestamp", NULL};
    struct dir_entry *e = NULL;
    int64_t at = -1;

    if (dir_find(dir, "cn=Current,cn=Time,cn=Monitor", DIR_BASE, "(objectClass=*)", attrs, &e) ==
        CTL_DONE)
        at = stamp(dir_value(e, "monitorTimestamp"));
    dir_entry_free(&e);
    return at;
}

/* Of the newest change: contextCSN stands at the base or at an entry above it. -1: it is not shown. */
static int64_t
newest_change(struct dir *dir)
{
    static const char *const attrs[] = {"contextCSN", NULL};
    int64_t newest = -1;

    for (const char *at = dir_base(dir); *at && newest < 0; at = dir_parent(at)) {
        struct dir_entry *e = NULL;
        const struct dir_attr *a = NULL;

        if (dir_find(dir, at, DIR_BASE, "(objectClass=*)", attrs, &e) == CTL_DONE)
            a = dir_attr(e, "contextCSN");
        for (size_t i = 0; a && i < a->n; i++)
            newest = stamp(a->v[i].p) > newest ? stamp(a->v[i].p) : newest;
        dir_entry_free(&e);
    }
    return newest;
}

static int
is_one_of(const char *uri, const struct conf_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcasecmp(list->v[i], uri) == 0)
            return 1;
    return 0;
}

/* The same, shown to the daemon: by its password, if we may read that, and at no other server than its own. */
static int64_t
newest_to_daemon(struct dir *dir)
{
    const struct conf *conf = dir_ctl(dir)->conf;
    struct dir *daemon = NULL;
    struct secret password;
    int64_t newest = -1;
    char error[512];

    if (!*conf->directory.bind_dn || (!is_one_of(dir_uri(dir), &conf->directory.uri) &&
                                      !is_one_of(dir_uri(dir), &conf->directory.providers)))
        return -1;
    if (secret_read(&password, conf->directory.password_file, error, sizeof error) < 0)
        return -1;
    if (dir_open_as(dir, conf->directory.bind_dn, password.text, &daemon) == CTL_DONE)
        newest = newest_change(daemon);
    secret_wipe(&password);
    dir_close(&daemon);
    return newest;
}

/* 1 the entry at dn is shown to us, 0 it is not. */
static int
is_shown(struct dir *dir, const char *dn)
{
    static const char *const nothing[] = {"1.1", NULL};
    struct dir_entry *e = NULL;
    int shown = dir_find(dir, dn, DIR_BASE, "(objectClass=*)", nothing, &e) == CTL_DONE;

    dir_entry_free(&e);
    return shown;
}

static void
say_unseen(struct doctor *d, struct dir *dir)
{
    static const char *const attrs[] = {"monitorContext", "supportedControl", NULL};
    const char *who = *dir_self(dir) ? dir_self(dir) : "whom it takes you for";
    struct dir_entry *root = NULL;
    char monitor[600] = "has no database monitor", changes[1600];

    if (dir_find(dir, "", DIR_BASE, "(objectClass=*)", attrs, &root) != CTL_DONE)
        snprintf(monitor, sizeof monitor, "does not show what it has");
    else if (*dir_value(root, "monitorContext"))
        snprintf(monitor, sizeof monitor, "does not let you read %s",
                 dir_value(root, "monitorContext"));
    if (!is_shown(dir, dir_base(dir)))
        snprintf(changes, sizeof changes, "its access rules do not show you %s", dir_base(dir));
    else if (root && !dir_has(root, "supportedControl", DOCTOR_SYNC))
        snprintf(changes, sizeof changes, "it keeps no contextCSN, without overlay syncprov");
    else
        snprintf(changes, sizeof changes, "its access rules do not show you contextCSN");
    doctor_say(d, DOCTOR_SKIPPED, "clock", TO_DO, "%s %s, and %s: you are %s there", dir_uri(dir),
               monitor, changes, who);
    dir_entry_free(&root);
}

void
doctor_clock(struct doctor *d, struct dir *dir)
{
    int64_t now = monitor_time(dir), newest = now >= 0 ? -1 : newest_change(dir);

    if (now < 0 && newest < 0)
        newest = newest_to_daemon(dir);
    if (now >= 0)
        say_skew(d, dir_uri(dir), now - time(NULL));
    else if (newest > time(NULL) + SKEW_WARNING_S)
        say_skew(d, dir_uri(dir), newest - time(NULL));
    else if (newest >= 0)
        doctor_say(d, DOCTOR_OK, "clock", NULL, "no change at %s lies in the future", dir_uri(dir));
    else
        say_unseen(d, dir);
}
