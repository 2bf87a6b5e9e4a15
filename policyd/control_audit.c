/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_audit: records of the audit log, for those who can't read its files: about
 * one's own mailbox and one's own doing, and about those one holds the right audit over.
 *
 * Promises: a request reads at most PAGE_READ bytes and answers with at most PAGE_LINES
 * records, whatever the log holds; where the next one goes on is in the answer. Root
 * and the daemon's user see all. Of others it is believed whose password they have
 * proven to know, as only members of the daemon's group get here. Can't tell means: is
 * not shown.
 */
#include "control_audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_file.h"
#include "audit_filter.h"
#include "log.h"
#include "rights_ask.h"
#include "status.h"

#define PAGE_READ  (1u << 20)
#define PAGE_LINES 200
#define SEEN_MAX   64

struct page {
    struct control *c;
    struct mirror *mirror;
    int64_t age_ms;
    struct audit_filter filter;
    struct span as; /* empty: sees all */
    struct rights_answer *work;
    struct audit_reader reader;
    json_t *lines;
    char file[AUDIT_NAME];
    off_t at;
    size_t budget;
    struct {
        char target[512];
        int shown;
    } seen[SEEN_MAX]; /* what was decided already */
    size_t nseen;
};

static struct span
member(json_t *request, const char *key)
{
    json_t *v = json_object_get(request, key);
    struct span s = {json_string_value(v), json_string_length(v)};

    return s;
}

/* --- who sees what --- */

static int
decide(struct page *p, struct span target)
{
    struct rights_question q = {.actor = p->as, .target = target, .action = span_of("audit")};
    struct rights_answer *a = p->work;

    rights_ask(p->c->env->conf, p->mirror, p->age_ms, &q, a);
    if (a->usage)
        return 0;
    return a->rights.verdict == RIGHTS_ALLOWED ||
           (a->actor.found == 1 && a->target.found == 1 &&
            memcmp(a->actor.uuid, a->target.uuid, UUID_LEN) == 0);
}

static int
is_shown(struct page *p, const struct audit_line *l)
{
    char text[512];
    size_t n;

    if (p->as.n == 0 || audit_filter_same(l->field[AUDIT_ACTOR], p->as))
        return 1;
    n = audit_line_text(l->field[AUDIT_TARGET], text, sizeof text);
    if (n == 0)
        return 0;
    for (size_t i = 0; i < p->nseen; i++)
        if (strcmp(p->seen[i].target, text) == 0)
            return p->seen[i].shown;
    if (p->nseen == SEEN_MAX)
        p->nseen = 0;
    strcpy(p->seen[p->nseen].target, text);
    p->seen[p->nseen].shown = decide(p, span_of(text));
    return p->seen[p->nseen++].shown;
}

/* --- reading --- */

/* 1: the file was read to its end; 0: the page is full; -1: errno. */
static int
read_some(struct page *p, int fd)
{
    struct audit_line record;
    struct span line;
    int got;

    audit_reader_begin(&p->reader, fd, p->at);
    while ((got = audit_reader_next(&p->reader, &line)) == 1) {
        size_t used = (size_t)(p->reader.next - p->reader.at);

        if (!p->reader.whole)
            return 1; /* being written */
        if (audit_line_parse(line, &record) == 0 && audit_filter_match(&p->filter, &record) &&
            is_shown(p, &record))
            json_array_append_new(p->lines, control_text(line));
        p->at = p->reader.next;
        p->budget -= used < p->budget ? used : p->budget;
        if (p->budget == 0 || json_array_size(p->lines) >= PAGE_LINES)
            return 0;
    }
    return got < 0 ? -1 : 1;
}

/* From the file of the cursor on. 1: to the end of the log; 0: there is more; -1: errno. */
static int
read_files(struct page *p, int dir_fd, const struct audit_files *files)
{
    uint64_t from = audit_name_parse(p->file);
    int rc = 1, fd;

    for (size_t i = 0; i < files->n && rc == 1; i++) {
        if (audit_name_parse(files->name[i]) < from)
            continue;
        if (strcmp(p->file, files->name[i]) != 0)
            p->at = 0;
        strcpy(p->file, files->name[i]);
        fd = openat(dir_fd, p->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return -1;
        rc = read_some(p, fd);
        close(fd);
    }
    return rc;
}

static json_t *
page_json(struct page *p)
{
    struct audit_files files = {NULL, 0};
    char path[1100];
    int fd, rc;

    snprintf(path, sizeof path, "%s/audit", p->c->env->conf->state_dir);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = fd < 0 || audit_files_list(fd, &files) < 0 ? -1 : read_files(p, fd, &files);
    audit_files_free(&files);
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        return control_error(CONTROL_TEMPORARY, "the audit log can't be read: %s", strerror(errno));
    return json_pack("{s:O, s:b, s:s, s:I}", "lines", p->lines, "more", rc == 0, "file", p->file,
                     "at", (json_int_t)p->at);
}

static json_t *
with_mirror(struct page *p)
{
    struct moment now = control_now();
    struct mirror_info info;
    const char *why = "";
    json_t *out;

    if (p->as.n == 0)
        return page_json(p);
    p->mirror = control_mirror(p->c, &why);
    if (!p->mirror)
        return control_error(CONTROL_TEMPORARY, "can't tell: the mirror can't be read: %s", why);
    p->age_ms = -1;
    if (mirror_info(p->mirror, &info) == 0 && info.complete) {
        p->age_ms = now.wall_ms - status_confirmed_ms(p->c, &info, &now);
        p->age_ms = p->age_ms < 0 ? 0 : p->age_ms;
    }
    out = page_json(p);
    control_mirror_end(p->c);
    return out;
}

json_t *
audit_page_json(struct control *c, const struct caller *who, json_t *request)
{
    struct page *p = calloc(1, sizeof *p);
    struct span file = member(request, "file");
    json_t *out = NULL;

    if (!p)
        return NULL;
    p->c = c;
    p->as = member(request, "as");
    p->filter =
        (struct audit_filter){.target = member(request, "target"),
                              .actor = member(request, "actor"),
                              .action = member(request, "action"),
                              .since_ms = json_integer_value(json_object_get(request, "since")),
                              .until_ms = json_integer_value(json_object_get(request, "until"))};
    p->at = (off_t)json_integer_value(json_object_get(request, "at"));
    p->at = p->at > 0 ? p->at : 0;
    if (file.n < sizeof p->file)
        memcpy(p->file, file.p ? file.p : "", file.n);
    p->budget = PAGE_READ;
    p->lines = json_array();
    p->work = malloc(sizeof *p->work);
    if (!who->may_change && p->as.n == 0)
        out = control_error(CONTROL_USAGE, "as whom? Only root and the daemon's user see all");
    else if (p->work && p->lines)
        out = with_mirror(p);
    if (file.n == 0 && !who->may_change)
        log_info("audit log read as=\"%.*s\" uid=%ld pid=%ld", (int)(p->as.n < 320 ? p->as.n : 320),
                 p->as.p, (long)who->uid, (long)who->pid);
    json_decref(p->lines);
    free(p->work);
    free(p);
    return out;
}
