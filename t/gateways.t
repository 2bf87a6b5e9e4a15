#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad-milter beside opendkim and a content filter, as examples/gateways has it, with a real
# Postfix: what goes out is signed and stays so with our trace, what any of them refuses is refused
# and not counted, what is accepted is counted once and on its right way, copied to journals once,
# and its lists are written out once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use IO::Socket::UNIX;
use JSON::PP;
use Lab;
use Lab::Smtp;
use Socket qw(SOCK_STREAM);
use Test::More;

my @missing = Lab->missing;
push @missing, 'needs milter/postroad-milter' if !-x "$FindBin::Bin/../milter/postroad-milter";
push @missing, 'needs opendkim' if !grep { -x "$_/opendkim" } qw(/usr/sbin /usr/bin);
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my $root = $lab->root('hebei');
my ($alice, $lina, $bob, $guest) = ('alice@corp.example', 'lina@corp.example', 'bob@corp.example', 'guest@outside.example');
my %login = (login => $alice, password => 'sample-alice');
my $mx = 'mx1.hebei.example:25';

# --- as the examples say ---
my $examples = "$FindBin::Bin/../examples/gateways";
sub put { my ($file, $text) = @_; open my $out, '|-', $lab->at('hebei', 'sh', '-c', "cat >>$file") or die "$file: $!\n"; print $out $text; close $out or die "$file\n" }
put("/etc/postfix/$_", Inside::slurp("$examples/$_.lines")) for qw(main.cf master.cf);
put('/etc/postfix/forged-results', Inside::slurp("$examples/forged-results"));
$lab->run('hebei', qw(postconf -P 2525/inet/smtpd_milters=$postroad_milter));
$lab->run('hebei', qw(postconf -e header_checks=)); # first what opendkim does by itself
$lab->run('hebei', qw(install -d -o opendkim /etc/opendkim));
$lab->run('hebei', 'sh', '-c', 'cd /etc/opendkim && openssl genrsa -out road.private 2048 2>/dev/null && chmod 600 road.private && chown opendkim: road.private'
      . ' && echo "road._domainkey.corp.example v=DKIM1; k=rsa; p=$(openssl rsa -in road.private -pubout 2>/dev/null | sed "/^-/d" | tr -d "\n")" >public');
$lab->run('hebei', 'rm', '-f', '/etc/opendkim.conf');
put('/etc/opendkim/verify.conf', "Mode v\nTestPublicKeys /etc/opendkim/public\n");
put('/etc/opendkim.conf', Inside::slurp("$examples/opendkim.conf") . "TestPublicKeys /etc/opendkim/public\n");
$lab->run('hebei', qw(install -d -o opendkim -g postfix -m 2750 /var/spool/postfix/opendkim));
# It goes into the background before it listens.
sub opendkim_start {
    $lab->run('hebei', qw(opendkim -x /etc/opendkim.conf));
    $lab->wait_for('opendkim listens', 60, sub { IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => "$root/var/spool/postfix/opendkim/opendkim.sock") });
    return;
}
opendkim_start();
$lab->run('hebei', 'sh', '-c', 'setsid filter >/var/log/filter.log 2>&1 </dev/null &');
put('/etc/postroad/postroad.conf', qq(milter: { journal = [ "corp.example/hr=zhangwei\@corp.example", "$bob=no-journal\@outside.example" ]; moderate = [ "words: subject=top-secret" ]; };\n)
      . qq(spoof: { action = "off"; authserv_id = "mx.corp.example"; };\n));
$lab->daemon('start', 'hebei', 'milter');
$lab->reload('hebei');
$lab->await_directory('hebei');

sub records {
    return map { decode_json($_) } map { split /\n/, Inside::slurp($_) } sort glob "$root/var/lib/postroad/accounting/*.jsonl";
}

# "direction account recipients" of one message.
sub counted { my ($queue) = @_; return [ sort map { "$_->{direction} $_->{account} $_->{recipients}" } grep { $_->{queue} eq $queue } records() ] }
sub queue_of { my ($reply) = @_; return ($reply // '') =~ /queued as (\w+)/ ? $1 : 'none' }

# The header fields of a text, in order, folded ones in one line.
sub fields { my ($text) = @_; my ($head) = split /\r?\n\r?\n/, $text, 2; $head =~ s/\r?\n[ \t]+/ /g; return split /\r?\n/, $head }

# --- out ---
my $sent = $lab->send(site => 'hebei', from => $alice, to => [ $guest, $lina ], %login);
$lab->found_in($sent->{mark}, 'outside ' . $guest, "hebei $lina", 'hebei zhangwei@corp.example');
pass('a message to two, and one copy to the journal of one of them');
is_deeply(counted(queue_of($sent->{reply})), ["local $alice 1", "outbound $alice 1"], 'is counted once for each way');
my ($text) = $lab->mailbox('outside', $guest, $sent->{mark});
my @names = map { /^([\w-]+):/ ? lc $1 : () } fields($text);
is(join(' ', grep { /^(postroad-trace|dkim-signature|x-scanned)$/ } @names), 'x-scanned postroad-trace dkim-signature', 'signed, then traced, then scanned');
sub verified {
    my ($message) = @_;
    open my $to, '|-', $lab->at('hebei', 'sh', '-c', 'cat >/run/lab/message') or die "message: $!\n";
    print $to $message =~ s/\r\n/\n/gr;
    close $to;
    my $said = join '', eval { Inside::must($lab->at('hebei', 'sh', '-c', 'opendkim -v -x /etc/opendkim/verify.conf -t /run/lab/message 2>&1; :')) };
    return $said =~ /verification \(.*\) (\w+)/ ? $1 : $said;
}
is(verified($text), 'succeeded', 'the signature holds with our trace');
is(verified($text =~ s/carries/buries/r), 'failed', 'and would not if anything else were changed');

# --- what comes back from outside in our name, as opendkim finds it ---
# What we have signed, header and body; then changed.
my @signed = grep { /^(?:DKIM-Signature|From|To|Subject|Date|Message-ID|MIME-Version|Content-Type):/i } fields($text);
my @unsigned = grep { !/^DKIM/ } @signed;
my ($content) = $text =~ /\r?\n\r?\n(.*?)\s*\z/s;
my ($said, $back) = ('', 0);

# Sent from outside by the envelope's sender: what is said of it; $back is its number.
sub comes_back {
    my ($sender, $body, @header) = @_;
    my $smtp = Lab::Smtp->new($lab, 'outside', $mx);
    $smtp->envelope($sender, $lina);
    $back++;
    return $said = $smtp->say(join '', map { "$_\r\n" } @header, "X-Back: back-$back", '', split(/\r?\n/, $body), '.');
}

# As it arrived: what is written into its header by opendkim and by us.
sub found {
    my $got;
    $lab->wait_for("back-$back arrives", 60, sub { ($got) = $lab->mailbox('hebei', $lina, "back-$back\n") });
    return join ' ', map { /^Authentication-Results: *(\S+);\s*(dkim=\w+)/ ? "$1 $2" : /^(Authentication-Results:.*)/ ? $1 : /^Postroad-Spoof:.*(rule=\d+)/ ? $1 : () } fields($got);
}
sub says { my ($word) = @_; $lab->modify('hebei', "dn: dc=corp.example,ou=domains,o=corp\nchangetype: modify\nreplace: postroadSpoof\npostroadSpoof: $word\n"); return }
says('reject');
$lab->wait_for('the policy is known', 60, sub { comes_back($guest, $content, @unsigned) =~ /^550 5\.7\.1 .*rule spoof 3, corp\.example in From/ });
pass('unsigned, in our name: refused, as the domain says');
like(comes_back($guest, $content, @signed), qr/^250 /, 'forwarded as we have signed it: let pass');
is(found(), 'mx.corp.example dkim=pass', 'by what opendkim has found');
like(comes_back($alice, $content, @signed), qr/^250 /, 'with our sender in the envelope, too');
like(comes_back($guest, "$content\r\nBuy this.", @signed), qr/^550 5\.7\.1 .*rule spoof 3/, 'changed on its way: refused');
like(comes_back($alice, $content, "Authentication-Results: $_", @unsigned), qr/^550 5\.7\.1 .*rule spoof 3/, 'who vouches for himself is refused: ' . $_ =~ s/\s+/ /gr)
  for map({ "mx.corp.example; $_" } 'dkim=pass header.d=corp.example', 'dmarc=pass header.from=corp.example', 'spf=pass smtp.mailfrom=corp.example; dkim=pass header.d=corp.example', "\r\n\tdmarc=pass\r\n\theader.from=corp.example"),
  '"MX.corp.example" (x) 1; dmarc=pass header.from=corp.example';
like(comes_back($alice, "$content\r\nx", ('Authentication-Results: mx.corp.example; dmarc=pass header.from=corp.example') x 3, @signed), qr/^550 /, 'thrice, and with a broken signature');
like(comes_back($guest, $content, 'Authentication-Results: mx.corp.example; dmarc=pass header.from=corp.example', 'From: guest@outside.example'), qr/^250 /, 'who says so of his own mail');
is(found(), 'mx.corp.example dkim=none', 'has it taken away');
like(comes_back($guest, $content, 'Authentication-Results: mx.outside.example; dkim=pass header.d=outside.example', 'From: guest@outside.example'), qr/^250 /, 'what others have found');
is(found(), 'mx.corp.example dkim=none mx.outside.example dkim=pass', 'stands below it');
says('quarantine');
$lab->wait_for('the policy is known', 60, sub { comes_back($guest, "$content\r\nx", @signed) =~ /^250 / });
my $spoofed = queue_of($said);
$lab->wait_for('changed, quarantine: it is held', 60, sub { $lab->run('hebei', qw(postqueue -j)) =~ /"queue_name": "hold", "queue_id": "$spoofed"/ });
is_deeply(counted($spoofed), ["inbound $lina 1"], 'changed, quarantine: held, and counted once');
$lab->run('hebei', qw(postsuper -H), $spoofed);
is(found(), 'rule=4 mx.corp.example dkim=fail', 'marked above what opendkim has found, when it is let go');
says('tag');
$lab->wait_for('the policy is known', 60, sub { comes_back($guest, "$content\r\nx", @signed) =~ /^250 / && found() =~ /rule=8/ });
is(found(), 'rule=8 mx.corp.example dkim=fail', 'changed, tag: marked');
$lab->run('hebei', 'postconf', '-e', 'header_checks=regexp:/etc/postfix/forged-results');
$lab->run('hebei', 'sh', '-c', 'sed -i "s/^On-BadSignature.*/On-BadSignature reject/" /etc/opendkim.conf && kill $(pidof opendkim)');
$lab->wait_for('opendkim has ended', 60, sub { !$lab->try('hebei', qw(pidof opendkim)) });
opendkim_start();
$lab->reload('hebei');

# --- in ---
$lab->wait_for('opendkim refuses', 60, sub { comes_back($guest, 'x', @signed) =~ /^550 5\.7\.0/ });
my @before = records();
my $smtp = Lab::Smtp->new($lab, 'outside', $mx);
$smtp->envelope($guest, $lina);
like($smtp->say(join('', map { "$_\r\n" } @signed) . "\r\nForged.\r\n."),
    qr/^550 5\.7\.0 bad DKIM signature data/, 'what opendkim refuses, the client is told');
is(scalar(records()), scalar(@before), 'and it is not counted');
$smtp->say('RSET');
$smtp->envelope($guest, $lina);
like($smtp->say("Postroad-Trace: x\r\n" x 65 . "\r\nx\r\n."), qr/^554 5\.6\.0 Too many/, 'what we refuse, too');
is(scalar(records()), scalar(@before), 'nor is that');
$smtp->say('RSET');
$smtp->envelope($guest, $lina, $bob);
my $reply = $smtp->say("Subject: x\r\nPostroad-Trace: forged\r\n\r\nword-in\r\n.");
is_deeply(counted(queue_of($reply)), ["inbound $bob 1", "inbound $lina 1"], 'what comes in through all of them is counted once, as coming in');
$lab->wait_for('it arrives', 60, sub { $lab->mailbox('shandong', $bob, 'word-in') && $lab->mailbox('hebei', $lina, 'word-in') && $lab->mailbox('hebei', 'zhangwei@corp.example', 'word-in') });
is(scalar($lab->mailbox('hebei', 'zhangwei@corp.example', 'word-in')), 1, 'and copied once');
like(($lab->mailbox('hebei', 'zhangwei@corp.example', 'word-in'))[0], qr/^X-Scanned: .*^Postroad-Trace: site=hebei;/ms, 'as it came back from the filter');
my ($here) = $lab->mailbox('hebei', $lina, 'word-in');
is_deeply([ map { s/id=\w+; time=\S+/X/r } grep { /^Postroad-Trace/i } fields($here) ], ['Postroad-Trace: site=hebei; X'], 'with our trace, and no forged one');
$lab->wait_for('the copy bounces', 60, sub { $lab->log_text('hebei') =~ /to=<no-journal\@outside\.example>,.* status=bounced/ });
my ($second) = $lab->log_text('hebei') =~ / (\w+): to=<no-journal\@outside\.example>,.* status=bounced/;
$lab->wait_for('it is done', 60, sub { $lab->log_text('hebei') =~ /qmgr\[\d+\]: $second: removed/ });
unlike($lab->log_text('hebei'), qr/ $second: sender (?:non-delivery|delay) notification/, 'a copy that bounces behind the filter: nobody is told');

# --- what the filter says ---
sub told { return join "\n", grep { /VIRUS|LATER/ || /^Final-Recipient/m } map { $lab->mailbox('hebei', $_) } @_ }
$reply = Lab::Smtp->new($lab, 'hebei', '127.0.0.1:25');
$reply->envelope($alice, $lina, $guest);
my $bad = queue_of($reply->say("Subject: VIRUS\r\n\r\nx\r\n."));
is_deeply(counted($bad), ["local $alice 1", "outbound $alice 1"], 'what the filter will refuse was accepted, and is counted');
$lab->wait_for('the sender hears of it', 60, sub { told($alice) =~ /550 5\.7\.0 Bad content/ });
my $bounce = told($alice);
like($bounce, qr/Final-Recipient: rfc822; \Q$_\E/, "that $_ does not get it") for $lina, $guest;
unlike($bounce, qr/zhangwei/, 'and nothing of the journal');
is(scalar(grep { /VIRUS/ } $lab->mailbox('hebei', $lina)), 0, 'nor does he');
$lab->run('hebei', 'touch', '/run/lab/filter-later');
$reply->envelope($alice, $bob);
my $later = queue_of($reply->say("Subject: LATER\r\n\r\nLATER\r\n."));
$lab->wait_for('it waits', 60, sub { $lab->log_text('hebei') =~ /postfix\/scan\/smtp\[\d+\]: $later: .*status=deferred .*450 4\.5\.0 Not now/ });
pass('what it has no time for waits');
$lab->run('hebei', 'rm', '/run/lab/filter-later');
$lab->run('hebei', qw(postqueue -i), $later);
$lab->wait_for('it arrives', 60, sub { $lab->mailbox('shandong', $bob, 'LATER') });
is_deeply(counted($later), ["handoff $alice 1"], 'and is counted once, however often it was tried');

# --- held by a rule ---
$reply->envelope($alice, $lina);
my $held = queue_of($reply->say("Subject: top-secret\r\n\r\nword-held\r\n."));
$lab->wait_for('it is held', 60, sub { $lab->run('hebei', qw(postqueue -j)) =~ /"queue_name": "hold", "queue_id": "$held"/ });
unlike($lab->log_text('hebei'), qr/postfix\/scan\/smtp\[\d+\]: $held:/, 'what a rule holds has not been scanned');
$lab->run('hebei', qw(postsuper -H), $held);
$lab->run('hebei', qw(postqueue -i), $held);
$lab->wait_for('it arrives', 60, sub { $lab->mailbox('hebei', $lina, 'word-held') });
my ($released) = $lab->mailbox('hebei', $lina, 'word-held');
like($released, qr/^X-Scanned/m, 'once released it is, and arrives');
is_deeply(counted($held), ["local $alice 1"], 'counted once');

# --- lists, and mail between the sites ---
# A filter that is told of each recipient by itself: what was written out before would be so again.
$lab->run('hebei', qw(postconf -e scan_destination_recipient_limit=1));
$lab->reload('hebei');
$lab->modify('hebei', "dn: uid=alice,ou=sales,dc=corp.example,ou=domains,o=corp\nchangetype: modify\nadd: postroadForward\npostroadForward: $guest\n");
for my $site (qw(hebei shandong)) { $lab->wait_for("$site knows the forward", 30, sub { $lab->try($site, 'sh', '-c', "postroad lookup alias $alice | grep -q guest") }) }
$sent = $lab->send(site => 'outside', from => 'news@outside.example', to => $alice, server => $mx);
is(eval { $lab->found_in($sent->{mark}, "hebei $alice", "outside $guest") } // $@, "mailboxes that hold it: hebei $alice, outside $guest", 'a forward is followed once, behind the filter');
$sent = $lab->send(site => 'shandong', from => $bob, to => [ $alice, $lina ], login => $bob, password => 'sample-bob');
is(eval { $lab->found_in($sent->{mark}, "hebei $alice", "hebei $lina", "outside $guest") } // $@, "mailboxes that hold it: hebei $alice, hebei $lina, outside $guest", 'what the other site hands over is forwarded once');
my ($handed) = $lab->mailbox('hebei', $lina, $sent->{mark});
unlike($handed, qr/^X-Scanned|^Authentication-Results/m, 'and is neither scanned nor verified again');
is(scalar(grep { $_->{direction} eq 'transit' } records()), 1, 'and is in transit');
my $outbound = grep { $_->{direction} eq 'outbound' } records();
$lab->run('hebei', 'sh', '-c', "echo hello-guest | sendmail -f $alice $guest");
$lab->wait_for('a message without SMTP', 60, sub { $lab->mailbox('outside', $guest, 'hello-guest') });
is(scalar(grep { $_->{direction} eq 'outbound' } records()), $outbound + 1, 'without SMTP: counted once');
$lab->wait_for('all queues are empty', 60, sub { !$lab->queued('hebei') });

# --- another milter has messages held: what the manual warns of ---
# It asks for that at the end of each message, and has no other opinion.
put('/run/lab/holder', <<'END');
use IO::Socket::UNIX;
my $listen = IO::Socket::UNIX->new(Local => '/var/spool/postfix/opendkim/holder', Listen => 8) or die "$!\n";
chmod 0666, '/var/spool/postfix/opendkim/holder';
$SIG{CHLD} = 'IGNORE';
while (my $s = $listen->accept // ($!{EINTR} ? redo : undef)) {
    next if fork;
    my $say = sub { syswrite $s, pack('N', length $_[0]) . $_[0] };
    my ($n, $packet);
    while (read($s, $n, 4) && read($s, $packet, unpack 'N', $n)) {
        my $letter = substr $packet, 0, 1;
        exit if $letter eq 'Q';
        next if $letter =~ /[DA]/;
        $say->('qhas to wait'."\0") if $letter eq 'E';
        $say->($letter eq 'O' ? 'O' . pack 'NNN', 6, 0x20, 0 : 'c');
    }
    exit;
}
END
$lab->run('hebei', 'sh', '-c', 'setsid perl /run/lab/holder >/var/log/holder.log 2>&1 </dev/null &');
$lab->wait_for('it listens', 30, sub { $lab->try('hebei', qw(test -S /var/spool/postfix/opendkim/holder)) });
my $before = records();
$lab->run('hebei', 'postconf', '-e', 'smtpd_milters=unix:opendkim/holder, $postroad_milter');
$lab->reload('hebei');
my $hidden;
$lab->wait_for('a message is held by it', 30, sub {
    my $held = Lab::Smtp->new($lab, 'outside', $mx);
    $held->envelope($guest, $bob);
    $hidden = queue_of($held->say("Subject: x\r\n\r\nword-hidden\r\n."));
    return $lab->run('hebei', qw(postqueue -j)) =~ /"queue_name": "hold", "queue_id": "$hidden"/;
});
is(records() - $before, 0, 'what another milter has held Postfix does not ask us about');
unlike($lab->run('hebei', 'sh', '-c', 'postroad held list 2>&1; :'), qr/$hidden/, 'nor does postroad held know it');
$lab->run('hebei', qw(postsuper -H), $hidden);
$lab->run('hebei', qw(postqueue -i), $hidden);
$lab->wait_for('it arrives', 60, sub { $lab->mailbox('shandong', $bob, 'word-hidden') });
$lab->wait_for('all queues are empty', 60, sub { !$lab->queued('hebei') });

# --- all in all ---
my $usage = decode_json($lab->run('hebei', 'sh', '-c', 'postroad usage --json --maillog /var/log/mail.log; test $? = 1'));
is("$usage->{without_record} $usage->{refused}{messages} $usage->{uncertain}{messages} " . @{ $usage->{gaps} }, '1 0 0 0',
    'the log of Postfix has no other message that was not counted, nor the other way round') or diag(JSON::PP->new->canonical->encode($usage));
my %times;
$times{"$_->{queue} $_->{part}"}++ for records();
is_deeply([ grep { $times{$_} > 1 } keys %times ], [], 'and none is counted twice');
done_testing();
