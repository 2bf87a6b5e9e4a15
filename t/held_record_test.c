/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_id, plain_text and held_record: names that can be files' names, text that can be shown, and records
 * that are there in full or not at all, whatever was in the message.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "held_record.h"
#include "plain_text.h"
#include "tap.h"

static char dir[] = "/tmp/held-XXXXXX";
static int folder;
static char error[512];

static void
test_id(void)
{
    static const char *const good[] = {"hebei-m1x2y3z4-A50A357", "a.b-c-0-4fJq2k1Zz", "x-1-1"};
    static const char *const bad[] = {"",         "-a-1-B",
                                      ".a-1-B",   "../a-1-B",
                                      "a-1-B/..", "a-1-",
                                      "a--B",     "a-1.2-B",
                                      "1-B",      "a-1-B\n",
                                      "a-1-B_",   "a-12345678901234-B",
                                      "a_b-1-B",  "a-1-1234567890123456789012345678901"};
    char id[HELD_ID_MAX + 1];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ok(held_id_is(span_of(good[i])), "an ID: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!held_id_is(span_of(bad[i])), "none: %s", i == 9 ? "with a line end" : bad[i]);
    ok(held_id_write(id, "hebei", 1795330000123, "A50A357") == 0, "written");
    is_str(id, "hebei-mwrh4lx7-A50A357", "site, time, queue id");
    ok(held_id_write(id, "北京_1", 0, "B") == 0 && held_id_is(span_of(id)), "any site: %s", id);
    ok(held_id_write(id, "0123456789012345678901234567890123456789012345678901234567890123",
                     INT64_MAX, "123456789012345678901234567890") == 0 &&
           held_id_is(span_of(id)),
       "the longest: %s", id);
    ok(held_id_write(id, "a", 1, "") < 0 && held_id_write(id, "a", 1, "A/B") < 0 &&
           held_id_write(id, "a", -1, "A") < 0,
       "no ID without a queue id and a time");
    ok(span_same(held_id_queue(span_of("a-b-1-QID9")), span_of("QID9")), "its queue id");
    ok(held_id_means(span_of("qid9"), span_of("a-b-1-QID9")) &&
           held_id_means(span_of("a-b-1-QID9"), span_of("a-b-1-QID9")) &&
           !held_id_means(span_of("QID"), span_of("a-b-1-QID9")) &&
           !held_id_means(span_of(""), span_of("a-b-1-QID9")) &&
           !held_id_means(span_of("xa-b-1-QID9"), span_of("a-b-1-QID9")),
       "what means it");
}

static void
shown(const char *in, size_t n, const char *want, const char *what)
{
    char out[24];

    plain_text(out, sizeof out, (struct span){in, n});
    is_str(out, want, what);
}

static void
test_text(void)
{
    shown("  a\r\n\tb \x7f", 9, "a b", "controls and blanks");
    shown("a\0b", 3, "a b", "a NUL");
    shown("\xff机密\xe6\x9c", 9, "?机密??", "bytes that are no UTF-8");
    shown("exe.\xe2\x80\xae"
          "fdp",
          10, "exe. fdp", "writing turned round");
    shown("一二三四五六七八九", 27, "一二三四五六七", "cut between characters");
    shown("0123456789012345678901234567", 28, "01234567890123456789012", "cut");
}

static struct held_record *
sample(void)
{
    struct held_record *r = calloc(1, sizeof *r);

    if (!r)
        abort();
    held_id_write(r->id, "hebei", 1795330000123, "A50A357");
    strcpy(r->site, "hebei");
    strcpy(r->queue, "A50A357");
    r->time_ms = 1795330000123;
    r->expires_ms = r->time_ms + 86400000;
    r->on_expire = HELD_EXPIRE_APPROVE;
    strcpy(r->rule, "words");
    strcpy(r->why, "the subject holds \"机密\"");
    strcpy(r->sender, "alice@corp.example");
    strcpy(r->target, "alice@corp.example");
    strcpy(r->recipient[0], "\"a  b\"@x.example");
    strcpy(r->recipient[1], "bad\xff\n@x.example");
    r->recipients = 2;
    r->recipient_count = 2000;
    r->size = 1234567;
    strcpy(r->attachment[0], "a\"b\\c.exe");
    r->attachments = 1;
    strcpy(r->subject, "机密");
    strcpy(r->direction, "outbound");
    return r;
}

static void
test_there_and_back(void)
{
    struct held_record *r = sample(), *got = calloc(1, sizeof *got);

    is_int(held_record_read(folder, r->id, got, error, sizeof error), 0, "not there");
    is_int(held_record_update(folder, r, error, sizeof error), 0, "so it can't be changed");
    is_int(held_record_create(folder, r, error, sizeof error), 0, "made");
    is_int(held_record_create(folder, r, error, sizeof error), -1, "not twice");
    is_int(held_record_read(folder, r->id, got, error, sizeof error), 1, "read");
    is_str(got->recipient[0], r->recipient[0], "an address as it was");
    is_str(got->recipient[1], "bad??@x.example", "what JSON can't hold is shown");
    strcpy(r->recipient[1], got->recipient[1]);
    ok(memcmp(r, got, sizeof *r) == 0, "all of it as it was");
    r->state = HELD_REJECTED;
    strcpy(r->by, "uid=x,o=corp");
    strcpy(r->reason, "not like this");
    r->decided_ms = 1795330000999;
    r->published = r->noticed = r->end_noticed = 1;
    is_int(held_record_update(folder, r, error, sizeof error), 1, "changed");
    ok(held_record_read(folder, r->id, got, error, sizeof error) == 1 &&
           memcmp(r, got, sizeof *r) == 0,
       "and read");
    is_int(held_record_remove(folder, r->id, error, sizeof error), 1, "removed");
    is_int(held_record_remove(folder, r->id, error, sizeof error), 0, "once");
    free(r);
    free(got);
}

static void
put_file(const char *name, const char *text, size_t n)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, text, n) != (ssize_t)n)
        abort();
    close(fd);
}

/* The largest there is fits into a file, whatever its text. */
static void
test_largest(void)
{
    struct held_record *r = sample(), *got = calloc(1, sizeof *got);

    for (r->recipients = 0; r->recipients < HELD_RECIPIENTS; r->recipients++)
        memset(r->recipient[r->recipients], '"', ADDR_MAX);
    for (r->attachments = 0; r->attachments < HELD_ATTACHMENTS; r->attachments++)
        memset(r->attachment[r->attachments], '\\', sizeof r->attachment[0] - 1);
    memset(r->by, '\\', sizeof r->by - 1);
    memset(r->reason, '\\', sizeof r->reason - 1);
    r->size = r->recipient_count = INT64_MAX;
    ok(held_record_create(folder, r, error, sizeof error) == 0 &&
           held_record_read(folder, r->id, got, error, sizeof error) == 1 &&
           memcmp(r, got, sizeof *r) == 0,
       "the largest one");
    held_record_remove(folder, r->id, error, sizeof error);
    free(r);
    free(got);
}

static void
damaged(const char *text, size_t n, const char *want)
{
    static struct held_record r;

    put_file("hebei-mwrh4lx7-A50A357.json", text, n);
    memset(&r, 0x55, sizeof r);
    is_int(held_record_read(folder, "hebei-mwrh4lx7-A50A357", &r, error, sizeof error), -1, want);
    ok(strstr(error, want) != NULL && ((char *)&r)[0] == 0x55, "%s", error);
}

/* Each is "can't tell", never "there is none", and nothing of it gets out. */
static void
test_damaged(void)
{
    struct held_record *r = sample();
    char text[4096], *at;
    static char big[HELD_FILE_MAX + 1];
    ssize_t n;
    int fd;

    held_record_create(folder, r, error, sizeof error);
    fd = openat(folder, "hebei-mwrh4lx7-A50A357.json", O_RDONLY);
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    damaged("", 0, "line 1");
    damaged("[]\n", 3, "all of it");
    damaged("{}\n", 3, "id is missing");
    damaged(text, (size_t)n / 2, "line");
    damaged(big, sizeof big, "File too large");
    at = strstr(text, "\"state\": \"held\"");
    memcpy(at, "\"state\": \"hold\"", 15);
    damaged(text, (size_t)n, "state is");
    memcpy(at, "\"state\": \"held\"", 15);
    at = strstr(text, "\"size\": 1");
    memcpy(at, "\"size\":-1", 9);
    damaged(text, (size_t)n, "size is");
    memcpy(at, "\"size\": 1", 9);
    at = strstr(text, "A50A357");
    memcpy(at, "A50A358", 7);
    damaged(text, (size_t)n, "queue is");
    memcpy(at, "A50A357", 7);
    put_file("hebei-mwrh4lx7-B.json", text, (size_t)n);
    is_int(held_record_read(folder, "hebei-mwrh4lx7-B", r, error, sizeof error), -1,
           "another message's record");
    unlinkat(folder, "hebei-mwrh4lx7-B.json", 0);
    unlinkat(folder, "hebei-mwrh4lx7-A50A357.json", 0);
    held_record_create(folder, r, error, sizeof error);
    renameat(folder, "hebei-mwrh4lx7-A50A357.json", folder, "real");
    is_int(symlinkat("real", folder, "hebei-mwrh4lx7-A50A357.json"), 0, "a link");
    is_int(held_record_read(folder, r->id, r, error, sizeof error), -1, "is not followed");
    unlinkat(folder, "real", 0);
    unlinkat(folder, "hebei-mwrh4lx7-A50A357.json", 0);
    is_int(held_record_read(folder, "../held_record_test", r, error, sizeof error), 0,
           "no ID, no file");
    free(r);
}

static int
count(void *ctx, const char *id)
{
    int *n = ctx;

    *n += held_id_is(span_of(id));
    return 0;
}

static int
stop(void *ctx, const char *id)
{
    (void)id;
    ++*(int *)ctx;
    return 7;
}

static void
test_each(void)
{
    struct held_record *r = sample();
    int n = 0;

    for (int i = 0; i < 3; i++) {
        held_id_write(r->id, "hebei", i, r->queue);
        held_record_create(folder, r, error, sizeof error);
    }
    put_file("hebei-9-A.new", "x", 1);
    put_file("notes.json", "x", 1);
    is_int(held_record_each(folder, count, &n, error, sizeof error), 0, "each");
    is_int(n, 3, "those three, and nothing else that lies there");
    n = 0;
    is_int(held_record_each(folder, stop, &n, error, sizeof error), 7, "until told to stop");
    is_int(n, 1, "at the first");
    held_record_tidy(folder, 1000);
    ok(faccessat(folder, "hebei-9-A.new", F_OK, 0) == 0, "a write may be going on");
    held_record_tidy(folder, INT64_MAX);
    ok(faccessat(folder, "hebei-9-A.new", F_OK, 0) < 0, "what is left of an old one goes");
    ok(faccessat(folder, "notes.json", F_OK, 0) == 0, "what is not ours stays");
    unlinkat(folder, "notes.json", 0);
    for (int i = 0; i < 3; i++) {
        held_id_write(r->id, "hebei", i, r->queue);
        held_record_remove(folder, r->id, error, sizeof error);
    }
    free(r);
}

/* A file that can't grow stands for a disk that is full. */
static void
test_no_room(void)
{
    struct rlimit none = {100, RLIM_INFINITY}, usual;
    struct held_record *r = sample(), *got = calloc(1, sizeof *got);

    held_record_create(folder, r, error, sizeof error);
    getrlimit(RLIMIT_FSIZE, &usual);
    none.rlim_max = usual.rlim_max;
    setrlimit(RLIMIT_FSIZE, &none);
    r->state = HELD_GONE;
    is_int(held_record_update(folder, r, error, sizeof error), -1, "no room for a change");
    held_id_write(r->id, "hebei", 5, r->queue);
    is_int(held_record_create(folder, r, error, sizeof error), -1, "nor for a new one");
    setrlimit(RLIMIT_FSIZE, &usual);
    is_int(held_record_read(folder, r->id, got, error, sizeof error), 0, "there is no half of one");
    held_id_write(r->id, "hebei", r->time_ms, r->queue);
    is_int(held_record_read(folder, r->id, got, error, sizeof error), 1, "the old one is there");
    is_int(got->state, HELD_HELD, "as it was");
    held_record_remove(folder, r->id, error, sizeof error);
    free(r);
    free(got);
}

/* What the milter puts down for role held, which believes nothing of it. */
static void
test_drop(void)
{
    const uid_t both[2] = {(uid_t)-1, geteuid()}, nobody[2] = {(uid_t)-1, geteuid() + 1};
    struct held_record *r = sample(), *got = calloc(1, sizeof *got);
    int drop = held_drop(folder, error, sizeof error);
    const mode_t before = umask(077);
    char name[HELD_ID_MAX + 6];
    int64_t changed_ms;
    struct stat st;

    snprintf(name, sizeof name, "%s.json", r->id);
    ok(drop >= 0 && held_record_drop(drop, r, error, sizeof error) == 0, "put down");
    umask(before);
    ok(fstatat(drop, name, &st, 0) == 0 && (st.st_mode & 0777) == 0644, "for another user to read");
    is_int(held_record_peek(drop, r->id, both, got, &changed_ms, error, sizeof error), 1, "read");
    is_str(got->rule, r->rule, "as it is");
    ok(changed_ms / 1000 == (int64_t)st.st_ctim.tv_sec, "and since when it is there");
    is_int(held_record_peek(drop, r->id, nobody, got, &changed_ms, error, sizeof error), -2,
           "a file of somebody else's");
    ok(linkat(drop, name, drop, "second", 0) == 0 &&
           held_record_peek(drop, r->id, both, got, &changed_ms, error, sizeof error) == -1,
       "one with two names");
    unlinkat(drop, name, 0);
    ok(symlinkat("second", drop, name) == 0 &&
           held_record_peek(drop, r->id, both, got, &changed_ms, error, sizeof error) == -1,
       "a link");
    unlinkat(drop, name, 0);
    ok(mkfifoat(drop, name, 0644) == 0 &&
           held_record_peek(drop, r->id, both, got, &changed_ms, error, sizeof error) == -1,
       "a pipe is not waited for");
    unlinkat(drop, name, 0);
    unlinkat(drop, "second", 0);
    is_int(held_record_peek(drop, r->id, both, got, &changed_ms, error, sizeof error), 0, "none");
    close(drop);
    unlinkat(folder, HELD_NEW, AT_REMOVEDIR);
    free(r);
    free(got);
}

int
main(void)
{
    char path[64];

    signal(SIGXFSZ, SIG_IGN);
    if (!mkdtemp(dir))
        return 1;
    folder = held_folder(dir, error, sizeof error);
    if (!ok(folder >= 0 && held_folder(dir, error, sizeof error) >= 0, "a folder"))
        return tap_done();
    test_id();
    test_text();
    test_there_and_back();
    test_largest();
    test_damaged();
    test_each();
    test_no_room();
    test_drop();
    snprintf(path, sizeof path, "%s/held", dir);
    is_int(rmdir(path), 0, "nothing is left behind");
    rmdir(dir);
    return tap_done();
}
