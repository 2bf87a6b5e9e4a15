#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Whether t/matrix.t would notice: each clause of the access rules is taken out or weakened, one at
# a time; at least one cell, one attempt to cheat, or one row of who reads what must come out otherwise.
# By default a few of them, as many as fit into half a minute, the same each time; POSTROAD_SEED draws
# others. `make mutants` tries all, which takes an hour. POSTROAD_MUTANTS=100-149 tries these, in the
# order of the rules; with commas between them single ones, by number or by name: the name is made from
# the rule and what is done to it, and stays when other rules change. t/rights-mutants.t does the same
# to rights_decide().
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
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

my @wanted = split /,/, $ENV{POSTROAD_MUTANTS} // '';
my $SECONDS = $ENV{POSTROAD_SOAK} || @wanted ? 1e9 : 20;
my $FEW = 10;
my $seed = $ENV{POSTROAD_SEED} // 1;
srand $seed;
note("POSTROAD_SEED=$seed");

# --- rules

# Not tried: [what is done, and the rule; why nothing can be seen of it].
my @same = (
    [qr/postroad-rules-/, 'the two marks fit no entry'],
    [qr/\| limits /, 'no rules'],
    [qr/cn=edit,/, 'who acts in the name of others: t/edit.t'],
    [qr/cn=(?:held|moderation),/, 'held mail: t/held-acl.t'],
    [qr/^by anonymous set=.* break for by anonymous/, 'the last rule of 3 gives anonymous nothing either'],
    [qr/^without the rule \| access to \S+ attrs=mail,postroadAlias by users read by \* none$/,
        'saves time: who passed 10 fits no set of 16, which has the same ones, and those of 17 let all read addresses'],
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
my @mutants; # [what is done, which one, rule, text of all rules, name]
for my $i (0 .. $#rules) {
    for (mutants_of($rules[$i])) {
        my ($what, $mutant) = @$_;
        next if grep { "$what | $rules[$i]" =~ $_->[0] } @same;
        my $name = 'm' . substr md5_hex("$rules[$i]\n$what"), 0, 6;
        push @mutants, [$what, "rule $i", $rules[$i], join('', map { "$_\n" } grep { $_ ne '' } @rules[0 .. $i - 1], $mutant, @rules[$i + 1 .. $#rules]), $name];
    }
}
$mutants[$_][1] = "mutant $_ $mutants[$_][4], $mutants[$_][1]" for 0 .. $#mutants;
my $all = @mutants;

# Those of POSTROAD_MUTANTS.
sub wanted {
    my ($one) = @_;
    return grep { $_->[4] eq $one } @mutants if $one =~ /^m/;
    my ($from, $to) = $one =~ /^(\d+)(?:-(\d+))?$/ or BAIL_OUT("POSTROAD_MUTANTS: $one?");
    return @mutants[grep { $_ < $all } $from .. $to // $from];
}
@mutants = @wanted ? map { wanted($_) } @wanted : $ENV{POSTROAD_SOAK} ? @mutants : (shuffle @mutants)[0 .. $FEW - 1];
# What showed one mutant comes first for the next, which is often like it.
my @cells = shuffle cells();
my @said = @{ MatrixRun->decide(\@cells) };

sub first_wrong_cell {
    my ($run) = @_;
    for my $i (0 .. $#cells) {
        my $seen = eval { $run->differs($cells[$i], $said[$i]) } // $@;
        next unless $seen;
        unshift @$_, splice @$_, $i, 1 for \@cells, \@said;
        return $seen;
    }
    return;
}

sub is_noticed {
    my ($rules) = @_;
    my $run = eval { MatrixRun->new($rules) } or return "no start: $@";
    my ($cheat) = grep { (eval { $run->try_cell({ actor => $_->[1], name => $_->[0], op => [@$_[2 .. $#$_]] }) } // 0) != 50 } Matrix::cheats();
    my ($bad) = grep { $run->who_reads($_->[0]) ne $_->[1] } MatrixRun::reads();
    my $seen = $cheat ? "cheat: $cheat->[0]" : $bad ? "read by: $bad->[0]" : first_wrong_cell($run);
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
