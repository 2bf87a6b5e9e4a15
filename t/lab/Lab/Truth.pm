# SPDX-License-Identifier: BSD-2-Clause
#
# Lab::Truth: who had which address, and where his mail belonged, at which moment; for t/random.t,
# which makes all changes itself and tells each one here, with the moments before and after it.
#
# It says what may be said for certain, and leaves open what nobody can know: while a change is being
# made, and until it was seen that the sites agree about it, the old and the new are both right.
# Times are seconds, given by the caller. Must not: ask anybody, or know what a program answered.
package Lab::Truth;
use strict;
use warnings;

# A state is {addresses => [...], homes => [sites], moving => 0 or 1}; who has no address receives
# nothing, who has two homes may get each message at either. A site is {standby => site, failed_over
# => 0 or 1}.
sub new {
    my ($class) = @_;
    return bless { history => {}, owner => {}, agreed => [] }, $class;
}

# From a moment between these two on, it is so.
sub change {
    my ($self, $name, $begun, $done, %state) = @_;
    push @{ $self->{history}{$name} }, { begun => $begun, done => $done, state => \%state };
    $self->{owner}{$_} = $name for @{ $state{addresses} // [] };
    return;
}

# An address that is to be his, and nobody else's.
sub reserve {
    my ($self, $name, $address) = @_;
    $self->{owner}{$address} = $name;
    return;
}

# By now it is so, and nobody can say since when: since the last change, or never was it otherwise.
sub amend {
    my ($self, $name, $now, %state) = @_;
    my $last = $self->{history}{$name}[-1];
    return $self->change($name, $last->{begun}, $now, %state);
}

# All that was done before the first moment was known at all sites at the second one.
sub agreed {
    my ($self, $when, $known) = @_;
    push @{ $self->{agreed} }, { when => $when, known => $known };
    return;
}

# The moment up to which a site knew all, then.
sub agreed_before {
    my ($self, $then) = @_;
    my ($last) = grep { $_->{known} <= $then } reverse @{ $self->{agreed} };
    return $last ? $last->{when} : 0;
}

# Whether all sites know its last change.
sub is_agreed {
    my ($self, $name) = @_;
    return @{ $self->{agreed} } && $self->{history}{$name}[-1]{done} < $self->{agreed}[-1]{when};
}

sub names { my ($self) = @_; return sort keys %{ $self->{history} } }

sub now { my ($self, $name) = @_; return $self->{history}{$name}[-1]{state} }

# Whose address it is, or was; an extension does not count. undef: nobody's ever.
sub owner {
    my ($self, $address) = @_;
    return $self->{owner}{ lc($address) =~ s/\+[^@]*//r };
}

# The states that were in force, maybe, at some moment of this time.
sub in_force {
    my ($self, $name, $from, $to) = @_;
    my @history = @{ $self->{history}{$name} };
    my @in;
    for my $i (0 .. $#history) {
        push @in, $history[$i]{state}
          if $history[$i]{begun} <= $to && ($i == $#history || $history[ $i + 1 ]{done} >= $from);
    }
    return @in;
}

# The states some site may have held for the newest at some moment of this time.
sub seen {
    my ($self, $name, $from, $to) = @_;
    return $self->in_force($name, $self->agreed_before($from), $to);
}

sub has {
    my ($state, $address) = @_;
    return grep { $_ eq $address } @{ $state->{addresses} };
}

# Whether there was somebody with that address all the time, by the newest word.
sub surely_received {
    my ($self, $address, $from, $to) = @_;
    my $plain = lc($address) =~ s/\+[^@]*//r;
    my $name = $self->{owner}{$plain} // return 0;
    return !grep { !has($_, $plain) } $self->in_force($name, $from, $to);
}

# Whether some site may have thought so at some moment.
sub maybe_received {
    my ($self, $address, $from, $to) = @_;
    my $plain = lc($address) =~ s/\+[^@]*//r;
    my $name = $self->{owner}{$plain} // return 0;
    return scalar grep { has($_, $plain) } $self->seen($name, $from, $to);
}

# Whether no site could miss him at any moment.
sub surely_there {
    my ($self, $name, $from, $to) = @_;
    return !grep { !@{ $_->{addresses} } } $self->seen($name, $from, $to);
}

sub is_there { my ($self, $name) = @_; return scalar @{ $self->now($name)->{addresses} } }

# The sites in whose view somebody's mail belonged to them at some moment.
sub places {
    my ($self, $name, $from, $to) = @_;
    my %place;
    for my $state (grep { @{ $_->{addresses} } && !$_->{moving} } $self->seen($name, $from, $to)) {
        for my $home (@{ $state->{homes} }) {
            $place{ $_->{failed_over} ? $_->{standby} : $home } = 1 for $self->seen($home, $from, $to);
        }
    }
    return sort keys %place;
}

# How often his mail was to go elsewhere, at most, in the view of some site or other.
sub relocations {
    my ($self, $name, $from, $to) = @_;
    my @seen = $self->seen($name, $from, $to);
    my %home = map { $_ => 1 } map { @{ $_->{homes} // [] } } @seen;
    my $n = @seen - 1;
    $n += $self->seen($_, $from, $to) - 1 for keys %home;
    return $n;
}

# His story, in words.
sub story {
    my ($self, $name, $epoch) = @_;
    my $text = '';
    for my $entry (@{ $self->{history}{$name} // [] }) {
        my $state = $entry->{state};
        my $is = join ', ', map { ref $state->{$_} ? "$_: @{ $state->{$_} }" : "$_: $state->{$_}" } sort keys %$state;
        $text .= sprintf "  %s from %.2f-%.2f on %s\n", $name, $entry->{begun} - $epoch, $entry->{done} - $epoch, $is;
    }
    return $text;
}

1;
