#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Whether t/matrix.t would notice: each clause of the access rules is taken out or weakened, one at
# a time; at least one cell, one attempt to cheat, or one row of who reads what must come out otherwise.
# By default a few of them, as many as fit into half a minute, the same each time; POSTROAD_SEED draws
# others. `make mutants` tries all, which takes an hour, POSTROAD_MUTANTS=100-149 these, in the order
# of the rules. t/rights-mutants.t does the same to rights_decide().
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use List::Util qw(shuffle);
use Matrix qw(cells);
use MatrixRun;
use Test::More;
use Time::HiRes qw(time);
use Trial;

my $cc = $ENV{CC} || 'cc';
plan(skip_all => 't/tools/rights_cells is not built: make tests') unless -x "$top/t/tools/rights_cells";
needs(qw(slapd slapadd), $cc);

my ($from, $to) = ($ENV{POSTROAD_MUTANTS} // '') =~ /^(\d+)-(\d+)$/;
my $SECONDS = $ENV{POSTROAD_SOAK} || defined $from ? 1e9 : 20;
my $FEW = 10;
my $seed = $ENV{POSTROAD_SEED} // 1;
srand $seed;
note("POSTROAD_SEED=$seed");

# --- rules

# Clauses nobody can see: what they refuse the next rule refuses as well, or they only save time.
my @same = (
    qr/postroad-rules-/, # the two marks
    qr/^limits /,         # no rules
    qr/cn=edit,/,         # who acts in others' names: t/edit.t
    qr/^by anonymous set=.* break for by anonymous/,
);

sub rules_of {
    my ($text) = @_;
    $text =~ s/^#.*\n//mg;
    $text =~ s/\n[ \t]+/ /g;
    return grep { /\S/ } split /\n/, $text;
}

# [description, mutant] of one rule.
sub mutants_of {
    my ($rule) = @_;
    return (['without', '']) if $rule !~ s/^access //;
    my ($to, @by) = split / (?=by )/, $rule;
    my @all = (['without the rule', '']);
    my $make = sub { join ' ', 'access', @_ };
    for my $i (0 .. $#by) {
        next if $by[$i] eq 'by * none' && $i == $#by; # slapd ends each rule with it
        my @rest = @by;
        splice @rest, $i, 1;
        push @all, ["without $by[$i]", $make->($to, @rest)] if @rest;
        for my $weaker (weaker($by[$i])) {
            my @other = @by;
            $other[$i] = $weaker;
            push @all, ["$weaker for $by[$i]", $make->($to, @other)];
        }
    }
    push @all, map { ["$_ for $to", $make->($_, @by)] } weaker_to($to);
    return @all;
}

sub weaker {
    my ($by) = @_;
    my @all;
    if ($by =~ /^(.*set(?:\.expand)?=")(.*)(".*)$/) {
        my ($head, $set, $tail) = ($1, $2, $3);
        my @parts = split / \+ /, $set;
        push @all, map { my $i = $_; $head . join(' + ', @parts[grep { $_ != $i } 0 .. $#parts]) . $tail } @parts > 1 ? 0 .. $#parts : ();
        push @all, "$head$`/-*$'$tail" while $set =~ m{/-1/-\*}g;
    }
    push @all, $by =~ s/ =(?:zrscd|w)$/ write/r if $by =~ / =zrscd$/;
    push @all, $by =~ s/ none$/ break/r if $by =~ / none$/ && $by ne 'by * none';
    push @all, $by =~ s/ read$/ write/r if $by =~ / read$/;
    return @all;
}

sub weaker_to {
    my ($to) = @_;
    my @all;
    push @all, $to =~ s/ filter=\S+//r if $to =~ / filter=/;
    while ($to =~ /\((?:postroadRole|objectClass)=[\w*]+\)/g) {
        my $less = "$`$'";
        push @all, $less if $less !~ /\(\|\)|\(!\)|\(&\)/;
    }
    push @all, $to =~ s/ val\.regex="[^"]*"//r if $to =~ / val\.regex="\^(?!\()/;
    return @all;
}

my @rules = rules_of(slurp("$top/ldap-schema/postroad-access.conf"));
my @mutants;
for my $i (0 .. $#rules) {
    next if grep { $rules[$i] =~ $_ || $rules[$i] =~ s/^access //r =~ $_ } @same;
    for (mutants_of($rules[$i])) {
        my ($what, $mutant) = @$_;
        next if grep { $what =~ $_ } @same;
        push @mutants, [$what, "rule $i", $rules[$i], join '', map { "$_\n" } grep { $_ ne '' } @rules[0 .. $i - 1], $mutant, @rules[$i + 1 .. $#rules]];
    }
}
$mutants[$_][1] = "mutant $_, $mutants[$_][1]" for 0 .. $#mutants;
my $all = @mutants;
@mutants = defined $from ? @mutants[grep { $_ < $all } $from .. $to] : $ENV{POSTROAD_SOAK} ? @mutants : (shuffle @mutants)[0 .. $FEW - 1];
my @cells = shuffle cells();

sub is_noticed {
    my ($rules) = @_;
    my $run = eval { MatrixRun->new($rules) } or return "no start: $@";
    my ($cheat) = grep { (eval { $run->try_cell({ actor => $_->[1], name => $_->[0], op => [@$_[2 .. $#$_]] }) } // 0) != 50 } Matrix::cheats();
    my ($bad) = grep { $run->who_reads($_->[0]) ne $_->[1] } MatrixRun::reads();
    my $seen = $cheat ? "cheat: $cheat->[0]" : $bad ? "read by: $bad->[0]" : undef;
    if (!$seen) {
        my (undef, @bad) = eval { $run->compare(\@cells, 1) };
        $seen = $bad[0] // $@;
    }
    $run->stop;
    return $seen;
}

my $end = time + $SECONDS;
my $tried = 0;
for (@mutants) {
    last if $tried > 1 && time > $end;
    my ($what, $where, $rule, $text) = @$_;
    $tried++;
    my $seen = is_noticed($text);
    ok($seen, "$where: $what") or diag("  $rule");
    note("  $seen") if $seen;
}
note("$tried of $all mutants of rules were tried");

done_testing();
