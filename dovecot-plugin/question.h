/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * question: one line to policyd's access socket, one line back, within a time by the monotonic clock.
 *
 * Promises: never waits longer than timeout_msecs for a whole question, connecting included; never
 * keeps more than one answer of QUESTION_MAX bytes; runs no event loop, so nothing else of the
 * process happens meanwhile. Any trouble ends the connection.
 */
#ifndef POSTROAD_QUESTION_H
#define POSTROAD_QUESTION_H

#define QUESTION_MAX 8192

struct question {
    int fd;    /* -1: not connected */
    bool gone; /* the last trouble was that the other end had closed */
};

/* 0, or -1 and a text for the log. */
int question_connect(struct question *ask, const char *path, unsigned int timeout_msecs,
                     const char **error_r);
/* line without its LF. 0 and the answer without its LF, in the data stack; or -1. */
int question_line(struct question *ask, const char *line, unsigned int timeout_msecs,
                  const char **answer_r, const char **error_r);
void question_close(struct question *ask);

#endif
