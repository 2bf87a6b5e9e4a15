# SPDX-License-Identifier: BSD-2-Clause
#
# Ports: loopback ports and addresses for the servers of a test, which no other test takes while this
# one runs, whichever tree, root folder or pid namespace it runs in: each is claimed by the name of a
# socket in the network namespace, and that name goes with the process. Ports lie below those that the
# kernel gives to clients.
package Ports;
use strict;
use warnings;
use Exporter qw(import);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);

our @EXPORT = qw(free_port free_address);
my @claims; # as long as the test runs

sub claim {
    my ($name) = @_;
    push @claims, IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "\0postroad-test/$name", Listen => 1) // return 0;
    return 1;
}

# Of 127.0.0.1, free at this moment.
sub free_port {
    for (1 .. 200) {
        my $port = 20_000 + int rand 12_000;
        return $port if claim($port) && IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1);
    }
    die "no free port\n";
}

# One of loopback's that is nobody else's, with all its ports.
sub free_address {
    for (1 .. 200) {
        my $address = join '.', 127, 64 + int rand 64, int rand 256, 1 + int rand 254;
        return $address if claim($address);
    }
    die "no free address\n";
}

1;
