/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held: mail that waits for a moderator, as the verbs `postroad held …` see it: asked of the
 * directory as whoever calls, who sees what he may decide or has sent; or of the daemon of this
 * machine, for root, which knows of this site only.
 *
 * A message is a JSON object with the members of its record (postroad-milter(8)), in both cases: id, site,
 * state, rule, sender, recipients, recipient_count, size, subject, attachments; time, expires and decided
 * as text in UTC; by, reason; target, an address, or target_dn. Of the directory also verdict and
 * verdict_by, as long as the site has not carried it out.
 */
#ifndef POSTROAD_HELD_H
#define POSTROAD_HELD_H

#include "ctl.h"
#include "dir.h"

#define HELD_CONTAINER "cn=held"

struct held_way {
    const struct ctl *ctl;
    struct dir *d; /* NULL: the daemon is asked */
    char error[2048];
};

/* As the options and the configuration say. Says itself what went wrong. */
int held_open(const struct ctl *ctl, struct held_way *w);
void held_close(struct held_way *w);

/* All in state ("held", …; NULL: in any), oldest first; an array to be freed. Says what went wrong. */
int held_all(struct held_way *w, const char *state, json_t **list_r);
/* Drop those of list that --rule, --sender and --site don't name. */
void held_filter(const struct ctl *ctl, json_t *list);
/* The one of list (not owned) that asked means, all of an ID or an end of it; NULL and w->error. */
json_t *held_meant(struct held_way *w, json_t *list, const char *asked);
/* The message as it is now; CTL_NO: there is none any more. What went wrong is in w->error. */
int held_again(struct held_way *w, const char *id, json_t **message_r);
/* Give the verdict "approve" or "reject"; reason may be NULL. What went wrong is in w->error. */
int held_say(struct held_way *w, json_t *message, const char *verdict, const char *reason);
/* 1: whoever calls may decide; 0: no, and why (a fixed string's copy); -1: can't tell. */
int held_may(struct held_way *w, json_t *message, char *why, size_t n);

/* What became of it, in words: "held", "approved by … 2026-…"; into out, returned. */
const char *held_fate(json_t *message, char *out, size_t n);

/* held_dir.c and held_daemon.c: the two ways. */
int held_dir_all(struct held_way *w, const char *state, json_t *list);
int held_dir_again(struct held_way *w, const char *id, json_t **message_r);
int held_dir_say(struct held_way *w, json_t *message, const char *verdict, const char *reason);
int held_daemon_all(struct held_way *w, const char *state, json_t *list);
int held_daemon_again(struct held_way *w, const char *id, json_t **message_r);
int held_daemon_say(struct held_way *w, json_t *message, const char *verdict, const char *reason);

int verb_held_list(struct ctl *ctl);
int verb_held_show(struct ctl *ctl);
int verb_held_approve(struct ctl *ctl);
int verb_held_reject(struct ctl *ctl);

#endif
