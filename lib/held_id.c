/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_id: see held_id.h.
 *
 * Promises: what is an ID holds no slash and does not begin with a dot or a dash, so it can be
 * the name of a file, an option's value and a part of a DN. Must not ask the clock.
 */
#include "held_id.h"

#include <stdio.h>
#include <strings.h>

#define SITE_MAX 48
#define TIME_MAX 13 /* digits of the largest number */

static int
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether it is a queue id as Postfix makes them. */
static int
is_queue_id(struct span queue)
{
    size_t n = 0;

    while (n < queue.n && is_alnum(queue.p[n]))
        n++;
    return n == queue.n && n > 0 && n <= HELD_QUEUE_MAX;
}

static void
write_time(char out[TIME_MAX + 1], uint64_t ms)
{
    char reverse[TIME_MAX + 1];
    size_t n = 0, at = 0;

    do {
        reverse[n++] = "0123456789abcdefghijklmnopqrstuvwxyz"[ms % 36];
        ms /= 36;
    } while (ms > 0);
    while (n > 0)
        out[at++] = reverse[--n];
    out[at] = '\0';
}

int
held_id_write(char out[HELD_ID_MAX + 1], const char *site, int64_t time_ms, const char *queue)
{
    char time[TIME_MAX + 1];
    size_t n = 0;

    if (time_ms < 0 || !is_queue_id(span_of(queue)))
        return -1;
    for (; site[n] && n < SITE_MAX; n++)
        out[n] = is_alnum(site[n]) || (n > 0 && site[n] == '.') ? site[n] : '-';
    if (n == 0 || out[0] == '-')
        out[0] = 'x', n += n == 0;
    write_time(time, (uint64_t)time_ms);
    snprintf(out + n, HELD_ID_MAX + 1 - n, "-%s-%s", time, queue);
    return 0;
}

/* Where the last part begins that holds no dash; 0: there is only one. */
static size_t
last_part(struct span id)
{
    size_t at = id.n;

    while (at > 0 && id.p[at - 1] != '-')
        at--;
    return at;
}

int
held_id_is(struct span id)
{
    size_t queue = last_part(id), time;

    if (id.n > HELD_ID_MAX || queue < 2 || !is_alnum(id.p[0]))
        return 0;
    for (size_t i = 0; i < id.n; i++)
        if (!is_alnum(id.p[i]) && id.p[i] != '.' && id.p[i] != '-')
            return 0;
    time = last_part((struct span){id.p, queue - 1});
    return time > 1 && time < queue - 1 && queue - 1 - time <= TIME_MAX &&
           !memchr(id.p + time, '.', queue - 1 - time) &&
           is_queue_id((struct span){id.p + queue, id.n - queue});
}

struct span
held_id_queue(struct span id)
{
    size_t at = last_part(id);

    return (struct span){id.p + at, id.n - at};
}

int
held_id_means(struct span asked, struct span id)
{
    return asked.n > 0 && asked.n <= id.n &&
           strncasecmp(asked.p, id.p + id.n - asked.n, asked.n) == 0;
}
