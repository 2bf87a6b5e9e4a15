#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What may come in, through a real Postfix: ten thousand recipients, a gigabyte announced, headers of
# ten megabytes, bytes that are no text; clients that leave at every step; policy requests nobody
# should send; Postfix killed between the end of a message and its answer. postroad-milter and policyd
# stay as they are, in bounded memory, and what was accepted is counted as Postfix accepted it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use IO::Socket::UNIX;
use JSON::PP;
use Lab;
use Lab::Smtp;
use Test::More;
use Time::HiRes 'time';

my @missing = Lab->missing;
push @missing, 'needs milter/postroad-milter' if !-x "$FindBin::Bin/../milter/postroad-milter";
plan skip_all => join ', ', @missing if @missing;
$SIG{PIPE} = 'IGNORE';

my $lab = Lab->up;
my $root = $lab->root('hebei');
my ($alice, $lina, $guest) = ('alice@corp.example', 'lina@corp.example', 'guest@outside.example');
my $mx = 'mx1.hebei.example:25';

# What has this field goes to the hold queue: Postfix has accepted it, and delivers it to nobody.
$lab->run('hebei', 'sh', '-c', q{echo '/^X-Hold:/ HOLD' >/etc/postfix/hold});
$lab->run('hebei', 'postconf', '-e', 'smtpd_milters={unix:postroad/milter,default_action=tempfail}', 'header_checks=regexp:/etc/postfix/hold',
    'enable_long_queue_ids=yes', 'message_size_limit=50000000', 'smtpd_soft_error_limit=100000', 'smtpd_hard_error_limit=100000', 'smtpd_junk_command_limit=100000');
$lab->run('hebei', 'sh', '-c', q{echo 'milter: { journal = [ "corp.example/sales=no-journal@outside.example" ]; };' >>/etc/postroad/postroad.conf});
$lab->daemon('start', 'hebei', 'milter');
$lab->reload('hebei');
$lab->await_directory('hebei');

# --- who is watched ---
my %watched = map { $_ => 1 } $lab->processes_at('hebei', qr/^postroad-(?:milter|policyd)/);
sub memory_kib { my ($pid) = @_; return Inside::slurp("$root/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : die "no VmHWM of $pid\n" }
my %before = map { $_ => memory_kib($_) } keys %watched;
cmp_ok(scalar(keys %watched), '>', 3, 'milter and policyd are there');

# --- what is counted ---
sub records { return map { decode_json($_) } map { split /\n/, Inside::slurp($_) } sort glob "$root/var/lib/postroad/accounting/*.jsonl" }
sub counted { my ($queue) = @_; return join ', ', sort map { "$_->{direction} $_->{account} $_->{recipients} $_->{bytes}" } grep { $_->{queue} eq $queue } records() }
sub queue_of { my ($reply) = @_; return ($reply // '') =~ /queued as (\w+)/ ? $1 : "none ($reply)" }
my $accepted = 0;

sub dial { my ($from) = @_; my $s = Lab::Smtp->new($lab, 'outside', $mx); $s->say('EHLO client.example'); return $s }

# A message by a connection that is there; how the last answer reads.
sub post {
    my ($s, $text, @to) = @_;
    $s->say("MAIL FROM:<$guest>");
    $s->say("RCPT TO:<$_>") for @to;
    $s->say('DATA');
    $s->raw($text);
    my $reply = $s->say("\r\n.");
    $accepted++ if $reply =~ /^250/;
    return $reply;
}

# Commands all at once, and their answers.
sub pipelined {
    my ($s, @lines) = @_;
    my %code;
    while (my @some = splice @lines, 0, 200) {
        $s->raw(join '', map { "$_\r\n" } @some);
        $code{ substr $s->reply, 0, 3 }++ for @some;
    }
    return \%code;
}

sub crowd { my ($first, $last) = @_; return map { "RCPT TO:<alice+$_\@corp.example>" } $first .. $last }

# --- ten thousand recipients ---
my $s = dial();
my ($sum, $refused) = (0, 0);
for my $part (0 .. 4) {
    my $code = pipelined($s, "MAIL FROM:<$guest>", crowd(1100 * $part + 1, 1100 * $part + 1100));
    $refused += $code->{452} // 0;
    $s->say('DATA');
    my $queue = queue_of($s->say("X-Hold: yes\r\n\r\nx\r\n."));
    $accepted++;
    $sum += $1 if counted($queue) =~ /^inbound $alice (\d+) /;
}
is("$sum $refused", '5000 500', 'five messages to 1,000 each, as Postfix takes them; of those it refuses nobody is counted');
$lab->run('hebei', qw(postconf -e smtpd_recipient_limit=20000));
$lab->reload('hebei');
$s = dial();
my $code = pipelined($s, "MAIL FROM:<$guest>", crowd(1, 10_000));
is($code->{250}, 10_001, 'one message to 10,000');
$s->say('DATA');
my $queue = queue_of($s->say("X-Hold: yes\r\n\r\nx\r\n."));
$accepted++;
is(counted($queue), "inbound $alice 10000 18", 'is counted for all of them');
my ($journaled) = grep { $_->{queue} eq $queue } map { decode_json($_) } map { split /\n/, Inside::slurp($_) } glob "$root/var/lib/postroad/journal/*.jsonl";
is(scalar(@{ $journaled->{recipients} }), 10_000, 'and journaled with all of them');

# --- sizes ---
like($s->say("MAIL FROM:<$guest> SIZE=1073741824"), qr/^552 /, 'a gigabyte announced: Postfix refuses it');
$lab->run('hebei', qw(postconf -e message_size_limit=0));
$lab->reload('hebei');
$s = dial();
like($s->say("MAIL FROM:<$guest> SIZE=1073741824"), qr/^(?:250|452) /, 'where there is no limit it goes on, as there is room');
$s->say($_) for "RCPT TO:<$lina>", 'DATA';
$s->drop;
$s = dial();
like(post($s, "X-Hold: yes\r\nX-Long: " . 'a' x 10_000_000 . "\r\n\r\nx", $lina), qr/^250/, 'a header of ten megabytes');
like(post($s, "X-Hold: yes\r\n" . ('X-Many: ' . 'b' x 90 . "\r\n") x 100_000 . "\r\nx", $lina), qr/^250/, 'ten megabytes of headers');
like(post($s, "X-Hold: yes\r\nSubject: x\r\n" . " folded\r\n" x 100_000 . "\r\nx", $lina), qr/^250/, 'a header of 100,000 lines');

# --- bytes ---
my %odd = (
    'a NUL in a header'      => "Subject: a\0b\r\n\r\nx",
    'NULs in a body'         => "Subject: x\r\n\r\n" . "\0" x 1000,
    'bare line feeds'        => "Subject: x\n\nbody\nand\nmore",
    'bare carriage returns'  => "Subject: x\r\n\r\na\rb\r\rc\r",
    'a CR in a header'       => "Subject: a\rBcc: $alice\r\n\r\nx",
    '8-bit headers'          => "Subject: \xe9\xff\xfe\r\nFrom: \xc0\x80 <$guest>\r\n\r\nx",
    'UTF-8 headers'          => "Subject: \xe9\xa9\xbf\xe8\xb7\xaf\r\nFrom: \xe9\xa9\xbf <$guest>\r\n\r\nx",
    'broken MIME'            => "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\r\n\r\n--b\r\nContent-Type: \r\n\r\n--c--\r\n--b",
    'no end of parts'        => "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" . "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" x 500,
    'several From lines'     => "From: <$guest>\r\nFrom: <$alice>\r\nfrom : <$lina>\r\nFrom:\r\n\r\nx",
    'tricks in From'         => "From: =?utf-8?q?=22alice=40corp.example=22?= =?x?b?!!!?= <\@a,\@b:$guest>, g: $alice, \"$lina\" <x\@y>;\r\n\r\nx",
    'no header at all'       => "\r\nx",
    'nothing at all'         => '',
    'a field without a name' => ": x\r\n : y\r\nSubject x\r\n\r\nx",
    'a line of a megabyte'   => "Subject: x\r\n\r\n" . 'x' x 1_000_000,
);
for my $what (sort keys %odd) {
    my $n = records();
    my $reply = post(dial(), $odd{$what} =~ s/^(?=.*:)/X-Hold: yes\r\n/r, $lina, 'alice+x@corp.example');
    my $new = records() - $n;
    # Newer ones of Postfix refuse bare line feeds.
    is($new, $reply =~ /^250/ ? 2 : 0, "$what: " . ($reply =~ /^250/ ? 'accepted and counted' : 'refused')) or diag $reply;
}
$s = dial();
$s->say("MAIL FROM:<$guest>");
my @addresses = ('<>', "<$alice", "<\@a,\@b:$alice>", '<"a b"@corp.example>', '<"' . 'a' x 2000 . '"@corp.example>', "<al\xffice\@corp.example>", '<alice@[192.0.2.1]>',
    '<alice%corp.example@outside.example>', "<alice\@corp.example> NOTIFY=NEVER ORCPT=rfc822;+00", '<a@' . 'b.' x 500 . 'example>');
like($s->say("RCPT TO:$_"), qr/^[245]\d\d /, 'an odd recipient is answered') for @addresses;
$s->say('RSET');
like($s->say("MAIL FROM:$_"), qr/^[245]\d\d /, 'an odd sender is answered') && $s->say('RSET') for '<"a\ b"@x>', '<' . 'a' x 2000 . '@x>', "<\xe9\@corp.example>", '<@a,@b:alice@corp.example>', '<alice@corp.example';

# --- clients that leave ---
my @steps = ('EHLO client.example', "MAIL FROM:<$guest>", "RCPT TO:<$lina>", "RCPT TO:<$alice>", 'DATA', 'Subject: x', "Subject: y\r\n", 'body');
my $n = records();
for my $last (-1 .. $#steps) {
    my $s = Lab::Smtp->new($lab, 'outside', $mx);
    for my $line (@steps[ 0 .. $last ]) {
        $line =~ /^(?:EHLO|MAIL|RCPT|DATA)/ ? $s->say($line) : $s->raw("$line\r\n");
    }
    $s->drop;
}
$s = Lab::Smtp->new($lab, 'outside', $mx);
for my $last (0 .. 3) {
    $s->say($_) for @steps[ 0 .. $last ];
    $s->say('RSET');
}
is(scalar(records()), $n, 'clients that leave, or begin anew, at each step: nothing is counted');
like(post($s, "X-Hold: yes\r\n\r\nx", $lina), qr/^250/, 'the one that stayed sends a message');
is(scalar(records()), $n + 1, 'which is');

# --- requests to the policy socket ---
my $path = "$root/var/spool/postfix/postroad/policy";
sub policy {
    my ($text, $all) = @_;
    my $c = IO::Socket::UNIX->new(Peer => $path) or return "no connection: $!";
    syswrite $c, $text;
    shutdown $c, 1 if $all;
    my ($got, $end) = ('', time + 20);
    while ($got !~ /\n\n/ && time < $end) {
        my $ready = '';
        vec($ready, fileno $c, 1) = 1;
        select($ready, undef, undef, 1) or next;
        sysread $c, $got, 4096, length $got or last;
    }
    return $got;
}
my $good = "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=203.0.113.25\nsender=$guest\nrecipient=$lina\ninstance=1.2.3\nsasl_username=\n";
like(policy("$good\n"), qr/^action=/, 'a request as Postfix makes it is answered');
my %bad = (
    'without its name'        => "protocol_state=RCPT\nrecipient=$lina\n\n",
    'without anything'        => "\n",
    'without a recipient'     => "request=smtpd_access_policy\nprotocol_state=RCPT\n\n",
    'without a state'         => "request=smtpd_access_policy\nrecipient=$lina\n\n",
    'with a doubled name'     => "${good}recipient=$alice\nrecipient=x\nsasl_username=$alice\nsasl_username=\n\n",
    'with a line without ='   => "${good}nonsense\n\n",
    'with an attribute of 1 MB' => "${good}helo_name=" . 'x' x 1_000_000 . "\n\n",
    'with a name of 1 MB'     => "$good" . 'x' x 1_000_000 . "=x\n\n",
    'with 100,000 attributes' => $good . "a=b\n" x 100_000 . "\n",
    'with NULs'               => "request=smtpd_access_policy\nsender=a\0b\nrecipient=\0\nprotocol_state=RCPT\n\n",
    'that is none'            => join('', map { chr } 128 .. 255) x 100 . "\n\n",
    'that never ends'         => $good,
);
for my $what (sort keys %bad) {
    my $said = policy($bad{$what}, 1);
    ok($said eq '' || $said =~ /\Aaction=(?:DUNNO|[45]\d\d [ -~]+)\n\n\z/, "a request $what: " . ($said eq '' ? 'the connection is closed' : $said =~ s/\n//gr));
}
like(policy("$good\n"), qr/^action=DUNNO/, 'good ones are answered as before');

# --- Postfix is killed between the end of a message and its answer ---
# Another milter behind ours keeps it from its answer: our records are written by then.
$lab->run('hebei', 'sh', '-c', 'setsid hang >/var/log/hang.log 2>&1 </dev/null &');
$lab->run('hebei', qw(postconf -e), 'smtpd_milters={unix:postroad/milter,default_action=tempfail} {inet:127.0.0.1:8899,default_action=accept}');
$lab->reload('hebei');
sub killed {
    my ($program) = @_;
    my $n = records();
    $lab->run('hebei', qw(touch /run/lab/hang));
    my $s = dial();
    $s->say($_) for "MAIL FROM:<$guest>", "RCPT TO:<$lina>", 'DATA';
    $s->raw("Subject: killed\r\n\r\nx\r\n.\r\n");
    $lab->wait_for('the milter has counted it', 60, sub { records() == $n + 1 });
    my @pid = $lab->processes_at('hebei', qr/^$program /);
    $lab->run('hebei', 'kill', '-KILL', @pid);
    $lab->wait_for("$program is gone", 60, sub { !grep { -d "$root/proc/$_" } @pid });
    $lab->run('hebei', qw(rm /run/lab/hang));
    my $reply = $s->reply;
    $s->drop;
    return $reply;
}
like(killed('cleanup'), qr/^451 /, 'cleanup is killed after the milter has agreed: the client is told to come again');
is(killed('smtpd'), '', 'smtpd is: the client hears nothing');
$lab->wait_for('it arrives all the same', 60, sub { $lab->mailbox('hebei', $lina, 'Subject: killed') });
is(scalar($lab->mailbox('hebei', $lina, 'Subject: killed')), 1, 'Postfix has accepted one of the two');
$accepted++;

# --- all in all ---
my $usage = decode_json(join '', Inside::must($lab->at('hebei', 'sh', '-c', 'postroad usage --json --maillog /var/log/mail.log 2>/dev/null; :')));
my %message = map { $_->{queue} => 1 } records();
is("$usage->{without_record} $usage->{refused}{messages} $usage->{uncertain}{messages} " . (keys(%message) - $usage->{refused}{messages}), "0 1 0 $accepted",
    "usage --maillog: the $accepted that Postfix accepted are counted, and one is said to be refused") or diag(JSON::PP->new->canonical->encode($usage));
my %now = map { $_ => 1 } $lab->processes_at('hebei', qr/^postroad-(?:milter|policyd)/);
is_deeply([ sort keys %now ], [ sort keys %watched ], 'milter and policyd are the processes they were');
my @grown = grep { memory_kib($_) > $before{$_} + 64 * 1024 } keys %watched;
is_deeply([ map { "$_: " . memory_kib($_) . ' KiB' } @grown ], [], 'and none has grown by 64 MiB');
note(join ', ', map { "$before{$_} -> " . memory_kib($_) . ' KiB' } sort keys %watched);
done_testing();
