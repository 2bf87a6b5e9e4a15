/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_held: from a verb about held messages to a question to role held, and its answer back.
 *
 * Promises: only root and the daemon's user are answered, who stand for the system here, as
 * "root@host"; everybody else has the directory. Must not let the caller say who he is.
 */
#include "control_held.h"

#include <stdio.h>
#include <unistd.h>

#include "held_ask.h"
#include "log.h"
#include "held_record.h"
#include "status.h"

static void
on_reply(void *ctx, uint64_t caller, json_t *reply)
{
    struct control *c = ctx;

    if (!reply)
        reply = control_error(CONTROL_TEMPORARY, "role held does not answer: see postroad status");
    door_reply(c->door, caller, reply);
}

int
control_held_open(struct control *c, int fd)
{
    c->held = held_ask_new(c->base, fd, on_reply, c);
    return c->held ? 0 : -1;
}

void
control_held_close(struct control *c)
{
    held_ask_free(&c->held);
}

/* "root@mx1.example" */
static void
name_caller(const struct control *c, const struct caller *who, char *out, size_t cap)
{
    char host[65] = "localhost";

    gethostname(host, sizeof host - 1);
    snprintf(out, cap, "%s@%s", who->uid == 0 ? "root" : c->env->conf->user, host);
}

json_t *
control_held(struct control *c, const struct caller *who, json_t *request)
{
    char by[256];

    if (!who->may_change) {
        log_warning("control: refused verb=held uid=%ld pid=%ld", (long)who->uid, (long)who->pid);
        return control_error(CONTROL_USAGE, "held messages: only root and the daemon's user may "
                                            "ask here; give -D to ask the directory");
    }
    if (!held_ask_works(c->held))
        return control_error(CONTROL_NO, "no mail is held here: see milter.moderate in "
                                         "postroad.conf(5)");
    name_caller(c, who, by, sizeof by);
    json_object_set_new(request, "by", control_text(span_of(by)));
    if (held_ask(c->held, who->number, request) == 0)
        return control_later();
    return control_error(CONTROL_TEMPORARY, "role held can't be asked now: try again");
}

static json_t *
count(const struct control *c, int word)
{
    return json_integer((json_int_t)board_get(&c->env->board, BOARD_HELD, word));
}

json_t *
status_held_json(struct control *c, const struct moment *now)
{
    static const char *const directory[] = {"away", "none", "told"};
    int64_t oldest = (int64_t)board_get(&c->env->board, BOARD_HELD, BOARD_HELD_OLDEST_MS);
    int64_t round = (int64_t)board_get(&c->env->board, BOARD_HELD, BOARD_HELD_ROUND_MS);
    uint64_t told = board_get(&c->env->board, BOARD_HELD, BOARD_HELD_DIRECTORY);
    json_t *j;

    if (!held_ask_works(c->held))
        return NULL;
    j = json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "oldest_s",
                  oldest > 0 ? json_real((double)(now->wall_ms - oldest) / 1000) : json_null(),
                  "directory", directory[told < 3 ? told : 0], "errors",
                  count(c, BOARD_HELD_ERRORS), "notices", count(c, BOARD_HELD_NOTICES),
                  "notices_lost", count(c, BOARD_HELD_NOTICES_LOST), "verdicts",
                  count(c, BOARD_HELD_VERDICTS), "verdicts_refused", count(c, BOARD_HELD_REFUSED));
    if (j)
        json_object_update_new(
            j,
            json_pack("{s:o, s:o, s:o, s:o, s:o}", "rivals", count(c, BOARD_HELD_RIVALS), "rounds",
                      count(c, BOARD_HELD_ROUNDS), "round_s",
                      round > 0 ? json_real((double)(now->wall_ms - round) / 1000) : json_null(),
                      "polls", count(c, BOARD_HELD_POLLS), "asking", count(c, BOARD_HELD_ASKING)));
    for (int s = 0; j && s <= HELD_FAILED; s++)
        json_object_set_new(j, held_state_word((enum held_state)s),
                            count(c, BOARD_HELD_STATES + s));
    return j;
}
