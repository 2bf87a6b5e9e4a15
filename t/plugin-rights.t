#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who may open whose mailbox, as real logins: each row of t/tables/access.tbl by IMAP, POP3,
# ManageSieve or submission, through Dovecot with our plugins and a running policyd; held against the table, and
# against postroad may. Besides: what is in the audit log of it, doveadm postroad rights.
use strict;
use warnings;
use Test::More;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Trial;
use Dovecot;

dovecot_needs();
plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);

my $group = getgrgid((getpwnam 'nobody')[3]);
my $sieve = -e '/usr/lib/dovecot/managesieve';
my $submission = -e '/usr/lib/dovecot/submission';
my @rows = map { [split ' '] } grep { !/^\s*(#|$)/ } split /\n/, slurp("$top/t/tables/access.tbl");
@rows = grep { $_->[2] =~ /^(imap|pop3)$/ || $sieve && $_->[2] eq 'sieve' || $submission && $_->[2] eq 'submission' } @rows;

spew("$dir/directory.ldif", slurp("$top/t/tables/access.ldif"));
ok(policyd_start(qq(ldif = "$dir/directory.ldif";), qq(access: { socket_group = "$group"; };\n)), 'policyd is up');
ok(wait_for(60, sub { (source()->{phase} // '') eq 'loaded' && -S "$dir/access" }), 'with the directory');
Dovecot::relay_start();
# Dovecot knows everybody by every name, so that what is refused is refused by us.
my %names = map { $_ => 1 } map { @$_[0, 1] } @rows;
dovecot_start(users => { map { lc $_ => '' } keys %names }, masters => [sort { $a cmp $b } keys %{ { map { lc $_ => 1 } keys %names } }],
    sieve => $sieve, submission => $submission, settings => { postroad_owner_on_doubt => 'refuse' }) or BAIL_OUT('Dovecot does not start');

sub records {
    my @all = map { decode_json($_) } map { split /\n/, slurp($_) } sort glob "$dir/state/audit/*.jsonl";
    return grep { $_->{action} eq 'open' } @all;
}

# owner, write, read, no or unsure, as the client finds out; "owner" is who left no record.
sub by_imap {
    my ($c, $answer) = imap(shift);
    return $answer =~ /NOPERM/ ? 'no' : $answer =~ /UNAVAILABLE/ ? 'unsure' : $answer if $answer !~ /^OK/;
    my $mode = ask_imap($c, 'SELECT INBOX') =~ /READ-ONLY/ ? 'read' : 'write';
    ask_imap($c, 'LOGOUT');
    return $mode;
}

sub by_pop3 {
    my ($c, $answer) = pop3(shift);
    return $answer =~ /\[AUTH\]/ ? 'no' : $answer =~ m{SYS/TEMP} ? 'unsure' : $answer if $answer !~ /^\+OK/;
    my $mode = talk($c, 'DELE 1') =~ /only read/ ? 'read' : 'write';
    talk($c, 'RSET');
    talk($c, 'QUIT');
    return $mode;
}

sub by_sieve {
    my ($c, $answer) = sieve(shift);
    return 'no' if $answer !~ /^OK/;
    return Dovecot::put_script($c, 'HAVESPACE "x" 10', undef) =~ /^OK/ ? 'write' : 'no';
}

sub by_submission {
    my ($c, $answer) = submission(shift);
    return $answer if $answer !~ /^(235|451)/;
    return $c->smtp =~ /^421/ && $c->smtp eq 'EOF' ? 'no' : 'it goes on' if $answer =~ /^451/;
    my @sent = map { $c->smtp($_) } "MAIL FROM:<x\@a.example>", 'RCPT TO:<x@outside.example>', 'DATA', "Subject: x\r\n\r\nx\r\n.", 'QUIT';
    return "@sent[0 .. 3]" =~ /^250 .*250 .*354 .*250 / ? 'write' : "@sent";
}

lmtp($_, "Subject: x\n\nx") for grep { /\@[ab]\.example$/ && !/\+/ } map { lc } keys %names;
my %way = (imap => \&by_imap, pop3 => \&by_pop3, sieve => \&by_sieve, submission => \&by_submission);
my %seen;
for my $row (@rows) {
    my ($actor, $target, $service, $want, $rule) = @$row;
    my $before = records();
    my $got = $way{$service}->($actor eq $target ? $target : "$target*$actor");
    my $opened = records() - $before;
    $got = 'owner' if $got eq 'write' && !$opened;
    $want = 'no' if $service eq 'sieve' && $want eq 'unsure';
    is($got, $want, "$actor opens $target by $service: $want");
    is($opened, $want =~ /^(read|write)$/ ? 1 : 0, '  one record, or none');
    $seen{$want}++;
    next if $rule == 0 || $service ne 'imap' || $want eq 'owner' || lc $actor eq lc $target;
    my %may = map {
        my (undef, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'may', '--json', $actor, $_, $target);
        $_ => (eval { decode_json($out) } // {})->{verdict} // $out;
    } 'read-mail', 'write-mail';
    is($got, $may{'write-mail'} eq 'allowed' ? 'write' : $may{'read-mail'} eq 'allowed' ? 'read' : $may{'read-mail'} eq 'refused' ? 'no' : 'unsure',
        '  as postroad may says');
}
ok($seen{$_}, "the table has $_") for qw(owner write read no unsure);

# --- other spellings
is(by_imap('Alice@A.Example'), 'write', 'an owner in capitals');
is(scalar(grep { $_->{actor} eq 'alice@a.example' } records()), 0, 'is an owner');
is(by_imap('ALICE@a.example*SUP@A.EXAMPLE'), 'read', 'an administrator in capitals, who may read');
{
    my ($c, $answer) = Dovecot::imap_as('alice@a.example', 'dep@a.example');
    like($answer, qr/^OK/, 'by authorization identity');
    like(ask_imap($c, 'SELECT INBOX'), qr/READ-ONLY/, 'the same right');
    ask_imap($c, 'FETCH 1 BODY[]');
    my @read = grep { $_->{action} eq 'read' } map { decode_json($_) } map { split /\n/, slurp($_) } sort glob "$dir/state/audit/*.jsonl";
    is_deeply({ map { $_ => $read[-1]{$_} } qw(actor target service mailbox uid) },
        { actor => 'dep@a.example', target => 'alice@a.example', service => 'imap', mailbox => 'INBOX', uid => '1' }, 'what is read is in the audit log');
    ok(wait_for(60, sub { status()->{access}{sessions} == 1 }), 'postroad status counts the session');
    ask_imap($c, 'LOGOUT');
    ok(wait_for(60, sub { status()->{access}{sessions} == 0 }), 'until its end');
}

# --- who administers no more
{
    my $text = slurp("$dir/directory.ldif");
    $text =~ s/(\nmail: dep\@a\.example\n)/$1postroadState: suspended\n/ or die 'no dep';
    spew("$dir/directory.ldif", $text);
    ok(wait_for(60, sub { by_imap('alice@a.example*dep@a.example') eq 'no' }), 'an administrator who was suspended opens nothing any more');
}

# --- for who sits at the server
{
    my ($rc, $out) = doveadm(qw(postroad rights sup@a.example alice@a.example));
    is($rc, 0, 'doveadm postroad rights') or diag($out);
    like($out, qr/^read-mail\s+yes\s+20\s*$/m, 'says which right');
    like($out, qr/^write-mail\s+no\s+14\s*$/m, 'and which not, by which rule');
    ($rc, $out) = doveadm(qw(postroad rights bob@a.example alice@a.example));
    like($out, qr/^read-mail\s+no\s+6\s*$/m, 'of anybody');
    ($rc, $out) = doveadm('postroad', 'rights', '-s', "$dir/nobody-there", qw(bob@a.example alice@a.example));
    is($rc, 75, 'without policyd: 75');
    like($out, qr/can't connect/, 'and why');
    ($rc) = doveadm(qw(postroad rights bob@a.example));
    ok($rc != 0 && $rc != 75, 'half a question is none');
}

for my $refused ($submission ? ('nil@a.example may not open the mailbox of nil@a.example by submission (rule 5:', 'sup@a.example may not open the mailbox of alice@a.example by submission (rule 14:') : ()) {
    ok(dovecot_logs(qr/postroad: access refused: \Q$refused\E/), "the log: $refused");
}
dovecot_stop();
policyd_stop();
unlike(dovecot_log(), qr/Panic|killed with signal|undefined symbol/, 'no crash');
done_testing();
