#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The Dovecot plugins with a real Dovecot, and a policyd that says what it is told to: what owners,
# administrators who may read, and those who may write can do by IMAP and POP3; what goes on record,
# and that nothing happens that can't be recorded; who is meant by a login.
use strict;
use warnings;
use Test::More;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Trial;
use Dovecot;
use FakeAccess;
use File::Find;

dovecot_needs();

my $wang = 'wang@a.example';
my ($reader, $writer, $nobody) = map { "$_\@a.example" } qw(reader writer nobody);

sub yes {
    my ($actor, $mode, $more) = @_;
    return "^session actor=$actor target=$wang => yes\\tmode=$mode\\trule=15\\twhy=may\\tactor=$actor\\ttarget=$wang" . ($more // '');
}
my @usual = (
    yes($reader, 'read'), yes($writer, 'write'),
    "^session actor=$nobody => no\\trule=13\\twhy=his right does not say so\\ttext=nobody may not open the mailbox of wang",
    "^session actor=$wang .*master=no => yes\\tmode=owner\\trule=0\\twhy=his own\\tactor=$wang\\ttarget=$wang",
    '^session actor=odd@a.example => yes\tmode=owner\tactor=odd@a.example\ttarget=odd@a.example\twithheld=expunge,create-folder,share',
    '^session actor=clerk => no\trule=1\twhy=unknown\ttext=Access refused',
    '^record action=read mailbox=Secret => unsure\twhy=disk full', '^record => ok',
);

# All names and contents below the mailbox that belong to the owner; Dovecot's caches are not among them.
sub state_of {
    my ($who) = @_;
    my ($user) = $who =~ /^(.*)\@/;
    my %seen;
    find({ no_chdir => 1, wanted => sub {
        $seen{$_} = -d $_ ? 'folder' : slurp($_) if !m{/(dovecot[.-]|maildirfolder|\.lock)[^/]*$} && !m{dovecot-uidlist};
    } }, "$dir/mail/a.example/$user");
    return \%seen;
}

# The same on both: with what is new in a maildir there is most to leave as it is.
my $storage = $ENV{PLUGIN_STORAGE} // 'maildir';
fake_start(@usual);
dovecot_start(
    storage => $storage,
    users => { $wang => '', 'li@a.example' => '', 'odd@a.example' => '',
        'tricky@a.example' => 'mail_plugins=quota master_user=tricky@a.example' },
    masters => [$reader, $writer, $nobody, 'clerk'],
) or BAIL_OUT('Dovecot does not start');
like(lmtp($wang, "Subject: first\nMessage-ID: <1\@x>\n\nhello"), qr/^250/, 'mail arrives');
lmtp($wang, "Subject: second\n\nworld");
# A delivery does not wait for long, and may be done before it was heard.
wait_for(30, sub { 2 <= (() = fake_heard() =~ /\n/g) });
like(fake_heard(), qr{^(session actor=\Q$wang\E target=\Q$wang\E service=sieve session=\S+ master=no\n){2}\z}, 'a delivery asks for its limits only');
fake_forget();

# --- the owner
{
    my ($c, $answer) = imap($wang);
    like($answer, qr/^OK/, 'an owner gets in');
    like(fake_heard(), qr/^session actor=\Q$wang\E target=\Q$wang\E service=imap remote=127\.\d+\.\d+\.\d+ session=\S+ master=no\n\z/, 'after one question');
    like(ask_imap($c, $_), qr/^OK/, "owner: $_")
        for 'CREATE Secret', 'SELECT INBOX', 'COPY 2 Secret', 'STORE 2 +FLAGS (\Flagged)', 'FETCH 1 BODY.PEEK[]';
    is(fake_heard() =~ tr/\n//, 1, 'and nothing of that is told to anybody');
    ask_imap($c, 'LOGOUT');
}

# --- an administrator who may read
{
    lmtp($wang, "Subject: fresh\n\nnot seen by its owner yet");
    my $before = state_of($wang);
    ok($storage ne 'maildir' || (grep { m{/new/.} } keys %$before), 'reader: there is new mail');
    fake_forget();
    my ($c, $answer) = imap("$wang*$reader");
    like($answer, qr/^OK/, 'reader: IMAP');
    like(fake_heard(), qr/^session actor=\Q$reader\E target=\Q$wang\E service=imap .*master=yes/, 'reader: actor and target');
    my @select = fetch_lines($c, 'SELECT INBOX');
    like($select[-1], qr/^OK \[READ-ONLY\]/, 'reader: the folder is read-only');
    ok((grep { /PERMANENTFLAGS \(\)/ } @select), 'reader: and has no flags to set');
    fetch_lines($c, 'FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE BODY[HEADER])');
    unlike(fake_heard(), qr/record/, 'reader: headers, structure and size are no read');
    my @body = fetch_lines($c, 'FETCH 1 BODY[]');
    ok((grep { /hello/ } @body), 'reader: a body');
    like(fake_heard(), qr/^record action=read mailbox=INBOX uid=1$/m, 'reader: on record');
    fetch_lines($c, 'FETCH 1 (BODY[TEXT] BINARY[1])');
    is(() = fake_heard() =~ /record/g, 1, 'reader: once');
    fetch_lines($c, 'FETCH 2 BINARY[1]');
    like(fake_heard(), qr/^record action=read mailbox=INBOX uid=2$/m, 'reader: a part of a body is one, too');
    unlike(join('', fetch_lines($c, 'FETCH 1 FLAGS')), qr/Seen/, 'reader: \Seen is not set');
    like(ask_imap($c, $_), qr/^NO \[NOPERM\] This session may only read/, "reader: $_")
        for 'STORE 1 +FLAGS (\Deleted)', 'STORE 1 FLAGS.SILENT (x)', 'UID STORE 1 -FLAGS (\Flagged)', 'EXPUNGE', 'UID EXPUNGE 1',
        'COPY 1 Secret', 'UID COPY 1 Secret', 'MOVE 1 Secret', 'UID MOVE 1 Secret', 'CREATE New', 'DELETE Secret', 'RENAME Secret Other',
        'RENAME INBOX Other', 'SUBSCRIBE Secret', 'GENURLAUTH "imap://x/INBOX/;uid=1;urlauth=anonymous" INTERNAL';
    like(ask_imap($c, 'APPEND INBOX {3}', 'abc'), qr/^NO \[NOPERM\]/, 'reader: APPEND');
    like(ask_imap($c, 'SELECT Secret'), qr/READ-ONLY/, 'reader: another folder');
    @body = fetch_lines($c, 'FETCH 1 BODY.PEEK[TEXT]');
    ok((grep { /^\* BYE .*This can't be recorded/ } @body), 'reader: what can not be recorded is not given, and FETCH never fails in Dovecot but by BYE');
    ok(!(grep { /world/ } @body), 'reader: not a word of it');

    my ($p, $in) = pop3("$wang*$reader");
    like($in, qr/^\+OK/, 'reader: POP3');
    like(talk($p, 'STAT'), qr/^\+OK 3 /, 'reader: STAT');
    like(talk($p, 'DELE 1'), qr/^-ERR \[SYS\/PERM\] This session may only read/, 'reader: DELE says that it does not');
    like(talk($p, 'STAT'), qr/^\+OK 3 /, 'reader: and nothing is marked');
    fake_forget();
    talk($p, 'RETR 1');
    while (defined(my $line = $p->line)) { last if $line eq q(.) }
    like(fake_heard(), qr/^record action=read mailbox=INBOX uid=1$/m, 'reader: RETR is on record');
    like(talk($p, 'DELE 2'), qr/^-ERR/, 'reader: DELE once more');
    like(talk($p, 'QUIT'), qr/^\+OK Logging out\.$/, 'reader: QUIT does not talk of deletion');
    is_deeply(state_of($wang), $before, 'reader: the mailbox is what it was, to the byte');
    my ($o) = imap($wang);
    ok((grep { /^\* 1 RECENT/ } fetch_lines($o, 'SELECT INBOX')), 'reader: its owner still sees what is recent');
    ask_imap($o, 'STORE 3 +FLAGS (\Deleted)');
    ask_imap($o, 'CLOSE');
}

# --- an administrator who may write
{
    fake_forget();
    my ($c, $answer) = imap("$wang*$writer");
    like($answer, qr/^OK/, 'writer: IMAP');
    like(ask_imap($c, $_), qr/^OK/, "writer: $_") for 'SELECT INBOX', 'STORE 1:2 +FLAGS (\Answered)', 'COPY 1:2 Secret', 'CREATE New',
        'SUBSCRIBE New', 'RENAME New Newer', 'MOVE 2 Newer';
    like(ask_imap($c, 'APPEND Newer {18}', "Subject: x\r\n\r\nnew"), qr/^OK/, 'writer: APPEND');
    like(ask_imap($c, $_), qr/^OK/, "writer: $_") for 'STORE 1 +FLAGS (\Deleted)', 'EXPUNGE', 'DELETE Newer';
    my $heard = fake_heard();
    like($heard, qr/^record action=$_$/m, "writer: recorded: $_") for 'flags mailbox=INBOX uid=1-2', 'copy mailbox=Secret uid=1-2 detail=from INBOX',
        'create mailbox=New', 'subscribe mailbox=New detail=yes', 'rename mailbox=New detail=to Newer', 'move mailbox=Newer uid=2 detail=from INBOX',
        'append mailbox=Newer detail=1 messages', 'expunge mailbox=INBOX uid=1', 'delete mailbox=Newer';
    fake_rules(grep { !/^\^record/ } @usual);
    lmtp($wang, "Subject: third\n\nagain");
    ask_imap($c, 'NOOP');
    my $before = state_of($wang);
    like(ask_imap($c, $_), qr/^NO \[UNAVAILABLE\]/, "writer: not on record, not done: $_") for 'STORE 1 +FLAGS (\Answered)', 'COPY 1 Secret',
        'MOVE 1 Secret', 'CREATE Third', 'DELETE Secret', 'RENAME Secret Third', "APPEND INBOX {18+}\r\nSubject: x\r\n\r\nnew";
    my ($p) = pop3("$wang*$writer");
    like(talk($p, 'RETR 1'), qr/^-ERR /, 'writer: not on record, not given by POP3');
    is_deeply(state_of($wang), $before, 'writer: then nothing has changed');
    fake_rules(@usual);
    fake_stop();
    fake_start();
    fake_forget();
    like(ask_imap($c, 'STORE 1 +FLAGS (\Answered)'), qr/^OK/, 'writer: policyd started anew is asked again');
    like(fake_heard(), qr/^session .*\nrecord action=flags/, 'writer: beginning with the session');
    fake_rules(yes($writer, 'read'), '^record => ok');
    fake_stop();
    fake_start();
    like(ask_imap($c, 'STORE 1 -FLAGS (\Answered)'), qr/^NO \[UNAVAILABLE\]/, 'writer: whose right was taken away meanwhile can do no more');
    fake_rules(@usual);
    ask_imap($c, 'LOGOUT');
}

# --- refused
is((imap("$wang*$nobody"))[1], '* BYE [NOPERM] nobody may not open the mailbox of wang', 'refused: IMAP says why');
is((pop3("$wang*$nobody"))[1], '-ERR [AUTH] nobody may not open the mailbox of wang', 'refused: POP3 says why');
ok(dovecot_logs(qr/postroad: access refused: nobody\@a\.example may not open the mailbox of wang\@a\.example by imap \(rule 13: his right/), 'refused: so does the log');

# --- withheld from the owner
{
    lmtp('odd@a.example', "Subject: kept\n\nkept");
    fake_rules('^session => yes\tmode=owner');
    ask_imap((imap('odd@a.example'))[0], 'CREATE Old');
    fake_rules(@usual);
    my ($c) = imap('odd@a.example');
    like(ask_imap($c, 'SELECT INBOX'), qr/^OK \[READ-WRITE\]/, 'withheld: the folder can be written');
    like(ask_imap($c, 'STORE 1 +FLAGS (\Deleted)'), qr/^OK/, 'withheld: flags can be set');
    like(ask_imap($c, $_), qr/^NO \[NOPERM\] Deleting/, "withheld: $_") for 'EXPUNGE', 'UID EXPUNGE 1';
    like(ask_imap($c, $_), qr/^NO \[NOPERM\] Making/, "withheld: $_") for 'CREATE New', 'RENAME INBOX New', 'RENAME Old New';
    like(ask_imap($c, $_), qr/^NO \[NOPERM\] Deleting/, "withheld: $_") for 'DELETE Old', dovecot_series() eq '2.4' ? "REPLACE 1 INBOX {3+}\r\nabc" : ();
    lmtp('odd@a.example', "Subject: filed\n\nfiled");
    ask_imap($c, 'NOOP');
    like(ask_imap($c, 'MOVE 2 Old'), qr/^OK/, 'withheld: a message can be filed in another folder');
    like((fetch_lines($c, 'STATUS Old (MESSAGES)'))[0], qr/MESSAGES 1\b/, 'withheld: where it is');
    is((fetch_lines($c, 'STATUS INBOX (MESSAGES)'))[0] =~ /MESSAGES 1\b/ ? 1 : 0, 1, 'withheld: and is no more where it was');
    ask_imap($c, 'CLOSE');
    like((fetch_lines($c, 'STATUS INBOX (MESSAGES)'))[0], qr/MESSAGES 1\b/, 'withheld: CLOSE removes nothing either');
    my ($p) = pop3('odd@a.example');
    like(talk($p, 'DELE 1'), qr/^-ERR \[SYS\/PERM\] Deleting/, 'withheld: DELE');
    talk($p, 'QUIT');
    like((fetch_lines($c, 'STATUS INBOX (MESSAGES)'))[0], qr/MESSAGES 1\b/, 'withheld: the message is there');
}

# --- who is meant
{
    fake_forget();
    imap(uc $wang);
    like(fake_heard(), qr/^session actor=\S+ .*master=no/, 'a name in capitals is no master login');
    fake_forget();
    my ($c, $answer) = Dovecot::imap_as($wang, $reader);
    like($answer, qr/^OK/, 'by SASL authorization identity');
    like(fake_heard(), qr/^session actor=\Q$reader\E target=\Q$wang\E .*master=yes/, 'the actor is who gave the password');
    fake_forget();
    imap('tricky@a.example');
    like(fake_heard(), qr/^session actor=tricky\@a\.example target=tricky\@a\.example .*master=no/,
        'master_user from the userdb makes no master login, and mail_plugins from there does not switch us off');
    fake_forget();
    like((imap("tricky\@a.example*$nobody"))[1], qr/^\* BYE/, 'nor for an administrator');
    fake_forget();
    like((imap("missing\@a.example*$reader"))[1], qr/^NO/, 'a target that does not exist');
    is(fake_heard(), '', 'does not come to us');
}

dovecot_stop();
fake_stop();
unlike(dovecot_log(), qr/Panic|killed with signal|undefined symbol|Unknown setting/, 'no crash');
done_testing();
