/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_list: who was in whose mailbox: records of the audit log, one a line.
 *
 * Who may read the files, root or the daemon's user, sees all of them. Everybody else
 * asks the daemon, which shows what he may see: records about his own mailbox, his
 * own doing, and about those he holds the right audit over; and proves by a bind at the directory who
 * he is. Promises: a page at a time, so that memory does not grow with the log.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "audit.h"
#include "show.h"

struct list {
    const struct ctl *ctl;
    struct audit_filter filter;
    char me[512];
    uint64_t n;
};

static int
when(const struct ctl *ctl, const char *option, int64_t *ms_r)
{
    const char *text = ctl_value(ctl, option);

    if (!text)
        return CTL_DONE;
    *ms_r = audit_when_parse(span_of(text), clock_wall_ms());
    if (*ms_r >= 0)
        return CTL_DONE;
    return ctl_usage(
        "--%s takes a time (2026-01-31, 2026-01-31T23:59, in UTC) or how long ago (30m, "
        "2h, 7d)",
        option);
}

/* Whether some name is "me", or nothing but a bind says who asks. */
static int
needs_me(const struct ctl *ctl, int direct)
{
    const char *target = ctl_value(ctl, "target"), *actor = ctl_value(ctl, "actor");

    return !direct || (target && strcmp(target, "me") == 0) || (actor && strcmp(actor, "me") == 0);
}

static struct span
name_of(const struct list *l, const char *option)
{
    const char *text = ctl_value(l->ctl, option);

    return span_of(text && strcmp(text, "me") == 0 ? l->me : text);
}

static int
take_options(struct list *l, int direct)
{
    const char *action = ctl_value(l->ctl, "action");
    int code;

    if (l->ctl->argc != 0)
        return ctl_usage("audit list takes options only: --target, --actor, --since, ...");
    if ((code = when(l->ctl, "since", &l->filter.since_ms)) != CTL_DONE ||
        (code = when(l->ctl, "until", &l->filter.until_ms)) != CTL_DONE)
        return code;
    if (needs_me(l->ctl, direct) && (code = audit_who(l->ctl, l->me, sizeof l->me)) != CTL_DONE)
        return code;
    l->filter.target = name_of(l, "target");
    l->filter.actor = name_of(l, "actor");
    l->filter.action = span_of(action);
    return CTL_DONE;
}

/* --- one record --- */

static void
show(struct list *l, struct span line, const struct audit_line *record)
{
    l->n++;
    if (l->ctl->json)
        printf("%.*s\n", (int)line.n, line.p);
    else
        audit_show(record);
}

static int
on_line(void *ctx, const char *name, uint64_t number, struct span line, int whole)
{
    struct list *l = ctx;
    struct audit_line record;

    if (!whole)
        return 0;
    if (audit_line_parse(line, &record) < 0)
        fprintf(stderr, "postroad: %s line %llu is no record: see postroad audit verify\n", name,
                (unsigned long long)number);
    else if (audit_filter_match(&l->filter, &record))
        show(l, line, &record);
    return 0;
}

static int
list_files(struct list *l, int fd)
{
    if (audit_dir_read(fd, 0, on_line, l) < 0)
        return ctl_fail(l->ctl, CTL_TEMPORARY, "%s/audit: %s", l->ctl->conf->state_dir,
                        strerror(errno));
    return CTL_DONE;
}

/* --- from the daemon --- */

static json_t *
text_or_null(struct span s)
{
    return s.n > 0 ? json_stringn(s.p, s.n) : json_null();
}

static json_t *
request_of(const struct list *l, const char *file, json_int_t at)
{
    const struct audit_filter *f = &l->filter;

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:s, s:I}", "verb", "audit-read", "as",
                     l->me, "target", text_or_null(f->target), "actor", text_or_null(f->actor),
                     "action", text_or_null(f->action), "since", (json_int_t)f->since_ms, "until",
                     (json_int_t)f->until_ms, "file", file, "at", at);
}

static void
show_page(struct list *l, json_t *reply)
{
    struct audit_line record;
    json_t *line;
    size_t i;

    json_array_foreach(json_object_get(reply, "lines"), i, line)
    {
        struct span s = {json_string_value(line), json_string_length(line)};

        if (s.p && audit_line_parse(s, &record) == 0)
            show(l, s, &record);
    }
}

static int
list_pages(struct list *l)
{
    char file[AUDIT_NAME] = "";
    json_int_t at = 0;
    json_t *reply;
    int code, more = 1;

    while (more) {
        if ((code = daemon_ask(l->ctl, request_of(l, file, at), &reply)) != CTL_DONE)
            return code;
        show_page(l, reply);
        more = show_true(reply, "more");
        snprintf(file, sizeof file, "%s", show_text(reply, "file"));
        at = json_integer_value(json_object_get(reply, "at"));
        json_decref(reply);
    }
    return CTL_DONE;
}

int
verb_audit_list(struct ctl *ctl)
{
    struct list l = {.ctl = ctl};
    int fd = audit_dir_open(ctl), code;

    if (fd < 0 && errno != EACCES)
        return ctl_fail(ctl, errno == ENOENT ? CTL_NO : CTL_TEMPORARY, "%s/audit: %s",
                        ctl->conf->state_dir, strerror(errno));
    code = take_options(&l, fd >= 0);
    if (code == CTL_DONE)
        code = fd >= 0 ? list_files(&l, fd) : list_pages(&l);
    if (fd >= 0)
        close(fd);
    return code;
}
