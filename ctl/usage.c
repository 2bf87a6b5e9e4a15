/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: `postroad usage`: how much mail by account, department or domain, added up out of
 * the records of one or more milters.
 *
 * Promises: each record counts once, however often and in whatever order it is read;
 * what Postfix did not take does not count, as far as that is known; what is missing,
 * repeated or in doubt is said. Files are read twice: what a record at the end says of an earlier one
 * must be known before that one is added.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounting_file.h"
#include "audit_file.h"
#include "open_regular.h"
#include "usage.h"

/* A record that is read for the first time. */
typedef int usage_fn(struct usage *u, const char *log, uint64_t seq, json_t *record);

static const char *
text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static uint64_t
number(json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* --- files --- */

static int
read_line(struct usage *u, struct span line, usage_fn *fn)
{
    char log[ACCOUNTING_LOG];
    uint64_t seq;
    json_t *o = NULL;
    int is_new = -2, rc = 0;

    if (accounting_line_head(line, log, &seq) == 0)
        o = json_loadb(line.p, line.n, 0, NULL);
    if (o)
        is_new = usage_seen_add(&u->seen, log, seq);
    if (is_new == 1)
        rc = fn(u, log, seq, o);
    else if (is_new == 0)
        u->repeated++;
    else if (is_new == -2)
        u->unreadable++;
    json_decref(o);
    return is_new == -1 ? -1 : rc;
}

/* What was named is what was meant, a pipe of zcat(1), too; in a folder there may be anything. */
static int
open_file(int dir_fd, const char *name)
{
    return dir_fd == AT_FDCWD ? open(name, O_RDONLY | O_CLOEXEC) : open_regular(dir_fd, name);
}

static int
read_file(struct usage *u, int dir_fd, const char *name, usage_fn *fn)
{
    struct audit_reader *r = malloc(sizeof *r);
    int fd = r ? open_file(dir_fd, name) : -1, got = -1;
    struct span line;

    if (fd >= 0) {
        audit_reader_begin(r, fd, 0);
        /* The last line may be about to be written. */
        while ((got = audit_reader_next(r, &line)) > 0 && (r->whole || line.n >= AUDIT_LINE_MAX))
            if ((got = read_line(u, line, fn)) < 0)
                break;
    }
    if (fd < 0 || got < 0)
        ctl_fail(u->ctl, CTL_TEMPORARY, "%s: %s", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(r);
    return fd < 0 || got < 0 ? -1 : 0;
}

static int
is_ours(const struct dirent *e)
{
    char log[ACCOUNTING_LOG];
    uint64_t first;

    return accounting_name_parse(e->d_name, log, &first) == 0;
}

static int
read_folder(struct usage *u, const char *path, usage_fn *fn)
{
    struct dirent **name;
    int n = scandir(path, &name, is_ours, alphasort), rc = 0;
    int fd = n < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        ctl_fail(u->ctl, CTL_TEMPORARY, "%s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (fd >= 0 && rc == 0)
            rc = read_file(u, fd, name[i]->d_name, fn);
        free(name[i]);
    }
    if (n >= 0)
        free(name);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : rc;
}

/* All that was named, or else what our own milter writes. */
static int
read_all(struct usage *u, usage_fn *fn)
{
    const struct conf *conf = u->ctl->conf;
    char own[2048];
    struct stat st;

    usage_seen_free(&u->seen);
    u->repeated = u->unreadable = 0;
    snprintf(own, sizeof own, "%s%s",
             *conf->accounting.dir ? conf->accounting.dir : conf->state_dir,
             *conf->accounting.dir ? "" : "/accounting");
    if (u->ctl->argc == 0)
        return read_folder(u, own, fn);
    for (int i = 0; i < u->ctl->argc; i++) {
        const char *path = u->ctl->argv[i];
        int folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

        if ((folder ? read_folder(u, path, fn) : read_file(u, AT_FDCWD, path, fn)) < 0)
            return -1;
    }
    return 0;
}

/* --- first reading: doubts --- */

static int
by_number(const void *a, const void *b)
{
    const struct usage_doubt *x = a, *y = b;
    int order = strcmp(x->log, y->log);

    return order ? order : (x->of.first > y->of.first) - (x->of.first < y->of.first);
}

static int
note_doubt(struct usage *u, const char *log, uint64_t seq, json_t *record)
{
    struct usage_doubt *d;
    int is_void = strcmp(text(record, "what"), "void") == 0;

    (void)seq;
    if (!is_void && strcmp(text(record, "what"), "uncertain") != 0)
        return 0;
    if (u->ndoubts == u->room) {
        size_t room = u->room ? 2 * u->room : 64;
        void *more = realloc(u->doubt, room * sizeof *u->doubt);

        if (!more)
            return -1;
        u->doubt = more;
        u->room = room;
    }
    d = &u->doubt[u->ndoubts++];
    *d = (struct usage_doubt){.of = {number(record, "first"), number(record, "last")},
                              .is_void = is_void};
    memcpy(d->log, log, ACCOUNTING_LOG);
    return 0;
}

static const struct usage_doubt *
doubt_of(const struct usage *u, const char *log, uint64_t seq)
{
    size_t low = 0, high = u->ndoubts;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct usage_doubt *d = &u->doubt[middle];
        int order = strcmp(d->log, log);

        if (order == 0 && seq >= d->of.first && seq <= d->of.last)
            return d;
        if (order < 0 || (order == 0 && d->of.last < seq))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- second reading: adding up --- */

static void
sum_add(struct usage_sum *sum, json_t *record, uint64_t messages)
{
    sum->messages += messages;
    sum->recipients += number(record, "recipients");
    sum->bytes += number(record, "bytes");
}

static void
row_add(struct usage *u, json_t *record)
{
    char key[2048];
    json_t *ways, *sums;
    const char *part = text(record, "department");
    uint64_t more[3] = {1, number(record, "recipients"), number(record, "bytes")};

    if (strcmp(u->by, "department") == 0)
        snprintf(key, sizeof key, "%s%s%s", text(record, "domain"), *part ? "/" : "", part);
    else
        snprintf(key, sizeof key, "%s", text(record, u->by));
    ways = json_object_get(u->rows, key);
    if (!ways)
        json_object_set_new(u->rows, key, ways = json_object());
    sums = json_object_get(ways, text(record, "direction"));
    if (!sums)
        json_object_set_new(ways, text(record, "direction"), sums = json_pack("[i,i,i]", 0, 0, 0));
    for (size_t i = 0; i < 3; i++) {
        json_t *sum = json_array_get(sums, i);

        json_integer_set(sum, json_integer_value(sum) + (json_int_t)more[i]);
    }
}

/* Whether Postfix took it: 1, 0 it did not, -1 nobody knows. */
static int
was_taken(struct usage *u, const struct usage_doubt *d, const char *queue)
{
    int said = usage_queue_is(u, queue);

    if (d && d->is_void)
        return 0;
    if (said & QUEUE_MENTIONED)
        return usage_queue_accepted(said);
    return d ? -1 : 1;
}

static int
add_record(struct usage *u, const char *log, uint64_t seq, json_t *record)
{
    struct span said = span_of(text(record, "time"));
    int64_t time = audit_time_parse(said);
    int first = number(record, "part") == 1, taken;

    if (time < u->from_ms || time >= u->to_ms)
        return 0;
    u->records++;
    if (strcmp(text(record, "what"), "gap") == 0)
        sum_add(&u->uncounted, record, number(record, "messages"));
    if (strcmp(text(record, "what"), "mail") != 0)
        return 0;
    taken = was_taken(u, doubt_of(u, log, seq), text(record, "queue"));
    if (u->queues)
        usage_queue_set(u, text(record, "queue"), QUEUE_COUNTED);
    if (taken <= 0)
        sum_add(taken < 0 ? &u->uncertain : &u->refused, record, (uint64_t)first);
    else if (strcmp(text(record, "direction"), "transit") == 0)
        sum_add(&u->transit, record, (uint64_t)first);
    else
        row_add(u, record);
    return 0;
}

static void
count_unrecorded(struct usage *u)
{
    const char *queue;
    json_t *flags;

    json_object_foreach(u->queues, queue, flags)
    {
        int is = (int)json_integer_value(flags);

        u->without_record +=
            usage_queue_accepted(is) && (is & QUEUE_ENTERED) && !(is & QUEUE_COUNTED);
    }
}

/* --- the verb --- */

/* "2026-11-22", then the whole day is meant, or a time as records have it; -1. */
static int64_t
moment(const char *s, int whole_day)
{
    char full[AUDIT_TIME];
    int64_t ms;

    if (strlen(s) != 10)
        return audit_time_parse(span_of(s));
    snprintf(full, sizeof full, "%sT00:00:00.000Z", s);
    ms = audit_time_parse(span_of(full));
    return ms < 0 ? -1 : ms + (whole_day ? 86400000 : 0);
}

static int
options(struct usage *u)
{
    const char *by = ctl_value(u->ctl, "by"), *from = ctl_value(u->ctl, "from"),
               *to = ctl_value(u->ctl, "to"), *format = ctl_value(u->ctl, "format");

    u->by = by ? by : "account";
    if (strcmp(u->by, "account") != 0 && strcmp(u->by, "department") != 0 &&
        strcmp(u->by, "domain") != 0)
        return ctl_usage("--by takes account, department or domain");
    if (format && strcmp(format, "table") != 0 && strcmp(format, "csv") != 0 &&
        strcmp(format, "json") != 0)
        return ctl_usage("--format takes table, csv or json");
    u->from_ms = from ? moment(from, 0) : INT64_MIN;
    u->to_ms = to ? moment(to, 1) : INT64_MAX;
    if ((from && u->from_ms < 0) || (to && u->to_ms < 0))
        return ctl_usage("--from and --to take 2026-01-31 or 2026-01-31T23:59:59.000Z");
    return CTL_DONE;
}

static int
add_up(struct usage *u)
{
    const char *path;
    size_t at = 0;

    while ((path = ctl_next_value(u->ctl, "maillog", &at)))
        if (usage_maillog(u, path) < 0)
            return -1;
    if (read_all(u, note_doubt) < 0)
        return -1;
    if (u->ndoubts > 1)
        qsort(u->doubt, u->ndoubts, sizeof *u->doubt, by_number);
    if (read_all(u, add_record) < 0)
        return -1;
    if (u->queues)
        count_unrecorded(u);
    return 0;
}

int
verb_usage(struct ctl *ctl)
{
    struct usage u = {.ctl = ctl, .rows = json_object()};
    const char *format = ctl_value(ctl, "format");
    int code = options(&u);

    if (code == CTL_DONE)
        code = add_up(&u) < 0 ? CTL_TEMPORARY
                              : usage_show(&u, ctl->json ? "json"
                                               : format  ? format
                                                         : "table");
    usage_seen_free(&u.seen);
    free(u.doubt);
    json_decref(u.queues);
    json_decref(u.rows);
    return code;
}
