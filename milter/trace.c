/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace: see trace.h. What a trace says is what Received says, too: site, queue id, time.
 * It must not name people: it leaves the house.
 */
#include "trace.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "audit_line.h"

int
trace_is_ours(const char *name)
{
    size_t n = strlen(TRACE_NAME);

    return strncasecmp(name, TRACE_NAME, n) == 0 && name[n + strspn(name + n, " \t")] == '\0';
}

void
trace_value(char out[TRACE_MAX], const char *site, const char *queue, int64_t wall_ms)
{
    char time[AUDIT_TIME];

    audit_time_write(wall_ms, time);
    snprintf(out, TRACE_MAX, " site=%.64s; id=%.64s; time=%s", site, queue, time);
}
