#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# How policyd reaches a provider: StartTLS, ldaps, SASL EXTERNAL by certificate and
# by the socket's peer, certificates that are not to be trusted, and servers that
# take a connection and never answer. With a real slapd on loopback ports.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Certificates;
use IO::Socket::INET;
use Ports;
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";
needs(qw(slapd slapadd ldapmodify ldapwhoami openssl));

sub entry { my ($dn, @lines) = @_; return join("\n", "dn: $dn", @lines) . "\n\n" }

my $tree = entry('o=corp', 'objectClass: organization', 'o: corp')
    . entry('dc=a.example,o=corp', 'objectClass: domain', 'objectClass: postroadDomain', 'dc: a.example',
        'associatedDomain: a.example')
    . entry('uid=alice,dc=a.example,o=corp', 'objectClass: inetOrgPerson', 'objectClass: postroadAccount', 'uid: alice',
        'cn: alice', 'sn: alice', 'mail: alice@a.example');

# --- certificates

authority('ca');
authority('stranger');
certificate('ca', 'server', '/CN=localhost', 'DNS:localhost,IP:127.0.0.1');
certificate('ca', 'elsewhere', '/CN=elsewhere.example', 'DNS:elsewhere.example');
certificate('ca', 'policyd', '/O=corp/CN=policyd', 'DNS:policyd.example');

# --- servers

my ($ldap, $ldaps) = (free_port(), free_port());

# Reading takes a bound identity over TLS: the certificate's, or for ldapi the socket's peer.
sub server {
    my ($certificate) = @_;
    slapd_conf('a', global => <<"GLOBAL", database => <<'DATABASE');
TLSCACertificateFile $dir/ca.crt
TLSCertificateFile $dir/$certificate.crt
TLSCertificateKeyFile $dir/$certificate.key
TLSVerifyClient try
authz-regexp "cn=policyd,o=corp" "cn=policyd,cn=services,o=corp"
authz-regexp "gidNumber=[0-9]+\\\\+uidNumber=$>,cn=peercred,cn=external,cn=auth" "cn=policyd,cn=services,o=corp"
GLOBAL
limits dn.exact="cn=policyd,cn=services,o=corp" size=unlimited
access to * by dn.exact="cn=policyd,cn=services,o=corp" read by * none
DATABASE
    return slapd_start('a', "ldap://127.0.0.1:$ldap/ ldaps://127.0.0.1:$ldaps/");
}

my $tls = qq{tls_ca_file = "$dir/ca.crt"; tls_cert_file = "$dir/policyd.crt"; tls_key_file = "$dir/policyd.key"; sasl_mech = "EXTERNAL"; };
my $times = 'base = "o=corp"; timeout = 2; heartbeat = 1; retry_min = 1; retry_max = 1;';

sub explain_source { my $s = source(); return join ' ', map { "$_=" . ($s->{$_} // '-') } sort keys %$s }

sub works {
    my ($what, $directory) = @_;
    policyd_start("$directory $times");
    ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), $what) or diag(explain_source());
    ok(wait_for(30, sub { lookup('mailbox', 'alice@a.example') eq 'OK OK' }), "$what: and reads");
    policyd_stop();
    run('', 'rm', '-r', "$dir/state");
}

sub fails {
    my ($what, $directory, $why) = @_;
    policyd_start("$directory $times");
    my $start = time;
    ok(wait_for(30, sub { (source()->{error} // '') =~ $why }), $what) or diag(explain_source());
    cmp_ok(time - $start, '<', 15, "$what: soon");
    my ($role) = grep { $_->{name} eq 'sync' } @{ status()->{roles} };
    is($role->{restarts}, 0, "$what: the role is not restarted for it");
    isnt(source()->{connects}, undef, "$what: and policyd is well");
    is(source()->{connects}, 0, "$what: no connection was made");
    is(policyd_stop(), 0, "$what: policyd ends in order");
}

slapd_conf('a');
slapd_add('a', $tree);
my $slapd = server('server');
(my $ldapi = "$dir/a/sock") =~ s{/}{%2F}g;

works('SASL EXTERNAL by the socket', qq{uri = "ldapi://$ldapi"; sasl_mech = "EXTERNAL";});
works('StartTLS and EXTERNAL by certificate', qq{uri = "ldap://127.0.0.1:$ldap"; starttls = "yes"; $tls});
works('ldaps and EXTERNAL by certificate', qq{uri = "ldaps://127.0.0.1:$ldaps"; $tls});
fails('an authority that we do not know', qq{uri = "ldaps://127.0.0.1:$ldaps"; tls_ca_file = "$dir/stranger.crt";}, qr/connect|Can't contact/);
fails('StartTLS with such a one', qq{uri = "ldap://127.0.0.1:$ldap"; starttls = "yes"; tls_ca_file = "$dir/stranger.crt";}, qr/starttls: /);
fails('no certificate of our own', qq{uri = "ldaps://127.0.0.1:$ldaps"; tls_ca_file = "$dir/ca.crt"; sasl_mech = "EXTERNAL";}, qr/bind: /);
slapd_stop('a', $slapd);
$slapd = server('elsewhere');
fails('a certificate of another host', qq{uri = "ldap://127.0.0.1:$ldap"; starttls = "yes"; $tls}, qr/starttls: /);
slapd_stop('a', $slapd);

# --- no answer

my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => free_port(), Listen => 20) or die;
my $port = $deaf->sockport;
fails('a server that never answers the bind', qq{uri = "ldap://127.0.0.1:$port";}, qr/bind: Timed out/);
fails('nor a StartTLS', qq{uri = "ldap://127.0.0.1:$port"; starttls = "yes";}, qr/starttls: Timed out/);
fails('nor shakes hands', qq{uri = "ldaps://127.0.0.1:$port";}, qr/connect: /);
close $deaf;
fails('a port where nobody listens', qq{uri = "ldap://127.0.0.1:$port";}, qr/Can't contact/);
fails('a name that is none', qq{uri = "ldap://nowhere.invalid";}, qr/Can't contact/);

# --- keys that can't be used stop the start
{
    run('', 'rm', '-f', "$dir/policyd.key");
    spew("$dir/policyd.key", "no key\n");
    policyd_start(qq{uri = "ldaps://127.0.0.1:$ldaps"; $tls $times});
    ok(wait_for(30, sub { policyd_log() =~ /directory can't be used why="directory\.tls_/ }), 'a broken key is said');
    policyd_stop();
}

done_testing;
