#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The policy socket of a real postroad-policyd: what is said to requests of smtpd in each context
# and state, whatever strangers write to it, and many clients at a time. Needs no root.
use strict;
use warnings;
use lib 't';
use Policyd;
use Test::More;
use Time::HiRes qw(time);

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';

my $HEBEI = 'AA:' . '00:' x 30 . '01';
my $SHANDONG = 'BB:' . '00:' x 30 . '02';

sub with_policy {
    my (%settings) = @_;
    my $new = Policyd->new(settings => \%settings);
    $new->{policy} = "$new->{dir}/run/policy";
    $new->{settings}{sockets} =~ s{policy = ""}{policy = "unix:$new->{policy}"};
    $new->write_conf;
    return $new;
}

my $d = with_policy(answer => '{ workers = 1; max_connections = 6000; write_timeout = 2; }');
ok($d->start, 'it starts') or BAIL_OUT($d->log_text);

# What Postfix 3.7 sends at RCPT, with changes; an attribute that is undef is left out.
sub request {
    my (%change) = @_;
    my %a = (
        request => 'smtpd_access_policy', protocol_state => 'RCPT', protocol_name => 'ESMTP',
        client_address => '10.77.0.2', client_name => 'mx1.shandong.example', client_port => 41124,
        server_address => '10.77.0.1', server_port => 2525, helo_name => 'mx1.shandong.example',
        sender => 'guest@outside.example', recipient => 'anna@a.example', recipient_count => 0, queue_id => '',
        instance => '5a1c.68ef.0', size => 512, etrn_domain => '', stress => '', sasl_method => '', ccert_subject => '',
        ccert_fingerprint => $SHANDONG, encryption_protocol => 'TLSv1.3', policy_context => 'handoff', %change,
    );
    return join('', map { defined $a{$_} ? "$_=$a{$_}\n" : () } sort keys %a) . "\n";
}

# Read up to $n actions; the list of those that came before the end or the deadline.
sub actions {
    my ($fh, $n, $seconds) = @_;
    my ($buf, @got) = ('');
    my $end = time + ($seconds // 30);
    while (@got < $n) {
        if ($buf =~ s/\A(.*?)\n\n//s) {
            push @got, $1 =~ s/\Aaction=//r;
            next;
        }
        my $r = '';
        vec($r, fileno $fh, 1) = 1;
        my $left = $end - time;
        last if $left <= 0 || select($r, undef, undef, $left) <= 0;
        sysread($fh, $buf, 65536, length $buf) or last;
    }
    return @got;
}

sub talk {
    my (@bytes) = @_;
    my $fh = $d->connection($d->{policy}) or die "connect: $!\n";
    syswrite $fh, $_ for @bytes;
    return $fh;
}

sub asked {
    my (%change) = @_;
    my ($got) = actions(talk(request(%change)), 1);
    return $got // 'nothing';
}

# --- the hand-off ---
my $as_of = qr/mirror as of \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)/;
my @handoff = (
    ['anna@a.example', 'local', qr/^DUNNO$/],
    ['anne@a.example', 'local by an alias', qr/^DUNNO$/],
    ['ANNA+x@A.Example', 'local, with an extension and in other case', qr/^DUNNO$/],
    ['berta@a.example', 'elsewhere: it never goes to and fro',
        qr/^451 4\.4\.6 shandong hands it over, but hebei would send it to shandong \(home is elsewhere; $as_of$/],
    ['ghost@a.example', 'unknown: never for good', qr/^451 4\.1\.1 .* hebei does not know it \(no such address; $as_of$/],
    ['carl@a.example', 'waits', qr/^451 4\.2\.1 .* hebei would let it wait \(mailbox is being moved; $as_of$/],
    ['all@a.example', 'a list, which nobody would expand here', qr/^451 4\.4\.4 .* hebei has a list of that address/],
    ['anna@else.example', 'not our domain: no open relay', qr/^451 4\.4\.4 .* does not receive for that domain \(domain is not ours/],
    ['postmaster', 'no address', qr/^451 4\.4\.4 .*\(no address; /],
    ['', 'an empty one', qr/^451 4\.4\.4 /],
    ["an\x01na\@a.example", 'control bytes', qr/^451 4\.4\.4 [ -~]+$/],
    ['x' x 4000 . '@a.example', 'far too long', qr/^451 4\.4\.4 [ -~]{1,400}$/],
);
like(asked(recipient => $_->[0]), $_->[2], 'hand-off of ' . substr($_->[0] =~ s/[^ -~]/?/gr, 0, 24) . ": $_->[1]") for @handoff;
like(asked(ccert_fingerprint => lc $SHANDONG), qr/^DUNNO$/, 'a fingerprint in other case is the same');

# --- who is no site ---
my %print = ('no certificate' => '', 'none was sent' => undef, 'an unknown one' => 'CC:' . '00:' x 30 . '01',
    'a part of a known one' => substr($SHANDONG, 0, 60), 'one that is no fingerprint' => 'shandong');
like(asked(ccert_fingerprint => $print{$_}), qr/^454 4\.7\.0 hebei takes mail here only from sites/, "$_: a stranger") for sort keys %print;

# --- none of our business ---
is(asked(policy_context => ''), 'DUNNO', 'no context');
is(asked(policy_context => undef), 'DUNNO', 'context was not sent');
is(asked(policy_context => $_, ccert_fingerprint => '', recipient => 'ghost@a.example'), 'DUNNO', "context $_")
    for qw(submission HANDOFF handoff2 hand);
is(asked(protocol_state => $_, recipient => 'ghost@a.example'), 'DUNNO', "state $_")
    for qw(CONNECT EHLO HELO MAIL DATA END-OF-MESSAGE VRFY ETRN), '';

# --- whole requests, in any portions ---
my @asked = (request(), request(recipient => 'berta@a.example'), request(policy_context => 'x'));
my @told = (qr/^DUNNO$/, qr/^451 4\.4\.6 /, qr/^DUNNO$/);
sub all_like {
    my ($got, $want, $name) = @_;
    ok(@$got == @$want && !(grep { $got->[$_] !~ $want->[$_] } 0 .. $#$want), $name) or diag explain $got;
}
all_like([actions(talk(join '', @asked), 3)], \@told, 'three requests in one write');
all_like([actions(talk(split //, join '', @asked), 3)], \@told, 'three requests byte by byte');
all_like([actions(talk((join '', @asked) x 500), 1500)], [(@told) x 500], '1,500 requests in a row');
{
    my $fh = talk(substr $asked[1], 0, 100);
    is_deeply([actions($fh, 1, 0.2)], [], 'nothing is said to half a request');
    syswrite $fh, substr($asked[1], 100) . $asked[0];
    all_like([actions($fh, 2)], [@told[1, 0]], 'the other half brings the answer');
}
my $filler = join '', map { "extra$_=" . 'x' x 4000 . "\n" } 1 .. 16;
all_like([actions(talk("$filler$asked[1]"), 1)], [$told[1]], 'a request of nearly 64 KiB');
is(scalar(actions(talk("stress=" . 'x' x 4088 . "\n$asked[0]"), 1)), 1, 'a line of 4 KiB');

# --- what is no request ends the connection without an answer ---
my $began = time;
my %garbage = (
    'no request=' => "protocol_state=RCPT\nrecipient=anna\@a.example\n\n",
    'another request=' => request(request => 'smtpd_access_policy2'),
    'an empty request' => "\n",
    'a line without =' => "request=smtpd_access_policy\nprotocol_state\n\n",
    'a line too long' => 'stress=' . 'x' x 4096,
    'a request too long' => "request=smtpd_access_policy\n" . $filler . 'z=' . 'x' x 2000 . "\n",
    'a NUL byte' => "request=smtpd_access_policy\nsender=a\0b\n\n",
    'socketmap' => '27:transport anna@a.example\n,' . "\n",
    'HTTP' => "GET / HTTP/1.0\r\n\r\n",
);
for my $what (sort keys %garbage) {
    my $fh = talk($asked[1] . $garbage{$what});
    all_like([actions($fh, 2)], [$told[1]], "$what: what came before is answered, then nothing");
    ok(Policyd::closed($fh), "$what: the connection ends");
}
cmp_ok(scalar(() = $d->log_text =~ /why="no policy request"/g), '<=', 5 * (1 + int((time - $began) / 60)), 'the log says so, but not for ever');
like($d->log_text, qr/(?:why="no policy request".*){5}/s, 'five times a minute');
is(asked(), 'DUNNO', 'then it answers as ever');

# --- the log ---
like($d->log_text, qr/policy: warning: hand-off by a stranger deferred client=10\.77\.0\.2 fingerprint=\S* skipped=\d+$/m,
    'the log has the stranger');
like($d->log_text, qr/policy: notice: hand-off deferred peer=shandong here="at another site" why="home is elsewhere" skipped=\d+ recipient=berta\@a\.example$/m,
    'and what was deferred');

# --- clients that don't read ---
{
    my $fh = $d->connection($d->{policy});
    $fh->blocking(0);
    my ($sent, $beside) = (0, 0);
    my $bytes = $asked[1] x 100;
    # Until it is cut off: how much the daemon had taken when we had to wait for the first time depends on the machine.
    ok(Policyd::wait_for(sub {
        my $at = $sent % length $bytes;
        my $n = syswrite $fh, $bytes, length($bytes) - $at, $at;
        $sent += $n // 0;
        return 0 if $n && $sent < 10_000_000;
        is(asked(), 'DUNNO', 'beside it all goes on') if !$beside++;
        return $sent >= 10_000_000 || $d->log_text =~ /policy: warning: closed a connection why="does not read its answers"/;
    }), 'after write_timeout it is cut off');
    cmp_ok($sent, '<', 10_000_000, 'a client that never reads is not read from any more');
}

# --- many clients, status, death ---
SKIP: {
    my ($soft) = `sh -c 'ulimit -n'` =~ /(\d+)/;
    skip 'not enough descriptors here (ulimit -n)', 2 if ($soft // 0) < 5200;
    my @idle = grep { $_ } map { $d->connection($d->{policy}) } 1 .. 5000;
    is(scalar @idle, 5000, '5,000 idle connections');
    syswrite $idle[4999], $asked[1];
    all_like([actions($idle[4999], 1)], [$told[1]], 'one of them asks');
}
{
    my $status = `ctl/postroad -c '$d->{conf}' --json status`;
    like($status, qr/"policy": ?\{[^}]*"deferred": ?[1-9]/, 'postroad status counts what was deferred');
    like($status, qr/"name": ?"policy"/, 'and shows the role');
    my ($pid) = $d->pids('policy');
    kill 'KILL', $pid;
    ok(Policyd::wait_for(sub { my ($now) = $d->pids('policy'); $now && $now != $pid }), 'the role is killed, and comes back');
    is(asked(), 'DUNNO', 'and answers');
}
is(sprintf('%o', (stat $d->{policy})[2] & 0777), '660', 'the socket is for owner and group');

# --- reload: the socket goes and comes ---
sub reload {
    $d->write_conf;
    $d->mark;
    kill 'HUP', $d->{pid};
    return $d->wait_log(qr/: reloaded file=/);
}
my $path = $d->{policy};
ok(reload(), 'a reload with nothing new');
is(asked(), 'DUNNO', 'and it answers');
$d->{settings}{sockets} =~ s{policy = "[^"]*"}{policy = ""};
ok(reload(), 'a reload without policy socket');
ok(Policyd::wait_for(sub { !-e $path && !$d->pids('policy') }), 'socket and role are gone');
$d->{settings}{sockets} =~ s{policy = ""}{policy = "unix:$path"};
ok(reload(), 'a reload that wants it again');
is(asked(recipient => 'berta@a.example') =~ $told[1], 1, 'it answers');
is($d->stop, 0, 'it ends with exit code 0');
ok(!-e $path, 'no socket is left');
unlike($d->log_text, qr/died|Sanitizer|panic/, 'and no role died');

# --- the mirror can't be read: no permission out of doubt, no public port blocked ---
$d = with_policy(site => '"河北"', directory => '{ uri = "ldapi://%2Fnonexistent%2Fldapi"; base = "o=t"; }');
ok($d->start, 'started with a directory that was never there') or diag $d->log_text;
like(asked(), qr/^451 4\.3\.0 \?+ can't tell for now: [ -~]+$/, 'hand-off: temporary, and fit for an SMTP reply');
like(asked(ccert_fingerprint => ''), qr/^45[14] /, 'a stranger: temporary too');
is(asked(policy_context => ''), 'DUNNO', 'other contexts: none of our business');
is($d->stop, 0, 'it ends with exit code 0');

done_testing();
