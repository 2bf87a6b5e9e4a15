/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pop3-deleted: takes back what DELE has noted. How POP3 notes it differs: up to 2.4.3 by a flag and
 * a bitmask (pop3-deleted-flag.c), then by the bitmask alone (pop3-deleted-mask.c); configure tells.
 */
#ifndef POSTROAD_POP3_DELETED_H
#define POSTROAD_POP3_DELETED_H

struct client;

void pop3_undelete(struct client *client);

#endif
