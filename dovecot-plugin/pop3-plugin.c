/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pop3-plugin: lib96_pop3_postroad_plugin, for honest answers in POP3. Where messages can't be
 * deleted, DELE is answered -ERR, and a refused login hears why. POP3 in Dovecot has no table of
 * commands; but nothing except DELE leaves something counted as deleted with no command going on, and its
 * answer is the next thing sent: that answer is replaced, and what DELE noted is taken back.
 */
#include "pop3-common.h"
#include "llist.h"
#include "ostream-private.h"
#include "mail-storage-private.h"
#include "session.h"
#include "plugin.h"
#include "pop3-deleted.h"

#include <sys/socket.h>

struct module;

void pop3_postroad_plugin_init(struct module *module);
void pop3_postroad_plugin_deinit(void);
extern const char *pop3_postroad_plugin_version;
extern const char pop3_postroad_plugin_binary_dependency[];
extern const char *pop3_postroad_plugin_dependencies[];

const char *pop3_postroad_plugin_version = DOVECOT_ABI_VERSION;
const char pop3_postroad_plugin_binary_dependency[] = "pop3";
const char *pop3_postroad_plugin_dependencies[] = {"postroad", NULL};

/* A client whose deletions are refused. */
struct refusing {
    struct refusing *prev, *next;
    struct client *client;
    struct pop3_client_vfuncs super;
    struct ostream_private *stream;
    ssize_t (*sendv)(struct ostream_private *stream, const struct const_iovec *iov,
                     unsigned int iov_count);
    const char *answer;
};

static struct refusing *all_refusing;
static pop3_client_created_func_t *next_client_created;

static size_t
length(const struct const_iovec *iov, unsigned int count)
{
    size_t size = 0;

    for (unsigned int i = 0; i < count; i++)
        size += iov[i].iov_len;
    return size;
}

static ssize_t
sendv(struct ostream_private *stream, const struct const_iovec *iov, unsigned int iov_count)
{
    struct refusing *r = all_refusing;
    struct const_iovec instead;

    while (r->stream != stream)
        r = r->next;
    if (r->client->deleted_count == 0 || r->client->cmd != NULL)
        return r->sendv(stream, iov, iov_count);
    pop3_undelete(r->client);
    instead.iov_base = r->answer;
    instead.iov_len = strlen(r->answer);
    if (r->sendv(stream, &instead, 1) < 0)
        return -1;
    return (ssize_t)length(iov, iov_count);
}

static void
client_destroy_refusing(struct client *client, const char *reason)
{
    struct refusing *r = all_refusing;

    while (r->client != client)
        r = r->next;
    r->stream->sendv = r->sendv;
    DLLIST_REMOVE(&all_refusing, r);
    r->super.destroy(client, reason);
}

static void
refuse_deletions(struct client *client, const char *text)
{
    struct refusing *r = p_new(client->pool, struct refusing, 1);

    r->client = client;
    r->super = client->v;
    r->stream = client->output->real_stream;
    r->sendv = r->stream->sendv;
    r->answer = p_strdup_printf(client->pool, "-ERR [SYS/PERM] %s\r\n", text);
    client->v.destroy = client_destroy_refusing;
    r->stream->sendv = sendv;
    DLLIST_PREPEND(&all_refusing, r);
}

/* Said before Dovecot says that all is well; the user's error ends the session right after. */
static void
say_goodbye(struct client *client, const struct session *s)
{
    client_send_line(client, "-ERR [%s] %s", s->unavailable ? "SYS/TEMP" : "AUTH", s->goodbye);
    (void)o_stream_flush(client->output);
    (void)shutdown(client->fd_out, SHUT_WR);
}

static void
client_created(struct client **client)
{
    struct session *s = postroad_session((*client)->user);

    if (s != NULL && s->mode == MODE_NONE)
        say_goodbye(*client, s);
    else if (s != NULL && s->mode == MODE_READ)
        refuse_deletions(*client, SESSION_TEXT_READ_ONLY);
    else if (s != NULL && (s->withheld & WITHHELD_EXPUNGE) != 0)
        refuse_deletions(*client, SESSION_TEXT_EXPUNGE);
    if (next_client_created != NULL)
        next_client_created(client);
}

void
pop3_postroad_plugin_init(struct module *module ATTR_UNUSED)
{
    next_client_created = pop3_client_created_hook_set(client_created);
    postroad_says_goodbye = TRUE;
}

void
pop3_postroad_plugin_deinit(void)
{
    postroad_says_goodbye = FALSE;
    (void)pop3_client_created_hook_set(next_client_created);
}
