/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_target: the targets as the settings name them, and their secrets, which are read
 * once, at the start, with the privileges the daemon was started with. conf_check has
 * seen that each setting has its shape, and that it names a target.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hook.h"

#define FILE_MAX 8192

int
hook_target_named(const struct hook *h, struct span name)
{
    for (unsigned i = 0; i < h->ntargets; i++)
        if (span_same(span_of(h->target[i].name), name))
            return (int)i;
    return -1;
}

int
hook_target_is_command(const char *url)
{
    return strncmp(url, "command:", 8) == 0;
}

/* The target of "name=value", and the value; NULL: there is none of that name. */
static struct hook_target *
target_of(struct hook *h, const char *setting, const char **value)
{
    const char *eq = strchr(setting, '=');
    int i = eq ? hook_target_named(h, (struct span){setting, (size_t)(eq - setting)}) : -1;

    *value = eq ? eq + 1 : "";
    return i < 0 ? NULL : &h->target[i];
}

/* All of a small file, NUL behind it. NULL: errno. */
static char *
read_file(const char *path, size_t *n_r)
{
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(FILE_MAX + 1) : NULL;

    if (text) {
        *n_r = fread(text, 1, FILE_MAX, f);
        text[*n_r] = '\0';
    }
    if (f)
        fclose(f);
    return text;
}

static int
cant_read(const char *path)
{
    log_error("can't read a file of a hook target path=%s error=\"%s\"", path, strerror(errno));
    return -1;
}

/* Its first line is the key. */
static int
read_secret(struct hook_target *t, const char *path)
{
    free(t->secret);
    t->secret = read_file(path, &t->secret_n);
    if (!t->secret)
        return cant_read(path);
    t->secret_n = strcspn(t->secret, "\r\n");
    return 0;
}

static int
read_headers(struct hook_target *t, const char *path)
{
    size_t n;

    free(t->headers);
    t->headers = read_file(path, &n);
    return t->headers ? 0 : cant_read(path);
}

static int
read_files(struct hook *h, const struct conf *conf)
{
    struct hook_target *t;
    const char *v;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < conf->hook.secrets.n; i++)
        if ((t = target_of(h, conf->hook.secrets.v[i], &v)))
            rc = read_secret(t, v);
    for (size_t i = 0; rc == 0 && i < conf->hook.headers.n; i++)
        if ((t = target_of(h, conf->hook.headers.v[i], &v)))
            rc = read_headers(t, v);
    return rc;
}

int
hook_targets_load(struct hook *h, const struct conf *conf)
{
    struct hook_target *t;
    const char *v;

    for (size_t i = 0; i < conf->hook.targets.n && h->ntargets < HOOK_TARGETS; i++) {
        const char *setting = conf->hook.targets.v[i];
        size_t n = strcspn(setting, "=");

        t = &h->target[h->ntargets++];
        snprintf(t->name, sizeof t->name, "%.*s", (int)n, setting);
        t->url = setting + n + 1;
    }
    for (size_t i = 0; i < conf->hook.accounts.n; i++)
        if ((t = target_of(h, conf->hook.accounts.v[i], &v)))
            t->pattern[t->npatterns++] = v;
    return read_files(h, conf);
}

void
hook_targets_free(struct hook *h)
{
    for (unsigned i = 0; i < h->ntargets; i++) {
        free(h->target[i].secret);
        free(h->target[i].headers);
    }
    h->ntargets = 0;
}

static int
wants(const struct hook_target *t, const char *account)
{
    for (unsigned i = 0; i < t->npatterns; i++)
        if (fnmatch(t->pattern[i], account, FNM_CASEFOLD) == 0)
            return 1;
    return t->npatterns == 0;
}

unsigned
hook_targets_for(const struct hook *h, const char *account)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < h->ntargets; i++)
        if (wants(&h->target[i], account))
            bits |= 1u << i;
    return bits;
}
