/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board: what the roles of one policyd show one another, in shared memory made
 * by the parent (memfd). One page per role; only that role writes it, all read.
 * Values are single aligned 64-bit words, relaxed: each is right by itself. One that
 * says something about the mirror goes by board_publish and board_observe.
 */
#ifndef POSTROAD_BOARD_H
#define POSTROAD_BOARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_PAGE      4096
#define BOARD_QUESTIONS (88 * 4096)  /* bytes for each role's questions, see inquiry.h */
#define BOARD_ANSWERS   (376 * 4096) /* bytes for sync's answers to them */
#define BOARD_ROLES     144          /* those below, and 2 x 64 answer workers */
#define BOARD_PARENT    0
#define BOARD_SYNC      1
#define BOARD_CONTROL   2
#define BOARD_POLICY    3
#define BOARD_PROBE     4
#define BOARD_COLD      5
#define BOARD_ACCESS    6
#define BOARD_EDIT      7
#define BOARD_HOOK      8
#define BOARD_HOMES     9
#define BOARD_QUEUE     10
#define BOARD_HELD      11
#define BOARD_ANSWER \
    16 /* the first of the answer workers; during a reload old and new ones share the rest */

enum board_counter {
    /* by every role */
    BOARD_BEAT_MS, /* monotonic ms, at least once a second */
    BOARD_PID,
    BOARD_STARTED_MS, /* wall clock */
    /* by the parent, one page: restarts of role i at BOARD_RESTARTS + i */
    /* by answer */
    BOARD_CONNECTIONS, /* open now */
    BOARD_ACCEPTED,
    BOARD_CLOSED_BAD, /* closed for a protocol error */
    BOARD_CLOSED_SLOW,
    BOARD_CLOSED_IDLE,
    BOARD_PARKED,       /* lookups that wait for a proof now */
    BOARD_PARKED_TOTAL, /* that waited */
    BOARD_PARKED_FULL,  /* that would have waited, but too many did */
    BOARD_DOUBTS =
        15, /* by every role: how often it found the store damaged; the parent: role died of it */
    BOARD_LOOKUPS = 16,  /* + map number * 4 + enum socketmap_status; 16 maps */
    BOARD_VERDICTS = 80, /* + enum route_verdict; 8 */
    /* by policy, beside connections, accepted and closed */
    BOARD_POLICY_ANSWERS = 88, /* + enum policy_answer; 8 */
    /* by sync */
    BOARD_SYNC_SOURCE = 96, /* enum freshness_source */
    BOARD_SYNC_PHASE,       /* enum board_phase */
    BOARD_SYNC_BEAT_MS,     /* monotonic ms of the provider's last answer */
    BOARD_SYNC_SINCE_MS,    /* wall clock: since when in this phase */
    BOARD_SYNC_CONNECTS,
    BOARD_SYNC_ENTRIES, /* added or changed since start */
    BOARD_SYNC_DELETES,
    BOARD_SYNC_REFRESHES,
    BOARD_SYNC_ERRORS,
    BOARD_SYNC_SWEEPS_REFUSED,
    BOARD_SYNC_WOULD_SWEEP, /* entries the refused sweep would have removed, 0 when none is refused */
    BOARD_SYNC_URI,         /* index of the provider in directory.uri */
    BOARD_SYNC_PROOF_MS, /* monotonic ms: the mirror held all that any provider knew then; 0 never */
    BOARD_SYNC_UNREACHABLE,   /* providers known not to answer */
    BOARD_SYNC_STALLS,        /* searches begun anew because a change did not come */
    BOARD_SYNC_ANSWERED,      /* the number of the last answer to a question, see inquiry.h */
    BOARD_SYNC_CHECKED = 120, /* as many doubts as were cleared, see board_doubts */
    /* by cold */
    BOARD_COLD_CURRENT_MS = 121, /* wall clock: when the tables held what the mirror holds */
    BOARD_COLD_ROWS,
    BOARD_COLD_WRITTEN, /* rows changed since start */
    BOARD_COLD_ERRORS,
    /* by homes; on pages of their own, the same words as cold's */
    BOARD_HOMES_CURRENT_MS = 121, /* wall clock: when the files held what the mirror holds */
    BOARD_HOMES_PEOPLE,           /* who live elsewhere */
    BOARD_HOMES_WRITTEN,          /* files since start */
    BOARD_HOMES_ERRORS,
    /* by sync */
    BOARD_SYNC_DIFFERS,  /* entries that a provider has otherwise than the mirror, now */
    BOARD_SYNC_DIFFERED, /* since start */
    BOARD_SYNC_SEARCHED, /* addresses looked for at providers since start */
    /* sync's page only: + BOARD_PROVIDER_WORDS * number + enum board_provider */
    BOARD_SYNC_PROVIDER = 128,
    BOARD_RESTARTS = 128, /* parent's page only: + role number */
    /* hook's page only */
    BOARD_HOOK_QUEUED = 128, /* events, now */
    BOARD_HOOK_BYTES,
    BOARD_HOOK_OLDEST_MS, /* wall clock, when the oldest was stored; 0: the queue is empty */
    BOARD_HOOK_STORED,    /* since start, so the others */
    BOARD_HOOK_DROPPED_FULL,
    BOARD_HOOK_DROPPED_AGED,
    BOARD_HOOK_STORE_ERRORS,
    BOARD_HOOK_TARGETS = 144, /* + BOARD_HOOK_WORDS * number + enum hook_outcome, or: */
    BOARD_HOOK_DOUBTED = 3,   /* whether it fails, now */
    /* queue's page only */
    BOARD_QUEUE_LOOKED_MS = 128, /* wall clock: when the words below were right; 0 never */
    BOARD_QUEUE_TOOK_MS,         /* how long that look took */
    BOARD_QUEUE_LOOKS,           /* since start, so the others */
    BOARD_QUEUE_FAILURES,
    BOARD_QUEUE_RELEASED,
    BOARD_QUEUE_DELETED,
    BOARD_QUEUE_ROOT,        /* whether it may release and delete */
    BOARD_QUEUE_NAMES = 136, /* + BOARD_QUEUE_WORDS * enum queue_name + enum board_queue */
    /* access's page only, beside connections, accepted and closed */
    BOARD_ACCESS_ANSWERS = 128,  /* + 3 * enum access_word + enum access_verdict + 1 */
    BOARD_ACCESS_SESSIONS = 160, /* administrators' that are open now */
    BOARD_ACCESS_RECORDS,        /* of the audit log, written */
    BOARD_ACCESS_AUDIT_ERRORS,
    BOARD_ACCESS_TIME_US,         /* all questions together */
    BOARD_ACCESS_TIMES = 168,     /* + number of access_times_us that was not exceeded */
    BOARD_ACCESS_AUDIT_SEQ = 176, /* number of the newest record; then its hash, four words */
    /* held's page only */
    BOARD_HELD_STATES = 128,    /* + enum held_state: messages, now */
    BOARD_HELD_OLDEST_MS = 136, /* wall clock, of what waits for a verdict; 0: nothing does */
    BOARD_HELD_DIRECTORY,       /* 2 it is told, 1 there is none, 0 it can't be told now */
    BOARD_HELD_ERRORS,  /* since start, so the others: records that can't be read or written */
    BOARD_HELD_NOTICES, /* taken by the mail server */
    BOARD_HELD_NOTICES_LOST,
    BOARD_HELD_VERDICTS, /* of the directory */
    BOARD_HELD_REFUSED,  /* of them, as the moderator had no right */
    BOARD_HELD_ROUNDS,   /* in which all that was due was looked at */
    BOARD_HELD_ROUND_MS, /* wall clock, of the last one */
    BOARD_HELD_POLLS,    /* how often the directory was asked for verdicts, and answered */
    BOARD_HELD_RIVALS,   /* entries of this site that another policyd keeps */
    BOARD_HELD_ASKING,   /* messages about which an answer is waited for, now */
    BOARD_WORDS = 272
};

#define BOARD_HOOK_WORDS 4

enum board_queue {
    QUEUE_MESSAGES,
    QUEUE_BYTES,
    QUEUE_OLDEST_S /* wall clock, when the oldest arrived; 0: it is empty */
};
#define BOARD_QUEUE_WORDS 4

/* What is shown of one provider (conf_providers). */
enum board_provider {
    PROVIDER_DOWN_MS,     /* wall clock: since when it does not answer; 0 it does */
    PROVIDER_ANSWERED_MS, /* monotonic ms of its last answer; 0 never */
    PROVIDER_PROOF_MS,    /* monotonic ms: the mirror held all it knew then; 0 never */
    PROVIDER_BEHIND_MS    /* monotonic ms: since when it knows more than the mirror; 0 it doesn't */
};
#define BOARD_PROVIDER_WORDS 4

enum board_phase {
    PHASE_NONE,
    PHASE_CONNECTING, /* text: why it has to, "" the first time */
    PHASE_REFRESH,
    PHASE_PERSIST, /* refresh complete, changes arrive as they happen */
    PHASE_LOADED,  /* LDIF: the file is loaded */
    PHASE_ERROR,   /* waiting to try again; text in the page's tail */
    PHASE_REFUSED, /* the sweep guard stopped a refresh */
    PHASE_UNREAD /* waiting to try again: there may be more than is known, it could not be read or kept */
};

#define BOARD_TEXT_MAX 1024 /* a role's last error or source name, at the page's end */

struct board_page {
    _Atomic uint64_t word[BOARD_WORDS];
    _Atomic uint64_t text_seq; /* odd while the text is being written */
    char text[BOARD_TEXT_MAX];
};

struct board {
    struct board_page *page[BOARD_ROLES]; /* read-only but the own one */
    struct board_page *own;
    int number; /* of the own one */
};

/* Parent: make the memory; returns the descriptor, or -1. */
int board_create(void);
/* Map it for the role; writes only its own page. Closes fd unless keep. 0 or -1 (errno). */
int board_attach(struct board *b, int fd, int role, int keep);
void board_detach(struct board *b);

static inline void
board_set(struct board *b, int word, uint64_t v)
{
    atomic_store_explicit(&b->own->word[word], v, memory_order_relaxed);
}

static inline void
board_add(struct board *b, int word, uint64_t v)
{
    atomic_store_explicit(&b->own->word[word],
                          atomic_load_explicit(&b->own->word[word], memory_order_relaxed) + v,
                          memory_order_relaxed);
}

static inline uint64_t
board_get(const struct board *b, int role, int word)
{
    return atomic_load_explicit(&b->page[role]->word[word], memory_order_relaxed);
}

/* All doubts so far, of all roles; one that is not cleared keeps everybody from opening the store. */
uint64_t board_doubts(const struct board *b);

/* As board_set and board_get; who observes the word sees all that was done before it was published. */
static inline void
board_publish(struct board *b, int word, uint64_t v)
{
    atomic_store_explicit(&b->own->word[word], v, memory_order_release);
}

static inline uint64_t
board_observe(const struct board *b, int role, int word)
{
    return atomic_load_explicit(&b->page[role]->word[word], memory_order_acquire);
}

/* The clock of the beats: monotonic ms. */
uint64_t board_now_ms(void);
/* A role's questions, which only it writes; the answers, which only sync writes. Zero at first. */
void *board_questions(const struct board *b, int role);
void *board_answers(const struct board *b);

/* "I live": call at least once a second. */
void board_beat(struct board *b);
/* Parent: take what a dead role can't take back itself (beat, pid, open connections) off its page. */
void board_bury(struct board *b, int role);

/* The own page's text; board_text copies another's (a torn read is tried again, then ""). */
void board_say(struct board *b, const char *text);
void board_text(const struct board *b, int role, char *out, size_t cap);

#endif
