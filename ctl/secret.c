/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secret: see secret.h. Reads with read(2) into the caller's struct only, so that
 * no buffer of the C library keeps a copy. The terminal gets its echo back when
 * the prompt is interrupted.
 */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

void
secret_wipe(struct secret *s)
{
    explicit_bzero(s, sizeof *s);
}

int
secret_same(const struct secret *a, const struct secret *b)
{
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

/* Up to the end of a line or of what there is. 0, or -1 with errno; too long: EMSGSIZE. */
static int
read_line(struct secret *s, int fd)
{
    ssize_t got;
    size_t n = 0;

    while (n <= SECRET_MAX) {
        got = read(fd, s->text + n, 1);
        if (got < 0)
            return -1;
        if (got == 0 || s->text[n] == '\n')
            break;
        n++;
    }
    if (n > SECRET_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    if (n > 0 && s->text[n - 1] == '\r')
        n--;
    s->text[n] = '\0';
    s->n = n;
    return 0;
}

static int
check(struct secret *s, const char *what, char *error, size_t error_n)
{
    if (s->n == 0)
        snprintf(error, error_n, "%s: no password there", what);
    else if (memchr(s->text, '\0', s->n))
        snprintf(error, error_n, "%s: a password can't hold a NUL byte", what);
    else
        return 0;
    secret_wipe(s);
    return -1;
}

int
secret_read(struct secret *s, const char *path, char *error, size_t error_n)
{
    int input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), rc;
    struct stat st;

    memset(s, 0, sizeof *s);
    if (fd < 0) {
        snprintf(error, error_n, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)))
        fprintf(stderr, "postroad: warning: %s can be read by everybody\n", path);
    rc = read_line(s, fd);
    if (rc < 0) {
        snprintf(error, error_n, "%s: %s", path, strerror(errno));
        secret_wipe(s);
    }
    if (!input)
        close(fd);
    return rc < 0 ? -1 : check(s, path, error, error_n);
}

static volatile sig_atomic_t interrupted;

static void
on_signal(int number)
{
    interrupted = number;
}

/*
 * Read a line with echo off; whatever happens, the terminal is as before afterwards. The prompt comes
 * when echo is off and what was typed too early is gone.
 */
static int
read_hidden(struct secret *s, int tty, const char *prompt)
{
    struct sigaction act = {.sa_handler = on_signal}, before_int, before_term;
    struct termios old, quiet;
    int rc, hidden = tcgetattr(tty, &old) == 0;

    interrupted = 0;
    sigaction(SIGINT, &act, &before_int);
    sigaction(SIGTERM, &act, &before_term);
    if (hidden) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
        hidden = tcsetattr(tty, TCSAFLUSH, &quiet) == 0;
    }
    if (hidden)
        dprintf(tty, "%s: ", prompt);
    rc = hidden ? read_line(s, tty) : -1;
    if (hidden)
        tcsetattr(tty, TCSAFLUSH, &old);
    sigaction(SIGINT, &before_int, NULL);
    sigaction(SIGTERM, &before_term, NULL);
    if (interrupted) {
        secret_wipe(s);
        raise(interrupted);
        return -1;
    }
    return rc;
}

int
secret_prompt(struct secret *s, const char *prompt, char *error, size_t error_n)
{
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC), rc;

    memset(s, 0, sizeof *s);
    if (tty < 0) {
        snprintf(error, error_n, "there is no terminal to ask for the password at");
        return -1;
    }
    rc = read_hidden(s, tty, prompt);
    dprintf(tty, "\n");
    close(tty);
    if (rc < 0) {
        snprintf(error, error_n, "the password could not be read");
        return -1;
    }
    return check(s, prompt, error, error_n);
}

int
secret_generate(struct secret *s, char *error, size_t error_n)
{
    /* 32 signs without those that look alike, so that a byte's low five bits pick one evenly. */
    static const char signs[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[20];

    memset(s, 0, sizeof *s);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        snprintf(error, error_n, "no random numbers: %s", strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        if (i > 0 && i % 5 == 0)
            s->text[s->n++] = '-';
        s->text[s->n++] = signs[random[i] & 31];
    }
    explicit_bzero(random, sizeof random);
    return 0;
}
