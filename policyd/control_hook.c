/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_hook: what `postroad status` says of the new-mail events on their way, out of
 * the board of role hook.
 */
#include <jansson.h>

#include "control.h"
#include "status.h"

static json_t *
count(const struct control *c, int word)
{
    return json_integer((json_int_t)board_get(&c->env->board, BOARD_HOOK, word));
}

static json_t *
target_json(const struct control *c, size_t i)
{
    const char *setting = c->env->conf->hook.targets.v[i];
    int base = BOARD_HOOK_TARGETS + BOARD_HOOK_WORDS * (int)i;

    return json_pack("{s:o, s:o, s:o, s:o, s:b}", "name",
                     control_text((struct span){setting, strcspn(setting, "=")}), "taken",
                     count(c, base), "refused", count(c, base + 1), "failed", count(c, base + 2),
                     "doubted",
                     board_get(&c->env->board, BOARD_HOOK, base + BOARD_HOOK_DOUBTED) != 0);
}

json_t *
status_hook_json(struct control *c, const struct moment *now)
{
    int64_t oldest = (int64_t)board_get(&c->env->board, BOARD_HOOK, BOARD_HOOK_OLDEST_MS);
    json_t *targets;

    if (c->env->conf->hook.targets.n == 0)
        return NULL;
    targets = json_array();
    for (size_t i = 0; i < c->env->conf->hook.targets.n; i++)
        json_array_append_new(targets, target_json(c, i));
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "queued", count(c, BOARD_HOOK_QUEUED), "oldest_s",
        oldest > 0 ? json_real((double)(now->wall_ms - oldest) / 1000) : json_null(), "stored",
        count(c, BOARD_HOOK_STORED), "dropped_full", count(c, BOARD_HOOK_DROPPED_FULL),
        "dropped_aged", count(c, BOARD_HOOK_DROPPED_AGED), "store_errors",
        count(c, BOARD_HOOK_STORE_ERRORS), "targets", targets);
}
