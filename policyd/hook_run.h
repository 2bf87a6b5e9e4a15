/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_run: events given to commands. Role hook can't run programs itself; a helper, made
 * before the role gives its rights up and without its sandbox, does nothing but that: each
 * event is one process, as the role's user, without new privileges, with the event on
 * standard input, ended with all it has started when its time is up.
 */
#ifndef POSTROAD_HOOK_RUN_H
#define POSTROAD_HOOK_RUN_H

#include "hook.h"

struct hook_runner;

/* Make the helper; before role_drop. The socket to it, or -1 (errno). */
int hook_run_helper(const struct role_env *env);

/* Take over the socket. NULL: no memory. */
struct hook_runner *hook_runner_new(struct hook *h, int fd);
void hook_runner_free(struct hook_runner **r);
/* Start the target's command with the event; hook_landed follows. -1: it can't even begin. */
int hook_start(struct hook_runner *r, struct hook_target *t, struct hook_item *item,
               const char *event, size_t n);

/*
 * hook_words_of: the words of a command line in place, with the %{name}s in them replaced by the event's
 * values, into buf. How many, or -1: too many or too long. words ends with NULL.
 */
#define HOOK_ARGS 32
int hook_args(const char *command, const char *event, size_t n, char *buf, size_t cap,
              char *words[HOOK_ARGS + 1]);

#endif
