/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the maps answer while the mirror is not proven current, not filled, replaced
 * or changed under them, and at the limits of lists. What they answer at rest is in
 * t/tables/maps.tbl, by t/protocol.t.
 */
#include "policyd/maps.h"
#include "log.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MIB 64

static int64_t now_ms = 1000000000; /* the time goes on only where the test says so */

/* In place of the C library's. */
int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    if (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE)
        return (int)syscall(SYS_clock_gettime, clock, ts);
    *ts = (struct timespec){now_ms / 1000, now_ms % 1000 * 1000000};
    return 0;
}

static char dir[64], out[SOCKETMAP_REPLY_MAX];
static unsigned char buf[1 << 20];
static struct board board, sync_board;
static struct conf conf;
static struct mirror *writer;
static int64_t asked_ago_ms; /* how long ago the questions came; 0: now */
static struct maps *maps;

struct item {
    int tag;
    const char *value;
};
#define ITEMS(...) ((const struct item[]){__VA_ARGS__, {0, NULL}})

static unsigned char *
id(const char *dn)
{
    static unsigned char uuid[UUID_LEN];

    memset(uuid, 0, sizeof uuid);
    for (size_t i = 0; dn[i]; i++)
        uuid[i % UUID_LEN] = (unsigned char)(uuid[i % UUID_LEN] * 31 + dn[i]);
    return uuid;
}

static struct record_builder builder;

static void
begin(enum record_kind kind, const char *dn)
{
    char rdn[128];

    snprintf(rdn, sizeof rdn, "%.*s", (int)strcspn(dn, ","), dn);
    record_begin(&builder, buf, sizeof buf, kind, STATE_UNSET, 1);
    record_add(&builder, TAG_RDN, span_of(rdn));
}

static void
end(const char *dn)
{
    struct record r;

    if (record_end(&builder, &r) < 0 || mirror_put(writer, id(dn), span_of(dn), buf, r.n, "") < 0)
        printf("Bail out! %s: %s\n", dn, mirror_error(writer));
}

static void
put(enum record_kind kind, const char *dn, const struct item *items)
{
    begin(kind, dn);
    for (; items->tag; items++)
        record_add(&builder, (enum record_tag)items->tag, span_of(items->value));
    end(dn);
}

static void
open_writer(void)
{
    char error[256] = "";

    writer = mirror_open_writer(dir, MIB, error, sizeof error);
    if (!writer) {
        printf("Bail out! %s\n", error);
        exit(1);
    }
}

static void
fill(void)
{
    if (mirror_write_begin(writer) || mirror_set_base(writer, span_of("o=t"))) {
        printf("Bail out! %s\n", mirror_error(writer));
        exit(1);
    }
    put(KIND_SITE, "cn=hebei,o=t", ITEMS({TAG_NEXTHOP, "10 relay:[192.0.2.1]:25"}));
    put(KIND_SITE, "cn=shandong,o=t", ITEMS({TAG_NEXTHOP, "10 relay:[192.0.2.2]:25"}));
    put(KIND_DOMAIN, "dc=a.example,o=t", ITEMS({TAG_DOMAIN, "a.example"}, {TAG_HOME, "hebei"}));
    put(KIND_DOMAIN, "dc=c.example,o=t",
        ITEMS({TAG_DOMAIN, "c.example"}, {TAG_HOME, "hebei"}, {TAG_CATCHALL, "anna@a.example"}));
    put(KIND_ACCOUNT, "uid=anna,dc=a.example,o=t",
        ITEMS({TAG_MAIL, "anna@a.example"}, {TAG_ALIAS, "anne@a.example"}));
    put(KIND_LIST, "cn=all,dc=a.example,o=t",
        ITEMS({TAG_MAIL, "all@a.example"}, {TAG_MEMBER, "anna@a.example"},
              {TAG_MEMBER, "new@a.example"}));
}

static void
ask(enum map_id map, const char *key, const char *want)
{
    enum socketmap_status s;
    char got[256], what[128];
    size_t n;

    maps_asked(maps, asked_ago_ms ? (int64_t)board_now_ms() - asked_ago_ms : 0);
    s = maps_lookup(maps, map, span_of(key), out, sizeof out, &n, NULL);
    snprintf(got, sizeof got, "%s%s%.*s", socketmap_status_word(s), n ? " " : "",
             (int)(n < 200 ? n : 200), out);
    snprintf(what, sizeof what, "%s %s", map_name(map), key);
    is_str(got, want, what);
}

/* What sync shows: its phase, providers that don't answer, and how old the proof is (-1: none). */
static void
show(enum board_phase phase, int away, int64_t proof_age_ms)
{
    board_set(&sync_board, BOARD_SYNC_PHASE, phase);
    board_set(&sync_board, BOARD_SYNC_UNREACHABLE, (uint64_t)away);
    board_publish(&sync_board, BOARD_SYNC_PROOF_MS,
                  proof_age_ms < 0 ? 0 : board_now_ms() - (uint64_t)proof_age_ms);
}

static void
ask_unproven(const char *why)
{
    printf("# %s\n", why);
    ask(MAP_TRANSPORT, "ghost@a.example", "OK wait:");
    ask(MAP_MAILBOX, "ghost@a.example", "TEMP");
    ask(MAP_ALIAS, "ghost@a.example", "NOTFOUND");
    ask(MAP_SENDER, "ghost@a.example", "TEMP");
    ask(MAP_TRANSPORT, "ghost@c.example", "OK wait:");
    ask(MAP_MAILBOX, "ghost@c.example", "TEMP");
    ask(MAP_ALIAS, "ghost@c.example", "TEMP");
    ask(MAP_TRANSPORT, "anna@a.example", "OK lmtp:x");
    ask(MAP_MAILBOX, "anna@a.example", "OK OK");
    ask(MAP_ALIAS, "anne@a.example", "OK anna@a.example");
    ask(MAP_SENDER, "anna@a.example", "OK anna@a.example");
    ask(MAP_DOMAIN, "a.example", "OK OK");
    ask(MAP_DOMAIN, "outside.example", "NOTFOUND");
    ask(MAP_MAILBOX, "x@outside.example", "NOTFOUND");
    ask(MAP_ALIAS, "all@a.example", "OK anna@a.example, new@a.example");
}

static void
ask_proven(const char *why)
{
    printf("# %s\n", why);
    ask(MAP_MAILBOX, "ghost@a.example", "NOTFOUND");
    ask(MAP_ALIAS, "ghost@a.example", "NOTFOUND");
    ask(MAP_SENDER, "ghost@a.example", "NOTFOUND");
    ask(MAP_TRANSPORT, "ghost@c.example", "OK lmtp:x");
    ask(MAP_MAILBOX, "ghost@c.example", "OK OK");
    ask(MAP_ALIAS, "ghost@c.example", "OK anna@a.example");
    ask(MAP_ALIAS, "all@a.example", "OK anna@a.example");
}

static void
test_filling(void)
{
    maps = maps_new(&conf, &board);
    show(PHASE_PERSIST, 0, -1);
    printf("# no mirror yet\n");
    for (int i = 0; i < MAP_N; i++)
        ask((enum map_id)i, "anna@a.example", "TEMP");
    open_writer();
    fill();
    mirror_write_commit(writer);
    printf("# a mirror that is being filled\n");
    for (int i = 0; i < MAP_N; i++)
        ask((enum map_id)i, "anna@a.example", "TEMP");
    mirror_write_begin(writer);
    mirror_set_complete(writer, 1);
    mirror_write_commit(writer);
    ask(MAP_MAILBOX, "anna@a.example", "OK OK");
}

static void
test_freshness(void)
{
    show(PHASE_PERSIST, 0, 100);
    asked_ago_ms = 1000;
    ask_proven("proven after the question");
    show(PHASE_PERSIST, 0, 4000);
    ask_unproven("proven before the question");
    show(PHASE_PERSIST, 0, -1);
    ask_unproven("never proven");
    show(PHASE_CONNECTING, 0, 4000);
    ask_unproven("not connected");
    show(PHASE_REFRESH, 0, 100);
    asked_ago_ms = 0;
    ask_unproven("in the middle of a refresh");
    show(PHASE_REFUSED, 0, 100);
    ask_unproven("a refused sweep");
    show(PHASE_PERSIST, 1, 100);
    ask_unproven("a provider does not answer");
    conf.directory.ldif = (char *)"/x";
    show(PHASE_LOADED, 0, -1);
    ask_proven("a file that is loaded");
    show(PHASE_ERROR, 0, -1);
    ask_proven("a file that was broken later");
    show(PHASE_NONE, 0, -1);
    ask_unproven("a file that nobody has looked at yet");
    show(PHASE_REFRESH, 0, -1);
    ask_unproven("a file that is being read");
    show(PHASE_LOADED, 0, -1);
}

static int
waits(enum map_id map, const char *key)
{
    size_t n;

    maps_asked(maps, (int64_t)board_now_ms() - asked_ago_ms);
    maps_lookup(maps, map, span_of(key), out, sizeof out, &n, NULL);
    return maps_waits(maps) != 0;
}

static int
settled(int64_t asked_ago_ms_)
{
    unsigned room = maps_room(maps);

    return maps_settled(maps, (int64_t)board_now_ms() - asked_ago_ms_, 0, &room);
}

/* Which lookups wait for a proof, and for how long. */
static void
test_waiting(void)
{
    conf.directory.ldif = (char *)"";
    show(PHASE_PERSIST, 0, 4000);
    asked_ago_ms = 1000;
    ok(waits(MAP_MAILBOX, "ghost@a.example"), "nobody's mailbox waits");
    ok(waits(MAP_SENDER, "ghost@a.example"), "a sender too");
    ok(waits(MAP_MAILBOX, "ghost@c.example"), "so does one a catch-all may get");
    ok(waits(MAP_ALIAS, "ghost@c.example"), "and its alias");
    ok(waits(MAP_ALIAS, "all@a.example"), "and a list with a member nobody knows");
    ok(!waits(MAP_ALIAS, "ghost@a.example"), "an alias no catch-all may get does not");
    ok(!waits(MAP_TRANSPORT, "ghost@a.example"), "transport never does");
    ok(!waits(MAP_TRANSPORT, "all@a.example"), "not for a list either");
    ok(!waits(MAP_MAILBOX, "anna@a.example"), "known addresses don't");
    ok(!waits(MAP_MAILBOX, "x@outside.example"), "nor those outside");
    show(PHASE_PERSIST, 0, 8000);
    asked_ago_ms = 6000;
    ok(!waits(MAP_MAILBOX, "ghost@a.example"), "not longer than unknown_wait");
    is_str(maps_why(maps), "not proven: no proof came in time", "and says so");
    ok(settled(6000), "which settles it");
    ok(!settled(100), "one that just came is not");
    asked_ago_ms = 100;
    show(PHASE_PERSIST, 1, 4000);
    ok(!waits(MAP_MAILBOX, "ghost@a.example"), "not for a provider that is away");
    ok(settled(100), "then nothing is waited for");
    show(PHASE_REFRESH, 0, 4000);
    ok(!waits(MAP_MAILBOX, "ghost@a.example"), "nor while the mirror does not follow");
    asked_ago_ms = 0;
}

/* A proof that comes after the snapshot speaks of what may not be in it. */
static void
test_proof_and_snapshot(void)
{
    show(PHASE_PERSIST, 0, 4000);
    asked_ago_ms = 500;
    maps_begin(maps);
    ask(MAP_MAILBOX, "late@a.example", "TEMP");
    mirror_write_begin(writer);
    put(KIND_ACCOUNT, "uid=late,dc=a.example,o=t", ITEMS({TAG_MAIL, "late@a.example"}));
    mirror_write_commit(writer);
    show(PHASE_PERSIST, 0, 0);
    ask(MAP_MAILBOX, "late@a.example", "TEMP");
    maps_end(maps);
    ask(MAP_MAILBOX, "late@a.example", "OK OK");
    ask(MAP_MAILBOX, "ghost@a.example", "NOTFOUND");
    asked_ago_ms = 0;
    conf.directory.ldif = (char *)"/x";
    show(PHASE_LOADED, 0, -1);
}

/* Changes are seen by the next lookup, also where the maps remember domains and departments. */
static void
test_changes(void)
{
    printf("# changes\n");
    mirror_write_begin(writer);
    put(KIND_DOMAIN, "dc=a.example,o=t", ITEMS({TAG_DOMAIN, "a.example"}, {TAG_HOME, "shandong"}));
    put(KIND_DOMAIN, "dc=n.example,o=t", ITEMS({TAG_DOMAIN, "n.example"}));
    ask(MAP_TRANSPORT, "anna@a.example", "OK lmtp:x");
    ask(MAP_DOMAIN, "n.example", "NOTFOUND");
    mirror_write_commit(writer);
    ask(MAP_TRANSPORT, "anna@a.example", "OK relay:[192.0.2.2]:25");
    ask(MAP_DOMAIN, "n.example", "OK OK");
    mirror_write_begin(writer);
    mirror_delete(writer, id("uid=anna,dc=a.example,o=t"));
    mirror_write_commit(writer);
    ask(MAP_MAILBOX, "anna@a.example", "NOTFOUND");
    mirror_write_begin(writer);
    mirror_set_base(writer, span_of("o=u"));
    mirror_write_commit(writer);
    ask(MAP_TRANSPORT, "all@a.example", "TEMP");
    ask(MAP_DOMAIN, "a.example", "TEMP");
}

/* Until is() says so, for at most ten seconds. */
static int
soon(int (*is)(void))
{
    for (int64_t end = now_ms + 10000; now_ms < end; now_ms += 5) {
        show(PHASE_PERSIST, 0, 0);
        if (is())
            return 1;
    }
    return 0;
}

static int
ghost_does_not_wait(void)
{
    return !waits(MAP_MAILBOX, "ghost@a.example");
}

static int
next_is_known(void)
{
    size_t n;
    enum socketmap_status s;

    maps_asked(maps, (int64_t)board_now_ms() - 1);
    s = maps_lookup(maps, MAP_MAILBOX, span_of("next@a.example"), out, sizeof out, &n, NULL);
    if (s == SOCKETMAP_NOTFOUND)
        ok(0, "nobody is called unknown by an old store");
    return s == SOCKETMAP_OK;
}

/* Another store in the same place, as after a change of format. */
static void
test_replaced(void)
{
    char path[128], aside[160];
    struct mirror *old;

    conf.directory.ldif = (char *)"";
    fill();
    mirror_set_complete(writer, 1);
    mirror_write_commit(writer);
    show(PHASE_PERSIST, 0, 0);
    asked_ago_ms = 500;
    ask(MAP_MAILBOX, "ghost@a.example", "NOTFOUND");
    printf("# another store in its place\n");
    old =
        writer; /* closed later: as all of us are one process, that would take the reader's lock */
    snprintf(path, sizeof path, "%s/mirror/data.mdb", dir);
    snprintf(aside, sizeof aside, "%s.aside", path);
    rename(path, aside);
    snprintf(path, sizeof path, "%s/mirror/lock.mdb", dir);
    unlink(path);
    open_writer();
    fill();
    mirror_write_commit(writer);
    show(PHASE_PERSIST, 0, 0);
    ask(MAP_MAILBOX, "ghost@a.example", "TEMP");
    ask(MAP_MAILBOX, "anna@a.example", "OK OK");
    asked_ago_ms = 1;
    ok(soon(ghost_does_not_wait), "who is nobody is not waited for while the new one is filled");
    ask(MAP_MAILBOX, "anna@a.example", "OK OK");
    mirror_close(&writer); /* a reader that came and went has taken its lock, for the same reason */
    open_writer();
    mirror_write_begin(writer);
    put(KIND_ACCOUNT, "uid=next,dc=a.example,o=t", ITEMS({TAG_MAIL, "next@a.example"}));
    mirror_set_complete(writer, 1);
    mirror_write_commit(writer);
    ok(soon(next_is_known), "who came with the new one is never unknown, and found in the end");
    ask(MAP_MAILBOX, "anna@a.example", "OK OK");
    mirror_close(&old);
    asked_ago_ms = 0;
    conf.directory.ldif = (char *)"/x";
    show(PHASE_LOADED, 0, -1);
}

static void
put_list(const char *dn, const char *mail, int members, const char *prefix)
{
    char text[128];

    begin(KIND_LIST, dn);
    record_add(&builder, TAG_MAIL, span_of(mail));
    for (int i = 0; i < members; i++) {
        snprintf(text, sizeof text, "%s%06d@outside.example", prefix, i);
        record_add(&builder, TAG_MEMBER, span_of(text));
    }
    end(dn);
}

/* Lists each of which has the next one as its member, and the last one the first. */
static void
put_ring(const char *name, int n, int closed)
{
    char dn[64], next[64], mail[64];

    for (int i = 0; i < n; i++) {
        snprintf(dn, sizeof dn, "cn=%s%d,dc=a.example,o=t", name, i);
        snprintf(mail, sizeof mail, "%s%d@a.example", name, i);
        snprintf(next, sizeof next, "cn=%s%d,dc=a.example,o=t", name, (i + 1) % n);
        begin(KIND_LIST, dn);
        record_add(&builder, TAG_MAIL, span_of(mail));
        record_add(&builder, TAG_MEMBER, span_of("anna@a.example"));
        if (closed || i + 1 < n)
            record_add(&builder, TAG_MEMBER_DN, span_of(next));
        end(dn);
    }
}

static void
test_lists(void)
{
    enum socketmap_status s;
    size_t n;

    printf("# lists at their limits\n");
    log_open("stderr", "mail", "error", "test");
    mirror_write_begin(writer);
    put_list("cn=big,dc=a.example,o=t", "big@a.example", 3900, "m");
    put_list("cn=huge,dc=a.example,o=t", "huge@a.example", 5000, "m");
    put_ring("ring", 20, 1);
    put_ring("maze", 1100, 1);
    put_ring("chain", 100, 0);
    mirror_write_commit(writer);
    s = maps_lookup(maps, MAP_ALIAS, span_of("big@a.example"), out, sizeof out, &n, NULL);
    ok(s == SOCKETMAP_OK && n == 3900 * 25 - 2, "3,900 members fit in one answer");
    ask(MAP_ALIAS, "huge@a.example", "TEMP");
    ask(MAP_TRANSPORT, "huge@a.example", "OK wait:");
    ask(MAP_MAILBOX, "huge@a.example", "OK OK");
    ask(MAP_ALIAS, "ring7@a.example", "OK anna@a.example");
    ask(MAP_ALIAS, "maze7@a.example", "TEMP");
    ask(MAP_TRANSPORT, "maze7@a.example", "OK wait:");
    ask(MAP_ALIAS, "chain0@a.example", "OK anna@a.example, chain1@a.example");
    ask(MAP_ALIAS, "chain99@a.example", "OK anna@a.example");
    ask(MAP_ALIAS, "chain50@a.example", "OK anna@a.example, chain51@a.example");
}

static void
set_up(void)
{
    int fd = board_create(), other = dup(fd);

    if (fd < 0 || board_attach(&board, fd, BOARD_ANSWER, 0) < 0 ||
        board_attach(&sync_board, other, BOARD_SYNC, 0) < 0) {
        printf("Bail out! no board\n");
        exit(1);
    }
    conf.site = (char *)"hebei";
    conf.state_dir = dir;
    conf.local_transport = (char *)"lmtp:x";
    conf.wait_transport = (char *)"wait:";
    conf.recipient_delimiter = (char *)"+";
    conf.directory.ldif = (char *)"";
    conf.unknown_wait = 5;
    conf.mirror.size = MIB;
}

int
main(void)
{
    char command[128];

    snprintf(dir, sizeof dir, "/tmp/postroad-maps.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    set_up();
    test_filling();
    test_freshness();
    test_waiting();
    test_proof_and_snapshot();
    test_changes();
    test_replaced();
    test_lists();
    maps_free(&maps);
    mirror_close(&writer);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0)
        printf("# %s is left behind\n", dir);
    return tap_done();
}
