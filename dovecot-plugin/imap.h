/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap: what the files of lib96_imap_postroad_plugin share: the commands that stand in front of
 * Dovecot's, and how these are gone on with.
 */
#ifndef POSTROAD_IMAP_H
#define POSTROAD_IMAP_H

struct client_command_context;
struct session;

/* Goes on with the command as Dovecot has it. */
bool imap_unwrapped(struct client_command_context *cmd);
/* Reads all arguments. FALSE: wait for more. */
bool imap_arguments(struct client_command_context *cmd, const struct imap_arg **args_r);
bool imap_refuse(struct client_command_context *cmd, const char *text);

/* The commands. */
bool imap_cmd_change(struct client_command_context *cmd);
bool imap_cmd_expunge(struct client_command_context *cmd);
bool imap_cmd_share(struct client_command_context *cmd);
bool imap_cmd_setquota(struct client_command_context *cmd);

/* Whether "SETACL mailbox identifier rights" lets somebody in who wasn't; DELETEACL: rights NULL. */
bool imap_acl_lets_in(const char *identifier, const char *rights);

#endif
