/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit: what the verbs about the audit log share.
 */
#ifndef POSTROAD_CTL_AUDIT_H
#define POSTROAD_CTL_AUDIT_H

#include "audit_chain.h"
#include "audit_file.h"
#include "audit_filter.h"
#include "ctl.h"

int verb_audit_verify(struct ctl *ctl);
int verb_audit_list(struct ctl *ctl);
int verb_access_open(struct ctl *ctl);
int verb_access_list(struct ctl *ctl);
int verb_access_close(struct ctl *ctl);

/* The folder of the log, read directly: its descriptor, or -1 with errno. */
int audit_dir_open(const struct ctl *ctl);
/*
 * Hand each line of the log to fn, file by file; name and line number say where. whole: it ends with
 * LF. fn returns 0 to go on. Files that hold nothing from record `from` on are left out. 0, -1 with
 * errno, or what fn returned.
 */
typedef int audit_line_fn(void *ctx, const char *name, uint64_t number, struct span line,
                          int whole);
int audit_dir_read(int dir_fd, uint64_t from, audit_line_fn *fn, void *ctx);

/* One record for people, on stdout. */
void audit_show(const struct audit_line *l);

/* Who calls, proven by a bind at the directory: his address. Says itself what went wrong. */
int audit_who(const struct ctl *ctl, char *address, size_t cap);

#endif
