/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare: what the files of verb compare share.
 */
#ifndef POSTROAD_CTL_COMPARE_H
#define POSTROAD_CTL_COMPARE_H

#include "ctl.h"

struct side {
    const char *name, *path;
    json_t *domains; /* name -> {digest, entries} */
};

/*
 * compare_parts.c: give rows that both sides have {"attributes": [words]}: what differs in them.
 * The first ones; those for which nobody can say stay as they are.
 */
void compare_parts(const struct side side[2], json_t *rows);

#endif
