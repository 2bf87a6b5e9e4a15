/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the record of a held message: one that can be read is written as the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "held_json.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct held_record r, again;
    char error[256] = "", *text;
    size_t len;

    if (held_json_read(&r, (const char *)data, n, error, sizeof error) < 0) {
        must(*error);
        return 0;
    }
    must(held_id_is(span_of(r.id)) && r.recipients <= HELD_RECIPIENTS);
    text = held_json_write(&r, &len);
    must(text && held_json_read(&again, text, len, error, sizeof error) == 0);
    must(memcmp(&r, &again, sizeof r) == 0);
    free(text);
    return 0;
}
