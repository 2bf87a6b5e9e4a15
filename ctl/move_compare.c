/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_compare: the messages of the first list are kept, as sums of what names them and what they
 * are; those of the second are looked up among them. When there are more than may be kept, only
 * every second one is, every fourth and so on, by their sums, and the lists are read again for the
 * others: memory has its bound, and no message is passed over.
 *
 * Promises: the order of neither list matters, and a message that is there twice must be there
 * twice. Must not read, run or print anything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "fnv.h"
#include "move_compare.h"

#define COLUMNS     16
#define MAILBOXES   16384
#define REPORT_EACH 5 /* mailboxes, and messages of one, that a report names */
#define ID_LEN      16

struct box {
    char *name;
    uint64_t sum; /* of the name */
    uint64_t total, missing, other;
    uint32_t uid[REPORT_EACH];
    size_t nuid;
};

struct message {
    unsigned char id[ID_LEN]; /* of mailbox and GUID */
    uint64_t what;            /* of all that must be the same */
    uint32_t flags, uid, box;
    unsigned char found, same, flagged;
};

enum column { C_OTHER, C_GUID, C_MAILBOX, C_UID, C_FLAGS };

struct move_compare {
    struct message *m;
    size_t n, room, keep;
    uint64_t go, goes;
    struct box *box;
    size_t nbox, last; /* last: of the line before; they come mailbox by mailbox */
    int second, header;
    uint64_t columns; /* a sum of the first list's header */
    enum column column[COLUMNS];
    size_t ncolumns;
    struct move_found found;
    uint64_t more; /* of this go */
};

struct move_compare *
move_compare_new(size_t keep)
{
    struct move_compare *c = calloc(1, sizeof *c);

    if (c) {
        c->keep = keep;
        c->goes = 1;
    }
    return c;
}

void
move_compare_free(struct move_compare **c)
{
    if (!*c)
        return;
    for (size_t i = 0; i < (*c)->nbox; i++)
        free((*c)->box[i].name);
    free((*c)->box);
    free((*c)->m);
    free(*c);
    *c = NULL;
}

static int
by_id(const void *x, const void *y)
{
    const struct message *a = x, *b = y;

    return memcmp(a->id, b->id, ID_LEN);
}

/* Either may have been begun before, and have broken off: what was counted then counts no more. */
static void
begin_first(struct move_compare *c)
{
    c->n = 0;
    for (size_t i = 0; c->go == 0 && i < c->nbox; i++)
        c->box[i].total = 0;
    if (c->go == 0)
        c->found.total = 0;
}

static void
begin_second(struct move_compare *c)
{
    c->more = 0;
    for (size_t i = 0; i < c->n; i++)
        c->m[i].found = c->m[i].same = c->m[i].flagged = 0;
    if (c->n > 0)
        qsort(c->m, c->n, sizeof *c->m, by_id);
}

void
move_compare_begin(struct move_compare *c, int second)
{
    c->second = second;
    c->header = 0;
    if (second)
        begin_second(c);
    else
        begin_first(c);
}

/* --- what a line says --- */

static uint64_t
sum(uint64_t h, const char *s)
{
    return fnv64(h, s, strlen(s) + 1);
}

static enum column
column_of(const char *name)
{
    static const char *const names[] = {
        [C_GUID] = "guid", [C_MAILBOX] = "mailbox", [C_UID] = "uid", [C_FLAGS] = "flags"};

    for (size_t i = C_GUID; i <= C_FLAGS; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum column)i;
    return C_OTHER;
}

static int
take_header(struct move_compare *c, char *line, const char **error_r)
{
    int guid = 0;
    uint64_t columns = sum(FNV64, line);

    *error_r = "has other columns than the one of the old place";
    if (c->second && columns != c->columns)
        return -1;
    c->columns = columns;
    c->ncolumns = 0;
    for (char *name; (name = strsep(&line, "\t")) != NULL;) {
        if (c->ncolumns == COLUMNS) {
            *error_r = "has too many columns";
            return -1;
        }
        c->column[c->ncolumns] = column_of(name);
        guid += c->column[c->ncolumns++] == C_GUID;
    }
    c->header = 1;
    *error_r = "does not begin with a line that names its columns, guid among them";
    return guid == 1 ? 0 : -1;
}

static int
by_word(const void *x, const void *y)
{
    const char *const *a = x, *const *b = y;

    return strcmp(*a, *b);
}

/* The same for the same flags in another order; \Recent is each place's own. */
static uint32_t
sum_flags(char *text)
{
    char *word[128];
    size_t n = 0;
    uint64_t h = FNV64;

    for (char *w; n < sizeof word / sizeof *word && (w = strsep(&text, " ")) != NULL;)
        if (*w && strcmp(w, "\\Recent") != 0)
            word[n++] = w;
    qsort(word, n, sizeof *word, by_word);
    for (size_t i = 0; i < n; i++)
        h = sum(h, word[i]);
    return (uint32_t)(h ^ h >> 32);
}

static int
identify(struct message *m, const char *mailbox, const char *guid)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * MOVE_LINE_MAX], hex[2 * DIGEST_LEN + 1];
    int n = snprintf(text, sizeof text, "%s\t%s", mailbox, guid);

    if (n < 0 || (size_t)n >= sizeof text || !*guid)
        return -1;
    digest_bytes((struct span){text, (size_t)n}, hex);
    for (size_t i = 0; i < ID_LEN; i++)
        m->id[i] = (unsigned char)((strchr(digits, hex[2 * i]) - digits) << 4 |
                                   (strchr(digits, hex[2 * i + 1]) - digits));
    return 0;
}

/* The message of a line, and whose mailbox it is in. */
static int
take_line(const struct move_compare *c, char *line, struct message *m, const char **mailbox_r)
{
    const char *guid = "";
    size_t i = 0;

    memset(m, 0, sizeof *m);
    m->what = FNV64;
    *mailbox_r = "";
    for (char *word; (word = strsep(&line, "\t")) != NULL; i++) {
        switch (i < c->ncolumns ? c->column[i] : C_OTHER) {
        case C_GUID:
            guid = word;
            break;
        case C_MAILBOX:
            *mailbox_r = word;
            break;
        case C_UID:
            m->uid = (uint32_t)strtoul(word, NULL, 10);
            break;
        case C_FLAGS:
            m->flags = sum_flags(word);
            break;
        case C_OTHER:
            m->what = sum(m->what, word);
            break;
        }
    }
    return i == c->ncolumns ? identify(m, *mailbox_r, guid) : -1;
}

/* --- the first list --- */

static int
is_box(const struct box *b, const char *name, uint64_t of_name)
{
    return b->sum == of_name && strcmp(b->name, name) == 0;
}

/* Make the mailbox of the name the last one. 0, or -1: no room. */
static int
find_box(struct move_compare *c, const char *name)
{
    uint64_t of_name = sum(FNV64, name);
    struct box *more;

    if (c->last < c->nbox && is_box(&c->box[c->last], name, of_name))
        return 0;
    for (c->last = 0; c->last < c->nbox; c->last++)
        if (is_box(&c->box[c->last], name, of_name))
            return 0;
    if (c->nbox == MAILBOXES || !(more = realloc(c->box, (c->nbox + 1) * sizeof *more)))
        return -1;
    c->box = more;
    c->box[c->nbox] = (struct box){.name = strdup(name), .sum = of_name};
    return c->box[c->nbox].name && ++c->nbox ? 0 : -1;
}

static int
is_looked_at(const struct move_compare *c, const struct message *m)
{
    uint64_t n;

    memcpy(&n, m->id, sizeof n);
    return n % c->goes == c->go;
}

/* Leave half of them to another go. */
static void
leave_half(struct move_compare *c)
{
    size_t kept = 0;

    c->goes *= 2;
    for (size_t i = 0; i < c->n; i++)
        if (is_looked_at(c, &c->m[i]))
            c->m[kept++] = c->m[i];
    c->n = kept;
}

/* The goes were fixed by the first one; others may need a little more. */
static int
make_room(struct move_compare *c)
{
    size_t room = c->room ? 2 * c->room : 1024;
    struct message *m;

    while (c->go == 0 && c->n >= c->keep && c->goes < UINT64_C(1) << 32)
        leave_half(c);
    if (c->n < c->room)
        return 0;
    if (c->n >= 2 * c->keep || !(m = realloc(c->m, room * sizeof *m)))
        return -1;
    c->m = m;
    c->room = room;
    return 0;
}

static int
keep(struct move_compare *c, struct message *m, const char *mailbox, const char **error_r)
{
    *error_r = "is too long for the memory there is";
    if (find_box(c, mailbox) < 0 || make_room(c) < 0)
        return -1;
    m->box = (uint32_t)c->last;
    c->box[c->last].total += c->go == 0;
    c->found.total += c->go == 0;
    if (is_looked_at(c, m))
        c->m[c->n++] = *m;
    return 0;
}

/* --- the second list --- */

/* One of those kept that is this very message, best the same in all; each is given once. */
static struct message *
match(const struct move_compare *c, const struct message *is)
{
    struct message *m = c->n ? bsearch(is, c->m, c->n, sizeof *m, by_id) : NULL, *found = NULL;

    while (m && m > c->m && by_id(m - 1, is) == 0)
        m--;
    for (; m && m < c->m + c->n && by_id(m, is) == 0; m++) {
        if (!m->found && (!found || (m->what == is->what && found->what != is->what)))
            found = m;
    }
    return found;
}

static void
look_up(struct move_compare *c, const struct message *is)
{
    struct message *m;

    if (!is_looked_at(c, is))
        return;
    m = match(c, is);
    if (!m) {
        c->more++;
        return;
    }
    m->found = 1;
    m->same = m->what == is->what;
    m->flagged = m->flags == is->flags;
}

int
move_compare_line(struct move_compare *c, char *line, const char **error_r)
{
    struct message m;
    const char *mailbox;

    if (!c->header)
        return take_header(c, line, error_r);
    *error_r = "has a line that does not go with its columns";
    if (take_line(c, line, &m, &mailbox) < 0)
        return -1;
    if (!c->second)
        return keep(c, &m, mailbox, error_r);
    look_up(c, &m);
    return 0;
}

int
move_compare_end(struct move_compare *c, const char **error_r)
{
    *error_r = "is empty, without even the names of its columns";
    return c->header ? 0 : -1;
}

/* --- what differs --- */

/* The lowest ones are kept, in their order. */
static void
note_uid(struct box *b, uint32_t uid)
{
    size_t i = b->nuid;

    while (i > 0 && b->uid[i - 1] > uid)
        i--;
    if (i == REPORT_EACH)
        return;
    b->nuid += b->nuid < REPORT_EACH;
    memmove(b->uid + i + 1, b->uid + i, (b->nuid - i - 1) * sizeof *b->uid);
    b->uid[i] = uid;
}

static void
count(struct move_compare *c, const struct message *m)
{
    struct box *b = &c->box[m->box];

    c->found.flags += m->found && !m->flagged;
    if (m->found && m->same)
        return;
    note_uid(b, m->uid);
    if (m->found) {
        b->other++;
        c->found.other++;
    } else {
        b->missing++;
        c->found.missing++;
    }
}

int
move_compare_next(struct move_compare *c)
{
    for (size_t i = 0; i < c->n; i++)
        count(c, &c->m[i]);
    c->found.more += c->more;
    return ++c->go < c->goes;
}

const struct move_found *
move_compare_found(const struct move_compare *c)
{
    return &c->found;
}

static size_t
report_box(const struct box *b, char *out, size_t cap)
{
    size_t n = 0;
    const char *name = *b->name ? b->name : "the mailbox";

    if (b->missing)
        n += (size_t)snprintf(out, cap, "%.80s lacks %llu of its %llu messages", name,
                              (unsigned long long)b->missing, (unsigned long long)b->total);
    if (b->other)
        n += (size_t)snprintf(out + n, cap - n, "%s%.80s has %llu of its %llu not the same",
                              n ? ", " : "", n ? "" : name, (unsigned long long)b->other,
                              (unsigned long long)b->total);
    for (size_t i = 0; i < b->nuid && b->uid[0]; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s%u",
                              i ? " " : " (UIDs at the old place: ", b->uid[i]);
    if (b->nuid && b->uid[0])
        n += (size_t)snprintf(out + n, cap - n, "%s)",
                              b->missing + b->other > b->nuid ? " ..." : "");
    return n;
}

void
move_compare_report(const struct move_compare *c, char out[MOVE_REPORT_MAX])
{
    char text[512];
    size_t n = 0, named = 0, more = 0;

    *out = '\0';
    for (size_t i = 0; i < c->nbox; i++) {
        if (!c->box[i].missing && !c->box[i].other)
            continue;
        report_box(&c->box[i], text, sizeof text);
        if (named < REPORT_EACH && n + strlen(text) + 40 < MOVE_REPORT_MAX) {
            n += (size_t)snprintf(out + n, MOVE_REPORT_MAX - n, "%s%s", named ? "; " : "", text);
            named++;
        } else
            more++;
    }
    if (more)
        snprintf(out + n, MOVE_REPORT_MAX - n, "; and so do %zu more mailboxes", more);
}
