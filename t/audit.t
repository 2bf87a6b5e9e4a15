#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The audit log and openings as administrators and owners meet them: a real policyd and slapd,
# sessions at the access socket, postroad audit and postroad access. Who sees what; that a reason is
# asked for where the site wants one; that verify finds each kind of change, and says where.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

my $LIMIT = 60;
my $CORP  = 'dc=corp.example,ou=domains,o=corp';
my $CTL   = "$top/ctl/postroad";
my $LOG   = "$dir/state/audit";

slapd_conf('a', global => 'authz-policy to', database => slurp("$top/ldap-schema/postroad-access.conf") =~ s/^#.*\n//mgr);
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = slapd_start('a');
(my $path = "$dir/a/sock") =~ s{/}{%2F}g;
spew("$dir/mirror.secret", "sample-policyd\n");

sub begin {
    my ($more) = @_;
    my $up = policyd_start(qq(uri = "ldapi://$path"; base = "o=corp"; bind_dn = "cn=policyd,cn=services,o=corp"; password_file = "$dir/mirror.secret"; retry_max = 1;),
        $more // '');
    ok($up && wait_for($LIMIT, sub { (source()->{phase} // '') eq 'persist' && -S "$dir/access" && (status()->{access}{audit} // {})->{seq} }),
        'policyd follows the directory') or diag(policyd_log());
    return;
}

# Lines of answers to lines asked on one connection, which stays open: ($socket, @answers).
sub dialogue {
    my (@requests) = @_;
    my $s = connected("$dir/access") or return (undef, 'no socket');
    syswrite $s, join '', map { join("\t", @$_) . "\n" } @requests;
    my ($got, $end) = ('', time + $LIMIT);
    while ($got =~ tr/\n// < @requests && time < $end) {
        next unless IO::Select->new($s)->can_read(1);
        sysread($s, $got, 65536, length $got) or last;
    }
    return ($s, map { tr/\t/ /r } split /\n/, $got);
}

sub session { my ($actor, $target) = @_; return ['session', "actor=$actor\@corp.example", "target=$target\@corp.example", 'service=imap', 'session=s1', 'remote=192.0.2.7', 'master=yes'] }

sub ctl { my (@args) = @_; return run('', $CTL, '-c', "$dir/postroad.conf", @args) }

# As an administrator or user who is no more on this machine than a member of the daemon's group.
sub as_member {
    my ($who, @args) = @_;
    spew("$dir/secret.$who", "sample-$who\n");
    chmod 0600, "$dir/secret.$who";
    chown scalar getpwnam('bin'), -1, "$dir/secret.$who" if $> == 0;
    my $gid = (split ' ', $()[0];
    my @drop = $> == 0 ? ('setpriv', '--reuid=bin', '--regid=bin', "--groups=$gid") : ();
    return run('', @drop, $CTL, '-c', "$dir/postroad.conf", @args, '-D', "$who\@corp.example", '--password-file', "$dir/secret.$who");
}

sub lines { my ($out) = @_; return map { eval { decode_json($_) } || () } split /\n/, $out }
sub records { return map { decode_json($_) } map { split /\n/, slurp($_) } sort glob "$LOG/audit-*.jsonl" }

begin();

# --- what is recorded, and who sees it
my ($s, @said) = dialogue(session('lina', 'alice'), ['record', 'action=read', 'mailbox=INBOX', 'uid=1:3']);
like($said[0], qr/^yes mode=read/, 'lina reads the mail of alice') or diag(@said);
is($said[1], 'ok', 'a message');
close $s;
ok(wait_for($LIMIT, sub { (records())[-1]{action} eq 'close' }), 'and goes');
dialogue(session('bob', 'alice'));
dialogue(session('lina', 'bob'));

my ($code, $out) = ctl('audit', 'list', '--json');
is($code, 0, 'root lists');
is(scalar(lines($out)), scalar(records()), 'all of it') or diag($out);
sub count { my @o = @_; my (undef, $got) = ctl('audit', 'list', '--json', @o); return scalar lines($got) }
is(count('--target', 'Alice@corp.example', '--actor', 'lina@corp.example'), 3, 'by target and actor');
is(count('--action', 'refused'), 1, 'by action');
is(count('--since', '1h', '--action', 'open'), 2, 'since a while ago');
is(count('--until', '1h'), 0, 'until a while ago');
is(count('--since', '2000-01-01', '--until', '2000-01-01T00:01'), 0, 'between two moments');
is((ctl('audit', 'list', '--since', 'yesterday'))[0], 2, 'no time: said');
($code, $out) = ctl('audit', 'list', '--target', 'alice@corp.example');
like($out, qr/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ read lina\@corp\.example -> alice\@corp\.example by imap from 192\.0\.2\.7 mailbox INBOX uid 1:3 why: .*session s1$/m, 'a line for people');

SKIP: {
    skip 'needs root and setpriv to be somebody else', 14 if $> != 0 || !grep { -x "$_/setpriv" } split /:/, $ENV{PATH};
    ($code, $out) = as_member('alice', 'audit', 'list', '--target', 'me', '--json');
    is($code, 0, 'alice asks who was in her mailbox') or diag($out);
    my %who = map { ("$_->{action} $_->{actor} $_->{target}" => 1) } lines($out);
    is_deeply([sort keys %who], ['close lina@corp.example alice@corp.example', 'open lina@corp.example alice@corp.example', 'read lina@corp.example alice@corp.example',
        'refused bob@corp.example alice@corp.example'], 'and sees it, also who was refused') or diag($out);
    ($code, $out) = as_member('alice', 'audit', 'list', '--json');
    is((grep { $_->{target} ne 'alice@corp.example' } lines($out)), 0, 'of all records she sees her own');
    ($code, $out) = as_member('bob', 'audit', 'list', '--target', 'alice@corp.example', '--json');
    is(join(' ', $code, map { "$_->{action} $_->{actor}" } lines($out)), '0 refused bob@corp.example', 'bob sees none of them but what he did himself') or diag($out);
    ($code, $out) = as_member('frank', 'audit', 'list', '--json');
    is(scalar(lines($out)), 0, 'frank sees nothing') or diag($out);
    ($code, $out) = as_member('liuyang', 'audit', 'list', '--target', 'alice@corp.example', '--json');
    is(scalar(lines($out)), 4, 'liuyang has the right audit over her') or diag($out);
    ($code, $out) = as_member('lina', 'audit', 'list', '--target', 'alice@corp.example', '--json');
    is(join(' ', $code, map { $_->{action} } lines($out)), '0 open read close', 'lina has not, though she reads her mail: but what she did') or diag($out);
    spew("$dir/wrong", "wrong\n");
    chown scalar getpwnam('bin'), -1, "$dir/wrong";
    chmod 0600, "$dir/wrong";
    ($code, $out) = run('', 'setpriv', '--reuid=bin', '--regid=bin', '--groups=0', $CTL, '-c', "$dir/postroad.conf", 'audit', 'list', '-D', 'alice@corp.example', '--password-file', "$dir/wrong");
    isnt($code, 0, 'not with a wrong password');
    ($code, $out) = as_member('lina', 'audit', 'verify');
    is($code, 2, 'verify takes no name') or diag($out);
    ($code, $out) = run('', 'setpriv', '--reuid=bin', '--regid=bin', '--groups=0', $CTL, '-c', "$dir/postroad.conf", 'audit', 'verify');
    is($code, 75, 'who may not read the files is told so');
    like($out, qr/as root or as the daemon's user/, 'and who may');

    ($s, @said) = dialogue(session('lina', 'alice'), map { ['record', 'action=flags', "uid=$_"] } 1 .. 700);
    is((grep { $_ eq 'ok' } @said), 700, 'many records');
    close $s;
    ($code, $out) = as_member('alice', 'audit', 'list', '--target', 'me', '--action', 'flags', '--json');
    my @uids = map { $_->{uid} } lines($out);
    is("@uids", join(' ', 1 .. 700), 'are read page by page, each once, in order');

    # --- openings
    ($code, $out) = as_member('lina', 'access', 'open', 'alice@corp.example', '--reason', 'ticket 4711', '--for', '2h');
    is($code, 0, 'lina says why') or diag($out);
    like($out, qr/lina\@corp\.example may open the mailbox of alice\@corp\.example until \d/, 'and is told until when');
    is((as_member('bob', 'access', 'open', 'alice@corp.example', '--reason', 'x'))[0], 1, 'bob may not');
    is((as_member('alice', 'access', 'open', 'alice@corp.example', '--reason', 'x'))[0], 1, 'nobody needs one for himself');
    is((as_member('lina', 'access', 'open', 'alice@corp.example'))[0], 2, 'without a reason: none');
    is((as_member('lina', 'access', 'open', 'alice@corp.example', '--reason', 'x', '--for', '8d'))[0], 1, 'nor for longer than seven days');
    ($s, @said) = dialogue(session('lina', 'alice'), ['record', 'action=read', 'uid=9']);
    my ($open) = grep { $_->{action} eq 'open' } reverse records();
    is($open->{reason}, 'ticket 4711', 'the session carries the reason');
    my ($opening) = grep { $_->{action} eq 'opening' } records();
    my ($id) = $opening->{detail} =~ /^opening=([0-9a-f]{16}) until=/;
    like($open->{detail}, qr/^read opening=$id$/, 'and the id of the opening');
    is((records())[-1]{reason}, 'ticket 4711', 'as does what is done in it');
    ($code, $out) = as_member('alice', 'access', 'list', '--json');
    is_deeply([map { "$_->{id} $_->{actor}" } @{ decode_json($out)->{openings} }], ["$id lina\@corp.example"], 'the owner sees it');
    ($code, $out) = as_member('bob', 'access', 'list');
    is($out, "no openings\n", 'bob does not');
    is((as_member('bob', 'access', 'close', $id))[0], 1, 'nor may he end it');
    is((as_member('lina', 'access', 'close', $id))[0], 0, 'she may');
    is((as_member('lina', 'access', 'close', $id))[0], 1, 'once');
    is((records())[-1]{action}, 'opening-closed', 'that is a record, too');
    is((as_member('lina', 'access', 'open', 'alice@corp.example', '--reason', 'short', '--for', '1s'))[0], 0, 'for a second');
    ok(wait_for($LIMIT, sub { grep { $_->{action} eq 'opening-expired' } records() }), 'its end is a record');

    # --- where a reason is demanded
    is(policyd_stop(), 0, 'policyd ends');
    begin("access: { require_reason = true; };\n");
    ($s, @said) = dialogue(session('lina', 'alice'));
    like($said[0], qr/^no .*text=A reason is needed first: postroad access open alice\@corp\.example --reason TEXT --for 2h/, 'without one: no, and how');
    is((records())[-1]{action}, 'refused', 'recorded');
    like((dialogue(session('alice', 'alice')))[1], qr/^yes mode=owner/, 'the owner needs none');
    is((as_member('lina', 'access', 'open', 'alice@corp.example', '--reason', 'ticket 4712', '--for', '1h'))[0], 0, 'she gives one');
    like((dialogue(session('lina', 'alice')))[1], qr/^yes mode=read/, 'with one: yes');
    like((dialogue(session('lina', 'bob')))[1], qr/^no /, 'for this mailbox only');
    my ($role) = grep { $_->{name} eq 'access' } @{ status()->{roles} };
    kill 'KILL', $role->{pid};
    ok(wait_for($LIMIT, sub { ((dialogue(session('lina', 'alice')))[1] // '') =~ /^yes mode=read/ }), 'it outlives a kill');
    is(policyd_stop(), 0, 'policyd ends');
    like(policyd_log(), qr/audit log ends at seq=\d+ hash=[0-9a-f]{64}\n(?!.*audit log ends)/s, 'with an anchor');
    my $kept = slurp("$LOG/openings");
    spew("$LOG/openings", "damaged\n");
    begin("access: { require_reason = true; };\n");
    like((dialogue(session('lina', 'alice')))[1], qr/^unsure why=the openings can't be read/, 'openings that are damaged: unsure');
    like(policyd_log(), qr/openings can't be read why=".*line 1 makes no sense"/, 'and said');
    spew("$LOG/openings", $kept);
    ok(wait_for($LIMIT, sub { ((dialogue(session('lina', 'alice')))[1] // '') =~ /^yes mode=read/ }), 'mended: in force again');
}

# --- verify
dialogue(session('bob', 'alice')) for 1 .. 10; # so that there is something to change
($code, $out) = ctl('audit', 'verify');
is($code, 0, 'nothing is wrong') or diag($out);
like($out, qr/2 of 2 anchors fit; nothing is wrong/, 'by what the writer noted, and what the daemon has in its memory');
my $newest = status()->{access}{audit};
($code, $out) = ctl('audit', 'verify', '--json', '--anchor', "$newest->{seq}:$newest->{hash}");
is_deeply([@{ decode_json($out) }{qw(ok findings)}], [JSON::PP::true, 0], 'by an anchor, too') or diag($out);
($code, $out) = ctl('audit', 'verify', '--anchor', "$newest->{seq}:" . 'a' x 64);
is($code, 1, 'another anchor does not fit');
is((ctl('audit', 'verify', '--anchor', 'nonsense'))[0], 2, 'and nonsense is none');

# A copy, changed.
my ($file) = sort glob "$LOG/audit-*.jsonl";
my @good = (slurp($file) =~ /^(.*)\n/mg)[0 .. 9];
mkdir "$dir/copy";
mkdir "$dir/copy/audit";
(my $name = $file) =~ s{.*/}{$dir/copy/audit/};
spew("$dir/copy.conf", slurp("$dir/postroad.conf") =~ s{"$dir/state"}{"$dir/copy"}r =~ s{unix:$dir/control}{unix:$dir/nowhere}r);

sub verify_of {
    my ($lines, @args) = @_;
    spew($name, join '', map { "$_\n" } @$lines);
    return run('', $CTL, '-c', "$dir/copy.conf", 'audit', 'verify', @args);
}

sub finds {
    my ($what, $lines, $want, @args) = @_;
    my ($rc, $text) = verify_of($lines, @args);
    is($rc, 1, "$what: found");
    like($text, $want, ' and where') or diag($text);
    return;
}
is((verify_of(\@good))[0], 0, 'a whole log');
finds('removed', [@good[0 .. 3, 5 .. 9]], qr/line 5: record 5 is missing before this line\n.*records 6 to 10 hold together/s);
finds('changed', [@good[0 .. 3], $good[4] =~ s/corp/c0rp/r =~ s/"time":"2/"time":"3/r, @good[5 .. 9]], qr/records 1 to 4 hold together\n.*line 5: record 5 was changed.*records 6 to 10 hold together/s);
finds('inserted', [@good[0 .. 5], $good[2], @good[6 .. 9]], qr/line 7: record 3 is out of order, or was inserted/);
finds('in another order', [@good[0 .. 4, 6, 5, 7 .. 9]], qr/line 6: record 6 is missing.*line 7: record 6 is out of order/s);
finds('cut short', [@good[0 .. 8], substr $good[9], 0, 100], qr/line 10: this line is no record/);
finds('the first ones removed', [@good[3 .. 9]], qr/line 1: records 1 to 3 are missing/);
is((verify_of([@good[3 .. 9]], '--from', 4))[0], 0, 'unless one begins there');

# All that follows made anew, as whoever may write the files can.
sub forge {
    my (@lines) = @_;
    my $prev = '0' x 64;
    for (@lines) {
        s/"prev":"[0-9a-f]{64}","hash":"[0-9a-f]{64}"\}$//;
        $_ .= "\"prev\":\"$prev\"";
        $prev = sha256_hex($_);
        $_ .= ",\"hash\":\"$prev\"}";
    }
    return @lines;
}
my ($hash) = $good[9] =~ /"hash":"(\w+)"/;
my @forged = forge(@good[0 .. 3], $good[4] =~ s/corp/c0rp/r, @good[5 .. 9]);
is((verify_of(\@forged))[0], 0, 'all made anew: hashes alone do not show it');
finds('by an anchor', \@forged, qr/record 10 is not the one that --anchor knows.*NOT as it was written/s, '--anchor', "10:$hash");
finds('the end cut off, by an anchor', [@good[0 .. 6]], qr/record 10, which --anchor knows, is not there: the end is missing/, '--anchor', "seq=10 hash=$hash");

# The end cut off under a running daemon, and the head made to fit.
my @all = slurp($file) =~ /^(.*)\n/mg;
spew($file, join '', map { "$_\n" } @all[0 .. $#all - 2]);
my ($seq, $last) = $all[-3] =~ /^\{"seq":(\d+),.*"hash":"(\w+)"/;
open my $head, '+<', "$LOG/head" or die "head: $!";
printf $head "%020d %s\n", $seq, $last;
close $head;
($code, $out) = ctl('audit', 'verify');
is($code, 1, 'the end cut off: found');
like($out, qr/which the daemon knows, is not there: the end is missing/, 'by the daemon');
dialogue(session('bob', 'alice'));
my ($said) = grep { $_->{action} =~ /^log-/ && $_->{action} ne 'log-begun' } records();
is(($said // {})->{action}, 'log-moved', 'and the daemon says in the log that somebody was there');
is(policyd_stop(), 0, 'policyd ends');
is(slapd_stop('a', $slapd), 0, 'slapd ends');
done_testing();
