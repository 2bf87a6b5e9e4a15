/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits: words and numbers of postroadLimit.
 *
 * Promises: what is not understood whole is no limit and is said to be none; a kind
 * that was named once stays as it was named. Must not: guess.
 */
#include "limits.h"

static const char *const words[LIMIT_KIND_N] = {
    [WINDOW_MESSAGES_HOUR] = "messages/hour",
    [WINDOW_RECIPIENTS_HOUR] = "recipients/hour",
    [WINDOW_MESSAGES_DAY] = "messages/day",
    [WINDOW_RECIPIENTS_DAY] = "recipients/day",
    [LIMIT_RECIPIENTS_MESSAGE] = "recipients/message",
    [LIMIT_SIZE] = "size",
};

const char *
limit_word(enum limit_kind kind)
{
    return (unsigned)kind < LIMIT_KIND_N ? words[kind] : "";
}

/* Take the next word off, without case; 1 when it is this one. */
static int
take_word(struct span *text, const char *word)
{
    size_t n = strlen(word);

    if (text->n <= n || text->p[n] != ' ')
        return 0;
    for (size_t i = 0; i < n; i++) {
        char c = text->p[i];

        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != word[i])
            return 0;
    }
    while (n < text->n && text->p[n] == ' ')
        n++;
    text->p += n;
    text->n -= n;
    return 1;
}

static int
take_number(struct span text, uint64_t most, uint64_t *n_r)
{
    *n_r = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || *n_r > most / 10)
            return 0;
        *n_r = *n_r * 10 + (uint64_t)(text.p[i] - '0');
    }
    return text.n > 0 && *n_r <= most;
}

int
limit_parse(struct span text, enum limit_kind *kind_r, uint64_t *n_r, int *total_r)
{
    *total_r = take_word(&text, "total");
    for (int kind = 0; kind < LIMIT_KIND_N; kind++) {
        if (!take_word(&text, words[kind]))
            continue;
        *kind_r = (enum limit_kind)kind;
        return (kind < WINDOW_WHAT_N || !*total_r) &&
               take_number(text, kind == LIMIT_SIZE ? INT64_MAX : UINT32_MAX, n_r);
    }
    return 0;
}

void
limits_take(struct limits *l, enum limit_kind kind, uint64_t n)
{
    if (l->set >> kind & 1)
        return;
    l->most[kind] = n;
    l->set |= 1u << kind;
}

struct window_limits
limits_window(const struct limits *l)
{
    struct window_limits w;

    for (int what = 0; what < WINDOW_WHAT_N; what++)
        w.most[what] = (uint32_t)l->most[what];
    return w;
}
