/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doveadm-compat-2.4: our settings as doveadm of Dovecot 2.4 has them, without a user.
 */
#include "lib.h"
#include "settings.h"
#include "doveadm.h"
#include "compat.h"
#include "settings-2.4.h"
#include "doveadm-compat.h"

const char *
compat_doveadm_socket(struct doveadm_cmd_context *cctx)
{
    const struct postroad_settings *set;
    const char *path, *error;

    if (settings_get(cctx->event, &postroad_setting_parser_info, 0, &set, &error) < 0) {
        e_error(cctx->event, "postroad: %s; asking at %s", error, POSTROAD_SOCKET);
        return POSTROAD_SOCKET;
    }
    path = t_strdup(set->postroad_socket);
    settings_free(set);
    return path;
}
