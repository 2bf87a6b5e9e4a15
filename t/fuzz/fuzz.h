/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz: what a driver needs. A driver is a file of its own, with one function, so that libFuzzer
 * can drive it (t/fuzz/run) and t/fuzz_test can run it over t/fuzz/corpus.
 */
#ifndef POSTROAD_FUZZ_H
#define POSTROAD_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define must(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
