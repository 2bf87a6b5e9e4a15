/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: finds out who acts in a login, asks policyd, and says in the log what came of it. In
 * doubt nobody gets into a mailbox that isn't his; whether an owner gets into his own is set by
 * postroad_owner_on_doubt. A clear no is a no to everybody. Must not take a word of the client's
 * for granted: names come from Dovecot's auth process, and policyd says whether two are the same.
 */
#include "lib.h"
#include "str.h"
#include "strescape.h"
#include "mail-storage-private.h"
#include "mail-user.h"
#include "compat.h"
#include "plugin.h"
#include "session.h"

#define DELIVERY_TIMEOUT_MSECS 500

static struct event_category postroad_category = {.name = "postroad"};

/* user->service is the name of the process: ManageSieve's is managesieve, in 2.4 sieve. */
static bool
is_service(const struct mail_user *user, const char *const *services)
{
    return !user->autocreated && user->creator == NULL && user->service != NULL &&
           str_array_find(services, user->service);
}

bool
session_concerns(struct mail_user *user)
{
    static const char *const services[] = {"imap",  "pop3",        "submission",
                                           "sieve", "managesieve", NULL};

    return is_service(user, services);
}

/*
 * A master login has the userdb field master_user, and who logged in is auth_user. Without the
 * field, auth_user is only how the same user had spelt his name. Without auth_user, the field was
 * put there by the userdb for the sake of ACLs. (2.4 leaves user->master_user empty.)
 */
static bool
is_master_login(const struct mail_user *user)
{
    const char *const *field = user->userdb_fields;

    for (; field != NULL && *field != NULL; field++) {
        if (strcmp(*field, "master_user") == 0 || strncmp(*field, "master_user=", 12) == 0)
            return user->auth_user != NULL;
    }
    return FALSE;
}

static void
add_field(string_t *line, const char *key, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    str_printfa(line, "\t%s=", key);
    str_append_tabescaped(line, t_strndup(value, 1000));
}

static const char *
hello_of(const struct session *s, const struct mail_user *user)
{
    string_t *line = t_str_new(256);

    str_append(line, "session");
    add_field(line, "actor", s->actor);
    add_field(line, "target", s->target);
    add_field(line, "service", s->service);
    if (user->conn.remote_ip != NULL)
        add_field(line, "remote", net_ip2addr(user->conn.remote_ip));
    add_field(line, "session", user->session_id);
    add_field(line, "master", s->master ? "yes" : "no");
    return p_strdup(user->pool, str_c(line));
}

/* Connects and opens the session. 0, or -1 and a text. */
static int
say_hello(struct session *s, struct answer *answer_r, const char **error_r)
{
    const char *line;

    question_close(&s->ask);
    if (question_connect(&s->ask, s->set->postroad_socket, s->set->postroad_timeout, error_r) < 0 ||
        question_line(&s->ask, s->hello, s->set->postroad_timeout, &line, error_r) < 0)
        return -1;
    answer_parse(line, answer_r);
    switch (answer_r->word) {
    case ANSWER_NO:
        return 0;
    case ANSWER_UNSURE:
        *error_r = t_strdup_printf("policyd can't tell: %s", answer_r->why);
        break;
    case ANSWER_YES:
        if (answer_r->mode == MODE_NONE ||
            (answer_r->mode == MODE_OWNER && null_strcmp(answer_r->actor, answer_r->target) != 0))
            *error_r = "policyd's answer makes no sense";
        else
            return 0;
        break;
    default:
        *error_r = t_strdup_printf("policyd's answer makes no sense: %s", answer_r->text);
    }
    question_close(&s->ask);
    return -1;
}

static struct event_passthrough *
decided(struct session *s, const char *result, const struct answer *answer)
{
    return event_create_passthrough(s->event)
        ->set_name("postroad_session_decided")
        ->add_str("actor", s->actor)
        ->add_str("target", s->target)
        ->add_str("service", s->service)
        ->add_str("result", result)
        ->add_str("rule", answer->rule)
        ->add_str("why", answer->why);
}

static void
refuse(struct session *s, struct mail_user *user, const struct answer *answer, const char *text)
{
    struct event_passthrough *e = decided(s, "refused", answer);

    s->mode = MODE_NONE;
    s->goodbye = p_strdup(user->pool, text);
    question_close(&s->ask);
    e_warning(e->event(), "access refused: %s may not open the mailbox of %s by %s (rule %s: %s)",
              s->actor, s->target, s->service, answer->rule, answer->why);
}

/* Nobody could say. */
static void
doubt(struct session *s, const char *error)
{
    static const struct answer none = {.rule = "", .why = "can't be decided"};
    struct event_passthrough *e = decided(s, "doubt", &none);

    if (!s->master && strcmp(s->set->postroad_owner_on_doubt, "allow") == 0) {
        s->mode = MODE_OWNER;
        e_warning(e->event(),
                  "access of %s can't be decided: %s; let into his own mailbox, as "
                  "postroad_owner_on_doubt says",
                  s->actor, error);
        return;
    }
    s->mode = MODE_NONE;
    s->unavailable = TRUE;
    s->goodbye = "Access can't be decided at the moment, try later";
    e_error(e->event(), "access of %s to the mailbox of %s can't be decided: %s; refused", s->actor,
            s->target, error);
}

/* What other plugins do for this user. */
static void
apply(struct mail_user *user, const struct answer *answer)
{
    if (answer->quota != NULL)
        compat_set_quota(user, p_strdup(user->pool, answer->quota));
    if ((answer->withheld & WITHHELD_FORWARD) != 0)
        compat_forbid_redirect(user);
}

static void
admit(struct session *s, struct mail_user *user, const struct answer *answer)
{
    static const char *const names[] = {"none", "owner", "read", "write"};
    struct event_passthrough *e = decided(s, names[answer->mode], answer);

    s->mode = answer->mode;
    s->withheld = answer->mode == MODE_OWNER ? answer->withheld : 0;
    apply(user, answer);
    if (s->mode == MODE_OWNER) {
        question_close(&s->ask);
        e_debug(e->event(), "%s opened his own mailbox", s->actor);
    } else {
        e_info(e->event(), "%s opened the mailbox of %s to %s (rule %s: %s)", s->actor, s->target,
               names[s->mode], answer->rule, answer->why);
    }
}

/* Scripts are changed and mail is sent in these: there is nothing to merely read. */
static bool
only_reads(const struct session *s)
{
    return strcmp(s->service, "imap") == 0 || strcmp(s->service, "pop3") == 0;
}

static void
decide(struct session *s, struct mail_user *user)
{
    struct answer answer;
    const char *error;

    if (say_hello(s, &answer, &error) < 0)
        doubt(s, error);
    else if (answer.word == ANSWER_NO)
        refuse(s, user, &answer, *answer.text != '\0' ? answer.text : "Access refused");
    else if (answer.mode == MODE_READ && !only_reads(s))
        refuse(s, user, &answer, "This service needs the right to change the mailbox");
    else
        admit(s, user, &answer);
}

static void
introduce(struct session *s, struct mail_user *user, const char *service)
{
    i_zero(s);
    s->ask.fd = -1;
    s->event = event_create(user->event);
    event_add_category(s->event, &postroad_category);
    event_set_append_log_prefix(s->event, "postroad: ");
    s->master = is_master_login(user);
    s->actor = s->master ? user->auth_user : user->username;
    s->target = user->username;
    s->service = service;
    s->hello = hello_of(s, user);
}

/* As an owner would who changes his scripts. */
void
session_prepare_delivery(struct mail_user *user)
{
    static const char *const services[] = {"lmtp", "lda", NULL};
    struct session s;
    struct answer answer;
    struct postroad_settings brief;
    const char *error = NULL;

    if (!is_service(user, services))
        return;
    introduce(&s, user, "sieve");
    if (compat_settings(user, &s.set, &error) == 0) {
        brief = *s.set;
        brief.postroad_timeout = I_MIN(brief.postroad_timeout, DELIVERY_TIMEOUT_MSECS);
        s.set = &brief;
        if (say_hello(&s, &answer, &error) == 0) {
            apply(user, &answer);
            error = NULL;
        }
    }
    if (error != NULL)
        e_warning(s.event, "delivering without asking: %s", error);
    session_end(&s);
}

void
session_begin(struct session *s, struct mail_user *user)
{
    const char *error;

    introduce(s, user, strcmp(user->service, "managesieve") == 0 ? "sieve" : user->service);
    if (compat_settings(user, &s->set, &error) < 0) {
        s->unavailable = TRUE;
        s->goodbye = "Access can't be decided: the server's configuration is wrong";
        e_error(s->event, "%s; refused", error);
        return;
    }
    decide(s, user);
}

void
session_end(struct session *s)
{
    question_close(&s->ask);
    event_unref(&s->event);
}

/* The old connection may have gone with a policyd that was started anew meanwhile. */
static int
ask_once_more(struct session *s, const char *line, unsigned int timeout, const char **answer_r,
              const char **error_r)
{
    struct answer answer;

    if (say_hello(s, &answer, error_r) < 0)
        return -1;
    if (answer.word != ANSWER_YES || answer.mode != s->mode) {
        question_close(&s->ask);
        *error_r = "the rights have changed since the session was opened";
        return -1;
    }
    return question_line(&s->ask, line, timeout, answer_r, error_r);
}

int
session_ask(struct session *s, const char *line, unsigned int patience, struct answer *answer_r)
{
    unsigned int timeout = s->set->postroad_timeout * patience;
    const char *answer, *error = NULL;
    bool asked = s->ask.fd != -1 && question_line(&s->ask, line, timeout, &answer, &error) == 0;

    if (!asked && (error == NULL || s->ask.gone))
        asked = ask_once_more(s, line, timeout, &answer, &error) == 0;
    if (s->mode == MODE_OWNER)
        question_close(&s->ask);
    if (!asked) {
        e_error(s->event, "no answer from %s: %s", s->set->postroad_socket, error);
        return -1;
    }
    answer_parse(answer, answer_r);
    return 0;
}
