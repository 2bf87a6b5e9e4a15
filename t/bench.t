#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The bench itself: a short run with a small directory gives the figures it should, in
# both forms, and leaves nothing behind; medians and goals are reckoned rightly.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $bench;
BEGIN { $bench = abs_path(dirname(abs_path($0)) . '/../bench') }
use lib $bench;
use Figures;

sub test_figures {
	is(Figures::median(3, 1, 2), 2, 'median of three');
	is(Figures::median(4, 1, 2, 3), 2.5, 'median of four lies between');
	is(scalar(() = Figures::median()), 1, 'median of nothing is one undef');
	open(my $real, '>&', \*STDERR);
	close STDERR;
	Figures::note('a', ours => [9, 90, 27], reference => [10, 100, 20], goal => '>= 0.90');
	Figures::note('b', ours => [601], goal => '<= 600 ours');
	open(STDERR, '>&', $real);
	my $out = '';
	open(my $table, '>', \$out);
	select $table;
	my $short = Figures::report();
	select STDOUT;
	is($short, 1, 'one goal was missed');
	like($out, qr/^a .* 0\.9 +>= 0\.90 met$/m, 'the ratio is the median of the rounds\' ratios');
	like($out, qr/^falls short: b$/m, 'the missed one is named');
	like($out, qr/^bench\ta\t27\.0\t20\.0\t0\.9$/m, 'a line for programs');
	like($out, qr/^bench\tb\t601\.0\t-\t-$/m, 'without a reference: dashes');
}

sub test_run {
	my $dir = tempdir('postroad-bench-t-XXXXXX', TMPDIR => 1, CLEANUP => 1);
	chmod 0755, $dir;
	my $out = `'$bench/run' --quick --sizes 1k,2k --rounds 1 --only lookup,access,restart --dir $dir 2>$dir.log`;
	is($?, 0, 'a short run ends well') or diag(do { local @ARGV = "$dir.log"; <> });
	unlink "$dir.log";
	my %lines = map { my (undef, $name, @rest) = split /\t/; $name => \@rest } grep { /^bench\t/ } split /\n/, $out;
	for my $name (qw(lookup.1k.rate lookup.1k.p99 lookup.2k.rate lookup-mailbox.2k.rate lookup.2k-to-1k access.1k.p50 access.2k.rate restart.2k disk.1k answer-memory.2k)) {
		my ($ours, $reference, $ratio) = @{ $lines{$name} || [] };
		ok(defined $ratio && $ours =~ /^[\d.]+$/ && $ours > 0, "there is a figure $name");
	}
	is_deeply([glob "$dir/*"], [], 'no data are left');
}

# What needs slapd.
sub test_doubt {
	my $dir = tempdir('postroad-bench-t-XXXXXX', TMPDIR => 1, CLEANUP => 1);
	chmod 0755, $dir;
	my $out = `'$bench/run' --sizes 1k --rounds 1 --only doubt --dir $dir 2>$dir.log`;
	is($?, 0, 'a short run with slapd ends well') or diag(do { local @ARGV = "$dir.log"; <> });
	unlink "$dir.log";
	for my $name (qw(known.p99 known.rate unknown.p99 slapd-down.rate)) {
		like($out, qr/^bench\tdoubt\.1k\.\Q$name\E\t[\d.]+\t/m, "there is a figure $name");
	}
	is_deeply([glob "$dir/*"], [], 'no data are left');
}

sub has { my ($program) = @_; return scalar grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/libexec/openldap' }

test_figures();
SKIP: {
	my @missing = grep { !-x } map { "$bench/$_" } qw(load null_server accounts timed ../policyd/postroad-policyd);
	skip "not built: @missing", 1 if @missing;
	skip 'taskset is not installed', 1 unless grep { -x "$_/taskset" } split /:/, $ENV{PATH};
	test_run();
	skip 'slapd is not installed', 1 if grep { !has($_) } qw(slapd slapadd ldapsearch);
	test_doubt();
}
done_testing();
