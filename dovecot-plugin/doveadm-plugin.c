/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doveadm-plugin: `doveadm postroad rights ACTOR TARGET`, for whoever sits at a mail server: what
 * policyd would say about the two, right by right, with the number of the rule. It asks as the mail
 * processes do, through the same socket; nothing is opened, and nothing goes on record.
 */
#include "lib.h"
#include "str.h"
#include "strescape.h"
#include "doveadm.h"
#include "doveadm-print.h"
#include "question.h"
#include "answer.h"
#include "compat.h"
#include "doveadm-compat.h"

#include <stdio.h>
#include <sysexits.h>

struct module;

void doveadm_postroad_plugin_init(struct module *module);
void doveadm_postroad_plugin_deinit(void);
extern const char *doveadm_postroad_plugin_version;

const char *doveadm_postroad_plugin_version = DOVECOT_ABI_VERSION;

static int
ask_rights(const char *socket, const char *actor, const char *target, const char **answer_r,
           const char **error_r)
{
    struct question ask = {.fd = -1};
    string_t *line = t_str_new(128);
    int ret;

    str_append(line, "rights\tactor=");
    str_append_tabescaped(line, actor);
    str_append(line, "\ttarget=");
    str_append_tabescaped(line, target);
    if (question_connect(&ask, socket, POSTROAD_TIMEOUT_MSECS, error_r) < 0)
        return -1;
    ret = question_line(&ask, str_c(line), POSTROAD_TIMEOUT_MSECS, answer_r, error_r);
    if (ret == 0)
        question_close(&ask);
    return ret;
}

/* right=verdict:rule */
static void
print_right(const char *field)
{
    const char *equals = strchr(field, '='), *colon;

    if (equals == NULL)
        return;
    colon = strchr(equals, ':');
    doveadm_print(t_strdup_until(field, equals));
    doveadm_print(colon == NULL ? equals + 1 : t_strdup_until(equals + 1, colon));
    doveadm_print(colon == NULL ? "" : colon + 1);
}

static void
print_rights(const char *const *fields)
{
    doveadm_print_init(DOVEADM_PRINT_TYPE_TABLE);
    doveadm_print_header_simple("right");
    doveadm_print_header_simple("answer");
    doveadm_print_header_simple("rule");
    for (; *fields != NULL; fields++)
        print_right(*fields);
}

static void
cmd_rights(struct doveadm_cmd_context *cctx)
{
    const char *actor, *target, *socket, *line, *error;
    struct answer answer;

    if (!doveadm_cmd_param_str(cctx, "actor", &actor) ||
        !doveadm_cmd_param_str(cctx, "target", &target))
        help_ver2(cctx->cmd);
    if (!doveadm_cmd_param_str(cctx, "socket", &socket))
        socket = compat_doveadm_socket(cctx);
    if (ask_rights(socket, actor, target, &line, &error) < 0) {
        i_error("postroad: %s", error);
        doveadm_exit_code = EX_TEMPFAIL;
        return;
    }
    answer_parse(line, &answer);
    if (answer.word != ANSWER_OK) {
        i_error("postroad: policyd can't tell: %s%s", answer.why, answer.text);
        doveadm_exit_code = answer.word == ANSWER_UNSURE ? EX_TEMPFAIL : EX_SOFTWARE;
        return;
    }
    print_rights(t_strsplit_tabescaped(line) + 1);
}

static struct doveadm_cmd_ver2 rights_command = {
    .name = "postroad rights",
    .cmd = cmd_rights,
    .usage = "[-s <socket>] <actor> <target>",
    DOVEADM_CMD_PARAMS_START DOVEADM_CMD_PARAM('s', "socket", CMD_PARAM_STR, 0)
        DOVEADM_CMD_PARAM('\0', "actor", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
            DOVEADM_CMD_PARAM('\0', "target", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
                DOVEADM_CMD_PARAMS_END,
};

void
doveadm_postroad_plugin_init(struct module *module ATTR_UNUSED)
{
    doveadm_cmd_register_ver2(&rights_command);
}

void
doveadm_postroad_plugin_deinit(void)
{
}
