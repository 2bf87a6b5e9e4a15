/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon: one question to policyd's control socket, and what to tell an
 * administrator when there is no answer.
 *
 * Promises: ends within ASK_TIMEOUT_MS. A failure is told in three parts: what
 * happened, what is still safe, what to do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "ctl.h"
#include "text.h"

#define ASK_TIMEOUT_MS 10000

/* Whether path is a socket that exists but is not for us. */
static int
forbidden(const char *path)
{
    if (strncmp(path, "unix:", 5) == 0)
        path += 5;
    return access(path, W_OK) == -1 && errno == EACCES;
}

int
daemon_silent(const struct ctl *ctl, const char *path, const char *error)
{
    int may_not = forbidden(path);

    if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:s, s:s, s:i}", "ok", 0, "error", error, "socket", path,
                                 "code", CTL_TEMPORARY));
        return CTL_TEMPORARY;
    }
    fprintf(stderr, "postroad: postroad-policyd does not answer: %s\n", error);
    if (may_not) {
        fprintf(stderr, "  To do: run it as root, or as a member of group \"%s\".\n",
                ctl->conf->group);
        return CTL_TEMPORARY;
    }
    fprintf(stderr,
            "  Still safe: mail that is queued stays queued, and mail already routed by Postfix "
            "keeps flowing\n"
            "  only while the map socket (%s) answers; if it does not, new mail for our domains "
            "gets 451 and\n"
            "  comes again. Nothing bounces.\n"
            "  To do: systemctl status postroad-policyd; check the file with "
            "postroad-policyd -t -c %s;\n"
            "  then systemctl start postroad-policyd.\n",
            ctl->conf->sockets.map, ctl->conf_path);
    return CTL_TEMPORARY;
}

static int
refused(const struct ctl *ctl, json_t *reply)
{
    json_t *code = json_object_get(reply, "code");
    const char *error = json_string_value(json_object_get(reply, "error"));
    int status = json_is_integer(code) ? (int)json_integer_value(code) : CTL_TEMPORARY;

    if (ctl->json) {
        ctl_print_json(reply);
        return status;
    }
    fputs("postroad: ", stderr);
    text_put(stderr, error ? error : "the daemon refused, and did not say why");
    fputc('\n', stderr);
    json_decref(reply);
    return status;
}

/* Nobody answers at the other site. */
static int
peer_silent(const struct ctl *ctl, const char *path, const char *site, const char *error)
{
    if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:s, s:s, s:s, s:i}", "ok", 0, "error", error, "socket",
                                 path, "site", site, "code", CTL_TEMPORARY));
        return CTL_TEMPORARY;
    }
    fprintf(stderr,
            "postroad: postroad-policyd of %s does not answer at %s: %s\n"
            "  To do: see whether the tunnel is up, and \"postroad status\" at %s.\n",
            site, path, error, site);
    return CTL_TEMPORARY;
}

int
daemon_ask_quietly(const struct ctl *ctl, json_t *request, json_t **reply_r)
{
    char error[512], *line = json_dumps(request, JSON_COMPACT), *answer = NULL;
    int got;

    json_decref(request);
    got = line ? ask_line(ctl->conf->sockets.control, line, ASK_TIMEOUT_MS, &answer, error,
                          sizeof error)
               : -1;
    free(line);
    *reply_r = got == 0 ? json_loads(answer, 0, NULL) : NULL;
    free(answer);
    if (json_is_object(*reply_r))
        return 0;
    json_decref(*reply_r);
    *reply_r = NULL;
    return -1;
}

int
daemon_ask_at(const struct ctl *ctl, const char *path, const char *site, json_t *request,
              json_t **reply_r)
{
    char error[512], *line = json_dumps(request, JSON_COMPACT), *answer = NULL;
    json_t *reply;
    int got;

    json_decref(request);
    if (!line)
        return ctl_usage("an argument is not UTF-8");
    got = ask_line(path, line, ASK_TIMEOUT_MS, &answer, error, sizeof error);
    free(line);
    reply = got == 0 ? json_loads(answer, 0, NULL) : NULL;
    free(answer);
    if (got == 0 && !json_is_object(reply)) {
        json_decref(reply);
        reply = NULL;
        snprintf(error, sizeof error, "what it said is not JSON: another program's socket?");
    }
    if (!reply)
        return site ? peer_silent(ctl, path, site, error) : daemon_silent(ctl, path, error);
    if (!json_is_true(json_object_get(reply, "ok")))
        return refused(ctl, reply);
    *reply_r = reply;
    return CTL_DONE;
}

int
daemon_ask(const struct ctl *ctl, json_t *request, json_t **reply_r)
{
    return daemon_ask_at(ctl, ctl->conf->sockets.control, NULL, request, reply_r);
}
