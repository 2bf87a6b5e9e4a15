/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_site: what the files of `user move-site` share: the record of a move that is
 * under way, which stands at the account in the directory, so that anybody may go on
 * with it or go back; copying; and waiting until the sites know.
 */
#ifndef POSTROAD_MOVE_SITE_H
#define POSTROAD_MOVE_SITE_H

#include "org.h"

#define MOVE_NAME_MAX   65
#define MOVE_RECORD_MAX 257

/* copy: the mailbox is on its way, mail waits. late: it has moved, one more look at the old place. */
enum move_step { MOVE_NONE, MOVE_COPY, MOVE_LATE };

struct move {
    enum move_step step;
    char to[MOVE_NAME_MAX], from[MOVE_NAME_MAX];
    char home[MOVE_NAME_MAX], state[16]; /* the entry's own, before; "": it had none */
};

/* move_record.c. parse: 0, or -1 when it is none of ours. */
int move_record_parse(const char *text, struct move *m);
void move_record_format(const struct move *m, char out[MOVE_RECORD_MAX]);

/*
 * move_copy.c: run a command of the configuration without a shell, with %u %from %to %from_host
 * %to_host in its words replaced. CTL_DONE, or CTL_TEMPORARY after saying how it ended. One that
 * closes sessions may find none, and has less time: mail waits for it.
 */
enum move_kind { MOVE_COPIES, MOVE_CLOSES };
struct move_names {
    const char *user, *from, *to, *from_host, *to_host;
};
int move_run(const struct ctl *ctl, const struct conf_list *command, const struct move_names *names,
             enum move_kind kind);
/*
 * The same for one that prints a list: each line, without its end, is given to `each`, which returns 0, or
 * -1 with *error_r what is wrong with it, a fixed text. MOVE_SILENT, with nothing said: it printed
 * no more, and did not end either.
 */
#define MOVE_SILENT (-1)
typedef int move_line(void *ctx, char *line, const char **error_r);
int move_read(const struct ctl *ctl, const struct conf_list *command,
              const struct move_names *names, move_line *each, void *ctx);
/* One word with its names put in. The length, or -1: too long, or a % that means nothing. */
long move_expand(const char *word, const struct move_names *names, char *out, size_t cap);
/* Whether an address may be put into a command: it can't be taken for an option, nor by a shell. */
int move_is_plain(const char *address);

/*
 * move_await.c: until the daemon of a site says that the account is moving, or (home given) that it
 * is at home there and not moving. CTL_DONE; CTL_NO: nobody can be asked there; CTL_TEMPORARY: it
 * was not so within the time, after saying so.
 */
int move_await(struct ctl *ctl, const char *site, const char *address, const char *home,
               int seconds);

/*
 * move_verify.c: copy, and compare both places, message by message; again when they are not the same.
 * CTL_DONE: all that the old place has is at the new one. Else CTL_TEMPORARY or CTL_USAGE, after saying what
 * is missing, or what went wrong.
 */
int move_copy_verified(const struct ctl *ctl, const struct move_names *names, enum move_step step);

int verb_user_move_site(struct ctl *ctl);

#endif
