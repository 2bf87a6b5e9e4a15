# SPDX-License-Identifier: BSD-2-Clause
#
# Lab: two sites and the world outside, each with Postfix and what belongs to it, in namespaces of
# this machine. For `lab`, `demo` and the tests.
#
# Promises: nothing of the host is touched or written; several labs live side by side; a lab that a
# program brought up for itself ends with that program, even when it is killed. There are no state
# files: a lab is found by its name among the processes.
# Mail (sending, mailboxes, logs) is in Lab/Mail.pm. Core Perl only.
package Lab;
use strict;
use warnings;
use File::Basename 'dirname';
use Cwd 'abs_path';
use POSIX ();
use Time::HiRes qw(time sleep);
use lib dirname(abs_path(__FILE__)) . '/inside';
use Inside ();
use parent -norequire, 'Lab::Mail';
use Lab::Mail;

# A peer that has gone must not end a test, nor the servers it plays, without a word. What a test
# starts has the default again.
$SIG{PIPE} = sub { };

my $tree = dirname(dirname(dirname(abs_path(__FILE__))));
my @programs = qw(unshare nsenter ip mount openssl dnsmasq postfix slapd slapadd ldapsearch ldapmodify
  dovecot);

# Why there can be no lab on this machine; empty when there can.
sub missing {
    my @why;
    push @why, 'needs root' if $> != 0;
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
    for my $program (@programs) {
        push @why, "needs $program" if !grep { -x "$_/$program" } split /:/, $ENV{PATH};
    }
    push @why, 'needs policyd/postroad-policyd: run make' if !-x "$tree/policyd/postroad-policyd";
    push @why, "needs Dovecot's plugins: dovecot-dev, and make" if !-e "$tree/dovecot-plugin/lib95_postroad_plugin.so";
    return @why if @why;
    push @why, 'may not make namespaces'
      if !Inside::succeeds(qw(unshare --mount --net --pid --uts --ipc --fork --mount-proc true));
    return @why;
}

# Bring one up, named name. It ends with this process, unless detached.
sub up {
    my ($class, %option) = @_;
    my $self = bless { name => $option{name} // "lab$$" }, $class;
    die "a lab named $self->{name} is up already\n" if $self->find_world;
    pipe my $say_read,  my $say_write  or die "pipe: $!\n";
    pipe my $life_read, my $life_write or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    world_exec($self->{name}, $option{detached}, $life_read, $say_write) if !$pid;
    $self->{life} = $life_write if !$option{detached};
    $self->{unshare} = $pid;
    close $say_write;
    $self->await_ready($say_read);
    $self->find_sites;
    return $self;
}

# In the child: become the lab.
sub world_exec {
    my ($name, $detached, $life, $say) = @_;
    chdir $tree or POSIX::_exit(1);
    POSIX::setsid();
    $SIG{HUP} = 'IGNORE' if $detached;
    open STDIN,  '<&', $life;
    open STDOUT, '>&', $say;
    open STDERR, '>&', $say;
    $ENV{PATH} .= ':/usr/sbin:/sbin';
    exec qw(unshare --mount --net --pid --fork --kill-child --mount-proc perl t/lab/inside/world),
      $detached ? 'detached' : 'attached', "postroad-lab:$name"
      or POSIX::_exit(127);
}

sub await_ready {
    my ($self, $say) = @_;
    my $text = '';
    while (my $line = <$say>) {
        return if $line eq "ready\n";
        $text .= $line;
    }
    $self->down;
    die "the lab did not come up: $text\n";
}

# One that is up already; undef when there is none of that name.
sub find {
    my ($class, $name) = @_;
    my $self = bless { name => $name }, $class;
    $self->{unshare} = $self->find_world // return;
    $self->find_sites;
    return $self;
}

# Processes by number: their parent and arguments.
sub processes {
    my %process;
    for my $dir (glob '/proc/[0-9]*') {
        my $stat = eval { Inside::slurp("$dir/stat") } // next;
        my @argument = split /\0/, eval { Inside::slurp("$dir/cmdline") } // '';
        my ($pid, $parent) = $stat =~ /^([0-9]+) \(.*\) \S ([0-9]+) /s or next;
        $process{$pid} = { parent => $parent, arguments => \@argument };
    }
    return \%process;
}

sub find_world {
    my ($self) = @_;
    my $process = processes();
    for my $pid (sort { $a <=> $b } keys %$process) {
        my @argument = @{ $process->{$pid}{arguments} };
        return $pid if @argument && $argument[0] eq 'unshare' && $argument[-1] eq "postroad-lab:$self->{name}";
    }
    return;
}

# Below the world's process are the sites' unshares, and below each of those the site.
sub find_sites {
    my ($self) = @_;
    my $process = processes();
    my %below;
    push @{ $below{ $process->{$_}{parent} } }, $_ for keys %$process;
    my ($world) = @{ $below{ $self->{unshare} } // [] };
    $self->{world} = $world // die "the lab is gone\n";
    for my $unshare (@{ $below{$world} // [] }) {
        my ($pid) = @{ $below{$unshare} // [] };
        my @argument = @{ $process->{$unshare}{arguments} };
        $self->{site}{ $argument[-2] } = $pid if $pid && $argument[0] eq 'unshare';
    }
    return;
}

sub sites { return qw(hebei shandong outside) }

sub pid {
    my ($self, $site) = @_;
    return $self->{site}{$site} // die "no site $site in this lab\n";
}

# Where the site's files can be read from here.
sub root {
    my ($self, $site) = @_;
    return '/proc/' . $self->pid($site) . '/root';
}

# The command line that runs a command at a site.
sub at {
    my ($self, $site, @command) = @_;
    return (
        'nsenter', '--target', $self->pid($site), qw(--mount --net --pid --uts --ipc --),
        qw(env -i HOME=/root LC_ALL=C.UTF-8), "TERM=" . ($ENV{TERM} // 'dumb'), "LAB_SITE=$site",
        'PATH=/run/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', @command
    );
}

# Run it there; what it printed, on both channels. Dies when it fails.
sub run {
    my ($self, $site, @command) = @_;
    return Inside::must($self->at($site, @command));
}

# Whether it succeeds there.
sub try {
    my ($self, $site, @command) = @_;
    return Inside::succeeds($self->at($site, @command));
}

# The numbers, as a site has them, of its processes whose command line is like this.
sub processes_at {
    my ($self, $site, $like) = @_;
    my @found;
    for my $dir (glob $self->root($site) . '/proc/[0-9]*') {
        my $line = join ' ', split /\0/, eval { Inside::slurp("$dir/cmdline") } // '';
        push @found, $dir =~ /([0-9]+)$/ if $line =~ $like;
    }
    return @found;
}

# stop, start, crash a daemon at a site: slapd, postfix, dovecot, policyd.
sub daemon {
    my ($self, $verb, $site, @names) = @_;
    $self->run($site, 'daemon', $verb, @names);
    return;
}

# Have a site's Postfix read its configuration anew. `postfix reload` only asks for that: until the master has done
# it, its old processes go on. It starts the new queue manager when it has told all of them.
sub reload {
    my ($self, $site) = @_;
    my %old = map { $_ => 1 } $self->processes_at($site, qr/^qmgr /);
    $self->run($site, qw(postfix reload));
    Inside::wait_for("Postfix of $site has read its configuration", 60, sub {
        my @now = $self->processes_at($site, qr/^qmgr /);
        return @now && !grep { $old{$_} } @now;
    });
    return;
}

# Cut the line between hebei and shandong at that site's end: there the network is gone at once, the
# other site gets no answers any more.
sub cut {
    my ($self, $end) = @_;
    $self->run($end // 'hebei', qw(ip link set line down));
    return;
}

sub heal {
    my ($self) = @_;
    $self->run($_, qw(ip link set line up)) for qw(hebei shandong);
    return;
}

# Change the directory at a site; the argument is LDIF for ldapmodify.
sub modify {
    my ($self, $site, $ldif) = @_;
    my @command = $self->at($site, qw(ldapmodify -x -H ldapi:/// -D), 'cn=admin,o=corp', qw(-w sample-admin));
    open my $to, '|-', 'sh', '-c', '"$@" >/dev/null', 'sh', @command or die "ldapmodify: $!\n";
    print $to $ldif;
    close $to or die "ldapmodify at $site failed\n";
    return;
}

# Wait until policyd at these sites has heard all of its directory: then it says no where it means no.
sub await_directory {
    my ($self, @sites) = @_;
    my @ask = ('sh', '-c', 'postroad lookup mailbox nobody@corp.example; test $? = 1');
    $self->at_once(sub {
        my ($site) = @_;
        Inside::wait_for("policyd at $site has its directory", 60, sub { $self->try($site, @ask) });
    }, @sites);
    return;
}

# Do something for each of these at the same time, as waiting for one after the other takes longer; what
# it returned, one line each. Dies when one of them did.
sub at_once {
    my ($self, $do, @each) = @_;
    my @from = map {
        my $one = $_;
        my $pid = open(my $from, '-|') // die "fork: $!\n";
        if (!$pid) {
            $| = 1;
            my $said = eval { $do->($one) };
            print $@ || '=' . ($said // '');
            POSIX::_exit(0);
        }
        $from;
    } @each;
    my @said = map { local $/; scalar readline($_) // '' } @from;
    close $_ for @from;
    s/\A=// or die $_ || "nothing came back\n" for @said;
    return @said;
}

# Until the condition holds, at most so many seconds; dies when it does not. It may be that mail arrives: on a slow
# machine Postfix may look at a message while it is still locked, and leaves it for five minutes. So from time to time
# it is told to look again.
sub wait_for {
    my ($self, $what, $seconds, $condition) = @_;
    my $patience = time + 15;
    return Inside::wait_for($what, $seconds, sub {
        if (time > $patience) {
            $self->try($_, qw(postqueue -f)) for $self->sites;
            $patience = time + 15;
        }
        return $condition->();
    });
}

# End it; returns when it is gone.
sub down {
    my ($self) = @_;
    my $pid = delete $self->{unshare} // return;
    my $world = $self->{world} // $pid;
    kill 'KILL', $world, $pid;
    waitpid $pid, 0;
    Inside::wait_for('the lab is gone', 60, sub { !-d "/proc/$pid" && !-d "/proc/$world" });
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    $self->down if $self->{life};
    return;
}

1;
