/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, daemon: what postroad-policyd says of itself, held against what is to be
 * expected: its processes live, the mirror is fresh, every provider answers, and what
 * the directory holds makes sense. Only reads its answer to "status".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "doctor.h"
#include "show.h"
#include "text.h"

#define BEAT_LATE_MS  5000
#define AGE_WARNING_S 60
#define AGE_TROUBLE_S 3600
#define LISTED        20 /* of each kind of senseless entry; status has the rest */

static void
check_roles(struct doctor *d)
{
    json_t *role, *roles = json_object_get(d->status, "roles");
    size_t i, late = 0;

    json_array_foreach(roles, i, role)
    {
        json_t *beat = json_object_get(role, "beat_age_ms");

        if (json_is_number(beat) && json_number_value(beat) <= BEAT_LATE_MS)
            continue;
        late++;
        doctor_say(d, DOCTOR_TROUBLE, "role", "see the log; systemctl restart postroad-policyd",
                   "role %s gives no sign of life", show_text(role, "name"));
    }
    if (!late)
        doctor_say(d, DOCTOR_OK, "role", NULL, "all %zu processes are alive",
                   json_array_size(roles));
}

static void
check_version(struct doctor *d)
{
    const char *version = show_text(d->status, "version"), *site = show_text(d->status, "site");

    if (strcmp(version, PACKAGE_VERSION) != 0)
        doctor_say(d, DOCTOR_WARNING, "version", "systemctl restart postroad-policyd",
                   "the daemon that runs is %s, this command is " PACKAGE_VERSION, version);
    if (strcmp(site, d->ctl->conf->site) != 0)
        doctor_say(d, DOCTOR_TROUBLE, "site", "systemctl restart postroad-policyd",
                   "the daemon that runs is for site %s, the configuration for %s", site,
                   d->ctl->conf->site);
}

static void
check_source(struct doctor *d)
{
    json_t *source = json_object_get(d->status, "source");
    const char *error = show_text(source, "error"), *phase = show_text(source, "phase");
    double sweep = show_number(source, "would_sweep");

    if (sweep > 0)
        doctor_say(d, DOCTOR_TROUBLE, "sweep",
                   "if they are really gone: postroad sweep accept --reason TEXT",
                   "a refresh would remove %.0f entries, and is held back", sweep);
    if (*error)
        doctor_say(d, DOCTOR_TROUBLE, "source", "mend what it names; mail flows by the mirror",
                   "%s is not read: %s", show_text(source, "name"), error);
    else
        doctor_say(d, DOCTOR_OK, "source", NULL, "%s, %s", show_text(source, "name"), phase);
}

static void
check_mirror(struct doctor *d)
{
    json_t *m = json_object_get(d->status, "mirror"), *age = json_object_get(m, "age_s");
    double full = show_number(m, "bytes_used") / (show_number(m, "bytes_max") + 1);
    char text[32];

    if (!show_true(m, "complete")) {
        doctor_say(d, DOCTOR_TROUBLE, "mirror", "see source",
                   "the mirror was never filled: mail for our domains gets 451");
        return;
    }
    if (full > 0.8)
        doctor_say(d, full > 0.95 ? DOCTOR_TROUBLE : DOCTOR_WARNING, "mirror-size",
                   "set mirror.size higher, and restart", "the mirror is filled to %.0f %%",
                   full * 100);
    text_age(json_number_value(age), text);
    if (!json_is_number(age) || json_number_value(age) > AGE_TROUBLE_S)
        doctor_say(d, DOCTOR_TROUBLE, "mirror", "see source and provider",
                   "the directory has not confirmed the mirror for %s",
                   json_is_number(age) ? text : "a time nobody knows");
    else
        doctor_say(d, json_number_value(age) > AGE_WARNING_S ? DOCTOR_WARNING : DOCTOR_OK, "mirror",
                   json_number_value(age) > AGE_WARNING_S ? "see source and provider" : NULL,
                   "%.0f entries, as of %s ago", show_number(m, "entries"), text);
}

static void
check_providers(struct doctor *d)
{
    json_t *proof = json_object_get(d->status, "proof"), *row;
    size_t i, away = 0;

    json_array_foreach(json_object_get(proof, "providers"), i, row)
    {
        const char *since = show_text(row, "unreachable_since");

        if (!*since)
            continue;
        away++;
        doctor_say(d, DOCTOR_TROUBLE, "provider",
                   "until it answers, unknown addresses get 451 instead of 550",
                   "%s has not answered since %s", show_text(row, "uri"), since);
    }
    json_array_foreach(json_object_get(proof, "differs"), i, row)
    {
        doctor_say(d, DOCTOR_TROUBLE, "differs", "postroad compare SITE names all of it",
                   "%s has %s at %s otherwise than the mirror, though they count as equal",
                   show_text(row, "uri"), show_text(row, "address"), show_text(row, "entry"));
    }
    if (json_is_object(proof) && !away)
        doctor_say(d, DOCTOR_OK, "provider", NULL, "all %zu directory servers answer",
                   json_array_size(json_object_get(proof, "providers")));
}

/* --- what the directory holds --- */

static void
check_duplicate(struct doctor *d, json_t *row)
{
    json_t *loser;
    size_t i;

    json_array_foreach(json_object_get(row, "losers"), i, loser)
    {
        char *command = NULL;
        size_t n;
        FILE *out = open_memstream(&command, &n);

        if (out) {
            show_mend(out, show_text(row, "address"), loser);
            fclose(out);
        }
        doctor_say(d, DOCTOR_TROUBLE, "duplicate", command, "%s is claimed by %s, too",
                   show_text(row, "address"), show_text(loser, "dn"));
        free(command);
    }
}

static void
check_entries(struct doctor *d)
{
    json_t *dups = json_object_get(d->status, "duplicates"), *row;
    json_t *bad = json_object_get(d->status, "bad"), *moving = json_object_get(d->status, "moving");
    int before = d->count[DOCTOR_TROUBLE] + d->count[DOCTOR_WARNING];
    size_t i;

    json_array_foreach(json_object_get(dups, "list"), i, row)
    {
        if (i < LISTED)
            check_duplicate(d, row);
    }
    json_array_foreach(json_object_get(bad, "list"), i, row)
    {
        if (i < LISTED)
            doctor_say(d, DOCTOR_WARNING, "entry", "correct the entry; the rest of it is used",
                       "%s: %s", show_text(row, "dn"), show_text(row, "why"));
    }
    json_array_foreach(json_object_get(d->status, "lost_sites"), i, row)
    {
        doctor_say(d, DOCTOR_TROUBLE, "lost-site", "postroad site add, or correct the entries",
                   "%.0f entries name the site \"%s\", which there is not: their mail waits",
                   show_number(row, "entries"), show_text(row, "site"));
    }
    json_array_foreach(json_object_get(moving, "list"), i, row)
    {
        if (i < LISTED)
            doctor_say(d, DOCTOR_WARNING, "moving",
                       "postroad user move-site ADDRESS SITE goes on; with --abort it goes back",
                       "%s is in state moving: its mail waits",
                       *show_text(row, "mail") ? show_text(row, "mail") : show_text(row, "dn"));
    }
    if (before == d->count[DOCTOR_TROUBLE] + d->count[DOCTOR_WARNING])
        doctor_say(d, DOCTOR_OK, "entry", NULL, "all entries make sense, each address is one's");
}

static void
check_cold(struct doctor *d)
{
    json_t *cold = json_object_get(d->status, "cold"), *age = json_object_get(cold, "age_s");

    if (!cold)
        return;
    if (!json_is_number(age) || json_number_value(age) > AGE_WARNING_S)
        doctor_say(d, DOCTOR_WARNING, "cold-tables", "see the log", "%s is behind: %s",
                   show_text(cold, "dir"),
                   *show_text(cold, "error") ? show_text(cold, "error") : "not written yet");
    else
        doctor_say(d, DOCTOR_OK, "cold-tables", NULL, "%s is up to date", show_text(cold, "dir"));
}

void
doctor_daemon(struct doctor *d)
{
    if (daemon_ask_quietly(d->ctl, json_pack("{s:s}", "verb", "status"), &d->status) < 0 ||
        !show_true(d->status, "ok")) {
        doctor_say(d, DOCTOR_TROUBLE, "daemon",
                   "as root: systemctl status postroad-policyd; postroad-policyd -t",
                   "postroad-policyd can't be asked at %s", d->ctl->conf->sockets.control);
        json_decref(d->status);
        d->status = NULL;
        return;
    }
    check_version(d);
    check_roles(d);
    check_source(d);
    check_mirror(d);
    check_providers(d);
    check_cold(d);
    check_entries(d);
}
