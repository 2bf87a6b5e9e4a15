# SPDX-License-Identifier: BSD-2-Clause
#
# Policy: how many requests of smtpd's the policy service answers, one after the
# other on one connection, as smtpd asks: people who have logged in write to one
# another, every rule is looked at. Beside a server that always says DUNNO, each
# pinned to the same CPU.
package Policy;
use strict;
use warnings;
use Figures;
use Rig;

my $REQUESTS = 20_000;

sub fields { return { $_[0] =~ /(\w+)=([\d.]+)/g } }

# Each account writes to the next one of the keys.
sub write_words {
	my ($file, $keys) = @_;
	my @keys = do { open my $in, '<', $keys or die "$keys: $!\n"; map { chomp; $_ } <$in> };
	splice @keys, 5000 if @keys > 5000;
	Rig::spew($file, join '', map { "$keys[$_] $keys[$_] $keys[$_ - 1]\n" } 0 .. $#keys);
	return;
}

# Requests per second, and microseconds of the server's CPU time for each.
sub rate {
	my ($bench, $cpu, $words, $server) = @_;
	my $before = Rig::cpu($server->{pid});
	my $out = `'$bench/policy' -p $cpu -n $REQUESTS '$server->{socket}' <$words`;
	my $f = fields($out);
	die "bench: policy: $out\n" if $? || $f->{other};
	return ($f->{rate}, 1e6 * (Rig::cpu($server->{pid}) - $before) / ($REQUESTS * 1.1)); # it warms up by a tenth
}

sub section {
	my ($dir, $bench, $top, $size, $cpu, $rounds) = @_;
	my (%rate, %us);
	my $d = "$dir/policy";
	mkdir $d;
	chmod 0755, $d;
	system("'$bench/accounts' ldif $size->{n} >$d/ldif") == 0 or die "bench: accounts failed\n";
	Rig::prepare_policyd("$d/policyd", qq{ldif = "$d/ldif";}, 1);
	Rig::spew("$d/policyd/postroad.conf", Rig::slurp("$d/policyd/postroad.conf") =~ s{policy = ""}{policy = "unix:$d/policyd/policy"}r);
	my $policyd = Rig::start_policyd("$d/policyd", "$top/policyd/postroad-policyd");
	Rig::await_complete($policyd, 120);
	my $null = Rig::spawn("$d/null.log", "$bench/policy", '-s', "$d/null");
	Rig::await($null, "$d/null.log", 20, sub { Rig::connects("$d/null") });
	write_words("$d/words", "$size->{dir}/keys");
	my ($role) = Rig::role($policyd->{pid}, 'policy');
	Rig::pin($cpu, $role, $null);
	Rig::hurry(1, $role, $null);
	my %server = (
		ours => { socket => "$d/policyd/policy", pid => $role },
		null => { socket => "$d/null", pid => $null },
	);
	my @turns = sort keys %server;
	rate($bench, $cpu, "$d/words", $server{$_}) for @turns; # warm up
	for (1 .. 2 * $rounds) {
		for (@turns) {
			my ($rate, $us) = rate($bench, $cpu, "$d/words", $server{$_});
			push @{ $rate{$_} }, $rate;
			push @{ $us{$_} }, $us;
		}
		@turns = reverse @turns;
	}
	Rig::hurry(0);
	Rig::stop($policyd->{pid}, $null);
	Figures::note("policy.$size->{name}", unit => 'requests/s', ours => $rate{ours}, against => 'null server', reference => $rate{null}, goal => '>= 0.85');
	Figures::note("policy.$size->{name}.cpu", unit => 'us', ours => $us{ours}, against => 'null server', reference => $us{null});
	return;
}

1;
