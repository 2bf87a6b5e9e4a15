/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: prints why mail to an address goes where it goes, rule by rule, as the
 * daemon's own route decision saw it. Only formats; decides nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "show.h"
#include "text.h"

#define DATA_SHOWN 400 /* bytes of a long answer; --json has all of it */

static void
field(const char *name, const char *value, const char *from, const char *dn)
{
    printf("  ");
    text_pad(stdout, name, 10);
    text_put(stdout, *value ? value : "none");
    if (*from) {
        printf("  (from the ");
        text_put(stdout, from);
        printf("%s", *dn ? " " : "");
        text_put(stdout, dn);
        printf(")");
    }
    putchar('\n');
}

static void
setting(json_t *inputs, const char *name)
{
    json_t *o = json_object_get(inputs, name);
    const char *from = show_text(o, "from");

    if (strcmp(from, "default") == 0)
        field(name, show_text(o, "value"), "", "");
    else
        field(name, show_text(o, "value"), from, show_text(o, "dn"));
}

static void
print_head(json_t *r)
{
    const char *site = show_text(r, "site");

    text_put(stdout, show_text(r, "address"));
    printf(": %s%s", show_text(r, "verdict"), *site ? " to " : "");
    text_put(stdout, site);
    printf(", because of rule %d: ", (int)show_number(r, "step"));
    text_put(stdout, show_text(r, "why"));
    puts("\n");
}

static void
print_owner(json_t *r)
{
    json_t *owner = json_object_get(r, "owner"), *inputs = json_object_get(r, "inputs");

    field("address", show_text(r, "canonical"), "", "");
    if (!show_true(inputs, "found"))
        return;
    printf("  %-10s", "found by");
    text_put(stdout, show_text(r, "how"));
    printf(": ");
    text_put(stdout, show_text(r, "matched"));
    putchar('\n');
    field("owner", show_text(owner, "dn"), "", "");
    field("kind", show_text(owner, "kind"), "", "");
    setting(inputs, "state");
    setting(inputs, "home");
    setting(inputs, "standby");
    if (*show_text(json_object_get(inputs, "forward"), "value"))
        setting(inputs, "forward");
}

static void
print_steps(json_t *r)
{
    json_t *step;
    size_t i;

    puts("\nRules, up to the one that decides:");
    json_array_foreach(json_object_get(r, "steps"), i, step)
    {
        int applies = show_true(step, "applies");

        printf("%s %d  ", applies ? "->" : "  ", (int)show_number(step, "n"));
        text_put(stdout, show_text(step, "rule"));
        printf("\n      %s: ", applies ? "yes" : "no");
        text_put(stdout, show_text(step, "input"));
        putchar('\n');
    }
}

/* Long lists of members are cut; what they hold is asked with lookup. */
static const char *
shown(const char *data, char out[DATA_SHOWN + 32])
{
    size_t n = strlen(data), cut = DATA_SHOWN;

    if (n <= DATA_SHOWN)
        return data;
    while (cut > 0 && ((unsigned char)data[cut] & 0xc0) == 0x80)
        cut--;
    snprintf(out, DATA_SHOWN + 32, "%.*s… (%zu bytes)", (int)cut, data, n);
    return out;
}

static void
print_maps(json_t *r)
{
    struct text_table t = {.columns = 4};
    json_t *map;
    size_t i;

    puts("\nWhat Postfix is told:");
    text_row(&t, (const char *[]){"map", "key", "status", "data"});
    json_array_foreach(json_object_get(r, "maps"), i, map)
    {
        char cut[DATA_SHOWN + 32], why[128];
        int ok = strcmp(show_text(map, "status"), "OK") == 0;

        snprintf(why, sizeof why, "(%s)", show_text(map, "why"));
        text_row(&t, (const char *[]){show_text(map, "map"), show_text(map, "key"),
                                      show_text(map, "status"),
                                      ok ? shown(show_text(map, "data"), cut) : why});
    }
    text_table_end(&t, 2);
}

void
show_mirror(json_t *mirror)
{
    json_t *age = json_object_get(mirror, "age_s");
    char text[32];

    if (!show_true(mirror, "readable")) {
        printf("can't be read: ");
        text_put(stdout, show_text(mirror, "error"));
        putchar('\n');
        return;
    }
    printf("%s, ", show_true(mirror, "complete") ? "complete" : "never filled");
    if (json_is_number(age))
        printf("as of %s ago, ", text_age(json_number_value(age), text));
    printf("last change %s\n",
           *show_text(mirror, "updated") ? show_text(mirror, "updated") : "never");
}

const char *
explain_address(const char *given, char out[EXPLAIN_ADDRESS])
{
    size_t n = strlen(given);

    if (n < 2 || n >= EXPLAIN_ADDRESS || given[0] != '<' || given[n - 1] != '>')
        return given;
    snprintf(out, EXPLAIN_ADDRESS, "%.*s", (int)(n - 2), given + 1);
    return out;
}

int
verb_explain(struct ctl *ctl)
{
    json_t *reply;
    int code;

    if (ctl_value(ctl, "client") || ctl_value(ctl, "header-from"))
        return explain_spoof(ctl);
    if (ctl_value(ctl, "from") || ctl_value(ctl, "to") || ctl_value(ctl, "size") ||
        ctl_value(ctl, "subject") || ctl_value(ctl, "attachment"))
        return explain_send(ctl);
    if (ctl->argc != 1)
        return ctl_usage(
            "explain takes one address, or --from ADDRESS with --to ADDRESS or --client IP");
    code = daemon_ask(ctl, json_pack("{s:s, s:s}", "verb", "explain", "address", ctl->argv[0]),
                      &reply);
    if (code != CTL_DONE)
        return code;
    if (ctl->json) {
        ctl_print_json(reply);
        return CTL_DONE;
    }
    print_head(reply);
    print_owner(reply);
    print_steps(reply);
    print_maps(reply);
    printf("\nMirror: ");
    show_mirror(json_object_get(reply, "mirror"));
    printf("Proof: ");
    show_proof(json_object_get(reply, "proof"), "  ");
    json_decref(reply);
    return CTL_DONE;
}
