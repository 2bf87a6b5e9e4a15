/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * build: records for tests from words a reader understands:
 * record_of(buf, KIND_SITE, 0, "standby=shandong", "hop=10 relay:[192.0.2.1]:25", NULL).
 */
#ifndef POSTROAD_TEST_BUILD_H
#define POSTROAD_TEST_BUILD_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"

static const struct {
    const char *word;
    enum record_tag tag;
} build_tags[] = {{"rdn", TAG_RDN},           {"mail", TAG_MAIL},
                  {"alias", TAG_ALIAS},       {"forward", TAG_FORWARD},
                  {"home", TAG_HOME},         {"standby", TAG_STANDBY},
                  {"deny", TAG_DENY},         {"quota", TAG_QUOTA},
                  {"role", TAG_ROLE},         {"scope", TAG_SCOPE},
                  {"right", TAG_RIGHT},       {"hop", TAG_NEXTHOP},
                  {"print", TAG_FINGERPRINT}, {"desired", TAG_DESIRED},
                  {"member", TAG_MEMBER},     {"memberdn", TAG_MEMBER_DN},
                  {"sender", TAG_SENDER},     {"catchall", TAG_CATCHALL},
                  {"spoof", TAG_SPOOF},       {"domain", TAG_DOMAIN},
                  {"owner", TAG_OWNER_DN},    {"name", TAG_NAME},
                  {"host", TAG_HOST}};

static inline const char *
build_word(enum record_tag tag)
{
    for (size_t i = 0; i < sizeof build_tags / sizeof *build_tags; i++)
        if (build_tags[i].tag == tag)
            return build_tags[i].word;
    return "unknown";
}

static inline void
build_add(struct record_builder *b, const char *word)
{
    const char *eq = strchr(word, '=');

    for (size_t i = 0; eq != NULL && i < sizeof build_tags / sizeof *build_tags; i++) {
        if (strlen(build_tags[i].word) == (size_t)(eq - word) &&
            strncmp(word, build_tags[i].word, (size_t)(eq - word)) == 0) {
            record_add(b, build_tags[i].tag, span_of(eq + 1));
            return;
        }
    }
    abort(); /* the test itself is wrong */
}

static inline struct record
record_of(unsigned char buf[65536], enum record_kind kind, enum record_state state, ...)
{
    struct record_builder b;
    struct record r;
    const char *word;
    va_list ap;

    record_begin(&b, buf, 65536, kind, state, 0);
    va_start(ap, state);
    while ((word = va_arg(ap, const char *)) != NULL)
        build_add(&b, word);
    va_end(ap);
    if (record_end(&b, &r) < 0)
        abort();
    return r;
}

#endif
