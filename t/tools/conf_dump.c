/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_dump: the table of settings, the rules of routing and of rights as plain lines, for
 * t/manual.t, which compares them with the manual. No other use.
 *
 * setting TAB key TAB type TAB "=" default, or "-" TAB min TAB max TAB words TAB help
 * rule TAB number TAB text, right TAB number TAB text, send TAB number TAB text: of routing, rights, sending
 * hold TAB number TAB text, spoof TAB number TAB text: of moderation, forged senders
 * direction TAB number TAB text: of which way a message goes
 * action TAB word TAB whether the directory decides it
 * dir TAB name TAB path, as built
 */
#include <stdio.h>

#include "conf.h"
#include "direction.h"
#include "guard_hold.h"
#include "guard_send.h"
#include "guard_spoof.h"
#include "rights.h"
#include "route.h"

static const char *
type_word(enum conf_type t)
{
    static const char *const words[] = {
        [CONF_STRING] = "string", [CONF_WORD] = "word", [CONF_INT] = "integer",
        [CONF_BOOL] = "boolean",  [CONF_LIST] = "list", [CONF_SECRET] = "secret"};

    return words[t];
}

int
main(void)
{
    printf("dir\tlocalstatedir\t%s\ndir\trunstatedir\t%s\n", POSTROAD_LOCALSTATEDIR,
           POSTROAD_RUNSTATEDIR);
    for (size_t i = 0; i < conf_rows_n; i++) {
        const struct conf_row *r = &conf_rows[i];

        printf("setting\t%s\t%s\t%s%s\t%ld\t%ld\t%s\t%s\n", r->key, type_word(r->type),
               r->preset ? "=" : "", r->preset ? r->preset : "-", r->min, r->max,
               r->words ? r->words : "", r->help);
    }
    for (int n = 1; direction_rule_text(n); n++)
        printf("direction\t%d\t%s\n", n, direction_rule_text(n));
    for (int n = 1; route_rule_text(n); n++)
        printf("rule\t%d\t%s\n", n, route_rule_text(n));
    for (int n = 1; rights_rule_text(n); n++)
        printf("right\t%d\t%s\n", n, rights_rule_text(n));
    for (int n = 1; guard_send_rule_text(n); n++)
        printf("send\t%d\t%s\n", n, guard_send_rule_text(n));
    for (int n = 1; guard_hold_step_text(n); n++)
        printf("hold\t%d\t%s\n", n, guard_hold_step_text(n));
    for (int n = 1; guard_spoof_rule_text(n); n++)
        printf("spoof\t%d\t%s\n", n, guard_spoof_rule_text(n));
    for (int a = 0; a <= ACT_LAST; a++)
        printf("action\t%s\t%d\n", rights_action_word((enum rights_action)a),
               rights_in_directory((enum rights_action)a));
    return 0;
}
