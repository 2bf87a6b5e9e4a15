/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_ber: see syncrepl_ber.h. Reads with liblber, whose checks of lengths
 * are relied upon; nothing a provider sends makes these read past the value. UUIDs
 * are 16 opaque bytes: other servers than OpenLDAP don't send entryUUIDs.
 */
#include "syncrepl_ber.h"

/* --- writing --- */

int
syncrepl_request(struct span cookie, LDAPControl *control)
{
    struct berval bv = {cookie.n, (char *)cookie.p};
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    int rc;

    if (!ber)
        return -1;
    if (cookie.n)
        rc = ber_printf(ber, "{eOb}", (ber_int_t)LDAP_SYNC_REFRESH_AND_PERSIST, &bv, (ber_int_t)0);
    else
        rc = ber_printf(ber, "{eb}", (ber_int_t)LDAP_SYNC_REFRESH_AND_PERSIST, (ber_int_t)0);
    control->ldctl_oid = (char *)LDAP_CONTROL_SYNC;
    control->ldctl_iscritical = 1;
    if (rc >= 0)
        rc = ber_flatten2(ber, &control->ldctl_value, 1);
    ber_free(ber, 1);
    return rc < 0 ? -1 : 0;
}

/* --- reading --- */

static BerElement *
reader(const struct berval *value)
{
    BerElement *ber = ber_alloc_t(0);

    if (ber)
        ber_init2(ber, (struct berval *)value, 0);
    return ber;
}

/* Frees the reader only: what it read belongs to the caller. */
static int
done(BerElement *ber, int rc)
{
    ber_free(ber, 0);
    return rc;
}

static struct span
as_span(const struct berval *bv)
{
    return (struct span){bv->bv_val, bv->bv_len};
}

/* The next OCTET STRING, in place. ber_scanf's "m" would write a NUL byte behind it. 0 or -1. */
static int
read_string(BerElement *ber, struct berval *bv)
{
    return ber_get_stringbv(ber, bv, LBER_BV_NOTERM) == LBER_ERROR ? -1 : 0;
}

/* An optional cookie, the next element if it is an OCTET STRING. 0 or -1. */
static int
read_cookie(BerElement *ber, struct span *cookie)
{
    struct berval bv;
    ber_len_t len;

    *cookie = (struct span){NULL, 0};
    if (ber_peek_tag(ber, &len) != LDAP_TAG_SYNC_COOKIE)
        return 0;
    if (read_string(ber, &bv) < 0)
        return -1;
    *cookie = as_span(&bv);
    return 0;
}

/* An optional BOOLEAN. 0 or -1. */
static int
read_flag(BerElement *ber, int preset, int *flag)
{
    ber_int_t v;
    ber_len_t len;

    *flag = preset;
    if (ber_peek_tag(ber, &len) != LBER_BOOLEAN)
        return 0;
    if (ber_scanf(ber, "b", &v) == LBER_ERROR)
        return -1;
    *flag = v != 0;
    return 0;
}

static int
state_value(BerElement *ber, struct syncrepl_state *out)
{
    struct berval uuid;
    ber_int_t state;

    if (ber_scanf(ber, "{e", &state) == LBER_ERROR || read_string(ber, &uuid) < 0 ||
        uuid.bv_len != UUID_LEN)
        return -1;
    if (state < LDAP_SYNC_PRESENT || state > LDAP_SYNC_DELETE)
        return -1;
    out->state = (int)state;
    memcpy(out->uuid, uuid.bv_val, UUID_LEN);
    return read_cookie(ber, &out->cookie) < 0 ? -1 : 1;
}

int
syncrepl_state_read(LDAPControl *const *controls, struct syncrepl_state *out)
{
    for (; controls && *controls; controls++) {
        BerElement *ber;

        if (strcmp((*controls)->ldctl_oid, LDAP_CONTROL_SYNC_STATE) != 0)
            continue;
        ber = reader(&(*controls)->ldctl_value);
        return ber ? done(ber, state_value(ber, out)) : -1;
    }
    return 0;
}

static int
read_phase(BerElement *ber, struct syncrepl_info *out)
{
    if (ber_scanf(ber, "{") == LBER_ERROR || read_cookie(ber, &out->cookie) < 0)
        return -1;
    return read_flag(ber, 1, &out->flag);
}

static int
read_set(BerElement *ber, struct syncrepl_info *out,
         int (*fn)(void *, const struct syncrepl_info *, const unsigned char *), void *ctx)
{
    struct berval uuid;
    ber_len_t len;
    ber_tag_t tag;
    char *last;

    if (ber_scanf(ber, "{") == LBER_ERROR || read_cookie(ber, &out->cookie) < 0 ||
        read_flag(ber, 0, &out->flag) < 0 || ber_peek_tag(ber, &len) != LBER_SET)
        return -1;
    for (tag = ber_first_element(ber, &len, &last); tag != LBER_DEFAULT;
         tag = ber_next_element(ber, &len, last)) {
        if (read_string(ber, &uuid) < 0 || uuid.bv_len != UUID_LEN)
            return -1;
        if (fn && fn(ctx, out, (const unsigned char *)uuid.bv_val) != 0)
            return -1;
    }
    /* The list ended, or could not be read on: half of it would sweep the other half. */
    return ber_get_option(ber, LBER_OPT_BER_REMAINING_BYTES, &len) == 0 && len == 0 ? 0 : -1;
}

static int
info_value(BerElement *ber, struct syncrepl_info *out,
           int (*fn)(void *, const struct syncrepl_info *, const unsigned char *), void *ctx)
{
    struct berval bv;
    ber_len_t len;

    switch (ber_peek_tag(ber, &len)) {
    case LDAP_TAG_SYNC_NEW_COOKIE:
        out->kind = INFO_NEW_COOKIE;
        if (read_string(ber, &bv) < 0)
            return -1;
        out->cookie = as_span(&bv);
        return 0;
    case LDAP_TAG_SYNC_REFRESH_DELETE:
        out->kind = INFO_REFRESH_DELETE;
        return read_phase(ber, out);
    case LDAP_TAG_SYNC_REFRESH_PRESENT:
        out->kind = INFO_REFRESH_PRESENT;
        return read_phase(ber, out);
    case LDAP_TAG_SYNC_ID_SET:
        out->kind = INFO_ID_SET;
        return read_set(ber, out, fn, ctx);
    default:
        return -1;
    }
}

int
syncrepl_info_read(const struct berval *value, struct syncrepl_info *out,
                   int (*fn)(void *, const struct syncrepl_info *, const unsigned char *),
                   void *ctx)
{
    BerElement *ber = reader(value);

    memset(out, 0, sizeof *out);
    return ber ? done(ber, info_value(ber, out, fn, ctx)) : -1;
}
