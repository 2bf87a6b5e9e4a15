/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_fields: the table of what can be said of a person: option and column,
 * attribute, how it is checked and in which form it is stored.
 *
 * Promises: what passes here the directory's schema takes. Must not ask anybody:
 * whether a site or department exists is found out elsewhere.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "attrs.h"
#include "attrs_text.h"
#include "user.h"

#define VALUE_MAX 4096 /* bytes of one value; a field of several may hold more */

/* Write value n bytes at s in its stored form to out (VALUE_MAX). 0, or -1 and error. */
typedef int check_fn(const char *s, size_t n, char *out, char *error, size_t error_n);

static int
check_text(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    if (n > 256) {
        snprintf(error, error_n, "is longer than 256 bytes");
        return -1;
    }
    memcpy(out, s, n);
    out[n] = '\0';
    return 0;
}

static int
check_path(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    if (n >= PLACE_DN_MAX) {
        snprintf(error, error_n, "is too long");
        return -1;
    }
    memcpy(out, s, n);
    out[n] = '\0';
    return 0;
}

static int
check_address(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    struct addr a;

    if (addr_parse(&a, s, n, "") != 1) {
        snprintf(error, error_n, "\"%.*s\" is no mail address", (int)(n < 80 ? n : 80), s);
        return -1;
    }
    strcpy(out, a.text);
    return 0;
}

/* mail is IA5: an address with other letters has its place among the further ones. */
static int
check_primary(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    if (check_address(s, n, out, error, error_n) < 0)
        return -1;
    for (const char *p = out; *p; p++)
        if ((unsigned char)*p >= 0x80) {
            snprintf(error, error_n,
                     "\"%.80s\" has other letters than ASCII before the @: give such an address as "
                     "alias",
                     out);
            return -1;
        }
    return 0;
}

static int
check_site(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    int bad = n > 64;

    for (size_t i = 0; !bad && i < n; i++) {
        bad = !isalnum((unsigned char)s[i]) && !strchr("-_.", s[i]);
        out[i] = (char)tolower((unsigned char)s[i]);
    }
    if (bad) {
        snprintf(error, error_n, "\"%.*s\" is no name of a site", (int)(n < 80 ? n : 80), s);
        return -1;
    }
    out[n] = '\0';
    return 0;
}

/* "5G", "500 MiB", "0", "none": bytes. */
static int
check_quota(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    static const char units[] = "KMGT";
    unsigned long long bytes = 0;
    size_t i = 0;
    const char *unit;
    int bad = n == 0;

    if (n == 4 && strncasecmp(s, "none", 4) == 0) {
        strcpy(out, "0");
        return 0;
    }
    for (; i < n && isdigit((unsigned char)s[i]); i++)
        bad |= (bytes = bytes * 10 + (unsigned)(s[i] - '0')) > 1ULL << 52;
    bad |= i == 0;
    while (i < n && s[i] == ' ')
        i++;
    unit = i < n ? strchr(units, toupper((unsigned char)s[i])) : NULL;
    if (unit && *unit) {
        bytes <<= 10 * (unit - units + 1);
        i += n - i >= 3 && s[i + 1] == 'i' ? 3 : n - i == 2 ? 2 : 1;
    }
    if (bad || i != n || bytes > 1ULL << 60) {
        snprintf(error, error_n, "\"%.*s\" is no size: 5G, 500M, bytes, or none",
                 (int)(n < 80 ? n : 80), s);
        return -1;
    }
    sprintf(out, "%llu", bytes);
    return 0;
}

/* One of the words, lower case. */
static int
check_word(const char *words, const char *s, size_t n, char *out, char *error, size_t error_n)
{
    const char *p = words;

    while (*p && n > 0) {
        size_t len = strcspn(p, " ");

        if (len == n && strncasecmp(p, s, n) == 0) {
            memcpy(out, p, n);
            out[n] = '\0';
            return 0;
        }
        p += len + strspn(p + len, " ");
    }
    snprintf(error, error_n, "\"%.*s\" is none of: %s", (int)(n < 80 ? n : 80), s, words);
    return -1;
}

static int
check_state(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    return check_word("active suspended disabled", s, n, out, error, error_n);
}

static int
check_deny(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    return check_word(attrs_deny_words, s, n, out, error, error_n);
}

/* Telephone numbers: printable string (RFC 4517 3.3.29). */
static int
check_phone(const char *s, size_t n, char *out, char *error, size_t error_n)
{
    int bad = n > 64;

    for (size_t i = 0; !bad && i < n; i++)
        bad = !isalnum((unsigned char)s[i]) && !strchr("'()+,-./:? ", s[i]);
    if (!bad)
        return check_text(s, n, out, error, error_n);
    snprintf(error, error_n, "\"%.*s\" is no telephone number", (int)(n < 80 ? n : 80), s);
    return -1;
}

static const struct field {
    const char *name, *attr;
    int many; /* 1: several; blanks and commas part them in a CSV field */
    check_fn *check;
} fields[USER_FIELDS] = {
    [USER_ADDRESS] = {"address", "mail", 0, check_primary},
    [USER_NAME] = {"name", "displayName", 0, check_text},
    [USER_GIVEN] = {"given", "givenName", 0, check_text},
    [USER_SURNAME] = {"surname", "sn", 0, check_text},
    [USER_DEPARTMENT] = {"department", NULL, 0, check_path},
    [USER_ALIAS] = {"alias", "postroadAlias", 1, check_address},
    [USER_SITE] = {"site", "postroadHomeSite", 0, check_site},
    [USER_STANDBY] = {"standby", "postroadStandbySite", 0, check_site},
    [USER_QUOTA] = {"quota", "postroadQuota", 0, check_quota},
    [USER_STATE] = {"state", "postroadState", 0, check_state},
    [USER_DENY] = {"deny", "postroadDeny", 1, check_deny},
    [USER_FORWARD] = {"forward", "postroadForward", 1, check_address},
    [USER_DELEGATE] = {"delegate", "postroadDelegate", 1, check_address},
    [USER_TITLE] = {"title", "title", 0, check_text},
    [USER_PHONE] = {"phone", "telephoneNumber", 0, check_phone},
    [USER_MOBILE] = {"mobile", "mobile", 0, check_phone},
    [USER_UID] = {"uid", "uid", 0, check_text},
};

const char *const user_attrs[] = {"objectClass",
                                  "uid",
                                  "cn",
                                  "sn",
                                  "givenName",
                                  "displayName",
                                  "title",
                                  "telephoneNumber",
                                  "mobile",
                                  "mail",
                                  "postroadAlias",
                                  "postroadForward",
                                  "postroadHomeSite",
                                  "postroadStandbySite",
                                  "postroadState",
                                  "postroadDeny",
                                  "postroadQuota",
                                  "postroadLimit",
                                  "postroadDelegate",
                                  "postroadRole",
                                  "postroadScope",
                                  "postroadRight",
                                  NULL};

const char *
user_field_name(enum user_field f)
{
    return fields[f].name;
}

const char *
user_field_attr(enum user_field f)
{
    return fields[f].attr;
}

int
user_field_many(enum user_field f)
{
    return fields[f].many;
}

int
user_field_find(const char *name, size_t n)
{
    for (int f = 0; f < USER_FIELDS; f++)
        if (strlen(fields[f].name) == n && strncasecmp(fields[f].name, name, n) == 0)
            return f;
    return -1;
}

void
user_clear(struct user *u)
{
    for (int f = 0; f < USER_FIELDS; f++) {
        free(u->value[f]);
        u->value[f] = NULL;
    }
}

/* Valid UTF-8 without control bytes; what is stored will be shown in terminals and headers. */
static int
is_clean(const char *s, size_t n)
{
    struct span text = {s, n};

    return text_clean(text);
}

/* Add one value to a field of several, unless it is there already. 0, or -1: no memory. */
static int
append(char **list, const char *value)
{
    size_t have = *list ? strlen(*list) : 0, n = strlen(value);
    char *p;

    for (const char *at = *list; at && *at; at = strchr(at, '\n') + 1)
        if (strncmp(at, value, n) == 0 && at[n] == '\n')
            return 0;
    p = realloc(*list, have + n + 2);
    if (!p)
        return -1;
    memcpy(p + have, value, n);
    memcpy(p + have + n, "\n", 2);
    *list = p;
    return 0;
}

int
user_set(struct user *u, enum user_field f, const char *text, size_t n, char *error, size_t error_n)
{
    char value[VALUE_MAX + 1], why[512];

    while (n > 0 && (*text == ' ' || *text == '\t'))
        text++, n--;
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    value[0] = '\0';
    why[0] = '\0';
    if (!is_clean(text, n))
        snprintf(why, sizeof why, "has bytes that are no UTF-8 text, or control characters");
    else if (n > 0)
        fields[f].check(text, n, value, why, sizeof why);
    if (*why) {
        snprintf(error, error_n, "%s: %s", fields[f].name, why);
        return -1;
    }
    if (fields[f].many && *value) {
        if (append(&u->value[f], value) == 0)
            return 0;
    } else {
        free(u->value[f]);
        u->value[f] = strdup(value);
        if (u->value[f])
            return 0;
    }
    snprintf(error, error_n, "no memory");
    return -1;
}

int
user_next(const struct user *u, enum user_field f, const char **at, char *out, size_t cap)
{
    const char *start = *at ? *at : u->value[f], *end;

    if (!start || !*start)
        return 0;
    end = fields[f].many ? strchr(start, '\n') : start + strlen(start);
    if (!end || (size_t)(end - start) >= cap)
        return 0;
    memcpy(out, start, (size_t)(end - start));
    out[end - start] = '\0';
    *at = end + (*end == '\n');
    return 1;
}

int
user_from_options(struct user *u, const struct ctl *ctl)
{
    char error[640];
    const char *value;

    for (int f = 0; f < USER_FIELDS; f++) {
        size_t at = 0;

        if (f == USER_ADDRESS)
            continue;
        while ((value = ctl_next_value(ctl, fields[f].name, &at)))
            if (user_set(u, (enum user_field)f, value, strlen(value), error, sizeof error) < 0)
                return ctl_usage("--%s", error);
    }
    return CTL_DONE;
}

size_t
user_addresses(const struct user *u, char *text, size_t cap, const char **list, size_t max)
{
    static const enum user_field with[] = {USER_ADDRESS, USER_ALIAS};
    size_t n = 0;

    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
        const char *at = NULL;

        while (n < max && cap > ADDR_MAX && user_next(u, with[i], &at, text, cap)) {
            size_t len = strlen(text) + 1;

            list[n++] = text;
            text += len;
            cap -= len;
        }
    }
    return n;
}
