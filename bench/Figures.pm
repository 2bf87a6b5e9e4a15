# SPDX-License-Identifier: BSD-2-Clause
#
# Figures: keeps what was measured, and prints it as a table for people and as
# one line for each figure for programs:
#   bench<TAB>name<TAB>ours<TAB>reference<TAB>ratio
# A figure is the median of its rounds; the ratio is the median of the ratios
# within each round, so that a machine that gets slower half way doesn't count.
package Figures;
use strict;
use warnings;

my @figures;

# undef, not an empty list, without values: it is called within hashes.
sub median {
	my @v = sort { $a <=> $b } @_;
	return undef unless @v;
	return @v % 2 ? $v[ @v / 2 ] : ($v[ @v / 2 - 1 ] + $v[ @v / 2 ]) / 2;
}

# note(name, unit => , ours => [rounds], against => what the reference is, reference => [rounds],
#      goal => '>= 0.90' of the ratio or '<= 600 ours' of the figure itself)
sub note {
	my ($name, %f) = @_;
	my @ref = @{ $f{reference} || [] };
	my @ratios = map { $ref[$_] ? $f{ours}[$_] / $ref[$_] : () } 0 .. $#ref;
	my $figure = {
		name => $name, unit => $f{unit}, against => $f{against}, goal => $f{goal},
		ours => median(@{ $f{ours} }), reference => median(@ref), ratio => median(@ratios),
	};
	$figure->{met} = met($figure);
	push @figures, $figure;
	print STDERR line($figure), "\n";
	return;
}

sub met {
	my ($f) = @_;
	return unless $f->{goal};
	my ($op, $limit, $of) = $f->{goal} =~ /^([<>]=) ([\d.]+)( ours)?$/ or die "goal '$f->{goal}'?\n";
	my $value = $of ? $f->{ours} : $f->{ratio};
	return 0 unless defined $value;
	return $op eq '>=' ? $value >= $limit : $value <= $limit;
}

# As many digits as make sense.
sub short {
	my ($v) = @_;
	return '-' unless defined $v;
	return abs $v >= 1000 ? sprintf '%.0f', $v : abs $v >= 10 ? sprintf '%.1f', $v : sprintf '%.3g', $v;
}

sub line {
	my ($f) = @_;
	my $goal = $f->{goal} ? "$f->{goal} " . ($f->{met} ? 'met' : 'SHORT') : '';
	return sprintf '%-34s %10s %-9s %10s %-28s %7s  %s', $f->{name}, short($f->{ours}), $f->{unit} // '',
		short($f->{reference}), $f->{against} // '', short($f->{ratio}), $goal;
}

sub report {
	print sprintf("%-34s %10s %-9s %10s %-28s %7s  %s\n", 'figure', 'ours', 'unit', 'reference',
		'is', 'ratio', 'goal'), '-' x 112, "\n";
	print line($_), "\n" for @figures;
	my @short = map { $_->{name} } grep { $_->{goal} && !$_->{met} } @figures;
	print "\n", @short ? "falls short: @short\n" : "all goals are met\n", "\n";
	print join("\t", 'bench', $_->{name}, map { short($_) } @$_{qw(ours reference ratio)}), "\n" for @figures;
	return scalar @short;
}

1;
