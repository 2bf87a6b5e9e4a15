/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_spoof: "postroad explain --from A --client IP": what postroad-milter would do with
 * a message from there that says it is from A, and why.
 *
 * Promises: the same functions decide that decide in the milter, over the same mirror, and without one, too.
 * What only a message could show, who vouches for it, is left out: nobody does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cidr.h"
#include "control.h"
#include "status.h"
#include "spoof_people.h"

struct asked {
    const char *from, *client, *header_from;
};

static int
is_in(const struct conf_list *list, const unsigned char ip[16])
{
    struct cidr_set set;

    cidr_fill(&set, list->v, list->n);
    return cidr_has(&set, ip);
}

/* All addresses that are claimed, and whose they are. */
static json_t *
claims_json(struct people *people, const struct spoof_settings *s, const struct from_header *from)
{
    json_t *list = json_array();
    struct spoof_domain d;

    for (unsigned i = 0; i < from->n; i++) {
        const struct from_domain *f = &from->domain[i];
        int found = spoof_find(f->name, s, spoof_people_domain, people, &d);
        const char *says =
            found == 1 && d.action >= 0 ? spoof_action_word((enum spoof_action)d.action) : "";

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "domain", f->name, "place",
                                              f->place == FROM_ADDRESS ? "address" : "text", "ours",
                                              found < 0 ? "unsure"
                                              : found   ? "yes"
                                                        : "no",
                                              "says", says));
    }
    return list;
}

static json_t *
judged_json(const struct conf *conf, struct people *people, const struct asked *a,
            const unsigned char ip[16])
{
    struct spoof_settings s =
        spoof_settings_of(conf->spoof.action, conf->spoof.display_name, conf->spoof.subdomains);
    struct from_header from;
    struct spoof_message message = {.inside =
                                        cidr_is_loopback(ip) || is_in(&conf->inside_networks, ip),
                                    .forwarder = is_in(&conf->spoof.trusted_forwarders, ip),
                                    .envelope = a->from,
                                    .from = &from};
    struct spoof_result r;
    char reply[SPOOF_REPLY] = "";

    s.most = spoof_strictest(people_spoof_actions(people));
    from_header_begin(&from);
    from_header_add(&from, a->header_from, strlen(a->header_from));
    spoof_judge(&message, &s, spoof_people_domain, people, &r);
    if (r.guard.verdict >= SPOOF_WAITS)
        spoof_reply(reply, &r, conf->sending.contact);
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "client", a->client,
                     "verdict", guard_spoof_verdict_word(r.guard.verdict), "rule", r.guard.rule,
                     "why", r.guard.why, "domain", r.domain, "where", r.where, "default",
                     conf->spoof.action, "display_name", conf->spoof.display_name, "claims",
                     claims_json(people, &s, &from), "reply", reply);
}

static const char *
text_of(json_t *request, const char *name)
{
    return json_string_value(json_object_get(request, name));
}

json_t *
control_spoof(struct control *c, const struct caller *who, json_t *request)
{
    struct asked a = {text_of(request, "from"), text_of(request, "client"),
                      text_of(request, "header_from")};
    unsigned char ip[16];
    struct people *people;
    struct mirror *m;
    const char *why;
    json_t *out = NULL;

    (void)who;
    if (!a.from || !a.client || !a.header_from || cidr_address(span_of(a.client), ip) < 0)
        return control_error(CONTROL_USAGE,
                             "a sender, From and the client's IP address are needed");
    m = control_mirror(c, &why);
    people = people_over(c->env->conf, m);
    if (people)
        out = judged_json(c->env->conf, people, &a, ip);
    people_free(&people);
    if (m)
        control_mirror_end(c);
    return out ? out : control_error(CONTROL_TEMPORARY, "out of memory");
}
