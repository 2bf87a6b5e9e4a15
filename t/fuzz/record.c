/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a packed record: what record_check lets pass can be walked inside its bounds. */
#include "account.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct record r = {data, n};
    struct span value, first;
    enum record_tag tag;
    size_t pos = 0;

    if (record_check(data, n) < 0)
        return 0;
    must(record_kind_word(record_kind(&r)) && record_state_word(record_state(&r)));
    while (record_next(&r, &pos, &tag, &value)) {
        const uint8_t *p = (const uint8_t *)value.p;

        must(value.n == 0 || (p >= data + RECORD_HEADER && p + value.n <= data + n));
        must(record_find(&r, tag, &first) == 1);
    }
    must(pos <= n);
    return 0;
}
