/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record: tells policyd what somebody does in a mailbox that isn't his, before it happens. What
 * can't be put on record is not done. A record says what was asked for: that the storage failed
 * afterwards it doesn't say. Many UIDs make several records, each of a line.
 */
#include "lib.h"
#include "array.h"
#include "str.h"
#include "strescape.h"
#include "mail-storage-private.h"
#include "compat.h"
#include "session.h"

#define UIDS_MAX     4000
#define NAME_MAX_LEN 1000

static bool
send_record(struct session *s, const char *action, const char *mailbox, const char *uids,
            const char *detail)
{
    string_t *line = t_str_new(256);
    struct answer answer;
    struct event_passthrough *e = event_create_passthrough(s->event)
                                      ->set_name("postroad_recorded")
                                      ->add_str("actor", s->actor)
                                      ->add_str("target", s->target)
                                      ->add_str("action", action)
                                      ->add_str("mailbox", mailbox)
                                      ->add_str("uid", uids);

    str_printfa(line, "record\taction=%s\tmailbox=", action);
    str_append_tabescaped(line, t_strndup(mailbox, NAME_MAX_LEN));
    if (*uids != '\0')
        str_printfa(line, "\tuid=%s", uids);
    if (detail != NULL) {
        str_append(line, "\tdetail=");
        str_append_tabescaped(line, t_strndup(detail, NAME_MAX_LEN));
    }
    if (session_ask(s, str_c(line), 1, &answer) == 0 && answer.word == ANSWER_OK) {
        e_debug(e->event(), "%s %s in %s", action, uids, mailbox);
        return TRUE;
    }
    e_error(e->event(), "%s in %s by %s not done, as it can't be recorded", action, mailbox,
            s->actor);
    return FALSE;
}

bool
session_record(struct session *s, const char *action, const char *mailbox,
               const ARRAY_TYPE(seq_range) * uids, const char *detail)
{
    const struct seq_range *range;
    string_t *text = t_str_new(128);

    if (!session_is_foreign(s))
        return TRUE;
    if (uids != NULL) {
        array_foreach(uids, range)
        {
            if (str_len(text) > UIDS_MAX) {
                if (!send_record(s, action, mailbox, str_c(text), detail))
                    return FALSE;
                str_truncate(text, 0);
            }
            str_printfa(text, "%s%u", str_len(text) > 0 ? "," : "", range->seq1);
            if (range->seq2 > range->seq1)
                str_printfa(text, "-%u", range->seq2);
        }
    }
    return send_record(s, action, mailbox, str_c(text), detail);
}

bool
session_record_box(struct session *s, struct mailbox *box, const char *action,
                   const ARRAY_TYPE(seq_range) * uids, const char *detail)
{
    bool done;

    T_BEGIN
    {
        done = session_record(s, action, box->vname, uids, detail);
    }
    T_END;
    if (!done)
        mail_storage_set_error(box->storage, MAIL_ERROR_UNAVAILABLE, SESSION_TEXT_NO_RECORD);
    return done;
}
