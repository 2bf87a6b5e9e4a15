/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_event: the JSON that targets get, out of what a source said, postroad-hook(5). The
 * subject is only passed on where hook.subject says so. What a source says beyond
 * the known words is dropped, and everything has a bound.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "control.h"
#include "hook.h"

#define TEXT_MAX 1000 /* bytes of any value */
#define ID_ROOM  160  /* for the id and the site, which come later */

enum { TEXT, NUMBER, SUBJECT };

static const struct {
    const char *key, *name;
    int is;
} fields[] = {{"mailbox", "mailbox", TEXT},
              {"uid", "uid", NUMBER},
              {"uidvalidity", "uidvalidity", NUMBER},
              {"from", "from", TEXT},
              {"sender", "sender", TEXT},
              {"subject", "subject", SUBJECT},
              {"message-id", "message_id", TEXT},
              {"size", "size", NUMBER},
              {"session", "session", TEXT}};

/* NULL: none. */
static json_t *
number_of(struct span s)
{
    json_int_t v = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || s.n > 18)
            return NULL;
        v = 10 * v + (s.p[i] - '0');
    }
    return json_integer(v);
}

static json_t *
text_of(struct span s)
{
    return control_text((struct span){s.p, s.n < TEXT_MAX ? s.n : TEXT_MAX});
}

/* UTC, RFC 3339. */
static void
time_text(char out[32])
{
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static json_t *
event_json(const struct hook *h, const struct tabline *l, const char *account)
{
    json_t *o = json_object();
    char now[32];
    struct span v;

    time_text(now);
    json_object_set_new(o, "event", json_string("new-mail"));
    json_object_set_new(o, "time", json_string(now));
    json_object_set_new(o, "account", json_string(account));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (tabline_get(l, fields[i].key, &v) && v.n > 0 &&
            (fields[i].is != SUBJECT || h->env->conf->hook.subject))
            json_object_set_new(o, fields[i].name,
                                fields[i].is == NUMBER ? number_of(v) : text_of(v));
    return o;
}

int
hook_event_take(const struct hook *h, const struct tabline *l, struct hook_entry *e)
{
    struct addr a;
    struct span account;
    json_t *o;
    char *json;
    size_t n;

    memset(e, 0, sizeof *e);
    tabline_get(l, "account", &account);
    if (addr_parse(&a, account.p, account.n, "") != 1)
        return 0;
    e->targets = hook_targets_for(h, a.text);
    if (!e->targets)
        return 0;
    o = event_json(h, l, a.text);
    json = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    n = json ? strlen(json) : 0;
    if (json && n + ID_ROOM < HOOK_EVENT_MAX && (e->text = malloc(a.len + n))) {
        memcpy(e->text, a.text, a.len);
        memcpy(e->text + a.len, json, n);
        e->account = (struct span){e->text, a.len};
        e->event_n = n;
    }
    free(json);
    return e->text ? 1 : -1;
}

size_t
hook_event_finish(const struct hook_entry *e, const char *site, uint64_t seq,
                  char out[HOOK_EVENT_MAX])
{
    /* {"id":"hebei-17","site":"hebei", and the rest without its brace */
    int n =
        snprintf(out, HOOK_EVENT_MAX, "{\"id\":\"%s-%llu\",\"site\":\"%s\",%.*s", site,
                 (unsigned long long)seq, site, (int)(e->event_n - 1), e->text + e->account.n + 1);

    return n > 0 && n < HOOK_EVENT_MAX ? (size_t)n : 0;
}
