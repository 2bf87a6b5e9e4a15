/* SPDX-License-Identifier: BSD-2-Clause */
/* fnv: the sums its authors publish. Files on disk and digests between sites hold them. */
#include "lib/fnv.h"
#include "t/tap.h"

int
main(void)
{
    ok(fnv32(FNV32, "", 0) == 0x811c9dc5, "32 bits: nothing");
    ok(fnv32(FNV32, "a", 1) == 0xe40c292c, "one byte");
    ok(fnv32(FNV32, "foobar", 6) == 0xbf9cf968, "a word");
    ok(fnv32(FNV32, "\xff", 1) == fnv32_byte(FNV32, 0xff), "a byte is unsigned");
    ok(fnv32(fnv32(FNV32, "foo", 3), "bar", 3) == 0xbf9cf968, "in parts");
    ok(fnv64(FNV64, "", 0) == 0xcbf29ce484222325, "64 bits: nothing");
    ok(fnv64(FNV64, "a", 1) == 0xaf63dc4c8601ec8c, "one byte");
    ok(fnv64(FNV64, "foobar", 6) == 0x85944171f73967e8, "a word");
    ok(fnv64(fnv64(FNV64, "foo", 3), "bar", 3) == 0x85944171f73967e8, "in parts");
    return tap_done();
}
