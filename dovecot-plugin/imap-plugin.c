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

struct wrapped {
    struct command original;
};
static ARRAY(struct wrapped) all_wrapped;
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

void
imap_wrap(const char *name, command_func_t *ours)
{
    const struct command *found = command_find(name);
    struct wrapped *w;

    if (found == NULL)
        return;
    w = array_append_space(&all_wrapped);
    w->original = *found;
    command_unregister(name);
    command_register(w->original.name, ours, w->original.flags);
}

void
imap_unwrap_all(void)
{
    const struct wrapped *w;

    array_foreach(&all_wrapped, w)
    {
        command_unregister(w->original.name);
        command_register(w->original.name, w->original.func, w->original.flags);
    }
    array_free(&all_wrapped);
}

bool
imap_unwrapped(struct client_command_context *cmd)
{
    const struct wrapped *w;

    array_foreach(&all_wrapped, w)
    {
        if (strcasecmp(w->original.name, cmd->name) == 0) {
            cmd->func = w->original.func;
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
    i_array_init(&all_wrapped, N_ELEMENTS(wrappers));
    for (unsigned int i = 0; i < N_ELEMENTS(wrappers); i++)
        imap_wrap(wrappers[i].name, wrappers[i].ours);
    next_client_created = imap_client_created_hook_set(client_created);
    postroad_says_goodbye = TRUE;
}

void
imap_postroad_plugin_deinit(void)
{
    postroad_says_goodbye = FALSE;
    imap_client_created_hook_set(next_client_created);
    imap_unwrap_all();
}
