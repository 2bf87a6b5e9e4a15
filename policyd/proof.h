/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proof: up to which moment the mirror is known to hold everything that any
 * provider knew, out of what the providers answer when asked for contextCSN.
 *
 * An answer is covered once the mirror's CSNs are as new as those in it, for every
 * server id. The moment is that of the question, since what the provider learnt after
 * it need not be in the answer. Pure: memory of the caller's; time is an argument, of
 * one monotonic clock, in ms.
 */
#ifndef POSTROAD_PROOF_H
#define POSTROAD_PROOF_H

#include <stdint.h>

#include "conf.h"
#include "cookie.h"

#define PROOF_PROVIDERS_MAX CONF_LIST_MAX
#define PROOF_OPEN_MAX      16   /* answers of one provider that wait to be covered */
#define PROOF_SILENT_MS     3000 /* a question that is open for so long: it does not answer */

struct proof_answer {
    int64_t asked_ms;
    struct cookie knows;
};

struct proof_provider {
    struct proof_answer open[PROOF_OPEN_MAX]; /* not covered, oldest first */
    unsigned nopen;
    int64_t covered_ms;  /* question behind the newest covered answer; 0 none */
    int64_t answered_ms; /* last answer; 0 none */
    int64_t asking_ms;   /* since when a question or a connection is waited for; 0 none is */
    struct cookie said;  /* all it ever said: a crash can take its contextCSN back */
    int failed;          /* the last attempt ended without an answer */
};

struct proof {
    unsigned n;
    struct proof_provider provider[PROOF_PROVIDERS_MAX];
};

void proof_init(struct proof *p, unsigned n);

/*
 * What happens with provider i: it is asked (or connected to), it answers, that fails. An answer
 * without a CSN proves nothing and counts as failed.
 */
void proof_asked(struct proof *p, unsigned i, int64_t now_ms);
void proof_answered(struct proof *p, unsigned i, int64_t asked_ms, int64_t now_ms,
                    const struct cookie *knows);
void proof_failed(struct proof *p, unsigned i);

/* The mirror holds, for everybody to see, all that mirror stands for. */
void proof_cover(struct proof *p, const struct cookie *mirror);
/* The mirror's content is to be replaced: what was covered says nothing about the new one. */
void proof_forget(struct proof *p);

/* The moment for which all is proven: 0 never. */
int64_t proof_ms(const struct proof *p);
/* Since when it knows more than the mirror, as far as asked: 0 it doesn't. */
int64_t proof_behind_ms(const struct proof_provider *v);
/* Whether a provider is known not to answer, and how many are. */
int proof_unreachable(const struct proof_provider *v, int64_t now_ms);
unsigned proof_count_unreachable(const struct proof *p, int64_t now_ms);

#endif
