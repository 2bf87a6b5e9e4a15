#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Who reads and decides about held mail: everybody of the matrix tries to give a verdict about a message
# of everybody, as real LDAP writes at a real slapd with the rules of ldap-schema/access.in; each
# answer must be the one of rights_decide() about approving. Then attempts to cheat, what the
# service that publishes held mail may, and who reads what.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use LdapWire;
use Matrix;
use MatrixRun;
use Test::More;
use Trial;

plan(skip_all => 't/tools/rights_cells is not built: make tests') unless -x "$top/t/tools/rights_cells";
needs(qw(slapd slapadd ldapmodify));

my ($O, $D, $A, $B) = ($Matrix::O, $Matrix::D, $Matrix::A, $Matrix::B);
my $HELD = "cn=held,$O";
my $alice = "uid=alice,ou=sales,$A";

# Right approve at every level, and people who have it in places the matrix doesn't need.
my %moderator = (sys => "uid=zhangwei,ou=it,$A", sup => "uid=liuyang,ou=it,$A", dom => "uid=lina,ou=hr,$A",
    dep => "uid=wangfang,ou=sales,$A", domb => "uid=zhoujie,ou=jinan,$B",
    map { $_ => Matrix::actor_dn($_) } qw(sup2 supa dom2 domab dep2 depn depit depx depa domsus syssus domlea domung sysung odd odd1 odd2 odd3 wang));

sub entry {
    my ($id, $target, %more) = @_;
    return ("postroadHeldId=$id,$HELD", { objectClass => ['postroadHeld'], postroadHeldId => [$id], postroadHeldSite => ['hebei'],
        postroadHeldTarget => [$target], postroadHeldRule => ['hr-out'], postroadHeldSender => ['x@outside.example'],
        postroadHeldRecipient => ['bob@corp.example'], postroadHeldCount => [1], postroadHeldSize => [1000], postroadHeldSubject => ["\xe4\xbd\xa0"],
        postroadHeldTime => ['20261122120000Z'], postroadHeldExpires => ['20261127120000Z'], postroadHeldState => ['held'], %more });
}

# Other rules: t/matrix-mutants.t, which wants to see this fail.
my $run = MatrixRun->new(slurp($ENV{POSTROAD_RULES} // "$top/ldap-schema/postroad-access.conf"));
my ($root, $as) = @$run{qw(root as)};
$as->{moderation} = LdapWire->new($run->{socket}, "cn=moderation,cn=services,$O", 'sample-moderation');

# --- everybody about everybody's, with the right and without

my @targets = (map { $_->[0] } grep { $_->[0] !~ /^cn=(?:admins|here|mx)/ } $root->search($O, 'sub', ['objectClass'], '1.1'));
push @targets, "uid=nobody,ou=sales,$A";
my @actors = Matrix::actor_names();
my $given = [add => 'postroadHeldVerdict', 'approve'];

sub give_rights { $root->modify($_, [add => 'postroadRight', 'approve']) for values %moderator }

# What rights_decide() says to all of it, in the same order.
sub decided {
    my ($right) = @_;
    my @lines;
    for my $target (@targets) {
        for my $actor (@actors) {
            my $facts = Matrix::actor_fields($actor);
            $facts =~ s/\tactor\.right=[^\t]*//g;
            $facts .= "\tactor.right=approve" if $right && $moderator{$actor};
            push @lines, join "\t", $facts, Matrix::target_fields($target), "action=approve\n";
        }
    }
    my ($rc, $out) = run(join('', @lines), "$top/t/tools/rights_cells");
    BAIL_OUT("rights_cells: $out") if $rc;
    return split /\n/, $out;
}

# (number of cells, how many were allowed, texts of those that differ)
sub compare {
    my ($right) = @_;
    my @said = decided($right);
    my ($n, $allowed, @bad) = (0, 0);
    for my $target (@targets) {
        my ($dn, $attributes) = entry('cell', $target);
        $root->add($dn, $attributes);
        for my $actor (@actors) {
            my ($verdict, $rule, $why) = split /\t/, shift @said;
            my $want = $verdict eq 'allowed' ? 1 : 0;
            my $code = $as->{$actor}->modify($dn, $given, [add => 'postroadHeldReason', 'because']);
            $root->modify($dn, ['delete', 'postroadHeldVerdict'], ['delete', 'postroadHeldReason']) if $code == 0;
            my $sees = grep { $_->[1]{postroadheldsubject} } $as->{$actor}->search($HELD, 'one', ['objectClass'], 'postroadHeldSubject');
            my $reads = $want || $actor eq 'replicator' ? 1 : 0;
            push @bad, "$actor about $target: verdict $code, reads $sees; rights_decide: $verdict, rule $rule, $why"
                if ($code == 0 ? 1 : 0) != $want || $sees != $reads;
            $n++;
            $allowed++ if $code == 0;
        }
        $root->delete($dn);
    }
    return ($n, $allowed, @bad);
}

for my $right (0, 1) {
    $root->modify($_->[0], ['delete', 'postroadRight']) for $root->search($O, 'sub', ['postroadRight'], '1.1');
    give_rights() if $right;
    my ($n, $allowed, @bad) = compare($right);
    cmp_ok($n, '>', 1500, "$n cells " . ($right ? 'with' : 'without') . ' the right were tried');
    cmp_ok($allowed, $right ? '>' : '==', $right ? 100 : 0, "$allowed verdicts were taken");
    is(scalar @bad, 0, 'slapd and rights_decide() agree about each') or diag(map { "  $_\n" } @bad > 30 ? (@bad[0 .. 29], '...') : @bad);
}

# --- cheating: all of it by people who may decide about alice's mail, and some who may not

my ($e) = entry('e', $alice);
my $reject = [add => 'postroadHeldVerdict', 'reject'];
my @deciders = qw(sys sup supa dom dep);

sub fresh {
    $root->delete($e);
    my (undef, $attributes) = entry('e', $alice, @_);
    $root->add($e, $attributes);
}

# Everyone of these gets 50 for it.
sub refused {
    my ($what, $who, @op) = @_;
    my @got = grep { !/ 50$/ } map { "$_ " . Matrix::perform($as->{$_}, [@op]) } @$who;
    is("@got", '', "refused: $what");
}

fresh();
refused('a word that is no verdict', \@deciders, 'modify', $e, [add => 'postroadHeldVerdict', $_]) for 'maybe', 'approved', 'approve x', '';
refused('a verdict in place of none', \@deciders, 'modify', $e, [replace => 'postroadHeldVerdict', 'approve']);
refused('a verdict among other changes', \@deciders, 'modify', $e, $given, [replace => 'postroadHeldState', 'approved']);
for ([postroadHeldTarget => "uid=frank,ou=hr,$A"], [postroadHeldSender => 'alice@corp.example'], [postroadHeldState => 'approved'], [postroadHeldSite => 'shandong'],
    [postroadHeldBy => $moderator{sys}], [postroadHeldExpires => '20260101000000Z'], [postroadHeldSubject => 'x'], [postroadHeldRecipient => 'x@corp.example']) {
    my ($name, $value) = @$_;
    refused("another $name", [@deciders, qw(alice domsus)], 'modify', $e, [replace => $name, $value]);
    refused("one more $name", [@deciders, qw(alice domsus)], 'modify', $e, [add => $name, $value]);
}
refused('an entry nobody published', [@deciders, qw(alice policyd dovecot)], 'add', (entry('new', $alice))[0, 1]);
refused('something below an entry', [@deciders, 'alice'], 'add', "cn=x,$e", { objectClass => ['organizationalRole'], cn => ['x'] });
refused('the entry gone', [@deciders, qw(alice policyd dovecot)], 'delete', $e);
refused('another name', [@deciders, 'alice'], 'rename', $e, 'postroadHeldId=x');
refused('another place', \@deciders, 'rename', $e, 'postroadHeldId=e', "ou=sales,$A");
$root->add("postroadHeldId=own,ou=sales,$A", (entry('own', $alice))[1]);
refused('an entry of one\'s own moved there', \@deciders, 'rename', "postroadHeldId=own,ou=sales,$A", 'postroadHeldId=own', $HELD);
$root->delete("postroadHeldId=own,ou=sales,$A");
refused('the container gone', [qw(sup dom dep alice moderation)], 'delete', $HELD);
refused('another class for the container', [qw(sup dom dep alice moderation)], 'modify', $HELD, [add => 'objectClass', 'extensibleObject']);
is($as->{dep}->modify($e, [add => 'postroadHeldVerdict', 'REJECT'], [add => 'postroadHeldReason', "\xe4\xb8\x8d"]), 0, 'in other letters it is the same word');
refused('another verdict', \@deciders, 'modify', $e, [replace => 'postroadHeldVerdict', 'approve']);
refused('the same one again, in other letters', \@deciders, 'modify', $e, $reject);
refused('a second one', \@deciders, 'modify', $e, $given);
refused('a second one under a language', \@deciders, 'modify', $e, [add => 'postroadHeldVerdict;lang-zh', 'approve']);
refused('one in place of the other', \@deciders, 'modify', $e, [delete => 'postroadHeldVerdict', 'REJECT'], $given);
refused('no verdict', \@deciders, 'modify', $e, [delete => 'postroadHeldVerdict']);
refused('this verdict away', \@deciders, 'modify', $e, [delete => 'postroadHeldVerdict', 'reject']);
refused('another reason', \@deciders, 'modify', $e, [replace => 'postroadHeldReason', 'x']);
refused('a reason under a language', \@deciders, 'modify', $e, [add => 'postroadHeldReason;lang-zh', 'x']);
refused('no reason', \@deciders, 'modify', $e, [delete => 'postroadHeldReason']);
fresh();
refused('two at once, one under a language', \@deciders, 'modify', $e, $given, [add => 'postroadHeldVerdict;lang-zh', 'reject']);
refused('one under a language', \@deciders, 'modify', $e, [add => 'postroadHeldVerdict;lang-zh', 'reject']);
refused('a reason under a language, before any', \@deciders, 'modify', $e, [add => 'postroadHeldReason;lang-zh', 'x']);
fresh();
is($as->{dom}->modify($e, [add => 'postroadHeldReason', 'x']), 0, 'a reason comes before the verdict');
refused('to change it', \@deciders, 'modify', $e, $_) for [replace => 'postroadHeldReason', 'y'], ['delete', 'postroadHeldReason'], [delete => 'postroadHeldReason', 'x'];
fresh();
is($as->{dom}->modify($e, $given), 0, 'a verdict needs no reason');
refused('a reason for it, later', \@deciders, 'modify', $e, [add => 'postroadHeldReason', 'x']);
fresh(postroadHeldState => ['expired']);
refused('a verdict when all is over', \@deciders, 'modify', $e, $given);
refused('a reason when all is over', \@deciders, 'modify', $e, [add => 'postroadHeldReason', 'x']);
$root->delete($e);
is($as->{sys}->delete($HELD), 0, 'a system administrator takes the container away');
is($as->{sys}->add($HELD, { objectClass => ['organizationalRole'], cn => ['held'] }), 0, 'and makes it');

# Somebody else's credential: policyd's role edit acts for administrators, but not here.
fresh();
my ($rc, $out) = run("dn: $e\nchangetype: modify\nadd: postroadHeldVerdict\npostroadHeldVerdict: approve\n", 'ldapmodify', '-x', '-H', $run->{socket} =~ s{/}{%2F}gr =~ s{^}{ldapi://}r,
    '-D', "cn=edit,cn=services,$O", '-w', 'sample-edit', '-e', "!authzid=dn:$moderator{dep}");
isnt($rc, 0, 'no verdict through cn=edit') or diag($out);

# --- the service

my $service = $as->{moderation};
my ($f, $attributes) = entry('f', $alice);
is($service->add($f, { %$attributes, postroadHeldVerdict => ['approve'] }), 50, 'the service publishes no verdict');
is($service->add($f, $attributes), 0, 'but a message');
is($service->modify($f, $given), 50, 'it gives no verdict');
is($service->modify($f, [add => 'postroadHeldReason', 'x']), 50, 'and no reason');
is($as->{dom}->modify($f, $given, [add => 'postroadHeldReason', 'x']), 0, 'a moderator does');
my ($seen) = $service->search($HELD, 'one', ['postroadHeldVerdict'], 'postroadHeldVerdict', 'modifiersName');
is_deeply([@{ $seen->[1] }{qw(postroadheldverdict modifiersname)}], [['approve'], [$moderator{dom}]], 'the service sees what was said, and by whom');
is($service->modify($f, [replace => 'postroadHeldVerdict', 'reject']), 50, 'it can\'t put another in its place');
is($service->modify($f, ['delete', 'postroadHeldVerdict'], ['delete', 'postroadHeldReason']), 0, 'but takes it away');
is($service->modify($f, [replace => 'postroadHeldState', 'approved'], [add => 'postroadHeldBy', $moderator{dom}]), 0, 'it says what was done');
is($service->delete($f), 0, 'and takes the entry away');
is($service->modify($alice, [replace => 'postroadQuota', 1]), 50, 'it changes nothing else');
is(scalar(() = grep { $_->[0] !~ /\Q$HELD\E$/ } map { $service->search($_, 'sub', ['objectClass'], '1.1') } $O, $D, "cn=services,$O"), 0, 'and reads nothing else');

# --- who reads what he sent himself

sub sees { my ($who) = @_; return scalar grep { $_->[1]{postroadheldsubject} } $as->{$who}->search($HELD, 'sub', ['objectClass'], 'postroadHeldSubject') }

$root->modify($alice, [add => 'postroadAlias', "\xe9\x98\xbf\xe4\xb8\xbd\@corp.example"]);
for (['alice@corp.example', 1], ['Alice@Corp.Example', 1], ["\xe9\x98\xbf\xe4\xb8\xbd\@CORP.example", 1], ['alice@corp.examples', 0], ['alice', 0]) {
    fresh(postroadHeldSender => [$_->[0]]);
    is(sees('alice'), $_->[1], "alice sees what $_->[0] sent: $_->[1]");
    refused('a verdict about one\'s own', ['alice'], 'modify', $e, $given);
}
is(sees('sunli') + sees('anonymous') + sees('policyd') + sees('dovecot') + sees('depit'), 0, 'nobody else does');
is(scalar(map { $as->{$_}->search($HELD, 'one', ['objectClass'], '1.1') } qw(sunli anonymous policyd dovecot depit)), 0, 'or knows that it is there');
$root->modify("uid=domsus,ou=it,$A", [replace => 'mail', 'alice@corp.example']);
fresh(postroadHeldSender => ['alice@corp.example'], postroadHeldTarget => ["uid=frank,ou=hr,$A"]);
is(sees('domsus'), 0, 'nor who is suspended, what he sent himself');
is(sees('dep'), 0, 'nor an administrator of somebody else');
fresh(postroadHeldSender => ['hr@corp.example'], postroadHeldTarget => ["cn=couriers,$B"]);
is(sees('dom'), 1, 'who sees what he sent himself under another address');
fresh(postroadHeldSender => ['lina@corp.example']);
is($as->{dom}->modify($e, $given), 0, 'and decides about it if he is above the one it is about');
fresh(postroadHeldSender => ['wangfang@corp.example'], postroadHeldTarget => ["cn=all,$A"]);
is(sees('dep'), 1, 'who sees what he sent himself to a list of others');
fresh(postroadHeldSender => ['wangfang@corp.example'], postroadHeldTarget => [$moderator{dep}]);
is(sees('dep'), 1, 'an administrator sees what he sent himself');
refused('an administrator\'s verdict about it', ['dep'], 'modify', $e, $given);
is($as->{dom}->modify($e, $given), 0, 'which is for who is above him');
$run->stop;
done_testing();
