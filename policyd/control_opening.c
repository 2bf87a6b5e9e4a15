/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_opening: `postroad access`: from the request of an administrator's command to
 * a question to role access, and its answer back.
 *
 * Promises: who is neither root nor the daemon's user has to say who he is; see
 * control_audit.c for why that is believed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_access.h"
#include "control_audit.h"
#include "log.h"

/* Times and places as numbers. */
static json_t *
answer_json(const struct tabline *answer)
{
    static const char *const numbers[] = {"from", "until", "next"};
    json_t *reply = control_access_json(answer);

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *text = json_string_value(json_object_get(reply, numbers[i]));

        if (text)
            json_object_set_new(reply, numbers[i], json_integer(strtoll(text, NULL, 10)));
    }
    return reply;
}

/* A member of the request as a field, when it is there. */
static void
add(struct tabline_out *o, json_t *request, const char *key, const char *as)
{
    json_t *v = json_object_get(request, key);
    char number[24];
    struct span s = {json_string_value(v), json_string_length(v)};

    if (json_is_integer(v)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        s = span_of(number);
    }
    tabline_add_some(o, as, s);
}

json_t *
opening_json(struct control *c, const struct caller *who, json_t *request, const char *what)
{
    const char *as = json_string_value(json_object_get(request, "as"));
    char line[TABLINE_MAX];
    struct tabline_out o;
    size_t n;

    if ((!as || !*as) && (!who->may_change || strcmp(what, "open") == 0))
        return control_error(CONTROL_USAGE, "as whom?");
    tabline_begin(&o, line, sizeof line, "opening");
    tabline_add(&o, "do", span_of(what));
    add(&o, request, "as", "actor");
    add(&o, request, "target", "target");
    add(&o, request, "reason", "reason");
    add(&o, request, "seconds", "seconds");
    add(&o, request, "id", "id");
    add(&o, request, "after", "after");
    n = tabline_end(&o);
    if (strcmp(what, "list") != 0)
        log_notice("opening asked do=%s as=\"%.320s\" uid=%ld pid=%ld", what, as ? as : "",
                   (long)who->uid, (long)who->pid);
    return control_access_ask(c, who, line, n, answer_json);
}
