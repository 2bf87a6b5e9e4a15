/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the access socket by a process that stands still in between: an answer that has come is
 * heard though its time is over by then; where none has come, that is said, once.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "policyd/access_client.h"
#include "t/tap.h"

static struct event_base *base;
static struct access_client *client;
static char path[64];
static int listener;

struct heard {
    unsigned answers, none;
    char word[16];
};

static void
on_answer(void *ctx, const struct tabline *answer)
{
    struct heard *h = ctx;

    h->answers += answer != NULL;
    h->none += answer == NULL;
    if (answer)
        snprintf(h->word, sizeof h->word, "%.*s", (int)answer->word.n, answer->word.p);
}

static void
begin(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char address[80], dir[] = "/tmp/postroad-test.XXXXXX";

    if (!mkdtemp(dir))
        exit(1);
    snprintf(path, sizeof path, "%s/access", dir);
    snprintf(address, sizeof address, "unix:%s", path);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    base = event_base_new();
    client = base ? access_client_new(base, address) : NULL;
    if (!client || listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) < 0 ||
        listen(listener, 5) < 0)
        exit(1);
}

static void
end(void)
{
    access_client_free(&client);
    event_base_free(base);
    close(listener);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

/* Asked; the other end of its connection. */
static int
ask(struct heard *h)
{
    static const char line[] = "who\tafter=0\n";
    char got[64];
    int fd;

    *h = (struct heard){0};
    if (!access_client_ask(client, line, sizeof line - 1, on_answer, h))
        return -1;
    fd = accept(listener, NULL, NULL);
    (void)!read(fd, got, sizeof got);
    return fd;
}

/* For longer than anybody waits; then look. */
static void
stand_still(void)
{
    usleep((ACCESS_CLIENT_MS + 50) * 1000);
    event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
try_answers(void)
{
    struct heard h;
    int fd = ask(&h);

    (void)!write(fd, "ok\n", 3);
    stand_still();
    ok(h.answers == 1 && h.none == 0, "an answer that is there is heard, late as we are");
    is_str(h.word, "ok", "and it is that one");
    close(fd);
}

static void
try_none(void)
{
    struct heard h;
    int fd = ask(&h);

    stand_still();
    ok(h.answers == 0 && h.none == 1, "none came in time: said once");
    close(fd);
    fd = ask(&h);
    (void)!write(fd, "o", 1);
    stand_still();
    event_base_loop(base, EVLOOP_ONCE);
    ok(h.answers == 0 && h.none == 1, "half of one is none");
    close(fd);
    fd = ask(&h);
    close(fd);
    stand_still();
    ok(h.answers == 0 && h.none == 1,
       "a connection that was lost is not made again when its time is over");
    event_base_loop(base, EVLOOP_NONBLOCK);
    ok(h.answers + h.none == 1, "and nobody hears twice");
}

int
main(void)
{
    alarm(60);
    begin();
    try_answers();
    try_none();
    end();
    return tap_done();
}
