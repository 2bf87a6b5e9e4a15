#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Dovecot's auth policy, asked of a running policyd over HTTP: what is answered to its JSON, who may
# ask, what strangers send, what holds while role access is away; and with a real Dovecot that who may
# not log in hears why, and that each login is in the audit log. The plugin has no part in it.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use Ports;
use Test::More;
use Time::HiRes qw(time);
use Trial;
use Dovecot;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
my $LIMIT = 60;
$SIG{PIPE} = 'IGNORE';
my $PORT = free_port();

sub http {
    my ($request) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$PORT") or return '';
    my ($got, $end) = ('', time + $LIMIT);
    syswrite $s, $request;
    while (time < $end) {
        next unless IO::Select->new($s)->can_read(1);
        sysread($s, $got, 65536, length $got) or last;
    }
    return $got;
}

# (status line's number, the JSON of the answer)
sub post {
    my ($command, $body, $key) = @_;
    $body = encode_json($body) if ref $body;
    $key //= 'sesame';
    my $got = http("POST /?command=$command HTTP/1.1\r\nHost: x\r\nX-API-Key: $key\r\nContent-Type: application/json\r\n"
            . 'Content-Length: ' . length($body) . "\r\nConnection: close\r\n\r\n$body");
    my ($code) = $got =~ m{\AHTTP/1\.\d (\d+)};
    my ($json) = $got =~ /\r\n\r\n(.*)/s;
    return ($code // 0, eval { decode_json($json // '') } // {});
}

sub login {
    my ($login, $master, $protocol) = @_;
    return { login => $login, master => $master, remote => '192.0.2.7', protocol => $protocol // 'imap', session => 's1',
        pwhash => 'ab12', device_id => '', tls => JSON::PP::true, fail_type => '' };
}

sub records {
    my (@actions) = @_;
    my %want = map { $_ => 1 } @actions;
    return grep { $want{ $_->{action} } } map { decode_json($_) } map { split /\n/, slurp($_) } sort glob "$dir/state/audit/*.jsonl";
}

sub role_pid {
    my ($role) = grep { $_->{name} eq 'access' } @{ status()->{roles} || [] };
    return $role ? $role->{pid} : 0;
}

# What each of these returns, run at the same time.
sub together {
    my (%what) = @_;
    my %pid = map { my $name = $_; ($name => spawn_sub(sub { spew("$dir/said.$name", $what{$name}->() // 'nothing') })) } keys %what;
    my %said = map { my $name = $_; ($name => wait_for($LIMIT, sub { -e "$dir/said.$name" ? slurp("$dir/said.$name") : undef })) } keys %what;
    stop_pid($_) for values %pid;
    unlink glob "$dir/said.*";
    return %said;
}

# Role access stands still, and so does the parent, who would start it anew.
sub freeze {
    my @pids = (Trial::policyd_pid(), role_pid());
    kill 'STOP', @pids;
    return @pids;
}

spew("$dir/key", "sesame\n");
ok(policyd_start(qq(ldif = "$top/t/tables/access.ldif";), qq(access: { http_key_file = "$dir/key"; };\n), "127.0.0.1:$PORT"), 'policyd');
ok(wait_for($LIMIT, sub { (source()->{phase} // '') eq 'loaded' && role_pid() }), 'the directory is loaded') or diag(policyd_log());

# --- questions ---
for (['alice@a.example', '', 'imap', 0], ['alice@a.example', 'dom@a.example', 'imap', 0], ['alice@a.example', 'alice@a.example', 'imap', 0],
    ['ALICE@a.example', 'al@a.example', 'imap', 0], ['pam@a.example', '', 'pop3', -1], ['nil@a.example', '', 'smtp', -1],
    ['alice@a.example', '', 'smtp', 0], ['susan@a.example', '', 'imap', -1], ['mia@a.example', '', 'imap', -1],
    ['alice@a.example', 'domn@a.example', 'imap', -1], ['alice@a.example', 'bob@a.example', 'imap', -1],
    ['alice@a.example', 'sup@a.example', 'sieve', -1], ['ghost@a.example', '', 'imap', -1], ["a\tb\n\@a.example", '', 'imap', -1],
    ['twin@a.example', '', 'imap', 0], ['twin@a.example', 'dom@a.example', 'imap', -1]) {
    my ($login, $master, $protocol, $want) = @$_;
    # Who hears that it can't be decided at the moment comes again; twin always hears that.
    my ($code, $answer);
    wait_for($LIMIT, sub { ($code, $answer) = post('allow', login($login, $master, $protocol)); $login =~ /^twin/ || ($answer->{msg} // '') !~ /at the moment/ });
    is("$code " . ($answer->{status} // 'none'), "200 $want", "$login, master '$master', $protocol");
    like($answer->{msg}, qr/\w/, '  and is told why') if $want;
}
my (undef, $answer) = post('allow', login('alice@a.example', 'bob@a.example'));
like($answer->{msg}, qr/^bob\@a\.example may not open the mailbox of alice\@a\.example: /, 'the text is for people');
is((records('refused'))[-1]{actor}, 'bob@a.example', 'a refusal is recorded');
(undef, $answer) = post('allow', login('twin@a.example', 'dom@a.example'));
like($answer->{msg}, qr/at the moment/, 'who is in doubt hears that it passes');

# --- reports ---
post('report', { %{ login('alice@a.example', '') }, success => JSON::PP::true, policy_reject => JSON::PP::false });
is((records('login'))[-1]{target}, 'alice@a.example', 'a login is recorded');
post('report', { %{ login('alice@a.example', 'dom@a.example') }, success => JSON::PP::true });
is(join(' ', @{ (records('login'))[-1] }{qw(actor target service remote session)}), 'dom@a.example alice@a.example imap 192.0.2.7 s1',
    'one for somebody else, with both names');
my $began = time;
post('report', { %{ login('alice@a.example', '') }, success => JSON::PP::false }) for 1 .. 70;
cmp_ok(scalar(records('login-failed')), '<=', time - $began < 60 ? 60 : 70, 'of wrong passwords not more than a minute\'s worth');
cmp_ok(scalar(records('login-failed')), '>', 0, 'but some');

# --- who may ask, and what ---
is((post('allow', login('alice@a.example', ''), 'wrong'))[0], 403, 'without the key there is no answer');
is((post('allow', login('alice@a.example', ''), ''))[0], 403, 'nor with an empty one');
is((post('allow', $_))[0], 400, 'no question: ' . substr $_, 0, 30)
    for '', '{', '[]', '"x"', '{}', '{"login":7}', '{"login":""}', "\0\1\2", '[' x 5000;
is((post($_, login('alice@a.example', '')))[0], 404, "no such command: $_") for 'other', 'allow&x=1', '';
unlike(http("POST /?command=allow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n" . 'x' x 100_000), qr/ 200 /, 'a long body is refused');
like(http("GET /?command=allow HTTP/1.0\r\n\r\n"), qr{\AHTTP/1\.\d 404}, 'nothing is to be had by GET');
like(http("POST /metrics HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"), qr{\AHTTP/1\.\d 405}, 'nor are figures by POST');
(undef, $answer) = post('allow', login('x' x 9000 . '@a.example', ''));
is($answer->{status}, 0, 'a name longer than a line: in doubt, as an owner');
(undef, $answer) = post('allow', login('x' x 9000 . '@a.example', 'dom@a.example'));
is($answer->{status}, -1, 'and as an administrator');

# --- while role access stands still, or is away ---
{
    my @pids = freeze();
    (undef, $answer) = post('allow', login('alice@a.example', 'dom@a.example'));
    is($answer->{status}, -1, 'no answer: administrators are refused');
    like($answer->{msg}, qr/at the moment/, '  with a text that says it passes');
    (undef, $answer) = post('allow', login('alice@a.example', ''));
    is($answer->{status}, 0, '  owners are let in');
    like(policyd_log(), qr/a login can't be decided outcome="let in, as access\.owner_on_doubt says"/, '  and that is in the log');
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$PORT");
    my $body = encode_json(login('alice@a.example', ''));
    syswrite $s, "POST /?command=allow HTTP/1.1\r\nHost: x\r\nX-API-Key: sesame\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    like(http("GET /healthz HTTP/1.0\r\n\r\n"), qr/^HTTP/, '  others are answered meanwhile');
    close $s;
    kill 'KILL', $pids[1];
    kill 'CONT', $pids[0];
    ok(wait_for($LIMIT, sub { (post('allow', login('alice@a.example', 'dom@a.example')))[1]{status} == 0 }), 'and when it is back, all is well');
}

# --- another program at the socket ---
{
    my @pids = freeze();
    rename "$dir/access", "$dir/access.ours" or die "rename: $!\n";
    my $listener = IO::Socket::UNIX->new(Listen => 5, Local => "$dir/access") or die "listen: $!\n";
    my @lines = ('', "no\ttext=said at the second time\n", "nonsense\n", 'x' x 9000, "no\n");
    my $fake = spawn_sub(sub {
        for my $line (@lines) {
            my $s = $listener->accept or last;
            sysread $s, my $request, 8192 if length $line;
            syswrite $s, $line;
            close $s;
        }
    });
    my %alice = (%{ login('alice@a.example', 'dom@a.example') });
    is((post('allow', \%alice))[1]{msg}, 'said at the second time', 'who loses the connection before the answer asks once more');
    like((post('allow', \%alice))[1]{msg}, qr/at the moment/, "an answer that is none: $_") for 'a word nobody knows', 'a line without end';
    is((post('allow', \%alice))[1]{status}, -1, 'a refusal without a text is one');
    stop_pid($fake);
    # Reloaded while a login waits for its answer.
    pipe my $asked, my $tell or die;
    $fake = spawn_sub(sub {
        my $s = $listener->accept or return;
        sysread $s, my $request, 8192;
        syswrite $tell, 'x';
        wait_for(30, sub { -e "$dir/go-on" });
        syswrite $s, "no\ttext=said after the reload\n";
        sleep 5;
    });
    kill 'CONT', $pids[0];
    my $pid = (grep { $_->{name} eq 'control' } @{ status()->{roles} })[0]{pid};
    my $login = spawn_sub(sub { spew("$dir/said", (post('allow', \%alice))[1]{msg} // 'nothing') });
    sysread $asked, my $byte, 1;
    kill 'HUP', Trial::policyd_pid();
    wait_for(0.5, sub { policyd_log() =~ /reloaded file=/ });
    spew("$dir/go-on", '');
    wait_for($LIMIT, sub { -s "$dir/said" });
    is(slurp("$dir/said"), 'said after the reload', 'a reload ends no login that waits for its answer');
    ok(wait_for($LIMIT, sub { my ($c) = grep { $_->{name} eq 'control' } @{ status()->{roles} || [] }; $c && $c->{pid} != $pid }), 'and role control is another one');
    stop_pid($_) for $fake, $login;
    close $listener;
    rename "$dir/access.ours", "$dir/access" or die "rename: $!\n";
    kill 'CONT', @pids;
    ok(wait_for($LIMIT, sub { (post('allow', \%alice))[1]{status} == 0 }), 'with ours there again, all is well');
}

# --- a real Dovecot ---
SKIP: {
    skip 'a real Dovecot needs root', 1 if $> != 0;
    skip 'Dovecot is not installed', 1 if !dovecot_series() || system('unshare --mount true 2>/dev/null') != 0;
    my $attributes = dovecot_series() eq '2.4'
        ? "auth_policy_request_attributes {\n  login = %{user}\n  master = %{master_user}\n  remote = %{remote_ip}\n  protocol = %{protocol}\n  session = %{session}\n}\n"
        : "auth_policy_request_attributes = login=%{user} master=%{master_user} remote=%{rip} protocol=%s session=%{session}\n";
    my $submission = -e '/usr/lib/dovecot/submission';
    Dovecot::relay_start() if $submission;
    my $up = dovecot_start(
        plugin => 0, submission => $submission,
        users => { map { ("$_\@a.example" => '') } qw(alice pam susan bob nil) },
        masters => [map { "$_\@a.example" } qw(dom domn)],
        extra => "auth_policy_server_url = http://127.0.0.1:$PORT/\nauth_policy_server_api_header = X-API-Key: sesame\n"
            . "auth_policy_hash_nonce = any\nauth_policy_check_before_auth = no\nauth_policy_check_after_auth = yes\n"
            . "auth_policy_report_after_auth = yes\nauth_policy_reject_on_fail = yes\n$attributes",
    );
    ok($up, 'Dovecot ' . dovecot_series()) or skip 'Dovecot does not start', 1;
    # At the same time, as Dovecot lets those wait whom it refuses; again, as long as somebody is told to come again.
    my %said;
    wait_for($LIMIT, sub { %said = together(
        owner => sub { (imap('alice@a.example'))[1] },
        right => sub { (imap('alice@a.example*dom@a.example'))[1] },
        none => sub { (imap('alice@a.example*domn@a.example'))[1] },
        suspended => sub { (imap('susan@a.example'))[1] },
        pop3 => sub { (pop3('pam@a.example'))[1] },
        imap => sub { (imap('pam@a.example'))[1] },
        $submission ? (map { my $who = $_; ("send $who" => sub { (submission($who))[1] }) } 'alice@a.example', 'nil@a.example', 'alice@a.example*domn@a.example') : (),
        wrong => sub { (imap('alice@a.example', 'wrong'))[1] },
    ); !grep { /at the moment/ } values %said });
    like($said{owner}, qr/^OK/, 'an owner logs in');
    like($said{right}, qr/^OK/, 'an administrator with the right, too');
    is($said{none}, 'NO [AUTHORIZATIONFAILED] domn@a.example may not open the mailbox of alice@a.example: needs the right read-mail',
        'one without it hears why');
    like($said{suspended}, qr/^NO \[(ALERT|AUTHORIZATIONFAILED)\] The account susan\@a\.example is suspended or disabled\.$/,
        'so does who is suspended');
    is($said{pop3}, '-ERR [AUTH] The account pam@a.example may not use POP3.', 'and by POP3 who may not use it');
    like($said{imap}, qr/^OK/, 'who may use IMAP');
    if ($submission) {
        like($said{'send alice@a.example'}, qr/^235 /, 'an owner may send');
        like($said{'send nil@a.example'}, qr/^535 5\.7\.\d The account nil\@a\.example may not use submission of mail\.$/, 'who may not, hears why');
        like($said{'send alice@a.example*domn@a.example'}, qr/^535 5\.7\.\d domn\@a\.example may not open the mailbox/, 'and who would do it for somebody else');
    }
    like($said{wrong}, qr/^NO \[AUTHENTICATIONFAILED\]/, 'a wrong password is a wrong password');
    my @last;
    ok(wait_for($LIMIT, sub {
        @last = grep { $_->{session} && $_->{session} ne 's1' } records('login', 'login-failed', 'refused');
        return scalar grep { $_->{action} eq 'login' && $_->{target} eq 'pam@a.example' } @last;
    }), 'logins are reported');
    my %seen = map { ("$_->{action} $_->{actor} $_->{target} $_->{service}" => 1) } @last;
    ok($seen{$_}, "recorded: $_") or diag(explain \%seen) for 'login alice@a.example alice@a.example imap', 'login dom@a.example alice@a.example imap',
        'refused domn@a.example alice@a.example imap', 'refused susan@a.example susan@a.example imap', 'refused pam@a.example pam@a.example pop3';
    my @pids = freeze();
    %said = together(owner => sub { (imap('alice@a.example'))[1] }, right => sub { (imap('alice@a.example*dom@a.example'))[1] });
    like($said{owner}, qr/^OK/, 'with role access silent an owner gets in');
    like($said{right}, qr/^NO \[AUTHORIZATIONFAILED\] It can't be decided at the moment/, 'an administrator hears to come again');
    kill 'CONT', @pids;
    dovecot_stop();
}

is(policyd_stop(), 0, 'it ends in order');
done_testing();
