# SPDX-License-Identifier: BSD-2-Clause
#
# Inject: what tests share that let calls of postroad-policyd fail in turn, by t/tools/fail_preload:
# which calls there are, in which order they fail, what is held against policyd whatever the test.
#
# A point is [role, call, number, kind]: this call of a session of that kind. Kinds: "plain", policyd
# runs and is asked; "start", the role is killed at the beginning; "reload", policyd is told to read
# its configuration; "boot", it is started. By default as many points as $seconds allow, one of each
# kind of call in each role before a second one; a quarter of them several times in a row.
#
# POSTROAD_SEED repeats a sample; POSTROAD_SOAK=1 takes all points (an hour or more), POSTROAD_SHARD=K/N
# the K-th of N parts of them; POSTROAD_INJECT="ROLE CALL NUMBER KIND [TIMES]" one; POSTROAD_CALLS=REGEX
# only those whose "ROLE CALL KIND" matches.
package Inject;
use strict;
use warnings;
use Exporter qw(import);
use Test::More;
use Trial;

our @EXPORT = qw(inject_needs inject_start inject_points inject_all @roles);

our @roles;
my (@calls, %role, %call, $memory, $block);
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

# By chance, but one of each kind of call in each role before a second one.
sub in_order {
    my (@points) = @_;
    my (%group, @order);
    push @{ $group{"@$_[0, 1, 3]"} }, $_ for @points;
    while (%group) {
        my %at = map { $_ => rand } sort keys %group;
        for my $key (sort { $at{$a} <=> $at{$b} } keys %at) {
            push @order, splice @{ $group{$key} }, rand @{ $group{$key} }, 1;
            delete $group{$key} if !@{ $group{$key} };
        }
    }
    return @order;
}

# Shards don't overlap, and together leave nothing out, though each has counted for itself.
sub in_shard {
    my ($k, $n, @points) = @_;
    return grep { ($_->[2] + unpack '%32C*', "@$_[0, 1, 3]") % $n == $k % $n } @points;
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

# All of them, or as many as there is time for.
sub inject_all {
    my ($seconds, $session, @points) = @_;
    my $seed = $ENV{POSTROAD_SEED} // int(time * 7919) % 1_000_000_000;
    srand $seed;
    my $shard = $ENV{POSTROAD_SHARD} // '';
    my $all = $ENV{POSTROAD_SOAK} || $shard;
    my @order = in_order(@points);
    @order = in_shard($1, $2, @order) if $shard =~ m{^(\d+)/(\d+)$};
    @order = [ split / /, $ENV{POSTROAD_INJECT} ] if $ENV{POSTROAD_INJECT};
    my $end = $all ? 9e99 : time + $seconds;
    my ($done, $came) = (0, 0);
    for my $point (@order) {
        last if time > $end;
        $point->[4] ||= $all || rand() > 0.25 ? 1 : 2 + int rand($point->[3] eq 'plain' ? 4 : 2); # each may cost a pause
        $came += fail_once($session, @$point);
        $done++;
    }
    note("seed $seed: $done of " . scalar(@points) . " calls failed in turn, $came of them came up, $excused crashes excused");
    cmp_ok($came, '>=', $done / 3, 'enough of them came up again');
    return;
}

1;
