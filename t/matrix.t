#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Everybody tries everything, as real LDAP writes at a real slapd with the rules of
# ldap-schema/access.in; each answer must be the one of rights_decide(). See t/lib/Matrix.pm for
# who, what and where; t/lib/MatrixRun.pm does it. After it attempts to cheat that are no cell,
# and the table of what each level may.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use LdapWire;
use Matrix qw(cells);
use MatrixRun;
use Test::More;
use Time::HiRes qw(time);
use Trial;

plan(skip_all => 't/tools/rights_cells is not built: make tests') unless -x "$top/t/tools/rights_cells";
needs(qw(slapd slapadd));

my $start = time;
my $run = MatrixRun->new(slurp("$top/ldap-schema/postroad-access.conf"));
my @cells = cells();
my ($done, @bad) = $run->compare(\@cells);
cmp_ok($done, '>=', 1500, "$done cells were tried");
is(scalar @bad, 0, 'slapd and rights_decide() agree about each')
    or diag(map { "  $_\n" } @bad > 300 ? (@bad[0 .. 299], "...") : @bad);
is($run->dump, $run->{before}, 'every write was undone: the tree is as it was');
note(sprintf '%.1f s', time - $start);
done_testing();
