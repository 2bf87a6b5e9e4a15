#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Mail from outside in our own name, through a real Postfix: what is refused, held, marked and let
# pass, by domain; who vouches for whom; what forgers do to From; what happens in doubt.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use JSON::PP;
use Lab;
use Test::More;

my @missing = Lab->missing;
push @missing, 'needs milter/postroad-milter' if !-x "$FindBin::Bin/../milter/postroad-milter";
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my $root = $lab->root('hebei');
my ($alice, $lina, $guest) = ('alice@corp.example', 'lina@corp.example', 'guest@outside.example');
my $milter = 'unix:postroad/milter,connect_timeout=5s,command_timeout=30s,default_action=tempfail';
my $mark = 0;

# Killed, which takes less time than libmilter does to end.
sub restart {
    my ($more) = @_;
    $lab->daemon('crash', 'hebei', 'milter');
    $lab->run('hebei', 'sh', '-c', "cp -n /etc/postroad/postroad.conf /etc/postroad/first; cp /etc/postroad/first /etc/postroad/postroad.conf; cat >>/etc/postroad/postroad.conf <<'END'\n$more\nEND");
    $lab->daemon('start', 'hebei', 'milter');
    return;
}

# What postroadSpoof at a domain says; "" nothing.
sub policy {
    my ($domain, $word) = @_;
    $lab->modify('hebei', "dn: dc=$domain,ou=domains,o=corp\nchangetype: modify\nreplace: postroadSpoof\n" . ($word ? "postroadSpoof: $word\n" : ''));
    return;
}

# By SMTP from outside; the server's last answer. From: the envelope, o{client}: who it says it is; o{at}: from
# which site, o{to}: to which address of ours, o{as}: from which of its own; the rest is the header, line by line.
sub from {
    my ($sender, $o, @header) = @_;
    my @xclient = $o->{client} ? ("XCLIENT ADDR=$o->{client} NAME=[UNAVAILABLE]", 'EHLO x.example') : ();
    $mark++;
    my $text = join '', map { "$_\r\n" } 'EHLO x.example', @xclient, "MAIL FROM:<$sender>", "RCPT TO:<$lina>", 'DATA';
    my $script = 'use IO::Socket::IP; my ($text, $to, $as) = @ARGV; my $s = IO::Socket::IP->new(PeerHost => $to, PeerPort => 25, $as ? (LocalHost => $as) : ()) or die "$to: $!"; <$s>;'
      . ' my $say = sub { print $s "$_[0]\r\n"; my $l; do { $l = <$s> } while $l =~ /^\d+-/; $l };'
      . ' $say->($_) for split /\r\n/, $text; my $message = do { local $/; <STDIN> };'
      . ' $s->print("$message\r\n.\r\n"); print scalar <$s>;';
    open my $file, '>', "$root/tmp/message" or die "message: $!\n";
    binmode $file;
    print {$file} join "\r\n", @header, "Subject: spoof-$mark", 'To: list:;', '', 'text';
    close $file;
    open my $out, '-|', 'sh', '-c', '"$@" <"$0"', "$root/tmp/message", $lab->at($o->{at} // 'outside', 'perl', '-e', $script, $text, $o->{to} // '192.0.2.10', $o->{as} // '') or die "sh: $!\n";
    my $reply = do { local $/; <$out> } // '';
    close $out;
    return $reply =~ s/\s+\z//r;
}

# As it came to lina's mailbox: the marks in its header.
sub marks {
    my $text;
    $lab->wait_for("spoof-$mark arrives", 60, sub { ($text) = $lab->mailbox('hebei', $lina, "Subject: spoof-$mark\n") });
    return join ' | ', $text =~ /^postroad-spoof:\s*([^\n]*)$/mgi;
}
sub milter_log { return Inside::slurp("$root/var/log/postroad-milter.log") }

$lab->daemon('start', 'hebei', 'milter');
$lab->run('hebei', 'postconf', '-e', "smtpd_milters={$milter}", 'non_smtpd_milters=$smtpd_milters', 'smtpd_authorized_xclient_hosts=0.0.0.0/0',
    'smtpd_soft_error_limit=100000', 'smtpd_hard_error_limit=100000');
$lab->run('hebei', 'postconf', '-P', '2525/inet/milter_macro_daemon_name=handoff');
$lab->run('hebei', qw(postconf -e inet_protocols=all));
$lab->run(@$_, 'nodad') for [ 'hebei', qw(ip -6 addr add fd00:77::10/48 dev wan) ], map { [ 'outside', qw(ip -6 addr add), "$_/48", qw(dev hebei) ] } qw(fd00:77::1 fd00:77:0:f::1 fd00:77:0:a::1);
$lab->daemon($_, 'hebei', 'postfix') for 'stop', 'start';

# --- nothing is asked for: nothing is done ---
like(from($alice, {}, "From: $alice"), qr/^250 /, 'without a policy mail in our name passes');
is(marks(), '', 'unmarked');

# --- by domain ---
policy('corp.example', 'reject');
restart('spoof: { action = "tag"; trusted_forwarders = [ "192.0.2.64/28", "2001:db8:7::/48", "fd00:77:0:f::/64" ]; authserv_id = "mx.corp.example"; arc_sealers = [ "lists.example" ]; }; inside_networks = [ "fd00:77:0:a::/64" ];');
$lab->wait_for('the policy is known', 60, sub { from($guest, {}, "From: $alice") =~ /^550/ });
my $said = from($guest, { client => '192.0.2.9' }, "From: Alice <$alice>");
is($said, '550 5.7.1 from outside, in the name of one of our domains (rule spoof 3, corp.example in From). Ask your mail administrator.', 'reject: refused, and told why');
like(milter_log(), qr/mail from outside in our name verdict=rejected rule=3 why="[^"]+" domain=corp\.example where=From client=192\.0\.2\.9 queue=\w+ skipped=0 sender=guest\@outside\.example$/m, 'the log says it');
like(from($alice, {}, "From: $guest"), qr/^550 5\.7\.1 .*corp\.example in envelope/, 'in the envelope');
like(from($guest, {}, "From: $guest", "Sender: $alice"), qr/^550 5\.7\.1 .*corp\.example in Sender/, 'as Sender');
like(from('', {}, "From: $alice"), qr/^550 5\.7\.1 .*corp\.example in From/, 'with the null sender');
like(from('', {}, 'From: MAILER-DAEMON@outside.example'), qr/^250 /, 'a notice from outside passes');
is(marks(), '', 'unmarked');
like(from($guest, {}, 'From: x@xn--rt3a90w.example'), qr/^550 /, 'by another name of the domain');
like(from($guest, {}, 'From: zhang@post.example'), qr/^250 /, 'a domain that says nothing: as spoof.action says');
is(marks(), 'site=hebei; domain=post.example; where=From; rule=8', 'marked');
like(from($guest, {}, "From: $guest", 'Postroad-Spoof: forged', 'POSTROAD-SPOOF: twice'), qr/^250 /, 'forged marks');
is(marks(), '', 'are taken away');
like(from($guest, {}, ('Postroad-Spoof: x') x 65, "From: $guest"), qr/^554 5\.6\.0 /, 'a message full of them is refused');

# --- explained ---
sub explained { return $lab->run('hebei', 'sh', '-c', 'postroad explain "$@" 2>&1 || echo "exit $?"', 'sh', @_) }
like(explained('--from', $guest, '--client', '192.0.2.9', '--header-from', "Alice <$alice>, X <x\@else.example>"),
    qr/^guest\@outside\.example from 192\.0\.2\.9: rejected, because of rule 3: .* \(corp\.example in From\)\n.*\n  corp\.example +an address, ours, says reject\n  else\.example +an address, not ours\n.*\nThe client is told: from outside/, 'explain: rejected');
like(explained('--from', '<>', '--client', '2001:db8::1', '--header-from', "\"$alice\" <$guest>"), qr/: tagged, because of rule 7: .*display-name.*\n.*\n  corp\.example +in text, ours/, 'explain: tagged');
like(explained('--from', $alice, '--client', '127.0.0.1'), qr/: passes, because of rule 1: /, 'explain: from this machine');
like(explained('--json', '--from', $alice, '--client', '192.0.2.9'), qr/"rule": ?3\b/, 'explain: as JSON');
like(explained('--from', $alice, '--client', 'mx'), qr/IP address.*\nexit 2$/, 'explain: no IP address');

# --- who is no outsider ---
like(from($alice, { client => '192.0.2.70' }, "From: $alice"), qr/^250 /, 'a trusted forwarder');
is(marks(), '', 'passes unmarked');
like(from($alice, { client => '192.0.2.80' }, "From: $alice"), qr/^550 /, 'one beside them does not');
like($lab->send(site => 'hebei', from => $alice, to => $lina, login => $alice, password => 'sample-alice')->{reply}, qr/^250 /, 'who logs in');
$lab->run('hebei', 'sh', '-c', "printf 'From: $alice\\nSubject: by hand\\n\\nx\\n' | sendmail -f $alice $lina");
$lab->wait_for('mail without SMTP', 60, sub { $lab->mailbox('hebei', $lina, 'Subject: by hand') });
pass('who sits on the machine');
$lab->send(site => 'shandong', from => 'bob@corp.example', to => $lina, login => 'bob@corp.example', password => 'sample-bob', mark => 'from-bob');
$lab->wait_for('mail of another site', 60, sub { $lab->mailbox('hebei', $lina, 'from-bob') });
unlike(join('', $lab->mailbox('hebei', $lina, 'from-bob')), qr/^Postroad-Spoof/mi, 'another site hands over');

# --- by IPv6 ---
sub by6 { my ($as, @more) = @_; return from($alice, { to => 'fd00:77::10', as => $as, @more }, "From: $alice") }
like(by6('fd00:77::1'), qr/^550 5\.7\.1 .*rule spoof 3, corp\.example in From/, 'by IPv6: refused');
like(milter_log(), qr/where=From client=fd00:77::1 queue=\w+ skipped=0 sender=alice\@corp\.example$/m, 'the log has the address');
like(by6('fd00:77:0:f::1'), qr/^250 /, 'a trusted forwarder');
is(marks(), '', 'passes unmarked');
like(by6('fd00:77:0:a::1'), qr/^250 /, 'one of inside_networks');
is(marks(), '', 'likewise');
like(by6('fd00:77::10', at => 'hebei'), qr/^550 /, 'this machine by another of its addresses: it is not named as inside');
like(from($alice, { at => 'hebei', to => '::1' }, "From: $alice"), qr/^250 /, 'this machine');
is(marks(), '', 'passes unmarked');
like(from($alice, { client => 'IPV6:2001:db8:7::5' }, "From: $alice"), qr/^250 /, 'a forwarder that a proxy tells of (XCLIENT)');
like(from($alice, { client => 'IPV6:2001:db8:8::5' }, "From: $alice"), qr/^550 /, 'and one beside it');
like(from($alice, { client => 'IPV6:::ffff:192.0.2.70' }, "From: $alice"), qr/^250 /, 'IPv4 written as IPv6: a trusted forwarder');
is(marks(), '', 'passes unmarked');

# --- who is vouched for ---
my $by = 'Authentication-Results: mx.corp.example;';
for my $row (
    [250, 'by DMARC', $alice, "$by dmarc=pass header.from=corp.example", "From: $alice"],
    [250, 'by DKIM, the field folded', $alice, "$by\r\n\tspf=fail smtp.mailfrom=corp.example;\r\n\tdkim=pass header.d=corp.example", "From: $alice"],
    [550, 'by DKIM of somebody else', $alice, "$by dkim=pass header.d=outside.example", "From: $alice"],
    [550, 'by DMARC that failed', $alice, "$by dmarc=fail header.from=corp.example", "From: $alice"],
    [550, 'by a verifier we do not know', $alice, 'Authentication-Results: mx.outside.example; dmarc=pass header.from=corp.example', "From: $alice"],
    [550, 'below another result of the verifier', $alice, "$by dmarc=none", "$by dmarc=pass header.from=corp.example", "From: $alice"],
    [550, 'below a Received line', $alice, 'Received: from x by y; Sun, 22 Nov 2026 03:47:18 +0000', "$by dmarc=pass header.from=corp.example", "From: $alice"],
    [250, 'by a list we trust', 'list@lists.example', "$by arc=pass", 'ARC-Seal: i=1; a=rsa-sha256; d=lists.example; s=x; cv=none; b=x', 'ARC-Authentication-Results: i=1; lists.example; dkim=pass header.d=corp.example', "From: $alice"],
    [550, 'by one we do not', 'list@lists.example', "$by arc=pass", 'ARC-Seal: i=1; a=rsa-sha256; d=else.example; s=x; cv=none; b=x', 'ARC-Authentication-Results: i=1; else.example; dkim=pass header.d=corp.example', "From: $alice"],
  ) {
    my ($code, $what, $sender, @header) = @$row;
    like(from($sender, {}, @header), qr/^$code /, "vouched for $what: $code");
}
Inside::write_file("$root/etc/postfix/forged-results", "/^Authentication-Results:.*mx\\.corp\\.example/  IGNORE\n");
$lab->run('hebei', 'postconf', '-e', 'header_checks=regexp:/etc/postfix/forged-results');
$lab->reload('hebei');
like(from($alice, {}, $_, "From: $alice"), qr/^550 /, 'with the header_checks of the manual nobody outside vouches for himself')
  for "$by dmarc=pass header.from=corp.example", 'Authentication-Results : mx.corp.example; dmarc=pass header.from=corp.example', "AUTHENTICATION-results:\r\n (x) \"mx.corp.example\"; dmarc=pass header.from=corp.example";
$lab->run('hebei', 'postconf', '-e', 'header_checks=');
$lab->reload('hebei');

# --- what forgers do to From ---
for my $row (
    [550, 'several lines', "From: $guest", "From: $alice"],
    [550, 'a group', "From: Team: $guest, Alice <$alice>;"],
    [550, 'blanks before the colon', 'X: y', "From : $alice"],
    [550, 'comments in the address', 'From: alice@corp (x) . (y) example'],
    [550, 'an encoded word in place of an address', 'From: =?utf-8?q?alice=40corp.example?='],
    [550, 'one that ends in NUL before another domain', 'From: =?utf-8?b?YWxpY2VAY29ycC5leGFtcGxl?==?utf-8?q?=00?=@outside.example'],
    [550, '8-bit and UTF-8', "From: \xe5\xbc\xa0 <x\@\xe9\xa9\xbf\xe8\xb7\xaf.example>"],
    [550, 'characters of full width', "From: alice\xef\xbc\xa0corp\xef\xbc\x8eexample"],
    [550, 'characters that show nothing', "From: alice\@co\xe2\x80\x8brp.example"],
    [550, 'bare CR', "From: $guest\rFrom: $alice"],
    [550, 'folding', "From:\r\n Alice\r\n <alice\@\r\n corp.example>"],
    [250, 'a name that shows another domain', "From: \"x\@else.example\" <$guest>"],
    [250, 'no From at all'],
    [250, 'nothing in From', 'From:'],
  ) {
    my ($code, $what, @header) = @$row;
    like(from($guest, {}, @header), qr/^$code /, "$what: $code");
}
like(from($guest, {}, "From: \"$alice\" <$guest>"), qr/^250 /, 'a display name that shows our address');
is(marks(), 'site=hebei; domain=corp.example; where=display-name; rule=7', 'marked, as honest lists write such names');
like(from($guest, {}, 'From: =?utf-8?q?alice=40corp=2Eexample?= <' . "$guest>"), qr/^250 /, 'an encoded one');
is(marks(), 'site=hebei; domain=corp.example; where=display-name; rule=7', 'likewise');
like(from($guest, {}, 'From: ' . join ', ', map { "a\@d$_.example" } 1 .. 40), qr/^550 5\.7\.1 more in From/, 'forty domains are too many to be looked at: 550, as the strictest domain says');
like(from($guest, {}, 'From: ' . join ",\r\n ", ('x@else.example') x 500_000, $alice), qr/^550 5\.7\.1 more in From/, 'nine megabytes of From: likewise');
$lab->run('hebei', 'postconf', '-e', 'message_strip_characters=\0');
$lab->reload('hebei');
like(from($guest, {}, "From: $guest\0, $alice"), qr/^550 /, 'NUL in From, stripped as the manual says: 550');

# --- held ---
policy('corp.example', 'quarantine');
$lab->wait_for('the policy is known', 60, sub { from($guest, {}, "From: $alice") =~ /^250/ });
my ($queue) = from($guest, {}, "From: $alice") =~ /queued as (\w+)/;
my ($waits) = grep { $_->{queue_id} eq $queue } map { decode_json($_) } split /\n/, $lab->run('hebei', qw(postqueue -j));
is($waits->{queue_name}, 'hold', 'quarantine: it waits in the hold queue');
my ($record) = map { decode_json(Inside::slurp($_)) } glob "$root/var/lib/postroad/held/{,new/}*-$queue.json";
is("$record->{rule} $record->{target} $record->{sender}", "spoof $lina $guest", 'with a record for who may approve it');
policy('corp.example', 'off');
$lab->wait_for('the policy is known', 60, sub { from($guest, {}, "From: $alice") =~ /^250/ && marks() eq '' });
pass('off: it passes');

# --- in doubt ---
$lab->run('hebei', qw(install -d -o postroad /var/lib/none));
my $nowhere = 'state_dir = "/var/lib/none"; accounting: { dir = "/var/lib/postroad/accounting"; };';
restart("$nowhere spoof: { action = \"reject\"; };");
like(from($guest, {}, "From: $alice"), qr/^451 4\.7\.1 can't tell/, 'no mirror, reject: it has to come again');
restart("$nowhere spoof: { action = \"tag\"; };");
like(from($guest, {}, "From: $alice"), qr/^250 /, 'no mirror, tag: it passes');
is(marks(), 'site=hebei; domain=corp.example; where=From; rule=6', 'marked');
done_testing();
