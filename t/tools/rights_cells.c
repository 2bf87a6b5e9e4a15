/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights_cells: rights_decide() for t/matrix.t. Each line of stdin is one question, NAME=VALUE with
 * tabs between, names as in lib/rights.h; each line of stdout is its answer: verdict, rule, why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rights.h"

#define SCOPES_MAX 16

struct cell {
    struct rights_input in;
    struct span scopes[SCOPES_MAX];
};

static int
word_or_die(int n, const char *what, const char *value)
{
    if (n < 0) {
        fprintf(stderr, "rights_cells: no %s: %s\n", what, value);
        exit(2);
    }
    return n;
}

static enum rights_level
level(const char *value)
{
    if (!*value || strcmp(value, "user") == 0)
        return LEVEL_USER;
    return (enum rights_level)word_or_die(rights_level_parse(span_of(value)), "level", value);
}

static int
kind(const char *value)
{
    for (int k = 0; k <= RIGHTS_KIND_LAST; k++)
        if (strcmp(rights_kind_word((enum rights_kind)k), value) == 0)
            return k;
    return word_or_die(-1, "kind", value);
}

static unsigned
right(const char *value)
{
    return (unsigned)word_or_die(rights_right_parse(span_of(value)), "right", value);
}

static unsigned
withheld(const char *value)
{
    return strcmp(value, "forward") == 0    ? WITHHELD_FORWARD
           : strcmp(value, "password") == 0 ? WITHHELD_PASSWORD
                                            : 0u;
}

static void
take_actor(struct cell *c, const char *name, const char *value)
{
    struct rights_actor *a = &c->in.actor;

    if (strcmp(name, "known") == 0)
        a->known = atoi(value);
    else if (strcmp(name, "active") == 0)
        a->active = atoi(value);
    else if (strcmp(name, "gate") == 0)
        a->gate = atoi(value);
    else if (strcmp(name, "level") == 0)
        a->level = level(value);
    else if (strcmp(name, "right") == 0)
        a->rights |= right(value);
    else if (strcmp(name, "withheld") == 0)
        a->withheld |= withheld(value);
    else if (strcmp(name, "dn") == 0)
        a->dn = span_of(value);
    else if (strcmp(name, "scope") == 0 && a->nscopes < SCOPES_MAX)
        c->scopes[a->nscopes++] = span_of(value);
    else
        word_or_die(-1, "field of an actor", name);
}

static void
take_target(struct rights_target *t, const char *name, const char *value)
{
    if (strcmp(name, "known") == 0)
        t->known = atoi(value);
    else if (strcmp(name, "kind") == 0)
        t->kind = (enum rights_kind)kind(value);
    else if (strcmp(name, "level") == 0)
        t->level = level(value);
    else if (strcmp(name, "in_tree") == 0)
        t->in_tree = atoi(value);
    else if (strcmp(name, "dn") == 0)
        t->dn = span_of(value);
    else
        word_or_die(-1, "field of a target", name);
}

static void
take_value(struct rights_value *v, const char *name, const char *value)
{
    if (strcmp(name, "level") == 0)
        v->level = level(value);
    else if (strcmp(name, "right") == 0)
        v->right = right(value);
    else if (strcmp(name, "dn") == 0)
        v->dn = span_of(value);
    else if (strcmp(name, "dn_in_tree") == 0)
        v->dn_in_tree = atoi(value);
    else if (strcmp(name, "kind") == 0)
        v->kind = kind(value) + 1;
    else if (strcmp(name, "address") == 0)
        v->address = atoi(value);
    else if (strcmp(name, "own_domain") == 0)
        v->own_domain = atoi(value);
    else if (strcmp(name, "address_domain") == 0)
        v->address_domain = span_of(value);
    else
        word_or_die(-1, "field of a value", name);
}

static void
take(struct cell *c, char *field)
{
    char *value = strchr(field, '=');

    if (!value)
        word_or_die(-1, "field", field);
    *value++ = '\0';
    if (strncmp(field, "actor.", 6) == 0)
        take_actor(c, field + 6, value);
    else if (strncmp(field, "target.", 7) == 0)
        take_target(&c->in.target, field + 7, value);
    else if (strncmp(field, "value.", 6) == 0)
        take_value(&c->in.value, field + 6, value);
    else if (strcmp(field, "action") == 0)
        c->in.action =
            (enum rights_action)word_or_die(rights_action_parse(span_of(value)), "action", value);
    else
        word_or_die(-1, "field", field);
}

int
main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct cell c = {.in = {.action = ACT_MANAGE}};
        struct rights r;

        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        c.in.actor.scopes = c.scopes;
        for (char *field = strtok(line, "\t"); field; field = strtok(NULL, "\t"))
            take(&c, field);
        r = rights_decide(&c.in);
        printf("%s\t%d\t%s\n", rights_verdict_word(r.verdict), r.rule, r.why);
    }
    free(line);
    return 0;
}
