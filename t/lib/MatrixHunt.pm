# SPDX-License-Identifier: BSD-2-Clause
#
# MatrixHunt: finds what shows that an access rule was changed: a cell of the matrix, an attempt to cheat, a
# row of who reads what, or something about held mail. One slapd stays up; a rule is changed while it
# runs and put back. First comes what showed other changes before, then what few rules but the changed one can
# decide, then all else that touches an entry and an attribute the rule is about, so that most are found within some
# tens of attempts. What was found must be right again once the rule is back, else the hunt dies.
package MatrixHunt;
use strict;
use warnings;
use List::Util qw(shuffle);
use Matrix qw(cells cheats actor_names actor_dn);
use MatrixHeld;
use MatrixRun;
use Trial;

# What found something last, how much of it is tried first.
my $RECENT = 400;

# rules: as they are.
sub new {
    my ($class, $rules) = @_;
    my $self = bless { rules => $rules, recent => [], recent_held => [] }, $class;
    my @cells = cells();
    my @said = @{ MatrixRun->decide(\@cells) };
    my @all = map { +{ kind => 'cell', key => "cell: $cells[$_]{actor}: $cells[$_]{name}", cell => $cells[$_], said => $said[$_] } } 0 .. $#cells;
    $self->{single} = [splice @all, 0, scalar Matrix::single_cells()];
    $self->{cells} = [shuffle @all];
    $self->{cheats} = [map { my ($what, $actor, @op) = @$_; +{ kind => 'cheat', key => "cheat: $actor: $what: $op[1]", cell => { actor => $actor, name => $what, op => \@op } } } cheats()];
    $self->{reads} = [map { +{ kind => 'read', key => "read by: $_->[0]", row => $_ } } MatrixRun::reads()];
    $self->{parts} = [map { +{ kind => 'part', key => "held: $_", part => $_ } } grep { !/^with/ } MatrixHeld::part_names()];
    $self->{by_key} = { map { $_->{key} => $_ } map { @$_ } @$self{qw(cells single cheats reads parts)} };
    $self->begin;
    return $self;
}

# A server with these rules, or as they are, and a fresh tree.
sub begin {
    my ($self, $rules) = @_;
    $self->end;
    $self->{run} = MatrixRun->new($rules // $self->{rules});
    $self->{held} = MatrixHeld->new($self->{run});
}

sub end {
    my ($self) = @_;
    $self->{run}->stop if $self->{run};
    delete @$self{qw(run held)};
}

# --- attempts

sub held_pair {
    my ($self, $right, $target, $actor) = @_;
    my $key = "held: $right: $actor about $target";
    return $self->{by_key}{$key} //= { kind => 'held', key => $key, right => $right, target => $target, actor => $actor };
}

# What each kind of attempt shows, if anything.
my %shows = (
    cell => sub { my ($self, $it) = @_; return $self->{run}->differs(@$it{qw(cell said)}) },
    cheat => sub {
        my ($self, $it) = @_;
        my $code = $self->{run}->try_cell($it->{cell});
        return $code == 50 ? undef : "$it->{cell}{actor}: $it->{cell}{name}: $code";
    },
    read => sub {
        my ($self, $it) = @_;
        my ($what, $want) = @{ $it->{row} };
        my $got = $self->{run}->who_reads($what);
        return $got eq $want ? undef : "$what: $got";
    },
    held => sub { my ($self, $it) = @_; return ($self->{held}->about(@$it{qw(right target actor)}))[0][2] },
    part => sub { my ($self, $it) = @_; $self->{held}->part($it->{part}, sub { $_[0] or die "$_[1]\n" }); return },
);

# A server that ends, or a write that can't be undone, show something, too.
sub shown {
    my ($self, $it) = @_;
    my $text = eval {
        $self->{held}->rights('') if !is_of_held($it);
        $shows{ $it->{kind} }->($self, $it);
    };
    return $text // ($@ ne '' ? "$@" : undef);
}

sub is_of_held { return $_[0]{kind} =~ /^(?:held|part)$/ }

# --- what to try first

# Of one "to": whether an entry is meant, and which attributes: undef when all are.
sub place_of {
    my ($rule) = @_;
    my ($to) = $rule =~ /^access (to .*?)(?: by |$)/;
    my ($style, $dn) = $to =~ / dn\.(\w+)="([^"]*)"/;
    my ($names) = $to =~ / attrs=([^! ]\S*)/;
    my $fits = !defined $dn ? sub { 1 } : $style eq 'regex' ? sub { $_[0] =~ /$dn/i }
        : $style eq 'subtree' ? sub { $_[0] =~ /(?:^|,)\Q$dn\E$/i } : $style eq 'children' ? sub { $_[0] =~ /,\Q$dn\E$/i } : sub { lc $_[0] eq lc $dn };
    return ($fits, $names && { map { lc s/;.*//r => 1 } split /,/, $names });
}

# The entries and attributes whose rules slapd looks at upon a write.
sub touched {
    my ($how, $dn, @rest) = @_;
    my ($rdn, $above) = $dn =~ /^([^,]*),?(.*)$/;
    return ([$Matrix::GATE], ['member']) if $how eq 'gate';
    return ([$dn], ['userPassword']) if $how eq 'password';
    return ([$dn], [map { $_->[1] } @rest]) if $how eq 'modify';
    return ([$dn, $above], ['entry', 'children', keys %{ $rest[0] }]) if $how eq 'add';
    return ([$dn, $above], ['entry', 'children']) if $how eq 'delete';
    my $to = $rest[1] // $above;
    return ([$dn, $above, $to, "$rest[0],$to"], ['entry', 'children', map { /(\w+)=/g } $rdn, $rest[0]]);
}

sub fits {
    my ($rule, @op) = @_;
    my ($place, $names) = place_of($rule);
    my ($dns, $attributes) = touched(@op);
    return (grep { $place->($_) } @$dns) && (!$names || grep { $names->{ lc s/;.*//r } } @$attributes) ? 1 : 0;
}

# A rule as it is and as it becomes; none for what is no rule but decides which of them are looked at.
sub rules_of {
    my ($mutant) = @_;
    return grep { /^access / } @$mutant{qw(rule now)};
}

# Whom a condition can be about.
sub actors_of {
    my ($what) = @_;
    my @levels = $what =~ /\[(system|super|domain|department)\]/g;
    my ($service) = $what =~ /dn\.exact="cn=(\w+),cn=services/;
    my %level = map { $_ => 1 } @levels;
    return { map { $_ => 1 } grep {
        my $dn = actor_dn($_);
        $service ? /^$service\b/ : !@levels || grep { $level{ lc $_ } } Matrix::values_of($dn, 'postroadRole');
    } actor_names() };
}

# The cells it can decide, the most promising ones first: those that fit its "to" before the change or after it but not
# both, or, when it is the same, those of whom a changed condition is about.
sub ranked {
    my ($self, $mutant) = @_;
    my $by = $mutant->{what} =~ /^(?:without )?by /;
    my @rules = rules_of($mutant) or return @{ $self->{cells} };
    my ($who, %rank, @tiers) = (actors_of($by ? $mutant->{what} : ''));
    for my $it (@{ $self->{cells} }) {
        my $cell = $it->{cell};
        my $rank = $rank{ $cell->{name} } //= do {
            my $n = grep { fits($_, @{ $cell->{op} }) } @rules;
            $n == 0 ? 3 : $n == 1 && @rules == 2 ? 0 : 1;
        };
        $rank = 2 if $rank < 2 && !$who->{ $cell->{actor} };
        push @{ $tiers[$rank] }, $it;
    }
    return map { @{ $_ // [] } } @tiers[0 .. 2];
}

sub can_be_held {
    my ($mutant) = @_;
    my @rules = rules_of($mutant);
    return !@rules || grep { my ($place) = place_of($_); $place->(MatrixHeld::place()) || $place->('postroadHeldId=x,' . MatrixHeld::place()) } @rules;
}

# --- the hunt

sub is_held { return $_[0]{rule} =~ /cn=(?:held|moderation),/ }

# (the first attempt of these that shows something, what it shows)
sub first_of {
    my ($self, @all) = @_;
    for (@all) {
        my $text = $self->shown($_);
        return ($_, $text) if defined $text;
    }
    return;
}

# Everybody about one target at once.
sub first_of_held {
    my ($self) = @_;
    my @found = $self->first_of(@{ $self->{recent_held} }, @{ $self->{parts} });
    for my $right (1, 0) {
        for my $target ($self->{held}->targets) {
            return @found if @found;
            my ($one) = grep { $_->[2] } eval { $self->{held}->about($right, $target, MatrixHeld::actors()) };
            @found = ($self->held_pair($right, $target, $one->[1]), $one->[2]) if $one;
        }
    }
    return @found;
}

sub first_of_cells {
    my ($self, $mutant) = @_;
    my @found = $self->first_of(map { @{ $self->{$_} } } qw(recent single cheats reads));
    return @found ? @found : $self->first_of($self->ranked($mutant));
}

sub remember {
    my ($self, $it) = @_;
    my $list = $self->{ is_of_held($it) ? 'recent_held' : 'recent' };
    @$list = ($it, grep { $_ != $it } @$list);
    $#$list = $RECENT - 1 if @$list > $RECENT;
}

sub hunt {
    my ($self, $mutant, @hints) = @_;
    my @found = $self->first_of(map { $self->{by_key}{$_} // () } @hints);
    for my $way (is_held($mutant) ? qw(first_of_held first_of_cells) : ('first_of_cells', can_be_held($mutant) ? 'first_of_held' : ())) {
        @found = $self->$way($mutant) if !@found;
    }
    return @found;
}

# The rule and the tree are as they were; where that can't be, all is made anew.
sub restore {
    my ($self, $mutant) = @_;
    my $is_back = defined $mutant->{access} && eval {
        my @now = $mutant->{now} eq '' ? () : $mutant->{access};
        my ($run, $held) = @$self{qw(run held)};
        my $code = @now ? $run->change_access($mutant->{access}, to_of($mutant->{rule})) : $run->add_access($mutant->{access}, to_of($mutant->{rule}));
        $held->tidy;
        $held->rights('');
        $code == 0 && $run->dump eq $run->{before};
    };
    $self->begin if !$is_back;
}

sub to_of { return $_[0] =~ s/^access //r }

# (key of the attempt, what it shows); nothing when none shows anything. Hints: keys to try first.
sub noticed {
    my ($self, $mutant, @hints) = @_;
    if (defined $mutant->{access}) {
        my $code = $self->{run}->change_access($mutant->{access}, $mutant->{now} eq '' ? () : to_of($mutant->{now}));
        die "slapd does not take $mutant->{now}: $code\n" if $code;
    } else {
        $self->begin($mutant->{text});
    }
    my ($it, $text) = $self->hunt($mutant, @hints);
    $self->restore($mutant);
    return if !$it;
    my $still = $self->shown($it);
    die "$it->{key}: it shows something with the rules as they are, too: $still\n" if defined $still;
    $self->remember($it);
    return ($it->{key}, $text);
}

# What shows something with the rules as they are: nothing should.
sub amiss {
    my ($self) = @_;
    return (map { $self->shown($_) // () } map { @{ $self->{$_} } } qw(single cells cheats reads parts)), map { $_->[2] // () } map {
        my $right = $_;
        map { $self->{held}->about($right, $_, MatrixHeld::actors()) } $self->{held}->targets;
    } 1, 0;
}

1;
