#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Moderation the whole way, at two sites with real Postfix, slapd and Dovecot: held at hebei, seen and
# decided by a moderator at shandong in her own directory server, delivered or returned with her reason;
# by who has no right; while the line is cut; when nobody decides; and with the role killed all the while.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use Exit;
use JSON::PP;
use Lab;
use POSIX ();
use MIME::Base64 'decode_base64';
use Test::More;
use Time::HiRes qw(time sleep);

my @missing = Lab->missing;
push @missing, 'needs milter/postroad-milter' if !-x "$FindBin::Bin/../milter/postroad-milter";
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my $root = $lab->root('hebei');
my ($alice, $guest) = ('alice@corp.example', 'guest@outside.example');
my %dn = (lina => 'uid=lina,ou=hr,dc=corp.example,ou=domains,o=corp', wangfang => 'uid=wangfang,ou=sales,dc=corp.example,ou=domains,o=corp');

sub put {
    my ($site, $file, $text, @owner) = @_;
    my $path = $lab->root($site) . $file;
    open my $to, '>>', $path or die "$path: $!\n";
    print {$to} $text;
    close $to or die "$path: $!\n";
    return;
}

sub begin {
    put('hebei', '/etc/postroad/held.secret', "sample-moderation\n");
    put('hebei', '/etc/postroad/postroad.conf', <<'CONF');
milter: { moderate = [ "sales-out: from=corp.example/sales direction=outbound" ]; };
held: { bind_dn = "cn=moderation,cn=services,o=corp"; password_file = "/etc/postroad/held.secret"; };
queue: { manage = true; };
CONF
    for my $who (keys %dn) {
        put('shandong', "/etc/postroad/$who", "sample-$who\n");
        chmod 0600, $lab->root('shandong') . "/etc/postroad/$who";
    }
    $lab->daemon('stop', 'hebei', 'policyd');
    $lab->daemon('start', 'hebei', qw(policyd milter));
    $lab->await_directory('hebei');
    $lab->run('hebei', 'postconf', '-e', 'smtpd_milters={unix:postroad/milter,connect_timeout=5s,command_timeout=30s,default_action=tempfail}');
    $lab->reload('hebei');
    return;
}

# --- what happens

sub held { return @{ decode_json($lab->run('hebei', qw(postroad held list --local --json)))->{messages} // [] } }

sub sends {
    my %before = map { $_->{id} => 1 } held();
    my $sent = $lab->send(site => 'hebei', from => $alice, to => $guest, login => $alice, password => 'sample-alice');
    my $id;
    $lab->wait_for("it is held: $sent->{dialog}", 30, sub { ($id) = grep { !$before{$_} } map { $_->{id} } grep { $_->{seen} } held(); $id });
    return ($sent->{mark}, $id);
}

# postroad held … of a moderator at shandong: the exit code, what was said.
sub moderator {
    my ($who, @args) = @_;
    my @command = $lab->at('shandong', 'sh', '-c', 'exec "$@" 2>&1', 'sh', qw(postroad held), @args, '-D', $dn{$who}, '--password-file', "/etc/postroad/$who");
    open my $from, '-|', @command or die "postroad: $!\n";
    my $said = do { local $/; <$from> } // '';
    close $from;
    return (exit_code(), $said);
}

sub state_at { my ($site, $id) = @_; return eval { $lab->run($site, 'sh', '-c', "ldapsearch -x -LLL -H ldapi:/// -D cn=admin,o=corp -w sample-admin -b postroadHeldId=$id,cn=held,o=corp -s base postroadHeldState") } =~ /^postroadHeldState: (\w+)/m ? $1 : '' }
sub known_at_shandong { my ($id) = @_; return eval { $lab->wait_for('shandong has it', 30, sub { state_at('shandong', $id) eq 'held' }) } }
sub record { my ($id) = @_; return decode_json(Inside::slurp("$root/var/lib/postroad/held/$id.json")) }
sub is_done { my ($id, $state) = @_; return eval { $lab->wait_for("$id is $state", 60, sub { my $r = eval { record($id) }; $r && $r->{state} eq $state && $r->{done} }) } }
sub audit { return join '', map { Inside::slurp($_) } sort glob "$root/var/lib/postroad/audit/audit-*.jsonl" }
sub on_hold { return map { $_->{queue_name} eq 'hold' ? $_->{queue_id} : () } map { decode_json($_) } split /\n/, $lab->run('hebei', qw(postqueue -j)) }

# Until role held at hebei has asked its directory for verdicts so many times more.
sub polls { return decode_json($lab->run('hebei', qw(postroad status --json)))->{held}{polls} // 0 }
sub polls_pass { my ($n) = @_; my $from = polls(); return eval { $lab->wait_for('polls', 30, sub { polls() >= $from + $n }) } }

# Notices in alice's mailbox about a message, as text.
sub notices {
    my ($id, $kind) = @_;
    my @found;
    for my $text ($lab->mailbox('hebei', $alice, "held.$id.$kind")) {
        my ($head, $body) = split /\r?\n\r?\n/, $text, 2;
        push @found, "$head\n\n" . decode_base64($body);
    }
    return @found;
}

sub arrives_once {
    my ($mark, $what) = @_;
    my $is = eval { $lab->found_in($mark, "outside $guest") };
    ok($is, $what) or diag($@);
    return;
}

begin();

# --- approved and rejected, from the other site
my ($mark, $id) = sends();
is($lab->run('hebei', qw(postqueue -j)) =~ /"queue_name": "hold"/ ? 1 : 0, 1, 'Postfix holds it');
ok(known_at_shandong($id), 'the other site\'s directory has it');
my ($code, $said) = moderator('lina', 'list');
like($said, qr/sales-out/, 'and shows it to a moderator there') or diag($said);
($code, $said) = moderator('wangfang', 'approve', $id);
isnt($code, 0, 'an administrator of the department has no right to approve it');
($code, $said) = moderator('lina', 'approve', $id, '--reason', 'fine with me', '--wait', 30);
is($code, 0, 'who has it approves it there, and hears that it is done') or diag($said);
arrives_once($mark, 'it is delivered');
like(audit(), qr/"action":"approve","actor":"lina\@corp\.example","target":"alice\@corp\.example".*"reason":"fine with me"/, 'the audit log at the first site has her name');
ok(eval { $lab->wait_for('told', 30, sub { notices($id, 'begin') }) }, 'the sender was told that it waits');
my ($mark_no, $no) = sends();
ok(known_at_shandong($no), 'another one');
($code, $said) = moderator('lina', 'reject', $no, '--reason', 'not to this customer', '--wait', 30);
is($code, 0, 'is rejected') or diag($said);
ok(is_done($no, 'rejected'), 'and deleted');
ok(eval { $lab->wait_for('told', 30, sub { notices($no, 'end') }) }, 'the sender is told');
my ($notice) = notices($no, 'end');
like($notice // '', qr/^Auto-Submitted: auto-replied.*not to this customer/sm, 'with the reason');
is(scalar(keys %{ $lab->whereabouts($mark_no) }), 0, 'nobody has got it');
($code, $said) = moderator('lina', 'approve', $no);
is($code, 1, 'the first verdict stands') or diag($said);

# --- what somebody else holds
my $others = $lab->send(site => 'hebei', from => $alice, to => 'lina@corp.example', login => $alice, password => 'sample-alice');
$lab->await_settled($others->{mark});
is(scalar(on_hold()), 0, 'other mail flows, and nothing is on hold');

# --- the line is cut
my ($mark_cut, $cut) = sends();
ok(known_at_shandong($cut), 'one more, which the other site knows of');
$lab->cut('hebei');
($code, $said) = moderator('lina', 'approve', $cut, '--reason', 'by the way');
is($code, 0, 'approved there while the line is cut') or diag($said);
ok(polls_pass(2), 'role held asks for verdicts');
is(record($cut)->{state}, 'held', 'here nobody knows, and it waits');
is(scalar(on_hold()), 1, 'on hold');
$lab->heal;
ok(is_done($cut, 'approved'), 'the line is whole again: it is released');
arrives_once($mark_cut, 'and delivered');

# --- the line is cut, and a moderator at each side of it decides
my ($mark_two, $two) = sends();
ok(known_at_shandong($two), 'one more');
$lab->run('hebei', 'sh', '-c', "printf 'dn: $dn{wangfang}\\nchangetype: modify\\nadd: postroadRight\\npostroadRight: approve\\n' | ldapmodify -x -H ldapi:/// -D cn=admin,o=corp -w sample-admin");
put('hebei', '/etc/postroad/wangfang', "sample-wangfang\n");
chmod 0600, "$root/etc/postroad/wangfang";
$lab->await_directory('hebei');
$lab->cut('hebei');
ok(eval { $lab->run('hebei', qw(postroad held reject), $two, '--reason', 'price is wrong', '--wait', 30, '-D', $dn{wangfang}, '--password-file', '/etc/postroad/wangfang'); 1 }, 'here it is rejected') or diag($@);
ok(is_done($two, 'rejected'), 'and deleted');
($code, $said) = moderator('lina', 'approve', $two, '--reason', 'looks good');
is($code, 0, 'there, where nobody knows of that, it is approved') or diag($said);
$lab->heal;
ok(eval { $lab->wait_for('the other site hears', 60, sub { state_at('shandong', $two) eq 'rejected' }) }, 'the line is whole again: there it is rejected, too');
is(record($two)->{state} . ' ' . record($two)->{by}, "rejected $dn{wangfang}", 'the first verdict at the site that holds it stands');
($code, $said) = moderator('lina', 'show', $two);
like($said, qr/rejected.*wangfang/s, 'who was late can see whose that was') or diag($said);
($code, $said) = moderator('lina', 'approve', $two);
is($code, 1, 'and is told');
is(scalar(keys %{ $lab->whereabouts($mark_two) }), 0, 'one deed: nobody has got it');
ok(eval { $lab->wait_for('audit', 30, sub { audit() =~ /"action":"refused","actor":"lina\@corp\.example"[^\n]*id=\Q$two\E outcome=approve[^\n]*the first verdict stands/ }) }, 'both are in the audit log: hers, which came too late') or diag(audit());
like(audit(), qr/"action":"reject","actor":"wangfang\@corp\.example"[^\n]*id=\Q$two\E/, 'and the other one');

# --- killed all the while
sub role { my ($pid) = $lab->processes_at('hebei', qr/-x held:/); return $pid }
my @all = map { [ sends() ] } 1 .. 3;
known_at_shandong($_->[1]) for @all;
my $killer = fork // die "fork: $!\n";
if (!$killer) {
    for (1 .. 12) {
        $lab->try('hebei', 'kill', '-9', role() // next);
        sleep 0.4;
    }
    POSIX::_exit(0);
}
my $reject = pop @all;
is((moderator('lina', 'approve', map { $_->[1] } @all))[0], 0, 'several are approved while role held is being killed');
is((moderator('lina', 'reject', $reject->[1], '--reason', 'no'))[0], 0, 'one is rejected');
waitpid $killer, 0;
ok(is_done($_->[1], 'approved'), 'released') for @all;
ok(is_done($reject->[1], 'rejected'), 'deleted');
arrives_once($_->[0], 'and delivered, once') for @all;
is(scalar(keys %{ $lab->whereabouts($reject->[0]) }), 0, 'what was rejected is nowhere');
my $audit = audit();
like($audit, qr/"action":"approve"[^\n]*id=\Q$_->[1]\E/, 'each is in the audit log') for @all;
cmp_ok(scalar(() = notices($reject->[1], 'end')), '<=', 1, 'nobody is told twice');

# --- nobody decides
my ($mark_late, $late) = sends();
$lab->daemon('stop', 'hebei', 'policyd');
my $r = record($late);
$r->{expires_ms} = int(time * 1000) - 1;
open my $to, '>', "$root/var/lib/postroad/held/$late.json" or die "record: $!\n";
print {$to} encode_json($r);
close $to or die "record: $!\n";
$lab->daemon('start', 'hebei', 'policyd');
ok(is_done($late, 'expired'), 'its time is over: it is deleted');
ok(eval { $lab->wait_for('told', 30, sub { notices($late, 'end') }) }, 'the sender is told');
is(scalar(keys %{ $lab->whereabouts($mark_late) }), 0, 'nobody has got it');
ok(eval { $lab->wait_for('the other site', 30, sub { state_at('shandong', $late) eq 'expired' }) }, 'the other site\'s directory says so');
is(scalar(on_hold()), 0, 'nothing is left on hold');
unlike(Inside::slurp("$root/var/log/postroad.log"), qr/sample-moderation|Sanitizer/, 'nothing says the password');
done_testing;
