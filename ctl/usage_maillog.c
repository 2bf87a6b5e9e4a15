/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage_maillog: what the log of Postfix says of queue ids: only Postfix knows which
 * messages it accepted.
 *
 * Lines of any syslog format are taken: what counts stands behind "PROGRAM[PID]: ". Must not
 * take what a sender can write into a line for anything but that line's own end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage.h"

int
usage_queue_accepted(int flags)
{
    return (flags & QUEUE_ACCEPTED) || ((flags & QUEUE_HELD) && !(flags & QUEUE_REFUSED));
}

int
usage_queue_is(const struct usage *u, const char *queue)
{
    return u->queues ? (int)json_integer_value(json_object_get(u->queues, queue)) : 0;
}

void
usage_queue_set(struct usage *u, const char *queue, int flag)
{
    json_t *now = json_object_get(u->queues, queue);

    if (now)
        json_integer_set(now, json_integer_value(now) | flag);
    else
        json_object_set_new(u->queues, queue, json_integer(flag));
}

static int
begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Whether the program that ends before end is Postfix's of this name, under any syslog_name. */
static int
is_program(const char *line, const char *end, const char *name)
{
    size_t n = strlen(name);

    return (size_t)(end - line) > n && memcmp(end - n, name, n) == 0 && end[-(long)n - 1] == '/';
}

static int
flags_of(const char *line, const char *program_end, const char *text)
{
    if (is_program(line, program_end, "qmgr") && begins(text, "from=<") && strstr(text, ", size="))
        return QUEUE_MENTIONED | QUEUE_ACCEPTED;
    if (is_program(line, program_end, "cleanup") &&
        (begins(text, "hold: ") || begins(text, "milter-hold: ")))
        return QUEUE_MENTIONED | QUEUE_HELD;
    if (is_program(line, program_end, "cleanup") &&
        (begins(text, "reject: ") || begins(text, "milter-reject: ")))
        return QUEUE_MENTIONED | QUEUE_REFUSED;
    /* Back from a content filter: it was counted on its way there. */
    if (is_program(line, program_end, "scanned/smtpd") && begins(text, "client="))
        return QUEUE_MENTIONED;
    if (is_program(line, program_end, "smtpd") && begins(text, "client="))
        /* What another site handed over has been counted there. */
        return QUEUE_MENTIONED | (strstr(text, ", orig_queue_id=") ? 0 : QUEUE_ENTERED);
    if (is_program(line, program_end, "pickup") && begins(text, "uid="))
        return QUEUE_MENTIONED | QUEUE_ENTERED;
    return 0;
}

static void
take_line(struct usage *u, const char *line)
{
    const char *bracket = strchr(line, '['), *id, *colon;
    char queue[ACCOUNTING_QUEUE];
    size_t n;
    int flags;

    /* A host's name may have brackets in it, a time may not. */
    while (bracket && !strchr("0123456789", bracket[1]))
        bracket = strchr(bracket + 1, '[');
    if (!bracket || !(id = strstr(bracket, "]: ")))
        return;
    id += 3;
    n = strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    colon = id + n;
    if (n == 0 || n >= sizeof queue || !begins(colon, ": "))
        return;
    flags = flags_of(line, bracket, colon + 2);
    if (!flags)
        return;
    memcpy(queue, id, n);
    queue[n] = '\0';
    usage_queue_set(u, queue, flags);
}

int
usage_maillog(struct usage *u, const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;

    if (!f) {
        ctl_fail(u->ctl, CTL_TEMPORARY, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (!u->queues)
        u->queues = json_object();
    while (getline(&line, &room, f) > 0)
        take_line(u, line);
    free(line);
    fclose(f);
    return 0;
}
