#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Whether t/tables/rights.tbl would notice: each condition of the decision in
# lib/rights.c, and of the comparison of DNs, is left out, made to hold always,
# turned around or shifted by one, and each level and right is taken for another;
# one at a time, and each must make a row fail.
use strict;
use warnings;
use Test::More;
use File::Temp 'tempdir';

my $cc = $ENV{CC} || 'cc';
plan skip_all => "no $cc" if system("$cc --version >/dev/null 2>&1") != 0;
plan skip_all => 't/rights_test.c is not here' if !-e 't/rights_test.c' || !-e 'lib/rights.c';

# Mutations nobody can see: a look at one byte behind the end, or at none; at DNs of one length that differ.
my %same = (
    q{>= for >: return dn.n > 0 && (memchr(dn.p, '[', dn.n) != NULL || memchr(dn.p, ']', dn.n) != NULL);} => 1,
    q{<= for <: while (i < dn.n && dn.p[i] != ',')} => 1,
    q{< for <=: if (dn.n <= top.n || memcmp(dn.p + dn.n - top.n, top.p, top.n) != 0)} => 1,
);

my $dir = tempdir('postroad-mutants.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @flags = qw(-std=c11 -D_GNU_SOURCE -O0 -w -Ilib -I.);

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

# [offset, length, replacement, description] of every mutation of the text.
sub mutations {
    my ($text) = @_;
    my ($from) = $text =~ m{^/\* --- DNs --- \*/$}m ? $-[0] : 0;
    my @all;
    while ($text =~ /\bif (\((?:[^()]|(?1))*\))/g) {
        my ($at, $cond) = ($-[1], $1);
        push @all, [$at, length $cond, "(0 && $cond)", "never $cond"], [$at, length $cond, "(1 || $cond)", "always $cond"];
    }
    my %turned = ('&&' => '||', '||' => '&&', '<' => '<=', '<=' => '<', '>' => '>=', '>=' => '>', '==' => '!=', '!=' => '==');
    while ($text =~ / (&&|\|\||<=?|>=?|==|!=) /g) {
        push @all, [$-[1], length $1, $turned{$1}, "$turned{$1} for $1"];
    }
    while ($text =~ /(?<=[ (])!(?=[\w(])/g) {
        push @all, [$-[0], 1, '', 'without !'];
    }
    my %next = qw(USER DEPARTMENT DEPARTMENT DOMAIN DOMAIN SUPER SUPER SYSTEM SYSTEM USER);
    while ($text =~ /\bLEVEL_(\w+)/g) {
        push @all, [$-[0], length $&, "LEVEL_$next{$1}", "$next{$1} for $1"];
    }
    while ($text =~ /\b(?:RIGHT|WITHHELD)_[A-Z]\w+/g) {
        push @all, [$-[0], length $&, '0', "no $&"];
    }
    return grep { $_->[0] >= $from && substr($text, 0, $_->[0]) !~ m{/\*(?:(?!\*/).)*\z}s } @all;
}

sub line_of {
    my ($text, $at) = @_;
    my $before = substr $text, 0, $at;
    my $line   = 1 + $before =~ tr/\n//;
    my $start  = rindex($before, "\n") + 1;
    my ($code) = substr($text, $start) =~ /^\s*(.*)/;
    return ($line, $code);
}

sub compiles {
    my (@args) = @_;
    return system("$cc @flags @args >$dir/cc.log 2>&1") == 0;
}

# 1 when the table notices.
sub is_noticed {
    my ($rig) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        alarm 20;
        exec $rig, 'quick' or exit 127;
    }
    waitpid $pid, 0;
    return $? != 0;
}

my @files = ('lib/rights.c', 'lib/rights_words.c');
for my $file ('t/rights_test.c', 'lib/account.c', @files) {
    (my $o = $file) =~ s{.*/(.*)\.c$}{$dir/$1.o};
    compiles('-c', $file, '-o', $o) or BAIL_OUT("$file: " . slurp("$dir/cc.log"));
}
compiles("$dir/rights_test.o $dir/rights.o $dir/rights_words.o -o $dir/rig") or BAIL_OUT(slurp("$dir/cc.log"));
ok(!is_noticed("$dir/rig"), 'the table and the code agree') or diag(slurp("$dir/out"));

for my $file (@files) {
    my $text = slurp($file);
    my $other = $file eq 'lib/rights.c' ? 'rights_words.o' : 'rights.o';
    my ($n, @missed) = (0);
    for my $m (mutations($text)) {
        my ($at, $length, $new, $what) = @$m;
        my ($line, $code) = line_of($text, $at);
        next if $same{"$what: $code"};
        my $mutant = $text;
        substr($mutant, $at, $length) = $new;
        open my $fh, '>', "$dir/mutant.c" or die "$dir/mutant.c: $!\n";
        print $fh $mutant;
        close $fh;
        compiles("$dir/mutant.c $dir/rights_test.o $dir/$other -o $dir/rig") or next;
        $n++;
        push @missed, "$file:$line: $what: $code" if !is_noticed("$dir/rig");
    }
    cmp_ok($n, '>', 10, "$file: $n mutants were tried");
    ok(!@missed, "$file: a row fails for each") or diag(map { "  $_\n" } @missed);
}
done_testing();
