/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * box: what the plugin keeps with a folder, and with a transaction in it. Only folders of sessions
 * that are limited or recorded have any of it: POSTROAD_CONTEXT(box) is NULL otherwise.
 */
#ifndef POSTROAD_BOX_H
#define POSTROAD_BOX_H

#include "seq-range-array.h"

struct session;

struct postroad_box {
    union mailbox_module_context module_ctx;
    struct session *session;
    ARRAY_TYPE(seq_range) read; /* UIDs on record as read while this folder is open */
};

struct postroad_transaction {
    union mailbox_transaction_module_context module_ctx;
    ARRAY_TYPE(seq_range) flagged, expunged, copied;
    char *from; /* the folder the copied ones come from */
    bool moving;
    unsigned int saved;
    const char *refused; /* a fixed text: something was asked for that isn't permitted */
};

extern MODULE_CONTEXT_DEFINE(postroad_storage_module, &mail_storage_module_register);
#define POSTROAD_CONTEXT(obj) ((struct postroad_box *)MODULE_CONTEXT(obj, postroad_storage_module))
#define POSTROAD_CONTEXT_REQUIRE(obj) \
    ((struct postroad_box *)MODULE_CONTEXT_REQUIRE(obj, postroad_storage_module))
#define POSTROAD_CONTEXT_REQUIRE_T(obj) \
    ((struct postroad_transaction *)MODULE_CONTEXT_REQUIRE(obj, postroad_storage_module))

/* The message goes from where it is into box: that it then goes away there is no deletion. */
void postroad_mail_moved(struct mail *mail, struct mailbox *box);

#endif
