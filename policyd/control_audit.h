/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_audit: the audit log and openings, for `postroad`.
 */
#ifndef POSTROAD_CONTROL_AUDIT_H
#define POSTROAD_CONTROL_AUDIT_H

#include "control.h"

/* A page of records that the caller, or whom he says he has proven to be, may see. */
json_t *audit_page_json(struct control *c, const struct caller *who, json_t *request);

/* Ask role access about openings; what: open, list, close. The answer mostly comes later. */
json_t *opening_json(struct control *c, const struct caller *who, json_t *request,
                     const char *what);

#endif
