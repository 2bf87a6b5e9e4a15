#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Whether t/matrix.t and t/held-acl.t would notice: each clause of the access rules is taken out or changed, one at
# a time (t/lib/RuleMutants.pm); at least one cell, one attempt to cheat, or one row of who reads what must come
# out otherwise (t/lib/MatrixHunt.pm). By default some of them, the same each time; POSTROAD_SEED draws others.
# `make mutants` tries all, and those of which nothing can be seen, about which that must be true: minutes.
# POSTROAD_MUTANTS=100-149 tries these, in the order of the rules; with commas between them single ones, by number or
# by name: the name is made from the rule and what is done to it, and stays when other rules change; /TEXT those of
# rules that hold this text. With POSTROAD_MUTANTS_DONE=FILE a pass that was broken off goes on, and the next one is
# quicker (t/lib/MutantRecord.pm). t/rights-mutants.t does the same to rights_decide().
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use List::Util qw(shuffle);
use Draw;
use MatrixHunt;
use MutantRecord;
use RuleMutants qw(all_mutants);
use Test::More;
use Time::HiRes qw(time);
use Trial;

plan(skip_all => 't/tools/rights_cells is not built: make tests') unless -x "$top/t/tools/rights_cells";
needs(qw(slapd slapadd ldapmodify));

my @wanted = split /,/, $ENV{POSTROAD_MUTANTS} // '';
my $whole = $ENV{POSTROAD_SOAK} && !@wanted;
my $SECONDS = $whole || @wanted ? 1e9 : 15;
my $FEW = 60;
draw_seed(1);

my $rules = slurp("$top/ldap-schema/postroad-access.conf");
my @mutants = all_mutants($rules);
my @others = grep { !$_->{same} } @mutants;
my $start = time;

# Those of POSTROAD_MUTANTS.
sub wanted {
    my ($one) = @_;
    return grep { $_->{name} eq $one } @mutants if $one =~ /^m/;
    return grep { index($_->{rule}, $') >= 0 } @others if $one =~ m{^/};
    my ($from, $to) = $one =~ /^(\d+)(?:-(\d+))?$/ or BAIL_OUT("POSTROAD_MUTANTS: $one?");
    return @others[grep { $_ < @others } $from .. $to // $from];
}

# Nobody is there to look at limits.
sub is_tried { return $_[0]{rule} !~ /^limits / }

my @todo = @wanted ? map { wanted($_) } @wanted : $whole ? (@others, grep { is_tried($_) } grep { $_->{same} } @mutants) : (shuffle @others)[0 .. $FEW - 1];

my (undef, $version) = run('', 'slapd', '-VV');
my ($slapd) = $version =~ /slapd (\d[\d.]*)/;
my $record = MutantRecord->new($whole ? $ENV{POSTROAD_MUTANTS_DONE} : undef, "slapd $slapd");
my $hunt = MatrixHunt->new($rules);

my (%tried, %count, $again);

# noticed, missed or same, and by what.
sub try_mutant {
    my ($mutant) = @_;
    my ($key, $shows) = $hunt->noticed($mutant, $record->hint($mutant->{name}));
    note('  ' . $shows =~ s/\n.*//sr) if $key;
    my $result = $key ? 'noticed' : $mutant->{same} ? 'same' : 'missed';
    $record->put($mutant->{name}, $result, $key // '', "rule $mutant->{number}: $mutant->{what}");
    return $result;
}

sub where { my ($mutant) = @_; return "$mutant->{name}, rule $mutant->{number} (line $mutant->{line})" }

if ($whole) {
    my @amiss = $hunt->amiss;
    ok(!@amiss, 'with the rules as they are all is as it should be') or BAIL_OUT("@amiss[0 .. ($#amiss > 9 ? 9 : $#amiss)]");
}
for my $mutant (@todo) {
    last if keys %tried > 1 && time > $start + $SECONDS;
    my $done = $record->done($mutant->{name});
    my $result = $done ? $done->[0] : try_mutant($mutant);
    $again++ if !$done;
    $tried{ $mutant->{name} } = $result;
    ok($result eq ($mutant->{same} ? 'same' : 'noticed'), where($mutant) . ": $mutant->{what}" . ($mutant->{same} ? ": $mutant->{same}" : ''))
        or diag("  $mutant->{rule}");
    $count{ $mutant->{part} }{$result}++;
}
$hunt->end;

# --- summary

sub counts {
    my (@of) = @_;
    my %n;
    for my $one (@of) { $n{$_} += $one->{$_} for keys %$one }
    my $all = 0;
    $all += $_ for values %n;
    return join ', ', "$all tried", map { ($n{$_} // 0) . " $_" } qw(noticed same), $n{missed} ? 'missed' : ();
}

if ($whole) {
    my @lines = map { ($_ ? "rules under $_." : 'rules before 1.') . ': ' . counts($count{$_}) } sort { $a <=> $b } keys %count;
    push @lines, 'not noticed: ' . where($_) . ": $_->{what}" for grep { $tried{ $_->{name} } eq 'missed' } @others;
    push @lines, 'not the same: ' . where($_) . ": $_->{what}" for grep { $_->{same} && $tried{ $_->{name} } eq 'noticed' } @todo;
    push @lines, scalar(grep { !is_tried($_) } @mutants) . ' more change limits, which no rule looks at';
    diag(map { "$_\n" } "slapd $slapd:", @lines, sprintf('in all %s, %d of them now, in %d s', counts(values %count), $again // 0, time - $start));
    $record->whole;
} else {
    note(scalar(keys %tried) . ' of ' . @others . ' mutants of rules were tried; nothing can be seen of ' . (@mutants - @others) . ' more');
}
done_testing();
