/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_olc: directives of slapd.conf as attributes of cn=config, and changes of
 * cn=config as LDIF.
 */
#ifndef POSTROAD_LDAP_OLC_H
#define POSTROAD_LDAP_OLC_H

#include <stdio.h>

#include "ldap_template.h"

/* Of the database, what has it replicate is a place of its own: it comes last. */
enum olc_where { OLC_GLOBAL, OLC_MODULE, OLC_DATABASE, OLC_OVERLAY, OLC_REPLICATION };
enum olc_style {
    OLC_RULES,   /* a list whose order counts: olcAccess */
    OLC_EACH,    /* each value must be there */
    OLC_REPLICA, /* the same, by its rid */
    OLC_INDEX,   /* attributes and kinds of index */
    OLC_ONE      /* a single value */
};

struct olc_value {
    enum olc_where where;
    enum olc_style style;
    const char *overlay; /* OLC_OVERLAY: whose; "" for what belongs to none */
    const char *attr;    /* NULL: begins the overlay */
    char *text;          /* owned; lines divided by '\n' */
    const struct ldap_line *line;
};

struct olc_list {
    struct olc_value *v;
    size_t n;
};

/* The lines of t whose part is in parts (blanks around each). 0, -1 and error_r. */
int olc_from(const struct ldap_template *t, const char *parts, struct olc_list *list, char *error_r,
             size_t error_n);
void olc_free(struct olc_list *list);
/* Whether part is in parts; begin and end belong to all that has rules. */
int olc_part_wanted(const char *parts, const char *part);
/* The class of an overlay's entry. */
const char *olc_overlay_class(const char *overlay);
/* Another module or overlay the overlay's name names, "{0}syncprov" or "/x/syncprov.la". */
int olc_names(const char *value, const char *overlay);
/* Equal but for blanks, and numbers "{1}" in front. */
int olc_same(const char *a, const char *b);
/* What follows "{1}". */
const char *olc_text(const char *value);

/* "attr: value", folded at its line ends; in base64 when it must. */
void olc_put(FILE *f, const char *attr, const char *value);

#endif
