/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_hook: the settings of hook.*: targets have a name and a place to send to, and the
 * other lists name targets that are there.
 */
#include <ctype.h>
#include <string.h>

#include "conf_private.h"

#define NAME_MAX_N 64

/* The length of the name in "name=value"; 0: it has not that shape. */
static size_t
name_length(const char *setting)
{
    size_t n = 0;

    while (isalnum((unsigned char)setting[n]) || setting[n] == '-' || setting[n] == '_')
        n++;
    return n <= NAME_MAX_N && setting[n] == '=' && setting[n + 1] ? n : 0;
}

static int
is_target(const struct conf_list *targets, const char *name, size_t n)
{
    for (size_t i = 0; i < targets->n; i++)
        if (strncmp(targets->v[i], name, n) == 0 && targets->v[i][n] == '=')
            return 1;
    return 0;
}

static int
check_targets(struct conf_load *l, const struct conf_list *targets)
{
    for (size_t i = 0; i < targets->n; i++) {
        const char *v = targets->v[i];
        size_t n = name_length(v);

        if (n == 0)
            return conf_fail_key(l, "hook.targets", "\"%.80s\" is not NAME=URL", v);
        if (strncmp(v + n + 1, "https://", 8) != 0 && strncmp(v + n + 1, "http://", 7) != 0 &&
            strncmp(v + n + 1, "command:/", 9) != 0)
            return conf_fail_key(l, "hook.targets",
                                 "\"%.80s\" does not begin with https://, http:// or command:/",
                                 v + n + 1);
        if (strlen(v + n + 1) > 1024)
            return conf_fail_key(l, "hook.targets", "\"%.*s\" is too long", (int)n, v);
        for (size_t k = 0; k < i; k++)
            if (strncmp(targets->v[k], v, n + 1) == 0)
                return conf_fail_key(l, "hook.targets", "\"%.*s\" stands there twice", (int)n, v);
    }
    return 0;
}

static int
check_names(struct conf_load *l, const char *key, const struct conf_list *list, int paths)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *v = list->v[i];
        size_t n = name_length(v);

        if (n == 0 || !is_target(&l->conf->hook.targets, v, n))
            return conf_fail_key(l, key, "\"%.80s\" names no target of hook.targets", v);
        if (paths && v[n + 1] != '/')
            return conf_fail_key(l, key, "\"%.80s\" is no absolute path", v + n + 1);
    }
    return 0;
}

int
conf_check_hook(struct conf_load *l)
{
    const struct conf *c = l->conf;

    if (check_targets(l, &c->hook.targets) < 0 ||
        check_names(l, "hook.accounts", &c->hook.accounts, 0) < 0 ||
        check_names(l, "hook.secrets", &c->hook.secrets, 1) < 0 ||
        check_names(l, "hook.headers", &c->hook.headers, 1) < 0)
        return -1;
    if (c->hook.targets.n > 0 && !*c->sockets.hook)
        return conf_fail_key(l, "sockets.hook", "is needed with hook.targets");
    if (c->hook.retry_min > c->hook.retry_max)
        return conf_fail_key(l, "hook.retry_min", "is more than hook.retry_max (%d)",
                             c->hook.retry_max);
    return 0;
}
