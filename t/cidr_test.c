/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of t/tables/cidr.tbl, sockets, and a set that is full. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cidr.h"
#include "table.h"

static void
row(char *line)
{
    char network[64], address[64], want[16];
    struct cidr_set set = {.n = 0};
    unsigned char ip[16];
    const char *got = "wrong";

    if (sscanf(line, " %63s | %63s | %15s", network, address, want) != 3) {
        ok(0, "a row that can't be read: %s", line);
        return;
    }
    if (cidr_add(&set, span_of(network)) == 0)
        got = cidr_address(span_of(address), ip) == 0 && cidr_has(&set, ip) ? "in" : "out";
    ok(strcmp(got, want) == 0, "%s %s: %s, is %s", network, address, want, got);
}

static void
sockets(void)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct cidr_set set = {.n = 0};
    unsigned char ip[16];

    cidr_add(&set, span_of("192.0.2.0/24"));
    inet_pton(AF_INET, "192.0.2.9", &v4.sin_addr);
    ok(cidr_of_socket((struct sockaddr *)&v4, ip) == 0 && cidr_has(&set, ip), "an IPv4 socket");
    inet_pton(AF_INET6, "::ffff:192.0.2.9", &v6.sin6_addr);
    ok(cidr_of_socket((struct sockaddr *)&v6, ip) == 0 && cidr_has(&set, ip),
       "an IPv6 socket with an IPv4 client");
    ok(cidr_of_socket((struct sockaddr *)&un, ip) < 0, "another socket");
}

static void
loopback(void)
{
    static const char *const is[] = {"127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"};
    static const char *const isnt[] = {"128.0.0.1", "::", "::2", "1::1", "::7f00:1"};
    unsigned char ip[16];

    for (size_t i = 0; i < sizeof is / sizeof *is; i++)
        ok(cidr_address(span_of(is[i]), ip) == 0 && cidr_is_loopback(ip), "%s is here", is[i]);
    for (size_t i = 0; i < sizeof isnt / sizeof *isnt; i++)
        ok(cidr_address(span_of(isnt[i]), ip) == 0 && !cidr_is_loopback(ip), "%s is not", isnt[i]);
}

int
main(void)
{
    struct cidr_set set = {.n = 0};
    unsigned char ip[16];

    table_each("t/tables/cidr.tbl", row);
    sockets();
    loopback();
    ok(cidr_address((struct span){"192.0.2.1\0x", 11}, ip) < 0, "a NUL byte");
    ok(cidr_address((struct span){NULL, 0}, ip) < 0, "nothing");
    for (int i = 0; i < CIDR_MOST; i++)
        cidr_add(&set, span_of("192.0.2.1"));
    ok(cidr_add(&set, span_of("192.0.2.1")) < 0 && set.n == CIDR_MOST, "a set that is full");
    return tap_done();
}
