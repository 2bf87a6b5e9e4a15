/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as what postqueue -j wrote: whole or byte by byte, the same messages come out, and each is one
 * that could be asked for.
 */
#include <string.h>

#include "fuzz.h"
#include "queue_line.h"

/* How many messages, in pieces of size bytes, until the first that is refused; a sum over them in *sum_r. */
static unsigned
messages(const char *p, size_t n, size_t size, uint64_t *sum_r)
{
    static struct queue_line l;
    unsigned count = 0;
    int whole = 0;

    queue_line_begin(&l);
    *sum_r = 0;
    while (n > 0) {
        long took = queue_line_take(&l, p, n < size ? n : size, &whole);

        if (took < 0)
            break;
        must(took > 0 && (size_t)took <= n);
        p += took;
        n -= (size_t)took;
        if (!whole)
            continue;
        must(queue_line_between(&l) && queue_id_is(l.entry.id, strlen(l.entry.id)));
        must(strlen(l.entry.queue) <= QUEUE_NAME_MAX && strlen(l.entry.sender) <= QUEUE_SENDER_MAX);
        must(l.entry.arrival_s >= 0);
        *sum_r = *sum_r * 31 + l.entry.bytes + (uint64_t)l.entry.arrival_s + strlen(l.entry.sender);
        count++;
    }
    return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *p = (const char *)bytes;
    uint64_t at_once, one_by_one;

    must(messages(p, n, n, &at_once) == messages(p, n, 1, &one_by_one));
    must(at_once == one_by_one);
    return 0;
}
