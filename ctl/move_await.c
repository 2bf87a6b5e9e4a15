/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_site, waiting: a change in the directory counts only when the daemons that
 * answer Postfix have it. Each is asked over its control socket, as `postroad
 * explain` does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "ask.h"
#include "move_site.h"
#include "show.h"

#define ASK_MS   10000
#define PAUSE_MS 100

/* Where the daemon of a site listens; NULL when that is said nowhere. */
static const char *
socket_of(const struct ctl *ctl, const char *site)
{
    const struct conf_list *peers = &ctl->conf->compare.peers;
    size_t n = strlen(site);

    if (strcasecmp(site, ctl->conf->site) == 0)
        return ctl->conf->sockets.control;
    for (size_t i = 0; i < peers->n; i++)
        if (strncasecmp(peers->v[i], site, n) == 0 && peers->v[i][n] == '=')
            return peers->v[i] + n + 1;
    return ctl->at;
}

/* Whether it says what is waited for: 1, 0; -1 nobody answers, and error. */
static int
says(const char *socket, const char *address, const char *home, char *error, size_t error_n)
{
    json_t *request = json_pack("{s:s, s:s}", "verb", "explain", "address", address);
    char *line = json_dumps(request, JSON_COMPACT), *answer = NULL;
    json_t *reply = NULL, *inputs;
    const char *state, *at;
    int is;

    json_decref(request);
    if (line && ask_line(socket, line, ASK_MS, &answer, error, error_n) == 0)
        reply = json_loads(answer, 0, NULL);
    free(line);
    free(answer);
    if (!reply)
        return -1;
    inputs = json_object_get(reply, "inputs");
    state = show_text(json_object_get(inputs, "state"), "value");
    at = show_text(json_object_get(inputs, "home"), "value");
    is = home ? strcasecmp(at, home) == 0 && strcmp(state, "moving") != 0
              : strcmp(state, "moving") == 0;
    json_decref(reply);
    return is;
}

int
move_await(struct ctl *ctl, const char *site, const char *address, const char *home, int seconds)
{
    const char *socket = socket_of(ctl, site);
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    long long end = clock_mono_ms() + 1000LL * seconds;
    char error[512] = "";
    int is;

    if (!socket)
        return CTL_NO;
    while ((is = says(socket, address, home, error, sizeof error)) != 1 && clock_mono_ms() < end)
        nanosleep(&pause, NULL);
    if (is == 1)
        return CTL_DONE;
    if (is < 0)
        return ctl_fail(ctl, CTL_TEMPORARY, "postroad-policyd of %s does not answer at %s: %s",
                        site, socket, error);
    return ctl_fail(ctl, CTL_TEMPORARY,
                    "after %d s %s still does not know: look at \"postroad "
                    "explain %s\" there",
                    seconds, site, address);
}
