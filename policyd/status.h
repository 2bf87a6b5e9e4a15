/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status: the two long replies of role control, and the mirror's age, which
 * status, explain and /metrics must agree on.
 */
#ifndef POSTROAD_STATUS_H
#define POSTROAD_STATUS_H

#include "control.h"
#include "flow.h"
#include "queue_figures.h"

/* status.c, explain.c: the members of the reply, beside "ok". */
json_t *status_json(struct control *c, const struct moment *now);
json_t *explain_json(struct control *c, struct span address, const struct moment *now);
/* explain_spoof.c: what becomes of mail from outside in our name. */
json_t *control_spoof(struct control *c, const struct caller *who, json_t *request);
/* explain_hold.c: whether a message would be held for a moderator. */
json_t *control_hold(struct control *c, const struct caller *who, json_t *request);
/* status.c: the mirror's state and age, in status and in explain. */
json_t *status_mirror_json(struct control *c, const struct moment *now);
/* Wall clock at which the mirror was last known to hold what its source holds; 0 never. */
int64_t status_confirmed_ms(struct control *c, const struct mirror_info *info,
                            const struct moment *now);
/* At every beat: note when the source confirmed the mirror, for when it no longer does. */
void status_confirm(struct control *c, const struct moment *now);
const char *status_phase_word(unsigned phase); /* "none" for a number we don't know */

/* control_held.c: held mail; NULL when there is no role held. */
json_t *status_held_json(struct control *c, const struct moment *now);
/* control_hook.c: the new-mail events; NULL when they go nowhere. */
json_t *status_hook_json(struct control *c, const struct moment *now);

/* control_mail.c: mail that went through, and what is queued; NULL where nobody counts, or looks. */
json_t *status_flow_json(struct control *c, const struct moment *now);
json_t *status_queue_json(struct control *c, const struct moment *now);
/* As flow_read, with today by this machine's time zone. */
int status_flow(const struct control *c, const struct moment *now, struct flow_seen *seen_r,
                char *error, size_t error_n);

/* status_proof.c: for which moment the mirror is proven; null when a file is the source. */
json_t *status_proof_json(struct control *c, const struct moment *now);
int64_t status_proof_ms(const struct board *b); /* monotonic, 0 never */
/* What the board says of provider i of conf_providers, as in enum board_provider. */
struct status_provider {
    int64_t down_ms, answered_ms, proof_ms, behind_ms;
};
void status_provider(const struct board *b, size_t i, struct status_provider *out);

#endif
