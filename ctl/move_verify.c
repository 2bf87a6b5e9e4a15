/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_site, copying and looking whether it was done: a copying command that ends well may have
 * copied nothing, as dsync does with two INBOXes it takes for one and the same. So both places are
 * listed, message by message, and what one lacks is copied again.
 *
 * While the mailbox is used as before, the old place is listed before it is copied: what comes
 * meanwhile is not missed then. Later it is listed afterwards, as nothing comes any more.
 * Must not change the directory, nor delete anything.
 */
#include <stdio.h>

#include "move_compare.h"
#include "move_site.h"
#include "text.h"

#define TRIES 3

struct verify {
    const struct ctl *ctl;
    const struct move_names *names;
    struct move_compare *c;
    enum move_step step;
};

static int
each(void *ctx, char *line, const char **error_r)
{
    return move_compare_line(ctx, line, error_r);
}

static int
list(struct verify *v, int second)
{
    const struct conf *conf = v->ctl->conf;
    const struct conf_list *command =
        second ? &conf->move_site.list_to_command : &conf->move_site.list_from_command;
    const char *site = second ? v->names->to : v->names->from, *error;
    int code = MOVE_SILENT;

    for (int try = 0; code == MOVE_SILENT && try < TRIES; try++) {
        move_compare_begin(v->c, second);
        code = move_read(v->ctl, command, v->names, each, v->c);
    }
    if (code == MOVE_SILENT)
        return ctl_fail(v->ctl, CTL_TEMPORARY,
                        "the list of %s did not go on for %d s (move_site.list_timeout), %d times",
                        site, conf->move_site.list_timeout, TRIES);
    if (code == CTL_DONE && move_compare_end(v->c, &error) < 0)
        code = ctl_fail(v->ctl, CTL_TEMPORARY, "the list of %s %s", site, error);
    return code;
}

/* The first time nothing but adding, where that is another command: at the new place nobody is yet. */
static int
copy(const struct verify *v, int try)
{
    const struct conf_list *first = &v->ctl->conf->move_site.first_command;
    int add = v->step == MOVE_NONE || (v->step == MOVE_COPY && try > 0), code = CTL_DONE;

    if (add && first->n > 0)
        code = move_run(v->ctl, first, v->names, MOVE_COPIES);
    return code == CTL_DONE
               ? move_run(v->ctl, &v->ctl->conf->move_site.copy_command, v->names, MOVE_COPIES)
               : code;
}

static int
copy_and_list(struct verify *v, int try)
{
    int before = v->step == MOVE_NONE, more, code = before ? list(v, 0) : CTL_DONE;

    if (code == CTL_DONE)
        code = copy(v, try);
    if (code == CTL_DONE && !before)
        code = list(v, 0);
    if (code == CTL_DONE)
        code = list(v, 1);
    more = code == CTL_DONE && move_compare_next(v->c);
    while (code == CTL_DONE && more && !before) {
        code = list(v, 0);
        if (code == CTL_DONE)
            code = list(v, 1);
        more = code == CTL_DONE && move_compare_next(v->c);
    }
    return code;
}

/* Whether it is worth another try, as something may be lost (2), or not be as it was (1). */
static int
differs(const struct verify *v)
{
    const struct move_found *f = move_compare_found(v->c);

    if (f->missing || f->other)
        return 2;
    return v->step == MOVE_COPY && f->flags ? 1 : 0;
}

static void
say(const struct verify *v, const char *text)
{
    if (v->ctl->json)
        return;
    fputs("  ", stderr);
    text_put(stderr, text);
    putc('\n', stderr);
}

static int
conclude(const struct verify *v, int differ)
{
    const struct move_found *f = move_compare_found(v->c);
    char report[MOVE_REPORT_MAX], text[128];

    if (differ == 2) {
        move_compare_report(v->c, report);
        ctl_fail(v->ctl, CTL_TEMPORARY,
                 "copied %d times, and %s still does not have what is at %s: %s", TRIES,
                 v->names->to, v->names->from, report);
        say(v, "Copying ended well each time: without -f dsync may take two mailboxes for one, see "
               "postroad.conf(5).");
        return CTL_TEMPORARY;
    }
    if (differ == 1) {
        snprintf(text, sizeof text, "%llu messages have other flags at the new place.",
                 (unsigned long long)f->flags);
        say(v, text);
    }
    if (v->step == MOVE_COPY && f->more) {
        snprintf(text, sizeof text, "%llu messages are at the new place only; they stay.",
                 (unsigned long long)f->more);
        say(v, text);
    }
    return CTL_DONE;
}

int
move_copy_verified(const struct ctl *ctl, const struct move_names *names, enum move_step step)
{
    struct verify v = {ctl, names, NULL, step};
    char report[MOVE_REPORT_MAX];
    int code = CTL_DONE, differ = 2;

    for (int try = 0; code == CTL_DONE && differ && try < TRIES; try++) {
        if (try > 0) {
            move_compare_report(v.c, report);
            say(&v, *report ? report : "Some flags differ.");
            say(&v, "Copying again.");
        }
        move_compare_free(&v.c);
        v.c = move_compare_new(MOVE_MESSAGES);
        code = v.c ? copy_and_list(&v, try) : ctl_fail(ctl, CTL_TEMPORARY, "out of memory");
        differ = code == CTL_DONE ? differs(&v) : 0;
    }
    if (code == CTL_DONE)
        code = conclude(&v, differ);
    move_compare_free(&v.c);
    return code;
}
