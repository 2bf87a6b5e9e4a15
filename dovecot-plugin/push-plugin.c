/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * push-plugin: when a delivery has put messages into mailboxes, one line for each goes to role hook
 * of policyd, and its acknowledgement is awaited.
 *
 * Promises: mail is delivered whatever happens here, and never waits longer than
 * postroad_hook_timeout for us. What can't be told is logged with its number, and lost. Tells nothing
 * of what is appended or copied by IMAP, and of the subject only when told to.
 */
#include "lib.h"
#include "array.h"
#include "str.h"
#include "str-sanitize.h"
#include "strescape.h"
#include "mail-storage.h"
#include "mail-user.h"
#include "push-notification-drivers.h"
#include "push-notification-event-messagenew.h"
#include "push-notification-events.h"
#include "push-notification-txn-msg.h"
#include "push.h"
#include "question.h"

#include <time.h>

#define VALUE_MAX 1000 /* bytes of one field */

extern const char *push_postroad_plugin_version;
extern const char *push_postroad_plugin_dependencies[];
void push_postroad_plugin_init(struct module *module);
void push_postroad_plugin_deinit(void);

struct push_lines {
    ARRAY_TYPE(const_string) lines;
};

static int64_t
now_msecs(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
push_begin(struct push_notification_driver_txn *dtxn)
{
    const struct push_settings *set = dtxn->duser->context;
    struct push_notification_event_messagenew_config *config =
        p_new(dtxn->ptxn->pool, struct push_notification_event_messagenew_config, 1);
    struct push_lines *told = p_new(dtxn->ptxn->pool, struct push_lines, 1);

    config->flags = PUSH_NOTIFICATION_MESSAGE_HDR_FROM | PUSH_NOTIFICATION_MESSAGE_HDR_MESSAGE_ID;
    if (set->postroad_hook_subject)
        config->flags |= PUSH_NOTIFICATION_MESSAGE_HDR_SUBJECT;
    push_compat_want(dtxn, config);
    p_array_init(&told->lines, dtxn->ptxn->pool, 1);
    dtxn->context = told;
    return TRUE;
}

static void
add_field(string_t *line, const char *key, const char *value)
{
    if (value != NULL && *value != '\0')
        str_printfa(line, "\t%s=%s", key, str_tabescape(t_strndup(value, VALUE_MAX)));
}

void
push_message(struct push_notification_driver_txn *dtxn, struct push_notification_txn_msg *msg)
{
    struct push_lines *told = dtxn->context;
    struct push_notification_event_messagenew_data *data =
        push_notification_txn_msg_get_eventdata(msg, "MessageNew");
    string_t *line;
    const char *kept;

    if (data == NULL)
        return;
    line = t_str_new(512);
    str_append(line, "event");
    add_field(line, "account", dtxn->ptxn->muser->username);
    add_field(line, "mailbox", msg->mailbox);
    str_printfa(line, "\tuid=%u\tuidvalidity=%u", msg->uid, msg->uid_validity);
    add_field(line, "from", data->from);
    add_field(line, "subject", data->subject);
    add_field(line, "message-id", data->message_id);
    add_field(line, "session", dtxn->ptxn->muser->session_id);
    kept = p_strdup(dtxn->ptxn->pool, str_c(line));
    array_push_back(&told->lines, &kept);
}

/* How many of the lines were acknowledged; error_r: why not all. */
static unsigned int
tell(const struct push_settings *set, const struct push_lines *told, const char **error_r)
{
    int64_t deadline = now_msecs() + set->postroad_hook_timeout;
    struct question ask = {.fd = -1, .gone = FALSE};
    const char *const *line, *answer;
    unsigned int stored = 0;
    int64_t left;

    if (question_connect(&ask, set->postroad_hook_socket, set->postroad_hook_timeout, error_r) < 0)
        return 0;
    array_foreach(&told->lines, line)
    {
        left = deadline - now_msecs();
        if (question_line(&ask, *line, left > 0 ? (unsigned int)left : 0, &answer, error_r) < 0)
            return stored; /* the connection is closed */
        if (strcmp(answer, "ok") != 0) {
            *error_r = answer;
            break;
        }
        stored++;
    }
    question_close(&ask);
    return stored;
}

void
push_end(struct push_notification_driver_txn *dtxn, bool success)
{
    const struct push_settings *set = dtxn->duser->context;
    struct push_lines *told = dtxn->context;
    unsigned int n = array_count(&told->lines), stored;
    const char *error = "";

    if (!success || n == 0)
        return;
    stored = tell(set, told, &error);
    if (stored < n)
        e_warning(dtxn->ptxn->muser->event,
                  "postroad: news of %u new messages could not be told: %s", n - stored,
                  str_sanitize(error, 200));
}

const char *push_postroad_plugin_version = DOVECOT_ABI_VERSION;
const char *push_postroad_plugin_dependencies[] = {"push_notification", NULL};

void
push_postroad_plugin_init(struct module *module ATTR_UNUSED)
{
    push_notification_driver_register(&push_driver);
}

void
push_postroad_plugin_deinit(void)
{
    push_notification_driver_unregister(&push_driver);
}
