#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Role control of the running daemon: what status and explain say, that explain
# says what Postfix is told, who may ask, what bad requests and idle connections
# do to it (nothing), and the HTTP endpoints with their bounded metrics.
use strict;
use warnings;
$SIG{PIPE} = q(IGNORE);
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Socket qw(SHUT_WR);
use Ports;
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";

my $root  = $> == 0;
my $user  = $root ? 'nobody' : getpwuid $>;
my $group = $root ? 'daemon' : getgrgid $);
my $port  = free_port();
my $file  = "$dir/directory.ldif";
my $log   = "$dir/policyd.log";
my $sample = slurp("$top/ldap-schema/two-sites.ldif") . "\n";

sub person {
    my ($uid, @lines) = @_;
    return join("\n", "dn: uid=$uid,dc=corp.example,ou=domains,o=corp", 'objectClass: inetOrgPerson',
        'objectClass: postroadAccount', "uid: $uid", "cn: $uid", "sn: $uid", @lines) . "\n\n";
}

sub start {
    spew("$dir/postroad.conf", <<"CONF");
site = "hebei";
state_dir = "$dir/state";
directory: { ldif = "$file"; };
sockets: { map = "unix:$dir/map"; policy = ""; access = ""; control = "unix:$dir/control"; http = "127.0.0.1:$port"; };
user = "$user"; group = "$group"; socket_group = "$group";
CONF
    my $pid = Trial::spawn($log, "$top/policyd/postroad-policyd", '-c', "$dir/postroad.conf");
    ok(wait_for(30, sub { (control(verb => 'ping')->{ok} // 0) == 1 }), 'the daemon answers a ping') or diag(slurp($log));
    return $pid;
}

# One request as it is, and what comes back until the connection closes or a line is whole.
sub raw {
    my ($bytes, $done) = @_;
    return Trial::ask("$dir/control", $bytes, $done // qr/\n/);
}

sub http {
    my ($request) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or return '';
    syswrite $s, $request;
    my ($got, $end) = ('', time + 20);
    while (time < $end) {
        next unless IO::Select->new($s)->can_read(0.5);
        sysread($s, $got, 65536, length $got) or last;
    }
    return $got;
}

sub get {
    my ($path) = @_;
    my ($head, $body) = split /\r\n\r\n/, http("GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 2;
    return (($head // '') =~ /\AHTTP\/1\.\d (\d+)/ ? $1 : 0, $body // '');
}

sub role_pid { my ($name) = @_; return (map { $_->{pid} } grep { $_->{name} eq $name } @{ status()->{roles} // [] })[0] }

sub fds { my ($pid) = @_; return scalar(() = glob "/proc/$pid/fd/*") }

# --- before anything was loaded ---
spew($file, "this is no LDIF\n");
my $daemon = start();
ok(wait_for(30, sub { (source()->{phase} // '') eq 'error' }), 'a file that is no LDIF is an error');
is(status()->{mirror}{complete}, JSON::PP::false, 'the mirror was never filled');
like(source()->{error}, qr/\S/, 'status says what is wrong with the file');
my $reply = control(verb => 'explain', address => 'alice@corp.example');
is($reply->{code}, 75, 'explain can not tell');
is((get('/readyz'))[0], 503, 'readyz: 503');
like((get('/readyz'))[1], qr/never filled/, 'and why');
ok(wait_for(30, sub { (get('/healthz'))[0] == 200 }), 'but all processes live: healthz 200');

# --- status ---
spew($file, $sample
    . person('dup1', 'mail: twice@corp.example', 'createTimestamp: 20200101000000Z')
    . person('dup2', 'mail: twice@corp.example', 'createTimestamp: 20190101000000Z')
    . person('lost', 'mail: lost@corp.example', 'postroadHomeSite: atlantis')
    . (person('guest', 'mail: guest@corp.example') =~ s/dc=corp.example,ou=domains,//r)
    . person('odd', 'mail: odd@corp.example', 'postroadState: sleeping'));
ok(wait_for(30, sub { (source()->{phase} // '') eq 'loaded' }), 'the right file is loaded');
ok(wait_for(30, sub { status()->{mirror}{complete} }), 'and the mirror is complete');
my $s = status();
my $entries = () = slurp($file) =~ /^dn:/mg;
is($s->{site}, 'hebei', 'status: site');
is($s->{mirror}{entries}, $entries, 'entries as in the file');
is($s->{source}{kind}, 'ldif', 'kind of source');
is($s->{source}{name}, $file, 'its name');
is($s->{source}{error}, undef, 'no error any more');
cmp_ok($s->{mirror}{age_s}, '<', 1, 'a loaded file is current');
like($s->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'times are ISO 8601');
is_deeply([map { $_->{name} } @{ $s->{roles} }], [qw(parent sync control answer answer)], 'all roles');
ok(wait_for(30, sub { 5 == grep { $_->{beat_age_ms} < 3000 && $_->{pid} && $_->{started} } @{ status()->{roles} } }), 'which beat');
my ($dup) = grep { $_->{address} eq 'twice@corp.example' } @{ $s->{duplicates}{list} };
is($dup->{winner}, 'uid=dup2,dc=corp.example,ou=domains,o=corp', 'a duplicate address: the older entry has it');
is(scalar @{ $dup->{claims} }, 2, 'and both are named');
is_deeply([grep { $_->{site} eq 'atlantis' } @{ $s->{lost_sites} }], [{ site => 'atlantis', entries => 1 }], 'a site nobody defines');
my ($odd) = grep { ($_->{dn} // '') =~ /^uid=odd,/ } @{ $s->{bad}{list} };
like($odd->{why}, qr/sleeping/, 'an entry that makes no sense, and why');
cmp_ok($s->{bad}{count}, '>=', scalar @{ $s->{bad}{list} }, 'counts are whole, lists may be cut');
is(scalar(grep { $_->{digest} =~ /^[0-9a-f]{64}$/ && $_->{entries} > 0 } @{ $s->{domains} }), scalar @{ $s->{domains} }, 'a digest for each domain');
is_deeply([map { $_->{name} } @{ $s->{maps} }], [qw(transport mailbox domain alias sender peer tls)], 'all maps');

# --- explain says what Postfix is told ---
my $rules = 0;
for my $address (qw(alice@corp.example nobody@corp.example x@outside.example anything@post.example all@corp.example
    twice@corp.example lost@corp.example odd@corp.example ALICE+tag@CORP.example), "info\@\xe9\xa9\xbf\xe8\xb7\xaf.example") {
    utf8::decode(my $text = $address);
    my $e = control(verb => 'explain', address => $text);
    is_deeply([map { $_->{n} } @{ $e->{steps} }], [1 .. $e->{step}], "$address: rules 1 to $e->{step}");
    is(join(' ', map { $_->{applies} ? 1 : 0 } @{ $e->{steps} }), join(' ', (0) x ($e->{step} - 1), 1), 'only the last one applies');
    my @said = map { utf8::encode(my $key = $_->{key}); lookup($_->{map}, $key) =~ s/^(\S+) ?$/$1/r } @{ $e->{maps} };
    my @told = map { utf8::encode(my $d = $_->{data}); $_->{status} . (length $d ? " $d" : '') } @{ $e->{maps} };
    is_deeply(\@told, [map { /^OK/ ? $_ : /^(\w+)/ } @said], 'each map says the same over its socket');
}
my $e = control(verb => 'explain', address => 'anything@post.example');
is($e->{verdict}, 'hand-off', 'verdict');
is($e->{site}, 'shandong', 'site');
is($e->{how}, 'catch-all', 'how it was found');
is($e->{inputs}{home}{from}, 'domain', 'the home site comes from the domain');
like($e->{inputs}{home}{dn}, qr/^dc=post\.example,/, 'from that one');
like($e->{steps}[-1]{input}, qr/relay:\[\S+\]:\d+ \(up, priority 10\)/, 'the next hops and their state');
$e = control(verb => 'explain', address => 'lost@corp.example');
is($e->{verdict}, 'wait', 'a site nobody defines: wait');
is($e->{inputs}{home}{from}, 'account', 'the account says so itself');
$e = control(verb => 'explain', address => 'guest@corp.example');
is($e->{owner}{dn}, 'uid=guest,o=corp', 'an account that stands outside the domain');
like($e->{inputs}{home}{dn}, qr/^dc=corp\.example,/, 'takes what it lacks from the domain of its address');
is(control(verb => 'explain', address => 'no address')->{code}, 2, 'what is no address: code 2');
is(control(verb => 'explain', address => "a\x{0}b\@corp.example")->{code}, 2, 'nor is one with a NUL');

# --- bad requests ---
my %bad = ('garbage' => "hello\n", 'an empty line' => "\n", 'an array' => "[1]\n", 'a number' => "7\n",
    'half an object' => "{\"verb\":\n", 'no verb' => "{}\n", 'an unknown verb' => "{\"verb\":\"dance\"}\n",
    'a verb that is a number' => "{\"verb\":7}\n", 'NUL bytes' => "\0\0\0\n", 'invalid UTF-8' => "{\"verb\":\"\xff\xfe\"}\n",
    'the verb twice' => "{\"verb\":\"ping\",\"verb\":\"status\"}\n", 'no address' => "{\"verb\":\"explain\"}\n",
    'deep nesting' => '[' x 30000 . "\n", 'an address that is an object' => "{\"verb\":\"explain\",\"address\":{}}\n");
for my $what (sort keys %bad) {
    my $r = eval { decode_json(raw($bad{$what})) } // {};
    ok(!$r->{ok} && $r->{error} && $r->{code} == 2, "$what: an error in JSON");
}
my $long = raw('{"verb":"ping","x":"' . 'y' x 70000 . "\"}\n");
like($long, qr/"error":"a request is one line of at most 65536 bytes"/, 'a request over 64 KiB: an error');
my $began = time;
is(raw('x' x (20 << 20)), '', '20 MB without a newline: no answer');
cmp_ok(time - $began, '<', 15, 'but cut off, not waited for');
is(() = raw("{\"verb\":\"ping\"}\n" x 50, qr/(?:.*\n){50}/) =~ /"ok":true/g, 50, '50 requests in one write: 50 replies');
{
    my $c = Trial::connected("$dir/control");
    syswrite $c, $_ for split //, "{\"verb\":\"ping\"}\n";
    shutdown $c, SHUT_WR;
    my $got = '';
    1 while sysread $c, $got, 4096, length $got;
    like($got, qr/"ok":true.*\n\z/, 'a request byte by byte, then the end of sending: answered');
}
{
    my $c = Trial::connected("$dir/control");
    $c->blocking(0);
    for (1 .. 2000) { syswrite($c, "{\"verb\":\"status\"}\n" x 10) // last }
    ok(control(verb => 'ping')->{ok}, 'one who asks and never reads keeps nobody out');
}

# --- who may ask ---
sub as_user {
    my ($uid, $gids, @ask) = @_;
    pipe my $in, my $out;
    my $pid = fork // die;
    if (!$pid) {
        $) = "$gids->[0] @$gids";
        POSIX::setuid($uid);
        syswrite $out, encode_json(control(@ask));
        POSIX::_exit(0);
    }
    close $out;
    my $json = do { local $/; <$in> };
    waitpid $pid, 0;
    return eval { decode_json($json) } // {};
}
SKIP: {
    skip 'needs root', 6 unless $root;
    my ($gid, $mail) = map { scalar getgrnam $_ } $group, 'mail';
    my ($bin, $own) = map { scalar getpwnam $_ } 'bin', $user;
    chmod 0666, "$dir/control"; # past the file's mode, to what the daemon itself checks
    like(as_user($bin, [$mail], verb => 'ping')->{error}, qr/may not use the control socket/, 'a stranger is refused');
    like(slurp($log), qr/refused, neither root nor in our group uid=$bin/, 'which is logged');
    ok(as_user($bin, [$mail, $gid], verb => 'ping')->{ok}, 'a member of the group may ask');
    like(as_user($bin, [$gid], verb => 'sweep-accept', reason => 'x')->{error}, qr/only root/, 'but not change anything');
    like(slurp($log), qr/refused verb=sweep-accept uid=$bin/, 'which is logged as well');
    is(as_user($own, [$mail], verb => 'sweep-accept', reason => 'x')->{code}, 1, q(the daemon's user may));
}
is(control(verb => 'sweep-accept')->{code}, 2, 'a reason is needed');

# --- a refused sweep ---
spew($file, $sample =~ s/^dn: uid=.*?\n\n//msgr);
ok(wait_for(30, sub { (source()->{phase} // '') eq 'refused' }), 'a file without people is refused');
cmp_ok(source()->{would_sweep}, '>', 20, 'status says how many would go');
like(lookup('mailbox', 'alice@corp.example'), qr/^OK/, 'and they receive mail');
ok(control(verb => 'sweep-accept', reason => "moved out\nforged=line", by => 'me')->{ok}, 'root accepts');
ok(wait_for(30, sub { (source()->{phase} // '') eq 'loaded' && status()->{mirror}{accounts} < $s->{mirror}{accounts} - 20 }), 'and they are gone');
like(slurp($log), qr/sweep accepted.*uid=$>.*by="me" reason="moved out\?forged=line"/, 'who and why is one line in the log');
spew($file, $sample);
ok(wait_for(30, sub { (source()->{phase} // '') eq 'loaded' && status()->{mirror}{accounts} > 20 }), 'the people are back');

# --- HTTP ---
ok(wait_for(30, sub { (get('/readyz'))[0] == 200 }), 'readyz: 200');
is((get('/nothing'))[0], 404, 'anything else: 404');
is((get('/metrics/../etc/passwd'))[0], 404, 'no paths');
my (undef, $metrics) = get('/metrics');
sub series { my ($text) = @_; return [sort grep { length } map { s/ \S+$//r } grep { !/^#/ } split /\n/, $text] }
my (%help, %type, @wrong);
for (split /\n/, $metrics) {
    if (/^# HELP (\w+) \S/) { $help{$1} = 1 }
    elsif (/^# TYPE (\w+) (counter|gauge)$/) { $type{$1} = $2 }
    elsif (/^(\w+)(?:\{\w+="[^"\\]*"(?:,\w+="[^"\\]*")*\})? -?[\d.]+(?:e[+-]?\d+)?$/) {
        my $name = $1;
        push @wrong, "no HELP or TYPE: $_" unless $help{$name} && $type{$name};
        push @wrong, "a counter without _total: $_" if ($type{$name} // '') eq 'counter' && $name !~ /_total$/;
        push @wrong, "not ours: $_" unless $name =~ /^postroad_/;
    }
    else { push @wrong, "malformed: $_" }
}
is_deeply(\@wrong, [], 'metrics are well-formed, each with HELP and TYPE');
my $n = 200;
lookup('mailbox', "user$_\@domain$_.example") for 1 .. $n;
lookup("map$_", 'x') for 1 .. 20;
spew($file, $sample . "dn: dc=new.example,ou=domains,o=corp\nobjectClass: domain\nobjectClass: postroadDomain\ndc: new.example\nassociatedDomain: new.example\n\n");
ok(wait_for(30, sub { status()->{mirror}{domains} > $s->{mirror}{domains} }), 'one more domain');
my (undef, $after) = get('/metrics');
is_deeply(series($after), series($metrics), 'addresses, domains and wrong maps add no series');
my ($lookups) = $after =~ /^postroad_lookups_total\{map="mailbox",status="notfound"\} (\d+)$/m;
cmp_ok($lookups, '>=', $n, 'and are counted');
ok(wait_for(30, sub { status()->{rates}{lookups_60s} > 0 }), 'status knows a rate');
unlike(http("GET /metrics HTTP/1.1\r\nX: " . 'y' x 20000 . "\r\n\r\n"), qr{\AHTTP/1\.\d 200}, 'headers of 20 kB are refused');
unlike(http("POST /metrics HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"), qr{\AHTTP/1\.\d 200}, 'POST is refused');
unlike(http("\0\1\2 nonsense\r\n\r\n"), qr{\AHTTP/1\.\d 200}, 'so is nonsense');
like(http("HEAD /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"), qr{\AHTTP/1\.\d 200}, 'HEAD is answered');

# --- idle connections ---
# 1,000 of them, by processes of their own for the sake of our limit of open files; how many were taken.
my @holders;
sub hold {
    my ($connect) = @_;
    my $held = 0;
    for (1 .. 4) {
        pipe my $in, my $out;
        my $pid = fork // die;
        if (!$pid) {
            my @idle = grep { $_ } map { $connect->() } 1 .. 250;
            syswrite $out, scalar(@idle) . "\n";
            sleep 60;
            POSIX::_exit(0);
        }
        push @holders, $pid;
        close $out;
        $held += readline $in;
    }
    return $held;
}
sub let_go { kill 'KILL', @holders; waitpid $_, 0 for splice @holders }

my $control = role_pid('control');
is(hold(sub { Trial::connected("$dir/control") }), 1000, '1,000 idle connections to the control socket');
$began = time;
ok(control(verb => 'status')->{ok}, 'status is answered');
cmp_ok(time - $began, '<', 10, 'soon');
cmp_ok(fds($control), '<', 150, 'and few of them were kept');
let_go();
my $held = hold(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1) });
cmp_ok($held, '>=', 200, "$held idle connections to HTTP");
is((get('/healthz'))[0], 200, 'healthz is answered');
cmp_ok(fds($control), '<', 250, 'and few of them were kept');
let_go();
is(role_pid('control'), $control, 'the process is the same');

# --- a parent that stands still ---
kill 'STOP', $daemon;
ok(wait_for(30, sub { (get('/healthz'))[0] == 503 }), 'a parent that stands still: healthz 503');
like((get('/healthz'))[1], qr/role parent gives no sign of life/, 'and which role');
is((get('/readyz'))[0], 200, 'lookups are answered all the same: readyz 200');
kill 'CONT', $daemon;
ok(wait_for(30, sub { (get('/healthz'))[0] == 200 }), 'well again');

diag(slurp($log)) if $ENV{V};
is(stop_pid($daemon), 0, 'the daemon ends in order');
unlike(slurp($log), qr/Sanitizer|runtime error/, 'no sanitizer has complained');
done_testing();
