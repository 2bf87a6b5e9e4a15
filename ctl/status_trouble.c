/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status, trouble: addresses that several entries claim, with the command that
 * mends each, and accounts whose move to another site is not finished. Only formats.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "show.h"
#include "text.h"

/* For a shell: in quotes when it holds more than an address may. */
static void
put_word(FILE *f, const char *s)
{
    int plain = *s != '\0';

    for (const char *p = s; *p; p++)
        plain &= strchr("\"'\\ $`!*?<>|&;()[]{}~#", *p) == NULL;
    if (!plain)
        putc('\'', f);
    for (; *s; s++) {
        char one[2] = {*s, '\0'};

        if (*s == '\'')
            fputs("'\\''", f);
        else if ((unsigned char)*s < 0x80)
            text_put(f, one);
        else
            putc(*s, f);
    }
    if (!plain)
        putc('\'', f);
}

void
show_mend(FILE *f, const char *name, json_t *loser)
{
    const char *kind = show_text(loser, "kind"), *own = show_text(loser, "name");
    int same = strcasecmp(own, name) == 0; /* it has no other name to be called by */

    if (same && strcmp(kind, "domain") == 0) {
        fputs("move what is in one of them to the other, then: postroad domain delete ", f);
        put_word(f, show_text(loser, "dn"));
        return;
    }
    fprintf(f, "postroad %s modify ", strcmp(kind, "account") == 0 ? "user" : kind);
    put_word(f, same || !*own ? show_text(loser, "dn") : own);
    if (same) {
        fputs(" --mail ANOTHER-ADDRESS", f);
        return;
    }
    fputs(" --remove-alias ", f);
    put_word(f, name);
}

static void
print_dup(json_t *row)
{
    json_t *dn, *loser;
    size_t i;

    printf("    ");
    text_put(stdout, show_text(row, "address"));
    putchar('\n');
    json_array_foreach(json_object_get(row, "claims"), i, dn)
    {
        printf("      %s ", i == 0 ? "has it:" : "wants it:");
        text_put(stdout, json_string_value(dn) ? json_string_value(dn) : "?");
        putchar('\n');
    }
    json_array_foreach(json_object_get(row, "losers"), i, loser)
    {
        fputs("      mend it: ", stdout);
        show_mend(stdout, show_text(row, "address"), loser);
        putchar('\n');
    }
}

void
show_duplicates(json_t *dups)
{
    json_t *row;
    size_t i;

    if (show_number(dups, "count") == 0)
        return;
    printf(
        "  * %.0f addresses or domain names are claimed by more than one entry; the oldest entry "
        "has each, at every site:\n",
        show_number(dups, "count"));
    json_array_foreach(json_object_get(dups, "list"), i, row)
    {
        print_dup(row);
    }
}

void
show_moving(json_t *moving)
{
    double n = show_number(moving, "count");
    json_t *row;
    size_t i;

    if (n == 0)
        return;
    printf("  * %.0f account%s in state moving, %s mail waits:\n", n, n == 1 ? " is" : "s are",
           n == 1 ? "its" : "their");
    json_array_foreach(json_object_get(moving, "list"), i, row)
    {
        const char *mail = show_text(row, "mail");

        printf("    ");
        text_put(stdout, *mail ? mail : show_text(row, "dn"));
        putchar('\n');
    }
    puts("    To go on: postroad user move-site ADDRESS SITE; to go back: the same with --abort.");
}
