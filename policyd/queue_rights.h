/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_rights: what the helper of role queue keeps of the privileges it was started with; see
 * queue_run.h. Started by an ordinary user there is nothing to give up.
 */
#ifndef POSTROAD_QUEUE_RIGHTS_H
#define POSTROAD_QUEUE_RIGHTS_H

#include <stddef.h>

#include "conf.h"

/* In the helper, for good and for all programs it runs. 0, or -1 and error. */
int queue_rights_keep(const struct conf *conf, char *error, size_t error_n);
/* Before a program that needs no privileges: become the user of the roles. 0, or -1. */
int queue_rights_lower(void);

#endif
