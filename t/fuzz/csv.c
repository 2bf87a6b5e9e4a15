/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a CSV file: records stay inside it, and what is written of them is read as the same. */
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "fuzz.h"

#define FUZZ_FIELDS 4

static void
again(struct span v)
{
    size_t cap = 2 * v.n + 3, n;
    char *out = malloc(cap);
    struct span back;
    const char *why;
    long len = out ? csv_field(v, ',', out, cap) : 0;

    must(len >= 0 && (size_t)len <= cap);
    if (len > 0) {
        must(csv_record(out, (size_t)len, ',', &back, 1, &n, &why) == len && n == 1);
        must(span_same(csv_plain(back), v));
    }
    free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *copy = malloc(n + 1), *s = copy;
    struct span f[FUZZ_FIELDS];
    size_t fields;
    const char *why;
    long got;

    if (!copy)
        return 0;
    if (n > 0)
        memcpy(copy, data, n);
    must(strchr(",;\t", csv_separator(copy, n)) != NULL);
    while ((got = csv_record(s, n, ',', f, FUZZ_FIELDS, &fields, &why)) > 0) {
        must((size_t)got <= n);
        for (size_t i = 0; i < fields && i < FUZZ_FIELDS; i++) {
            must(f[i].p >= s && f[i].p + f[i].n <= s + got);
            again(csv_plain(f[i]));
        }
        s += got;
        n -= (size_t)got;
    }
    must(got == 0 ? n == 0 : why != NULL);
    free(copy);
    return 0;
}
