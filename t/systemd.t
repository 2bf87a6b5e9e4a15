#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The units under a living systemd, with the system's own Postfix: what README and postroad-moderation(7)
# tell an administrator to do, done on a machine of its own (t/lab/machine). That both daemons come up and
# hold on to no privilege, that a message waits for approval and is released, that who is killed or
# hangs is started anew, and that folders are whose they were after the daemon was root and is not any more.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Cwd qw(abs_path);
use JSON::PP;
use POSIX ();
use Test::More;
use Trial;

plan(skip_all => 'needs root') if $> != 0;
plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad milter/postroad-milter);
needs(qw(unshare nsenter setpriv ip postfix), '/lib/systemd/systemd');
my ($master) = grep { -e } qw(/usr/share/postfix/master.cf.dist /usr/libexec/postfix/master.cf.proto) or plan(skip_all => "no sample of Postfix's master.cf");

# --- the machine
mkdir "$dir/machine";
my $machine = fork // die "fork: $!";
if (!$machine) {
    open STDOUT, '>', "$dir/machine.log";
    open STDERR, '>&', \*STDOUT;
    exec "$top/t/lab/machine", "$dir/machine" or POSIX::_exit(127);
}
my ($init, $status);
sub init {
    my ($unshare) = (eval { slurp("$dir/machine.pid") } // '') =~ /(\d+)/ or return;
    return (split ' ', eval { slurp("/proc/$unshare/task/$unshare/children") } // '')[0];
}
sub inside { return run('', 'nsenter', '-t', $init, qw(-C -m -p -u -i -n env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8), @_) }
sub out { return (inside(@_))[1] }
sub succeeds { my ($what, @how) = @_; my ($rc, $out) = inside(@how); return is($rc, 0, $what) || (diag($out) && 0) }
sub write_file { my ($path, $text) = @_; inside('mkdir', '-p', dirname($path)); spew("/proc/$init/root$path", $text); return }
END { if ($machine) { local $?; kill 'TERM', $machine; waitpid $machine, 0 } }

wait_for(90, sub { ($init = init()) && (inside(qw(systemctl is-active machine.target)))[0] == 0 or $status = waitpid($machine, POSIX::WNOHANG()) ? $? : undef });
if (defined $status) {
    undef $machine;
    plan(skip_all => 'this machine allows no machine of its own') if $status >> 8 == 77;
}
ok(!defined $status, 'a machine with a living systemd') or BAIL_OUT(slurp("$dir/machine.log"));

# --- as README says
sub configure { my ($more) = @_; return write_file('/etc/postroad/postroad.conf', qq(site = "hebei";\ndirectory: { ldif = "/etc/postroad/directory.ldif"; };\n$more)) }
my ($ldif) = slurp("$top/README.md") =~ /```ldif\n(.*?)```/s;
write_file('/etc/postroad/directory.ldif', $ldif);
configure('');
succeeds('users', 'systemd-sysusers');
inside(qw(systemd-tmpfiles --create));
succeeds('daemon-reload', qw(systemctl daemon-reload));
succeeds('the configuration', qw(postroad-policyd -t));
succeeds('enable --now postroad-policyd', qw(systemctl enable --now postroad-policyd));
like(out(qw(postroad lookup transport bob@corp.example)), qr/\Arelay:\[192\.0\.2\.2\]:2525$/, 'which answers');

# Each process of ours: [uid, effective capabilities, no new privileges, seccomp].
sub processes {
    my ($unit) = @_;
    my %is;
    for my $pid (split ' ', out('sh', '-c', "cat /sys/fs/cgroup/system.slice/$unit.service/cgroup.procs")) {
        my $text = out('cat', "/proc/$pid/status");
        $is{$pid} = join ' ', map { $text =~ /^$_:\s+(\S+)/m ? $1 : '?' } qw(Uid CapEff NoNewPrivs Seccomp);
    }
    return %is;
}
# The same, once there is nobody among them who has not yet given up what he was started with.
sub at_rest {
    my ($unit, $good) = @_;
    my %is;
    wait_for(60, sub { %is = processes($unit); $good->(%is) });
    return %is;
}
sub uid { my ($user) = @_; return out('id', '-u', $user) =~ /(\d+)/ ? $1 : 'nobody' }
my $none = '0' x 16;
my $user = uid('postroad');
sub others { my (%is) = @_; return join ' ', grep { $_ ne "$user $none 1 2" } values %is }
my %are = at_rest('postroad-policyd', sub { keys %{ +{@_} } > 5 && others(@_) eq '' });
cmp_ok(scalar(keys %are), '>', 5, 'its roles are there');
is(others(%are), '', 'all of them postroad, without a capability');

# --- Postfix, and mail that waits for approval
inside(qw(cp), $master, '/etc/postfix/master.cf');
write_file('/etc/aliases', '');
write_file('/etc/postfix/main.cf', <<'MAIN');
compatibility_level = 3.5
myhostname = mx.corp.example
mydestination = localhost
inet_interfaces = 127.0.0.1
alias_maps =
alias_database =
virtual_alias_domains =
virtual_mailbox_domains = socketmap:unix:postroad/map:domain
virtual_mailbox_maps = socketmap:unix:postroad/map:mailbox
virtual_alias_maps = socketmap:unix:postroad/map:alias
transport_maps = socketmap:unix:postroad/map:transport
defer_transports = postroad-wait relay
smtpd_milters = { unix:postroad/milter, connect_timeout=5s, command_timeout=30s, default_action=tempfail }
non_smtpd_milters = $smtpd_milters
maillog_file = /var/log/mail.log
MAIN
configure(qq(milter: { moderate = [ "words: subject=confidential" ]; };\nqueue: { manage = true; };\n));
inside(qw(mkdir -p /etc/systemd/system/postroad-policyd.service.d));
write_file('/etc/systemd/system/postroad-policyd.service.d/queue.conf', slurp("$top/examples/systemd/postroad-policyd-queue.conf"));
inside(qw(systemctl daemon-reload));
succeeds('policyd with the drop-in for queue.manage', qw(systemctl restart postroad-policyd));
succeeds('postroad-milter', qw(systemctl start postroad-milter));
succeeds('Postfix', qw(systemctl start postfix));
my $milter = join ', ', sort map { "$_ $none 1 2" } $user, uid('postroad-milter');
%are = at_rest('postroad-milter', sub { my %is = @_; join(', ', sort values %is) eq $milter });
is(join(', ', sort values %are), $milter, 'postroad-milter, and who reads the mirror for it, without a capability');
# The parent and the helper of role queue are root, the latter with three capabilities: KILL, SETGID, SETUID.
%are = at_rest('postroad-policyd', sub { my %is = @_; keys %is > 5 && 2 == grep { $_ ne "$user $none 1 2" } values %is });
my %many;
$many{$_}++ for values %are;
is($many{'0 00000000000001eb 1 2'}, 1, 'one process of policyd is root, its parent');
is($many{'0 00000000000000e0 1 2'}, 1, "and one, with three capabilities, role queue's helper");
is(join(' ', grep { !/^0 / && $_ ne "$user $none 1 2" } values %are), '', 'all others are postroad');

sub held { return map { $_->{id} } @{ (eval { decode_json(out(qw(postroad --json held list))) } // {})->{messages} // [] } }
sub send_mail {
    spew("$dir/mail", "From: alice\@corp.example\nTo: bob\@corp.example\nSubject: very confidential\n\nhello\n");
    write_file('/var/lib/message', slurp("$dir/mail"));
    return inside('sh', '-c', 'sendmail -f alice@corp.example bob@corp.example </var/lib/message');
}
sub queued { my ($queue) = @_; return grep { $_ eq $queue } out('postqueue', '-j') =~ /"queue_name": "(\w+)"[^\n]*bob\@/g }
ok(wait_for(30, sub { out('postmap', '-q', 'alice@corp.example', 'socketmap:unix:/var/spool/postfix/postroad/map:mailbox') =~ /^OK/ }), 'Postfix is answered');
is((send_mail())[0], 0, 'a message');
my $id;
ok(wait_for(60, sub { ($id) = held() }), 'is held, and can be seen') or diag(out(qw(postqueue -p)), out(qw(tail -n 20 /var/log/mail.log)));
is(scalar(queued('hold')), 1, 'in the hold queue');
# Role held may not have seen it in the queue yet, and says so.
my $said;
wait_for(60, sub { ($said = out(qw(postroad held approve), $id, qw(--reason fine --wait 60))) !~ /try again/ });
like($said, qr/approved/, 'approved');
ok(wait_for(60, sub { !queued('hold') && queued('deferred') }), 'it goes on') or diag(out(qw(postqueue -j)));
like(out(qw(postroad audit list)), qr/approve root\@\S+ -> alice\@corp\.example/, 'and that is in the audit log');

# --- who is killed, and who hangs
sub main_pid { return out(qw(systemctl show -p MainPID --value postroad-policyd)) =~ /(\d+)/ ? $1 : 0 }
sub answers { return out(qw(postroad lookup transport bob@corp.example)) =~ /^relay:/ }
my $old = main_pid();
inside('kill', '-KILL', $old);
ok(wait_for(60, sub { main_pid() && main_pid() != $old && answers() }), 'a parent that is killed is started anew');
inside(qw(mkdir -p /run/systemd/system/postroad-policyd.service.d));
write_file('/run/systemd/system/postroad-policyd.service.d/watchdog.conf', "[Service]\nWatchdogSec=2s\n");
inside(qw(systemctl daemon-reload));
succeeds('with a shorter watchdog', qw(systemctl restart postroad-policyd));
ok(wait_for(30, \&answers), 'it answers');
$old = main_pid();
inside('kill', '-STOP', $old);
ok(wait_for(90, sub { main_pid() && main_pid() != $old && answers() }), 'one that hangs as well');
inside(qw(rm /run/systemd/system/postroad-policyd.service.d/watchdog.conf));
inside(qw(systemctl daemon-reload));
succeeds('with the unit\'s own watchdog', qw(systemctl restart postroad-policyd));
ok(wait_for(30, \&answers), 'it answers');
$old = main_pid();
succeeds('reload', qw(systemctl reload postroad-policyd));
ok(wait_for(60, sub { answers() }) && main_pid() == $old, 'keeps the parent');
is((send_mail())[0], 0, 'one more message');
ok(wait_for(60, sub { ($id) = grep { $_ ne $id } held() }), 'is held');

# --- without root again
inside(qw(rm /etc/systemd/system/postroad-policyd.service.d/queue.conf));
configure(qq(milter: { moderate = [ "words: subject=confidential" ]; };\n));
inside(qw(systemctl daemon-reload));
succeeds('without the drop-in', qw(systemctl restart postroad-policyd));
ok(wait_for(30, \&answers), 'it answers');
is(others(at_rest('postroad-policyd', sub { keys %{ +{@_} } > 5 && others(@_) eq '' })), '', 'nobody is root any more');
ok(wait_for(60, sub { ((held())[0] // '') eq $id }), 'and it knows what is held');
is((send_mail())[0], 0, 'a third message');
ok(wait_for(60, sub { held() == 2 }), 'is held as well');
unlike(out(qw(find /var/lib/postroad -uid 0)), qr/\S/, 'no file there is root\'s');

# --- an end
succeeds('stop', qw(systemctl stop postroad-policyd postroad-milter));
is(out('pgrep', 'postroad'), '', 'nobody is left');
my $journal = out(qw(journalctl -b --no-pager -o cat -u postroad-policyd -u postroad-milter));
unlike($journal, qr/denied|not permitted|Read-only|signal (?:6|11|31)|dumped/i, 'nothing was in its way') or diag(grep { /denied|not permitted|Read-only|signal|dumped/i } map { "$_\n" } split /\n/, $journal);
done_testing();
