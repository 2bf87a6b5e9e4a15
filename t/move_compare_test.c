/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether two lists of a mailbox's messages are the same: in any order, in whatever columns, with
 * more messages than are kept in memory; what is missing is told by mailbox, and no list that is
 * broken passes for an empty one.
 */
#include <stdlib.h>

#include "../ctl/move_compare.h"
#include "tap.h"

#define HEAD "mailbox\tguid\tuid\tsize.virtual\tflags\n"

/* Read a list; NULL, or what is wrong with it. */
static const char *
take(struct move_compare *c, int second, const char *text)
{
    char *copy = strdup(text), *rest = copy, *line;
    const char *error = NULL;
    int rc = 0;

    move_compare_begin(c, second);
    while (rc == 0 && *rest && (line = strsep(&rest, "\n")) != NULL)
        rc = move_compare_line(c, line, &error);
    if (rc == 0)
        rc = move_compare_end(c, &error);
    free(copy);
    return rc == 0 ? NULL : error;
}

static void
compares(const char *name, const char *from, const char *to, struct move_found want,
         const char *report)
{
    struct move_compare *c = move_compare_new(64);
    const struct move_found *f = move_compare_found(c);
    char said[MOVE_REPORT_MAX];

    is_str(take(c, 0, from), NULL, name);
    is_str(take(c, 1, to), NULL, "both are read");
    is_int(move_compare_next(c), 0, "at one go");
    is_int((long long)f->total, (long long)want.total, "how many there are");
    is_int((long long)f->missing, (long long)want.missing, "how many are missing");
    is_int((long long)f->other, (long long)want.other, "are not the same");
    is_int((long long)f->flags, (long long)want.flags, "have other flags");
    is_int((long long)f->more, (long long)want.more, "are there beyond them");
    move_compare_report(c, said);
    is_str(said, report, "in words");
    move_compare_free(&c);
}

static void
test_compare(void)
{
    compares("nothing at all", HEAD, HEAD, (struct move_found){0, 0, 0, 0, 0}, "");
    compares("the same in another order",
             HEAD "INBOX\ta\t1\t10\t\\Seen kw\nINBOX\tb\t2\t20\t\nSent\ta\t1\t10\t\n",
             HEAD "Sent\ta\t9\t10\t\\Recent\nINBOX\tb\t7\t20\t\nINBOX\ta\t8\t10\tkw \\Seen\n",
             (struct move_found){3, 0, 0, 0, 0}, "");
    compares("two INBOXes taken for one", HEAD "INBOX\ta\t1\t10\t\n", HEAD "INBOX\tb\t1\t10\t\n",
             (struct move_found){1, 1, 0, 0, 1},
             "INBOX lacks 1 of its 1 messages (UIDs at the old place: 1)");
    compares("in another mailbox is missing", HEAD "Sent\ta\t4\t10\t\n", HEAD "INBOX\ta\t4\t10\t\n",
             (struct move_found){1, 1, 0, 0, 1},
             "Sent lacks 1 of its 1 messages (UIDs at the old place: 4)");
    compares("another size", HEAD "INBOX\ta\t1\t10\t\n", HEAD "INBOX\ta\t1\t9\t\n",
             (struct move_found){1, 0, 1, 0, 0},
             "INBOX has 1 of its 1 not the same (UIDs at the old place: 1)");
    compares("other flags", HEAD "INBOX\ta\t1\t10\t\\Seen\n", HEAD "INBOX\ta\t1\t10\t\n",
             (struct move_found){1, 0, 0, 1, 0}, "");
    compares("twice, and there once", HEAD "INBOX\ta\t1\t10\t\nINBOX\ta\t2\t10\t\n",
             HEAD "INBOX\ta\t1\t10\t\n", (struct move_found){2, 1, 0, 0, 0},
             "INBOX lacks 1 of its 2 messages (UIDs at the old place: 2)");
    compares("once, and there twice, the same one second", HEAD "INBOX\ta\t1\t10\t\n",
             HEAD "INBOX\ta\t1\t10\t\nINBOX\ta\t2\t9\t\n", (struct move_found){1, 0, 0, 0, 1}, "");
    compares("without mailboxes and UIDs", "guid\nb\na\n", "guid\na\n",
             (struct move_found){2, 1, 0, 0, 0}, "the mailbox lacks 1 of its 2 messages");
    compares("many, of many",
             HEAD "1\ta\t1\t1\t\n1\tb\t2\t1\t\n1\tc\t3\t1\t\n1\td\t4\t1\t\n1\te\t5\t1\t\n"
                  "1\tf\t6\t1\t\n2\ta\t1\t1\t\n3\ta\t1\t1\t\n4\ta\t1\t1\t\n5\ta\t1\t1\t\n"
                  "6\ta\t1\t1\t\n7\ta\t1\t1\t\n",
             HEAD, (struct move_found){12, 12, 0, 0, 0},
             "1 lacks 6 of its 6 messages (UIDs at the old place: 1 2 3 4 5 ...); "
             "2 lacks 1 of its 1 messages (UIDs at the old place: 1); "
             "3 lacks 1 of its 1 messages (UIDs at the old place: 1); "
             "4 lacks 1 of its 1 messages (UIDs at the old place: 1); "
             "5 lacks 1 of its 1 messages (UIDs at the old place: 1); and so do 2 more mailboxes");
}

static void
test_bad(void)
{
    static const char *const bad[][2] = {
        {"", "is empty, without even the names of its columns"},
        {"mailbox\tuid\n", "does not begin with a line that names its columns, guid among them"},
        {"guid\tguid\n", "does not begin with a line that names its columns, guid among them"},
        {"Error: no such user\n",
         "does not begin with a line that names its columns, guid among them"},
        {HEAD "INBOX\ta\t1\t10\n", "has a line that does not go with its columns"},
        {HEAD "INBOX\ta\t1\t10\t\tx\n", "has a line that does not go with its columns"},
        {HEAD "INBOX\t\t1\t10\t\n", "has a line that does not go with its columns"},
        {"guid\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t13\t14\t15\t16\n", "has too many columns"},
    };
    struct move_compare *c;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        c = move_compare_new(64);
        is_str(take(c, 0, bad[i][0]), bad[i][1], bad[i][1]);
        move_compare_free(&c);
    }
    c = move_compare_new(64);
    is_str(take(c, 0, HEAD), NULL, "a list");
    is_str(take(c, 1, "mailbox\tguid\n"), "has other columns than the one of the old place",
           "and one with other columns");
    move_compare_free(&c);
}

/* n messages of one mailbox, from number `from` on, into c. */
static void
feed(struct move_compare *c, int second, int from, int to)
{
    const char *error;
    char line[64] = "guid\tuid";
    int rc;

    move_compare_begin(c, second);
    rc = move_compare_line(c, line, &error);
    for (int i = from; i < to; i++) {
        snprintf(line, sizeof line, "g%d\t%d", i, i + 1);
        rc |= move_compare_line(c, line, &error);
    }
    if (rc != 0)
        ok(0, "a line is refused: %s", error);
}

static void
test_many(void)
{
    struct move_compare *c = move_compare_new(1000);
    const struct move_found *f = move_compare_found(c);
    int goes = 0, again;

    do {
        feed(c, 0, 0, 20000);
        feed(c, 1, 3, 20004);
        goes++;
        again = move_compare_next(c);
    } while (again && goes < 100);
    ok(goes >= 20 && goes <= 64, "more than are kept: in several goes");
    is_int((long long)f->total, 20000, "all are counted once");
    is_int((long long)f->missing, 3, "all that are missing are found");
    is_int((long long)f->more, 4, "and all that are there beyond");
    move_compare_free(&c);
    move_compare_free(&c);
}

/* A list that broke off is read anew: what was seen the first time is not seen twice. */
static void
test_again(void)
{
    struct move_compare *c = move_compare_new(64);
    const struct move_found *f = move_compare_found(c);
    char said[MOVE_REPORT_MAX];

    take(c, 0, HEAD "INBOX\ta\t1\t10\t\n");
    is_str(take(c, 0, HEAD "INBOX\ta\t1\t10\t\nINBOX\ta\t2\t10\t\n"), NULL, "a list, once more");
    take(c, 1, HEAD "INBOX\ta\t1\t10\t\nINBOX\tb\t2\t10\t\n");
    is_str(take(c, 1, HEAD "INBOX\ta\t1\t10\t\nINBOX\tb\t2\t10\t\n"), NULL, "and the other one");
    is_int(move_compare_next(c), 0, "compared");
    is_int((long long)f->total, 2, "each is counted once");
    is_int((long long)f->missing, 1, "what is there once is found once");
    is_int((long long)f->more, 1, "and once beyond");
    move_compare_report(c, said);
    is_str(said, "INBOX lacks 1 of its 2 messages (UIDs at the old place: 2)", "and said so");
    move_compare_free(&c);
}

int
main(void)
{
    test_again();
    test_compare();
    test_bad();
    test_many();
    return tap_done();
}
