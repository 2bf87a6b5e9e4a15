/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first line as a filter, the others as "attribute: value" of an entry: a filter that was
 * refused matches nothing, the others match when negated or not, never both.
 */
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "fuzz.h"

#define ATTRS_MAX 16

static size_t
entry_of(char *text, struct entry_attr *attrs, struct span *values)
{
    size_t n = 0;
    char *save;

    for (char *line = strtok_r(text, "\n", &save); line && n < ATTRS_MAX;
         line = strtok_r(NULL, "\n", &save)) {
        size_t name = strcspn(line, ":");

        values[n] = span_of(line[name] ? line + name + 1 : "");
        attrs[n] = (struct entry_attr){{line, name}, &values[n], 1};
        n++;
    }
    return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[4096], *rest, not [4100];
    struct entry_attr attrs[ATTRS_MAX];
    struct span values[ATTRS_MAX], name;
    struct entry_view e = {attrs, 0};
    size_t at = 0;

    if (n >= sizeof text)
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    rest = text + strcspn(text, "\n");
    if (*rest)
        *rest++ = '\0';
    e.n = entry_of(rest, attrs, values);
    snprintf(not, sizeof not, "(!%s)", text);
    if (filter_check(text, &at) < 0) {
        must(at <= strlen(text) && !filter_match(text, &e));
        return 0;
    }
    for (at = 0; filter_next_name(text, &at, &name);)
        must(name.p >= text && name.p + name.n <= text + strlen(text));
    if (filter_check(not, &at) == 0)
        must(filter_match(text, &e) + filter_match(not, &e) == 1);
    return 0;
}
