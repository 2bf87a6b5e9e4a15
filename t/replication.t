#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Replication as `postroad ldap-config` sets it up: two sites and three, by slapd.conf,
# over TLS 1.3, each known to the others by its certificate. Writes travel both ways, with passwords;
# what was written at both sides of a cut line arrives; a certificate of somebody else opens nothing;
# refint keeps the gate, lists and scopes in step at all sites.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use LdapWire;
use Ports;
use Test::More;
use Trial;

my $S = "$top/ldap-schema";
plan(skip_all => 'postroad is not built') unless -x "$top/ctl/postroad";
needs(qw(slapd slapadd slaptest ldapwhoami openssl));

my ($D, $A) = ('ou=domains,o=corp', 'dc=corp.example,ou=domains,o=corp');
my $GATE = 'cn=admins,cn=roles,o=corp';
my %site; # number => { name, port, dir, pid }
my $gnutls = (run('', 'sh', '-c', 'ldd "$(command -v slapd)"'))[1] =~ /gnutls/; # see [tls] of access.in

sub openssl {
    my (@args) = @_;
    my ($rc, $out) = run('', 'openssl', @args);
    BAIL_OUT("openssl @args: $out") if $rc;
}

# tls/ca.crt, ldap.crt, ldap.key in a folder; signed by the authority of another folder, or its own.
sub certificate {
    my ($folder, $ca, $name) = @_;
    mkdir "$dir/$_" for ($folder =~ m{^(.*)/}, $folder);
    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes), '-subj', "/CN=$name", '-keyout', "$dir/$folder/ldap.key", '-out', "$dir/csr");
    spew("$dir/ext", "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1\n");
    openssl(qw(x509 -req -days 2 -CAcreateserial), '-in', "$dir/csr", '-CA', "$dir/$ca.crt", '-CAkey', "$dir/$ca.key", '-extfile', "$dir/ext",
        '-out', "$dir/$folder/ldap.crt");
    run('', 'cp', "$dir/ca.crt", "$dir/$folder/ca.crt");
}

for my $ca (qw(ca stranger)) {
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2), '-subj', "/CN=$ca", '-addext', 'basicConstraints=critical,CA:TRUE',
        '-keyout', "$dir/$ca.key", '-out', "$dir/$ca.crt");
}

# Names are those of the sample; here all are this machine, so the name becomes an address and the pattern stays.
sub settings {
    my ($me, $parts, @sites) = @_;
    my @peers = map { "--peer=$_=ldap://ldap.s$_.example:$site{$_}{port}" } grep { $_ != $me } @sites;
    my ($rc, $out) = run('', "$top/ctl/postroad", '-c', "$top/examples/postroad.conf", qw(ldap-config print --base o=corp --template), "$S/access.in",
        '--server-id', $me, '--tls-dir', "$dir/s$me/tls", '--part', $parts, @peers);
    BAIL_OUT($out) if $rc;
    $out =~ s{ldap://ldap\.s\d+\.example}{ldap://127.0.0.1}g;
    $out =~ s{retry="5 12 60 \+"}{retry="1 +"}g;
    $out =~ s{^TLSProtocolMin 3\.4}{TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.3}m if $gnutls;
    return $out;
}

sub start {
    my ($n) = @_;
    $site{$n}{pid} = slapd_start("s$n", "ldap://127.0.0.1:$site{$n}{port}");
    $site{$n}{root} = LdapWire->new("$dir/s$n/sock", 'cn=root,o=corp', 'secret');
}

sub stop {
    my ($n) = @_;
    slapd_stop("s$n", $site{$n}{pid});
}

# Sites 1 .. n; the tree is loaded at the first.
sub build {
    my (@sites) = @_;
    %site = map { $_ => { port => free_port() } } @sites;
    for my $n (@sites) {
        run('', 'rm', '-rf', "$dir/s$n");
        certificate("s$n/tls", 'ca', "ldap.s$n.example");
        my $database = settings($n, 'limits,services,held,access,index-base,index', @sites) . settings($n, 'refint,replication', @sites);
        slapd_conf("s$n", global => settings($n, 'modules,tls', @sites) =~ s/^moduleload syncprov\n//mr, database => $database =~ s/^overlay refint/overlay syncprov\nsyncprov-checkpoint 100 1\noverlay refint/mr);
        my $conf = slurp("$dir/s$n/slapd.conf");
        $conf =~ s/^overlay syncprov\n(?!syncprov-checkpoint)//m; # slapd_conf has one for tests without
        $conf =~ s/^index objectClass,entryCSN,entryUUID eq\n//m;
        spew("$dir/s$n/slapd.conf", $conf);
    }
    slapd_add('s1', slurp("$S/two-sites.ldif"));
    start($_) for @sites;
}

sub value {
    my ($n, $dn, $name) = @_;
    my ($found) = $site{$n}{root}->search($dn, 'base', ['objectClass'], $name);
    return undef unless $found;
    return join '|', sort @{ $found->[1]{ lc $name } // [] };
}

# All sites come to say the same, and what is wanted.
sub arrives {
    my ($what, $dn, $name, $want) = @_;
    my $all = sub { join ' / ', map { value($_, $dn, $name) // 'gone' } sort keys %site };
    my $expect = join ' / ', map { $want // 'gone' } keys %site;
    ok(wait_for(30, sub { $all->() eq $expect }), $what) or diag($all->());
}

my $alice = "uid=alice,ou=sales,$A";

sub travels {
    my ($form) = @_;
    my @sites = sort keys %site;
    BAIL_OUT("$form: nothing arrives") unless arrives("$form: the tree", $alice, 'mail', 'alice@corp.example');
    for my $n (@sites) {
        is($site{$n}{root}->modify($alice, [replace => 'title', "from $n"]), 0, "$form: a write at site $n");
        arrives("$form: is everywhere", $alice, 'title', "from $n");
    }
    my $person = LdapWire->new("$dir/s1/sock", $alice, 'sample-alice');
    is($person->password($alice, 'changed'), 0, "$form: somebody changes his password");
    for my $n (@sites) {
        ok(wait_for(30, sub { LdapWire->new("$dir/s$n/sock")->bind_as($alice, 'changed') == 0 }), "$form: and binds with it at site $n");
    }
}

# --- two sites, slapd.conf

build(1, 2);
travels('two sites');
like(slurp("$S/postroad-two-sites.conf"), qr/^syncrepl rid=002.*saslmech=EXTERNAL/ms, 'the sample for two sites is of this kind');
unlike(slurp("$S/postroad-three-sites.conf"), qr/^\s*syncprov-sessionlog/m, 'and has no session log');

# Whoever has no certificate of ours reads nothing; TLS 1.2 is not spoken.
sub whoami {
    my ($folder) = @_;
    delete local $ENV{LDAPNOINIT};
    local $ENV{LDAPTLS_CACERT} = "$dir/ca.crt";
    local $ENV{LDAPTLS_CERT} = "$dir/$folder/ldap.crt";
    local $ENV{LDAPTLS_KEY} = "$dir/$folder/ldap.key";
    my ($rc, $out) = run('', qw(ldapwhoami -ZZ -Q -Y EXTERNAL -H), "ldap://127.0.0.1:$site{1}{port}");
    chomp $out;
    return $rc ? 'refused' : $out;
}
certificate('other', 'stranger', 'ldap.s2.example');
certificate('mail', 'ca', 'mx1.s2.example');
certificate('alike', 'ca', 'ldap.s2.example.evil.example');
is(whoami("s2/tls"), 'dn:cn=replicator,cn=services,o=corp', 'the other site is known by its certificate');
isnt(whoami('other'), 'dn:cn=replicator,cn=services,o=corp', 'not somebody with the same name from elsewhere');
isnt(whoami('mail'), 'dn:cn=replicator,cn=services,o=corp', 'nor another host');
isnt(whoami('alike'), 'dn:cn=replicator,cn=services,o=corp', 'nor a name that begins alike');
my ($old) = (run('', qw(openssl s_client -starttls ldap -tls1_2 -connect), "127.0.0.1:$site{1}{port}"))[1] =~ /(Protocol\s*: TLSv1\.2)\s+Cipher\s*: (?!0000|\(NONE\))/;
is($old, undef, 'TLS 1.2 is not spoken');

# A line that is cut: both sides write, then it heals.
stop(2);
is($site{1}{root}->modify($alice, [replace => 'title', 'while 2 was away']), 0, 'site 2 is away, 1 writes');
is($site{1}{root}->add("uid=new1,ou=hr,$A", { objectClass => [qw(inetOrgPerson postroadAccount)], uid => ['new1'], cn => ['x'], sn => ['x'] }), 0, 'adds');
is($site{1}{root}->delete("uid=maqiang,ou=leavers,$A"), 0, 'and deletes');
stop(1);
start(2);
is($site{2}{root}->add("uid=new2,ou=hr,$A", { objectClass => [qw(inetOrgPerson postroadAccount)], uid => ['new2'], cn => ['x'], sn => ['x'] }), 0, 'then 1 is away, 2 adds');
is($site{2}{root}->delete("uid=wuhao,ou=qingdao,dc=post.example,$D"), 0, 'and deletes');
start(1);
arrives('after the cut: what was changed', $alice, 'title', 'while 2 was away');
arrives('what was added at 1', "uid=new1,ou=hr,$A", 'uid', 'new1');
arrives('what was added at 2', "uid=new2,ou=hr,$A", 'uid', 'new2');
arrives('what was deleted at 1', "uid=maqiang,ou=leavers,$A", 'uid', undef);
arrives('what was deleted at 2', "uid=wuhao,ou=qingdao,dc=post.example,$D", 'uid', undef);
stop($_) for keys %site;

# --- three sites, and refint

build(1 .. 3);
travels('three sites');
my ($dep, $dom) = ("uid=wangfang,ou=sales,$A", "uid=lina,ou=hr,$A");
my @gate = split /\|/, value(1, $GATE, 'member');
is($site{2}{root}->delete($dep), 0, 'an administrator is deleted at site 2');
arrives('he is out of the gate', $GATE, 'member', join '|', grep { $_ ne $dep } @gate);
arrives('and of lists', "cn=managers,$A", 'member', join '|', sort $dom, "uid=huangli,ou=finance,$A");
is($site{3}{root}->rename("ou=hr,$A", 'ou=people'), 0, 'a department gets another name at site 3');
(my $now = $dom) =~ s/ou=hr/ou=people/;
arrives('who is in it is in the gate by his new name', $GATE, 'member', join '|', sort map { $_ eq $dom ? $now : $_ } grep { $_ ne $dep } @gate);
$site{1}{root}->modify($alice, [add => 'postroadScope', "ou=east,ou=sales,$A"]);
arrives('a scope', $alice, 'postroadScope', "ou=east,ou=sales,$A");
is($site{1}{root}->rename("ou=sales,$A", 'ou=shops'), 0, 'the department of a scope gets another name');
arrives('and the scope with it', "uid=alice,ou=shops,$A", 'postroadScope', "ou=east,ou=shops,$A");
my %csn = map { $_ => value($_, $GATE, 'entryCSN') } keys %site;
ok(wait_for(30, sub { my %c = map { (value($_, $GATE, 'entryCSN') // '') => 1 } keys %site; keys %c == 1 }), 'all sites hold the same version of the gate');
stop($_) for keys %site;

done_testing();
