# SPDX-License-Identifier: BSD-2-Clause
#
# Inside: what the scripts that run inside the lab have in common: running commands, waiting for
# conditions, writing files. It promises that whatever fails dies with a text that says what.
# It must use nothing but core Perl, and only programs named in Lab.pm.
package Inside;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time sleep);

our @EXPORT = qw(must succeeds spawn wait_for slurp write_file child_of greets);

# What the command printed, on both channels; dies with that text when it fails. Waits for the
# command only, not for daemons it leaves behind.
sub must {
    my @command = @_;
    open my $out, '+>', undef or die "temporary file: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>&', $out;
        open STDERR, '>&', $out;
        exec @command or print "$command[0]: $!\n";
        POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my $status = $?;
    seek $out, 0, 0;
    my $text = do { local $/; <$out> } // '';
    return $text if !$status;
    chomp $text;
    die "'@command' failed: " . ($text eq '' ? "status $status" : $text) . "\n";
}

# Whether it exits with 0.
sub succeeds {
    return defined eval { must(@_); 1 };
}

# Run in the background, in a session of its own, with its output in the log file.
sub spawn {
    my ($log, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    POSIX::setsid();
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $log or die "$log: $!\n";
    open STDERR, '>&', \*STDOUT;
    exec @command or print "$command[0]: $!\n";
    POSIX::_exit(127);
}

# Until the condition holds; dies when it does not within so many seconds. Rests as long as a look took,
# within bounds, so that many who wait leave the machine to what they wait for.
sub wait_for {
    my ($what, $seconds, $condition) = @_;
    my $end = time + $seconds;
    for (;;) {
        my $began = time;
        my $got = eval { $condition->() };
        return $got if $got;
        my $now = time;
        die "waited $seconds s in vain until $what\n" if $now > $end;
        my $took = $now - $began;
        sleep($took < 0.01 ? 0.01 : $took > 0.1 ? 0.1 : $took);
    }
}

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$in> // '';
}

sub write_file {
    my ($path, $text, $mode, $owner, $group) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out or die "$path: $!\n";
    chmod $mode // 0644, $path;
    chown scalar(getpwnam($owner // 'root')), scalar(getgrnam($group // 'root')), $path;
    return;
}

# The first child of a process, as /proc of the caller numbers them; undef when it has none.
sub child_of {
    my ($parent) = @_;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        my $line = <$in> // next;
        return $1 if $line =~ /^([0-9]+) \(.*\) \S ([0-9]+) /s && $2 == $parent;
    }
    return;
}

# Whether a server there speaks first, as SMTP, POP and IMAP servers do.
sub greets {
    my ($address, $port) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port, Timeout => 1) or return 0;
    my $ready = '';
    vec($ready, fileno $s, 1) = 1;
    return select($ready, undef, undef, 1) && sysread $s, my $bytes, 1;
}

1;
