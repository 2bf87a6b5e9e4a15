#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# sign-in: people sign in at either of the two sites and come to the mailbox at their home site, by
# IMAP, POP3, ManageSieve and submission, with the files of home sites that policyd writes and
# the configuration of examples/two-sites. And what happens when something is not as it should be: a
# wrong password, sites that disagree, a line that is cut, policyd away, a home that changes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use Exit;
use Lab;
use Test::More;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my %other = (hebei => 'shandong', shandong => 'hebei');
my %address = (hebei => '192.0.2.10', shandong => '198.51.100.10');
my %line = (hebei => '10.77.0.1', shandong => '10.77.0.2');
my %port = (imap => 143, pop3 => 110, sieve => 4190, submission => 587, submissions => 465);

# Sign in at a site as somebody: {ok => the exit code was 0, dialog}.
sub sign_in {
    my ($site, @rest) = @_;
    return sign_in_from($site, $address{$site}, @rest);
}

# From an address that nobody else comes from: Dovecot lets those wait whose logins failed before.
my $strangers = 10;

sub sign_in_anew {
    my ($site, @rest) = @_;
    return sign_in_from($site, '127.0.0.' . ++$strangers, @rest);
}

sub sign_in_from {
    my ($site, $address, $protocol, $user, $password, @commands) = @_;
    my @command = $lab->at($site, 'sign-in', $protocol, "$address:$port{$protocol}", $user, $password, @commands);
    open my $out, '-|', @command or die "sign-in: $!\n";
    my $dialog = do { local $/; <$out> } // '';
    close $out;
    return { ok => $? == 0, code => exit_code(), dialog => $dialog };
}

sub logins { my ($site) = @_; return scalar(() = dovecot_log($site) =~ /imap-login: Info: (?:Login|Logged in): user=<bob\@corp\.example>/g) }

# Bob signs in until he hears this, from his mailbox at that site if one is named: Dovecot looks at a file once a second.
sub signs_in {
    my ($site, $like, $home) = @_;
    my $before = $home ? logins($home) : 0;
    my $r;
    my $so = eval {
        $lab->wait_for('it is so', 60, sub {
            $r = sign_in_anew($site, 'imap', 'bob@corp.example', 'sample-bob', 'STATUS INBOX (MESSAGES)');
            return $r->{dialog} =~ $like && (!$home || logins($home) > $before);
        });
    };
    return { %$r, so => $so };
}

sub dovecot_log { return $lab->run($_[0], 'cat', '/var/log/dovecot.log') }

# That a log gets such a line: it is written by a process of its own, which may not have come to it yet.
sub log_says {
    my ($site, $like, $what, $log) = @_;
    $log //= \&dovecot_log;
    my $text = '';
    eval { $lab->wait_for($what, 60, sub { ($text = $log->($site)) =~ $like }) };
    return ok($text =~ $like, $what) || diag("nothing like $like in the log of $site, which ends:\n" . $text =~ s/.*?((?:[^\n]*\n){0,20})\z/$1/sr);
}

# What a site's file says of somebody: his line, or ''.
sub line_of {
    my ($site, $user) = @_;
    my ($line) = $lab->run($site, 'sh', '-c', "cat /var/lib/postroad-homes/??") =~ /^(\Q$user\E:.*)$/m;
    return $line // '';
}

sub await_line {
    my ($site, $user, $like) = @_;
    $lab->wait_for("$site knows where $user lives", 60, sub { line_of($site, $user) =~ $like });
    return;
}

sub change {
    my ($dn, $change) = @_;
    $lab->modify('hebei', "dn: $dn\nchangetype: modify\n$change");
    return;
}

$lab->await_directory(qw(hebei shandong));
await_line('hebei', 'bob@corp.example', qr/hostip=10\.77\.0\.2/);
await_line('shandong', 'alice@corp.example', qr/hostip=10\.77\.0\.1/);

# --- the files

is(line_of('hebei', 'alice@corp.example'), '', 'who lives here has no line');
for (['zhaolei@corp.example', 'a department\'s home site counts'], ['sunli@post.example', 'a domain\'s does']) {
    my ($user, $what) = @$_;
    await_line('hebei', $user, qr/host=mx1\.shandong\.example /);
    pass($what);
}
is(line_of('hebei', 'carol@corp.example'), '', 'and the own one before those');
my $lines = $lab->run('hebei', 'sh', '-c', 'cat /var/lib/postroad-homes/??');
is(scalar(grep { !/:::::::noauthenticate=y / } split /\n/, $lines), 0, 'no line lets anybody in');
is((stat $lab->root('hebei') . '/var/lib/postroad-homes')[2] & 07777, 02750, 'only Dovecot may read them');

# --- each protocol, from each site

my %try = (
    imap => ['STATUS INBOX (MESSAGES)'],
    pop3 => ['STAT'],
    sieve => ['PUTSCRIPT "s" {7+}' . "\r\nkeep;\r\n", 'LISTSCRIPTS'],
    submission => ['MAIL FROM:<USER>', 'RCPT TO:<alice@corp.example>', 'RSET'],
    submissions => ['MAIL FROM:<USER>', 'RCPT TO:<alice@corp.example>', 'RSET'],
);
my %home = (hebei => 'alice', shandong => 'bob');
for my $site (qw(hebei shandong)) {
    for my $protocol (sort keys %try) {
        my $user = $home{ $other{$site} };
        my @commands = map { s/USER/$user\@corp.example/r } @{ $try{$protocol} };
        my $r = sign_in($site, $protocol, "$user\@corp.example", "sample-$user", @commands);
        ok($r->{ok}, "$protocol at $site, who lives at $other{$site}") or diag($r->{dialog});
        $user = $home{$site};
        @commands = map { s/USER/$user\@corp.example/r } @{ $try{$protocol} };
        $r = sign_in($site, $protocol, "$user\@corp.example", "sample-$user", @commands);
        ok($r->{ok}, "$protocol at $site, who lives there") or diag($r->{dialog});
    }
}
for my $site (qw(hebei shandong)) {
    my $user = "$home{ $other{$site} }\@corp.example";
    for my $login (qw(imap pop3 managesieve)) {
        log_says($site, qr/$login-login: Info: proxy\($user,(?:\S+\[)?$line{$other{$site}}\]?:\d+\): Started proxying/, "$login at $site was handed on");
        log_says($other{$site}, qr/$login-login: Info: (?:Login|Logged in): user=<$user>.* rip=$address{$site},.* TLS/,
            "and came to $other{$site} over TLS, with the client's own address");
    }
    log_says($site, qr/submission-login: Info: proxy\($user,(?:\S+\[)?$line{$other{$site}}\]?:587\): Started/, "port 465 at $site, too, to Postfix");
    log_says($site, qr{postfix/submissions/smtpd.*sasl_username=$home{$site}\@corp\.example}, 'or to the own one', sub { $lab->log_text(@_) });
}
my $r = sign_in('hebei', 'submissions', 'alice@corp.example', 'sample-alice', 'MAIL FROM:<bob@corp.example>', 'RCPT TO:<bob@corp.example>');
ok($r->{code} == 2 && $r->{dialog} =~ /^S: 553 .*not owned by user/m, 'port 465: sending as somebody else is refused');

# --- what is not as it should be

$r = sign_in_anew('hebei', 'imap', 'bob@corp.example', 'wrong');
like($r->{dialog}, qr/^S: a NO \[AUTHENTICATIONFAILED\]/m, 'a wrong password is refused where he signs in');
unlike(dovecot_log('shandong'), qr/auth failed/, 'and does not go over the line');
$r = sign_in_anew('hebei', 'imap', 'bob@corp.example', '');
like($r->{dialog}, qr/^S: a NO \[AUTHENTICATIONFAILED\]/m, 'so is an empty one');
$r = sign_in_anew('hebei', 'submission', 'bob@corp.example', 'wrong');
like($r->{dialog}, qr/^S: 535 /m, 'and one given to Postfix');
$r = sign_in_anew('hebei', 'imap', 'maqiang@corp.example', 'sample-maqiang');
ok(!$r->{ok}, 'who is suspended is not handed on') or diag($r->{dialog});

# --- administrators, as USER*ADMINISTRATOR: handed on as such, and judged where the mailbox is

for my $site (qw(hebei shandong)) {
    my $target = "$home{ $other{$site} }\@corp.example";
    $r = sign_in_anew($site, 'imap', "$target*lina\@corp.example", 'sample-lina', 'SELECT INBOX');
    ok($r->{ok} && $r->{dialog} =~ /^S: a OK \[READ-ONLY\]/m, "an administrator at $site opens a mailbox at $other{$site}, to read") or diag($r->{dialog});
    log_says($other{$site}, qr/postroad: lina\@corp\.example opened the mailbox of \Q$target\E to read/, 'there it is known who it was');
    $r = sign_in_anew($site, 'imap', "$target*lina\@corp.example", 'wrong');
    like($r->{dialog}, qr/^S: a NO \[AUTHENTICATIONFAILED\]/m, 'not with a wrong password');
}
$r = sign_in_anew('hebei', 'imap', 'bob@corp.example*carol@corp.example', 'sample-carol');
like($r->{dialog}, qr/^S: a NO \[AUTHORIZATIONFAILED\] carol\@corp\.example may not open the mailbox of bob\@corp\.example/m, 'nobody else does, and hears why');
$r = sign_in_anew('hebei', 'submission', 'alice@corp.example*carol@corp.example', 'sample-carol', 'MAIL FROM:<alice@corp.example>');
like($r->{dialog}, qr/^S: 535 /m, 'and nobody sends in another\'s name: not by Postfix');
$r = sign_in_anew('shandong', 'submissions', 'alice@corp.example*carol@corp.example', 'sample-carol', 'MAIL FROM:<alice@corp.example>');
is($r->{code}, 1, 'nor by the other site\'s') or diag($r->{dialog});
$r = sign_in_anew('hebei', 'submissions', 'alice@corp.example*carol@corp.example', 'sample-carol', 'MAIL FROM:<alice@corp.example>');
is($r->{code}, 1, 'nor by Dovecot') or diag($r->{dialog});

# Functions that are withheld are refused at the login, also to Postfix, which asks Dovecot.
log_says('hebei', qr/"action":"login".*"target":"alice\@corp\.example".*"service":"smtp"/, 'who signs in to send is in the audit log',
    sub { $lab->run($_[0], 'sh', '-c', 'cat /var/lib/postroad/audit/*.jsonl') });
my $lina = 'uid=lina,ou=hr,dc=corp.example,ou=domains,o=corp';
change($lina, "add: postroadDeny\npostroadDeny: submission\n");
$lab->wait_for('she may not send', 60, sub { sign_in_anew('hebei', 'submission', 'lina@corp.example', 'sample-lina')->{dialog} =~ /^S: 535 /m });
pass('who may not send is not let in by Postfix');
ok(sign_in_anew('hebei', 'imap', 'lina@corp.example', 'sample-lina', 'SELECT INBOX')->{ok}, 'and reads her mail');
change($lina, "delete: postroadDeny\n");

# policyd away: the files stay.
$lab->daemon(stop => 'hebei', 'policyd');
$r = sign_in_anew('hebei', 'imap', 'bob@corp.example', 'sample-bob', 'STATUS INBOX (MESSAGES)');
ok($r->{ok}, 'without policyd people sign in as before') or diag($r->{dialog});
$r = sign_in_anew('hebei', 'submission', 'alice@corp.example', 'sample-alice');
ok($r->{ok}, 'to send, too') or diag($r->{dialog});

# The sites disagree: hebei's files say shandong, shandong's say hebei.
my $bob = 'uid=bob,ou=east,ou=sales,dc=corp.example,ou=domains,o=corp';
change($bob, "add: postroadHomeSite\npostroadHomeSite: hebei\n");
await_line('shandong', 'bob@corp.example', qr/hostip=10\.77\.0\.1/);
$r = signs_in('hebei', qr{^S: a NO \[(?:SERVERBUG|UNAVAILABLE)\]}m);
ok($r->{so}, 'sites that disagree: a temporary error, no endless round') or diag($r->{dialog});
log_says('hebei', qr/TTL reached zero - proxies appear to be looping/, 'that says why');

# policyd is back: his new home counts, also for who has signed in before.
$lab->daemon(start => 'hebei', 'policyd');
await_line('hebei', 'bob@corp.example', qr/^$/);
$r = signs_in('shandong', qr{^S: a OK }m, 'hebei');
ok($r->{so}, 'his new home counts, and it is hebei') or diag($r->{dialog});

# While the mailbox moves nobody gets in, and nobody is handed on.
change($bob, "replace: postroadState\npostroadState: moving\n");
await_line('shandong', 'bob@corp.example', qr/^$/);
for my $site (qw(hebei shandong)) {
    $lab->wait_for("slapd at $site has it", 60, sub { $lab->run($site, qw(postroad lookup transport bob@corp.example)) =~ /wait/ });
    ok(!sign_in_anew($site, 'imap', 'bob@corp.example', 'sample-bob')->{ok}, "moving: refused at $site");
}
change($bob, "delete: postroadState\n-\ndelete: postroadHomeSite\n");
await_line('hebei', 'bob@corp.example', qr/hostip=10\.77\.0\.2/);

# A site that failed over: its people sign in at the standby site.
change('cn=shandong,cn=sites,o=corp', "replace: postroadDesiredState\npostroadDesiredState: failed-over\n-\n"
      . "replace: postroadStandbySite\npostroadStandbySite: hebei\n");
await_line('hebei', 'bob@corp.example', qr/^$/);
$r = signs_in('hebei', qr{^S: a OK }m, 'hebei');
ok($r->{so}, 'failed over: they sign in at the standby site') or diag($r->{dialog});
change('cn=shandong,cn=sites,o=corp', "replace: postroadDesiredState\npostroadDesiredState: up\n");
await_line('hebei', 'bob@corp.example', qr/hostip=10\.77\.0\.2/);

# The line is cut.
$lab->cut;
$r = signs_in('hebei', qr{^S: a NO \[UNAVAILABLE\]}m);
ok($r->{so}, 'the other site cannot be reached: a temporary error') or diag($r->{dialog});
$r = sign_in_anew('hebei', 'imap', 'alice@corp.example', 'sample-alice', 'STATUS INBOX (MESSAGES)');
ok($r->{ok}, 'who lives here gets in all the same') or diag($r->{dialog});

$lab->down;
done_testing;
