/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status: prints the daemon's status on one screen: what needs attention last,
 * where the eye rests, and with the command that helps. Only formats.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "show.h"
#include "text.h"

#define ROUND_LATE_S 60 /* role held looks twice a second */

static void
label(const char *name)
{
    printf("%-9s ", name);
}

static void
print_source(json_t *s)
{
    const char *since = show_text(s, "since"), *error = show_text(s, "error");
    json_t *last = json_object_get(s, "last_answer_ms");
    char text[32];

    label("Source");
    text_put(stdout, show_text(s, "name"));
    printf(", %s%s%s", show_text(s, "phase"), *since ? " since " : "", since);
    if (json_is_number(last))
        printf(", last answer %s ago", text_age(json_number_value(last) / 1000, text));
    putchar('\n');
    if (*error) {
        label("");
        text_put(stdout, error);
        putchar('\n');
    }
}

static void
print_mirror(json_t *m)
{
    char used[32], max[32];

    label("Mirror");
    show_mirror(m);
    if (!show_true(m, "readable"))
        return;
    label("");
    printf("%.0f entries, %.0f accounts, %.0f addresses, %.0f domain names; %s of at most %s\n",
           show_number(m, "entries"), show_number(m, "accounts"), show_number(m, "addresses"),
           show_number(m, "domains"), text_bytes(show_number(m, "bytes_used"), used),
           text_bytes(show_number(m, "bytes_max"), max));
}

static void
print_kept(const char *name, const char *what, json_t *c)
{
    json_t *age = json_object_get(c, "age_s");
    char text[32];

    if (!c)
        return;
    label(name);
    printf("%.0f %s in ", show_number(c, what), what);
    text_put(stdout, show_text(c, "dir"));
    if (json_is_number(age))
        printf(", up to date %s ago\n", text_age(json_number_value(age), text));
    else
        puts(", not written yet");
    if (*show_text(c, "error")) {
        label("");
        text_put(stdout, show_text(c, "error"));
        putchar('\n');
    }
}

static void
print_rates(json_t *r)
{
    json_t *rates = json_object_get(r, "rates"), *c = json_object_get(r, "connections");

    label("Lookups");
    printf("%.1f a second (10 s), %.1f (60 s); %.0f connections open, %.0f so far\n",
           show_number(rates, "lookups_10s"), show_number(rates, "lookups_60s"),
           show_number(c, "open"), show_number(c, "accepted"));
    if (show_number(c, "parked_total") > 0) {
        label("");
        printf("waiting for a proof: %.0f, so far %.0f; %.0f more were told to try again\n",
               show_number(c, "parked"), show_number(c, "parked_total"),
               show_number(c, "parked_refused"));
    }
    if (show_number(c, "closed_bad") + show_number(c, "closed_slow") == 0)
        return;
    label("");
    printf("closed by us: %.0f for bad requests, %.0f that took no answers\n",
           show_number(c, "closed_bad"), show_number(c, "closed_slow"));
}

static void
print_policy(json_t *p)
{
    label("Hand-off");
    printf("%.0f taken, %.0f deferred, %.0f from strangers, %.0f unanswerable; %.0f connections "
           "open\n",
           show_number(p, "taken"), show_number(p, "deferred"), show_number(p, "stranger"),
           show_number(p, "trouble"), show_number(p, "open"));
}

/* Nothing when Dovecot has nobody to ask. */
static void
print_access(json_t *a)
{
    json_t *question;
    const char *word;
    double yes = 0, no = 0, unsure = 0;

    if (!a)
        return;
    json_object_foreach(json_object_get(a, "questions"), word, question)
    {
        yes += show_number(question, "yes");
        no += show_number(question, "no");
        unsure += show_number(question, "unsure");
    }
    label("Dovecot");
    printf("%.0f mailboxes open to administrators; asked: %.0f yes, %.0f no, %.0f unsure; %.0f "
           "connections open\n",
           show_number(a, "sessions"), yes, no, unsure, show_number(a, "open"));
    label("Audit log");
    if (*show_text(a, "audit_error")) {
        fputs("can't be written, administrators are kept out: ", stdout);
        text_put(stdout, show_text(a, "audit_error"));
        putchar('\n');
    } else {
        json_t *newest = json_object_get(a, "audit");

        printf("%.0f records since start", show_number(a, "records"));
        if (newest && *show_text(newest, "hash"))
            printf("; newest %.0f:%s", show_number(newest, "seq"), show_text(newest, "hash"));
        putchar('\n');
    }
}

static void
print_roles(json_t *list)
{
    struct text_table t = {.columns = 5, .right = "lrlrr"};
    json_t *role;
    size_t i;

    text_row(&t, (const char *[]){"role", "pid", "started", "restarts", "last beat"});
    json_array_foreach(list, i, role)
    {
        json_t *beat = json_object_get(role, "beat_age_ms");
        char pid[32], restarts[32], age[32], name[64];

        snprintf(name, sizeof name, "%s", show_text(role, "name"));
        if (strcmp(name, "answer") == 0)
            snprintf(name, sizeof name, "answer %.0f", show_number(role, "number") + 1);
        snprintf(pid, sizeof pid, "%.0f", show_number(role, "pid"));
        snprintf(restarts, sizeof restarts, "%.0f", show_number(role, "restarts"));
        text_row(&t, (const char *[]){name, pid, show_text(role, "started"), restarts,
                                      json_is_number(beat)
                                          ? text_age(json_number_value(beat) / 1000, age)
                                          : "never"});
    }
    putchar('\n');
    text_table_end(&t, 2);
}

static void
print_maps(json_t *list)
{
    static const char *const status[] = {"ok", "notfound", "temp", "perm"};
    struct text_table t = {.columns = 5, .right = "lrrrr"};
    json_t *map;
    size_t i;

    text_row(&t, (const char *[]){"map", "OK", "NOTFOUND", "TEMP", "PERM"});
    json_array_foreach(list, i, map)
    {
        const char *cells[5] = {show_text(map, "name")};
        char n[4][32];

        for (int s = 0; s < 4; s++) {
            snprintf(n[s], sizeof n[s], "%.0f", show_number(map, status[s]));
            cells[s + 1] = n[s];
        }
        text_row(&t, cells);
    }
    putchar('\n');
    text_table_end(&t, 2);
}

static void
print_verdicts(json_t *verdicts)
{
    const char *name;
    json_t *n;
    int first = 1;

    printf("\n  verdicts:");
    json_object_foreach(verdicts, name, n)
    {
        printf("%s %s %.0f", first ? "" : ",", name, json_number_value(n));
        first = 0;
    }
    putchar('\n');
}

static void
print_domains(json_t *list)
{
    struct text_table t = {.columns = 3, .right = "lrl"};
    json_t *domain;
    size_t i;

    if (json_array_size(list) == 0)
        return;
    text_row(&t, (const char *[]){"domain", "entries", "digest"});
    json_array_foreach(list, i, domain)
    {
        char n[32], digest[20];

        snprintf(n, sizeof n, "%.0f", show_number(domain, "entries"));
        snprintf(digest, sizeof digest, "%.16s", show_text(domain, "digest"));
        text_row(&t, (const char *[]){*show_text(domain, "name") ? show_text(domain, "name")
                                                                 : "(outside any domain)",
                                      n, digest});
    }
    putchar('\n');
    text_table_end(&t, 2);
}

/* --- what needs attention --- */

static void __attribute__((format(printf, 1, 2))) item(const char *fmt, ...)
{
    va_list ap;

    fputs("  * ", stdout);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
}

static void
print_bad(json_t *bad)
{
    json_t *row;
    size_t i;

    if (show_number(bad, "count") == 0)
        return;
    item("%.0f entries make no sense in part; the rest of each is used:\n",
         show_number(bad, "count"));
    json_array_foreach(json_object_get(bad, "list"), i, row)
    {
        printf("    ");
        text_put(stdout, *show_text(row, "dn") ? show_text(row, "dn") : "(not below the base)");
        printf(": ");
        text_put(stdout, show_text(row, "why"));
        putchar('\n');
    }
}

static void
print_lost(json_t *list)
{
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
    {
        item("%.0f entries name the site \"", show_number(row, "entries"));
        text_put(stdout, show_text(row, "site"));
        puts("\", which no site entry defines: their mail waits.");
    }
}

static void
print_compared(json_t *list)
{
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
    {
        const char *state = show_text(row, "state");

        label(i == 0 ? "Compare" : "");
        printf("%s: ", show_text(row, "site"));
        if (strcmp(state, "unknown") == 0)
            fputs(*show_text(row, "looked") ? "can't be compared now" : "not compared yet", stdout);
        else
            fputs(strcmp(state, "equal") == 0 ? "the same content" : "other content than here",
                  stdout);
        if (*show_text(row, "looked"))
            printf(", looked %s", show_text(row, "looked"));
        if (*show_text(row, "why")) {
            fputs("; ", stdout);
            text_put(stdout, show_text(row, "why"));
        }
        putchar('\n');
    }
}

/* Sites whose content is another one; the first one's name. */
static const char *
differing_site(json_t *list)
{
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
    {
        if (strcmp(show_text(row, "state"), "differs") == 0)
            return show_text(row, "site");
    }
    return NULL;
}

static int
late_roles(json_t *roles)
{
    json_t *role;
    size_t i;
    int n = 0;

    json_array_foreach(roles, i, role)
    {
        n += show_number(role, "beat_age_ms") > 5000;
    }
    return n;
}

static int
is_late(json_t *cold)
{
    return cold &&
           (!json_is_number(json_object_get(cold, "age_s")) || show_number(cold, "age_s") > 10);
}

static void
print_hook(json_t *h)
{
    json_t *t, *oldest = json_object_get(h, "oldest_s");
    char text[32];
    size_t i;

    if (!h)
        return;
    label("Hooks");
    printf("%.0f events wait", show_number(h, "queued"));
    if (json_is_number(oldest))
        printf(", the oldest for %s", text_age(json_number_value(oldest), text));
    printf("; given up so far: %.0f\n",
           show_number(h, "dropped_full") + show_number(h, "dropped_aged"));
    json_array_foreach(json_object_get(h, "targets"), i, t)
    {
        label("");
        printf("%s: %.0f taken, %.0f refused, %.0f tries failed%s\n", show_text(t, "name"),
               show_number(t, "taken"), show_number(t, "refused"), show_number(t, "failed"),
               show_true(t, "doubted") ? "; it fails now" : "");
    }
}

static void
print_held(json_t *h)
{
    json_t *oldest = json_object_get(h, "oldest_s");
    char text[32];

    if (!h)
        return;
    label("Held");
    printf("%.0f messages wait for a moderator", show_number(h, "held"));
    if (json_is_number(oldest))
        printf(", the oldest for %s", text_age(json_number_value(oldest), text));
    if (show_number(h, "round_s") > ROUND_LATE_S)
        printf("; nothing was done about them for %s", text_age(show_number(h, "round_s"), text));
    if (show_number(h, "rivals") > 0)
        printf("; another policyd has this site's name");
    printf("%s%s\n",
           strcmp(show_text(h, "directory"), "away") == 0 ? "; the directory is away" : "",
           show_number(h, "failed") > 0 ? "; some could not be dealt with, see the log" : "");
}

/* How many targets take nothing at the moment. */
static int
failing_hooks(json_t *h)
{
    json_t *t;
    size_t i;
    int n = 0;

    json_array_foreach(json_object_get(h, "targets"), i, t) n += show_true(t, "doubted");
    return n;
}

static void
print_attention(json_t *r)
{
    json_t *source = json_object_get(r, "source"), *mirror = json_object_get(r, "mirror");
    json_t *dups = json_object_get(r, "duplicates"), *bad = json_object_get(r, "bad");
    json_t *lost = json_object_get(r, "lost_sites"), *roles = json_object_get(r, "roles");
    json_t *moving = json_object_get(r, "moving");
    json_t *proof = json_object_get(r, "proof");
    double away = show_number(proof, "unreachable");
    size_t differ = json_array_size(json_object_get(proof, "differs"));
    double sweep = show_number(source, "would_sweep");
    int cold_late = is_late(json_object_get(r, "cold"));
    int hooks = failing_hooks(json_object_get(r, "hook"));
    int homes_late = is_late(json_object_get(r, "homes"));
    json_t *flow = json_object_get(r, "flow"), *queue = json_object_get(r, "queue");
    int mail_late = show_mail_late(flow, queue);
    const char *other = differing_site(json_object_get(r, "compare"));

    if (sweep + away + show_number(dups, "count") + show_number(bad, "count") +
                (double)(json_array_size(lost) + differ) + late_roles(roles) + cold_late +
                homes_late + hooks + mail_late + (other != NULL) + show_number(moving, "count") ==
            0 &&
        show_true(mirror, "complete"))
        return;
    puts("\nNeeds attention:");
    if (!show_true(mirror, "complete"))
        puts("  * The mirror was never filled: mail for our domains gets 451 until it is.");
    if (sweep > 0)
        item(
            "A refresh would have removed %.0f entries and was held back; mail for them flows on.\n"
            "    If they are really gone: postroad sweep accept --reason TEXT\n",
            sweep);
    if (away > 0)
        item("%.0f providers do not answer: until they do, unknown addresses get 451, not 550.\n",
             away);
    if (differ > 0)
        item("The directories differ and do not know it, see Proof: what only one of them has gets "
             "451.\n    To see all of it: postroad compare SITE\n");
    if (other)
        item("The mirror at %s holds other content, though both are current.\n"
             "    To see which entries: postroad compare %s\n",
             other, other);
    if (late_roles(roles) > 0)
        item("%d roles give no sign of life: see the log.\n", late_roles(roles));
    if (hooks)
        item("%d hook targets take no events: see \"postroad hook list\".\n", hooks);
    if (homes_late)
        item("Dovecot reads files of home sites that are behind: see the log.\n");
    if (cold_late)
        item("Postfix reads cold tables that are behind: see the log.\n");
    show_mail_attention(flow, queue);
    print_lost(lost);
    show_duplicates(dups);
    show_moving(moving);
    print_bad(bad);
}

static void
print_status(json_t *r)
{
    label("Site");
    text_put(stdout, show_text(r, "site"));
    printf(", postroad-policyd %s, %s\n", show_text(r, "version"), show_text(r, "time"));
    print_source(json_object_get(r, "source"));
    label("Proof");
    show_proof(json_object_get(r, "proof"), "          ");
    print_mirror(json_object_get(r, "mirror"));
    print_compared(json_object_get(r, "compare"));
    print_kept("Cold", "rows", json_object_get(r, "cold"));
    print_kept("Homes", "people", json_object_get(r, "homes"));
    print_hook(json_object_get(r, "hook"));
    print_held(json_object_get(r, "held"));
    show_queue(json_object_get(r, "queue"));
    print_rates(r);
    print_policy(json_object_get(r, "policy"));
    print_access(json_object_get(r, "access"));
    print_roles(json_object_get(r, "roles"));
    show_flow(json_object_get(r, "flow"));
    print_maps(json_object_get(r, "maps"));
    print_verdicts(json_object_get(r, "verdicts"));
    print_domains(json_object_get(r, "domains"));
    print_attention(r);
}

int
verb_status(struct ctl *ctl)
{
    json_t *reply;
    int code;

    if (ctl->argc != 0)
        return ctl_usage("status takes no argument");
    code = daemon_ask(ctl, json_pack("{s:s}", "verb", "status"), &reply);
    if (code != CTL_DONE)
        return code;
    if (ctl->json) {
        ctl_print_json(reply);
        return CTL_DONE;
    }
    print_status(reply);
    json_decref(reply);
    return CTL_DONE;
}
