/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_args: the arguments of a command, out of its setting and the event. Blanks part the
 * words of the setting only: what comes out of the event is never split, and no shell
 * sees it. %{name} is a member of the event; one it has not is empty.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "hook_run.h"

struct out {
    char *p;
    size_t n, cap;
    int full;
};

static void
put(struct out *o, const char *text, size_t n)
{
    if (o->full || o->cap - o->n <= n) {
        o->full = 1;
        return;
    }
    memcpy(o->p + o->n, text, n);
    o->n += n;
}

static void
put_member(struct out *o, json_t *event, const char *name, size_t n)
{
    char key[32], digits[24];
    json_t *v;

    if (n >= sizeof key)
        return;
    memcpy(key, name, n);
    key[n] = '\0';
    v = json_object_get(event, key);
    if (json_is_string(v)) {
        put(o, json_string_value(v), strlen(json_string_value(v)));
    } else if (json_is_integer(v)) {
        snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(v));
        put(o, digits, strlen(digits));
    }
}

/* One word, of n bytes. */
static void
put_word(struct out *o, json_t *event, const char *word, size_t n)
{
    const char *end = word + n;

    while (word < end) {
        const char *close = word[0] == '%' && word + 1 < end && word[1] == '{'
                                ? memchr(word, '}', (size_t)(end - word))
                                : NULL;

        if (close) {
            put_member(o, event, word + 2, (size_t)(close - word) - 2);
            word = close + 1;
        } else {
            put(o, word++, 1);
        }
    }
    put(o, "", 1);
}

int
hook_args(const char *command, const char *event, size_t n, char *buf, size_t cap,
          char *words[HOOK_ARGS + 1])
{
    json_t *o = json_loadb(event, n, 0, NULL);
    struct out out = {buf, 0, cap, 0};
    int count = 0;

    for (command += strspn(command, " "); *command; command += strspn(command, " ")) {
        size_t length = strcspn(command, " ");

        if (count == HOOK_ARGS)
            out.full = 1;
        if (out.full)
            break;
        words[count++] = buf + out.n;
        put_word(&out, o, command, length);
        command += length;
    }
    words[count] = NULL;
    json_decref(o);
    return out.full || count == 0 ? -1 : count;
}
