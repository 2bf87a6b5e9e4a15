/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compat-2.4: Dovecot 2.4. Settings are typed and asked for by an event; what a plugin wants to
 * change for others it adds to the user's own instance, above what configuration and userdb say.
 */
#include "lib.h"
#include "settings.h"
#include "settings-parser.h"
#include "mail-storage-private.h"
#include "mail-storage-service.h"
#include "mail-user.h"
#include "plugin.h"
#include "compat.h"
#include "settings-2.4.h"

int
compat_settings(struct mail_user *user, const struct postroad_settings **set_r,
                const char **error_r)
{
    const struct postroad_settings *set;
    struct postroad_settings *copy;

    if (settings_get(user->event, &postroad_setting_parser_info, 0, &set, error_r) < 0)
        return -1;
    copy = p_new(user->pool, struct postroad_settings, 1);
    copy->postroad_socket = p_strdup(user->pool, set->postroad_socket);
    copy->postroad_timeout = set->postroad_timeout;
    copy->postroad_owner_on_doubt = p_strdup(user->pool, set->postroad_owner_on_doubt);
    settings_free(set);
    *set_r = copy;
    return 0;
}

static void
override(struct mail_user *user, const char *key, const char *value)
{
    struct settings_instance *instance;

    instance = mail_storage_service_user_get_settings_instance(user->service_user);
    settings_override(instance, key, value, SETTINGS_OVERRIDE_TYPE_CODE);
}

void
compat_set_quota(struct mail_user *user, const char *bytes)
{
    override(user, "quota_storage_size", bytes);
}

void
compat_forbid_redirect(struct mail_user *user)
{
    override(user, "sieve_max_redirects", "0");
}

static int
get_binary_stream(struct mail *mail, const struct message_part *part, bool include_hdr,
                  struct mail_binary_properties *bprops_r, struct istream **stream_r)
{
    const struct mail_vfuncs *super = postroad_mail_super(mail);

    if (stream_r != NULL && !postroad_mail_reads(mail))
        return -1;
    return super->get_binary_stream(mail, part, include_hdr, bprops_r, stream_r);
}

void
compat_hook_binary_stream(struct mail_vfuncs *v)
{
    v->get_binary_stream = get_binary_stream;
}
