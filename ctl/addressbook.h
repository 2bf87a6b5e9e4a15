/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addressbook: one person or list, written for an address book. The attributes are
 * those everybody may read (see the access rules); no others are asked for.
 */
#ifndef POSTROAD_ADDRESSBOOK_H
#define POSTROAD_ADDRESSBOOK_H

#include <stdio.h>

#include "org.h"

extern const char *const addressbook_attrs[];

/* Each writes one entry to stdout; begin is called once before. */
struct addressbook_format {
    const char *name;
    void (*begin)(void); /* NULL: nothing to do */
    void (*entry)(const struct dir_entry *e);
};
extern const struct addressbook_format addressbook_vcard, addressbook_csv, addressbook_ldif;

/* The name shown of an entry: displayName, else cn, else the address. */
const char *addressbook_name(const struct dir_entry *e);
int addressbook_is_list(const struct dir_entry *e);
/* Names of domain and departments above the entry, from the top: "a.example/sales/east". */
const char *addressbook_place(const struct dir_entry *e, char *out, size_t cap);

/* One vCard line with CRLF, folded at 75 octets, never inside a character. */
void vcard_line(FILE *f, const char *line);
/* Add text to a line as a vCard value: \ , ; and line ends escaped (RFC 6350, 3.4). -1: too long. */
int vcard_escape(char *line, size_t cap, const char *text);
/* One CSV cell, quoted where due; what a spreadsheet would take for a formula gets a ' before it. */
void csv_cell(FILE *f, const char *text);

int verb_addressbook_export(struct ctl *ctl);

#endif
