/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * box: what may be done to folders, and what goes on record. Only sessions that are limited or
 * recorded have these functions in front of the storage's; an owner from whom nothing is withheld
 * meets none of them. Changes within a transaction are collected, and recorded before the commit.
 */
#include "lib.h"
#include "array.h"
#include "mail-storage-private.h"
#include "mailbox-list-private.h"
#include "mail-user.h"
#include "box.h"
#include "plugin.h"
#include "session.h"

struct postroad_storage_module postroad_storage_module =
    MODULE_CONTEXT_INIT(&mail_storage_module_register);

static bool
refuse(struct mailbox *box, const char *text)
{
    mail_storage_set_error(box->storage, MAIL_ERROR_PERM, text);
    return FALSE;
}

/* Whether the session may do it to box, which is on record then. */
static bool
may(struct mailbox *box, const char *action, const char *detail)
{
    struct session *s = POSTROAD_CONTEXT_REQUIRE(box)->session;

    if (s->mode == MODE_READ)
        return refuse(box, SESSION_TEXT_READ_ONLY);
    return session_record_box(s, box, action, NULL, detail);
}

static bool
is_readonly(struct mailbox *box ATTR_UNUSED)
{
    return TRUE;
}

/* The INBOX, and folders the configuration makes by itself, are always made. */
static int
create_box(struct mailbox *box, const struct mailbox_update *update, bool directory)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(box);
    bool by_itself = box->inbox_user || mailbox_is_autocreated(box);

    if (!by_itself && (pbox->session->withheld & WITHHELD_CREATE_FOLDER) != 0) {
        refuse(box, SESSION_TEXT_CREATE);
        return -1;
    }
    if (!by_itself && !may(box, "create", NULL))
        return -1;
    return pbox->module_ctx.super.create_box(box, update, directory);
}

static int
update_box(struct mailbox *box, const struct mailbox_update *update)
{
    if (!may(box, "create", "settings of the folder"))
        return -1;
    return POSTROAD_CONTEXT_REQUIRE(box)->module_ctx.super.update_box(box, update);
}

static int
delete_box(struct mailbox *box)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(box);

    if ((pbox->session->withheld & WITHHELD_EXPUNGE) != 0) {
        refuse(box, SESSION_TEXT_EXPUNGE);
        return -1;
    }
    return may(box, "delete", NULL) ? pbox->module_ctx.super.delete_box(box) : -1;
}

static int
rename_box(struct mailbox *src, struct mailbox *dest)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(src);

    if ((pbox->session->withheld & WITHHELD_CREATE_FOLDER) != 0) {
        refuse(src, SESSION_TEXT_CREATE);
        return -1;
    }
    return may(src, "rename", t_strdup_printf("to %s", dest->vname))
               ? pbox->module_ctx.super.rename_box(src, dest)
               : -1;
}

static int
set_subscribed(struct mailbox *box, bool set)
{
    if (!may(box, "subscribe", set ? "yes" : "no"))
        return -1;
    return POSTROAD_CONTEXT_REQUIRE(box)->module_ctx.super.set_subscribed(box, set);
}

static int
attribute_set(struct mailbox_transaction_context *t, enum mail_attribute_type type, const char *key,
              const struct mail_attribute_value *value)
{
    if (!may(t->box, "flags", t_strdup_printf("attribute %s", key)))
        return -1;
    return POSTROAD_CONTEXT_REQUIRE(t->box)->module_ctx.super.attribute_set(t, type, key, value);
}

static struct mailbox_transaction_context *
transaction_begin(struct mailbox *box, enum mailbox_transaction_flags flags, const char *reason)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(box);
    struct mailbox_transaction_context *t;
    struct postroad_transaction *pt = i_new(struct postroad_transaction, 1);

    t = pbox->module_ctx.super.transaction_begin(box, flags, reason);
    i_array_init(&pt->flagged, 4);
    i_array_init(&pt->expunged, 4);
    i_array_init(&pt->copied, 4);
    MODULE_CONTEXT_SET(t, postroad_storage_module, pt);
    return t;
}

static void
transaction_free(struct postroad_transaction *pt)
{
    array_free(&pt->flagged);
    array_free(&pt->expunged);
    array_free(&pt->copied);
    i_free(pt->from);
    i_free(pt);
}

static bool
record_copied(struct mailbox *box, struct postroad_transaction *pt)
{
    struct session *s = POSTROAD_CONTEXT_REQUIRE(box)->session;
    bool done = array_count(&pt->copied) == 0 ||
                session_record_box(s, box, pt->moving ? "move" : "copy", &pt->copied,
                                   t_strdup_printf("from %s", pt->from));

    array_clear(&pt->copied);
    return done;
}

static bool
record_all(struct mailbox *box, struct postroad_transaction *pt)
{
    struct session *s = POSTROAD_CONTEXT_REQUIRE(box)->session;

    if (array_count(&pt->flagged) > 0 && !session_record_box(s, box, "flags", &pt->flagged, NULL))
        return FALSE;
    if (array_count(&pt->expunged) > 0 &&
        !session_record_box(s, box, "expunge", &pt->expunged, NULL))
        return FALSE;
    if (pt->saved > 0 &&
        !session_record_box(s, box, "append", NULL, t_strdup_printf("%u messages", pt->saved)))
        return FALSE;
    return record_copied(box, pt);
}

static int
transaction_commit(struct mailbox_transaction_context *t,
                   struct mail_transaction_commit_changes *changes_r)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(t->box);
    struct postroad_transaction *pt = POSTROAD_CONTEXT_REQUIRE_T(t);
    bool fine = pt->refused == NULL ? record_all(t->box, pt) : refuse(t->box, pt->refused);

    transaction_free(pt);
    if (fine)
        return pbox->module_ctx.super.transaction_commit(t, changes_r);
    pbox->module_ctx.super.transaction_rollback(t);
    return -1;
}

static void
transaction_rollback(struct mailbox_transaction_context *t)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(t->box);

    transaction_free(POSTROAD_CONTEXT_REQUIRE_T(t));
    pbox->module_ctx.super.transaction_rollback(t);
}

static int
save_begin(struct mail_save_context *ctx, struct istream *input)
{
    struct mailbox_transaction_context *t = ctx->transaction;
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(t->box);

    if (pbox->session->mode == MODE_READ) {
        refuse(t->box, SESSION_TEXT_READ_ONLY);
        return -1;
    }
    if (!ctx->copying_or_moving)
        POSTROAD_CONTEXT_REQUIRE_T(t)->saved++;
    return pbox->module_ctx.super.save_begin(ctx, input);
}

/* From another folder than those before: they get a record of their own. */
static bool
note_copy(struct mail_save_context *ctx, struct mail *mail)
{
    struct postroad_transaction *pt = POSTROAD_CONTEXT_REQUIRE_T(ctx->transaction);

    if (POSTROAD_CONTEXT_REQUIRE(ctx->transaction->box)->session->mode == MODE_READ)
        return refuse(ctx->transaction->box, SESSION_TEXT_READ_ONLY);
    if ((null_strcmp(pt->from, mail->box->vname) != 0 || pt->moving != ctx->moving) &&
        !record_copied(ctx->transaction->box, pt))
        return FALSE;
    i_free(pt->from);
    pt->from = i_strdup(mail->box->vname);
    pt->moving = ctx->moving;
    seq_range_array_add(&pt->copied, mail->uid);
    return TRUE;
}

static int
copy(struct mail_save_context *ctx, struct mail *mail)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(ctx->transaction->box);

    if (!note_copy(ctx, mail)) {
        mailbox_save_cancel(&ctx);
        return -1;
    }
    if (ctx->moving)
        postroad_mail_moved(mail, ctx->transaction->box);
    return pbox->module_ctx.super.copy(ctx, mail);
}

static void
box_free(struct mailbox *box)
{
    struct postroad_box *pbox = POSTROAD_CONTEXT_REQUIRE(box);

    array_free(&pbox->read);
    pbox->module_ctx.super.free(box);
}

/* What is in the folder for its owner stays so: \Recent too, and what is new in a maildir. */
static void
make_readonly(struct mailbox *box, struct mailbox_vfuncs *v)
{
    box->flags |= MAILBOX_FLAG_READONLY;
    box->flags &= ENUM_NEGATE(MAILBOX_FLAG_DROP_RECENT);
    v->is_readonly = is_readonly;
}

void
postroad_mailbox_allocated(struct mailbox *box)
{
    struct session *s = postroad_session(box->list->ns->user);
    struct mailbox_vfuncs *v = box->vlast;
    struct postroad_box *pbox;

    if (s == NULL || (s->mode == MODE_OWNER && s->withheld == 0))
        return;
    pbox = p_new(box->pool, struct postroad_box, 1);
    pbox->module_ctx.super = *v;
    box->vlast = &pbox->module_ctx.super;
    pbox->session = s;
    i_array_init(&pbox->read, 8);
    v->free = box_free;
    v->create_box = create_box;
    v->update_box = update_box;
    v->delete_box = delete_box;
    v->rename_box = rename_box;
    v->set_subscribed = set_subscribed;
    v->attribute_set = attribute_set;
    v->transaction_begin = transaction_begin;
    v->transaction_commit = transaction_commit;
    v->transaction_rollback = transaction_rollback;
    v->save_begin = save_begin;
    v->copy = copy;
    if (s->mode != MODE_OWNER && s->mode != MODE_WRITE)
        make_readonly(box, v);
    MODULE_CONTEXT_SET(box, postroad_storage_module, pbox);
}
