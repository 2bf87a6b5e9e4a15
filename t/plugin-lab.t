#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The plugins in the configuration of examples/two-sites, at two sites with slapd, policyd, Postfix and
# Dovecot: administrators open mailboxes with their own passwords from the directory, at the site
# where they are and through the other one; who may not is told so; what the directory says counts
# as soon as it says so.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use Lab;
use Test::More;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my %address = (hebei => '192.0.2.10', shandong => '198.51.100.10');
my %port = (imap => 143, pop3 => 110);
my $strangers = 10;

# Each login from an address of its own: Dovecot lets those wait whose logins failed before.
sub sign_in {
    my ($site, $protocol, $user, $password, @commands) = @_;
    my $at = $site eq 'hebei' || $site eq 'shandong' ? '127.0.1.' . ($strangers = $strangers % 250 + 1) : $site;
    open my $out, '-|', $lab->at($site, 'sign-in', $protocol, "$at:$port{$protocol}", $user, $password, @commands) or die "sign-in: $!\n";
    my $dialog = do { local $/; <$out> } // '';
    close $out;
    return $dialog;
}

# What who gave the right password, and still may not, hears at once.
sub refused {
    my ($text) = @_;
    return qr/^S: a NO \[AUTHORIZATIONFAILED\] $text/m;
}

sub records {
    my ($site) = @_;
    return $lab->run($site, 'sh', '-c', 'cat /var/lib/postroad/audit/*.jsonl');
}

$lab->await_directory(qw(hebei shandong));
my ($alice, $bob, $lina, $zhang) = map { "$_\@corp.example" } qw(alice bob lina zhangwei);

like(sign_in('hebei', 'imap', $alice, 'sample-alice', 'CREATE Kept', 'SELECT INBOX'), qr/READ-WRITE/, 'alice opens her mailbox');
like(sign_in('hebei', 'imap', "$alice*$lina", 'sample-lina', 'SELECT INBOX'), qr/READ-ONLY/, 'lina, who administers the domain and may read, opens it to read');
like(records('hebei'), qr/"action":"open".*"actor":"\Q$lina\E".*"target":"\Q$alice\E"/, 'that is in the audit log');
like(sign_in('hebei', 'imap', "$alice*$lina", 'sample-lina', 'CREATE New'), qr/NO \[NOPERM\] This session may only read/, 'she changes nothing');
like(sign_in('hebei', 'imap', "$alice*$lina", 'sample-alice'), qr/AUTHENTICATIONFAILED/, "alice's password is not hers");
like(sign_in('hebei', 'imap', "$alice*$bob", 'sample-bob'), refused("\Q$bob\E may not open the mailbox of \Q$alice\E: "), 'bob, who administers nobody, does not get in, and hears why');
like(sign_in('hebei', 'imap', "$zhang*$lina", 'sample-lina'), refused("\Q$lina\E may not open"), 'nor lina into the mailbox of who is above her');
like(sign_in('hebei', 'imap', "nobody\@corp.example*$lina", 'sample-lina'), refused('\w'), 'nor into one that does not exist');
like(sign_in('hebei', 'pop3', "$alice*$bob", 'sample-bob'), qr/^S: -ERR \[AUTH\] \Q$bob\E may not open/m, 'nor by POP3');
like(sign_in('shandong', 'imap', "$alice*$bob", 'sample-bob'), refused("\Q$bob\E may not open"), 'nor at the other site');
like(records('shandong'), qr/"action":"refused".*"actor":"\Q$bob\E".*"target":"\Q$alice\E"/, 'which has it in its audit log');
unlike(records('hebei'), qr/"action":"login","actor":"\Q$bob\E"/, 'and did not hand him on');
like(sign_in('hebei', 'imap', "$bob*$lina", 'sample-lina', 'SELECT INBOX'), qr/READ-ONLY/, 'a mailbox of the other site is opened there');
like(records('shandong'), qr/"action":"open".*"actor":"\Q$lina\E".*"target":"\Q$bob\E"/, "and is in that site's audit log");
my ($session) = records('shandong') =~ /"action":"open".*"actor":"\Q$lina\E".*"session":"([^"]+)"/;
for my $site (qw(hebei shandong)) {
    like(records($site), qr/"action":"login".*"actor":"\Q$lina\E".*"target":"\Q$bob\E".*"session":"\Q$session\E"/, "the login is in that of $site, by the same name of the session");
}

my $dn = 'uid=lina,ou=hr,dc=corp.example,ou=domains,o=corp';
$lab->modify('hebei', "dn: $dn\nchangetype: modify\nadd: postroadRight\npostroadRight: write-mail\n");
$lab->wait_for('she may write', 60, sub { sign_in('hebei', 'imap', "$alice*$lina", 'sample-lina', 'SELECT INBOX') =~ /READ-WRITE/ });
pass('the right to write, given in the directory, is hers at once');
$lab->modify('hebei', "dn: $dn\nchangetype: modify\ndelete: postroadRight\n");
$lab->wait_for('she may nothing', 60, sub { sign_in('hebei', 'imap', "$alice*$lina", 'sample-lina', 'SELECT INBOX') !~ /OK \[READ/ });
like(sign_in('hebei', 'imap', "$alice*$lina", 'sample-lina'), refused("\Q$lina\E may not open .*: needs the right read-mail"), 'and taken away, it is gone');
my $out = $lab->run('hebei', qw(doveadm postroad rights), $zhang, $alice);
like($out, qr/^read-mail\s+yes/m, 'doveadm postroad rights') or diag($out);
$lab->daemon(stop => 'hebei', 'policyd');
like(sign_in('hebei', 'imap', $alice, 'sample-alice', 'SELECT INBOX'), qr/READ-WRITE/, 'without policyd alice reads her mail');
like(sign_in('shandong', 'imap', $alice, 'sample-alice', 'SELECT INBOX'), qr/READ-WRITE/, 'by the other site, too');
my $dialog = sign_in('hebei', 'imap', "$alice*$zhang", 'sample-zhangwei', 'SELECT INBOX');
like($dialog, qr/^S: \* BYE \[UNAVAILABLE\]/m, 'and nobody else does: the plugin stops them') or diag($dialog);
unlike($dialog, qr/OK \[READ/, 'before the mailbox is open');
$lab->wait_for('Dovecot says so', 30, sub { $lab->run('hebei', 'cat', '/var/log/dovecot.log') =~ /Policy server HTTP error/ });
pass('and Dovecot says that nobody answered at the login');

# --- where a reason is demanded
$lab->run('hebei', 'sh', '-c', 'sed -i "s/^access: {/& require_reason = true;/" /etc/postroad/postroad.conf; echo sample-zhangwei >/etc/postroad/zhang; chmod 600 /etc/postroad/zhang');
$lab->daemon(start => 'hebei', 'policyd');
$lab->await_directory('hebei');
like(sign_in('hebei', 'imap', "$alice*$zhang", 'sample-zhangwei', 'SELECT INBOX'), refused(".*postroad access open \Q$alice\E --reason"),
    'who has not said why is told how to');
like(sign_in('hebei', 'imap', "$bob*$zhang", 'sample-zhangwei', 'SELECT INBOX'), qr/READ-ONLY/, 'for a mailbox elsewhere it is the other site that demands one, or does not');
like(sign_in('shandong', 'imap', "$alice*$zhang", 'sample-zhangwei'), qr/^S: a NO \[AUTHORIZATIONFAILED\]/m, 'and by the other site there is no way around it');
$lab->run('hebei', qw(postroad access open), $alice, '--reason', 'ticket 7', '--for', '1h', '-D', $zhang, '--password-file', '/etc/postroad/zhang');
like(sign_in('hebei', 'imap', "$alice*$zhang", 'sample-zhangwei', 'SELECT INBOX'), qr/READ-ONLY/, 'who has, gets in');
like(records('hebei'), qr/"action":"open".*"actor":"\Q$zhang\E".*"reason":"ticket 7"/, 'and the reason is on record');
like(sign_in('shandong', 'imap', "$alice*$zhang", 'sample-zhangwei', 'SELECT INBOX'), qr/READ-ONLY/, 'also by the other site, where nothing was said');
like(sign_in('hebei', 'imap', $alice, 'sample-alice', 'SELECT INBOX'), qr/READ-WRITE/, 'the owner needs none');

# --- a quota, from an administrator's mail client into the directory, and back into Dovecot
my $is_24 = $lab->run('hebei', qw(dovecot --version)) =~ /^2\.4/;
my $quota = $is_24
    ? "mail_plugins {\n  quota = yes\n}\nprotocol imap {\n  mail_plugins {\n    imap_quota = yes\n  }\n}\nquota \"User quota\" {\n}\n"
    : "protocol imap {\n  mail_plugins = \$mail_plugins quota imap_quota imap_postroad\n}\nplugin {\n  quota = count:User quota\n  quota_vsizes = yes\n}\n";
$lab->run('hebei', 'sh', '-c', 'cat >>/etc/dovecot/dovecot.conf <<"END"' . "\n${quota}END");
$lab->daemon(stop => 'hebei', 'dovecot');
$lab->daemon(start => 'hebei', 'dovecot');
like(sign_in('hebei', 'imap', $alice, 'sample-alice', 'SETQUOTA "User quota" (STORAGE 999)'), qr/NO \[NOPERM\] Only an administrator/, 'alice sets no quota');
like(sign_in('hebei', 'imap', "$alice*$zhang", 'sample-zhangwei', 'SETQUOTA "User quota" (STORAGE 4096)'), qr/a OK Setquota completed/, 'who administers her does');
$lab->wait_for('the quota is in the directory', 60,
    sub { sign_in('hebei', 'imap', $alice, 'sample-alice', 'GETQUOTAROOT INBOX') =~ /STORAGE \d+ 4096\)/ });
pass('and Dovecot shows and holds it, from the directory');
done_testing();
