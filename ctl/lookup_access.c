/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lookup_access: "postroad lookup access": what Dovecot is told about somebody's login,
 * over the very socket it asks, and without a record.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "ctl.h"
#include "tabline.h"
#include "text.h"

#define TIMEOUT_MS 10000

/* The next of blank-separated words; empty at the end. */
static struct span
next_word(const char **at)
{
    const char *from = *at + strspn(*at, " ");
    size_t n = strcspn(from, " ");

    *at = from + n;
    return (struct span){from, n};
}

/* "ACTOR TARGET SERVICE" as a question without its LF. 0, or -1: it is not three words. */
static int
write_question(const char *key, char *line, size_t cap)
{
    struct span word[4];
    struct tabline_out o;
    size_t n;

    for (int i = 0; i < 4; i++)
        word[i] = next_word(&key);
    tabline_begin(&o, line, cap, "rights");
    tabline_add(&o, "actor", word[0]);
    tabline_add(&o, "target", word[1]);
    tabline_add(&o, "service", word[2]);
    n = tabline_end(&o);
    if (n == 0 || word[2].n == 0 || word[3].n > 0)
        return -1;
    line[n - 1] = '\0';
    return 0;
}

static const char *
text_of(const struct tabline *answer, const char *key, char *out, size_t cap)
{
    struct span s;

    tabline_get(answer, key, &s);
    snprintf(out, cap, "%.*s", (int)(s.n < cap ? s.n : cap - 1), s.p);
    return out;
}

static int
exit_code(const char *verdict)
{
    return strcmp(verdict, "yes") == 0  ? CTL_DONE
           : strcmp(verdict, "no") == 0 ? CTL_NO
                                        : CTL_TEMPORARY;
}

static const char *const shown[] = {"mode", "rule", "why", "withheld", "quota-bytes", "text"};

static void
print_text(const struct tabline *answer, const char *verdict)
{
    char value[1100];

    fputs(verdict, stdout);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        if (!*text_of(answer, shown[i], value, sizeof value))
            continue;
        printf(strchr(value, ' ') ? " %s=\"" : " %s=", shown[i]);
        text_put(stdout, value);
        fputs(strchr(value, ' ') ? "\"" : "", stdout);
    }
    putchar('\n');
}

static void
print_json(const struct tabline *answer, const char *key, const char *verdict)
{
    static const char *const names[] = {"actor", "target"};
    json_t *o =
        json_pack("{s:b, s:s, s:s?, s:s}", "ok", 1, "map", "access", "key", key, "status", verdict);
    char value[1100];

    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (*text_of(answer, shown[i], value, sizeof value))
            json_object_set_new(o, shown[i],
                                strcmp(shown[i], "rule") == 0 ? json_integer(atoi(value))
                                                              : json_string(value));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        json_object_set_new(o, names[i],
                            json_string(text_of(answer, names[i], value, sizeof value)));
    ctl_print_json(o);
}

/* line: the answer, with room for the LF that was taken off. */
static int
show(struct ctl *ctl, const char *key, char *line)
{
    struct tabline answer;
    char verdict[16], text[256];

    line[strlen(line)] = '\n';
    if (tabline_parse(line, TABLINE_MAX, &answer) <= 0)
        return ctl_fail(ctl, CTL_TEMPORARY, "what the access socket said is no answer");
    if (!span_same(answer.word, span_of("ok")))
        return ctl_fail(ctl, CTL_TEMPORARY, "the access socket says: %s",
                        text_of(&answer, span_same(answer.word, span_of("error")) ? "text" : "why",
                                text, sizeof text));
    text_of(&answer, "session", verdict, sizeof verdict);
    if (ctl->json)
        print_json(&answer, key, verdict);
    else
        print_text(&answer, verdict);
    return exit_code(verdict);
}

int
lookup_access(struct ctl *ctl, const char *key)
{
    const char *path = ctl->conf->sockets.access;
    char line[TABLINE_MAX], copy[TABLINE_MAX + 2] = "", *answer, error[512];

    if (write_question(key, line, sizeof line) < 0)
        return ctl_usage("lookup access takes three words as one key: postroad lookup access "
                         "\"admin@a.example alice@a.example imap\"");
    if (!*path)
        return ctl_fail(ctl, CTL_TEMPORARY, "there is no access socket: sockets.access is empty");
    if (ask_line(path, line, TIMEOUT_MS, &answer, error, sizeof error) < 0)
        return daemon_silent(ctl, path, error);
    snprintf(copy, TABLINE_MAX, "%s", answer);
    free(answer);
    return show(ctl, key, copy);
}
