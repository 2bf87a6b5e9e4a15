/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the fuzz drivers without a fuzzer: each over its committed corpus, over all
 * beginnings of each file in it, and over random damage to each, the same damage
 * every time. A driver that finds something aborts. t/fuzz/run searches further.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

#define LLVMFuzzerTestOneInput fuzz_addr
#include "fuzz/addr.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_attrs
#include "fuzz/attrs.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_audit
#include "fuzz/audit.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_csv
#include "fuzz/csv.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_filter
#include "fuzz/filter.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_from
#include "fuzz/from.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_held
#include "fuzz/held.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_hold
#include "fuzz/hold.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_mime
#include "fuzz/mime.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_policy
#include "fuzz/policy.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_queue
#include "fuzz/queue.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_record
#include "fuzz/record.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_rights
#include "fuzz/rights.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_socketmap
#include "fuzz/socketmap.c"
#undef LLVMFuzzerTestOneInput
#undef POSTROAD_FUZZ_H
#define LLVMFuzzerTestOneInput fuzz_tabline
#include "fuzz/tabline.c"
#undef LLVMFuzzerTestOneInput

#define INPUT_MAX 16384
#define DAMAGES   2000

typedef int driver(const uint8_t *data, size_t n);

static uint32_t
next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Hands it over in memory of exactly its length, so that sanitizers see one byte too far. */
static void
drive(driver *run, const uint8_t *data, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);

    if (n > 0)
        memcpy(exact, data, n);
    run(exact, n);
    free(exact);
}

static void
damage(driver *run, const uint8_t *data, size_t n, uint32_t seed)
{
    static const char telling[] = "@\".\\+:,()*!&|=\n \x80\xcc\xff";
    uint8_t copy[INPUT_MAX];

    for (int i = 0; i < DAMAGES && n > 0; i++) {
        memcpy(copy, data, n);
        for (uint32_t times = next_random(&seed) % 4 + 1; times > 0; times--) {
            uint32_t byte = next_random(&seed);

            copy[next_random(&seed) % n] =
                byte & 0x100 ? (uint8_t)byte : (uint8_t)telling[byte % sizeof telling];
        }
        drive(run, copy, n);
    }
}

static int
corpus(const char *name, driver *run)
{
    char path[512];
    struct dirent **entries;
    int n, files = 0;

    snprintf(path, sizeof path, "t/fuzz/corpus/%s", name);
    n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        uint8_t data[INPUT_MAX];
        size_t len;
        FILE *f;

        snprintf(path, sizeof path, "t/fuzz/corpus/%s/%s", name, entries[i]->d_name);
        f = entries[i]->d_name[0] == '.' ? NULL : fopen(path, "r");
        free(entries[i]);
        if (!f)
            continue;
        len = fread(data, 1, sizeof data, f);
        fclose(f);
        for (size_t part = 0; part <= len; part++)
            drive(run, data, part);
        damage(run, data, len, (uint32_t)len + 1);
        files++;
    }
    if (n >= 0)
        free(entries);
    return files;
}

int
main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    ok(corpus("addr", fuzz_addr) > 0, "addr");
    ok(corpus("attrs", fuzz_attrs) > 0, "attrs");
    ok(corpus("audit", fuzz_audit) > 0, "audit");
    ok(corpus("csv", fuzz_csv) > 0, "csv");
    ok(corpus("filter", fuzz_filter) > 0, "filter");
    ok(corpus("from", fuzz_from) > 0, "from");
    ok(corpus("held", fuzz_held) > 0, "held");
    ok(corpus("hold", fuzz_hold) > 0, "hold");
    ok(corpus("mime", fuzz_mime) > 0, "mime");
    ok(corpus("policy", fuzz_policy) > 0, "policy");
    ok(corpus("queue", fuzz_queue) > 0, "queue");
    ok(corpus("record", fuzz_record) > 0, "record");
    ok(corpus("rights", fuzz_rights) > 0, "rights");
    ok(corpus("socketmap", fuzz_socketmap) > 0, "socketmap");
    ok(corpus("tabline", fuzz_tabline) > 0, "tabline");
    return tap_done();
}
