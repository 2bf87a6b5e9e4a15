#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# failure-modes: that each row of FAILURE-MODES.md is whole, and names tests that are there: a file,
# and words that stand in it or in what it uses of t/lib.
use strict;
use warnings;
use Test::More;

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or return;
    local $/;
    return scalar <$in>;
}

my $text = slurp('FAILURE-MODES.md') // BAIL_OUT('no FAILURE-MODES.md here');
my @rows = grep { !/^\|(?:---|\s*What fails)/ } $text =~ /^(\|.*)$/mg;
cmp_ok(scalar @rows, '>=', 25, scalar(@rows) . ' rows');
for my $row (@rows) {
    my @cell = split /\s*\|\s*/, $row =~ s/^\|\s*//r =~ s/\s*\|\s*$//r, -1;
    is(scalar @cell, 6, "$cell[0]: six columns") or next;
    ok(length $cell[3] && length $cell[5], "$cell[0]: something is promised, and shown");
    for my $shown (split /;\s*/, $cell[5]) {
        my ($file, $words) = $shown =~ /^`(t\/[\w.\/-]+)` (.+)$/;
        my $test = defined $file ? slurp($file) : undef;
        $test .= slurp("t/lib/$_.pm") // '' for ($test // '') =~ /^use (\w+);/mg;
        ok(defined $test && index($test, $words) >= 0, "$cell[0]: $shown");
    }
}
done_testing;
