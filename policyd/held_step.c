/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_step: see held_step.h.
 *
 * Promises: nothing is released or deleted before the verdict is on disk and in the audit log, and
 * not unless Postfix was asked since and has that very message in its hold queue; one that
 * was rejected is never released; the first verdict stands. What can't be told is waited for.
 */
#include "held_step.h"

static struct held_next
next(enum held_do what, int step, const char *why)
{
    return (struct held_next){what, step, why};
}

int
held_lets_go(enum held_state state, enum held_on_expire on_expire)
{
    return state == HELD_APPROVED || (state == HELD_EXPIRED && on_expire == HELD_EXPIRE_APPROVE);
}

/* It waits for a verdict, or for its time to be over. */
static struct held_next
step_held(const struct held_facts *f)
{
    /* A verdict is there, or may be. */
    int unheard = f->waiting || (f->published && f->directory < 0);

    if ((!f->seen || f->recheck) && f->queue == HELD_QUEUE_UNASKED)
        return next(HELD_LOOK, 1, "whether it is in the hold queue");
    if (!f->seen && f->queue == HELD_QUEUE_UNSURE)
        return next(HELD_WAIT, 2, "Postfix's queue can't be read");
    if (!f->seen && f->queue == HELD_QUEUE_ABSENT && f->now_ms - f->time_ms < f->grace_ms)
        return next(HELD_WAIT, 3, "not in the hold queue yet");
    if (!f->seen && f->queue == HELD_QUEUE_ABSENT)
        return next(HELD_DROP, 4, "Postfix never took it");
    if (f->queue == HELD_QUEUE_ABSENT || f->queue == HELD_QUEUE_ELSEWHERE)
        return next(HELD_MARK_GONE, 5, "somebody else released or deleted it");
    if (!f->seen)
        return next(HELD_SEEN, 6, "in the hold queue");
    if (f->now_ms >= f->expires_ms && f->on_expire != HELD_EXPIRE_KEEP && !unheard)
        return next(HELD_EXPIRE, 7, "its time is over");
    if (f->directory > 0 && !f->published)
        return next(HELD_PUBLISH, 8, "not in the directory yet");
    if (f->notify > 0 && !f->noticed)
        return next(HELD_NOTICE, 9, "the sender does not know yet");
    return next(HELD_WAIT, 10, "waiting for a verdict");
}

/* There is a verdict, which is to be carried out. */
static struct held_next
step_decided(const struct held_facts *f)
{
    int release = held_lets_go(f->state, f->on_expire);

    if (!f->audited)
        return next(HELD_AUDIT, 11, "not in the audit log yet");
    if (f->queue == HELD_QUEUE_UNASKED)
        return next(HELD_LOOK, 12, "about to be carried out");
    if (f->queue == HELD_QUEUE_UNSURE)
        return next(HELD_WAIT, 13, "Postfix's queue can't be read");
    if (f->queue == HELD_QUEUE_HERE)
        return next(release ? HELD_RELEASE : HELD_DELETE, 14, "decided");
    if (f->queue == HELD_QUEUE_ABSENT || release)
        return next(HELD_DONE, 15, "not in the hold queue any more");
    return next(HELD_FAIL, 16, "somebody else released it");
}

struct held_next
held_step(const struct held_facts *f)
{
    int decided =
        f->state == HELD_APPROVED || f->state == HELD_REJECTED || f->state == HELD_EXPIRED;
    int refused = decided && !held_lets_go(f->state, f->on_expire);

    if (f->state == HELD_HELD)
        return step_held(f);
    if (decided && !f->done)
        return step_decided(f);
    if (f->directory > 0 && f->published && !f->shown)
        return next(HELD_SHOW, 17, "the directory does not know its state yet");
    if (f->notify > 0 && refused && !f->end_noticed)
        return next(HELD_END_NOTICE, 18, "the sender does not know yet");
    if (f->now_ms - f->decided_ms < f->keep_ms)
        return next(HELD_WAIT, 19, "kept to be looked at");
    if (f->published && f->directory < 0)
        return next(HELD_WAIT, 20, "it can't be taken out of the directory now");
    return next(HELD_REMOVE, 21, "kept long enough");
}

const char *
held_do_word(enum held_do what)
{
    static const char *const words[] = {
        [HELD_WAIT] = "wait",       [HELD_LOOK] = "look",     [HELD_DROP] = "drop",
        [HELD_MARK_GONE] = "gone",  [HELD_SEEN] = "seen",     [HELD_EXPIRE] = "expire",
        [HELD_PUBLISH] = "publish", [HELD_NOTICE] = "notice", [HELD_AUDIT] = "audit",
        [HELD_RELEASE] = "release", [HELD_DELETE] = "delete", [HELD_DONE] = "done",
        [HELD_FAIL] = "fail",       [HELD_SHOW] = "show",     [HELD_END_NOTICE] = "end-notice",
        [HELD_REMOVE] = "remove"};

    return words[what];
}
