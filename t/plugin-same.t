#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Ordinary users notice nothing of the Dovecot plugins: the same long conversation by IMAP, POP3 and
# LMTP, on maildir and on sdbox, reads the same with and without them, bar tags, times and what
# Dovecot makes up anew each time. And logins leave nothing behind: no descriptor, no memory.
use strict;
use warnings;
use Test::More;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Trial;
use Dovecot;
use FakeAccess;

dovecot_needs();

my ($wang, $li, $adm) = ('wang@a.example', 'li@a.example', 'adm@a.example');
my @rules = ("^session actor=$adm => yes\\tmode=write\\tactor=$adm\\ttarget=$wang",
    (map { "^session actor=$_ => yes\\tmode=owner\\tactor=$_\\ttarget=$_\\twithheld=" } $wang, $li), '^record => ok');

my @script = (
    'CAPABILITY', 'ID NIL', 'NAMESPACE', 'ENABLE CONDSTORE', 'LIST "" *', 'CREATE Work', 'CREATE Work/Old', 'CREATE Work', 'SUBSCRIBE Work',
    'LSUB "" *', 'LIST "" "%" RETURN (STATUS (MESSAGES UNSEEN))', 'SELECT INBOX', 'FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE)',
    'FETCH 1 BODY[]', 'FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<2.5>)', 'FETCH 3 BINARY.PEEK[1]', 'FETCH 9 FLAGS',
    'STORE 2 +FLAGS (\Flagged $Label1)', 'STORE 2 -FLAGS.SILENT (\Flagged)', 'UID STORE 1:3 FLAGS (\Answered)', 'SEARCH TEXT beta', 'UID SEARCH UNSEEN',
    'SORT (SUBJECT) UTF-8 ALL', 'THREAD REFERENCES UTF-8 ALL', 'COPY 1:2 Work', 'UID COPY 3 Nowhere', 'MOVE 3 Work', 'STATUS Work (MESSAGES UIDNEXT UNSEEN)',
    'STORE 1 +FLAGS (\Deleted)', 'UID EXPUNGE 99', 'EXPUNGE', 'NOOP', 'CHECK', 'UNSELECT', 'EXAMINE Work', 'STORE 1 +FLAGS (\Seen)', 'CLOSE', 'SELECT Work',
    'FETCH 1:* FLAGS', 'STORE 1:* +FLAGS (\Deleted)', 'CLOSE', 'STATUS Work (MESSAGES)', 'RENAME Work/Old Older', 'DELETE Older', 'DELETE Missing',
    'UNSUBSCRIBE Work', 'SETACL INBOX x lr', 'SETQUOTA "" (STORAGE 5)', 'GETQUOTAROOT INBOX', 'GENURLAUTH', 'STORE', 'FETCH 1', 'UID', 'NONSENSE', 'EXPUNGE x', 'LOGOUT',
);

# Without what is made up anew: times, UIDVALIDITY, mail's own dates and GUIDs, addresses.
sub plain {
    my (@lines) = @_;
    for (@lines) {
        s/ \([\d.]+( \+ [\d.]+)* secs\)//;
        s/(UIDVALIDITY |COPYUID |APPENDUID |MODSEQ \(|\[HIGHESTMODSEQ )\d+/$1N/g;
        s/\d\d?-\w{3}-\d{4} [\d:]+ [+-]\d{4}/DATE/g;
        s/\w{3}, \d+ \w{3} \d{4} [\d:]+ [+-]\d{4}( \(\w+\))?/DATE/g;
        s/<[\w+\/=.-]{15,}>|\bby \S+|id \S+|for <.*|Delivered-To.*|RFC822\.SIZE \d+|\b\d{2,}\b/X/g;
    }
    return @lines;
}

sub conversation {
    my @heard;
    for my $n (1 .. 3) {
        push @heard, (lmtp($wang, "From: a\@b\nSubject: no $n\nMessage-ID: <$n\@x>\n\nalpha $n beta") =~ /^(\d+ \S+)/)[0];
    }
    my ($c, $answer) = imap($wang);
    push @heard, plain($answer);
    for (@script) {
        push @heard, "> $_", plain(fetch_lines($c, $_));
    }
    ($c) = imap($wang);
    push @heard, plain(fetch_lines($c, "APPEND INBOX (\\Seen) {21+}\r\nSubject: mine\r\n\r\nbody\n"), fetch_lines($c, 'SELECT INBOX'), fetch_lines($c, 'FETCH 1:* FLAGS'));
    ask_imap($c, 'LOGOUT');
    my ($p, $in) = pop3($wang);
    push @heard, plain($in, map { ("> $_", talk($p, $_)) } 'STAT', 'DELE 1', 'DELE 1', 'STAT', 'RSET', 'STAT', 'DELE 1', 'LAST', 'NONSENSE', 'QUIT');
    push @heard, plain((imap($wang, "wrong"))[1]);
    return \@heard;
}

sub setup {
    my (%o) = @_;
    run('', 'rm', '-rf', "$dir/mail");
    return dovecot_start(users => { $wang => '', $li => '' }, masters => [$adm], %o) || BAIL_OUT('Dovecot does not start');
}

fake_start(@rules);
for my $storage (qw(maildir sdbox)) {
    setup(storage => $storage, plugin => 0);
    my $without = conversation();
    dovecot_stop();
    fake_forget();
    setup(storage => $storage);
    my $with = conversation();
    cmp_ok(() = fake_heard() =~ /^session/mg, '>=', 5, "$storage: the plugin was there");
    cmp_ok(scalar @$with, '>', 150, "$storage: much was said");
    is_deeply($with, $without, "$storage: not one line differs");
    dovecot_stop() if $storage eq 'maildir';
}
dovecot_stop();

# --- logins leave nothing behind: all in one imap and one pop3 process
sub usage {
    my $ours = dovecot_pid();
    my %use;
    for my $proc (glob '/proc/[0-9]*') {
        my ($name, $parent) = slurp("$proc/stat") =~ /^\d+ \((\S+)\) \S (\d+) / or next;
        next if $parent != $ours || $name !~ /^(imap|pop3)$/;
        my ($rss) = slurp("$proc/status") =~ /^VmRSS:\s+(\d+)/m;
        my @fds = glob "$proc/fd/*";
        $use{$name} = { pid => $proc, fds => scalar @fds, rss => $rss };
    }
    return \%use;
}

sub logins {
    my ($count) = @_;
    for my $n (1 .. $count) {
        my ($login) = ($wang, "$wang*$adm", $li)[$n % 3];
        my ($c) = imap($login);
        ask_imap($c, $_) for 'SELECT INBOX', 'FETCH 1 BODY[]', 'STORE 1 +FLAGS (\Seen)', 'LOGOUT';
        next if $n % 3;
        my ($p) = pop3($login);
        talk($p, 'QUIT');
    }
    return;
}

my $many = "service imap {\n  process_limit = 1\n  client_limit = 1\n  service_count = 0\n  process_min_avail = 1\n}\n"
    . "service pop3 {\n  process_limit = 1\n  client_limit = 1\n  service_count = 0\n  process_min_avail = 1\n}\n";
$many =~ s/service_count = 0/restart_request_count = unlimited/g if dovecot_series() eq '2.4';
setup(extra => $many);
lmtp($_, "Subject: x\n\nx") for $wang, $li;
logins(60);
my $begin = usage();
logins(300);
my $end = usage();
for my $service (qw(imap pop3)) {
    is($end->{$service}{pid}, $begin->{$service}{pid}, "$service: one process for all");
    my $idle = wait_for(30, sub { usage()->{$service}{fds} <= $begin->{$service}{fds} });
    ok($idle, "$service: no descriptor more than after the first logins") or diag(explain [$begin, usage()]);
    cmp_ok($end->{$service}{rss} - $begin->{$service}{rss}, '<', 600, "$service: nor memory to speak of (KiB)");
}
dovecot_stop();
fake_stop();
unlike(dovecot_log(), qr/Panic|killed with signal|undefined symbol/, 'no crash');
done_testing();
