# SPDX-License-Identifier: BSD-2-Clause
#
# MatrixHeld: who reads and decides about held mail, tried at the slapd of a MatrixRun: everybody of the
# matrix tries to give a verdict about a message of everybody, and each answer must be the one of
# rights_decide() about approving; then attempts to cheat, what the service that publishes held mail may,
# and who reads what. Each part says ->(holds or not, what, more) of all it finds, and begins with the tree as it
# was. t/held-acl.t reports it; t/matrix-mutants.t stops at the first that doesn't hold, and takes what is left to tidy().
package MatrixHeld;
use strict;
use warnings;
use LdapWire;
use Matrix;
use Trial;

my ($O, $D, $A, $B) = ($Matrix::O, $Matrix::D, $Matrix::A, $Matrix::B);
my $HELD = "cn=held,$O";
my $alice = "uid=alice,ou=sales,$A";

# Right approve at every level, and people who have it in places the matrix doesn't need.
my %moderator = (sys => "uid=zhangwei,ou=it,$A", sup => "uid=liuyang,ou=it,$A", dom => "uid=lina,ou=hr,$A",
    dep => "uid=wangfang,ou=sales,$A", domb => "uid=zhoujie,ou=jinan,$B",
    map { $_ => Matrix::actor_dn($_) } qw(sup2 supa dom2 domab dep2 depn depit depx depa domsus syssus domlea domung sysung odd odd1 odd2 odd3 odd4 wang));

sub entry {
    my ($id, $target, %more) = @_;
    return ("postroadHeldId=$id,$HELD", { objectClass => ['postroadHeld'], postroadHeldId => [$id], postroadHeldSite => ['hebei'],
        postroadHeldTarget => [$target], postroadHeldRule => ['hr-out'], postroadHeldSender => ['x@outside.example'],
        postroadHeldRecipient => ['bob@corp.example'], postroadHeldCount => [1], postroadHeldSize => [1000], postroadHeldSubject => ["\xe4\xbd\xa0"],
        postroadHeldTime => ['20261122120000Z'], postroadHeldExpires => ['20261127120000Z'], postroadHeldState => ['held'], %more });
}

sub new {
    my ($class, $run) = @_;
    my $self = bless { run => $run, root => $run->{root}, as => { %{ $run->{as} } }, right => '' }, $class;
    $self->{as}{moderation} = LdapWire->new($run->{socket}, "cn=moderation,cn=services,$O", 'sample-moderation');
    $self->{targets} = [(map { $_->[0] } grep { $_->[0] !~ /^cn=(?:admins|here|mx)/ } $self->{root}->search($O, 'sub', ['objectClass'], '1.1')),
        "uid=nobody,ou=sales,$A"];
    return $self;
}

# --- everybody about everybody's, with the right and without

my $given = [add => 'postroadHeldVerdict', 'approve'];
my @actors = Matrix::actor_names();

# From here on the moderators have the right, or nobody has one; '': whoever has one in the sample tree.
sub rights {
    my ($self, $right) = @_;
    return if $self->{right} eq $right;
    my $root = $self->{root};
    $root->modify($_->[0], ['delete', 'postroadRight']) for $root->search($O, 'sub', ['postroadRight'], '1.1');
    $root->modify($_, [add => 'postroadRight', 'approve']) for $right eq '1' ? values %moderator : ();
    if ($right eq '') {
        my %had = map { my @had = Matrix::values_of($_, 'postroadRight'); @had ? ($_ => \@had) : () } Matrix::all_dns();
        $root->modify($_, [add => 'postroadRight', @{ $had{$_} }]) for keys %had;
    }
    $self->{right} = $right;
}

# What rights_decide() says to all of it: {target}{actor} -> [allowed, how it reads].
sub decided {
    my ($self, $right) = @_;
    return $self->{said}[$right] //= do {
        my (@lines, %said);
        for my $target (@{ $self->{targets} }) {
            for my $actor (@actors) {
                my $facts = Matrix::actor_fields($actor);
                $facts =~ s/\tactor\.right=[^\t]*//g;
                $facts .= "\tactor.right=approve" if $right && $moderator{$actor};
                push @lines, join "\t", $facts, Matrix::target_fields($target), "action=approve\n";
            }
        }
        my ($rc, $out) = run(join('', @lines), "$top/t/tools/rights_cells");
        die "rights_cells: $out" if $rc;
        my @answers = split /\n/, $out;
        for my $target (@{ $self->{targets} }) {
            for my $actor (@actors) {
                my ($verdict, $rule, $why) = split /\t/, shift @answers;
                $said{$target}{$actor} = [$verdict eq 'allowed' ? 1 : 0, "$verdict, rule $rule, $why"];
            }
        }
        \%said;
    };
}

# What these see of a message about the target, and may say of it: [what they do, what differs then, if anything].
sub about {
    my ($self, $right, $target, @actors) = @_;
    my ($root, $as, $said) = (@$self{qw(root as)}, $self->decided($right)->{$target});
    my ($dn, $attributes) = entry('cell', $target);
    my @all;
    $self->rights($right);
    $root->add($dn, $attributes);
    for my $actor (@actors) {
        my ($want, $decision) = @{ $said->{$actor} };
        my $code = $as->{$actor}->modify($dn, $given, [add => 'postroadHeldReason', 'because']);
        $root->modify($dn, ['delete', 'postroadHeldVerdict'], ['delete', 'postroadHeldReason']) if $code == 0;
        my $sees = grep { $_->[1]{postroadheldsubject} } $as->{$actor}->search($HELD, 'one', ['objectClass'], 'postroadHeldSubject');
        my $reads = $want || $actor eq 'replicator' ? 1 : 0;
        my $differs = ($code == 0 ? 1 : 0) != $want || $sees != $reads;
        push @all, [$code == 0, $actor, $differs ? "$actor about $target: verdict $code, reads $sees; rights_decide: $decision" : undef];
    }
    $root->delete($dn);
    return @all;
}

sub place   { return $HELD }
sub targets { return @{ $_[0]{targets} } }
sub actors  { return @actors }

sub cells {
    my ($self, $say, $right) = @_;
    my @all = map { $self->about($right, $_, @actors) } $self->targets;
    my @bad = map { $_->[2] // () } @all;
    my $allowed = grep { $_->[0] } @all;
    $say->(@all > 1500, @all . ' cells ' . ($right ? 'with' : 'without') . ' the right were tried');
    $say->($right ? $allowed > 100 : $allowed == 0, "$allowed verdicts were taken");
    $say->(!@bad, 'slapd and rights_decide() agree about each', join '', map { "  $_\n" } @bad > 30 ? (@bad[0 .. 29], '...') : @bad);
}

# --- cheating: all of it by people who may decide about alice's mail, and some who may not

my ($e) = entry('e', $alice);
my $reject = [add => 'postroadHeldVerdict', 'reject'];
my @deciders = qw(sys sup supa dom dep);

sub fresh {
    my ($self, %more) = @_;
    my (undef, $attributes) = entry('e', $alice, %more);
    $self->{root}->delete($e);
    $self->{root}->add($e, $attributes);
}

sub is {
    my ($self, $got, $want, $what) = @_;
    $self->{say}->($got eq $want, $what, "is '$got', and should be '$want'");
}

# Everyone of these gets 50 for it.
sub refused {
    my ($self, $what, $who, @op) = @_;
    my @got = grep { !/ 50$/ } map { "$_ " . Matrix::perform($self->{as}{$_}, [@op]) } @$who;
    $self->is("@got", '', "refused: $what");
}

sub cheat_before {
    my ($self) = @_;
    my ($root, $as) = @$self{qw(root as)};
    $self->fresh();
    $self->refused('a word that is no verdict', \@deciders, 'modify', $e, [add => 'postroadHeldVerdict', $_]) for 'maybe', 'approved', 'disapprove', 'approve x', '';
    $self->refused('a verdict in place of none', \@deciders, 'modify', $e, [replace => 'postroadHeldVerdict', 'approve']);
    $self->refused('a verdict among other changes', \@deciders, 'modify', $e, $given, [replace => 'postroadHeldState', 'approved']);
    for ([postroadHeldTarget => "uid=frank,ou=hr,$A"], [postroadHeldSender => 'alice@corp.example'], [postroadHeldState => 'approved'], [postroadHeldSite => 'shandong'],
        [postroadHeldBy => $moderator{sys}], [postroadHeldExpires => '20260101000000Z'], [postroadHeldSubject => 'x'], [postroadHeldRecipient => 'x@corp.example']) {
        my ($name, $value) = @$_;
        $self->refused("another $name", [@deciders, qw(alice domsus)], 'modify', $e, [replace => $name, $value]);
        $self->refused("one more $name", [@deciders, qw(alice domsus)], 'modify', $e, [add => $name, $value]);
    }
    $self->refused('an entry nobody published', [@deciders, qw(alice policyd dovecot)], 'add', (entry('new', $alice))[0, 1]);
    $self->refused('something below an entry', [@deciders, 'alice'], 'add', "cn=x,$e", { objectClass => ['organizationalRole'], cn => ['x'] });
    $self->refused('the entry gone', [@deciders, qw(alice policyd dovecot)], 'delete', $e);
    $self->refused('another name', [@deciders, 'alice'], 'rename', $e, 'postroadHeldId=x');
    $self->refused('another place', \@deciders, 'rename', $e, 'postroadHeldId=e', "ou=sales,$A");
    $root->add("postroadHeldId=own,ou=sales,$A", (entry('own', $alice))[1]);
    $self->refused('an entry of one\'s own moved there', \@deciders, 'rename', "postroadHeldId=own,ou=sales,$A", 'postroadHeldId=own', $HELD);
    $root->delete("postroadHeldId=own,ou=sales,$A");
    $self->refused('an account moved there', \@deciders, 'rename', $alice, 'uid=alice', $HELD);
    $self->refused('the container gone', [qw(sup dom dep alice moderation)], 'delete', $HELD);
    $self->refused('another class for the container', [qw(sup dom dep alice moderation)], 'modify', $HELD, [add => 'objectClass', 'extensibleObject']);
}

sub cheat_after {
    my ($self) = @_;
    my $as = $self->{as};
    $self->fresh();
    $self->is($as->{dep}->modify($e, [add => 'postroadHeldVerdict', 'REJECT'], [add => 'postroadHeldReason', "\xe4\xb8\x8d"]), 0, 'in other letters it is the same word');
    $self->refused('another verdict', \@deciders, 'modify', $e, [replace => 'postroadHeldVerdict', 'approve']);
    $self->refused('the same one again, in other letters', \@deciders, 'modify', $e, $reject);
    $self->refused('a second one', \@deciders, 'modify', $e, $given);
    $self->refused('a second one under a language', \@deciders, 'modify', $e, [add => 'postroadHeldVerdict;lang-zh', 'approve']);
    $self->refused('one in place of the other', \@deciders, 'modify', $e, [delete => 'postroadHeldVerdict', 'REJECT'], $given);
    $self->refused('no verdict', \@deciders, 'modify', $e, [delete => 'postroadHeldVerdict']);
    $self->refused('this verdict away', \@deciders, 'modify', $e, [delete => 'postroadHeldVerdict', 'reject']);
    $self->refused('another reason', \@deciders, 'modify', $e, [replace => 'postroadHeldReason', 'x']);
    $self->refused('a reason under a language', \@deciders, 'modify', $e, [add => 'postroadHeldReason;lang-zh', 'x']);
    $self->refused('no reason', \@deciders, 'modify', $e, [delete => 'postroadHeldReason']);
    $self->fresh();
    $self->refused('two at once, one under a language', \@deciders, 'modify', $e, $given, [add => 'postroadHeldVerdict;lang-zh', 'reject']);
    $self->refused('one under a language', \@deciders, 'modify', $e, [add => 'postroadHeldVerdict;lang-zh', 'reject']);
    $self->refused('a reason under a language, before any', \@deciders, 'modify', $e, [add => 'postroadHeldReason;lang-zh', 'x']);
    $self->fresh();
    $self->is($as->{dom}->modify($e, [add => 'postroadHeldReason', 'x']), 0, 'a reason comes before the verdict');
    $self->refused('to change it', \@deciders, 'modify', $e, $_) for [replace => 'postroadHeldReason', 'y'], ['delete', 'postroadHeldReason'], [delete => 'postroadHeldReason', 'x'];
    $self->fresh();
    $self->is($as->{dom}->modify($e, $given), 0, 'a verdict needs no reason');
    $self->refused('a reason for it, later', \@deciders, 'modify', $e, [add => 'postroadHeldReason', 'x']);
}

sub cheat_over {
    my ($self) = @_;
    my ($root, $as) = @$self{qw(root as)};
    $self->fresh(postroadHeldState => ['expired']);
    $self->refused('a verdict when all is over', \@deciders, 'modify', $e, $given);
    $self->refused('a reason when all is over', \@deciders, 'modify', $e, [add => 'postroadHeldReason', 'x']);
    $root->delete($e);
    $self->is($as->{sys}->delete($HELD), 0, 'a system administrator takes the container away');
    $self->is($as->{sys}->add($HELD, Matrix::attributes_of($HELD)), 0, 'and makes it');
}

# Somebody else's credential: policyd's role edit acts for administrators, but not here.
sub cheat_as_edit {
    my ($self) = @_;
    $self->fresh();
    my ($rc, $out) = run("dn: $e\nchangetype: modify\nadd: postroadHeldVerdict\npostroadHeldVerdict: approve\n", 'ldapmodify', '-x', '-H', $self->{run}{socket} =~ s{/}{%2F}gr =~ s{^}{ldapi://}r,
        '-D', "cn=edit,cn=services,$O", '-w', 'sample-edit', '-e', "!authzid=dn:$moderator{dep}");
    $self->{say}->($rc != 0, 'no verdict through cn=edit', $out);
}

# The same class somewhere else is nothing to decide about.
sub elsewhere {
    my ($self) = @_;
    my ($root, $as) = @$self{qw(root as)};
    my $own = "postroadHeldId=own,ou=sales,$A";
    $root->add($own, (entry('own', $alice))[1]);
    $self->refused('a verdict about what is held elsewhere', [qw(alice dep moderation)], 'modify', $own, $given);
    $self->refused('a reason for it', [qw(alice dep moderation)], 'modify', $own, [add => 'postroadHeldReason', 'x']);
    $root->modify($own, $given, [add => 'postroadHeldReason', 'x']);
    $self->refused('to take it away', [qw(alice dep moderation)], 'modify', $own, ['delete', 'postroadHeldVerdict'], ['delete', 'postroadHeldReason']);
    $self->is($as->{sys}->modify($own, [add => 'postroadHeldVerdict;lang-zh', 'reject']), 0, 'a system administrator may write there what he likes');
    $root->delete($own);
}

# --- the service

sub service {
    my ($self) = @_;
    my $as = $self->{as};
    my $service = $as->{moderation};
    my ($f, $attributes) = entry('f', $alice);
    $self->is($service->add($f, { %$attributes, postroadHeldVerdict => ['approve'] }), 50, 'the service publishes no verdict');
    $self->is($service->add($f, $attributes), 0, 'but a message');
    $self->is($service->modify($f, $given), 50, 'it gives no verdict');
    $self->is($service->modify($f, [add => 'postroadHeldReason', 'x']), 50, 'and no reason');
    $self->is($as->{dom}->modify($f, $given, [add => 'postroadHeldReason', 'x']), 0, 'a moderator does');
    my ($seen) = $service->search($HELD, 'one', ['postroadHeldVerdict'], 'postroadHeldVerdict', 'modifiersName');
    $self->is(join(' ', map { "@{ $_ // [] }" } @{ $seen ? $seen->[1] : {} }{qw(postroadheldverdict modifiersname)}), "approve $moderator{dom}", 'the service sees what was said, and by whom');
    $self->is($service->modify($f, [replace => 'postroadHeldVerdict', 'reject']), 50, 'it can\'t put another in its place');
    $self->is($service->modify($f, ['delete', 'postroadHeldVerdict'], ['delete', 'postroadHeldReason']), 0, 'but takes it away');
    $self->is($service->modify($f, [replace => 'postroadHeldState', 'approved'], [add => 'postroadHeldBy', $moderator{dom}]), 0, 'it says what was done');
    $self->is($service->delete($f), 0, 'and takes the entry away');
    $self->is($service->modify($alice, [replace => 'postroadQuota', 1]), 50, 'it changes nothing else');
    $self->is(scalar(() = grep { $_->[0] !~ /\Q$HELD\E$/ } map { $service->search($_, 'sub', ['objectClass'], '1.1') } $O, $D, "cn=services,$O"), 0, 'and reads nothing else');
}

# --- who reads what he sent himself

sub sees {
    my ($self, $who) = @_;
    return scalar grep { $_->[1]{postroadheldsubject} } $self->{as}{$who}->search($HELD, 'sub', ['objectClass'], 'postroadHeldSubject');
}

sub senders {
    my ($self) = @_;
    my ($root, $as) = @$self{qw(root as)};
    $root->modify($alice, [add => 'postroadAlias', "\xe9\x98\xbf\xe4\xb8\xbd\@corp.example"]);
    for (['alice@corp.example', 1], ['Alice@Corp.Example', 1], ["\xe9\x98\xbf\xe4\xb8\xbd\@CORP.example", 1], ['alice@corp.examples', 0], ['alice', 0]) {
        $self->fresh(postroadHeldSender => [$_->[0]]);
        $self->is($self->sees('alice'), $_->[1], "alice sees what $_->[0] sent: $_->[1]");
        $self->refused('a verdict about one\'s own', ['alice'], 'modify', $e, $given);
    }
    $self->is($self->sees('sunli') + $self->sees('anonymous') + $self->sees('policyd') + $self->sees('dovecot') + $self->sees('depit'), 0, 'nobody else does');
    $self->is(scalar(map { $as->{$_}->search($HELD, 'one', ['objectClass'], '1.1') } qw(sunli anonymous policyd dovecot depit)), 0, 'or knows that it is there');
    $root->modify("uid=domsus,ou=it,$A", [replace => 'mail', 'alice@corp.example']);
    $self->fresh(postroadHeldSender => ['alice@corp.example'], postroadHeldTarget => ["uid=frank,ou=hr,$A"]);
    $self->is($self->sees('domsus'), 0, 'nor who is suspended, what he sent himself');
    $self->is($self->sees('dep'), 0, 'nor an administrator of somebody else');
    $self->fresh(postroadHeldSender => ['hr@corp.example'], postroadHeldTarget => ["cn=couriers,$B"]);
    $self->is($self->sees('dom'), 1, 'who sees what he sent himself under another address');
    $self->fresh(postroadHeldSender => ['lina@corp.example']);
    $self->is($as->{dom}->modify($e, $given), 0, 'and decides about it if he is above the one it is about');
    $self->fresh(postroadHeldSender => ['wangfang@corp.example'], postroadHeldTarget => ["cn=all,$A"]);
    $self->is($self->sees('dep'), 1, 'who sees what he sent himself to a list of others');
    $self->fresh(postroadHeldSender => ['wangfang@corp.example'], postroadHeldTarget => [$moderator{dep}]);
    $self->is($self->sees('dep'), 1, 'an administrator sees what he sent himself');
    $self->refused('an administrator\'s verdict about it', ['dep'], 'modify', $e, $given);
    $self->is($as->{dom}->modify($e, $given), 0, 'which is for who is above him');
}

# --- all

my @parts = ([without => sub { $_[0]->cells($_[1], 0) }], [with => sub { $_[0]->cells($_[1], 1) }],
    map { my $part = $_; [$part => sub { $_[0]->rights(1); $_[0]->$part }] } qw(cheat_before cheat_after cheat_over cheat_as_edit elsewhere service senders));

sub part_names { return map { $_->[0] } @parts }

sub part {
    my ($self, $name, $say) = @_;
    local $self->{say} = $say;
    $_->[1]->($self, $say) for grep { $_->[0] eq $name } @parts;
    $self->tidy;
}

# What any of them may have left.
sub tidy {
    my ($self) = @_;
    my $root = $self->{root};
    $root->delete($_->[0]) for grep { $_->[0] ne $HELD } reverse $root->search($HELD, 'sub', ['objectClass'], '1.1');
    $root->delete("postroadHeldId=own,ou=sales,$A");
    for my $dn ($alice, "uid=domsus,ou=it,$A") {
        $root->modify($dn, map { [replace => $_, Matrix::values_of($dn, $_)] } qw(mail postroadAlias));
    }
}

1;
