/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_hold: "postroad explain --from A --to B": whether postroad-milter would hold such a message for a
 * moderator, by which rule, and who decides.
 *
 * Promises: the same functions decide that decide in the milter, over the same mirror. A rule about what was
 * not told of the message is never taken for one that does not hold: both ends are asked, the message that
 * has all of it and the one that has none. Must not ask what only a message shows, such as who is vouched for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "fold_text.h"
#include "hold_envelope.h"
#include "status.h"

#define SUBJECT_MAX 4096 /* bytes of a subject that can be asked about */

struct asked {
    const char *sender, *recipient, *login;
    const char *subject, *attachment; /* NULL: not told */
    int sized;
    uint64_t size;
    int inside; /* logged in */
    struct person from, to;
    enum direction direction;
    struct hold_rules rules;
    struct hold_envelope envelope;
    char folded[2 * SUBJECT_MAX];
};

/* --- who they are --- */

/* As the milter does: who logged in sends it. */
static void
look_up(struct asked *a, struct people *people)
{
    struct direction_input in = {.inside = 0};

    a->inside = *a->login != '\0';
    people_find(people, span_of(a->inside ? a->login : a->sender), &a->from);
    in.inside = a->inside;
    in.readable = people_find(people, span_of(a->recipient), &a->to) >= 0;
    in.verdict = a->to.verdict;
    a->direction = direction_decide(&in).direction;
    hold_envelope_add(&a->envelope, &a->rules, people, span_of(a->recipient), &a->to, a->direction);
}

/* --- what the rules say --- */

/* What of the message is known, and of the rest all or nothing. */
static struct guard_hold_seen
seen_of(const struct asked *a, unsigned i, int all)
{
    const struct hold_rule *r = &a->rules.rule[i];
    struct guard_hold_seen seen = {a->envelope.seen[i].recipient, all ? GUARD_YES : GUARD_NO,
                                   all ? GUARD_YES : GUARD_NO};

    if (a->attachment)
        seen.attachment = hold_rule_attachment(r, span_of(a->attachment)) ? GUARD_YES : GUARD_NO;
    if (a->subject)
        seen.subject = hold_rule_subject(r, span_of(a->folded)) ? GUARD_YES : GUARD_NO;
    return seen;
}

/* By n rules from the first on. */
static struct guard_hold
decide(const struct asked *a, unsigned first, unsigned n, int all)
{
    struct guard_hold_seen seen[CONF_LIST_MAX];
    struct guard_holding h = {.notice = !*a->sender && !*a->login,
                              .outside = hold_envelope_outside(&a->envelope, a->inside),
                              .from = hold_person_of(&a->from),
                              .size = a->sized ? a->size
                                      : all    ? UINT64_MAX
                                               : 0,
                              .rule = a->rules.rule + first,
                              .seen = seen,
                              .n = n};

    for (unsigned i = 0; i < n; i++)
        seen[i] = seen_of(a, first + i, all);
    return guard_hold(&h);
}

static json_t *
not_told(const struct asked *a, const struct hold_rule *r)
{
    json_t *list = json_array();

    if (r->size >= 0 && !a->sized)
        json_array_append_new(list, json_string("size"));
    if (*r->attachment && !a->attachment)
        json_array_append_new(list, json_string("attachment"));
    if (*r->subject && !a->subject)
        json_array_append_new(list, json_string("subject"));
    return list;
}

static const char *
word(enum guard_hold_verdict v)
{
    static const char *const words[] = {
        [GUARD_HOLD_PASS] = "passes", [GUARD_HOLD_HELD] = "held", [GUARD_HOLD_LATER] = "later"};

    return words[v];
}

static json_t *
target_json(const struct asked *a, const struct guard_hold *g)
{
    const char *target = hold_envelope_target(&a->envelope, g, &a->from, a->inside);

    return g->verdict == GUARD_HOLD_HELD && *target ? control_text(span_of(target)) : json_null();
}

/* The rules before the one that decides that may hold the message, by what was not told of it. */
static json_t *
depends_json(const struct asked *a, const struct guard_hold *sure)
{
    unsigned n = sure->step == 4 || sure->step == 5 ? sure->rule : a->rules.n;
    json_t *list = json_array();

    for (unsigned i = 0; i < n; i++) {
        const struct hold_rule *r = &a->rules.rule[i];
        struct guard_hold g = decide(a, i, 1, 1);

        if (g.verdict == GUARD_HOLD_PASS)
            continue;
        g.rule = i;
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:s, s:o, s:o}", "rule", r->name, "why",
                                        control_text(span_of(r->text)), "then", word(g.verdict),
                                        "on", not_told(a, r), "target", target_json(a, &g)));
    }
    return list;
}

static json_t *
judged_json(const struct asked *a)
{
    struct guard_hold sure = decide(a, 0, a->rules.n, 0);
    const struct hold_rule *r = sure.step == 4 || sure.step == 5 ? &a->rules.rule[sure.rule] : NULL;
    json_t *depends = depends_json(a, &sure);

    return json_pack(
        "{s:i, s:s, s:s, s:o, s:s, s:i, s:s, s:o, s:o, s:o}", "rules", (int)a->rules.n, "direction",
        direction_word(a->direction), "verdict",
        json_array_size(depends) > 0 ? "depends" : word(sure.verdict), "depends", depends, "else",
        word(sure.verdict), "step", sure.step, "step_text", guard_hold_step_text(sure.step), "rule",
        r ? json_string(r->name) : json_null(), "why",
        r ? control_text(span_of(r->text)) : json_null(), "target", target_json(a, &sure));
}

/* --- the question --- */

static const char *
text_of(json_t *request, const char *name)
{
    return json_string_value(json_object_get(request, name));
}

/* NULL, or what is wrong with it. */
static json_t *
take(struct asked *a, json_t *request)
{
    json_t *size = json_object_get(request, "size");

    a->sender = text_of(request, "from");
    a->recipient = text_of(request, "to");
    a->login = text_of(request, "login");
    a->subject = text_of(request, "subject");
    a->attachment = text_of(request, "attachment");
    if (!a->sender || !a->recipient || !a->login)
        return control_error(CONTROL_USAGE, "a sender, a recipient and a login are needed");
    if (strcmp(a->sender, "<>") == 0)
        a->sender = "";
    a->sized = json_is_integer(size) && json_integer_value(size) >= 0;
    if (size && !a->sized)
        return control_error(CONTROL_USAGE, "the size is no number of bytes");
    if (a->sized)
        a->size = (uint64_t)json_integer_value(size);
    if (a->subject && (strlen(a->subject) >= SUBJECT_MAX ||
                       fold_text(a->folded, sizeof a->folded, span_of(a->subject)) < 0))
        return control_error(CONTROL_USAGE, "the subject is too long");
    return NULL;
}

static json_t *
answer(struct asked *a, struct control *c)
{
    const char *why;
    struct mirror *m = control_mirror(c, &why);
    struct people *people = people_over(c->env->conf, m);
    json_t *out = NULL;

    if (people && hold_rules_read(&a->rules, c->env->conf) == 0) {
        look_up(a, people);
        out = judged_json(a);
    }
    people_free(&people);
    hold_rules_free(&a->rules);
    if (m)
        control_mirror_end(c);
    return out;
}

json_t *
control_hold(struct control *c, const struct caller *who, json_t *request)
{
    struct asked *a = calloc(1, sizeof *a);
    json_t *out = NULL;

    (void)who;
    if (a)
        out = take(a, request);
    if (a && !out)
        out = answer(a, c);
    free(a);
    return out ? out : control_error(CONTROL_TEMPORARY, "out of memory");
}
