/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_rows: the table of all settings, the only place where a key, its type,
 * default, range and meaning stand. postroad.conf(5) is tested against it.
 *
 * The help texts are whole sentences for administrators; the manual prints them.
 */
#include "conf_private.h"

#define AT(field) offsetof(struct conf, field)
#define STRING(key, field, preset, min, max, help)                \
    {                                                             \
        key, CONF_STRING, AT(field), preset, min, max, NULL, help \
    }
#define WORD(key, field, preset, words, help)                \
    {                                                        \
        key, CONF_WORD, AT(field), preset, 0, 0, words, help \
    }
#define INT(key, field, preset, min, max, help)                \
    {                                                          \
        key, CONF_INT, AT(field), preset, min, max, NULL, help \
    }
#define BOOL(key, field, preset, help)                      \
    {                                                       \
        key, CONF_BOOL, AT(field), preset, 0, 1, NULL, help \
    }
#define LIST(key, field, max, help)                       \
    {                                                     \
        key, CONF_LIST, AT(field), "", 0, max, NULL, help \
    }

#define PATH_LEN 1024
#define DN_LEN   1024

#define CLASS_LIST_ROW(class, id, name, help) \
    LIST("directory.map." class "." #name, directory.map[id].name, CONF_LIST_MAX, help)

#define CLASS_ROWS(class, id)                                                                      \
    STRING("directory.map." class ".filter", directory.map[id].filter, "", 0, 4096,                \
           "Search filter (RFC 4515) that tells which entries are of this class."),                \
        CLASS_LIST_ROW(class, id, address,                                                         \
                       "Attributes with addresses: the first one has the primary address, the "    \
                       "least of several; all others are further ones."),                          \
        CLASS_LIST_ROW(class, id, alias, "Attributes with further addresses."),                    \
        CLASS_LIST_ROW(class, id, forward, "Attributes with addresses that mail is sent on to."),  \
        CLASS_LIST_ROW(class, id, home_site, "Attributes with the name of the home site."),        \
        CLASS_LIST_ROW(class, id, home_host,                                                       \
                       "Attributes with the host that holds the mailbox; its site is found by "    \
                       "the servers' names."),                                                     \
        CLASS_LIST_ROW(class, id, standby, "Attributes with the name of the standby site."),       \
        CLASS_LIST_ROW(class, id, state, "Attributes with the state of the entry."),               \
        CLASS_LIST_ROW(class, id, active,                                                          \
                       "Values of the state attribute that mean active, besides Postroad's own "   \
                       "words; any other then means suspended."),                                  \
        CLASS_LIST_ROW(class, id, deny, "Attributes with functions that are withheld."),           \
        CLASS_LIST_ROW(class, id, quota, "Attributes with the quota, see directory.quota_unit."),  \
        CLASS_LIST_ROW(class, id, member, "Attributes with members' addresses."),                  \
        CLASS_LIST_ROW(class, id, member_dn, "Attributes with members' distinguished names."),     \
        CLASS_LIST_ROW(class, id, sender, "Attributes with those who may write to the list."),     \
        CLASS_LIST_ROW(class, id, domain,                                                          \
                       "Attributes with domain names: the one in the RDN, else the least, is the " \
                       "primary one."),                                                            \
        CLASS_LIST_ROW(class, id, catch_all,                                                       \
                       "Attributes with the address that takes mail for unknown users."),          \
        CLASS_LIST_ROW(class, id, name, "Attributes with a name for people to read.")

const struct conf_row conf_rows[] = {
    STRING("site", site, NULL, 1, 64,
           "The name of the site this machine belongs to: a cn below cn=sites of the directory."),
    STRING("state_dir", state_dir, POSTROAD_LOCALSTATEDIR "/lib/postroad", 1, PATH_LEN,
           "Folder of the mirror and other state; written by postroad-policyd only."),
    STRING("local_transport", local_transport, "lmtp:unix:private/dovecot-lmtp", 2, 1024,
           "Postfix transport:nexthop that delivers to mailboxes of this site."),
    STRING("wait_transport", wait_transport, "postroad-wait:", 2, 1024,
           "Postfix transport: that keeps mail in the queue; name it in defer_transports."),
    STRING("recipient_delimiter", recipient_delimiter, "+", 0, 16,
           "Characters that may begin an address extension; the same as in main.cf. Empty: none."),
    LIST("inside_networks", inside_networks, CONF_LIST_MAX,
         "Networks and addresses whose hosts are inside without logging in, as 192.0.2.0/24 or "
         "2001:db8::/32; this machine always is."),
    INT("unknown_wait", unknown_wait, "5", 0, 30,
        "Seconds a lookup of an address nobody seems to have waits for the proof that this is so."),
    STRING("user", user, "postroad", 0, 64, "User to run as when started as root."),
    STRING("group", group, "postroad", 0, 64, "Group to run as when started as root."),
    STRING("socket_group", socket_group, "postfix", 0, 64,
           "Group that may connect to the map and policy sockets, when started as root."),
    BOOL("sandbox", sandbox, "true",
         "Whether each process gives up the system calls it has no use for."),

    STRING("directory.ldif", directory.ldif, "", 0, PATH_LEN,
           "LDIF file to take the directory from, in place of an LDAP server; reloaded when it "
           "changes."),
    LIST("directory.uri", directory.uri, CONF_LIST_MAX,
         "LDAP servers (providers) to follow, in order of preference: ldapi:///, "
         "ldap://host:port, ldaps://host:port."),
    LIST("directory.providers", directory.providers, CONF_LIST_MAX,
         "The providers of all sites, asked all the time what they know, before an address counts "
         "as unknown. Empty: those of directory.uri."),
    BOOL("directory.verify_unknown", directory.verify_unknown, "true",
         "Whether all providers are asked for the very address, too, before it counts as unknown."),
    STRING("directory.base", directory.base, "", 0, DN_LEN,
           "Entry below which the directory is mirrored; needed with directory.uri."),
    STRING("directory.bind_dn", directory.bind_dn, "", 0, DN_LEN,
           "Distinguished name for a simple bind; needs directory.password_file. Empty: anonymous, "
           "or SASL."),
    STRING("directory.password_file", directory.password_file, "", 0, PATH_LEN,
           "File whose first line is the password of directory.bind_dn; for root and the daemon's "
           "group to read, and nobody else: root:postroad, mode 0640."),
    WORD("directory.sasl_mech", directory.sasl_mech, "", "EXTERNAL",
         "SASL mechanism for the bind. Empty: a simple or anonymous bind."),
    WORD("directory.starttls", directory.starttls, "auto", "auto yes no",
         "Whether TLS is demanded on ldap:// connections; auto: for all servers but those on "
         "loopback addresses."),
    STRING("directory.tls_ca_file", directory.tls_ca_file, "", 0, PATH_LEN,
           "Certificates of the authorities that may sign the servers' certificates. Empty: as "
           "ldap.conf(5) says."),
    STRING("directory.tls_cert_file", directory.tls_cert_file, "", 0, PATH_LEN,
           "Our own certificate, for SASL EXTERNAL over TLS; needs directory.tls_key_file."),
    STRING("directory.tls_key_file", directory.tls_key_file, "", 0, PATH_LEN,
           "Private key of directory.tls_cert_file."),
    WORD("directory.tls_require_cert", directory.tls_require_cert, "demand",
         "demand hard allow try never",
         "How the server's certificate is checked, see TLS_REQCERT in ldap.conf(5)."),
    INT("directory.timeout", directory.timeout, "10", 1, 300,
        "Seconds to wait for a server to connect, bind or answer."),
    INT("directory.heartbeat", directory.heartbeat, "2", 1, 60,
        "Seconds between the questions that show whether the server still answers."),
    INT("directory.retry_min", directory.retry_min, "1", 1, 3600,
        "Seconds before the first attempt to connect again; doubled after each failure."),
    INT("directory.retry_max", directory.retry_max, "60", 1, 3600,
        "Most seconds between two attempts to connect."),
    INT("directory.sweep_guard", directory.sweep_guard, "20", 0, 100,
        "Per cent of the mirrored entries that one refresh may remove before an administrator must "
        "confirm it; 100: any."),
    INT("directory.sweep_floor", directory.sweep_floor, "20", 0, 1000000000,
        "Entries that one refresh may remove whatever directory.sweep_guard says."),
    INT("directory.quota_unit", directory.quota_unit, "1", 1, 1 << 30,
        "Bytes in one unit of the quota attribute: 1048576 where it counts MiB."),
    WORD("directory.preset", directory.preset, "postroad", "postroad iredmail univention laser",
         "Set of filters and attribute names for directory.map; single ones can be set there."),
    CLASS_ROWS("account", CLASS_ACCOUNT),
    CLASS_ROWS("list", CLASS_LIST),
    CLASS_ROWS("domain", CLASS_DOMAIN),
    CLASS_ROWS("department", CLASS_DEPARTMENT),

    STRING("sockets.map", sockets.map, "unix:" POSTROAD_LOCALSTATEDIR "/spool/postfix/postroad/map",
           1, 128, "Socket of the maps for Postfix (socketmap), unix:/path."),
    STRING("sockets.policy", sockets.policy,
           "unix:" POSTROAD_LOCALSTATEDIR "/spool/postfix/postroad/policy", 0, 128,
           "Socket of the policy service for Postfix, unix:/path. Empty: none."),
    STRING("sockets.access", sockets.access, "unix:" POSTROAD_RUNSTATEDIR "/postroad/access", 0,
           128, "Socket for the Dovecot plugin, unix:/path. Empty: none."),
    STRING("sockets.control", sockets.control, "unix:" POSTROAD_RUNSTATEDIR "/postroad/control", 1,
           128, "Socket for the postroad command, unix:/path."),
    STRING("sockets.hook", sockets.hook, "unix:" POSTROAD_RUNSTATEDIR "/postroad/hook", 0, 128,
           "Socket for those who tell of new mail, unix:/path; only there with hook.targets."),
    STRING("sockets.http", sockets.http, "127.0.0.1:8527", 0, 128,
           "Loopback address:port for metrics and health over HTTP. Empty: none."),

    STRING("sockets.milter", sockets.milter,
           "unix:" POSTROAD_LOCALSTATEDIR "/spool/postfix/postroad/milter", 0, 128,
           "Socket of postroad-milter for Postfix, unix:/path. Empty: it does not start."),

    BOOL("milter.trace", milter.trace, "true",
         "Whether postroad-milter puts a header Postroad-Trace into each message, and takes those "
         "away that were not made by a site."),
    LIST("milter.journal", milter.journal, CONF_LIST_MAX,
         "Whose mail is copied to a journal mailbox: WHO=ADDRESS, where WHO is an address, a "
         "domain, "
         "or domain/department, which includes what is below it."),
    LIST("milter.moderate", milter.moderate, CONF_LIST_MAX,
         "Rules which mail waits for an approval, \"NAME: CONDITION CONDITION ...\", in order."),
    STRING("milter.moderate_expire", milter.moderate_expire, "5d", 2, 16,
           "How long held mail waits when its rule does not say: a number with s, m, h, d or w."),
    STRING("milter.user", milter.user, "postroad-milter", 0, 64,
           "User of its own that postroad-milter becomes when started as root. Empty, or without "
           "such a user: the one of user."),
    STRING("accounting.dir", accounting.dir, "", 0, PATH_LEN,
           "Folder of postroad-milter's accounting records; one for each milter. Empty: accounting "
           "below state_dir."),
    INT("accounting.max_size", accounting.max_size, "64", 1, 65536,
        "MiB after which a new file of records is begun, as it is each day."),
    WORD(
        "accounting.on_error", accounting.on_error, "tempfail", "tempfail continue",
        "What becomes of mail that can't be counted, as the disk is full: tempfail, it has to come "
        "again; continue, it goes on and is counted in one record later."),

    INT("answer.workers", answer.workers, "2", 1, 64,
        "Processes that answer lookups; about one for each core that is to be used."),
    INT("answer.max_connections", answer.max_connections, "10000", 1, 1000000,
        "Connections one worker holds open; when one more comes, the one idle longest is closed."),
    INT("answer.max_parked", answer.max_parked, "1000", 0, 100000,
        "Lookups of unknown addresses one worker lets wait for a proof; more are told to try "
        "again."),
    INT("answer.idle_timeout", answer.idle_timeout, "300", 1, 86400,
        "Seconds after which a connection without requests is closed."),
    INT("answer.write_timeout", answer.write_timeout, "30", 1, 3600,
        "Seconds after which a client that takes no answers is cut off."),

    STRING("access.socket_group", access.socket_group, "vmail", 0, 64,
           "Group that may connect to the access socket: that of Dovecot's mail processes. Empty: "
           "that of the daemon."),
    INT("access.max_connections", access.max_connections, "10000", 1, 1000000,
        "Connections of Dovecot held open, one for each session of an administrator; more are "
        "told to come again."),
    WORD("access.share", access.share, "domain", "department domain any none",
         "Whom owners may let into folders of theirs: accounts of their department, of their "
         "domain, anybody and any group, or nobody."),
    BOOL(
        "access.require_reason", access.require_reason, "false",
        "Whether nobody opens another's mailbox without having given a reason first, with postroad "
        "access open."),
    WORD("access.owner_on_doubt", access.owner_on_doubt, "allow", "allow refuse",
         "What becomes of owners' logins that Dovecot's auth policy asks about while nobody can "
         "say; administrators are refused."),
    WORD("access.record_logins", access.record_logins, "all", "all administrators none",
         "Which logins that Dovecot's auth policy reports are in the audit log: all, those into "
         "somebody else's mailbox, or none."),
    STRING("access.http_key_file", access.http_key_file, "", 0, PATH_LEN,
           "File with a key that Dovecot's auth policy has to show in the header X-API-Key. Empty: "
           "none is asked for."),

    STRING(
        "cold.dir", cold.dir, "", 0, PATH_LEN,
        "Folder of tables that Postfix reads by itself, for the case that policyd does not live, "
        "see COLD TABLES in postroad-maps(7). Empty: none are kept."),

    STRING("homes.dir", homes.dir, "", 0, PATH_LEN,
           "Folder of the files from which Dovecot knows who lives at another site, see "
           "postroad-homes(5). Empty: none are kept."),
    STRING("homes.group", homes.group, "dovecot", 0, 64,
           "Group that may read them, when started as root: that of Dovecot's auth process."),
    LIST("homes.hosts", homes.hosts, CONF_LIST_MAX,
         "Where people of another site sign in, SITE=HOST or SITE=HOST/ADDRESS: the name its "
         "certificate shows, and the address to connect to. Sites not named: the address of their "
         "first next hop."),
    STRING("homes.fields", homes.fields, "starttls=yes", 0, 512,
           "Further passdb fields of each who lives elsewhere, as Dovecot writes them."),

    LIST("hook.targets", hook.targets, CONF_LIST_MAX,
         "Where news of new mail goes, NAME=URL with https:// or http://, or "
         "NAME=command:/PROGRAM and its arguments, see postroad-hook(5). Empty: nowhere."),
    LIST("hook.accounts", hook.accounts, CONF_LIST_MAX,
         "Accounts whose mail a target hears of, NAME=PATTERN with * and ? as in file names; "
         "several "
         "for one target add up. A target not named hears of all."),
    LIST("hook.secrets", hook.secrets, CONF_LIST_MAX,
         "Files whose first line is the key that signs what a target gets, NAME=/path."),
    LIST("hook.headers", hook.headers, CONF_LIST_MAX,
         "Files with lines of HTTP headers for a target, such as Authorization, NAME=/path."),
    STRING("hook.ca_file", hook.ca_file, "", 0, PATH_LEN,
           "Certificates of the authorities that may sign the targets' certificates. Empty: the "
           "system's."),
    BOOL("hook.subject", hook.subject, "false", "Whether targets are told the subject."),
    INT("hook.timeout", hook.timeout, "10", 1, 300, "Seconds a target may take for one event."),
    INT("hook.concurrency", hook.concurrency, "4", 1, 100,
        "Events on their way to one target at once, each of another account."),
    INT("hook.retry_min", hook.retry_min, "1", 1, 3600,
        "Seconds before an event that failed is sent again; doubled after each failure."),
    INT("hook.retry_max", hook.retry_max, "300", 1, 86400, "Most seconds between two tries."),
    INT("hook.max_events", hook.max_events, "100000", 16, 10000000,
        "Events kept for all targets together; when one more comes, the oldest is given up."),
    INT("hook.max_size", hook.max_size, "64", 1, 65536, "MiB of events kept, likewise."),
    INT("hook.max_age", hook.max_age, "172800", 1, 31536000,
        "Seconds after which an event is given up."),
    STRING("hook.socket_group", hook.socket_group, "vmail", 0, 64,
           "Group that may connect to the hook socket: that of Dovecot's mail processes. Empty: "
           "that of the daemon."),

    LIST("compare.peers", compare.peers, CONF_LIST_MAX,
         "Where the control sockets of other sites can be reached for postroad compare: "
         "SITE=unix:/path or SITE=inet:127.0.0.1:port, the near end of a tunnel."),
    INT("compare.interval", compare.interval, "300", 0, 86400,
        "Seconds between two comparisons of digests with each of these sites by policyd itself; 0: "
        "only when somebody asks."),

    LIST("admin.uri", admin.uri, CONF_LIST_MAX,
         "LDAP servers the postroad command changes the directory at, in order of preference. "
         "Empty: those of directory.uri."),
    STRING("admin.base", admin.base, "", 0, DN_LEN,
           "Entry below which the postroad command looks for domains, people and sites. Empty: "
           "directory.base."),
    STRING("admin.bind_dn", admin.bind_dn, "", 0, DN_LEN,
           "Who the postroad command binds as when --bind-dn is not given: a DN or a mail "
           "address."),
    WORD("admin.password_scheme", admin.password_scheme, "auto", "auto argon2 crypt ssha512 server",
         "How the postroad command hashes passwords; server: the directory server does it."),

    LIST(
        "edit.uri", edit.uri, CONF_LIST_MAX,
        "LDAP servers that changes are made at for administrators who make them elsewhere, such as "
        "in a mail client, in order of preference. Empty: those of admin.uri, or else of "
        "directory.uri."),
    STRING("edit.bind_dn", edit.bind_dn, "", 0, DN_LEN,
           "Distinguished name that may act in administrators' names there; needs "
           "edit.password_file. Empty: such changes are refused, unless edit.sasl_mech is set."),
    STRING("edit.password_file", edit.password_file, "", 0, PATH_LEN,
           "File whose first line is the password of edit.bind_dn; for root and the daemon's "
           "group to read, and nobody else: root:postroad, mode 0640."),
    WORD("edit.sasl_mech", edit.sasl_mech, "", "EXTERNAL",
         "SASL mechanism for the bind, in the place of edit.bind_dn."),
    INT("edit.timeout", edit.timeout, "3", 1, 30,
        "Seconds to wait for a server to connect, bind or answer."),

    LIST("held.uri", held.uri, CONF_LIST_MAX,
         "LDAP servers of this site at which held mail is shown to moderators, and their verdicts "
         "are heard, in order of preference. Empty: those of directory.uri."),
    STRING("held.bind_dn", held.bind_dn, "", 0, DN_LEN,
           "Distinguished name that keeps the entries of held mail there; needs "
           "held.password_file. Empty: only the postroad command on this machine shows held mail, "
           "unless held.sasl_mech is set."),
    STRING("held.password_file", held.password_file, "", 0, PATH_LEN,
           "File whose first line is the password of held.bind_dn; for root and the daemon's "
           "group to read, and nobody else: root:postroad, mode 0640."),
    WORD("held.sasl_mech", held.sasl_mech, "", "EXTERNAL",
         "SASL mechanism for the bind, in the place of held.bind_dn."),
    INT("held.timeout", held.timeout, "3", 1, 30,
        "Seconds to wait for a server to connect, bind or answer."),
    STRING("held.submit", held.submit, "smtp://127.0.0.1:25", 0, 256,
           "Mail server that takes notices to senders whose mail is held, smtp://host:port. Empty: "
           "there are none."),
    BOOL("held.notify", held.notify, "true",
         "Whether senders who have an account here are told that their mail is held, and when it "
         "is rejected or its time is over."),
    INT("held.notices", held.notices, "10", 1, 1000,
        "Notices of one kind, that mail is held or that it was not sent, which a sender gets in an "
        "hour for a message each. What comes beyond is told in one notice about all of it."),
    INT("held.keep", held.keep, "2592000", 0, 31536000,
        "Seconds for which it is remembered what became of a held message."),

    WORD("spoof.action", spoof.action, "off", "off tag quarantine reject",
         "What becomes of mail from outside in the name of one of our domains that nobody vouches "
         "for, where postroadSpoof at the domain does not say."),
    WORD("spoof.display_name", spoof.display_name, "tag", "off tag quarantine reject",
         "The most that is done when only a sender's display name shows an address of one of our "
         "domains; less where the domain wants less."),
    BOOL("spoof.subdomains", spoof.subdomains, "false",
         "Whether names below our domains that are not in the directory count as ours."),
    LIST("spoof.trusted_forwarders", spoof.trusted_forwarders, CONF_LIST_MAX,
         "Networks and addresses whose hosts may send in our name, as 192.0.2.0/24 or "
         "2001:db8::/32."),
    LIST("spoof.gateways", spoof.gateways, CONF_LIST_MAX,
         "Networks and addresses of hosts of ours that take mail from outside first: their "
         "Received fields may stand above the verifier's results."),
    STRING("spoof.authserv_id", spoof.authserv_id, "", 0, 253,
           "Name by which the verifier before us signs its Authentication-Results; it must take "
           "away those that others forge. Empty: there is none."),
    INT("spoof.authserv_results", spoof.authserv_results, "1", 1, 8,
        "How many of the topmost of these fields count: as many as it adds to each message."),
    LIST("spoof.arc_sealers", spoof.arc_sealers, CONF_LIST_MAX,
         "Domains whose ARC seals are believed, of forwarders and lists; all who sealed a message "
         "must be among them."),

    STRING("sending.contact", sending.contact, "Ask your mail administrator.", 0, 160,
           "What those read last whose mail is refused: whom to ask."),

    STRING("rights.admins", rights.admins, "", 0, DN_LEN,
           "Group whose members' roles count; the directory's access rules look at it, too. Empty: "
           "cn=admins,cn=roles below the mirror's base."),
    STRING("rights.domains", rights.domains, "", 0, DN_LEN,
           "Entry below which all domains are, and administrators other than those of the system "
           "administer anything. Empty: ou=domains below the mirror's base."),
    INT("rights.max_age", rights.max_age, "3600", 0, 31536000,
        "Seconds since the directory last confirmed the mirror after which nobody is let into what "
        "is not his own; 0: any."),

    BOOL("queue.manage", queue.manage, "false",
         "Whether Postfix's queue is looked into, and messages that wait for approval can be "
         "released "
         "or deleted; the latter needs a daemon that is started as root."),
    INT("queue.interval", queue.interval, "10", 1, 3600,
        "Seconds between two looks at the length of Postfix's queues; more when one takes long."),
    INT("queue.timeout", queue.timeout, "60", 1, 600,
        "Seconds after which postqueue and postsuper are ended."),
    STRING("queue.postqueue", queue.postqueue, "/usr/sbin/postqueue", 1, PATH_LEN,
           "Postfix's program that lists the queue."),
    STRING("queue.postsuper", queue.postsuper, "/usr/sbin/postsuper", 1, PATH_LEN,
           "Postfix's program that releases and deletes messages."),
    STRING("queue.config_dir", queue.config_dir, "", 0, PATH_LEN,
           "Folder of main.cf of the Postfix instance whose queue it is. Empty: the default "
           "instance."),

    LIST("move_site.copy_command", move_site.copy_command, CONF_LIST_MAX,
         "Command that brings a mailbox at its new site up to what it is at the old one, for "
         "postroad user move-site, word by word; may be run again and again. %u is the user, %from "
         "and %to are the sites, %from_host and %to_host the first servers of theirs."),
    LIST("move_site.first_command", move_site.first_command, CONF_LIST_MAX,
         "Command that is run before the first copying, and again when something is missing, "
         "likewise. Empty: none."),
    LIST("move_site.list_from_command", move_site.list_from_command, CONF_LIST_MAX,
         "Command that prints what is in the mailbox at the old site, likewise: doveadm fetch with "
         "-f tab; what the new one lacks is copied again, and if it stays so, the move stops."),
    LIST("move_site.list_to_command", move_site.list_to_command, CONF_LIST_MAX,
         "The same for the new site."),
    LIST(
        "move_site.close_command", move_site.close_command, CONF_LIST_MAX,
        "Command that ends the user's open sessions at the old site, likewise; 68 is success, too: "
        "there was none. Empty: they go on."),
    INT("move_site.timeout", move_site.timeout, "14400", 1, 604800,
        "Seconds after which a command that copies is ended that has not ended by itself; it is "
        "tried again twice."),
    INT("move_site.list_timeout", move_site.list_timeout, "300", 1, 86400,
        "Seconds after which a list is ended of which nothing more has come; it is tried again "
        "twice."),
    INT("move_site.settle", move_site.settle, "35", 0, 3600,
        "Seconds between the moment the sites know that mail has to wait and the last copying; "
        "Postfix remembers a route for half a minute."),

    INT("mirror.size", mirror.size, "8192", 1, 16777216,
        "MiB of address space the mirror may grow to; disk and memory are used only as needed."),

    WORD("log.to", log.to, "stderr", "stderr syslog", "Where the programs log to."),
    WORD("log.level", log.level, "info", "error warning notice info debug",
         "The least important level that is logged."),
    WORD("log.facility", log.facility, "mail",
         "mail daemon user auth local0 local1 local2 local3 local4 local5 local6 local7",
         "Facility for log.to = \"syslog\"."),
    BOOL("log.lookups", log.lookups, "false",
         "Whether each lookup is logged, with the answer and its reason."),
};

const size_t conf_rows_n = sizeof conf_rows / sizeof *conf_rows;
