#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `postroad user move-site` where the mailbox is copied over ssh, as postroad.conf(5) says: a real sshd at
# the new site with a host key and a key of its own, which can do nothing but what copying takes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use Exit;
use Lab;
use Lab::Cases qw(post_outside);
use Test::More;
use Tunnel;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;
my ($sshd) = grep { -x } map { "$_/sshd" } '/usr/sbin', '/usr/local/sbin';
plan skip_all => 'no sshd here: openssh-server' unless $sshd;
plan skip_all => 'no ssh and ssh-keygen here: openssh-client' if grep { my $p = $_; !grep { -x "$_/$p" } split /:/, $ENV{PATH} } qw(ssh ssh-keygen);
plan skip_all => 'no user sshd here' unless getpwnam 'sshd';

# What the manual tells administrators: the command, and the line of authorized_keys.
my $manual = Inside::slurp("$FindBin::Bin/../man/postroad.conf.5") =~ s/\\e/\\/gr;
my ($settings) = $manual =~ /^(  first_command = \[ "doveadm", "sync", "-1".*?\n)\.Ed/ms or BAIL_OUT('the manual has no command over ssh');
my ($key_line) = $manual =~ /^(restrict,command=.*?) ssh-ed25519 /ms or BAIL_OUT('the manual has no line for authorized_keys');
$key_line =~ s/\\\n\s*//g;

my $lab = Lab->up;
my %mx = map { $_ => "mx1.$_.example:25" } qw(hebei shandong);
my %root = map { $_ => $lab->root($_) } qw(hebei shandong);
my $alice = 'alice@corp.example';

# --- keys, sshd at shandong
$lab->run('shandong', 'sh', '-c', 'mkdir -p /run/sshd /run/lab/ssh && ssh-keygen -q -t ed25519 -N "" -f /run/lab/ssh/host');
$lab->run('hebei', 'sh', '-c', 'mkdir -p /run/lab/ssh && ssh-keygen -q -t ed25519 -N "" -f /run/lab/ssh/key');
Inside::write_file("$root{hebei}/run/lab/ssh/known", 'mx1.shandong.example ' . Inside::slurp("$root{shandong}/run/lab/ssh/host.pub"));
Inside::write_file("$root{shandong}/run/lab/ssh/authorized", $key_line . ' ' . Inside::slurp("$root{hebei}/run/lab/ssh/key.pub"));
$lab->run('shandong', $sshd, qw(-f /dev/null -h /run/lab/ssh/host -E /run/lab/ssh/log -o PidFile=/run/lab/ssh/pid -o AuthorizedKeysFile=/run/lab/ssh/authorized),
    qw(-o StrictModes=no -o UsePAM=no -o PasswordAuthentication=no -o PermitRootLogin=forced-commands-only));
Inside::write_file("$root{hebei}/run/lab/ssh/config", "IdentityFile /run/lab/ssh/key\nUserKnownHostsFile /run/lab/ssh/known\n");
my @ssh = qw(ssh -F /run/lab/ssh/config -o BatchMode=yes);

# (exit code, what was said)
sub at {
    my ($site, @command) = @_;
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh', $lab->at($site, @command) or die "sh: $!\n";
    my $text = do { local $/; <$out> };
    close $out;
    return (exit_code(), $text // '');
}

# --- what the key is good for
my ($code, $said) = at('hebei', @ssh, 'root@mx1.shandong.example', 'id');
unlike($said, qr/uid=/, 'the key runs no command of its owner\'s choice');
($code, $said) = at('hebei', @ssh, 'root@mx1.shandong.example');
ok($code != 0 && $said !~ /[#\$] $/, 'and opens no shell') or diag($said);
($code, $said) = at('hebei', @ssh, 'root@mx1.shandong.example', '$(touch${IFS}/run/lab/ssh/bad)', '`touch /run/lab/ssh/bad`', ';touch', '/run/lab/ssh/bad');
ok(!-e "$root{shandong}/run/lab/ssh/bad", 'nor what stands in the words') or diag($said);
($code, $said) = at('hebei', @ssh, qw(-N -o ExitOnForwardFailure=yes -R 2525:127.0.0.1:25 root@mx1.shandong.example));
like($said, qr/forwarding failed|refused|disabled/i, 'nor forwards a port');
is($code, 255, '- and ends');

# --- a mailbox moves
# Two INBOXes of the same second and the same size dsync without -f takes for one.
$lab->run('shandong', 'sh', '-c', "printf 'Subject: left-behind\\n\\nhi\\n' | doveadm save -u $alice");
my %mark = (before => post_outside($lab, $alice, $mx{hebei}));
$lab->found_in($mark{before}, "hebei $alice");
$lab->run($_, qw(doveadm mailbox update --uid-validity 4711 -u), $alice, 'INBOX') for qw(hebei shandong);
my $conf = Inside::slurp("$root{hebei}/etc/postroad/postroad.conf");
$conf =~ s/^move_site: \{.*?^\};\n//ms or die 'no move_site';
$settings =~ s{"-i", "/etc/postroad/move\.key"}{"-F", "/run/lab/ssh/config"}g or die 'no key';
Inside::write_file("$root{hebei}/run/lab/move.conf", $conf . "move_site: { settle = 0; timeout = 30; list_timeout = 10;\n$settings};\n");
Inside::write_file("$root{hebei}/run/lab/password", "sample-admin\n", 0600);
my @move = (qw(postroad -c /run/lab/move.conf -D), 'cn=admin,o=corp', qw(--password-file /run/lab/password user move-site), $alice, 'shandong');

my $tunnel = tunnel("$root{hebei}/run/postroad/shandong", "$root{shandong}/run/postroad/control");
($code, $said) = at('hebei', @move);
is($code, 0, 'user move-site over ssh') or diag($said);
my $boxes = sub { my ($what) = @_; return scalar(() = $lab->mailbox('shandong', $alice, $what)) };
is($lab->mailbox('shandong', $alice, $mark{before}), 1, 'what was there is at the new site, once');
is($lab->mailbox('shandong', $alice, 'left-behind'), 1, 'what the new site had already stays');
# A queue manager remembers its last question: let it ask another one.
$lab->await_settled(post_outside($lab, 'lina@corp.example', $mx{$_})) for qw(hebei shandong);
$mark{after} = post_outside($lab, $alice, $mx{hebei});
ok($lab->found_in($mark{after}, "shandong $alice"), 'mail afterwards comes to the new place');

# --- the host must be the one that is known
Inside::write_file("$root{hebei}/run/lab/ssh/known", 'mx1.shandong.example ' . Inside::slurp("$root{hebei}/run/lab/ssh/key.pub"));
($code, $said) = at('hebei', @ssh, 'root@mx1.shandong.example', $alice);
ok($code == 255 && $said =~ /verification failed|CHANGED/i, 'a host with another key gets no mail') or diag($said);
$lab->run('shandong', 'sh', '-c', 'kill $(cat /run/lab/ssh/pid)');
kill 'KILL', $tunnel;
waitpid $tunnel, 0;
$lab->down;
done_testing;
