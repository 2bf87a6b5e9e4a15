/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, Postfix: whether main.cf asks our maps, through the very socket the daemon
 * answers on, and does nothing that works against it. Asks postconf(1), which knows
 * defaults and macros; changes nothing.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ask.h"
#include "doctor.h"

#define VALUE_MAX  16384
#define TIMEOUT_MS 5000

struct map_use {
    const char *parameter, *map;
    enum doctor_mark missing; /* what it is when nobody asks it */
};

static const struct map_use uses[] = {
    {"virtual_mailbox_domains", "domain", DOCTOR_TROUBLE},
    {"virtual_mailbox_maps", "mailbox", DOCTOR_TROUBLE},
    {"virtual_alias_maps", "alias", DOCTOR_TROUBLE},
    {"transport_maps", "transport", DOCTOR_TROUBLE},
    {"smtpd_sender_login_maps", "sender", DOCTOR_WARNING},
};

int
doctor_parameter(const char *name, char *out, size_t cap)
{
    char *argv[] = {(char *)"postconf", (char *)"-xh", (char *)name, NULL};

    return doctor_run(argv, out, cap) == 0 ? 0 : -1;
}

/* The next word of a list with blanks and commas, or NULL. */
static char *
next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \t\r\n,");

    if (!*word)
        return NULL;
    *rest = word + strcspn(word, " \t\r\n,");
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

/* Whether word is "socketmap:unix:PATH:map" for our socket; *other: it is another's. */
static int
is_ours(const struct doctor *d, const char *word, const char *map, const char *queue, int *other)
{
    const char *path = word + strlen("socketmap:unix:"), *colon = strrchr(word, ':');
    const char *socket = d->ctl->conf->sockets.map;
    char full[1024];

    if (strncmp(word, "socketmap:unix:", 15) != 0 || colon <= path || strcmp(colon + 1, map) != 0)
        return 0;
    snprintf(full, sizeof full, "%s%s%.*s", *path == '/' ? "" : queue, *path == '/' ? "" : "/",
             (int)(colon - path), path);
    if (strcmp(full, strncmp(socket, "unix:", 5) == 0 ? socket + 5 : socket) == 0)
        return 1;
    *other = 1;
    return 0;
}

static void
check_use(struct doctor *d, const struct map_use *use, const char *queue)
{
    char value[VALUE_MAX], copy[VALUE_MAX], todo[600], id[80], *rest = copy, *word;
    const char *socket = strncmp(d->ctl->conf->sockets.map, "unix:", 5) == 0
                             ? d->ctl->conf->sockets.map + 5
                             : d->ctl->conf->sockets.map;
    size_t n = strlen(queue);
    int found = 0, other = 0;

    snprintf(id, sizeof id, "postfix-%s", use->map);
    if (doctor_parameter(use->parameter, value, sizeof value) < 0)
        return;
    memcpy(copy, value, sizeof copy);
    while (!found && (word = next_word(&rest)))
        found = is_ours(d, word, use->map, queue, &other);
    if (strncmp(socket, queue, n) == 0 && socket[n] == '/')
        socket += n + 1;
    snprintf(todo, sizeof todo, "postconf -e '%s = socketmap:unix:%s:%s'; postfix reload",
             use->parameter, socket, use->map);
    if (found)
        doctor_say(d, DOCTOR_OK, id, NULL, "%s asks map %s", use->parameter, use->map);
    else if (other)
        doctor_say(d, DOCTOR_TROUBLE, id, todo, "%s asks another socket than sockets.map: %s",
                   use->parameter, value);
    else
        doctor_say(d, use->missing, id, todo, "%s does not ask map %s", use->parameter, use->map);
}

static void
check_wait(struct doctor *d)
{
    const char *want = d->ctl->conf->wait_transport;
    char value[VALUE_MAX], todo[300], *rest = value, *word;
    size_t n = strcspn(want, ":");

    if (doctor_parameter("defer_transports", value, sizeof value) < 0)
        return;
    while ((word = next_word(&rest)))
        if (strlen(word) == n && strncmp(word, want, n) == 0) {
            doctor_say(d, DOCTOR_OK, "postfix-wait", NULL, "defer_transports has %s", word);
            return;
        }
    snprintf(todo, sizeof todo, "postconf -e 'defer_transports = %.*s'; postfix reload", (int)n,
             want);
    doctor_say(d, DOCTOR_TROUBLE, "postfix-wait", todo,
               "defer_transports lacks %.*s: mail that has to wait would be returned", (int)n,
               want);
}

/* A domain of ours that Postfix also takes for its host's own: local(8) would get its mail. */
static void
check_destination(struct doctor *d)
{
    char value[VALUE_MAX], error[512], out[512], *rest = value, *word;
    enum socketmap_status status;
    int wrong = 0;

    if (doctor_parameter("mydestination", value, sizeof value) < 0)
        return;
    while ((word = next_word(&rest))) {
        if (strpbrk(word, ":/") ||
            ask_map(d->ctl->conf->sockets.map, "domain", word, TIMEOUT_MS, &status, out, sizeof out,
                    error, sizeof error) < 0 ||
            status != SOCKETMAP_OK)
            continue;
        wrong = 1;
        doctor_say(d, DOCTOR_TROUBLE, "postfix-local", "take it out of mydestination",
                   "%s is in mydestination, and one of our domains: its mail would go to local(8)",
                   word);
    }
    if (!wrong)
        doctor_say(d, DOCTOR_OK, "postfix-local", NULL, "no domain of ours is in mydestination");
}

static void
check_alias_domains(struct doctor *d)
{
    char value[VALUE_MAX];

    if (doctor_parameter("virtual_alias_domains", value, sizeof value) == 0 &&
        strstr(value, "socketmap:"))
        doctor_say(
            d, DOCTOR_WARNING, "postfix-own-alias", "postconf -e 'virtual_alias_domains ='",
            "virtual_alias_domains is not empty: Postfix asks the alias map for domains, too");
}

void
doctor_postfix(struct doctor *d)
{
    char queue[1024];

    if (doctor_parameter("queue_directory", queue, sizeof queue) < 0) {
        doctor_say(d, DOCTOR_SKIPPED, "postfix", NULL, "postconf can't be run here");
        return;
    }
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        check_use(d, &uses[i], queue);
    check_wait(d);
    check_destination(d);
    check_alias_domains(d);
}
