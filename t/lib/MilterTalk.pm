# SPDX-License-Identifier: BSD-2-Clause
#
# MilterTalk: Postfix's part of the milter protocol (version 6), spoken by hand: whole messages, and what
# becomes of them. For tests of postroad-milter that need no Postfix. Core Perl only.
package MilterTalk;
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM AF_INET6 inet_pton);
use Time::HiRes qw(time);

my $WAIT_S = 20;

sub packet { my ($command, $data) = @_; return pack('N', 1 + length $data) . $command . $data }

# The next packet; undef: there is none.
sub next_packet {
    my ($self) = @_;
    my $end = time + $WAIT_S;
    while (time < $end) {
        if (length $self->{got} >= 4 && length $self->{got} >= 4 + unpack 'N', $self->{got}) {
            my $n = unpack 'N', $self->{got};
            my $packet = substr $self->{got}, 4, $n;
            substr($self->{got}, 0, 4 + $n) = '';
            return $packet;
        }
        next unless IO::Select->new($self->{socket})->can_read(0.2);
        sysread($self->{socket}, $self->{got}, 65536, length $self->{got}) or return undef;
    }
    return undef;
}

sub say { my ($self, @packets) = @_; print { $self->{socket} } @packets; $self->{socket}->flush; return }

# A connection of Postfix's for the client of that address.
sub new {
    my ($class, $path, $client) = @_;
    my $self = bless { got => '', socket => IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) }, $class;
    $self->{socket} or return undef;
    $self->say(packet('O', pack 'NNN', 6, 0x1ff, 0x1fffff));
    ($self->next_packet // '') =~ /^O/ or return undef;
    my $family = $client =~ /:/ ? '6' : '4';
    $self->say(packet('D', "C{daemon_name}\0mx\0"), packet('C', "client\0$family" . pack('n', 25) . ($family eq '6' ? "IPv6:$client" : $client) . "\0"));
    return $self;
}

# What becomes of a message: {final} the letter of the answer, {reply} its text, {held} why, {added} headers by name in
# lower case. login => '' none; header => [[name, value], ...]; queue: its id.
sub message {
    my ($self, %m) = @_;
    $self->say($m{login} ? packet('D', "M{auth_authen}\0$m{login}\0") : packet('D', 'M'),
        packet('M', "<$m{from}>\0"), (map { packet('R', "<$_>\0") } @{ $m{to} }),
        (map { packet('L', "$_->[0]\0 $_->[1]\0") } @{ $m{header} }), length $m{body} ? packet('B', $m{body}) : (),
        packet('D', "Ei\0$m{queue}\0"), packet('E', ''));
    my %out = (final => 'none', reply => '', added => {});
    while (defined(my $p = $self->next_packet)) {
        my ($letter, $data) = (substr($p, 0, 1), substr $p, 1);
        $out{held} = $data =~ s/\0\z//r if $letter eq 'q';
        my ($name, $value) = split /\0/, substr $data, 4 if $letter eq 'i';
        $out{added}{ lc $name } = $value if defined $name;
        $out{reply} = $data =~ s/\0\z//r if $letter eq 'y';
        $out{final} = $letter;
        last if $letter !~ /^[qihm+p]$/;
    }
    return \%out;
}

1;
