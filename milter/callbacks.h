/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callbacks: what Postfix tells about each connection and message, through libmilter.
 */
#ifndef POSTROAD_CALLBACKS_H
#define POSTROAD_CALLBACKS_H

#include "accounting.h"
#include "cidr.h"
#include "hold.h"
#include "journal.h"
#include "people.h"
#include "spoof.h"

/* What all connections share; borrowed until the program ends. */
struct callbacks_shared {
    struct people *people;
    struct accounting *accounting;
    struct journal *journal; /* NULL: nothing is journaled */
    struct cidr_set inside;  /* whose hosts are as this machine */
    struct hold *hold;
    struct spoof *spoof;
    const char *contact; /* sending.contact */
    const char *site;
    int goes_on; /* accounting.on_error is continue */
    int traces;  /* milter.trace */
};

/* Tell libmilter what we are. 0, or -1. */
int callbacks_register(const struct callbacks_shared *shared);
/* Make the socket at path (with smfi_setconn and smfi_opensocket). 0, or -1. */
int callbacks_listen(const char *address);
/* Serve until a signal ends it. 0, or -1. */
int callbacks_run(void);
/* End that, from any thread. */
void callbacks_stop(void);

#endif
