/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap-config: what slapd is told for Postroad, made of access.in with this
 * organisation's names: as lines for slapd.conf, as LDIF, or straight at a server.
 *
 * Promises: a server is changed only after --yes, and only after what would undo
 * the change was written to a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "ldap_config.h"
#include "text.h"

#define PARTS_DEFAULT "limits services held access index-base index syncprov refint"

/* --- names --- */

/*
 * As slapd normalises what can stand here: lower case, no blanks around the RDNs. What would mean
 * something in a set, a pattern or between quotes is refused.
 */
static int
normalise(const char *dn, char *out, size_t cap)
{
    size_t n = 0;

    for (const char *p = dn; *p; p++) {
        int edge = n == 0 || out[n - 1] == ',' || out[n - 1] == '=';

        if (strchr("\"\\[]{}()$*?^|+<>;#&!@", *p) || (unsigned char)*p < ' ' || n + 2 > cap)
            return -1;
        if (*p == ' ' && (edge || p[1] == ' ' || p[1] == ',' || p[1] == '=' || !p[1]))
            continue;
        out[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    }
    out[n] = '\0';
    return strchr(out, '=') ? 0 : -1;
}

/* The option's DN, or preset below the base. */
static int
name(struct ldap_request *r, const char *option, const char *preset, char *out, size_t cap)
{
    const char *given = ctl_value(r->ctl, option);
    char text[2 * sizeof r->base];

    if (!given)
        snprintf(text, sizeof text, "%s%s%s", preset, *preset ? "," : "", r->base);
    if (normalise(given ? given : text, out, cap) < 0)
        return ctl_usage("--%s: \"%s\" can't stand in an access rule: name an entry by letters, "
                         "digits and blanks",
                         option, given ? given : text);
    return CTL_DONE;
}

/* ID=URI */
static int
add_peer(struct ldap_request *r, const char *text)
{
    struct ldap_names *n = &r->names;
    const char *eq = strchr(text, '='), *host = eq ? strstr(eq, "://") : NULL;
    int id = atoi(text);
    size_t used = 0;

    if (id < 1 || id > 999 || !host || n->npeers == LDAP_PEERS_MAX)
        return ctl_usage("--peer is given as ID=URI, at most %d times: 2=ldap://ldap.b.example",
                         LDAP_PEERS_MAX);
    snprintf(n->peers[n->npeers].rid, sizeof n->peers[0].rid, "%03d", id);
    n->peers[n->npeers].uri = eq + 1;
    for (host += 3; *host && *host != ':' && *host != '/'; host++) {
        char *out = n->peers[n->npeers].host_re + used;

        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *host) ||
            used + 4 > sizeof n->peers[0].host_re)
            return ctl_usage("--peer %s: no host name", text);
        used += (size_t)sprintf(out, *host == '.' ? "[%c]" : "%c", *host);
    }
    n->npeers++;
    return used ? CTL_DONE : ctl_usage("--peer %s: no host name", text);
}

static int
read_peers(struct ldap_request *r)
{
    const char *text, *id = ctl_value(r->ctl, "server-id"), *tls = ctl_value(r->ctl, "tls-dir");
    size_t at = 0;
    int code = CTL_DONE;

    r->names.server_id = id ? id : "";
    r->names.tls = tls ? tls : "/etc/ldap/tls";
    if (id && (strspn(id, "0123456789") != strlen(id) || atoi(id) < 1 || atoi(id) > 4095))
        return ctl_usage("--server-id is a number from 1 to 4095, another one at each site");
    if (strpbrk(r->names.tls, "\"\\ \t\n"))
        return ctl_usage("--tls-dir: no blanks and quotes");
    while (code == CTL_DONE && (text = ctl_next_value(r->ctl, "peer", &at)))
        code = add_peer(r, text);
    return code;
}

static int
read_names(struct ldap_request *r)
{
    const char *base = ctl_value(r->ctl, "base");
    const struct conf *conf = r->ctl->conf;
    int code;

    if (!base)
        base = *conf->admin.base ? conf->admin.base : conf->directory.base;
    if (!*base)
        return ctl_usage("below which entry? Give --base");
    if (normalise(base, r->base, sizeof r->base) < 0)
        return ctl_usage("--base: \"%s\" can't stand in an access rule", base);
    r->names.base = r->base;
    r->names.domains = r->domains;
    r->names.gate = r->gate;
    r->names.services = r->services;
    r->names.sites = r->sites;
    if ((code = name(r, "domains", "ou=domains", r->domains, sizeof r->domains)) != CTL_DONE ||
        (code = name(r, "gate", "cn=admins,cn=roles", r->gate, sizeof r->gate)) != CTL_DONE ||
        (code = name(r, "services", "cn=services", r->services, sizeof r->services)) != CTL_DONE ||
        (code = name(r, "sites", "cn=sites", r->sites, sizeof r->sites)) != CTL_DONE)
        return code;
    return read_peers(r);
}

/* --- parts --- */

/* Which parts: --part, more than once or with commas between, or the usual ones. */
static int
read_parts(struct ldap_request *r)
{
    const char *text;
    size_t at = 0, n = 1;

    strcpy(r->parts, " ");
    while ((text = ctl_next_value(r->ctl, "part", &at)))
        n += (size_t)snprintf(r->parts + n, n < sizeof r->parts ? sizeof r->parts - n : 0, "%s ",
                              text);
    if (n == 1)
        n += (size_t)snprintf(r->parts + n, sizeof r->parts - n, "%s %s", PARTS_DEFAULT,
                              r->names.npeers ? "tls replication " : "");
    if (n >= sizeof r->parts)
        return ctl_usage("--part: too many");
    for (char *p = r->parts; (p = strchr(p, ','));)
        *p = ' ';
    for (const char *p = r->parts + 1; *p; p += strcspn(p, " "), p += *p == ' ') {
        char part[24];

        snprintf(part, sizeof part, "%.*s", (int)strcspn(p, " "), p);
        if (!ldap_template_has(&r->t, part))
            return ctl_usage(
                "--part %s: there is none; there are limits, services, held, access, "
                "index-base, index, modules, syncprov, refint, unique, authz, tls, replication",
                part);
    }
    if ((strstr(r->parts, " tls ") || strstr(r->parts, " replication ")) &&
        (!*r->names.server_id || !r->names.npeers))
        return ctl_usage("replication needs --server-id, and --peer for each other site");
    return CTL_DONE;
}

static int
request_read(struct ctl *ctl, struct ldap_request *r)
{
    const char *file = ctl_value(ctl, "template");
    char error[512];
    int code;

    memset(r, 0, sizeof *r);
    r->ctl = ctl;
    if (ctl->argc != 0)
        return ctl_usage("ldap-config takes no further argument");
    if ((code = read_names(r)) != CTL_DONE)
        return code;
    if (ldap_template_read(file ? file : POSTROAD_DATADIR "/postroad/schema/access.in", &r->names,
                           &r->t, error, sizeof error) < 0)
        return ctl_fail(ctl, CTL_USAGE, "%s", error);
    code = read_parts(r);
    if (code == CTL_DONE && olc_from(&r->t, r->parts, &r->values, error, sizeof error) < 0)
        code = ctl_fail(ctl, CTL_USAGE, "%s", error);
    if (code != CTL_DONE)
        ldap_template_free(&r->t);
    return code;
}

static void
request_free(struct ldap_request *r)
{
    olc_free(&r->values);
    ldap_template_free(&r->t);
}

/* --- print --- */

static void
print_conf(const struct ldap_request *r, FILE *out)
{
    int was_comment = 1;

    for (size_t i = 0; i < r->t.n; i++) {
        const struct ldap_line *line = &r->t.lines[i];

        if (!olc_part_wanted(r->parts, line->part))
            continue;
        fprintf(out, "%s%s\n", line->comment && !was_comment ? "\n" : "", line->text);
        was_comment = line->comment;
    }
}

/* The comments right above a directive. */
static void
print_comments(const struct ldap_request *r, const struct olc_value *v, FILE *out)
{
    const struct ldap_line *first = v->line;

    while (first > r->t.lines && first[-1].comment)
        first--;
    for (; first < v->line; first++)
        fprintf(out, "%s\n", first->text);
}

static void
print_attribute(const struct ldap_request *r, size_t first, FILE *out)
{
    const struct olc_value *v = &r->values.v[first];
    size_t n = 0;

    fprintf(out, "%s: %s\n", v->style == OLC_ONE ? "replace" : "add", v->attr);
    for (size_t i = first; i < r->values.n; i++) {
        char *numbered = NULL;

        if (!r->values.v[i].attr || strcmp(r->values.v[i].attr, v->attr) != 0)
            continue;
        print_comments(r, &r->values.v[i], out);
        if (v->style != OLC_RULES)
            olc_put(out, v->attr, r->values.v[i].text);
        else if (asprintf(&numbered, "{%zu}%s", n++, r->values.v[i].text) >= 0)
            olc_put(out, v->attr, numbered);
        free(numbered);
    }
    fputs("-\n", out);
}

static void
print_modify(const struct ldap_request *r, enum olc_where where, const char *dn, FILE *out)
{
    int n = 0;

    for (size_t i = 0; i < r->values.n; i++) {
        const struct olc_value *v = &r->values.v[i];
        int seen = 0;

        for (size_t j = 0; j < i && v->attr; j++)
            seen |= r->values.v[j].attr && strcmp(r->values.v[j].attr, v->attr) == 0;
        if (v->where != where || seen)
            continue;
        if (n++ == 0) {
            olc_put(out, "dn", dn);
            fputs("changetype: modify\n", out);
        }
        print_attribute(r, i, out);
    }
    if (n)
        fputc('\n', out);
}

static void
print_overlays(const struct ldap_request *r, const char *database, FILE *out)
{
    for (size_t i = 0; i < r->values.n; i++) {
        const struct olc_value *v = &r->values.v[i];

        if (v->where != OLC_OVERLAY)
            continue;
        if (!v->attr) {
            print_comments(r, v, out);
            fprintf(out, "dn: olcOverlay=%s,%s\nchangetype: add\nobjectClass: %s\n", v->text,
                    database, olc_overlay_class(v->text));
        }
        olc_put(out, v->attr ? v->attr : "olcOverlay", v->text);
        if (i + 1 == r->values.n || r->values.v[i + 1].where != OLC_OVERLAY ||
            !r->values.v[i + 1].attr)
            fputc('\n', out);
    }
}

static void
print_ldif(const struct ldap_request *r, FILE *out)
{
    const char *database = ctl_value(r->ctl, "database");

    if (!database)
        database = "olcDatabase={1}mdb,cn=config";
    print_modify(r, OLC_MODULE, "cn=module{0},cn=config", out);
    print_overlays(r, database, out);
    print_modify(r, OLC_DATABASE, database, out);
    print_modify(r, OLC_GLOBAL, "cn=config", out);
    print_modify(r, OLC_REPLICATION, database, out);
}

/* What goes to out is printed, or with --json becomes a member of one object. */
static int
show(const struct ctl *ctl, const char *member, char *text, json_t *more)
{
    if (ctl->json) {
        json_t *o = json_pack("{s:b}", "ok", 1);

        json_object_set_new(o, member, json_string(text ? text : ""));
        if (more)
            json_object_update(o, more);
        ctl_print_json(o);
    } else if (text) {
        fputs(text, stdout);
    }
    json_decref(more);
    return CTL_DONE;
}

int
verb_ldap_print(struct ctl *ctl)
{
    const char *format = ctl_value(ctl, "format");
    struct ldap_request r;
    char *text = NULL;
    size_t n;
    FILE *out;
    int code;

    if (format && strcmp(format, "conf") != 0 && strcmp(format, "ldif") != 0)
        return ctl_usage("--format is conf or ldif");
    if ((code = request_read(ctl, &r)) != CTL_DONE)
        return code;
    out = open_memstream(&text, &n);
    if (out && format && strcmp(format, "ldif") == 0)
        print_ldif(&r, out);
    else if (out)
        print_conf(&r, out);
    if (!out || fclose(out) != 0)
        code = ctl_fail(ctl, CTL_TEMPORARY, "no memory");
    else
        show(ctl, "text", text, NULL);
    free(text);
    request_free(&r);
    return code;
}

/* --- diff and apply --- */

static char *
joined(const struct ldap_change *first, int undo)
{
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);

    if (!out)
        return NULL;
    if (!undo)
        for (const struct ldap_change *c = first; c; c = c->next)
            fprintf(out, "%s\n", c->ldif);
    else if (first) {
        /* Backwards: what was done last is undone first. */
        char *rest = joined(first->next, 1);

        fprintf(out, "%s%s%s", rest ? rest : "", first->undo, *first->undo ? "\n" : "");
        free(rest);
    }
    fclose(out);
    return text;
}

/* Write what undoes it to a new file, which is ours alone. */
static int
write_undo(const struct ctl *ctl, const struct ldap_change *first, char path[1024])
{
    const char *given = ctl_value(ctl, "backup");
    time_t now = time(NULL);
    char stamp[32];
    char *text = joined(first, 1);
    FILE *f;
    int fd, failed;

    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime(&now));
    if (given)
        snprintf(path, 1024, "%s", given);
    else
        snprintf(path, 1024, "%s/ldap-config-undo-%s.ldif", ctl->conf->state_dir, stamp);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    f = fd < 0 ? NULL : fdopen(fd, "w");
    failed = !f || !text ||
             fprintf(f,
                     "# What `postroad ldap-config apply` replaced. To go back:\n"
                     "# ldapmodify -Q -Y EXTERNAL -H ldapi:/// -f %s\n\n%s",
                     path, text) < 0 ||
             fflush(f) != 0 || fsync(fd) != 0;
    failed = (f ? fclose(f) : fd >= 0 ? close(fd) : 0) != 0 || failed;
    free(text);
    return failed
               ? ctl_fail(ctl, CTL_TEMPORARY, "%s: %s; nothing was changed", path, strerror(errno))
               : CTL_DONE;
}

static int
apply_one(struct dir *d, struct ldap_change *c)
{
    return c->adds ? dir_add(d, c->dn, c->change) : dir_modify(d, c->dn, c->change);
}

static int
apply_all(const struct ctl *ctl, struct dir *d, struct ldap_change *first)
{
    char path[1024];
    int code = write_undo(ctl, first, path), n = 0;

    if (code != CTL_DONE)
        return code;
    for (struct ldap_change *c = first; c; c = c->next, n++)
        if ((code = apply_one(d, c)) != CTL_DONE)
            return ctl_fail(ctl, code,
                            "%s\n%d entries of cn=config were changed before that; once the cause "
                            "is mended, apply again does the rest; %s takes back what was done",
                            dir_error(d), n, path);
    if (ctl->json)
        return show(ctl, "undo", path, json_pack("{s:i}", "changed", n));
    printf("%d entries of cn=config changed; to go back: ldapmodify … -f %s\n", n, path);
    return CTL_DONE;
}

static int
report(const struct ctl *ctl, const struct ldap_change *first, int applies)
{
    char *text = joined(first, 0);
    int changes = 0;

    for (const struct ldap_change *c = first; c; c = c->next)
        changes++;
    show(ctl, "ldif", text, json_pack("{s:i}", "changes", changes));
    free(text);
    if (!ctl->json && applies && changes)
        fputs("postroad: nothing was changed; with --yes this is\n", stderr);
    else if (!ctl->json && !changes)
        fputs("postroad: all is as it should be\n", stderr);
    return changes ? CTL_NO : CTL_DONE;
}

int
ldap_config_missing(struct ctl *ctl, struct dir *d, int *n_r)
{
    struct ldap_change *first = NULL;
    struct ldap_request r;
    int code = request_read(ctl, &r);

    *n_r = 0;
    if (code != CTL_DONE)
        return code;
    code = ldap_diff(d, &r, &first);
    if (code == CTL_DONE && first)
        code = ldap_schema_check(d, &r);
    for (const struct ldap_change *c = first; c; c = c->next)
        ++*n_r;
    ldap_change_free(&first);
    request_free(&r);
    return code;
}

static int
live(struct ctl *ctl, int applies)
{
    struct ldap_change *first = NULL;
    struct ldap_request r;
    struct dir *d;
    int code = request_read(ctl, &r);

    if (code != CTL_DONE)
        return code;
    if ((code = dir_open(ctl, &d)) == CTL_DONE) {
        code = ldap_diff(d, &r, &first);
        if (code == CTL_DONE && first)
            code = ldap_schema_check(d, &r);
        if (code == CTL_DONE && applies && first && ctl_value(ctl, "yes"))
            code = apply_all(ctl, d, first);
        else if (code == CTL_DONE)
            code = report(ctl, first, applies);
        ldap_change_free(&first);
        dir_close(&d);
    }
    request_free(&r);
    return code;
}

int
verb_ldap_diff(struct ctl *ctl)
{
    return live(ctl, 0);
}

int
verb_ldap_apply(struct ctl *ctl)
{
    return live(ctl, 1);
}
