/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log: five levels, to stderr or syslog; one line per event, "what happened
 * key=value key=value". Only programs log; library code returns errors.
 * Never hand it a secret. Control bytes and newlines become '?'.
 */
#ifndef POSTROAD_LOG_H
#define POSTROAD_LOG_H

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

/* to: "stderr" or "syslog"; ident: "postroad-policyd/answer"; facility: "mail", "daemon", "local0".. */
void log_open(const char *to, const char *facility, const char *level, const char *ident);
/* From now on lines to stderr are lost rather than waited for, when who should read it does not. */
void log_never_wait(void);
int log_enabled(enum log_level level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * For events a stranger can cause at will: at most burst lines in per_s seconds.
 * Keeps its state in *l (zeroed by the caller). Returns 1 to log; *skipped_r is how many
 * were suppressed since the last 1.
 */
struct log_limit {
    long long window_ms;
    unsigned count, skipped;
};
int log_limit(struct log_limit *l, unsigned burst, unsigned per_s, unsigned *skipped_r);

#endif
