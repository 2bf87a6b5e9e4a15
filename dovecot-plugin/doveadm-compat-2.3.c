/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doveadm-compat-2.3: the section plugin { } as doveadm of Dovecot 2.3 has it.
 */
#include "lib.h"
#include "array.h"
#include "doveadm.h"
#include "doveadm-settings.h"
#include "compat.h"
#include "doveadm-compat.h"

const char *
compat_doveadm_socket(struct doveadm_cmd_context *cctx ATTR_UNUSED)
{
    const char *const *envs;
    unsigned int i, count;

    if (!array_is_created(&doveadm_settings->plugin_envs))
        return POSTROAD_SOCKET;
    envs = array_get(&doveadm_settings->plugin_envs, &count);
    for (i = 0; i + 1 < count; i += 2) {
        if (strcmp(envs[i], "postroad_socket") == 0)
            return envs[i + 1];
    }
    return POSTROAD_SOCKET;
}
