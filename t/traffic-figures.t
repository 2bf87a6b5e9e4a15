#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# How much mail went which way, as postroad status and /metrics show it, behind a real Postfix: it is what
# was sent, and what the accounting has; through restarts and kills of the milter; and the lengths of
# Postfix's queues. What is old says so, and what is not known is not 0.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use JSON::PP;
use Lab;
use Test::More;
use Time::HiRes qw(time sleep);

my @missing = Lab->missing;
push @missing, 'needs milter/postroad-milter' if !-x "$FindBin::Bin/../milter/postroad-milter";
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my $root = $lab->root('hebei');
my ($alice, $lina, $bob, $guest) = ('alice@corp.example', 'lina@corp.example', 'bob@corp.example', 'guest@outside.example');
my $milter = 'unix:postroad/milter,connect_timeout=5s,command_timeout=30s,default_action=tempfail';
my $file = "$root/var/lib/postroad/milter/figures";

sub status { return decode_json($lab->run('hebei', qw(postroad status --json))) }

sub metrics {
    my $get = 'use IO::Socket::INET; my $s = IO::Socket::INET->new("127.0.0.1:8527") or die; print $s "GET /metrics HTTP/1.0\r\n\r\n"; print <$s>';
    my $text = $lab->run('hebei', 'perl', '-e', $get);
    return { $text =~ /^(postroad_\S+) (\S+)$/mg };
}

# What the accounting has, by direction: "messages recipients bytes".
sub accounted {
    my %way;
    for my $file (sort glob "$root/var/lib/postroad/accounting/*.jsonl") {
        for (map { decode_json($_) } split /\n/, Inside::slurp($file)) {
            next if $_->{what} ne 'mail';
            my $w = $way{ $_->{direction} } //= {};
            $w->{bytes} += $_->{bytes} if !$w->{queue}{ $_->{queue} }++;
            $w->{recipients} += $_->{recipients};
        }
    }
    return { map { $_ => keys(%{ $way{$_}{queue} }) . " $way{$_}{recipients} $way{$_}{bytes}" } keys %way };
}

sub shown {
    my ($of) = @_;
    my $way = status()->{flow}{$of}{directions};
    return { map { $_ => "$way->{$_}{messages} $way->{$_}{recipients} $way->{$_}{bytes}" } grep { $way->{$_}{messages} } keys %$way };
}

sub post {
    my (%o) = @_;
    $o{password} = 'sample-' . $o{login} =~ s/@.*//r if $o{login};
    return $lab->send(site => 'hebei', from => $alice, %o)->{accepted};
}

# With these lines at the end of the configuration.
sub configure {
    my ($more) = @_;
    $lab->run('hebei', 'sh', '-c', "cat >>/etc/postroad/postroad.conf <<'END'\n$more\nEND");
    $lab->daemon('stop', 'hebei', 'policyd');
    $lab->daemon('start', 'hebei', 'policyd');
    return;
}

# --- nobody counts ---
configure('queue: { manage = true; interval = 1; };');
is(status()->{flow}, undef, 'without a milter nothing is said of traffic');
is_deeply([ grep { /messages_total|flow/ } keys %{ metrics() } ], [], 'and there are no such metrics');

# --- what is sent is what is shown ---
$lab->daemon('start', 'hebei', 'milter');
$lab->run('hebei', 'postconf', '-e', "smtpd_milters={$milter}", 'non_smtpd_milters=$smtpd_milters',
    'smtpd_soft_error_limit=100000', 'smtpd_hard_error_limit=100000');
$lab->run('hebei', 'postconf', '-P', '2525/inet/milter_macro_daemon_name=handoff');
$lab->reload('hebei');
$lab->wait_for('the milter counts', 60, sub { status()->{flow}{known} });
is_deeply(shown('total'), {}, 'nothing yet');
is(metrics()->{'postroad_messages_total{direction="local",site="hebei"}'}, 0, 'which is known to be nothing');
is((stat $file =~ s{/figures$}{}r)[2] & 07777, 0750, 'the figures are nobody else\'s to read');

# What is sent before midnight is not of today after it.
my ($minute, $hour) = (localtime)[1, 2];
sleep 61 if $hour == 23 && $minute == 59;
my $sent = 0;
$sent += post(login => $alice, to => [ $lina, $bob, $guest, 'news@outside.example' ]) for 1 .. 3;
$sent += post(to => $lina) for 1 .. 2;
$sent += $lab->send(site => 'outside', from => $guest, to => [ $lina, $bob ], server => 'mx1.hebei.example:25')->{accepted};
is($sent, 6, 'six messages are sent');
my $way = shown('total');
is_deeply({ map { $_ => $way->{$_} =~ s/ \d+$//r } keys %$way }, { local => '5 5', handoff => '3 3', outbound => '3 6', inbound => '1 2' },
    'messages and recipients, each way');
is_deeply($way, accounted(), 'and bytes, as the accounting has them');
is_deeply(shown($_), $way, "$_: the same") for qw(hour today);
my $m = metrics();
is($m->{'postroad_messages_total{direction="outbound",site="hebei"}'} . ' ' . $m->{'postroad_recipients_total{direction="outbound",site="hebei"}'}, '3 6', 'in the metrics, too');
my ($bytes) = $way->{outbound} =~ /(\d+)$/;
is($m->{'postroad_bytes_total{direction="outbound",site="hebei"}'}, $bytes, 'with their bytes');
cmp_ok($m->{postroad_flow_age_seconds}, '<', 30, 'and are fresh');
my ($last, $again) = (0, 0);
$lab->wait_for('a further sign of life', 60, sub { my $is = status()->{flow}{age_s}; $again = $is < $last; $last = $is; $again });
ok($again, 'which they stay without mail');
like($lab->run('hebei', qw(postroad status)), qr/^  outbound +3 +3 +\d[^\n]*$/m, 'and for people');

# --- killed ---
$lab->daemon('crash', 'hebei', 'milter');
is_deeply(shown('total'), accounted(), 'killed: nothing is forgotten');
my $age = metrics()->{postroad_flow_age_seconds};
$lab->wait_for('they get old', 60, sub { metrics()->{postroad_flow_age_seconds} > $age + 2 });
pass('without the milter they get old, and stay');
ok(!post(to => $lina), 'mail has to come again');
$lab->daemon('start', 'hebei', 'milter');
$lab->wait_for('a sign of life', 60, sub { metrics()->{postroad_flow_age_seconds} < 2.5 });
ok(post(to => $lina), 'it is back');
is_deeply(shown('total'), accounted(), 'and counts on');

my %before = %{ shown('total') };
my $mark = length $lab->log_text('hebei');
open(my $flood, '-|', $lab->at('hebei', 'flood', $alice, "$lina,$guest", 3, 40)) // die "flood: $!\n";
my $killer = fork // die "fork: $!\n";
if (!$killer) {
    for (1 .. 5) {
        sleep 0.1 + rand 0.1;
        $lab->daemon('crash', 'hebei', 'milter');
        $lab->daemon('start', 'hebei', 'milter');
    }
    POSIX::_exit(0);
}
my $accepted = grep { /^\w+ / } <$flood>;
waitpid $killer, 0;
my %after = %{ shown('total') };
my ($shown) = map { (split ' ', $after{$_})[0] - (split ' ', $before{$_})[0] } 'outbound';
my ($written) = map { (split ' ', accounted()->{$_})[0] - (split ' ', $before{$_})[0] } 'outbound';
cmp_ok($accepted, '>', 20, "$accepted messages are accepted while it is killed five times");
cmp_ok($shown, '>=', $accepted, 'each of them is counted');
cmp_ok($shown, '<=', $written, 'and no other but those in doubt');

# --- events ---
my $told = status()->{flow}{total}{tempfailed};
$lab->daemon('stop', 'hebei', 'policyd');
$lab->daemon('crash', 'hebei', 'milter');
$lab->run('hebei', 'sh', '-c', "cp /etc/postroad/postroad.conf /etc/postroad/before; cat >>/etc/postroad/postroad.conf <<'END'\nmilter: { moderate = [ \"all: from=corp.example\" ]; };\nEND");
$lab->daemon('start', 'hebei', 'policyd', 'milter');
$lab->await_directory('hebei');
ok($lab->wait_for('a held message', 60, sub { post(to => $lina) && status()->{flow}{total}{held} }), 'a message is held');
is(metrics()->{'postroad_message_events_total{event="held",site="hebei"}'}, status()->{flow}{total}{held}, 'and counted as that');
is(status()->{flow}{total}{tempfailed}, $told, 'and not as told to come again');

# --- the queues ---
my $queue;
my $holds = () = $lab->run('hebei', qw(postqueue -j)) =~ /"hold"/g;
$lab->wait_for('the queues are seen', 60, sub { $queue = status()->{queue}; $queue->{known} && $queue->{queues}{hold}{messages} == $holds });
is($queue->{queues}{hold}{messages}, $holds, 'what is on hold is shown');
ok($queue->{may_change}, 'it may be released');
$m = metrics();
is($m->{'postroad_queue_messages{queue="hold"}'} . ' ' . $m->{'postroad_queue_bytes{queue="hold"}'},
    "$queue->{queues}{hold}{messages} $queue->{queues}{hold}{bytes}", 'in the metrics, too');
cmp_ok($m->{'postroad_queue_oldest_seconds{queue="hold"}'}, '>', 0, 'with the age of the oldest');
is($m->{'postroad_queue_oldest_seconds{queue="corrupt"}'}, undef, 'labels are Postfix\'s queues only');
is(join(' ', sort map { /^postroad_queue_messages\{queue="(\w+)"\}$/ ? $1 : () } keys %$m), 'active deferred hold incoming maildrop other', 'and always these');
like($lab->run('hebei', qw(postroad status)), qr/^Queue +(?:.*, )?\d+ hold.*; looked \S+ s ago$/m, 'for people');
$lab->daemon('stop', 'hebei', 'postfix');
$lab->wait_for('it is told', 60, sub { status()->{queue}{error} });
like(status()->{queue}{error}, qr/mail system is down|postqueue/, 'Postfix is down: that is said');
my $old = status()->{queue};
is($old->{queues}{hold}{messages}, $queue->{queues}{hold}{messages}, 'the lengths stay');
$lab->wait_for('they get old', 60, sub { metrics()->{postroad_queue_age_seconds} > 4 });
like($lab->run('hebei', qw(postroad status)), qr/^  \* Postfix's queue can't be listed, its lengths are old/m, 'and old');
$lab->daemon('start', 'hebei', 'postfix');
$lab->wait_for('it is listed again', 60, sub { !status()->{queue}{error} && metrics()->{postroad_queue_age_seconds} < 3 });
pass('and fresh when it is back');

# --- damage ---
$lab->daemon('crash', 'hebei', 'milter');
open my $out, '+<', $file or die "$file: $!";
seek $out, 250, 0;
print $out 'x' x 10;
close $out;
$m = metrics();
is($m->{postroad_flow_readable}, 0, 'a damaged file can\'t be read');
is_deeply([ grep { /messages_total/ } keys %$m ], [], 'and is not shown as 0');
ok(!status()->{flow}{known}, 'nor by status');
like($lab->run('hebei', qw(postroad status)), qr/^  \* The figures of mail can't be read: /m, 'which says so');
$lab->daemon('start', 'hebei', 'milter');
$lab->wait_for('they begin anew', 60, sub { status()->{flow}{known} });
$lab->wait_for('that is in the log', 60, sub { Inside::slurp("$root/var/log/postroad-milter.log") =~ /figures of mail were damaged, and begin anew in part/ });
pass('they begin anew, and that is in the log');
done_testing();
