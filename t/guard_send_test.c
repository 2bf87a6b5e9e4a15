/* SPDX-License-Identifier: BSD-2-Clause */
/* guard_send: the rows of t/tables/guard-send.tbl, and what holds for all questions there are. */
#include "guard_send.h"
#include "t/table.h"

static int rows[GUARD_SEND_RULES + 1];

static const char *const logins[] = {[LOGIN_NONE] = "outside",
                                     [LOGIN_ACCOUNT] = "account",
                                     [LOGIN_STRANGER] = "stranger",
                                     [LOGIN_UNSURE] = "unsure"};

/* One word of a row; 0 unless it is one. */
static int
take_word(struct guard_sending *s, const char *word)
{
    unsigned long long n, most;
    size_t len = strlen(word);
    int unsure = len > 0 && word[len - 1] == '?';
    enum guard_known no = unsure ? GUARD_UNSURE : GUARD_NO;

#define WORD(text) \
    (strncmp(word, text, len - (size_t)unsure) == 0 && strlen(text) == len - (size_t)unsure)
    if (sscanf(word, "size=%llu/%llu", &n, &most) == 2)
        s->size = n, s->size_most = most;
    else if (sscanf(word, "recipients=%llu/%llu", &n, &most) == 2)
        s->recipients = n, s->recipients_most = most;
    else if (WORD("suspended"))
        s->state = STATE_SUSPENDED;
    else if (WORD("disabled"))
        s->state = STATE_DISABLED;
    else if (WORD("moving"))
        s->state = STATE_MOVING;
    else if (WORD("no-submission"))
        s->submission_withheld = 1;
    else if (WORD("no-external"))
        s->send_withheld = 1;
    else if (WORD("not-own"))
        s->sender = no;
    else if (WORD("to-outside"))
        s->inside = no;
    else if (WORD("no-list"))
        s->may_list = no;
    else if (WORD("no-outsiders"))
        s->receives = no;
    else if (WORD("spent"))
        s->own_room = no;
    else if (WORD("all-spent"))
        s->total_room = no;
    else
        return WORD("-");
#undef WORD
    return 1;
}

static const struct guard_sending plain = {.login = LOGIN_ACCOUNT,
                                           .state = STATE_ACTIVE,
                                           .sender = GUARD_YES,
                                           .inside = GUARD_YES,
                                           .may_list = GUARD_OPEN,
                                           .receives = GUARD_YES,
                                           .own_room = GUARD_YES,
                                           .total_room = GUARD_YES};

static void
test_row(char *line)
{
    char who[16], besides[128], answer[160], got[200];
    struct guard_sending s = plain;
    struct guard_send g;
    int rule, login = 0, good = 1;

    if (sscanf(line, " %d | %15[^ |] | %127[^|]| %159[^\n]", &rule, who, besides, answer) != 4) {
        ok(0, "unreadable row: %s", line);
        return;
    }
    while (login < 4 && strcmp(logins[login], who) != 0)
        login++;
    s.login = (enum guard_login)login;
    for (char *at, *word = strtok_r(besides, " ", &at); word; word = strtok_r(NULL, " ", &at))
        good &= take_word(&s, word);
    g = guard_send(&s);
    snprintf(got, sizeof got, "%s%s%s%s%s", g.code, *g.code ? " " : "", g.name, *g.code ? ": " : "",
             *g.code ? g.why : "ok");
    ok(good && login < 4, "known words");
    is_str(got, answer, line);
    is_int(g.rule, rule, "by that rule");
    if (rule > 0 && rule <= GUARD_SEND_RULES)
        rows[rule]++;
}

/* The n-th of all questions, with numbers that are or are not too many; 0 after the last. */
static int
question(unsigned n, struct guard_sending *s)
{
    static const enum guard_known known[4] = {GUARD_UNSURE, GUARD_NO, GUARD_YES, GUARD_OPEN};

    *s = (struct guard_sending){.size_most = 10, .recipients_most = 10};
#define NEXT(count) \
    (n % (count));  \
    n /= (count)
    s->login = (enum guard_login)NEXT(4);
    s->state = (enum record_state)NEXT(STATE_LAST + 1);
    s->submission_withheld = (int)NEXT(2);
    s->send_withheld = (int)NEXT(2);
    s->sender = known[n % 4], n /= 4;
    s->inside = known[n % 4], n /= 4;
    s->may_list = known[n % 4], n /= 4;
    s->receives = known[n % 4], n /= 4;
    s->own_room = known[n % 4], n /= 4;
    s->total_room = known[n % 4], n /= 4;
    s->size = 10 + NEXT(2);
    s->recipients = 10 + NEXT(2);
#undef NEXT
    return n == 0;
}

static int
doubtful(const struct guard_sending *s)
{
    return s->login == LOGIN_UNSURE || s->sender == GUARD_UNSURE || s->may_list == GUARD_UNSURE ||
           (s->send_withheld && s->inside == GUARD_UNSURE) || s->own_room == GUARD_UNSURE ||
           s->total_room == GUARD_UNSURE;
}

static int
forbidden(const struct guard_sending *s)
{
    return s->state == STATE_SUSPENDED || s->state == STATE_DISABLED || s->submission_withheld ||
           s->sender == GUARD_NO || s->may_list == GUARD_NO || s->recipients > s->recipients_most ||
           (s->send_withheld && s->inside == GUARD_NO) || s->size > s->size_most;
}

/* Each question there is: doubt never permits, and a refusal for good has a fact behind it. */
static void
test_all(void)
{
    unsigned n = 0, permitted = 0, refused = 0;
    struct guard_sending s;

    for (; question(n, &s); n++) {
        struct guard_send g = guard_send(&s);

        if (s.login != LOGIN_NONE)
            permitted +=
                g.verdict == SEND_OK && (s.login != LOGIN_ACCOUNT || doubtful(&s) ||
                                         forbidden(&s) || s.recipients > s.recipients_most ||
                                         s.own_room == GUARD_NO || s.total_room == GUARD_NO);
        else
            permitted += g.verdict == SEND_OK && (s.may_list <= GUARD_NO || s.receives <= GUARD_NO);
        if (g.verdict == SEND_REJECT)
            refused += !(s.login == LOGIN_STRANGER || s.may_list == GUARD_NO ||
                         (s.login == LOGIN_ACCOUNT && forbidden(&s)) ||
                         (s.login == LOGIN_NONE && s.receives == GUARD_NO));
    }
    is_int((int)permitted, 0, "nothing is let pass in doubt or against a fact");
    is_int((int)refused, 0, "nothing is refused for good without one");
    ok(n > 500000, "%u questions", n);
}

int
main(void)
{

    table_each("t/tables/guard-send.tbl", test_row);
    for (int rule = 1; rule <= GUARD_SEND_RULES; rule++)
        ok(rows[rule] > 0, "a row for rule %d", rule);
    test_all();
    return tap_done();
}
