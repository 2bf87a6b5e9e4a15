/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_held: the verbs held-list, held-show and held-decide, which role held answers.
 */
#ifndef POSTROAD_CONTROL_HELD_H
#define POSTROAD_CONTROL_HELD_H

#include "control.h"

/* fd: role control's end of the pair to role held, -1: there is none. 0, or -1: no memory. */
int control_held_open(struct control *c, int fd);
void control_held_close(struct control *c);

json_t *control_held(struct control *c, const struct caller *who, json_t *request);

#endif
