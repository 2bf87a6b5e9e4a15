/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_may: the verb `may` of role control, whether one may do something to another.
 */
#ifndef POSTROAD_CONTROL_MAY_H
#define POSTROAD_CONTROL_MAY_H

#include "control.h"
#include "rights_ask.h"

/* The members of the reply, beside "ok": verdict, rule, why, and what was known of both. */
json_t *may_json(struct control *c, const struct rights_question *q, const struct moment *now);

#endif
