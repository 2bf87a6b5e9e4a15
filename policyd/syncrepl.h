/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl: what the life of one connection (session) and the choice of the next
 * one share: where the mirror stands, and why a session ended.
 */
#ifndef POSTROAD_SYNCREPL_H
#define POSTROAD_SYNCREPL_H

#include "cookie.h"
#include "sync.h"
#include "syncrepl_poll.h"

enum syncrepl_end {
    END_NONE,    /* it goes on */
    END_STOP,    /* we are told to end */
    END_LOST,    /* no connection, it fell silent, or it answered with an error: try again */
    END_BEHIND,  /* 53: the provider knows less than we do */
    END_REFRESH, /* 4096: the cookie is of no use any more */
    END_STALLED, /* it knows of a change that it does not send */
    END_STORE    /* the mirror can't be written */
};

struct syncrepl {
    struct sync *sync;
    const char *uri;
    char base[MIRROR_DN_MAX + 1]; /* normalised */
    size_t base_n;
    struct cookie cookie;  /* of what was received; stored with the data it stands for */
    int had_cookie;        /* one was presented: what isn't mentioned is unchanged */
    int persisted;         /* the session got as far as a complete refresh */
    struct cookie visible; /* what readers of the mirror see by now */
    int follows;           /* visible holds: changes arrive and are applied as they happen */
    struct syncrepl_polls *polls;
    int hung;                  /* a thread that asks a provider does not come back */
    int64_t stall_ms;          /* so long a change that is known may take to come */
    char error[512];           /* why it ended */
    char told[BOARD_TEXT_MAX]; /* that, with the URI, until all is well again */
};

/* Work out and show what is proven, by what readers see now. */
void syncrepl_prove(struct syncrepl *y);

/* One session, from connecting to its end. Applies changes as they come. */
enum syncrepl_end syncrepl_session(struct syncrepl *y);

/* Read where the mirror stands, put base and fingerprint in order. 0, or -1: the store failed. */
int syncrepl_load(struct syncrepl *y);

#endif
