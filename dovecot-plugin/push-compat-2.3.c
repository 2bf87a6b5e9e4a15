/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * push-compat-2.3: Dovecot 2.3. Settings are strings of the section plugin { }.
 */
#include "lib.h"
#include "settings-parser.h"
#include "mail-user.h"
#include "push-notification-drivers.h"
#include "push-notification-events.h"
#include "push.h"

static int
push_init(struct push_notification_driver_config *config ATTR_UNUSED, struct mail_user *user,
          pool_t pool, void **context, const char **error_r)
{
    struct push_settings *set = p_new(pool, struct push_settings, 1);
    const char *path = mail_user_plugin_getenv(user, "postroad_hook_socket");
    const char *timeout = mail_user_plugin_getenv(user, "postroad_hook_timeout");
    const char *error;

    set->postroad_hook_socket = p_strdup(pool, path != NULL ? path : PUSH_SOCKET);
    set->postroad_hook_timeout = PUSH_TIMEOUT_MSECS;
    set->postroad_hook_subject = mail_user_plugin_getenv_bool(user, "postroad_hook_subject");
    if (timeout != NULL &&
        settings_get_time_msecs(timeout, &set->postroad_hook_timeout, &error) < 0) {
        *error_r = t_strdup_printf("postroad_hook_timeout: %s is no time", timeout);
        return -1;
    }
    *context = set;
    return 0;
}

void
push_compat_want(struct push_notification_driver_txn *dtxn, void *config)
{
    push_notification_event_init(dtxn, "MessageNew", config);
}

const struct push_notification_driver push_driver = {
    .name = "postroad",
    .v = {.init = push_init,
          .begin_txn = push_begin,
          .process_msg = push_message,
          .end_txn = push_end},
};
