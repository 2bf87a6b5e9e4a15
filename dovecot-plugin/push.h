/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * push: a driver for Dovecot's push_notification plugin that tells policyd of delivered mail, see
 * postroad-hook(5). What differs between 2.3 and 2.4 is in push-compat-2.3.c and push-compat-2.4.c.
 */
#ifndef POSTROAD_PUSH_H
#define POSTROAD_PUSH_H

#include "push-notification-drivers.h"

struct module;

/* What dovecot.conf says. pool comes first, as 2.4 wants it. */
struct push_settings {
    pool_t pool;
    const char *postroad_hook_socket;
    unsigned int postroad_hook_timeout; /* milliseconds that a delivery may wait for us */
    bool postroad_hook_subject;
};

#define PUSH_SOCKET        "/run/postroad/hook"
#define PUSH_TIMEOUT_MSECS 500

extern const struct push_notification_driver push_driver; /* in push-compat-2.x.c */

/* Of the driver; settings: of the user. */
bool push_begin(struct push_notification_driver_txn *dtxn);
void push_message(struct push_notification_driver_txn *dtxn, struct push_notification_txn_msg *msg);
void push_end(struct push_notification_driver_txn *dtxn, bool success);

/* Ask Dovecot for the event MessageNew with what we tell of it. */
void push_compat_want(struct push_notification_driver_txn *dtxn, void *config);

#endif
