# SPDX-License-Identifier: BSD-2-Clause
#
# Milter: mail from end to end through Postfix with everything we have (all maps,
# the policy service, the milter), beside the same set of servers that do nothing,
# and beside those with OpenDKIM as the milter, which takes every step and signs.
# In the same rounds, the CPU time each milter takes for a message, also with rules of
# moderation and the spoof guard at work, for mail that comes from a stranger.
package Milter;
use strict;
use warnings;
use Figures;
use Mail;
use Rig;

# From here a client is none of ours, so that the spoof guard looks at From.
my $STRANGER = '192.0.2.1';
my $BURST = 250; # messages of one turn
# Rules that look at all there is, and select none of what is sent here.
my $RULES = <<'CONF';
milter: { moderate = [ "words: direction=inbound subject=confidential,'not for you'",
	"programs: attachment=exe,js,docm", "large: size>50M", "team: from=corp.example/team7 direction=outbound" ]; };
spoof: { action = "quarantine"; display_name = "quarantine"; authserv_id = "mx.corp.example"; };
CONF

# Everything but the sockets' paths.
sub settings {
	my ($map, $policy, $milter) = @_;
	my $socketmap = "socketmap:unix:$map";
	return {
		transport_maps => "$socketmap:transport",
		virtual_mailbox_domains => "$socketmap:domain",
		virtual_mailbox_maps => "$socketmap:mailbox",
		virtual_alias_maps => "$socketmap:alias",
		smtpd_recipient_restrictions => "check_policy_service unix:$policy, permit_mynetworks, reject",
		smtpd_milters => "{ unix:$milter, default_action=tempfail }",
	};
}

# So that Postfix may connect.
sub open_to_all {
	my (@sockets) = @_;
	chmod 0666, @sockets;
	return;
}

sub wait_for {
	my ($pid, $log, $socket) = @_;
	Rig::await($pid, $log, 20, sub { Rig::connects($socket) });
	return $pid;
}

sub start_null {
	my ($d, $bench) = @_;
	my %pid;
	my @maps = map { ('-m', $_) } 'transport=OK relay:[127.0.0.1]:10026', 'alias=NOTFOUND ';
	my %command = (
		map => ["$bench/null_server", '-r', 'OK x', @maps, "$d/null.map"],
		policy => ["$bench/policy", '-s', "$d/null.policy"],
		milter => ["$bench/null_milter", '-i', "$d/null.milter"],
		steps => ["$bench/null_milter", '-a', '-i', "$d/null.steps"],
	);
	for my $what (sort keys %command) {
		$pid{$what} = Rig::spawn("$d/null.$what.log", @{ $command{$what} });
		wait_for($pid{$what}, "$d/null.$what.log", "$d/null.$what");
	}
	open_to_all(map { "$d/null.$_" } sort keys %command);
	return \%pid;
}

# A policyd and a milter below $own; $rules: what its configuration has besides.
sub start_ours {
	my ($d, $own, $bench, $top, $n, $rules) = @_;
	system("'$bench/accounts' ldif $n >$d/ldif") == 0 or die "bench: accounts failed\n";
	Rig::prepare_policyd($own, qq{ldif = "$d/ldif";}, 1);
	my $conf = Rig::slurp("$own/postroad.conf") =~ s{policy = "";}{policy = "unix:$own/policy"; milter = "unix:$own/milter";}r
		=~ s{^log: .*\n}{}mr; # one line for each message, as it comes
	Rig::spew("$own/postroad.conf", $conf . $rules);
	my $policyd = Rig::start_policyd($own, "$top/policyd/postroad-policyd");
	Rig::await_complete($policyd, 120);
	my $milter = Rig::spawn("$own/milter.log", "$top/milter/postroad-milter", '-c', "$own/postroad.conf");
	wait_for($milter, "$own/milter.log", "$own/milter");
	return ($policyd, $milter);
}

# Signs all that the source sends, by a key of 2,048 bits. Nothing where it is not installed.
sub start_opendkim {
	my ($d) = @_;
	return unless grep { -x "$_/opendkim" } split /:/, $ENV{PATH};
	return if system("openssl genrsa -traditional -out $d/key 2048 2>/dev/null") != 0;
	Rig::spew("$d/opendkim.conf", <<"CONF");
Domain outside.example
Selector bench
KeyFile $d/key
RequireSafeKeys no
Mode s
InternalHosts 127.0.0.1
Socket local:$d/dkim
PidFile $d/opendkim.pid
UMask 0
Background no
CONF
	my $pid = Rig::spawn("$d/opendkim.log", 'opendkim', '-x', "$d/opendkim.conf", '-f');
	wait_for($pid, "$d/opendkim.log", "$d/dkim");
	open_to_all("$d/dkim");
	return $pid;
}

# All instances send in turn, in every round in another order. Many short ones: the machine is not the same from
# one second to the next, and ratios are taken within a round.
sub rounds {
	my ($instances, $sink, $n, $rounds) = @_;
	my (%rate, %cpu);
	my @turns = @$instances;
	Mail::round($_, $sink, $n) for @turns; # warm up
	for (1 .. $rounds) {
		for my $i (@turns) {
			my @milter = ($i->{milter}, Rig::children($i->{milter})); # ours has one that reads the mirror
			my $before = Rig::cpu(@milter);
			push @{ $rate{ $i->{name} } }, Mail::round($i, $sink, $n);
			push @{ $cpu{ $i->{name} } }, 1000 * (Rig::cpu(@milter) - $before) / $n;
		}
		@turns = $_ % 2 ? reverse @turns : (@turns[1 .. $#turns], $turns[0]);
	}
	return (\%rate, \%cpu);
}

sub report {
	my ($rate, $cpu) = @_;
	my $ours = sub { return (ours => $_[0]{ours}, reference => $_[0]{ $_[1] }) };
	Figures::note('milter.mail-to-null', unit => 'mail/s', $ours->($rate, 'null'), against => 'null servers', goal => '>= 0.90');
	Figures::note('milter.mail-to-steps', unit => 'mail/s', $ours->($rate, 'steps'), against => 'null, every step');
	Figures::note('milter.mail-to-opendkim', unit => 'mail/s', $ours->($rate, 'opendkim'), against => 'null maps, OpenDKIM', goal => '>= 1.5')
		if $rate->{opendkim};
	Figures::note('milter.cpu', unit => 'ms/mail', $ours->($cpu, 'null'), against => 'null milter', goal => '<= 1.3');
	Figures::note('milter.cpu-rules', unit => 'ms/mail', ours => $cpu->{rules}, reference => $cpu->{null}, against => 'null milter');
	Figures::note('milter.cpu-to-opendkim', unit => 'ms/mail', $ours->($cpu, 'opendkim'), against => 'OpenDKIM') if $cpu->{opendkim};
	return;
}

# $base: a file system for all queues, with room for them.
sub section {
	my ($base, $bench, $top, $n, $messages, $rounds) = @_;
	my $null = start_null($base, $bench);
	my ($own, $strict) = ("$base/policyd", "$base/rules");
	my ($policyd, $milter) = start_ours($base, $own, $bench, $top, $n, '');
	my ($policyd_too, $milter_too) = start_ours($base, $strict, $bench, $top, $n, $RULES);
	my $opendkim = start_opendkim($base);
	my $sink = Mail::start_sink($base);
	system('ip', 'address', 'add', "$STRANGER/32", 'dev', 'lo') == 0 or die "bench: no $STRANGER\n";
	my %plan = (
		null => [$null->{milter}, settings("$base/null.map", "$base/null.policy", "$base/null.milter")],
		steps => [$null->{steps}, settings("$base/null.map", "$base/null.policy", "$base/null.steps")],
		ours => [$milter, settings("$own/map", "$own/policy", "$own/milter")],
		rules => [$milter_too, settings("$strict/map", "$strict/policy", "$strict/milter"), $STRANGER],
	);
	$plan{opendkim} = [$opendkim, settings("$base/null.map", "$base/null.policy", "$base/dkim")] if $opendkim;
	my $port = 10040;
	my @instances = map { +{ %{ Mail::start($base, $_, $port++, @{ $plan{$_} }[1, 2]) }, milter => $plan{$_}[0] } } sort keys %plan;
	my @servers = (values %$null, $milter, $milter_too, $opendkim // (), map({ Rig::children($_) } $policyd->{pid}, $policyd_too->{pid}, $milter, $milter_too), map { Mail::master($_) } @instances);
	Rig::hurry(1, @servers);
	my $bursts = int($rounds * $messages / $BURST);
	my ($rate, $cpu) = rounds(\@instances, $sink, $BURST, $bursts);
	Rig::hurry(0);
	Mail::stop($base, @instances);
	my $sent = $BURST + $bursts * $BURST;
	for my $d ($own, $strict) {
		my $counted = () = join('', map { Rig::slurp($_) } glob "$d/state/accounting/*.jsonl") =~ /\n/g;
		die "bench: $counted of $sent messages were counted in $d\n" if $counted != $sent;
	}
	Rig::stop($policyd->{pid}, $policyd_too->{pid}, $milter, $milter_too, $opendkim // (), $sink->{pid}, values %$null);
	report($rate, $cpu);
	return;
}

1;
