#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# inject-ldif: inject.t for a directory in a file, with cold tables and the HTTP endpoints: each call
# that can fail fails in turn, also while policyd starts and while it reloads its configuration.
# A start may fail, but says so and leaves with the exit code that has it tried again; a reload may
# be refused, and then all goes on as before.
#
# How to take all of them, or a certain one: see t/lib/Inject.pm.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use IO::Socket::INET;
use Ports;
use Test::More;
use Time::HiRes qw(sleep time);
use Inject;
use InjectTree;
use Trial;

my $POINTS = 22; # of some ten thousand
my @mine = qw(answer sync control policy cold access);
my $TEMPORARY = 75;
my $port = free_port();
inject_needs();
my $postmap = grep { -x "$_/postmap" } split /:/, $ENV{PATH};
mkdir "$dir/postfix";
spew("$dir/postfix/main.cf", "compatibility_level = 3.6\n");
spew("$dir/postfix/master.cf", '');
$postmap &&= `postconf -c $dir/postfix -m 2>/dev/null` =~ /^lmdb$/m;

# --- the directory: h1 is always here, h2 moves to and fro, another x comes each time

my ($round, $moved) = (0, 0);

sub write_directory {
    spew("$dir/directory.ldif", tree()
        . person('h1') . person('h2', $moved ? 'postroadHomeSite: shandong' : ()) . person('h3') . person("x$round"));
    return;
}

sub start_policyd {
    return inject_start(qq(ldif = "$dir/directory.ldif";), qq(cold: { dir = "$dir/state/cold"; };\n), "127.0.0.1:$port");
}

# --- what may be answered

sub web {
    my ($path) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 5) or return '';
    $s->timeout(5);
    print $s "GET $path HTTP/1.0\r\n\r\n";
    my $got = '';
    while (IO::Select->new($s)->can_read(5)) { sysread($s, $got, 65536, length $got) or last }
    return $got;
}

sub look {
    my ($strict) = @_;
    my @bad = look_at($strict, $moved, [ mailbox => 'nobody@a.example', qr/^NOTFOUND/ ]);
    my $status = status();
    my ($health, $metrics) = (web('/healthz'), web('/metrics'));
    return @bad if !$strict;
    push @bad, 'no status'           if !$status->{ok};
    push @bad, "health: $health"     if $health !~ m{^HTTP/1\.\d 200 };
    push @bad, "metrics: $metrics"   if $metrics !~ /^postroad_\w+/m;
    return @bad;
}

sub cold {
    my ($table, $key) = @_;
    my (undef, $out) = run('', 'postmap', '-c', "$dir/postfix", '-q', $key, "lmdb:$dir/state/cold/$table");
    chomp $out;
    return $out;
}

# The tables are never without what does not change; strict: they say what the socket says.
sub look_cold {
    my ($strict) = @_;
    return () if !$postmap;
    my $h1 = cold(transport => 'h1@a.example');
    my @bad = $h1 =~ /^lmtp:/ ? () : "cold transport h1: $h1";
    return @bad if !$strict;
    my $h2 = 'OK ' . cold(transport => 'h2@a.example');
    push @bad, "cold transport h2: $h2" if $h2 !~ h2_home($moved);
    push @bad, "cold mailbox x$round"   if cold(mailbox => "x$round\@a.example") ne 'OK';
    return @bad;
}

# --- sessions

sub is_gone { return slurp('/proc/' . Trial::policyd_pid() . '/stat') !~ /\) [^Z] / }

# What was wrong with it; that it is refused is not. It may be the log that fails.
sub reload {
    my $at = length policyd_log();
    my $old = pid_of('control');
    kill 'HUP', Trial::policyd_pid();
    my $ended = sub {
        my $now = pid_of('control');
        return is_gone() || substr(policyd_log(), $at) =~ /reloaded|reload refused/ || $now && $now != $old;
    };
    wait_for(30, $ended) or return 'the reload does not end';
    return;
}

# policyd is started while a call fails: it comes up, or leaves and says why; then it is started again.
sub boot {
    my @bad;
    my $end = policyd_stop();
    push @bad, "it did not end in order: " . ($end // 'killed') if $end;
    my $at = length policyd_log();
    start_policyd();
    wait_for(30, sub { is_gone() || substr(policyd_log(), $at) =~ /: ready site=/ });
    return @bad if !is_gone();
    my $status = policyd_stop();
    push @bad, "exit status $status" if $status != $TEMPORARY << 8 && !Inject::is_libc($status);
    push @bad, 'it left without a word' if !($status & 127) && substr(policyd_log(), $at) !~ /error: /;
    Inject::disarm();
    start_policyd() or push @bad, 'it does not start again';
    return @bad;
}

sub session {
    my ($kind, $role) = @_;
    my @wrong = $kind eq 'boot' ? boot() : $kind eq 'reload' ? reload() : ();
    restart($role) if $kind eq 'start';
    push @wrong, look(0), look_cold(0);
    $round++;
    $moved = !$moved;
    write_directory();
    push @wrong, look(0);
    my @bad;
    wait_for(45, sub { # a file that can't be read is tried again after five seconds, five times in a row
        my $got = lookup('mailbox', "x$round\@a.example");
        @bad = $got eq 'OK OK' ? do { my @cold = look_cold(1); @cold ? @cold : look(1) } : "mailbox x$round\@a.example: $got";
        sleep 0.05;
        return !@bad || is_gone();
    });
    if (is_gone()) {
        push @bad, 'the parent is gone: ' . policyd_stop();
        Inject::disarm();
        start_policyd();
    }
    push @wrong, look_cold(0);
    return (@bad, @wrong);
}

write_directory();
ok(start_policyd(), 'policyd starts') or BAIL_OUT(policyd_log());
ok(wait_for(30, sub { !look(1) && !look_cold(1) }), 'it reads the directory') or BAIL_OUT(policyd_log());
my @points = inject_points(\&session, ['plain'], [ 'reload', 'parent' ], [ 'boot', 'parent' ],
    map { [ 'start', $_ ] } @mine);
inject_all($POINTS, \&session, @points);
is(policyd_stop(), 0, 'policyd ends in order');
done_testing;
