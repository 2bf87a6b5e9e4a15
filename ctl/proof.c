/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proof: prints for which moment the mirror is proven to hold all that any provider
 * knew, who stands in the way of a newer proof, and what differs all the same. Only formats.
 */
#include <stdio.h>
#include <string.h>

#include "show.h"
#include "text.h"

#define RECENT_S 3.0 /* a proof not older than this is as good as one can be */

static int
is_in_the_way(json_t *provider)
{
    return strcmp(show_text(provider, "state"), "answers") != 0;
}

static void
print_provider(json_t *p, const char *indent)
{
    const char *state = show_text(p, "state"), *since = show_text(p, "unreachable_since");
    char age[32];

    printf("%sprovider ", indent);
    text_put(stdout, show_text(p, "uri"));
    if (*since)
        printf(" unreachable since %s", since);
    else if (strcmp(state, "ahead") == 0)
        printf(" knows more than the mirror for %s", text_age(show_number(p, "ahead_s"), age));
    else
        printf(" %s", state);
    putchar('\n');
}

static void
print_differing(json_t *differs, const char *indent)
{
    json_t *d;
    size_t i;

    json_array_foreach(differs, i, d)
    {
        fputs(indent, stdout);
        text_put(stdout, show_text(d, "address"));
        fputs(" differs at provider ", stdout);
        text_put(stdout, show_text(d, "uri"));
        printf(", seen first %s: ", show_text(d, "since"));
        text_put(stdout, show_text(d, "entry"));
        putchar('\n');
    }
}

void
show_proof(json_t *proof, const char *indent)
{
    json_t *as_of = json_object_get(proof, "as_of_s"), *provider;
    char age[32];
    size_t i;

    if (!json_is_object(proof)) {
        puts("the file is the truth");
        return;
    }
    if (!json_is_number(as_of))
        puts("not proven current yet");
    else if (json_number_value(as_of) <= RECENT_S && show_number(proof, "unreachable") == 0)
        printf("proven current as of %s ago, %zu providers agree\n",
               text_age(json_number_value(as_of), age),
               json_array_size(json_object_get(proof, "providers")));
    else
        printf("not proven current; last as of %s ago\n", text_age(json_number_value(as_of), age));
    json_array_foreach(json_object_get(proof, "providers"), i, provider)
    {
        if (is_in_the_way(provider))
            print_provider(provider, indent);
    }
    print_differing(json_object_get(proof, "differs"), indent);
}
