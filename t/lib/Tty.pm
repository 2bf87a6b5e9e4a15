# SPDX-License-Identifier: BSD-2-Clause
#
# Tty: a command with a terminal of its own, for what programs do only there:
# questions without echo, bars.
package Tty;
use strict;
use warnings;
use Exit;
use Exporter qw(import);
use IO::Select;
use POSIX ();

our @EXPORT = qw(at_terminal);

# Types the lines, one at each question; all that was shown, and the exit code. Nothing when no terminal can be made.
sub at_terminal {
    my ($lines, @cmd) = @_;
    my ($lock, $number) = (pack('i', 0), pack('i', 0));
    open my $master, '+<', '/dev/ptmx' or return;
    ioctl($master, 0x40045431, $lock) && ioctl($master, 0x80045430, $number) or return; # TIOCSPTLCK, TIOCGPTN
    my $slave = '/dev/pts/' . unpack 'i', $number;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setsid();
        open my $tty, '+<', $slave or POSIX::_exit(99); # becomes the controlling terminal
        open STDIN,  '<&', $tty;
        open STDOUT, '>&', $tty;
        open STDERR, '>&', $tty;
        exec @cmd or POSIX::_exit(98);
    }
    my $shown = '';
    while (IO::Select->new($master)->can_read(20)) {
        sysread($master, $shown, 4096, length $shown) or last;
        syswrite $master, shift @$lines if @$lines && $shown =~ /(?:: |\[y\/N\] )\z/;
    }
    # The end of what is shown, or twenty seconds of silence: then it waits for something that won't come.
    kill 'KILL', $pid if !IO::Select->new($master)->can_read(1);
    waitpid $pid, 0;
    return if exit_code() == 99;
    return ($shown, exit_code());
}

1;
