/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org, values: options of the command line turned into what is written to the
 * directory, and refused where it would make no sense there: a site that isn't
 * one, a state nobody knows, an address in two spellings.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "account.h"
#include "addr.h"
#include "limit.h"
#include "org.h"

int
org_canon_address(struct org *o, const char *text, int ascii, char *out)
{
    struct addr a;

    if (addr_parse(&a, text, strlen(text), "") != 1)
        return ctl_usage("\"%s\" is no mail address", text);
    for (const char *p = a.text; ascii && *p; p++)
        if ((unsigned char)*p >= 0x80)
            return ctl_fail(o->ctl, CTL_USAGE,
                            "\"%s\": a primary address is ASCII; give this one as an alias", text);
    snprintf(out, ADDR_MAX + 1, "%s", a.text);
    return CTL_DONE;
}

int
org_canon_domain(struct org *o, const char *text, char *out)
{
    if (addr_domain_canon(text, strlen(text), out) < 0 || strchr(out, '[') || !strchr(out, '.'))
        return ctl_fail(o->ctl, CTL_USAGE, "\"%s\" is no domain name", text);
    return CTL_DONE;
}

/* --- checks for one option's value: out gets what is to be written --- */

int
org_check_address(struct org *o, const char *value, char *out, size_t cap)
{
    char canon[ADDR_MAX + 1];
    int code = org_canon_address(o, value, 0, canon);

    if (code == CTL_DONE)
        snprintf(out, cap, "%s", canon);
    return code;
}

int
org_check_domain(struct org *o, const char *value, char *out, size_t cap)
{
    char canon[ADDR_DOMAIN_MAX + 1];
    int code = org_canon_domain(o, value, canon);

    if (code == CTL_DONE)
        snprintf(out, cap, "%s", canon);
    return code;
}

int
org_check_site(struct org *o, const char *value, char *out, size_t cap)
{
    static const char *const attrs[] = {"cn", NULL};
    struct dir_entry *e = NULL;
    int code = org_site(o, value, attrs, &e);

    if (code != CTL_DONE)
        return code;
    snprintf(out, cap, "%s", dir_value(e, "cn"));
    dir_entry_free(&e);
    return CTL_DONE;
}

static int
check_state(struct org *o, const char *value, char *out, size_t cap)
{
    (void)o;
    if (record_state_parse(span_of(value)) < 0 || strcasecmp(value, "moving") == 0)
        return ctl_usage("--state takes active, suspended or disabled%s",
                         strcasecmp(value, "moving") == 0 ? "; \"user move-site\" moves mailboxes"
                                                          : "");
    snprintf(out, cap, "%s", value);
    return CTL_DONE;
}

static int
check_deny(struct org *o, const char *value, char *out, size_t cap)
{
    static const char words[] = " imap pop submission send-external receive-external forward share "
                                "create-folder expunge password ";
    char word[64];

    (void)o;
    snprintf(word, sizeof word, " %s ", value);
    if (strlen(value) > 60 || strchr(value, ' ') || !strstr(words, word))
        return ctl_usage("\"%s\" can't be withheld: known are%.*s", value, (int)sizeof words - 2,
                         words);
    snprintf(out, cap, "%s", value);
    return CTL_DONE;
}

/* "10G": bytes, or with K, M, G, T in powers of 1024. */
static int
check_size(struct org *o, const char *value, char *out, size_t cap)
{
    static const char units[] = "KMGT";
    char *end;
    unsigned long long n = strtoull(value, &end, 10);
    const char *unit = *end ? strchr(units, *end & ~0x20) : NULL;
    int shift = unit && *unit ? 10 * (int)(unit - units + 1) : 0;

    (void)o;
    end += shift > 0;
    if (shift && (*end == 'B' || *end == 'b'))
        end++;
    if (*value < '0' || *value > '9' || *end || n > (1ull << 62) >> shift)
        return ctl_usage("--quota takes bytes, or a number with K, M, G or T; 0 is without limit");
    snprintf(out, cap, "%llu", n << shift);
    return CTL_DONE;
}

static int
check_text(struct org *o, const char *value, char *out, size_t cap)
{
    (void)o;
    if (strlen(value) >= cap)
        return ctl_usage("a value of %zu bytes is too long", strlen(value));
    snprintf(out, cap, "%s", value);
    return CTL_DONE;
}

/* --- options --- */

int
org_option(struct org *o, struct dir_change *c, enum dir_op op, const char *option,
           const char *attr, org_check *check)
{
    char out[1024];
    const char *value;
    size_t at = 0;
    int code = CTL_DONE;

    while (code == CTL_DONE && (value = ctl_next_value(o->ctl, option, &at))) {
        if (!*value) {
            dir_change_value(c, op == DIR_ADD ? DIR_REPLACE : op, attr, NULL);
            continue;
        }
        code = (check ? check : check_text)(o, value, out, sizeof out);
        if (code == CTL_DONE)
            dir_change_value(c, op, attr, out);
    }
    return code;
}

/* The last one given counts; when an entry is made, an empty value says nothing. */
static int
setting(struct org *o, struct dir_change *c, const char *option, const char *attr, org_check *check,
        int adding)
{
    const char *value = ctl_value(o->ctl, option);
    char out[1024];
    int code;

    if (!value || (adding && !*value))
        return CTL_DONE;
    if (!*value) {
        dir_change_value(c, DIR_REPLACE, attr, NULL);
        return CTL_DONE;
    }
    code = check(o, value, out, sizeof out);
    if (code == CTL_DONE)
        dir_change_value(c, adding ? DIR_ADD : DIR_REPLACE, attr, out);
    return code;
}

int
org_settings(struct org *o, const struct dir_entry *e, struct dir_change *c)
{
    static const struct {
        const char *option, *attr;
        org_check *check;
    } rows[] = {{"site", "postroadHomeSite", org_check_site},
                {"standby", "postroadStandbySite", org_check_site},
                {"quota", "postroadQuota", check_size},
                {"state", "postroadState", check_state},
                {"description", "description", check_text}};
    int code = CTL_DONE, adding = e == NULL;

    for (size_t i = 0; code == CTL_DONE && i < sizeof rows / sizeof *rows; i++)
        code = setting(o, c, rows[i].option, rows[i].attr, rows[i].check, adding);
    if (code == CTL_DONE)
        code = org_option(o, c, DIR_ADD, "deny", "postroadDeny", check_deny);
    if (code == CTL_DONE && !adding)
        code = org_option(o, c, DIR_DELETE, "allow", "postroadDeny", check_deny);
    return code == CTL_DONE ? limit_options(o->ctl, e, 1, c) : code;
}

int
org_list_settings(struct org *o, struct dir_change *c)
{
    int code = setting(o, c, "state", "postroadState", check_state, 0);

    return code == CTL_DONE ? setting(o, c, "description", "description", check_text, 0) : code;
}
