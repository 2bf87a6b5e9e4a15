/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, mail: whether held mail can be released, Postfix's queue be looked into, and postroad-milter lives;
 * and whether mailboxes can be moved.
 * Only reads the configuration and the daemon's answer to "status".
 */
#include "doctor.h"
#include "show.h"
#include "text.h"

#define BEAT_LATE_S 30

/* Where mail is held, somebody has to be able to let it go; see also doctor_held. */
static void
check_queue(struct doctor *d)
{
    json_t *queue = json_object_get(d->status, "queue");
    int holds = d->ctl->conf->milter.moderate.n > 0 || json_object_get(d->status, "held");

    if (!queue)
        return;
    if (*show_text(queue, "error"))
        doctor_say(d, DOCTOR_WARNING, "queue", "postfix status; postqueue -p",
                   "Postfix's queue can't be listed: %s", show_text(queue, "error"));
    else if (holds && !show_true(queue, "may_change"))
        doctor_say(d, DOCTOR_WARNING, "queue",
                   "start it as root, see examples/systemd/postroad-policyd-queue.conf",
                   "mail is held, but postroad-policyd was not started as root: it can only be "
                   "released by hand");
    else
        doctor_say(d, DOCTOR_OK, "queue", NULL, "Postfix's queue can be listed%s",
                   show_true(queue, "may_change") ? ", and held mail be released" : "");
}

static void
check_milter(struct doctor *d)
{
    json_t *flow = json_object_get(d->status, "flow");
    char text[32];

    if (!flow)
        return;
    if (!show_true(flow, "known"))
        doctor_say(d, DOCTOR_WARNING, "milter", "systemctl restart postroad-milter",
                   "the figures of mail can't be read: %s", show_text(flow, "error"));
    else if (show_number(flow, "age_s") > BEAT_LATE_S)
        doctor_say(d, DOCTOR_TROUBLE, "milter",
                   "systemctl restart postroad-milter; where it is not used any more, rm "
                   "milter/figures in state_dir",
                   "postroad-milter has given no sign of life for %s",
                   text_age(show_number(flow, "age_s"), text));
    else
        doctor_say(d, DOCTOR_OK, "milter", NULL, "postroad-milter lives");
}

/* Two policyds of one site: each shows its own held mail there, under the same name. */
static void
check_rivals(struct doctor *d)
{
    json_t *held = json_object_get(d->status, "held");

    if (held && show_number(held, "rivals") > 0)
        doctor_say(
            d, DOCTOR_TROUBLE, "held-rivals",
            "give each site a name of its own; see postroad-moderation(7) where this machine "
            "was set up anew",
            "%.0f entries of held mail are of this site, and another policyd keeps them",
            show_number(held, "rivals"));
}

/* Who moves mailboxes has to say how both places are compared. */
static void
check_moving(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;

    if (conf->move_site.copy_command.n > 0 &&
        (conf->move_site.list_from_command.n == 0 || conf->move_site.list_to_command.n == 0))
        doctor_say(d, DOCTOR_WARNING, "move-site",
                   "set them, see \"Moving mailboxes\" in postroad.conf(5)",
                   "postroad user move-site moves nobody: move_site.list_from_command and "
                   "move_site.list_to_command are not both set");
}

void
doctor_mail(struct doctor *d)
{
    check_moving(d);
    if (!d->status)
        return;
    check_queue(d);
    check_rivals(d);
    check_milter(d);
}
