/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: asks a policy delegation server as Postfix's smtpd does, one request after
 * the other on one connection, and prints one line:
 *
 *   requests=100000 seconds=1.430 rate=69930 dunno=100000 other=0
 *
 * With -s it is the limit to compare with: a server with one epoll loop that finds
 * where each request ends, looks at nothing else, and says DUNNO. Requests are made of LOGIN, SENDER and
 * RECIPIENT, one line of three words each, in the form of Postfix 3.7 at RCPT, DATA and
 * END-OF-MESSAGE; "-" is nothing. Ends with 1 when the server hangs up. Must only be used for measuring.
 *
 * usage: policy [-n REQUESTS] [-p CPU] SOCKET <WORDS
 *        policy -s [-p CPU] SOCKET
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 2048
#define KEYS_MAX    65536
#define FD_MAX      1024

static const char format[] =
    "request=smtpd_access_policy\nprotocol_state=%s\nprotocol_name=ESMTP\n"
    "client_address=192.0.2.77\nclient_name=unknown\nclient_port=41124\n"
    "reverse_client_name=unknown\nserver_address=192.0.2.10\nserver_port=587\n"
    "helo_name=pc.example\nsender=%s\nrecipient=%s\nrecipient_count=%d\nqueue_id=\n"
    "instance=5a1c.68ef8d1a.8d1f0.0\nsize=5120\netrn_domain=\nstress=\nsasl_method=PLAIN\n"
    "sasl_username=%s\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\n"
    "ccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n"
    "encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=\n\n";

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_un
address_of(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return a;
}

static void
send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);

        if (put <= 0)
            die("send");
        p += put;
        n -= (size_t)put;
    }
}

/* What a client has sent; the answer when a request ends there. -1: it has gone. */
static int
serve_client(int fd, char *buf, size_t cap, size_t *n)
{
    ssize_t got = read(fd, buf + *n, cap - *n);

    if (got <= 0)
        return -1;
    *n += (size_t)got;
    if (*n >= 2 && buf[*n - 1] == '\n' && buf[*n - 2] == '\n') {
        send_all(fd, "action=DUNNO\n\n", 14);
        *n = 0;
    }
    return 0;
}

/* One epoll loop, as anybody needs who has as many clients as Postfix has smtpd. */
static void
serve(const char *path)
{
    static struct {
        char buf[4096];
        size_t n;
    } clients[FD_MAX];
    struct sockaddr_un a = address_of(path);
    struct epoll_event e = {.events = EPOLLIN}, got[64];
    int s = socket(AF_UNIX, SOCK_STREAM, 0), ep = epoll_create1(0);

    e.data.fd = s;
    if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) < 0 || listen(s, 64) < 0 ||
        epoll_ctl(ep, EPOLL_CTL_ADD, s, &e) < 0)
        die(path);
    for (;;) {
        int n = epoll_wait(ep, got, 64, -1);

        for (int i = 0; i < n; i++) {
            int fd = got[i].data.fd;

            if (fd == s) {
                e.data.fd = fd = accept(s, NULL, NULL);
                if (fd < 0 || fd >= FD_MAX || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
                    die("accept");
                clients[fd].n = 0;
            } else if (serve_client(fd, clients[fd].buf, sizeof clients[fd].buf, &clients[fd].n) <
                       0) {
                close(fd);
            }
        }
    }
}

/* Ask once; 1 when the answer is DUNNO. */
static int
ask(int fd, const char *request, size_t n)
{
    char answer[1024];
    size_t have = 0;
    ssize_t got;

    send_all(fd, request, n);
    do {
        got = read(fd, answer + have, sizeof answer - have);
        if (got <= 0)
            die("the server hung up");
        have += (size_t)got;
    } while (have < 2 || answer[have - 1] != '\n' || answer[have - 2] != '\n');
    return have == 14 && memcmp(answer, "action=DUNNO\n\n", 14) == 0;
}

static double
now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t
read_requests(char **requests)
{
    static const char *const states[] = {"RCPT", "DATA", "END-OF-MESSAGE"};
    char login[400], sender[400], recipient[400], text[REQUEST_MAX];
    size_t n = 0;

    while (n < KEYS_MAX && scanf("%399s %399s %399s", login, sender, recipient) == 3) {
        for (int s = 0; s < 3 && n < KEYS_MAX; s++) {
            snprintf(text, sizeof text, format, states[s], strcmp(sender, "-") ? sender : "",
                     recipient, s > 0, strcmp(login, "-") ? login : "");
            if (!(requests[n++] = strdup(text)))
                die("memory");
        }
    }
    return n;
}

static void
load(const char *path, unsigned long want)
{
    static char *requests[KEYS_MAX];
    struct sockaddr_un a = address_of(path);
    size_t n = read_requests(requests);
    unsigned long dunno = 0;
    double start;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (n == 0 || fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        die(path);
    for (size_t i = 0; i < n && i < want / 10; i++)
        ask(fd, requests[i], strlen(requests[i]));
    start = now_s();
    for (unsigned long i = 0; i < want; i++)
        dunno += (unsigned long)ask(fd, requests[i % n], strlen(requests[i % n]));
    start = now_s() - start;
    printf("requests=%lu seconds=%.3f rate=%.0f dunno=%lu other=%lu\n", want, start,
           (double)want / start, dunno, want - dunno);
}

int
main(int argc, char **argv)
{
    unsigned long want = 100000;
    int c, server = 0;
    cpu_set_t set;

    while ((c = getopt(argc, argv, "n:p:s")) != -1)
        switch (c) {
        case 'n':
            want = strtoul(optarg, NULL, 10);
            break;
        case 'p':
            CPU_ZERO(&set);
            CPU_SET((size_t)atoi(optarg), &set);
            if (sched_setaffinity(0, sizeof set, &set) < 0)
                die("sched_setaffinity");
            break;
        case 's':
            server = 1;
            break;
        default:
            return 2;
        }
    if (optind + 1 != argc)
        return 2;
    if (server)
        serve(argv[optind]);
    else
        load(argv[optind], want);
    return 0;
}
