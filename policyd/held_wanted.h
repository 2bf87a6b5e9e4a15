/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_wanted: whether there is to be a role held. For the parent, which looks at no message.
 */
#ifndef POSTROAD_HELD_WANTED_H
#define POSTROAD_HELD_WANTED_H

#include "conf.h"

/* As settings say that mail is held, or mail was held when they still did: 1, 0. */
int held_wanted(const struct conf *conf);
/* What an administrator should hear who checks such settings; NULL: nothing. */
const char *held_unwise(const struct conf *conf);

#endif
