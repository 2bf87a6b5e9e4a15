/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configurations good and bad. A row of bad ones is the text of a file and the
 * whole error it must give, with %s for the file's name.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "tap.h"

#define LDIF "directory: { ldif = \"/etc/postroad/directory.ldif\"; };\n"
#define BASE "site = \"hebei\";\n" LDIF

static char dir[] = "/tmp/conf_test.XXXXXX", path[64], error[512];

static struct conf *
load(const char *text)
{
    struct conf *conf = NULL;
    FILE *f = fopen(path, "w");

    fputs(text, f);
    fclose(f);
    error[0] = '\0';
    if (conf_load(path, &conf, error, sizeof error) < 0 && conf)
        ok(0, "a configuration in spite of an error");
    return conf;
}

/* The configuration of the manual's first page. */
static void
smallest(void)
{
    struct conf *c = load(
        "site = \"hebei\";                                   # which cn under cn=sites we are\n"
        "state_dir = \"/var/lib/postroad\";\n"
        "local_transport = \"lmtp:unix:private/dovecot-lmtp\";\n"
        "directory: { ldif = \"/etc/postroad/directory.ldif\"; };           # or:\n"
        "# directory: { uri = \"ldapi:///\"; base = \"o=corp\"; };\n"
        "sockets: { map = \"unix:/var/spool/postfix/postroad/map\"; policy = "
        "\"unix:/var/spool/postfix/postroad/policy\";\n"
        "           access = \"unix:/run/postroad/access\"; control = "
        "\"unix:/run/postroad/control\"; http = \"127.0.0.1:8527\"; };\n"
        "answer: { workers = 2; };\n"
        "user = \"postroad\"; group = \"postroad\"; socket_group = \"postfix\";\n");

    if (!ok(c != NULL, "the smallest configuration %s", error))
        return;
    is_str(c->site, "hebei", "site");
    is_str(c->directory.ldif, "/etc/postroad/directory.ldif", "directory.ldif");
    is_str(c->sockets.map, "unix:/var/spool/postfix/postroad/map", "sockets.map");
    is_str(c->wait_transport, "postroad-wait:", "wait_transport by default");
    is_str(c->recipient_delimiter, "+", "recipient_delimiter by default");
    is_str(c->log.level, "info", "log.level by default");
    is_int(c->answer.workers, 2, "answer.workers");
    is_int(c->answer.max_connections, 10000, "answer.max_connections by default");
    is_int(c->log.lookups, 0, "log.lookups by default");
    is_int((long long)c->directory.uri.n, 0, "no directory.uri");
    conf_free(&c);
    ok(c == NULL, "freed");
}

static void
ldap(void)
{
    struct conf *c =
        load("site = \"Shandong\"; recipient_delimiter = \"+-\"; log: { lookups = true; };\n"
             "directory: { uri = [\"ldapi:///\", \"ldap://ldap.b.example\"]; base = \"o=corp\";\n"
             "  bind_dn = \"cn=policyd,o=corp\"; password_file = \"/etc/postroad/secret\";\n"
             "  preset = \"iredmail\"; quota_unit = 1048576;\n"
             "  map: { account: { filter = \"(uid=*)\"; address = (\"mail\", \"mailbox\");\n"
             "                    active = \"TRUE\"; };\n"
             "         list: { member = \"\"; }; }; };\n");

    if (!ok(c != NULL, "a configuration with LDAP %s", error))
        return;
    is_str(c->site, "shandong", "site becomes lower case");
    is_int((long long)c->directory.uri.n, 2, "two servers");
    is_str(c->directory.uri.v[1], "ldap://ldap.b.example", "  the second");
    is_int(c->directory.quota_unit, 1048576, "quota_unit");
    is_str(c->directory.map[CLASS_ACCOUNT].filter, "(uid=*)", "map: filter");
    is_int((long long)c->directory.map[CLASS_ACCOUNT].address.n, 2, "map: a list");
    is_str(c->directory.map[CLASS_ACCOUNT].active.v[0], "TRUE", "map: a string for a list");
    is_int((long long)c->directory.map[CLASS_LIST].member.n, 0, "map: an empty string: none");
    is_int(c->log.lookups, 1, "log.lookups");
    conf_free(&c);
}

static void
bad(const char *text, const char *want)
{
    struct conf *c = load(text);
    char full[600], title[80];

    snprintf(full, sizeof full, want, path);
    snprintf(title, sizeof title, "%.60s", want + 2);
    if (!is_str(error, full, title))
        printf("# for: %s\n", text);
    conf_free(&c);
}

static void
bad_keys(void)
{
    bad(BASE "stat_dir = \"/x\";", "%s:3: stat_dir: no such setting; did you mean \"state_dir\"?");
    bad(BASE "\n\nsokets: { };", "%s:5: sokets: no such setting; did you mean \"sockets\"?");
    bad(BASE "answer: {\n worker = 1; };",
        "%s:4: answer.worker: no such setting; did you mean \"answer.workers\"?");
    bad(BASE "workers = 1;", "%s:3: workers: no such setting; did you mean \"answer.workers\"?");
    bad(BASE "recipient-delimiter = \"-\";",
        "%s:3: recipient-delimiter: no such setting; did you mean \"recipient_delimiter\"?");
    bad(BASE "carrier_pigeons = 3;", "%s:3: carrier_pigeons: no such setting");
    bad("directory: { map: { acount: { }; }; };",
        "%s:1: directory.map.acount: no such setting; did you mean \"directory.map.account\"?");
    bad("directory: { bind_password = \"hunter2\"; };",
        "%s:1: directory.bind_password: no such setting; no secrets in this file: put the password "
        "into a file of its own and name that in directory.password_file");
    bad(LDIF, "%s: site: is not given");
    bad("site = \"a\";", "%s: directory: neither uri nor ldif is given: where is the directory?");
    bad(BASE "site = \"b\";", "%s:3: duplicate setting name");
    bad(BASE "user = ;\n", "%s:3: syntax error");
}

static void
bad_moderation(void)
{
    bad(BASE "milter: {\n moderate = [ \"a: size>1\", \"b: form=x\" ]; };",
        "%s:4: milter.moderate: rule \"b\": \"form=x\" is no condition; did you mean \"from\"?");
    bad(BASE "milter: { moderate = [ \"a: size>1\", \"a: size>2\" ]; };",
        "%s:3: milter.moderate: two rules have the name \"a\"");
    bad(BASE "milter: { moderate = \"expire=3d\"; };",
        "%s:3: milter.moderate: \"expire=3d\" does not begin with a name of letters, digits, - and "
        "_, "
        "and \":\"");
    bad(BASE "milter: { moderate_expire = \"5 days\"; };",
        "%s:3: milter.moderate_expire: \"5 days\" is no time of at most a year, such as 90m, 12h, "
        "5d "
        "or 2w");
    bad(BASE "milter: { moderat = \"a: size>1\"; };",
        "%s:3: milter.moderat: no such setting; did you mean \"milter.moderate\"?");
}

static void
bad_types(void)
{
    bad("site = 7;", "%s:1: site: must be a string in quotes");
    bad("site = { };", "%s:1: site: must be a string in quotes");
    bad("sockets = \"/x\";", "%s:1: sockets: must be a group of settings, { … }");
    bad("sockets = ( { map = \"x\"; } );", "%s:1: sockets: must be a group of settings, { … }");
    bad("answer: { workers = \"2\"; };", "%s:1: answer.workers: must be a whole number");
    bad("answer: { workers = 2.0; };", "%s:1: answer.workers: must be a whole number");
    bad("answer: { workers = true; };", "%s:1: answer.workers: must be a whole number");
    bad("log: { lookups = 1; };", "%s:1: log.lookups: must be true or false");
    bad("directory: { uri = 1; };", "%s:1: directory.uri: must be a string or a list of strings");
    bad("directory: { uri = ( \"ldapi:///\", 1 ); };",
        "%s:1: directory.uri: must be a string or a list of strings");
    bad("directory: { uri = { }; };", "%s:1: directory.uri: must be a string or a list of strings");
    bad("directory: { starttls = true; };", "%s:1: directory.starttls: must be a word in quotes");
}

static void
bad_values(void)
{
    bad("answer: { workers = 0; };", "%s:1: answer.workers: 0 is out of range, 1 to 64");
    bad("answer: { workers = 65; };", "%s:1: answer.workers: 65 is out of range, 1 to 64");
    bad("answer: { workers = -1; };", "%s:1: answer.workers: -1 is out of range, 1 to 64");
    bad("answer: { workers = 4294967297L; };",
        "%s:1: answer.workers: 4294967297 is out of range, 1 to 64");
    bad("log: { level = \"loud\"; };",
        "%s:1: log.level: \"loud\" is none of: error warning notice info debug");
    bad("log: { level = \"\"; };",
        "%s:1: log.level: \"\" is none of: error warning notice info debug");
    bad("log: { to = \"stderr syslog\"; };",
        "%s:1: log.to: \"stderr syslog\" is none of: stderr syslog");
    bad("site = \"\";", "%s:1: site: must not be empty");
    bad("site = \"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg\";",
        "%s:1: site: is longer than 64 bytes");
    bad("user = \"a\\nb\";", "%s:1: user: holds a control character");
    bad("site = \"he bei\";\n" LDIF, "%s:1: site: ' ' can't be part of a site's name");
    bad(BASE "inside_networks = [ \"192.0.2.0/24\", \"192.0.2.1/24\" ];",
        "%s:3: inside_networks: \"192.0.2.1/24\" has bits set behind its length: is the address or "
        "the length meant?");
    bad(BASE "spoof: { gateways = [ \"mx\" ]; };",
        "%s:3: spoof.gateways: \"mx\" is no IP address or network");
    bad(BASE "spoof: { arc_sealers = [ \"a.example\" ]; };",
        "%s:3: spoof.arc_sealers: needs spoof.authserv_id");
    bad(BASE "spoof: { authserv_id = \"mx\"; arc_sealers = [ \"a..example\" ]; };",
        "%s:3: spoof.arc_sealers: \"a..example\" is no domain");
    bad(BASE "spoof: { authserv_id = \"mx one\"; };",
        "%s:3: spoof.authserv_id: can't hold blanks, quotes or any of ;=()");
    bad(BASE "recipient_delimiter = \"+a\";",
        "%s:3: recipient_delimiter: 'a' can't begin an extension");
    bad(BASE "local_transport = \"lmtp\";",
        "%s:3: local_transport: must begin with the name of a transport and \":\"");
    bad(BASE "state_dir = \"var\";",
        "%s:3: state_dir: must be an absolute path, beginning with \"/\"");
    bad("directory: { uri = [ \"a\", \"\" ]; };",
        "%s:1: directory.uri: holds an empty string or a control character");
    bad("directory: { uri = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
        "\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]; };",
        "%s:1: directory.uri: has more than 16 values");
}

static void
bad_sockets(void)
{
    bad(BASE "sockets: { map = \"postroad/map\"; };", "%s:3: sockets.map: must be \"unix:/path\"");
    bad(BASE "sockets: { map = \"inet:127.0.0.1:2\"; };",
        "%s:3: sockets.map: must be \"unix:/path\"");
    bad(BASE "sockets: { map = \"unix:postroad/map\"; };",
        "%s:3: sockets.map: must be an absolute path after \"unix:\"");
    bad(BASE "sockets: { map = \"unix:/run/\"; };",
        "%s:3: sockets.map: must name a socket, not a folder");
    bad(BASE "sockets: { map = \"\"; };", "%s:3: sockets.map: must not be empty");
    bad(BASE
        "sockets: { map = \"unix:/a234567890123456789012345678901234567890123456789012345678901"
        "23456789012345678901234567890123456789012345678\"; };",
        "%s:3: sockets.map: the path is longer than 107 bytes");
    bad(BASE "sockets: { map = \"unix:/x/s\";\n access = \"unix:/x//s\"; };",
        "%s:4: sockets.access: is the same socket as sockets.map");
    bad(BASE "sockets: { control = \"unix:/run/postroad/access\"; };",
        "%s:3: sockets.control: is the same socket as sockets.access");
    bad(BASE "sockets: { http = \"8527\"; };", "%s:3: sockets.http: must be \"address:port\"");
    bad(BASE "sockets: { http = \"127.0.0.1:0\"; };", "%s:3: sockets.http: \"0\" is no port");
    bad(BASE "sockets: { http = \"127.0.0.1:70000\"; };",
        "%s:3: sockets.http: \"70000\" is no port");
    bad(BASE "sockets: { http = \"0.0.0.0:8527\"; };",
        "%s:3: sockets.http: \"0.0.0.0\" is no loopback address (127.0.0.1 or [::1])");
    bad(BASE "sockets: { http = \"127.evil.example:80\"; };",
        "%s:3: sockets.http: \"127.evil.example\" is no loopback address (127.0.0.1 or [::1])");
}

#define D(text) "site = \"a\"; directory: { " text " };"

static void
bad_directory(void)
{
    bad(D("ldif = \"/x\"; providers = \"ldapi:///\";"),
        "%s:1: directory.providers: can't be given together with directory.ldif: the file is the "
        "truth");
    bad(D("uri = \"ldapi:///\"; base = \"o=corp\"; providers = (\"ldapi:///\", \"mx2\");"),
        "%s:1: directory.providers: \"mx2\" does not begin with ldap://, ldaps:// or ldapi://");
    bad(D("ldif = \"/x\"; uri = \"ldapi:///\"; base = \"o=corp\";"),
        "%s:1: directory.ldif: can't be given together with directory.uri: choose one");
    bad(D("ldif = \"x\";"), "%s:1: directory.ldif: must be an absolute path, beginning with \"/\"");
    bad(D("uri = \"ldapi:///\";"), "%s:1: directory.uri: needs directory.base");
    bad(D("uri = \"http://x\"; base = \"o=corp\";"), "%s:1: directory.uri: \"http://x\" does not "
                                                     "begin with ldap://, ldaps:// or ldapi://");
    bad(D("ldif = \"/x\"; bind_dn = \"cn=x\";"),
        "%s:1: directory.bind_dn: needs directory.password_file");
    bad(D("ldif = \"/x\"; password_file = \"/x\";"),
        "%s:1: directory.password_file: needs directory.bind_dn");
    bad(D("ldif = \"/x\"; bind_dn = \"cn=x\"; sasl_mech = \"EXTERNAL\";"),
        "%s:1: directory.sasl_mech: can't be given together with directory.bind_dn: choose one");
    bad(D("ldif = \"/x\"; tls_key_file = \"/k\";"),
        "%s:1: directory.tls_key_file: needs directory.tls_cert_file");
    bad(D("ldif = \"/x\"; map: { list: { filter = \"(&(mail=*)(uid>=x))\"; }; };"),
        "%s:1: directory.map.list.filter: is no filter we can evaluate, from \">=x))\" on");
    bad(D("ldif = \"/x\"; map: { account: { filter = \"objectClass=*\"; }; };"),
        "%s:1: directory.map.account.filter: is no filter we can evaluate, from "
        "\"objectClass=*\" on");
    bad(D("ldif = \"/x\"; map: { department: { filter = \"(&(ou=*)\"; }; };"),
        "%s:1: directory.map.department.filter: is no filter we can evaluate, from \"\" on");
    bad(D("ldif = \"/x\"; retry_min = 61;"),
        "%s:1: directory.retry_min: is more than directory.retry_max (60)");
}

static void
write_part(const char *name, const char *text)
{
    char part[128];
    FILE *f;

    snprintf(part, sizeof part, "%s/%s", dir, name);
    f = fopen(part, "w");
    fputs(text, f);
    fclose(f);
}

static void
files(void)
{
    char part[128], want[256];
    struct conf *c = NULL;

    write_part("part.conf", "answer: { workers = 3; };\nlog: { to = \"x\"; };\n");
    c = load(BASE "@include \"part.conf\"\n");
    ok(!c && strstr(error, "part.conf:2: log.to: \"x\" is none of"),
       "an error in an included file");
    write_part("part.conf", "answer: { workers = 3; };\n");
    c = load(BASE "@include \"part.conf\"\n");
    is_int(c ? c->answer.workers : -1, 3, "an included file, relative to the first");
    conf_free(&c);
    bad(BASE "@include \"conf_test\"\n", "%s:3: cannot open include file");
    ok(!load(BASE "@include \"conf_test.conf\"\n"), "a file that includes itself");
    snprintf(part, sizeof part, "%s/part.conf", dir);
    unlink(part);
    mkdir(part, 0700);
    snprintf(want, sizeof want, "%%s:3: %s: not a file", part);
    bad(BASE "@include \"part.conf\"\n", want);
    rmdir(part);

    snprintf(want, sizeof want, "%s: not a file", dir);
    is_int(conf_load(dir, &c, error, sizeof error), -1, "a folder");
    is_str(error, want, "  is said");
    unlink(path);
    snprintf(want, sizeof want,
             "%s: No such file or directory; begin with the sample, postroad.conf.sample, or name "
             "another file with -c",
             path);
    is_int(conf_load(path, &c, error, sizeof error), -1, "no file");
    is_str(error, want, "  is said");
}

/* ---- what conf_each shows ---- */

struct shown {
    char text[65536];
    size_t n, rows;
};

/* Appends the setting as a file would have it: "a: { b: { c = VALUE; }; };" is merged by hand. */
static void
collect(void *ctx, const struct conf_row *row, const char *value)
{
    struct shown *s = ctx;

    s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s = %s\n", row->key, value);
    s->rows++;
}

static void
showing(void)
{
    static struct shown s;
    struct conf *c =
        load("site = \"hebei\"; recipient_delimiter = \"\"; answer: { workers = 2; };\n"
             "local_transport = \"x:a\\\"b\\\\c\"; log: { lookups = true; };\n"
             "directory: { uri = [\"ldapi:///\", \"ldaps://b\"]; base = \"o=corp\"; };\n");

    conf_each(c, 0, collect, &s);
    is_str(s.text,
           "site = \"hebei\"\n"
           "local_transport = \"x:a\\\"b\\\\c\"\n"
           "recipient_delimiter = \"\"\n"
           "directory.uri = [\"ldapi:///\", \"ldaps://b\"]\n"
           "directory.base = \"o=corp\"\n"
           "log.lookups = true\n",
           "settings that differ from the default");
    s.n = s.rows = 0;
    conf_each(c, 1, collect, &s);
    is_int((long long)s.rows, (long long)conf_rows_n, "all settings");
    ok(strstr(s.text, "answer.workers = 2\n") && strstr(s.text, "directory.ldif = \"\"\n"),
       "  with their values");
    conf_free(&c);
}

/* ---- from process to process ---- */

static void
passing(void)
{
    static struct shown before, after;
    struct conf *c = load(
                    "site = \"hebei\"; local_transport = \"x:a=\\\"b\\\\c\";\n"
                    "directory: { uri = [\"ldapi:///\", \"ldaps://b\"]; base = \"o=corp\"; };\n"),
                *taken = NULL;
    FILE *f = tmpfile();
    int fd = fileno(f), parts = 0;
    struct stat st;

    is_int(conf_pass(c, fd), 0, "settings are passed");
    is_int(conf_take(fd, &taken), 0, "  and taken");
    conf_each(c, 1, collect, &before);
    if (taken)
        conf_each(taken, 1, collect, &after);
    is_str(after.text, before.text, "  the same ones");
    ok(taken && conf_same(c, taken), "  conf_same says so");
    if (taken)
        taken->log.lookups = 1;
    ok(taken && !conf_same(c, taken), "  and sees another number");
    if (taken) {
        taken->log.lookups = 0;
        taken->directory.uri.v[1][0] = 'x';
    }
    ok(taken && !conf_same(c, taken), "  and another value of a list");
    conf_free(&taken);
    fstat(fd, &st);
    for (off_t n = st.st_size - 1; n >= 0; n--)
        parts += ftruncate(fd, n) < 0 || conf_take(fd, &taken) == 0;
    is_int(parts, 0, "settings passed in part are not taken");
    fclose(f);
    conf_free(&c);
}

/* ---- the table ---- */

/* The row's default as it would stand in a file, in its groups. */
static void
write_default(char *out, size_t cap, const struct conf_row *row)
{
    const char *quote = row->type == CONF_INT || row->type == CONF_BOOL ? "" : "\"";
    const char *key = row->key;
    size_t n = 0, depth = 0;

    for (size_t len; key[len = strcspn(key, ".")]; key += len + 1, depth++)
        n += (size_t)snprintf(out + n, cap - n, "%.*s: { ", (int)len, key);
    n += (size_t)snprintf(out + n, cap - n, "%s = %s%s%s;", key, quote, row->preset, quote);
    while (depth-- > 0)
        n += (size_t)snprintf(out + n, cap - n, " };");
}

static void
table(void)
{
    int unique = 1, sentences = 1;

    for (size_t i = 0; i < conf_rows_n; i++) {
        const struct conf_row *row = &conf_rows[i];
        char text[400];

        for (size_t j = 0; j < i; j++)
            unique &= strcmp(row->key, conf_rows[j].key) != 0;
        sentences &= row->help[0] && strchr(".", row->help[strlen(row->help) - 1]) != NULL;
        if (!row->preset)
            continue;
        write_default(text, sizeof text, row);
        load(text); /* incomplete on purpose: the error must be about what is missing */
        if (!strstr(error, "site: is not given"))
            ok(0, "default of %s: %s", row->key, error);
    }
    ok(unique, "no key stands twice");
    ok(sentences, "each key is explained in a sentence");
}

int
main(void)
{
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/conf_test.conf", dir);
    smallest();
    ldap();
    bad_keys();
    bad_moderation();
    bad_types();
    bad_values();
    bad_sockets();
    bad_directory();
    showing();
    passing();
    table();
    files();
    rmdir(dir);
    return tap_done();
}
