/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doveadm-compat: what differs between Dovecot 2.3 and 2.4 for the doveadm plugin, which can't see
 * what mail processes see; doveadm-compat-2.3.c or doveadm-compat-2.4.c.
 */
#ifndef POSTROAD_DOVEADM_COMPAT_H
#define POSTROAD_DOVEADM_COMPAT_H

struct doveadm_cmd_context;

/* Where policyd listens, as the mail processes' configuration says, or the default. */
const char *compat_doveadm_socket(struct doveadm_cmd_context *cctx);

#endif
