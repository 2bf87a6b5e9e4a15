/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verbs: the table of what `postroad` can do. A verb of two words ("user add")
 * is one row; `postroad help user` shows the rows that begin with a word.
 * The manual and the completion are held to this table by tests.
 */
#include <stdio.h>
#include <string.h>

#include "addressbook.h"
#include "doctor.h"
#include "audit.h"
#include "held.h"
#include "move_site.h"
#include "org.h"
#include "user.h"
#include "verbs.h"

/* For verbs that talk to the directory as whoever calls, see dir_open. */
#define DIR_TAKES  "bind-dn uri password-file external tls-cert tls-key "
#define EDIT_TAKES DIR_TAKES "dry-run "
/* What domains and departments pass down. */
#define SETTINGS "site standby quota state deny limit description "
/* What can be said of a person. */
#define PERSON_TAKES \
    "name given surname alias site standby quota state deny forward delegate title phone mobile "
#define PASSWORD_TAKES "new-password-file prompt generate "
#define HOP_TAKES      "next-hop certificate "
#define HELD_WHO       DIR_TAKES "local "
#define HELD_TAKES     HELD_WHO "rule sender site "
#define HELD_DECIDES   "all count reason wait dry-run "
#define LDAP_TAKES     "base domains gate services sites part template server-id peer tls-dir "

static const struct verb verbs[] = {
    {"lookup", "MAP KEY", "ask a map over its socket, as Postfix does", "", verb_lookup},
    {"explain",
     "ADDRESS | --from ADDRESS --to ADDRESS [--size BYTES] ... | --from ADDRESS --client IP",
     "which way mail to ADDRESS goes, whether it may be sent, is held, or may come in, and why",
     "from to size subject attachment client header-from", verb_explain},
    {"may", "ACTOR ACTION TARGET [VALUE]", "whether one may do it to the other, by which rule", "",
     verb_may},
    {"who", "", "which mailboxes administrators have open who are not their owners", "", verb_who},
    {"status", "", "source, mirror, roles, rates, and what needs attention", "", verb_status},
    {"doctor", "", "look at everything a site needs, and say what to do", LDAP_TAKES DIR_TAKES,
     verb_doctor},
    {"config", "[-a]", "settings that differ from the default; -a all", "a n", verb_config},
    {"sweep", "accept --reason TEXT", "let a refresh remove the entries it was held back from",
     "reason", verb_sweep},
    {"compare", "SITE [--at ADDRESS]", "whether the mirror of another site holds the same",
     "at wait", verb_compare},
    {"audit verify", "[--from NUMBER] [--anchor NUMBER:HASH]...",
     "whether the audit log is as it was written", "from anchor", verb_audit_verify},
    {"audit list", "[--target ADDRESS|me] [--actor ADDRESS|me] [--since TIME] ...",
     "who was in whose mailbox, and did what there", DIR_TAKES "target actor since until action",
     verb_audit_list},
    {"access open", "ADDRESS --reason TEXT [--for TIME]",
     "say why, before opening somebody's mailbox", DIR_TAKES "reason for", verb_access_open},
    {"access list", "", "what was said so, and is still in force", DIR_TAKES, verb_access_list},
    {"access close", "ID", "end it", DIR_TAKES, verb_access_close},
    {"held list", "[--rule NAME] [--sender ADDRESS] [--site SITE] [--state STATE]",
     "mail that waits for a moderator", HELD_TAKES "state", verb_held_list},
    {"held show", "ID", "all that is known of one such message", HELD_WHO, verb_held_show},
    {"held approve", "ID... | --all --rule NAME --count NUMBER [--reason TEXT]",
     "let a held message go on", HELD_TAKES HELD_DECIDES, verb_held_approve},
    {"held reject", "ID... | --all --rule NAME --count NUMBER --reason TEXT",
     "delete a held message, and tell its sender why", HELD_TAKES HELD_DECIDES, verb_held_reject},
    {"hook list", "", "new-mail events that wait to be sent, and why", "", verb_hook_list},
    {"hook retry", "", "send all of them now", "", verb_hook_retry},
    {"hook drop", "NUMBER", "give one of them up", "", verb_hook_drop},
    {"usage",
     "[--by account|department|domain] [--from DATE] [--to DATE] [--maillog FILE] [FILE...]",
     "how much mail, out of the records of postroad-milter", "by from to format maillog",
     verb_usage},
    {"whoami", "", "as whom the directory is asked, and what you may administer", DIR_TAKES,
     verb_whoami},
    {"user add", "ADDRESS [--name NAME] [--department PATH] [--generate] ...", "add a person",
     EDIT_TAKES PERSON_TAKES PASSWORD_TAKES "department uid", verb_user_add},
    {"user show", "ADDRESS", "what the directory holds of a person", DIR_TAKES, verb_user_show},
    {"user list", "[--domain NAME [--department PATH]] [--state STATE] [--site SITE]",
     "the people of a domain or department", DIR_TAKES "domain department state site",
     verb_user_list},
    {"user modify", "ADDRESS [--alias ADDRESS] [--remove-alias ADDRESS] [--quota SIZE] ...",
     "change what options say; an empty value takes away",
     EDIT_TAKES PERSON_TAKES
     "mail drop-old remove-alias remove-forward remove-delegate allow limit",
     verb_user_modify},
    {"user suspend", "ADDRESS", "no login and no sending; mail still arrives", EDIT_TAKES,
     verb_user_suspend},
    {"user resume", "ADDRESS", "the opposite", EDIT_TAKES, verb_user_resume},
    {"user move", "ADDRESS DEPARTMENT", "to another department of his domain", EDIT_TAKES,
     verb_user_move},
    {"user password", "ADDRESS [--generate]", "set a new password", EDIT_TAKES PASSWORD_TAKES,
     verb_user_password},
    {"user import", "FILE.csv [--dry-run]", "add many; a rerun does what is left", EDIT_TAKES,
     verb_user_import},
    {"user export", "[--domain NAME [--department PATH]]", "a CSV file that import takes",
     DIR_TAKES "domain department", verb_user_export},
    {"user delete", "ADDRESS [--yes]", "delete a person from the directory", EDIT_TAKES "yes",
     verb_user_delete},
    {"user move-site", "ADDRESS SITE [--abort]",
     "move a mailbox to another site; mail for it waits meanwhile", EDIT_TAKES "abort at wait",
     verb_user_move_site},
    {"domain add", "DOMAIN [--alias DOMAIN]... [SETTINGS]", "make a mail domain",
     EDIT_TAKES SETTINGS "under alias catch-all spoof", verb_domain_add},
    {"domain show", "DOMAIN", "what is known of a domain", DIR_TAKES, verb_domain_show},
    {"domain list", "", "all domains", DIR_TAKES, verb_domain_list},
    {"domain modify", "DOMAIN [--alias DOMAIN]... [SETTINGS]",
     "change a domain, its alias domains, its defaults",
     EDIT_TAKES SETTINGS "yes allow alias remove-alias catch-all spoof", verb_domain_modify},
    {"domain rename", "DOMAIN NEW-NAME --addresses new|keep [--drop-old]",
     "give a domain another name", EDIT_TAKES "yes addresses drop-old", verb_domain_rename},
    {"domain delete", "DOMAIN [--yes]", "delete a domain that is empty", EDIT_TAKES "yes",
     verb_domain_delete},
    {"department add", "DOMAIN/NAME [SETTINGS]", "make a department", EDIT_TAKES SETTINGS,
     verb_department_add},
    {"department show", "DOMAIN/NAME", "what holds in a department", DIR_TAKES,
     verb_department_show},
    {"department list", "[DOMAIN[/NAME]]", "all departments, or those below", DIR_TAKES,
     verb_department_list},
    {"department modify", "DOMAIN/NAME [SETTINGS]", "change a department's defaults",
     EDIT_TAKES SETTINGS "yes allow", verb_department_modify},
    {"department rename", "DOMAIN/NAME NEW-NAME", "give a department another name",
     EDIT_TAKES "yes", verb_department_rename},
    {"department move", "DOMAIN/NAME DOMAIN[/NAME]", "put a department below another one",
     EDIT_TAKES "yes", verb_department_move},
    {"department delete", "DOMAIN/NAME [--yes]", "delete a department that is empty",
     EDIT_TAKES "yes", verb_department_delete},
    {"list add", "ADDRESS [--member ADDRESS]...", "make a distribution list",
     EDIT_TAKES "under name alias sender delegate owner member description", verb_list_add},
    {"list show", "ADDRESS", "what is known of a list", DIR_TAKES, verb_list_show},
    {"list list", "[DOMAIN[/NAME]]", "all lists, or those below", DIR_TAKES, verb_list_list},
    {"list modify", "ADDRESS [OPTIONS]", "change a list, but for its members",
     EDIT_TAKES "mail alias remove-alias sender remove-sender delegate remove-delegate owner "
                "remove-owner state description",
     verb_list_modify},
    {"list delete", "ADDRESS [--yes]", "delete a list", EDIT_TAKES "yes", verb_list_delete},
    {"list member", "add|remove|list LIST [ADDRESS...]", "who gets the mail of a list", EDIT_TAKES,
     verb_list_member},
    {"admin grant", "ADDRESS ROLE [--scope WHERE]... [--right RIGHT]...",
     "make somebody an administrator", EDIT_TAKES "yes scope right", verb_admin_grant},
    {"admin revoke", "ADDRESS [--yes]", "take his role away", EDIT_TAKES "yes", verb_admin_revoke},
    {"admin list", "", "who administers what, and what does not fit together", DIR_TAKES,
     verb_admin_list},
    {"site list", "", "sites and servers, and what is wanted of them", DIR_TAKES, verb_site_list},
    {"site show", "SITE[/SERVER]", "what is known of a site or server", DIR_TAKES, verb_site_show},
    {"site add", "SITE[/SERVER] [--next-hop HOP]... [--certificate PRINT]... [--host NAME]",
     "make a site, or a server of one",
     EDIT_TAKES HOP_TAKES "place standby host description reason", verb_site_add},
    {"site modify", "SITE[/SERVER] [--next-hop HOP] [--remove-next-hop HOP] ...",
     "change where mail for it goes, its certificates and names",
     EDIT_TAKES HOP_TAKES
     "remove-next-hop remove-certificate place standby host description yes reason",
     verb_site_modify},
    {"site delete", "SITE[/SERVER] [--yes]", "delete one that nobody has as his site",
     EDIT_TAKES "yes reason", verb_site_delete},
    {"site failover", "SITE [--reason TEXT] [--yes]", "let its standby site take over",
     EDIT_TAKES "yes reason", verb_site_failover},
    {"site restore", "SITE [--reason TEXT] [--yes]", "let it have its mail again",
     EDIT_TAKES "yes reason", verb_site_restore},
    {"site drain", "SITE/SERVER [--reason TEXT]", "send to it only when no other server is up",
     EDIT_TAKES "yes reason", verb_site_drain},
    {"site down", "SITE/SERVER [--reason TEXT]", "send nothing to it", EDIT_TAKES "yes reason",
     verb_site_down},
    {"site up", "SITE/SERVER [--reason TEXT]", "send to it again", EDIT_TAKES "reason",
     verb_site_up},
    {"ldap-config print", "[--format conf|ldif]",
     "what slapd is to be told: access rules, indices …", LDAP_TAKES "format database",
     verb_ldap_print},
    {"ldap-config diff", "", "what of it has to change at a running slapd, as LDIF",
     LDAP_TAKES DIR_TAKES, verb_ldap_diff},
    {"ldap-config apply", "--yes [--backup FILE]", "change it there",
     LDAP_TAKES DIR_TAKES "yes backup", verb_ldap_apply},
    {"addressbook export", "[--format vcard|csv|ldif] [DOMAIN[/NAME]]",
     "people and lists, for an address book", DIR_TAKES "format", verb_addressbook_export},
};

#define VERBS (sizeof verbs / sizeof *verbs)

/* Whether word is the first of name's words; *rest_r: the second, or "". */
static int
first_word(const char *name, const char *word, const char **rest_r)
{
    size_t n = strlen(word);

    if (strncmp(name, word, n) != 0 || (name[n] && name[n] != ' '))
        return 0;
    *rest_r = name[n] ? name + n + 1 : "";
    return 1;
}

static const struct verb *
say_unknown(const char *word, int known, const char *second)
{
    if (!known)
        ctl_usage("unknown verb \"%s\"", word);
    else if (!second)
        ctl_usage("%s: what about it? \"postroad help %s\" shows it", word, word);
    else
        ctl_usage("unknown verb \"%s %s\"", word, second);
    return NULL;
}

const struct verb *
verb_find(int argc, char **argv, int *words_r)
{
    const char *second = argc > 1 ? argv[1] : NULL, *rest;
    int known = 0;

    for (size_t i = 0; i < VERBS; i++) {
        if (!first_word(verbs[i].name, argv[0], &rest))
            continue;
        known = 1;
        *words_r = *rest ? 2 : 1;
        if (!*rest || (second && strcmp(rest, second) == 0))
            return &verbs[i];
    }
    return say_unknown(argv[0], known, second);
}

/* Whether name is one of the words in list. */
static int
listed(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = list; (p = strstr(p, name)); p += n)
        if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
            return 1;
    return 0;
}

int
verb_takes(const struct verb *verb, const struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->noptions; i++) {
        const char *name = ctl->options[i].name;

        if (strcmp(name, "json") == 0 || listed(verb->takes, name))
            continue;
        ctl_usage("%s does not take %s%s", verb->name, name[1] ? "--" : "-", name);
        return 0;
    }
    return 1;
}

int
verb_help(const char *topic)
{
    const char *rest;
    int shown = 0;

    puts("usage: postroad [-c FILE] [--json] VERB [ARGUMENT...]\n");
    for (size_t i = 0; i < VERBS; i++) {
        char call[128];

        if (topic && !first_word(verbs[i].name, topic, &rest))
            continue;
        shown++;
        snprintf(call, sizeof call, "%s %s", verbs[i].name, verbs[i].args);
        printf(strlen(call) > 32 ? "  %s\n  %-32s %s\n" : "  %.0s%-32s %s\n", call,
               strlen(call) > 32 ? "" : call, verbs[i].help);
    }
    if (topic && !shown)
        return ctl_usage("unknown verb \"%s\"", topic);
    puts("\n  -c FILE    another configuration file than " POSTROAD_SYSCONFDIR
         "/postroad/" CONF_PATH_DEFAULT "\n"
         "  --json     one line of JSON instead of text\n"
         "  --version  version and exit\n\n"
         "Verbs that ask or change the directory do so as you are there:\n"
         "  -D, --bind-dn DN|ADDRESS   who you are; the password is asked for\n"
         "  -y, --password-file FILE   its first line is your password\n"
         "  -Y EXTERNAL, --external    who the socket or certificate says you are\n"
         "  --tls-cert FILE --tls-key FILE   your certificate\n"
         "  -H, --uri URI              another server\n"
         "  --dry-run                  print the change as LDIF, and change nothing\n\n"
         "Exit codes: 0 done, 1 the answer is no, 2 usage or configuration, 75 try again later.\n"
         "See postroad(8), postroad.conf(5), postroad-maps(7).");
    return CTL_DONE;
}
