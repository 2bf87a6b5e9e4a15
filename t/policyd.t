#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The life of postroad-policyd: starting, wrong configurations, reload, roles that
# die or hang, inherited sockets, stopping. No lookup of a known address may fail
# on the way. Needs no root.
use strict;
use warnings;
use lib 't', 't/lib';
use Exit;
use Policyd;
use Socket;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(time);

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';

my $ANNA = 'OK lmtp:unix:private/dovecot-lmtp';
my $program = $Policyd::program;

# Exit code and output of a command that ends by itself.
sub run {
    my (@command) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec 'timeout', '20', @command or exit 127;
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return (exit_code(), $text);
}

# Ask as Postfix does: once more on a new connection when the first broke. Counts what went wrong.
sub asker {
    my ($d) = @_;
    my ($fh, $asked, $failed) = (undef, 0, 0);
    return sub {
        my ($count) = @_;
        return ($asked, $failed) if $count;
        $asked++;
        for (1, 2) {
            $fh ||= $d->connection or next;
            my ($got) = syswrite($fh, Policyd::netstring('transport anna@a.example'))
                ? Policyd::replies($fh, 1) : ();
            return 1 if ($got // '') eq $ANNA;
            undef $fh;
        }
        $failed++;
        return 0;
    };
}

# Keep asking until the condition holds.
sub ask_until {
    my ($ask, $condition) = @_;
    return Policyd::wait_for(sub { $ask->(); $condition->() });
}

# --- command line and configuration ---
is((run($program, '-V'))[0], 0, '-V');
like((run($program, '-V'))[1], qr/^postroad-policyd \d+\.\d+\.\d+$/, '-V names the version');
is((run($program, '-h'))[0], 0, '-h');
is((run($program, '-z'))[0], 2, 'an unknown option is wrong usage');
is((run($program, 'file'))[0], 2, 'an argument is wrong usage');
is((run($program, '-x', 'answer'))[0], 2, '-x is not for people');
is((run($program, '-x', 'answer:9:1', '-c', '/nonexistent'))[0], 2, '-x without what the parent gives');

my $d = Policyd->new;
my ($code, $text) = run($program, '-t', '-c', $d->{conf});
is("$code $text", "0 $d->{conf}: ok\n", '-t finds nothing wrong');
ok(!-e $d->{map} && !-e "$d->{dir}/state", '-t makes nothing');
is((run($program, '-t', '-c', "$d->{dir}/none"))[0], 2, 'no configuration');

my %good = %{ $d->{settings} };
my %wrong = (
    'an unknown key' => [{ color => '"red"' }, qr/postroad\.conf:\d+: color/],
    'a wrong type' => [{ state_dir => '7' }, qr/postroad\.conf:\d+: state_dir/],
    'a folder that is none' => [{ state_dir => "\"$d->{conf}\"" }, qr/state_dir: .*is no folder/],
    'no place for the folder' => [{ state_dir => '"/nonexistent/x/y"' }, qr/state_dir: .*No such file/],
    'no LDIF file' => [{ directory => '{ ldif = "/nonexistent/x"; }' }, qr/directory\.ldif: .*No such file/],
    'a folder for an LDIF file' => [{ directory => '{ ldif = "/tmp"; }' }, qr/directory\.ldif: .*no ordinary file/],
    'no password' => [{ directory => '{ uri = ["ldapi:///"]; base = "o=t"; bind_dn = "cn=x"; password_file = "/nonexistent/x"; }' },
        qr/directory\.password_file: .*No such file/],
);
for my $what (sort keys %wrong) {
    my ($change, $error) = @{ $wrong{$what} };
    $d->write_conf(%$change);
    for my $arg ('-t', ()) {
        ($code, $text) = run($program, $arg ? '-t' : (), '-c', $d->{conf});
        is($code, 2, "$what: exit code 2" . ($arg ? ' with -t' : ''));
        like($text, $error, "$what: the error names it");
    }
    $d->{settings} = {%good};
}
ok(!-e $d->{map}, 'a wrong configuration opens no socket');
$d->write_conf;

# --- sockets that are in use, or left over ---
mkdir "$d->{dir}/run";
{
    my $other = IO::Socket::UNIX->new(Local => $d->{map}, Listen => 1);
    ($code, $text) = run($program, '-c', $d->{conf});
    is($code, 75, 'somebody else answers on the socket: exit code 75');
    like($text, qr/\Q$d->{map}\E: another daemon is running there/, 'the error says so');
    ok(-S $d->{map}, 'and leaves him his socket');
}
ok(-S $d->{map}, 'now a socket without a daemon is left over');
ok($d->start, 'it starts over that') or BAIL_OUT($d->log_text);
is($d->ask('transport', 'anna@a.example'), $ANNA, 'and answers');
($code, $text) = run($program, '-c', $d->{conf});
is($code, 75, 'it does not start a second time');
is($d->ask('transport', 'anna@a.example'), $ANNA, 'nor disturb the first');
is(sprintf('%o', (stat $d->{map})[2] & 0777), '660', 'the map socket is for owner and group');
is(sprintf('%o', (stat "$d->{dir}/run/control")[2] & 0777), '660', 'so is the control socket');

# --- roles that die ---
my $ask = asker($d);
for my $role (qw(answer control sync)) {
    for my $pid ($d->pids($role)) {
        kill 'KILL', $pid;
        ok(ask_until($ask, sub { my @now = $d->pids($role); @now && !grep { $_ == $pid } @now }), "$role is killed, and comes back");
    }
}
ok(ask_until($ask, sub { $d->pids('answer') == 2 && $d->pids('control') == 1 && $d->pids('sync') == 1 }), 'all roles are there');
{
    my ($asked, $failed) = $ask->(1);
    is($failed, 0, "meanwhile $asked lookups were answered");
}
like($d->log_text, qr/role died, starting it anew role=answer pid=\d+ by="signal 9"/, 'the log tells of it');
# What the one before it had seen holds until the new one begins to look, so one such answer tells little.
ok(Policyd::wait_for(sub { !grep { $d->ask('mailbox', 'ghost@a.example') ne 'NOTFOUND ' } 1 .. 20 }), 'sync has looked at the file again');

# A broken file is no trouble for a role that dies: it gets what the parent accepted.
$d->write_conf(color => '"red"');
{
    my @before = $d->pids('answer');
    kill 'KILL', @before;
    ok(ask_until($ask, sub { my @n = $d->pids('answer'); @n == 2 && $n[0] != $before[0] && $n[1] != $before[1] }),
        'workers come back while the configuration is broken');
    is($d->ask('transport', 'anna@a.example'), $ANNA, 'and answer');
}

# --- roles that hang ---
for my $role (qw(answer sync)) {
    my ($pid) = $d->pids($role);
    $d->mark;
    my $killed = Policyd::wait_for(sub { $d->freeze($role, $pid); $d->log_text =~ /role stopped beating, killed role=$role pid=$pid/ });
    ok($killed, "$role hangs, and is killed");
    ok(ask_until($ask, sub { my @now = $d->pids($role); @now && !grep { $_ == $pid } @now }), "$role comes back");
}

# --- reload ---
sub reload {
    my ($wanted, %change) = @_;
    $d->write_conf(%change) if %change;
    $d->mark;
    kill 'HUP', $d->{pid};
    return ask_until($ask, sub { $d->log_text =~ $wanted });
}
{
    my @before = map { $d->pids($_) } qw(answer control sync);
    ok(reload(qr/reload refused, nothing has changed: \Q$d->{conf}\E:\d+: color/), 'a broken configuration is refused by file, line and key');
    is_deeply([map { $d->pids($_) } qw(answer control sync)], \@before, 'and all roles stay as they are');
    delete $d->{settings}{color};
    $d->{settings}{sockets} =~ s{run/control}{none/deeper/control};
    ok(reload(qr{reload refused, .*/none/deeper/control: |/none/deeper: }, local_transport => '"lmtp:unix:other"'),
        'a socket that can not be opened is refused');
    is($d->ask('transport', 'anna@a.example'), $ANNA, 'nothing of it is in use');
    is_deeply([map { $d->pids($_) } qw(answer control sync)], \@before, 'and all roles stay as they are');
    $d->{settings} = {%good};

    my $idle = $d->connection;
    my $inode = (stat $d->{map})[1];
    ok(reload(qr/: reloaded file=/, answer => '{ workers = 3; }', wait_transport => '"postroad-later:"'), 'a good one is taken');
    ok(ask_until($ask, sub { my %b = map { $_ => 1 } @before; !grep { $b{$_} } map { $d->pids($_) } qw(answer control sync) }),
        'all roles are new ones');
    is(scalar $d->pids('answer'), 3, 'three workers now');
    is($d->ask('transport', 'carl@a.example'), 'OK postroad-later:', 'they answer by the new configuration');
    is((stat $d->{map})[1], $inode, 'the socket was never closed');
    ok(Policyd::closed($idle), 'an idle connection to an old worker was closed');

    my $old = "$d->{dir}/run/map";
    $d->{map} = "$d->{dir}/run/elsewhere";
    $d->{settings}{sockets} =~ s{run/map}{run/elsewhere};
    $d->mark;
    $d->write_conf;
    kill 'HUP', $d->{pid};
    ok($d->wait_log(qr/: reloaded file=/), 'the map socket moves');
    is($d->ask('transport', 'anna@a.example'), $ANNA, 'it answers at its new place');
    ok(Policyd::wait_for(sub { !-e $old }), 'the old one is gone');
    ok(-S "$d->{dir}/run/control", 'the control socket stays');

    $d->mark;
    kill 'HUP', $d->{pid} for 1 .. 5;
    ok(Policyd::wait_for(sub { (() = $d->log_text =~ /: reloaded file=/g) >= 1 && $d->pids('answer') == 3 }), 'reloads may come thick and fast');
}
{
    my ($asked, $failed) = $ask->(1);
    is($failed, 0, "through all of this $asked lookups were answered");
}

# --- stop ---
{
    # The last of the reloads must be over: nothing logged for a while, one of each but three that answer.
    my ($size, $since) = (-1, 0);
    Policyd::wait_for(sub {
        ($size, $since) = (-s $d->{log}, time) if $size != -s $d->{log};
        time - $since > 1.5 && join(' ', map { scalar(() = $d->pids($_)) } qw(answer control sync)) eq '3 1 1';
    });
    my @roles = map { $d->pids($_) } qw(answer control sync);
    my $half = $d->connection;
    syswrite $half, '24:transport anna';
    $d->mark;
    is($d->stop, 0, 'SIGTERM ends it with exit code 0');
    ok(!(grep { kill 0, $_ } @roles), 'no role is left');
    ok(!-e $d->{map} && !-e "$d->{dir}/run/control", 'no socket is left');
    like($d->log_text, qr/ended role=answer.*ended role=control.*ended role=sync.*stopped/s, 'in order: answer, control, sync');
}
$d->mark;
ok($d->start, 'it starts again, with the mirror on disk');
{
    my @roles = map { $d->pids($_) } qw(answer control sync);
    kill 'KILL', $d->{pid};
    ok(Policyd::wait_for(sub { !grep { kill 0, $_ } @roles }), 'when the parent is killed, no role stays behind');
    $d->running;
}

# --- inherited sockets, readiness, watchdog: as systemd does it ---
{
    my $i = Policyd->new;
    mkdir "$i->{dir}/run";
    my $map = IO::Socket::UNIX->new(Local => $i->{map}, Listen => 128) or die;
    my $http = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8, ReuseAddr => 1) or die;
    my $port = $http->sockport;
    my $stray = IO::Socket::UNIX->new(Local => "$i->{dir}/stray", Listen => 1) or die;
    my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$i->{dir}/notify") or die;
    $i->{settings}{sockets} =~ s/http = ""/http = "127.0.0.1:$port"/;
    $i->write_conf;
    ok($i->start(sub {
        require POSIX;
        $^F = 100;
        POSIX::dup2(fileno $_->[0], $_->[1]) for map { [$_->[0], $_->[1] + 20] } ([$map, 3], [$http, 4], [$stray, 5]);
        POSIX::dup2($_ + 20, $_), POSIX::close($_ + 20) for 3 .. 5;
        @ENV{qw(LISTEN_PID LISTEN_FDS NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID)} = ($$, 3, "$i->{dir}/notify", 600_000, $$);
    }), 'it starts with inherited sockets') or diag $i->log_text;
    is($i->ask('transport', 'anna@a.example'), $ANNA, 'and answers on the inherited map socket');
    close $http;
    my $web = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
    print $web "GET /healthz HTTP/1.0\r\n\r\n";
    like(scalar <$web> // '', qr{^HTTP/1\.\d 200}, 'and on the inherited port');
    like($i->log_text, qr/closed inherited sockets/, 'a socket nobody asked for is closed, and the log says so');
    my %told;
    my $hear = sub {
        my $r = '';
        vec($r, fileno $notify, 1) = 1;
        while (select(my $now = $r, undef, undef, 0) > 0) {
            recv $notify, my $said, 4096, 0;
            $told{$_}++ for $said =~ /^(\w+=\w*)/mg;
        }
        return \%told;
    };
    ok(Policyd::wait_for(sub { $hear->()->{'READY=1'} }), 'READY=1 is said');
    ok(Policyd::wait_for(sub { ($hear->()->{'WATCHDOG=1'} // 0) > 2 }), 'WATCHDOG=1 is said again and again');
    kill 'HUP', $i->{pid};
    ok(Policyd::wait_for(sub { $hear->()->{'RELOADING=1'} && $hear->()->{'READY=1'} > 1 }), 'a reload is said, and its end');
    is($i->stop, 0, 'it stops');
    ok($hear->()->{'STOPPING=1'}, 'STOPPING=1 is said');
    ok(-S $i->{map}, 'an inherited socket is left to whom it belongs');
}

# --- privileges ---
SKIP: {
    skip 'only root can give up privileges', 14 if $> != 0;
    my $p = Policyd->new(settings => { user => '"nobody"', group => '"' . getgrgid((getpwnam 'nobody')[3]) . '"' });
    chmod 0755, $p->{dir};
    # The tree may be where only root can read.
    open my $ldif, '<', 't/tables/maps.ldif' or die;
    Policyd::spew("$p->{dir}/directory.ldif", do { local $/; <$ldif> });
    $p->write_conf(directory => "{ ldif = \"$p->{dir}/directory.ldif\"; }");
    ok($p->start, 'started by root it runs as another user') or diag $p->log_text;
    is($p->ask('transport', 'anna@a.example'), $ANNA, 'and answers');
    my $uid = getpwnam 'nobody';
    for my $role (qw(answer control sync)) {
        my ($pid) = $p->pids($role);
        open my $fh, '<', "/proc/$pid/status" or die;
        my $status = do { local $/; <$fh> };
        ok($status =~ /^Uid:(\s+$uid){4}$/m && $status =~ /^CapEff:\s+0+$/m && $status =~ /^NoNewPrivs:\s+1$/m
            && $status =~ /^Groups:\s+\d+ ?$/m, "$role has no privileges left") or diag $status;
        like($status . ($p->log_text =~ /no sandbox, this kernel/ ? 'Seccomp: 2' : ''), qr/^Seccomp:\s+2$/m, "$role is in its sandbox");
    }
    chmod 0600, "$p->{dir}/directory.ldif";
    ($code, $text) = run($program, '-t', '-c', $p->{conf});
    like("$code $text", qr/^2 .*directory\.ldif: .*Permission denied.*: chgrp \S+ \S+; chmod 640 /, '-t finds a file that the roles could not read');
    chmod 0644, "$p->{dir}/directory.ldif";
    mkdir "$p->{dir}/closed", 0755;
    $p->write_conf(state_dir => "\"$p->{dir}/closed\"");
    ($code, $text) = run($program, '-t', '-c', $p->{conf});
    like("$code $text", qr/^2 .*state_dir: .*Permission denied/, '-t finds a folder that the roles could not write');
    chown $uid, -1, "$p->{dir}/closed";
    is((run($program, '-t', '-c', $p->{conf}))[0], 0, '-t is content when they can');

    # A password only root may read: well for who starts the daemon as root, not for its unit, which doesn't.
    Policyd::spew("$p->{dir}/secret", "x\n");
    chmod 0600, "$p->{dir}/secret";
    my %ldap = (directory => "{ uri = [\"ldapi:///\"]; base = \"o=t\"; bind_dn = \"cn=x\"; password_file = \"$p->{dir}/secret\"; }");
    $p->write_conf(%ldap);
    ($code, $text) = run($program, '-t', '-c', $p->{conf});
    like("$code $text", qr/^0 .*warning: started as user nobody.*password_file: .*chgrp \S+ \S+secret; chmod 640 /s, '-t warns of a password that the unit could not read');
    $p->write_conf(%ldap, queue => '{ manage = true; }');
    ($code, $text) = run($program, '-t', '-c', $p->{conf});
    unlike($text, qr/warning: started/, 'not where it has to be started as root');
    $p->write_conf(%ldap);
    chmod 0644, "$p->{dir}/secret";
    ($code, $text) = run($program, '-t', '-c', $p->{conf});
    unlike($text, qr/warning/, 'nor when it can');
}

# --- a line for each lookup, when that is wanted ---
{
    my $l = Policyd->new(settings => { log => '{ lookups = true; }' });
    $l->start or diag $l->log_text;
    $l->ask('alias', 'Anne+x@B.example');
    like($l->log_text, qr/lookup map=alias status=OK answer="anna\+x\@a\.example" matched="anne\@a\.example" how="alias domain" step=7 why="[^"]+" key=Anne\+x\@B\.example$/m,
        'log.lookups writes question, answer and reason');
    $l->ask('mailbox', "a\nb=\"c\" key=x\@a.example");
    unlike($l->log_text, qr/^b=/m, 'a key can not begin a line of its own');
}

done_testing;
