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

my ($O, $D, $A, $B, $GATE) = ($Matrix::O, $Matrix::D, $Matrix::A, $Matrix::B, $Matrix::GATE);

my $start = time;
my $run = MatrixRun->new(slurp("$top/ldap-schema/postroad-access.conf"));
# All of them with POSTROAD_SOAK=1; else about every third, always the same ones.
my @cells = cells();
if (!$ENV{POSTROAD_SOAK}) {
    @cells = grep { unpack('%32C*', "$_->{actor} $_->{name}") % 3 == 0 } @cells;
}
my ($done, @bad) = $run->compare(\@cells);
cmp_ok($done, '>=', 1500, "$done cells were tried");
is(scalar @bad, 0, 'slapd and rights_decide() agree about each')
    or diag(map { "  $_\n" } @bad > 40 ? (@bad[0 .. 39], '...') : @bad);
ok($run->dump eq $run->{before}, 'every write was undone: the tree is as it was');

# --- attempts to cheat that are no cell: attribute options, injection, several steps

my $root = $run->{root};

# What somebody gets for a write; a success is undone.
sub try_it {
    my ($actor, @op) = @_;
    return $run->try_cell({ actor => $actor, name => "$op[0] $op[1]", op => \@op });
}

my ($alice, $dep, $sup) = ("uid=alice,ou=sales,$A", "uid=wangfang,ou=sales,$A", "uid=liuyang,ou=it,$A");
for (Matrix::cheats()) {
    my ($what, @cheat) = @$_;
    is(try_it(@cheat), 50, "$cheat[0] can't give or take: $what");
}

# A higher administrator's entry is gone: who makes it anew does not become him.
{
    my %person = (objectClass => [qw(inetOrgPerson postroadAccount)], uid => ['liuyang'], cn => ['x'], sn => ['x'], userPassword => ['x']);
    is($root->delete($sup), 0, 'a super administrator is deleted');
    my $dom = $run->{as}{dom};
    is($dom->add($sup, { %person, postroadRole => ['super'], postroadScope => [$D] }), 50, 'a domain administrator can\'t make him anew');
    is($dom->add($sup, \%person), 0, 'but somebody of the same name');
    is(LdapWire->new($run->{socket}, $sup, 'x')->modify($alice, [replace => 'postroadQuota', 1]), 50, 'who is nobody, though still in the gate');
    is($root->delete($sup), 0, 'he goes');
    is(Matrix::undo($root, ['delete', $sup]), 0, 'and the other one is there again');
}

# A rename brings a value with it that no rule has seen: it must be worth nothing, and stay so.
for (['postroadRole=system', 'dom', $dep], ["postroadScope=$O" =~ s/=o=/=o\\3D/r, 'dom', $dep], ['postroadRole=domain', 'dep', $alice]) {
    my ($value, $by, $dn) = @$_;
    my ($rdn, $parent) = $dn =~ /^([^,]*),(.*)/;
    my ($uid) = $rdn =~ /=(.*)/;
    my $odd = "$rdn+$value,$parent";
    my ($name) = $value =~ /^(\w+)/;
    my @was = Matrix::values_of($dn, $name);
    $root->modify($dn, [replace => $name]); # as who may take it may do
    isnt($run->{as}{$by}->rename($dn, "$rdn+$value"), 0, "no rename to $value when the old name goes");
    is($run->{as}{$by}->rename($dn, "$rdn+$value", undef, 1), 0, 'but one that keeps it');
    is($root->modify($GATE, [add => 'member', $odd]), 0, 'even if he came through the gate');
    my $him = LdapWire->new($run->{socket}, $odd, "sample-$uid");
    is_deeply([map { $him->modify($_, [replace => 'description', 'x']) } "uid=bob,ou=east,ou=sales,$A", "cn=hebei,cn=sites,$O", $A], [50, 50, 50], 'it is worth nothing');
    is($run->{as}{$by}->rename($odd, $rdn, undef, 1), 50, 'and nobody can leave the value there without the name');
    is($run->{as}{sys}->rename($odd, $rdn), 0, 'but a system administrator mends it');
    $root->modify($dn, [replace => $name, @was]);
    $root->modify($GATE, [replace => 'member', Matrix::values_of($GATE, 'member')]);
}
ok($run->dump eq $run->{before}, 'after all of it the tree is as it was');

# --- what is read, by whom

for (MatrixRun::reads()) {
    my ($what, $want) = @$_;
    is($run->who_reads($what), $want, "read by: $what");
}

# --- the table in DESIGN's words, so that a reader can check it by eye

my @table = (
    # what                                                sys sup supa dom dep alice sunli anonymous
    ['add an account in ou=sales',                       'YYYYY---'],
    ['add an account in ou=east,ou=sales',               'YYYYY---'],
    ['add an account in ou=hr',                          'YYYY----'],
    ['add an account in ou=jinan of post',               'YY------'],
    ['add an account with role system in ou=sales',      'Y-------'],
    ['add an account with role and scope sales',         'YYYY----'],
    ['add an account with role and scope at post',       'YY------'],
    ['add a department in ou=sales',                     'YYYY----'],
    ['add a domain',                                     'YY------'],
    ['set the quota of alice',                           'YYYYY---'],
    ['set the quota of frank (hr)',                      'YYYY----'],
    ['set the quota of wuhao (post)',                    'YY------'],
    ['password of alice',                                'YYYYYY--'],
    ['password of wangfang (dep)',                       'YYYYY---'],
    ['password of dom2 (domain, sits in sales)',         'YYY-----'],
    ['password of liuyang (sup)',                        'YY------'],
    ['password of sys2',                                 'Y-------'],
    ['alice becomes department',                         'YYYY----'],
    ['alice becomes domain',                             'YYY-----'],
    ['alice becomes super',                              'Y-------'],
    ['alice gets scope sales',                           'YYYY----'],
    ['alice gets scope corp',                            'YYY-----'],
    ['alice gets scope post',                            'YY------'],
    ['wangfang loses his role',                          'YYYY----'],
    ['liuyang loses his role',                           'Y-------'],
    ['move alice to hr',                                 'YYYY----'],
    ['move alice to post',                               'YY------'],
    ['delete bob',                                       'YYYYY---'],
    ['delete dom2 (sits in sales)',                      'YYY-----'],
    ['own telephone number of alice',                    'YYYYYY--'],
    ['own mail of alice',                                'YYYYY---'],
    ['home site of ou=sales',                            'YYYY----'],
    ['home site of corp',                                'YYY-----'],
    ['desired state of site hebei',                      'Y-------'],
);
my $new = { objectClass => [qw(inetOrgPerson postroadAccount)], uid => ['x'], cn => ['x'], sn => ['x'] };
my @writes = (
    ['add', "uid=x,ou=sales,$A", $new], ['add', "uid=x,ou=east,ou=sales,$A", $new], ['add', "uid=x,ou=hr,$A", $new], ['add', "uid=x,ou=jinan,$B", $new],
    ['add', "uid=x,ou=sales,$A", { %$new, postroadRole => ['system'] }],
    ['add', "uid=x,ou=sales,$A", { %$new, postroadRole => ['department'], postroadScope => ["ou=sales,$A"] }],
    ['add', "uid=x,ou=sales,$A", { %$new, postroadRole => ['department'], postroadScope => ["ou=jinan,$B"] }],
    ['add', "ou=x,ou=sales,$A", { objectClass => [qw(organizationalUnit postroadDepartment)], ou => ['x'] }],
    ['add', "dc=x.example,$D", { objectClass => [qw(domain postroadDomain)], dc => ['x.example'], associatedDomain => ['x.example'] }],
    (map { ['modify', $_, [replace => 'postroadQuota', 5]] } $alice, "uid=frank,ou=hr,$A", "uid=wuhao,ou=qingdao,$B"),
    (map { ['password', $_, 'x'] } $alice, $dep, "uid=dom2,ou=sales,$A", $sup, "uid=sys2,ou=hr,$A"),
    (map { ['modify', $alice, [replace => 'postroadRole', $_]] } qw(department domain super)),
    (map { ['modify', $alice, [add => 'postroadScope', $_]] } "ou=sales,$A", $A, $B),
    (map { ['modify', $_, [replace => 'postroadRole']] } $dep, $sup),
    ['rename', $alice, 'uid=alice', "ou=hr,$A"], ['rename', $alice, 'uid=alice2', "ou=jinan,$B"],
    ['delete', "uid=bob,ou=east,ou=sales,$A"], ['delete', "uid=dom2,ou=sales,$A"],
    ['modify', $alice, [replace => 'telephoneNumber', '1']], ['modify', $alice, [replace => 'mail', 'x@corp.example']],
    (map { ['modify', $_, [replace => 'postroadHomeSite', 'shandong']] } "ou=sales,$A", $A),
    ['modify', "cn=hebei,cn=sites,$O", [replace => 'postroadDesiredState', 'down']],
);
for my $i (0 .. $#table) {
    my ($what, $want) = @{ $table[$i] };
    my $got = join '', map { try_it($_, @{ $writes[$i] }) == 0 ? 'Y' : '-' } qw(sys sup supa dom dep alice sunli anonymous);
    is($got, $want, "may: $what");
}
is(scalar @table, scalar @writes, 'each row was tried');
ok($run->dump eq $run->{before}, 'the tree is as it was');
note(sprintf '%.1f s', time - $start);
done_testing();
