#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The mirror's age beside a real slapd: small while the directory is followed,
# counted from its last answer when it is gone, and the unknown in doubt then.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Time::HiRes qw(time);
use Trial;

plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";
needs(qw(slapd slapadd ldapwhoami));

slapd_conf('a');
slapd_add('a', <<'LDIF');
dn: o=corp
objectClass: organization
o: corp

dn: dc=a.example,o=corp
objectClass: domain
objectClass: postroadDomain
dc: a.example
associatedDomain: a.example
postroadHomeSite: hebei
LDIF
my $slapd = slapd_start('a');
my $uri = Trial::uri_of('a');
spew("$dir/secret", "secret\n");
ok(policyd_start(qq(uri = "$uri"; base = "o=corp"; heartbeat = 1; bind_dn = "cn=root,o=corp"; password_file = "$dir/secret";)),
    'policyd starts');
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), 'the directory is followed');
my $began = time;
ok(wait_for(30, sub { my $age = status()->{mirror}{age_s}; time - $began > 5 && defined $age && $age < 2.5 }),
    'five seconds without a change: the mirror is no older than the last answer');
is(source()->{kind}, 'ldap', 'kind of source');
is(source()->{name}, $uri, 'and which server it is');
my $e = control(verb => 'explain', address => 'nobody@a.example');
is($e->{verdict}, 'unknown', 'who is not there is unknown');

slapd_stop('a', $slapd);
ok(wait_for(30, sub { (source()->{phase} // '') =~ /error|connecting/ }), 'the directory is gone');
my $age = status()->{mirror}{age_s};
cmp_ok($age, '<', time - $began, 'its last answer is what counts, not the last change');
ok(wait_for(30, sub { status()->{mirror}{age_s} > $age + 1 }), 'and from there the mirror grows old');
$e = control(verb => 'explain', address => 'nobody@a.example');
is($e->{verdict}, 'unsure', 'who is not there may exist by now');
is(lookup('transport', 'nobody@a.example'), 'OK postroad-wait:', 'so mail that was accepted for him waits');
like($e->{steps}[-1]{input}, qr/not proven current; source \w+, its last answer \d/, 'explain says why');
is(policyd_stop(), 0, 'policyd ends in order');
done_testing();
