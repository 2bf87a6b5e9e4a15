#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Role held at a real slapd while that is away, or hangs, has older access rules, has lost entries, has those of
# others, or too many; and when the role is killed.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Time::HiRes qw(time);
use Trial;
use HeldTrial;
use HeldDirectory;

-x "$top/policyd/postroad-policyd" or plan skip_all => 'not built: make';
$> == 0 or plan skip_all => 'needs root, as role queue does';
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

plan skip_all => 'ctl/postroad is not built: make' if !-x "$top/ctl/postroad";
my $slapd = slapd_begin();
my $port = sink_start();
my ($directory, $settings) = (directory_settings(), held_settings(qq(submit = "smtp://127.0.0.1:$port"; timeout = 10; notices = 1000;)));
ok(policyd_start($directory, $settings), 'policyd follows slapd');
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' && -S "$dir/access" }), 'all of it') or diag(policyd_log());

# --- the directory is away
my $fifth = hold();
ok(wait_for(30, sub { state($fifth) eq 'held' }), 'one more');
is(slapd_stop('a', $slapd), 0, 'slapd goes away');
my $sixth = hold();
ok(wait_for(30, sub { notices($sixth, 'begin') }), 'a message is held, and its sender told, without it');
ok(wait_for(30, sub { status()->{held}{directory} eq 'away' }), 'status says that it is away');
is(decide($fifth, 'approve')->{state}, 'approved', 'the control socket works');
ok(state_is($fifth, 'approved'), 'and it is released');
$slapd = slapd_start('a');
ok(wait_for(40, sub { state($fifth) eq 'approved' && state($sixth) eq 'held' }), 'slapd is there: it learns of both') or diag(policyd_log());
kill 'STOP', $slapd;
my ($asked, $slowest) = (status()->{held}{directory}, 0);
ok(wait_for(40, sub {
    my $begin = time;
    my $there = show($sixth)->{id};
    $slowest = time - $begin if time - $begin > $slowest;
    $there && status()->{held}{directory} eq 'away' && rounds_pass(4);
}), 'slapd hangs: the role goes on, and counts it as away') or diag(policyd_log());
cmp_ok($slowest, '<', 10 * 0.9, 'the control socket answers all the while, without waiting for held.timeout');
is(decide($sixth, 'approve')->{state}, 'approved', 'and takes verdicts');
ok(state_is($sixth, 'approved'), 'which are carried out');
kill 'CONT', $slapd;
ok(wait_for(40, sub { state($sixth) eq 'approved' }), 'it goes on: it learns of that');

# --- older access rules: what is refused can't be taken away
sub refusals { my ($id) = @_; return scalar(() = audit_log() =~ /"action":"refused"[^\n]*id=\Q$id\E/g) }
my $stuck = hold();
ok(wait_for(30, sub { state($stuck) eq 'held' }), 'one more');
slapd_stop('a', $slapd);
slapd_rules(sub { $_[0] =~ s/=zrscd/=rscd/r });
$slapd = slapd_start('a');
ok(forged($stuck, 'approve'), 'a verdict by nobody');
ok(wait_for(40, sub { status()->{held}{directory} eq 'told' }) && polls_pass(3), 'it is seen, again and again');
ok(has_verdict($stuck), 'but it can\'t be taken away');
is(refusals($stuck), 0, 'which is not recorded each time');
slapd_stop('a', $slapd);
slapd_rules();
$slapd = slapd_start('a');
ok(wait_for(40, sub { !has_verdict($stuck) && refusals($stuck) }), 'now it can') or diag(policyd_log());
is(refusals($stuck), 1, 'and is recorded');
decide($stuck, 'reject', 'enough');
ok(state_is($stuck, 'rejected'), 'the message waited');

# --- entries that are lost, and those of nobody
my $seventh = hold();
ok(wait_for(30, sub { state($seventh) eq 'held' }), 'one more');
ok(ldap_change('a', "dn: postroadHeldId=$seventh,cn=held,o=corp\nchangetype: delete\n"), 'somebody deletes its entry');
ok(ldap_change('a', "dn: postroadHeldId=hebei-0-NOBODY,cn=held,o=corp\nobjectClass: postroadHeld\npostroadHeldId: hebei-0-NOBODY\npostroadHeldSite: hebei\npostroadHeldState: held\n"), 'and makes one that is nobody\'s');
ok(ldap_change('a', "dn: postroadHeldId=shandong-0-OTHER,cn=held,o=corp\nobjectClass: postroadHeld\npostroadHeldId: shandong-0-OTHER\npostroadHeldSite: shandong\npostroadHeldState: held\n"), 'another site has one');
(my $keeper) = entry($fifth) =~ /^postroadHeldKeeper: (.+)/m;
like($keeper, qr/^[\w.-]+-[0-9a-f]{16}$/, 'an entry says who keeps it');
ok(ldap_change('a', "dn: postroadHeldId=hebei-0-RIVAL,cn=held,o=corp\nobjectClass: postroadHeld\npostroadHeldId: hebei-0-RIVAL\npostroadHeldSite: hebei\npostroadHeldState: held\npostroadHeldKeeper: x-0123456789abcdef\n"), 'another machine was given this site\'s name');
my @many = map { hold() } 1 .. 120;
ok(wait_for(150, sub { entries() >= 120 && !grep { !on_disk($_)->{published} } @many }), 'many more') or diag(policyd_log());
ok(ldap_change('a', join '', map { "dn: postroadHeldId=$_,cn=held,o=corp\nchangetype: delete\n\n" } @many), 'whose entries are lost');
ok(role_kill(), 'killed: the next one compares');
ok(wait_for(30, sub { state($seventh) eq 'held' && entry('hebei-0-NOBODY') !~ /^dn:/m }), 'what is missing is there, what is nobody\'s is gone');
like(entry('shandong-0-OTHER'), qr/^dn:/m, 'the other site\'s is none of its business');
ok(wait_for(60, sub { !grep { !/^dn:/m } map { entry($_) } @many[0, 60, 119] }), 'the many are there again') or diag(policyd_log());
ok(wait_for(30, sub { entries() >= 123 }), 'all of them');
my @slices = policyd_log() =~ /entries of held messages were missing in the directory, some are made later entries=(\d+)/g;
ok(@slices && !grep({ $_ < 1 || $_ > 100 } @slices), 'in slices') or diag("@slices");
like(entry('hebei-0-RIVAL'), qr/^dn:/m, 'what another policyd keeps is left alone');
is(status()->{held}{rivals}, 1, 'and status says so');
sub postroad { return (run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", @_))[1] }
like(postroad('status'), qr/^Held.*; another policyd has this site's name/m, 'in words, too');
like(postroad('doctor'), qr/1 entries of held mail are of this site, and another policyd keeps them\n.*give each site a name of its own/, 'and doctor, with what is to be done');
like(policyd_log(), qr/entries of held messages are of this site, and another policyd keeps them.*keeper=x-0123456789abcdef here=\Q$keeper\E/, 'so does the log');
ok(ldap_change('a', "dn: postroadHeldId=hebei-0-RIVAL,cn=held,o=corp\nchangetype: delete\n"), 'it goes');
unlink map { ("$held/$_.json", "$dir/queue/" . (split /-/)[2]) } @many;

# --- killed right after the verdict came, and all of it forgotten at last
is(verdict('lina', $seventh, 'approve', 'killed'), 0, 'a verdict');
role_kill();
ok(state_is($seventh, 'approved', 40), 'is carried out by the next one');
ok(wait_for(30, sub { status()->{held}{rivals} == 0 }), 'which knows of no rival any more');
unlike(postroad('status'), qr/another policyd/, 'nor does status');
is(policyd_stop(), 0, 'policyd ends');
ok(policyd_start($directory, $settings =~ s/timeout = 10;/timeout = 10; keep = 0;/r), 'and starts with no wish to remember');
ok(wait_for(40, sub { entries() == 1 && !(() = glob "$held/*.json") }), 'entries and records go') or diag(ldap_search('a', '-b', 'cn=held,o=corp'), policyd_log());
is(policyd_stop(), 0, 'policyd ends');
unlike(policyd_log(), qr/sample-moderation/, 'nothing says the password');
done_testing;
