/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin: what the files of lib95_postroad_plugin share, and what lib96 for IMAP and POP3 may use.
 */
#ifndef POSTROAD_PLUGIN_H
#define POSTROAD_PLUGIN_H

struct mail;
struct mail_user;
struct mail_vfuncs;
struct mailbox;
struct module;
struct session;

/* NULL when it is no login of somebody, or is one without any limit. */
struct session *postroad_session(struct mail_user *user);

/* Set by a protocol's plugin that tells the client why it was refused. */
extern bool postroad_says_goodbye;

/* Hooks. */
void postroad_mailbox_allocated(struct mailbox *box);
void postroad_mail_allocated(struct mail *mail);

/* TRUE: the message may be given away, and that is on record. */
bool postroad_mail_reads(struct mail *mail);
const struct mail_vfuncs *postroad_mail_super(struct mail *mail);

#endif
