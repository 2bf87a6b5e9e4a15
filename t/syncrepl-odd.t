#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Providers that do what a slapd in good order never does: a small LDAP server of
# our own plays a script of messages, and notes which cookies it is shown. Shows
# what each kind of refresh removes, which result forgets the cookie, and that
# nothing a provider sends (or stops sending) harms the mirror or the role.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";

# --- BER, as much as is needed

sub tlv {
    my ($tag, @content) = @_;
    my $v = join '', @content;
    my $n = length $v;
    return chr($tag) . ($n < 128 ? chr $n : $n < 65536 ? "\x82" . pack('n', $n) : "\x83" . substr(pack('N', $n), 1)) . $v;
}
sub seq { return tlv(0x30, @_) }
sub str { return tlv(0x04, $_[0]) }
sub int_ { return tlv(0x02, chr $_[0]) }
sub enum { return tlv(0x0a, $_[0] > 127 ? pack('n', $_[0]) : chr $_[0]) }
sub bool { return tlv(0x01, $_[0] ? "\xff" : "\0") }

# The first element of $$in: (tag, content); it is taken off. Empty when it is not whole.
sub take {
    my ($in) = @_;
    my ($tag, $n) = unpack 'CC', $$in;
    return unless defined $n;
    my $at = 2;
    if ($n & 0x80) {
        my $bytes = $n & 0x7f;
        return if length $$in < 2 + $bytes;
        $n = 0;
        $n = $n << 8 | ord substr($$in, $at++, 1) for 1 .. $bytes;
    }
    return if length $$in < $at + $n;
    my $v = substr $$in, $at, $n;
    substr($$in, 0, $at + $n) = '';
    return ($tag, $v);
}

my $STATE = '1.3.6.1.4.1.4203.1.9.1.2';
my $INFO = '1.3.6.1.4.1.4203.1.9.1.4';

sub uuid { return pack 'a16', $_[0] }

# Messages of a script: each is a function of the message id.
sub message { my ($op, @controls) = @_; return sub { seq(int_($_[0]), $op, @controls ? tlv(0xa0, @controls) : ()) } }
sub state_of {
    my ($state, $uuid, $cookie) = @_;
    return seq(str($STATE), str(seq(enum($state), str(uuid($uuid)), defined $cookie ? str($cookie) : ())));
}
sub entry {
    my ($uuid, $dn, $attrs, $cookie, $state) = @_;
    my @attrs = map { seq(str($_), tlv(0x31, map { str($_) } @{ $attrs->{$_} })) } sort keys %$attrs;
    return message(tlv(0x64, str($dn), seq(@attrs)), state_of($state // 1, $uuid, $cookie));
}
sub person {
    my ($uid, @more) = @_;
    return entry($uid, "uid=$uid,dc=a.example,o=corp", { objectClass => ['inetOrgPerson', 'postroadAccount'],
        mail => ["$uid\@a.example"] }, @more);
}
sub present { my ($uuid) = @_; return entry($uuid, "uid=$uuid,dc=a.example,o=corp", {}, undef, 0) }
sub gone { my ($uuid, $cookie) = @_; return entry($uuid, "uid=$uuid,dc=a.example,o=corp", {}, $cookie, 3) }
sub info { my ($value) = @_; return message(tlv(0x79, tlv(0x80, $INFO), tlv(0x81, $value))) }
sub phase { my ($tag, $cookie, $more) = @_; return info(tlv($tag, defined $cookie ? str($cookie) : (), $more ? bool(0) : ())) }
sub delete_done { return phase(0xa1, @_) }
sub present_done { return phase(0xa2, @_) }
sub set { my ($deletes, @uuids) = @_; return info(tlv(0xa3, $deletes ? bool(1) : (), tlv(0x31, map { str(uuid($_)) } @uuids))) }
sub result { my ($code, $text) = @_; return message(tlv(0x65, enum($code), str(''), str($text // ''))) }
sub raw { my ($bytes) = @_; return sub { $bytes } }
sub close_now { return sub { undef } }

my @tree = (
    entry('corp', 'o=corp', { objectClass => ['organization'] }),
    entry('dom', 'dc=a.example,o=corp', { objectClass => ['domain', 'postroadDomain'], associatedDomain => ['a.example'] }),
);
sub csn { my ($n) = @_; return sprintf 'rid=000,sid=001,csn=20261121195500.%06dZ#000000#001#000000', $n }
sub presented { my ($n) = @_; return csn($n) =~ s/sid=001,//r }

# --- the provider: a process that plays one script for each search

my $SOCK = "$dir/odd";

# Content of the request control: its cookie, '-' without one.
sub cookie_of {
    my ($controls) = @_;
    my ($cookie) = '-';
    while (length $controls) {
        my (undef, $control) = take(\$controls) or last;
        my (undef, $oid) = take(\$control);
        next if $oid ne '1.3.6.1.4.1.4203.1.9.1.1';
        my (undef, undef) = take(\$control); # critical
        my (undef, $value) = take(\$control);
        my (undef, $inner) = take(\$value);
        take(\$inner); # mode
        my ($tag, $v) = take(\$inner);
        $cookie = $v if $tag == 4;
    }
    return $cookie;
}

# One request answered; 0 when the connection is to be closed.
sub answer {
    my ($c, $message, $scripts) = @_;
    my (undef, $id) = take(\$message);
    my ($op, $body) = take(\$message);
    $id = ord $id;
    return syswrite $c, seq(int_($id), tlv(0x61, enum(0), str(''), str(''))) if $op == 0x60;
    return $op != 0x42 if $op != 0x63;
    take(\$body); # base
    my (undef, $scope) = take(\$body);
    return syswrite $c, result(0)->($id) if ord $scope == 0;
    my (undef, $controls) = take(\$message);
    open my $note, '>>', "$dir/cookies";
    print $note cookie_of($controls) . "\n";
    close $note;
    my $script = @$scripts > 1 ? shift @$scripts : $scripts->[0];
    for my $m (@$script) {
        my $bytes = $m->($id) // return 0;
        syswrite $c, $bytes;
    }
    return 1;
}

sub serve {
    my (@scripts) = @_;
    my $listen = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $SOCK, Listen => 5) or die "$SOCK: $!";
    $SIG{PIPE} = 'IGNORE';
    while (my $c = $listen->accept) {
        my $in = '';
        my $open = 1;
        while ($open && sysread $c, $in, 65536, length $in) {
            while ($open && (my ($tag, $m) = take(\$in))) {
                $open = answer($c, $m, \@scripts);
            }
        }
        close $c;
    }
}

my $provider;
sub provider {
    my (@scripts) = @_;
    stop_pid($provider) if $provider;
    unlink $SOCK, "$dir/cookies";
    $provider = spawn_sub(sub { serve(@scripts) });
    wait_for(30, sub { -S $SOCK });
}

sub cookies { return split /\n/, slurp("$dir/cookies") }

(my $path = $SOCK) =~ s{/}{%2F}g;
my $directory = qq{uri = "ldapi://$path"; base = "o=corp"; timeout = 2; heartbeat = 1; retry_min = 1; retry_max = 1; sweep_floor = 20;};

sub in_persist { my ($what) = @_; ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), $what) or diag(source()->{error}) }
sub found { my ($uid) = @_; return lookup('mailbox', "$uid\@a.example") eq 'OK OK' }
sub entries { return status()->{mirror}{entries} // -1 }

# A daemon with a mirror of the tree, a, b and c, refreshed up to cookie 1.
sub begin {
    my (@more) = @_;
    policyd_stop_and_forget();
    provider([@tree, map({ person($_) } qw(a b c)), delete_done(csn(1))], @more);
    policyd_start($directory);
    in_persist('a refresh without cookie');
    ok(wait_for(30, sub { found('a') && entries() == 5 }), 'is there');
}

my $running;
sub policyd_stop_and_forget { is(policyd_stop(), 0, 'policyd ends in order') if $running++; run('', 'rm', '-rf', "$dir/state") }

# The next connection plays the next script.
sub again { my ($what) = @_; my $n = cookies(); policyd_stop(); policyd_start($directory); ok(wait_for(30, sub { cookies() > $n }), $what) }

# --- phases

begin([person('d'), gone('a'), delete_done(csn(2))]);
again('resume: delete phase');
in_persist('is done');
is_deeply([cookies()], ['-', presented(1)], 'the cookie was presented without sid');
ok(wait_for(30, sub { found('d') && !found('a') }), 'what was named is added and deleted');
ok(found('b') && found('c'), 'what was not named is unchanged');

begin([person('d'), set(0, 'corp', 'dom', 'b'), present('c'), present_done(csn(2))]);
again('resume: present phase');
in_persist('is done');
ok(wait_for(30, sub { found('d') && !found('a') }), 'what was not named is swept');
ok(found('b') && found('c'), 'what was named in a set or as an entry is not');

begin([set(0, 'corp', 'dom', 'b', 'c'), present_done(undef, 1), person('d'), gone('b'), delete_done(csn(2))]);
again('resume: present phase, then delete phase');
in_persist('is done');
ok(wait_for(30, sub { found('d') }), 'what was added between is there');
ok(!found('a') && !found('b') && found('c'), 'and both removed what they had to');

begin([set(1, 'a', 'b'), delete_done()]);
again('resume: a set to delete, and no cookie at the end');
in_persist('is done');
ok(wait_for(30, sub { !found('a') && !found('b') }), 'they are gone');
again('once more');
is((cookies())[-1], presented(1), 'the old cookie was kept');

# --- in the persist phase
begin([person('d', csn(2)), gone('a', csn(3)), info(tlv(0x80, csn(4))), close_now()], [delete_done()]);
ok(1, 'changes before the refresh is done:');
again('their cookies');
again('are not kept');
is((cookies())[-1], presented(1), 'as the refresh was not completed');

begin([delete_done(), person('d', csn(2)), info(tlv(0x80, 'rid=001,csn=20261121195500.000009Z#000000#002#000000')), close_now()], [delete_done()]);
again('changes after it:');
ok(wait_for(30, sub { cookies() >= 3 }), 'their cookies');
is((cookies())[-1], presented(2) . ';20261121195500.000009Z#000000#002#000000', 'are kept, merged by SID');
ok(found('d'), 'with the data');

begin([result(4096, 'too old')], [@tree, map({ person($_) } qw(a b e)), delete_done(csn(5))]);
again('4096: the cookie');
in_persist('is forgotten and all is read anew');
is((cookies())[-1], '-', 'without a cookie');
ok(wait_for(30, sub { found('e') && !found('c') }), 'and swept');

# --- refusals: the mirror answers on
for my $case ([50, 'Insufficient access'], [4, 'Size limit'], [11, 'Administrative limit'], [12, 'Critical extension'], [2, 'Protocol error'], [53, 'Server is unwilling']) {
    my ($code, $text) = @$case;
    begin([result($code, 'because')]);
    again("result $code");
    ok(wait_for(30, sub { (source()->{error} // '') =~ /: $code \Q$text\E.* \(because\)/i }), 'is said') or diag(source()->{error});
    ok(found('a'), 'and the mirror answers');
    like(lookup('mailbox', 'z@a.example'), qr/^TEMP/, 'without calling anybody unknown');
    is((cookies())[-1], $code == 53 ? '-' : presented(1), $code == 53 ? 'the cookie is tried no more' : 'the cookie is kept')
        if wait_for(30, sub { cookies() >= 3 });
}

# --- nonsense
my $half = person('d')->(1);
for my $case (
    ['half a message, then silence', [raw(substr $half, 0, 40)], qr/no answer for 2 s/],
    ['bytes that are no LDAP', [raw('HTTP/1.1 400 Bad Request' . "\r\n" x 40)], qr/connection|no answer/],
    ['a length of 2 GB', [raw("\x30\x84\x7f\xff\xff\xff\x02")], qr/connection|no answer/],
    ['an entry without sync state', [message(tlv(0x64, str('o=corp'), seq()))], qr/does not do content synch/],
    ['a sync state with a short UUID', [message(tlv(0x64, str('o=corp'), seq()), seq(str($STATE), str(seq(enum(1), str('short')))))], qr/sync state that can't be read/],
    ['a sync info that is none', [info("\x85\x01x")], qr/sync info that can't be read/],
    ['a set with a short UUID', [info(tlv(0xa3, tlv(0x31, str('short'))))], qr/sync info that can't be read/],
    ['a second end of the refresh', [delete_done(), present_done(csn(3))], qr/not asked for/],
    ['an end without a beginning', [close_now()], qr/connection/],
) {
    my ($what, $script, $why) = @$case;
    begin($script);
    again($what);
    ok(wait_for(30, sub { (source()->{error} // '') =~ $why }), 'is noticed') or diag(source()->{error});
    ok(found('a') && found('b') && found('c'), 'and harms nothing');
    my ($role) = grep { $_->{name} eq 'sync' } @{ status()->{roles} };
    is($role->{restarts}, 0, 'nor the role');
}

# --- entries that make no sense
begin([entry('x', 'nonsense', { mail => ['x@a.example'] }), entry('y', 'uid=y,o=elsewhere', { objectClass => ['postroadAccount'], mail => ['y@a.example'] }),
    entry('z', 'uid=' . 'z' x 600 . ',o=corp', { objectClass => ['postroadAccount'], mail => ['z@a.example'] }),
    entry('big', 'cn=big,o=corp', { objectClass => ['groupOfNames', 'postroadList'], mail => ['big@a.example'],
        member => [map { "uid=member-with-a-long-name-$_,ou=department,dc=a.example,o=corp" } 1 .. 70000] }),
    person('d'), delete_done(csn(2))]);
again('entries that make no sense');
in_persist('are no obstacle');
ok(wait_for(30, sub { found('d') }), 'the others are there');
ok(found('big'), 'a list larger than a record is not unknown');
cmp_ok(status()->{bad}{count}, '>=', 2, 'they are counted');

# --- another kind of cookie
policyd_stop_and_forget();
provider([@tree, person('a'), delete_done('ldap.example:389#cn=x:o=corp#1')], [delete_done('ldap.example:389#cn=x:o=corp#2')]);
policyd_start($directory);
in_persist("another server's cookie");
again('is presented');
in_persist('as it is');
is((cookies())[-1], 'ldap.example:389#cn=x:o=corp#1', 'byte for byte');
again('the newest');
is((cookies())[-1], 'ldap.example:389#cn=x:o=corp#2', 'counts');
is(policyd_stop(), 0, 'policyd ends in order');

done_testing;
