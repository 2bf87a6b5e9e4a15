#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Replication between slapds whose configuration is cn=config, brought there by `postroad ldap-config
# apply` alone, over TLS with certificates: two sites; a third that joins while both are written to,
# and misses nothing; one that is cut off and comes back. At each step diff says before what is to be
# done, and nothing afterwards.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Certificates;
use LdapWire;
use Ports;
use POSIX ();
use Test::More;
use Trial;

my $S = "$top/ldap-schema";
plan(skip_all => 'postroad is not built') unless -x "$top/ctl/postroad";
needs(qw(slapd slapadd ldapwhoami ldapsearch openssl));
my $SALES = 'ou=sales,dc=corp.example,ou=domains,o=corp';
my $alice = "uid=alice,$SALES";
my $PORT = 20389;
my %site; # number => { host, pid, root }

# Each has an address of its own on this machine: that is its name in URIs and in its certificate.
authority('ca');
for my $n (1 .. 3) {
    $site{$n}{host} = free_address();
    certificate('ca', "s$n", "/CN=$site{$n}{host}", "IP:$site{$n}{host}");
    mkdir "$dir/tls$n";
    run('', 'cp', "$dir/s$n.$_", "$dir/tls$n/ldap.$_") for qw(crt key);
    run('', 'cp', "$dir/ca.crt", "$dir/tls$n/ca.crt");
}
# Tests don't wait for a minute; and see [tls] there.
my $template = slurp("$S/access.in") =~ s/retry="5 12 60 \+"/retry="1 +"/r;
$template =~ s/^TLSProtocolMin 3\.4/TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.3/m if (run('', 'sh', '-c', 'ldd "$(command -v slapd)"'))[1] =~ /gnutls/;
spew("$dir/access.in", $template);

# As a distribution leaves it: schemas, one empty database, root over ldapi may do all.
sub install {
    my ($n) = @_;
    my ($schemas) = grep { -e "$_/core.ldif" } '/etc/ldap/schema', '/etc/openldap/schema';
    my ($modules) = grep { glob "$_/back_mdb*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap';
    my $me = "gidNumber=" . ($) + 0) . "+uidNumber=$>,cn=peercred,cn=external,cn=auth";
    my $module = $modules ? "dn: cn=module{0},cn=config\nobjectClass: olcModuleList\ncn: module{0}\nolcModulePath: $modules\nolcModuleLoad: back_mdb\n" : '';
    mkdir "$dir/$_" for "s$n", "s$n/db", "s$n/config";
    spew("$dir/s$n/init.ldif", join "\n", "dn: cn=config\nobjectClass: olcGlobal\ncn: config\n", "dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n",
        join('', map { "include: file://$_\n" } map("$schemas/$_.ldif", qw(core cosine inetorgperson)), "$S/postroad.ldif"), $module,
        "dn: olcDatabase=config,cn=config\nobjectClass: olcDatabaseConfig\nolcDatabase: config\nolcAccess: to * by dn.exact=$me manage by * break\n",
        "dn: olcDatabase=mdb,cn=config\nobjectClass: olcDatabaseConfig\nobjectClass: olcMdbConfig\nolcDatabase: mdb\nolcSuffix: o=corp\n"
        . "olcDbDirectory: $dir/s$n/db\nolcRootDN: cn=root,o=corp\nolcRootPW: secret\nolcDbIndex: objectClass eq\nolcDbIndex: cn,uid eq\nolcDbIndex: member,ou eq\n"
        . "olcAccess: to attrs=userPassword by self write by anonymous auth by * none\nolcAccess: to * by * read\n");
    my ($bad, $text) = run('', 'slapadd', '-n0', '-F', "$dir/s$n/config", '-l', "$dir/s$n/init.ldif");
    BAIL_OUT("slapadd: $text") if $bad;
    return;
}

sub start {
    my ($n) = @_;
    my $uri = Trial::uri_of("s$n");
    $site{$n}{pid} = Trial::spawn("$dir/s$n/log", 'slapd', '-d', 'sync', '-h', "$uri ldap://$site{$n}{host}:$PORT", '-F', "$dir/s$n/config");
    wait_for(30, sub { -S "$dir/s$n/sock" && (run('', qw(ldapwhoami -x -H), $uri))[0] == 0 }) or BAIL_OUT('slapd does not start: ' . slurp("$dir/s$n/log"));
    $site{$n}{root} = LdapWire->new("$dir/s$n/sock", 'cn=root,o=corp', 'secret');
    return;
}
sub stop { my ($n) = @_; return slapd_stop("s$n", $site{$n}{pid}) }

# postroad ldap-config VERB at site n, which has these peers.
sub ldap_config {
    my ($n, $verb, @peers) = @_;
    my $uri = Trial::uri_of("s$n");
    spew("$dir/postroad.conf", qq(site = "s$n"; state_dir = "$dir"; directory: { uri = "$uri"; base = "o=corp"; };));
    return run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", '--template', "$dir/access.in", 'ldap-config', $verb, '--server-id', $n,
        '--tls-dir', "$dir/tls$n", ($verb eq 'apply' ? ('--yes', '--backup', "$dir/undo-$n-" . scalar(@peers)) : ()), map { "--peer=$_=ldap://$site{$_}{host}:$PORT" } @peers);
}

# What diff says, then apply, then that there is nothing left.
sub joins {
    my ($n, @peers) = @_;
    my ($rc, $before) = ldap_config($n, 'diff', @peers);
    is($rc, 1, "site $n: diff says what there is to do") or diag($before);
    ($rc, my $out) = ldap_config($n, 'apply', @peers);
    is($rc, 0, "site $n: apply") or diag($out);
    is_deeply([ldap_config($n, 'diff', @peers)], [0, "postroad: all is as it should be\n"], "site $n: nothing is left to do");
    return $before;
}

# --- what the sites say

sub value {
    my ($n, $dn, $name) = @_;
    my ($found) = $site{$n}{root}->search($dn, 'base', ['objectClass'], $name);
    return $found ? join '|', sort @{ $found->[1]{ lc $name } // [] } : 'gone';
}
sub arrives {
    my ($what, $dn, $name, $want, @sites) = @_;
    my $all = sub { join ' / ', map { value($_, $dn, $name) } @sites };
    return ok(wait_for(60, sub { $all->() eq join ' / ', ($want) x @sites }), $what) || diag($all->());
}
# All of it, operational attributes too; contextCSN is each server's own word.
sub content {
    my ($n) = @_;
    return (run('', split(' ', 'ldapsearch -x -LLL -o ldif_wrap=no -D cn=root,o=corp -w secret -b o=corp -H'), Trial::uri_of("s$n"), '(objectClass=*)', '*', '+'))[1];
}
sub entries { my ($text) = @_; return join "\n\n", sort map { join "\n", sort grep { !/^contextCSN/ } split /\n/ } split /\n\n/, $text }
sub same {
    my ($what, @sites) = @_;
    ok(wait_for(60, sub { my %seen = map { entries(content($_)) => 1 } @sites; keys %seen == 1 }), "$what: the same content everywhere, to the last change");
    my $n = () = content($sites[0]) =~ /^dn: /mg;
    cmp_ok($n, '>=', 30, "- of $n entries");
    return;
}
sub person { my ($uid) = @_; return ("uid=$uid,$SALES", { objectClass => [qw(inetOrgPerson postroadAccount)], uid => [$uid], cn => [$uid], sn => ['x'], mail => ["$uid\@corp.example"] }) }

# --- two sites

install($_) for 1 .. 3;
my ($rc, $out) = run('', 'slapadd', '-q', '-w', '-S', '1', '-b', 'o=corp', '-F', "$dir/s1/config", '-l', "$S/two-sites.ldif");
BAIL_OUT("slapadd: $out") if $rc;
start($_) for 1, 2;
my $first = joins(1, 2);
my $there = quotemeta "ldap://$site{2}{host}:$PORT";
like($first, qr{^olcSyncrepl: .*rid=002 provider=$there }m, "replication from site 2");
like($first, qr/^olcTLSCertificateFile: \Q$dir\E\/tls1\/ldap\.crt$/m, 'certificates');
joins(2, 1);
arrives('the tree is at site 2', $alice, 'mail', 'alice@corp.example', 1, 2);
is($site{2}{root}->modify($alice, [replace => 'title', 'from 2']), 0, 'a write at site 2');
arrives('arrives at site 1', $alice, 'title', 'from 2', 1, 2);
same('two sites', 1, 2);

# --- a third joins, while the two are written to; it asks them before they know it, and gets nothing

sub write_on {
    my @ldap = map { LdapWire->new("$dir/s$_/sock", 'cn=root,o=corp', 'secret') } 1, 2;
    my $parent = getppid;
    for (my $i = 0; !-e "$dir/enough" && $parent == getppid; $i++) {
        $ldap[$i % 2]->add(person("busy$i"));
        $ldap[$i % 2]->delete((person('busy' . ($i - 10)))[0]) if $i % 4 == 0 && $i >= 10;
        $ldap[$i % 2]->modify($alice, [replace => 'title', "busy $i"]);
        spew("$dir/written", $i);
        select undef, undef, undef, 0.02;
    }
    return;
}
my $writer = fork // die "fork: $!\n";
if (!$writer) { write_on(); POSIX::_exit(0) }
my $written = sub { my $now = -e "$dir/written" ? slurp("$dir/written") : 0; return wait_for(60, sub { -e "$dir/written" && (slurp("$dir/written") || 0) > $now + 10 }) };
ok($written->(), 'the two are written to');
start(3);
joins(3, 1, 2);
ok(wait_for(30, sub { slurp("$dir/s3/log") =~ /ldap_sasl_interactive_bind_s failed/ }), 'site 3 asks before the others know it') or diag(slurp("$dir/s3/log"));
is(value(3, $alice, 'mail'), 'gone', 'and is not taken for some user, who would see a part');
$written->();
for my $n (1, 2) {
    my $more = joins($n, 3 - $n, 3);
    is(join(' ', $more =~ /^(?:add|delete|replace): (\w+)$/mg), 'olcAuthzRegexp olcSyncrepl', "site $n: only what the new one needs");
    unlike($more, qr/^delete: /m, "site $n: nothing goes");
    $written->();
}
spew("$dir/enough", '');
waitpid $writer, 0;
same('three sites', 1 .. 3);
for my $n (1 .. 3) {
    is($site{$n}{root}->modify($alice, [replace => 'title', "from $n"]), 0, "a write at site $n");
    arrives('- is everywhere', $alice, 'title', "from $n", 1 .. 3);
}
my $person = LdapWire->new("$dir/s3/sock", $alice, 'sample-alice');
is($person->password($alice, 'changed'), 0, 'somebody changes his password at site 3');
for my $n (1, 2) {
    ok(wait_for(30, sub { LdapWire->new("$dir/s$n/sock")->bind_as($alice, 'changed') == 0 }), "- and binds with it at site $n");
}

# --- one is cut off; all sides write; it comes back

stop(3);
is($site{1}{root}->add(person('cut1')), 0, 'site 3 is away, 1 adds');
is($site{2}{root}->delete("uid=bob,ou=east,$SALES"), 0, '2 deletes');
arrives('the two go on', "uid=bob,ou=east,$SALES", 'uid', 'gone', 1, 2);
stop($_) for 1, 2;
start(3);
is($site{3}{root}->add(person('cut3')), 0, 'alone, 3 adds');
is($site{3}{root}->modify($alice, [replace => 'title', 'at 3 alone']), 0, 'and changes');
start($_) for 1, 2;
arrives('what 1 added', (person('cut1'))[0], 'uid', 'cut1', 1 .. 3);
arrives('what 2 deleted', "uid=bob,ou=east,$SALES", 'uid', 'gone', 1 .. 3);
arrives('what 3 added', (person('cut3'))[0], 'uid', 'cut3', 1 .. 3);
arrives('what 3 changed', $alice, 'title', 'at 3 alone', 1 .. 3);
same('after the cut', 1 .. 3);
for my $n (1 .. 3) {
    is((ldap_config($n, 'diff', grep { $_ != $n } 1 .. 3))[0], 0, "site $n: after a restart diff has nothing to say");
}
stop($_) for 1 .. 3;
done_testing();
