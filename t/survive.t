#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Sockets outlive processes: while clients ask without pause, roles are killed, stopped, made to run
# in a circle and replaced, and at the end the whole daemon is, behind sockets that somebody else holds. No client
# ever gets a wrong answer, nor any that would delay mail for a known recipient. Needs no root.
# POSTROAD_KILLS=1000 kills that many at random instead of 40; t/lib/Draw.pm says how to kill others.
use strict;
use warnings;
use lib 't', 't/lib';
use Exit;
use Cwd qw(abs_path);
use Draw;
use IO::Socket::UNIX;
use IPC::Open2;
use JSON::PP qw(decode_json);
use Policyd;
use Test::More;
use Time::HiRes qw(time sleep);

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
-x 't/tools/asker' or plan skip_all => 't/tools/asker is not built: make tests';
$SIG{PIPE} = 'IGNORE';

my $kills = $ENV{POSTROAD_KILLS} || 40;
my $seed = draw_seed(20);
my %per_role = (answer => 2, policy => 1, control => 1, sync => 1);
my @roles = sort keys %per_role;

sub with_sockets {
    my $new = Policyd->new(settings => { answer => '{ workers = 2; }' });
    $new->{policy} = "$new->{dir}/run/policy";
    $new->{settings}{sockets} =~ s{policy = ""}{policy = "unix:$new->{policy}"};
    $new->write_conf;
    return $new;
}

# Known recipients and what is answered for them. What a catch-all or a list stands for may depend on
# who is proven not to exist, so it is none of them.
sub questions {
    my ($file) = @_;
    my %stands_for = (LOCAL => 'lmtp:unix:private/dovecot-lmtp', WAIT => 'postroad-wait:');
    open my $fh, '<', 't/tables/maps.tbl' or die "t/tables/maps.tbl: $!\n";
    my $text = '';
    while (<$fh>) {
        next if /^#|^\s*$/;
        chomp;
        my ($map, $key, $want) = map { s/^\s+|\s+$//gr } split /\|/, $_, 3;
        next if $want =~ /^(NOTFOUND|TEMP|PERM)$/ || $map !~ /^(transport|mailbox|domain|peer|tls)$/;
        next if $key =~ /^(anybody|all|empty)\@/ || $map eq 'tls' && $want =~ /\|/;
        $text .= "$map|$key|OK " . ($stands_for{$want} // $want) . "\n";
    }
    Policyd::spew($file, $text);
    return $text =~ tr/\n//;
}

my ($from_asker, $to_asker, $asker);

sub asker_start {
    my ($d) = @_;
    $asker = open2($from_asker, $to_asker, 't/tools/asker', '-c', 6, '-u', $ENV{POSTROAD_KILLS} ? 0 : 100, $d->{map}, "$d->{dir}/questions");
    return;
}

sub counts {
    print {$to_asker} "\n";
    $to_asker->flush;
    my $line = <$from_asker> // die "the asker is gone\n";
    return { $line =~ /(\w+)=([\d,]+)/g };
}

# A question may break once, and not twice: on a busy machine whoever was asking at a kill must have been
# answered before the next one. So each of the clients has had an answer since.
sub all_answered {
    my @then = split /,/, counts()->{each};
    Policyd::wait_for(sub {
        my @now = split /,/, counts()->{each};
        return !grep { $now[$_] <= $then[$_] } 0 .. $#then;
    }, 60) or diag("a client waits for ever: @then");
    return;
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

sub asker_end {
    close $to_asker;
    1 while <$from_asker>;
    waitpid $asker, 0;
    undef $asker;
    return exit_code();
}
END { kill 'KILL', $asker if $asker }

# Meanwhile everybody was answered, and answered right.
my %before = (asked => 0);
sub unharmed {
    my ($what) = @_;
    my $asked = $before{asked};
    Policyd::wait_for(sub { %before = %{ counts() }; $before{asked} > $asked + 100 });
    is_deeply([@before{qw(failed temp notfound wrong)}], [0, 0, 0, 0], "$what: "
          . ($before{asked} - $asked) . " questions answered, the slowest in $before{slowest_ms} ms");
    return;
}

# The processes that give a sign of life, as control sees them.
sub beating {
    my ($d) = @_;
    my $status = eval { decode_json(`ctl/postroad -c '$d->{conf}' --json status 2>&1`) } // {};
    return grep { $_ } map { defined $_->{beat_age_ms} && $_->{pid} } @{ $status->{roles} // [] };
}

# Until all roles are there, live, and none of those is among them.
sub replaced {
    my ($d, @old) = @_;
    my %old = map { $_ => 1 } @old;
    return Policyd::wait_for(sub {
        my %now = map { $_ => [ $d->pids($_) ] } @roles;
        return 0 if (grep { @{ $now{$_} } != $per_role{$_} } @roles) || (grep { $old{$_} } map { @$_ } values %now);
        my %beats = map { $_ => 1 } beating($d);
        return !grep { !$beats{$_} } map { @$_ } values %now;
    }, 60);
}

# Nobody died but by our hand.
sub ends_well {
    my ($of) = @_;
    $of->{mark} = 0;
    my @other = grep { !/by="signal 9"/ } $of->log_text =~ /(.*role died.*|.*Sanitizer.*|.*panic.*)/g;
    is("@other", '', 'no role died by itself');
    return;
}

my $d = with_sockets();
cmp_ok(questions("$d->{dir}/questions"), '>', 30, 'there are questions enough');
ok($d->start, 'it starts') or BAIL_OUT($d->log_text);
asker_start($d);
unharmed('at rest');

# --- kill -9
for my $role (@roles) {
    my $back = 1;
    for (1 .. 4) {
        my ($pid) = $d->pids($role);
        kill 'KILL', $pid;
        $back &&= replaced($d, $pid);
        all_answered();
    }
    ok($back, "$role: killed 4 times, and back each time");
    unharmed("$role killed");
}
{
    my @old = map { $d->pids($_) } @roles;
    # One after the other would send who lost the first answer worker to the second one, to break again there.
    kill 'STOP', @old;
    Policyd::wait_for(sub { !grep { alive($_) && !stopped($_) } @old }, 2);
    kill 'KILL', @old;
    ok(replaced($d, @old), 'all roles killed at once: all are back');
    unharmed('all roles killed at once');
}
my @each = map { ($_) x $per_role{$_} } @roles;
for my $n (1 .. $kills) {
    my ($role, $which) = ($each[ rand @each ], rand);
    my @alive = $d->pids($role);
    kill 'KILL', $alive[ $which * @alive ] if @alive;
    sleep rand 0.1;
    all_answered();
}
ok(replaced($d), "roles killed at random, $kills times: all are back");
unharmed("roles killed at random, seed $seed");

# --- roles that hang
{
    my %pid = map { my ($pid) = $d->pids($_); ($_ => $pid) } @roles;
    my ($began, %took) = (time);
    Policyd::wait_for(sub {
        for my $role (grep { !$took{$_} } @roles) {
            $took{$role} = time - $began if !$d->freeze($role, $pid{$role}) && $d->pids($role) == $per_role{$role};
        }
        return keys %took == @roles;
    });
    # 3 s are promised; a busy machine is given more to start the new one in.
    cmp_ok($took{$_} // 99, '<', 12, sprintf '%s hangs: replaced after %.1f s', $_, $took{$_} // 99) for @roles;
    unharmed('roles that hang');
    my @workers = $d->pids('answer');
    Policyd::wait_for(sub { !$d->freeze('answer', @workers) }, 60);
    ok(replaced($d, @workers), 'both answer workers hang, and are replaced');
    unharmed('both answer workers hung');
}

# --- reload
for my $n (1 .. 4) {
    my @old = map { $d->pids($_) } @roles;
    $d->mark;
    kill 'HUP', $d->{pid};
    $d->wait_log(qr/: reloaded file=/);
    ok(replaced($d, @old), "reload $n: all roles are new ones");
}
unharmed('reloaded');
is(asker_end(), 0, 'no client had cause to complain');
is($d->stop, 0, 'it ends with exit code 0');
ends_well($d);

# --- the whole daemon, behind sockets that somebody else holds, as systemd does
$d = with_sockets();
questions("$d->{dir}/questions");
mkdir "$d->{dir}/run";
my @held = map { IO::Socket::UNIX->new(Local => $d->{$_}, Listen => 512) || die "$_: $!\n" } qw(map policy);

# Whoever is a parent of orphans here need not have collected them.
sub alive {
    my ($pid) = @_;
    return (eval { slurp("/proc/$pid/stat") } // q{}) =~ /\) [^ZX] /;
}

sub stopped {
    my ($pid) = @_;
    return (eval { slurp("/proc/$pid/stat") } // q{}) =~ /\) T /;
}

sub start_held {
    return $d->start(sub {
        require POSIX;
        POSIX::dup2(fileno $held[$_], 30 + $_) for 0 .. 1;
        POSIX::dup2(30 + $_, 3 + $_), POSIX::close(30 + $_) for 0 .. 1;
        @ENV{qw(LISTEN_PID LISTEN_FDS)} = ($$, 2);
    });
}
ok(start_held(), 'it starts with sockets held by us') or BAIL_OUT($d->log_text);
%before = (asked => 0);
asker_start($d);
unharmed('at rest');
for my $signal (qw(TERM KILL TERM KILL)) {
    my @old = map { $d->pids($_) } @roles;
    kill $signal, $d->{pid};
    # A service manager, too, waits for all of it to be gone: so long control's socket is in use.
    Policyd::wait_for(sub { !$d->running && !grep { alive($_) } @old });
    $d->mark;
    ok(start_held(), "the daemon ended by SIG$signal, and started again") or BAIL_OUT($d->log_text);
    unharmed("ended by SIG$signal");
}
{
    my $fh = $d->connection($d->{policy});
    syswrite $fh, "request=smtpd_access_policy\nprotocol_state=RCPT\n\n";
    is(scalar(<$fh>), "action=DUNNO\n", 'the policy socket answers too');
}
is(asker_end(), 0, 'no client had cause to complain');
is($d->stop, 0, 'it ends with exit code 0');
ends_well($d);
ok(-S $d->{$_}, "the $_ socket is left to whom it belongs") for qw(map policy);

# --- roles that run in a circle: waiting for work, in the middle of a lookup, of an entry
SKIP: {
    my $shim = abs_path('t/tools/spin_preload.so');
    skip 'no t/tools/spin_preload.so', 1 unless -e $shim;
    skip 'a sanitizer wants to be loaded first', 1 if index(slurp($Policyd::program), '__asan_init') >= 0;
    $d = with_sockets();
    questions("$d->{dir}/questions");
    my ($block, $ldif) = ("$d->{dir}/spin", "$d->{dir}/directory.ldif");
    my ($tree, $more) = (slurp('t/tables/maps.ldif'), 0);
    Policyd::spew($ldif, $tree);
    $d->write_conf(directory => "{ ldif = \"$ldif\"; }");
    open my $memory, '+>:raw', $block or die "$block: $!\n";
    syswrite $memory, pack 'V10', (0) x 10;
    ok($d->start(sub { @ENV{qw(LD_PRELOAD SPIN_BLOCK)} = ($shim, $block) }), 'it starts') or BAIL_OUT($d->log_text);
    %before = (asked => 0);
    asker_start($d);
    unharmed('at rest');
    my %number = (answer => 1, sync => 2, control => 3, policy => 4);
    my %place = (1 => 'waiting for work', 2 => 'reading the mirror', 3 => 'writing an entry');
    my %work = (
        control => sub { my $c = $d->connection("$d->{dir}/run/control"); syswrite $c, "{\"verb\":\"status\"}\n"; return $c },
        sync => sub { $more++; Policyd::spew($ldif, "$tree\ndn: uid=more$more,o=t\nobjectClass: account\nuid: more$more\n") },
    );
    my $taken = sub { sysseek $memory, 8 * $number{ $_[0] } + 4, 0; sysread $memory, my $pid, 4; return unpack 'V', $pid };
    for my $round ({ answer => 1, policy => 1, control => 1, sync => 1 }, { answer => 2, control => 2 }, { sync => 3 }) {
        sysseek $memory, 0, 0;
        syswrite $memory, pack 'V10', 0, 0, map { ($round->{$_} // 0, 0) } sort { $number{$a} <=> $number{$b} } keys %number;
        my @busy = map { $work{$_} ? $work{$_}->() : () } keys %$round;
        my (%since, %took, %pid);
        Policyd::wait_for(sub {
            for my $role (grep { !defined $took{$_} } keys %$round) {
                $pid{$role} ||= $taken->($role) or next;
                $since{$role} //= time;
                $took{$role} = time - $since{$role} if !grep { $_ == $pid{$role} } $d->pids($role);
            }
            return keys %took == keys %$round;
        });
        # Who only works is found out by the CPU time he took, which on a busy machine comes slowly.
        cmp_ok($took{$_} // 99, '<', 12, sprintf '%s runs in a circle, %s: ended after %.1f s', $_, $place{ $round->{$_} }, $took{$_} // 99)
            for sort keys %$round;
        ok(replaced($d, values %pid), 'and all are replaced');
    }
    unharmed('roles that ran in a circle');
    is(asker_end(), 0, 'no client had cause to complain');
    is($d->stop, 0, 'it ends with exit code 0');
    ends_well($d);
}

done_testing();
