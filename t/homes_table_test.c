/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * homes_table: lines set, changed and taken away again, in the file that MD5 says; files
 * written only when they change, dated anew each time; and who can't be written.
 */
#include "../policyd/homes_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static char dir[] = "/tmp/homes_table_test.XXXXXX";
static unsigned steps;

static void
step(void)
{
    steps++;
}

static void
path_of(const char *user, char path[256])
{
    snprintf(path, 256, "%s/%02x", dir, homes_bucket(span_of(user)));
}

/* The text of the file that would have user's line. */
static const char *
text(const char *user)
{
    static char buf[65536];
    char path[256];
    FILE *f;
    size_t n = 0;

    path_of(user, path);
    f = fopen(path, "r");
    if (f) {
        n = fread(buf, 1, sizeof buf - 1, f);
        fclose(f);
    }
    buf[n] = '\0';
    return buf;
}

static time_t
date(const char *user)
{
    struct stat st;
    char path[256];

    path_of(user, path);
    return stat(path, &st) == 0 ? st.st_mtime : 0;
}

static int
set(struct homes_table *t, const char *user, const char *host, const char *ip)
{
    return homes_table_set(t, span_of(user), span_of(host), span_of(ip), span_of("starttls=yes"));
}

static int
save(struct homes_table *t)
{
    char error[256] = "";
    int n = homes_table_write(t, dir, step, error, sizeof error);

    if (n < 0)
        printf("# %s\n", error);
    return n;
}

static void
test_lines(struct homes_table *t)
{
    time_t first;

    is_int(save(t), 256, "at first all files are made");
    is_int(set(t, "a@x.example", "mx.b.example", "192.0.2.1"), 1, "one is set");
    is_int(save(t), 1, "one file is written");
    is_str(text("a@x.example"),
           "a@x.example:::::::noauthenticate=y proxy_maybe=y host=mx.b.example hostip=192.0.2.1 "
           "starttls=yes\n",
           "with his line");
    first = date("a@x.example");
    is_int(set(t, "a@x.example", "mx.b.example", "192.0.2.1"), 0, "the same again is no change");
    is_int(save(t), 0, "and writes nothing");
    is_int(set(t, "a@x.example", "mx.b.example", "192.0.2.2"), 1, "another address is one");
    is_int(save(t), 1, "one file again");
    ok(date("a@x.example") > first, "dated later, though it is as long and came at once");
    is_int(set(t, "a@x.example", "192.0.2.1", ""), 1, "a host that is an address");
    ok(strstr(text("a@x.example"), "host=mx.b") && save(t) == 1 &&
           strstr(text("a@x.example"), "host=192.0.2.1 starttls=yes"),
       "stands alone");
    is_int((long)homes_table_people(t), 1, "one person");
    is_int(set(t, "a@x.example", "", ""), 1, "he comes home");
    is_int(save(t), 1, "that is written, too");
    is_str(text("a@x.example"), "", "he has no line any more");
    is_int((long)homes_table_people(t), 0, "nobody");
}

static int
has_line(const char *user)
{
    const char *in = text(user);
    char first[80], later[80];

    snprintf(first, sizeof first, "%s:::", user);
    snprintf(later, sizeof later, "\n%s:::", user);
    return strncmp(in, first, strlen(first)) == 0 || strstr(in, later) != NULL;
}

/* So many that several share each file. */
static void
test_many(struct homes_table *t)
{
    char user[64];
    int wrong = 0;

    for (int i = 0; i < 2000; i++) {
        snprintf(user, sizeof user, "u%d@x.example", i);
        set(t, user, "mx.b.example", "192.0.2.1");
    }
    for (int i = 0; i < 2000; i += 2) {
        snprintf(user, sizeof user, "u%d@x.example", i);
        wrong += set(t, user, "", "") != 1;
    }
    is_int(wrong, 0, "every second one of 2000 goes");
    is_int((long)homes_table_people(t), 1000, "1000 stay");
    save(t);
    for (int i = 0; i < 2000; i++) {
        snprintf(user, sizeof user, "u%d@x.example", i);
        wrong += has_line(user) != (i & 1);
    }
    is_int(wrong, 0, "those, and only those");
}

static void
test_odd(struct homes_table *t)
{
    is_int(set(t, "a:b@x.example", "h", ""), 0, "a colon in the name: no line");
    is_int(set(t, "#a@x.example", "h", ""), 0, "a name that would be a comment: no line");
    is_int(set(t, "a b@x.example", "h", ""), 0, "a blank: no line");
    is_int(set(t, "a\nb@x.example", "h", ""), 0, "a line end: no line");
    is_int(set(t, "\xe9\x99\x88@x.example", "h", ""), 1, "a name in Chinese has one");
}

/* A table made anew, as after a restart, leaves files alone that say the same. */
static void
test_restart(struct homes_table *t)
{
    struct homes_table *again = homes_table_new();
    char path[256];

    set(t, "\xe9\x99\x88@x.example", "", "");
    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "u%d@x.example", i);
        set(t, path, "", "");
    }
    set(t, "a@x.example", "h", "");
    save(t);
    set(again, "a@x.example", "h", "");
    is_int(save(again), 0, "nothing is written that is there");
    path_of("a@x.example", path);
    unlink(path);
    homes_table_free(&again);
    again = homes_table_new();
    set(again, "a@x.example", "h", "");
    is_int(save(again), 1, "what is gone is");
    homes_table_free(&again);
}

static void
clean(void)
{
    char path[256];

    for (unsigned i = 0; i < HOMES_BUCKETS; i++) {
        snprintf(path, sizeof path, "%s/%02x", dir, i);
        unlink(path);
    }
    rmdir(dir);
}

int
main(void)
{
    struct homes_table *t = homes_table_new();
    char error[256] = "";

    if (!t || !mkdtemp(dir))
        return 1;
    /* echo -n u@x.example | md5sum */
    is_int(homes_bucket(span_of("u@x.example")), 0x02, "the file's name is how the MD5 begins");
    test_lines(t);
    test_many(t);
    test_odd(t);
    test_restart(t);
    ok(steps >= 512, "a step is told before each file");
    clean();
    set(t, "b@x.example", "h", "");
    ok(homes_table_write(t, dir, step, error, sizeof error) < 0 && strstr(error, "No such file"),
       "a folder that is gone is an error");
    homes_table_free(&t);
    ok(t == NULL, "freed");
    return tap_done();
}
