#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Role queue and the queue of a real Postfix, an instance of its own in a network of its own: what is
# listed, released and deleted, and what is not; programs that hang, fail, or write nonsense; killed; and
# what it keeps of root.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan skip_all => 'needs root' if $> != 0;
needs(qw(postfix postqueue postsuper postconf sendmail unshare));
plan skip_all => 'no user postfix' if !getpwnam 'postfix';
plan skip_all => 'needs t/tools/queue_ask' if !-x "$top/t/tools/queue_ask";
my ($daemons) = map { chomp; $_ } qx(postconf -d -h daemon_directory);
plan skip_all => 'may not make namespaces' if system('unshare --net --mount true 2>/dev/null') != 0;

my $etc = "$dir/etc";
my $long = sprintf "1000.%d%06d", $$, rand 1e6; # seconds, ours
my $nobody = getgrgid((getpwnam 'nobody')[3]);
my $drop = (stat '/usr/sbin/postqueue')[5];
my $master;

# --- Postfix ---
# Without a network, but for loopback; what is due for delivery is thrown away, and what says so is held.
sub postfix_start {
    mkdir "$dir/$_" for qw(etc spool data log);
    chown((getpwnam 'postfix')[2, 3], "$dir/data");
    spew("$etc/main.cf", <<"CF");
compatibility_level = 3.6
queue_directory = $dir/spool
data_directory = $dir/data
command_directory = /usr/sbin
daemon_directory = $daemons
mail_owner = postfix
setgid_group = @{[ scalar getgrgid $drop ]}
myhostname = here.example
mydestination =
inet_interfaces = loopback-only
maillog_file = $dir/log/maillog
maillog_file_prefixes = $dir
alias_maps =
default_transport = discard
relay_transport = discard
transport_maps = inline:{ { stay.example = retry:4.3.0 later } }
header_checks = regexp:$etc/headers
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ
CF
    spew("$etc/headers", "/^Subject: hold/ HOLD\n");
    spew("$etc/master.cf", join '', map { "$_\n" } 'pickup unix n - n 60 1 pickup', 'cleanup unix n - n - 0 cleanup',
        'qmgr unix n - n 300 1 qmgr', 'rewrite unix - - n - - trivial-rewrite', 'bounce unix - - n - 0 bounce',
        'defer unix - - n - 0 bounce', 'trace unix - - n - 0 bounce', 'flush unix n - n 1000? 0 flush',
        'showq unix n - n - - showq', 'error unix - - n - - error', 'retry unix - - n - - error',
        'discard unix - - n - - discard', 'postlog unix-dgram n - n - 1 postlogd', 'proxymap unix - - n - - proxymap');
    my ($rc, $out) = run('', 'unshare', '--net', 'sh', '-c', "ip link set lo up 2>/dev/null; exec postfix -c $etc start");
    wait_for(30, sub { ($master) = slurp("$dir/spool/pid/master.pid") =~ /(\d+)/; -S "$dir/spool/public/showq" }) or BAIL_OUT($out . slurp("$dir/log/maillog"));
    return;
}

END {
    my $was = $?;
    if ($master && -d "/proc/$master") {
        kill TERM => $master;
        wait_for(30, sub { !-d "/proc/$master" });
    }
    $? = $was;
}

# The queue, by Postfix's own tool: id => its line.
sub queue {
    my ($rc, $out) = run('', 'postqueue', '-c', $etc, '-j');
    return map { /"queue_id": "(\w+)"/ ? ($1 => $_) : () } split /\n/, $out;
}

# Have n more messages in the queue, on hold; their ids.
sub hold {
    my ($n, $to) = @_;
    my %before = queue();
    my $text = "From: a\nTo: b\nSubject: hold\n\nhello\n";
    for (1 .. $n) {
        my ($rc, $out) = run($text, 'sendmail', '-C', $etc, '-f', 'anna@x.example', 'b@y.example', $to // 'c@y.example');
        BAIL_OUT("sendmail: $out") if $rc;
    }
    my @new;
    wait_for(60, sub { my %now = queue(); @new = grep { !$before{$_} && $now{$_} =~ /"hold"/ } sort keys %now; @new == $n }) or BAIL_OUT("not $n messages on hold");
    return @new;
}

# --- the role ---
my ($tool, $to, $from, $buffer, $asked);

sub role_start {
    my (%o) = @_;
    my $more = join ' ', map { "$_ = $o{$_};" } grep { $_ ne 'as' } sort keys %o;
    spew("$dir/queue.conf", qq{site = "hebei";\nstate_dir = "$dir/state";\ndirectory: { ldif = "$dir/people.ldif"; };\n}
          . qq{user = "nobody"; group = "$nobody"; queue: { manage = true; config_dir = "$etc"; $more };\n});
    spew("$dir/people.ldif", '');
    pipe(my $in, $to);
    pipe($from, my $out);
    $to->autoflush(1);
    my @as = $o{as} ? ('setpriv', '--reuid', 'nobody', '--regid', $nobody, '--groups', $o{as}) : ();
    $tool = spawn_sub(sub {
        close $to;
        open STDIN, '<&', $in;
        open STDOUT, '>&', $out;
        open STDERR, '>>', "$dir/role.log";
        exec @as, "$top/t/tools/queue_ask", "$dir/queue.conf";
    });
    close $in;
    close $out;
    ($buffer, $asked) = ('', 0);
    my ($pid) = line(20) =~ /^role (\d+)/ or BAIL_OUT('the role does not start: ' . slurp("$dir/role.log"));
    return $pid;
}

sub role_stop {
    close $to;
    stop_pid($tool);
    return;
}

sub line {
    my ($seconds) = @_;
    my $end = time + $seconds;
    while ($buffer !~ /\n/) {
        my $left = $end - time;
        return 'nothing' if $left <= 0 || !IO::Select->new($from)->can_read($left);
        return 'nothing' if !sysread $from, $buffer, 65536, length $buffer;
    }
    $buffer =~ s/\A([^\n]*)\n//;
    return $1;
}

sub say_to { print {$to} "$_[0]\n"; return ++$asked }

# Verdict and why; the message and the text besides.
sub ask {
    my ($question) = @_;
    say_to($question);
    my ($n, $verdict, $why, @rest) = split /\t/, line(60), -1;
    return wantarray ? ("$verdict $why", @rest) : join ' ', grep { defined } $verdict, $why;
}

sub figures {
    print {$to} "figures\n";
    my ($word, $known, $looked, $took, @queues) = split /\t/, line(20);
    return { known => $known, looked => $looked, map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } @queues };
}

sub log_of { return slurp("$dir/role.log") }

# Processes of the role with this name.
sub called {
    my ($name) = @_;
    my @found;
    for my $pid (map { m{(\d+)} } glob '/proc/[0-9]*') {
        push @found, $pid if slurp("/proc/$pid/status") =~ /^Name:\t\Q$name\E$/m && slurp("/proc/$pid/cmdline") =~ m{\Q$dir\E/queue\.conf};
    }
    return @found;
}

postfix_start();
my $role = role_start();
my ($one, $two, $four) = hold(3);
my ($three) = hold(1, 'd@stay.example');

# --- what it keeps ---
my ($helper) = called('postroad-super');
my ($r, $h) = map { slurp("/proc/$_/status") } $role, $helper;
my $uid = getpwnam 'nobody';
like($r, qr/^Uid:\t$uid\t$uid\t$uid\t$uid$/m, 'the role itself is not root');
like($r, qr/^CapPrm:\t0+\nCapEff:\t0+$/m, 'and has no capability');
like($h, qr/^Uid:\t0\t0\t0\t0$/m, 'its helper is');
like($h, qr/^CapInh:\t0+\nCapPrm:\t0+e0\nCapEff:\t0+e0\nCapBnd:\t0+e0\nCapAmb:\t0+$/m, 'with CAP_KILL, CAP_SETGID, CAP_SETUID and no other, for good');
like($h, qr/^Groups:\t$drop $/m, 'and the group of postqueue only');
like($h, qr/^NoNewPrivs:\t1\n(?s:.*)^Seccomp:\t2$/m, 'confined');
is(join(' ', map { m{(\d+)$} } glob "/proc/$helper/fd/*"), '0 1 2 3', 'with no descriptor but its socket');

# --- what it does ---
my $before = +{ queue() }->{$one};
my ($verdict, @m) = ask("look $one");
is("$verdict $m[0] $m[1]", 'done fine hold anna@x.example', 'a message is found');
like($before, qr/"arrival_time": $m[3]\b/, 'with its time');
is(ask("release $one"), 'done fine', 'released');
ok(wait_for(30, sub { slurp("$dir/log/maillog") =~ /$one: .*status=sent/ }), 'and delivered at once');
($verdict, @m) = ask("release $one");
is("$verdict $m[4]", 'no gone it is not in Postfix\'s queue', 'it is gone then');
is(ask("delete $two " . time), 'done fine', 'deleted');
like(slurp("$dir/log/maillog"), qr/postsuper\S+ $two: removed/, 'indeed');
is(ask("look $two"), 'no gone', 'it is gone, too');

# --- what it does not ---
for my $id ('ALL', 'all', '-', "$three/", '../hold', "$three;id", 'x' x 31) {
    like(ask("release $id"), qr/^not asked/, "\"$id\" is no queue id");
}
like(ask('delete'), qr/^not asked/, 'nor is nothing');
my $then = $m[3] && 1_000_000_000;
($verdict, @m) = ask("release $three $then");
is("$verdict $m[0]", 'no reused hold', 'a message that came later than the asker says is another one');
is(ask("delete $three $then"), 'no reused', 'nor is it deleted');
is(ask("release $three"), 'done fine', 'one more is released');
ok(wait_for(30, sub { my %q = queue(); ($q{$three} // '') =~ /"deferred"/ }), 'and can\'t be delivered');
($verdict, @m) = ask("delete $three");
like("$verdict $m[4]", qr/^no not-held it is not on hold, but in the (deferred|active) queue$/, 'what was released is not deleted any more');
ok(+{ queue() }->{$four} =~ /"hold"/, 'and what nobody asked for is where it was');

# --- figures ---
my $f = {};
ok(wait_for(30, sub { $f = figures(); $f->{known} == 1 && $f->{hold} =~ /^1\// && $f->{deferred} =~ /^1\// }), 'the queues are counted') or diag(explain($f));
my ($size, $arrival) = (+{ queue() }->{$four} =~ /"message_size": (\d+)/, +{ queue() }->{$four} =~ /"arrival_time": (\d+)/);
is($f->{hold}, "1/$size/$arrival", 'messages, bytes and the oldest');
is($f->{incoming}, '0/0/0', 'an empty one is empty');

# --- killed ---
kill KILL => $helper;
ok(wait_for(30, sub { !-d "/proc/$role" || slurp("/proc/$role/stat") =~ /\) Z / }), 'without its helper the role ends, to be started anew');
like(log_of(), qr/the helper that runs Postfix's programs is gone/, 'and says so');
role_stop();
$role = role_start();
($helper) = called('postroad-super');
kill KILL => $role;
ok(wait_for(30, sub { !called('postroad-super') }), 'without the role the helper ends');
role_stop();

# --- programs that don't do what they should ---
sub program {
    my ($name, $text) = @_;
    spew("$dir/$name", "#!/bin/sh\n$text\n");
    chmod 0755, "$dir/$name";
    return qq{"$dir/$name"};
}
role_start(timeout => 3, postqueue => program('hung', "echo \$\$ >$dir/pid.\$\$ 2>/dev/null; sleep $long & exec sleep $long"));
my $began = time;
($verdict, @m) = ask("look $four");
is("$verdict $m[4]", 'unsure trouble postqueue did not end in time, or could not be started', 'a postqueue that hangs: can\'t tell');
cmp_ok(time - $began, '<', 20, 'in bounded time');
is(figures()->{known}, 0, 'and no figures, rather than none');
role_stop();
for ([20, 'exits with 1', 'echo postqueue: fatal: no such luck >&2; exit 1', qr/^unsure trouble .*postqueue: fatal: no such luck$/],
    [20, 'writes nonsense', 'echo "{\"queue_name\": \"hold\"}"', qr/^unsure trouble .*not understood$/],
    [20, 'breaks off', "printf '{\"queue_name\": \"hold\", \"queue_id\": \"$four\"'", qr/^unsure trouble .*not understood$/],
    [2, 'writes without end', 'exec yes "{}"', qr/^unsure trouble/])
{
    my ($timeout, $what, $script, $want) = @$_;
    role_start(timeout => $timeout, postqueue => program('odd', $script));
    my @answer = ask("look $four");
    like(join(' ', @answer), $want, "a postqueue that $what: can't tell");
    role_stop();
}
role_start(timeout => 20, postqueue => '"/nonexistent/postqueue"');
like(join(' ', ask("look $four")), qr{^unsure trouble .*/nonexistent/postqueue: No such file}, 'one that is not there');
role_stop();
role_start(timeout => 3, postsuper => program('super', "echo \"\$*\" >$dir/said; env >>$dir/said; sleep $long"));
($verdict, @m) = ask("release $four");
is("$verdict $m[4]", 'unsure trouble postsuper did not end in time, or could not be started', 'a postsuper that hangs: can\'t tell whether it is done');
is((split /\n/, slurp("$dir/said"))[0], "-c $etc -H $four", 'what it was told');
unlike(slurp("$dir/said"), qr/^(?!LC_ALL=C$|PWD=|_=|SHLVL=|OLDPWD=)\w+=/m, 'its environment is a locale');
role_stop();
role_start(timeout => 20, postsuper => program('super', "echo \"\$*\" >$dir/said; echo postsuper: Deleted: 0 messages >&2"));
is(join(' ', (ask("delete $four"))[0, 5]), 'no not-held it left the hold queue meanwhile', 'one that did it to none: somebody else was faster');
is(slurp("$dir/said"), "-c $etc -d $four hold\n", 'what it was told: nothing that is not on hold');
role_stop();
role_start(timeout => 20, postsuper => program('mute', 'exit 0'));
like(join(' ', ask("delete $four")), qr/^unsure trouble .*without saying/, 'one that says nothing');
role_stop();
ok(+{ queue() }->{$four} =~ /"hold"/, 'the message is still there');
ok(wait_for(30, sub { !grep { slurp($_) =~ /^sleep\x{0}\Q$long\E\x{0}/ && slurp($_ =~ s/cmdline$/stat/r) !~ /\) Z / } glob '/proc/[0-9]*/cmdline' }), 'nothing that hung is left');

# --- the configuration ---
spew("$dir/rules.conf", slurp("$dir/queue.conf") =~ s/manage = true/manage = false/r . "milter: { moderate = [ \"all: from=x.example\" ]; };\n");
my ($code, $said) = run('', "$top/policyd/postroad-policyd", '-t', '-c', "$dir/rules.conf");
is($code, 0, 'rules that hold mail nobody can release are no mistake');
like($said, qr/^\Q$dir\E\/rules\.conf: warning: mail is held by rules, but queue\.manage is off/m, 'but -t warns');
($code, $said) = run('', "$top/policyd/postroad-policyd", '-t', '-c', "$dir/queue.conf");
is("$code $said", "0 $dir/queue.conf: ok\n", 'and not without');

# --- not root ---
SKIP: {
    skip 'no setpriv', 4 if system('command -v setpriv >/dev/null') != 0;
    my $is = role_start(as => $drop);
    is(ask("look $four"), 'done fine', 'an ordinary user in postqueue\'s group can look');
    ($verdict, @m) = ask("release $four");
    is("$verdict $m[4]", 'unsure trouble postroad-policyd was not started as root, so postsuper can\'t be used', 'and not release');
    role_stop();
    role_start(as => $nobody);
    like(join(' ', ask("look $four")), qr/^unsure trouble .*Permission denied/, 'one who is in no such group hears why');
    role_stop();
}

# --- a long queue ---
my $many = $ENV{POSTROAD_SOAK} ? 20000 : 2000;
sub fill {
    my ($file) = glob "$dir/spool/hold/$four";
    my $text = slurp($file // "$dir/spool/hold/$four");
    my ($u, $g) = (getpwnam 'postfix')[2, 3];
    for my $i (1 .. $many) {
        my $name = sprintf '%s/spool/hold/F%08X', $dir, $i;
        spew($name, $text);
        chmod 0700, $name;
        chown $u, $g, $name;
    }
    return;
}
fill();
role_start();
is(ask(sprintf 'look F%08X', $many), 'done fine', "one of $many");
ok(wait_for(30, sub { figures()->{hold} =~ /^@{[ $many + 1 ]}\// }), 'all are counted');
my $size_of = sub { my ($pid) = @_; return slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : 0 };
my ($now) = called('postroad-queue');
# A sanitizer keeps some of what was freed.
cmp_ok($size_of->($now), '<', `grep -c __asan_init policyd/postroad-policyd` > 0 ? 100_000 : 20_000, 'in little memory, in kB');
say_to(sprintf 'release F%08X', $_) for 1 .. 40;
my @done = grep { /\tdone\t/ } map { line(60) } 1 .. 40;
is(scalar @done, 40, 'many are released, one after the other');
role_stop();
done_testing;
