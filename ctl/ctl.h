/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl: what the verbs of `postroad` share: the parsed command line, exit codes,
 * and the way to the daemon.
 */
#ifndef POSTROAD_CTL_H
#define POSTROAD_CTL_H

#include <jansson.h>

#include "conf.h"

enum ctl_exit { CTL_DONE = 0, CTL_NO = 1, CTL_USAGE = 2, CTL_TEMPORARY = 75 };

#define CTL_OPTIONS_MAX 256

struct ctl {
    const char *conf_path;
    struct conf *conf; /* NULL for verbs that need none */
    int json, all;
    const char *reason; /* --reason; NULL when not given */
    const char *at;     /* --at; NULL when not given */
    int wait;           /* --wait, seconds */
    int argc;           /* what follows the verb */
    char **argv;
    struct ctl_option {
        const char *name, *value; /* value: "" for an option without one */
    } options[CTL_OPTIONS_MAX];   /* all that were given, in order */
    size_t noptions;
    char *said; /* not NULL: what ctl_fail says goes there, said_n bytes */
    size_t said_n;
};

/* Each verb in a file of its own; returns an enum ctl_exit. See verbs.c. */
int verb_lookup(struct ctl *ctl);
int verb_explain(struct ctl *ctl);
int verb_may(struct ctl *ctl);
int verb_who(struct ctl *ctl);
int verb_status(struct ctl *ctl);
int verb_config(struct ctl *ctl);
int verb_sweep(struct ctl *ctl);
int verb_compare(struct ctl *ctl);
int verb_hook_list(struct ctl *ctl);
int verb_hook_retry(struct ctl *ctl);
int verb_hook_drop(struct ctl *ctl);
int verb_whoami(struct ctl *ctl);
int verb_usage(struct ctl *ctl);
int verb_ldap_print(struct ctl *ctl);
int verb_ldap_diff(struct ctl *ctl);
int verb_ldap_apply(struct ctl *ctl);

/* explain_send.c: verb_explain with --from and --to. */
int explain_send(struct ctl *ctl);
/* explain_spoof.c: verb_explain with --from and --client. */
int explain_spoof(struct ctl *ctl);
/* An address of the envelope, also between angle brackets, without them; "" for <>. out has room for what fits. */
#define EXPLAIN_ADDRESS 1024
const char *explain_address(const char *given, char out[EXPLAIN_ADDRESS]);
/* explain_hold.c: what moderation would do with what explain_send asks about, of who is logged in ("" nobody);
 * *reply_r is owned, its "ok" false and CTL_TEMPORARY returned when it can't be told. */
struct explain_who {
    const char *from, *to, *login;
};
int explain_hold(struct ctl *ctl, const struct explain_who *who, json_t **reply_r);
void explain_hold_print(json_t *reply);

/* lookup_access.c: verb_lookup for the map "access", whose key is "ACTOR TARGET SERVICE". */
int lookup_access(struct ctl *ctl, const char *key);

/* options.c. The value of an option (the last one), "" when it takes none; NULL: not given. */
const char *ctl_value(const struct ctl *ctl, const char *option);
/* All values in turn: start with *at = 0; NULL at the end. */
const char *ctl_next_value(const struct ctl *ctl, const char *option, size_t *at);

/*
 * CTL_DONE, or CTL_USAGE after saying what to do: new entries of this sort are made in directories
 * of these presets only (blanks between), as another one's filters would not find ours.
 */
int ctl_needs_preset(const struct ctl *ctl, const char *what, const char *presets);
/* "postroad: …" on stderr; returns CTL_USAGE, so that a verb can return it. */
int ctl_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for what is no wrong usage, or {"ok":false,…} with --json; returns code. */
int ctl_fail(const struct ctl *ctl, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * daemon.c: ask the control socket. request is consumed. Returns CTL_DONE and a reply with
 * "ok":true (json_decref it), or an exit code after saying what happened (as JSON with --json).
 */
int daemon_ask(const struct ctl *ctl, json_t *request, json_t **reply_r);
/* The same at another socket; site: whose it is, NULL for ours. */
int daemon_ask_at(const struct ctl *ctl, const char *path, const char *site, json_t *request,
                  json_t **reply_r);
/* The same at ours, but says nothing: *reply_r may be a refusal. 0, or -1: nobody answers. */
int daemon_ask_quietly(const struct ctl *ctl, json_t *request, json_t **reply_r);
/* Say that nobody answers at path, what is still safe and what to do. Returns CTL_TEMPORARY. */
int daemon_silent(const struct ctl *ctl, const char *path, const char *error);

/* Print o as one line of JSON; o is consumed. */
void ctl_print_json(json_t *o);

#endif
