#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Role held without a directory server: it finds records, shows them, takes verdicts at the control socket,
# carries them out, lets messages expire and tells senders; and does each once, whatever dies meanwhile.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Time::HiRes qw(time);
use Trial;
use HeldTrial;

-x "$top/policyd/postroad-policyd" or plan skip_all => 'not built: make';
$> == 0 or plan skip_all => 'needs root, as role queue does';

sub count { my ($re) = @_; return scalar(() = audit_log() =~ /$re/g) }
sub orders { my ($id) = @_; my ($queue) = $id =~ /-(\w+)\z/; return join ' ', map { (split)[0] } grep { / \Q$queue\E$/ } split /\n/, slurp("$dir/postsuper.log") }

my $port = sink_start();
my $queue = queue_settings();
sub settings { my (%o) = @_; my $more = join ' ', map { "$_ = $o{$_};" } sort keys %o; return $queue . qq(held: { submit = "smtp://127.0.0.1:$port"; @{[ $o{notices} ? q{} : q{notices = 1000;} ]} $more };\n) }
my $directory = qq(ldif = "$top/ldap-schema/two-sites.ldif"; base = "o=corp";);

my $first = record('3F2A9');
my $second = record('4ZbSqR1Xyz', subject => '', attachments => []);
ok(policyd_start($directory, settings()), 'policyd, which finds a folder of held messages');
ok(wait_for(30, sub { list() == 2 }), 'both are listed') or diag(explain(control(verb => 'held-list')), policyd_log());
is(join(' ', map { $_->{id} } list()), "$first $second", 'the older one first');
is((list())[0]{subject}, "\x{5831}\x{8868}", 'with what is known of it');
ok(!exists((list())[0]{noticed}), 'but for what is nobody\'s business');

my $third = record('5AAAA');
ok(wait_for(30, sub { list() == 3 }), 'a new one is there at once');
is(show($third)->{size}, 12345, 'one of them');
is(show('5aaaa')->{id}, $third, 'by its queue id');
is(control(verb => 'held-show', id => 'nothing')->{code}, 1, 'one that is not there');
my $fourth = record('X5AAAA');
ok(wait_for(30, sub { list() == 4 }), 'one more');
is(control(verb => 'held-show', id => '5AAAA')->{code}, 2, 'an end of two is nobody\'s');
my $early = decide($third, 'approve');
is($early->{code}, 75, 'no verdict before Postfix was seen to have it');
is(on_disk($third)->{state}, 'held', 'and none is on disk');
is(decide($third, 'maybe')->{code}, 2, 'no other words');
is(decide($third, 'reject', '')->{code}, 2, 'no rejection without a reason');

# --- what can't be read
spew("$held/hebei-abc-BAD1.json", '{"id":');
spew("$held/README.json", 'x');
ok(wait_for(30, sub { policyd_log() =~ /record of a held message can't be used.*BAD1/ }), 'a damaged record is logged');
is(list(), 4, 'and not shown');
unlink map { "$held/$_.json" } 'README', 'hebei-abc-BAD1', $first, $second, $third, $fourth;

# --- the whole way
my $good = hold();
my $bad = hold(subject => 'Offer', recipients => [map { "r$_\@outside.example" } 1 .. 9], recipient_count => 120);
ok(wait_for(30, sub { on_disk($good)->{seen} && on_disk($bad)->{seen} }), 'both are in the hold queue') or diag(policyd_log());
ok(wait_for(30, sub { notices($good, 'begin') && notices($bad, 'begin') }), 'their sender is told') or diag(policyd_log());
my ($notice) = notices($bad, 'begin');
like($notice->{head}, qr/^MAIL FROM:<>\r?\n/m, 'by nobody');
like($notice->{head}, qr/^RCPT TO:<alice\@corp\.example>/m, 'to her');
like($notice->{head}, qr/^Auto-Submitted: auto-replied\r$/m, 'as RFC 3834 wants it');
like($notice->{body}, qr/Subject:\s+Offer.*r1\@outside\.example.*and 115 more.*Rule:\s+hr-out.*is not lost.*before \d{4}-/s, 'what, why, until when');
like(decide($good, 'approve', "fine\nwith me")->{state}, qr/^approved/, 'approved');
is(decide($bad, 'reject', 'not to this customer')->{state}, 'rejected', 'rejected');
ok(state_is($good, 'approved'), 'the one is released');
ok(state_is($bad, 'rejected'), 'the other one is deleted');
is(orders($good), '-H', 'once');
is(orders($bad), '-d', 'once');
is(show($good)->{reason}, 'fine with me', 'the reason, in one line');
like(show($good)->{by}, qr/^root\@\S/, 'whose verdict it was');
like(audit_log(), qr/"action":"approve","actor":"root\@[^"]+","target":"alice\@corp\.example","service":"moderation".*"detail":"id=\Q$good\E rule=hr-out sender=alice\@corp\.example".*"reason":"fine with me"/, 'it is in the audit log');
like(audit_log(), qr/"action":"reject".*id=\Q$bad\E.*"reason":"not to this customer"/, 'and the other one');
ok(wait_for(30, sub { notices($bad, 'end') }), 'the sender is told of the rejection');
like((notices($bad, 'end'))[0]{body}, qr/has rejected.*not to this customer.*Nobody has received it/s, 'with the reason');
is(notices($good, 'end'), 0, 'and not of the approval');
my $late = decide($good, 'reject', 'too late');
is($late->{code}, 1, 'the first verdict stands');
like($late->{error}, qr/is approved already, by root/, 'and who is late is told');
is(scalar(list()), 0, 'nothing waits any more');
is(scalar(list(all => JSON::PP::true)), 2, 'but it is remembered');
ok(wait_for(30, sub { my $f = status()->{held}; "$f->{held} $f->{approved} $f->{rejected} $f->{directory}" eq '0 1 1 none' }), 'and counted')
    or diag(explain(status()->{held}));

cmp_ok(status()->{held}{round_s}, '<', 10, 'and all that is due was looked at a moment ago');

# --- which message is meant
in_queue('4Zother', sender => 'mallory@outside.example', age => -20);
my $other = record('4Zother');
my $old = record('4Zreused', age => 3600);
in_queue('4Zreused');
ok(wait_for(30, sub { !-e "$held/$old.json" }), 'a later message with the same queue id is another one');
ok(-e "$dir/queue/4Zreused", 'and nobody touches it');
ok(!on_disk($other)->{seen}, 'nor is one of another sender taken for it that came a little later');
unlink "$held/$other.json";
in_queue('4Zbounce', sender => 'MAILER-DAEMON');
in_queue('4Zhidden', sender => 'root@corp.example');
in_queue('4Zsrs', sender => 'SRS0=Ab1=2C=outside.example=x@corp.example');
my @written = (record('4Zbounce', sender => ''), record('4Zhidden', sender => 'root'), record('4Zsrs', sender => 'x@outside.example', direction => 'inbound'));
ok(wait_for(30, sub { on_disk($_)->{seen} }), "one is found whose sender Postfix writes in its own way: $_") for @written;
unlink map { ("$held/$_.json", "$dir/queue/" . (split /-/)[2]) } @written;
my $never = record('4Znever', age => 301);
ok(wait_for(30, sub { !-e "$held/$never.json" }), 'a message that Postfix never took is forgotten');
my $soon = record('4Zsoon', age => 200);
my $by_hand = hold();
ok(wait_for(30, sub { on_disk($by_hand)->{seen} }), 'one is there');
ok(-e "$held/$soon.json", 'another one may still come');
unlink "$dir/queue/" . on_disk($by_hand)->{queue}, "$held/$soon.json";
is(decide($by_hand, 'approve')->{ok}, JSON::PP::true, 'approved, but somebody was faster');
ok(state_is($by_hand, 'approved'), 'then there is nothing to do');
is(orders($by_hand), '', 'and nothing is done');

# --- expiry
my @expire = map { hold(age => 10, expires_ms => int((time + 1) * 1000), on_expire => $_) } qw(reject approve keep);
ok(wait_for(30, sub { on_disk($expire[2])->{seen} }), 'three more');
ok(state_is($expire[0], 'expired'), 'one is deleted when its time is over') or diag(explain(show($expire[0])));
ok(state_is($expire[1], 'expired'), 'another one released');
is(orders($expire[0]) . orders($expire[1]), '-d-H', 'as their rules say');
is(show($expire[2])->{state}, 'held', 'the third waits on');
ok(wait_for(30, sub { notices($expire[0], 'end') }), 'who was not sent on is told');
is(notices($expire[1], 'end'), 0, 'who was is not');
like(audit_log(), qr/"action":"expire".*id=\Q$expire[0]\E outcome=reject/, 'the audit log says so');

# --- what is away
spew("$dir/broken", '');
my $waits = hold();
ok(wait_for(20, sub { policyd_log() =~ /Postfix's queue can't be asked.*id=\Q$waits\E/ }) && rounds_pass(2), 'Postfix\'s queue can\'t be read');
is(show($waits)->{seen}, JSON::PP::false, 'Postfix can\'t say: nothing happens');
unlink "$dir/broken";
ok(wait_for(70, sub { show($waits)->{seen} }), 'it can: it goes on');
my $access = role_pid('access');
kill 'STOP', Trial::policyd_pid(), $access;
is(decide($waits, 'approve')->{state}, 'approved', 'approved while the audit log is away');
ok(wait_for(20, sub { status()->{held}{asking} }) && rounds_pass(3), 'all that can be done is done');
is(orders($waits), '', 'it is not released');
kill 'CONT', $access, Trial::policyd_pid();
ok(state_is($waits, 'approved'), 'the audit log is there: it is');
spew("$dir/smtp", "451 4.3.0 later\n");
my $untold = hold();
ok(wait_for(30, sub { policyd_log() =~ /could not be told id=\Q$untold\E what=held again=yes status=451/ }), 'the mail server takes no notices now') or diag(policyd_log());
ok(wait_for(30, sub { !on_disk($untold)->{noticed} }), 'so it is to be sent again');
spew("$dir/smtp", "550 5.1.1 no\n");
my $unknown = hold();
ok(wait_for(30, sub { policyd_log() =~ /could not be told id=\Q$unknown\E what=held again=no status=550/ }), 'one that is refused for good is not');
unlink "$dir/smtp";
pause_at('sent');
my $pid = role_pid('held');
my $slow = hold();
ok(reached('sent'), 'a mail server takes its time for a notice');
my $meanwhile = hold();
ok(wait_for(30, sub { on_disk($meanwhile)->{seen} }), 'which holds nothing up');
is(decide($meanwhile, 'approve')->{state}, 'approved', 'nor verdicts');
ok(state_is($meanwhile, 'approved'), 'which are carried out');
is(role_pid('held'), $pid, 'by the same process');
go_on('sent');
ok(wait_for(30, sub { notices($slow, 'begin') }), 'the notice is there');
my $outside = hold(direction => 'inbound');
my $stranger = hold(sender => 'x@outside.example');
ok(wait_for(30, sub { on_disk($outside)->{seen} && on_disk($stranger)->{seen} }), 'two from outside');

# --- killed
sub survives {
    my ($what, $point, $verdict, $state) = @_;
    my $id = hold();
    wait_for(30, sub { on_disk($id)->{seen} }) or diag("$id is not seen");
    pause_at($point);
    my $answer = decide($id, $verdict, 'killed');
    ok(reached($point), "$what: at that point");
    ok(role_kill(), "$what: killed");
    go_on($point);
    ok(state_is($id, $state, 40), "$what: carried out") or diag(explain(show($id)), policyd_log() =~ s/.*(?=.{6000}\z)//sr);
    is(count(qr/"action":"$verdict"[^\n]*id=\Q$id\E/), 1, "$what: in the audit log, once");
    my ($file) = $id =~ /-(\w+)\z/;
    ok(-e "$dir/" . ($verdict eq 'approve' ? 'released' : 'deleted') . "/$file", "$what: once and for all");
    return $id;
}
# The mail server takes no notice of it after all, which comes while Postfix is asked for it.
pause_at('sent');
$untold = hold();
ok(wait_for(30, sub { notices($untold, 'begin') }), 'a notice is on its way');
pause_at('list');
decide($untold, 'approve');
ok(reached('list'), 'and Postfix is asked for its message');
spew("$dir/smtp-data", "451 4.3.0 later\n");
go_on('sent');
ok(wait_for(30, sub { exists on_disk($untold)->{noticed} && !on_disk($untold)->{noticed} }), 'when it is not taken: it is to be sent again');
unlink "$dir/smtp-data";
go_on('list');
ok(state_is($untold, 'approved'), 'and the message is released') or diag(explain(show($untold)));
ok(!on_disk($untold)->{noticed}, 'neither undoes the other');
is(orders($untold), '-H', 'once');
survives('killed while Postfix is asked', 'list', 'approve', 'approved');
survives('killed before it is released', 'before', 'approve', 'approved');
survives('killed after it was released', 'after', 'approve', 'approved');
survives('killed before it is deleted', 'before', 'reject', 'rejected');
my $id = survives('killed after it was deleted', 'after', 'reject', 'rejected');
ok(wait_for(30, sub { notices($id, 'end') }), 'and the sender is told');
$access = role_pid('access');
$id = hold();
ok(wait_for(30, sub { on_disk($id)->{seen} }), 'one more');
kill 'STOP', Trial::policyd_pid(), $access;
is(decide($id, 'approve')->{state}, 'approved', 'approved while the audit log is away');
kill 'KILL', role_pid('held');
kill 'CONT', Trial::policyd_pid(), $access;
ok(state_is($id, 'approved', 40), 'and killed: it is released when it is in the audit log');
is(count(qr/"action":"approve"[^\n]*id=\Q$id\E/), 1, 'where it is, once');
pause_at('sent');
$id = hold();
ok(reached('sent'), 'a notice is on its way');
ok(role_kill(), 'killed');
go_on('sent');
ok(rounds_pass(3), 'the next one has looked at all');
is(scalar(notices($id, 'begin')), 1, 'it is not sent twice');
is(notices($outside, 'begin'), 0, 'from outside nobody is told');
is(notices($stranger, 'begin'), 0, 'no stranger either');

my $vanished = hold();
ok(wait_for(30, sub { on_disk($vanished)->{seen} }), 'one more');
unlink "$dir/queue/" . on_disk($vanished)->{queue};
ok(role_kill(), 'killed');
ok(state_is($vanished, 'gone'), 'the next one finds that somebody else has dealt with it');

# --- pages, and an end
record(sprintf('B%04d', $_), recipients => [map { ('r' x 60) . "$_\@outside.example" } 1 .. 100], recipient_count => 3000) for 1 .. 250;
my ($after, %seen, $pages);
ok(wait_for(30, sub {
    ($after, $pages, %seen) = ('', 0);
    do {
        my $page = control(verb => 'held-list', after => $after);
        $seen{ $_->{id} }++ for @{ $page->{messages} };
        $after = $page->{next};
        $pages++;
    } while defined $after && $pages < 50;
    grep({ /-B\d{4}$/ } keys %seen) == 250;
}), 'many more, in pages');
cmp_ok($pages, '>', 2, 'of which there are some');
ok(!grep({ $_ > 1 } values %seen), 'none twice');
is(policyd_stop(), 0, 'policyd ends');
my $doubt = on_disk($good);
@$doubt{qw(audited done)} = (JSON::PP::false, JSON::PP::false);
spew("$held/$good.json", JSON::PP->new->utf8->encode($doubt)); # as if it had been killed before it knew
ok(policyd_start($directory, settings(keep => 0, notices => 2)), 'and starts anew, with no wish to remember');
ok(wait_for(30, sub { !-e "$held/$good.json" && !-e "$held/$bad.json" }), 'what is done is forgotten');
is(count(qr/"action":"approve"[^\n]*id=\Q$good\E/), 1, 'and is in the audit log once, also when all was killed before that was known');
ok(wait_for(30, sub { grep({ /-B\d{4}$/ } map { $_->{id} } list()) > 20 }), 'what waits is there');
unlink glob "$held/*-B[0-9][0-9]*.json";
my %lina = (sender => 'lina@corp.example', target => 'lina@corp.example');
hold(%lina, age => 3570, seen => JSON::PP::true, noticed => JSON::PP::true) for 1 .. 2; # half a minute is left of her hour
ok(role_kill(), 'killed: the next one knows from the records who was told');
my @many = map { hold(%lina) } 1 .. 5;
my $summary = sub { my ($sum) = grep { notices($_, 'begins') } @many; return $sum ? (notices($sum, 'begins'))[0] : undef };
ok(wait_for(60, $summary), 'who had two notices in the last hour hears of five messages more when it is over') or diag(policyd_log());
like($summary->()->{body}, qr/^5 more messages of yours were held/m, 'in one notice');
ok(wait_for(20, sub { 5 == grep { on_disk($_)->{noticed} } @many }) && rounds_pass(3), 'that counts for all of them');
is(scalar(grep { notices($_, 'begin') } @many), 0, 'and is the only one');
is(scalar(map { notices($_, 'begins') } @many), 1, 'once');
is(policyd_stop(), 0, 'policyd ends');
unlink glob "$held/*-B????.json";
spew("$held/clock", int((time - 3600) * 1000) . "\n");
ok(policyd_start($directory, settings()), 'and starts after an hour, which it does not believe at once');
$id = hold();
ok(wait_for(30, sub { on_disk($id)->{seen} }), 'one more');
decide($id, 'approve');
ok(state_is($id, 'approved'), 'approved');
cmp_ok(abs(on_disk($id)->{decided_ms} / 1000 - time), '<', 600, 'at the time it was, not at the one by which messages expire');
is(policyd_stop(), 0, 'policyd ends');
my $log = policyd_log();
my %did;
$did{ (split)[1] }{ (split)[0] }++ for split /\n/, slurp("$dir/postsuper.log");
cmp_ok(scalar(keys %did), '>', 10, 'of all that were touched');
is(join(' ', grep { keys %{ $did{$_} } > 1 } sort keys %did), '', 'nothing was both released and deleted');
my ($rc, $out) = run('', "$top/policyd/postroad-policyd", '-t', '-c', "$dir/postroad.conf");
is($rc, 0, 'the configuration is checked');
unlike($out, qr/warning/, 'and nothing is said against it');
spew("$dir/other.conf", slurp("$dir/postroad.conf") =~ s/manage = true/manage = false/r . qq(spoof: { action = "quarantine"; };\n));
like((run('', "$top/policyd/postroad-policyd", '-t', '-c', "$dir/other.conf"))[1], qr/warning: mail is held by rules, but queue\.manage is off/, 'without role queue there is a warning');
unlike($log, qr/Sanitizer|Assertion/, 'nobody complains');
done_testing;
