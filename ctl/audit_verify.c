/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_verify: whether the audit log is as it was written: what is wrong where, and
 * what is proven nevertheless.
 *
 * Promises: reads each record once, in bounded memory; "fine" is said only when all
 * records from the first one (or --from) to the newest known one hold together and each
 * anchor fits. Must not claim that this proves more than it does: hashes without a key
 * show what was changed by accident or in part; only an anchor kept elsewhere shows
 * that all was made anew.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "show.h"
#include "text.h"

#define FINDINGS_MAX 200
#define ANCHORS_MAX  64

struct anchor {
    uint64_t seq;
    char hash[AUDIT_HASH];
    const char *from; /* where we know it from */
    int state;        /* 1 fits, -1 does not; 0: the record was not seen */
};

struct verify {
    const struct ctl *ctl;
    struct audit_chain chain;
    uint64_t from, first, last, lines, findings, runs;
    struct anchor anchors[ANCHORS_MAX];
    size_t nanchors;
    uint64_t run_from;            /* the stretch that holds together, as far as it was printed */
    int unfinished;               /* the last line has no end */
    json_t *found, *proven, *own; /* with --json; own: what the log says of itself */
};

/* --- what is found --- */

static void
sentence(const struct audit_verdict *v, char *out, size_t n)
{
    switch (v->finding) {
    case AUDIT_NO_RECORD:
        snprintf(out, n, "this line is no record");
        break;
    case AUDIT_CHANGED:
        snprintf(out, n, "record %" PRIu64 " was changed: it does not fit its hash", v->from);
        break;
    case AUDIT_MISSING:
        if (v->from == v->to)
            snprintf(out, n, "record %" PRIu64 " is missing before this line", v->from);
        else
            snprintf(out, n, "records %" PRIu64 " to %" PRIu64 " are missing before this line",
                     v->from, v->to);
        break;
    case AUDIT_REPEATED:
        snprintf(out, n, "record %" PRIu64 " is out of order, or was inserted", v->from);
        break;
    case AUDIT_REPLACED:
        snprintf(out, n,
                 "record %" PRIu64 " does not build on the one before: that, or this, was made "
                 "anew",
                 v->from);
        break;
    case AUDIT_FINE:
        break;
    }
}

static void
report(struct verify *v, const char *file, uint64_t line, const char *word, const char *text)
{
    if (v->findings++ >= FINDINGS_MAX)
        return;
    if (v->found)
        json_array_append_new(v->found, json_pack("{s:s, s:I, s:s, s:s}", "file", file, "line",
                                                  (json_int_t)line, "finding", word, "text", text));
    else if (*file)
        printf("%s line %" PRIu64 ": %s\n", file, line, text);
    else
        printf("%s\n", text);
}

/* A stretch of records that hold together has come to its end. */
static void
end_run(struct verify *v, uint64_t to)
{
    if (v->run_from && v->runs++ < FINDINGS_MAX) {
        if (v->proven)
            json_array_append_new(
                v->proven,
                json_pack("{s:I, s:I}", "from", (json_int_t)v->run_from, "to", (json_int_t)to));
        else
            printf("records %" PRIu64 " to %" PRIu64 " hold together\n", v->run_from, to);
    }
    v->run_from = 0;
}

static void
check_anchors(struct verify *v, const struct audit_line *l)
{
    for (size_t i = 0; i < v->nanchors; i++)
        if (v->anchors[i].seq == l->seq && v->anchors[i].state != 1)
            v->anchors[i].state = l->whole && strcmp(v->anchors[i].hash, l->hash) == 0 ? 1 : -1;
}

/* "log-lost" and the like: what the daemon wrote about the log itself. */
static void
note_own(struct verify *v, const struct audit_line *l)
{
    char action[64], detail[1024], time[AUDIT_TIME];

    audit_line_text(l->field[AUDIT_ACTION], action, sizeof action);
    if (strncmp(action, "log-", 4) != 0 || strcmp(action, "log-begun") == 0)
        return;
    audit_line_text(l->field[AUDIT_DETAIL], detail, sizeof detail);
    audit_time_write(l->wall_ms, time);
    if (v->own) {
        json_array_append_new(v->own, json_pack("{s:I, s:s, s:s, s:s}", "seq", (json_int_t)l->seq,
                                                "time", time, "action", action, "detail", detail));
        return;
    }
    printf("record %" PRIu64 " of %s says: ", l->seq, time);
    text_put(stdout, detail);
    putchar('\n');
}

static int
on_line(void *ctx, const char *name, uint64_t number, struct span line, int whole)
{
    struct verify *v = ctx;
    struct audit_verdict verdict;
    struct audit_line l;
    char text[256];
    uint64_t before = v->chain.last;

    v->unfinished = !whole;
    if (!whole)
        return 0; /* being written, or else the head tells */
    if (v->from && v->chain.records == 0 && (audit_line_parse(line, &l) < 0 || l.seq < v->from))
        return 0;
    v->lines++;
    audit_chain_step(&v->chain, line, &verdict);
    if (v->run_from && v->chain.run_from != v->run_from)
        end_run(v, before);
    v->run_from = v->chain.run_from;
    if (verdict.finding != AUDIT_FINE) {
        sentence(&verdict, text, sizeof text);
        report(v, name, number, audit_finding_word(verdict.finding), text);
    }
    if (verdict.finding == AUDIT_NO_RECORD)
        return 0;
    if (!v->first)
        v->first = verdict.line.seq;
    check_anchors(v, &verdict.line);
    if (verdict.line.whole)
        note_own(v, &verdict.line);
    return 0;
}

/* --- anchors --- */

static int
add_anchor(struct verify *v, uint64_t seq, const char *hash, const char *from)
{
    struct anchor *a = &v->anchors[v->nanchors];

    if (v->nanchors == ANCHORS_MAX || strlen(hash) != AUDIT_HASH - 1 || seq == 0)
        return -1;
    a->seq = seq;
    strcpy(a->hash, hash);
    a->from = from;
    a->state = 0;
    v->nanchors++;
    return 0;
}

/* "SEQ:HASH", or as it stands in the log: "seq=… hash=…". */
static int
take_anchor(struct verify *v, const char *text)
{
    char hash[AUDIT_HASH] = "";
    unsigned long long seq = 0;

    if (sscanf(text, "%20llu:%64[0-9a-f]", &seq, hash) != 2)
        sscanf(text, "seq=%20llu hash=%64[0-9a-f]", &seq, hash);
    if (add_anchor(v, seq, hash, "--anchor") == 0)
        return CTL_DONE;
    return ctl_usage("--anchor takes NUMBER:HASH, at most %d times", ANCHORS_MAX - 2);
}

static int
take_options(struct verify *v)
{
    const char *from = ctl_value(v->ctl, "from"), *text;
    char *end;
    size_t at = 0;
    int code;

    if (v->ctl->argc != 0)
        return ctl_usage("audit verify takes no argument");
    if (from) {
        v->from = strtoull(from, &end, 10);
        if (*end || v->from == 0)
            return ctl_usage("--from takes the number of a record");
    }
    while ((text = ctl_next_value(v->ctl, "anchor", &at)))
        if ((code = take_anchor(v, text)) != CTL_DONE)
            return code;
    return CTL_DONE;
}

/* What the writer noted, and what the daemon has in its memory, before anything is read. */
static void
known_anchors(struct verify *v, int dir_fd)
{
    json_t *reply = NULL, *audit;
    char hash[AUDIT_HASH];
    uint64_t seq;

    if (audit_head_read(dir_fd, &seq, hash) > 0 && seq > 0)
        add_anchor(v, seq, hash, "the file head");
    if (daemon_ask_quietly(v->ctl, json_pack("{s:s}", "verb", "status"), &reply) == 0) {
        audit = json_object_get(json_object_get(reply, "access"), "audit");
        add_anchor(v, (uint64_t)json_integer_value(json_object_get(audit, "seq")),
                   show_text(audit, "hash"), "the daemon");
    }
    json_decref(reply);
}

static void
judge_anchors(struct verify *v)
{
    char text[256];

    for (size_t i = 0; i < v->nanchors; i++) {
        const struct anchor *a = &v->anchors[i];

        if (a->state == 1 || a->seq < v->from)
            continue;
        if (a->state < 0)
            snprintf(text, sizeof text, "record %" PRIu64 " is not the one that %s knows", a->seq,
                     a->from);
        else
            snprintf(text, sizeof text, "record %" PRIu64 ", which %s knows, is not there%s",
                     a->seq, a->from, a->seq > v->chain.last ? ": the end is missing" : "");
        report(v, "", 0, "anchor", text);
    }
}

/* --- the verb --- */

static int
say_json(struct verify *v, int code)
{
    json_t *anchors = json_array();

    for (size_t i = 0; i < v->nanchors; i++)
        json_array_append_new(
            anchors, json_pack("{s:I, s:s, s:b}", "seq", (json_int_t)v->anchors[i].seq, "from",
                               v->anchors[i].from, "fits", v->anchors[i].state == 1));
    ctl_print_json(json_pack("{s:b, s:I, s:I, s:I, s:s, s:I, s:I, s:O, s:O, s:O, s:o}", "ok",
                             code == CTL_DONE, "records", (json_int_t)v->chain.records, "first",
                             (json_int_t)v->first, "last", (json_int_t)v->chain.last, "hash",
                             v->chain.hash, "clock_back", (json_int_t)v->chain.clock_back,
                             "findings", (json_int_t)v->findings, "found", v->found, "proven",
                             v->proven, "log", v->own, "anchors", anchors));
    return code;
}

static int
say_text(struct verify *v, int code)
{
    size_t fit = 0;

    for (size_t i = 0; i < v->nanchors; i++)
        fit += v->anchors[i].state == 1;
    if (v->findings > FINDINGS_MAX)
        printf("... and %" PRIu64 " more\n", v->findings - FINDINGS_MAX);
    if (v->unfinished)
        puts("the last line has no end yet");
    if (v->chain.clock_back)
        printf("the clock was set back %" PRIu64 " times\n", v->chain.clock_back);
    printf("%" PRIu64 " records", v->chain.records);
    if (v->chain.records)
        printf(", %" PRIu64 " to %" PRIu64 ", newest hash %s", v->first, v->chain.last,
               v->chain.hash);
    printf("; %zu of %zu anchors fit; %s\n", fit, v->nanchors,
           code == CTL_DONE ? "nothing is wrong" : "the log is NOT as it was written");
    return code;
}

static int
run(struct verify *v)
{
    int fd = audit_dir_open(v->ctl), rc, error;

    if (fd < 0)
        return ctl_fail(v->ctl, CTL_TEMPORARY, "%s/audit: %s%s", v->ctl->conf->state_dir,
                        strerror(errno),
                        errno == EACCES ? "; run this as root or as the daemon's user" : "");
    known_anchors(v, fd);
    audit_chain_begin(&v->chain, 0, v->from ? NULL : AUDIT_FIRST);
    rc = audit_dir_read(fd, v->from, on_line, v);
    error = errno;
    close(fd);
    if (rc < 0)
        return ctl_fail(v->ctl, CTL_TEMPORARY, "%s/audit: %s", v->ctl->conf->state_dir,
                        strerror(error));
    end_run(v, v->chain.last);
    judge_anchors(v);
    rc = v->findings ? CTL_NO : CTL_DONE;
    return v->found ? say_json(v, rc) : say_text(v, rc);
}

int
verb_audit_verify(struct ctl *ctl)
{
    struct verify v = {.ctl = ctl};
    int code = take_options(&v);

    if (code != CTL_DONE)
        return code;
    if (ctl->json) {
        v.found = json_array();
        v.proven = json_array();
        v.own = json_array();
    }
    code = run(&v);
    json_decref(v.found);
    json_decref(v.proven);
    json_decref(v.own);
    return code;
}
