/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_record: see held_record.h. One file each, so that a damaged one concerns one message.
 *
 * Promises: a function that says it wrote has it on disk, name and all; one that failed left what
 * was there before. Never follows a link. Must not take a file it can't read for none.
 */
#include "held_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "held_json.h"

#define FILE_NAME (HELD_ID_MAX + 6) /* with .json or .new */

/* --- files --- */

static int
fail(char *error, size_t error_n, const char *name, int code)
{
    snprintf(error, error_n, "%s: %s", name, strerror(code));
    return -1;
}

int
held_folder(const char *state_dir, char *error, size_t error_n)
{
    char dir[4096];
    int fd = -1;

    snprintf(dir, sizeof dir, "%s/" HELD_FOLDER, state_dir);
    if (mkdir(dir, 0700) == 0 || errno == EEXIST)
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : fail(error, error_n, dir, errno);
}

/* "ID.json" or "ID.new"; an ID that is none is no file's name. */
static int
name_of(char out[FILE_NAME], const char *id, const char *end)
{
    out[0] = '\0';
    if (held_id_is(span_of(id)))
        snprintf(out, FILE_NAME, "%s%s", id, end);
    return *out ? 0 : -1;
}

int
held_drop(int folder, char *error, size_t error_n)
{
    int fd = -1;

    if (mkdirat(folder, HELD_NEW, 0700) == 0 || errno == EEXIST)
        fd = openat(folder, HELD_NEW, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : fail(error, error_n, HELD_FOLDER "/" HELD_NEW, errno);
}

static ssize_t
read_all(int fd, char *out, size_t cap)
{
    size_t n = 0;

    while (n < cap) {
        ssize_t got = read(fd, out + n, cap - n);

        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        n += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)n;
}

/* What must be so of a file that somebody else has put there. */
struct origin {
    const uid_t *uid; /* two that it may belong to */
    int64_t changed_ms;
    int is_others;
};

static int
is_theirs(const struct stat *st, struct origin *o)
{
    if (!o)
        return 1;
    o->changed_ms = (int64_t)st->st_ctim.tv_sec * 1000 + st->st_ctim.tv_nsec / 1000000;
    o->is_others = st->st_uid != o->uid[0] && st->st_uid != o->uid[1];
    return !o->is_others && st->st_nlink == 1;
}

/* malloc'd; NULL and errno, ENOENT only when the file is not there. o NULL: it is our own. */
static char *
slurp(int folder, const char *name, struct origin *o, size_t *n_r)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), error = errno;
    char *text = NULL;
    struct stat st;
    ssize_t n = -1;

    if (fd >= 0 && fstat(fd, &st) == 0) {
        error = !S_ISREG(st.st_mode) || st.st_size > HELD_FILE_MAX ? EFBIG : ENOMEM;
        error = is_theirs(&st, o) ? error : EPERM;
        text = error == ENOMEM ? malloc(HELD_FILE_MAX + 1) : NULL;
        n = text ? read_all(fd, text, HELD_FILE_MAX + 1) : -1;
        if (text && (n < 0 || n > HELD_FILE_MAX)) {
            error = n < 0 ? EIO : EFBIG;
            free(text);
            text = NULL;
        }
    }
    if (fd >= 0)
        close(fd);
    *n_r = n > 0 ? (size_t)n : 0;
    errno = error;
    return text;
}

static int
read_record(int folder, const char *id, struct origin *o, struct held_record *r, char *error,
            size_t error_n)
{
    char name[FILE_NAME], why[256] = "it is another message's";
    struct held_record *found;
    char *text;
    size_t n;
    int rc;

    if (name_of(name, id, ".json") < 0)
        return 0;
    text = slurp(folder, name, o, &n);
    if (!text)
        return errno == ENOENT ? 0 : fail(error, error_n, name, errno);
    found = malloc(sizeof *found);
    rc = found ? held_json_read(found, text, n, why, sizeof why) : -1;
    if (!found)
        snprintf(why, sizeof why, "%s", strerror(ENOMEM));
    if (rc == 0 && strcmp(found->id, id) != 0)
        rc = -1;
    if (rc == 0)
        *r = *found;
    else
        snprintf(error, error_n, "%s: %s", name, why);
    free(found);
    free(text);
    return rc == 0 ? 1 : -1;
}

int
held_record_read(int folder, const char *id, struct held_record *r, char *error, size_t error_n)
{
    return read_record(folder, id, NULL, r, error, error_n);
}

int
held_record_peek(int drop, const char *id, const uid_t uid[2], struct held_record *r,
                 int64_t *changed_ms_r, char *error, size_t error_n)
{
    struct origin o = {uid, 0, 0};
    int rc = read_record(drop, id, &o, r, error, error_n);

    *changed_ms_r = o.changed_ms;
    return rc < 0 && o.is_others ? -2 : rc;
}

static int
write_all(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, text, n);

        if (done < 0 && errno != EINTR)
            return -1;
        if (done > 0) {
            text += done;
            n -= (size_t)done;
        }
    }
    return fsync(fd);
}

/* Write fresh, on disk. 0, or -1 and errno. */
static int
write_fresh(int folder, const char *fresh, const struct held_record *r, mode_t mode)
{
    size_t n;
    char *text = held_json_write(r, &n);
    int fd = -1, rc = -1, error = text ? EFBIG : ENOMEM;

    if (text && n <= HELD_FILE_MAX) {
        fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        rc = fd < 0 || (mode != 0600 && fchmod(fd, mode) < 0) ? -1 : write_all(fd, text, n);
        error = errno;
    }
    if (fd >= 0 && close(fd) < 0 && rc == 0)
        rc = -1, error = errno;
    free(text);
    errno = error;
    return rc;
}

/* The way into the folder both have in common; put: what makes the name. */
static int
put(int folder, const struct held_record *r, int is_new, mode_t mode, char *error, size_t error_n)
{
    char name[FILE_NAME], fresh[FILE_NAME];
    int rc, code;

    if (name_of(name, r->id, ".json") < 0 || name_of(fresh, r->id, ".new") < 0)
        return fail(error, error_n, "the record's id", EINVAL);
    rc = write_fresh(folder, fresh, r, mode);
    if (rc == 0)
        rc = is_new ? renameat2(folder, fresh, folder, name, RENAME_NOREPLACE)
                    : renameat(folder, fresh, folder, name);
    code = errno;
    if (rc < 0) {
        unlinkat(folder, fresh, 0);
        return fail(error, error_n, name, code);
    }
    if (fsync(folder) == 0)
        return 0;
    code = errno;
    if (is_new)
        unlinkat(folder, name, 0);
    return fail(error, error_n, name, code);
}

int
held_record_create(int folder, const struct held_record *r, char *error, size_t error_n)
{
    return put(folder, r, 1, 0600, error, error_n);
}

int
held_record_drop(int drop, const struct held_record *r, char *error, size_t error_n)
{
    return put(drop, r, 1, 0644, error, error_n);
}

int
held_record_update(int folder, const struct held_record *r, char *error, size_t error_n)
{
    char name[FILE_NAME];
    struct stat st;

    if (name_of(name, r->id, ".json") < 0)
        return 0;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : fail(error, error_n, name, errno);
    return put(folder, r, 0, 0600, error, error_n) < 0 ? -1 : 1;
}

int
held_record_remove(int folder, const char *id, char *error, size_t error_n)
{
    char name[FILE_NAME];

    if (name_of(name, id, ".json") < 0)
        return 0;
    if (unlinkat(folder, name, 0) < 0)
        return errno == ENOENT ? 0 : fail(error, error_n, name, errno);
    return fsync(folder) < 0 ? fail(error, error_n, name, errno) : 1;
}

/* --- all of them --- */

/* The name without end, when it is "ID" and end. */
static int
id_of(char out[HELD_ID_MAX + 1], const char *name, const char *end)
{
    size_t n = strlen(name), tail = strlen(end);

    if (n <= tail || n - tail > HELD_ID_MAX || strcmp(name + n - tail, end) != 0)
        return 0;
    memcpy(out, name, n - tail);
    out[n - tail] = '\0';
    return held_id_is((struct span){out, n - tail});
}

int
held_record_each(int folder, int (*fn)(void *ctx, const char *id), void *ctx, char *error,
                 size_t error_n)
{
    DIR *d = folder_list(folder);
    char id[HELD_ID_MAX + 1];
    struct dirent *e;
    int rc = 0;

    if (!d)
        return fail(error, error_n, "held", errno);
    for (errno = 0; rc == 0 && (e = readdir(d)); errno = 0)
        if (id_of(id, e->d_name, ".json"))
            rc = fn(ctx, id);
    if (rc == 0 && errno)
        rc = fail(error, error_n, "held", errno);
    closedir(d);
    return rc;
}

void
held_record_tidy(int folder, int64_t before_s)
{
    DIR *d = folder_list(folder);
    char id[HELD_ID_MAX + 1];
    struct dirent *e;
    struct stat st;

    while (d && (e = readdir(d)))
        if (id_of(id, e->d_name, ".new") &&
            fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (int64_t)st.st_mtim.tv_sec < before_s)
            unlinkat(folder, e->d_name, 0);
    if (d)
        closedir(d);
}
