/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_ask CONF: the parent of a role queue, and who asks it. Prints "role PID"; then for each line
 * "look|release|delete ID [NOT-AFTER]" on standard input one line: number of the line, verdict, why, and
 * queue, sender, size and time of the message or "-", and the text, with TABs between. "figures" prints
 * what the role's page of the board says. Ends with the input, when all is answered.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policyd/queue_ask.h"
#include "policyd/queue_figures.h"
#include "policyd/role_start.h"

static struct conf *conf;
static struct board board;
static struct event_base *base;
static struct queue_ask *asking;
static unsigned line_number, open_questions;
static int ended;

static void
on_answer(void *ctx, const struct queue_answer *a)
{
    static const char *const verdicts[] = {"unsure", "no", "done"};
    static const char *const whys[] = {"fine", "gone", "reused", "not-held", "trouble"};
    const struct queue_entry *e = &a->entry;

    printf("%u\t%s\t%s\t", (unsigned)(uintptr_t)ctx, verdicts[a->verdict + 1], whys[a->why]);
    if (*e->id)
        printf("%s\t%s\t%" PRIu64 "\t%" PRId64 "\t%s\n", e->queue, e->sender, e->bytes,
               e->arrival_s, a->text);
    else
        printf("-\t-\t-\t-\t%s\n", a->text);
    if (--open_questions == 0 && ended)
        event_base_loopbreak(base);
}

static void
print_figures(void)
{
    struct queue_figures f;
    int rc = queue_figures_read(&board, &f);

    printf("figures\t%d\t%" PRId64 "\t%" PRId64, rc, rc > 0 ? f.looked_ms : 0,
           rc > 0 ? f.took_ms : 0);
    for (int i = 0; i < QUEUE_NAMES && rc > 0; i++)
        printf("\t%s=%" PRIu64 "/%" PRIu64 "/%" PRId64, queue_name_word((enum queue_name)i),
               f.of[i].messages, f.of[i].bytes, f.of[i].oldest_s);
    putchar('\n');
}

static void
ask(char *line)
{
    char word[16], id[64] = "";
    long long not_after = 0;
    void *ctx = (void *)(uintptr_t)++line_number;
    uint64_t number = 0;

    if (sscanf(line, "%15s %63s %lld", word, id, &not_after) < 1)
        return;
    if (strcmp(word, "figures") == 0) {
        print_figures();
        return;
    }
    if (strcmp(word, "look") == 0)
        number = queue_ask_look(asking, id, on_answer, ctx);
    else if (strcmp(word, "release") == 0)
        number = queue_ask_release(asking, id, not_after, on_answer, ctx);
    else if (strcmp(word, "delete") == 0)
        number = queue_ask_delete(asking, id, not_after, on_answer, ctx);
    open_questions += number != 0;
    if (number == 0)
        printf("%u\tnot asked\n", line_number);
}

static void
on_input(evutil_socket_t fd, short what, void *ctx)
{
    static char buf[65536];
    static size_t n;
    ssize_t got = read(fd, buf + n, sizeof buf - n - 1);
    char *nl;

    (void)what;
    (void)ctx;
    if (got <= 0) {
        ended = 1;
        event_base_loopexit(base, open_questions ? &(struct timeval){120, 0} : NULL);
        return;
    }
    buf[n += (size_t)got] = '\0';
    while ((nl = strchr(buf, '\n'))) {
        *nl = '\0';
        ask(buf);
        n -= (size_t)(nl + 1 - buf);
        memmove(buf, nl + 1, n + 1);
    }
}

/* The role, as the parent would start it; this program, with -x, becomes it. */
static pid_t
start(const char *path, int pair[2], int life[2])
{
    struct role_order o = {
        .role = &role_queue, .conf_path = path, .page = BOARD_QUEUE, .nlisten = 1};
    pid_t pid;

    o.conf_fd = memfd_create("postroad.conf", MFD_CLOEXEC);
    o.board_fd = board_create();
    if (o.conf_fd < 0 || conf_pass(conf, o.conf_fd) < 0 ||
        board_attach(&board, o.board_fd, BOARD_PARENT, 1) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, life) < 0)
        return -1;
    o.parent_fd = life[1];
    o.listen_fd[0] = pair[1];
    pid = role_fork();
    if (pid == 0)
        role_exec(&o);
    close(life[1]);
    return pid;
}

static int
serve(const char *path)
{
    int pair[2], life[2], status;
    struct event *input;
    pid_t pid = start(path, pair, life);

    base = event_base_new();
    asking = base && pid > 0 ? queue_ask_new(base, pair[0], conf) : NULL;
    input = asking ? event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, NULL) : NULL;
    if (!input || event_add(input, NULL) < 0)
        return 2;
    printf("role %d\n", (int)pid);
    event_base_dispatch(base);
    event_free(input);
    queue_ask_free(&asking);
    event_base_free(base);
    close(life[0]);
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    return 0;
}

int
main(int argc, char **argv)
{
    char error[1024] = "CONF";
    int rc;

    if (argc == 5 && strcmp(argv[1], "-x") == 0)
        return role_main(argv[2], argv[4]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2 || conf_load(argv[1], &conf, error, sizeof error) < 0) {
        fprintf(stderr, "queue_ask: %s\n", error);
        return 2;
    }
    rc = serve(argv[1]);
    conf_free(&conf);
    board_detach(&board);
    return rc;
}
