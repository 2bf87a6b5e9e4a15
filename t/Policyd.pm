# SPDX-License-Identifier: BSD-2-Clause
#
# A postroad-policyd of its own for a test: a configuration in a temporary
# folder, the daemon from this tree, and its map socket spoken to by hand.
# It is killed with all its roles when the object goes. Core Perl only.
package Policyd;
use strict;
use warnings;
use Cwd qw(getcwd);
use Errno;
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Time::HiRes qw(time sleep);

our $program = getcwd() . '/policyd/postroad-policyd';
my $WAIT_S = 30;
# A peer that has gone must not end a test without a word. What a test starts has the default again.
$SIG{PIPE} = sub { };

# Call $sub until it returns something true; that, or undef after $seconds.
sub wait_for {
    my ($sub, $seconds) = @_;
    my $end = time + ($seconds // $WAIT_S);
    while (1) {
        my $got = $sub->();
        return $got if $got;
        return undef if time > $end;
        sleep 0.01;
    }
}

# The pid while none runs. No process can have it (PID_MAX_LIMIT), where kill takes 0 or undef for all
# processes of the test's own group.
my $NOBODY = 4_194_305;

sub new {
    my ($class, %o) = @_;
    my $dir = tempdir('postroad-test.XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $user = getpwuid $>;
    my $group = getgrgid $);
    my $self = bless {
        pid => $NOBODY,
        dir => $dir,
        conf => "$dir/postroad.conf",
        log => "$dir/log",
        map => "$dir/run/map",
        settings => {
            site => '"hebei"',
            state_dir => "\"$dir/state\"",
            user => "\"$user\"", group => "\"$group\"", socket_group => "\"$group\"",
            directory => '{ ldif = "' . getcwd() . '/t/tables/maps.ldif"; }',
            sockets => "{ map = \"unix:$dir/run/map\"; policy = \"\"; access = \"\";"
                . " control = \"unix:$dir/run/control\"; http = \"\"; }",
            %{ $o{settings} || {} },
        },
    }, $class;
    $self->write_conf;
    return $self;
}

sub write_conf {
    my ($self, %more) = @_;
    my $s = $self->{settings} = { %{ $self->{settings} }, %more };
    spew($self->{conf}, join '', map { "$_ = $s->{$_};\n" } sort keys %$s);
}

sub spew {
    my ($file, $text) = @_;
    open my $fh, '>', "$file.new" or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
    rename "$file.new", $file or die "$file: $!\n";
}

# Start it; $before runs in the child, to pass sockets. Returns 1 once it is ready.
sub start {
    my ($self, $before) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>>', $self->{log} or die;
        open STDERR, '>&', \*STDOUT or die;
        $before->() if $before;
        exec $program, '-c', $self->{conf} or die "$program: $!\n";
    }
    $self->{pid} = $pid;
    return $self->wait_log(qr/: ready site=/) ? 1 : 0;
}

# Everything logged since the last mark.
sub log_text {
    my ($self) = @_;
    open my $fh, '<', $self->{log} or return '';
    seek $fh, $self->{mark} || 0, 0;
    local $/;
    return scalar <$fh> // '';
}

sub mark {
    my ($self) = @_;
    $self->{mark} = -s $self->{log} || 0;
}

sub wait_log {
    my ($self, $re, $seconds) = @_;
    return wait_for(sub { $self->log_text =~ $re || !$self->running }, $seconds)
        && $self->log_text =~ $re ? 1 : 0;
}

# Process ids of the living roles of this name.
sub pids {
    my ($self, $role) = @_;
    my @found;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;
        my $line = <$fh> // next;
        my ($pid, $state, $parent) = $line =~ /^(\d+) \(.*\) (\S) (\d+)/ or next;
        next if $parent != $self->{pid} || $state eq 'Z';
        open my $cmd, '<', "/proc/$pid/cmdline" or next;
        my @arg = split /\0/, <$cmd> // '';
        push @found, $pid if @arg > 2 && $arg[2] =~ /^\Q$role\E:/;
    }
    @found = sort { $a <=> $b } @found;
    return @found;
}

# SIGSTOP to those of these processes that the role still has; they are returned. To be called again and again, where
# somebody may have let them go on.
sub freeze {
    my ($self, $role, @pids) = @_;
    my %wanted = map { $_ => 1 } @pids;
    my @there = grep { $wanted{$_} } $self->pids($role);
    kill 'STOP', @there;
    return @there;
}

sub running {
    my ($self) = @_;
    return 0 if $self->{pid} == $NOBODY;
    return 1 if waitpid($self->{pid}, 1) == 0; # WNOHANG
    $self->{status} = $?;
    $self->{pid} = $NOBODY;
    return 0;
}

# SIGTERM; the wait status, or undef when it did not end in time.
sub stop {
    my ($self, $signal) = @_;
    return $self->{status} if !$self->running;
    kill $signal || 'TERM', $self->{pid};
    wait_for(sub { !$self->running }) or return undef;
    return $self->{status};
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    return if $self->{pid} == $NOBODY || $self->{owner_gone};
    my @roles = map { $self->pids($_) } qw(answer policy control sync cold access edit hook homes held queue);
    kill 'KILL', $self->{pid}, @roles;
    waitpid $self->{pid}, 0;
}

# undef when nobody takes it in time, as when a queue is full before one who hangs.
sub connection {
    my ($self, $path) = @_;
    my $fh = eval {
        local $SIG{ALRM} = sub { die "nobody takes it\n" };
        alarm $WAIT_S;
        IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path || $self->{map});
    };
    alarm 0;
    return $fh;
}

# The action that the policy socket answers with; "nothing (…)" with what else came before the deadline.
sub action {
    my ($fh) = @_;
    my ($buf, $end) = ('', time + $WAIT_S);
    while ($buf !~ /\n\n/ && (my $left = $end - time) > 0) {
        my $r = '';
        vec($r, fileno $fh, 1) = 1;
        select($r, undef, undef, $left) > 0 or next;
        my $more = sysread $fh, $buf, 4096, length $buf;
        last if defined $more ? !$more : !$!{EINTR};
    }
    return $buf =~ /\Aaction=(.*)\n\n\z/ ? $1 : "nothing ($buf)";
}

sub netstring { return length($_[0]) . ":$_[0]," }

# Read up to $n netstrings; the list of those that came before the end or the deadline.
sub replies {
    my ($fh, $n, $seconds) = @_;
    my ($buf, @got) = ('');
    my $end = time + ($seconds // $WAIT_S);
    while (@got < $n) {
        if ($buf =~ /^(\d+):/ && length($buf) >= length($1) + $1 + 2) {
            push @got, substr $buf, length($1) + 1, $1;
            substr $buf, 0, length($1) + $1 + 2, '';
            next;
        }
        my $r = '';
        vec($r, fileno $fh, 1) = 1;
        my $left = $end - time;
        last if $left <= 0;
        select($r, undef, undef, $left) > 0 or next;
        my $more = sysread $fh, $buf, 65536, length $buf;
        last if defined $more ? !$more : !$!{EINTR};
    }
    return @got;
}

# Whether the other end closes the connection before the deadline.
sub closed {
    my ($fh, $seconds) = @_;
    my $end = time + ($seconds // $WAIT_S);
    while ((my $left = $end - time) > 0) {
        my $r = '';
        vec($r, fileno $fh, 1) = 1;
        select($r, undef, undef, $left) or next;
        my $n = sysread $fh, my $buf, 65536;
        return 1 if !$n;
    }
    return 0;
}

# One lookup on a connection of its own, as "OK data", "NOTFOUND ", or '' for none.
sub ask {
    my ($self, $map, $key) = @_;
    my $fh = $self->connection or return '';
    syswrite $fh, netstring("$map $key") or return '';
    my ($reply) = replies($fh, 1);
    return $reply // '';
}

1;
