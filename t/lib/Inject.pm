# SPDX-License-Identifier: BSD-2-Clause
#
# Inject: what tests share that let calls of postroad-policyd fail in turn, by t/tools/fail_preload:
# which calls there are, in which order they fail, what is held against policyd whatever the test.
#
# A point is [role, call, number, kind]: this call of a session of that kind. Kinds: "plain", policyd
# runs and is asked; "start", the role is killed at the beginning; "reload", policyd is told to read
# its configuration; "boot", it is started. By default some points, the same at each run as far as the
# calls are: by turns one of a call, and one of a role in a kind of session, that came least before;
# a quarter of them several times in a row.
#
# POSTROAD_SEED=N draws others, POSTROAD_SEED=new others each time; POSTROAD_POINTS=N more or fewer of them;
# POSTROAD_SOAK=1 takes all (hours), POSTROAD_SHARD=K/N the K-th of N parts of them, POSTROAD_EACH=N no more
# than so many of a call in a role and kind of session;
# POSTROAD_INJECT="ROLE CALL NUMBER KIND [TIMES]" one; POSTROAD_CALLS=REGEX only those whose
# "ROLE CALL KIND" matches.
package Inject;
use strict;
use warnings;
use Draw;
use Exporter qw(import);
use File::Basename qw(basename);
use List::Util qw(shuffle);
use Test::More;
use Trial;

our @EXPORT = qw(inject_needs inject_start inject_points inject_all @roles);

our @roles;
my (@calls, %role, %call, $memory, $block);
my $LONGEST = 30; # seconds of points, on whatever machine
my $shim = "$top/t/tools/fail_preload.so";
# The layout of struct block in fail_preload.c.
my ($ARMED, $COUNTDOWN, $FIRED, $CALLER, $COUNTS) = (0, 8, 16, 20, 84);

sub inject_needs {
    my (@programs) = @_;
    plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";
    plan(skip_all => 'no t/tools/fail_preload.so')    unless -e $shim;
    plan(skip_all => 'a sanitizer wants malloc for itself') if slurp("$top/policyd/postroad-policyd") =~ /__asan_init/;
    needs(@programs);
    my ($r, $c) = slurp($shim) =~ /roles: ([^\n]+)\ncalls: ([^\n]+)\n/ or BAIL_OUT('no tables in the shim');
    @roles = split / /, $r;
    @calls = split / /, $c;
    %role = map { $roles[$_] => $_ } 0 .. $#roles;
    %call = map { $calls[$_] => $_ } 0 .. $#calls;
    $block = "$dir/block";
    spew($block, "\0" x ($COUNTS + 4 * @roles * @calls));
    chmod 0666, $block;
    open $memory, '+<:raw', $block or die "$block: $!";
    $SIG{PIPE} = 'IGNORE';
    $SIG{TERM} = $SIG{INT} = sub { exit 130 }; # and ends what it began
    return;
}

sub peek { my ($at, $n) = @_; sysseek $memory, $at, 0; sysread $memory, my $bytes, 4 * $n; return unpack 'V*', $bytes }

sub poke { my ($at, @values) = @_; sysseek $memory, $at, 0; return syswrite $memory, pack 'V*', @values }

sub arm {
    my ($r, $c, $n, $times) = @_;
    poke($ARMED, 0, $role{$r}, $n, $times, 0);
    poke($ARMED, 1 + $call{$c});
    return;
}

sub disarm { return poke($ARMED, 0) }

sub fired { return (peek($FIRED, 1))[0] }

# The program or library whose call failed.
sub caller_name { return unpack 'Z64', pack 'V*', peek($CALLER, 16) }

# How often each role has called each function so far: {"role call" => n}.
sub counts {
    my @n = peek($COUNTS, @roles * @calls);
    my %count;
    for my $r (0 .. $#roles) {
        $count{"$roles[$r] $calls[$_]"} = $n[ $r * @calls + $_ ] for 0 .. $#calls;
    }
    return \%count;
}

# policyd_start with the shim before it.
sub inject_start {
    local @ENV{qw(LD_PRELOAD FAIL_BLOCK)} = ($shim, $block);
    return policyd_start(@_);
}

# What there is to fail: $session->($kind, $role) for each of the kinds, of whose calls those of $role count.
sub inject_points {
    my ($session, @kinds) = @_;
    my @points;
    for (@kinds) {
        my ($kind, $role) = @$_;
        my $before = counts();
        my @bad = $session->($kind, $role);
        is("@bad", '', "a session of kind $kind" . ($role ? " of $role" : '')) or BAIL_OUT(policyd_log());
        my $after = counts();
        for my $key (sort keys %$after) {
            my ($r, $c) = split / /, $key;
            next if $role && $role ne $r || ($ENV{POSTROAD_CALLS} && "$r $c $kind" !~ /$ENV{POSTROAD_CALLS}/);
            push @points, map { [ $r, $c, $_, $kind ] } 1 .. $after->{$key} - $before->{$key};
        }
    }
    return @points;
}

# By turns the next of each call, and the next of each role in each kind of session. What stands where
# depends on nothing but the seed and the names, as not every run makes the same calls.
sub in_order {
    my ($seed, @points) = @_;
    my (%group, %rank, @order);
    push @{ $group{"@$_[0, 1, 3]"} }, $_ for @points;
    my %by = (call => sub { (split / /, $_[0])[1] }, role => sub { (split / /, $_[0])[ 0, 2 ] });
    for my $what (sort keys %by) {
        my %n;
        for my $key (sort { draw_of($seed, $a) <=> draw_of($seed, $b) } keys %group) {
            my $of = join ' ', $by{$what}->($key);
            $rank{$what}{$key} = $n{$of}++ + draw_of($seed, $of);
        }
    }
    my ($calls, $roles) = map { my $r = $_; [ sort { $r->{$a} <=> $r->{$b} } keys %$r ] } @rank{qw(call role)};
    my %taken;
    push @order, grep { !$taken{$_}++ } shift @$calls, shift @$roles while @$calls;
    return map { one_of($seed, $_, @{ $group{$_} }) } @order;
}

# One call of a group, early ones rather than late ones. As how many there are differs from run to run, those
# of the last half are left to t/soak: so it is the same one nearly always.
sub one_of {
    my ($seed, $key, @points) = @_;
    my $n = int 2**(9 * draw_of($seed, $key, 'number'));
    $n = int $n / 4 while $n > 1 && $n > @points / 2;
    return $points[ $n < 1 ? 0 : $n - 1 ];
}

sub times_of {
    my ($seed, $r, $c, $kind) = @_;
    return 1 if draw_of($seed, $r, $c, $kind, 'repeat') > 0.25;
    return 2 + int(($kind eq 'plain' ? 4 : 2) * draw_of($seed, $r, $c, $kind, 'times')); # each may cost a pause
}

# Shards don't overlap, and together leave nothing out, though each has counted for itself.
sub in_shard {
    my ($k, $n, @points) = @_;
    return grep { ($_->[2] + unpack '%32C*', "@$_[0, 1, 3]") % $n == $k % $n } @points;
}

# By chance.
sub few_of_each {
    my ($most, @points) = @_;
    my %n;
    return grep { ++$n{"@$_[0, 1, 3]"} <= $most } @points;
}

sub deaths { return scalar(() = policyd_log() =~ /by="signal (?:4|6|7|8|11)"/g) }

# A crash is excused when a library did not look whether it got memory, nobody was served by what
# crashed, and it is started anew: libc's getpwnam() and getgrnam(), and libseccomp, when a role
# starts; libevent's buffers, which only control uses; libldap with libsasl2, which only sync does.
sub is_excused {
    my ($r, $c, $kind) = @_;
    my $whose = caller_name();
    return 0 if $c !~ /^(?:[mc]alloc|realloc|strdup)$/;
    return $whose =~ /^(?:getpwnam|getgrnam|libseccomp)/ && $kind ne 'plain'
        || $whose =~ /^libevent/ && $r eq 'control'
        || $whose =~ /^lib(?:ldap|sasl2)/ && $r eq 'sync';
}

my $excused = 0;

# The same for the end of a start: libc's look-up of a group's number ended it; systemd tries again.
sub is_libc {
    my ($status) = @_;
    my $is = ($status & 127) && caller_name() =~ /^(?:getpwnam|getgrnam)/;
    $excused++ if $is;
    return $is;
}

sub fail_once {
    my ($session, $r, $c, $n, $kind, $times) = @_;
    my $at = length policyd_log();
    my $before = deaths();
    arm($r, $c, $n, $times);
    my @bad = $session->($kind, $r eq 'parent' ? '' : $r);
    disarm();
    my $log = substr policyd_log(), $at;
    if (deaths() > $before) {
        is_excused($r, $c, $kind) ? $excused++ : push @bad, 'a process crashed';
    }
    my $name = "$r $c $n $kind $times" . (fired() ? ' in ' . caller_name() : ' (did not come)');
    ok(!@bad, $name) or diag(join "\n", @bad, 'log:', grep { !/asked verb/ } split /\n/, $log);
    return fired() ? 1 : 0;
}

# All of them, or as many as that, unless it takes too long.
sub inject_all {
    my ($most, $session, @points) = @_;
    my $seed = draw_seed(20) . ' ' . basename($0);
    my $shard = $ENV{POSTROAD_SHARD} // '';
    my $all = $ENV{POSTROAD_SOAK} || $shard || $ENV{POSTROAD_INJECT};
    my @order = $all ? shuffle(@points) : in_order($seed, @points);
    @order = in_shard($1, $2, @order) if $shard =~ m{^(\d+)/(\d+)$};
    @order = few_of_each($ENV{POSTROAD_EACH}, @order) if $ENV{POSTROAD_EACH};
    @order = [ split / /, $ENV{POSTROAD_INJECT} ] if $ENV{POSTROAD_INJECT};
    splice @order, $ENV{POSTROAD_POINTS} || $most if !$all && @order > ($ENV{POSTROAD_POINTS} || $most);
    my $end = $all || $ENV{POSTROAD_POINTS} ? 9e99 : time + $LONGEST;
    my ($done, $came, %seen) = (0, 0);
    for my $point (@order) {
        last if time > $end;
        $point->[4] ||= $all ? 1 : times_of($seed, @$point[ 0, 1, 3 ]);
        $came += fail_once($session, @$point);
        $seen{call}{ $point->[1] } = $seen{role}{ $point->[0] } = 1;
        $done++;
    }
    note("seed $seed: $done of " . scalar(@points) . " calls failed in turn, $came of them came up, $excused crashes excused; "
            . join ', ', map { scalar(keys %{ $seen{$_} }) . " ${_}s" } sort keys %seen);
    cmp_ok($came, '>=', $done / 3, 'enough of them came up again');
    return;
}

1;
