#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who reads and decides about held mail: t/lib/MatrixHeld.pm tries it, at a real slapd with the rules of
# ldap-schema/access.in; each answer must be the one of rights_decide() about approving.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use MatrixHeld;
use MatrixRun;
use Test::More;
use Trial;

plan(skip_all => 't/tools/rights_cells is not built: make tests') unless -x "$top/t/tools/rights_cells";
needs(qw(slapd slapadd ldapmodify));

my $run = MatrixRun->new(slurp("$top/ldap-schema/postroad-access.conf"));
my $held = MatrixHeld->new($run);
for my $part (MatrixHeld::part_names()) {
    $held->part($part, sub { my ($holds, $what, $more) = @_; ok($holds, $what) or diag($more // '') });
}
$held->rights('');
ok($run->dump eq $run->{before}, 'the tree is as it was');
$run->stop;
done_testing();
