/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_spoof: prints what postroad-milter would do with a message from outside that says
 * it is from somebody, and what that rests on. Only formats; policyd decides.
 */
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "show.h"
#include "text.h"

#define HEADER_MOST 4000 /* bytes of From */

static void
print_claim(json_t *claim)
{
    const char *ours = show_text(claim, "ours"), *says = show_text(claim, "says");

    printf("  ");
    text_pad(stdout, show_text(claim, "domain"), 30);
    printf("%s, %s", strcmp(show_text(claim, "place"), "text") == 0 ? "in text" : "an address",
           strcmp(ours, "yes") == 0      ? "ours"
           : strcmp(ours, "unsure") == 0 ? "can't tell whether it is ours"
                                         : "not ours");
    if (strcmp(ours, "yes") == 0)
        printf(", says %s", *says ? says : "nothing");
    putchar('\n');
}

static void
print_text(json_t *r, const char *from)
{
    const char *domain = show_text(r, "domain"), *reply = show_text(r, "reply");
    json_t *claim;
    size_t i;

    text_put(stdout, from);
    printf(" from ");
    text_put(stdout, show_text(r, "client"));
    printf(": %s, because of rule %d: %s", show_text(r, "verdict"), (int)show_number(r, "rule"),
           show_text(r, "why"));
    if (*domain)
        printf(" (%s in %s)", domain, show_text(r, "where"));
    puts("\nFrom shows:");
    json_array_foreach(json_object_get(r, "claims"), i, claim)
    {
        print_claim(claim);
    }
    printf("spoof.action is %s, spoof.display_name is %s; nobody vouches for it here.\n",
           show_text(r, "default"), show_text(r, "display_name"));
    if (*reply) {
        printf("The client is told: ");
        text_put(stdout, reply);
        putchar('\n');
    }
    puts("See postroad-spoof(7) for the rules.");
}

int
explain_spoof(struct ctl *ctl)
{
    const char *from = ctl_value(ctl, "from"), *header = ctl_value(ctl, "header-from");
    char bare[EXPLAIN_ADDRESS];
    json_t *question, *reply;
    int code;

    if (ctl->argc != 0 || !from || ctl_value(ctl, "to") || ctl_value(ctl, "size") ||
        ctl_value(ctl, "subject") || ctl_value(ctl, "attachment") ||
        (header && strlen(header) > HEADER_MOST))
        return ctl_usage("explain takes --from ADDRESS --client IP [--header-from TEXT], too");
    /* What is no UTF-8 must not count as not told. */
    question = json_pack("{s:s, s:s, s:s, s:s}", "verb", "explain-spoof", "from",
                         explain_address(from, bare), "client", ctl_value(ctl, "client"),
                         "header_from", header ? header : from);
    if (!question)
        return ctl_usage("an argument is not UTF-8");
    code = daemon_ask(ctl, question, &reply);
    if (code != CTL_DONE)
        return code;
    if (ctl->json)
        ctl_print_json(reply);
    else
        print_text(reply, from);
    return CTL_DONE;
}
