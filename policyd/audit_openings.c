/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_openings: a short list in memory, and the same in a file.
 *
 * Promises: what openings_keep() said 0 to outlives a kill and a power cut; the file
 * is replaced as a whole, so it is never half. Two clocks decide: an opening is valid
 * within its length of the wall clock, and for no longer than its length by the clock
 * that counts from the boot. Must not grow beyond OPENINGS_MAX.
 */
#include "audit_openings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "attrs_text.h"

#define FILE_NAME    "openings"
#define FILE_HEAD    "postroad-openings 1"
#define OPENING_LINE 1400
#define SLACK_MS     60000 /* a clock set back by less does not end an opening that has just begun */
#define BOOT_ID_LEN  37

struct openings {
    int dir_fd;
    char boot_id[BOOT_ID_LEN];
    size_t n;
    struct opening at[OPENINGS_MAX];
};

static int64_t
boot_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Which boot this is; "" can't be told, and then none of before counts as of this one. */
static void
read_boot_id(char out[BOOT_ID_LEN])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, BOOT_ID_LEN - 1);

    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n\t ")] = '\0';
}

static int
valid(const struct opening *p, int64_t wall_ms, int64_t boot_ms)
{
    return wall_ms >= p->from_ms - SLACK_MS && wall_ms < p->from_ms + p->length_ms &&
           (p->boot_ms == 0 || boot_ms < p->boot_ms);
}

/* --- the file --- */

static int
write_all(int fd, const struct openings *o)
{
    FILE *f = fdopen(fd, "w");
    int bad;

    if (!f) {
        close(fd);
        return -1;
    }
    fprintf(f, "%s\t%s\n", FILE_HEAD, o->boot_id);
    for (size_t i = 0; i < o->n; i++) {
        const struct opening *p = &o->at[i];

        fprintf(f, "%s\t%s\t%s\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%s\n", p->id, p->actor,
                p->target, p->from_ms, p->length_ms, p->boot_ms, p->reason);
    }
    bad = fflush(f) != 0 || fdatasync(fd) < 0;
    if (fclose(f) != 0 || bad)
        return -1;
    return 0;
}

static int
save(const struct openings *o, char *error, size_t n)
{
    int fd = openat(o->dir_fd, FILE_NAME ".new",
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd >= 0 && write_all(fd, o) == 0 &&
        renameat(o->dir_fd, FILE_NAME ".new", o->dir_fd, FILE_NAME) == 0 && fsync(o->dir_fd) == 0)
        return 0;
    snprintf(error, n, "openings can't be kept: %s", strerror(errno));
    return -1;
}

/* The next field of a line; NULL: there is none. */
static char *
field(char **line)
{
    return *line ? strsep(line, "\t") : NULL;
}

static int
number(char *text, int64_t *n_r)
{
    char *end = text;

    errno = 0;
    if (text)
        *n_r = strtoll(text, &end, 10);
    return text && end != text && !*end && errno == 0 ? 0 : -1;
}

static int
text(const char *from, char *to, size_t cap)
{
    if (!from || !*from || strlen(from) >= cap)
        return -1;
    strcpy(to, from);
    return 0;
}

static int
take_line(struct opening *p, char *line)
{
    return text(field(&line), p->id, sizeof p->id) < 0 ||
                   text(field(&line), p->actor, sizeof p->actor) < 0 ||
                   text(field(&line), p->target, sizeof p->target) < 0 ||
                   number(field(&line), &p->from_ms) < 0 ||
                   number(field(&line), &p->length_ms) < 0 ||
                   number(field(&line), &p->boot_ms) < 0 ||
                   text(line, p->reason, sizeof p->reason) < 0 || p->length_ms < 0 ||
                   p->length_ms > OPENING_MAX_MS
               ? -1
               : 0;
}

/* What the file says: 0, or -1 and the number of a bad line (0: errno). */
static int
take_file(struct openings *o, FILE *f, unsigned *bad_r)
{
    char line[OPENING_LINE], *rest = line;
    int same_boot;

    *bad_r = 1;
    if (!fgets(line, sizeof line, f))
        return -1;
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(field(&rest), FILE_HEAD) != 0)
        return -1;
    same_boot = rest && *rest && strcmp(rest, o->boot_id) == 0;
    while (++*bad_r, fgets(line, sizeof line, f)) {
        struct opening *p = &o->at[o->n];

        line[strcspn(line, "\n")] = '\0';
        if (o->n == OPENINGS_MAX || take_line(p, line) < 0)
            return -1;
        if (!same_boot)
            p->boot_ms = 0;
        o->n++;
    }
    *bad_r = 0;
    return ferror(f) ? -1 : 0;
}

static int
load(struct openings *o, const char *dir, char *error, size_t n)
{
    unsigned bad = 0;
    FILE *f;
    int fd, rc;

    o->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = o->dir_fd < 0 ? -1 : openat(o->dir_fd, FILE_NAME, O_RDONLY | O_CLOEXEC);
    if (o->dir_fd >= 0 && fd < 0 && errno == ENOENT)
        return 0;
    f = fd < 0 ? NULL : fdopen(fd, "r");
    rc = f ? take_file(o, f, &bad) : -1;
    if (rc < 0 && bad)
        snprintf(error, n, "%s/" FILE_NAME ": line %u makes no sense", dir, bad);
    else if (rc < 0)
        snprintf(error, n, "%s/" FILE_NAME ": %s", dir, strerror(errno));
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    return rc;
}

struct openings *
openings_load(const char *dir, char *error, size_t n)
{
    struct openings *o = calloc(1, sizeof *o);

    if (!o) {
        snprintf(error, n, "openings: out of memory");
        return NULL;
    }
    read_boot_id(o->boot_id);
    if (load(o, dir, error, n) < 0)
        openings_free(&o);
    return o;
}

void
openings_free(struct openings **op)
{
    if (!*op)
        return;
    if ((*op)->dir_fd >= 0)
        close((*op)->dir_fd);
    free(*op);
    *op = NULL;
}

/* --- the list --- */

static int
is_name(const char *name, struct span s)
{
    return strlen(name) == s.n && strncasecmp(name, s.p, s.n) == 0;
}

static int
refuse(char *error, size_t n, const char *what)
{
    snprintf(error, n, "%s", what);
    return 0;
}

/* 0 and error when there may be no further one. */
static int
acceptable(const struct openings *o, struct span actor, struct span target, struct span reason,
           int64_t length_ms, char *error, size_t n)
{
    size_t his = 0;

    if (actor.n == 0 || target.n == 0 || actor.n >= OPENING_NAME || target.n >= OPENING_NAME ||
        !text_clean(actor) || !text_clean(target))
        return refuse(error, n, "no name of a mailbox");
    if (reason.n == 0)
        return refuse(error, n, "a reason is needed");
    if (length_ms < 1000 || length_ms > OPENING_MAX_MS)
        return refuse(error, n, "an opening lasts from a second to seven days");
    for (size_t i = 0; i < o->n; i++)
        his += (size_t)is_name(o->at[i].actor, actor);
    if (o->n == OPENINGS_MAX || his >= OPENINGS_PER_ACTOR)
        return refuse(error, n, "too many openings: close some first");
    return 1;
}

static int
new_id(char out[OPENING_ID])
{
    uint64_t random;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return -1;
    snprintf(out, OPENING_ID, "%016" PRIx64, random);
    return 0;
}

int
openings_make(struct openings *o, struct span actor, struct span target, struct span reason,
              int64_t length_ms, int64_t now_wall_ms, struct opening *r, char *error, size_t n)
{
    memset(r, 0, sizeof *r);
    if (!acceptable(o, actor, target, reason, length_ms, error, n))
        return 0;
    if (new_id(r->id) < 0) {
        snprintf(error, n, "no random number: %s", strerror(errno));
        return -1;
    }
    memcpy(r->actor, actor.p, actor.n);
    memcpy(r->target, target.p, target.n);
    text_show(reason, r->reason, sizeof r->reason);
    r->from_ms = now_wall_ms;
    r->length_ms = length_ms;
    r->boot_ms = boot_now() + length_ms;
    return 1;
}

int
openings_keep(struct openings *o, const struct opening *r, char *error, size_t n)
{
    if (o->n == OPENINGS_MAX) {
        snprintf(error, n, "too many openings");
        return -1;
    }
    o->at[o->n++] = *r;
    if (save(o, error, n) == 0)
        return 0;
    o->n--;
    return -1;
}

int
openings_find(struct openings *o, struct span actor, struct span target, int64_t now_wall_ms,
              struct opening *r)
{
    const struct opening *best = NULL;
    int64_t boot_ms = boot_now();

    for (size_t i = 0; i < o->n; i++) {
        const struct opening *p = &o->at[i];

        if (is_name(p->actor, actor) && is_name(p->target, target) &&
            valid(p, now_wall_ms, boot_ms) &&
            (!best || p->from_ms + p->length_ms > best->from_ms + best->length_ms))
            best = p;
    }
    if (best)
        *r = *best;
    return best != NULL;
}

static void
take_out(struct openings *o, size_t i)
{
    memmove(&o->at[i], &o->at[i + 1], (--o->n - i) * sizeof o->at[0]);
}

int
openings_close(struct openings *o, struct span id, struct opening *r, char *error, size_t n)
{
    for (size_t i = 0; i < o->n; i++) {
        if (!is_name(o->at[i].id, id))
            continue;
        *r = o->at[i];
        take_out(o, i);
        if (save(o, error, n) == 0)
            return 1;
        o->at[o->n++] = *r; /* it is still on disk */
        return -1;
    }
    return 0;
}

int
openings_expire(struct openings *o, int64_t now_wall_ms, struct opening *r)
{
    int64_t boot_ms = boot_now();
    char error[128];

    for (size_t i = 0; i < o->n; i++) {
        if (valid(&o->at[i], now_wall_ms, boot_ms))
            continue;
        *r = o->at[i];
        take_out(o, i);
        save(o, error, sizeof error); /* its time is over whatever the file says */
        return 1;
    }
    return 0;
}

const struct opening *
openings_at(const struct openings *o, size_t i)
{
    return i < o->n ? &o->at[i] : NULL;
}
