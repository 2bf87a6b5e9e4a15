#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What may fail around postroad-policyd on its own host: disk, mirror, permissions, clock. Known
# addresses are answered all the while if the mirror can be read at all, nobody whom the directory
# has is called unknown, and when the cause is gone all is as before, without a restart by hand.
use strict;
use warnings;
use Cwd qw(getcwd);
use lib 't';
use Policyd;
use Test::More;
use Time::HiRes qw(time sleep);

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';

# Small file systems of our own need a mount namespace; what is mounted goes with it.
my $namespace = $ENV{POSTROAD_NAMESPACE};
if ($> == 0 && !$namespace && system('unshare --mount true 2>/dev/null') == 0) {
    $ENV{POSTROAD_NAMESPACE} = 1;
    exec qw(unshare --mount --propagation private perl), $0;
}

my $LOCAL = 'OK lmtp:unix:private/dovecot-lmtp';

# A small directory: a domain, and these people in it, each with some bytes of description.
sub ldif {
    my ($bytes, @people) = @_;
    my $name = 'x' x $bytes;
    return "dn: o=corp\nobjectClass: organization\no: corp\n\n"
        . "dn: cn=sites,o=corp\nobjectClass: organizationalRole\ncn: sites\n\n"
        . "dn: cn=hebei,cn=sites,o=corp\nobjectClass: postroadSite\ncn: hebei\n\n"
        . "dn: dc=a.example,o=corp\nobjectClass: domain\nobjectClass: postroadDomain\ndc: a.example\n"
        . "associatedDomain: a.example\npostroadHomeSite: hebei\n\n"
        . join '', map { "dn: uid=$_,dc=a.example,o=corp\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\n"
            . "uid: $_\ncn: $name\nsn: x\nmail: $_\@a.example\n\n" } @people;
}

sub crowd { my ($n) = @_; return map { "p$_" } 1 .. $n }

# A daemon that follows a file of its own.
sub daemon {
    my (%o) = @_;
    my $d = Policyd->new(settings => { answer => '{ workers = 2; }', %{ $o{settings} || {} } });
    $d->{ldif} = "$d->{dir}/directory.ldif";
    Policyd::spew($d->{ldif}, $o{ldif} // ldif(10, 'anna', crowd(20)));
    $d->write_conf(directory => "{ ldif = \"$d->{ldif}\"; }");
    return $d;
}

sub is_local {
    my ($d, $uid, $what) = @_;
    return is($d->ask('transport', "$uid\@a.example"), $LOCAL, $what);
}

sub becomes {
    my ($d, $map, $uid, $want, $what) = @_;
    my $got = '';
    Policyd::wait_for(sub { ($got = $d->ask($map, "$uid\@a.example")) eq $want });
    return is($got, $want, $what);
}

# All is as it was: the known are known, the unknown are unknown, changes arrive.
sub is_well {
    my ($d, $what, @people) = @_;
    becomes($d, 'mailbox', 'ghost', 'NOTFOUND ', "$what: who is not there is unknown");
    is_local($d, 'anna', "$what: who is there is answered");
    my $new = 'new' . int rand 1e6;
    Policyd::spew($d->{ldif}, ldif(10, 'anna', @people, $new));
    becomes($d, 'mailbox', $new, 'OK OK', "$what: a change arrives");
}

sub fill {
    my ($file) = @_;
    open my $out, '>', $file or die "$file: $!\n";
    1 while syswrite $out, 'x' x 4096;
    close $out;
}

sub kill_roles {
    my ($d, @roles) = @_;
    my @pids = map { $d->pids($_) } @roles;
    kill 'KILL', @pids;
    return Policyd::wait_for(sub { my %old = map { $_ => 1 } @pids; !grep { $old{$_} } map { $d->pids($_) } @roles });
}

sub inode { return (stat $_[0])[1] // 0 }

# --- the disk of state_dir is full
SKIP: {
    skip 'needs a mount namespace', 1 if !$namespace;
    my $d = daemon();
    mkdir "$d->{dir}/state";
    is(system('mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', "$d->{dir}/state"), 0, 'disk full: a small disk');
    ok($d->start, 'disk full: policyd starts');
    becomes($d, 'mailbox', 'p20', 'OK OK', 'disk full: the file is loaded');
    fill("$d->{dir}/state/rubbish");
    Policyd::spew($d->{ldif}, ldif(100, 'anna', crowd(5000)));
    ok($d->wait_log(qr/directory not read.*No space left/), 'disk full: a change can not be kept, and the log says why');
    is_local($d, 'anna', 'disk full: who is known is answered');
    like($d->ask('mailbox', 'p5000@a.example'), qr/^TEMP/, 'disk full: who is new is not called unknown');
    kill_roles($d, qw(answer sync control));
    is_local($d, 'anna', 'disk full: nor does it matter that all roles are killed');
    like($d->ask('mailbox', 'p5000@a.example'), qr/^TEMP/, 'disk full: who is new is not called unknown');
    is($d->stop, 0, 'disk full: policyd ends in order');
    $d->mark;
    ok($d->start, 'disk full: policyd starts');
    is_local($d, 'anna', 'disk full: and answers');
    is($d->stop, 0, 'disk full: it ends again');

    # LMDB's lock file would be made with holes, and touching one is the end of who does.
    my $was = inode("$d->{dir}/state/mirror/data.mdb");
    unlink "$d->{dir}/state/mirror/lock.mdb";
    fill("$d->{dir}/state/rubbish2");
    $d->mark;
    ok($d->start, 'disk full, no lock file: policyd starts');
    is_local($d, 'anna', 'disk full, no lock file: and answers');
    like($d->ask('mailbox', 'p5000@a.example'), qr/^TEMP/, 'disk full, no lock file: who is new is not called unknown');
    ok($d->wait_log(qr/directory not read.*No space left.*\n(.*\n)*.*directory not read.*No space left/),
        'disk full, no lock file: the directory is tried again and again');
    is_local($d, 'anna', 'disk full, no lock file: who is known is answered all the while');
    unlike($d->log_text, qr/put aside|damaged|signal/, 'disk full, no lock file: nobody dies of it, nor takes it for damage');
    unlink "$d->{dir}/state/rubbish", "$d->{dir}/state/rubbish2";
    becomes($d, 'mailbox', 'p5000', 'OK OK', 'disk full: there is room again, and the change arrives');
    is(inode("$d->{dir}/state/mirror/data.mdb"), $was, 'disk full: in the mirror that was there');
    is_well($d, 'disk full', crowd(5000));
    $d->stop;
    system('umount', "$d->{dir}/state");
}

# --- the mirror is full
{
    my $d = daemon(settings => { mirror => '{ size = 1; }' });
    ok($d->start, 'mirror full: policyd starts');
    Policyd::spew($d->{ldif}, ldif(100, 'anna', crowd(5000)));
    ok($d->wait_log(qr/directory not read.*MDB_MAP_FULL/), 'mirror full: the log says so');
    is_local($d, 'anna', 'mirror full: who is known is answered');
    like($d->ask('mailbox', 'p5000@a.example'), qr/^TEMP/, 'mirror full: who is new is not called unknown');
    $d->write_conf(mirror => '{ size = 64; }');
    kill 'HUP', $d->{pid};
    becomes($d, 'mailbox', 'p5000', 'OK OK', 'mirror full: with a higher mirror.size and a reload all is there');
    is_well($d, 'mirror full', crowd(5000));
    $d->stop;
}

# --- the mirror's files go away, or are no mirror any more

sub overwrite {
    my ($file, $from) = @_;
    open my $out, '+<', $file or die "$file: $!\n";
    my $n = (-s $file) - $from;
    seek $out, $from, 0;
    print $out join '', map { chr(($_ * 7919 + ($_ >> 3)) & 255) } 1 .. $n;
    close $out;
}

# The number of the format is kept in the mirror itself.
sub change_format {
    my ($file) = @_;
    open my $io, '+<:raw', $file or die "$file: $!\n";
    my $bytes = do { local $/; <$io> };
    my $n = $bytes =~ s/format[\x01-\x62](?=\0{7})/format\x63/g;
    seek $io, 0, 0;
    print $io $bytes;
    close $io;
    return $n;
}

my %damage = (
    'mirror deleted' => sub { unlink glob "$_[0]/*" },
    'mirror deleted but for its lock' => sub { unlink "$_[0]/data.mdb" },
    'mirror\'s lock deleted' => sub { unlink "$_[0]/lock.mdb" },
    'mirror\'s folder deleted' => sub { system 'rm', '-r', $_[0] },
    'mirror replaced' => sub { system 'cp', "$_[0]/data.mdb", "$_[0]/copy"; rename "$_[0]/copy", "$_[0]/data.mdb" },
    'mirror emptied' => sub { truncate "$_[0]/data.mdb", 0 },
    'mirror cut short' => sub { truncate "$_[0]/data.mdb", (-s "$_[0]/data.mdb") / 2 },
    'mirror overwritten' => sub { overwrite("$_[0]/data.mdb", 0) },
    'mirror\'s pages overwritten' => sub { overwrite("$_[0]/data.mdb", 8192) },
    'mirror of another format' => sub { change_format("$_[0]/data.mdb") or die "no format in it\n" },
);

# Who is known may be asked to come again, and is never called unknown or sent elsewhere.
sub goes_well {
    my ($d, $what, $n, %got) = @_;
    my $right = delete $got{$LOCAL} // 0;
    my $later = delete($got{"TEMP the mirror can't be read"}) // 0;
    my $cut = delete $got{''} // 0; # by the death of the one who was asked
    is(join(', ', %got), '', "$what: no wrong answer ($n asked: $right right, $later told to come again, $cut cut off)");
    return $later + $cut;
}

# Ask for somebody known until all is well again.
sub ask_on {
    my ($d, $again) = @_;
    my ($n, %got) = 0;
    my $well = Policyd::wait_for(sub {
        my $answer = $d->ask('transport', 'anna@a.example');
        $got{$answer}++;
        $n++;
        return $answer eq $LOCAL && $d->ask('mailbox', 'ghost@a.example') eq 'NOTFOUND '
            && $d->log_text =~ $again;
    });
    return ($well, $n, %got);
}

sub has_open {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/maps" or return 0;
    return scalar grep { m{/mirror/data\.mdb} } <$in>;
}

# All workers have the mirror open before it is damaged.
sub warm_up {
    my ($d) = @_;
    Policyd::wait_for(sub { !grep { !has_open($_) } $d->pids('answer') });
    return;
}

for my $what (sort keys %damage) {
    my $crowd = 300;
    my $d = daemon(ldif => ldif(10, 'anna', crowd($crowd)));
    my $damaged = sub { $damage{$what}->("$d->{dir}/state/mirror") };
    ok($d->start, "$what: policyd starts");
    becomes($d, 'mailbox', "p$crowd", 'OK OK', "$what: the file is loaded");
    warm_up($d);
    if ($what !~ /format/) {
        $d->mark;
        $damaged->();
        my $again = $what =~ /lock deleted/ ? qr/mirror looked over, it is sound/ : qr/directory loaded/;
        my ($well, $n, %got) = ask_on($d, $again);
        ok($well, "$what: while it runs, all is well again by itself") or diag $d->log_text;
        my $lost = goes_well($d, $what, $n, %got);
        is($lost, 0, "$what: who is known was answered all the while") if $what =~ /deleted|replaced/;
        # One reader finds out, or two at once, and whoever was in the middle of it: nobody else goes in.
        my $deaths = () = $d->log_text =~ /role died.* by="signal/g;
        cmp_ok($deaths, '<=', 6, "$what: $deaths died of it, and the others keep away");
        like($d->log_text, $what =~ /lock deleted/ ? qr/mirror opened anew/ : qr/mirror put aside, begun anew/, "$what: the log says so");
    }
    $d->stop;
    $d->mark;
    $damaged->();
    ok($d->start, "$what: while it is stopped, policyd starts") or diag $d->log_text;
    my ($well, $n, %got) = ask_on($d, $what =~ /replaced|lock deleted/ ? qr/ready/ : qr/directory loaded/);
    ok($well, "$what: and all is well by itself") or diag $d->log_text;
    goes_well($d, "$what, a start", $n, %got);
    is_well($d, $what, crowd($crowd));
    is($d->stop, 0, "$what: policyd ends in order");
}

# --- the mirror belongs to somebody else
SKIP: {
    skip 'only root can give files away', 1 if $> != 0;
    my $d = daemon(settings => { user => '"nobody"', group => '"' . getgrgid((getpwnam 'nobody')[3]) . '"' });
    chmod 0755, $d->{dir};
    ok($d->start, 'wrong owner: policyd starts');
    becomes($d, 'mailbox', 'p20', 'OK OK', 'wrong owner: the file is loaded');
    warm_up($d);
    my @owner = (stat "$d->{dir}/state/mirror")[4, 5];
    chown 0, 0, glob "$d->{dir}/state/mirror/* $d->{dir}/state/mirror";
    is_local($d, 'anna', 'wrong owner: who has it open goes on');
    $d->mark;
    kill_roles($d, qw(answer sync));
    ok($d->wait_log(qr/mirror: Permission denied/), 'wrong owner: the log says what is wrong');
    is($d->ask('transport', 'anna@a.example'), "TEMP the mirror can't be read", 'wrong owner: nobody is called unknown');
    is($d->ask('mailbox', 'ghost@a.example'), "TEMP the mirror can't be read", 'wrong owner: nor who is none');
    chown @owner, glob "$d->{dir}/state/mirror/* $d->{dir}/state/mirror";
    becomes($d, 'transport', 'anna', $LOCAL, 'wrong owner: put right, all goes on');
    is_well($d, 'wrong owner', crowd(20));
    $d->stop;
}

# --- the wall clock is stepped
SKIP: {
    my $shim = getcwd() . '/t/tools/clock_preload.so';
    skip 'no t/tools/clock_preload.so', 1 if !-e $shim;
    my $d = daemon();
    my $set = sub { open my $out, '+<', "$d->{dir}/step" or die; syswrite $out, pack 'q', $_[0] };
    Policyd::spew("$d->{dir}/step", pack 'q', 0);
    my $options = join ':', 'verify_asan_link_order=0', $ENV{ASAN_OPTIONS} // ();
    ok($d->start(sub { @ENV{qw(LD_PRELOAD CLOCK_STEP ASAN_OPTIONS)} = ($shim, "$d->{dir}/step", $options) }), 'clock: policyd starts');
    becomes($d, 'mailbox', 'p20', 'OK OK', 'clock: the file is loaded');
    $set->(3600);
    my $told = do { local @ENV{qw(LD_PRELOAD CLOCK_STEP)} = ($shim, "$d->{dir}/step"); `perl -e 'print time'` };
    cmp_ok(abs($told - time - 3600), '<', 60, 'clock: it can be stepped');
    for my $step (3600, -3600, 86400 * 400, 0) {
        $d->mark;
        my $held = $d->connection;
        $set->($step);
        is_well($d, "clock $step s off", crowd(20));
        unlink "$d->{dir}/state/mirror/data.mdb";
        ok($d->wait_log(qr/mirror taken away/), "clock $step s off: a mirror that is gone is missed");
        Policyd::spew($d->{ldif}, ldif(10, crowd(20)));
        becomes($d, 'transport', 'anna', 'NOTFOUND ', "clock $step s off: workers go over to the new one");
        Policyd::spew($d->{ldif}, ldif(10, 'anna', crowd(20)));
        kill_roles($d, 'answer');
        becomes($d, 'transport', 'anna', $LOCAL, "clock $step s off: a change back arrives");
        is_well($d, "clock $step s off, workers are new", crowd(20));
        unlike($d->log_text, qr/stopped beating/, "clock $step s off: nobody is taken for hung");
        next if $step != -3600;
        my ($hung) = $d->pids('answer');
        # Again and again: whatever has it go on, as a test of stopped programs does, is none of ours.
        ok(Policyd::wait_for(sub { kill 'STOP', $hung; $d->log_text =~ /stopped beating, killed role=answer pid=$hung/ }),
            "clock $step s off: but who hangs is");
        ok(Policyd::wait_for(sub { my @now = $d->pids('answer'); @now == 2 && !grep { $_ == $hung } @now }), 'and is replaced');
    }
    is($d->stop, 0, 'clock: policyd ends in order');
}
done_testing;
