/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep: an administrator confirms that entries are really gone from the
 * directory, after a refresh that would have removed too many was held back.
 * Needs a reason, which goes to the daemon's log with who said so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* What the caller calls himself, beside what the kernel says of him. */
static const char *
claimed_name(void)
{
    const char *sudo = getenv("SUDO_USER"), *user = getenv("USER");

    return sudo ? sudo : user ? user : "";
}

int
verb_sweep(struct ctl *ctl)
{
    json_t *reply;
    int code;

    if (ctl->argc != 1 || strcmp(ctl->argv[0], "accept") != 0)
        return ctl_usage("sweep takes the word accept: postroad sweep accept --reason TEXT");
    if (!ctl->reason || !*ctl->reason)
        return ctl_usage("sweep accept needs --reason TEXT: it goes to the log");
    code = daemon_ask(ctl,
                      json_pack("{s:s, s:s, s:s}", "verb", "sweep-accept", "reason", ctl->reason,
                                "by", claimed_name()),
                      &reply);
    if (code != CTL_DONE)
        return code;
    if (ctl->json) {
        ctl_print_json(reply);
        return CTL_DONE;
    }
    printf("Accepted: the next refresh will remove the %lld entries that the directory no longer "
           "has.\n"
           "See \"postroad status\".\n",
           (long long)json_integer_value(json_object_get(reply, "would_sweep")));
    json_decref(reply);
    return CTL_DONE;
}
