#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# starved: policyd without what every program takes for granted: a log that is read, descriptors for
# its clients, for its control socket, for the roles it has to start. Known recipients are answered
# all the while, nobody is called unknown, and when there is enough again all is as before.
use strict;
use warnings;
use lib 't';
use JSON::PP;
use Policyd;
use Test::More;
use Time::HiRes qw(time sleep);

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';
$ENV{PATH} .= ':/usr/bin:/usr/sbin';
my $ANNA = 'OK lmtp:unix:private/dovecot-lmtp';

sub policyd {
    my (%settings) = @_;
    my $d = Policyd->new(settings => { answer => '{ workers = 1; }', %settings });
    $d->{settings}{sockets} =~ s{policy = ""}{policy = "unix:$d->{dir}/run/policy"};
    $d->write_conf;
    return $d;
}

sub knows_anna {
    my ($d, $when) = @_;
    my $got = '';
    my $began = time;
    Policyd::wait_for(sub { ($got = $d->ask('transport', 'anna@a.example')) ne '' }, 30);
    is($got, $ANNA, "$when: who is known is answered") and cmp_ok(time - $began, '<', 15, "$when: and soon");
    return;
}

sub handed_over {
    my ($d, $seconds) = @_;
    my $s = $d->connection("$d->{dir}/run/policy") or return '';
    syswrite $s, "request=smtpd_access_policy\nprotocol_state=RCPT\npolicy_context=handoff\nrecipient=anna\@a.example\n"
        . "ccert_fingerprint=\nccert_pubkey_fingerprint=\n\n";
    my $r = '';
    vec($r, fileno $s, 1) = 1;
    select($r, undef, undef, $seconds // 30) and sysread $s, my $got, 4096;
    return $got // '';
}

sub status {
    my ($d) = @_;
    return eval { decode_json(scalar `ctl/postroad -c '$d->{conf}' --json status 2>/dev/null`) } // {};
}

sub nofile { my ($pid, $n) = @_; return system('prlimit', "--nofile=$n:", '--pid', $pid) == 0 }

sub descriptors { my ($pid) = @_; return scalar(() = glob "/proc/$pid/fd/*") }

# --- a log that nobody reads: its pipe is full

{
    my $d = policyd(log => '{ level = "debug"; lookups = true; }');
    pipe my $in, my $out or die;
    my $pid = fork // die;
    if (!$pid) {
        close $in;
        open STDOUT, '>&', $out or die;
        open STDERR, '>&', $out or die;
        exec $Policyd::program, '-c', $d->{conf} or die;
    }
    close $out;
    $d->{pid} = $pid;
    ok(Policyd::wait_for(sub { $d->ask('transport', 'anna@a.example') eq $ANNA }), 'unread log: it answers');
    my $right = 0;
    $right++ while $right < 1000 && $d->ask('transport', 'anna@a.example') eq $ANNA;
    is($right, 1000, 'unread log: it answers more often than a pipe holds lines');
    my ($old) = $d->pids('answer');
    kill 'KILL', $old;
    ok(Policyd::wait_for(sub { my ($now) = $d->pids('answer'); $now && $now != $old }), 'unread log: a killed role is replaced');
    knows_anna($d, 'unread log');
    my ($control) = $d->pids('control');
    kill 'HUP', $d->{pid};
    ok(Policyd::wait_for(sub { my ($now) = $d->pids('control'); $now && $now != $control }), 'unread log: a reload is done');
    knows_anna($d, 'unread log, after the reload');
    is($d->stop, 0, 'unread log: policyd ends in order');
}

# --- few descriptors for anybody

{
    my $d = policyd();
    ok($d->start(sub { exec 'prlimit', '--nofile=160:160', $Policyd::program, '-c', $d->{conf} }), 'few descriptors: policyd starts')
        or BAIL_OUT($d->log_text);
    my @idle;
    for my $socket (qw(map policy control)) {
        push @idle, grep { $_ } map { $d->connection("$d->{dir}/run/$socket") } 1 .. 250;
    }
    cmp_ok(scalar @idle, '>=', 700, 'few descriptors: ' . @idle . ' idle clients');
    knows_anna($d, 'few descriptors');
    like(handed_over($d), qr/^action=/, 'few descriptors: the policy service answers');
    ok(Policyd::wait_for(sub { status($d)->{ok} }), 'few descriptors: so does the control socket');
    my ($control) = $d->pids('control');
    cmp_ok(descriptors($control), '<', 160, 'few descriptors: control keeps some free');
    @idle = ();
    is($d->stop, 0, 'few descriptors: policyd ends in order');
    unlike($d->log_text, qr/role died/, 'few descriptors: no role died');
}

# --- none at all, for a while

my $d = policyd();
ok($d->start, 'no descriptor: policyd starts') or BAIL_OUT($d->log_text);
for my $role (qw(answer policy control)) {
    my ($pid) = $d->pids($role);
    my $most = (`prlimit --nofile --noheadings --output SOFT --pid $pid` =~ /(\d+)/)[0];
    nofile($pid, descriptors($pid)) or BAIL_OUT('prlimit');
    my $began = time;
    my $got = $role eq 'answer' ? $d->ask('transport', 'anna@a.example') : $role eq 'policy' ? handed_over($d, 3) : '';
    knows_anna($d, "no descriptor for $role") if $role ne 'answer';
    nofile($pid, $most);
    knows_anna($d, "descriptors for $role again");
    ok(Policyd::wait_for(sub { handed_over($d) =~ /^action=/ && status($d)->{ok} }), "descriptors for $role again: all answer");
    is(($d->pids($role))[0], $pid, "no descriptor for $role: it lived on");
}
{
    my $most = (`prlimit --nofile --noheadings --output SOFT --pid $d->{pid}` =~ /(\d+)/)[0];
    nofile($d->{pid}, 3) or BAIL_OUT('prlimit');
    my %old = map { $_ => 1 } my @old = map { $d->pids($_) } qw(policy control sync);
    $d->mark;
    kill 'KILL', @old;
    ok($d->wait_log(qr/can't start role=/), 'no descriptor for the parent: it says so');
    knows_anna($d, 'no descriptor for the parent');
    kill 'HUP', $d->{pid};
    ok($d->wait_log(qr/reload refused, nothing has changed/), 'no descriptor for the parent: a reload is refused');
    knows_anna($d, 'no descriptor for the parent, after the reload');
    nofile($d->{pid}, $most);
    ok(Policyd::wait_for(sub { 3 == grep { !$old{$_} } map { $d->pids($_) } qw(policy control sync) }), 'and again: all roles are back');
    ok(Policyd::wait_for(sub { handed_over($d) =~ /^action=/ && status($d)->{ok} }), 'and again: all answer');
}
is($d->stop, 0, 'no descriptor: policyd ends in order');
done_testing;
