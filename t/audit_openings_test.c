/* SPDX-License-Identifier: BSD-2-Clause */
/* Openings: kept over a restart, ended in time whatever the clock does, bounded, never half on disk. */
#include "policyd/audit_openings.h"
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

#define HOUR 3600000LL
#define T0   1764547200000LL
#define S(s) span_of(s)

static char dir[64], error[256];
static struct opening got;

static struct openings *
load(void)
{
    struct openings *o = openings_load(dir, error, sizeof error);

    if (!o)
        printf("# %s\n", error);
    return o;
}

static int
begin_for(struct openings *o, const char *actor, const char *target, const char *reason,
          int64_t length, int64_t now)
{
    int rc =
        openings_make(o, S(actor), S(target), S(reason), length, now, &got, error, sizeof error);

    return rc == 1 && openings_keep(o, &got, error, sizeof error) < 0 ? -1 : rc;
}

static int
begin(struct openings *o, const char *actor, const char *target, int64_t length, int64_t now)
{
    return begin_for(o, actor, target, "ticket 4711", length, now);
}

static int
find(struct openings *o, int64_t now)
{
    return openings_find(o, S("Admin@A.example"), S("x@a.example"), now, &got);
}

static void
spoil(const char *content)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/openings", dir);
    f = fopen(path, "w");
    if (!f || fputs(content, f) < 0 || fclose(f) != 0)
        exit(1);
}

static void
test_time(void)
{
    struct openings *o = load();
    char id[OPENING_ID];

    is_int(find(o, T0), 0, "none at first");
    is_int(begin(o, "admin@a.example", "x@a.example", 2 * HOUR, T0), 1, "one of two hours");
    strcpy(id, got.id);
    is_int(find(o, T0 + HOUR), 1, "valid, whatever the case of the name");
    is_str(got.reason, "ticket 4711", "with its reason");
    is_int(openings_find(o, S("admin@a.example"), S("y@a.example"), T0, &got), 0,
           "not for another mailbox");
    is_int(openings_find(o, S("x@a.example"), S("admin@a.example"), T0, &got), 0,
           "nor for another administrator");
    is_int(find(o, T0 + 2 * HOUR - 1), 1, "valid to its last millisecond");
    is_int(find(o, T0 + 2 * HOUR), 0, "and not after it");
    is_int(find(o, T0 - 30000), 1, "a clock set back by half a minute changes nothing");
    is_int(find(o, T0 - HOUR), 0, "one set back further ends it");
    openings_free(&o);
    o = load();
    is_int(find(o, T0 + HOUR), 1, "still there after a restart");
    is_str(got.id, id, "the same");
    is_int(openings_expire(o, T0 + HOUR, &got), 0, "nothing is over yet");
    is_int(openings_expire(o, T0 + 3 * HOUR, &got), 1, "one is over");
    is_str(got.id, id, "this one");
    is_int(openings_expire(o, T0 + 3 * HOUR, &got), 0, "and no other");
    openings_free(&o);
    o = load();
    ok(!openings_at(o, 0), "it is gone for good");
    openings_free(&o);
}

/* By the clock that nobody sets it is over, though the wall clock was set back. */
static void
test_set_back(void)
{
    char line[512], boot[64] = "";
    struct openings *o;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

    if (!f || fscanf(f, "%36s", boot) != 1)
        exit(1);
    fclose(f);
    snprintf(line, sizeof line,
             "postroad-openings 1\t%s\n0123456789abcdef\tadmin@a.example\tx@a.example\t%lld\t"
             "%lld\t1\twhy\n",
             boot, T0, HOUR);
    spoil(line);
    o = load();
    is_int(find(o, T0 + 1000), 0, "its length has passed since: over, whatever the time is now");
    openings_free(&o);
    snprintf(line, sizeof line,
             "postroad-openings 1\tother\n0123456789abcdef\tadmin@a.example\tx@a.example\t%lld\t"
             "%lld\t1\twhy\n",
             T0, HOUR);
    spoil(line);
    o = load();
    is_int(find(o, T0 + 1000), 1, "that clock counts within one boot only");
    openings_free(&o);
}

static void
test_bounds(void)
{
    struct openings *o;
    char name[64], id[OPENING_ID] = "";
    int n = 0;

    spoil("postroad-openings 1\tx\n");
    o = load();
    is_int(begin(o, "a@a.example", "x@a.example", OPENING_MAX_MS + 1, T0), 0, "none is too long");
    is_int(begin(o, "a@a.example", "x@a.example", 0, T0), 0, "or without a length");
    is_int(begin(o, "a\tb@a.example", "x@a.example", HOUR, T0), 0, "no TAB in a name");
    is_int(begin_for(o, "a@a.example", "x@a.example", "", HOUR, T0), 0, "a reason is needed");
    begin_for(o, "r@a.example", "x@a.example", "a\tb\nc\xff", HOUR, T0);
    is_str(got.reason, "a?b?c?", "nothing in a reason disturbs the file");
    while (n < 2000 && begin(o, "a@a.example", "x@a.example", HOUR, T0) == 1) {
        strcpy(id, got.id);
        n++;
    }
    is_int(n, OPENINGS_PER_ACTOR, "so many for one administrator");
    is_int(openings_close(o, S(id), &got, error, sizeof error), 1, "one closed");
    is_int(openings_close(o, S(id), &got, error, sizeof error), 0, "once");
    is_int(begin(o, "a@a.example", "x@a.example", HOUR, T0), 1, "makes room for one");
    for (n = 0; n < 2000; n++) {
        snprintf(name, sizeof name, "a%d@a.example", n);
        if (begin(o, name, "x@a.example", HOUR, T0) != 1)
            break;
    }
    is_int(n, OPENINGS_MAX - OPENINGS_PER_ACTOR - 1, "so many of all");
    openings_free(&o);
    o = load();
    ok(o && openings_at(o, OPENINGS_MAX - 1) && !openings_at(o, OPENINGS_MAX), "all are kept");
    openings_free(&o);
}

static void
test_damaged(void)
{
    static const char *const bad[] = {"", "nonsense\n", "postroad-openings 1\tx\nid\ta\tb\t1\n",
                                      "postroad-openings 1\tx\nid\ta\tb\t1\t-5\t0\twhy\n"};
    struct openings *o;
    char path[128];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        spoil(bad[i]);
        o = openings_load(dir, error, sizeof error);
        ok(!o && strstr(error, "makes no sense"), "damaged: %s", error);
        openings_free(&o);
    }
    spoil("postroad-openings 1\tx\n");
    o = load();
    snprintf(path, sizeof path, "%s/openings", dir);
    unlink(path);
    rmdir(dir);
    is_int(begin(o, "a@a.example", "x@a.example", HOUR, T0), -1,
           "what can't be kept is not opened");
    is_int(openings_find(o, S("a@a.example"), S("x@a.example"), T0, &got), 0, "and does not hold");
    openings_free(&o);
}

int
main(void)
{
    strcpy(dir, "/tmp/audit_openings_test.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    test_time();
    test_set_back();
    test_bounds();
    test_damaged();
    return tap_done();
}
