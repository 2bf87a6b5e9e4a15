#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# New-mail hooks: real policyd, told of mail over its socket and over HTTP as Dovecot's event
# export does, and a webhook that answers, fails, hangs and goes away. What was acknowledged
# arrives, in order for each account, also after kill -9; what the queue can't hold is counted.
use strict;
use warnings;
use Digest::SHA 'hmac_sha256_hex';
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use lib 't', 't/lib';
use Policyd;
use Ports;
use Test::More;
use POSIX ();
use Time::HiRes qw(time sleep);

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';

# --- a webhook: one process, that writes down what it is told and answers as its file of orders says:
# a line for each request, "200" or another status, "hang", or "close"; the last one stays.

my $d = Policyd->new;
my $dir = $d->{dir};
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64, ReuseAddr => 1) or die $!;
my $port = $listener->sockport;
my $web;
my $test = $$;
END {
    local $?;
    if ($$ == $test && $web) {
        kill "KILL", $web;
        waitpid $web, 0;
    }
}

sub web_start {
    $web = fork // die "fork: $!\n";
    return if $web;
    my %buf;
    my $all = IO::Select->new($listener);
    while (1) {
        for my $fh ($all->can_read(1)) {
            if ($fh == $listener) {
                $all->add(scalar $listener->accept);
                next;
            }
            if (!sysread $fh, $buf{$fh}, 65536, length($buf{$fh} // '')) {
                delete $buf{$fh};
                $all->remove($fh);
                close $fh;
                next;
            }
            $buf{$fh} =~ /^(.*?)\r\n\r\n(.*)/s or next;
            my ($head, $body) = ($1, $2);
            my ($length) = $head =~ /^Content-Length: (\d+)/mi;
            next if length $body < ($length // 0);
            $buf{$fh} = '';
            web_answer($fh, $head, $body);
        }
        getppid() == $test or POSIX::_exit(0);
    }
}

sub web_answer {
    my ($fh, $head, $body) = @_;
    open my $orders, '<', "$dir/orders" or die;
    my @order = <$orders>;
    chomp @order;
    my $order = $order[0];
    if (@order > 1) {
        shift @order;
        Policyd::spew("$dir/orders", join '', map { "$_\n" } @order);
    }
    open my $log, '>>', "$dir/web.log" or die;
    syswrite $log, encode_json({ order => $order, head => $head, body => $body }) . "\n";
    return if $order eq 'hang';
    return shutdown $fh, 2 if $order eq 'close';
    syswrite $fh, "HTTP/1.1 $order Whatever\r\nContent-Length: 0\r\n\r\n";
}

sub orders { Policyd::spew("$dir/orders", join '', map { "$_\n" } @_) }

# What the webhook was told: all of it, or what it took.
my (@told, $read);
sub told {
    open my $log, "<", "$dir/web.log" or return @told;
    seek $log, $read // 0, 0;
    while (my $line = <$log>) {
        $line =~ /\n$/ or last;
        push @told, decode_json($line);
        $told[-1]{event} = decode_json($told[-1]{body});
        $read = tell $log;
    }
    return @told;
}
sub taken { return map { $_->{event} } grep { $_->{order} eq '200' } told() }
# Each once: where an answer was too late, an event comes again.
sub news { my %seen; return grep { !$seen{ $_->{id} }++ } taken() }
# When the daemon, too, is done with what was taken: what comes next finds an empty queue.
sub forget {
    await('the queue is empty', sub { queued() == 0 });
    unlink "$dir/web.log";
    @told = ();
    $read = 0;
}

# --- policyd with a target

my $path = "$dir/run/hook";
Policyd::spew("$dir/key", "geheim\nnot this\n");
Policyd::spew("$dir/headers", "Authorization: Bearer abc\nX-Site: hebei\n");
chmod 0600, "$dir/key", "$dir/headers";
my $http = free_port();
$d->write_conf(
    sockets => "{ map = \"unix:$dir/run/map\"; policy = \"\"; access = \"\"; hook = \"unix:$path\";"
        . " control = \"unix:$dir/run/control\"; http = \"127.0.0.1:$http\"; }",
    hook => hook_conf());

sub hook_conf {
    my (%more) = @_;
    my %s = (
        targets => "[ \"sms=http://127.0.0.1:$port/sms?x=1\" ]",
        secrets => "[ \"sms=$dir/key\" ]", headers => "[ \"sms=$dir/headers\" ]",
        timeout => 2, retry_max => 2, subject => 'true', %more);
    return '{ ' . join(' ', map { "$_ = $s{$_};" } sort keys %s) . ' }';
}

sub connection { return IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) }

# Lines over one connection; the answers.
sub say_lines {
    my (@lines) = @_;
    my $fh = connection() or return;
    $fh->autoflush;
    print $fh map { "$_\n" } @lines;
    my @answers;
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 30;
    eval {
        while (@answers < @lines) {
            my $line = <$fh> // last;
            chomp $line;
            push @answers, $line;
        }
    };
    alarm 0;
    return @answers;
}

sub event { my ($account, $mark) = @_; return "event\taccount=$account\tmailbox=INBOX\tuid=$mark\tfrom=a\@b.example\tsubject=hello" }

sub await {
    my ($what, $sub) = @_;
    return Policyd::wait_for($sub, 30) || (diag("in vain: $what"), 0);
}
sub queued {
    my ($answer) = say_lines('list');
    return decode_json($answer // '{}')->{queued} // -1;
}

# How many seconds each event waits for its next try.
sub waits {
    my ($answer) = say_lines('list');
    return map { $_->{wait_s} } @{ decode_json($answer // '{}')->{events} // [] };
}

# With other settings; the role begins anew.
sub reload_with {
    my ($what, %more) = @_;
    $d->write_conf(hook => hook_conf(%more));
    $d->mark;
    kill 'HUP', $d->{pid};
    ok($d->wait_log(qr/reloaded/), "reloaded $what");
    ok($d->wait_log(qr/started role=hook/), 'the role, too');
    await('the role is back', sub { queued() >= 0 });
}

web_start();
orders(200);
ok($d->start, 'policyd starts with a target');
ok(await('the socket', sub { -S $path && connection() }), 'the hook socket is there');

# --- one event

is_deeply([say_lines(event('Anna@A.example', 7))], ['ok'], 'an event is acknowledged');
ok(await('it arrives', sub { news() == 1 }), 'and arrives');
my ($one) = taken();
my $head = (told())[0]{head};
is($one->{account}, 'anna@a.example', 'with the account in its canonical form');
is("$one->{event} $one->{site} $one->{mailbox} $one->{uid} $one->{from} $one->{subject}", 'new-mail hebei INBOX 7 a@b.example hello', 'with what was said of it');
like($one->{id}, qr/^hebei-\d+$/, 'with an id');
like($one->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'and a time');
like($head, qr{^POST /sms\?x=1 HTTP/1.1\r$}m, 'by POST');
like($head, qr{^Content-Type: application/json\r$}m, 'as JSON');
like($head, qr/^Authorization: Bearer abc\r$/m, 'with the headers of the file');
my ($t, $v1) = $head =~ /^Postroad-Signature: t=(\d+), v1=([0-9a-f]{64})\r?$/m;
is($v1, hmac_sha256_hex("$t." . (told())[0]{body}, 'geheim'), 'signed with the key');
ok(await('the queue is empty', sub { queued() == 0 }), 'then it is done with');
unlike($d->log_text, qr/geheim|Bearer/, 'no secret is logged');

# --- what is no event

is_deeply([say_lines("event\taccount=nonsense", "event\taccount=", 'event')], ['ok', 'ok', 'ok'], 'what has no account is taken, and dropped');
like((say_lines("event\tnonsense"))[0], qr/^error\ttext=/, 'what is no line of the protocol is an error');
like((say_lines('nonsense'))[0], qr/^error\ttext=/, 'so is an unknown word');
is_deeply([say_lines(event("x\@a.example", 1) . ("y" x 9000))], ["error\ttext=no line of the protocol"], 'and a line that does not end');
forget();

# --- failures: in order for each account

orders(500, 'close', 503, 'hang', 404, 200);
is_deeply([say_lines(map { event('anna@a.example', $_) } 1 .. 5)], [('ok') x 5], 'five events are acknowledged while the target fails');
ok(await('they arrive', sub { news() == 5 }), 'and arrive when it works');
is(join(' ', map { $_->{uid} } news()), '1 2 3 4 5', 'in order');
like(join(' ', map { "$_->{order}:$_->{event}{uid}" } told()), qr/^500:1 close:1 503:1 hang:1 404:1 (200:1 )+(200:2 )+(200:3 )+(200:4 )+(200:5 ?)+$/, 'after as many tries as it took');
forget();

orders(410, 200);
say_lines(map { event('anna@a.example', $_) } 1 .. 3);
ok(await('the others arrive', sub { news() == 2 }), 'one that is refused for good holds up nobody');
is(join(' ', map { $_->{uid} } news()), '2 3', 'and is not sent again');
forget();

# --- kill -9 in between

orders(500);
my @accounts = map { "u$_\@a.example" } 1 .. 20;
my $acknowledged = 0;
for my $round (1 .. 3) {
    for my $n (1 .. 5) {
        my @answers = say_lines(map { event($_, ($round - 1) * 5 + $n) } @accounts);
        $acknowledged += grep { $_ eq 'ok' } @answers;
    }
    my ($role) = $d->pids('hook');
    kill 'KILL', $role;
    ok(await('it is back', sub { my ($new) = $d->pids('hook'); $new && $new != $role && queued() >= 0 }), "killed ($round), and back");
    is(queued(), $acknowledged, 'with all that was acknowledged');
}
is($acknowledged, 300, 'all 300 were');
orders(200);
say_lines('retry');
ok(await('all arrive', sub { taken() >= 300 && queued() == 0 }), 'they all arrive');
my (%seen, %last, $wrong);
for my $event (taken()) {
    next if $seen{ $event->{id} }++;
    $wrong++ if $event->{uid} != ($last{ $event->{account} } // 0) + 1;
    $last{ $event->{account} } = $event->{uid};
}
is(scalar keys %seen, 300, 'none is lost');
ok(!$wrong, 'each account\'s in order');
forget();

# Killed while events are on their way: they may come twice, but come.
orders('hang');
say_lines(map { event($_, 1) } @accounts);
await('some are on their way', sub { scalar told() });
kill 'KILL', $d->pids('hook');
orders(200);
ok(await('all arrive', sub { my %id; $id{ $_->{account} }++ for taken(); keys %id == 20 }), 'what was on its way is sent again');
ok(await('the queue is empty', sub { queued() == 0 }), 'and done with');
forget();

# The same by policyd as a whole.
orders(500);
say_lines(map { event('anna@a.example', $_) } 1 .. 10);
my @processes = split ' ', do { open my $children, '<', "/proc/$d->{pid}/task/$d->{pid}/children" or die "children: $!"; <$children> };
kill 'KILL', $d->{pid}, map { $d->pids($_) } qw(hook control answer sync);
# The others end by themselves; until then their sockets are taken.
Policyd::wait_for(sub { !$d->running && !grep { -e "/proc/$_/exe" && readlink "/proc/$_/exe" } @processes });
$d->mark;
ok($d->start, 'all of policyd killed and started anew');
orders(200);
ok(await('they arrive', sub { news() == 10 }), 'its events arrive');
is(join(' ', map { $_->{uid} } news()), join(' ', 1 .. 10), 'in order');
forget();

# --- HTTP, as Dovecot's event export

sub post {
    my ($body, $where) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$http", Timeout => 10) or return '';
    print $s 'POST ' . ($where // '/events') . " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    local $/;
    return scalar <$s> // '';
}
sub delivered {
    my (%fields) = @_;
    return encode_json({ event => 'mail_delivery_finished', hostname => 'mx1', fields => { user => 'anna@a.example',
        rcpt_to => '<anna+x@a.example>', mail_from => '<s@b.example>', message_id => '<1@b.example>', message_from => 'S <s@b.example>',
        message_subject => "Gr\x{fc}\x{df}e", message_size => 1234, %fields } });
}
my $code = sub { $_[0] =~ m{^HTTP/1\.1 (\d+)} ? $1 : '' };
is($code->(post(delivered())), 200, 'a delivery told over HTTP is acknowledged');
ok(await('it arrives', sub { news() == 1 }), 'and arrives');
ok(await('the queue is empty', sub { queued() == 0 }), 'and is done with');
($one) = taken();
is("$one->{account} $one->{sender} $one->{message_id} $one->{from} $one->{size}", 'anna@a.example s@b.example <1@b.example> S <s@b.example> 1234', 'with what Dovecot says');
is($one->{subject}, "Gr\x{fc}\x{df}e", 'and its subject');
is($code->(post(delivered(error => 'no'))), 200, 'a delivery that failed is taken');
is($code->(post(encode_json({ event => 'imap_command_finished', fields => {} }))), 200, 'so is another event');
is($code->(post('nonsense')), 400, 'what is no JSON is refused');
is($code->(post('x' x 200000)), 413, 'what is too large is, too');
ok(queued() == 0 && news() == 1, 'none of these is an event');
my ($role) = $d->pids('hook');
kill 'STOP', $role;
like($code->(post(delivered())), qr/^(503|200)$/, 'while role hook hangs, the exporter gets an answer');
kill 'CONT', $role;
# What came meanwhile may have been kept: it has gone when one that came after it has.
say_lines(event('zoe@a.example', 1));
await('it goes on', sub { (grep { $_->{account} eq 'zoe@a.example' } taken()) && queued() == 0 });
forget();

# --- what administrators see

sub postroad { return scalar qx(ctl/postroad -c $d->{conf} @_ 2>&1) }
orders(500);
say_lines(event('anna@a.example', 1), event('berta@a.example', 2));
my $list;
await('both were tried', sub { ($list = postroad('hook list')) =~ /last error: HTTP status 500$/m });
like($list, qr/^2 events wait\n^sms: .*last error: HTTP status 500$/m, 'postroad hook list: how many, and why');
like($list, qr/^ +(\d+)  sms .* berta\@a\.example/m, 'and which');
my ($number) = $list =~ /^ +(\d+)  sms .* berta\@a\.example/m;
is(postroad("hook drop $number"), "dropped\n", 'postroad hook drop');
like(postroad("hook drop $number"), qr/no event has the number/, 'only once');
is(queued(), 1, 'it is gone');
ok(await('status', sub { postroad('status') =~ /^Hooks +1 events wait, the oldest for .*\n +sms: \d+ taken, \d+ refused, \d+ tries failed/m }), 'postroad status shows them');
ok(await('doubt', sub { postroad('status') =~ /1 hook targets take no events/ }), 'and that a target takes none');
my $metrics = do { my $s = IO::Socket::INET->new("127.0.0.1:$http"); print $s "GET /metrics HTTP/1.0\r\n\r\n"; local $/; <$s> };
like($metrics, qr/^postroad_hook_queued 1\npostroad|^postroad_hook_queued 1$/m, 'so do the metrics');
# Each try that fails doubles the wait for the next one: at last it is longer than we look.
reload_with('with long waits', retry_max => 600);
ok(await('a long wait', sub { (waits())[0] > 120 || (say_lines('retry'), 0)[1] }), 'what fails again and again has to wait');
orders(200);
like(postroad('hook retry'), qr/^1 events/, 'postroad hook retry');
ok(await('it arrives', sub { news() == 1 }), 'sends it at once');
forget();

# --- bounds

orders(500);
reload_with('with a small queue', max_events => 16, accounts => '[ "sms=*@a.example" ]');
say_lines(map { event("n$_\@a.example", $_) } 1 .. 25);
is(queued(), 16, 'a full queue holds as many as it may');
ok($d->wait_log(qr/new-mail event given up why="the queue is full" target=sms/), 'which is logged');
say_lines(map { event("n$_\@b.example", $_) } 1 .. 5);
is(queued(), 16, 'accounts that no target wants to hear of are not kept');
orders(200);
say_lines('retry');
# One that was on its way when the order changed may come twice, or though it was given up.
ok(await('the rest arrives', sub { queued() == 0 }), 'those arrive');
my %newest = map { $_->{uid} => 1 } taken();
is(join(' ', sort { $a <=> $b } grep { $_ >= 10 } keys %newest), join(' ', 10 .. 25), 'the newest ones');
forget();

# --- a command

Policyd::spew("$dir/cmd", <<"SH");
#!/bin/sh
event=\$(cat)
echo "\$#|\$1|\$2|\$3|\$event" >>$dir/cmd.log
case \$(cat $dir/exit) in
hang) sleep 60 & echo \$! >>$dir/sleepers; wait ;;
*) exit \$(cat $dir/exit) ;;
esac
SH
chmod 0755, "$dir/cmd";
Policyd::spew("$dir/exit", "75\n");
reload_with('with a command for a target', targets => "[ \"sms=command:$dir/cmd -- %{subject} <%{account}>%{none}\" ]", timeout => 1);
sub ran { open my $log, '<', "$dir/cmd.log" or return 0; my @lines = <$log>; return wantarray ? @lines : scalar @lines }
my $nasty = q(; touch ) . "$dir/harm" . q( $\(date\) `date` "'  x);
is_deeply([say_lines("event\taccount=anna\@a.example\tsubject=$nasty", event('anna@a.example', 2))], ['ok', 'ok'], 'two events for it');
ok(await('it ran', sub { ran() >= 2 }), 'exit code 75: it is tried again');
my ($n, $first, $second, $third, $json) = split /\|/, (ran())[0];
is($n, 3, 'it has three arguments, whatever the event holds');
is($second, $nasty, 'a subject with blanks and quotes is one of them');
is($third, '<anna@a.example>', 'a member of the event within a word, and none for one that is not there');
is(decode_json($json)->{subject}, $nasty, 'the event is on its standard input');
ok(!-e "$dir/harm", 'and no shell has seen it');
is(queued(), 2, 'both wait');
Policyd::spew("$dir/exit", "hang\n");
say_lines('retry');
ok(await('its time is up', sub { postroad('hook list') =~ /last error: its time was up/ }), 'one that hangs is ended');
ok(await('its children too', sub { open my $s, '<', "$dir/sleepers" or return; my ($pid) = <$s>; chomp $pid; !kill 0, $pid }), 'with what it had started');
Policyd::spew("$dir/exit", "65\n");
ok(await('refused', sub { say_lines('retry'); queued() == 0 }), 'exit code 65: refused for good');
Policyd::spew("$dir/exit", "0\n");
unlink "$dir/cmd.log";
say_lines(event('anna@a.example', 3));
# One whose time was up before it was heard of runs again.
ok(await('taken', sub { ran() >= 1 && queued() == 0 }), 'exit code 0: taken');
($role) = $d->pids('hook');
my ($helper) = grep { (split ' ', read_file("/proc/$_/stat") =~ s/.*\) //r)[1] eq $role } map { m{(\d+)} } glob '/proc/[0-9]*';
ok($helper, 'the helper is there');
kill 'KILL', $helper;
ok(await('the role is back', sub { my ($new) = $d->pids('hook'); $new && $new != $role && queued() >= 0 }), 'killed: the role starts anew');
unlink "$dir/cmd.log";
say_lines(event('anna@a.example', 4));
ok(await('taken', sub { ran() >= 1 && queued() == 0 }), 'and its command runs again');

sub read_file { my ($file) = @_; open my $in, '<', $file or return ') X 0'; local $/; return scalar <$in> // ') X 0' }

orders(500);
reload_with('with a short age', max_age => 1);
say_lines(event('anna@a.example', 1));
ok(await('it is given up', sub { queued() == 0 }), 'what is too old is given up');
ok($d->wait_log(qr/new-mail event given up why="it is too old"/), 'which is logged');

is($d->stop, 0, 'policyd ends');
done_testing;
