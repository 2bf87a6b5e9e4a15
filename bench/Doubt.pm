# SPDX-License-Identifier: BSD-2-Clause
#
# Doubt: what it costs that nobody is called unknown without a proof: those who
# are known while others wait, with the directory down, and the unknown themselves.
# What is compared takes turns.
package Doubt;
use strict;
use warnings;
use Figures;
use IO::Select;
use Rig;
use Time::HiRes qw(time sleep);

our $PARKED = 200;

sub await {
	my ($size, $done) = @_;
	return Rig::await($size->{policyd}{pid}, $size->{policyd}{log}, 60, sub {
		my $s = Rig::status($size->{policyd}) or return 0;
		return $done->($s);
	});
}

# Proven for a moment just now: nobody is in the way.
sub await_proof {
	my ($size) = @_;
	return await($size, sub {
		my $p = $_[0]{proof};
		return $_[0]{source}{phase} eq 'persist' && !$p->{unreachable} && defined $p->{as_of_s} && $p->{as_of_s} < 1.5;
	});
}

sub parked {
	my ($size) = @_;
	my $s = Rig::status($size->{policyd}) or return 0;
	return $s->{connections}{parked};
}

# Questions that wait as long as slapd stands still; they last three seconds.
sub park {
	my ($size, $round) = @_;
	kill 'STOP', $size->{slapd}{pid};
	my @waiting = map {
		my $fh = Rig::connects($size->{policyd}{socket}) or die "bench: no map socket\n";
		my $request = "mailbox waits$round.$_\@corp.example";
		syswrite($fh, length($request) . ":$request,");
		$fh;
	} 1 .. $PARKED;
	return @waiting;
}

# All get their answer when slapd goes on.
sub release {
	my ($size, @waiting) = @_;
	kill 'CONT', $size->{slapd}{pid};
	for my $fh (@waiting) {
		IO::Select->new($fh)->can_read(20) && sysread($fh, my $answer, 4096) or die "bench: a question was never answered\n";
	}
	await_proof($size);
	return;
}

# $burst->() asks for known addresses: {rate, p99}.
sub known_while_others_wait {
	my ($size, $rounds, $burst) = @_;
	my %took;
	for my $round (1 .. $rounds) {
		await_proof($size);
		my $alone = $burst->();
		my @waiting = park($size, $round);
		sleep 0.01 while parked($size) < $PARKED / 2;
		my $before = parked($size);
		my $crowded = $burst->();
		my $after = parked($size);
		release($size, @waiting);
		next if $after < $PARKED - 20 || $before < $PARKED - 20; # this machine was too slow: they didn't wait for so long
		push @{ $took{$_}{reference} }, $alone->{$_} for qw(rate p99);
		push @{ $took{$_}{ours} }, $crowded->{$_} for qw(rate p99);
	}
	my $name = "doubt.$size->{name}.known";
	Figures::note("$name.p99", unit => 'us', against => "without $PARKED that wait", %{ $took{p99} || {} }, goal => '<= 1.2');
	Figures::note("$name.rate", unit => '/s', against => "without $PARKED that wait", %{ $took{rate} || {} });
	return;
}

sub known_while_slapd_is_down {
	my ($size, $rounds, $burst) = @_;
	my (@up, @down);
	for (1 .. $rounds) {
		await_proof($size);
		push @up, map { $burst->()->{rate} } 1 .. 4;
		Rig::stop($size->{slapd}{pid});
		await($size, sub { $_[0]{source}{phase} ne 'persist' && $_[0]{proof}{unreachable} });
		push @down, map { $burst->()->{rate} } 1 .. 4;
		$size->{slapd} = Rig::start_slapd("$size->{dir}/slapd");
	}
	await_proof($size);
	Figures::note("doubt.$size->{name}.slapd-down.rate", unit => '/s', ours => \@down, against => 'with slapd up',
		reference => \@up, goal => '>= 0.98');
	return;
}

# $unknown->() asks for addresses that nobody has, many at once: p99 in us.
sub unknown {
	my ($size, $rounds, $unknown) = @_;
	my @took;
	for (1 .. $rounds) {
		await_proof($size);
		push @took, $unknown->() / 1e6;
	}
	Figures::note("doubt.$size->{name}.unknown.p99", unit => 's', ours => \@took, goal => '<= 1.2 ours');
	return;
}

1;
