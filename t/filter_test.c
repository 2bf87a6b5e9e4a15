/* SPDX-License-Identifier: BSD-2-Clause */
/* filter: the rows of t/tables/filter.tbl, and what a table can't say. */
#include "filter.h"
#include "t/table.h"

#include <stdlib.h>

#define S(text)                \
    {                          \
        text, sizeof(text) - 1 \
    }
#define ATTR(name, values)                                 \
    {                                                      \
        S(name), values, sizeof(values) / sizeof *(values) \
    }

static const struct span classes[] = {S("inetOrgPerson"), S("postroadAccount")};
static const struct span cn[] = {S("Wang (Sales) *")}, cn_de[] = {S("Herr Wang")};
static const struct span mail[] = {S("wang@a.example")}, empty[] = {{NULL, 0}};
static const struct entry_attr attrs[] = {ATTR("objectClass", classes), ATTR("cn", cn),
                                          ATTR("cn;lang-de", cn_de),    ATTR("mail", mail),
                                          ATTR("empty", empty),         {S("none"), NULL, 0}};
static const struct entry_view entry = {attrs, sizeof attrs / sizeof *attrs};

static void
test_row(char *line)
{
    const char *filter = line + 8;
    size_t at = 0;

    if (strncmp(line, "bad", 3) == 0) {
        int refused = filter_check(filter, &at) < 0 && filter_match(filter, &entry) == 0;

        if (!ok(refused && at == strtoul(line + 4, NULL, 10), "%s", line))
            printf("# refused %d at %zu\n", refused, at);
        return;
    }
    ok(filter_check(filter, &at) == 0 && at == strlen(filter) &&
           filter_match(filter, &entry) == (*line == 'y'),
       "%s", line);
}

static void
test_names(void)
{
    static const char *const want[] = {"objectClass", "mail", "cn", "mail"};
    const char *filter =
        "( & (objectClass=a\\28b)\t(|\n( mail=*)\r\n(!(cn;lang-de=x*y)))(&)(mail==))\n";
    struct span name;
    size_t at = 0, n = 0;
    int same = 1;

    is_int(filter_check(filter, NULL), 0, "the filter is good");
    while (filter_next_name(filter, &at, &name) && n < 4)
        same &= span_same(name, span_of(want[n++]));
    ok(same && n == 4, "names in a filter, without options");
    is_int(filter_next_name(filter, &at, &name), 0, "the end stays the end");
}

static void
test_entry_attr(void)
{
    ok(entry_attr(&entry, span_of("MAIL")) == &attrs[3], "attribute by name, without case");
    ok(entry_attr(&entry, span_of("cn;lang-zh")) == &attrs[1], "options do not count");
    ok(entry_attr(&entry, span_of("objectclass")) == &attrs[0], "the first one");
    ok(entry_attr(&entry, span_of("nail")) == NULL, "another first letter");
    ok(entry_attr(&entry, span_of("mai")) == NULL && entry_attr(&entry, span_of("mails")) == NULL,
       "absent");
    ok(entry_attr(&entry, span_of("")) == NULL, "no name");
    ok(filter_match("(cn=*)", &(struct entry_view){NULL, 0}) == 0, "an entry without attributes");
}

/* Each prefix of a good filter is refused, and never read beyond its end. */
static void
test_prefixes(void)
{
    const char *filter = "(&(objectClass=a\\28b)(|(mail=*a*b)(!(cn;lang-de=x*y)))(mail=z))";
    int refused = 0;

    for (size_t n = 0; n < strlen(filter); n++) {
        char *copy = malloc(n + 1);

        if (copy == NULL)
            exit(1);
        memcpy(copy, filter, n);
        copy[n] = '\0';
        refused += filter_check(copy, NULL) < 0 && filter_match(copy, &entry) == 0;
        free(copy);
    }
    is_int(refused, (long long)strlen(filter), "every prefix is refused");
}

int
main(void)
{

    int rows = table_each("t/tables/filter.tbl", test_row);
    ok(rows > 80, "%d rows", rows);
    test_names();
    test_entry_attr();
    test_prefixes();
    return tap_done();
}
