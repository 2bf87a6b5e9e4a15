/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * import_write: the adds, many under way at once, so that the server and the line
 * are kept busy, however far away it is. Each answer decides one line.
 *
 * When the connection breaks, what was sent and not answered is not called added
 * nor refused: nobody here knows, and a rerun finds out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "password.h"

#define UNDER_WAY 64

struct writing {
    struct import *im;
    struct dir *d;
    struct {
        int id; /* 0: free */
        struct import_line *l;
    } sent[UNDER_WAY];
    size_t nsent, done, all;
    struct import_line *first; /* the first that was added with a password */
};

static void
secret_of(const struct import_line *l, struct secret *s)
{
    s->n = strlen(l->password);
    memcpy(s->text, l->password, s->n + 1);
}

static struct dir_change *
entry_of(struct import_line *l, const char *scheme)
{
    struct dir_change *c = user_entry(&l->u);
    char hash[PASSWORD_HASH_MAX];
    struct secret s;

    if (!c || !l->password)
        return c;
    secret_of(l, &s);
    if (password_hash(scheme, &s, hash) == 0)
        dir_change_value(c, DIR_ADD, "userPassword", hash);
    else
        dir_change_free(&c);
    explicit_bzero(hash, sizeof hash);
    secret_wipe(&s);
    return c;
}

static void
refused(struct writing *w, struct import_line *l)
{
    if (dir_was_there(w->d))
        import_refuse(l, "there is an entry %s already: give it another name in column uid", l->dn);
    else if (dir_was_missing(w->d))
        import_refuse(l, "the department is there no more: %s", dir_parent(l->dn));
    else
        import_refuse(l, "%s", dir_error(w->d));
}

static void
added(struct writing *w, struct import_line *l)
{
    l->fate = FATE_ADDED;
    if (!w->first && l->password)
        w->first = l;
}

/* Passwords that open nothing are better heard of now than from everybody on Monday. */
static void
try_first(struct writing *w)
{
    struct secret s;

    if (!w->first || dir_dry(w->d))
        return;
    secret_of(w->first, &s);
    password_check(w->d, w->first->dn, &s);
    secret_wipe(&s);
}

static void
progress(struct writing *w)
{
    w->done++;
    import_progress(w->im, "adding", w->done, w->all);
}

/* One answer, to whichever it is. */
static int
answer(struct writing *w)
{
    int id, code = dir_add_answer(w->d, &id);

    if (id == 0)
        return CTL_TEMPORARY;
    for (size_t i = 0; i < UNDER_WAY; i++) {
        if (w->sent[i].id != id)
            continue;
        w->sent[i].id = 0;
        w->nsent--;
        if (code == CTL_DONE)
            added(w, w->sent[i].l);
        else
            refused(w, w->sent[i].l);
        progress(w);
    }
    return CTL_DONE;
}

static int
send(struct writing *w, struct import_line *l, const char *scheme)
{
    struct dir_change *c = entry_of(l, scheme);
    int code, id;
    size_t i = 0;

    if (!c)
        return dir_refuse(w->d, CTL_TEMPORARY, "no memory, or no password can be hashed");
    while (w->sent[i].id)
        i++;
    code = dir_add_begin(w->d, l->dn, c, &id);
    dir_change_free(&c);
    if (code != CTL_DONE && code != CTL_TEMPORARY) {
        import_refuse(l, "%s", dir_error(w->d));
        return CTL_DONE;
    }
    if (code == CTL_DONE && dir_dry(w->d)) {
        l->fate = FATE_ADDED;
    } else if (code == CTL_DONE) {
        w->sent[i].id = id;
        w->sent[i].l = l;
        w->nsent++;
    }
    return code;
}

int
import_write(struct import *im, struct dir *d)
{
    const char *scheme = password_scheme(d);
    struct writing w = {.im = im, .d = d};
    int code = CTL_DONE;

    for (size_t i = 0; i < im->n; i++)
        w.all += im->lines[i].fate == FATE_OPEN;
    for (size_t i = 0; code == CTL_DONE && i < im->n; i++) {
        if (im->lines[i].fate != FATE_OPEN)
            continue;
        while (code == CTL_DONE && w.nsent == UNDER_WAY)
            code = answer(&w);
        if (code == CTL_DONE)
            code = send(&w, &im->lines[i], scheme);
    }
    while (code == CTL_DONE && w.nsent > 0)
        code = answer(&w);
    for (size_t i = 0; i < UNDER_WAY; i++)
        if (w.sent[i].id)
            w.sent[i].l->fate = FATE_UNKNOWN;
    if (code == CTL_DONE)
        try_first(&w);
    return code;
}
