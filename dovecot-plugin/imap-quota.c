/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap-quota: SETQUOTA by an administrator in a subordinate's session. Dovecot 2.3 would keep the
 * limit in a dictionary of its own, 2.4 refuses always; here policyd judges and writes it into the
 * directory, under the administrator's own rights. Nobody changes his own.
 */
#include "imap-common.h"
#include "imap-commands.h"
#include "session.h"
#include "plugin.h"
#include "imap.h"

#define UNIT     1024 /* of STORAGE, RFC 9208 */
#define PATIENCE 5    /* the directory has to write it */

static bool
set_quota(struct client_command_context *cmd, struct session *s, uint64_t bytes)
{
    struct answer answer;
    const char *line = t_strdup_printf("quota\tbytes=%" PRIu64, bytes);

    if (session_ask(s, line, PATIENCE, &answer) < 0 ||
        (answer.word != ANSWER_OK && answer.word != ANSWER_NO)) {
        client_send_tagline(cmd,
                            "NO [UNAVAILABLE] The quota can't be set at the moment, try later");
        return TRUE;
    }
    if (answer.word == ANSWER_NO)
        return imap_refuse(cmd, *answer.text != '\0' ? answer.text : "Not permitted");
    client_send_tagline(cmd, "OK Setquota completed; it holds from the next login on.");
    return TRUE;
}

/* (STORAGE n) and nothing else; not so much that bytes don't fit the directory's integer. */
static bool
storage_of(const struct imap_arg *list, uint64_t *bytes_r)
{
    const char *name, *value;

    if (!imap_arg_get_atom(&list[0], &name) || strcasecmp(name, "STORAGE") != 0 ||
        !imap_arg_get_atom(&list[1], &value) || !IMAP_ARG_IS_EOL(&list[2]) ||
        str_to_uint64(value, bytes_r) < 0 || *bytes_r > INT64_MAX / UNIT)
        return FALSE;
    *bytes_r *= UNIT;
    return TRUE;
}

bool
imap_cmd_setquota(struct client_command_context *cmd)
{
    struct session *s = postroad_session(cmd->client->user);
    const struct imap_arg *args, *list;
    const char *root;
    uint64_t bytes;

    if (!imap_arguments(cmd, &args))
        return FALSE;
    if (!imap_arg_get_astring(&args[0], &root) || !imap_arg_get_list(&args[1], &list)) {
        client_send_command_error(cmd, "Invalid arguments.");
        return TRUE;
    }
    if (s == NULL || !session_is_foreign(s))
        return imap_refuse(cmd, "Only an administrator may change a quota");
    if (!storage_of(list, &bytes))
        return imap_refuse(cmd, "Only STORAGE can be set");
    return set_quota(cmd, s, bytes);
}
