/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * people_line: who asks another process knows what who has the mirror knows; and who answers stands anything
 * that whoever has taken over the other end may send.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mirror_rig.h"
#include "people_line.h"

static struct conf *conf;
static struct people *here, *there;
static int ends[2];

/* --- a store, and who reads it --- */

static void
fill(void)
{
    struct mirror *m = fresh("");

    put(m, 1, KIND_OTHER, 1, "o=corp", NULL, "");
    put(m, 3, KIND_DOMAIN, 1, "dc=a.example,o=corp",
        ITEMS({TAG_DOMAIN, "a.example"}, {TAG_HOME, "hebei"}, {TAG_SPOOF, "quarantine"}), "");
    put(m, 4, KIND_DEPARTMENT, 1, "ou=hr,dc=a.example,o=corp", NULL, "");
    put(m, 5, KIND_ACCOUNT, 1, "uid=alice,ou=hr,dc=a.example,o=corp",
        ITEMS({TAG_MAIL, "alice@a.example"}), "");
    put(m, 6, KIND_LIST, 1, "cn=all,dc=a.example,o=corp",
        ITEMS({TAG_MAIL, "all@a.example"}, {TAG_MEMBER, "alice@a.example"},
              {TAG_MEMBER, "x@b.example"}, {TAG_MEMBER, "y@b.example"}),
        "");
    mirror_set_complete(m, 1);
    if (mirror_write_commit(m) < 0) {
        printf("Bail out! %s\n", mirror_error(m));
        exit(1);
    }
    mirror_close(&m);
}

static void
read_conf(void)
{
    char path[128], error[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/conf", top);
    f = fopen(path, "w");
    if (f)
        fprintf(f,
                "site = \"hebei\"; state_dir = \"%s\"; mirror: { size = 64; };"
                "directory: { ldif = \"%s/x\"; };",
                top, top);
    if (!f || fclose(f) != 0 || conf_load(path, &conf, error, sizeof error) < 0) {
        printf("Bail out! no configuration: %s\n", f ? error : path);
        exit(1);
    }
}

static void *
serve(void *fd)
{
    static int rc;

    rc = people_serve(here, *(int *)fd);
    return &rc;
}

/* --- the same answers --- */

static void
same_person(const char *address)
{
    struct person a, b;
    int rc = people_find(here, span_of(address), &a),
        asked = people_find(there, span_of(address), &b);

    ok(rc == asked && a.verdict == b.verdict && a.is_list == b.is_list &&
           strcmp(a.account, b.account) == 0 && strcmp(a.domain, b.domain) == 0 &&
           strcmp(a.department, b.department) == 0,
       "%.40s: %d %s %s %s", address, asked, b.account, b.domain, b.department);
}

static void
test_same(void)
{
    struct people_domain a, b;
    char large[3000];

    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    same_person("alice@a.example");
    same_person("Alice+ext@a.example");
    same_person("all@a.example");
    same_person("nobody@a.example");
    same_person("x@b.example");
    same_person("nonsense");
    same_person("");
    same_person(large);
    memcpy(large + sizeof large - 11, "@a.example", 11);
    same_person(large);
    is_int((long)people_members(there, span_of("all@a.example"), 1000), 3, "members of a list");
    is_int((long)people_members(there, span_of("all@a.example"), INT64_MAX), 3,
           "as many as there are");
    is_int((long)people_members(there, span_of("alice@a.example"), 10), 0, "of no list");
    is_int(people_domain(there, span_of("a.example"), &b), 1, "a domain");
    is_int(people_domain(here, span_of("a.example"), &a), 1, "here, too");
    ok(strcmp(a.primary, b.primary) == 0 && strcmp(b.spoof, "quarantine") == 0, "and its policy");
    is_int(people_domain(there, span_of("b.example"), &b), 0, "none of ours");
    is_int((long)people_spoof_actions(there), (long)people_spoof_actions(here), "all policies");
}

/* --- anything else --- */

static void
sends(const void *what, size_t n, const char *name)
{
    struct people_answer a;

    memset(&a, 0, sizeof a);
    ok(send(ends[0], what, n, 0) == (ssize_t)n && recv(ends[0], &a, sizeof a, 0) == sizeof a &&
           a.rc == -1,
       "%s: can't tell", name);
}

static void
test_nonsense(void)
{
    struct people_question q;
    const size_t head = offsetof(struct people_question, text);
    static char large[65536];

    memset(&q, 0xff, sizeof q);
    sends("x", 1, "one byte");
    sends(&q, head - 1, "less than a head");
    sends(&q, head, "no such question");
    sends(&q, sizeof q, "the largest");
    sends(large, sizeof large, "more than that");
    q.what = PEOPLE_FIND;
    q.n = PEOPLE_TEXT;
    sends(&q, head + 10, "a text that is not there");
    q.n = 5;
    sends(&q, sizeof q, "more text than it says");
    q.n = UINT32_MAX;
    sends(&q, sizeof q, "a length beyond all bounds");
    same_person("alice@a.example");
}

static void
test_late(void)
{
    struct people_question q = {.number = 1, .what = PEOPLE_MEMBERS};
    struct person p;

    ok(send(ends[0], &q, offsetof(struct people_question, text), 0) > 0,
       "asked, and not waited for");
    is_int(people_find(there, span_of("alice@a.example"), &p), 1, "the next answer is its own");
    is_str(p.account, "alice@a.example", "and not that of before");
}

/* A process that is stopped: one is kept waiting, and not everybody who comes after him. */
static void
test_silent(void)
{
    struct people *stopped;
    struct person p;
    int pair[2], good = 1, i;
    time_t began = time(NULL);

    if (people_line(pair) < 0 || !(stopped = people_apart(conf, pair[0])))
        return;
    for (i = 0; i < 1000 && good; i++)
        good = people_find(stopped, span_of("alice@a.example"), &p) == -1 &&
               p.verdict == ROUTE_UNSURE && time(NULL) - began < 30;
    ok(good, "it does not answer: a thousand hear soon that it can't be told (%d)", i);
    people_free(&stopped);
    close(pair[0]);
    close(pair[1]);
}

/* Its socket is full of questions of before; then it goes on. */
static void
test_goes_on(void)
{
    struct people_question q = {.number = 1, .what = PEOPLE_DOMAIN};
    struct people_answer a;
    uint64_t number = 7;
    pthread_t server;
    int pair[2];

    if (people_line(pair) < 0)
        return;
    while (send(pair[0], &q, offsetof(struct people_question, text), MSG_DONTWAIT) > 0)
        ;
    is_int(people_line_ask(pair[0], &number, 50, PEOPLE_DOMAIN, span_of("a.example"), 0, &a), -1,
           "no room to ask");
    if (pthread_create(&server, NULL, serve, &pair[1]) != 0)
        return;
    is_int(people_line_ask(pair[0], &number, 20000, PEOPLE_DOMAIN, span_of("a.example"), 0, &a), 0,
           "it goes on: it is asked, and answers");
    ok(a.number == number && a.rc == 1, "what was asked last");
    close(pair[0]);
    pthread_join(server, NULL);
    close(pair[1]);
}

static void
test_end(pthread_t server)
{
    struct person p;
    void *rc;

    shutdown(ends[0], SHUT_WR);
    pthread_join(server, &rc);
    is_int(*(int *)rc, 0, "who serves ends with who asks");
    close(ends[1]);
    is_int(people_find(there, span_of("alice@a.example"), &p), -1, "nobody answers: can't tell");
    ok(p.verdict == ROUTE_UNSURE, "which is what it says");
    is_int((long)people_members(there, span_of("all@a.example"), 10), -1, "how many can't be told");
    ok(people_spoof_actions(there) == people_spoof_actions(here), "policies are as they were last");
}

int
main(void)
{
    pthread_t server;

    if (rig_up() < 0 || people_line(ends) < 0)
        return 1;
    fill();
    read_conf();
    here = people_new(conf);
    there = people_apart(conf, ends[0]);
    if (!here || !there || pthread_create(&server, NULL, serve, &ends[1]) != 0)
        return 1;
    test_same();
    test_nonsense();
    test_late();
    test_silent();
    test_goes_on();
    test_end(server);
    people_free(&there);
    people_free(&here);
    conf_free(&conf);
    rig_down();
    return tap_done();
}
