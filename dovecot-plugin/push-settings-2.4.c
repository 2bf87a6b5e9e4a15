/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * push-settings-2.4: the driver's settings for Dovecot 2.4, which takes none it doesn't know: as
 * settings-2.4.c.
 */
#include "lib.h"
#include "settings-parser.h"
#include "push.h"

#define DEF(type, name) SETTING_DEFINE_STRUCT_##type(#name, name, struct push_settings)

static const struct setting_define push_setting_defines[] = {
    DEF(STR, postroad_hook_socket),
    DEF(TIME_MSECS, postroad_hook_timeout),
    DEF(BOOL, postroad_hook_subject),
    SETTING_DEFINE_LIST_END,
};

static const struct push_settings push_default_settings = {
    .postroad_hook_socket = PUSH_SOCKET,
    .postroad_hook_timeout = PUSH_TIMEOUT_MSECS,
    .postroad_hook_subject = FALSE,
};

extern const struct setting_parser_info push_postroad_setting_parser_info;
extern const char *push_postroad_settings_version;
extern const struct setting_parser_info *push_postroad_settings_set_infos[];

const struct setting_parser_info push_postroad_setting_parser_info = {
    .name = "push_postroad",
    .plugin_dependency = "lib21_push_postroad_plugin",
    .defines = push_setting_defines,
    .defaults = &push_default_settings,
    .struct_size = sizeof(struct push_settings),
    .pool_offset1 = 1 + offsetof(struct push_settings, pool),
};

const char *push_postroad_settings_version = DOVECOT_ABI_VERSION;
const struct setting_parser_info *push_postroad_settings_set_infos[] = {
    &push_postroad_setting_parser_info,
    NULL,
};
