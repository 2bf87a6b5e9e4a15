# SPDX-License-Identifier: BSD-2-Clause
#
# Tunnel: a socket at one site that leads to a socket at another one, as administrators lay with ssh -L;
# one question and one answer for each connection.
package Tunnel;
use strict;
use warnings;
use Exporter qw(import);
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();

our @EXPORT = qw(tunnel);

# From path $near to path $far, until this process ends; the pid of who serves it.
sub tunnel {
    my ($near, $far) = @_;
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    # Nothing of ours may keep the one open who waits for the end of this test.
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    $SIG{PIPE} = 'IGNORE'; # whoever asked may be killed before his answer
    my $parent = getppid;
    my $door = IO::Socket::UNIX->new(Local => $near, Listen => 16) or POSIX::_exit(1);
    while ($parent == getppid) {
        next unless IO::Select->new($door)->can_read(0.5);
        my $client = $door->accept or next;
        my $server = IO::Socket::UNIX->new(Peer => $far) or next;
        my $line = <$client> // next;
        print $server $line;
        $server->flush;
        print $client scalar(<$server>) // '';
    }
    POSIX::_exit(0);
}

1;
