/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap-share: SETACL and DELETEACL, which change who sees a folder without the storage knowing.
 * Whom somebody may let in is policyd's to say; taking people out again is always allowed to who may
 * change the mailbox. In another's mailbox both go on record.
 */
#include "imap-common.h"
#include "str.h"
#include "strescape.h"
#include "imap-commands.h"
#include "session.h"
#include "plugin.h"
#include "imap.h"

/* A leading '-' makes the identifier one whose rights are taken off others': there the roles swap. */
bool
imap_acl_lets_in(const char *identifier, const char *rights)
{
    bool negative = *identifier == '-';

    if (rights == NULL)
        return negative;
    if (*rights == '-')
        return negative;
    if (*rights == '+')
        return !negative && rights[1] != '\0';
    return negative || *rights != '\0';
}

/* -1: no answer; 0: no, with a text; 1: yes. */
static int
may_let_in(struct session *s, const char *identifier, const char **text_r)
{
    string_t *line = t_str_new(128);
    struct answer answer;

    str_append(line, "share\tidentifier=");
    str_append_tabescaped(line, identifier);
    if (str_len(line) >= QUESTION_MAX / 2 || session_ask(s, str_c(line), 1, &answer) < 0 ||
        (answer.word != ANSWER_YES && answer.word != ANSWER_NO))
        return -1;
    *text_r = *answer.text != '\0' ? answer.text : "Sharing with them is not permitted";
    return answer.word == ANSWER_YES ? 1 : 0;
}

static bool
unavailable(struct client_command_context *cmd, const char *text)
{
    client_send_tagline(cmd, t_strdup_printf("NO [UNAVAILABLE] %s", text));
    return TRUE;
}

static bool
share(struct client_command_context *cmd, struct session *s, const char *mailbox,
      const char *identifier, const char *rights)
{
    const char *text;
    int may = imap_acl_lets_in(identifier, rights)
                  ? may_let_in(s, identifier + (*identifier == '-' ? 1 : 0), &text)
                  : 1;

    if (may < 0)
        return unavailable(cmd, SESSION_TEXT_NO_ANSWER);
    if (may == 0)
        return imap_refuse(cmd, text);
    if (!session_record(s, "setacl", mailbox, NULL,
                        t_strdup_printf("%s %s", identifier, rights == NULL ? "none" : rights)))
        return unavailable(cmd, SESSION_TEXT_NO_RECORD);
    return imap_unwrapped(cmd);
}

bool
imap_cmd_share(struct client_command_context *cmd)
{
    struct session *s = postroad_session(cmd->client->user);
    const struct imap_arg *args;
    const char *mailbox, *identifier, *rights = NULL;

    if (s == NULL)
        return imap_unwrapped(cmd);
    if (!imap_arguments(cmd, &args))
        return FALSE;
    if (s->mode == MODE_READ)
        return imap_refuse(cmd, SESSION_TEXT_READ_ONLY);
    if (!imap_arg_get_astring(&args[0], &mailbox) || !imap_arg_get_astring(&args[1], &identifier))
        return imap_unwrapped(cmd); /* which will say what is wrong */
    if (strcasecmp(cmd->name, "SETACL") == 0 && !imap_arg_get_astring(&args[2], &rights))
        return imap_unwrapped(cmd);
    return share(cmd, s, mailbox, identifier, rights);
}
