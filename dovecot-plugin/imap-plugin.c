/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap-plugin: lib96_imap_postroad_plugin, for honest answers in IMAP. The storage half keeps what
 * isn't permitted from happening; this half sees to it that the client is told so, and looks after
 * the commands that never reach the storage. Without it sessions are as limited, but less clear.
 */
#include "imap-common.h"
#include "array.h"
#include "ostream.h"
#include "imap-commands.h"
#include "mail-storage-private.h"
#include "session.h"
#include "plugin.h"
#include "imap.h"

#include <sys/socket.h>

struct module;

void imap_postroad_plugin_init(struct module *module);
void imap_postroad_plugin_deinit(void);
extern const char *imap_postroad_plugin_version;
extern const char imap_postroad_plugin_binary_dependency[];
extern const char *imap_postroad_plugin_dependencies[];

const char *imap_postroad_plugin_version = DOVECOT_ABI_VERSION;
const char imap_postroad_plugin_binary_dependency[] = "imap";
const char *imap_postroad_plugin_dependencies[] = {"postroad", NULL};

static imap_client_created_func_t *next_client_created;

static const struct {
    const char *name;
    command_func_t *ours;
} wrappers[] = {
    {"STORE", imap_cmd_change},       {"UID STORE", imap_cmd_change},
    {"REPLACE", imap_cmd_expunge},    {"UID REPLACE", imap_cmd_expunge},
    {"EXPUNGE", imap_cmd_expunge},    {"UID EXPUNGE", imap_cmd_expunge},
    {"COPY", imap_cmd_change},        {"UID COPY", imap_cmd_change},
    {"MOVE", imap_cmd_change},        {"UID MOVE", imap_cmd_change},
    {"GENURLAUTH", imap_cmd_change},  {"RESETKEY", imap_cmd_change},
    {"FILTER", imap_cmd_change},      {"UID FILTER", imap_cmd_change},
    {"SETMETADATA", imap_cmd_change}, {"SETACL", imap_cmd_share},
    {"DELETEACL", imap_cmd_share},    {"SETQUOTA", imap_cmd_setquota},
};

static command_func_t *originals[N_ELEMENTS(wrappers)]; /* NULL: there is no such command */

/*
 * Its place in Dovecot's own table, which stays in order so: had each command been taken out and put
 * in again, all would be sorted anew for the next one, and every login waits for that.
 */
static struct command *
place_of(const char *name)
{
    const struct command *found = command_find(name);

    return found == NULL
               ? NULL
               : array_idx_modifiable(&imap_commands, array_ptr_to_idx(&imap_commands, found));
}

/* Puts ours in front of the commands there are. */
static void
wrap_all(void)
{
    for (unsigned int i = 0; i < N_ELEMENTS(wrappers); i++) {
        struct command *c = place_of(wrappers[i].name);

        originals[i] = c == NULL ? NULL : c->func;
        if (c != NULL)
            c->func = wrappers[i].ours;
    }
}

/* What somebody else has put in front of ours meanwhile is not ours to take away. */
static void
unwrap_all(void)
{
    for (unsigned int i = 0; i < N_ELEMENTS(wrappers); i++) {
        struct command *c = originals[i] == NULL ? NULL : place_of(wrappers[i].name);

        if (c != NULL && c->func == wrappers[i].ours)
            c->func = originals[i];
    }
}

bool
imap_unwrapped(struct client_command_context *cmd)
{
    for (unsigned int i = 0; i < N_ELEMENTS(wrappers); i++) {
        if (originals[i] != NULL && strcasecmp(wrappers[i].name, cmd->name) == 0) {
            cmd->func = originals[i];
            return cmd->func(cmd);
        }
    }
    return imap_refuse(cmd, "Command not found");
}

bool
imap_arguments(struct client_command_context *cmd, const struct imap_arg **args_r)
{
    return client_read_args(cmd, 0, 0, args_r);
}

bool
imap_refuse(struct client_command_context *cmd, const char *text)
{
    client_send_tagline(cmd, t_strdup_printf("NO [NOPERM] %s", text));
    return TRUE;
}

/* Said before Dovecot says that all is well; the user's error ends the session right after. */
static void
say_goodbye(struct client *client, const struct session *s)
{
    const char *line =
        t_strdup_printf("* BYE [%s] %s\r\n", s->unavailable ? "UNAVAILABLE" : "NOPERM", s->goodbye);

    o_stream_nsend_str(client->output, line);
    (void)o_stream_flush(client->output);
    (void)shutdown(client->fd_out, SHUT_WR);
}

static void
client_created(struct client **client)
{
    struct session *s = postroad_session((*client)->user);

    if (s != NULL && s->mode == MODE_NONE)
        say_goodbye(*client, s);
    if (next_client_created != NULL)
        next_client_created(client);
}

void
imap_postroad_plugin_init(struct module *module ATTR_UNUSED)
{
    wrap_all();
    next_client_created = imap_client_created_hook_set(client_created);
    postroad_says_goodbye = TRUE;
}

void
imap_postroad_plugin_deinit(void)
{
    postroad_says_goodbye = FALSE;
    imap_client_created_hook_set(next_client_created);
    unwrap_all();
}
