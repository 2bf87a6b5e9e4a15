/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_find: see syncrepl_find.h. Asks for the attributes that are followed, and
 * packs entries by the same map, so that what is the same gives the same digest. Half
 * an answer counts as none. Must not: log, for it runs in the threads that ask.
 */
#include "syncrepl_find.h"

#include <stdlib.h>

#include "feed.h"
#include "syncrepl_entry.h"
#include "uuid.h"

struct syncrepl_find {
    struct feed feed; /* without a mirror */
    struct search_attrs attrs;
    const char **wanted; /* the feed's, and entryUUID */
    int timeout;
    char filter[SEARCH_FILTER];
};

static const char **
wanted_and_uuid(const char *const *wanted)
{
    const char **all;
    size_t n = 0;

    while (wanted[n])
        n++;
    all = calloc(n + 2, sizeof *all);
    if (!all)
        return NULL;
    memcpy(all, wanted, n * sizeof *all);
    all[n] = "entryUUID";
    return all;
}

struct syncrepl_find *
syncrepl_find_new(const struct conf *conf)
{
    struct syncrepl_find *f = calloc(1, sizeof *f);
    char error[128];

    if (!f)
        return NULL;
    f->timeout = conf->directory.timeout;
    if (feed_open(&f->feed, conf, error, sizeof error) == 0 &&
        (f->wanted = wanted_and_uuid(f->feed.wanted))) {
        search_attrs(&f->attrs, f->feed.map);
        return f;
    }
    syncrepl_find_free(&f);
    return NULL;
}

void
syncrepl_find_free(struct syncrepl_find **f)
{
    if (*f) {
        feed_close(&(*f)->feed);
        free((*f)->wanted);
        free(*f);
    }
    *f = NULL;
}

int
syncrepl_find_ask(struct syncrepl_find *f, LDAP *ld, const char *base, struct search *s, int *id_r)
{
    struct timeval limit = {f->timeout, 0};

    search_filter(s, &f->attrs, f->filter, sizeof f->filter);
    return ldap_search_ext(ld, base, LDAP_SCOPE_SUBTREE, f->filter, (char **)f->wanted, 0, NULL,
                           NULL, &limit, SEARCH_FOUND, id_r);
}

/* 0, or -1: it has none that can be read. */
static int
read_uuid(LDAP *ld, LDAPMessage *entry, unsigned char uuid[UUID_LEN])
{
    struct berval **values = ldap_get_values_len(ld, entry, "entryUUID");
    int rc = values && values[0]
                 ? uuid_parse((struct span){values[0]->bv_val, values[0]->bv_len}, uuid)
                 : -1;

    ldap_value_free_len(values);
    return rc;
}

/* 0, or an LDAP result code. */
static int
read_entry(struct syncrepl_find *f, LDAP *ld, LDAPMessage *entry, struct search *s)
{
    unsigned char uuid[UUID_LEN];
    BerElement *ber = NULL;
    struct berval dn;
    struct record r;
    char complaint[512];
    int rc;

    if (read_uuid(ld, entry, uuid) < 0)
        return LDAP_INSUFFICIENT_ACCESS; /* every entry has one */
    rc = syncrepl_entry_read(ld, entry, &f->feed.entry, &dn, &ber);
    if (rc == 0) {
        struct span name = {dn.bv_val, dn.bv_len};

        rc = feed_pack(&f->feed, name, &r, complaint, sizeof complaint);
        if (rc == 0 && search_add_found(s, uuid, &r, name) < 0)
            rc = -2;
        else if (rc == -1)
            rc = 0; /* what gives no record is in no mirror either */
    }
    ber_free(ber, 0);
    return rc == 0 ? LDAP_SUCCESS : rc == -2 ? LDAP_NO_MEMORY : LDAP_DECODING_ERROR;
}

int
syncrepl_find_read(struct syncrepl_find *f, LDAP *ld, LDAPMessage *answer, struct search *s)
{
    int code = LDAP_DECODING_ERROR, rc = LDAP_SUCCESS;

    if (ldap_parse_result(ld, answer, &code, NULL, NULL, NULL, NULL, 0) != LDAP_SUCCESS)
        return LDAP_DECODING_ERROR;
    if (code == LDAP_NO_SUCH_OBJECT)
        return LDAP_SUCCESS; /* it has nothing at all below the base */
    for (LDAPMessage *e = ldap_first_entry(ld, answer); e && code == LDAP_SUCCESS && !rc;
         e = ldap_next_entry(ld, e))
        rc = read_entry(f, ld, e, s);
    return code ? code : rc;
}
