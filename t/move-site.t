#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `postroad user move-site` with real Postfix, Dovecot and slapd at two sites: mail before, during and
# after is at the new place, once; mail that comes meanwhile waits and arrives; what was interrupted
# or failed at any step goes on when it is run again, or goes back with --abort.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use Exit;
use Lab;
use Lab::Cases qw(post_outside);
use Test::More;
use Tunnel;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my %mx = map { $_ => "mx1.$_.example:25" } qw(hebei shandong);
my $lab = Lab->up;

# --- at hebei: a tunnel to the other policyd, and a copying command that can be held and made to fail

my $tunnel = tunnel($lab->root('hebei') . '/run/postroad/shandong', $lab->root('shandong') . '/run/postroad/control');

my $root = $lab->root('hebei');
my $conf = Inside::slurp("$root/etc/postroad/postroad.conf");
$conf =~ s{"-T120", "-l150"}{"-T15", "-l40"}g == 2 or die 'no -T and -l';
$conf =~ s{copy_command = \[ "doveadm"}{settle = 0; timeout = 120; list_timeout = 10; copy_command = [ "/run/lab/copy", "doveadm"} or die 'no copy_command';
Inside::write_file("$root/run/lab/move.conf", $conf);
Inside::write_file("$root/run/lab/password", "sample-admin\n", 0600);
# doveadm of 2.3.19 may hang at its end on a busy machine (see postroad.conf(5)): then it is tried again.
# The n-th call ends when go.n is there, if hold is; it fails while fail is there.
Inside::write_file("$root/run/lab/copy", <<'END', 0755);
#!/bin/sh
cd /run/lab
n=$(($(cat calls 2>/dev/null) + 1))
[ -e fail ] && exit 1
timeout 60 "$@" || { rc=$?; [ $rc = 124 ] && exit 75; exit $rc; }
echo $n >calls
while [ -e hold ] && ! [ -e go.$n ]; do sleep 0.05; done
END

my @command = (qw(postroad -c /run/lab/move.conf -D), 'cn=admin,o=corp', qw(--password-file /run/lab/password user move-site));

# Run it to its end; its exit code and all it says.
sub move {
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $lab->at('hebei', @command, @_) or die "sh: $!\n";
    my $text = do { local $/; <$out> };
    close $out;
    return (exit_code(), $text // '');
}

# Begin it; the handle its lines come from.
sub begin {
    open my $out, '-|', $lab->at('hebei', @command, @_) or die "nsenter: $!\n";
    return $out;
}

sub calls { return (eval { Inside::slurp("$root/run/lab/calls") } // 0) + 0 }
sub status { return decode_json($lab->run($_[0], qw(postroad status --json))) }
sub transport { my ($site, $who) = @_; return $lab->run($site, qw(postroad lookup transport), $who) }

sub entry {
    my ($uid) = @_;
    my $text = $lab->run('hebei', qw(ldapsearch -x -LLL -o ldif-wrap=no -H ldapi:/// -D), 'cn=admin,o=corp', qw(-w sample-admin -b o=corp),
        "(uid=$uid)", qw(postroadHomeSite postroadState postroadMove));
    return { $text =~ /^(postroad\w+): (.*)$/mg };
}

# A queue manager remembers its last question: let it ask another one.
sub forget { $lab->await_settled(post_outside($lab, 'lina@corp.example', $mx{$_})) for qw(hebei shandong); return }

sub once {
    my ($site, $who, $mark, $name) = @_;
    my $n = 0;
    eval { Inside::wait_for($name, 30, sub { ($n = $lab->mailbox($site, $who, $mark)) == 1 }) };
    is($n, 1, $name);
    return;
}

# --- all goes well
my $alice = 'alice@corp.example';
my $left = 'left-behind-long-ago';
$lab->run('shandong', 'sh', '-c', "printf 'Subject: $left\\n\\nhi\\n' | doveadm save -u $alice");
my %mark = map { $_ => post_outside($lab, $alice, $mx{hebei}) } qw(before deleted);
$lab->found_in($_, "hebei $alice") for values %mark;

my ($code, $said) = move($alice, 'shandong', '--dry-run');
is($code, 0, '--dry-run');
like($said, qr/^# alice\@corp\.example from hebei to shandong; it is at step 1.*^# copied by: .*-S mx1\.hebei\.example:24245 -u alice\@corp\.example tcps:mx1\.shandong/ms,
    'shows the plan');
like($said, qr/^postroadState: moving.*^postroadHomeSite: shandong/ms, 'and the changes');
is_deeply(entry('alice'), {}, 'and changes nothing');

Inside::write_file("$root/run/lab/hold", '');
my $out = begin($alice, 'shandong');
$lab->wait_for('the first copy is made', 60, sub { calls() == 1 });
$mark{meanwhile} = post_outside($lab, $alice, $mx{shandong});
ok($lab->found_in($mark{meanwhile}, "hebei $alice"), 'while it is copied the first time, mail arrives as before');
$lab->run('hebei', qw(doveadm expunge -u), $alice, qw(mailbox INBOX header message-id), $mark{deleted});
Inside::write_file("$root/run/lab/go.1", '');
$lab->wait_for('the second copy is made', 60, sub { calls() == 2 });
like(transport($_, $alice), qr/^postroad-wait:/, "$_ knows that mail waits") for qw(hebei shandong);
like($lab->run('shandong', qw(postroad status)), qr/1 account is in state moving|2 accounts are in state moving/, 'status shows it');
like(entry('alice')->{postroadMove}, qr/^to=shandong from=hebei home=- state=- step=copy$/, 'the directory has the way back');
ok(!$lab->try('hebei', 'fetch', 'imap', $alice, 'sample-alice'), 'nobody logs in meanwhile');
is((move($alice, 'hebei'))[0], 1, 'another target is refused meanwhile');
forget();
for my $site (qw(hebei shandong)) {
    $mark{"by $site"} = post_outside($lab, $alice, $mx{$site});
    ok(eval { $lab->await_delivery($site, $mark{"by $site"}, $alice, 'deferred') }, "mail by $site waits");
}
Inside::write_file("$root/run/lab/go.2", '');
$lab->wait_for('the last copy is made', 60, sub { calls() == 3 });
like(entry('alice')->{postroadMove}, qr/step=late$/, 'a last look is due');
Inside::write_file("$root/run/lab/go.3", '');
$said = do { local $/; <$out> };
ok(close $out, 'it ends well') or diag($said);
unlink "$root/run/lab/hold";
is_deeply(entry('alice'), { postroadHomeSite => 'shandong' }, 'all that is left is the home site');
forget();
once('shandong', $alice, $mark{$_}, "mail $_ is at the new place, once") for grep { $_ ne 'deleted' } sort keys %mark;
once('shandong', $alice, $left, 'what was there already stays');
is(scalar(() = $lab->mailbox('shandong', $alice, $mark{deleted})), 0, 'what was deleted meanwhile is not there');
$mark{after} = post_outside($lab, $alice, $mx{hebei});
ok($lab->found_in($mark{after}, "shandong $alice"), 'mail afterwards comes to the new place');
ok($lab->try('shandong', 'fetch', 'imap', $alice, 'sample-alice'), 'she logs in there');
($code, $said) = move($alice, 'shandong');
is("$code $said", "0 alice\@corp.example is at home at shandong already\n", 'again: nothing to do');

# --- killed at each step, and run again: to and fro
my $carol = 'carol@corp.example';
my @carols = post_outside($lab, $carol, $mx{hebei});
$lab->found_in($carols[0], "hebei $carol");
my ($here, $there) = qw(hebei shandong);
for my $step (1 .. 6) {
    my $from = begin($carol, $there);
    while (my $line = <$from>) {
        last if $line =~ /^$step /;
    }
    my @pids = $lab->processes_at('hebei', qr/^postroad .* user move-site/);
    $lab->run('hebei', 'sh', '-c', 'kill -9 "$@" || true', 'sh', @pids);
    close $from;
    my $now = entry('carol');
    note("killed at step $step: ", join ', ', map { "$_: $now->{$_}" } sort keys %$now);
    like($now->{postroadState} // '', $step < 2 ? qr/^$/ : $step == 2 ? qr/^(?:|moving)$/ : $step < 5 ? qr/^moving$/ : qr/^(?:moving|)$/,
        "killed at step $step: the state");
    push @carols, post_outside($lab, $carol, $mx{hebei}); # taken, whatever the state
    ($code, $said) = move($carol, $there);
    is($code, 0, "killed at step $step, run again: done") or diag($said);
    is_deeply(entry('carol'), { postroadHomeSite => $there }, 'nothing is left of it');
    forget();
    for my $i (0 .. $#carols) { once($there, $carol, $carols[$i], "message $i is at $there, once") }
    ($here, $there) = ($there, $here);
}

# --- what fails leaves mail waiting, says so, and can be taken back
my ($dave, $dave_dn) = ('dave@corp.example', 'uid=dave,ou=sales,dc=corp.example,ou=domains,o=corp');
$mark{dave} = post_outside($lab, $dave, $mx{hebei});
$lab->found_in($mark{dave}, "hebei $dave");
Inside::write_file("$root/run/lab/fail", '');
($code, $said) = move($dave, 'shandong');
is($code, 75, 'copying fails at once');
is_deeply(entry('dave'), { postroadState => 'suspended' }, 'nothing has changed');
unlink "$root/run/lab/fail";
$out = begin($dave, 'shandong');
while (my $line = <$out>) { Inside::write_file("$root/run/lab/fail", '') if $line =~ /^2 / }
close $out;
is(exit_code(), 75, 'copying fails the second time');
is(entry('dave')->{postroadState}, 'moving', 'mail waits');
like(entry('dave')->{postroadMove}, qr/state=suspended/, 'what he was is remembered');
($code, $said) = move($dave, 'shandong');
is($code, 75, 'and fails again');
like($said, qr/Still safe: mail for dave\@corp\.example waits.*the same command again goes on.*--abort/s, 'it says what is safe and what to do');
forget();
$mark{waits} = post_outside($lab, $dave, $mx{shandong});
ok($lab->await_delivery('shandong', $mark{waits}, $dave, 'deferred'), 'his mail waits');
($code, $said) = move($dave, '--abort');
is($code, 0, '--abort') or diag($said);
is_deeply(entry('dave'), { postroadState => 'suspended' }, 'he is what he was');
forget();
once('hebei', $dave, $mark{waits}, 'his mail is delivered at the old place');
is((move($dave, '--abort'))[0], 1, 'nothing to go back from');
is((move($dave, 'nowhere'))[0], 1, 'no such site');
is((move('frank@corp.example', 'shandong'))[0], 1, 'a state moving that somebody else has set is left alone');
unlink "$root/run/lab/fail";
is((move($dave, 'shandong'))[0], 0, 'then it works');
is_deeply(entry('dave'), { postroadHomeSite => 'shandong', postroadState => 'suspended' }, 'and he is suspended still');

is(scalar(() = $lab->queued($_)), scalar(grep { $_ eq 'hebei' } ()), "no mail is left in ${_}'s queue") for qw(hebei shandong);
unlike($lab->log_text($_), qr/status=bounced/, "$_ has returned no mail") for qw(hebei shandong);
kill 'KILL', $tunnel;
waitpid $tunnel, 0;
$lab->down;
done_testing;
