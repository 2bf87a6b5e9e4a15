#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The cold tables, read by Postfix's own postmap: they say what the socket says, a reader that
# is running sees each change, they outlive the daemon, and no trouble with them reaches the
# lookups at the socket. The disk that is full needs root, the rest does not.
use strict;
use warnings;
use Fcntl qw(F_SETLK F_RDLCK);
use IPC::Open2;
use lib 't';
use Policyd;
use Test::More;
use Time::HiRes qw(time sleep);

$ENV{PATH} .= ':/usr/sbin:/sbin';
-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
grep { -x "$_/postmap" } split /:/, $ENV{PATH} or plan skip_all => 'postmap is not installed';
$SIG{PIPE} = 'IGNORE';

my $d = Policyd->new;
my $dir = $d->{dir};
my $cold = "$dir/state/cold";
my $ldif = "$dir/directory.ldif";
my @tables = qw(transport mailbox alias domain peer tls);

# postmap needs a configuration, if only an empty one.
mkdir "$dir/postfix";
Policyd::spew("$dir/postfix/main.cf", "compatibility_level = 3.6\n");
Policyd::spew("$dir/postfix/master.cf", '');
grep { /^lmdb$/ } `postconf -c $dir/postfix -m 2>/dev/null` or plan skip_all => 'this Postfix has no lmdb';

sub postmap { return ('postmap', '-c', "$dir/postfix", @_) }

# What Postfix finds: the value, or ''. $root: where the daemon sees its files.
sub found {
    my ($table, $key, $root) = @_;
    open my $out, '-|', postmap('-q', $key, 'lmdb:' . ($root // '') . "$cold/$table") or die;
    my $value = <$out> // '';
    close $out;
    chomp $value;
    return $value;
}

sub table {
    my ($table) = @_;
    open my $out, '-|', postmap('-s', "lmdb:$cold/$table") or die;
    my %row = map { chomp; split /\t/, $_, 2 } <$out>;
    close $out;
    return \%row;
}

# A reader that stays. postmap keeps its answers until it has a block of them: behind each key go
# so many questions with a known answer that a block is full, each time another one's.
my @filler = qw(anna@a.example anna.also@a.example);

sub reader {
    my ($table) = @_;
    my $pid = open2(my $from, my $to, postmap('-q', '-', "lmdb:$cold/$table"));
    return { pid => $pid, from => $from, to => $to, buf => '', turn => 0 };
}

sub ask_reader {
    my ($r, $key) = @_;
    my $filler = $filler[$r->{turn}++ % 2];
    my $answer = '';
    syswrite $r->{to}, join '', map { "$_\n" } $key, ($filler) x 300;
    while (1) {
        my $in = '';
        vec($in, fileno $r->{from}, 1) = 1;
        select($in, undef, undef, 10) or return 'no answer';
        sysread($r->{from}, $r->{buf}, 65536, length $r->{buf}) or return 'it ended';
        while ($r->{buf} =~ s/^(.*?)\t(.*)\n//) {
            return $answer if $1 eq $filler;
            $answer = $2 if $1 eq $key;
        }
    }
}

my %person = (anna => '', berta => "postroadHomeSite: shandong\n", carl => "ou: hr\n");
my $department = 'hebei';

sub entry {
    my ($dn, $class, @lines) = @_;
    my ($type, $value) = $dn =~ /^(\w+)=([^,]+)/;
    return "dn: $dn\n", (map { "objectClass: $_\n" } @$class), "$type: $value\n", @lines, "\n";
}

sub write_ldif {
    my ($many) = @_;
    my @people;
    for my $uid (sort keys %person) {
        my ($more, $in) = ($person{$uid}, 'dc=a.example,o=t');
        $in = "ou=hr,$in" if $more =~ s/^ou: hr\n//m;
        push @people, entry("uid=$uid,$in", [qw(inetOrgPerson postroadAccount)], "cn: $uid\nsn: $uid\n",
            "mail: $uid\@a.example\n", "postroadAlias: $uid.also\@a.example\n", $more);
    }
    push @people, map { entry("uid=u$_,dc=a.example,o=t", [qw(inetOrgPerson postroadAccount)],
        "cn: u$_\nsn: u$_\nmail: u$_\@a.example\n") } 1 .. $many // 0;
    Policyd::spew($ldif, join '', entry('o=t', ['organization']),
        entry('cn=hebei,o=t', ['postroadSite'], "postroadNextHop: 10 relay:[192.0.2.1]:25\n"),
        entry('cn=shandong,o=t', ['postroadSite'], "postroadNextHop: 10 relay:[192.0.2.2]:25\n",
            'postroadCertFingerprint: ' . join(':', ('BB') x 32) . "\n"),
        entry('dc=a.example,o=t', [qw(domain postroadDomain)], "associatedDomain: a.example\npostroadHomeSite: hebei\n"),
        entry('ou=hr,dc=a.example,o=t', [qw(organizationalUnit postroadDepartment)], "postroadHomeSite: $department\n"),
        entry('cn=all,dc=a.example,o=t', [qw(groupOfNames postroadList)], "mail: all\@a.example\n",
            "postroadMember: anna\@a.example\nmember: o=t\n"),
        @people);
}

# How often the process has waited for something: what it does between two looks.
sub looks {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/task/$pid/status" or return 0;
    return (map { /^voluntary_ctxt_switches:\s+(\d+)/ ? $1 : () } <$in>)[0] // 0;
}

sub cold_errors {
    my $status = `ctl/postroad -c '$d->{conf}' --json status 2>/dev/null`;
    return $status =~ /"cold":\s*\{[^}]*"errors":\s*(\d+)/ ? $1 : 0;
}

# Until Postfix finds this; 1, or 0 after $seconds.
sub until_found {
    my ($table, $key, $value, $seconds) = @_;
    return Policyd::wait_for(sub { found($table, $key) eq $value }, $seconds) // 0;
}

my ($LOCAL, $SHANDONG) = ('lmtp:unix:private/dovecot-lmtp', 'relay:[192.0.2.2]:25');
write_ldif();
$d->write_conf(directory => "{ ldif = \"$ldif\"; sweep_guard = 100; }", cold => "{ dir = \"$cold\"; }");
ok($d->start, 'policyd starts') or BAIL_OUT($d->log_text);
ok($d->wait_log(qr/cold table built name=tls/), 'the tables are built');

# --- what is in them ---
is(sprintf('%o', (stat "$cold/transport.lmdb")[2] & 07777), '640', 'they are for owner and group');
is(join(' ', sort map { s/.*\///r } glob "$cold/*"), join(' ', sort map { "$_.lmdb" } @tables), 'and no other file is there');
for my $table (qw(transport mailbox)) {
    my $row = table($table);
    is(join(' ', sort keys %$row), join(' ', sort map { ("$_\@a.example", "$_.also\@a.example") } keys %person),
        "$table: all exact addresses of people, and nothing else");
    is_deeply($row, { map { $_ => $d->ask($table, $_) =~ s/^OK //r } keys %$row }, "$table: says what the socket says");
}
is(found('alias', 'anna.also@a.example'), 'anna@a.example', 'alias: a further address leads to the primary one');
is(found('alias', 'anna@a.example'), 'anna@a.example', 'alias: a primary one to itself, so that nobody need be asked');
is(found('domain', 'a.example'), 'OK', 'domain');
is(found('tls', '[192.0.2.2]:25'), $d->ask('tls', '[192.0.2.2]:25') =~ s/^OK //r, 'tls');
is(found('peer', join(':', ('BB') x 32)), 'shandong', 'peer');
is(found('transport', 'ANNA@A.Example'), $LOCAL, 'Postfix compares without case');
is(found($_, 'nobody@a.example'), '', "$_: unknown is not in it") for qw(transport mailbox alias);
is(found($_, 'all@a.example'), '', "$_: nor are lists") for qw(transport mailbox alias);

# Byte for byte as postmap writes them.
my %theirs = %{ table('transport') };
Policyd::spew("$dir/theirs", join '', map { "$_ $theirs{$_}\n" } sort keys %theirs);
system postmap("lmdb:$dir/theirs");
sub rows_of {
    my ($file) = @_;
    return join '', grep { /^ / } `mdb_dump -n -p $file 2>/dev/null`;
}
SKIP: {
    skip 'mdb_dump is not installed', 1 unless rows_of("$dir/theirs.lmdb");
    is(rows_of("$cold/transport.lmdb"), rows_of("$dir/theirs.lmdb"), 'the same bytes as from postmap');
}

# --- changes, as a running reader sees them ---
my %reader = map { $_ => reader($_) } qw(transport mailbox alias);
is(ask_reader($reader{transport}, 'berta@a.example'), $SHANDONG, 'a reader that stays');

# Change the directory; seconds until the socket says so, and from there until the reader does.
sub change {
    my ($name, $key, $table, $value) = @_;
    write_ldif();
    my $at_socket = $value eq '' ? qr/^(NOTFOUND|TEMP) / : qr/^OK \Q$value\E$/;
    ok(Policyd::wait_for(sub { $d->ask($table, $key) =~ $at_socket }), "$name: the socket says so");
    my $begin = time;
    my $seen = Policyd::wait_for(sub { ask_reader($reader{$table}, $key) eq $value });
    ok($seen, "$name: and so does the table, to a reader that was there before");
    note(sprintf '%s: %.2f s after the socket', $name, time - $begin);
    return;
}

$person{berta} = "postroadHomeSite: hebei\n";
change('moved to another site', 'berta@a.example', 'transport', $LOCAL);
is(found('transport', 'berta.also@a.example'), $LOCAL, 'with all addresses');
$person{dora} = '';
change('a new account', 'dora.also@a.example', 'mailbox', 'OK');
ok(Policyd::wait_for(sub { ask_reader($reader{alias}, 'dora.also@a.example') eq 'dora@a.example' }), 'in all tables');
$person{dora} = "postroadState: moving\n";
change('a mailbox on its way', 'dora@a.example', 'transport', 'postroad-wait:');
$person{dora} = "postroadState: disabled\n";
change('disabled', 'dora@a.example', 'transport', '');
ok(until_found('mailbox', 'dora@a.example', ''), 'in no table');
$person{dora} = "postroadForward: x\@outside.example\n";
change('with a forward', 'dora@a.example', 'transport', $LOCAL);
is(found('alias', 'dora@a.example'), '', 'what he forwards to is not in them');
delete $person{dora};
change('deleted', 'dora@a.example', 'transport', '');
for my $table (qw(mailbox alias)) {
    ok(Policyd::wait_for(sub { ask_reader($reader{$table}, 'dora.also@a.example') eq '' }), "$table: no address is left");
}

# Who has an address that two claim is seen in the further addresses of the other, too.
$person{elder} = "mail: carl\@a.example\ncreateTimestamp: 19990101000000Z\n";
$person{carl} .= "createTimestamp: 20200101000000Z\n";
write_ldif();
ok(Policyd::wait_for(sub { found('alias', 'carl.also@a.example') eq ($d->ask('alias', 'carl.also@a.example') =~ s/^OK //r) }),
    'two claim one address: further addresses follow');
delete $person{elder};
$person{carl} =~ s/^createTimestamp.*\n//m;
write_ldif();
ok(until_found('alias', 'carl.also@a.example', 'carl@a.example'), 'one of them gone: back to what it was');

$department = 'shandong';
change('a department moved', 'carl@a.example', 'transport', $SHANDONG);
ok(until_found('transport', 'carl.also@a.example', $SHANDONG), 'everybody in it, with all addresses');

# --- without the daemon ---
my %before = map { $_ => table($_) } @tables;
my @roles;
Policyd::wait_for(sub { 5 == (@roles = map { $d->pids($_) } qw(cold sync control answer)) });
is(scalar(@roles), 5, 'all roles live');
kill 'KILL', $d->{pid}, @roles;
Policyd::wait_for(sub { !$d->running });
is($d->ask('transport', 'anna@a.example'), '', 'killed: the socket says nothing');
is(found('transport', 'anna@a.example'), $LOCAL, 'Postfix finds him all the same');
is(found('mailbox', 'carl.also@a.example'), 'OK', 'and others');
is_deeply({ map { $_ => table($_) } @tables }, \%before, 'all tables are whole');
is(ask_reader($reader{transport}, 'carl@a.example'), $SHANDONG, 'for readers that were there before, too');

# --- what changed while it was away; what does not belong there goes ---
$person{frank} = '';
delete $person{berta};
write_ldif();
system "printf 'ghost\@a.example OK\n' | " . join ' ', postmap('-i', "lmdb:$cold/mailbox");
is(found('mailbox', 'ghost@a.example'), 'OK', 'somebody wrote into a table');
$d->mark;
ok($d->start, 'it starts again');
ok(until_found('transport', 'frank@a.example', $LOCAL), 'who came meanwhile is there');
ok(until_found('transport', 'berta@a.example', ''), 'who went is not');
ok(until_found('mailbox', 'ghost@a.example', ''), 'nor is who never was');
is(ask_reader($reader{transport}, 'frank@a.example'), $LOCAL, 'in place: the old reader sees it');
unlike($d->log_text, qr/cold table built/, 'nothing was built anew');

# --- role cold alone dies ---
my ($pid) = $d->pids('cold');
kill 'KILL', $pid;
ok(Policyd::wait_for(sub { my ($new) = $d->pids('cold'); $new && $new != $pid }), 'killed, role cold is started anew');
$person{gustav} = '';
change('after that', 'gustav@a.example', 'transport', $LOCAL);

# --- a reader that holds its lock and does not go on ---
open my $held, '<', "$cold/transport.lmdb" or die;
my $lock = pack 's s x4 q q i x4', F_RDLCK, 0, 0, 0, 0; # struct flock
SKIP: {
    fcntl($held, F_SETLK, $lock) or skip "no lock: $!", 5;
    $d->mark;
    $person{hans} = '';
    write_ldif();
    ok(Policyd::wait_for(sub { $d->ask('transport', 'hans@a.example') eq "OK $LOCAL" }), 'a reader stands still: the socket does not care');
    ok($d->wait_log(qr/cold tables are not up to date, .*lock: Device or resource busy/), 'the log says why the table waits');
    is(found('transport', 'anna@a.example'), $LOCAL, 'other readers go on');
    close $held;
    ok(until_found('transport', 'hans@a.example', $LOCAL, 15), 'it went on: the table, too');
    ok($d->wait_log(qr/cold tables are up to date again/), 'and the log says so');
}

# --- a table that is broken, or removed ---
$d->mark;
unlink "$cold/domain.lmdb";
ok($d->wait_log(qr/cold table built name=domain rows=1/), 'removed while it is kept: built anew');
is(found('domain', 'a.example'), 'OK', 'and right');
is($d->stop, 0, 'it ends in order');
truncate "$cold/mailbox.lmdb", 8192;
Policyd::spew("$cold/alias.lmdb", 'x' x 20000);
$d->mark;
ok($d->start, 'it starts over tables that are broken');
ok($d->wait_log(qr/cold table built name=$_ /), "$_ is built anew") for qw(mailbox alias);
is(found('mailbox', 'hans@a.example'), 'OK', 'and right');
is(found('alias', 'hans.also@a.example'), 'hans@a.example', 'both of them');

# --- ten thousand, while somebody reads ---
my $begin = time;
write_ldif(10_000);
my ($asked, $wrong) = (0, 0);
my $steady = reader('transport');
my $all = Policyd::wait_for(sub {
    $asked++;
    $wrong++ if ask_reader($steady, 'frank@a.example') ne $LOCAL;
    return found('transport', 'u10000@a.example') eq $LOCAL;
}, 60);
ok($all, sprintf 'ten thousand accounts more, %.1f s', time - $begin);
is($wrong, 0, "no wrong answer to a reader meanwhile ($asked asked)");
ok(until_found('mailbox', 'u1@a.example', 'OK'), 'in all tables');
ok(Policyd::wait_for(sub { keys %{ table('alias') } == 10_000 + 2 * keys %person }, 60), 'all of them');
is(ask_reader($reader{transport}, 'u9999@a.example'), $LOCAL, 'for readers that were there before the table grew');
$begin = time;
$department = 'hebei';
change('a department moved back', 'carl@a.example', 'transport', $LOCAL);
ok(until_found('transport', 'u1@a.example', '', 30), 'and the ten thousand gone again');

# --- off ---
$d->mark;
$d->write_conf(cold => '{ dir = ""; }');
kill 'HUP', $d->{pid};
ok($d->wait_log(qr/reloaded/) && Policyd::wait_for(sub { !$d->pids('cold') }), 'turned off by a reload: no role cold');
ok(-e "$cold/transport.lmdb", 'the tables stay');
$d->write_conf(cold => "{ dir = \"$cold\"; }");
kill 'HUP', $d->{pid};
ok(Policyd::wait_for(sub { $d->pids('cold') }), 'and on again');
is($d->stop, 0, 'it ends in order');

# --- the mirror is gone, and the directory can't be read ---
{
    write_ldif();
    ok($d->start && until_found('transport', 'u1@a.example', ''), 'started once more');
    is($d->stop, 0, 'it ends in order');
    my %whole = map { $_ => table($_) } @tables;
    system 'rm', '-r', "$dir/state/mirror";
    Policyd::spew($ldif, "no directory\n");
    $d->mark;
    ok($d->start && $d->wait_log(qr/directory not read/), 'it starts without a mirror, which is not filled, either');
    my ($looking) = $d->pids('cold');
    my $looks = looks($looking);
    ok(Policyd::wait_for(sub { looks($looking) > $looks + 10 }), 'the role looks for it again and again');
    is_deeply({ map { $_ => table($_) } @tables }, \%whole, 'no table is emptied');
    $person{ida} = '';
    change('after that', 'ida@a.example', 'transport', $LOCAL);
    is($d->stop, 0, 'it ends in order');
}

# --- a full disk ---
SKIP: {
    skip 'needs root', 6 if $> != 0;
    skip 'no name spaces', 6 if system 'unshare --mount true 2>/dev/null';
    write_ldif();
    $d->mark;
    my $start = "mount -t tmpfs -o size=200k none '$cold' && exec '$Policyd::program' -c '$d->{conf}'";
    ok($d->start(sub { exec 'unshare', '--mount', 'sh', '-c', $start or die }), 'with a small disk for the tables');
    my $root = "/proc/$d->{pid}/root";
    ok(Policyd::wait_for(sub { -e "$root$cold/tls.lmdb" && found('transport', 'anna@a.example', $root) eq $LOCAL }), 'the tables are there');
    write_ldif(10_000);
    ok($d->wait_log(qr/cold tables are not up to date, .*No space left/), 'the disk is full: the log says so') or diag $d->log_text;
    my $errors = cold_errors();
    ok(Policyd::wait_for(sub { cold_errors() >= $errors + 2 }, 30), 'it is tried again and again');
    is(found('transport', 'anna@a.example', $root), $LOCAL, 'the table stays as it was');
    is($d->ask('transport', 'u9999@a.example'), "OK $LOCAL", 'and the socket does not care');
    is($d->stop, 0, 'it ends in order');
}

for (values %reader, $steady) {
    close $_->{to};
    waitpid $_->{pid}, 0;
}
done_testing();
