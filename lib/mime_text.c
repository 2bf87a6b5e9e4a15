/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_text: see mime_text.h.
 *
 * Promises: what a mail program would show is what comes out, also of words that are not quite right: too
 * long, with blanks in them, a character cut in two between words. What can't be told is said to be so.
 */
#include "mime_text.h"

#include <strings.h>

#include "attrs_text.h"
#include "mime_words.h"

/*
 * Runs of one text that are decoded: more are no text of a mail program, and loading a converter for
 * each takes long.
 */
#define RUNS_MOST 64

struct run {
    char bytes[MIME_RUN_MAX];
    size_t n;
    struct span charset;
    int any; /* words were seen: a run is open */
};

struct out {
    char *p;
    size_t n, cap;
    int full, doubt;
    unsigned runs;
    mime_charset *charset;
};

static void
put(struct out *o, struct span s)
{
    if (s.n > o->cap - o->n) {
        o->full = 1;
        return;
    }
    if (s.n > 0)
        memcpy(o->p + o->n, s.p, s.n);
    o->n += s.n;
}

static void
put_run(struct out *o, struct run *r)
{
    struct span bytes = {r->bytes, r->n};
    long n = 0;

    if (r->any)
        n = ++o->runs > RUNS_MOST ? -1 : o->charset(r->charset, bytes, o->p + o->n, o->cap - o->n);

    if (n < 0) {
        o->doubt |= MIME_DOUBT_CHARSET;
        put(o, bytes);
    } else {
        o->n += (size_t)n;
    }
    r->n = 0;
    r->any = 0;
}

static int
hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

size_t
mime_percent(char *out, struct span in)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '%' && i + 2 < in.n && hex(in.p[i + 1]) >= 0 && hex(in.p[i + 2]) >= 0) {
            out[n++] = (char)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2]));
            i += 2;
        } else {
            out[n++] = in.p[i];
        }
    }
    return n;
}

static void
add_word(struct out *o, struct run *r, const struct mime_word *w)
{
    int same = r->any && w->charset.n == r->charset.n &&
               strncasecmp(w->charset.p, r->charset.p, w->charset.n) == 0;

    if (!same || r->n + w->text.n > sizeof r->bytes)
        put_run(o, r);
    if (w->text.n > sizeof r->bytes) {
        o->doubt |= MIME_DOUBT_CHARSET;
        return;
    }
    r->any = 1;
    r->charset = w->charset;
    r->n += mime_word_bytes(w, r->bytes + r->n);
}

/* Behind the last place where a word may end: none is looked for beyond it, over and over. */
static size_t
words_end(struct span in)
{
    size_t n = in.n;

    while (n >= 2 && (in.p[n - 2] != '?' || in.p[n - 1] != '='))
        n--;
    return n >= 2 ? n : 0;
}

/* Some bytes that are no encoded word, from the beginning of s; their number. */
static size_t
put_plain(struct out *o, struct span s)
{
    size_t n = text_utf8(s);

    o->doubt |= n == 0 ? MIME_DOUBT_RAW : 0;
    n = n ? n : 1;
    put(o, (struct span){s.p, n});
    return n;
}

long
mime_text(char *out, size_t cap, struct span in, mime_charset *charset, int *doubt_r)
{
    struct out o = {.p = out, .cap = cap, .charset = charset};
    size_t end = words_end(in);
    struct mime_word word;
    struct run run;

    run.n = 0;
    run.any = 0;
    for (size_t at = 0; at < in.n && !o.full;) {
        size_t n = at < end ? mime_word_at(in.p + at, end - at, &word) : 0;

        if (n > 0) {
            add_word(&o, &run, &word);
            at += n;
            at += at < end ? mime_word_gap(in.p + at, end - at) : 0;
        } else {
            put_run(&o, &run);
            at += put_plain(&o, (struct span){in.p + at, in.n - at});
        }
    }
    put_run(&o, &run);
    *doubt_r |= o.doubt;
    return o.full ? -1 : (long)o.n;
}
