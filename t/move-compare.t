#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `postroad user move-site` compares both places: the home site never changes while the new one lacks a
# message, whatever the copying says of itself; with real Dovecot and slapd at two sites. Two INBOXes that
# dsync takes for one; copying that does nothing, hangs, is killed or meets a full disk; and a mailbox that
# is used by IMAP all the while.
use strict;
use warnings;
use FindBin;
use IPC::Open2;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use Exit;
use Lab;
use Test::More;
use Tunnel;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my %root = map { $_ => $lab->root($_) } qw(hebei shandong);
my $tunnel = tunnel("$root{hebei}/run/postroad/shandong", "$root{shandong}/run/postroad/control");
my $conf = Inside::slurp("$root{hebei}/etc/postroad/postroad.conf");
$conf =~ s{"-T120", "-l150"}{"-T15", "-l40"}g == 2 or die 'no -T and -l';
$conf =~ s/^move_site: \{/move_site: { settle = 0; timeout = 60; list_timeout = 10;/m or die 'no move_site';
# doveadm of 2.3.19 may hang at its end on a busy machine (see postroad.conf(5)): the limits are for that.
# As it stands in the example; without -f; and with a program around the copying, which does as /run/lab/do says.
my $around = $conf =~ s{((?:first|copy)_command = \[ )"doveadm"}{$1"/run/lab/copy", "doveadm"}gr;
my %conf = (example => $conf, fooled => $conf =~ s{ "-f",(?=\s+"-T)}{}gr, around => $around =~ s{timeout = 60}{timeout = 300}r, brief => $around =~ s{timeout = 60}{timeout = 1}r,
    bare => $conf =~ s{^  list_to_command = .*?\];\n}{}msr);
Inside::write_file("$root{hebei}/run/lab/$_.conf", $conf{$_}) for keys %conf;
Inside::write_file("$root{hebei}/run/lab/password", "sample-admin\n", 0600);
Inside::write_file("$root{hebei}/run/lab/copy", <<'END', 0755);
#!/bin/sh
n=$(($(cat /run/lab/calls 2>/dev/null) + 1))
. /run/lab/do
timeout 20 "$@" || { rc=$?; [ $rc = 124 ] && exit 75; exit $rc; }
echo $n >/run/lab/calls
END

# Run it with one of these configurations, the copying as said: its exit code and all it says.
sub command { my ($which, @words) = @_; return $lab->at('hebei', 'postroad', '-c', "/run/lab/$which.conf", '-D', 'cn=admin,o=corp', qw(--password-file /run/lab/password user move-site), @words) }

sub do_as {
    my ($script) = @_;
    unlink "$root{hebei}/run/lab/calls";
    Inside::write_file("$root{hebei}/run/lab/do", "$script\n");
    return;
}

sub move { my ($which, @words) = @_; open my $said, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', command($which, @words) or die "sh: $!\n"; return ended($said) }

# Begin it, to shandong unless told; the handle of what it says. And its end.
sub begin { my ($which, $who, $where) = @_; open my $said, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', command($which, $who, $where // 'shandong') or die "sh: $!\n"; return $said }
sub ended { my ($from) = @_; my $text = do { local $/; <$from> }; close $from; return (exit_code(), $text // '') }

sub entry {
    my ($uid) = @_;
    my $text = $lab->run('hebei', qw(ldapsearch -x -LLL -o ldif-wrap=no -H ldapi:/// -D), 'cn=admin,o=corp', qw(-w sample-admin -b o=corp),
        "(uid=$uid)", qw(postroadHomeSite postroadState postroadMove));
    return { $text =~ /^(postroad\w+): (.*)$/mg };
}

sub put { my ($site, $who, $mark, $size) = @_; $lab->run($site, 'sh', '-c', "(printf 'Subject: $mark\\n\\n'; head -c " . ($size // 9) . " /dev/zero | tr '\\0' x; echo) | doveadm save -u $who"); return }
sub at { my ($site, $who, $mark) = @_; return scalar(() = $lab->mailbox($site, $who, $mark)) }

# Both have an INBOX of the same second, and one message each: dsync sees no difference.
sub trap {
    my ($who, $mark) = @_;
    put('hebei', $who, "$mark-hebei");
    put('shandong', $who, "$mark-shandong");
    $lab->run($_, qw(doveadm mailbox update --uid-validity 4711 -u), $who, 'INBOX') for qw(hebei shandong);
    return;
}

# --- two INBOXes that dsync takes for one
my $alice = 'alice@corp.example';
trap($alice, 'trap');
my ($code, $said) = move('fooled', $alice, 'shandong');
is($code, 75, 'copying that ends well and copies nothing: it goes no further');
is(at('shandong', $alice, 'trap-hebei'), 0, '(it was fooled indeed)');
like($said, qr/copied 3 times, and shandong still does not have what is at hebei: INBOX lacks 1 of its 1 messages \(UIDs at the old place: 1\)/, 'it says what is missing');
like($said, qr/Still safe: all of it is at hebei, and used there as before.*To do:/s, 'what is safe, and what to do');
like($said, qr/without -f dsync may take two mailboxes for one/, 'and what may be the reason');
is_deeply(entry('alice'), {}, 'nothing has changed');
$lab->run('hebei', 'sh', '-c', "printf 'keep;\\n' | doveadm sieve put -a -u $alice filing && doveadm mailbox create -s -u $alice Empty");
($code, $said) = move('example', $alice, 'shandong');
is($code, 0, 'as the example has it, it is copied') or diag($said);
is(at('shandong', $alice, "trap-$_"), 1, "the message of $_ is there, once") for qw(hebei shandong);
is_deeply(entry('alice'), { postroadHomeSite => 'shandong' }, 'and she is at home there');
like($lab->run('shandong', qw(doveadm sieve list -u), $alice), qr/^filing ACTIVE$/m, 'her filter script comes along');
like($lab->run('shandong', qw(doveadm mailbox list -s -u), $alice), qr/^Empty$/m, 'and a mailbox without a message, subscribed');

# --- copying that does nothing once the mailbox is to move: the mail waits, until it is copied
my $carol = 'carol@corp.example';
put('hebei', $carol, 'early');
do_as('[ $n = 1 ] || { : >/run/lab/at.2; while ! [ -e /run/lab/go.2 ]; do sleep 0.05; done; exit 0; }');
my $out = begin('around', $carol);
$lab->wait_for('it was copied once', 60, sub { -e "$root{hebei}/run/lab/at.2" });
put('hebei', $carol, 'meanwhile');
Inside::write_file("$root{hebei}/run/lab/go.2", '');
($code, $said) = ended($out);
is($code, 75, 'what came meanwhile is not copied: it goes no further') or diag($said);
like($said, qr/^  INBOX lacks 1 of its 2 messages .*\n  Copying again\.$/m, 'it is tried again');
like($said, qr/Still safe: mail for carol\@corp\.example waits.*what was in the mailbox is at hebei.*goes on from here; with --abort/s, 'then it says what is safe, and what to do');
is(entry('carol')->{postroadState}, 'moving', 'she is moving');
is(entry('carol')->{postroadHomeSite}, 'hebei', 'and not at home elsewhere');
($code, $said) = move('bare', $carol, 'shandong');
is($code, 2, 'on the way, and nothing says any more how to compare');
like($said, qr/Set move_site\.list_from_command.*Still safe: mail for carol\@corp\.example waits.*goes on from here; with --abort/s, 'then, too');
like($lab->run('hebei', qw(postroad status)), qr/in state moving.*carol\@corp\.example/s, 'status shows it');
do_as(':');
($code, $said) = move('around', $carol, 'shandong');
is($code, 0, 'copied at last') or diag($said);
is(at('shandong', $carol, $_), 1, "the message $_ is there, once") for qw(early meanwhile);
is_deeply(entry('carol'), { postroadHomeSite => 'shandong' }, 'nothing is left of it');

# --- her entry is changed while she is copied: the state she has then is hers afterwards; who was moved is left alone
sub change { my (@lines) = @_; my $text = join "\n", "dn: $_[0]", 'changetype: modify', @lines[1 .. $#lines], ''; $lab->run('hebei', 'sh', '-c', 'printf %s "$1" | ldapmodify -H ldapi:/// -D cn=admin,o=corp -x -w sample-admin', 'sh', $text); return }
sub while_copied {
    my ($where, @changes) = @_;
    unlink "$root{hebei}/run/lab/$_" for qw(at.1 go.1);
    do_as('[ $n -gt 1 ] || { : >/run/lab/at.1; while ! [ -e /run/lab/go.1 ]; do sleep 0.05; done; }');
    my $said_by = begin('around', $carol, $where);
    $lab->wait_for('she is being copied', 60, sub { -e "$root{hebei}/run/lab/at.1" });
    my ($dn) = $lab->run('hebei', qw(ldapsearch -x -LLL -o ldif-wrap=no -H ldapi:/// -D), 'cn=admin,o=corp', qw(-w sample-admin -b o=corp), "(mail=$carol)", '1.1') =~ /^dn: (.*)$/m;
    change($dn, @changes);
    Inside::write_file("$root{hebei}/run/lab/go.1", '');
    return ended($said_by);
}
($code, $said) = while_copied('hebei', 'replace: postroadState', 'postroadState: suspended');
is($code, 0, 'suspended while she is copied: she is moved') or diag($said);
is_deeply(entry('carol'), { postroadHomeSite => 'hebei', postroadState => 'suspended' }, 'and still suspended');
($code, $said) = while_copied('shandong', 'replace: postroadHomeSite', 'postroadHomeSite: shandong', '-', 'replace: postroadState');
is($code, 1, 'moved by somebody else while she is copied: it goes no further');
like($said, qr/somebody else has moved carol\@corp\.example meanwhile/, 'and that is said');
is_deeply(entry('carol'), { postroadHomeSite => 'shandong' }, 'nothing else has changed');

# --- a disk that is full at the new site
my $dave = 'dave@corp.example';
my $home = '/var/vmail/corp.example/dave';
put('hebei', $dave, "large-$_-", 30_000) for 1 .. 8;
$lab->run('shandong', 'sh', '-c', "install -d -o vmail -g vmail /var/vmail/corp.example $home && mount -t tmpfs -o size=128k,mode=0700,uid=vmail,gid=vmail tmpfs $home");
($code, $said) = move('example', $dave, 'shandong');
is($code, 75, 'no room at the new site: it goes no further') or diag($said);
is_deeply(entry('dave'), { postroadState => 'suspended' }, 'nothing has changed');
is(at('hebei', $dave, "large-$_-"), 1, "message $_ is where it was") for 1 .. 8;
$lab->run('shandong', qw(mount -o), 'remount,size=4m', $home);
($code, $said) = move('example', $dave, 'shandong');
is($code, 0, 'there is room: it is done') or diag($said);
is(at('shandong', $dave, "large-$_-"), 1, "message $_ is there, once") for 1 .. 8;

# --- copying that hangs, and one whose command is killed
my $lina = 'lina@corp.example';
my $sleepers = sub { scalar $lab->processes_at('hebei', qr/^sleep 98765/) };
put('hebei', $lina, 'one');
put('hebei', $lina, $_) for qw(two three);
do_as('exec sleep 98765');
($code, $said) = move('brief', $lina, 'shandong');
is($code, 75, 'what hangs is ended');
like($said, qr/copy did not end within 1 s \(move_site\.timeout\), and was ended/, 'and that is said');
is($sleepers->(), 0, 'it is gone');
$out = begin('around', $lina);
$lab->wait_for('it is copying', 60, $sleepers);
$lab->run('hebei', 'kill', '-9', $lab->processes_at('hebei', qr/^postroad .* user move-site/));
ended($out);
ok($lab->wait_for('what copies is gone', 60, sub { !$sleepers->() }), 'when the command is killed, what it runs does not go on alone');
is_deeply(entry('lina'), {}, 'nothing has changed');

# --- somebody goes on using the mailbox by IMAP, all the while
my $pid = open2(my $from, my $to, $lab->at('hebei', qw(connect 127.0.0.1:143)));
sub until_tag { my ($tag) = @_; while (defined(my $line = <$from>)) { return $line if $line =~ /^\Q$tag\E / } return '' }
sub imap { my (@words) = @_; print $to "a @words\r\n"; $to->flush; return until_tag('a') =~ /^a OK/ }
sub append { my $text = "Subject: $_[0]\r\n\r\nhi\r\n"; return imap('APPEND INBOX {' . length($text) . "+}\r\n$text") }
until_tag('*');
ok(imap("LOGIN $lina sample-lina") && imap('SELECT INBOX'), 'she has her mailbox open');
unlink "$root{hebei}/run/lab/$_" for qw(at.2 go.2);
do_as(': >/run/lab/at.$n; while [ $n -gt 1 ] && ! [ -e /run/lab/go.$n ]; do sleep 0.05; done');
$out = begin('around', $lina);
my $step = sub { my ($n) = @_; $lab->wait_for("copying number $n", 60, sub { -e "$root{hebei}/run/lab/at.$n" }); return };
my $go = sub { my ($n) = @_; Inside::write_file("$root{hebei}/run/lab/go.$n", ''); return };
$step->(2);
ok(imap('UID STORE 1 +FLAGS (\Flagged)') && append('appended-first'), 'while it is copied she changes and adds something');
$go->(2);
$step->(3);
is(entry('lina')->{postroadState}, 'moving', 'now she is moving');
ok(!$lab->try('hebei', 'fetch', 'imap', $lina, 'sample-lina'), 'she could not log in now');
ok(imap('UID STORE 2 +FLAGS (\Deleted)') && imap('EXPUNGE') && append('appended-moving'), 'but who is in goes on: deletes, and adds');
$go->(3);
$step->(4);
is(entry('lina')->{postroadHomeSite}, 'shandong', 'now she is at home elsewhere');
ok(append('appended-late') && imap('UID STORE 3 +FLAGS (\Answered)'), 'and still adds something at the old place');
$go->(4);
($code, $said) = ended($out);
is($code, 0, 'it ends well') or diag($said);
imap('LOGOUT');
waitpid $pid, 0;
is(at('shandong', $lina, $_), 1, "$_ is at the new place, once") for qw(one three appended-first appended-moving appended-late);
is(at('shandong', $lina, 'two'), 0, 'what she deleted is not');
like($lab->run('shandong', qw(doveadm -f tab fetch -u), $lina, 'flags', 'subject', 'one'), qr/\\Flagged/, 'and a flag came along');
like($lab->run('shandong', qw(doveadm -f tab fetch -u), $lina, 'flags', 'subject', 'three'), qr/\\Answered/, 'a late one, too');

# --- the last look brings nothing along: that is said, and done when it is run again
do_as('[ $n -lt 4 ] || { : >/run/lab/at.last; while ! [ -e /run/lab/go.last ]; do sleep 0.05; done; exit 0; }');
$out = begin('around', $alice, 'hebei');
$lab->wait_for('the last look', 60, sub { -e "$root{hebei}/run/lab/at.last" });
put('shandong', $alice, 'latest');
Inside::write_file("$root{hebei}/run/lab/go.last", '');
($code, $said) = ended($out);
is($code, 75, 'the last look brought nothing along') or diag($said);
like($said, qr/hebei still does not have what is at shandong: INBOX lacks 1 of its 3 messages.*has moved, and mail flows to hebei.*Not done: the last look at shandong.*the same command again/s, 'it is said');
is(entry('alice')->{postroadState}, undef, 'she has her mailbox');
like(entry('alice')->{postroadMove}, qr/step=late$/, 'and it is known what is still to do');
do_as(':');
($code, $said) = move('around', $alice, 'hebei');
is($code, 0, 'the same command again does it') or diag($said);
is(at('hebei', $alice, $_), 1, "the message $_ is there, once") for qw(trap-hebei trap-shandong latest);

# --- it must be said how to compare
($code, $said) = move('bare', $carol, 'hebei');
is($code, 2, 'without a way to compare nothing is begun');
like($said, qr/Set move_site\.list_from_command and move_site\.list_to_command/, 'and that is said');

kill 'KILL', $tunnel;
waitpid $tunnel, 0;
$lab->down;
done_testing;
