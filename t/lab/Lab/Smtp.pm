# SPDX-License-Identifier: BSD-2-Clause
#
# Lab::Smtp: one SMTP connection from a site of the lab, byte by byte, for what no mail program would
# send. Says what the server answered, '' when it has gone; never waits for ever.
package Lab::Smtp;
use strict;
use warnings;
use IPC::Open2;
use Time::HiRes 'time';

my $PATIENCE = 60; # seconds

# Connected, and greeted. server: "HOST:PORT" as the site knows it.
sub new {
    my ($class, $lab, $site, $server) = @_;
    my $self = bless { buffer => '' }, $class;
    $self->{pid} = open2($self->{in}, $self->{out}, $lab->at($site, 'connect', $server));
    binmode $self->{$_} for qw(in out);
    $self->{greeting} = $self->reply;
    return $self;
}

# The next answer, all lines of it.
sub reply {
    my ($self) = @_;
    my $end = time + $PATIENCE;
    for (;;) {
        return $1 if $self->{buffer} =~ s/\A((?:\d{3}-.*\n)*\d{3} .*\n)//;
        my $ready = '';
        vec($ready, fileno $self->{in}, 1) = 1;
        my $left = $end - time;
        return '' if $left <= 0 || !select $ready, undef, undef, $left;
        sysread $self->{in}, $self->{buffer}, 65536, length $self->{buffer} or return '';
    }
}

# Bytes as they are. 0: it has gone.
sub raw {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    for (my $at = 0; $at < length $bytes;) {
        my $n = syswrite $self->{out}, $bytes, 65536, $at;
        return 0 if !defined $n;
        $at += $n;
    }
    return 1;
}

# A command, and its answer.
sub say {
    my ($self, $line) = @_;
    return $self->raw("$line\r\n") ? $self->reply : '';
}

# Up to the text of a message: the last answer; of recipients that are refused nobody hears.
sub envelope {
    my ($self, $from, @to) = @_;
    $self->say('EHLO client.example');
    $self->say($_) for "MAIL FROM:<$from>", map { "RCPT TO:<$_>" } @to;
    return $self->say('DATA');
}

# The connection is gone, without a word.
sub drop {
    my ($self) = @_;
    my $pid = delete $self->{pid} // return;
    close $self->{$_} for qw(out in);
    waitpid $pid, 0;
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    $self->drop;
    return;
}

1;
