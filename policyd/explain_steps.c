/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_steps: the numbered rules of route_decide(), from the first to the one
 * that decided, each with the input it looked at, in words.
 *
 * Promises: numbers and rule texts are those of lib/route.c; decides nothing
 * itself, so it can't disagree with what Postfix is told.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "status.h"

struct words {
    char text[1024];
    size_t n;
};

static void __attribute__((format(printf, 2, 3))) say(struct words *w, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(w->text + w->n, sizeof w->text - w->n, fmt, ap);
    va_end(ap);
    if (n > 0)
        w->n = w->n + (size_t)n < sizeof w->text ? w->n + (size_t)n : sizeof w->text - 1;
}

static void
say_domain(const struct explain *x, struct words *w)
{
    const char *name = addr_domain(&x->t.addr);

    if (!x->t.in.domain_ours)
        say(w, "%s is not a domain of the directory", name);
    else if (*x->primary && strcmp(name, x->primary) != 0)
        say(w, "%s is a further name of our domain %s", name, x->primary);
    else
        say(w, "%s is our domain", name);
}

/* For which moment the mirror was proven, and who stands in the way of a newer proof. */
static void
say_doubt(const struct explain *x, struct words *w)
{
    const struct board *b = &x->c->env->board;
    const struct conf_list *uris = conf_providers(x->c->env->conf);
    int64_t proof = status_proof_ms(b);
    struct status_provider p;

    if (proof > 0)
        say(w, ", last proven %.1f s ago", (double)(x->now.mono_ms - proof) / 1000.0);
    for (size_t i = 0; i < uris->n; i++) {
        status_provider(b, i, &p);
        if (p.down_ms > 0)
            say(w, "; provider %s unreachable for %.0f s", uris->v[i],
                (double)(x->now.wall_ms - p.down_ms) / 1000.0);
    }
}

static void
say_found(const struct explain *x, struct words *w)
{
    const struct board *b = &x->c->env->board;
    unsigned phase = (unsigned)board_get(b, BOARD_SYNC, BOARD_SYNC_PHASE);
    int64_t beat = (int64_t)board_get(b, BOARD_SYNC, BOARD_SYNC_BEAT_MS);
    int64_t proof = status_proof_ms(b);

    if (x->t.found) {
        say(w, "found by %s: %s", x->t.how ? x->t.how : "address", x->t.matched);
        return;
    }
    say(w, "not found, mirror %s current", x->t.in.proven ? "proven" : "not proven");
    if (x->t.in.proven && proof > 0)
        say(w, " as of %.1f s ago", (double)(x->now.mono_ms - proof) / 1000.0);
    say(w, "; source %s", status_phase_word(phase));
    if (beat > 0)
        say(w, ", its last answer %.1f s ago", (double)(x->now.mono_ms - beat) / 1000.0);
    if (!x->t.in.proven)
        say_doubt(x, w);
}

static void
say_origin(const struct origin *o, const char *what, struct words *w)
{
    if (!*o->value)
        say(w, "no %s is set", what);
    else if (strcmp(o->from, "default") == 0)
        say(w, "%s %s (nobody says otherwise)", what, o->value);
    else if (*o->from)
        say(w, "%s %s (from the %s)", what, o->value, o->from);
    else
        say(w, "%s %s", what, o->value);
}

static void
say_home_site(const struct explain *x, struct words *w)
{
    const struct site *home =
        x->t.in.sites ? site_find(x->t.in.sites, span_of(x->home.value)) : NULL;

    if (x->t.in.kind == KIND_LIST) {
        say(w, "a list has no home");
        return;
    }
    say_origin(&x->home, "home", w);
    if (!home && *x->home.value)
        say(w, ", which no site entry defines");
    else if (home && !home->failed_over)
        say(w, ", site %s is up", home->name);
    else if (home) {
        say(w, ", site %s is declared failed over, ", home->name);
        say_origin(&x->standby, "standby", w);
    }
}

static void
say_here(const struct explain *x, struct words *w)
{
    if (x->t.in.kind == KIND_LIST)
        say(w, "a list is expanded wherever mail for it arrives");
    else
        say(w, "home %s, we are %.*s", *x->home.value ? x->home.value : "not set",
            (int)x->t.in.own_site.n, x->t.in.own_site.p ? x->t.in.own_site.p : "");
}

static void
say_hops(const struct explain *x, struct words *w)
{
    static const char *const state[] = {"up", "drain", "down"};
    const struct site *home =
        x->t.in.sites ? site_find(x->t.in.sites, span_of(x->home.value)) : NULL;

    if (!home || home->nhops == 0) {
        say(w, "no next hop is known");
        return;
    }
    say(w, "next hops of %s:", home->name);
    for (int i = 0; i < home->nhops; i++)
        say(w, "%s %s:%s (%s, priority %u)", i ? "," : "", home->hops[i].transport,
            home->hops[i].hop, state[home->hops[i].state <= HOP_DOWN ? home->hops[i].state : 2],
            (unsigned)home->hops[i].priority);
}

static void
say_input(const struct explain *x, int step, struct words *w)
{
    switch (step) {
    case 1:
        say_domain(x, w);
        break;
    case 2:
    case 3:
        say_found(x, w);
        break;
    case 4:
    case 5:
        say_origin(&x->state, "state", w);
        break;
    case 6:
        say_home_site(x, w);
        break;
    case 7:
        say_here(x, w);
        break;
    case 8:
        say_hops(x, w);
        break;
    default:
        say(w, "%s", x->t.route.why ? x->t.route.why : "");
    }
}

json_t *
explain_steps(const struct explain *x)
{
    json_t *list = json_array();

    for (int step = 1; step <= x->t.route.step; step++) {
        struct words w = {.n = 0};
        const char *rule = route_rule_text(step);

        say_input(x, step, &w);
        json_array_append_new(
            list, json_pack("{s:i, s:s, s:o, s:b}", "n", step, "rule", rule ? rule : "", "input",
                            control_text(span_of(w.text)), "applies", step == x->t.route.step));
    }
    return list;
}
