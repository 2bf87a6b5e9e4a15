/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit_try CONF ACTOR TARGET BYTES: what role edit does with one request, without the role, for
 * t/edit.t. Prints the verdict, the text for people, and what would go to the log, with TABs between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policyd/board.h"
#include "policyd/edit.h"

int
main(int argc, char **argv)
{
    static const char *const words[] = {"unsure", "no", "done"};
    static struct edit_request q;
    char error[1024], text[EDIT_TEXT], why[EDIT_TEXT];
    struct conf *conf = NULL;
    enum edit_verdict verdict;

    if (argc != 5 || conf_load(argv[1], &conf, error, sizeof error) < 0 ||
        edit_ldap_setup(conf, error, sizeof error) < 0) {
        fprintf(stderr, "edit_try: %s\n", argc == 5 ? error : "CONF ACTOR TARGET BYTES");
        return 2;
    }
    snprintf(q.actor, sizeof q.actor, "%s", argv[2]);
    snprintf(q.target, sizeof q.target, "%s", argv[3]);
    q.bytes = strtoull(argv[4], NULL, 10);
    q.until_ms = (int64_t)board_now_ms() + 20000;
    verdict = edit_ldap_quota(conf, &q, text, why);
    printf("%s\t%s\t%s\n", words[verdict + 1], text, why);
    conf_free(&conf);
    return 0;
}
