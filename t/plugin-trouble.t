#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The Dovecot plugins when policyd isn't what it should be: stopped, hung, its socket missing,
# answers cut short, doubled or senseless. Administrators stay out, owners as it is configured, mail
# is delivered whatever happens, and nobody waits for long. Also: the plugin for IMAP or POP3 is
# missing from the configuration; a client that idled comes back from hibernation.
use strict;
use warnings;
use Test::More;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Time::HiRes qw(time);
use Trial;
use Dovecot;
use FakeAccess;

dovecot_needs();

my ($wang, $adm) = ('wang@a.example', 'adm@a.example');
my @fine = (
    "^session actor=$wang => yes\\tmode=owner\\tactor=$wang\\ttarget=$wang",
    "^session actor=$adm => yes\\tmode=write\\tactor=$adm\\ttarget=$wang",
    "^session actor=reader => yes\\tmode=read\\tactor=reader\\ttarget=$wang",
    '^record => ok',
);
my %usual = (users => { $wang => '' }, masters => [$adm, 'reader']);
my $later = qr/can't be decided at the moment, try later/;

sub start {
    my (%more) = @_;
    dovecot_start(%usual, %more) or BAIL_OUT('Dovecot does not start');
    return;
}

# What happens to owner and administrator in some trouble.
sub trouble {
    my ($what, $why) = @_;
    my ($from, $begun) = (length dovecot_log(), time);
    my ($c, $answer) = imap($wang);
    like($answer, qr/^OK/, "$what: an owner gets into his own mailbox");
    like(ask_imap($c, 'SELECT INBOX'), qr/^OK \[READ-WRITE\]/, "$what: and may use it");
    like((pop3($wang))[1], qr/^\+OK/, "$what: by POP3, too");
    like((imap("$wang*$adm"))[1], qr/^\* BYE \[UNAVAILABLE\] Access $later/, "$what: an administrator stays out");
    like((pop3("$wang*$adm"))[1], qr/^-ERR \[SYS\/TEMP\] Access $later/, "$what: by POP3, too");
    like(lmtp($wang, "Subject: x\n\nx"), qr/^250/, "$what: mail is delivered");
    cmp_ok(time - $begun, '<', 60, "$what: nobody waits for long");
    ok(dovecot_logs(qr/access of \Q$wang\E can't be decided: $why; let into his own mailbox, as postroad_owner_on_doubt says/, $from), "$what: the log says so");
    ok(dovecot_logs(qr/access of \Q$adm\E to the mailbox of \Q$wang\E can't be decided: $why; refused/, $from), "$what: and why it was refused");
    return;
}

start();
lmtp($wang, "Subject: one\n\none");
trouble('socket missing', qr{can't connect to \S+/access: No such file or directory});
fake_start(@fine);
fake_stop();
trouble('stopped', qr{can't connect to \S+/access: Connection refused});
dovecot_stop();
start(settings => { postroad_timeout => '700ms' });
fake_start('. => HANG');
trouble('hung', 'no answer in time');
dovecot_stop();
start();
for (['closes', 'CLOSE', 'the connection was closed'], ['empty line', '', q(policyd's answer makes no sense: )],
    ['not of the protocol', 'HTTP/1.1 400 Bad', q(policyd's answer makes no sense: )], ['yes and no more', 'yes', q(policyd's answer makes no sense)],
    ['unknown mode', 'yes\tmode=admin', q(policyd's answer makes no sense)], ['ok instead of yes', 'ok\tmode=owner', q(policyd's answer makes no sense: )],
    ['owner of another', "yes\\tmode=owner\\tactor=$adm\\ttarget=somebody", q(policyd's answer makes no sense)],
    ['two lines', "yes\\tmode=owner\\nyes\\tmode=owner", 'the answer is not one line'], ['NUL', 'yes\0\tmode=owner', 'the answer is not one line'],
    ['endless', 'yes' . 'x' x 9000, 'the answer is not one line'], ['error', 'error\ttext=no', q(policyd's answer makes no sense: no)],
    ['unsure', 'unsure\twhy=the mirror is old', q(policyd can't tell: the mirror is old)])
{
    my ($what, $answer, $why) = @$_;
    fake_rules(". => $answer");
    my $from = length dovecot_log();
    like((imap($wang))[1], qr/^OK/, "$what: the owner");
    like((imap("$wang*$adm"))[1], qr/^\* BYE \[UNAVAILABLE\]/, "$what: an administrator");
    ok(dovecot_logs(qr/can't be decided: \Q$why\E[^;]*; refused/, $from), "$what: the log");
}

# --- in the middle of a session
dovecot_stop();
start(settings => { postroad_timeout => '5s' });
fake_rules(@fine);
{
    my ($c) = imap("$wang*$adm");
    like(ask_imap($c, 'SELECT INBOX'), qr/^OK/, 'in the middle: a session');
    fake_rules(grep { !/record/ } @fine);
    fake_rules('^record => HANG', @fine);
    my $begun = time;
    like(ask_imap($c, 'STORE 1 +FLAGS (\Flagged)'), qr/^NO \[UNAVAILABLE\]/, 'in the middle: policyd hangs');
    cmp_ok(time - $begun, '<', 29, 'in the middle: not for long');
    fake_rules(@fine);
    like(ask_imap($c, 'STORE 1 +FLAGS (\Flagged)'), qr/^OK/, 'in the middle: and is back');
    fake_stop();
    like(ask_imap($c, 'STORE 1 -FLAGS (\Flagged)'), qr/^NO \[UNAVAILABLE\]/, 'in the middle: policyd is stopped');
    like(join("\n", fetch_lines($c, 'FETCH 1 FLAGS')), qr/Flagged/, 'in the middle: nothing was changed');
    fake_start(@fine);
}

# --- hibernation: who idles gives his process away, and is asked about again when he comes back
sub sleeps {
    my $ours = dovecot_pid();
    return wait_for(30, sub { !grep { slurp("$_/stat") =~ /^\d+ \(imap\) [^Z] $ours / } glob '/proc/[0-9]*' });
}
dovecot_stop();
{
    start(extra => <<"CONF");
imap_hibernate_timeout = 1s
service imap {
  unix_listener imap-master {
    mode = 0666
  }
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
  }
}
CONF
    my ($c, $answer) = imap("$wang*$adm");
    ask_imap($c, 'SELECT INBOX');
    fake_forget();
    $c->say("i IDLE\r\n");
    $c->line;
    ok(sleeps(), 'hibernation: the session sleeps') or diag(dovecot_log());
    $c->say("DONE\r\n");
    like($c->line, qr/^i OK/, 'hibernation: it wakes up');
    ok(wait_for(30, sub { fake_heard() =~ /^session actor=\Q$adm\E target=\Q$wang\E .*master=yes/ }), 'hibernation: policyd is asked again, about the same two');
    like(ask_imap($c, 'STORE 1 -FLAGS (\Flagged)'), qr/^OK/, 'hibernation: the session goes on');
    $c->say("j IDLE\r\n");
    $c->line;
    ok(sleeps(), 'hibernation: it sleeps again');
    fake_stop();
    $c->say("DONE\r\n");
    unlike($c->line // 'EOF', qr/^j OK/, 'hibernation: with policyd gone an administrator does not wake up into the mailbox');
}

# --- only the storage's half is configured
dovecot_stop();
fake_start(@fine);
start(parts => 'storage');
{
    lmtp($wang, "Subject: x\n\nx");
    my ($c, $answer) = imap("$wang*reader");
    like($answer, qr/^OK/, 'storage only: a reader gets in');
    like(ask_imap($c, 'SELECT INBOX'), qr/READ-ONLY/, 'storage only: to read');
    my @before = fetch_lines($c, 'FETCH 1:* FLAGS');
    ask_imap($c, $_) for 'STORE 1 +FLAGS (\Deleted)', 'EXPUNGE', 'MOVE 1 Trash', 'CREATE New';
    is_deeply([map { s/\(\d.*//r } fetch_lines($c, 'FETCH 1:* FLAGS')], [map { s/\(\d.*//r } @before], 'storage only: nothing changes');
    my ($p) = pop3("$wang*reader");
    my ($count) = talk($p, 'STAT') =~ /^\+OK (\d+)/;
    talk($p, $_) for 'DELE 1', 'QUIT';
    ($p) = pop3("$wang*reader");
    like(talk($p, 'STAT'), qr/^\+OK $count /, 'storage only: by POP3 neither');
    fake_rules("^session => no\\trule=1\\twhy=x\\ttext=go away");
    fake_rules("^session => yes\\tmode=owner\\twithheld=expunge");
    my ($w) = imap($wang);
    like(ask_imap($w, $_), qr/^OK/, "storage only, withheld: $_") for 'SELECT INBOX', 'STORE 1 +FLAGS (\Deleted)';
    like(ask_imap($w, 'EXPUNGE'), qr/^OK Expunge ignored: Deleting/, 'storage only, withheld: EXPUNGE, as Dovecot says it then');
    fake_rules("^session => no\\trule=1\\twhy=x\\ttext=go away");
    my ($d, $refused) = imap("$wang*$adm");
    like($refused . ' ' . ($d->line // 'EOF'), qr/^OK Logged in, but initialization failed\. \* BYE/, 'storage only: refused is refused');
    like((pop3($wang))[1], qr/^-ERR \[SYS\/TEMP\]/, 'storage only: in POP3, too');
    fake_rules(@fine);
}

# --- owners are to stay out in doubt
dovecot_stop();
fake_rules('. => unsure');
start(settings => { postroad_owner_on_doubt => 'refuse' });
like((imap($wang))[1], qr/^\* BYE \[UNAVAILABLE\]/, 'postroad_owner_on_doubt = refuse: so he does');
like(lmtp($wang, "Subject: x\n\nx"), qr/^250/, 'his mail is delivered');
dovecot_stop();
if (dovecot_series() eq '2.3') {
    start(settings => { postroad_owner_on_doubt => 'perhaps' });
    like((imap($wang))[1], qr/^\* BYE \[UNAVAILABLE\]/, 'a setting that makes no sense lets nobody in');
    ok(dovecot_logs(qr/postroad_owner_on_doubt: perhaps is neither allow nor refuse/), 'and the log says which');
    like(lmtp($wang, "Subject: x\n\nx"), qr/^250/, 'mail is delivered');
    dovecot_stop();
} else {
    Dovecot::dovecot_write(%usual, settings => { postroad_owner_on_doubt => 'perhaps' });
    my ($rc, $out) = dovecot_check();
    isnt($rc, 0, 'a setting that makes no sense is found before anything starts');
    like($out, qr/postroad_owner_on_doubt/, 'by its name');
}
fake_stop();
unlike(dovecot_log(), qr/Panic|killed with signal|undefined symbol/, 'no crash');
done_testing();
