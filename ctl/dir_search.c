/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_search: entries as they are found, one at a time and page by page (RFC
 * 2696), so that a server's limit on one answer is no limit on a listing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include "dir_private.h"

#define PAGE 500

/* --- one entry, in one block of memory --- */

/* Bytes all values take, and how many there are. */
static size_t
measure(LDAP *ld, LDAPMessage *msg, size_t *attrs_r, size_t *values_r)
{
    BerElement *ber = NULL;
    size_t bytes = 0;
    struct berval dn, name, *v = NULL;

    *attrs_r = *values_r = 0;
    if (ldap_get_dn_ber(ld, msg, &ber, &dn) != LDAP_SUCCESS)
        return 0;
    bytes += dn.bv_len + 1;
    while (ldap_get_attribute_ber(ld, msg, ber, &name, &v) == LDAP_SUCCESS && name.bv_val) {
        bytes += name.bv_len + 1;
        ++*attrs_r;
        for (size_t i = 0; v && v[i].bv_val; i++, ++*values_r)
            bytes += v[i].bv_len + 1;
        ber_memfree(v);
        v = NULL;
    }
    ber_free(ber, 0);
    return bytes;
}

static char *
copy(char **to, const struct berval *b)
{
    char *start = *to;

    memcpy(start, b->bv_val, b->bv_len);
    start[b->bv_len] = '\0';
    *to += b->bv_len + 1;
    return start;
}

static void
fill(LDAP *ld, LDAPMessage *msg, struct dir_entry *e, struct dir_attr *a, struct span *s,
     char *text)
{
    BerElement *ber = NULL;
    struct berval dn, name, *v = NULL;

    if (ldap_get_dn_ber(ld, msg, &ber, &dn) != LDAP_SUCCESS)
        return;
    e->dn = copy(&text, &dn);
    while (ldap_get_attribute_ber(ld, msg, ber, &name, &v) == LDAP_SUCCESS && name.bv_val) {
        a->name = copy(&text, &name);
        a->v = s;
        for (a->n = 0; v && v[a->n].bv_val; a->n++, s++) {
            s->p = copy(&text, &v[a->n]);
            s->n = v[a->n].bv_len;
        }
        ber_memfree(v);
        v = NULL;
        a++;
        e->n++;
    }
    ber_free(ber, 0);
}

static struct dir_entry *
entry_of(LDAP *ld, LDAPMessage *msg)
{
    size_t attrs, values, bytes = measure(ld, msg, &attrs, &values);
    struct dir_entry *e;
    struct dir_attr *a;
    struct span *s;

    e = bytes ? calloc(1, sizeof *e + attrs * sizeof *a + values * sizeof *s + bytes) : NULL;
    if (!e)
        return NULL;
    a = (struct dir_attr *)(e + 1);
    s = (struct span *)(a + attrs);
    e->attrs = a;
    fill(ld, msg, e, a, s, (char *)(s + values));
    return e;
}

void
dir_entry_free(struct dir_entry **e)
{
    free(*e);
    *e = NULL;
}

const struct dir_attr *
dir_attr(const struct dir_entry *e, const char *name)
{
    for (size_t i = 0; i < e->n; i++)
        if (strcasecmp(e->attrs[i].name, name) == 0)
            return &e->attrs[i];
    return NULL;
}

const char *
dir_value(const struct dir_entry *e, const char *name)
{
    const struct dir_attr *a = dir_attr(e, name);

    return a && a->n > 0 ? a->v[0].p : "";
}

int
dir_has(const struct dir_entry *e, const char *name, const char *word)
{
    const struct dir_attr *a = dir_attr(e, name);

    for (size_t i = 0; a && i < a->n; i++)
        if (strcasecmp(a->v[i].p, word) == 0)
            return 1;
    return 0;
}

/* --- the search --- */

/* What dir_find keeps. */
struct one {
    struct dir_entry *entry;
    int n;
};

struct search {
    struct dir *d;
    const char *base, *filter;
    const char *const *attrs;
    int scope;
    dir_entry_fn *fn;
    void *ctx;
    struct berval cookie; /* of the next page; bv_len 0: there is none */
};

/* Take the cookie out of the answer. The result code. */
static int
page_end(struct search *s, LDAPMessage *msg)
{
    LDAPControl **controls = NULL, *page;
    ber_int_t estimate;
    int code;

    ber_memfree(s->cookie.bv_val);
    memset(&s->cookie, 0, sizeof s->cookie);
    if (ldap_parse_result(s->d->ld, msg, &code, NULL, NULL, NULL, &controls, 0) != LDAP_SUCCESS)
        return LDAP_DECODING_ERROR;
    page = controls ? ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL) : NULL;
    if (code == LDAP_SUCCESS && page &&
        ldap_parse_pageresponse_control(s->d->ld, page, &estimate, &s->cookie) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    ldap_controls_free(controls);
    return code;
}

/* One message. -1: go on, else the code the page ended with; *stop_r when fn had enough. */
static int
take(struct search *s, LDAPMessage *msg, int *stop_r)
{
    struct dir_entry *e;

    if (ldap_msgtype(msg) == LDAP_RES_SEARCH_RESULT)
        return page_end(s, msg);
    if (ldap_msgtype(msg) != LDAP_RES_SEARCH_ENTRY)
        return -1; /* a reference to another server: not ours */
    if (!(e = entry_of(s->d->ld, msg)))
        return LDAP_NO_MEMORY;
    if (!s->fn) { /* dir_find: the first is kept, a second one ends it */
        struct one *one = s->ctx;

        *stop_r = one->n++ > 0;
        if (!one->entry) {
            one->entry = e;
            e = NULL;
        }
    } else {
        *stop_r = s->fn(s->ctx, e) != 0;
    }
    dir_entry_free(&e);
    return *stop_r ? LDAP_SUCCESS : -1;
}

static int
page_entries(struct search *s, int id, int *stop_r)
{
    struct timeval limit = {s->d->timeout, 0};
    LDAPMessage *msg;
    int rc, code = -1;

    while (code == -1) {
        msg = NULL;
        rc = ldap_result(s->d->ld, id, LDAP_MSG_ONE, &limit, &msg);
        if (rc > 0) {
            code = take(s, msg, stop_r);
        } else if (rc == 0) {
            code = LDAP_TIMEOUT;
        } else {
            ldap_get_option(s->d->ld, LDAP_OPT_RESULT_CODE, &code);
            code = code > 0 ? code : LDAP_SERVER_DOWN;
        }
        ldap_msgfree(msg);
    }
    if (rc == 0 || *stop_r || code == LDAP_NO_MEMORY)
        ldap_abandon_ext(s->d->ld, id, NULL, NULL);
    return code;
}

/* One page, or all of it when the base alone is asked for. */
static int
search_page(struct search *s, int *stop_r)
{
    LDAPControl *page = NULL, *controls[2] = {NULL, NULL};
    int id, rc = LDAP_SUCCESS;

    if (s->scope != LDAP_SCOPE_BASE)
        rc = ldap_create_page_control(s->d->ld, PAGE, s->cookie.bv_len ? &s->cookie : NULL, 0,
                                      &page);
    controls[0] = page;
    if (rc == LDAP_SUCCESS)
        rc = ldap_search_ext(s->d->ld, s->base, s->scope, s->filter, (char **)(void *)s->attrs, 0,
                             controls, NULL, NULL, 0, &id);
    ldap_control_free(page);
    return rc == LDAP_SUCCESS ? page_entries(s, id, stop_r) : rc;
}

int
dir_search(struct dir *d, const char *base, enum dir_scope scope, const char *filter,
           const char *const attrs[], dir_entry_fn *fn, void *ctx)
{
    static const int scopes[] = {[DIR_BASE] = LDAP_SCOPE_BASE,
                                 [DIR_ONE] = LDAP_SCOPE_ONELEVEL,
                                 [DIR_SUB] = LDAP_SCOPE_SUBTREE};
    struct search s = {d, base, filter, attrs, scopes[scope], fn, ctx, {0, NULL}};
    int code, stop = 0;

    do
        code = search_page(&s, &stop);
    while (code == LDAP_SUCCESS && s.cookie.bv_len > 0 && !stop);
    ber_memfree(s.cookie.bv_val);
    return dir_result(d, code, "search", base);
}

int
dir_find(struct dir *d, const char *base, enum dir_scope scope, const char *filter,
         const char *const attrs[], struct dir_entry **entry_r)
{
    struct one one = {NULL, 0};
    int code = dir_search(d, base, scope, filter, attrs, NULL, &one);

    *entry_r = NULL;
    if (code == CTL_DONE && one.n == 0)
        code = dir_result(d, LDAP_NO_SUCH_OBJECT, "find", base);
    if (code == CTL_DONE && one.n > 1) {
        snprintf(d->error, sizeof d->error, "more than one entry matches %s below %s", filter,
                 base);
        code = CTL_NO;
    }
    if (code == CTL_DONE)
        *entry_r = one.entry;
    else
        free(one.entry);
    return code;
}

int
dir_filter_escape(const char *value, char *out, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        int special = strchr("*()\\", *p) || *p < 0x20 || *p >= 0x7f;

        if (n + (special ? 3 : 1) >= cap)
            return -1;
        if (special) {
            out[n++] = '\\';
            out[n++] = hex[*p >> 4];
            out[n++] = hex[*p & 15];
        } else {
            out[n++] = (char)*p;
        }
    }
    out[n] = '\0';
    return 0;
}
