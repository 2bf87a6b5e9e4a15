/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * push-compat-2.4: Dovecot 2.4. Settings are in a structure of their own, see push-settings-2.4.c.
 */
#include "lib.h"
#include "settings.h"
#include "mail-user.h"
#include "push-notification-drivers.h"
#include "push-notification-events.h"
#include "push.h"

extern const struct setting_parser_info push_postroad_setting_parser_info;

static int
push_init(struct mail_user *user, pool_t pool ATTR_UNUSED, const char *name ATTR_UNUSED,
          void **context, const char **error_r)
{
    const struct push_settings *set;

    if (settings_get(user->event, &push_postroad_setting_parser_info, 0, &set, error_r) < 0)
        return -1;
    *context = (void *)set;
    return 0;
}

static void
push_deinit(struct push_notification_driver_user *duser)
{
    struct push_settings *set = duser->context;

    settings_free(set);
}

void
push_compat_want(struct push_notification_driver_txn *dtxn, void *config)
{
    push_notification_event_init(dtxn, "MessageNew", config, dtxn->ptxn->event);
}

const struct push_notification_driver push_driver = {
    .name = "postroad",
    .v = {.init = push_init,
          .begin_txn = push_begin,
          .process_msg = push_message,
          .end_txn = push_end,
          .deinit = push_deinit},
};
