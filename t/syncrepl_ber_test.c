/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of RFC 4533: written by liblber here, read by syncrepl_ber; then every
 * way to cut one short or change one byte of it: a wrong answer is allowed then,
 * reading past the end is not (run it under a sanitizer).
 */
#include <stdlib.h>

#include "policyd/syncrepl_ber.h"
#include "tap.h"

static const char uuids[] = "0123456789abcdefFEDCBA9876543210";

static struct berval *
flat(BerElement *ber)
{
    struct berval *bv = NULL;

    ber_flatten(ber, &bv);
    ber_free(ber, 1);
    return bv;
}

struct handed {
    int n, flag;
    char text[128];
};

static int
take(void *ctx, const struct syncrepl_info *info, const unsigned char uuid[UUID_LEN])
{
    struct handed *h = ctx;

    h->flag = info->flag;
    if (h->n < 4)
        snprintf(h->text + 17 * h->n, 18, "%.16s ", (const char *)uuid);
    return ++h->n > 1000;
}

static int
give_up(void *ctx, const struct syncrepl_info *info, const unsigned char uuid[UUID_LEN])
{
    (void)info;
    (void)uuid;
    return ++*(int *)ctx == 2;
}

/* --- requests --- */

static void
requests(void)
{
    LDAPControl c;
    static const char bare[] = "\x30\x06\x0a\x01\x03\x01\x01\x00";
    static const char with[] = "\x30\x09\x0a\x01\x03\x04\x01x\x01\x01\x00";

    is_int(syncrepl_request((struct span){NULL, 0}, &c), 0, "a request without cookie");
    ok(c.ldctl_value.bv_len == 8 && memcmp(c.ldctl_value.bv_val, bare, 8) == 0, "its bytes");
    ok(c.ldctl_iscritical && strcmp(c.ldctl_oid, LDAP_CONTROL_SYNC) == 0, "critical");
    ber_memfree(c.ldctl_value.bv_val);
    is_int(syncrepl_request(span_of("x"), &c), 0, "a request with one");
    ok(c.ldctl_value.bv_len == 11 && memcmp(c.ldctl_value.bv_val, with, 11) == 0, "its bytes");
    ber_memfree(c.ldctl_value.bv_val);
}

/* --- states --- */

static struct berval *
state_value(int state, ber_len_t uuid_n, const char *cookie)
{
    struct berval uuid = {uuid_n, (char *)uuids},
                  bv = {cookie ? strlen(cookie) : 0, (char *)cookie};
    BerElement *ber = ber_alloc_t(LBER_USE_DER);

    if (cookie)
        ber_printf(ber, "{eOON}", (ber_int_t)state, &uuid, &bv);
    else
        ber_printf(ber, "{eON}", (ber_int_t)state, &uuid);
    return flat(ber);
}

static int
read_state(const struct berval *bv, struct syncrepl_state *out)
{
    LDAPControl other = {(char *)"1.2.3", {0, NULL}, 0};
    LDAPControl c = {(char *)LDAP_CONTROL_SYNC_STATE, *bv, 0};
    LDAPControl *list[] = {&other, &c, NULL};

    return syncrepl_state_read(list, out);
}

static void
states(void)
{
    struct syncrepl_state s;
    struct berval *bv = state_value(LDAP_SYNC_MODIFY, 16, "rid=000");
    LDAPControl *none[] = {NULL};

    is_int(read_state(bv, &s), 1, "a state");
    ok(s.state == LDAP_SYNC_MODIFY && memcmp(s.uuid, uuids, 16) == 0, "what and whose");
    ok(span_same(s.cookie, span_of("rid=000")), "with its cookie");
    ber_bvfree(bv);
    bv = state_value(LDAP_SYNC_DELETE, 16, NULL);
    ok(read_state(bv, &s) == 1 && s.cookie.n == 0, "without a cookie");
    ber_bvfree(bv);
    bv = state_value(9, 16, NULL);
    is_int(read_state(bv, &s), -1, "a state that is none");
    ber_bvfree(bv);
    bv = state_value(LDAP_SYNC_ADD, 15, NULL);
    is_int(read_state(bv, &s), -1, "a UUID too short");
    ber_bvfree(bv);
    is_int(syncrepl_state_read(none, &s), 0, "no control");
    is_int(syncrepl_state_read(NULL, &s), 0, "no controls at all");
}

/* --- infos --- */

static struct berval *
set_value(const char *cookie, int deletes, int n)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    int i;

    ber_printf(ber, "t{", (ber_tag_t)LDAP_TAG_SYNC_ID_SET);
    if (cookie)
        ber_printf(ber, "s", cookie);
    if (deletes)
        ber_printf(ber, "b", (ber_int_t)1);
    ber_printf(ber, "[");
    for (i = 0; i < n; i++)
        ber_printf(ber, "o", uuids + 16 * i, (ber_len_t)16);
    ber_printf(ber, "]N}");
    return flat(ber);
}

static struct berval *
phase_value(ber_tag_t tag, const char *cookie, int done)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);

    ber_printf(ber, "t{", tag);
    if (cookie)
        ber_printf(ber, "s", cookie);
    if (!done)
        ber_printf(ber, "b", (ber_int_t)0);
    ber_printf(ber, "N}");
    return flat(ber);
}

static void
phases(void)
{
    struct syncrepl_info i;
    struct berval *bv = phase_value(LDAP_TAG_SYNC_REFRESH_PRESENT, "c", 0);

    is_int(syncrepl_info_read(bv, &i, NULL, NULL), 0, "refreshPresent");
    ok(i.kind == INFO_REFRESH_PRESENT && i.cookie.n == 1 && !i.flag, "with cookie, not done");
    ber_bvfree(bv);
    bv = phase_value(LDAP_TAG_SYNC_REFRESH_DELETE, NULL, 1);
    is_int(syncrepl_info_read(bv, &i, NULL, NULL), 0, "refreshDelete");
    ok(i.kind == INFO_REFRESH_DELETE && i.cookie.n == 0 && i.flag, "done where nothing is said");
    ber_bvfree(bv);
    is_int(syncrepl_info_read(&(struct berval){3, (char *)"\x80\x01x"}, &i, NULL, NULL), 0,
           "newcookie");
    ok(i.kind == INFO_NEW_COOKIE && span_same(i.cookie, span_of("x")), "is read");
    is_int(syncrepl_info_read(&(struct berval){3, (char *)"\x85\x01x"}, &i, NULL, NULL), -1,
           "an info that is none");
    is_int(syncrepl_info_read(&(struct berval){0, (char *)""}, &i, NULL, NULL), -1, "nothing");
}

static void
sets(void)
{
    struct syncrepl_info i;
    struct handed h = {0};
    struct berval *bv = set_value("c", 1, 2);
    /* a set of one UUID, and of one more byte */
    struct berval cut = {23, (char *)"\xa3\x15\x31\x13\x04\x10"
                                     "0123456789abcdef\x04"};
    int count = 0;

    is_int(syncrepl_info_read(bv, &i, take, &h), 0, "a set to delete");
    ok(i.kind == INFO_ID_SET && h.flag == 1 && i.cookie.n == 1, "says so, with cookie");
    is_str(h.text, "0123456789abcdef FEDCBA9876543210 ", "its UUIDs");
    is_int(syncrepl_info_read(bv, &i, give_up, &count), -1, "the taker gives up");
    ber_bvfree(bv);
    memset(&h, 0, sizeof h);
    bv = set_value(NULL, 0, 1);
    ok(syncrepl_info_read(bv, &i, take, &h) == 0 && h.n == 1 && !h.flag, "a set that is present");
    ber_bvfree(bv);
    memset(&h, 0, sizeof h);
    bv = set_value(NULL, 0, 0);
    ok(syncrepl_info_read(bv, &i, take, &h) == 0 && h.n == 0, "an empty set");
    ber_bvfree(bv);
    is_int(syncrepl_info_read(&cut, &i, take, &h), -1, "a set that can't be read to its end");
}

/* --- damage --- */

/* Each prefix, and each byte changed to some values, in memory of just that size. */
static void
damage(const struct berval *whole, int is_state)
{
    static const unsigned char values[] = {0, 1, 4, 0x30, 0x31, 0x7f, 0x80, 0x84, 0xff};
    struct syncrepl_state s;
    struct syncrepl_info i;
    size_t n, at, v;

    for (n = 1; n <= whole->bv_len; n++)
        for (at = 0; at < n; at++)
            for (v = 0; v < sizeof values; v++) {
                struct handed h = {0};
                struct berval bv = {n, malloc(n)};

                memcpy(bv.bv_val, whole->bv_val, n);
                bv.bv_val[at] = (char)values[v];
                if (is_state)
                    read_state(&bv, &s);
                else
                    syncrepl_info_read(&bv, &i, take, &h);
                free(bv.bv_val);
            }
}

int
main(void)
{
    struct berval *bv;

    requests();
    states();
    phases();
    sets();
    damage(bv = state_value(LDAP_SYNC_ADD, 16, "rid=000"), 1);
    ber_bvfree(bv);
    damage(bv = set_value("rid=000", 1, 2), 0);
    ber_bvfree(bv);
    damage(bv = phase_value(LDAP_TAG_SYNC_REFRESH_DELETE, "rid=000", 0), 0);
    ber_bvfree(bv);
    ok(1, "damaged messages are read within their bounds");
    return tap_done();
}
