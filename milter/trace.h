/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace: the header "Postroad-Trace", one for each site a message came through. Only sites
 * write it: from anybody else's mail it is taken away.
 */
#ifndef POSTROAD_TRACE_H
#define POSTROAD_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_NAME "Postroad-Trace"
#define TRACE_MAX  256 /* bytes of a value */
#define TRACE_MOST 64  /* that are taken away from one message */

/* Whether a header's name is ours, in any case, with blanks behind it. */
int trace_is_ours(const char *name);
/* The value of ours, with the blank in front that libmilter is told to leave to us. */
void trace_value(char out[TRACE_MAX], const char *site, const char *queue, int64_t wall_ms);

#endif
