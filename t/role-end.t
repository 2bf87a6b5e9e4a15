#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A role ends while threads of it are within libraries: a mail server that takes its time for a notice, a
# directory server and a webhook that say nothing. It ends at once, in order, and without exit handlers, which
# take down what those threads use; roles without such threads have them run, as leak checkers need.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Socket::INET;
use Test::More;
use Trial;
use HeldTrial;

-x "$top/policyd/postroad-policyd" or plan skip_all => 'not built: make';
my $shim = "$top/t/tools/exit_preload.so";
-e $shim or plan skip_all => 'the tests are not built';
$> == 0 or plan skip_all => 'needs root, as role queue does';
(run('', 'sh', '-c', "nm -D '$top/policyd/postroad-policyd' | grep -q __asan_init"))[0] == 0
    and plan skip_all => 'a program built with a sanitizer looks for leaks by itself';

my $ROUNDS = 4;
my $silent = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $port = $silent->sockport; # whoever connects is never answered
my $at = "127.0.0.1:$port";
spew("$dir/secret", "secret\n");

# Whether that process has a connection there.
sub is_connected {
    my ($pid) = @_;
    my %open = map { (readlink($_) // '') =~ /^socket:\[(\d+)\]$/ ? ($1 => 1) : () } glob "/proc/$pid/fd/*";
    my $there = sprintf ':%04X', $port;
    return grep { my @f = split; @f > 9 && $f[2] =~ /\Q$there\E$/ && $open{ $f[9] } } split /\n/, slurp('/proc/net/tcp');
}
sub threads { my ($pid) = @_; return scalar(() = glob "/proc/$pid/task/*") }

# End a role, as a reload does, and wait for the parent's word on it; how it ended.
sub end_role {
    my ($name, $pid) = @_;
    kill 'HUP', Trial::policyd_pid();
    my $how;
    wait_for(30, sub { ($how) = policyd_log() =~ /role=$name pid=$pid by="([^"]*)"/ });
    return $how // 'not at all';
}
sub handlers_ran { my ($pid) = @_; return policyd_log() =~ /^exit handlers of \S+ pid=$pid$/m }

# Over and over: wait until it is busy, and end it.
sub ends_in_order {
    my ($name, $what, $busy) = @_;
    my (@wrong, %pid);
    for my $round (1 .. $ROUNDS) {
        my $pid;
        wait_for(30, sub { $pid = role_pid($name); $pid && !$pid{$pid} }) or do { push @wrong, 'no role'; last };
        $pid{$pid} = 1;
        $busy->($pid) or push @wrong, 'not busy';
        my $how = end_role($name, $pid);
        push @wrong, $how if $how ne 'exit code 0';
        push @wrong, 'exit handlers ran' if handlers_ran($pid);
    }
    is_deeply(\@wrong, [], $what) or diag(grep { !/debug:/ } split /^/m, policyd_log());
    return;
}

my $directory = qq(ldif = "$top/ldap-schema/two-sites.ldif"; base = "o=corp";);
my $queue = queue_settings();
mkdir $_ for "$dir/state", $held; # for which there is a role held
{
    local $ENV{LD_PRELOAD} = $shim;
    ok(policyd_start($directory, qq(${queue}held: { submit = "smtp://$at"; notices = 1000; };\n)
        . qq(hook: { targets = ["web=http://$at/"]; };\n)), 'policyd starts');
}
my $pid;
ok(wait_for(30, sub { $pid = role_pid('held') }), 'role held is there') or BAIL_OUT(policyd_log());
is(end_role('held', $pid), 'exit code 0', 'role held with nothing on its way ends');
ok(handlers_ran($pid), '- by exit handlers');
ends_in_order('held', 'while notices hang', sub { my ($now) = @_; hold(); return wait_for(30, sub { threads($now) > 2 }) });
my $uid = 0;
ends_in_order('hook', 'while a webhook hangs', sub {
    my ($now) = @_;
    my $told = connected("$dir/hook") or return 0;
    syswrite $told, "event\taccount=alice\@corp.example\tmailbox=INBOX\tuid=" . ++$uid . "\n";
    return wait_for(30, sub { is_connected($now) });
});
policyd_stop();
done_testing();
