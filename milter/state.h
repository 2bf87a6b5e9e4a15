/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state: the folders that the milter writes to. What is in them is its own, but for STATE/held/new, where it
 * puts records down and role held of postroad-policyd takes them away.
 */
#ifndef POSTROAD_STATE_H
#define POSTROAD_STATE_H

#include <stddef.h>

#include "conf.h"
#include "milter_user.h"

struct state {
    int accounting, figures, drop;
    int journal; /* -1: not asked for */
};

/*
 * Open all of them, made when they are not there. u: the milter's own user, for which they are opened by root,
 * as it can't come there itself: what belonged to `user` is given to it; NULL: we are who uses
 * them. 0, or -1 and error.
 */
int state_open(const struct conf *conf, const struct milter_user *u, struct state *s, char *error,
               size_t error_n);

#endif
