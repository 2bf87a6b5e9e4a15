# SPDX-License-Identifier: BSD-2-Clause
#
# Exit: what became of a command, as one number that nobody mistakes for success.
package Exit;
use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(exit_code);

# Of a wait status, $? unless told: the exit code; 128 and the signal's number when a signal ended it, as
# a shell says it; 255 when there was nobody to wait for.
sub exit_code {
    my ($status) = (@_, $?);
    return 255 if $status < 0;
    return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

1;
