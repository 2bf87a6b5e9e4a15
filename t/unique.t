#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The part "unique" of `postroad ldap-config`: slapd itself refuses an address that somebody has, also of two
# adds in the same instant; and replication between two sites goes on as without it, duplicates included.
# What it does not see is here as well, so that the manual stays true.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use LdapWire;
use POSIX ();
use Test::More;
use Trial;

plan(skip_all => 'postroad is not built') unless -x "$top/ctl/postroad";
needs(qw(slapd slapadd slaptest ldapwhoami));
my ($modules) = grep { glob "$_/unique.*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap';
plan(skip_all => 'slapd has no module unique here') unless $modules;
my $CORP = 'dc=corp.example,ou=domains,o=corp';

my @config = ("$top/ctl/postroad", '-c', "$top/examples/postroad.conf", qw(ldap-config print --base o=corp --template), "$top/ldap-schema/access.in");
unlike((run('', @config))[1], qr/unique_uri/, 'not among the parts that are taken unless named');
my ($rc, $part) = run('', @config, qw(--part unique));
is($rc, 0, 'print --part unique') or diag($part);
like((run('', @config, qw(--part unique --format ldif)))[1], qr/^objectClass: olcUniqueConfig\nolcOverlay: unique\nolcUniqueURI: serialize ldap:/m, 'the same for cn=config');

# Two sites that replicate both ways.
sub wire { my ($n) = @_; return LdapWire->new("$dir/s$n/sock", 'cn=root,o=corp', 'secret') }
for my $n (1, 2) {
    my $other = 3 - $n;
    slapd_conf("s$n", sid => $n, global => "moduleload unique\n", overlay => $part, database => 'index mail,postroadAlias eq
syncrepl rid=00' . $other . ' provider=' . Trial::uri_of("s$other") . ' searchbase=o=corp type=refreshAndPersist retry="1 +" bindmethod=simple binddn=cn=root,o=corp credentials=secret
multiprovider on');
}
slapd_add('s1', slurp("$top/ldap-schema/two-sites.ldif"));
my %pid = map { $_ => slapd_start("s$_") } 1, 2;
my %site = map { $_ => wire($_) } 1, 2;

sub person {
    my ($uid, %more) = @_;
    return ("uid=$uid,$CORP", { objectClass => [qw(inetOrgPerson postroadAccount)], uid => [$uid], cn => [$uid], sn => ['x'], %more });
}
sub is_there { my ($n, $dn) = @_; return ($site{$n}->search($dn, 'base', ['objectClass'], 'mail'))[0] }

ok(wait_for(60, sub { is_there(2, $CORP) }), 'the tree is at both sites');
is($site{1}->add(person('one', mail => ['x@corp.example'])), 0, 'an address');
is($site{1}->add(person('two', mail => ['X@corp.example'])), 19, 'the same, in other letters: refused');
ok(wait_for(60, sub { is_there(2, (person('one'))[0]) }), 'and once the other site has heard of it');
is($site{2}->add(person('two', mail => ['x@corp.example'])), 19, 'there, too');
is($site{1}->add(person('three', mail => ['three@corp.example'])), 0, 'another one');
is($site{1}->modify((person('three'))[0], [replace => 'mail', 'x@corp.example']), 19, 'by a change: refused');
is($site{1}->modify((person('one'))[0], [replace => 'mail', 'x@corp.example']), 0, 'his own again');
is($site{1}->add(person('four', postroadAlias => ['x@corp.example'])), 0, 'what it does not see: an alias that is somebody\'s mail');

# --- in the same instant
my %count;
for my $i (1 .. 25) {
    my @child = map {
        my $pid = fork // die "fork: $!\n";
        POSIX::_exit(wire(1)->add(person("race$i-$_", mail => ["race$i\@corp.example"]))) unless $pid;
        $pid;
    } 0, 1;
    my $in = grep { waitpid $_, 0; $? == 0 } @child;
    $count{$in}++;
}
is_deeply(\%count, { 1 => 25 }, 'of two adds in the same instant one gets in, each time');

# --- two sites that don't hear each other
slapd_stop('s2', $pid{2});
is($site{1}->add(person('cut1', mail => ['cut@corp.example'])), 0, 'cut off, 1 gives an address');
slapd_stop('s1', $pid{1});
$pid{2} = slapd_start('s2');
$site{2} = wire(2);
is($site{2}->add(person('cut2', mail => ['cut@corp.example'])), 0, 'and 2 gives it to another');
is($site{2}->add(person('cut3', mail => ['cut3@corp.example'])), 0, 'and adds somebody afterwards');
$pid{1} = slapd_start('s1');
$site{1} = wire(1);
for my $n (1, 2) {
    for my $uid (qw(cut1 cut2 cut3)) {
        ok(wait_for(60, sub { is_there($n, (person($uid))[0]) }), "replication is not held up: site $n has $uid");
    }
}
is($site{1}->modify((person('cut2'))[0], [replace => 'title', 'x']), 0, 'whose address is a duplicate is changed otherwise');
is($site{1}->modify((person('cut2'))[0], [delete => 'mail', 'cut@corp.example']), 0, 'and mended');
slapd_stop("s$_", $pid{$_}) for 1, 2;
done_testing();
