/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare: whether the mirror here and that of another site hold the same, and if not,
 * which entries differ. Equal contextCSN does not say that; the content does.
 *
 * Promises: changes on their way between the sites are no difference: what differs is
 * looked at once more after a while, and only what still does is shown. "Equal" is
 * said when all digests are, never because something could not be asked. Asks only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"
#include "show.h"
#include "text.h"

#define ROWS_MAX   10000 /* differing entries kept */
#define ROWS_SHOWN 50    /* for each domain, in words */

struct compare {
    struct ctl *ctl;
    struct side side[2]; /* here, there */
    json_t *names;       /* domains that differ, in order */
    json_t *rows;        /* "domain uuid" -> {domain, uuid, dn, here, there} */
    int truncated;
};

/* --- asking --- */

static int
ask(struct compare *c, int i, json_t *request, json_t **reply_r)
{
    int code = daemon_ask_at(c->ctl, c->side[i].path, i ? c->side[i].name : NULL, request, reply_r);

    return code == CTL_DONE ? CTL_DONE : CTL_TEMPORARY; /* whatever it refused: we can't tell */
}

/* Say why there is no answer; CTL_TEMPORARY. */
static int
cant_tell(const struct compare *c, const char *why)
{
    if (c->ctl->json) {
        ctl_print_json(
            json_pack("{s:b, s:s, s:i}", "ok", 0, "error", why, "code", (int)CTL_TEMPORARY));
        return CTL_TEMPORARY;
    }
    fputs("postroad: ", stderr);
    text_put(stderr, why);
    fputc('\n', stderr);
    return CTL_TEMPORARY;
}

/* That it is the site we mean, and counts as we do. */
static int
check_side(struct compare *c, int i, json_t *reply, char rules[64])
{
    char why[512];

    if (strcmp(show_text(reply, "site"), c->side[i].name) != 0) {
        snprintf(why, sizeof why, "at %s is not site %s but %s: where does the tunnel lead?",
                 c->side[i].path, c->side[i].name, show_text(reply, "site"));
        return cant_tell(c, why);
    }
    if (!i)
        snprintf(rules, 64, "%s", show_text(reply, "rules"));
    if (!*rules || strcmp(rules, show_text(reply, "rules")) == 0)
        return CTL_DONE;
    snprintf(why, sizeof why,
             "%s and %s can't be compared: their versions, or their settings below directory.map "
             "and directory.preset, make different digests of the same entries",
             c->side[0].name, c->side[1].name);
    return cant_tell(c, why);
}

static int
ask_domains(struct compare *c, int i, char rules[64])
{
    json_t *request = json_pack("{s:s}", "verb", "digests"), *reply, *domain;
    const char *last = "";
    int code, more = 1;
    size_t k;

    json_decref(c->side[i].domains);
    c->side[i].domains = json_object();
    while (more) {
        code = ask(c, i, request, &reply);
        if (code != CTL_DONE)
            return code;
        code = check_side(c, i, reply, rules);
        json_array_foreach(json_object_get(reply, "domains"), k, domain)
        {
            last = show_text(domain, "name");
            json_object_set(c->side[i].domains, last, domain);
        }
        more = code == CTL_DONE && show_true(reply, "more");
        request = more ? json_pack("{s:s, s:s}", "verb", "digests", "after", last) : NULL;
        json_decref(reply);
        if (code != CTL_DONE)
            return code;
    }
    return CTL_DONE;
}

/* --- entries, page by page, both sides in the order of their UUIDs --- */

struct pages {
    struct compare *c;
    int i;
    const char *domain;
    json_t *page;
    size_t at;
    char next[64]; /* "" at the end */
    int started;
};

/* The next entry: CTL_DONE and *entry_r, NULL at the end; or another exit code. */
static int
next_entry(struct pages *p, json_t **entry_r)
{
    json_t *request;
    int code;

    while (p->at >= json_array_size(json_object_get(p->page, "entries"))) {
        *entry_r = NULL;
        if (p->started && !*p->next)
            return CTL_DONE;
        request = json_pack("{s:s, s:s}", "verb", "digest", "domain", p->domain);
        if (*p->next)
            json_object_set_new(request, "after", json_string(p->next));
        json_decref(p->page);
        p->page = NULL;
        code = ask(p->c, p->i, request, &p->page);
        if (code != CTL_DONE)
            return code;
        snprintf(p->next, sizeof p->next, "%s", show_text(p->page, "next"));
        p->started = 1;
        p->at = 0;
    }
    *entry_r = json_array_get(json_object_get(p->page, "entries"), p->at);
    return CTL_DONE;
}

static void
add_row(struct compare *c, const char *domain, json_t *here, json_t *there)
{
    json_t *one = here ? here : there, *row;
    char key[512];

    if (json_object_size(c->rows) >= ROWS_MAX) {
        c->truncated = 1;
        return;
    }
    snprintf(key, sizeof key, "%s %s", domain, show_text(one, "uuid"));
    row = json_pack("{s:s, s:O, s:O, s:o, s:o}", "domain", domain, "uuid",
                    json_object_get(one, "uuid"), "dn", json_object_get(one, "dn"), "here",
                    here ? json_incref(json_object_get(here, "hash")) : json_null(), "there",
                    there ? json_incref(json_object_get(there, "hash")) : json_null());
    json_object_set_new(c->rows, key, row);
}

static int
compare_entries(struct compare *c, const char *domain)
{
    struct pages side[2] = {{.c = c, .i = 0, .domain = domain}, {.c = c, .i = 1, .domain = domain}};
    json_t *e[2] = {NULL, NULL};
    int code, order;

    while ((code = next_entry(&side[0], &e[0])) == CTL_DONE &&
           (code = next_entry(&side[1], &e[1])) == CTL_DONE && (e[0] || e[1])) {
        order = !e[0] ? 1 : !e[1] ? -1 : strcmp(show_text(e[0], "uuid"), show_text(e[1], "uuid"));
        if (order != 0 || strcmp(show_text(e[0], "hash"), show_text(e[1], "hash")) != 0)
            add_row(c, domain, order <= 0 ? e[0] : NULL, order >= 0 ? e[1] : NULL);
        side[0].at += order <= 0;
        side[1].at += order >= 0;
    }
    json_decref(side[0].page);
    json_decref(side[1].page);
    return code;
}

/* --- a round --- */

static int
note_if_other(json_t *names, const char *name, json_t *a, json_t *b)
{
    if (strcmp(show_text(a, "digest"), show_text(b, "digest")) == 0)
        return 0;
    return json_array_append_new(names, json_string(name));
}

/* The names of the domains whose digests differ, those of one side only included. */
static json_t *
other_domains(const struct compare *c)
{
    json_t *names = json_array(), *domain;
    const char *name;

    json_object_foreach(c->side[0].domains, name, domain)
    {
        note_if_other(names, name, domain, json_object_get(c->side[1].domains, name));
    }
    json_object_foreach(c->side[1].domains, name, domain)
    {
        if (!json_object_get(c->side[0].domains, name))
            note_if_other(names, name, domain, NULL);
    }
    return names;
}

static int
look(struct compare *c)
{
    char rules[64] = "";
    int code = ask_domains(c, 0, rules);
    json_t *name;
    size_t i;

    if (code == CTL_DONE)
        code = ask_domains(c, 1, rules);
    if (code != CTL_DONE)
        return code;
    json_decref(c->names);
    json_decref(c->rows);
    c->names = other_domains(c);
    c->rows = json_object();
    c->truncated = 0;
    json_array_foreach(c->names, i, name)
    {
        code = compare_entries(c, json_string_value(name));
        if (code != CTL_DONE)
            return code;
    }
    return CTL_DONE;
}

/* Only what differed before as well. */
static void
keep_lasting(struct compare *c, json_t *before)
{
    const char *key;
    json_t *row;
    void *next;

    json_object_foreach_safe(c->rows, next, key, row)
    {
        if (!json_object_get(before, key))
            json_object_del(c->rows, key);
    }
}

/* --- showing --- */

static double
entries(json_t *domains)
{
    const char *name;
    json_t *domain;
    double n = 0;

    json_object_foreach(domains, name, domain)
    {
        n += show_number(domain, "entries");
    }
    return n;
}

static void
print_row(const struct compare *c, json_t *row)
{
    const char *here = show_text(row, "here"), *there = show_text(row, "there");
    json_t *word;
    size_t i;

    if (*here && *there)
        fputs("    differs: ", stdout);
    else
        printf("    only at %s: ", c->side[*here ? 0 : 1].name);
    text_put(stdout, *show_text(row, "dn") ? show_text(row, "dn") : show_text(row, "uuid"));
    json_array_foreach(json_object_get(row, "attributes"), i, word)
    {
        printf("%s%s", i == 0 ? " in: " : ", ", json_string_value(word));
    }
    putchar('\n');
}

static void
print_domain(const struct compare *c, const char *name)
{
    unsigned n = 0;
    const char *key;
    json_t *row;

    json_object_foreach(c->rows, key, row)
    {
        if (strcmp(show_text(row, "domain"), name) != 0)
            continue;
        if (n++ == 0) {
            printf(
                "  %s: %.0f entries at %s, %.0f at %s\n", *name ? name : "(outside any domain)",
                show_number(json_object_get(c->side[0].domains, name), "entries"), c->side[0].name,
                show_number(json_object_get(c->side[1].domains, name), "entries"), c->side[1].name);
        }
        if (n <= ROWS_SHOWN)
            print_row(c, row);
    }
    if (n > ROWS_SHOWN)
        printf("    and %u more\n", n - ROWS_SHOWN);
}

static void
print_words(const struct compare *c)
{
    size_t rows = json_object_size(c->rows), i;
    json_t *name;

    if (rows == 0) {
        printf("%s and %s hold the same: %zu domains, %.0f entries.\n", c->side[0].name,
               c->side[1].name, json_object_size(c->side[0].domains), entries(c->side[0].domains));
        return;
    }
    printf("%s and %s differ in %s%zu %s:\n", c->side[0].name, c->side[1].name,
           c->truncated ? "more than " : "", rows, rows == 1 ? "entry" : "entries");
    json_array_foreach(c->names, i, name)
    {
        print_domain(c, json_string_value(name));
    }
    puts(
        "To do: look at these entries in both directories, and write each anew where it is right:\n"
        "a change travels even where replication believes that all is done. See postroad(8).");
}

static void
print_json(const struct compare *c)
{
    json_t *rows = json_array(), *row;
    const char *key;

    json_object_foreach(c->rows, key, row)
    {
        json_array_append(rows, row);
    }
    ctl_print_json(
        json_pack("{s:b, s:b, s:s, s:s, s:I, s:f, s:o, s:b}", "ok", 1, "equal",
                  json_object_size(c->rows) == 0, "here", c->side[0].name, "there", c->side[1].name,
                  "domains", (json_int_t)json_object_size(c->side[0].domains), "entries",
                  entries(c->side[0].domains), "differ", rows, "truncated", c->truncated));
}

static int
show(const struct compare *c)
{
    if (json_object_size(c->rows) == 0 && json_array_size(c->names) > 0)
        return cant_tell(c,
                         "the digests differ, but no entry does for long: the directory is being "
                         "changed all the time; try again");
    if (c->ctl->json)
        print_json(c);
    else
        print_words(c);
    return json_object_size(c->rows) ? CTL_NO : CTL_DONE;
}

/* --- the verb --- */

static int
run(struct compare *c)
{
    json_t *before;
    int code = look(c);

    if (code != CTL_DONE)
        return code;
    if (json_array_size(c->names) > 0) {
        before = json_incref(c->rows);
        sleep((unsigned)c->ctl->wait);
        code = look(c);
        if (code == CTL_DONE)
            keep_lasting(c, before);
        json_decref(before);
    }
    if (code == CTL_DONE)
        compare_parts(c->side, c->rows);
    return code == CTL_DONE ? show(c) : code;
}

/* Where the site's control socket is; NULL: nobody says. */
static const char *
peer_path(const struct ctl *ctl, const char *site)
{
    const struct conf_list *peers = &ctl->conf->compare.peers;
    size_t n = strlen(site);

    if (ctl->at)
        return ctl->at;
    for (size_t i = 0; i < peers->n; i++)
        if (strncmp(peers->v[i], site, n) == 0 && peers->v[i][n] == '=')
            return peers->v[i] + n + 1;
    return NULL;
}

int
verb_compare(struct ctl *ctl)
{
    struct compare c = {.ctl = ctl};
    int code;

    if (ctl->argc != 1)
        return ctl_usage("compare takes the name of the other site");
    c.side[0] = (struct side){.name = ctl->conf->site, .path = ctl->conf->sockets.control};
    c.side[1] = (struct side){.name = ctl->argv[0], .path = peer_path(ctl, ctl->argv[0])};
    if (strcmp(c.side[0].name, c.side[1].name) == 0)
        return ctl_usage("%s is this site: compare it with another one", c.side[0].name);
    if (!c.side[1].path)
        return ctl_usage("where is %s? Neither compare.peers nor --at says it", c.side[1].name);
    code = run(&c);
    for (int i = 0; i < 2; i++)
        json_decref(c.side[i].domains);
    json_decref(c.names);
    json_decref(c.rows);
    return code;
}
