/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options: the one table of options of all verbs, and what was given of them.
 * Which verb takes which option stands in verbs.c.
 *
 * Must not take a password: what is on a command line is in ps.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "verbs.h"

/* Above all letters: what getopt returns for a row; the row itself it tells by its index. */
enum { OPT_NOTE = 256, OPT_VERSION, OPT_HELP };

static const struct option options[] = {
    {"json", no_argument, NULL, OPT_NOTE},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {"reason", required_argument, NULL, OPT_NOTE},
    {"at", required_argument, NULL, OPT_NOTE},
    {"wait", required_argument, NULL, OPT_NOTE},
    /* who asks the directory, see dir_who.c */
    {"bind-dn", required_argument, NULL, OPT_NOTE},
    {"uri", required_argument, NULL, OPT_NOTE},
    {"password-file", required_argument, NULL, OPT_NOTE},
    {"external", no_argument, NULL, OPT_NOTE},
    {"tls-cert", required_argument, NULL, OPT_NOTE},
    {"tls-key", required_argument, NULL, OPT_NOTE},
    {"dry-run", no_argument, NULL, OPT_NOTE},
    {"yes", no_argument, NULL, OPT_NOTE},
    /* of people, see user_fields.c */
    {"new-password-file", required_argument, NULL, OPT_NOTE},
    {"prompt", no_argument, NULL, OPT_NOTE},
    {"generate", no_argument, NULL, OPT_NOTE},
    {"mail", required_argument, NULL, OPT_NOTE},
    {"drop-old", no_argument, NULL, OPT_NOTE},
    {"name", required_argument, NULL, OPT_NOTE},
    {"given", required_argument, NULL, OPT_NOTE},
    {"surname", required_argument, NULL, OPT_NOTE},
    {"department", required_argument, NULL, OPT_NOTE},
    {"domain", required_argument, NULL, OPT_NOTE},
    {"alias", required_argument, NULL, OPT_NOTE},
    {"remove-alias", required_argument, NULL, OPT_NOTE},
    {"site", required_argument, NULL, OPT_NOTE},
    {"standby", required_argument, NULL, OPT_NOTE},
    {"quota", required_argument, NULL, OPT_NOTE},
    {"state", required_argument, NULL, OPT_NOTE},
    {"deny", required_argument, NULL, OPT_NOTE},
    {"allow", required_argument, NULL, OPT_NOTE},
    {"forward", required_argument, NULL, OPT_NOTE},
    {"remove-forward", required_argument, NULL, OPT_NOTE},
    {"delegate", required_argument, NULL, OPT_NOTE},
    {"remove-delegate", required_argument, NULL, OPT_NOTE},
    {"limit", required_argument, NULL, OPT_NOTE},
    {"title", required_argument, NULL, OPT_NOTE},
    {"phone", required_argument, NULL, OPT_NOTE},
    {"mobile", required_argument, NULL, OPT_NOTE},
    {"uid", required_argument, NULL, OPT_NOTE},
    {"format", required_argument, NULL, OPT_NOTE},
    {"abort", no_argument, NULL, OPT_NOTE},
    /* of the organisation, see org_values.c */
    {"description", required_argument, NULL, OPT_NOTE},
    {"addresses", required_argument, NULL, OPT_NOTE},
    {"catch-all", required_argument, NULL, OPT_NOTE},
    {"spoof", required_argument, NULL, OPT_NOTE},
    {"under", required_argument, NULL, OPT_NOTE},
    {"sender", required_argument, NULL, OPT_NOTE},
    {"owner", required_argument, NULL, OPT_NOTE},
    {"member", required_argument, NULL, OPT_NOTE},
    {"remove-sender", required_argument, NULL, OPT_NOTE},
    {"remove-owner", required_argument, NULL, OPT_NOTE},
    {"place", required_argument, NULL, OPT_NOTE},
    {"host", required_argument, NULL, OPT_NOTE},
    {"next-hop", required_argument, NULL, OPT_NOTE},
    {"remove-next-hop", required_argument, NULL, OPT_NOTE},
    {"certificate", required_argument, NULL, OPT_NOTE},
    {"remove-certificate", required_argument, NULL, OPT_NOTE},
    {"scope", required_argument, NULL, OPT_NOTE},
    {"right", required_argument, NULL, OPT_NOTE},
    /* audit log and openings */
    {"target", required_argument, NULL, OPT_NOTE},
    {"actor", required_argument, NULL, OPT_NOTE},
    {"action", required_argument, NULL, OPT_NOTE},
    {"since", required_argument, NULL, OPT_NOTE},
    {"until", required_argument, NULL, OPT_NOTE},
    {"anchor", required_argument, NULL, OPT_NOTE},
    {"from", required_argument, NULL, OPT_NOTE},
    {"for", required_argument, NULL, OPT_NOTE},
    {"client", required_argument, NULL, OPT_NOTE},
    {"header-from", required_argument, NULL, OPT_NOTE},
    /* held mail */
    {"rule", required_argument, NULL, OPT_NOTE},
    {"all", no_argument, NULL, OPT_NOTE},
    {"count", required_argument, NULL, OPT_NOTE},
    {"local", no_argument, NULL, OPT_NOTE},
    /* usage */
    {"by", required_argument, NULL, OPT_NOTE},
    {"to", required_argument, NULL, OPT_NOTE},
    {"maillog", required_argument, NULL, OPT_NOTE},
    /* explain */
    {"size", required_argument, NULL, OPT_NOTE},
    {"subject", required_argument, NULL, OPT_NOTE},
    {"attachment", required_argument, NULL, OPT_NOTE},
    /* ldap-config */
    {"base", required_argument, NULL, OPT_NOTE},
    {"domains", required_argument, NULL, OPT_NOTE},
    {"gate", required_argument, NULL, OPT_NOTE},
    {"services", required_argument, NULL, OPT_NOTE},
    {"sites", required_argument, NULL, OPT_NOTE},
    {"part", required_argument, NULL, OPT_NOTE},
    {"format", required_argument, NULL, OPT_NOTE},
    {"template", required_argument, NULL, OPT_NOTE},
    {"database", required_argument, NULL, OPT_NOTE},
    {"server-id", required_argument, NULL, OPT_NOTE},
    {"peer", required_argument, NULL, OPT_NOTE},
    {"tls-dir", required_argument, NULL, OPT_NOTE},
    {"backup", required_argument, NULL, OPT_NOTE},
    {NULL, 0, NULL, 0},
};

static int
note(struct ctl *ctl, const char *name, const char *value)
{
    if (ctl->noptions == CTL_OPTIONS_MAX)
        return ctl_usage("more than %d options", CTL_OPTIONS_MAX);
    ctl->options[ctl->noptions].name = name;
    ctl->options[ctl->noptions++].value = value ? value : "";
    return -1;
}

const char *
ctl_next_value(const struct ctl *ctl, const char *option, size_t *at)
{
    while (*at < ctl->noptions) {
        const struct ctl_option *o = &ctl->options[(*at)++];

        if (strcmp(o->name, option) == 0)
            return o->value;
    }
    return NULL;
}

const char *
ctl_value(const struct ctl *ctl, const char *option)
{
    const char *last = NULL, *value;
    size_t at = 0;

    while ((value = ctl_next_value(ctl, option, &at)))
        last = value;
    return last;
}

int
ctl_needs_preset(const struct ctl *ctl, const char *what, const char *presets)
{
    const char *preset = ctl->conf->directory.preset;
    size_t n = strlen(preset);

    for (const char *p = presets; (p = strstr(p, preset)); p += n)
        if ((p == presets || p[-1] == ' ') && (!p[n] || p[n] == ' '))
            return CTL_DONE;
    return ctl_fail(ctl, CTL_USAGE,
                    "directory.preset is %s: new %s are made by the tools of that directory, whose "
                    "classes and attributes they need. The mirror has them at once. What Postroad "
                    "keeps besides (home site, state, quota, functions) can then be set: give the "
                    "entry the class postroadAccount, and use \"postroad user modify\"",
                    preset, what);
}

/* -1: it is no number of seconds. */
static int
seconds(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    return *text && !*end && n >= 0 && n <= 3600 ? (int)n : -1;
}

/* The options every verb has or most verbs look at. */
static int
settle(struct ctl *ctl)
{
    const char *wait = ctl_value(ctl, "wait");

    ctl->json = ctl_value(ctl, "json") != NULL;
    ctl->all = ctl_value(ctl, "a") != NULL;
    ctl->reason = ctl_value(ctl, "reason");
    ctl->at = ctl_value(ctl, "at");
    if (wait && (ctl->wait = seconds(wait)) < 0)
        return ctl_usage("--wait takes seconds, at most 3600");
    return -1;
}

/* As the tools of OpenLDAP are told; of their mechanisms there is one that needs no password. */
static int
sasl_mechanism(struct ctl *ctl, const char *name)
{
    if (strcasecmp(name, "EXTERNAL") != 0)
        return ctl_usage("-Y takes EXTERNAL, as --external does; with a password use -D");
    return note(ctl, "external", NULL);
}

static int
take(struct ctl *ctl, int o, const char *name)
{
    switch (o) {
    case 'c':
        ctl->conf_path = optarg;
        return -1;
    case 'a':
        return note(ctl, "a", NULL);
    case 'n':
        return note(ctl, "n", NULL);
    case 'D':
        return note(ctl, "bind-dn", optarg);
    case 'H':
        return note(ctl, "uri", optarg);
    case 'y':
        return note(ctl, "password-file", optarg);
    case 'Y':
        return sasl_mechanism(ctl, optarg);
    case OPT_VERSION:
        puts("postroad " PACKAGE_VERSION);
        return CTL_DONE;
    case 'h':
    case OPT_HELP:
        return verb_help(NULL);
    case '?':
        fputs("Try \"postroad help\", or postroad(8).\n", stderr);
        return CTL_USAGE;
    default:
        return note(ctl, name, optarg);
    }
}

int
options_parse(struct ctl *ctl, int argc, char **argv)
{
    int o, status, row = 0;

    while ((o = getopt_long(argc, argv, "c:anhD:H:y:Y:", options, &row)) != -1)
        if ((status = take(ctl, o, options[row].name)) != -1)
            return status;
    return settle(ctl);
}
