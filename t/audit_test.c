/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit log's writer: the chain over restarts and files, what a torn line, a full
 * disk, a file pulled away or changed, or a clock set back do to it; that nothing is
 * hidden. And what the chain shows of each kind of change to the lines.
 */
#include "policyd/audit.h"
#include "audit_chain.h"
#include "audit_file.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_MS 1764547200123 /* 2025-12-01T00:00:00.123Z */
#define DAY     86400000
#define T0      today

static int64_t today; /* noon, for the log's own records are written at the time it is */

static char dir[64], error[512];

/* --- the lines --- */

static struct audit_line line;
static char text[AUDIT_LINE_MAX], hash[AUDIT_HASH];

static size_t
write_line(const struct audit_record *r)
{
    size_t n = audit_line_write(text, 7, LINE_MS, span_of("hebei"), r, AUDIT_FIRST, hash);

    text[n] = '\0';
    return n;
}

static int
read_line(size_t n)
{
    return audit_line_parse((struct span){text, n - 1}, &line);
}

static void
test_line(void)
{
    char back[1024];
    struct audit_record r = {.action = "open",
                             .actor = span_of("x"),
                             .mailbox = span_of("a\"\\\n\x01\x7f\xc2\x85 \xe4\xb8\xad"),
                             .rule = 7};
    size_t n = write_line(&r);

    text[n - 77] = '\0'; /* up to the hash: what sha256sum is to be given */
    is_str(
        text,
        "{\"seq\":7,\"time\":\"2025-12-01T00:00:00.123Z\",\"site\":\"hebei\",\"action\":\"open\","
        "\"actor\":\"x\",\"mailbox\":\"a\\\"\\\\\\u000a\\u0001\\u007f\\u0085 \xe4\xb8\xad\","
        "\"rule\":7,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000",
        "a line is what the manual says, and steers no terminal");
    n = write_line(&r);
    is_int(read_line(n), 0, "it can be read");
    ok(line.whole && line.seq == 7 && line.wall_ms == LINE_MS, "and fits its hash");
    audit_line_text(line.field[AUDIT_MAILBOX], back, sizeof back);
    is_str(back, "a\"\\\n\x01\x7f\xc2\x85 \xe4\xb8\xad", "text comes back as it was");
    text[60]++;
    ok(read_line(n) < 0 || !line.whole, "one bit, and it does not fit");
}

static void
test_limits(void)
{
    static char big[20000];
    struct span s = {big, sizeof big};
    struct audit_record r = {"open", s, s, s, s, s, s, s, s, s, s, 1};
    size_t n;

    memset(big, 1, sizeof big);
    n = write_line(&r);
    ok(n < AUDIT_LINE_MAX && text[n - 1] == '\n', "the longest line fits: %zu bytes", n);
    is_int(read_line(n), 0, "and can be read");
    ok(!!strstr(text,
                "\"cut\":\"actor,target,service,remote,session,mailbox,uid,detail,why,reason\""),
       "what was cut is named");
    r = (struct audit_record){.action = "read", .mailbox = span_of("a\xff\xe4\xb8")};
    write_line(&r);
    ok(!!strstr(text, "\"mailbox\":\"a\\ufffd\\ufffd\\ufffd\"") &&
           strstr(text, "\"replaced\":\"mailbox\""),
       "what is no UTF-8 is replaced, and that is said");
    for (size_t i = 0; i < sizeof big; i += 4)
        memcpy(big + i, "123,", 4);
    r = (struct audit_record){.action = "read", .uid = s};
    n = write_line(&r);
    ok(!!strstr(text, "123,123\",\"cut\":\"uid\""), "a set of UIDs is cut behind a number");
    memset(big, 'a', sizeof big);
    memcpy(big + 767, "\xe4\xb8\xad", 3);
    r = (struct audit_record){.action = "read", .mailbox = s};
    write_line(&r);
    ok(!!strstr(text, "aa\",\"cut\":\"mailbox\",\"prev\""), "text is cut between characters");
}

static void
test_time(void)
{
    static const struct {
        int64_t ms;
        char text[AUDIT_TIME];
    } rows[6] = {{0, "1970-01-01T00:00:00.000Z"},
                 {951782399999, "2000-02-28T23:59:59.999Z"},
                 {951782400000, "2000-02-29T00:00:00.000Z"},
                 {1709251199001, "2024-02-29T23:59:59.001Z"},
                 {4107542400000, "2100-03-01T00:00:00.000Z"},
                 {253402300799999, "9999-12-31T23:59:59.999Z"}};
    char out[AUDIT_TIME];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        audit_time_write(rows[i].ms, out);
        is_str(out, rows[i].text, rows[i].text);
        is_int(audit_time_parse(span_of(rows[i].text)), rows[i].ms, "and back");
    }
    audit_time_write(INT64_MIN, out);
    is_str(out, rows[0].text, "no time before 1970");
    audit_time_write(INT64_MAX, out);
    is_str(out, rows[5].text, "none after 9999");
    is_int(audit_time_parse(span_of("2025-13-01T00:00:00.000Z")), -1, "a month 13 is no time");
}

/* --- the chain --- */

#define LINES 6
static char made[LINES][1024];

static void
make_lines(void)
{
    char prev[AUDIT_HASH] = AUDIT_FIRST;

    for (int i = 0; i < LINES; i++) {
        struct audit_record r = {.action = "read", .uid = span_of("1")};
        size_t n = audit_line_write(text, (uint64_t)i + 1, T0 + i, span_of("s"), &r, prev, hash);

        text[n - 1] = '\0';
        strcpy(made[i], text);
        memcpy(prev, hash, AUDIT_HASH);
    }
}

/* What is found in lines, by numbers: "missing 3-3; " */
static const char *
findings(const int *order, const char *other)
{
    static char out[256];
    struct audit_chain c;
    struct audit_verdict v;

    *out = '\0';
    audit_chain_begin(&c, 0, AUDIT_FIRST);
    for (int i = 0; order[i]; i++) {
        const char *s = order[i] == 99 ? other : made[order[i] - 1];

        audit_chain_step(&c, span_of(s), &v);
        if (v.finding != AUDIT_FINE)
            snprintf(out + strlen(out), sizeof out - strlen(out), "%s %d-%d; ",
                     audit_finding_word(v.finding), (int)v.from, (int)v.to);
    }
    return out;
}

#define ORDER(...) ((const int[]){__VA_ARGS__, 0})

/* Record seq with other content, its hash made anew. */
static const char *
forged(uint64_t seq)
{
    struct audit_record r = {.action = "read", .uid = span_of("2")};
    char prev[AUDIT_HASH] = AUDIT_FIRST;
    static char out[1024];
    size_t n;

    if (seq > 1 && audit_line_parse(span_of(made[seq - 2]), &line) == 0)
        memcpy(prev, line.hash, AUDIT_HASH);
    n = audit_line_write(text, seq, T0, span_of("s"), &r, prev, hash);
    text[n - 1] = '\0';
    return strcpy(out, text);
}

static void
test_chain(void)
{
    char changed[1024];

    make_lines();
    is_str(findings(ORDER(1, 2, 3, 4, 5, 6), ""), "", "a log as it was written is fine");
    is_str(findings(ORDER(1, 2, 4, 5, 6), ""), "missing 3-3; ", "one removed");
    is_str(findings(ORDER(3, 4, 5, 6), ""), "missing 1-2; ", "the first ones removed");
    is_str(findings(ORDER(1, 2, 4, 3, 5, 6), ""), "missing 3-3; repeated 3-3; ",
           "two in another order");
    is_str(findings(ORDER(1, 2, 3, 3, 4), ""), "repeated 3-3; ", "one twice");
    is_str(findings(ORDER(1, 2, 3, 99, 4), forged(4)), "repeated 4-4; ",
           "one inserted with a hash of its own");
    is_str(findings(ORDER(1, 2, 99, 4, 5), forged(3)), "replaced 4-4; ",
           "one changed and its hash made anew: shows at the next");
    strcpy(changed, made[2]);
    *strstr(changed, "\"uid\":\"1\"") = '\'';
    is_str(findings(ORDER(1, 2, 99, 4, 5), changed), "no-record 0-0; missing 3-3; ",
           "one made unreadable");
    strcpy(changed, made[2]);
    memcpy(strstr(changed, "\"1\""), "\"7\"", 3);
    is_str(findings(ORDER(1, 2, 99, 4, 5), changed), "changed 3-3; ", "one changed");
    strcpy(changed, made[2]);
    changed[30] = '\0';
    is_str(findings(ORDER(1, 2, 99, 4, 5), changed), "no-record 0-0; missing 3-3; ",
           "one cut short");
    is_str(findings(ORDER(1, 2, 99, 3, 4), ""), "no-record 0-0; ", "an empty line inserted");
}

/* --- the writer --- */

static struct audit *
open_log(void)
{
    struct audit *a = audit_open(dir, "hebei", error, sizeof error);

    if (!a)
        printf("# %s\n", error);
    return a;
}

static int
add(struct audit *a, int64_t wall_ms, const char *action)
{
    struct audit_record r = {
        .action = action, .actor = span_of("admin@a.example"), .target = span_of("x@a.example")};

    return audit_add(a, wall_ms, &r, error, sizeof error);
}

static void
fresh_dir(void)
{
    char command[128];

    if (*dir) {
        snprintf(command, sizeof command, "rm -rf %s", dir);
        if (system(command) != 0)
            exit(1);
    }
    strcpy(dir, "/tmp/audit_test.XXXXXX");
    if (!mkdtemp(dir))
        exit(1);
}

/* All that is in the log: actions with what is wrong before them, files separated by "|". */
static const char *
content(void)
{
    static char out[2 << 20];
    static struct audit_reader r;
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    struct audit_files files;
    struct audit_chain c;
    struct audit_verdict v;
    struct span s;
    char *end = out;

    *end = '\0';
    audit_chain_begin(&c, 0, AUDIT_FIRST);
    if (audit_files_list(dir_fd, &files) < 0)
        return "?";
    for (size_t i = 0; i < files.n; i++) {
        int fd = openat(dir_fd, files.name[i], O_RDONLY);

        audit_reader_begin(&r, fd, 0);
        while (audit_reader_next(&r, &s) == 1) {
            audit_chain_step(&c, s, &v);
            if (end - out > (long)sizeof out - 200)
                continue;
            if (v.finding != AUDIT_FINE)
                end += sprintf(end, "%s!", audit_finding_word(v.finding));
            end += sprintf(end, "%.*s%s", (int)v.line.field[AUDIT_ACTION].n,
                           v.line.field[AUDIT_ACTION].p ? v.line.field[AUDIT_ACTION].p : "",
                           r.whole ? " " : "~ ");
        }
        end += sprintf(end, "|");
        close(fd);
    }
    audit_files_free(&files);
    close(dir_fd);
    return out;
}

/* The path of the newest file, or of another one by its place from the end. */
static const char *
file_path(size_t back)
{
    static char path[256];
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    struct audit_files files;

    if (audit_files_list(dir_fd, &files) < 0 || files.n <= back)
        exit(1);
    snprintf(path, sizeof path, "%s/%s", dir, files.name[files.n - 1 - back]);
    audit_files_free(&files);
    close(dir_fd);
    return path;
}

static void
append(const char *bytes, size_t n)
{
    int fd = open(file_path(0), O_WRONLY | O_APPEND);

    if (write(fd, bytes, n) != (ssize_t)n)
        exit(1);
    close(fd);
}

static void
test_files(void)
{
    const int64_t midnight = T0 + 5000 * (int64_t)DAY - DAY / 2;
    struct audit *a, *second;
    struct stat st;

    fresh_dir();
    a = open_log();
    is_int(add(a, T0, "open"), 0, "a record");
    second = audit_open(dir, "hebei", error, sizeof error);
    ok(!second && strstr(error, "another process"), "a second writer is refused: %s", error);
    audit_close(&a);
    a = open_log();
    add(a, T0 + 1, "close");
    is_str(content(), "log-begun open close |", "the chain goes on over a restart");
    stat(file_path(0), &st);
    is_int(st.st_mode & 0777, 0640, "for the owner and his group only");
    add(a, midnight, "read");
    add(a, midnight - 60000, "read");
    add(a, T0, "read");
    is_str(content(), "log-begun open close |read read |read |",
           "a file ends with the day; a clock a minute back ends none, one years back does");
    audit_file_max(a, 700);
    add(a, T0, "read");
    add(a, T0, "read");
    is_str(content(), "log-begun open close |read read |read read |read |",
           "a file ends when it is full");
    audit_close(&a);
}

static void
test_torn(void)
{
    char torn[128];
    struct audit *a;
    struct stat st;

    fresh_dir();
    a = open_log();
    add(a, T0, "open");
    audit_close(&a);
    append("{\"seq\":3,\"time\"", 15);
    a = open_log();
    add(a, T0, "read");
    is_str(content(), "log-begun open log-recovered read |",
           "an unfinished line goes, the chain is whole, and it is a record");
    snprintf(torn, sizeof torn, "%s/torn-000000000003", dir);
    ok(stat(torn, &st) == 0 && st.st_size == 15, "what it was is kept");
    audit_close(&a);
    append("\0\0\0\0\0\0\0\0", 8);
    a = open_log();
    add(a, T0, "read");
    is_str(content(), "log-begun open log-recovered read log-recovered read |",
           "so do the zeros a power cut may leave");
    audit_close(&a);
}

static void
test_lost(void)
{
    struct audit *a;
    struct stat st;

    fresh_dir();
    a = open_log();
    add(a, T0, "open");
    stat(file_path(0), &st);
    add(a, T0, "read");
    add(a, T0, "read");
    audit_close(&a);
    if (truncate(file_path(0), st.st_size) < 0)
        exit(1);
    a = open_log();
    add(a, T0, "close");
    is_str(content(), "log-begun open |missing!log-lost close |",
           "records that are gone from the end are missed, and their numbers not given again");
    audit_close(&a);
    append("nonsense\n", 9);
    a = open_log();
    add(a, T0, "close");
    is_str(content(), "log-begun open |missing!log-lost close no-record! |log-damaged close |",
           "a strange line stays where it is, and is a record");
    audit_close(&a);
    a = open_log();
    add(a, T0, "close");
    is_str(content(),
           "log-begun open |missing!log-lost close no-record! |log-damaged close close |",
           "which is said once");
    while (a && strcmp(file_path(0), dir) != 0 && unlink(file_path(0)) == 0)
        if (strcmp(content(), "") == 0)
            break;
    audit_close(&a);
    a = open_log();
    add(a, T0, "open");
    is_str(content(), "missing!log-lost open |", "all files gone: it does not begin again at 1");
    audit_close(&a);
}

static void
test_beneath(void)
{
    char moved[100];
    struct audit *a;

    fresh_dir();
    a = open_log();
    add(a, T0, "open");
    snprintf(moved, sizeof moved, "%s/old", dir);
    rename(file_path(0), moved);
    is_int(add(a, T0, "read"), 0, "a record after the file was renamed");
    is_str(content(), "missing!log-moved read |", "goes to a new file, and is said");
    unlink(file_path(0));
    is_int(add(a, T0, "close"), 0, "a record after the file was removed");
    is_str(content(), "missing!log-moved close |", "likewise");
    append("x\n", 2);
    add(a, T0, "read");
    is_str(content(), "missing!log-moved close no-record! |log-damaged read |",
           "somebody else wrote to it");
    audit_close(&a);
}

static int syncs, sync_fails;

/* In the place of the C library's. */
int
fdatasync(int fd)
{
    (void)fd;
    syncs++;
    errno = EIO;
    return sync_fails ? -1 : 0;
}

static void
test_sync(void)
{
    char anchor[AUDIT_ANCHOR_TEXT];
    struct audit *a;

    fresh_dir();
    a = open_log();
    add(a, T0, "open");
    syncs = 0;
    add(a, T0, "read");
    is_int(syncs, 0, "what was read needs not be on disk at once");
    audit_tick(a, T0, anchor, error, sizeof error);
    is_int(syncs, 1, "but with the next tick");
    add(a, T0, "open");
    is_int(syncs, 2, "an opening is, before it is said to be");
    sync_fails = 1;
    is_int(add(a, T0, "open"), -1, "a disk that fails: it is not");
    sync_fails = 0;
    is_str(content(), "log-begun open read open |", "and nothing of it remains");
    is_int(add(a, T0, "close"), 0, "the next record");
    is_str(content(), "log-begun open read open |close |", "goes to another file");
    audit_close(&a);
}

/* A limit to a file's size fails as a full disk does, in the middle of a record, too. */
static void
test_full(void)
{
    struct rlimit old, limit;
    struct audit *a;
    struct stat st, after;

    fresh_dir();
    a = open_log();
    add(a, T0, "open");
    stat(file_path(0), &st);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = (struct rlimit){(rlim_t)st.st_size + 100, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    is_int(add(a, T0, "read"), -1, "a record does not fit on the disk");
    printf("# %s\n", error);
    stat(file_path(0), &after);
    is_int(after.st_size, st.st_size, "and nothing of it remains");
    setrlimit(RLIMIT_FSIZE, &old);
    is_int(add(a, T0, "close"), 0, "there is room again");
    is_str(content(), "log-begun open close |", "and the chain knows nothing of it");
    audit_close(&a);
}

/* Killed at any moment: what was said to be on disk is there, and the chain is whole. */
static void
test_kill(void)
{
    uint64_t seen = 0, said;
    int fds[2], bad = 0;

    fresh_dir();
    for (int round = 0; round < 8; round++) {
        pid_t pid;

        if (pipe(fds) < 0 || (pid = fork()) < 0)
            exit(1);
        if (pid == 0) {
            struct audit *a = open_log();

            for (;;)
                if (add(a, T0, "read") == 0) {
                    said = audit_newest(a, hash);
                    if (write(fds[1], &said, sizeof said) < 0)
                        _exit(1);
                }
        }
        close(fds[1]);
        for (int i = 0; i < 50 + 7 * round; i++)
            if (read(fds[0], &said, sizeof said) == sizeof said)
                seen = said;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(fds[0], &said, sizeof said) == sizeof said)
            seen = said;
        close(fds[0]);
        struct audit *a = open_log();
        bad += !a || audit_newest(a, hash) < seen;
        audit_close(&a);
    }
    ok(!bad, "no record is missing after kill -9, %" PRIu64 " were written", seen);
    ok(!strchr(content(), '!') && !strstr(content(), "log-lost"), "and the chain is whole");
}

static void
test_anchor(void)
{
    char anchor[AUDIT_ANCHOR_TEXT];
    struct audit *a;

    fresh_dir();
    a = open_log();
    add(a, T0, "open");
    is_int(audit_tick(a, T0, anchor, error, sizeof error), 1, "an anchor is due");
    ok(strncmp(anchor, "seq=2 hash=", 11) == 0 && strlen(anchor) == 75, "%s", anchor);
    add(a, T0, "open");
    is_int(audit_tick(a, T0 + 1000, anchor, error, sizeof error), 0, "not each second");
    is_int(audit_tick(a, T0 + AUDIT_ANCHOR_MS, anchor, error, sizeof error), 1, "each hour");
    is_int(audit_tick(a, T0 + 3 * AUDIT_ANCHOR_MS, anchor, error, sizeof error), 0,
           "unless nothing happened");
    add(a, T0 + DAY, "open");
    is_int(audit_tick(a, T0 + DAY, anchor, error, sizeof error), 1, "and with each file");
    add(a, T0, "open");
    audit_tick(a, T0, anchor, error, sizeof error);
    add(a, T0, "open");
    is_int(audit_tick(a, T0 - DAY, anchor, error, sizeof error), 1,
           "and when the clock was set back");
    audit_close(&a);
}

int
main(void)
{
    today = time(NULL) / 86400 * DAY + DAY / 2;
    test_line();
    test_limits();
    test_time();
    test_chain();
    test_files();
    test_torn();
    test_lost();
    test_beneath();
    test_full();
    test_sync();
    test_kill();
    test_anchor();
    fresh_dir();
    rmdir(dir);
    return tap_done();
}
