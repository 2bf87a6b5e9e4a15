/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vitals: who lives, out of the board's beats, see vitals.h.
 *
 * Promises: only reads the board; says "alive" of nobody whose beat is old,
 * however large its counters are. A worker that is being restarted makes us
 * unhealthy, but not unready as long as another one answers.
 */
#include <stdio.h>

#include "mirror.h"
#include "vitals.h"

const char *
vitals_role(int number)
{
    switch (number) {
    case BOARD_PARENT:
        return "parent";
    case BOARD_SYNC:
        return "sync";
    case BOARD_CONTROL:
        return "control";
    case BOARD_POLICY:
        return "policy";
    case BOARD_PROBE:
        return "probe";
    case BOARD_COLD:
        return "cold";
    case BOARD_ACCESS:
        return "access";
    case BOARD_EDIT:
        return "edit";
    case BOARD_HOOK:
        return "hook";
    case BOARD_HOMES:
        return "homes";
    case BOARD_QUEUE:
        return "queue";
    case BOARD_HELD:
        return "held";
    default:
        return number >= BOARD_ANSWER ? "answer" : "other";
    }
}

int
vitals_present(const struct board *b, int number)
{
    return board_get(b, number, BOARD_PID) != 0;
}

int64_t
vitals_beat_age(const struct board *b, int number, const struct moment *now)
{
    int64_t beat = (int64_t)board_get(b, number, BOARD_BEAT_MS);

    if (beat == 0)
        return -1;
    return now->mono_ms > beat ? now->mono_ms - beat : 0;
}

static int
beats(const struct board *b, int number, const struct moment *now)
{
    int64_t age = vitals_beat_age(b, number, now);

    return vitals_present(b, number) && age >= 0 && age < VITALS_SILENCE_MS;
}

int
vitals_answering(const struct board *b, const struct moment *now)
{
    int n = 0;

    for (int i = BOARD_ANSWER; i < BOARD_ROLES; i++)
        n += beats(b, i, now);
    return n;
}

int
vitals_alive(const struct board *b, int workers, int policy, int access, const struct moment *now,
             char *why, size_t why_n)
{
    static const int needed[] = {BOARD_PARENT, BOARD_SYNC, BOARD_CONTROL, BOARD_POLICY,
                                 BOARD_ACCESS};
    int answering;

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if ((needed[i] != BOARD_POLICY || policy) && (needed[i] != BOARD_ACCESS || access) &&
            !beats(b, needed[i], now)) {
            snprintf(why, why_n, "role %s gives no sign of life", vitals_role(needed[i]));
            return 0;
        }
    answering = vitals_answering(b, now);
    if (answering < workers) {
        snprintf(why, why_n, "%d of %d answer workers give a sign of life", answering, workers);
        return 0;
    }
    return 1;
}

int
vitals_ready(const struct board *b, int mirror_complete, const struct moment *now, char *why,
             size_t why_n)
{
    if (!mirror_complete) {
        snprintf(why, why_n, "the mirror was never filled");
        return 0;
    }
    if (vitals_answering(b, now) == 0) {
        snprintf(why, why_n, "no answer worker gives a sign of life");
        return 0;
    }
    return 1;
}

/*
 * A loaded file is watched, so what it says is what the mirror holds. A provider confirms with
 * each answer while it is followed; its answers before and after that confirm nothing.
 */
int64_t
vitals_confirmed_ms(const struct board *b, const struct moment *now)
{
    uint64_t phase = board_get(b, BOARD_SYNC, BOARD_SYNC_PHASE);
    int64_t beat = (int64_t)board_get(b, BOARD_SYNC, BOARD_SYNC_BEAT_MS);

    if (phase == PHASE_LOADED)
        return now->wall_ms;
    return phase == PHASE_PERSIST && beat > 0 ? now->wall_ms - (now->mono_ms - beat) : 0;
}

int64_t
vitals_mirror_age(const struct board *b, struct mirror *m, const struct moment *now,
                  int64_t *confirmed_ms)
{
    int64_t at = vitals_confirmed_ms(b, now);
    struct mirror_info info;

    if (mirror_info(m, &info) < 0 || !info.complete)
        return -1;
    *confirmed_ms = at > *confirmed_ms ? at : *confirmed_ms;
    at = *confirmed_ms;
    at = (int64_t)info.refreshed_ms > at ? (int64_t)info.refreshed_ms : at;
    at = (int64_t)info.updated_ms > at ? (int64_t)info.updated_ms : at;
    return now->wall_ms > at ? now->wall_ms - at : 0;
}

uint64_t
vitals_sum(const struct board *b, int word)
{
    uint64_t sum = 0;

    for (int i = BOARD_ANSWER; i < BOARD_ROLES; i++)
        sum += board_get(b, i, word);
    return sum;
}
