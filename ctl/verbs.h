/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verbs: the table of all verbs, the table of all options, and the command line
 * read by both.
 */
#ifndef POSTROAD_VERBS_H
#define POSTROAD_VERBS_H

#include "ctl.h"

struct verb {
    const char *name;  /* one word, or two: "user add" */
    const char *args;  /* for help: "ADDRESS [--name NAME]" */
    const char *help;  /* half a sentence */
    const char *takes; /* options besides -c and --json, by name, blanks between */
    int (*run)(struct ctl *);
};

/* By the one or two words at argv[0]. *words_r: how many they are. NULL: after saying why. */
const struct verb *verb_find(int argc, char **argv, int *words_r);
/* Whether verb takes all options that were given; if not, says so. */
int verb_takes(const struct verb *verb, const struct ctl *ctl);
/* The overview: all verbs, or those that begin with topic. Returns an exit code. */
int verb_help(const char *topic);

/* Read argv into ctl. -1 to go on at argv[optind], else the exit code. */
int options_parse(struct ctl *ctl, int argc, char **argv);

#endif
