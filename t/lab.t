#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# lab: that the lab leaves nothing behind however it ends, that two of them do not meet, and that the
# host does not notice.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use Exit;
use Lab;
use Test::More;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my $program = "$FindBin::Bin/lab/lab";
my ($held, $loose) = ("held$$", "loose$$");
my $before = host();

# What a lab could change on the host.
sub host {
    my $links = join '', map { /^[0-9]+: (\S+)/ ? "$1\n" : '' } split /\n/, `ip -o link`;
    my $mounts = join '', sort map { (split)[4] . "\n" } split /\n/, Inside::slurp('/proc/self/mountinfo');
    return { links => $links, mounts => $mounts, forward => Inside::slurp('/proc/sys/net/ipv4/ip_forward') };
}

# All processes below this one, and it.
sub below {
    my ($top) = @_;
    my $process = Lab::processes();
    my %in = ($top => 1);
    my $more = 1;
    while ($more) {
        my @new = grep { !$in{$_} && $in{ $process->{$_}{parent} } } keys %$process;
        @in{@new} = (1) x @new;
        $more = @new;
    }
    return keys %in;
}

sub gone {
    my ($what, @pids) = @_;
    my $good = eval { Inside::wait_for('they are gone', 60, sub { !grep { -d "/proc/$_" } @pids }) };
    ok($good, "$what: all " . @pids . ' processes are gone');
    return;
}

# The exit code and the output of the command-line program.
sub lab {
    my (@arguments) = @_;
    local $ENV{POSTROAD_LAB} = $loose;
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $program, @arguments or die "$program: $!\n";
    my $text = do { local $/; <$out> } // '';
    close $out;
    return (exit_code(), $text);
}

sub lab_is {
    my ($code, $like, @arguments) = @_;
    my ($got, $text) = lab(@arguments);
    is($got, $code, "lab @arguments: exits with $code") or diag($text);
    like($text, $like, "lab @arguments: says so");
    return;
}

# A program that holds a lab, as the demo does.
my $holder = fork // die "fork: $!\n";
if (!$holder) {
    my $lab = Lab->up(name => $held);
    sleep while 1;
}
lab_is(0, qr/are up after/,        'up');
lab_is(1, qr/already|is up/,       'up');
lab_is(0, qr/^mx1\.hebei\.example$/, qw(run hebei hostname));
lab_is(7, qr/^$/,                  qw(run hebei sh -c), 'exit 7');
lab_is(1, qr/no site nowhere/,     qw(run nowhere true));
lab_is(0, qr/hebei  slapd    runs/, 'status');
lab_is(2, qr/^usage/,              'frobnicate');

Inside::wait_for('the held lab is up', 60, sub { Lab->find($held) && %{ Lab->find($held)->{site} } == 3 });
my ($one, $two) = map { Lab->find($_) } $held, $loose;
Inside::wait_for('its mail server is up', 60, sub { $one->try('hebei', 'daemon', 'status', 'postfix') });
$one->run('hebei', 'touch', '/etc/postfix/mine');
ok(!-e $two->root('hebei') . '/etc/postfix/mine', 'two labs have their own files');
ok(!-e '/etc/postfix/mine',                       'which are not those of the host');

my @pids = below($one->{unshare});
kill 'KILL', $holder;
waitpid $holder, 0;
gone('its program killed', @pids);
ok($two->try('shandong', 'true'), 'the other one goes on');

@pids = below($two->{unshare});
lab_is(0, qr/^$/, 'down');
gone('down', @pids);
lab_is(1, qr/no lab is up/, 'status');
is_deeply(host(), $before, 'the host is as it was');
done_testing;
