#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The map socket of a real postroad-policyd: what each map answers (t/tables/maps.tbl),
# whatever strangers write to it, and many clients at a time. Needs no root.
use strict;
use warnings;
use Errno;
use lib 't';
use Policyd;
use Test::More;
use Time::HiRes qw(time);

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';

my $d = Policyd->new(settings => {
    answer => '{ workers = 1; max_connections = 11000; idle_timeout = 300; write_timeout = 2; }',
});
ok($d->start, 'it starts') or BAIL_OUT($d->log_text);

sub n { return Policyd::netstring(@_) }

# A connection that was written to; its replies are read with Policyd::replies.
sub talk {
    my (@bytes) = @_;
    my $fh = $d->connection or die "connect: $!\n";
    for my $all (@bytes) {
        my $sent = 0;
        while ($sent < length $all) {
            my $n = syswrite $fh, $all, length($all) - $sent, $sent;
            last if !defined $n && !$!{EINTR} && !$!{ENOBUFS};
            $sent += $n // 0;
        }
    }
    return $fh;
}

my $ANNA = 'OK lmtp:unix:private/dovecot-lmtp';
my $ALIVE = sub { is($d->ask('transport', 'anna@a.example'), $ANNA, "then it answers as ever: $_[0]") };

# --- the table ---
subtest 'what each map answers' => sub {
    my %stands_for = (LOCAL => 'lmtp:unix:private/dovecot-lmtp', WAIT => 'postroad-wait:');
    open my $fh, '<', 't/tables/maps.tbl' or die "t/tables/maps.tbl: $!\n";
    while (<$fh>) {
        next if /^#|^\s*$/;
        chomp;
        my ($map, $key, $want) = map { s/^\s+|\s+$//gr } split /\|/, $_, 3;
        $want = $want =~ /^(NOTFOUND|TEMP|PERM)$/ ? $want : 'OK ' . ($stands_for{$want} // $want);
        my $got = $d->ask($map, $key);
        $got =~ s/^(NOTFOUND|TEMP|PERM) .*/$1/;
        is($got, $want, "$. $map $key");
    }
};

# --- whole requests, in any portions ---
my @asked = map { n($_) } 'transport anna@a.example', 'mailbox ghost@a.example', 'alias anne@a.example';
my @told = ($ANNA, 'NOTFOUND ', 'OK anna@a.example');
is_deeply([Policyd::replies(talk(join '', @asked), 3)], \@told, 'three requests in one write');
is_deeply([Policyd::replies(talk(split //, join '', @asked), 3)], \@told, 'three requests byte by byte');
is_deeply([Policyd::replies(talk(join('', @asked, '25:transport anna')), 3)], \@told,
    'whole requests are answered before the rest of the next one comes');
{
    my $fh = talk(substr $asked[0], 0, 10);
    is_deeply([Policyd::replies($fh, 1, 0.2)], [], 'nothing is said to half a request');
    syswrite $fh, substr($asked[0], 10) . $asked[1];
    is_deeply([Policyd::replies($fh, 2)], [@told[0, 1]], 'the other half brings the answer');
}
is_deeply([Policyd::replies(talk((join '', @asked) x 2000), 6000)], [(@told) x 2000], '6,000 requests in a row')
    or diag $d->log_text;
is_deeply([Policyd::replies(talk(map { n("transport $_") } ('x' x 9989) x 7), 7)], [('NOTFOUND ') x 7],
    'the longest requests, one behind the other');

# --- clients that say there is no more, which may be seen together with what they asked ---
{
    my ($answered, $ended) = (0, 0);
    my $all = join '', @asked;
    for my $said (($all) x 50, $asked[0] . substr($asked[1], 0, 9), $all x 1000) {
        my $fh = talk($said);
        shutdown $fh, 1;
        my $want = () = $said =~ /,/g;
        my @got = Policyd::replies($fh, $want);
        $answered += @got == $want;
        $ended += Policyd::closed($fh) or last;
    }
    is("$answered $ended", '52 52', 'who says there is no more is answered, then closed');
}

# --- what is no netstring ends the connection, with one line in the log ---
my $began = time;
my %garbage = (
    'no number' => 'transport anna@a.example',
    'a leading zero' => '011:domain x.ex,',
    'a negative number' => '-1:,',
    'too long' => '10001:' . 'x' x 10001 . ',',
    'far too long' => '99999999999999999999:',
    'no comma' => '12:domain x.exx;',
    'a blank' => ' 10:domain x.e,',
    'binary' => "\0\xff\xfe\x80",
    'HTTP' => "GET / HTTP/1.0\r\n\r\n",
);
for my $what (sort keys %garbage) {
    my $fh = talk($asked[0] . $garbage{$what});
    is_deeply([Policyd::replies($fh, 1)], [$ANNA], "$what: what came before is answered");
    ok(Policyd::closed($fh), "$what: then the connection ends");
}
$ALIVE->('after garbage');
cmp_ok(scalar(() = $d->log_text =~ /why="no netstring"/g), '<=', 5 * (1 + int((time - $began) / 60)), 'the log says so, but not for ever');
like($d->log_text, qr/(?:why="no netstring".*){5}/s, 'five times a minute');

# --- netstrings that are no request, and keys that are no address ---
my %bad = (
    '' => 'PERM', 'transport' => 'PERM', ' anna@a.example' => 'PERM', "transport a\0b\@a.example" => 'PERM',
    'TRANSPORT anna@a.example' => 'PERM', 'trans/port anna@a.example' => 'PERM', 'x' x 10000 => 'PERM',
    'x' x 65 . ' key' => 'PERM', 'transport ' => 'NOTFOUND', 'mailbox @' => 'NOTFOUND',
    "mailbox an\nna\@a.example" => 'NOTFOUND', "mailbox an\x7fna\@a.example" => 'NOTFOUND',
    "mailbox \xff\xfe\@a.example" => 'NOTFOUND', "mailbox anna\@\xc3\x28.example" => 'NOTFOUND',
    "mailbox \xc0\xaf\@a.example" => 'NOTFOUND', 'mailbox ' . 'x' x 9991 => 'NOTFOUND',
    'mailbox ' . 'x' x 321 . '@a.example' => 'NOTFOUND', 'mailbox anna@' . 'a.' x 4900 . 'example' => 'NOTFOUND',
    'mailbox anna@a.example@a.example' => 'NOTFOUND', 'mailbox "anna@a.example"@a.example' => 'NOTFOUND',
    'mailbox "anna"@a.example' => 'OK', 'mailbox anna@[192.0.2.1]' => 'NOTFOUND', 'mailbox  anna@a.example' => 'NOTFOUND',
    "alias anna\@a.example, evil\@x" => 'NOTFOUND', 'domain ' . 'x' x 9000 => 'NOTFOUND',
);
for my $map (qw(transport mailbox domain alias sender peer tls)) {
    my @keys = grep { length() < 9980 } map { s/^\S+ //r } grep { $bad{$_} eq 'NOTFOUND' } sort keys %bad;
    my @got = Policyd::replies(talk(map { n("$map $_") } @keys), scalar @keys);
    is_deeply(\@got, [('NOTFOUND ') x @keys], "keys that make no sense are NOTFOUND in $map, and the connection stays");
}
for my $request (sort keys %bad) {
    my ($got) = Policyd::replies(talk(n($request)), 1);
    my $name = substr $request =~ s/[^\x20-\x7e]/?/gr, 0, 40;
    like($got // '', qr/^\Q$bad{$request}\E /, "'$name' is $bad{$request}");
}
{
    my ($got) = Policyd::replies(talk(n("nosuch\x01map key")), 1);
    unlike($got // "\n", qr/[\x00-\x1f\x7f]/, 'no control bytes come back');
}

# --- clients that don't read ---
{
    my $fh = $d->connection;
    $fh->blocking(0);
    my $bytes = join '', map { n('alias all@a.example') } 1 .. 1000;
    my ($sent, $beside) = (0, 0);
    # Until it is cut off: how much the daemon had taken when we had to wait for the first time depends on the machine.
    ok(Policyd::wait_for(sub {
        my $at = $sent % length $bytes;
        my $n = syswrite $fh, $bytes, length($bytes) - $at, $at;
        $sent += $n // 0;
        return 0 if $n && $sent < 10_000_000;
        $ALIVE->('beside a client that does not read') if !$beside++;
        return $sent >= 10_000_000 || $d->log_text =~ /why="does not read its answers"/;
    }), 'after write_timeout it is cut off, and the log says so');
    cmp_ok($sent, '<', 10_000_000, 'a client that never reads is not read from any more');
}
{
    my $fh = talk(map { n('alias all@a.example') } 1 .. 5);
    my ($all) = $d->ask('alias', 'all@a.example');
    my $requests = 20_000;
    my $pid = fork // die;
    if (!$pid) { # the writer; the daemon must stop reading while we don't read
        my $bytes = n('alias all@a.example') x $requests;
        while (length $bytes) {
            my $n = syswrite $fh, $bytes or last;
            substr $bytes, 0, $n, '';
        }
        require POSIX;
        POSIX::_exit(0);
    }
    select undef, undef, undef, 0.3;
    my @got = Policyd::replies($fh, $requests + 5, 60);
    waitpid $pid, 0;
    is(scalar(grep { $_ eq $all } @got), $requests + 5, 'a client that reads late misses nothing');
}

# --- many clients ---
sub rss_kib {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/status" or return 0;
    return (map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$fh>)[0] // 0;
}

SKIP: {
    my ($soft) = `sh -c 'ulimit -n'` =~ /(\d+)/;
    skip 'not enough descriptors here (ulimit -n)', 4 if ($soft // 0) < 5200;
    my $many = $soft < 10_200 ? 5000 : 10_000;
    my ($worker) = $d->pids('answer');
    my $before = rss_kib($worker);
    my @idle = grep { $_ } map { $d->connection } 1 .. $many;
    is(scalar @idle, $many, "$many idle connections");
    $ALIVE->('beside idle ones');
    my $each = (rss_kib($worker) - $before) * 1024 / $many;
    # What a sanitizer puts around each piece of memory counts too.
    my $room = `grep -c __asan_init policyd/postroad-policyd` > 0 ? 700 : 400;
    cmp_ok($each, '<', $room, sprintf 'an idle connection costs %d bytes', $each);
    syswrite $_, $asked[0] for @idle;
    is(scalar(grep { my ($got) = Policyd::replies($_, 1); ($got // '') eq $ANNA } @idle), $many, 'then all of them ask, and are answered');
}

# --- told to end, it answers what came until then: more than it reads at once, and it was kept from reading

# A daemon whose one worker was stopped while it was ending, between taking no more clients and closing those it has,
# and the client; nothing when the worker was faster, which has half a second for that.
sub stopped_at_the_end {
    my $e = Policyd->new(settings => { answer => '{ workers = 1; }' });
    $e->start or BAIL_OUT($e->log_text);
    my $fh = $e->connection;
    syswrite $fh, $asked[0];
    Policyd::replies($fh, 1) or BAIL_OUT('no answer');
    my ($worker) = $e->pids('answer');
    my $files = sub { scalar(() = glob "/proc/$worker/fd/*") };
    my $before = $files->();
    kill 'TERM', $e->{pid};
    Policyd::wait_for(sub { $files->() < $before }); # it takes no more clients
    kill 'STOP', $worker;
    return Policyd::closed($fh, 0.1) ? () : ($e, $fh, $worker);
}

{
    my ($e, $fh, $worker);
    Policyd::wait_for(sub { ($e, $fh, $worker) = stopped_at_the_end(); $e }, 120) or BAIL_OUT('no worker could be stopped while it ended');
    my $pid = fork // die;
    if (!$pid) {
        my $sent = 0;
        my $bytes = (join '', @asked) x 2000;
        while ($sent < length $bytes) { $sent += syswrite($fh, $bytes, 65536, $sent) || last }
        require POSIX;
        POSIX::_exit(0);
    }
    waitpid $pid, 0;
    select undef, undef, undef, 0.7; # now the time is over for which it would go on
    kill 'CONT', $worker;
    is(scalar(() = Policyd::replies($fh, 6000)), 6000, 'told to end, it answers all that came before');
    ok(Policyd::closed($fh), 'and then ends the connection');
    ok(Policyd::wait_for(sub { !$e->running }), 'and itself');
    is($e->{status}, 0, 'it ends with exit code 0');
    unlike($e->log_text, qr/died|killed|Sanitizer|panic/, 'no role died');
}
is($d->stop, 0, 'the other one, too');
unlike($d->log_text, qr/died|killed|Sanitizer|panic/, 'no role died');

# --- more clients than allowed: the one idle longest goes ---
$d = Policyd->new(settings => { answer => '{ workers = 1; max_connections = 10; idle_timeout = 300; }' });
ok($d->start, 'started with room for 10 connections') or diag $d->log_text;
{
    my @clients = map { talk($asked[0]) } 1 .. 10;
    Policyd::replies($_, 1) for @clients;
    select undef, undef, undef, 0.6; # a tick of the daemon's: it sees it with the next question at the latest
    my @again;
    for my $round (1, 2) {
        @again = map { syswrite $_, $asked[1]; Policyd::replies($_, 1) } @clients[0, 2 .. 9];
    }
    is_deeply(\@again, [($told[1]) x 9], 'all but the second of them ask again');
    my $eleventh = talk($asked[0]);
    is_deeply([Policyd::replies($eleventh, 1)], [$ANNA], 'the eleventh client is answered');
    ok(Policyd::closed($clients[1]), 'the one idle longest was closed for it');
    @again = map { syswrite $_, $asked[1]; Policyd::replies($_, 1) } @clients[0, 2 .. 9];
    is_deeply(\@again, [($told[1]) x 9], 'and no other');
}
is($d->stop, 0, 'it ends with exit code 0');

$d = Policyd->new(settings => { answer => '{ workers = 1; idle_timeout = 1; }' });
ok($d->start, 'started with idle_timeout = 1') or diag $d->log_text;
ok(Policyd::closed(talk($asked[0])), 'after idle_timeout a client is closed');
is($d->stop, 0, 'it ends with exit code 0');

# --- Postfix's own client ---
SKIP: {
    my ($postmap) = grep { -x } map { "$_/postmap" } split(/:/, $ENV{PATH}), '/usr/sbin';
    skip 'postmap is not installed', 3 unless $postmap;
    my $p = Policyd->new;
    $p->start or die $p->log_text;
    mkdir "$p->{dir}/postfix";
    Policyd::spew("$p->{dir}/postfix/main.cf", '');
    my $q = sub { my $out = `'$postmap' -c '$p->{dir}/postfix' -q '$_[1]' 'socketmap:unix:$p->{map}:$_[0]' 2>&1`; return ($? >> 8) . " $out" };
    is($q->('transport', 'berta@a.example'), "0 relay:[192.0.2.3]:25, [192.0.2.2]:25\n", 'postmap -q finds');
    is($q->('mailbox', 'ghost@a.example'), '1 ', 'postmap -q finds nothing');
    like($q->('nosuch', 'x'), qr/^1 .*(no such map|error)/s, 'postmap -q is told of an error');
}

done_testing;
