/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mail: what may be done to messages, and what goes on record: giving away a body or any part of
 * one is a read, once for each message and opening of its folder. Headers, envelopes, sizes and
 * structures are none, though the storage may have to open the message to tell them.
 */
#include "lib.h"
#include "array.h"
#include "mail-storage-private.h"
#include "mailbox-list-private.h"
#include "mail-user.h"
#include "box.h"
#include "compat.h"
#include "plugin.h"
#include "session.h"

#define POSTROAD_MAIL_CONTEXT(obj) \
    ((struct postroad_mail *)MODULE_CONTEXT_REQUIRE(obj, postroad_mail_module))

struct postroad_mail {
    union mail_module_context module_ctx;
    unsigned int measuring; /* within a function that tells no more than sizes and structure */
    uint32_t moved;         /* UID */
};

static MODULE_CONTEXT_DEFINE_INIT(postroad_mail_module, &mail_module_register);

static struct postroad_mail *
context(struct mail *mail)
{
    return POSTROAD_MAIL_CONTEXT((struct mail_private *)mail);
}

const struct mail_vfuncs *
postroad_mail_super(struct mail *mail)
{
    return &context(mail)->module_ctx.super;
}

bool
postroad_mail_reads(struct mail *mail)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(mail->box);
    ARRAY_TYPE(seq_range) uid;

    if (!session_is_foreign(pbox->session) || context(mail)->measuring > 0 || mail->uid == 0 ||
        seq_range_exists(&pbox->read, mail->uid))
        return TRUE;
    t_array_init(&uid, 1);
    seq_range_array_add(&uid, mail->uid);
    if (!session_record_box(pbox->session, mail->box, "read", &uid, NULL))
        return FALSE;
    seq_range_array_add(&pbox->read, mail->uid);
    return TRUE;
}

static int
get_stream(struct mail *mail, bool get_body, struct message_size *hdr_size,
           struct message_size *body_size, struct istream **stream_r)
{
    bool fine = TRUE;

    if (get_body) {
        T_BEGIN
        {
            fine = postroad_mail_reads(mail);
        }
        T_END;
    }
    if (!fine)
        return -1;
    return postroad_mail_super(mail)->get_stream(mail, get_body, hdr_size, body_size, stream_r);
}

static int
get_special(struct mail *mail, enum mail_fetch_field field, const char **value_r)
{
    struct postroad_mail *pmail = context(mail);
    bool snippet = field == MAIL_FETCH_BODY_SNIPPET;
    int ret;

    if (snippet && !postroad_mail_reads(mail))
        return -1;
    pmail->measuring++;
    ret = pmail->module_ctx.super.get_special(mail, field, value_r);
    pmail->measuring--;
    return ret;
}

static int
get_virtual_size(struct mail *mail, uoff_t *size_r)
{
    struct postroad_mail *pmail = context(mail);
    int ret;

    pmail->measuring++;
    ret = pmail->module_ctx.super.get_virtual_size(mail, size_r);
    pmail->measuring--;
    return ret;
}

static int
get_physical_size(struct mail *mail, uoff_t *size_r)
{
    struct postroad_mail *pmail = context(mail);
    int ret;

    pmail->measuring++;
    ret = pmail->module_ctx.super.get_physical_size(mail, size_r);
    pmail->measuring--;
    return ret;
}

static int
get_parts(struct mail *mail, struct message_part **parts_r)
{
    struct postroad_mail *pmail = context(mail);
    int ret;

    pmail->measuring++;
    ret = pmail->module_ctx.super.get_parts(mail, parts_r);
    pmail->measuring--;
    return ret;
}

/* The storage opens a message ahead, too; who asks for it comes to get_stream() nevertheless. */
static void
set_seq(struct mail *mail, uint32_t seq, bool saving)
{
    struct postroad_mail *pmail = context(mail);

    pmail->measuring++;
    pmail->module_ctx.super.set_seq(mail, seq, saving);
    pmail->measuring--;
}

static bool
set_uid(struct mail *mail, uint32_t uid)
{
    struct postroad_mail *pmail = context(mail);
    bool ret;

    pmail->measuring++;
    ret = pmail->module_ctx.super.set_uid(mail, uid);
    pmail->measuring--;
    return ret;
}

static bool
prefetch(struct mail *mail)
{
    struct postroad_mail *pmail = context(mail);
    bool ret;

    pmail->measuring++;
    ret = pmail->module_ctx.super.prefetch(mail);
    pmail->measuring--;
    return ret;
}

static void
add_temp_wanted_fields(struct mail *mail, enum mail_fetch_field fields,
                       struct mailbox_header_lookup_ctx *headers)
{
    struct postroad_mail *pmail = context(mail);

    pmail->measuring++;
    pmail->module_ctx.super.add_temp_wanted_fields(mail, fields, headers);
    pmail->measuring--;
}

static int
precache(struct mail *mail)
{
    struct postroad_mail *pmail = context(mail);
    int ret;

    pmail->measuring++;
    ret = pmail->module_ctx.super.precache(mail);
    pmail->measuring--;
    return ret;
}

/* Whether flags may change; noted for the record of the transaction. */
static bool
note_flags(struct mail *mail)
{
    struct postroad_transaction *pt = POSTROAD_CONTEXT_REQUIRE_T(mail->transaction);

    if (POSTROAD_CONTEXT_REQUIRE(mail->box)->session->mode == MODE_READ) {
        pt->refused = SESSION_TEXT_READ_ONLY;
        return FALSE;
    }
    if (mail->uid != 0)
        seq_range_array_add(&pt->flagged, mail->uid);
    return TRUE;
}

static void
update_flags(struct mail *mail, enum modify_type type, enum mail_flags flags)
{
    if (note_flags(mail))
        postroad_mail_super(mail)->update_flags(mail, type, flags);
}

static void
update_keywords(struct mail *mail, enum modify_type type, struct mail_keywords *keywords)
{
    if (note_flags(mail))
        postroad_mail_super(mail)->update_keywords(mail, type, keywords);
}

/* Within what belongs to the same person; mail that is given to others would be gone. */
void
postroad_mail_moved(struct mail *mail, struct mailbox *box)
{
    if (POSTROAD_CONTEXT(mail->box) != NULL && mail->box->list->ns->owner == box->list->ns->owner)
        context(mail)->moved = mail->uid;
}

static void
expunge(struct mail *mail)
{
    struct postroad_transaction *pt = POSTROAD_CONTEXT_REQUIRE_T(mail->transaction);
    struct postroad_mail *pmail = context(mail);
    struct session *s = POSTROAD_CONTEXT_REQUIRE(mail->box)->session;

    if (s->mode == MODE_READ) {
        pt->refused = SESSION_TEXT_READ_ONLY;
    } else if ((s->withheld & WITHHELD_EXPUNGE) != 0 && pmail->moved != mail->uid) {
        pt->refused = SESSION_TEXT_EXPUNGE;
    } else {
        seq_range_array_add(&pt->expunged, mail->uid);
        pmail->module_ctx.super.expunge(mail);
    }
}

void
postroad_mail_allocated(struct mail *mail)
{
    struct mail_private *pmail = (struct mail_private *)mail;
    struct mail_vfuncs *v = pmail->vlast;
    struct postroad_mail *own;

    if (POSTROAD_CONTEXT(mail->box) == NULL)
        return;
    own = p_new(pmail->pool, struct postroad_mail, 1);
    own->module_ctx.super = *v;
    pmail->vlast = &own->module_ctx.super;
    v->get_stream = get_stream;
    v->get_special = get_special;
    v->get_virtual_size = get_virtual_size;
    v->get_physical_size = get_physical_size;
    v->get_parts = get_parts;
    v->precache = precache;
    v->set_seq = set_seq;
    v->set_uid = set_uid;
    v->prefetch = prefetch;
    v->add_temp_wanted_fields = add_temp_wanted_fields;
    v->update_flags = update_flags;
    v->update_keywords = update_keywords;
    v->expunge = expunge;
    compat_hook_binary_stream(v);
    MODULE_CONTEXT_SET(pmail, postroad_mail_module, own);
}
