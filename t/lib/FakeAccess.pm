# SPDX-License-Identifier: BSD-2-Clause
#
# FakeAccess: stands in for policyd at the access socket, and says what it is told to. Its rules
# are lines "PATTERN => ANSWER"; the first whose pattern matches the request (fields joined by a
# space) answers it. \t in an answer is a TAB. HANG: no answer; CLOSE: the connection is closed.
package FakeAccess;
use strict;
use warnings;
use Exporter qw(import);
use IO::Select;
use IO::Socket::UNIX;
use Trial;

our @EXPORT = qw(fake_start fake_stop fake_rules fake_heard fake_forget);

my $pid;

sub fake_rules { spew("$dir/access.rules", join '', map { "$_\n" } @_); return }

# All requests since the start or fake_forget, one a line.
sub fake_heard { return slurp("$dir/access.heard") }
sub fake_forget { spew("$dir/access.heard", ''); return }

sub answer_to {
    my ($request) = @_;
    for (split /\n/, slurp("$dir/access.rules")) {
        my ($pattern, $answer) = /^(.*?) => (.*)$/ or next;
        next if $request !~ /$pattern/;
        $answer =~ s/\\t/\t/g;
        $answer =~ s/\\0/\0/g;
        $answer =~ s/\\n/\n/g;
        return $answer;
    }
    return 'unsure';
}

sub serve {
    my ($listen) = @_;
    my $all = IO::Select->new($listen);
    my %buffer;
    while (my @ready = $all->can_read) {
        for my $s (@ready) {
            if ($s == $listen) { my $new = $listen->accept; $all->add($new) if $new; next }
            my $n = sysread $s, $buffer{$s}, 65536, length($buffer{$s} // '');
            if (!$n) { $all->remove($s); delete $buffer{$s}; close $s; next }
            while ($buffer{$s} =~ s/\A(.*?)\n//) {
                my $request = join ' ', split /\t/, $1;
                open my $log, '>>', "$dir/access.heard";
                syswrite $log, "$request\n";
                my $answer = answer_to($request);
                if ($answer eq 'CLOSE') { $all->remove($s); $buffer{$s} = ''; close $s; last }
                syswrite $s, "$answer\n" if $answer ne 'HANG';
            }
        }
    }
}

sub fake_start {
    fake_rules(@_) if @_;
    unlink "$dir/access";
    my $listen = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$dir/access", Listen => 100) or die "$dir/access: $!";
    chmod 0666, "$dir/access";
    $pid = spawn_sub(sub { $SIG{PIPE} = 'IGNORE'; serve($listen) });
    return;
}

sub fake_stop {
    stop_pid($pid) if $pid;
    undef $pid;
    return;
}

1;
