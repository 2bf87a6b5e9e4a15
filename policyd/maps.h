/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps: from a map's name and a key to the answer Postfix gets, out of the
 * mirror, the sites and route_decide(). Used by answer for every lookup and by
 * control for explain, so that both say the same.
 */
#ifndef POSTROAD_MAPS_H
#define POSTROAD_MAPS_H

#include <stddef.h>

#include "addr.h"
#include "board.h"
#include "conf.h"
#include "mirror.h"
#include "route.h"
#include "socketmap.h"

enum map_id {
    MAP_TRANSPORT,
    MAP_MAILBOX,
    MAP_DOMAIN,
    MAP_ALIAS,
    MAP_SENDER,
    MAP_PEER,
    MAP_TLS,
    MAP_N
};

struct maps; /* one per process: mirror, caches of sites, departments, domains */

/* The mirror is opened when it can be, and tried again while it can't: then everything is TEMP. */
struct maps *maps_new(const struct conf *conf, struct board *board);
void maps_free(struct maps **m);

/*
 * The mirror these maps read, for what explain and status show beside the answers; NULL while it
 * can't be opened, and then why_r says why. Never open the store a second time in one process.
 */
struct mirror *maps_mirror(struct maps *m, const char **why_r);

/*
 * Around a batch of lookups, so that they share one snapshot of the mirror; a single lookup does it
 * by itself. They nest. Don't hold a snapshot while idle. -1: the mirror can't be read (maps_lookup
 * still answers), maps_end is due all the same.
 */
int maps_begin(struct maps *m);
void maps_end(struct maps *m);
/* As maps_begin, for who reads the mirror itself; NULL: it can't be read, why_r says why, and nothing is due. */
struct mirror *maps_read(struct maps *m, const char **why_r);
/* As maps_end, while more lookups are likely to come at once; maps_rest within a second. */
void maps_pause(struct maps *m);
void maps_rest(struct maps *m);

/*
 * Between maps_begin and maps_end. generation: another one when answers may have changed for more
 * than those in mirror_each_change; 0: the mirror was never filled.
 */
uint64_t maps_generation(const struct maps *m);
const struct site_table *maps_sites(const struct maps *m);

/* -1: no such map. */
int map_number(struct span name);
const char *map_name(enum map_id id);

/*
 * What a lookup found out on its way; for logs and explain. in.home, in.standby and route.site live
 * until the next lookup, spans in claim until maps_end.
 */
struct map_trace {
    int parsed; /* what addr_parse said */
    struct addr addr;
    char matched[ADDR_MAX + 1]; /* the address that was found; "" none */
    const char *how;            /* "address", "without extension", "alias domain", "catch-all" */
    int found;
    struct mirror_claim claim;
    struct route_input in;
    struct route route;
    const char *why; /* why this answer; fixed text */
};

/*
 * Answer one lookup; data into out (cap >= SOCKETMAP_REPLY_MAX), length in *len_r. Always answers.
 * trace may be NULL.
 */
enum socketmap_status maps_lookup(struct maps *m, enum map_id map, struct span key, char *out,
                                  size_t cap, size_t *len_r, struct map_trace *trace);
/* Who has an address, for those who want no map's answer. */
struct maps_who {
    int parsed; /* what addr_parse said; unless 1 nothing else is set */
    int ours;   /* of our domains */
    int found;
    int exact;               /* found by just this address, or by another name of the domain */
    int proven;              /* not found: and that is a fact */
    enum record_state state; /* inherited states included */
    struct mirror_claim claim;
};
/* 0; -1 can't be read. Spans in claim live until maps_end. */
int maps_who(struct maps *m, struct span address, struct maps_who *who);

/*
 * When the question of the next lookup came, monotonic ms; 0 or not called: now. That an address is
 * nobody's is only said when it was proven for a moment after that, see freshness.h.
 * MAPS_CANT_WAIT: a proof of the last seconds stands for it, while a newer one can come.
 */
#define MAPS_CANT_WAIT (-1)
void maps_asked(struct maps *m, int64_t asked_ms);
/*
 * Whether the last answer may be another one once a proof has come: then the time of its question,
 * to be asked again with; else 0.
 */
int64_t maps_waits(const struct maps *m);
/*
 * Then also: what it waits for, to be given back by maps_release when nobody waits any more. 0: for the
 * proof alone, or there was no room to ask for the address.
 */
int maps_ticket(struct maps *m);
void maps_release(struct maps *m, int ticket);
/* How many without a ticket may ask again now. */
unsigned maps_room(const struct maps *m);
/*
 * Whether a question of that time, with that ticket, can be answered by now, or will not be any better.
 * *room: of maps_room, counted down. Cheap.
 */
int maps_settled(const struct maps *m, int64_t asked_ms, int ticket, unsigned *room);
/* The enum route_verdict of the last lookup, -1 when it needed none: to be counted. */
int maps_verdict(const struct maps *m);
/* Why the last lookup was answered so, fixed text: to be sent along with TEMP. */
const char *maps_why(const struct maps *m);

#endif
