/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_files: looks at the configuration file and what it includes before the
 * parser does. The scanner inside libconfig 1.5 ends the whole process when one
 * of them can't be read (a folder, say); on a reload that must change nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf_private.h"

#define DEPTH_MAX 10 /* where the parser stops too */

static int check_file(struct conf_load *l, struct conf_place from, const char *path,
                      const char *dir, int depth);

/* If line is an @include: the file as the parser will look for it, malloc'd. */
static char *
included(const char *line, const char *dir)
{
    const char *p = line + strspn(line, " \t");
    char *path = NULL;
    size_t n;

    if (strncmp(p, "@include", 8) != 0)
        return NULL;
    p += 8;
    p += strspn(p, " \t");
    if (*p++ != '"')
        return NULL;
    n = strcspn(p, "\"\n");
    if (p[n] != '"')
        return NULL;
    if (asprintf(&path, "%s%s%.*s", *p == '/' ? "" : dir, *p == '/' ? "" : "/", (int)n, p) < 0)
        return NULL;
    return path;
}

static int
check_lines(struct conf_load *l, FILE *f, const char *path, const char *dir, int depth)
{
    struct conf_place here = {path, 0};
    char *line = NULL;
    size_t cap = 0;
    int r = 0;

    while (r == 0 && getline(&line, &cap, f) >= 0) {
        char *inner = included(line, dir);

        here.line++;
        if (inner && depth < DEPTH_MAX)
            r = check_file(l, here, inner, dir, depth + 1);
        free(inner);
    }
    if (r == 0 && ferror(f))
        r = conf_doubt(l, NULL, strerror(errno));
    free(line);
    return r;
}

static int
check_file(struct conf_load *l, struct conf_place from, const char *path, const char *dir,
           int depth)
{
    const char *about = depth > 0 ? path : NULL;
    FILE *f = fopen(path, "re");
    struct stat st;
    int r;

    if (!f && (errno == ENOMEM || errno == EMFILE || errno == ENFILE || errno == EIO))
        return conf_doubt(l, NULL, strerror(errno));
    if (!f && depth > 0)
        return 0; /* the parser says so, unless the line stands in a comment */
    if (!f)
        return conf_fail(l, from, about, "%s%s", strerror(errno),
                         errno == ENOENT ? "; begin with the sample, postroad.conf.sample, or name "
                                           "another file with -c"
                                         : "");
    if (fstat(fileno(f), &st) < 0)
        r = conf_doubt(l, NULL, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        r = conf_fail(l, from, about, "not a file");
    else
        r = check_lines(l, f, path, dir, depth);
    fclose(f);
    return r;
}

int
conf_check_files(struct conf_load *l, const char *include_dir)
{
    return check_file(l, (struct conf_place){NULL, 0}, l->path, include_dir, 0);
}
