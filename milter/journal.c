/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal: see journal.h.
 *
 * Promises: a record is in the index, on disk, before Postfix is told that it may accept
 * the message; each is a whole line. Must not put anything of the envelope into the
 * message: recipients would see it.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accounting_line.h"
#include "audit_line.h"
#include "named.h"

struct rule {
    struct named who;
    const char *address;
};

struct journal {
    const struct conf *conf;
    struct rule rule[CONF_LIST_MAX];
    unsigned n;
    pthread_mutex_t lock;
    int dir_fd;
};

/* --- one message's recipients --- */

void
envelope_begin(struct envelope *e)
{
    e->n = 0;
    e->rules = 0;
    e->broken = 0;
}

void
envelope_add(struct envelope *e, const char *recipient)
{
    size_t n = strlen(recipient);

    if (e->n + n + 1 > e->room) {
        size_t room = 2 * (e->n + n + 1);
        char *more = e->n + n + 1 <= JOURNAL_ENVELOPE ? realloc(e->text, room) : NULL;

        if (!more) {
            e->broken = 1;
            return;
        }
        e->text = more;
        e->room = room;
    }
    memcpy(e->text + e->n, recipient, n);
    e->text[e->n + n] = '\n';
    e->n += n + 1;
}

void
envelope_free(struct envelope *e)
{
    free(e->text);
    *e = (struct envelope){NULL, 0, 0, 0, 0};
}

/* --- rules --- */

static int
parse_rule(struct rule *r, const char *text)
{
    const char *is = strrchr(text, '=');
    struct addr a;

    if (!is || named_parse(&r->who, (struct span){text, (size_t)(is - text)}) < 0)
        return -1;
    r->address = is + 1;
    return addr_parse(&a, r->address, strlen(r->address), "") == 1 ? 0 : -1;
}

struct journal *
journal_new(const struct conf *conf, int *rc_r, char *error, size_t error_n)
{
    const struct conf_list *list = &conf->milter.journal;
    struct journal *j = list->n ? calloc(1, sizeof *j) : NULL;

    *rc_r = 0;
    snprintf(error, error_n, "out of memory");
    if (!j) {
        *rc_r = list->n ? -1 : 0;
        return NULL;
    }
    j->conf = conf;
    j->dir_fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    for (; j->n < list->n; j->n++) {
        if (parse_rule(&j->rule[j->n], list->v[j->n]) == 0)
            continue;
        snprintf(error, error_n, "milter.journal: \"%s\" is not WHO=ADDRESS", list->v[j->n]);
        *rc_r = -1;
        free(j);
        return NULL;
    }
    return j;
}

void
journal_free(struct journal **j)
{
    if (!*j)
        return;
    pthread_mutex_destroy(&(*j)->lock);
    free(*j);
    *j = NULL;
}

uint32_t
journal_rules(const struct journal *j, const struct person *who)
{
    uint32_t rules = 0;

    for (unsigned i = 0; i < j->n; i++) {
        const struct named *n = &j->rule[i].who;
        int is = named_is(n, who->account, who->domain, who->department);

        rules |= (uint32_t)is << i;
    }
    return rules;
}

const char *
journal_address(const struct journal *j, uint32_t rules, unsigned *at)
{
    for (; *at < j->n; (*at)++) {
        int again = 0;

        for (unsigned i = 0; i < *at; i++)
            again |= (rules >> i & 1) && strcmp(j->rule[i].address, j->rule[*at].address) == 0;
        if ((rules >> *at & 1) && !again)
            return j->rule[(*at)++].address;
    }
    return NULL;
}

/* --- the index --- */

void
journal_open(struct journal *j, int folder)
{
    j->dir_fd = folder;
}

static void
put_list(FILE *f, const char *key, const char *text, size_t n)
{
    char one[6 * 1024];

    fprintf(f, ",\"%s\":[", key);
    for (const char *p = text, *end = text + n, *lf; p < end; p = lf + 1) {
        struct span s = {p, 0};

        lf = memchr(p, '\n', (size_t)(end - p));
        s.n = (size_t)(lf - p) < 1000 ? (size_t)(lf - p) : 1000;
        fprintf(f, "%s\"%.*s\"", p > text ? "," : "", (int)accounting_line_text(one, s), one);
    }
    fputs("]", f);
}

static void
put_text(FILE *f, const char *key, const char *text)
{
    char one[6 * 1024];
    struct span s = {text, strnlen(text, 1000)};

    fprintf(f, ",\"%s\":\"%.*s\"", key, (int)accounting_line_text(one, s), one);
}

/* The record as a line; malloc'd, NULL without memory. */
static char *
line_of(const struct journal *j, int64_t wall_ms, const struct journal_message *m, size_t *n_r)
{
    char time[AUDIT_TIME], *line = NULL;
    FILE *f = open_memstream(&line, n_r);
    unsigned at = 0, n = 0;
    const char *address;
    int bad;

    if (!f)
        return NULL;
    audit_time_write(wall_ms, time);
    fprintf(f, "{\"time\":\"%s\"", time);
    put_text(f, "site", j->conf->site);
    put_text(f, "queue", m->queue);
    put_text(f, "login", m->login);
    put_text(f, "sender", m->sender);
    put_list(f, "recipients", m->envelope->text, m->envelope->n);
    fputs(",\"journals\":[", f);
    while ((address = journal_address(j, m->envelope->rules, &at)))
        fprintf(f, "%s\"%s\"", n++ ? "," : "", address);
    fputs("]}\n", f);
    bad = ferror(f);
    if (fclose(f) == 0 && !bad)
        return line;
    free(line);
    return NULL;
}

static int
write_line(struct journal *j, const char *name, const char *line, size_t n)
{
    int fd = openat(j->dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    ssize_t done = end < 0 ? -1 : write(fd, line, n);
    int rc = done == (ssize_t)n ? fdatasync(fd) : -1, error = done >= 0 && rc < 0 ? ENOSPC : errno;

    if (rc < 0 && done > 0 && ftruncate(fd, end) < 0)
        error = EIO;
    if (fd >= 0)
        close(fd);
    errno = error;
    return rc;
}

int
journal_add(struct journal *j, int64_t wall_ms, const struct journal_message *m, char *error,
            size_t error_n)
{
    char time[AUDIT_TIME], name[64];
    size_t n;
    char *line = line_of(j, wall_ms, m, &n);
    int rc;

    errno = ENOMEM;
    audit_time_write(wall_ms, time);
    snprintf(name, sizeof name, "journal-%.10s.jsonl", time);
    pthread_mutex_lock(&j->lock);
    rc = line ? write_line(j, name, line, n) : -1;
    pthread_mutex_unlock(&j->lock);
    if (rc < 0)
        snprintf(error, error_n, "%s: %s", name, strerror(errno));
    free(line);
    return rc;
}
