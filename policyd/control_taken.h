/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_taken: who has these addresses already, asked before new ones are given.
 */
#ifndef POSTROAD_CONTROL_TAKEN_H
#define POSTROAD_CONTROL_TAKEN_H

#include "control.h"

/*
 * {"taken": [{"address", "dn", "kind", "how"}], "bad": [address]}: one row for each entry that claims
 * one of the addresses, by whatever spelling, at the domain's primary name too when it was asked by
 * another. bad: what is no address. A mirror that was never filled is an error, not "nobody".
 */
json_t *taken_json(struct control *c, json_t *addresses);

#endif
