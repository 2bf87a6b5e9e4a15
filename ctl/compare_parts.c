/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare, parts: in what entries differ that both sites have, by the hashes both give of
 * their parts. Asks each side once.
 */
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "compare.h"
#include "show.h"

#define PARTS_MAX 100 /* entries asked for */
#define ASK_MS    10000

static json_t *
wanted(json_t *rows)
{
    json_t *uuids = json_array(), *row;
    const char *key;

    json_object_foreach(rows, key, row)
    {
        if (*show_text(row, "here") && *show_text(row, "there") &&
            json_array_size(uuids) < PARTS_MAX)
            json_array_append(uuids, json_object_get(row, "uuid"));
    }
    return uuids;
}

static json_t *
differing(json_t *here, json_t *there)
{
    json_t *out = json_array(), *part;
    const char *word;

    json_object_foreach(here, word, part)
    {
        if (!json_equal(part, json_object_get(there, word)))
            json_array_append_new(out, json_string(word));
    }
    json_object_foreach(there, word, part)
    {
        if (!json_object_get(here, word))
            json_array_append_new(out, json_string(word));
    }
    return out;
}

static void
name_parts(json_t *rows, json_t *here, json_t *there)
{
    const char *key, *uuid;
    json_t *row;

    json_object_foreach(rows, key, row)
    {
        json_t *a, *b;

        uuid = show_text(row, "uuid");
        a = json_object_get(json_object_get(here, "entries"), uuid);
        b = json_object_get(json_object_get(there, "entries"), uuid);
        if (a && b)
            json_object_set_new(row, "attributes", differing(a, b));
    }
}

/* Without a word: a daemon of an older version does not know the question. NULL: no answer. */
static json_t *
ask_quietly(const char *path, json_t *request)
{
    char error[256], *line = json_dumps(request, JSON_COMPACT), *answer = NULL;
    json_t *reply = NULL;

    if (line && ask_line(path, line, ASK_MS, &answer, error, sizeof error) == 0)
        reply = json_loads(answer, 0, NULL);
    json_decref(request);
    free(line);
    free(answer);
    return reply;
}

void
compare_parts(const struct side side[2], json_t *rows)
{
    json_t *uuids = wanted(rows), *reply[2] = {NULL, NULL};

    for (int i = 0; i < 2 && json_array_size(uuids) > 0; i++) {
        json_t *request = json_pack("{s:s, s:O}", "verb", "parts", "uuids", uuids);

        reply[i] = ask_quietly(side[i].path, request);
    }
    if (reply[0] && reply[1])
        name_parts(rows, reply[0], reply[1]);
    json_decref(reply[0]);
    json_decref(reply[1]);
    json_decref(uuids);
}
