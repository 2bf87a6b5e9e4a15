/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lookup: one question over the map socket, the very one Postfix uses; like
 * postmap -q, but with all four kinds of answer told apart.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "ctl.h"
#include "text.h"

#define LOOKUP_TIMEOUT_MS 10000 /* beyond unknown_wait, which a lookup may take by right */

static int
exit_code(enum socketmap_status s)
{
    switch (s) {
    case SOCKETMAP_OK:
        return CTL_DONE;
    case SOCKETMAP_NOTFOUND:
        return CTL_NO;
    case SOCKETMAP_TEMP:
        return CTL_TEMPORARY;
    default:
        return CTL_USAGE;
    }
}

/* JSON is UTF-8; a key or an answer need not be. */
static json_t *
json_text(const char *s)
{
    json_t *j = json_string(s);
    char *copy = j ? NULL : strdup(s);

    if (!copy)
        return j;
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    j = json_string(copy);
    free(copy);
    return j;
}

static void
print_text(enum socketmap_status s, const char *map, const char *key, const char *data)
{
    if (s == SOCKETMAP_OK) {
        text_put(stdout, data);
        fputc('\n', stdout);
        return;
    }
    fprintf(stderr, "postroad: %s ", map);
    text_put(stderr, key);
    fprintf(stderr, ": %s%s", socketmap_status_word(s), *data ? " " : "");
    text_put(stderr, data);
    fputc('\n', stderr);
}

int
verb_lookup(struct ctl *ctl)
{
    const char *path = ctl->conf->sockets.map, *map, *key;
    enum socketmap_status status;
    char error[512], *data;
    int code;

    if (ctl->argc != 2)
        return ctl_usage("lookup takes a map and a key: postroad lookup transport "
                         "alice@a.example");
    map = ctl->argv[0];
    key = ctl->argv[1];
    if (strcmp(map, "access") == 0)
        return lookup_access(ctl, key);
    data = malloc(SOCKETMAP_REPLY_MAX + 1);
    if (!data)
        return CTL_TEMPORARY;
    if (ask_map(path, map, key, ctl->conf->unknown_wait * 1000 + LOOKUP_TIMEOUT_MS, &status, data,
                SOCKETMAP_REPLY_MAX + 1, error, sizeof error) == -1) {
        free(data);
        return daemon_silent(ctl, path, error);
    }
    code = exit_code(status);
    if (ctl->json)
        ctl_print_json(json_pack("{s:b, s:o, s:o, s:s, s:o}", "ok", 1, "map", json_text(map), "key",
                                 json_text(key), "status", socketmap_status_word(status), "data",
                                 json_text(data)));
    else
        print_text(status, map, key, data);
    free(data);
    return code;
}
