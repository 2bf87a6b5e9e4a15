#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Moderation on one machine, but for postroad-milter and Postfix: records as the milter leaves them, a real
# slapd with the real access rules, the daemon's roles held and queue with programs in the place of Postfix's, and
# moderators who use `postroad held`; then root, who does so without the directory.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use HeldTrial;
use JSON::PP;
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
$> == 0 or plan skip_all => 'needs root, as role queue does';
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

my $CORP = 'dc=corp.example,ou=domains,o=corp';
my %dn = (lina => "uid=lina,ou=hr,$CORP", wangfang => "uid=wangfang,ou=sales,$CORP", alice => "uid=alice,ou=sales,$CORP");
slapd_conf('a', database => slurp("$top/ldap-schema/postroad-access.conf"));
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = slapd_start('a');
my $uri = Trial::uri_of('a');

sub secret_file { my ($name, $text) = @_; spew("$dir/$name", "$text\n"); chmod 0600, "$dir/$name"; return "$dir/$name" }
secret_file("pw-$_", "sample-$_") for keys %dn, qw(policyd moderation);
my $port = sink_start();
policyd_start(qq(uri = "$uri"; base = "o=corp"; bind_dn = "cn=policyd,cn=services,o=corp"; password_file = "$dir/pw-policyd"; retry_max = 1;),
    queue_settings() . qq(held: { submit = "smtp://127.0.0.1:$port"; bind_dn = "cn=moderation,cn=services,o=corp"; password_file = "$dir/pw-moderation"; timeout = 2; };\n));
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), 'policyd follows the directory') or diag(policyd_log());

# (exit code, both outputs)
sub held { return run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'held', @_) }
sub as { my ($who, @args) = @_; return held(@args, '-D', $dn{$who}, '--password-file', "$dir/pw-$who") }
sub ids { my ($rc, $out) = @_; return $rc == 0 ? join ' ', map { $_->{id} } @{ decode_json($out)->{messages} } : "exit $rc: $out" }

sub is_run {
    my ($got, $want, $out, $what) = @_;
    ok($got->[0] == $want && $got->[1] =~ $out, $what) or diag("exit $got->[0], want $want\n$got->[1]", policyd_log());
    return;
}

my @id = map { hold(subject => "\x{5831}\x{8868} $_") } 1 .. 4;
ok(wait_for(30, sub { ids(as('lina', 'list', '--json')) eq "@id" }), 'four messages, for a moderator to see') or diag(as('lina', 'list'), policyd_log());
is(ids(as('alice', 'list', '--json')), "@id", 'and for who sent them');
is(ids(as('wangfang', 'list', '--json')), '', 'but not for an administrator without the right approve');
is(ids(held('list', '--json')), "@id", 'root sees the same without the directory');
my ($dir_way, $local_way) = map { decode_json($_)->{message} } (as('lina', 'show', $id[0], '--json'))[1], (held('show', $id[0], '--json'))[1];
is_deeply([@$dir_way{qw(id site state rule sender recipients recipient_count size subject attachments expires)}],
    [@$local_way{qw(id site state rule sender recipients recipient_count size subject attachments expires)}], 'both ways tell the same of one');

my ($queue) = $id[0] =~ /(\w+)\z/;
is_run([as('wangfang', 'approve', $queue)], 1, qr/there is no such held message, or none that you may see/, 'nobody decides without the right');
is_run([as('alice', 'approve', $queue)], 1, qr/you may not decide: holds no role/, 'nor about his own');
is_run([as('lina', 'approve', $queue, '--reason', '可以', '--wait', '60')], 0, qr/^\Q$id[0]\E: approved at \S+Z by \Q$dn{lina}\E$/m, 'a moderator approves, and waits until it is done');
ok(-e "$dir/released/$queue", 'it is released');
is_run([as('lina', 'reject', $id[1], '--reason', 'Use the notice board', '--wait', '60')], 0, qr/rejected at/, 'and rejects');
ok(-e "$dir/deleted/" . ($id[1] =~ /(\w+)\z/)[0], 'it is deleted');
ok(wait_for(30, sub { notices($id[1], 'end') }), 'its sender is told');
like((notices($id[1], 'end'))[0]{body}, qr/Use the notice board/, 'with the reason') ;
is_run([held('reject', $id[0], '--reason', 'x')], 1, qr/approved at .*; the first verdict stands/, 'root comes too late');
is_run([held('approve', $id[2], '--reason', 'phone call', '--wait', '60')], 0, qr/approved at \S+ by root\@/, 'root decides at the machine');
ok(wait_for(30, sub { (as('lina', 'show', $id[2]))[1] =~ /^state +approved at \S+ by root\@/m }), 'which moderators see');
is(ids(as('lina', 'list', '--json')), $id[3], 'one is left');
is(ids(as('lina', 'list', '--state', 'all', '--json')), "@id", 'the others are remembered');

# After a line was cut, replication may bring the entry as another site's moderator left it, who did not know yet.
ok(ldap_change('a', "dn: postroadHeldId=$id[2],cn=held,o=corp\nchangetype: modify\nreplace: postroadHeldState\npostroadHeldState: held\n-\ndelete: postroadHeldBy\n"
      . "-\nadd: postroadHeldVerdict\npostroadHeldVerdict: reject\n-\nadd: postroadHeldReason\npostroadHeldReason: late\n"), 'a verdict from beyond a cut line, over the one that was carried out');
ok(wait_for(30, sub { my ($rc, $text) = as('lina', 'show', $id[2]); $text =~ /^state +approved at \S+ by root\@/m && $text !~ /late/ }),
    'is taken away, and the entry says again what was done') or diag(as('lina', 'show', $id[2]), policyd_log());

slapd_stop('a', $slapd);
is_run([as('lina', 'list')], 75, qr/can't be reached/, 'the directory is away: moderators are told so');
is_run([held('approve', $id[3], '--wait', '60')], 0, qr/approved at/, 'root still decides');
my $log = audit_log();
like($log, qr/"action":"$_->[0]","actor":"$_->[1]/, "audit: $_->[0] by $_->[1]") for ['approve', 'lina\@corp.example'], ['reject', 'lina\@corp.example'], ['approve', 'root@'];
is(policyd_stop(), 0, 'policyd ends');
done_testing();
