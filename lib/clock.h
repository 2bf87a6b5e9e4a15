/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock: what time it is, for programs; logic takes time as an argument.
 */
#ifndef POSTROAD_CLOCK_H
#define POSTROAD_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970; may be set back. */
int64_t clock_wall_ms(void);
/* Milliseconds since some time; only ever more. */
int64_t clock_mono_ms(void);

#endif
