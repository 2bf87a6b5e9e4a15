/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_may: whether one may do something to another, with the rule that decides
 * and the facts it decided on, as JSON. Asks rights_ask(), which every other asker
 * uses, and must not decide anything itself.
 */
#include <stdlib.h>

#include "control_may.h"
#include "status.h"

static json_t *
dn_json(struct span dn)
{
    return dn.n > 0 ? control_text(dn) : json_null();
}

/* 1, 0, -1 as true, false, null. */
static json_t *
known_json(int known)
{
    return known < 0 ? json_null() : json_boolean(known);
}

static json_t *
scopes_json(const struct rights_actor *a)
{
    json_t *list = json_array();

    for (size_t i = 0; i < a->nscopes; i++)
        json_array_append_new(list, control_text(a->scopes[i]));
    return list;
}

static json_t *
rights_json(unsigned rights)
{
    static const char *const words[] = {"read-mail", "write-mail", "approve", "audit"};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (rights & (unsigned)rights_right_parse(span_of(words[i])))
            json_array_append_new(list, json_string(words[i]));
    return list;
}

static json_t *
actor_json(const struct rights_answer *a)
{
    const struct rights_actor *actor = &a->in.actor;

    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "dn", dn_json(actor->dn), "known",
                     known_json(actor->known), "note", a->actor.note, "level",
                     rights_level_word(actor->level), "active", known_json(actor->active),
                     "in_group", known_json(actor->level > LEVEL_USER ? actor->gate : 0), "scopes",
                     scopes_json(actor), "rights", rights_json(actor->rights));
}

static json_t *
target_json(const struct rights_answer *a)
{
    const struct rights_target *target = &a->in.target;

    return json_pack("{s:o, s:o, s:s, s:s, s:s}", "dn", dn_json(target->dn), "known",
                     known_json(target->known), "note", a->target.note, "kind",
                     rights_kind_word(target->kind), "level", rights_level_word(target->level));
}

static json_t *
answer_json(const struct rights_answer *a)
{
    const struct rights *r = &a->rights;

    if (a->usage)
        return control_error(CONTROL_USAGE, "%s", a->usage);
    return json_pack(
        "{s:s, s:o, s:i, s:s, s:s, s:s, s:b, s:o, s:o}", "verdict", rights_verdict_word(r->verdict),
        "allowed", known_json((int)r->verdict), "rule", r->rule, "text", rights_rule_text(r->rule),
        "why", r->why, "action", rights_action_word(a->in.action), "directory",
        rights_in_directory(a->in.action), "actor", actor_json(a), "target", target_json(a));
}

static json_t *
ask(struct control *c, struct mirror *m, const struct rights_question *q, const struct moment *now)
{
    struct rights_answer *a = malloc(sizeof *a);
    struct mirror_info info;
    int64_t age = -1;
    json_t *out;

    if (!a)
        return NULL;
    if (mirror_info(m, &info) == 0 && info.complete) {
        age = now->wall_ms - status_confirmed_ms(c, &info, now);
        age = age < 0 ? 0 : age;
    }
    rights_ask(c->env->conf, m, age, q, a);
    out = answer_json(a);
    free(a);
    return out;
}

json_t *
may_json(struct control *c, const struct rights_question *q, const struct moment *now)
{
    const char *why = "";
    struct mirror *m = control_mirror(c, &why);
    json_t *out;

    if (!m)
        return control_error(CONTROL_TEMPORARY, "can't tell: the mirror can't be read: %s", why);
    out = ask(c, m, q, now);
    control_mirror_end(c);
    return out;
}
