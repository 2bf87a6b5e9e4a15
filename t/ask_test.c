/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to servers that answer well, badly, slowly and not at all. Each server
 * is a child that takes one connection, reads, and plays one part.
 */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "tap.h"

#define SHORT_MS 400
#define LONG_MS  10000

static char dir[] = "/tmp/ask_test.XXXXXX", sock[64];

struct part {
    const char *say; /* in answer to the first bytes that come */
    size_t n;        /* how much of it; 0: all */
    int hold;        /* afterwards: keep the connection open until the client goes */
    int slowly;      /* a byte at a time */
    int for_ever;    /* again and again */
};

static long long
clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
listen_unix(int backlog)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    unlink(sock);
    strcpy(sun.sun_path, sock);
    if (bind(fd, (struct sockaddr *)&sun, sizeof sun) < 0 || listen(fd, backlog) < 0)
        perror("listen");
    return fd;
}

static void
say(int fd, const struct part *part)
{
    size_t n = part->n ? part->n : strlen(part->say), step = part->slowly ? 1 : n;

    do {
        for (size_t at = 0; at < n; at += step) {
            struct pollfd gone = {fd, POLLRDHUP, 0};

            if (part->slowly && poll(&gone, 1, 5) > 0)
                return;
            if (send(fd, part->say + at, step, MSG_NOSIGNAL) < 0)
                return;
        }
    } while (part->for_ever);
}

static pid_t
serve(int listener, const struct part *part)
{
    pid_t pid = fork();
    char in[16384];
    int fd;

    if (pid != 0) {
        close(listener);
        return pid;
    }
    alarm(20);
    fd = accept(listener, NULL, NULL);
    if (part->say && recv(fd, in, sizeof in, 0) > 0)
        say(fd, part);
    while (part->hold && recv(fd, in, sizeof in, 0) > 0)
        ;
    _exit(0);
}

static void
reap(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* One map lookup against one part; "STATUS data", or the error in brackets. */
static const char *
lookup(const struct part *part, const char *key, int timeout_ms)
{
    static char result[400];
    char out[100], error[200] = "";
    enum socketmap_status status;
    pid_t pid = serve(listen_unix(5), part);

    if (ask_map(sock, "mailbox", key, timeout_ms, &status, out, sizeof out, error, sizeof error))
        snprintf(result, sizeof result, "[%s]", error);
    else
        snprintf(result, sizeof result, "%s %s", socketmap_status_word(status), out);
    reap(pid);
    return result;
}

static void
good_answers(void)
{
    char big[300];

    is_str(lookup(&(struct part){.say = "5:OK OK,"}, "a@x", LONG_MS), "OK OK", "an answer");
    is_str(lookup(&(struct part){.say = "9:NOTFOUND ,"}, "a@x", LONG_MS), "NOTFOUND ", "not found");
    is_str(lookup(&(struct part){.say = "8:TEMP why,", .hold = 1}, "a@x", LONG_MS), "TEMP why",
           "from a server that keeps the connection");
    is_str(lookup(&(struct part){.say = "16:PERM no such map,", .slowly = 1}, "a@x", LONG_MS),
           "PERM no such map", "byte by byte");
    memset(big, 'x', sizeof big);
    memcpy(big, "203:OK ", 7);
    big[207] = ',';
    is_int((long long)strlen(lookup(&(struct part){.say = big, .n = 208}, "a@x", LONG_MS)), 3 + 99,
           "a long answer is cut");
}

static void
bad_answers(void)
{
    static char endless[32768];
    char key[10001];
    long long start = clock_ms();

    is_str(lookup(&(struct part){.say = "HTTP/1.0 400\r\n"}, "a@x", LONG_MS),
           "[the answer is not one of a socketmap server]", "garbage");
    is_str(lookup(&(struct part){.say = "7:YES sir,"}, "a@x", LONG_MS),
           "[the answer is not one of a socketmap server]", "a status nobody knows");
    is_str(lookup(&(struct part){.say = "100001:OK"}, "a@x", LONG_MS),
           "[the answer is not one of a socketmap server]", "an answer that is too long");
    is_str(lookup(&(struct part){.say = "5:OK"}, "a@x", LONG_MS),
           "[the connection was closed without an answer]", "half an answer");
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    is_str(lookup(&(struct part){.hold = 1}, key, LONG_MS), "[the key is too long]",
           "a key of 10,000 bytes");
    ok(clock_ms() - start < LONG_MS, "none of them waited for the deadline");

    start = clock_ms();
    is_str(lookup(&(struct part){.hold = 1}, "a@x", SHORT_MS), "[no answer in time]", "silence");
    ok(clock_ms() - start >= SHORT_MS, "  until the deadline");
    memset(endless, '1', sizeof endless);
    is_str(lookup(&(struct part){.say = "99999:OK ", .for_ever = 1, .slowly = 1}, "a@x", SHORT_MS),
           "[no answer in time]", "an answer that takes for ever");
    ok(clock_ms() - start < LONG_MS, "  and not much longer");
}

static void
on_alarm(int number)
{
    (void)number;
}

/* Whatever waits is interrupted each so many milliseconds, as by being stopped and let go on; 0: no more. */
static void
interrupt_each(int ms)
{
    const struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    const struct itimerval every = {{0, ms * 1000}, {0, ms * 1000}};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

static void
nobody_there(void)
{
    char out[100], error[200], want[200];
    enum socketmap_status status;
    int listener, fd[64], n = 0;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    long long start;

    unlink(sock);
    is_int(ask_map(sock, "m", "k", LONG_MS, &status, out, sizeof out, error, sizeof error), -1,
           "no socket");
    snprintf(want, sizeof want, "%s: No such file or directory", sock);
    is_str(error, want, "  is said");
    is_int(ask_map("map", "m", "k", LONG_MS, &status, out, sizeof out, error, sizeof error), -1,
           "no such kind of socket");

    listener = listen_unix(0); /* accepts nobody, and its backlog is full soon */
    strcpy(sun.sun_path, sock);
    do
        fd[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    while (connect(fd[n++], (struct sockaddr *)&sun, sizeof sun) == 0 && n < 64);
    start = clock_ms();
    is_int(ask_map(sock, "m", "k", SHORT_MS, &status, out, sizeof out, error, sizeof error), -1,
           "a full backlog");
    snprintf(want, sizeof want, "%s: Connection timed out", sock);
    is_str(error, want, "  is said");
    ok(clock_ms() - start >= SHORT_MS - 20 && clock_ms() - start < LONG_MS, "  at the deadline");
    interrupt_each(5);
    start = clock_ms();
    ask_map(sock, "m", "k", SHORT_MS, &status, out, sizeof out, error, sizeof error);
    interrupt_each(0);
    is_str(error, want, "  is said, too, to who was interrupted again and again");
    ok(clock_ms() - start >= SHORT_MS - 20 && clock_ms() - start < LONG_MS, "  at the deadline");
    while (n > 0)
        close(fd[--n]);
    close(listener);
}

static void
over_inet(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof sin;
    char where[64], out[100] = "", error[200] = "";
    enum socketmap_status status;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    pid_t pid;

    if (bind(fd, (struct sockaddr *)&sin, len) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
        perror("listen");
    snprintf(where, sizeof where, "inet:localhost:%d", ntohs(sin.sin_port));
    pid = serve(fd, &(struct part){.say = "5:OK OK,"});
    is_int(ask_map(where, "m", "k", LONG_MS, &status, out, sizeof out, error, sizeof error), 0,
           "over TCP");
    is_str(out, "OK", "  answer");
    reap(pid);
    is_int(ask_map(where, "m", "k", LONG_MS, &status, out, sizeof out, error, sizeof error), -1,
           "refused over TCP");
    is_int(ask_map("inet:a.example:25", "m", "k", LONG_MS, &status, out, sizeof out, error,
                   sizeof error),
           -1, "names are not resolved");
    is_int(
        ask_map("inet:127.0.0.1", "m", "k", LONG_MS, &status, out, sizeof out, error, sizeof error),
        -1, "no port");
}

static const char *
line(const struct part *part, const char *question, int timeout_ms)
{
    static char result[400];
    char error[200] = "", *reply = NULL;
    pid_t pid = serve(listen_unix(5), part);

    if (ask_line(sock, question, timeout_ms, &reply, error, sizeof error))
        snprintf(result, sizeof result, "[%s]", error);
    else
        snprintf(result, sizeof result, "%.300s", reply);
    free(reply);
    reap(pid);
    return result;
}

static void
lines(void)
{
    static char big[300000];
    char *reply = NULL, error[200];
    pid_t pid;

    is_str(line(&(struct part){.say = "{\"a\":1}\n"}, "{}", LONG_MS), "{\"a\":1}", "a line");
    is_str(line(&(struct part){.say = "{\"a\":1}\n", .slowly = 1}, "{}", LONG_MS), "{\"a\":1}",
           "a line byte by byte");
    is_str(line(&(struct part){.say = "\n", .hold = 1}, "{}", LONG_MS), "", "an empty line");
    is_str(line(&(struct part){.say = "{"}, "{}", LONG_MS),
           "[the connection was closed without an answer]", "half a line");
    is_str(line(&(struct part){.hold = 1}, "{}", SHORT_MS), "[no answer in time]", "no line");
    is_str(line(&(struct part){.say = "x", .for_ever = 1}, "{}", SHORT_MS), "[no answer in time]",
           "bytes for ever");
    is_str(line(&(struct part){.say = "\n"}, "a\nb", LONG_MS), "[a question is one line]",
           "two lines asked");

    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\n';
    pid = serve(listen_unix(5), &(struct part){.say = big, .n = sizeof big});
    is_int(ask_line(sock, "{}", LONG_MS, &reply, error, sizeof error), 0, "a long line");
    is_int(reply ? (long long)strlen(reply) : -1, sizeof big - 1, "  is whole");
    free(reply);
    reap(pid);
}

int
main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* children inherit no half-printed lines */
    if (!mkdtemp(dir))
        return 1;
    snprintf(sock, sizeof sock, "%s/s", dir);
    good_answers();
    bad_answers();
    nobody_there();
    over_inet();
    lines();
    unlink(sock);
    rmdir(dir);
    return tap_done();
}
