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

# What is looked at: all code from the comparison of DNs on, or the whole file; not its comments.
sub spots {
    my ($text, $pattern) = @_;
    my ($from) = $text =~ m{^/\* --- DNs --- \*/$}m ? $-[0] : 0;
    my @all;
    while ($text =~ /$pattern/g) {
        my @at = ($-[1], $+[1]);
        push @all, [@at, $1] if $at[0] >= $from && substr($text, 0, $at[0]) !~ m{/\*(?:(?!\*/).)*\z}s;
    }
    return @all;
}

# Mutations that need a source of their own: [offset, length, replacement, description].
sub rewritten {
    my ($text) = @_;
    my %turned = ('&&' => '||', '||' => '&&');
    return map { [$_->[0], 2, $turned{ $_->[2] }, "$turned{$_->[2]} for $_->[2]"] } spots($text, qr/ (&&|\|\|) /);
}

# The others are all put into one source, and each comes into force when M is its number: the list of
# [offset, length, replacement], and [offset, description] of each number from 1 on.
sub switched {
    my ($text) = @_;
    my (@edits, @what);
    my $note = sub { push @what, [@_]; return scalar @what };
    for (spots($text, qr/\bif (\((?:[^()]|(?1))*\))/)) {
        my ($at, $end, $cond) = @$_;
        my ($never, $always) = ($note->($at, "never $cond"), $note->($at, "always $cond"));
        push @edits, [$at + 1, 0, "M == $never ? 0 : M == $always ? 1 : ("], [$end - 1, 0, ')'];
    }
    my %other = ('<' => '<=', '<=' => '<', '>' => '>=', '>=' => '>', '==' => '!=', '!=' => '==');
    for (spots($text, qr/ (<=?|>=?) /)) {
        my ($at, $end, $op) = @$_;
        my $m = '(M == ' . $note->($at, "$other{$op} for $op") . ')';
        push @edits, $op eq '<' || $op eq '>=' ? [$end, 0, " $m +"] : [$at, 0, "+ $m "];
    }
    for (spots($text, qr/((?:\w+ % )?[\w.>-]+(?:\[[^]]*\])?(?:\((?:[^()]|\([^()]*\))*\))?) (?:==|!=) /)) {
        push @edits, [$_->[0], 0, '(M == ' . $note->($_->[0], '== for !=, or != for ==') . ') ^ '];
    }
    push @edits, [$_->[0], 1, '(M == ' . $note->($_->[0], 'without !') . ') != !'] for spots($text, qr/(?<=[ (])(!)(?=[\w(])/);
    my %next = qw(USER DEPARTMENT DEPARTMENT DOMAIN DOMAIN SUPER SUPER SYSTEM SYSTEM USER);
    for (spots($text, qr/\b(LEVEL_\w+)/)) {
        my $next = $next{ substr $_->[2], 6 };
        push @edits, [$_->[0], length $_->[2], '(M == ' . $note->($_->[0], "$next for $_->[2]") . " ? LEVEL_$next : $_->[2])"];
    }
    for (spots($text, qr/\b((?:RIGHT|WITHHELD)_[A-Z]\w+)/)) {
        push @edits, [$_->[0], length $_->[2], '(M == ' . $note->($_->[0], "no $_->[2]") . " ? 0 : $_->[2])"];
    }
    return (\@edits, \@what);
}

my $switch = <<'C';
#include <stdlib.h>
static int M;
__attribute__((constructor)) static void M_read(void) { M = getenv("MUTANT") ? atoi(getenv("MUTANT")) : 0; }
C

sub with_edits {
    my ($text, @edits) = @_;
    # From the end on; at one place what is put in comes before what is replaced.
    substr($text, $_->[0], $_->[1]) = $_->[2] for sort { $b->[0] <=> $a->[0] || $b->[1] <=> $a->[1] } @edits;
    return $text;
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
    my ($mutant) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        $ENV{MUTANT} = $mutant;
        alarm 20;
        exec "$dir/rig", 'quick' or exit 127;
    }
    waitpid $pid, 0;
    return $? != 0;
}

# Make the rig out of this text and the other file's object.
sub build {
    my ($text, $other) = @_;
    open my $fh, '>', "$dir/mutant.c" or die "$dir/mutant.c: $!\n";
    print $fh $text;
    close $fh;
    return compiles("$dir/mutant.c $dir/rights_test.o $dir/$other -o $dir/rig");
}

my @files = ('lib/rights.c', 'lib/rights_words.c');
for my $file ('t/rights_test.c', @files) {
    (my $o = $file) =~ s{.*/(.*)\.c$}{$dir/$1.o};
    compiles('-c', $file, '-o', $o) or BAIL_OUT("$file: " . slurp("$dir/cc.log"));
}

for my $file (@files) {
    my $text = slurp($file);
    my $other = $file eq 'lib/rights.c' ? 'rights_words.o' : 'rights.o';
    my ($edits, $what) = switched($text);
    my ($n, $unseen, @missed, @seen) = (0, 0);
    my $try = sub {
        my ($mutant, $at, $change) = @_;
        my ($line, $code) = line_of($text, $at);
        my $is_same = $same{"$change: $code"};
        my $is_noticed = is_noticed($mutant);
        $n++;
        $unseen++ if $is_same;
        push @missed, "$file:$line: $change: $code" if !$is_same && !$is_noticed;
        push @seen, "$file:$line: $change: $code" if $is_same && $is_noticed;
    };
    build($switch . with_edits($text, @$edits), $other) or BAIL_OUT("$file: " . slurp("$dir/cc.log"));
    ok(!is_noticed(0), "$file: with no mutation the table and the code agree") or diag(slurp("$dir/out"));
    $try->($_ + 1, @{ $what->[$_] }) for 0 .. $#$what;
    for my $m (rewritten($text)) {
        $try->(0, $m->[0], $m->[3]) if build(with_edits($text, $m), $other);
    }
    cmp_ok($n, '>', 10, "$file: $n mutants were tried");
    ok(!@missed, "$file: a row fails for each") or diag(map { "  $_\n" } @missed);
    ok(!@seen, "$file: none fails for those that nobody can see") or diag(map { "  $_\n" } @seen);
    my $summary = "$file: $n tried, " . ($n - @missed - $unseen) . " noticed, $unseen same" . (@missed ? ', ' . @missed . ' missed' : '');
    $ENV{POSTROAD_SOAK} ? diag($summary) : note($summary);
}
done_testing();
