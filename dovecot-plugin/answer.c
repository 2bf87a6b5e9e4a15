/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer: takes apart what policyd said. What it doesn't know it leaves out, as newer versions say
 * more; what it can't understand at all is garbage, and garbage is never a permission. Texts go to
 * clients and logs, so control characters are taken out and lengths are bounded here.
 */
#include "lib.h"
#include "str.h"
#include "str-sanitize.h"
#include "strescape.h"
#include "answer.h"

#define TEXT_MAX 300

static const struct {
    const char *text;
    enum answer_word word;
} words[] = {
    {"yes", ANSWER_YES}, {"no", ANSWER_NO},       {"unsure", ANSWER_UNSURE},
    {"ok", ANSWER_OK},   {"error", ANSWER_ERROR},
};

static const struct {
    const char *text;
    enum answer_mode mode;
} modes[] = {{"owner", MODE_OWNER}, {"read", MODE_READ}, {"write", MODE_WRITE}};

static const struct {
    const char *text;
    enum withheld bit;
} functions[] = {
    {"create-folder", WITHHELD_CREATE_FOLDER},
    {"expunge", WITHHELD_EXPUNGE},
    {"share", WITHHELD_SHARE},
    {"forward", WITHHELD_FORWARD},
};

static enum answer_word
word_of(const char *text)
{
    for (unsigned int i = 0; i < N_ELEMENTS(words); i++) {
        if (strcmp(words[i].text, text) == 0)
            return words[i].word;
    }
    return ANSWER_GARBAGE;
}

static enum answer_mode
mode_of(const char *text)
{
    for (unsigned int i = 0; i < N_ELEMENTS(modes); i++) {
        if (strcmp(modes[i].text, text) == 0)
            return modes[i].mode;
    }
    return MODE_NONE;
}

static enum withheld
withheld_of(const char *list)
{
    const char *const *name = t_strsplit(list, ",");
    enum withheld all = 0;

    for (; *name != NULL; name++) {
        for (unsigned int i = 0; i < N_ELEMENTS(functions); i++) {
            if (strcmp(functions[i].text, *name) == 0)
                all |= functions[i].bit;
        }
    }
    return all;
}

static bool
all_digits(const char *text)
{
    return *text != '\0' && strlen(text) <= 19 && strspn(text, "0123456789") == strlen(text);
}

static void
take_field(struct answer *a, const char *key, const char *value)
{
    const char *clean = str_sanitize(value, TEXT_MAX);

    if (strcmp(key, "mode") == 0)
        a->mode = mode_of(value);
    else if (strcmp(key, "withheld") == 0)
        a->withheld = withheld_of(value);
    else if (strcmp(key, "rule") == 0)
        a->rule = clean;
    else if (strcmp(key, "why") == 0)
        a->why = clean;
    else if (strcmp(key, "text") == 0)
        a->text = clean;
    else if (strcmp(key, "actor") == 0)
        a->actor = clean;
    else if (strcmp(key, "target") == 0)
        a->target = clean;
    else if (strcmp(key, "quota") == 0 && all_digits(value))
        a->quota = t_strdup(value);
}

void
answer_parse(const char *line, struct answer *answer_r)
{
    const char *const *field = t_strsplit_tabescaped(line);

    i_zero(answer_r);
    answer_r->rule = answer_r->why = answer_r->text = "";
    if (*field == NULL)
        return;
    answer_r->word = word_of(*field);
    for (field++; *field != NULL; field++) {
        const char *equals = strchr(*field, '=');

        if (equals != NULL)
            take_field(answer_r, t_strdup_until(*field, equals), equals + 1);
    }
}
