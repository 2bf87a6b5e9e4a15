#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The directory as an LDIF file, through the running daemon: loaded, reloaded when
# it changes, left alone when it is broken, known again after a restart, and
# guarded against a file that lost most of its entries.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Handle;
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";

my $file = "$dir/directory.ldif";

sub entry {
    my ($dn, @lines) = @_;
    return join("\n", "dn: $dn", @lines) . "\n\n";
}

sub person {
    my ($uid, @lines) = @_;
    return entry("uid=$uid,ou=hr,dc=a.example,ou=domains,o=corp", 'objectClass: inetOrgPerson',
        'objectClass: postroadAccount', "uid: $uid", "cn: $uid", "sn: $uid", "mail: $uid\@a.example", @lines);
}

my $base = entry('o=corp', 'objectClass: organization', 'o: corp')
    . entry('cn=sites,o=corp', 'objectClass: organizationalRole', 'cn: sites')
    . entry('cn=hebei,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: hebei',
        'postroadNextHop: 10 relay:[192.0.2.1]:25')
    . entry('cn=shandong,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: shandong',
        'postroadNextHop: 10 relay:[192.0.2.2]:25')
    . entry('ou=domains,o=corp', 'objectClass: organizationalUnit', 'ou: domains')
    . entry('dc=a.example,ou=domains,o=corp', 'objectClass: domain', 'objectClass: postroadDomain',
        'dc: a.example', 'associatedDomain: a.example', 'postroadHomeSite: hebei')
    . entry('ou=hr,dc=a.example,ou=domains,o=corp', 'objectClass: organizationalUnit', 'ou: hr');
my $people = join '', map { person("p$_") } 1 .. 60;
my $alice = person('alice', 'postroadHomeSite: shandong');
my $good = "version: 1\n\n$base$people$alice";

sub phase_is { my ($phase) = @_; return sub { (source()->{phase} // '') eq $phase } }

# What status says comes a moment after what lookups say: until it is so; what it says then.
sub becomes {
    my ($get, $want, $what) = @_;
    wait_for(30, sub { ($get->() // '') =~ $want });
    return like($get->(), $want, $what);
}

# How often the log has a line like this.
sub logged { my ($what) = @_; return scalar(() = policyd_log() =~ /$what/g) }

spew($file, $good);
ok(policyd_start(qq(ldif = "$file";)), 'policyd starts');
ok(wait_for(30, phase_is('loaded')), 'the file is loaded');
ok(wait_for(30, sub { (status()->{mirror}{entries} // 0) == 68 }), 'all entries of it');
is(lookup('mailbox', 'alice@a.example'), 'OK OK', 'an address in it');
like(lookup('transport', 'alice@a.example'), qr/^OK relay:\[192\.0\.2\.2\]:25/, 'goes to its site');
like(lookup('mailbox', 'bob@a.example'), qr/^NOTFOUND/, 'one that is not: the file is the truth');

# --- changes
spew($file, $good . person('bob'));
ok(wait_for(30, sub { lookup('mailbox', 'bob@a.example') eq 'OK OK' }), 'a changed file is loaded');
spew($file, $good);
ok(wait_for(30, sub { lookup('mailbox', 'bob@a.example') =~ /^NOTFOUND/ }), 'what it lost is gone');

# --- written in place, slowly: nothing is read before it is left alone
# The longest rest while it was written.
sub write_slowly {
    my ($text) = @_;
    open my $out, '>', $file or die;
    my ($longest, $last) = (0, time);
    for my $part (unpack('(A700)*', $text), "\n") {
        print $out $part;
        $out->flush;
        my $now = time;
        $longest = $now - $last if $now - $last > $longest;
        $last = $now;
        sleep 0.1;
    }
    close $out;
    return $longest;
}

{
    # Where this very test is kept waiting, the file is left alone before it is whole: then there is nothing to see.
    my $refreshes;
    for (1 .. 20) {
        becomes(sub { source()->{phase} }, qr/^loaded$/, 'nothing is being read');
        $refreshes = source()->{refreshes};
        last if write_slowly($good =~ s/alice\@/alicia\@/r) < 0.2;
        wait_for(30, sub { lookup('mailbox', 'alicia@a.example') eq 'OK OK' });
        spew($file, $good);
        wait_for(30, sub { lookup('mailbox', 'alice@a.example') eq 'OK OK' });
    }
    ok(wait_for(30, sub { lookup('mailbox', 'alicia@a.example') eq 'OK OK' }), 'a file written in place');
    becomes(sub { source()->{phase} }, qr/^loaded$/, 'and loaded');
    is(source()->{refreshes}, $refreshes + 1, 'is loaded once, when it is whole');
}
spew($file, $good);
ok(wait_for(30, sub { lookup('mailbox', 'alice@a.example') eq 'OK OK' }), 'and back');

# --- broken files change nothing
sub broken {
    my ($what, $text, $why) = @_;
    my $lines = logged(qr/directory not read/);
    spew($file, $text);
    wait_for(30, sub { logged(qr/directory not read/) > $lines });
    becomes(sub { source()->{error} }, $why, "$what: is reported");
    is(source()->{phase}, 'error', "$what: phase");
    is(lookup('mailbox', 'alice@a.example'), 'OK OK', "$what: changes nothing");
    like(lookup('mailbox', 'new@a.example'), qr/^NOTFOUND/, "$what: and adds nothing");
    is(logged(qr/directory not read/), $lines + 1, "$what: one line in the log");
}
my $new = person('new');
broken('a URL', "$base$new$alice" . person('u', "description:< file:///etc/hostname"), qr/ldif:\d+: values from URLs/);
broken('an include', "$base$new$alice\ninclude: file:///etc/passwd\n", qr/includes are refused/);
broken('a change record', "$base$new$alice" . entry('uid=x,o=corp', 'changetype: delete'), qr/change record/);
broken('a NUL byte', "$base$new$alice# \n" . person("n\0"), qr/a NUL byte/);
broken('wrong base64', "$base$new$alice" . entry('uid=x,o=corp', 'cn:: ***'), qr/base64/);
broken('one DN twice', "$base$new$alice" . person('ALICE'), qr/ldif:\d+: the DN or entryUUID of the record at line \d+ again/);
broken('one entryUUID twice', "$base$new$alice"
    . entry('cn=x,o=corp', 'objectClass: device', 'cn: x', 'entryUUID: 6ba7b810-9dad-11d1-80b4-00c04fd430c8')
    . entry('cn=y,o=corp', 'objectClass: device', 'cn: y', 'entryUUID: 6BA7B810-9dad-11d1-80b4-00c04fd430c8'), qr/again/);
broken('no DN', "$base$new$alice" . entry('nonsense', 'cn: x'), qr/no usable DN: nonsense/);
broken('no common base', "$base$new$alice" . entry('o=other', 'o: other'), qr/no base in common/);
broken('a torn file', substr("$base$new$alice", 0, -30) . "\nxx", qr/attribute: value/);
broken('an empty file', '', qr/no entries/);
{
    open my $out, '>', "$file.new" or die;
    print $out "$base$new$alice" . "dn: uid=x,o=corp\ndescription: ";
    print $out 'x' x (1 << 20) for 1 .. 100;
    close $out;
    rename "$file.new", $file;
    ok(wait_for(30, sub { (source()->{error} // '') =~ /a line longer than 1048576/ }), '100 MB of one line: reported');
    is(lookup('mailbox', 'alice@a.example'), 'OK OK', 'and nothing is changed');
}
unlink $file;
ok(wait_for(30, sub { (source()->{error} // '') =~ /No such file/ }), 'a file that is gone is reported');
is(lookup('mailbox', 'alice@a.example'), 'OK OK', 'and changes nothing');
spew($file, "$good$new");
ok(wait_for(30, sub { lookup('mailbox', 'new@a.example') eq 'OK OK' }), 'a good one again is loaded');
becomes(sub { source()->{phase} }, qr/^loaded$/, 'and the error is over');

# --- entries that make no sense are loaded as far as they do
spew($file, $good . person('lost', 'postroadHomeSite: atlantis') . person('odd', 'postroadState: sleeping')
    . person('twin') =~ s/mail: twin/mail: alice/r . entry('uid=far,ou=nowhere,o=corp', 'objectClass: inetOrgPerson',
        'objectClass: postroadAccount', 'mail: far@a.example'));
ok(wait_for(30, sub { lookup('mailbox', 'lost@a.example') eq 'OK OK' }), 'a home site that does not exist');
like(lookup('transport', 'lost@a.example'), qr/^OK postroad-wait:/, 'its mail waits');
is(lookup('mailbox', 'odd@a.example'), 'OK OK', 'a state nobody knows does not bounce mail');
is(lookup('mailbox', 'far@a.example'), 'OK OK', 'nor does a missing parent');
becomes(sub { status()->{bad}{count} }, qr/^[1-9]/, 'bad entries are counted');
becomes(sub { status()->{duplicates}{count} }, qr/^1$/, 'and addresses that two have');
becomes(sub { status()->{lost_sites}[0]{site} }, qr/^atlantis$/, 'and sites that are none');

# --- restart
spew($file, $good);
ok(wait_for(30, sub { lookup('mailbox', 'lost@a.example') =~ /^NOTFOUND/ }), 'the good file');
is(policyd_stop(), 0, 'policyd ends in order');
ok(policyd_start(qq(ldif = "$file";)), 'and starts again');
ok(wait_for(30, phase_is('loaded')), 'with the file');
is(source()->{refreshes}, 0, 'which it knows already');
is(lookup('mailbox', 'alice@a.example'), 'OK OK', 'and answers');
policyd_stop();
spew($file, 'nonsense');
ok(policyd_start(qq(ldif = "$file";)), 'with a broken file it starts too');
is(lookup('mailbox', 'alice@a.example'), 'OK OK', 'and answers from the mirror');
ok(wait_for(30, phase_is('error')), 'and says what is wrong');
spew($file, $good);
ok(wait_for(30, phase_is('loaded')), 'until the file is good');

# --- the guard
spew($file, "$base$alice");
ok(wait_for(30, phase_is('refused')), 'a file that lost most entries is refused');
is(source()->{would_sweep}, 60, 'it says how many would go');
is(lookup('mailbox', 'p7@a.example'), 'OK OK', 'and none has gone');
is(logged(qr/sweep refused/), 1, 'one line in the log');
ok(control(verb => 'sweep-accept', reason => 'a test')->{ok}, 'an administrator accepts');
ok(wait_for(30, phase_is('loaded')), 'it is loaded');
like(lookup('mailbox', 'p7@a.example'), qr/^NOTFOUND/, 'and they are gone');
is(source()->{would_sweep}, 0, 'nothing is waiting');
ok(!control(verb => 'sweep-accept', reason => 'a test')->{ok}, 'there is nothing more to accept');

# --- another tree altogether
policyd_stop();
run('', 'rm', '-r', "$dir/state");
spew($file, "$base$alice");
policyd_start(qq(ldif = "$file";));
ok(wait_for(30, sub { lookup('transport', 'alice@a.example') =~ /192\.0\.2\.2/ }), 'a small tree');
spew($file, "$base$alice" =~ s/o=corp/o=other/gr =~ s/^o: corp/o: other/r =~ s/192\.0\.2\.2/192.0.2.9/r);
ok(wait_for(30, sub { lookup('transport', 'alice@a.example') =~ /192\.0\.2\.9/ }), 'one with another base takes its place');
becomes(sub { status()->{mirror}{entries} }, qr/^8$/, 'whole');

# --- changed while it is read: an old beginning and a new end are not what anybody wrote
policyd_stop();
run('', 'rm', '-r', "$dir/state");
spew($file, "$base$alice");
policyd_start(qq(ldif = "$file";));
ok(wait_for(30, sub { lookup('mailbox', 'alice@a.example') eq 'OK OK' }), 'a small tree once more');
{
    my ($sync) = map { $_->{pid} } grep { $_->{name} eq 'sync' } @{ status()->{roles} };
    my $bytes = sub { (slurp("/proc/$sync/io") =~ /^rchar: (\d+)/m)[0] // 0 };
    # It reads all of it, and then once more, into the mirror: to be stopped there. On a busy machine we may come
    # too late; with more to read we don't.
    my ($text, $refreshes, $read);
    for my $people (20_000, 60_000, 150_000) {
        $refreshes = source()->{refreshes};
        $text = $base . person('early1') . join('', map { person("m$_") } 1 .. $people) . person('later1');
        my ($begin, $until) = ($bytes->(), time + 60);
        spew($file, $text);
        1 while ($read = $bytes->() - $begin) < 1.1 * length $text && time < $until;
        kill 'STOP', $sync;
        last if $read < 1.7 * length $text;
        kill 'CONT', $sync;
        wait_for(60, sub { source()->{refreshes} > $refreshes });
    }
    cmp_ok($read, '<', 1.7 * length $text, 'stopped in the middle of reading');
    open my $out, '+<', $file or die;
    for my $who (qw(early later)) {
        my $at = index $text, "mail: ${who}1\@";
        sysseek $out, $at, 0;
        syswrite $out, "mail: ${who}2\@";
    }
    close $out;
    kill 'CONT', $sync;
    ok(wait_for(60, sub { lookup('mailbox', 'later2@a.example') eq 'OK OK' }), 'the new end is there');
    becomes(sub { source()->{phase} }, qr/^loaded$/, 'and loaded');
    like(lookup('mailbox', 'early1@a.example'), qr/^NOTFOUND/, 'never with the old beginning');
    like(policyd_log(), qr/the file was changed while it was read/, 'the log says so');
    is(source()->{refreshes}, $refreshes + 1, 'it was loaded once, as a whole');
}

# --- no room
policyd_stop();
run('', 'rm', '-r', "$dir/state");
spew($file, "$base$alice");
policyd_start(qq(ldif = "$file";), "mirror: { size = 1; };\n");
ok(wait_for(30, sub { lookup('mailbox', 'alice@a.example') eq 'OK OK' }), 'a store of 1 MiB');
spew($file, $base . join '', map { person("q$_") } 1 .. 6000);
ok(wait_for(30, phase_is('unread')), 'is too small for 6,000 people');
like(source()->{error}, qr/ldif:\d+: mirror: .*(MDB_MAP_FULL|full)/, 'which is said');
is(lookup('mailbox', 'alice@a.example'), 'OK OK', 'and changes nothing');
spew($file, "$base$alice" . person('bob'));
ok(wait_for(30, sub { lookup('mailbox', 'bob@a.example') eq 'OK OK' }), 'nor is the store any the worse');

my ($deaths) = grep { $_->{name} eq 'sync' } @{ status()->{roles} };
is($deaths->{restarts}, 0, 'the role was never restarted');
is(policyd_stop(), 0, 'policyd ends in order');

done_testing;
