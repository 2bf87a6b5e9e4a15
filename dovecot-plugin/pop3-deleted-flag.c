/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pop3-deleted-flag: as Dovecot has it up to 2.4.3. Must leave the client as it
 * was before its first DELE, since each one is refused.
 */
#include "pop3-common.h"
#include "pop3-deleted.h"

void
pop3_undelete(struct client *client)
{
    i_free(client->deleted_bitmask);
    client->deleted = FALSE;
    client->deleted_count = 0;
    client->deleted_size = 0;
}
