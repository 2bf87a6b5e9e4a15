/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_step: what is next about a held message, told as t/tables/held-step.tbl; and, for every state of
 * the facts there can be, that nothing is released or deleted that may not be.
 */
#include "policyd/held_step.h"
#include "tap.h"

#define TABLE "t/tables/held-step.tbl"
#define HOUR  3600000LL

static int
find(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

static int
parse(const char *line, struct held_facts *f, char want[32])
{
    static const char *const queues[] = {"?", "here", "elsewhere", "absent", "unsure", NULL};
    static const char *const directories[] = {"away", "none", "yes", NULL};
    static const char *const senders[] = {"later", "no", "tell", NULL};
    char state[16], expire[16], flags[16], queue[16], directory[16], sender[16];
    int hour, n = 0, q, d, s;

    if (sscanf(line, "%15s %15s %15s %15s %15s %15s %d%n", state, expire, flags, queue, directory,
               sender, &hour, &n) != 7)
        return -1;
    q = find(queues, queue);
    d = find(directories, directory);
    s = find(senders, sender);
    *f = (struct held_facts){.state = (enum held_state)held_state_find(state),
                             .on_expire = (enum held_on_expire)held_on_expire_find(expire),
                             .seen = strchr(flags, 's') != NULL,
                             .audited = strchr(flags, 'a') != NULL,
                             .done = strchr(flags, 'd') != NULL,
                             .noticed = strchr(flags, 'n') != NULL,
                             .end_noticed = strchr(flags, 'e') != NULL,
                             .published = strchr(flags, 'p') != NULL,
                             .shown = strchr(flags, 'h') != NULL,
                             .recheck = strstr(line, " recheck") != NULL,
                             .waiting = strstr(line, " verdict") != NULL,
                             .expires_ms = 120 * HOUR,
                             .decided_ms = 24 * HOUR,
                             .now_ms = hour * HOUR,
                             .grace_ms = HOUR,
                             .keep_ms = 720 * HOUR,
                             .queue = (enum held_queue)q,
                             .directory = d - 1,
                             .notify = s - 1};
    line = strchr(line + n, ':');
    if (!line || q < 0 || d < 0 || s < 0 || held_state_find(state) < 0 ||
        held_on_expire_find(expire) < 0)
        return -1;
    snprintf(want, 32, "%s", line + 1 + strspn(line + 1, " "));
    return 0;
}

static void
table(void)
{
    FILE *in = fopen(TABLE, "r");
    char line[256], want[32], got[32];
    struct held_facts f;
    unsigned steps = 0;
    struct held_next n;

    while (in && fgets(line, sizeof line, in)) {
        line[strcspn(line, "#\n")] = '\0';
        for (size_t len = strlen(line); len && line[len - 1] == ' '; len--)
            line[len - 1] = '\0';
        if (!line[0])
            continue;
        if (parse(line, &f, want) < 0) {
            ok(0, "a line nobody understands: %s", line);
            continue;
        }
        n = held_step(&f);
        snprintf(got, sizeof got, "%s %d", held_do_word(n.what), n.step);
        is_str(got, want, line);
        steps |= 1u << n.step;
    }
    if (in)
        fclose(in);
    ok(steps == ((1u << 22) - 2), "each of the steps 1 to 21 is in the table");
}

/* Facts number i of all there are. */
static int
nth(unsigned i, struct held_facts *f)
{
    static const int hours[] = {0, 1, 120, 744, 9999};

    *f = (struct held_facts){
        .expires_ms = 120 * HOUR, .decided_ms = 24 * HOUR, .grace_ms = HOUR, .keep_ms = 720 * HOUR};
#define TAKE(field, n) (f->field = i % (n), i /= (n))
    TAKE(state, 6);
    TAKE(on_expire, 3);
    TAKE(seen, 2);
    TAKE(audited, 2);
    TAKE(done, 2);
    TAKE(noticed, 2);
    TAKE(end_noticed, 2);
    TAKE(published, 2);
    TAKE(shown, 2);
    TAKE(recheck, 2);
    TAKE(waiting, 2);
    TAKE(queue, 5);
    f->directory = (int)(i % 3) - 1, i /= 3;
    f->notify = (int)(i % 3) - 1, i /= 3;
    f->now_ms = hours[i % 5] * HOUR, i /= 5;
    return i == 0;
}

static void
every_state(void)
{
    unsigned released = 0, deleted = 0, noticed = 0, dropped = 0, removed = 0, all = 0;
    struct held_facts f;

    for (unsigned i = 0; nth(i, &f); i++, all++) {
        struct held_next n = held_step(&f);
        int lets_go = held_lets_go(f.state, f.on_expire);

        released += n.what == HELD_RELEASE &&
                    (!f.audited || f.done || !lets_go || f.queue != HELD_QUEUE_HERE);
        deleted += n.what == HELD_DELETE && (!f.audited || f.done || lets_go ||
                                             f.state == HELD_HELD || f.queue != HELD_QUEUE_HERE);
        noticed += (n.what == HELD_NOTICE && (f.noticed || f.notify <= 0)) ||
                   (n.what == HELD_END_NOTICE && (f.end_noticed || f.notify <= 0 || lets_go));
        dropped +=
            n.what == HELD_DROP && (f.seen || f.queue != HELD_QUEUE_ABSENT || f.state != HELD_HELD);
        removed += n.what == HELD_REMOVE &&
                   (f.state == HELD_HELD || (f.published && f.directory < 0) ||
                    (f.state < HELD_GONE && !f.done) || f.now_ms - f.decided_ms < f.keep_ms);
    }
    ok(all > 400000, "%u states of the facts", all);
    ok(!released, "released is only what was approved, is in the audit log and in the hold queue");
    ok(!deleted, "deleted is only what was rejected, likewise");
    ok(!noticed, "nobody is told twice, or who is not to be told");
    ok(!dropped, "dropped is only what Postfix never had");
    ok(!removed, "removed is only what is over, and not in the directory any more");
}

int
main(void)
{
    table();
    every_state();
    return tap_done();
}
