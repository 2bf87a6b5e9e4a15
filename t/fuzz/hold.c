/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a rule of moderation: one that is right has a name and conditions, and asks only what it says. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hold_rule.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct hold_rule rule, again;
    char error[128] = "", *text = malloc(n + 1), *line = malloc(n + HOLD_NAME + HOLD_TEXT + 8);

    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    if (hold_rule_parse(&rule, text, error, sizeof error) < 0) {
        must(*error && strlen(error) < sizeof error);
    } else {
        must(*rule.name && *rule.text && rule.expire_s >= 0 && rule.expire_s <= HOLD_EXPIRE_S);
        hold_rule_attachment(&rule, (struct span){text, n});
        hold_rule_subject(&rule, (struct span){text, n});
        strcat(strcat(strcpy(line, rule.name), ": "), rule.text);
        must(hold_rule_parse(&again, line, error, sizeof error) == 0);
        must(strcmp(rule.text, again.text) == 0 && rule.froms == again.froms);
        must(memcmp(rule.attachment, again.attachment, HOLD_WORDS) == 0);
    }
    free(text);
    free(line);
    return 0;
}
