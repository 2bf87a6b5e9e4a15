/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compat: all that differs between Dovecot 2.3 and 2.4. There is one file for each, compat-2.3.c
 * and compat-2.4.c; configure takes the right one, and no other file asks for the version.
 */
#ifndef POSTROAD_COMPAT_H
#define POSTROAD_COMPAT_H

struct mail_user;
struct mail_vfuncs;

/* What dovecot.conf says; the manual: postroad-dovecot(7). pool comes first, as 2.4 wants it. */
struct postroad_settings {
    pool_t pool;
    const char *postroad_socket;
    unsigned int postroad_timeout; /* milliseconds */
    const char *postroad_owner_on_doubt;
};

#define POSTROAD_SOCKET         "/run/postroad/access"
#define POSTROAD_TIMEOUT_MSECS  2000
#define POSTROAD_OWNER_ON_DOUBT "allow"

/* 0, or -1 and error_r when one makes no sense. *set_r lives as long as the user. */
int compat_settings(struct mail_user *user, const struct postroad_settings **set_r,
                    const char **error_r);

/* For this user, whatever the configuration or the userdb say: the size of his mailbox in bytes. */
void compat_set_quota(struct mail_user *user, const char *bytes);
/* No Sieve script of his may redirect. */
void compat_forbid_redirect(struct mail_user *user);

/* Puts postroad_mail_reads() in front of get_binary_stream, whose arguments differ. */
void compat_hook_binary_stream(struct mail_vfuncs *v);

#endif
