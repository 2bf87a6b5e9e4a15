# SPDX-License-Identifier: BSD-2-Clause
#
# Rig: starts the servers that are measured, waits until they answer, knows
# their processes, and ends all of them whatever happens.
package Rig;
use strict;
use warnings;
use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use POSIX qw(WNOHANG);
use Time::HiRes qw(clock_gettime time sleep);

# User id, group id and group of those who have no rights.
my @NOBODY = ((getpwnam 'nobody')[2, 3], scalar getgrgid((getpwnam 'nobody')[3]));
my $POSTFIX = getgrnam('postfix') ? 'postfix' : $NOBODY[2];
my @running; # pids of our children
my @all_cpus = cpus();
my $owner = $$;

END {
	if ($$ == $owner) {
		my $rc = $?;
		stop_all();
		$? = $rc;
	}
}

sub slurp {
	my ($file) = @_;
	open(my $in, '<', $file) or return '';
	local $/;
	return scalar(<$in>) // '';
}

sub spew {
	my ($file, $text) = @_;
	open(my $out, '>', $file) or die "$file: $!\n";
	print $out $text;
	close $out or die "$file: $!\n";
	return;
}

# Run to the end; dies with the program's last words unless it succeeds.
sub must {
	my ($log, @cmd) = @_;
	my $pid = spawn($log, @cmd);
	waitpid($pid, 0);
	@running = grep { $_ != $pid } @running;
	die "bench: @cmd failed:\n" . substr(slurp($log), -2000) . "\n" if $?;
	return;
}

sub spawn {
	my ($log, @cmd) = @_;
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', $log);
		open(STDERR, '>&', \*STDOUT);
		exec(@cmd) or POSIX::_exit(127);
	}
	push @running, $pid;
	return $pid;
}

sub stop {
	my (@pids) = @_;
	kill 'TERM', @pids;
	for my $pid (@pids) {
		my $end = time + 20;
		while (waitpid($pid, WNOHANG) == 0) {
			kill 'KILL', $pid if time > $end;
			sleep 0.01;
		}
	}
	my %gone = map { $_ => 1 } @pids;
	@running = grep { !$gone{$_} } @running;
	return;
}

# Ask until $done says yes; dies when the process ends or $limit seconds are over.
sub await {
	my ($pid, $log, $limit, $done, $pause) = @_;
	my $end = time + $limit;
	until ($done->()) {
		if (waitpid($pid, WNOHANG) == $pid) {
			@running = grep { $_ != $pid } @running;
			die "bench: a server ended by itself:\n" . substr(slurp($log), -2000) . "\n";
		}
		die "bench: no answer within $limit s:\n" . substr(slurp($log), -2000) . "\n" if time > $end;
		sleep($pause // 0.005);
	}
	return;
}

sub stop_all {
	return stop(@running);
}

sub connects {
	my ($path) = @_;
	return IO::Socket::UNIX->new(Peer => $path);
}

# --- socketmap

# One lookup on an open connection; returns the whole reply, undef when it hung up.
sub lookup {
	my ($fh, $map, $key) = @_;
	my $request = "$map $key";
	my $in = '';
	syswrite($fh, length($request) . ":$request,") or return;
	while (1) {
		sysread($fh, $in, 65536, length $in) or return;
		my ($len) = $in =~ /^(\d+):/ or next;
		return substr $in, length($len) + 1, $len if length $in >= length($len) + 2 + $len;
	}
}

# --- processes

sub children {
	my ($parent) = @_;
	my @found;
	for my $stat (glob '/proc/[0-9]*/stat') {
		push @found, $1 if slurp($stat) =~ /^(\d+) \(.*\) \S (\d+) /s && $2 == $parent;
	}
	return @found;
}

# Processes of one role below policyd's parent: they show "-x ROLE:NUMBER:GENERATION".
sub role {
	my ($parent, $name) = @_;
	my @found = grep { slurp("/proc/$_/cmdline") =~ /-x[\0 ]$name\b/ } children($parent);
	die "bench: policyd has no process for the role $name\n" unless @found;
	return @found;
}

# The CPUs this process may use, which need not be all of the machine, nor begin with 0.
sub cpus {
	my ($list) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
	return map { my ($from, $to) = split /-/; $from .. $to // $from } split /,/, $list // '0';
}

# All threads of the processes to one CPU, or to any when $cpu is undef. A thread may end meanwhile;
# where it isn't allowed (a container without CAP_SYS_NICE), the figures say less, and it is told.
my $told;

sub pin {
	my ($cpu, @pids) = @_;
	my $list = $cpu // join ',', @all_cpus;
	for my $pid (@pids) {
		my $said = `taskset -a -p -c $list $pid 2>&1`;
		next if !$? || $said =~ /No such process/;
		print STDERR "bench: client and server can't be put on one CPU: $said" unless $told++;
	}
	return;
}

# As root: before all other programs of the machine with these processes and what we start (1), or
# as usual (0). With autogroups the kernel compares sessions, not processes (sched(7)). Where that
# isn't allowed, the figures are a little less quiet, and nothing more.
sub hurry {
	my ($on, @pids) = @_;
	my $nice = $on ? -20 : 0;
	return if $>;
	for my $pid ($$, @pids) {
		setpriority(0, $pid, $nice);
		open(my $group, '>', "/proc/$pid/autogroup") or next;
		syswrite($group, $nice);
	}
	return;
}

# KiB of a field of /proc/PID/status or smaps_rollup, summed up.
sub kib {
	my ($file, $field, @pids) = @_;
	my $sum = 0;
	for (@pids) {
		$sum += $1 if slurp("/proc/$_/$file") =~ /^$field:\s+(\d+) kB/m;
	}
	return $sum;
}

# CPU seconds the processes have used so far, with all their threads: the clock that
# clock_getcpuclockid(3) names, for /proc/PID/stat counts in hundredths of a second.
sub cpu {
	my (@pids) = @_;
	my $sum = 0;
	for my $pid (@pids) {
		use integer;
		my $clock = ~(0 + $pid) << 3 | 2;
		no integer;
		my $seconds = clock_gettime($clock);
		$sum += $seconds if $seconds > 0;
	}
	return $sum;
}

# --- servers

sub null_server {
	my ($dir, $bench, $cpu, $reply) = @_;
	my $pid = spawn("$dir/null.log", "$bench/null_server", '-p', $cpu, '-r', $reply, "$dir/null");
	await($pid, "$dir/null.log", 10, sub { connects("$dir/null") });
	return { pid => $pid, socket => "$dir/null" };
}

my @SCHEMA_DIRS = qw(/etc/ldap/schema /etc/openldap/schema);
my @MODULE_DIRS = qw(/usr/lib/ldap /usr/lib64/openldap /usr/libexec/openldap);

sub slapd_conf {
	my ($dir, $schema) = @_;
	my ($system) = grep { -e "$_/core.schema" } @SCHEMA_DIRS;
	my ($modules) = grep { -e "$_/back_mdb.so" } @MODULE_DIRS;
	die "bench: OpenLDAP's schema files were not found\n" unless $system;
	my $conf = join '', map { "include $system/$_.schema\n" } qw(core cosine inetorgperson);
	$conf .= "include $schema/postroad.schema\n";
	$conf .= "modulepath $modules\nmoduleload back_mdb\nmoduleload syncprov\n" if $modules;
	return $conf . <<"CONF";
loglevel stats
threads 4
database mdb
suffix o=corp
rootdn cn=root,o=corp
rootpw bench
directory $dir/db
maxsize 17179869184
dbnosync
checkpoint 0 0
include $schema/postroad-index.conf
include $schema/postroad-services.conf
access to attrs=userPassword by anonymous auth
access to * by * none
overlay syncprov
CONF
}

# Fill a new slapd from an LDIF file; start_slapd runs it.
sub fill_slapd {
	my ($dir, $schema, $ldif) = @_;
	mkdir $dir;
	mkdir "$dir/db";
	spew("$dir/slapd.conf", slapd_conf($dir, $schema));
	must("$dir/slapadd.log", 'slapadd', '-q', '-f', "$dir/slapd.conf", '-l', $ldif);
	return;
}

sub start_slapd {
	my ($dir, $debug) = @_;
	my $socket = "$dir/ldapi";
	my $uri = 'ldapi://' . $socket =~ s{/}{%2F}gr;
	my $pid = spawn("$dir/log", 'slapd', '-d', $debug // 0, '-f', "$dir/slapd.conf", '-h', $uri);
	await($pid, "$dir/log", 60, sub { connects($socket) });
	return { pid => $pid, uri => $uri, socket => $socket, log => "$dir/log" };
}

# What all policyds of the bench have in common; $directory is the text of that group.
sub policyd_conf {
	my ($dir, $directory, $workers) = @_;
	my $user = $> ? '' : qq{user = "nobody"; group = "$NOBODY[2]"; socket_group = "$POSTFIX";\n};
	return <<"CONF";
site = "hebei";
state_dir = "$dir/state";
local_transport = "relay:[127.0.0.1]:10026";
directory: { $directory };
sockets: { map = "unix:$dir/map"; policy = ""; access = "unix:$dir/access"; control = "unix:$dir/control"; http = ""; };
answer: { workers = $workers; };
log: { level = "warning"; };
$user
CONF
}

sub prepare_policyd {
	my ($dir, $directory, $workers) = @_;
	mkdir $dir;
	mkdir "$dir/state";
	chown @NOBODY[0, 1], $dir, "$dir/state" unless $>;
	spew("$dir/postroad.conf", policyd_conf($dir, $directory, $workers));
	return;
}

sub start_policyd {
	my ($dir, $program) = @_;
	my $pid = spawn("$dir/log", $program, '-c', "$dir/postroad.conf");
	return { pid => $pid, dir => $dir, log => "$dir/log", socket => "$dir/map", access => "$dir/access" };
}

# The status object of the control socket, undef while there is none.
sub status {
	my ($policyd) = @_;
	my $fh = connects("$policyd->{dir}/control") or return;
	my $line = '';
	syswrite($fh, qq({"verb":"status"}\n)) or return;
	until ($line =~ /\n/) {
		sysread($fh, $line, 65536, length $line) or return;
	}
	return decode_json($line);
}

# Wait until a load or refresh was finished.
sub await_complete {
	my ($policyd, $limit) = @_;
	await($policyd->{pid}, $policyd->{log}, $limit, sub {
		my $s = status($policyd) or return 0;
		return $s->{mirror}{complete};
	});
	return;
}

1;
