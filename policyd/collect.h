/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect: the attributes of one entry as they come in, value by value, made into
 * the entry_view that lib/filter.h and lib/attrs.h work on. The memory grows to
 * the largest entry seen and is used again for the next one.
 */
#ifndef POSTROAD_COLLECT_H
#define POSTROAD_COLLECT_H

#include "filter.h"

struct collect {
    struct entry_attr *attr;
    size_t nattrs, attrs_cap;
    struct collect_value {
        struct span value;
        size_t attr;
    } * value;
    size_t nvalues, values_cap;
    struct span *sorted; /* the values again, those of one attribute side by side */
    size_t sorted_cap;
};

void collect_free(struct collect *c);
/* Begin the next entry. */
void collect_reset(struct collect *c);
/*
 * One value; options of the name (";lang-en") are dropped, so that "mail;x" is mail. Both spans
 * must live as long as the view is used. 0, or -1: no memory.
 */
int collect_add(struct collect *c, struct span name, struct span value);
/* The entry so far. Valid until the next collect_reset. 0, or -1: no memory. */
int collect_view(struct collect *c, struct entry_view *view);

#endif
