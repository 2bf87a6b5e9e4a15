/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold: what the files of role cold share. cold.c decides when something is due and
 * what to do when it fails, cold_pass.c brings the tables to what the mirror says,
 * cold_rows.c makes rows out of answers.
 */
#ifndef POSTROAD_COLD_H
#define POSTROAD_COLD_H

#include <stdint.h>

#include "cold_table.h"
#include "maps.h"
#include "role.h"

enum cold_id { COLD_TRANSPORT, COLD_MAILBOX, COLD_ALIAS, COLD_DOMAIN, COLD_PEER, COLD_TLS, COLD_N };
#define COLD_ADDRESSES (1u << COLD_TRANSPORT | 1u << COLD_MAILBOX | 1u << COLD_ALIAS)

#define COLD_ROWS    2048
#define COLD_TEXT    (1u << 20) /* bytes of the rows that wait to be written to one table */
#define COLD_NAMES   1024       /* looked up in one snapshot */
#define COLD_WAIT_MS 2000       /* for readers, at most */

/* Rows on their way to a table. */
struct cold_batch {
    struct cold_row rows[COLD_ROWS];
    size_t n, used;
    char *text;
};

/* Names taken out of the mirror, or keys out of a table. */
struct cold_names {
    struct span at[COLD_NAMES];
    size_t n, used;
    char text[COLD_NAMES * (ADDR_MAX + 1)];
};

struct cold {
    struct role_env *env;
    struct maps *maps;
    struct cold_table *table[COLD_N];
    struct cold_batch batch[COLD_N];
    struct cold_names names;
    uint64_t generation, next; /* of the mirror, that the tables hold; generation 0: unknown */
    char out[SOCKETMAP_REPLY_MAX];
    char error[1024];
};

/* The map whose answers the table holds. */
enum map_id cold_map(enum cold_id id);

/* Note what failed; -1. */
int cold_fail(struct cold *c, const char *what);

/*
 * cold_rows.c: add the rows a name shall have, or not have, to the batches; inside a snapshot. 0, or
 * -1 when it can't be told. tables: one bit each.
 */
int cold_add_address(struct cold *c, struct span address, unsigned tables);
int cold_add_domain(struct cold *c, struct span name);
int cold_add_sites(struct cold *c);
/* key of one of the sites' two tables: add that it has no row, unless cold_add_sites made it. */
int cold_add_site_key(struct cold *c, enum cold_id id, struct span key);
/* Write the batches. */
int cold_flush(struct cold *c);

/* Everything, or what was changed since c->next. 0, or -1. */
int cold_pass_all(struct cold *c);
int cold_pass_changes(struct cold *c);

#endif
