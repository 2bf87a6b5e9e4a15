/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status, proof: for which moment the mirror is proven to hold all that any provider
 * knew, which provider stands in the way, and what one has otherwise though it counts as
 * equal, for status, explain and /metrics. Only reads the board.
 */
#include "status.h"

#include "inquiry.h"

/* Further ago than this, what a provider knows more is no longer just on its way. */
#define BEHIND_MS 2000

void
status_provider(const struct board *b, size_t i, struct status_provider *out)
{
    int row = BOARD_SYNC_PROVIDER + BOARD_PROVIDER_WORDS * (int)i;

    out->down_ms = (int64_t)board_get(b, BOARD_SYNC, row + PROVIDER_DOWN_MS);
    out->answered_ms = (int64_t)board_get(b, BOARD_SYNC, row + PROVIDER_ANSWERED_MS);
    out->proof_ms = (int64_t)board_get(b, BOARD_SYNC, row + PROVIDER_PROOF_MS);
    out->behind_ms = (int64_t)board_get(b, BOARD_SYNC, row + PROVIDER_BEHIND_MS);
}

int64_t
status_proof_ms(const struct board *b)
{
    return (int64_t)board_get(b, BOARD_SYNC, BOARD_SYNC_PROOF_MS);
}

static json_t *
age_s(int64_t mono_ms, const struct moment *now)
{
    return mono_ms > 0 ? json_real((double)(now->mono_ms - mono_ms) / 1000.0) : json_null();
}

static const char *
state_of(const struct status_provider *p, const struct moment *now)
{
    if (p->down_ms > 0)
        return "unreachable";
    if (p->answered_ms == 0)
        return "not asked yet";
    return p->behind_ms > 0 && now->mono_ms - p->behind_ms > BEHIND_MS ? "ahead" : "answers";
}

static json_t *
provider_json(const struct board *b, const char *uri, size_t i, const struct moment *now)
{
    struct status_provider p;

    status_provider(b, i, &p);
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "uri", control_text(span_of(uri)), "state",
                     state_of(&p, now), "unreachable_since", control_time(p.down_ms),
                     "last_answer_s", age_s(p.answered_ms, now), "proven_s", age_s(p.proof_ms, now),
                     "ahead_s", age_s(p.behind_ms, now));
}

static json_t *
differs_json(const struct board *b, const struct conf_list *uris)
{
    json_t *list = json_array();
    struct inquiry_alarm a;

    for (int i = 0; i < INQUIRY_ALARMS; i++) {
        inquiry_alarm_get(b, i, &a);
        if (a.since_ms > 0 && (size_t)a.provider < uris->n)
            json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "address",
                                                  control_text(span_of(a.address)), "entry",
                                                  control_text(span_of(a.entry)), "uri",
                                                  control_text(span_of(uris->v[a.provider])),
                                                  "since", control_time((int64_t)a.since_ms)));
    }
    return list;
}

json_t *
status_proof_json(struct control *c, const struct moment *now)
{
    const struct board *b = &c->env->board;
    const struct conf_list *uris = conf_providers(c->env->conf);
    json_t *list = json_array();

    if (uris->n == 0) { /* a file is the truth */
        json_decref(list);
        return json_null();
    }
    for (size_t i = 0; i < uris->n; i++)
        json_array_append_new(list, provider_json(b, uris->v[i], i, now));
    return json_pack("{s:o, s:i, s:i, s:o, s:o}", "as_of_s", age_s(status_proof_ms(b), now),
                     "unreachable", (int)board_get(b, BOARD_SYNC, BOARD_SYNC_UNREACHABLE), "stalls",
                     (int)board_get(b, BOARD_SYNC, BOARD_SYNC_STALLS), "providers", list, "differs",
                     differs_json(b, uris));
}
