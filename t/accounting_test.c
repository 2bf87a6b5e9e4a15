/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounting's files: what a line looks like whatever a sender sends, that numbers have no
 * gaps over restarts, new days and full files, and what is told after a kill, a torn record,
 * a full disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accounting.h"
#include "accounting_file.h"
#include "accounting_state.h"
#include "tap.h"

#define NOON 1767268800000 /* 2026-01-01T12:00:00Z */
#define DAY  86400000

static char dir[] = "/tmp/accounting_test.XXXXXX", error[256];

static struct accounting *
open_at(int64_t now, uint64_t max, struct accounting_left *left)
{
    struct accounting *a = accounting_open(dir, "hebei", max, now, left, error, sizeof error);

    if (!a)
        ok(0, "accounting_open: %s", error);
    return a;
}

static int
add(struct accounting *a, int place, int64_t now, const char *queue, unsigned n)
{
    struct accounting_mail m[3];

    for (unsigned i = 0; i < n; i++)
        m[i] = (struct accounting_mail){.direction = DIRECTION_LOCAL,
                                        .queue = span_of(queue),
                                        .login = span_of("a@a.example"),
                                        .account = span_of("a@a.example"),
                                        .domain = span_of("a.example"),
                                        .department = span_of("hr/pay"),
                                        .recipients = i + 1,
                                        .bytes = 100};
    return accounting_add(a, place, now, m, n, error, sizeof error);
}

/* All lines of all files, in the order of their names, as "seq:what:queue" with blanks between. */
static const char *
content(void)
{
    static char out[65536];
    char pattern[128], line[ACCOUNTING_LINE_MAX];
    size_t n = 0;
    glob_t g;

    out[0] = '\0';
    snprintf(pattern, sizeof pattern, "%s/*.jsonl", dir);
    if (glob(pattern, 0, NULL, &g) != 0)
        return out;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        FILE *f = fopen(g.gl_pathv[i], "r");

        while (f && fgets(line, sizeof line, f)) {
            json_t *o = json_loads(line, 0, NULL);
            const char *queue = json_string_value(json_object_get(o, "queue"));

            n +=
                (size_t)snprintf(out + n, sizeof out - n, "%s%d:%s:%s", n ? " " : "",
                                 (int)json_integer_value(json_object_get(o, "seq")),
                                 json_string_value(json_object_get(o, "what")), queue ? queue : "");
            json_decref(o);
        }
        if (f)
            fclose(f);
    }
    globfree(&g);
    return out;
}

static size_t
files(char last[256])
{
    char pattern[128];
    size_t n = 0;
    glob_t g;

    snprintf(pattern, sizeof pattern, "%s/*.jsonl", dir);
    if (glob(pattern, 0, NULL, &g) == 0) {
        n = g.gl_pathc;
        snprintf(last, 256, "%s", g.gl_pathv[n - 1]);
    }
    globfree(&g);
    return n;
}

static void
empty(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s/*", dir);
    if (system(command) != 0)
        ok(0, "%s", command);
}

/* --- a line --- */

static void
lines(void)
{
    static const char bad[] = "a\"b\\c\n\x01\xff\xc3\xa9\xe9\xa9\xbf";
    char line[ACCOUNTING_LINE_MAX], long_one[4096], log[ACCOUNTING_LOG];
    struct accounting_head h = {"0123456789abcdef", "hebei", UINT64_MAX, NOON};
    struct accounting_mail m = {.queue = {bad, sizeof bad - 1}, .recipients = UINT64_MAX};
    uint64_t seq;
    size_t n;
    json_t *o;

    memset(long_one, 1, sizeof long_one);
    m.login = m.account = m.domain = m.department = (struct span){long_one, sizeof long_one};
    m.bytes = UINT64_MAX;
    m.part = m.parts = 4000000000u;
    n = accounting_line_mail(line, &h, &m);
    ok(n > 0 && n < ACCOUNTING_LINE_MAX && line[n - 1] == '\n', "the longest line has %zu bytes",
       n);
    ok(accounting_line_head((struct span){line, n - 1}, log, &seq) == 0 && seq == UINT64_MAX &&
           strcmp(log, h.log) == 0,
       "its log and number are found again");
    m = (struct accounting_mail){.queue = {bad, sizeof bad - 1}, .direction = DIRECTION_HANDOFF};
    h.seq = 7;
    n = accounting_line_mail(line, &h, &m);
    o = json_loadb(line, n, 0, NULL);
    is_str(json_string_value(json_object_get(o, "queue")),
           "a\"b\\c\n\x01\xef\xbf\xbd\xc3\xa9\xe9\xa9\xbf", "any bytes make valid JSON");
    is_str(json_string_value(json_object_get(o, "direction")), "handoff", "the direction");
    is_str(json_string_value(json_object_get(o, "time")), "2026-01-01T12:00:00.000Z", "the time");
    json_decref(o);
    for (const char *const *p =
             (const char *const[]){"", "{}",
                                   "{\"log\":\"0123456789abcde\",\"seq\":1,\"time\":\"\"}",
                                   "{\"log\":\"0123456789abcdef\",\"seq\":0,\"time\":\"\"}",
                                   "{\"log\":\"0123456789abcdef\",\"seq\":1,\"time\":\"", NULL};
         *p; p++)
        ok(accounting_line_head(span_of(*p), log, &seq) < 0, "not ours: %s", *p);
}

static void
names(void)
{
    char name[ACCOUNTING_NAME], log[ACCOUNTING_LOG];
    uint64_t first = 0;

    accounting_name_write("0123456789abcdef", 12, NOON, name);
    is_str(name, "accounting-2026-01-01-0123456789abcdef-000000000012.jsonl", "a file's name");
    ok(accounting_name_parse(name, log, &first) == 0 && first == 12, "and back");
    ok(accounting_name_parse("accounting-2026-01-01-0123456789abcdef-000000000012.jsonl.gz", log,
                             &first) < 0 &&
           accounting_name_parse("state", log, &first) < 0,
       "others are none");
}

/* --- writing --- */

static void
numbers(void)
{
    struct accounting_left left;
    struct accounting *a = open_at(NOON, 1 << 20, &left), *b;
    int place = accounting_enter(a), other = accounting_enter(a);
    char last[256];

    is_int(left.begun, 1, "a new log");
    ok(place >= 0 && other >= 0 && place != other, "connections have places of their own");
    is_int(add(a, place, NOON, "A", 2), 0, "two records");
    accounting_told(a, place);
    b = accounting_open(dir, "hebei", 1, NOON, &left, error, sizeof error);
    ok(!b, "a second process may not: %s", error);
    accounting_leave(a, other);
    is_int(accounting_enter(a), other, "a place is given again");
    accounting_close(&a);
    a = open_at(NOON, 1 << 20, &left);
    ok(!left.begun && !left.uncertain && !left.missing && !left.torn, "an end in order");
    place = accounting_enter(a);
    add(a, place, NOON + 1, "B", 1);
    accounting_told(a, place);
    is_int((long long)files(last), 1, "one file");
    add(a, place, NOON + DAY, "C", 1);
    accounting_told(a, place);
    is_int((long long)files(last), 2, "a new day has a new file");
    accounting_close(&a);
    a = open_at(NOON + DAY, 1, &left);
    place = accounting_enter(a);
    add(a, place, NOON + DAY, "D", 3);
    accounting_told(a, place);
    is_int((long long)files(last), 3, "and so has one that is full");
    accounting_close(&a);
    is_str(content(), "1:mail:A 2:mail:A 3:mail:B 4:mail:C 5:mail:D 6:mail:D 7:mail:D",
           "numbers have no gaps");
}

/* A process that writes a message, is told nothing more and dies. */
static void
killed_after(unsigned n, int told)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct accounting_left left;
        struct accounting *a = accounting_open(dir, "hebei", 1 << 20, NOON, &left, error, 256);
        int place = a ? accounting_enter(a) : -1;

        if (place >= 0 && add(a, place, NOON, "K", n) == 0 && told)
            accounting_told(a, place);
        raise(SIGKILL);
    }
    waitpid(pid, NULL, 0);
}

/* As if the write had not come to its end: the number that follows is not moved on yet. */
static void
forget_next(void)
{
    char path[128];
    uint64_t next = 1;
    int fd;

    snprintf(path, sizeof path, "%s/state", dir);
    fd = open(path, O_WRONLY);
    if (pwrite(fd, &next, sizeof next, offsetof(struct accounting_state, next)) != sizeof next)
        ok(0, "%s: %s", path, strerror(errno));
    close(fd);
}

static void
killed(void)
{
    struct accounting_left left;
    struct accounting *a;
    char last[256], text[4096];
    FILE *f;
    long end;

    empty();
    killed_after(2, 0);
    a = open_at(NOON, 1 << 20, &left);
    ok(left.uncertain == 1 && !left.torn, "killed before its answer was told: in doubt");
    accounting_close(&a);
    is_str(content(), "1:mail:K 2:mail:K 3:uncertain:K", "and named");
    a = open_at(NOON, 1 << 20, &left);
    is_int(left.uncertain, 0, "once");
    accounting_close(&a);

    empty();
    killed_after(2, 1);
    a = open_at(NOON, 1 << 20, &left);
    is_int(left.uncertain, 0, "killed after: no doubt");
    accounting_close(&a);
    is_str(content(), "1:mail:K 2:mail:K", "nothing is added");

    empty();
    killed_after(3, 0);
    files(last);
    f = fopen(last, "r+");
    fseek(f, 0, SEEK_END);
    end = ftell(f);
    fclose(f);
    ok(truncate(last, end - 10) == 0, "killed in the middle of its write");
    forget_next();
    a = open_at(NOON, 1 << 20, &left);
    ok(left.torn && !left.uncertain, "the rest of a record is removed");
    accounting_close(&a);
    is_str(content(), "1:mail:K 2:mail:K 3:void:K", "and those before it in its message are void");

    f = fopen(last, "a");
    fputs("no record\n", f);
    fclose(f);
    a = open_at(NOON, 1 << 20, &left);
    ok(a && left.torn, "a line that makes no sense: the file is left as it is");
    add(a, accounting_enter(a), NOON, "L", 1);
    accounting_close(&a);
    files(text);
    ok(strstr(content(), " 5:mail:L") != NULL, "and a number left out, so that it shows: %s",
       content());
}

/* --- when it can't be written --- */

static void
limit_files(rlim_t to)
{
    struct rlimit l;

    getrlimit(RLIMIT_FSIZE, &l);
    l.rlim_cur = to;
    setrlimit(RLIMIT_FSIZE, &l);
}

static void
full(void)
{
    struct accounting_left left;
    struct accounting *a;
    struct stat st;
    char last[256];
    off_t before;
    int place;

    empty();
    a = open_at(NOON, 1 << 30, &left);
    place = accounting_enter(a);
    for (int i = 0; i < 1000; i++)
        add(a, place, NOON, "F", 1);
    files(last);
    stat(last, &st);
    before = st.st_size;
    limit_files((rlim_t)before + 100);
    is_int(add(a, place, NOON, "G", 2), -1, "no room for all of it");
    stat(last, &st);
    is_int(st.st_size, before, "so nothing of it is there");
    accounting_missed(a, NOON + 5, 3, 400);
    accounting_missed(a, NOON + 6, 1, 10);
    limit_files(RLIM_INFINITY);
    accounting_close(&a);
    a = open_at(NOON, 1 << 30, &left);
    place = accounting_enter(a);
    is_int(add(a, place, NOON + 7, "H", 1), 0, "room again, after a restart");
    is_int(add(a, place, NOON + 8, "I", 1), 0, "and another one");
    accounting_close(&a);
    ok(strstr(content(), " 1000:mail:F 1001:gap: 1002:mail:H 1003:mail:I") != NULL,
       "what was let through meanwhile is told once, numbers have no gap: %s",
       content() + strlen(content()) - 60);
}

int
main(void)
{
    char command[128];

    signal(SIGXFSZ, SIG_IGN);
    if (!mkdtemp(dir))
        return 1;
    lines();
    names();
    numbers();
    killed();
    full();
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0)
        ok(0, "%s", command);
    return tap_done();
}
