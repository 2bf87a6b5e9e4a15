/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_csn: see syncrepl_csn.h. Used on the connection that follows changes, as
 * its heart-beat, and on those that ask all providers. Keeps no state.
 */
#include "syncrepl_csn.h"

#include <stdio.h>

#include "dn.h"

int
syncrepl_csn_ask(LDAP *ld, const char *dn, int *id_r)
{
    char *attrs[] = {(char *)"contextCSN", NULL};

    return ldap_search_ext(ld, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attrs, 0, NULL, NULL, NULL,
                           1, id_r);
}

static int
merge_all(struct cookie *out, const struct berval *values)
{
    int found = 0;

    for (size_t i = 0; found >= 0 && values && values[i].bv_val; i++) {
        struct span csn = {values[i].bv_val, values[i].bv_len};

        found = cookie_merge_csn(out, csn) < 0 ? -1 : 1;
    }
    return found;
}

/*
 * Only one attribute was asked for. A look for it by its name would not tell one that is missing
 * from one that can't be read.
 */
int
syncrepl_csn_read(LDAP *ld, LDAPMessage *entry, struct cookie *out)
{
    struct berval dn, name = {0, NULL}, *values = NULL;
    BerElement *ber = NULL;
    int found = 0, rc;

    cookie_init(out);
    rc = ldap_get_dn_ber(ld, entry, &ber, &dn);
    if (rc == LDAP_SUCCESS)
        rc = ldap_get_attribute_ber(ld, entry, ber, &name, &values);
    if (rc == LDAP_SUCCESS && name.bv_val)
        found = merge_all(out, values);
    ber_memfree(values);
    ber_free(ber, 0);
    return rc == LDAP_SUCCESS ? found : -1;
}

int
syncrepl_csn_up(char *dn)
{
    struct span rdn, parent;

    dn_split(span_of(dn), &rdn, &parent);
    if (parent.n == 0)
        return 0;
    memmove(dn, parent.p, parent.n);
    dn[parent.n] = '\0';
    return 1;
}

void
syncrepl_beat_init(struct syncrepl_beat *b, const char *base)
{
    memset(b, 0, sizeof *b);
    b->id = -1;
    snprintf(b->dn, sizeof b->dn, "%s", base);
}

int
syncrepl_beat_ask(struct syncrepl_beat *b, LDAP *ld, int64_t now_ms)
{
    b->seen = 0;
    b->asked_ms = now_ms;
    return syncrepl_csn_ask(ld, b->dn, &b->id);
}

void
syncrepl_beat_answer(struct syncrepl_beat *b, LDAP *ld, LDAPMessage *message, int refreshing)
{
    struct cookie knows;

    if (ldap_msgtype(message) == LDAP_RES_SEARCH_ENTRY) {
        int read = syncrepl_csn_read(ld, message, &knows);

        b->seen = read != 0;
        if (read == 1 && b->told.n == 0 && !refreshing) {
            b->told = knows;
            b->told_ms = b->asked_ms;
        }
    }
    if (ldap_msgtype(message) != LDAP_RES_SEARCH_RESULT)
        return;
    b->id = -1;
    if (!b->seen)
        syncrepl_csn_up(b->dn); /* nowhere: then nothing is told */
}

int64_t
syncrepl_beat_ahead(struct syncrepl_beat *b, const struct cookie *have, int64_t now_ms)
{
    if (b->told.n > 0 && cookie_covers(have, &b->told))
        cookie_init(&b->told);
    return b->told.n > 0 ? now_ms - b->told_ms : 0;
}
