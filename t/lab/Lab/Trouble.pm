# SPDX-License-Identifier: BSD-2-Clause
#
# Lab::Trouble: what can be broken in a lab, how it is put right, and what is broken now.
#
# A trouble concerns one thing ("line", "slapd hebei"); a thing has one trouble at a time. It keeps
# to what an administrator sees and does, and must not decide what is right while it lasts.
package Lab::Trouble;
use strict;
use warnings;

my @ends = qw(hebei shandong);
my %peer = (hebei => '10.77.0.2', shandong => '10.77.0.1');
my @roles = qw(answer policy sync control);

# By name: the thing that suffers, how it begins and how it ends, each called with the lab and a site.
my %trouble = (
    'line cut'       => [ 'line', sub { $_[0]->cut($_[1]) }, sub { $_[0]->heal } ],
    'line one way'   => [ 'line', \&one_way, sub { $_[0]->run($_[1], qw(ip route del blackhole), "$peer{$_[1]}/32") } ],
    'slapd stopped'  => [ 'slapd', sub { $_[0]->daemon('stop', $_[1], 'slapd') }, daemon_starts('slapd') ],
    'slapd killed'   => [ 'slapd', sub { $_[0]->daemon('crash', $_[1], 'slapd') }, daemon_starts('slapd') ],
    'slapd hangs'    => [ 'slapd', sub { slapd_signal('STOP', @_) }, sub { slapd_signal('CONT', @_) } ],
    'policyd killed' => [ 'policyd', \&policyd_killed, daemon_starts('policyd') ],
    'policyd stopped' => [ 'policyd', sub { $_[0]->daemon('stop', $_[1], 'policyd') }, daemon_starts('policyd') ],
    'postfix stopped' => [ 'postfix', sub { $_[0]->daemon('stop', $_[1], 'postfix') }, daemon_starts('postfix') ],
);

sub one_way {
    my ($lab, $site) = @_;
    $lab->run($site, qw(ip route add blackhole), "$peer{$site}/32");
    return;
}

# A role that hangs would outlive its parent: a service manager ends it then, and there is none here.
sub policyd_killed {
    my ($lab, $site) = @_;
    my @hanging = $lab->processes_at($site, qr/^postroad-policyd.* -x /);
    $lab->run($site, 'sh', '-c', "kill -CONT @hanging || true") if @hanging;
    $lab->daemon('crash', $site, 'policyd');
    return;
}

sub daemon_starts {
    my ($name) = @_;
    return sub { $_[0]->daemon('start', $_[1], $name) };
}

sub slapd_signal {
    my ($signal, $lab, $site) = @_;
    my ($pid) = $lab->processes_at($site, qr/^slapd /);
    $lab->run($site, 'kill', "-$signal", $pid);
    return;
}

sub new {
    my ($class, $lab) = @_;
    return bless { lab => $lab, now => {}, stops => [] }, $class;
}

sub names { return sort keys %trouble }
sub sites { return @ends }
sub roles { return @roles }

sub thing {
    my ($name, $site) = @_;
    my $kind = $trouble{$name}[0];
    return $kind eq 'line' ? $kind : "$kind $site";
}

# Whether the thing is well: "line", "slapd hebei".
sub is_well { my ($self, $thing) = @_; return !$self->{now}{$thing} }

# All that is not well.
sub things { my ($self) = @_; my @things = sort keys %{ $self->{now} }; return @things }

# Whether all is there that sites need to agree.
sub can_agree {
    my ($self) = @_;
    return !grep { !/^postfix/ } $self->things;
}

# Begin a trouble; false when its thing has one.
sub begin {
    my ($self, $name, $site) = @_;
    my $thing = thing($name, $site);
    return 0 if !$self->is_well($thing);
    $self->{now}{$thing} = [ $name, $site ];
    $self->postfix_stops($site, sub { $trouble{$name}[1]->($self->{lab}, $site) }) if $name =~ /^postfix/;
    $trouble{$name}[1]->($self->{lab}, $site) if $name !~ /^postfix/;
    return 1;
}

# Postfix ends in the middle of what it does: remember when.
sub postfix_stops {
    my ($self, $site, $do) = @_;
    my $from = Time::HiRes::time();
    $do->();
    push @{ $self->{stops} }, { site => $site, from => $from, to => Time::HiRes::time() };
    return;
}

# Whether Postfix was stopped at some site at that moment, about: it may do then anew what it had just
# done, and not yet written down.
sub stopped_near {
    my ($self, $when) = @_;
    return scalar grep { $when > $_->{from} - 1 && $when < $_->{to} + 1 } @{ $self->{stops} };
}

sub end {
    my ($self, $thing) = @_;
    my ($name, $site) = @{ delete $self->{now}{$thing} };
    $trouble{$name}[2]->($self->{lab}, $site);
    return;
}

# Kill one process of policyd that plays this role, if there is one, or stop it, so that it seems to hang.
sub role_signal {
    my ($self, $signal, $site, $role) = @_;
    my ($pid) = $self->{lab}->processes_at($site, qr/^postroad-policyd.* -x $role/) or return;
    $self->{lab}->run($site, 'sh', '-c', "kill -$signal $pid || true");
    return;
}

1;
