/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compat-2.3: Dovecot 2.3. Settings are strings of the section plugin { }, to which userdb fields
 * are added; what a plugin wants to change for others it changes there.
 */
#include "lib.h"
#include "array.h"
#include "settings-parser.h"
#include "mail-storage-private.h"
#include "mail-user.h"
#include "plugin.h"
#include "compat.h"

static int
time_setting(struct mail_user *user, const char *name, unsigned int *msecs, const char **error_r)
{
    const char *value = mail_user_plugin_getenv(user, name);
    const char *error;

    if (value == NULL)
        return 0;
    if (settings_get_time_msecs(value, msecs, &error) == 0 && *msecs > 0)
        return 0;
    *error_r = t_strdup_printf("%s: %s is no time", name, value);
    return -1;
}

int
compat_settings(struct mail_user *user, const struct postroad_settings **set_r,
                const char **error_r)
{
    struct postroad_settings *set = p_new(user->pool, struct postroad_settings, 1);
    const char *path = mail_user_plugin_getenv(user, "postroad_socket");
    const char *doubt = mail_user_plugin_getenv(user, "postroad_owner_on_doubt");

    *set_r = set;
    set->postroad_socket = path != NULL ? path : POSTROAD_SOCKET;
    set->postroad_timeout = POSTROAD_TIMEOUT_MSECS;
    set->postroad_owner_on_doubt = doubt != NULL ? doubt : POSTROAD_OWNER_ON_DOUBT;
    if (strcmp(set->postroad_owner_on_doubt, "allow") != 0 &&
        strcmp(set->postroad_owner_on_doubt, "refuse") != 0) {
        *error_r = t_strdup_printf("postroad_owner_on_doubt: %s is neither allow nor refuse",
                                   set->postroad_owner_on_doubt);
        return -1;
    }
    return time_setting(user, "postroad_timeout", &set->postroad_timeout, error_r);
}

static void
set_env(struct mail_user *user, const char *key, const char *value)
{
    const char *const *envs;
    unsigned int i, count;

    if (!array_is_created(&user->set->plugin_envs))
        p_array_init(&user->set->plugin_envs, user->pool, 4);
    envs = array_get(&user->set->plugin_envs, &count);
    for (i = 0; i + 1 < count; i += 2) {
        if (strcmp(envs[i], key) == 0) {
            array_idx_set(&user->set->plugin_envs, i + 1, &value);
            return;
        }
    }
    array_push_back(&user->set->plugin_envs, &key);
    array_push_back(&user->set->plugin_envs, &value);
}

void
compat_set_quota(struct mail_user *user, const char *bytes)
{
    set_env(user, "quota_rule", p_strdup_printf(user->pool, "*:bytes=%s", bytes));
}

void
compat_forbid_redirect(struct mail_user *user)
{
    set_env(user, "sieve_max_redirects", "0");
}

static int
get_binary_stream(struct mail *mail, const struct message_part *part, bool include_hdr,
                  uoff_t *size_r, unsigned int *lines_r, bool *binary_r, struct istream **stream_r)
{
    const struct mail_vfuncs *super = postroad_mail_super(mail);

    if (stream_r != NULL && !postroad_mail_reads(mail))
        return -1;
    return super->get_binary_stream(mail, part, include_hdr, size_r, lines_r, binary_r, stream_r);
}

void
compat_hook_binary_stream(struct mail_vfuncs *v)
{
    v->get_binary_stream = get_binary_stream;
}
