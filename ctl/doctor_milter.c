/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, milters and filters: where Postfix asks postroad-milter, whether what is beside it leaves
 * mail uncounted, counted in vain, or forwarded twice; see postroad-milter(8), "Beside others".
 * Asks postconf(1); changes nothing, and says nothing where Postfix does not ask our milter.
 */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

#define VALUE_MAX   16384
#define SERVICE_MAX 128 /* of a service in master.cf */

/* The last milter of the list: where its "unix:" or "inet:" begins; NULL: there is none. */
static const char *
last_milter(const char *list)
{
    const char *last = NULL;

    for (const char *p = list; *p; p++)
        if (strncmp(p, "unix:", 5) == 0 || strncmp(p, "inet:", 5) == 0 ||
            strncmp(p, "local:", 6) == 0)
            last = p;
    return last;
}

/* Where our socket stands in the list, as an absolute path or one below the queue; NULL. */
static const char *
our_milter(const struct doctor *d, const char *list)
{
    const char *socket = d->ctl->conf->sockets.milter, *found = NULL;
    char queue[1024], below[1200];
    size_t n;

    if (strncmp(socket, "unix:", 5) != 0)
        return NULL;
    found = strstr(list, socket);
    if (found || doctor_parameter("queue_directory", queue, sizeof queue) < 0)
        return found;
    n = strlen(queue);
    if (strncmp(socket + 5, queue, n) != 0 || socket[5 + n] != '/')
        return NULL;
    snprintf(below, sizeof below, "unix:%s", socket + 5 + n + 1);
    return strstr(list, below);
}

/*
 * The value a line of `postconf -P` has for a parameter: "smtp/inet/content_filter = value". 1, with the
 * service ("smtp/inet") in service_r; 0 it is about another.
 */
static int
is_about(const char *line, size_t n, const char *name, char service_r[SERVICE_MAX],
         const char **value_r)
{
    const char *slash = memchr(line, '/', n), *equals;
    size_t length = strlen(name);

    slash = slash ? memchr(slash + 1, '/', n - (size_t)(slash + 1 - line)) : NULL;
    if (!slash || (size_t)(slash - line) >= SERVICE_MAX || strncmp(slash + 1, name, length) != 0 ||
        strncmp(slash + 1 + length, " =", 2) != 0)
        return 0;
    snprintf(service_r, SERVICE_MAX, "%.*s", (int)(slash - line), line);
    equals = slash + 1 + length + 2;
    *value_r = equals + strspn(equals, " ");
    return 1;
}

/* Whether the service sets the parameter, to value unless that is NULL. */
static int
service_sets(const char *all, const char *service, const char *name, const char *value)
{
    char found[SERVICE_MAX];
    const char *text;

    for (const char *line = all, *end; *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (is_about(line, (size_t)(end - line), name, found, &text) &&
            strcmp(found, service) == 0 &&
            (!value || (strncmp(text, value, strlen(value)) == 0 && text + strlen(value) == end)))
            return 1;
    }
    return 0;
}

static void
proxy(struct doctor *d, const char *where)
{
    doctor_say(d, DOCTOR_TROUBLE, "postfix-proxy",
               "scan by a milter or content_filter instead, see postroad-milter(8)",
               "%s has smtpd_proxy_filter: milters see no message there, and it is not counted",
               where);
}

/* Each service with a filter before the queue, which takes the messages from the milters. */
static void
check_proxy(struct doctor *d, const char *all)
{
    char value[VALUE_MAX], service[SERVICE_MAX];
    const char *text;

    if (doctor_parameter("smtpd_proxy_filter", value, sizeof value) == 0 && *value)
        proxy(d, "main.cf");
    for (const char *line = all, *end; *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (is_about(line, (size_t)(end - line), "smtpd_proxy_filter", service, &text) &&
            text < end && !service_sets(all, service, "smtpd_milters", ""))
            proxy(d, service);
    }
}

/* With a filter behind the queue: not at the port for other sites. */
static void
check_filter(struct doctor *d, const char *all)
{
    char value[VALUE_MAX], service[SERVICE_MAX], todo[SERVICE_MAX + 64];
    const char *text;

    if (doctor_parameter("content_filter", value, sizeof value) < 0 || !*value)
        return;
    for (const char *line = all, *end; *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (!is_about(line, (size_t)(end - line), "milter_macro_daemon_name", service, &text) ||
            !service_sets(all, service, "milter_macro_daemon_name", "handoff") ||
            service_sets(all, service, "content_filter", NULL))
            continue;
        snprintf(todo, sizeof todo, "postconf -P '%s/content_filter='; postfix reload", service);
        doctor_say(d, DOCTOR_WARNING, "postfix-filter", todo,
                   "%s takes content_filter from main.cf: what other sites hand over is scanned "
                   "again, and its lists and forwards are written out a second time",
                   service);
    }
}

void
doctor_milter(struct doctor *d)
{
    char list[VALUE_MAX], all[4 * VALUE_MAX];
    char *argv[] = {(char *)"postconf", (char *)"-P", NULL};
    const char *ours;

    if (doctor_parameter("smtpd_milters", list, sizeof list) < 0 || !(ours = our_milter(d, list)))
        return;
    if (ours == last_milter(list))
        doctor_say(d, DOCTOR_OK, "postfix-milter", NULL, "postroad-milter is the last milter");
    else
        doctor_say(d, DOCTOR_WARNING, "postfix-milter", "put it at the end of smtpd_milters",
                   "postroad-milter is not the last milter: what those behind it refuse is "
                   "counted, and what they find is not seen");
    if (doctor_run(argv, all, sizeof all) != 0)
        return;
    check_proxy(d, all);
    check_filter(d, all);
}
