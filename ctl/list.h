/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list: what the verbs for lists and those for their members share.
 */
#ifndef POSTROAD_LIST_H
#define POSTROAD_LIST_H

#include "org.h"

/*
 * The values of --member into c, for a new list: by DN when an entry has the address, by address when
 * it is of no domain of ours. An address of ours that nobody has is refused.
 */
int list_members(struct org *o, struct dir_change *c);

#endif
