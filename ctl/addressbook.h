/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addressbook: one person or list, written for an address book. The attributes are
 * those everybody may read (see the access rules); no others are asked for.
 */
#ifndef POSTROAD_ADDRESSBOOK_H
#define POSTROAD_ADDRESSBOOK_H

#include "org.h"

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

int verb_addressbook_export(struct ctl *ctl);

#endif
