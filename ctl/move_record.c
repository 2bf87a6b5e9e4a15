/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_site, the record: "to=shandong from=hebei home=- state=suspended step=copy".
 * Unknown words are passed over, so that a later version may add some.
 */
#include <stdio.h>
#include <string.h>

#include "move_site.h"

/* The value of key in text into out; "-" is none. 0, or -1: it is not there, or too long. */
static int
word(const char *text, const char *key, char *out, size_t cap)
{
    size_t n = strlen(key), len;

    for (const char *p = text; *p; p += strspn(p, " ")) {
        len = strcspn(p, " ");
        if (len > n && strncmp(p, key, n) == 0 && p[n] == '=') {
            if (len - n - 1 >= cap)
                return -1;
            snprintf(out, cap, "%.*s", (int)(len - n - 1), p + n + 1);
            if (strcmp(out, "-") == 0)
                *out = '\0';
            return 0;
        }
        p += len;
    }
    return -1;
}

int
move_record_parse(const char *text, struct move *m)
{
    char step[16];

    memset(m, 0, sizeof *m);
    if (word(text, "to", m->to, sizeof m->to) < 0 ||
        word(text, "from", m->from, sizeof m->from) < 0 ||
        word(text, "home", m->home, sizeof m->home) < 0 ||
        word(text, "state", m->state, sizeof m->state) < 0 ||
        word(text, "step", step, sizeof step) < 0 || !*m->to || !*m->from)
        return -1;
    m->step = strcmp(step, "copy") == 0   ? MOVE_COPY
              : strcmp(step, "late") == 0 ? MOVE_LATE
                                          : MOVE_NONE;
    return m->step == MOVE_NONE ? -1 : 0;
}

static const char *
or_none(const char *s)
{
    return *s ? s : "-";
}

void
move_record_format(const struct move *m, char out[MOVE_RECORD_MAX])
{
    snprintf(out, MOVE_RECORD_MAX, "to=%s from=%s home=%s state=%s step=%s", m->to, m->from,
             or_none(m->home), or_none(m->state), m->step == MOVE_LATE ? "late" : "copy");
}
