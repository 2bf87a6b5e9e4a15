/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user move-site: a mailbox goes to another site while mail for it waits in the
 * queue, and nothing is lost or bounced.
 *
 *   1 copy while all goes on as before, so that the mail waits only for the rest; here and
 *     wherever it is copied both places are compared, and nothing goes on while one lacks a message
 *   2 state moving, with a record of where to and what was before
 *   3 the old site, and ours, know it; Postfix has forgotten what it knew before
 *   4 copy what came meanwhile
 *   5 home site and state in one change; the record says that a last look is due
 *   6 the new site knows it; a last look at the old place; the record goes
 *
 * Promises: interrupted or failed at any point, doing it again goes on from there,
 * by whomever; until step 5 --abort goes back. Until then the old mailbox is the
 * right one and is not taken away afterwards either: copying never deletes it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "move_site.h"
#include "text.h"

#define AWAIT_S 60 /* that a site may take to hear of a change, unless --wait says otherwise */

struct mover {
    struct org o;
    struct dir_entry *e;
    const char *user; /* the primary address */
    struct move m;
    char record[MOVE_RECORD_MAX]; /* as it stands in the directory; "" none */
    char from_host[256], to_host[256];
    struct move_names names;
    int await_s;
};

static void __attribute__((format(printf, 2, 3))) say(const struct mover *v, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (v->o.ctl->json)
        return;
    text_put(stdout, text);
    putchar('\n');
    fflush(stdout);
}

/* --- what is there --- */

/* The host of the site's first server that is not down, or "". */
static int
on_server(void *ctx, const struct dir_entry *e)
{
    char *host = ctx;

    if (!*host && strcasecmp(dir_value(e, "postroadDesiredState"), "down") != 0)
        snprintf(host, 256, "%s", dir_value(e, "postroadHost"));
    return 0;
}

static int
host_of(struct mover *v, const char *site, char host[256])
{
    static const char *const attrs[] = {"postroadHost", "postroadDesiredState", NULL};
    struct dir_entry *e = NULL;
    int code = org_site(&v->o, site, attrs, &e);

    *host = '\0';
    if (code == CTL_DONE) {
        code = dir_search(v->o.d, e->dn, DIR_ONE, "(objectClass=postroadServer)", attrs, on_server,
                          host);
        if (code != CTL_DONE)
            org_fail(&v->o, code);
    }
    dir_entry_free(&e);
    return code;
}

/* A move nobody has begun: from the home site as it is now. */
static int
begin(struct mover *v, const char *to)
{
    char from[ORG_DN_MAX];
    const char *state = dir_value(v->e, "postroadState");
    int code =
        org_inherited(&v->o, v->e->dn, "postroadHomeSite", v->m.from, sizeof v->m.from, from);

    if (code != CTL_DONE)
        return code;
    if (strcasecmp(state, "moving") == 0)
        return ctl_fail(v->o.ctl, CTL_NO,
                        "%s is in state moving already, but not by this command: its own move must "
                        "end first, and the state be taken away",
                        v->user);
    if (!*v->m.from)
        return ctl_fail(v->o.ctl, CTL_NO, "%s has no home site: nowhere to move from", v->user);
    snprintf(v->m.to, sizeof v->m.to, "%s", to);
    snprintf(v->m.home, sizeof v->m.home, "%s", dir_value(v->e, "postroadHomeSite"));
    snprintf(v->m.state, sizeof v->m.state, "%s", state);
    return CTL_DONE;
}

/* Read the entry and what is recorded there. site NULL: any. */
static int
look(struct mover *v, const char *site)
{
    static const char *const attrs[] = {"mail", "postroadHomeSite", "postroadState", "postroadMove",
                                        NULL};
    char to[256] = "";
    int code = site ? org_check_site(&v->o, site, to, sizeof to) : CTL_DONE;

    if (code == CTL_DONE)
        code = org_account(&v->o, v->o.ctl->argv[0], attrs, &v->e);
    if (code != CTL_DONE)
        return code;
    v->user = dir_value(v->e, "mail");
    snprintf(v->record, sizeof v->record, "%s", dir_value(v->e, "postroadMove"));
    if (!move_is_plain(v->user))
        return ctl_fail(v->o.ctl, CTL_NO,
                        "\"%s\": an address with such characters is given to no "
                        "command; move this mailbox by hand",
                        v->user);
    if (!*v->record)
        return site ? begin(v, to) : CTL_DONE;
    if (move_record_parse(v->record, &v->m) < 0)
        return ctl_fail(v->o.ctl, CTL_NO, "the record of its move is not understood: %s",
                        v->record);
    if (site && strcasecmp(to, v->m.to) != 0)
        return ctl_fail(v->o.ctl, CTL_NO,
                        "%s is on its way from %s to %s: end that first, or go back with --abort",
                        v->user, v->m.from, v->m.to);
    return CTL_DONE;
}

/* Copying may have taken hours. The state to go back to is the one there is now, and who was moved meanwhile stays. */
static int
look_again(struct mover *v)
{
    char from[MOVE_NAME_MAX];
    int code;

    snprintf(from, sizeof from, "%s", v->m.from);
    dir_entry_free(&v->e);
    code = look(v, v->o.ctl->argv[1]);
    if (code == CTL_DONE && (*v->record || strcasecmp(v->m.from, from) != 0))
        code = ctl_fail(v->o.ctl, CTL_NO,
                        "somebody else has moved %s meanwhile: nothing more was done", v->user);
    if (code == CTL_DONE)
        v->names.user = v->user;
    return code;
}

/* --- the changes --- */

/* Write the entry's part of step (NONE: as it was before, without a record). */
static int
write_step(struct mover *v, enum move_step step, const char *home, const char *state)
{
    struct dir_change *c = dir_change_new();
    char record[MOVE_RECORD_MAX] = "";
    int code;

    v->m.step = step;
    if (step != MOVE_NONE)
        move_record_format(&v->m, record);
    if (*v->record) /* the very one we have read: somebody else may be at it too */
        dir_change_value(c, DIR_DELETE, "postroadMove", v->record);
    if (*record)
        dir_change_value(c, DIR_ADD, "postroadMove", record);
    if (home)
        dir_change_value(c, DIR_REPLACE, "postroadHomeSite", *home ? home : NULL);
    if (state)
        dir_change_value(c, DIR_REPLACE, "postroadState", *state ? state : NULL);
    code = dir_modify(v->o.d, v->e->dn, c);
    dir_change_free(&c);
    if (code != CTL_DONE)
        return org_fail(&v->o, code);
    snprintf(v->record, sizeof v->record, "%s", record);
    return CTL_DONE;
}

static int
copy(struct mover *v)
{
    return move_copy_verified(v->o.ctl, &v->names, v->m.step);
}

/* Mail waits from here on: say so with whatever went wrong. */
static int
waiting(struct mover *v, int code)
{
    if (code != CTL_DONE && !v->o.ctl->json)
        fprintf(
            stderr,
            "  Still safe: mail for %s waits in the queue; nothing of it is lost or bounced, and\n"
            "  what was in the mailbox is at %s.\n"
            "  To do: the same command again goes on from here; with --abort it goes back.\n",
            v->user, v->m.from);
    return code;
}

/* Nothing was begun yet. */
static int
unchanged(const struct mover *v, int code)
{
    if (!v->o.ctl->json)
        fprintf(stderr,
                "  Still safe: all of it is at %s, and used there as before.\n"
                "  To do: mend what is said above, then the same command again.\n",
                v->m.from);
    return code;
}

/* --- the steps --- */

/* Postfix remembers a route for half a minute; no question shows when it has forgotten. */
static void
settle(const struct mover *v)
{
    struct timespec t = {v->o.ctl->conf->move_site.settle, 0};

    while (nanosleep(&t, &t) != 0)
        continue;
}

static int
all_know_moving(struct mover *v)
{
    const char *own = v->o.ctl->conf->site;
    int code = move_await(v->o.ctl, v->m.from, v->user, NULL, v->await_s);

    if (code == CTL_NO)
        code = ctl_fail(v->o.ctl, CTL_USAGE,
                        "whether %s knows can't be asked: run this there, or say in compare.peers "
                        "or with --at where its control socket is",
                        v->m.from);
    if (code == CTL_DONE && strcasecmp(own, v->m.from) != 0)
        code = move_await(v->o.ctl, own, v->user, NULL, v->await_s);
    return code;
}

static int
close_sessions(struct mover *v)
{
    const struct conf_list *command = &v->o.ctl->conf->move_site.close_command;

    if (command->n > 0 && move_run(v->o.ctl, command, &v->names, MOVE_CLOSES) != CTL_DONE &&
        !v->o.ctl->json)
        fputs("  Sessions that are open at the old site go on; the last look brings along what "
              "they change until then.\n",
              stderr);
    return CTL_DONE;
}

static int
go_away(struct mover *v)
{
    int code = CTL_DONE;

    if (v->m.step == MOVE_NONE) {
        say(v, "1 copying from %s to %s, while %s is used as before", v->m.from, v->m.to, v->user);
        code = copy(v);
        if (code != CTL_DONE)
            return unchanged(v, code);
        code = look_again(v);
        if (code != CTL_DONE)
            return code;
        say(v, "2 state moving: from now on mail for it waits in the queue");
        code = write_step(v, MOVE_COPY, NULL, "moving");
        if (code != CTL_DONE)
            return code;
    }
    say(v, "3 waiting until the sites know, and Postfix has forgotten");
    code = all_know_moving(v);
    if (code == CTL_DONE) {
        settle(v);
        code = close_sessions(v);
    }
    if (code == CTL_DONE) {
        say(v, "4 copying what came meanwhile");
        code = copy(v);
    }
    if (code == CTL_DONE) {
        say(v, "5 home site %s", v->m.to);
        code = write_step(v, MOVE_LATE, v->m.to, v->m.state);
    }
    return waiting(v, code);
}

static int
arrive(struct mover *v)
{
    int code;

    say(v, "6 a last look at the old place");
    code = move_await(v->o.ctl, v->m.to, v->user, v->m.to, v->await_s);
    if (code == CTL_NO) /* nobody to ask: mail waits a moment longer if it does not know */
        code = CTL_DONE;
    if (code == CTL_DONE)
        code = copy(v);
    if (code == CTL_DONE)
        code = write_step(v, MOVE_NONE, NULL, NULL);
    if (code != CTL_DONE && !v->o.ctl->json)
        fprintf(stderr,
                "  The mailbox has moved, and mail flows to %s. Not done: the last look at %s.\n"
                "  To do: the same command again.\n",
                v->m.to, v->m.from);
    return code;
}

static int
move(struct mover *v)
{
    int code = v->m.step == MOVE_LATE ? CTL_DONE : go_away(v);

    if (code == CTL_DONE)
        code = arrive(v);
    if (code != CTL_DONE)
        return code;
    return org_done(
        &v->o, v->e->dn,
        "%s is at home at %s now; the old mailbox at %s is still there, and may go when "
        "you have looked",
        v->user, v->m.to, v->m.from);
}

/* --- instead of it --- */

static int
go_back(struct mover *v)
{
    int code;

    if (v->m.step == MOVE_LATE)
        return ctl_fail(v->o.ctl, CTL_NO,
                        "%s has moved to %s already: end it with the same command without --abort, "
                        "then move it back to %s",
                        v->user, v->m.to, v->m.from);
    if (v->m.step == MOVE_NONE)
        return ctl_fail(v->o.ctl, CTL_NO, "%s is not on its way anywhere", v->user);
    code = write_step(v, MOVE_NONE, NULL, v->m.state);
    return code == CTL_DONE ? org_done(&v->o, v->e->dn,
                                       "%s stays at %s; the mail that waited is "
                                       "delivered there",
                                       v->user, v->m.from)
                            : code;
}

static int
plan(struct mover *v)
{
    const struct conf_list *command = &v->o.ctl->conf->move_site.copy_command;
    char word[1024];

    printf("# %s from %s to %s; it is at step %s\n# copied by:", v->user, v->m.from, v->m.to,
           v->m.step == MOVE_LATE   ? "6: it has moved, a last look is due"
           : v->m.step == MOVE_COPY ? "3: mail waits"
                                    : "1: nothing was begun");
    for (size_t i = 0; i < command->n; i++) {
        if (move_expand(command->v[i], &v->names, word, sizeof word) < 0)
            snprintf(word, sizeof word, "(wrong: %s)", command->v[i]);
        putchar(' ');
        text_put(stdout, word);
    }
    putchar('\n');
    if (v->m.step == MOVE_NONE)
        write_step(v, MOVE_COPY, NULL, "moving");
    if (v->m.step == MOVE_COPY)
        write_step(v, MOVE_LATE, v->m.to, v->m.state);
    return write_step(v, MOVE_NONE, NULL, NULL);
}

static int
prepare(struct mover *v)
{
    int code = host_of(v, v->m.from, v->from_host);

    if (code == CTL_DONE)
        code = host_of(v, v->m.to, v->to_host);
    v->names = (struct move_names){v->user, v->m.from, v->m.to, v->from_host, v->to_host};
    if (code == CTL_DONE && v->o.ctl->conf->move_site.copy_command.n == 0)
        code = ctl_fail(v->o.ctl, CTL_USAGE,
                        "how are mailboxes copied? Set move_site.copy_command, see "
                        "postroad.conf(5)");
    if (code == CTL_DONE && (v->o.ctl->conf->move_site.list_from_command.n == 0 ||
                             v->o.ctl->conf->move_site.list_to_command.n == 0))
        code = ctl_fail(v->o.ctl, CTL_USAGE,
                        "how is it seen that all was copied? Set move_site.list_from_command and "
                        "move_site.list_to_command, see postroad.conf(5)");
    return code;
}

static int
run(struct mover *v)
{
    int code;

    if (ctl_value(v->o.ctl, "abort"))
        return go_back(v);
    if (v->m.step == MOVE_NONE && strcasecmp(v->m.from, v->m.to) == 0)
        return org_done(&v->o, v->e->dn, "%s is at home at %s already", v->user, v->m.to);
    code = prepare(v);
    if (code != CTL_DONE)
        return v->m.step == MOVE_COPY ? waiting(v, code) : code;
    return dir_dry(v->o.d) ? plan(v) : move(v);
}

int
verb_user_move_site(struct ctl *ctl)
{
    struct mover *v = calloc(1, sizeof *v);
    int abort = ctl_value(ctl, "abort") != NULL, code;

    if (!v)
        return CTL_TEMPORARY;
    v->await_s = ctl_value(ctl, "wait") ? ctl->wait : AWAIT_S;
    code = org_open(&v->o, ctl, abort ? 1 : 2, 2, "an address and the site to move to");
    if (code == CTL_DONE)
        code = look(v, ctl->argc == 2 ? ctl->argv[1] : NULL);
    if (code == CTL_DONE)
        code = run(v);
    dir_entry_free(&v->e);
    org_close(&v->o, code);
    free(v);
    return code;
}
