#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The access socket of a running policyd: each row of t/tables/access.tbl, held against
# postroad may; what goes into the audit log, and before what; strangers' bytes, a thousand
# sessions at a time, a role that is killed, a reload, an audit log that can't be written.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Socket qw(SHUT_WR);
use Ports;
use Test::More;
use Time::HiRes qw(time);
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
$SIG{PIPE} = 'IGNORE';

my $LIMIT = 60; # of whatever is waited for
my $ldif = "$dir/directory.ldif";

# --- talking ---
sub line {
    my ($word, @fields) = @_;
    my $out = $word;
    while (my ($key, $value) = splice @fields, 0, 2) {
        $value =~ s/([\x01\0\t\r\n])/"\x01" . {"\x01" => 1, "\0" => 0, "\t" => 't', "\r" => 'r', "\n" => 'n'}->{$1}/ge;
        $out .= "\t$key=$value";
    }
    return "$out\n";
}

# One line, without its LF; undef at the end of the connection.
sub read_line {
    my ($s) = @_;
    my ($got, $end) = ('', time + $LIMIT);
    while (time < $end) {
        next unless IO::Select->new($s)->can_read(1);
        sysread($s, my $byte, 1) or return undef;
        return $got if $byte eq "\n";
        $got .= $byte;
    }
    return undef;
}

sub answer_of {
    my ($line) = @_;
    return { word => 'no answer' } unless defined $line;
    my ($word, @fields) = split /\t/, $line;
    return { word => $word, map { /^([^=]+)=(.*)/s ? ($1 => $2) : () } @fields };
}

sub say_to {
    my ($s, @request) = @_;
    syswrite $s, line(@request);
    return answer_of(read_line($s));
}

sub fresh { return connected("$dir/access") // die "no access socket: $!\n" }

sub session {
    my ($actor, $target, $service, @more) = @_;
    my $s = fresh();
    my $a = say_to($s, 'session', actor => $actor, target => $target, service => $service, remote => '192.0.2.7',
        session => 'sess1', master => $actor eq $target ? 'no' : 'yes', @more);
    return ($s, $a);
}

# The records of the audit log, oldest first; only those of these actions, if any are named.
sub records {
    my (@actions) = @_;
    my @all = map { decode_json($_) } map { split /\n/, slurp($_) } sort glob "$dir/state/audit/*.jsonl";
    return @all unless @actions;
    my %want = map { $_ => 1 } @actions;
    return grep { $want{ $_->{action} } } @all;
}

sub role_pid {
    my ($role) = grep { $_->{name} eq 'access' } @{ status()->{roles} || [] };
    return $role ? $role->{pid} : 0;
}

# --- begin without a directory ---
spew($ldif, "dn: broken\nthis is no LDIF\n");
my $http = '127.0.0.1:' . free_port();
ok(policyd_start(qq(ldif = "$ldif";), qq(access: { max_connections = 1100; };\nrights: { max_age = 2; };\n), $http),
    'policyd begins without a directory');
wait_for($LIMIT, sub { -S "$dir/access" && role_pid() });
is((session('alice@a.example', 'alice@a.example', 'imap'))[1]{word}, 'unsure', 'nothing was ever loaded: unsure, even for the owner');
is((session('dom@a.example', 'alice@a.example', 'imap'))[1]{word}, 'unsure', 'and for an administrator');

spew($ldif, slurp("$top/t/tables/access.ldif"));
ok(wait_for($LIMIT, sub { (source()->{phase} // '') eq 'loaded' }), 'the directory is loaded') or diag(policyd_log());

# --- the table ---
my %may = (yes => 'allowed', no => 'refused', unsure => "can't tell");
my $rows = 0;
for (grep { !/^\s*(#|$)/ } split /\n/, slurp("$top/t/tables/access.tbl")) {
    my ($actor, $target, $service, $want, $rule) = split ' ';
    my ($s, $a) = session($actor, $target, $service);
    my $got = $a->{word} eq 'yes' ? $a->{mode} : $a->{word};
    is($got . ' ' . ($a->{rule} // 1), "$want $rule", "$actor $target $service") or diag(explain $a);
    ok(length($a->{why} // ''), '  and says why') unless length($a->{why} // '');
    my $rights = say_to(fresh(), 'rights', actor => $actor, target => $target, service => $service);
    is("$rights->{session} " . ($rights->{mode} // ''), "$a->{word} " . ($a->{mode} // ''), '  rights with a service says the same');
    next if $want eq 'owner' || $rule == 0 || $service ne 'imap';
    # What administrators may is what postroad may says.
    for my $action ('read-mail', 'write-mail') {
        my (undef, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'may', '--json', $actor, $action, $target);
        my $may = eval { decode_json($out) } || {};
        my ($yes, $by) = split /:/, $rights->{$action};
        is("$may{$yes} $by", ($may->{verdict} // $out) . ' ' . ($may->{rule} // ''), "  $action as postroad may says");
    }
    $rows++;
}
cmp_ok($rows, '>', 20, 'rows were compared with postroad may');

# --- what is said of an account ---
{
    my (undef, $a) = session('PAM@a.example', 'pam@also-a.example', 'imap');
    is_deeply({ map { $_ => $a->{$_} } qw(actor target quota withheld) },
        { actor => 'pam@a.example', target => 'pam@a.example', quota => '3000000000', withheld => 'pop,share' },
        'names in their one form, own quota, what is withheld from him and from above');
    is((session('alice@a.example', 'alice@a.example', 'imap'))[1]{quota}, '2000000000', "the department's quota");
    is((session('bob@a.example', 'bob@a.example', 'imap'))[1]{quota}, '1000000000', "the domain's quota");
    is((session('flat@a.example', 'flat@a.example', 'imap'))[1]{quota}, '1000000000', "that of the address's domain, for who stands elsewhere");
    is((session('carol@b.example', 'carol@b.example', 'imap'))[1]{quota}, undef, 'none, where none is set');
    like((session('mia@a.example', 'mia@a.example', 'imap'))[1]{text}, qr/being moved/, 'a mailbox on its way: said so');
    like((session('pam@a.example', 'pam@a.example', 'pop3'))[1]{text}, qr/may not use POP3/, 'a service that is withheld: said so');
    like((session('bob@a.example', 'alice@a.example', 'imap'))[1]{text}, qr/^bob\@a\.example may not open the mailbox of alice\@a\.example/,
        'a refusal names both');
}

# --- records ---
{
    my $before = records();
    my ($s, $a) = session('al@a.example', 'alice@a.example', 'imap');
    close $s;
    my ($t) = session('domr@a.example', 'al@a.example', 'imap');
    my @new = (records())[$before .. records() - 1];
    is(scalar(@new), 1, 'an owner leaves no record, an administrator one, before he is let in');
    is_deeply({ map { $_ => $new[0]{$_} } qw(action actor target service remote session detail rule) },
        { action => 'open', actor => 'domr@a.example', target => 'alice@a.example', service => 'imap', remote => '192.0.2.7',
            session => 'sess1', detail => 'read', rule => 20 }, 'the record says all');
    syswrite $t, line('record', action => 'read', mailbox => "a\tb", uid => '1,3-5') . line('record', action => 'flags', detail => "x\ny");
    is(read_line($t), 'ok', 'a record of what was done');
    is(read_line($t), 'ok', 'another one, asked for without waiting');
    my @did = (records('read', 'flags'))[-2, -1];
    is("$did[0]{mailbox} $did[0]{uid} $did[1]{detail}", "a\tb 1,3-5 x\ny", 'with every byte of it');
    close $t;
    ok(wait_for($LIMIT, sub { (records())[-1]{action} eq 'close' }), 'the end of the connection ends the session');
    session('bob@a.example', 'alice@a.example', 'imap');
    is((records('refused'))[-1]{actor}, 'bob@a.example', 'a refusal is recorded, too');
}

# --- sharing ---
{
    my ($s) = session('alice@a.example', 'alice@a.example', 'imap');
    my %want = ('dep@a.example' => 'yes', 'bob@a.example' => 'yes', 'user=bob@a.example' => 'yes', '-bob@a.example' => 'yes',
        'carol@b.example' => 'no', 'anyone' => 'no', 'authenticated' => 'no', '$staff' => 'no', 'group=staff' => 'no',
        'ghost@a.example' => 'no', 'all@a.example' => 'no', 'owner' => 'yes', 'twin@a.example' => 'unsure');
    is(say_to($s, 'share', identifier => $_)->{word}, $want{$_}, "sharing with $_: $want{$_}") for sort keys %want;
    ($s) = session('pam@a.example', 'pam@a.example', 'imap');
    is(say_to($s, 'share', identifier => 'bob@a.example')->{word}, 'no', 'the function share is withheld');
    ($s) = session('dom@a.example', 'pam@a.example', 'imap');
    is(say_to($s, 'share', identifier => 'bob@a.example')->{word}, 'no', 'from an administrator in that mailbox, too');
    ($s) = session('domr@a.example', 'alice@a.example', 'imap');
    is(say_to($s, 'share', identifier => 'bob@a.example')->{word}, 'no', 'who may only read shares nothing');
}

# --- logins, told by policyd itself ---
mkdir "$dir/mail";
chmod 0777, "$dir/mail";
{
    my $s = fresh();
    is(say_to($s, 'allow', actor => 'pam@a.example', target => 'pam@a.example', service => 'pop3')->{word}, 'no', 'allow: as session');
    is(say_to($s, 'allow', actor => 'dom@a.example', target => 'alice@a.example', service => 'imap', master => 'yes')->{mode}, 'write', 'and');
    is(say_to($s, 'report', login => 'alice@a.example', success => 'yes', protocol => 'imap')->{word}, 'ok', 'a login is reported');
    is((records('login'))[-1]{target}, 'alice@a.example', 'and recorded');
    say_to($s, 'report', login => 'AL@a.example', master => 'dom@also-a.example', success => 'yes', protocol => 'imap');
    is(join(' ', @{ (records('login'))[-1] }{qw(action actor target)}), 'login dom@a.example alice@a.example', 'by the names everybody is found by');
}
SKIP: {
    skip 'needs root to be somebody else', 1 if $> != 0;
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
    chmod 0666, "$dir/access";
    my $stranger = spawn_sub(sub {
        $( = $) = "$gid $gid";
        $< = $> = $uid;
        my @said = map { say_to(fresh(), @$_)->{word} } ['allow', actor => 'dom@a.example', target => 'alice@a.example', service => 'imap'],
            ['report', login => 'alice@a.example', success => 'yes'], ['who', after => 0],
            ['session', actor => 'alice@a.example', target => 'alice@a.example', service => 'imap'];
        open my $out, '>', "$dir/mail/said" or die;
        print $out "@said";
        close $out;
    });
    my $said;
    wait_for($LIMIT, sub { ($said = slurp("$dir/mail/said")) =~ / yes\z/ });
    is($said, 'error error error yes', 'a mail process may begin a session, and ask for nobody else');
    stop_pid($stranger);
    chmod 0660, "$dir/access";
}

# --- garbage ---
my $opened = records('open');
for my $bad ("\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "session\n", line('session', actor => 'dom@a.example', target => 'alice@a.example'),
    "session\tactor=dom\@a.example\tactor=dom\@a.example\ttarget=alice\@a.example\tservice=imap\n", "nonsense\ta=b\n",
    line('session', actor => '', target => 'a', service => 'imap'), "session\tactor=x\001y\n", "record\taction=read\n", "share\tidentifier=a\n",
    line('session', actor => 'dom@a.example', target => 'alice@a.example', service => 'imap', master => 'maybe'),
    'x' x 8192, 'x' x 100_000, "\0" x 50 . "\n", line('who', after => 'x')) {
    my $s = fresh();
    syswrite $s, $bad;
    my $got = read_line($s);
    like($got, qr/^error\ttext=./, 'refused and told why: ' . substr(JSON::PP->new->allow_nonref->ascii->encode($bad), 0, 60));
    is(read_line($s), undef, '  and the connection is closed');
}
for my $half ('s', 'session', "session\tactor=dom\@a.example\ttarget=alice\@a.example\tservice=imap") {
    my $s = fresh();
    syswrite $s, $half;
    shutdown $s, SHUT_WR;
    is(read_line($s), undef, 'half a line is no request');
}
is(scalar(records('open')), $opened, 'and nobody was let in');
{
    my $s = fresh();
    my $request = line('session', actor => 'dom@a.example', target => 'alice@a.example', service => 'imap', unknown => 'key');
    syswrite $s, $_ for split //, $request;
    is(answer_of(read_line($s))->{word}, 'yes', 'byte by byte, with a key nobody knows: a request as any');
    is(say_to($s, 'session', actor => 'dom@a.example', target => 'alice@a.example', service => 'imap')->{word}, 'error', 'a second session is none');
}

# --- many at a time ---
{
    my @own = map { (session('alice@a.example', 'alice@a.example', 'imap'))[0] } 1 .. 900;
    my @other = map { (session('dom@a.example', 'alice@a.example', 'imap'))[0] } 1 .. 100;
    ok(wait_for($LIMIT, sub { (status()->{access}{sessions} // 0) == 100 }), 'a thousand sessions, a hundred of them of administrators');
    my @waiting = map { fresh() } 1 .. 200;
    is(say_to($other[0], 'record', action => 'read')->{word}, 'ok', 'who asks nothing gives way, sessions do not');
    my @more = map { (session('alice@a.example', 'alice@a.example', 'imap')) } 1 .. 150;
    is($more[-1]{word}, 'unsure', 'with all connections in use: unsure');
    is(say_to($_, 'record', action => 'read')->{word}, 'ok', 'who is in stays in') for $own[0], $other[-1];
    @own = @other = @more = @waiting = ();
    ok(wait_for($LIMIT, sub { status()->{access}{sessions} == 0 && status()->{access}{open} < 5 }), 'and all are gone');
}

# --- a client that takes no answers ---
{
    my $s = fresh();
    $s->blocking(0);
    my $request = line('rights', actor => 'dom@a.example', target => 'alice@a.example') x 100;
    my $sent = 0;
    while ((my $n = syswrite $s, $request) // 0) { $sent += $n; last if $sent > 50_000_000 }
    cmp_ok($sent, '<', 50_000_000, 'no more is read from who takes no answers');
    is((session('alice@a.example', 'alice@a.example', 'imap'))[1]{word}, 'yes', 'others are answered');
}

# --- killed, reloaded ---
{
    my ($s) = session('dom@a.example', 'alice@a.example', 'imap');
    my $pid = role_pid();
    kill 'KILL', $pid;
    is(read_line($s), undef, 'killed: its connections end');
    ok(wait_for($LIMIT, sub { my $new = role_pid(); $new && $new != $pid }), 'and it is started anew');
    is((session('dom@a.example', 'alice@a.example', 'imap'))[1]{word}, 'yes', 'and answers');
    my @seq = map { $_->{seq} } records();
    is_deeply(\@seq, [1 .. @seq], 'no record is missing');

    my ($t) = session('dom@a.example', 'bob@a.example', 'imap');
    $pid = role_pid();
    kill 'HUP', Trial::policyd_pid();
    is(read_line($t), undef, 'reloaded: open connections end');
    my ($end) = grep { $_->{target} eq 'bob@a.example' } records('close');
    ok($end, 'with a record of the end');
    is((session('dom@a.example', 'bob@a.example', 'imap'))[1]{word}, 'yes', 'the next question waits for the new one, and is answered');
    ok(wait_for($LIMIT, sub { my $new = role_pid(); $new && $new != $pid }), 'which is another process');
}

# --- no audit log ---
{
    my $pid = role_pid();
    rename "$dir/state/audit", "$dir/state/away" or die;
    spew("$dir/state/audit", '');
    kill 'KILL', $pid;
    wait_for($LIMIT, sub { my $new = role_pid(); $new && $new != $pid });
    is((session('dom@a.example', 'alice@a.example', 'imap'))[1]{why}, "the audit log can't be written",
        'without an audit log no administrator is let in');
    is((session('alice@a.example', 'alice@a.example', 'imap'))[1]{word}, 'yes', 'owners are');
    unlink "$dir/state/audit";
    rename "$dir/state/away", "$dir/state/audit" or die;
    ok(wait_for($LIMIT, sub { (session('dom@a.example', 'alice@a.example', 'imap'))[1]{word} eq 'yes' }), 'and as soon as there is one again, he is');
}

# --- the command ---
sub postroad { return run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", @_) }
{
    my ($code, $out) = postroad('who');
    is("$code $out", "0 nobody has somebody else's mailbox open\n", 'who: nobody');
    my @open = map { (session(@$_, 'imap'))[0] } ['dom@a.example', 'alice@a.example'], ['alice@a.example', 'alice@a.example'], ['sup@a.example', 'carol@b.example'];
    ($code, $out) = postroad('who');
    like($out, qr/^dom\@a\.example +alice\@a\.example +imap +write +192\.0\.2\.7 +\d{4}-\d\d-\d\d /m, 'who: one');
    like($out, qr/^sup\@a\.example +carol\@b\.example +imap +read /m, '  and another');
    unlike($out, qr/^alice/m, '  but no owner');
    ($code, $out) = postroad('who', '--json');
    my $who = eval { decode_json($out) } || {};
    is(scalar @{ $who->{sessions} || [] }, 2, 'who --json');
    is_deeply({ map { $_ => $who->{sessions}[0]{$_} } qw(actor target service mode remote session rule) },
        { actor => 'dom@a.example', target => 'alice@a.example', service => 'imap', mode => 'write', remote => '192.0.2.7', session => 'sess1',
            rule => 20 }, '  says all');
    close $_ for @open;
    ok(wait_for($LIMIT, sub { (postroad('who'))[1] =~ /^nobody/ }), 'who: they are gone');
    ($code, $out) = postroad('lookup', 'access', 'dom@a.example alice@a.example imap');
    is("$code $out", qq(0 yes mode=write rule=20 why="below the administrator, inside the scope" quota-bytes=2000000000\n), 'lookup access: yes');
    ($code, $out) = postroad('lookup', 'access', 'pam@a.example pam@a.example pop3');
    is("$code $out", qq(1 no rule=5 why="the function is withheld" withheld=pop,share quota-bytes=3000000000 text="The account pam\@a.example may not use POP3."\n), 'no');
    ($code, $out) = postroad('lookup', 'access', '--json', 'dom@a.example twin@a.example imap');
    is("$code " . (eval { decode_json($out) } || {})->{status}, '75 unsure', 'unsure');
    is((postroad('lookup', 'access', $_))[0], 2, "no question: '$_'") for '', 'a', 'a b', 'a b c d';
    ($code, $out) = postroad('status');
    like($out, qr/^ *Dovecot +0 mailboxes open to administrators; asked: \d+ yes, /m, 'status has a line on it');
    like($out, qr/^ *Audit log +\d+ records since start; newest \d+:[0-9a-f]{64}$/m, 'and on the audit log');
    my @frozen = (Trial::policyd_pid(), role_pid());
    kill 'STOP', @frozen;
    my $asked = connected("$dir/control");
    syswrite $asked, encode_json({ verb => 'who' }) . "\n";
    my ($ping) = postroad('explain', 'alice@a.example');
    is($ping, 0, 'while role access stands still, others are answered');
    is((eval { decode_json(read_line($asked)) } || {})->{code}, 75, 'and who is asked hears so');
    kill 'CONT', @frozen;
}

# --- figures ---
{
    my $s = IO::Socket::INET->new(PeerAddr => $http) or die "no HTTP: $!\n";
    print $s "GET /metrics HTTP/1.0\r\n\r\n";
    my $metrics = join '', <$s>;
    my ($yes) = $metrics =~ /^postroad_access_questions_total\{word="session",answer="yes"\} (\d+)$/m;
    cmp_ok($yes // -1, '>', 0, 'questions are counted');
    my ($n) = $metrics =~ /^postroad_access_seconds_count (\d+)$/m;
    cmp_ok($n // -1, '>=', $yes, 'and timed');
    like($metrics, qr/^postroad_role_up\{role="access"\} 1$/m, 'and the role is up');
}

# --- a mirror that nobody confirms any more ---
{
    my ($s) = session('domr@a.example', 'alice@a.example', 'imap');
    spew($ldif, "dn: broken\nthis is no LDIF\n");
    my $a;
    ok(wait_for($LIMIT, sub { ($a) = (session('dom@a.example', 'alice@a.example', 'imap'))[1]; $a->{word} eq 'unsure' }),
        'older than rights.max_age: no administrator is let in');
    is($a->{why}, 'the mirror is older than rights.max_age', '  and why');
    $a = (session('alice@a.example', 'alice@a.example', 'imap'))[1];
    is("$a->{word} $a->{why}", 'yes the own entry, by an old mirror', 'an owner is, and why says so');
    is((session('susan@a.example', 'susan@a.example', 'imap'))[1]{word}, 'no', 'unless he was suspended by then');
    is((session('ghost@a.example', 'ghost@a.example', 'imap'))[1]{word}, 'unsure', 'who is not in it may be new');
    is(say_to($s, 'record', action => 'read')->{word}, 'ok', 'what is open stays open');
}

is(policyd_stop(), 0, 'it ends in order');
done_testing();
