/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings-2.4: our settings for Dovecot 2.4, which takes none it doesn't know. Its config process
 * loads this file as a module of its own (MODULEDIR/settings); the plugin has it inside, too.
 */
#include "lib.h"
#include "settings-parser.h"
#include "compat.h"
#include "settings-2.4.h"

#define DEF(type, name) SETTING_DEFINE_STRUCT_##type(#name, name, struct postroad_settings)

static const struct setting_define postroad_setting_defines[] = {
    DEF(STR, postroad_socket),
    DEF(TIME_MSECS, postroad_timeout),
    DEF(ENUM, postroad_owner_on_doubt),
    SETTING_DEFINE_LIST_END,
};

static const struct postroad_settings postroad_default_settings = {
    .postroad_socket = POSTROAD_SOCKET,
    .postroad_timeout = POSTROAD_TIMEOUT_MSECS,
    .postroad_owner_on_doubt = POSTROAD_OWNER_ON_DOUBT ":refuse",
};

const struct setting_parser_info postroad_setting_parser_info = {
    .name = "postroad",
    .plugin_dependency = "lib95_postroad_plugin",
    .defines = postroad_setting_defines,
    .defaults = &postroad_default_settings,
    .struct_size = sizeof(struct postroad_settings),
    .pool_offset1 = 1 + offsetof(struct postroad_settings, pool),
};

extern const char *postroad_settings_version;
extern const struct setting_parser_info *postroad_settings_set_infos[];

const char *postroad_settings_version = DOVECOT_ABI_VERSION;
const struct setting_parser_info *postroad_settings_set_infos[] = {
    &postroad_setting_parser_info,
    NULL,
};
