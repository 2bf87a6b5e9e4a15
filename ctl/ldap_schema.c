/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_schema: whether the schema that a running slapd has loaded knows the names our settings speak of.
 * slapd would refuse the first line of an index or rule it doesn't know, and not say what to do.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ldap_config.h"

#define PREFIX "postroad"

struct loaded {
    char *names; /* of all attributes and classes, blanks around each */
    size_t n, entries;
    int failed;
};

/* What stands between quotes, as the names of a definition do; descriptions do no harm. */
static int
on_schema(void *ctx, const struct dir_entry *e)
{
    struct loaded *l = ctx;

    l->entries++;
    for (size_t i = 0; i < e->n; i++)
        for (size_t j = 0; j < e->attrs[i].n; j++) {
            const char *text = e->attrs[i].v[j].p;
            size_t size = e->attrs[i].v[j].n;
            char *more = realloc(l->names, l->n + size + 1);

            if (!more)
                return l->failed = 1;
            l->names = more;
            memcpy(l->names + l->n, text, size + 1);
            l->n += size;
        }
    return 0;
}

/* The next name of ours in text, into name: where to go on, or NULL. "postroad-rules-begin" is none. */
static const char *
next_name(const char *text, char name[64])
{
    while ((text = strstr(text, PREFIX))) {
        size_t n = strlen(PREFIX);

        while (isalnum((unsigned char)text[n]))
            n++;
        text += n;
        if (n > strlen(PREFIX) && n < 62) {
            snprintf(name, 64, "'%.*s'", (int)n, text - n);
            return text;
        }
    }
    return NULL;
}

static int
has_name(const struct loaded *l, const char *name)
{
    return l->names && strcasestr(l->names, name) != NULL;
}

int
ldap_schema_check(struct dir *d, const struct ldap_request *r)
{
    static const char *const attrs[] = {"olcAttributeTypes", "olcObjectClasses", NULL};
    struct loaded l = {NULL, 0, 0, 0};
    char name[64], missing[64] = "";
    int code = dir_search(d, "cn=schema,cn=config", DIR_ONE, "(objectClass=olcSchemaConfig)", attrs,
                          on_schema, &l);

    for (size_t i = 0; i < r->values.n && !*missing && code == CTL_DONE && l.entries > 0; i++)
        for (const char *p = r->values.v[i].text; (p = next_name(p, name)) && !*missing;)
            if (!has_name(&l, name) && !l.failed)
                memcpy(missing, name, sizeof name);
    free(l.names);
    if (!*missing)
        return CTL_DONE; /* what can't be seen, slapd itself tells */
    return ctl_fail(
        r->ctl, CTL_NO,
        "%s does not know %s: the schema that is loaded there is of an older version, or "
        "was never loaded; nothing was changed. See \"Load it\" and \"Upgrade\" in the "
        "README.md beside access.in",
        dir_uri(d), missing);
}
