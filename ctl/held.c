/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held: which of the two ways to held mail is taken, and what both have in common: order, what is asked
 * for, which message is meant by the end of its name.
 */
#include "held.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "held_id.h"
#include "show.h"

/* --- the way --- */

/* Whether the caller says who he is at the directory. */
static int
is_somebody(const struct ctl *ctl)
{
    static const char *const options[] = {"bind-dn", "external", "uri", "password-file",
                                          "tls-cert"};

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (ctl_value(ctl, options[i]))
            return 1;
    return *ctl->conf->admin.bind_dn != '\0';
}

int
held_open(const struct ctl *ctl, struct held_way *w)
{
    memset(w, 0, sizeof *w);
    w->ctl = ctl;
    if (ctl_value(ctl, "local") || !is_somebody(ctl))
        return CTL_DONE;
    return dir_open(ctl, &w->d);
}

void
held_close(struct held_way *w)
{
    if (w->d)
        dir_close(&w->d);
}

int
held_again(struct held_way *w, const char *id, json_t **message_r)
{
    return w->d ? held_dir_again(w, id, message_r) : held_daemon_again(w, id, message_r);
}

int
held_say(struct held_way *w, json_t *message, const char *verdict, const char *reason)
{
    return w->d ? held_dir_say(w, message, verdict, reason)
                : held_daemon_say(w, message, verdict, reason);
}

/* --- many --- */

static int
compare(const void *a, const void *b)
{
    json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int n = strcmp(show_text(x, "time"), show_text(y, "time"));

    return n ? n : strcmp(show_text(x, "id"), show_text(y, "id"));
}

/* Oldest first. Without memory they stay as they are. */
static void
sort(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **m = calloc(n + 1, sizeof(*m));

    if (!m)
        return;
    for (size_t i = 0; i < n; i++)
        m[i] = json_incref(json_array_get(list, i));
    qsort(m, n, sizeof(*m), compare);
    for (size_t i = 0; i < n; i++)
        json_array_set_new(list, i, m[i]);
    free(m);
}

int
held_all(struct held_way *w, const char *state, json_t **list_r)
{
    json_t *list = json_array();
    int code = w->d ? held_dir_all(w, state, list) : held_daemon_all(w, state, list);

    sort(list);
    *list_r = list;
    return code;
}

/* "@a.example" fits all addresses there. */
static int
fits(const char *wanted, const char *is, int address)
{
    size_t n = strlen(is), m = wanted ? strlen(wanted) : 0;

    if (!wanted)
        return 1;
    if (address && *wanted == '@' && n > m)
        is += n - m;
    return strcasecmp(wanted, is) == 0;
}

void
held_filter(const struct ctl *ctl, json_t *list)
{
    const char *rule = ctl_value(ctl, "rule"), *sender = ctl_value(ctl, "sender");
    const char *site = ctl_value(ctl, "site");

    for (size_t i = json_array_size(list); i-- > 0;) {
        json_t *m = json_array_get(list, i);

        if (!fits(rule, show_text(m, "rule"), 0) || !fits(sender, show_text(m, "sender"), 1) ||
            !fits(site, show_text(m, "site"), 0))
            json_array_remove(list, i);
    }
}

/* --- one --- */

static int
is_open(json_t *m)
{
    return strcasecmp(show_text(m, "state"), "held") == 0;
}

/* A queue id comes again after weeks: among several, the one that is held still is meant. */
json_t *
held_meant(struct held_way *w, json_t *list, const char *asked)
{
    json_t *found = NULL, *m;
    size_t i, n = 0, n_open = 0;

    json_array_foreach(list, i, m)
    {
        const char *id = show_text(m, "id");

        if (strcmp(id, asked) == 0)
            return m;
        if (!held_id_means(span_of(asked), span_of(id)))
            continue;
        n++;
        n_open += (size_t)is_open(m);
        if (!found || is_open(m))
            found = m;
    }
    if (n == 1 || n_open == 1)
        return found;
    if (n > 0)
        snprintf(w->error, sizeof w->error,
                 "%zu held messages have an ID that ends so: give more of it", n);
    else
        snprintf(w->error, sizeof w->error, "there is no such held message%s",
                 w->d ? ", or none that you may see" : " at this site");
    return NULL;
}

int
held_may(struct held_way *w, json_t *message, char *why, size_t n)
{
    json_t *reply, *allowed;
    int may;

    *why = '\0';
    if (!w->d)
        return 1;
    if (!*show_text(message, "target_dn") || !*dir_self(w->d) ||
        daemon_ask_quietly(w->ctl,
                           json_pack("{s:s, s:s, s:s, s:s, s:s}", "verb", "may", "actor",
                                     dir_self(w->d), "action", "approve", "target",
                                     show_text(message, "target_dn"), "value", ""),
                           &reply) < 0)
        return -1;
    allowed = json_object_get(reply, "allowed");
    may = json_is_true(allowed) ? 1 : json_is_false(allowed) ? 0 : -1;
    snprintf(why, n, "%s", show_text(reply, "why"));
    json_decref(reply);
    return may;
}

const char *
held_fate(json_t *message, char *out, size_t n)
{
    const char *state = show_text(message, "state"), *by = show_text(message, "by");
    const char *verdict = show_text(message, "verdict"), *at = show_text(message, "decided");

    if (is_open(message) && *verdict)
        snprintf(out, n, "held; %s has said \"%s\", which %s has not carried out yet",
                 show_text(message, "verdict_by"), verdict, show_text(message, "site"));
    else
        snprintf(out, n, "%s%s%s%s%s", state, *at ? " at " : "", at, *by ? " by " : "", by);
    return out;
}
