/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving a mailbox: the record of a move, which others may have written or cut, and the words of the
 * administrator's command, into which names are put: none can become a second word, an option or a
 * command, and none is missing without a word about it.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "../ctl/move_site.h"
#include "tap.h"

static char said[1024];

/* What the command says it with, in its place. */
int
ctl_fail(const struct ctl *ctl, int code, const char *fmt, ...)
{
    va_list ap;

    (void)ctl;
    va_start(ap, fmt);
    vsnprintf(said, sizeof said, fmt, ap);
    va_end(ap);
    return code;
}

/* --- the record --- */

static void
test_record_again(void)
{
    static const struct move moves[] = {
        {MOVE_COPY, "shandong", "hebei", "", ""},
        {MOVE_LATE, "shandong", "hebei", "hebei", "suspended"},
        {MOVE_COPY, "a", "b", "b", "active"},
    };
    char text[MOVE_RECORD_MAX];
    struct move m;

    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        move_record_format(&moves[i], text);
        is_int(move_record_parse(text, &m), 0, text);
        ok(m.step == moves[i].step && strcmp(m.to, moves[i].to) == 0 &&
               strcmp(m.from, moves[i].from) == 0 && strcmp(m.home, moves[i].home) == 0 &&
               strcmp(m.state, moves[i].state) == 0,
           "is read as it was written");
    }
}

/* The longest names there may be, and one longer. */
static void
test_record_length(void)
{
    struct move m = {MOVE_LATE, "", "", "", ""}, back;
    char text[MOVE_RECORD_MAX], longer[512];

    memset(m.to, 't', MOVE_NAME_MAX - 1);
    memset(m.from, 'f', MOVE_NAME_MAX - 1);
    memset(m.home, 'h', MOVE_NAME_MAX - 1);
    strcpy(m.state, "suspended");
    move_record_format(&m, text);
    ok(strlen(text) < MOVE_RECORD_MAX - 1, "the longest names fit into the attribute");
    is_int(move_record_parse(text, &back), 0, "and are read");
    is_str(back.home, m.home, "whole");
    snprintf(longer, sizeof longer, "to=%st from=b home=- state=- step=copy", m.to);
    is_int(move_record_parse(longer, &back), -1, "a name too long is none, not a shorter one");
}

static void
test_record_bad(void)
{
    static const char *const bad[] = {
        "",
        "to=a",
        "to=a from=b home=- state=-",
        "to=a from=b home=- state=- step=",
        "to=a from=b home=- state=- step=done",
        "to=- from=b home=- state=- step=copy",
        "to=a from=- home=- state=- step=copy",
        "to= from=b home=- state=- step=copy",
        "from=b home=- state=- step=copy to",
        "xto=a from=b home=- state=- step=copy",
        "to=a from=b home=- state=0123456789abcdef step=copy",
        "to=a,from=b,home=-,state=-,step=copy",
    };
    struct move m;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        is_int(move_record_parse(bad[i], &m), -1, *bad[i] ? bad[i] : "nothing");
    is_int(move_record_parse("step=late by=x state=- home=h  from=b to=a later=words", &m), 0,
           "in another order, with words of a later version");
    ok(m.step == MOVE_LATE && strcmp(m.to, "a") == 0 && strcmp(m.home, "h") == 0, "it is read");
    is_int(move_record_parse("to=a to=c from=b home=- state=- step=copy", &m), 0, "a word twice");
    is_str(m.to, "a", "the first one counts");
}

/* --- the words --- */

static const struct move_names names = {"a%u@b.example", "hebei", "shandong", "mx1.hebei", ""};

static void
expands(const char *word, const char *want)
{
    char out[64];
    long n = move_expand(word, &names, out, sizeof out);

    is_str(n < 0 ? "(none)" : out, want, word);
    if (n >= 0)
        is_int(n, (long long)strlen(out), "its length");
}

static void
test_expand(void)
{
    char out[8];

    expands("doveadm", "doveadm");
    expands("%u", "a%u@b.example");
    expands("%from:%to", "hebei:shandong");
    expands("ssh:%from_host/x", "ssh:mx1.hebei/x");
    expands("100%%", "100%");
    expands("%%u", "%u");
    expands("%to_host", "(none)");
    expands("%x", "(none)");
    expands("%", "(none)");
    expands("%f", "(none)");
    expands("", "");
    is_int(move_expand("1234567", &names, out, sizeof out), 7, "as long as fits");
    is_int(move_expand("12345678", &names, out, sizeof out), -1, "one more is too long");
    is_int(move_expand("%from%%%%%%", &names, out, sizeof out), -1, "a name that fits not quite");
    is_int(move_expand("%u", &names, out, sizeof out), -1, "nor at all");
}

static void
test_plain(void)
{
    static const char *const bad[] = {"",      "-a@b.example",  "a b@b.example", "a@b.example;x",
                                      "a'@b",  "a\"@b",         "$(x)@b",        "a@b\nc",
                                      "`x`@b", "a|b@b.example", "*@b",           "a\\@b"};
    static const char *const good[] = {"a@b.example", "a.b+c_d-e=f@b.example",
                                       "\xe9\x98\xbf@b.example"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        is_int(move_is_plain(bad[i]), 0, "not plain");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        is_int(move_is_plain(good[i]), 1, good[i]);
}

/* --- running --- */

static struct conf conf;
static struct ctl ctl = {.conf = &conf};

static enum move_kind kind = MOVE_CLOSES;

static int
runs(const char *script, const char *word)
{
    struct conf_list command = {.n = 4, .v = {(char *)"sh", (char *)"-c", NULL, NULL}};

    command.v[2] = (char *)(uintptr_t)script;
    command.v[3] = (char *)(uintptr_t)word;
    said[0] = '\0';
    return move_run(&ctl, &command, &names, kind);
}

static void
test_run(void)
{
    struct conf_list none = {.n = 1, .v = {(char *)"/nonexistent/command"}};
    char file[] = "/tmp/postroad-move.XXXXXX", count[128];
    int fd = mkstemp(file);
    FILE *f;

    is_int(runs("test \"$0\" = 'a%%u@b.example'", "%u"), CTL_DONE, "a name is one word, as it is");
    is_int(runs("exit 3", "x"), CTL_TEMPORARY, "a failure is to be tried again");
    is_str(said, "sh ended with 3", "and said");
    is_int(runs("exit 68", "x"), CTL_DONE, "a code that was said to be as good");
    is_int(runs("kill -9 $$", "x"), CTL_TEMPORARY, "so is a killed one");
    is_str(said, "sh was killed, or could not be started", "and said");
    is_int(runs("exit 0", "%to_host"), CTL_USAGE, "a host nobody knows: nothing is run");
    ok(strstr(said, "\"%to_host\" in the command") != NULL, "and said");
    is_int(move_run(&ctl, &none, &names, MOVE_COPIES), CTL_TEMPORARY,
           "a program that is not there");
    snprintf(count, sizeof count, "echo >>%s; exit 2", file);
    is_int(runs(count, "x"), CTL_TEMPORARY, "a mailbox that changes all the time");
    f = fopen(file, "r");
    for (fd = close(fd) * 0; f && getc(f) != EOF;)
        fd++;
    is_int(fd, 3, "is tried three times");
    if (f)
        fclose(f);
    unlink(file);
}

/* What hangs is ended, also when it does not listen to that. */
static void
test_hung(void)
{
    conf.move_site.list_timeout = 1;
    is_int(runs("exec sleep 1000", "x"), CTL_TEMPORARY,
           "one that closes sessions and does not end");
    is_str(said, "sh did not end within 1 s (move_site.list_timeout), and was ended",
           "has as long as a list");
    conf.move_site.list_timeout = 60;
    kind = MOVE_COPIES;
    is_int(runs("exit 68", "x"), CTL_TEMPORARY, "one that copies must end with 0");
    conf.move_site.timeout = 1;
    is_int(runs("exec sleep 1000", "x"), CTL_TEMPORARY, "one that does not end");
    is_str(said, "sh did not end within 1 s (move_site.timeout), and was ended", "is ended");
    conf.move_site.timeout = 60;
}

/* --- reading --- */

struct lines {
    int n;
    size_t longest;
    char last[64];
};

static int
on_line(void *ctx, char *line, const char **error_r)
{
    struct lines *l = ctx;
    size_t n = strlen(line);

    l->n++;
    l->longest = n > l->longest ? n : l->longest;
    snprintf(l->last, sizeof l->last, "%s", line);
    *error_r = "is bad";
    return strcmp(line, "bad") == 0 ? -1 : 0;
}

static int
reads(const char *script, struct lines *l)
{
    struct conf_list command = {.n = 3, .v = {(char *)"sh", (char *)"-c", NULL}};

    command.v[2] = (char *)(uintptr_t)script;
    memset(l, 0, sizeof *l);
    said[0] = '\0';
    return move_read(&ctl, &command, &names, on_line, l);
}

static void
test_read(void)
{
    struct lines l;

    is_int(reads("echo one; echo; echo three", &l), CTL_DONE, "a list");
    is_int(l.n, 3, "its lines");
    is_str(l.last, "three", "without their ends");
    is_int(reads("exit 0", &l), CTL_DONE, "nothing");
    is_int(reads("seq 100000", &l), CTL_DONE, "a long one");
    is_int(l.n, 100000, "is read whole");
    is_int(reads("printf %%016383d\\\\n 1", &l), CTL_DONE, "the longest line");
    is_int((long long)l.longest, 16383, "is read whole");
    is_int(reads("printf %%016384d\\\\n 1", &l), CTL_TEMPORARY, "a longer one");
    is_str(said, "what sh prints has a line that is too long", "is refused");
    is_int(reads("printf one\\\\ntwo", &l), CTL_TEMPORARY, "one that is cut off");
    is_str(said, "what sh prints ends within a line", "is refused");
    is_int(reads("printf 'a\\000b\\n'", &l), CTL_TEMPORARY, "a NUL");
    is_str(said, "what sh prints has a NUL in it", "is refused");
    is_int(reads("echo one; exit 68", &l), CTL_TEMPORARY, "one that fails in the end");
    is_str(said, "sh ended with 68", "is said");
    is_int(reads("echo bad; exec sleep 1000", &l), CTL_TEMPORARY, "a bad line ends it");
    is_str(said, "what sh prints is bad", "and is said");
    conf.move_site.list_timeout = 1;
    is_int(reads("echo one; exec sleep 1000", &l), MOVE_SILENT, "one that hangs");
    is_str(said, "", "is for the caller to try again");
    conf.move_site.list_timeout = 60;
}

int
main(void)
{
    conf.move_site.timeout = conf.move_site.list_timeout = 60;
    test_record_again();
    test_record_length();
    test_record_bad();
    test_expand();
    test_plain();
    test_run();
    test_hung();
    test_read();
    return tap_done();
}
