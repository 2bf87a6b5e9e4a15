#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad-milter against whatever may come in: spoken to by hand in Postfix's place. Ten thousand
# recipients, headers of ten megabytes, bytes that are no text, connections that end at every step or
# speak nonsense: all is counted as it should be, in bounded memory, and nothing is left behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Encode qw(encode_utf8);
use JSON::PP;
use Trial;
use Test::More;
use Time::HiRes qw(time sleep);

my $program = $ENV{POSTROAD_MILTER} // "$top/milter/postroad-milter";
-x $program or plan skip_all => 'milter/postroad-milter is not built';
$SIG{PIPE} = 'IGNORE';

# --- people ---
my $people = 1500;
my $ldif = "dn: o=t\nobjectClass: organization\no: t\n\ndn: cn=hebei,o=t\nobjectClass: postroadSite\ncn: hebei\n"
  . "postroadNextHop: 10 relay:[192.0.2.1]:25\n\ndn: dc=a.example,o=t\nobjectClass: domain\nobjectClass: postroadDomain\n"
  . "dc: a.example\nassociatedDomain: a.example\npostroadHomeSite: hebei\n";
# A department whose name must be told apart from a path, and one in Chinese.
$ldif .= "\ndn: ou=r/d,dc=a.example,o=t\nobjectClass: organizationalUnit\nobjectClass: postroadDepartment\nou: r/d\nentryUUID: 5f1c0000-0000-4000-8000-000000000001\n";
$ldif .= "\ndn: ou=驿路,ou=r/d,dc=a.example,o=t\nobjectClass: organizationalUnit\nobjectClass: postroadDepartment\nou: 驿路\nentryUUID: 5f1c0000-0000-4000-8000-000000000002\n";
for my $n (1 .. $people) {
    my $below = $n == 1 ? 'ou=驿路,ou=r/d,dc=a.example,o=t' : 'dc=a.example,o=t';
    $ldif .= "\ndn: uid=u$n,$below\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\nuid: u$n\ncn: u$n\nsn: u$n\nmail: u$n\@a.example\n";
}
spew("$dir/people.ldif", $ldif);
policyd_start(qq(ldif = "$dir/people.ldif";)) or BAIL_OUT('policyd does not start: ' . policyd_log());
wait_for(30, sub { lookup('mailbox', 'u1@a.example') =~ /^OK/ }) or BAIL_OUT('no directory: ' . policyd_log());
my $conf = slurp("$dir/postroad.conf") =~ s/(?<=sockets: \{)/ milter = "unix:$dir\/milter";/r =~ s/debug/notice/r;
spew("$dir/milter.conf", $conf);

my $milter = Trial::spawn("$dir/milter.log", $program, '-c', "$dir/milter.conf");
wait_for(30, sub { connected("$dir/milter") }) or BAIL_OUT('it does not start: ' . slurp("$dir/milter.log"));

# --- Postfix's part of the protocol ---
sub packet { my ($command, $data) = @_; return pack('N', 1 + length $data) . $command . $data }

sub answer {
    my ($s) = @_;
    my $got = '';
    my $end = time + 20;
    while (time < $end) {
        while (length $got >= 4 && length $got >= 4 + unpack 'N', $got) {
            my $packet = substr $got, 4, unpack 'N', $got;
            return $packet if $packet !~ /^[im]/; # changes of headers come first
            substr($got, 0, 4 + length $packet) = '';
        }
        next unless IO::Select->new($s)->can_read(0.2);
        sysread($s, $got, 65536, length $got) or return 'gone';
    }
    return 'nothing';
}

# One that has agreed on what is said; the answer of the milter to that.
sub negotiated {
    my $s = connected("$dir/milter") or die "no connection\n";
    print {$s} packet('O', pack 'NNN', 6, 0x1ff, 0x1fffff);
    $s->flush;
    return ($s, answer($s));
}

sub begin {
    my ($s, %o) = @_;
    my $login = $o{login} ? packet('D', "M{auth_authen}\0$o{login}\0") : '';
    print {$s} packet('D', "C{daemon_name}\0mx\0"), packet('C', "client\0004" . pack('n', 25) . ($o{client} // '192.0.2.9') . "\0"), $login,
        packet('M', '<' . ($o{from} // 'x@else.example') . ">\0");
}

sub finish {
    my ($s, $queue) = @_;
    print {$s} packet('D', "Ei\0$queue\0"), packet('E', '');
    $s->flush;
    return answer($s);
}

sub records {
    return map { decode_json($_) } split /\n/, join '', map { slurp($_) } sort glob "$dir/state/accounting/*.jsonl";
}
sub of { my ($queue) = @_; return grep { ($_->{queue} // '') eq $queue } records() }
sub memory { return slurp("/proc/$milter/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0 }

# A whole message: its records.
sub message {
    my ($queue, $o, @rest) = @_;
    my ($s) = negotiated();
    begin($s, %$o);
    print {$s} @rest;
    my $said = finish($s, $queue);
    print {$s} packet('Q', '');
    $s->flush;
    return ($said, of($queue));
}
sub rcpt { return map { packet('R', "<$_>\0") } @_ }

# --- what it wants ---
my ($s, $wants) = negotiated();
my ($letter, $version, $actions, $steps) = unpack 'aNNN', $wants;
is("$letter $version", 'O 6', 'it speaks the protocol');
is($steps & 0x002 ? 'no' : 'yes', 'no', 'no HELO');
is_deeply([ map { $steps & $_ ? 1 : 0 } 0x001, 0x004, 0x008, 0x010, 0x020 ], [0, 0, 0, 0, 0], 'connection, envelope and content');
is_deeply([ map { $steps & $_ ? 1 : 0 } 0x1000, 0x4000, 0x8000, 0x80, 0x80000 ], [1, 1, 1, 1, 1], 'and no answer to any of them is waited for');
close $s;

# --- people and names ---
my ($said, @r) = message('NAMES', { login => 'u1@a.example' }, rcpt('y@else.example'));
is("$said $r[0]{account} $r[0]{department}", "c u1\@a.example r\\/d/\x{9a7f}\x{8def}", 'departments, with what is special in their names');
# Rewritten: its own name, and that of the one above; who is added tells that it is loaded.
my $renamed = 0;
sub rename_departments {
    my (@names) = @_;
    $renamed++;
    my $text = $ldif =~ s{^(dn: |ou: |)(.*?)ou=r/d,}{$1$2ou=$names[0],}gmr =~ s{^ou: r/d$}{ou: $names[0]}gmr =~ s{驿路}{$names[1]}gr;
    spew("$dir/people.ldif.new", $text . "\ndn: uid=n$renamed,dc=a.example,o=t\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\n"
        . "uid: n$renamed\ncn: n\nsn: n\nmail: n$renamed\@a.example\n");
    rename "$dir/people.ldif.new", "$dir/people.ldif" or die "$!";
    return wait_for(30, sub { lookup('mailbox', "n$renamed\@a.example") =~ /^OK/ });
}
for my $names (['R/D', "驿路"], ['R/D', 'station'], ['r/d', "驿路"]) {
    rename_departments(@$names);
    ($said, @r) = message("RENAMED$renamed", { login => 'u1@a.example' }, rcpt('y@else.example'));
    is("$said $r[0]{account} " . encode_utf8($r[0]{department}), "c u1\@a.example " . $names->[0] =~ s{/}{\\/}r . "/$names->[1]", "renamed @$names: what comes next is counted there");
}
($said, @r) = message('LOGIN', { login => "\xff\"\\\n" . 'x' x 5000 }, rcpt('y@else.example'));
is("$said " . length($r[0]{login}) . " $r[0]{account}", 'c 320 ', 'a login that is nobody\'s and no text is cut');
for my $odd ('', '<', '@', 'u2@', '@a.example', "u2\xff\@a.example", 'u2@a.example@a.example', 'x' x 5000, "\"u2\"\@a.example", 'U2+x@A.EXAMPLE') {
    ($said, @r) = message("ODD", {}, rcpt($odd));
    my $want = $odd =~ /^"u2|^U2/ ? 'inbound u2@a.example' : $odd eq '@a.example' || $odd eq 'u2@' || $odd !~ /\@a\.example$/ || $odd =~ /\xff|\@.*\@/ ? 'outbound ' : '?';
    is("$said $r[-1]{direction} $r[-1]{account}", "c $want", 'recipient ' . substr $odd =~ s/[^ -~]/?/gr, 0, 30);
}

# --- size ---
my $before = memory();
($said, @r) = message('MANY', {}, rcpt(map { "u$_\@a.example" } map { 1 + $_ % $people } 1 .. 10_000));
my $n = 0;
$n += $_->{recipients} for @r;
is("$said $n", 'c 10000', 'ten thousand recipients, every one counted');
cmp_ok(scalar @r, '<=', 1024, 'in bounded records');
is(scalar(grep { $_->{recipients} != 6 && $_->{recipients} != 7 && $_->{account} ne '' } @r), 0, 'and each who has one for himself has it right');
is("$r[-1]{part}/$r[-1]{parts}", @r . '/' . @r, 'all parts are there');
($said, @r) = message('DEEP', { login => 'u2@a.example' }, rcpt('y@else.example'),
    (map { packet('L', "X-$_\0" . ('h' x 65_000) . "\0") } 1 .. 160), map { packet('B', 'b' x 65_535) } 1 .. 200);
my $size = 200 * 65_535 + 2;
$size += length("X-$_:") + 65_000 + 2 for 1 .. 160;
is("$said $r[0]{bytes}", "c $size", 'ten megabytes of header, thirteen of body: counted to the byte');
cmp_ok(memory() - $before, '<', $ENV{POSTROAD_MILTER} || `grep -c __asan_init milter/postroad-milter` > 0 ? 200_000 : 20_000, 'in bounded memory, in kB');
my @odd_headers = (["From", " a\@a.example"], ["From", " b\@b.example"], ["Subject", " \xff\xfe\x01"], ["X", " folded\n\tline"], ["Y", " crlf\r\n\tline"]);
($said, @r) = message('HEAD', {}, rcpt('u2@a.example'), (map { packet('L', "$_->[0]\0$_->[1]\0") } @odd_headers), packet('B', "a\0b\rc\nd"));
$size = 2 + 7;
$size += length("$_->[0]:$_->[1]\r\n") for @odd_headers;
is("$said $r[0]{bytes}", 'c ' . ($size + 1), 'several From, bytes that are no text, folded lines, NUL, bare CR and LF');
($said, @r) = message('i' x 500, {}, rcpt('u2@a.example'));
is($said . (of('i' x 39))[0]{recipients}, 'c1', 'a queue id is bounded');

# --- ends at every step ---
my @step = (packet('D', "C{daemon_name}\0mx\0"), packet('C', "client\0004" . pack('n', 25) . "192.0.2.9\0"), packet('M', "<x\@y>\0"), rcpt('u3@a.example'),
    packet('L', "A\0b\0"), packet('B', 'text'), packet('D', "Ei\0STEP\0"), packet('E', ''));
my $count = records();
for my $last (-1 .. $#step - 1) {
    for my $how ('abort', 'gone', 'half') {
        my ($t) = negotiated();
        print {$t} @step[0 .. $last], $how eq 'abort' ? packet('A', '') . packet('Q', '') : $how eq 'half' ? substr(packet('B', 'x' x 100), 0, 50) : '';
        $t->flush;
        close $t;
    }
}
is(records() . '', "$count", 'connections that end before the message does are not counted');
($s) = negotiated();
print {$s} @step[0 .. 3], packet('A', ''), @step[2, 3, 3], packet('D', "Ei\0AGAIN\0"), packet('E', '');
$s->flush;
is(answer($s) . (of('AGAIN'))[0]{recipients}, 'c2', 'what was aborted leaves nothing behind for the next message');
print {$s} @step[2, 3], packet('D', "Ei\0THIRD\0"), packet('E', '');
$s->flush;
is(answer($s) . (of('THIRD'))[0]{recipients}, 'c1', 'nor does what was finished');

# --- nonsense ---
for my $bad ("\0\0\0\0", pack('N', 1 << 30) . 'M', pack('N', 0xffffffff), packet('Z', 'x'), packet('M', ''), packet('R', 'no end'), packet('L', 'name only'),
    packet('O', ''), packet('E', ''), packet('C', ''), packet('C', "x\0004"), packet('D', ''), 'GET / HTTP/1.0' . "\r\n\r\n" . 'x' x 1000) {
    for my $first (0, 1) {
        my $t = $first ? connected("$dir/milter") : (negotiated())[0];
        print {$t} $bad;
        $t->flush;
        close $t;
    }
}
my @idle = map { connected("$dir/milter") } 1 .. 300;
($said, @r) = message('AFTER', {}, rcpt('u2@a.example'));
is($said . @r, 'c1', 'it goes on after nonsense, with 300 idle connections');
undef @idle;

# --- policyd hangs, then is gone ---
kill 'STOP', Trial::policyd_pid();
($said, @r) = message('HUNG', {}, rcpt('u2@a.example'));
is("$said $r[0]{account}", 'c u2@a.example', 'a policyd that hangs is not waited for');
kill 'CONT', Trial::policyd_pid();
policyd_stop();
($said, @r) = message('GONE', {}, rcpt('u2@a.example'));
is("$said $r[0]{account}", 'c u2@a.example', 'nor is one that is gone');

is_deeply([ map { $_->{seq} } records() ], [ 1 .. records() ], 'no number is missing');
is(stop_pid($milter), 0, 'it ends in order, having crashed at nothing');
is(slurp("$dir/milter.log"), "postroad-milter: notice: accounting begins anew dir=$dir/state/accounting\n", 'and has said nothing');
done_testing();
