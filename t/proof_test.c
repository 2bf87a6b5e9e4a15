/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proof: what answers of providers prove, told as t/tables/proof.tbl; and a walk at
 * random that holds it to what it promises.
 */
#include <stdlib.h>

#include "policyd/proof.h"
#include "tap.h"

#define TABLE "t/tables/proof.tbl"

/* "1:5 2:3": server 1 wrote at second 5, server 2 at second 3. */
static struct cookie
set_of(const char *text)
{
    struct cookie c;
    unsigned sid, second;
    int n;

    cookie_init(&c);
    while (sscanf(text, " %u:%u%n", &sid, &second, &n) == 2) {
        char csn[64];

        snprintf(csn, sizeof csn, "202611211955%02u.000000Z#000000#%03x#000000", second, sid);
        cookie_merge_csn(&c, span_of(csn));
        text += n;
    }
    return c;
}

static void
step(struct proof *p, const char *line)
{
    long long a, b;
    unsigned i;
    int at = 0;

    if (sscanf(line, "providers %u", &i) == 1) {
        proof_init(p, i);
    } else if (sscanf(line, "asked %u at %lld", &i, &a) == 2) {
        proof_asked(p, i - 1, a);
    } else if (sscanf(line, "answer %u asked %lld at %lld knows%n", &i, &a, &b, &at) == 3 && at) {
        struct cookie c = set_of(line + at);

        proof_answered(p, i - 1, a, b, &c);
    } else if (sscanf(line, "failed %u", &i) == 1) {
        proof_failed(p, i - 1);
    } else if (strncmp(line, "mirror", 6) == 0) {
        struct cookie c = set_of(line + 6);

        proof_cover(p, &c);
    } else if (strcmp(line, "forget") == 0) {
        proof_forget(p);
    } else if (sscanf(line, "proof %lld", &a) == 1) {
        is_int(proof_ms(p), a, line);
    } else if (sscanf(line, "behind %u since %lld", &i, &a) == 2) {
        is_int(proof_behind_ms(&p->provider[i - 1]), a, line);
    } else if (sscanf(line, "unreachable %u at %lld", &i, &a) == 2) {
        is_int(proof_count_unreachable(p, a), i, line);
    } else {
        ok(0, "a line nobody understands: %s", line);
    }
}

static int
table(void)
{
    static struct proof p;
    FILE *f = fopen(TABLE, "r");
    char line[256];
    int n = 0;

    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "#\n")] = '\0';
        for (size_t len = strlen(line); len && line[len - 1] == ' '; len--)
            line[len - 1] = '\0';
        if (!line[0])
            continue;
        step(&p, line);
        n++;
    }
    if (f)
        fclose(f);
    return n;
}

/*
 * Two servers that write and hear of one another's writes later, a mirror that follows the first one:
 * whatever the order, nothing that was known anywhere at the proven moment is missing in the mirror.
 */
#define STEPS 2000

static int
violations(unsigned seed)
{
    static struct proof p;
    struct cookie mirror = set_of("1:0 2:0");
    unsigned wrote[STEPS][2] = {{0, 0}}, sent[2][2] = {{0, 0}, {0, 0}}, bad = 0;

    srand(seed);
    proof_init(&p, 2);
    for (int now = 1; now < STEPS; now++) {
        unsigned w = (unsigned)rand() % 2, other = !w;
        char text[64];

        memcpy(wrote[now], wrote[now - 1], sizeof wrote[now]);
        if (rand() % 40 == 0 && wrote[now][w] < 59)
            sent[w][w] = ++wrote[now][w];
        if (rand() % 10 == 0) /* replication */
            sent[w][other] = sent[other][other];
        if (rand() % 4 == 0) { /* the mirror follows the first server */
            snprintf(text, sizeof text, "1:%u 2:%u", sent[0][0], sent[0][1]);
            mirror = set_of(text);
        }
        if (rand() % 3 == 0) {
            struct cookie knows;

            snprintf(text, sizeof text, "1:%u 2:%u", sent[w][0], sent[w][1]);
            knows = set_of(text);
            proof_answered(&p, w, now, now, &knows);
        }
        proof_cover(&p, &mirror);
        snprintf(text, sizeof text, "1:%u 2:%u", wrote[proof_ms(&p)][0], wrote[proof_ms(&p)][1]);
        {
            struct cookie all = set_of(text);

            bad += proof_ms(&p) > 0 && !cookie_covers(&mirror, &all);
        }
    }
    return (int)bad + (proof_ms(&p) < STEPS / 2);
}

int
main(void)
{
    int bad = 0;

    ok(table() > 40, "%s was read", TABLE);
    for (unsigned seed = 1; seed <= 50; seed++)
        bad += violations(seed);
    is_int(bad, 0, "nothing known anywhere at the proven moment is missing, and the proof goes on");
    return tap_done();
}
