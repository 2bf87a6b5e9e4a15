/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap-change: commands that the storage would take and then do nothing. In a session that only
 * reads, and where deleting is withheld from the owner, the client is told NO instead of OK.
 */
#include "imap-common.h"
#include "imap-commands.h"
#include "session.h"
#include "plugin.h"
#include "imap.h"

static bool
refuse_when_read(struct client_command_context *cmd, const char *text)
{
    const struct imap_arg *args;

    if (!imap_arguments(cmd, &args))
        return FALSE;
    return imap_refuse(cmd, text);
}

bool
imap_cmd_change(struct client_command_context *cmd)
{
    const struct session *s = postroad_session(cmd->client->user);

    if (s != NULL && s->mode == MODE_READ)
        return refuse_when_read(cmd, SESSION_TEXT_READ_ONLY);
    return imap_unwrapped(cmd);
}

bool
imap_cmd_expunge(struct client_command_context *cmd)
{
    const struct session *s = postroad_session(cmd->client->user);

    if (s != NULL && (s->withheld & WITHHELD_EXPUNGE) != 0)
        return refuse_when_read(cmd, SESSION_TEXT_EXPUNGE);
    return imap_cmd_change(cmd);
}
