/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message: see message.h.
 *
 * Who pays: what somebody of ours sends is counted for him, by his login, else by the
 * envelope when it comes from one of our machines or goes out; what comes in is counted for whom it comes to.
 * Must not look at the text of headers, which anybody can write.
 */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without the angle brackets of SMTP. */
static struct span
bare(const char *address)
{
    struct span s = span_of(address);

    if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
        s = (struct span){s.p + 1, s.n - 2};
    return s;
}

void
message_begin(struct message *m, struct people *p, const char *login, const char *sender,
              int handed, int local)
{
    struct message_group *group = m->group;
    unsigned room = m->room;

    *m = (struct message){.group = group, .room = room, .handed = handed};
    span_keep(m->login, sizeof m->login, span_of(login));
    span_keep(m->sender, sizeof m->sender, bare(sender));
    m->inside = *m->login || local;
    if (!m->handed)
        people_find(p, span_of(*m->login ? m->login : m->sender), &m->from);
}

static int
same(const struct message_group *g, enum direction direction, const struct person *who)
{
    return g->direction == direction && strcmp(g->who.account, who->account) == 0 &&
           strcmp(g->who.domain, who->domain) == 0 &&
           strcmp(g->who.department, who->department) == 0;
}

static struct message_group *
group_for(struct message *m, enum direction direction, const struct person *who)
{
    static const struct person nobody;

    for (unsigned i = 0; i < m->n; i++)
        if (same(&m->group[i], direction, who))
            return &m->group[i];
    /* One place for each direction is kept for recipients that found no other. */
    if (m->n >= MESSAGE_GROUPS - DIRECTION_N && *who->domain)
        return group_for(m, direction, &nobody);
    if (m->n == m->room) {
        unsigned more = m->room ? 4 * m->room : 4;
        void *group = realloc(m->group, more * sizeof *m->group);

        if (!group)
            return NULL;
        m->group = group;
        m->room = more;
    }
    m->group[m->n] = (struct message_group){direction, *who, 0};
    return &m->group[m->n++];
}

int
message_recipient(struct message *m, struct people *p, const char *recipient,
                  struct message_way *way_r)
{
    struct direction_input in = {.handed = m->handed, .inside = m->inside};
    struct message_group *g;

    way_r->to = (struct person){.verdict = ROUTE_UNSURE};
    if (!m->handed)
        in.readable = people_find(p, bare(recipient), &way_r->to) >= 0;
    in.verdict = way_r->to.verdict;
    way_r->direction = direction_decide(&in).direction;
    g = group_for(m, way_r->direction,
                  way_r->direction == DIRECTION_INBOUND ? &way_r->to : &m->from);
    if (!g)
        return -1;
    g->recipients++;
    m->recipients++;
    return 0;
}

/* A line end inside a value is told as LF and stands for CR LF. */
void
message_header(struct message *m, const char *name, const char *value)
{
    m->bytes += strlen(name) + 1 + strlen(value) + 2;
    for (const char *lf = value; (lf = strchr(lf, '\n')); lf++)
        m->bytes += lf == value || lf[-1] != '\r';
}

void
message_body(struct message *m, size_t n)
{
    m->bytes += n;
}

unsigned
message_records(const struct message *m, const char *queue, struct accounting_mail *mail)
{
    for (unsigned i = 0; i < m->n; i++) {
        const struct message_group *g = &m->group[i];

        mail[i] = (struct accounting_mail){.direction = g->direction,
                                           .queue = span_of(queue),
                                           .login = span_of(m->login),
                                           .account = span_of(g->who.account),
                                           .domain = span_of(g->who.domain),
                                           .department = span_of(g->who.department),
                                           .recipients = g->recipients,
                                           .bytes = m->bytes + 2};
    }
    return m->n;
}

void
message_free(struct message *m)
{
    free(m->group);
    m->group = NULL;
    m->n = m->room = 0;
}
