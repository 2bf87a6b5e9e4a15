/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search, inquiry: what is asked of a provider for an address, and how a question gets
 * from who asks to who looks, and the answer back.
 */
#include <stdlib.h>
#include <unistd.h>

#include "policyd/search.h"
#include "t/build.h"
#include "tap.h"

static struct search_attrs attrs = {{"mail", "postroadAlias"}, {"associatedDomain"}, 2, 1};
static char filter[SEARCH_FILTER];

static struct inquiry_question
question(int slot, const char *text)
{
    struct inquiry_question q = {.id = {BOARD_ANSWER, slot, 2}, .want_ms = 1, .n = strlen(text)};

    memcpy(q.text, text, q.n);
    return q;
}

static void
ask(const char *const *texts, const char *want, const char *what)
{
    struct search *s = search_new(0, 1);

    for (int i = 0; texts[i]; i++) {
        struct inquiry_question q = question(i, texts[i]);

        ok(search_add(s, &q) == 0, "there is room");
    }
    search_filter(s, &attrs, filter, sizeof filter);
    is_str(filter, want, what);
    search_free(&s);
}

#define ASK(want, what, ...) ask((const char *const[]){__VA_ARGS__, NULL}, want, what)

static void
test_filter(void)
{
    ASK("(|(mail=a@x.example)(postroadAlias=a@x.example)(associatedDomain=x.example))",
        "an address by each attribute, and its domain", "a@x.example\n");
    ASK("(|(mail=a@x.example)(postroadAlias=a@x.example)(associatedDomain=x.example)"
        "(mail=b@x.example)(postroadAlias=b@x.example))",
        "a domain is asked for once", "a@x.example\n", "b@x.example\n");
    ASK("(|(mail=a+e@x.example)(postroadAlias=a+e@x.example)(associatedDomain=x.example)"
        "(mail=a@y.example)(postroadAlias=a@y.example)(associatedDomain=y.example))",
        "all its spellings", "a+e@x.example\na@y.example\n");
    ASK("(|(mail=\\2a\\29\\28uid\\3d\\2a\\5c@x.example)(postroadAlias=\\2a\\29\\28uid\\3d\\2a\\5c@x"
        ".example)(associatedDomain=x.example))",
        "nothing in an address is part of the filter", "*)(uid=*\\@x.example\n");
    ASK("(|(mail=\\c3\\a4@x.example)(postroadAlias=\\c3\\a4@x.example)(associatedDomain=x.example)"
        ")",
        "bytes that are not ASCII", "\xc3\xa4@x.example\n");
}

/* What fits is asked for whole, the rest not at all. */
static void
test_limits(void)
{
    struct search *s = search_new(0, 1);
    char text[64];
    size_t n;
    int added = 0;

    for (;; added++) {
        struct inquiry_question q;

        snprintf(text, sizeof text, "user%d@domain%d.example\n", added, added);
        q = question(added % INQUIRY_SLOTS, text);
        if (search_add(s, &q) < 0)
            break;
    }
    is_int(added, SEARCH_ITEMS, "so many questions in one search");
    n = search_filter(s, &attrs, filter, 1000);
    ok(n < 1000 && strlen(filter) == n, "a filter of %zu bytes", n);
    ok(s->n > 0 && s->n < SEARCH_ITEMS && s->open == s->n, "holds %u of them", s->n);
    snprintf(text, sizeof text, "(associatedDomain=domain%u.example))", s->n - 1);
    ok(strcmp(filter + n - strlen(text), text) == 0, "each of them whole");
    search_free(&s);
}

static void
add_found(struct search *s, int number, enum record_kind kind, const char *item, const char *more)
{
    static unsigned char buf[RECORD_MAX];
    const unsigned char uuid[UUID_LEN] = {(unsigned char)number};
    struct record r = record_of(buf, kind, STATE_UNSET, item, more, NULL);

    ok(search_add_found(s, uuid, &r, span_of("uid=x")) == 0, "found: %s", item);
}

static const char *
touched(const struct search *s, unsigned k)
{
    static char text[8];

    for (unsigned i = 0; i < 4; i++)
        text[i] = search_touches(&s->found[k], i) ? 'x' : '-';
    return text;
}

static void
test_touches(void)
{
    const char *texts[] = {"a@x.example\n", "b+e@x.example\nb@x.example\n",
                           "c@y.example\nc@x.example\n", "d@z.example\n"};
    struct search *s = search_new(0, 1);

    for (int i = 0; i < 4; i++) {
        struct inquiry_question q = question(i, texts[i]);

        search_add(s, &q);
    }
    add_found(s, 1, KIND_ACCOUNT, "mail=a@x.example", NULL);
    is_str(touched(s, 0), "x---", "his own question");
    add_found(s, 2, KIND_ACCOUNT, "mail=q@x.example", "alias=b@x.example");
    is_str(touched(s, 1), "-x--", "by an alias, without extension");
    add_found(s, 3, KIND_DOMAIN, "domain=x.example", NULL);
    is_str(touched(s, 2), "xxx-", "a domain touches all in it");
    add_found(s, 4, KIND_ACCOUNT, "mail=who@knows.example", NULL);
    is_str(touched(s, 3), "xxxx", "what can't be told touches all");
    search_free(&s);
}

/* --- from the asker to sync and back --- */

static struct board worker, sync_board;
static struct inquiry desk;

static int
put(const char *text, int64_t want, int64_t now)
{
    return inquiry_put(&desk, span_of(text), want, now);
}

static int
next(unsigned *at, int64_t now, struct inquiry_question *q)
{
    static char line[400];

    if (!inquiry_next(&sync_board, at, now, q))
        return 0;
    snprintf(line, sizeof line, "%.*s", (int)q->n, q->text);
    return 1;
}

static uint64_t
answered(void)
{
    return board_observe(&worker, BOARD_SYNC, BOARD_SYNC_ANSWERED);
}

static void
test_inquiry(void)
{
    struct inquiry_question q;
    uint64_t before = answered();
    unsigned at = 0;
    int slot = put("a@x.example\n", 100, 100);

    ok(slot >= 0, "a question is put");
    is_int(put("a@x.example\n", 120, 120), slot, "the same one again has the same place");
    ok(put("b@x.example\n", 120, 120) != slot, "another one has not");
    ok(next(&at, 130, &q) && q.want_ms == 120 && q.n == 12, "sync sees it, with the newest wish");
    ok(memcmp(q.text, "a@x.example\n", 12) == 0, "whole");
    inquiry_answer(&sync_board, q.id, INQUIRY_SAME, 150);
    is_int(inquiry_look(&desk, slot, 120, before), INQUIRY_NONE,
           "an answer from after the snapshot does not count");
    is_int(inquiry_look(&desk, slot, 120, answered()), INQUIRY_SAME, "with the next one it does");
    is_int(inquiry_look(&desk, slot, 150, answered()), INQUIRY_NONE,
           "not for a question of the same moment");
    ok(next(&at, 130, &q), "the other one");
    ok(!next(&at, 130, &q), "and no more");
    at = 0;
    ok(!next(&at, 120 + INQUIRY_STALE_MS + 1, &q), "after a while nobody waits for them");
}

static void
test_slots(void)
{
    struct inquiry_question old, q;
    char text[64];
    unsigned at = 0;
    int slot, puts = 0;

    inquiry_init(&desk, &worker);
    for (int i = 0; i < INQUIRY_SLOTS + 10; i++, puts += slot >= 0) {
        snprintf(text, sizeof text, "u%d@x.example\n", i);
        slot = put(text, 1000 + i, 1000 + i);
    }
    is_int(puts, INQUIRY_SLOTS, "so many questions of one process");
    is_int(inquiry_room(&desk, 1300), 0, "there is room for no more");
    ok(next(&at, 1300, &old), "one of them");
    desk.refs[old.id.slot] = 1;
    inquiry_answer(&sync_board, old.id, INQUIRY_SAME, 1400);
    is_int(inquiry_room(&desk, 1500), 0, "answered, but somebody waits for it");
    desk.refs[old.id.slot] = 0;
    is_int(inquiry_room(&desk, 1500), 1, "then it is free");
    is_int(put("new@x.example\n", 1500, 1500), old.id.slot, "for another one");
    is_int(inquiry_look(&desk, old.id.slot, 1000, answered()), INQUIRY_NONE,
           "which does not get the old one's answer");
    inquiry_answer(&sync_board, old.id, INQUIRY_DIFFERS, 1600);
    is_int(inquiry_look(&desk, old.id.slot, 1000, answered()), INQUIRY_NONE,
           "nor one that comes late");
    at = 0;
    ok(next(&at, 1500, &q) && q.id.version != old.id.version, "it has a number of its own");
    ok(put("", 1, 1) < 0, "nothing is no question");
}

static void
test_alarms(void)
{
    struct inquiry_alarm a = {1, 1234, "lost@x.example", "uid=lost"};

    board_set(&sync_board, BOARD_SYNC_DIFFERS, 1);
    inquiry_alarm_set(&sync_board, 2, &a);
    ok(inquiry_alarmed(&worker, span_of("lost+e@x.example\nlost@x.example\n")), "all see an alarm");
    ok(!inquiry_alarmed(&worker, span_of("lost@x.example.org\n")), "for that address alone");
    a.since_ms = 0;
    inquiry_alarm_set(&sync_board, 2, &a);
    ok(!inquiry_alarmed(&worker, span_of("lost@x.example\n")), "until it is over");
}

int
main(void)
{
    int fd = board_create();

    if (fd < 0 || board_attach(&worker, fd, BOARD_ANSWER, 1) < 0 ||
        board_attach(&sync_board, fd, BOARD_SYNC, 1) < 0) {
        printf("Bail out! no board\n");
        return 1;
    }
    close(fd);
    inquiry_init(&desk, &worker);
    test_filter();
    test_limits();
    test_touches();
    test_inquiry();
    test_slots();
    test_alarms();
    return tap_done();
}
