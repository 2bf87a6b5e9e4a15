/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap_keeper: which policyd it is that keeps entries in the directory. Two that were given the same site by
 * mistake must not take away each other's.
 *
 * The file lives as long as the records do: who has the one has the other.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "held_ldap.h"

#define KEEPER_FILE "keeper"
#define HOST_MAX    64

static int
is_keeper(const char *text, size_t n)
{
    return n > 0 && n <= HELD_KEEPER_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == n;
}

static int
read_it(int folder, char out[HELD_KEEPER_MAX + 1])
{
    int fd = openat(folder, KEEPER_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char text[HELD_KEEPER_MAX + 2] = "";
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
    if (!is_keeper(text, strlen(text)))
        return -1;
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

static int
write_it(int folder, const char *text)
{
    int fd = openat(folder, KEEPER_FILE ".new",
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc = -1;

    if (fd < 0)
        return -1;
    if (dprintf(fd, "%s\n", text) > 0 && fsync(fd) == 0)
        rc = 0;
    if (close(fd) < 0 || rc < 0)
        return -1;
    return renameat(folder, KEEPER_FILE ".new", folder, KEEPER_FILE);
}

int
held_keeper(int folder, char out[HELD_KEEPER_MAX + 1])
{
    unsigned long long chance;
    struct utsname name;
    size_t n = 0;

    *out = '\0';
    if (read_it(folder, out) == 0)
        return 0;
    if (uname(&name) < 0 || getrandom(&chance, sizeof chance, 0) != sizeof chance)
        return -1;
    for (const char *p = name.nodename; *p && n < HOST_MAX; p++)
        out[n++] = is_keeper((char[2]){*p, '\0'}, 1) ? *p : '-';
    snprintf(out + n, HELD_KEEPER_MAX + 1 - n, "%s%016llx", n > 0 ? "-" : "", chance);
    if (write_it(folder, out) == 0)
        return 0;
    *out = '\0';
    return -1;
}
