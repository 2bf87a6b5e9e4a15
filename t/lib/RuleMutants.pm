# SPDX-License-Identifier: BSD-2-Clause
#
# RuleMutants: the access rules of a slapd.conf, and what each becomes when one clause of it is taken
# out or changed: a whole rule; of its "to" the filter, the values, the attributes, one of each of these,
# or how much of the tree it is for; a whole "by"; of a "by" one of its conditions, one of what a set
# joins, how far a set looks upwards, and what is allowed, more or less of it.
package RuleMutants;
use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(rules_of mutants_of);

# What is allowed instead: first the more.
my %other = (write => ['read'], read => [qw(write none)], '=zrscd' => [qw(write read)], '=w' => [qw(write none)], '=xw' => [qw(write =x)],
    auth => [qw(read none)], disclose => ['break'], none => ['break'], '+0' => ['write'], '+a' => [qw(write +0)],
    break => [], '=rscd break' => ['=rscd', 'write break', '+0 break'], '=rscd continue' => ['=rscd', 'write continue', '+0 continue']);

# One line each, comments gone.
sub rules_of {
    my ($text) = @_;
    $text =~ s/^#.*\n//mg;
    $text =~ s/\n[ \t]+/ /g;
    return grep { /\S/ } split /\n/, $text;
}

# [what is done, the rule then; '': none]
sub mutants_of {
    my ($rule) = @_;
    return (['without', '']) if $rule !~ s/^access //;
    my ($to, @by) = split / (?=by )/, $rule;
    my @all = (['without the rule', '']);
    my $make = sub { join ' ', 'access', @_ };
    for my $i (0 .. $#by) {
        my $ends = $i == $#by && $by[$i] eq 'by * none'; # as slapd ends each rule
        my @rest = @by;
        splice @rest, $i, 1;
        push @all, ["without $by[$i]", $make->($to, @rest)] if @rest && !$ends;
        for my $changed (changed_by($by[$i])) {
            my @others = @by;
            $others[$i] = $changed;
            push @all, ["$changed for $by[$i]", $make->($to, @others)];
        }
    }
    push @all, map { ["$_ for $to", $make->($_, @by)] } changed_to($to);
    my %seen;
    return grep { !$seen{ $_->[1] }++ } @all;
}

# Each with one match of the pattern replaced.
sub each_changed {
    my ($text, $pattern, $with) = @_;
    my @all;
    push @all, "$`$with$'" while $text =~ /$pattern/g;
    return @all;
}

sub changed_by {
    my ($by) = @_;
    my @all;
    if ($by =~ /^(by .*?)(set(?:\.expand)?=")(.*)" (.*)$/) {
        my ($before, $head, $set, $allowed) = ($1, $2, $3, $4);
        my @parts = split / \+ /, $set;
        push @all, map { my $i = $_; join(' + ', @parts[grep { $_ != $i } 0 .. $#parts]) } @parts > 1 ? 0 .. $#parts : ();
        push @all, each_changed($set, qr{/-1/-\*}, '/-*'), each_changed($set, qr{(?<!-1)/-\*}, '');
        push @all, map { each_changed($set, $_, '') } qr{(?<=\()[]\w/[]+ \| }, qr{ \| []\w/[]+(?= \|)}, qr{ \| []\w/[]+(?=\))};
        $_ = "$before$head$_\" $allowed" for @all;
        push @all, map { "by $_ $allowed" =~ s/ +/ /gr } $before =~ /^by (\S+) (\S+) $/ ? ("$1 $2", map { "$_ $head$set\"" } $1, $2)
            : $before =~ /^by (\S+) $/ ? ($1, "$head$set\"") : ();
    }
    push @all, changed_pattern($by) if $by =~ /dn\.regex/;
    my ($allowed) = $by =~ / (=\S+ \S+|\S+)$/;
    push @all, map { substr($by, 0, -length $allowed) . $_ } @{ $other{$allowed} or die "$by: what is $allowed?\n" };
    return @all;
}

# One alternative of a pattern less.
sub changed_pattern {
    my ($text) = @_;
    my ($before, $pattern, $after) = $text =~ /^(.*(?:val|dn)\.regex=")(.*?)(".*)$/ or return;
    my @all = map { each_changed($pattern, $_, '') } qr/\[\+\]\|/, qr/\|\(\^\|,\).*=/, qr/(?<=[(|])(?:\w|\[a-z\]\+)+\|/, qr/\|\w+(?=\))/;
    my %seen;
    return map { "$before$_$after" } grep { !$seen{$_}++ } @all;
}

sub changed_to {
    my ($to) = @_;
    my @all = map { $to =~ s/ $_=\S+//r } grep { $to =~ / $_=/ } qw(filter val\.regex);
    push @all, $to =~ s/ (?:attrs|val\.regex)=\S+//gr =~ s/^to$/to */r if $to =~ / attrs=/; # values are those of one attribute
    if ($to =~ /^(.* filter=)(\S+)(.*)$/) {
        my ($before, $filter, $after) = ($1, $2, $3);
        push @all, map { "$before$_$after" } grep { !/\(\|\)|\(!\)|\(&\)/ }
            each_changed($filter, qr/\((?:postroadRole|objectClass)=[\w*]+\)/, ''), each_changed($filter, qr/\(!\(postroadRole=\*\)\)/, '');
    }
    if ($to =~ /^(.* attrs=)([^! ]\S*,\S+)(.*)$/) {
        my ($before, $names, $after) = ($1, $2, $3);
        my @names = split /,/, $names;
        push @all, map { my $not = $_; $before . join(',', grep { $_ ne $not } @names) . $after } @names;
    }
    push @all, changed_pattern($to);
    push @all, $to =~ s/dn\.(?:children|exact|base)=/dn.subtree=/r if $to =~ /dn\.(?:children|exact|base)=/;
    return @all;
}

1;
