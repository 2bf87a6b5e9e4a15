/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_hold: the settings of moderation: each rule can be read, no two have one name, and the time
 * after which held mail expires is one.
 */
#include <stdlib.h>
#include <string.h>

#include "conf_private.h"
#include "hold_rule.h"

static int
check_rules(struct conf_load *l, struct hold_rule *rules)
{
    const struct conf_list *list = &l->conf->milter.moderate;
    char error[256];

    for (size_t i = 0; i < list->n; i++) {
        if (hold_rule_parse(&rules[i], list->v[i], error, sizeof error) < 0)
            return conf_fail_key(l, "milter.moderate", "%s", error);
        for (size_t k = 0; k < i; k++)
            if (strcmp(rules[k].name, rules[i].name) == 0)
                return conf_fail_key(l, "milter.moderate", "two rules have the name \"%s\"",
                                     rules[i].name);
    }
    return 0;
}

int
conf_check_hold(struct conf_load *l)
{
    const char *expire = l->conf->milter.moderate_expire;
    struct hold_rule *rules;
    int rc;

    if (hold_duration(span_of(expire)) < 0)
        return conf_fail_key(l, "milter.moderate_expire",
                             "\"%s\" is no time of at most a year, such as 90m, 12h, 5d or 2w",
                             expire);
    if (l->conf->milter.moderate.n == 0)
        return 0;
    rules = calloc(l->conf->milter.moderate.n, sizeof *rules);
    if (!rules)
        return conf_doubt(l, "milter.moderate", "out of memory");
    rc = check_rules(l, rules);
    free(rules);
    return rc;
}
