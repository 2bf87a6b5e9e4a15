/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue, inside: what role queue's files share. One list and one deed at a time.
 */
#ifndef POSTROAD_QUEUE_PRIVATE_H
#define POSTROAD_QUEUE_PRIVATE_H

#include <event2/event.h>

#include "queue_figures.h"
#include "queue_run.h"
#include "role_end.h"

#define QUEUE_WORK_MAX 128
#define QUEUE_SAID_MAX 4096 /* of what a program writes beside a list */

struct queue_role;

/* queue_job.c: a program that runs. Its output goes to take, or, where that is NULL, to said. */
struct queue_job {
    struct queue_role *role;
    uint64_t number; /* 0: none runs */
    enum queue_program program;
    int64_t until_ms;
    int fd[2], reported, status;
    int lost; /* of its output: nobody listened */
    struct event *ev[2];
    void (*take)(struct queue_job *j, const char *p, size_t n);
    void (*done)(struct queue_job *j, const char *trouble); /* trouble "": exit code 0 */
    char said[QUEUE_SAID_MAX];
    size_t said_n;
};

/* 0, or -1 (errno): it does not run, and done is not called. */
int queue_job_start(struct queue_job *j, enum queue_program program, const char *queue_id);
void queue_job_report(struct queue_job *j, const struct program_report *report);
/* Give up one whose report does not come. */
void queue_job_tick(struct queue_job *j, int64_t now);
void queue_job_forget(struct queue_job *j);

/* queue_list.c: the list that is under way. */
struct queue_list {
    struct queue_job job;
    struct queue_line line;
    struct queue_figures figures;
    int64_t began_ms, ended_ms, took_ms; /* monotonic */
    int bad;
    char trouble[QUEUE_TEXT]; /* of the last one; "" it was well */
};

/* Begin one when it is time for it, or somebody waits for one. */
void queue_list_pump(struct queue_role *r, int64_t now);

/* queue_work.c: what was asked for and is not answered. */
enum queue_stage { STAGE_FREE, STAGE_ASKED, STAGE_LISTED, STAGE_FOUND, STAGE_DOING };

struct queue_work {
    enum queue_stage stage;
    struct queue_request request;
    uint64_t order; /* of arrival */
    int seen, missed;
    struct queue_entry entry;
};

void queue_work_take(struct queue_role *r, const struct queue_request *q);
/* A list: is one wanted; it begins; shows this; ends. trouble "": it is whole. */
int queue_work_waits(const struct queue_role *r);
void queue_work_begin(struct queue_role *r);
void queue_work_show(struct queue_role *r, const struct queue_entry *e);
void queue_work_end(struct queue_role *r, const char *trouble);
/* Begin the next deed, forget whom nobody waits for. */
void queue_work_pump(struct queue_role *r, int64_t now);

struct queue_role {
    struct role_env *env;
    struct event_base *base;
    struct role_end end;
    int ask_fd, helper_fd;
    uint64_t last_number, last_order;
    struct queue_list list;
    struct queue_job deed, flush; /* flush: have Postfix try what was released at once */
    struct queue_work *doing;     /* what deed is for */
    char flush_id[QUEUE_ID_MAX + 1];
    struct queue_work work[QUEUE_WORK_MAX];
};

#endif
