# SPDX-License-Identifier: BSD-2-Clause
#
# Mail: Postfix instances that differ in their maps only, a source of mail and
# a sink, to measure messages per second from end to end. Needs root and a
# network namespace of its own (fixed ports on 127.0.0.1).
package Mail;
use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(time);

my $SINK = 10026;

my $MASTER = <<'CF';
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
CF

sub main_cf {
	my ($dir, $maps) = @_;
	$maps = { virtual_mailbox_domains => 'corp.example', %$maps };
	return <<"CF" . join '', map { "$_ = $maps->{$_}\n" } sort keys %$maps;
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
maillog_file = $dir/log
maillog_file_prefixes = $dir
myhostname = mx.bench.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8, 192.0.2.0/24
alias_maps =
alias_database =
virtual_alias_domains =
virtual_transport = relay:[127.0.0.1]:$SINK
default_transport = relay:[127.0.0.1]:$SINK
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
in_flow_delay = 0
default_destination_concurrency_failed_cohort_limit = 0
CF
}

# An instance called $name, listening at $port; $maps: what main.cf has besides the common part. $host:
# another address of this machine than 127.0.0.1, by which clients are strangers.
sub start {
	my ($base, $name, $port, $maps, $host) = @_;
	my $dir = "$base/$name";
	$host //= '127.0.0.1';
	mkdir $_ for $dir, "$dir/config", "$dir/queue", "$dir/data";
	chown((getpwnam 'postfix')[2], -1, "$dir/data");
	Rig::spew("$dir/config/main.cf", main_cf($dir, $maps));
	Rig::spew("$dir/config/master.cf", "$host:$port inet n - n - - smtpd\n$MASTER");
	Rig::must("$base/$name.start", 'postfix', '-c', "$dir/config", 'start');
	return { name => $name, dir => $dir, address => "$host:$port" };
}

# Process id of its master, whose session all its processes are in.
sub master {
	my ($instance) = @_;
	return Rig::slurp("$instance->{dir}/queue/pid/master.pid") =~ /(\d+)/ ? $1 : ();
}

sub stop {
	my ($base, @instances) = @_;
	Rig::must("$base/stop", 'postfix', '-c', "$_->{dir}/config", 'stop') for @instances;
	return;
}

sub ldap_table {
	my ($file, $uri, $query, $result) = @_;
	Rig::spew($file, <<"CF" . $result);
server_host = $uri
version = 3
bind = yes
bind_dn = cn=policyd,cn=services,o=corp
bind_pw = bench
search_base = o=corp
domain = corp.example
query_filter = $query
CF
	return "ldap:$file";
}

# Ours, those of ldap_table(5) that give the same answers, and none.
sub variants {
	my ($base, $socket, $uri) = @_;
	my %ours = (
		transport_maps => "socketmap:unix:$socket:transport",
		virtual_mailbox_maps => "socketmap:unix:$socket:mailbox",
		virtual_alias_maps => "socketmap:unix:$socket:alias",
	);
	return (none => {}, ours => \%ours) unless $uri;
	my $hop = "result_attribute = mail\nresult_format = relay:[127.0.0.1]:$SINK\n";
	my %ldap = (
		transport_maps => ldap_table("$base/transport.cf", $uri, '(mail=%s)', $hop),
		virtual_mailbox_maps => ldap_table("$base/mailbox.cf", $uri, '(mail=%s)', "result_attribute = mail\n"),
		virtual_alias_maps => ldap_table("$base/alias.cf", $uri, '(postroadAlias=%s)', "result_attribute = mail\n"),
	);
	return (none => {}, ours => \%ours, ldap => \%ldap);
}

sub start_sink {
	my ($base) = @_;
	my $log = "$base/sink";
	my $pid = Rig::spawn($log, 'smtp-sink', '-u', 'nobody', '-c', "127.0.0.1:$SINK", '1000');
	Rig::await($pid, $log, 10, sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$SINK") });
	return { pid => $pid, log => $log };
}

# Messages the sink got so far; it rewrites one line for each.
sub sunk {
	my ($sink) = @_;
	open(my $in, '<', $sink->{log}) or return 0;
	seek $in, -200, 2;
	local $/;
	my @counts = (<$in> // '') =~ /mesg=(\d+)/g;
	return @counts ? $counts[-1] : 0;
}

# Send $n messages through the instance; returns messages per second until the sink has them all.
sub round {
	my ($instance, $sink, $n) = @_;
	my $before = sunk($sink);
	my $start = time;
	Rig::must("$instance->{dir}/source", 'smtp-source', '-s', 16, '-l', 4096, '-d', '-N', '-m', $n,
		'-f', 'sender@outside.example', '-t', 'u@corp.example', $instance->{address});
	Rig::await($sink->{pid}, "$instance->{dir}/log", 120, sub { sunk($sink) >= $before + $n }, 0.002);
	return $n / (time - $start);
}

1;
