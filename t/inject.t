#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# inject: every call of malloc, read, write, LMDB and libldap fails once in turn, in each role
# of postroad-policyd, while it is asked and the directory changes. Nobody who is in the directory
# is called unknown, nobody who is not is known, no process crashes, the parent lives, and a little
# later all is right again.
#
# By default a sample of the calls that a short session makes, as many as a minute allows;
# POSTROAD_SOAK=1 takes them all (hours). POSTROAD_SEED repeats a sample; POSTROAD_INJECT="ROLE CALL N
# [start]" one failure.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use IO::Select;
use Trial;

$SIG{PIPE} = 'IGNORE';
my $SECONDS = 40;
my $PRINT = join ':', ('AB') x 32;
my $shim = "$top/t/tools/fail_preload.so";
plan(skip_all => 'postroad-policyd is not built')        unless -x "$top/policyd/postroad-policyd";
plan(skip_all => 'no t/tools/fail_preload.so')           unless -e $shim;
plan(skip_all => 'a sanitizer wants malloc for itself')  if slurp("$top/policyd/postroad-policyd") =~ /__asan_init/;
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

# --- the shim's memory

my ($roles, $calls) = slurp($shim) =~ /roles: ([^\n]+)\ncalls: ([^\n]+)\n/ or BAIL_OUT('no tables in the shim');
my @roles = split / /, $roles;
my @calls = split / /, $calls;
my %role = map { $roles[$_] => $_ } 0 .. $#roles;
my %call = map { $calls[$_] => $_ } 0 .. $#calls;
my $block = "$dir/block";
spew($block, "\0" x (80 + 4 * @roles * @calls));
chmod 0666, $block;
open my $memory, '+<:raw', $block or die "$block: $!";

sub peek { my ($at, $n) = @_; sysseek $memory, $at, 0; sysread $memory, my $bytes, 4 * $n; return unpack 'V*', $bytes }

sub poke { my ($at, @values) = @_; sysseek $memory, $at, 0; return syswrite $memory, pack 'V*', @values }

sub arm {
    my ($r, $c, $n) = @_;
    poke(0, 0, $role{$r}, $n, 0);
    poke(0, 1 + $call{$c});
    return;
}

sub fired { return (peek(12, 1))[0] }

# The program or library whose call failed.
sub caller_name { return unpack 'Z64', pack 'V*', peek(16, 16) }

# How often each role has called each function so far: {"role call" => n}.
sub counts {
    my @n = peek(80, @roles * @calls);
    my %count;
    for my $r (0 .. $#roles) {
        $count{"$roles[$r] $calls[$_]"} = $n[ $r * @calls + $_ ] for 0 .. $#calls;
    }
    return \%count;
}

# --- the directory

sub entry { my ($dn, @lines) = @_; return join("\n", "dn: $dn", @lines) . "\n\n" }

sub person {
    my ($uid, @lines) = @_;
    return entry("uid=$uid,dc=a.example,o=corp", 'objectClass: inetOrgPerson', 'objectClass: postroadAccount',
        "uid: $uid", "cn: $uid", "sn: $uid", "mail: $uid\@a.example", @lines);
}

slapd_conf('a', database => 'access to * by * read');
slapd_add('a', entry('o=corp', 'objectClass: organization', 'o: corp')
    . entry('cn=sites,o=corp', 'objectClass: organizationalRole', 'cn: sites')
    . entry('cn=hebei,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: hebei', 'postroadNextHop: 10 relay:[192.0.2.1]:25')
    . entry('cn=shandong,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: shandong',
        'postroadNextHop: 10 relay:[192.0.2.2]:25', "postroadCertFingerprint: $PRINT")
    . entry('dc=a.example,o=corp', 'objectClass: domain', 'objectClass: postroadDomain', 'dc: a.example',
        'associatedDomain: a.example', 'postroadHomeSite: hebei')
    . entry('cn=all,dc=a.example,o=corp', 'objectClass: groupOfNames', 'objectClass: postroadList', 'cn: all',
        'mail: all@a.example', map { "member: uid=h$_,dc=a.example,o=corp" } 1 .. 3)
    . join '', map { person("h$_") } 1 .. 30);
my $slapd = slapd_start('a');

sub start_policyd {
    local @ENV{qw(LD_PRELOAD FAIL_BLOCK)} = ($shim, $block);
    my $uri = Trial::uri_of('a');
    return policyd_start(qq(uri = "$uri"; base = "o=corp"; timeout = 2; heartbeat = 1; retry_min = 1; retry_max = 1;),
        'unknown_wait = 2;');
}

# --- a session, and what may be answered in it

my $soft = qr/^(?:TEMP|no answer)/;
my ($here, $there) = (qr/^OK lmtp:/, qr/^OK relay:\[192\.0\.2\.2\]/);
my @always = (
    [ mailbox   => 'h1@a.example',        qr/^OK OK$/ ],
    [ transport => 'h1@a.example',        $here ],
    [ mailbox   => 'h3+x@a.example',      qr/^OK OK$/ ],
    [ alias     => 'all@a.example',       qr/^OK h1\@a\.example,\s*h2\@a\.example,\s*h3\@a\.example$/ ],
    [ sender    => 'h1@a.example',        qr/^OK h1/ ],
    [ domain    => 'a.example',           qr/^OK OK$/ ],
    [ domain    => 'b.example',           qr/^NOTFOUND/ ],
    [ transport => 'guest@b.example',     qr/^NOTFOUND/ ],
    [ tls       => '[192.0.2.2]:25',      qr/^OK fingerprint match=$PRINT/ ],
);
my @wrong;
my $round = 0;
my $moved = 0; # whether h2 lives at shandong

# The hand-off port's question about a recipient.
sub handoff {
    my ($to) = @_;
    my $asked = Trial::ask("$dir/policy", "request=smtpd_access_policy\nprotocol_state=RCPT\npolicy_context=handoff\n"
        . "recipient=$to\nccert_fingerprint=$PRINT\nccert_pubkey_fingerprint=\n\n", qr/\n\n/);
    return $asked =~ /^action=(.*)/ ? $1 : '';
}

sub look {
    my ($strict) = @_;
    my @bad;
    for my $q (@always, [ transport => 'h2@a.example', $moved ? $there : $here ]) {
        my ($map, $key, $want) = @$q;
        my $got = lookup($map, $key);
        next if $got =~ $want || !$strict && ($got =~ $soft || $key =~ /^h2/ && $got =~ /$here|$there/);
        push @bad, "$map $key: $got";
    }
    my ($known, $unknown) = (handoff('h1@a.example'), handoff('nobody@a.example'));
    push @bad, "hand-off of h1: $known"      if $known !~ ($strict ? qr/^DUNNO/ : qr/^(?:DUNNO|4.*|)$/);
    push @bad, "hand-off of nobody: $unknown" if $unknown !~ ($strict ? qr/^45/ : qr/^(?:4.*|)$/);
    control(verb => 'status');
    return @bad;
}

# A change of the directory is never answered as if it had not been, once slapd has it.
sub change {
    my $uid = 'x' . ++$round;
    $moved = !$moved;
    ldap_change('a', person($uid)
        . "dn: uid=h2,dc=a.example,o=corp\nchangetype: modify\nreplace: postroadHomeSite\npostroadHomeSite: "
        . ($moved ? 'shandong' : 'hebei') . "\n\n"
        . ($round > 1 ? 'dn: uid=x' . ($round - 1) . ",dc=a.example,o=corp\nchangetype: delete\n" : ''));
    my $got = lookup('mailbox', "$uid\@a.example");
    push @wrong, "mailbox $uid\@a.example, just made: $got" if $got !~ /^OK OK$/ && $got !~ $soft;
    return $uid;
}

sub restart {
    my ($r) = @_;
    my ($found) = grep { $_->{name} =~ /^\Q$r\E/ } @{ status()->{roles} // [] };
    kill 'KILL', $found->{pid} if $found && $found->{pid};
    return;
}

# A question whose answer takes a proof, a second or so: asked here, the answer to be fetched later.
sub ask_unknown {
    my $s = Trial::connected("$dir/map") or return;
    syswrite $s, '24:mailbox nobody@a.example,';
    return $s;
}

sub answer_unknown {
    my ($s) = @_;
    my $got = '';
    my $end = time + 5;
    while ($s && $got !~ /,\z/ && time < $end) {
        next unless IO::Select->new($s)->can_read(0.5);
        sysread($s, $got, 65536, length $got) or last;
    }
    return $got =~ /^\d+:(.*),\z/s ? $1 : 'no answer';
}

# Returns what was wrong for good; what was wrong meanwhile is pushed to @wrong.
sub session {
    my ($restart) = @_;
    restart($restart) if $restart;
    my @unknown = ask_unknown();
    push @wrong, look(0);
    my $uid = change();
    push @unknown, ask_unknown();
    push @wrong, look(0);
    my @bad;
    wait_for(20, sub { @bad = look(1); !@bad && lookup('mailbox', "$uid\@a.example") eq 'OK OK' });
    my $got = lookup('mailbox', "$uid\@a.example");
    push @bad, "mailbox $uid\@a.example: $got" if $got ne 'OK OK';
    $got = answer_unknown(shift @unknown);
    push @wrong, "mailbox nobody\@a.example: $got" if $got !~ /^NOTFOUND/ && $got !~ $soft;
    wait_for(20, sub { ($got = answer_unknown(@unknown ? shift @unknown : ask_unknown())) =~ /^NOTFOUND/ });
    push @bad, "mailbox nobody\@a.example: $got" if $got !~ /^NOTFOUND/;
    return @bad;
}

# --- one failure

sub crashes { return scalar(() = policyd_log() =~ /by="signal (?:4|6|7|8|11)"/g) }

my $crashes = 0;

# Three libraries do not always look whether they got memory: libconfig, when a role starts and serves
# nobody yet; libevent's buffers, which only control uses; libldap, which only sync does.
sub is_excused {
    my ($r, $start) = @_;
    my $whose = caller_name();
    return $whose =~ /^libconfig/ && $start || $whose =~ /^libevent/ && $r eq 'control' || $whose =~ /^libldap/ && $r eq 'sync';
}

sub inject {
    my ($r, $c, $n, $start) = @_;
    @wrong = ();
    my $at = length policyd_log();
    arm($r, $c, $n);
    my @bad = session($start ? $r : undef);
    poke(0, 0);
    push @bad, @wrong;
    push @bad, 'a process crashed' if crashes() > $crashes && !is_excused($r, $start);
    $crashes = crashes();
    push @bad, 'the parent is gone' if !kill 0, Trial::policyd_pid();
    my $name = "$r: $c fails, call $n" . ($start ? ' of the start' : '') . (fired() ? ' in ' . caller_name() : ' (did not come)');
    ok(!@bad, $name) or diag(join "\n", @bad, 'log:', grep { !/asked verb/ } split /\n/, substr policyd_log(), $at);
    if (!kill 0, Trial::policyd_pid()) {
        policyd_stop();
        start_policyd();
    }
    return fired();
}

ok(start_policyd(), 'policyd starts') or BAIL_OUT(policyd_log());
ok(wait_for(10, sub { (source()->{phase} // '') eq 'persist' }), 'it follows the directory') or BAIL_OUT(policyd_log());
is(join('; ', session(), @wrong), '', 'without a failure all is right') or BAIL_OUT(policyd_log());

# What there is to fail: each call of a session, and of one in which the role is started anew.
my @points;
for my $start ('', grep { $_ ne 'parent' } @roles) {
    my $before = counts();
    my $crashed = session($start);
    my $after = counts();
    for my $key (sort keys %$after) {
        my ($r, $c) = split / /, $key;
        my $n = $after->{$key} - $before->{$key};
        next if $start && $start ne $r;
        push @points, map { [ $r, $c, $_, $start ] } 1 .. $n;
    }
}

srand($ENV{POSTROAD_SEED} // time);
my $seed = $ENV{POSTROAD_SEED} // int rand 1e9;
srand $seed;
# By chance, but one of each kind of call in each role before a second one.
my (%kind, @order);
push @{ $kind{"@$_[0, 1, 3]"} }, $_ for @points;
while (%kind) {
    for my $key (sort { $kind{$a}[0][4] <=> $kind{$b}[0][4] } map { $kind{$_}[0][4] = rand; $_ } sort keys %kind) {
        push @order, splice @{ $kind{$key} }, rand @{ $kind{$key} }, 1;
        delete $kind{$key} if !@{ $kind{$key} };
    }
}
@order = [ split / /, $ENV{POSTROAD_INJECT} ] if $ENV{POSTROAD_INJECT};
my $end = $ENV{POSTROAD_SOAK} ? 9e99 : time + $SECONDS;
my ($done, $came) = (0, 0);
for my $point (@order) {
    last if time > $end;
    $came += inject(@$point[ 0 .. 3 ]);
    $done++;
}
note("seed $seed: $done of " . scalar(@points) . " calls failed in turn, $came of them came up");
cmp_ok($came, '>=', $done / 3, 'enough of them came up again');
is(policyd_stop(), 0, 'policyd ends in order');
slapd_stop('a', $slapd);
done_testing;
