/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_access: verbs that role control answers by asking role access. The reply comes
 * later, and control answers others meanwhile.
 */
#ifndef POSTROAD_CONTROL_ACCESS_H
#define POSTROAD_CONTROL_ACCESS_H

#include "access_client.h"
#include "control.h"

/*
 * Ask one line of postroad-access(5), of n bytes with its LF (0: it did not fit). make: the reply out
 * of the answer; NULL: control_access_json. What this returns is what the verb returns.
 */
json_t *control_access_ask(struct control *c, const struct caller *who, const char *line, size_t n,
                           json_t *(*make)(const struct tabline *answer));

/*
 * An answer as a reply: yes and ok with their fields as members, all of them text; no, unsure and
 * error as errors of the code 1, 75 and 2.
 */
json_t *control_access_json(const struct tabline *answer);

/* The verb who: {"after":NUMBER} -> the administrator's session with the next number. */
json_t *control_who(struct control *c, const struct caller *who, json_t *request);

#endif
