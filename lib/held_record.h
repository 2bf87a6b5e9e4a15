/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_record: what is known of a held message, a file STATE/held/ID.json with one JSON object; see
 * Moderation in postroad-milter(8). postroad-milter makes it, before Postfix is told to hold the message;
 * role held alone changes and removes it afterwards.
 *
 * A file is there in full or not at all: it is written beside (ID.new), forced to disk and renamed; who
 * watches the folder waits for IN_MOVED_TO. A reader sees the old or the new one.
 */
#ifndef POSTROAD_HELD_RECORD_H
#define POSTROAD_HELD_RECORD_H

#include <stdint.h>
#include <sys/types.h>

#include "addr.h"
#include "held_id.h"
#include "held_words.h"

#define HELD_FOLDER      "held" /* below state_dir */
#define HELD_NEW         "new"  /* in it: where the milter puts records down */
#define HELD_RECIPIENTS  100
#define HELD_ATTACHMENTS 20
#define HELD_FILE_MAX    (256 * 1024) /* bytes; a larger file is none of ours */

/* About 40 KiB: not for a thread's stack. Text that is read is UTF-8 without control
 * bytes; what is not is shown as "?" in what is written. */
struct held_record {
    char id[HELD_ID_MAX + 1], site[65], queue[HELD_QUEUE_MAX + 1];
    int64_t time_ms, expires_ms; /* wall clock */
    enum held_on_expire on_expire;
    char rule[65], why[256];
    char sender[ADDR_MAX + 1], login[ADDR_MAX + 1]; /* without angle brackets; login may be "" */
    char target[ADDR_MAX + 1];        /* primary address of whose `approve` decides; "": nobody's */
    char target_uuid[37];             /* his entry's, once role held knows it: addresses change */
    unsigned recipients, attachments; /* how many are here */
    char recipient[HELD_RECIPIENTS][ADDR_MAX + 1]; /* as in the envelope, without brackets */
    char attachment[HELD_ATTACHMENTS][256];        /* names of files */
    uint64_t recipient_count, size;                /* of the message; bytes */
    char subject[201], direction[12];

    /* By role held. */
    enum held_state state;
    char by[1025], reason[1025]; /* a DN or "root@host" */
    int64_t decided_ms;          /* 0: not yet */
    int seen;                    /* Postfix was seen to have it in its hold queue */
    int audited, done;           /* the verdict is in the audit log; it has been carried out */
    int published, shown;        /* the directory has it, and knows its state */
    int noticed, end_noticed;    /* the sender was told that it is held; what became of it */
};

/* The folder STATE/held, made (0700) when it is not there. A descriptor, or -1 and error. */
int held_folder(const char *state_dir, char *error, size_t error_n);

/* 1; 0 there is none; -1 and error: it can't be read now, or is damaged. *r is written only with 1. */
int held_record_read(int folder, const char *id, struct held_record *r, char *error,
                     size_t error_n);
/* Where role held takes records from, below folder, made (0700) when it is not there; likewise. */
int held_drop(int folder, char *error, size_t error_n);
/* Put a new one down there: as held_record_create, for another user to read, whom the folder lets in. */
int held_record_drop(int drop, const struct held_record *r, char *error, size_t error_n);
/*
 * Read one there, believing nothing: a file of nobody else's but of uid's or uid2's, with no other name. 1
 * with when its inode was changed last (wall clock, which its owner can't set); 0; -1 and error; -2 and error:
 * it is somebody else's, who may be one of the two after the next change of the configuration.
 */
int held_record_peek(int drop, const char *id, const uid_t uid[2], struct held_record *r,
                     int64_t *changed_ms_r, char *error, size_t error_n);
/* A new one, on disk before it returns. 0, or -1 and error: there is none (or there was one before). */
int held_record_create(int folder, const struct held_record *r, char *error, size_t error_n);
/* In its place. 1; 0 there is none any more, and none was made; -1 and error: the old one is there. */
int held_record_update(int folder, const struct held_record *r, char *error, size_t error_n);
/* 1 removed, 0 there was none, -1 and error. */
int held_record_remove(int folder, const char *id, char *error, size_t error_n);

/* The ID of each, in no order, until fn returns other than 0, which is returned then; 0; -1 and error. */
int held_record_each(int folder, int (*fn)(void *ctx, const char *id), void *ctx, char *error,
                     size_t error_n);
/* Remove what unfinished writes left, when it was not touched since before_s (wall clock). */
void held_record_tidy(int folder, int64_t before_s);

#endif
