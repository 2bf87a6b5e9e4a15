/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inquiry: see inquiry.h. Each part of the memory has one writer. What is more than
 * one word stands behind a version, odd while it is written: who reads sees it whole,
 * or takes it as not there. Must not allocate, block, or log.
 */
#include "inquiry.h"

#include <string.h>

#include "fnv.h"

#define ALONE_MS 2000 /* so long a question is kept that nobody in particular waits for */

struct question {
    _Atomic uint64_t version, want_ms;
    uint32_t n;
    char text[INQUIRY_TEXT];
};

struct answer {
    _Atomic uint64_t version, about, at_ms, number, verdict;
};

struct alarm {
    _Atomic uint64_t version;
    struct inquiry_alarm shown;
};

struct answers {
    struct answer answer[BOARD_ROLES][INQUIRY_SLOTS];
    struct alarm alarm[INQUIRY_ALARMS];
};

_Static_assert(sizeof(struct question) * INQUIRY_SLOTS <= BOARD_QUESTIONS, "questions must fit");
_Static_assert(sizeof(struct answers) <= BOARD_ANSWERS, "answers must fit");

static struct question *
question_at(const struct board *b, int role, int slot)
{
    return (struct question *)board_questions(b, role) + slot;
}

static struct answer *
answer_at(const struct board *b, int role, int slot)
{
    return &((struct answers *)board_answers(b))->answer[role][slot];
}

static uint64_t
get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static void
put(_Atomic uint64_t *word, uint64_t v)
{
    atomic_store_explicit(word, v, memory_order_release);
}

/* From here to write_end readers take the part as not there. A writer that died left an odd version. */
static uint64_t
write_begin(_Atomic uint64_t *version)
{
    uint64_t next = (get(version) + 3) & ~(uint64_t)1;

    atomic_store(version, next - 1);
    atomic_thread_fence(memory_order_seq_cst);
    return next;
}

static void
write_end(_Atomic uint64_t *version, uint64_t next)
{
    atomic_thread_fence(memory_order_seq_cst);
    atomic_store(version, next);
}

static int
read_was_whole(const _Atomic uint64_t *version, uint64_t before)
{
    atomic_thread_fence(memory_order_seq_cst);
    return !(before & 1) && atomic_load(version) == before;
}

/* --- the asker --- */

void
inquiry_init(struct inquiry *q, struct board *board)
{
    memset(q, 0, sizeof *q);
    q->board = board;
}

/* Nobody waits for it any more, as far as is known. */
static int
is_free(const struct inquiry *q, unsigned slot, int64_t now_ms)
{
    const struct question *own = question_at(q->board, q->board->number, (int)slot);
    const struct answer *a = answer_at(q->board, q->board->number, (int)slot);
    int64_t want = (int64_t)get(&own->want_ms);

    if (q->refs[slot] > 0)
        return now_ms - want > INQUIRY_STALE_MS;
    return now_ms - want > ALONE_MS ||
           (get(&a->about) == get(&own->version) && (int64_t)get(&a->at_ms) > want);
}

/* The slot that holds text, else the free one that was wanted longest ago; -1 there is none. */
static int
slot_for(const struct inquiry *q, struct span text, uint32_t hash, int64_t now_ms, int *found)
{
    int64_t least = INT64_MAX;
    int best = -1;

    *found = 0;
    for (unsigned i = 0; i < q->used; i++) {
        const struct question *own = question_at(q->board, q->board->number, (int)i);

        if (q->hash[i] == hash && own->n == text.n && memcmp(own->text, text.p, text.n) == 0) {
            *found = 1;
            return (int)i;
        }
        if ((int64_t)get(&own->want_ms) < least && is_free(q, i, now_ms)) {
            least = (int64_t)get(&own->want_ms);
            best = (int)i;
        }
    }
    return best;
}

static void
question_write(struct question *own, struct span text)
{
    uint64_t next = write_begin(&own->version);

    own->n = (uint32_t)text.n;
    memcpy(own->text, text.p, text.n);
    write_end(&own->version, next);
}

int
inquiry_put(struct inquiry *q, struct span text, int64_t want_ms, int64_t now_ms)
{
    uint32_t hash = fnv32(FNV32, text.p, text.n);
    struct question *own;
    int found, slot;

    if (text.n == 0 || text.n > INQUIRY_TEXT)
        return -1;
    slot = slot_for(q, text, hash, now_ms, &found);
    if (slot < 0 && q->used < INQUIRY_SLOTS)
        slot = (int)q->used++;
    if (slot < 0)
        return -1;
    own = question_at(q->board, q->board->number, slot);
    if (!found) {
        put(&own->want_ms, 0);
        question_write(own, text);
        q->hash[slot] = hash;
        q->refs[slot] = 0;
    }
    if ((int64_t)get(&own->want_ms) < want_ms)
        put(&own->want_ms, (uint64_t)want_ms);
    return slot;
}

enum inquiry_verdict
inquiry_look(const struct inquiry *q, int slot, int64_t asked_ms, uint64_t upto)
{
    const struct question *own = question_at(q->board, q->board->number, slot);
    const struct answer *a = answer_at(q->board, q->board->number, slot);
    uint64_t before = get(&a->version), about = get(&a->about), number = get(&a->number);
    int64_t at = (int64_t)get(&a->at_ms);
    enum inquiry_verdict verdict = (enum inquiry_verdict)get(&a->verdict);

    if (!read_was_whole(&a->version, before))
        return INQUIRY_NONE;
    return about == get(&own->version) && at > asked_ms && number <= upto ? verdict : INQUIRY_NONE;
}

unsigned
inquiry_room(const struct inquiry *q, int64_t now_ms)
{
    unsigned n = INQUIRY_SLOTS - q->used;

    for (unsigned i = 0; i < q->used; i++)
        n += (unsigned)is_free(q, i, now_ms);
    return n;
}

/* --- sync --- */

/* Who asks: sync itself, about what it has raised an alarm for, and the answer workers. */
static int
role_number(unsigned n)
{
    return n == 0 ? BOARD_SYNC : BOARD_ANSWER + (int)n - 1;
}

/* 1, or 0: nothing is asked in this slot now. */
static int
question_read(const struct board *b, int64_t now_ms, struct inquiry_question *out)
{
    const struct question *from = question_at(b, out->id.role, out->id.slot);

    out->id.version = get(&from->version);
    out->want_ms = (int64_t)get(&from->want_ms);
    out->n = from->n;
    if (out->want_ms == 0 || now_ms - out->want_ms > INQUIRY_STALE_MS || out->n > INQUIRY_TEXT)
        return 0;
    memcpy(out->text, from->text, out->n);
    return read_was_whole(&from->version, out->id.version);
}

int
inquiry_next(const struct board *b, unsigned *at, int64_t now_ms, struct inquiry_question *out)
{
    for (; *at < INQUIRY_WALK; ++*at) {
        out->id.role = role_number(*at / INQUIRY_SLOTS);
        out->id.slot = (int)(*at % INQUIRY_SLOTS);
        if (get(&question_at(b, out->id.role, out->id.slot)->version) == 0) {
            *at += INQUIRY_SLOTS - 1 - (unsigned)out->id.slot; /* slots are taken in order */
            continue;
        }
        if (question_read(b, now_ms, out)) {
            ++*at;
            return 1;
        }
    }
    return 0;
}

void
inquiry_answer(struct board *b, struct inquiry_id about, enum inquiry_verdict verdict,
               int64_t at_ms)
{
    struct answer *a = answer_at(b, about.role, about.slot);
    uint64_t number = board_get(b, BOARD_SYNC, BOARD_SYNC_ANSWERED) + 1;
    uint64_t next = write_begin(&a->version);

    put(&a->about, about.version);
    put(&a->at_ms, (uint64_t)at_ms);
    put(&a->verdict, verdict);
    put(&a->number, number);
    write_end(&a->version, next);
    board_publish(b, BOARD_SYNC_ANSWERED, number);
}

/* --- alarms --- */

static struct alarm *
alarm_at(const struct board *b, int i)
{
    return &((struct answers *)board_answers(b))->alarm[i];
}

void
inquiry_alarm_set(struct board *b, int i, const struct inquiry_alarm *a)
{
    struct alarm *to = alarm_at(b, i);
    uint64_t next = write_begin(&to->version);

    to->shown = *a;
    write_end(&to->version, next);
}

void
inquiry_alarm_get(const struct board *b, int i, struct inquiry_alarm *out)
{
    const struct alarm *from = alarm_at(b, i);
    uint64_t before = get(&from->version);

    *out = from->shown;
    if (!read_was_whole(&from->version, before))
        out->since_ms = 0;
    out->address[sizeof out->address - 1] = out->entry[sizeof out->entry - 1] = '\0';
}

int
inquiry_line(struct span *text, struct span *line)
{
    const char *end = text->n ? memchr(text->p, '\n', text->n) : NULL;

    *line = (struct span){text->p, end ? (size_t)(end - text->p) : text->n};
    text->p += end ? line->n + 1 : line->n;
    text->n -= end ? line->n + 1 : line->n;
    return line->n > 0;
}

int
inquiry_alarmed(const struct board *b, struct span text)
{
    struct inquiry_alarm a;
    struct span rest, line;

    if (board_get(b, BOARD_SYNC, BOARD_SYNC_DIFFERS) == 0)
        return 0;
    for (int i = 0; i < INQUIRY_ALARMS; i++) {
        inquiry_alarm_get(b, i, &a);
        for (rest = text; a.since_ms > 0 && inquiry_line(&rest, &line);)
            if (span_same(line, span_of(a.address)))
                return 1;
    }
    return 0;
}
