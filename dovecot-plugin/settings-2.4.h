/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings-2.4: what Dovecot 2.4 knows about our settings, in its config process, in mail processes
 * and in doveadm.
 */
#ifndef POSTROAD_SETTINGS_2_4_H
#define POSTROAD_SETTINGS_2_4_H

extern const struct setting_parser_info postroad_setting_parser_info;

#endif
