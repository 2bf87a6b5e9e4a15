/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin: lib95_postroad_plugin, the second line of defence in every mail process: asks policyd when
 * a mailbox is opened, and limits what is done there. Its hooks are forced, so that no userdb field
 * switches it off once it is configured. Deliveries are never refused, and doveadm passes untouched.
 */
#include "lib.h"
#include "module-dir.h"
#include "mail-storage-hooks.h"
#include "mail-storage-private.h"
#include "mail-user.h"
#include "session.h"
#include "plugin.h"

#define POSTROAD_USER_CONTEXT(obj) MODULE_CONTEXT(obj, postroad_user_module)

struct postroad_user {
    union mail_user_module_context module_ctx;
    struct session session;
};

static MODULE_CONTEXT_DEFINE_INIT(postroad_user_module, &mail_user_module_register);

void postroad_plugin_init(struct module *module);
void postroad_plugin_deinit(void);
extern const char *postroad_plugin_version;

const char *postroad_plugin_version = DOVECOT_ABI_VERSION;
bool postroad_says_goodbye;

struct session *
postroad_session(struct mail_user *user)
{
    struct postroad_user *puser = POSTROAD_USER_CONTEXT(user);

    return puser == NULL ? NULL : &puser->session;
}

static void
user_deinit(struct mail_user *user)
{
    struct postroad_user *puser = POSTROAD_USER_CONTEXT(user);

    session_end(&puser->session);
    puser->module_ctx.super.deinit(user);
}

static void
set_error(struct mail_user *user, const struct session *s)
{
    user->error = p_strdup_printf(user->pool, "postroad: access refused: %s", s->goodbye);
}

/* Refused at once, unless somebody is there who will tell the client more than "internal error". */
static void
user_created(struct mail_user *user)
{
    struct mail_user_vfuncs *v = user->vlast;
    struct postroad_user *puser;

    if (!session_concerns(user)) {
        session_prepare_delivery(user);
        return;
    }
    puser = p_new(user->pool, struct postroad_user, 1);
    puser->module_ctx.super = *v;
    user->vlast = &puser->module_ctx.super;
    v->deinit = user_deinit;
    MODULE_CONTEXT_SET(user, postroad_user_module, puser);
    session_begin(&puser->session, user);
    if (puser->session.mode == MODE_NONE && !postroad_says_goodbye)
        set_error(user, &puser->session);
}

static void
namespaces_created(struct mail_namespace *namespaces)
{
    struct session *s = postroad_session(namespaces->user);

    if (s != NULL && s->mode == MODE_NONE)
        set_error(namespaces->user, s);
}

/* Asked before other plugins read their settings: the answer changes some. */
static const struct mail_storage_hooks first_hooks = {
    .mail_user_created = user_created,
};
static const struct mail_storage_hooks hooks = {
    .mail_namespaces_created = namespaces_created,
    .mailbox_allocated = postroad_mailbox_allocated,
    .mail_allocated = postroad_mail_allocated,
};

/* Dovecot calls hooks in the order of their modules' paths. */
static char first_path[] = "lib00_postroad";
static struct module first_module = {.path = first_path, .name = first_path};

void
postroad_plugin_init(struct module *module)
{
    mail_storage_hooks_add_forced(&first_module, &first_hooks);
    mail_storage_hooks_add_forced(module, &hooks);
}

void
postroad_plugin_deinit(void)
{
    mail_storage_hooks_remove(&hooks);
    mail_storage_hooks_remove(&first_hooks);
}
