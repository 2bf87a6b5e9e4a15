/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_log: role access at the audit log, of which it is the only writer.
 *
 * Promises: what can't be written now is tried again each RETRY_MS and said in the
 * system's log, and whoever needed the record is told so; a slow disk doesn't look like
 * a role that stands still. Must not decide what a missing record means.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "access.h"
#include "beat.h"

#define RETRY_MS      5000
#define FAILED_LOGINS 60 /* recorded in a minute: wrong passwords are strangers' doing */

static void
failed(struct access *a, const char *error)
{
    unsigned skipped;

    if (error != a->audit_error)
        snprintf(a->audit_error, sizeof a->audit_error, "%s", error);
    board_say(a->board, a->audit_error);
    board_add(a->board, BOARD_ACCESS_AUDIT_ERRORS, 1);
    if (log_limit(&a->audit_limit, 1, 60, &skipped))
        log_error("audit log can't be written, administrators are not let into mailboxes "
                  "why=\"%s\" unlogged=%u",
                  a->audit_error, skipped);
}

static void
works(struct access *a)
{
    if (*a->audit_error)
        log_notice("audit log is written again");
    *a->audit_error = '\0';
    board_say(a->board, "");
}

/* How far the log goes, for status: an anchor that is not in its files. */
static void
publish_newest(struct access *a)
{
    char hash[AUDIT_HASH], word[17] = "";
    uint64_t seq = audit_newest(a->audit, hash);

    board_publish(a->board, BOARD_ACCESS_AUDIT_SEQ, 0);
    for (int i = 0; i < 4; i++) {
        memcpy(word, hash + 16 * i, 16);
        board_publish(a->board, BOARD_ACCESS_AUDIT_SEQ + 1 + i, strtoull(word, NULL, 16));
    }
    board_publish(a->board, BOARD_ACCESS_AUDIT_SEQ, seq);
}

int
access_log_open(struct access *a)
{
    char dir[1100];

    snprintf(dir, sizeof dir, "%s/audit", a->env->conf->state_dir);
    beat_step();
    a->audit = audit_open(dir, a->env->conf->site, a->audit_error, sizeof a->audit_error);
    a->audit_retry_ms = beat_now() + RETRY_MS;
    if (a->audit) {
        publish_newest(a);
        return 0;
    }
    failed(a, a->audit_error);
    return -1;
}

void
access_log_tick(struct access *a, int64_t now_ms)
{
    char anchor[AUDIT_ANCHOR_TEXT], error[512];
    int rc;

    if (!a->audit && now_ms >= a->audit_retry_ms && access_log_open(a) == 0)
        works(a);
    if (!a->audit)
        return;
    beat_step();
    rc = audit_tick(a->audit, clock_wall_ms(), anchor, error, sizeof error);
    beat_now();
    if (rc > 0)
        log_notice("audit log goes as far as %s", anchor);
    else if (rc < 0)
        failed(a, error);
}

void
access_log_close(struct access *a)
{
    char hash[AUDIT_HASH];
    uint64_t seq = a->audit ? audit_newest(a->audit, hash) : 0;

    if (seq > 0)
        log_notice("audit log ends at seq=%" PRIu64 " hash=%s", seq, hash);
    audit_close(&a->audit);
}

int
access_log_add(struct access *a, const struct audit_record *r)
{
    char error[512];
    int rc;

    if (!a->audit)
        return -1;
    beat_step();
    rc = audit_add(a->audit, clock_wall_ms(), r, error, sizeof error);
    beat_now();
    if (rc == 0) {
        if (*a->audit_error)
            works(a);
        publish_newest(a);
        board_add(a->board, BOARD_ACCESS_RECORDS, 1);
        return 0;
    }
    failed(a, error);
    return -1;
}

int
access_log_login(struct access *a, const struct audit_record *r, int good, int own)
{
    const char *which = a->env->conf->access.record_logins;
    unsigned skipped;

    if (strcmp(which, "none") == 0 || (own && strcmp(which, "all") != 0) ||
        (!good && !log_limit(&a->failed_limit, FAILED_LOGINS, 60, &skipped)))
        return 0;
    return access_log_add(a, r);
}
