/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_hint: what to tell an administrator about a key that does not exist: the
 * known key nearest to it by edit distance, also when only its group is wrong;
 * and for passwords, where they belong. Must not repeat the value of the key.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf_private.h"
#include "nearest.h"

#define KEY_MAX NEAREST_MAX

struct nearest {
    const char *key; /* what was written */
    char best[KEY_MAX];
    size_t distance;
};

static const char *
last_part(const char *key)
{
    const char *dot = strrchr(key, '.');

    return dot ? dot + 1 : key;
}

/* Consider the first n bytes of known. A right name in a wrong group is one mistake. */
static void
consider(struct nearest *near, const char *known, size_t n)
{
    char key[KEY_MAX];
    size_t d, elsewhere;

    snprintf(key, sizeof key, "%.*s", (int)n, known);
    d = nearest_distance(near->key, key);
    elsewhere = nearest_distance(last_part(near->key), last_part(key)) + 1;
    d = elsewhere < d ? elsewhere : d;
    if (d < near->distance) {
        near->distance = d;
        memcpy(near->best, key, sizeof key);
    }
}

static int
is_secret(const char *name)
{
    static const char *const parts[] = {"passw",  "bind_pw", "bindpw",
                                        "rootpw", "secret",  "credential"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i]))
            return 1;
    return 0;
}

void
conf_hint(const char *key, char *out, size_t cap)
{
    struct nearest near = {key, "", KEY_MAX};
    size_t allowed = strlen(last_part(key)) / 3;

    if (is_secret(last_part(key))) {
        snprintf(out, cap,
                 "; no secrets in this file: put the password into a file of its own "
                 "and name that in directory.password_file");
        return;
    }
    for (size_t i = 0; i < conf_rows_n; i++) {
        const char *known = conf_rows[i].key;

        for (const char *dot = strchr(known, '.'); dot; dot = strchr(dot + 1, '.'))
            consider(&near, known, (size_t)(dot - known));
        consider(&near, known, strlen(known));
    }
    if (near.distance <= (allowed < 2 ? 2 : allowed))
        snprintf(out, cap, "; did you mean \"%s\"?", near.best);
    else
        snprintf(out, cap, "%s", "");
}
