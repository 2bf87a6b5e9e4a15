#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Whether t/matrix.t would notice: each clause of the access rules is taken out or changed, one at
# a time (t/lib/RuleMutants.pm); at least one cell, one attempt to cheat, or one row of who reads what must come out otherwise.
# By default a few of them, as many as fit into half a minute, the same each time; POSTROAD_SEED draws
# others. `make mutants` tries all, which takes half an hour. POSTROAD_MUTANTS=100-149 tries these, in the
# order of the rules; with commas between them single ones, by number or by name: the name is made from
# the rule and what is done to it, and stays when other rules change; /TEXT those of rules that hold this text. t/rights-mutants.t does the same
# to rights_decide().
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use List::Util qw(shuffle);
use Matrix qw(cells);
use MatrixRun;
use RuleMutants qw(rules_of mutants_of);
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
    [qr/^to dn\.exact="cn=edit,\S+" for /, 'auth lets nobody read or write'],
    [qr/^to dn\.subtree="cn=edit,/, 'nothing stands below it, and nobody but a system administrator can put something there'],
    [qr/^to dn\.subtree="cn=held,\S+ attrs=children for /, 'the rules behind it say the same of what stands below'],
    [qr/^to dn\.subtree="cn=held,\S+ for .* by set="\(user/, 'the rules before and behind it say the same of where held mail is'],
    [qr/^to dn\.subtree="cn=held,\S+ attrs=entry,.* by \* read$/, 'its own rules end for each entry below'],
    [qr/^to dn\.subtree="cn=held,\S+ attrs=postroadHeld/, 'where held mail is holds no verdict'],
    [qr/^by \* write for by \* \+a \| \S+ \S+ \S+ attrs=postroadHeldVerdict filter=/, 'there is no verdict then that could be read, replaced or taken away'],
    [qr/^by set="\(this.* \[forward\]" break for /, 'others go on as well'],
    [qr/^by anonymous set=.* break for by anonymous/, 'the last rule of 3 gives anonymous nothing either'],
    [qr/^by group\S+ set="\(this\S* & \[password\]" break for /, 'who is in the gate goes on as well'],
    [qr/^by self set="\(this\S* & \[password\]" none for /, 'who binds is anonymous while he does, so for himself auth is of no use'],
    [qr/^by \* break for by \* none \| access to .* by (?:users|self) read by \* none$/, 'anonymous, or nobody, is left, whom the last rule of 3 stops'],
    [qr/^by \* break for by \* none \| access to dn\.subtree="\S+" attrs=userPassword by anonymous /, 'the rules of 3 give nobody a password'],
    [qr/^by \* break for by \* none \| access to \S+ attrs=userPassword filter=/, 'the next rule gives nobody a password'],
    [qr/^to dn\.subtree=\S+ (?:attrs=\S+ )?filter=\(&\(objectClass=postroadAccount\)\(!\(postroadRole=\*\)\)\)/, 'what domains stand in is no account'],
    [qr/^to dn\.subtree="\S+" attrs=postroadRole,postroadScope,postroadRight for .* by users read by \* none$/, 'what domains stand in is no account, and has none'],
    [qr/^to dn\.subtree=.* \| access to dn\.children\S+ attrs=\S+(?: val\S+)? by users read by \* none$/, 'there nobody writes, and 17 lets all read these'],
    [qr/^to dn\.subtree=\S+ attrs=(?:mail|postroadAlias) filter=\S+\(postroadRole=domain\)/, 'above what domains stand in is no domain'],
    [qr/^to \S+ attrs=objectClass filter=\(!\(\|\(postroadRole=system\)\(postroadRole=super\)\(objectClass=postroadSite\)\(objectClass=postroadServer\)\)\) for /,
        'other values 16 lets him write'],
    [qr/^to \S+ attrs=entry,objectClass,cn,(?!\S*,mail,postroadAlias,\S*,associatedDomain,).* \| access to \S+ attrs=\S+ by users read by \* none$/,
        'the last rules of 10 and 11 let everybody read these'],
    [qr/^by \* break for by \* none \| access to \S+ attrs=children /, '16 lets nobody else write'],
    [qr/^to dn\.subtree="cn=admins,/, 'nothing stands below the gate, and nobody but a system administrator can put something there'],
    [qr/^(?:without the rule|to \S+ attrs=\w+ for .*) \| access to \S+ attrs=mail,postroadAlias by users read by \* none$/,
        'saves time: who passed 10 fits no set of 16, which has the same ones, and those of 17 let all read addresses'],
);

my @rules = rules_of(slurp("$top/ldap-schema/postroad-access.conf"));
my $same = 0;
my @mutants; # [what is done, which one, rule, text of all rules, name]
for my $i (0 .. $#rules) {
    for (mutants_of($rules[$i])) {
        my ($what, $mutant) = @$_;
        if (grep { "$what | $rules[$i]" =~ $_->[0] } @same) {
            $same++;
            next;
        }
        my $name = 'm' . substr md5_hex("$rules[$i]\n$what"), 0, 6;
        push @mutants, [$what, "rule $i", $rules[$i], join('', map { "$_\n" } grep { $_ ne '' } @rules[0 .. $i - 1], $mutant, @rules[$i + 1 .. $#rules]), $name];
    }
}
$mutants[$_][1] = "mutant $_ $mutants[$_][4], $mutants[$_][1]" for 0 .. $#mutants;
my $all = @mutants;

# Held mail has a test of its own, which takes too long to try it by default.
sub is_held { return $_[0][2] =~ /cn=(?:held|moderation),/ }

# Those of POSTROAD_MUTANTS.
sub wanted {
    my ($one) = @_;
    return grep { $_->[4] eq $one } @mutants if $one =~ /^m/;
    return grep { index($_->[2], $') >= 0 } @mutants if $one =~ m{^/};
    my ($from, $to) = $one =~ /^(\d+)(?:-(\d+))?$/ or BAIL_OUT("POSTROAD_MUTANTS: $one?");
    return @mutants[grep { $_ < $all } $from .. $to // $from];
}
@mutants = @wanted ? map { wanted($_) } @wanted : $ENV{POSTROAD_SOAK} ? @mutants : (shuffle grep { !is_held($_) } @mutants)[0 .. $FEW - 1];
# What showed one mutant comes first for the next, which is often like it; so these come before all else.
my $SOME = 500;
my @cells = shuffle cells();
my @said = @{ MatrixRun->decide(\@cells) };

sub first_wrong_cell {
    my ($run, $from, $to) = @_;
    for my $i ($from .. $to) {
        my $seen = eval { $run->differs($cells[$i], $said[$i]) } // $@;
        next unless $seen;
        unshift @$_, splice @$_, $i, 1 for \@cells, \@said;
        return $seen;
    }
    return;
}

sub first_cheat {
    my ($run) = @_;
    for (Matrix::cheats()) {
        my ($what, $actor, @op) = @$_;
        return "cheat: $what" if (eval { $run->try_cell({ actor => $actor, name => $what, op => \@op }) } // 0) != 50;
    }
    return;
}

sub first_reader {
    my ($run) = @_;
    for (MatrixRun::reads()) {
        my ($what, $want) = @$_;
        return "read by: $what" if $run->who_reads($what) ne $want;
    }
    return;
}

sub first_of_held {
    my ($rules) = @_;
    spew("$dir/rules", $rules);
    local $ENV{POSTROAD_RULES} = "$dir/rules";
    my ($rc, $out) = run('', $^X, "$top/t/held-acl.t");
    return $out =~ /^not ok \d+ - (.*)/m ? "held-acl.t: $1" : $rc ? "held-acl.t ends: $rc" : undef;
}

# By what.
sub noticed {
    my ($rules, $is_held) = @_;
    my $held = $is_held && first_of_held($rules);
    return $held if $held;
    my $run = eval { MatrixRun->new($rules) } or return "no start: $@";
    my $seen = first_wrong_cell($run, 0, $SOME - 1) // first_cheat($run) // first_reader($run) // first_wrong_cell($run, $SOME, $#cells);
    $run->stop;
    return $seen;
}

my $end = time + $SECONDS;
my $tried = 0;
for (@mutants) {
    last if $tried > 1 && time > $end;
    my ($what, $where, $rule, $text) = @$_;
    $tried++;
    my $seen = noticed($text, is_held($_));
    ok($seen, "$where: $what") or diag("  $rule");
    note("  $seen") if $seen;
}
note("$tried of $all mutants of rules were tried; nothing can be seen of $same more");

done_testing();
