/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a stream of lines of the access protocol: what is consumed ends with LF and holds no
 * other, the fields lie inside it, and written again they are read as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tabline.h"

static void
read_back(const struct tabline *l, struct tabline_out *o)
{
    struct tabline again;
    size_t n = tabline_end(o);

    if (n == 0)
        return;
    must(tabline_parse(o->buf, n, &again) == (long)n && again.n == l->n);
    for (size_t i = 0; i < l->n; i++)
        must(span_same(l->field[i].key, again.field[i].key) &&
             span_same(l->field[i].value, again.field[i].value));
}

static void
look(const struct tabline *l, const char *p, long used)
{
    char buf[TABLINE_MAX], key[TABLINE_MAX];
    struct tabline_out o;

    must(l->word.p == p && l->word.n > 0 && l->word.n < (size_t)used);
    tabline_begin(&o, buf, sizeof buf, "word");
    for (size_t i = 0; i < l->n; i++) {
        struct span k = l->field[i].key, v = l->field[i].value;

        must(k.n > 0 && k.p > p && v.p > k.p && v.p + v.n < p + used);
        memcpy(key, k.p, k.n);
        key[k.n] = '\0';
        tabline_add(&o, key, v);
    }
    read_back(l, &o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *copy = malloc(n ? n : 1), *p = copy;
    struct tabline l;
    long used;

    if (!copy)
        return 0;
    if (n > 0)
        memcpy(copy, bytes, n);
    while ((used = tabline_parse(p, n, &l)) > 0) {
        must((size_t)used <= n && used <= TABLINE_MAX && p[used - 1] == '\n');
        look(&l, p, used);
        p += used;
        n -= (size_t)used;
    }
    must(used == 0 ? n < TABLINE_MAX : l.bad != NULL);
    free(copy);
    return 0;
}
