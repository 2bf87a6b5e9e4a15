/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_access: from a verb of the control socket to a question to role access, and
 * from its answer to the reply.
 *
 * Promises: one reply for each, "temporary" when none comes in time; a caller who went
 * away in between is no matter. Must not decide who may ask what: that is the verb's, or
 * role access's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "control_access.h"

/* A reply that is owed. */
struct owed {
    struct control *control;
    uint64_t caller;
    json_t *(*make)(const struct tabline *answer);
};

static json_t *
text_of(const struct tabline *answer, const char *key)
{
    struct span value;

    tabline_get(answer, key, &value);
    return control_text(value);
}

static json_t *
error_of(const struct tabline *answer, enum control_code code, const char *key)
{
    json_t *text = text_of(answer, key);
    json_t *reply = control_error(code, "%s", json_string_value(text));

    json_decref(text);
    return reply;
}

json_t *
control_access_json(const struct tabline *answer)
{
    json_t *reply;
    char key[64];

    if (span_same(answer->word, span_of("no")))
        return error_of(answer, CONTROL_NO, "text");
    if (span_same(answer->word, span_of("unsure")))
        return error_of(answer, CONTROL_TEMPORARY, "why");
    if (span_same(answer->word, span_of("error")))
        return error_of(answer, CONTROL_USAGE, "text");
    reply = json_pack("{s:b}", "ok", 1);
    for (size_t i = 0; reply && i < answer->n; i++) {
        struct span k = answer->field[i].key;

        snprintf(key, sizeof key, "%.*s", (int)(k.n < sizeof key ? k.n : sizeof key - 1), k.p);
        json_object_set_new(reply, key, control_text(answer->field[i].value));
    }
    return reply;
}

static json_t *
no_answer(void)
{
    return control_error(CONTROL_TEMPORARY,
                         "role access does not answer: see postroad status, and whether "
                         "sockets.access is set");
}

static void
on_answer(void *ctx, const struct tabline *answer)
{
    struct owed owed = *(struct owed *)ctx;

    free(ctx);
    door_reply(owed.control->door, owed.caller, answer ? owed.make(answer) : no_answer());
}

json_t *
control_access_ask(struct control *c, const struct caller *who, const char *line, size_t n,
                   json_t *(*make)(const struct tabline *answer))
{
    struct owed *owed = malloc(sizeof *owed);

    if (!owed)
        return NULL;
    *owed = (struct owed){c, who->number, make ? make : control_access_json};
    if (access_client_ask(c->access, line, n, on_answer, owed))
        return control_later();
    free(owed);
    return n > 0 ? no_answer()
                 : control_error(CONTROL_USAGE, "a question is a line of at most %d bytes",
                                 TABLINE_MAX);
}

json_t *
control_who(struct control *c, const struct caller *who, json_t *request)
{
    json_t *after = json_object_get(request, "after");
    char line[128], number[24];
    struct tabline_out o;

    snprintf(number, sizeof number, "%" PRIi64, (int64_t)json_integer_value(after));
    tabline_begin(&o, line, sizeof line, "who");
    tabline_add(&o, "after", span_of(number));
    return control_access_ask(c, who, line, tabline_end(&o), NULL);
}
