/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap: the few lines a C test needs to print TAP for prove. Each check prints one
 * line; tap_done prints the plan and gives main's exit code.
 */
#ifndef POSTROAD_TAP_H
#define POSTROAD_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_n, tap_bad;

static inline int ok(int good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline int
ok(int good, const char *fmt, ...)
{
    va_list ap;

    printf("%sok %d - ", good ? "" : "not ", ++tap_n);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    tap_bad += !good;
    return good;
}

static inline int
is_str(const char *got, const char *want, const char *what)
{
    int same = got && want ? strcmp(got, want) == 0 : got == want;

    ok(same, "%s", what);
    if (!same)
        printf("# got  '%s'\n# want '%s'\n", got ? got : "(null)", want ? want : "(null)");
    return same;
}

static inline int
is_int(long long got, long long want, const char *what)
{
    ok(got == want, "%s", what);
    if (got != want)
        printf("# got  %lld\n# want %lld\n", got, want);
    return got == want;
}

static inline int
tap_done(void)
{
    printf("1..%d\n", tap_n);
    return tap_bad != 0;
}

#endif
