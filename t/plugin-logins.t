#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Logins leave nothing behind, neither in Dovecot with our plugins nor in policyd: all of them by one
# imap-login, imap, pop3-login, pop3 and role access each, whose memory and descriptors are those of
# the beginning at the end. A few hundred; 10,000 with POSTROAD_SOAK=1.
use strict;
use warnings;
use Test::More;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Time::HiRes qw(time);
use Trial;
use Dovecot;

dovecot_needs();
plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);

my $COUNT = $ENV{POSTROAD_SOAK} ? 10_000 : 300;
my $WARM = $ENV{POSTROAD_SOAK} ? 1000 : 100;
my $GROWTH = $ENV{POSTROAD_SOAK} ? 1000 : 600;    # KiB; 100 bytes a login are found
# The pop3 of Dovecot 2.4 keeps a kilobyte of each session for itself, with and without plugins.
my %growth = (pop3 => $GROWTH + (dovecot_series() eq '2.4' ? $COUNT / 7 : 0));
my @SERVICES = qw(imap-login imap pop3-login pop3);
my ($alice, $nil) = ('alice@a.example', 'nil@a.example');
my ($writer, $reader, $none) = map { "$alice*$_\@a.example" } qw(dom dep domn);

my $group = getgrgid((getpwnam 'nobody')[3]);
spew("$dir/directory.ldif", slurp("$top/t/tables/access.ldif"));
ok(policyd_start(qq(ldif = "$dir/directory.ldif";), qq(access: { socket_group = "$group"; };\n)), 'policyd is up');
ok(wait_for(60, sub { (source()->{phase} // '') eq 'loaded' && -S "$dir/access" }), 'with the directory');
my $forever = dovecot_series() eq '2.4' ? 'restart_request_count = unlimited' : 'service_count = 0';
my $one = join '', map { "service $_ {\n  process_limit = 1\n  process_min_avail = 1\n  $forever\n}\n" } @SERVICES;
$one =~ s/(service (imap|pop3) \{\n)/$1  client_limit = 1\n/g;
dovecot_start(users => { $alice => '', $nil => '' }, masters => [map { "$_\@a.example" } qw(dom dep domn)], extra => $one) or BAIL_OUT('Dovecot does not start');
lmtp($alice, "Subject: x\n\nx");

# One of each kind of login, over and over; what goes wrong.
sub login {
    my ($n) = @_;
    my ($who, $want) = @{ ([$alice, 'OK'], [$writer, 'OK'], [$reader, 'OK'], [$none, 'BYE'], [$nil, 'BYE'])[$n % 5] };
    my ($c, $answer) = imap($who);
    return "$who: $answer" if $answer !~ /\b$want\b/;
    if ($want eq 'OK') {
        ask_imap($c, $_) for 'SELECT INBOX', 'FETCH 1 BODY[]', 'STORE 1 +FLAGS (\Seen)', 'LOGOUT';
    }
    return if $n % 7;
    (my $p, $answer) = pop3($who);
    return "$who by POP3: $answer" if $answer !~ ($want eq 'OK' ? qr/^\+OK/ : qr/^-ERR/);
    talk($p, 'QUIT') if $want eq 'OK';
    return;
}

sub logins {
    my ($count) = @_;
    for my $n (1 .. $count) {
        my $wrong = login($n);
        return "$wrong, at login $n" if $wrong;
    }
    return '';
}

sub use_of {
    my ($pid) = @_;
    my ($rss) = slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    my @fds = glob "/proc/$pid/fd/*";
    return { pid => $pid, rss => $rss, fds => scalar @fds };
}

sub usage {
    my ($access) = grep { $_->{name} eq 'access' } @{ status()->{roles} };
    my %use = (access => use_of($access->{pid}));
    for my $pid (map { m{(\d+)$} } glob '/proc/[0-9]*') {
        my ($name, $parent) = slurp("/proc/$pid/stat") =~ /^\d+ \((\S+)\) \S (\d+) / or next;
        $use{$name} = use_of($pid) if $parent == dovecot_pid() && grep { $_ eq $name } @SERVICES;
    }
    return \%use;
}

is(logins($WARM), '', 'the first logins');
my $begin = usage();
my $start = time;
is(logins($COUNT), '', "$COUNT logins");
diag(sprintf '%d logins in %.0f s', $COUNT, time - $start) if $ENV{POSTROAD_SOAK};
my $end = usage();
for my $name (@SERVICES, 'access') {
    my ($was, $is) = ($begin->{$name}, $end->{$name});
    my $figures = "$was->{rss} to $is->{rss} KiB, $was->{fds} to $is->{fds} descriptors";
    is($is->{pid}, $was->{pid}, "$name: one process for all");
    ok(wait_for(30, sub { usage()->{$name}{fds} <= $was->{fds} }), "$name: no descriptor more") or diag($figures);
    cmp_ok($is->{rss} - $was->{rss}, '<', $growth{$name} // $GROWTH, "$name: nor memory to speak of") or diag($figures);
    diag("$name: $figures") if $ENV{POSTROAD_SOAK};
}
ok(wait_for(30, sub { status()->{access}{sessions} == 0 }), 'no session is left open');

dovecot_stop();
policyd_stop();
unlike(dovecot_log(), qr/Panic|killed with signal|undefined symbol/, 'no crash');
done_testing();
