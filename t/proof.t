#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Proven current: "nobody has this address" is only said when it is a fact at every
# site. Two real slapd in multi-provider replication, whose line from the second to
# the first can be held up; providers that are away, hang, lag; lookups that wait,
# too many of them, clients that leave, and the daemon's end meanwhile.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

my $HR = 'ou=hr,dc=a.example,ou=domains,o=corp';
my $POLICYD_DN = 'cn=policyd,cn=services,o=corp';
my $OK = qr/^OK OK$/;
my $NONE = qr/^NOTFOUND/;
my $TEMP = qr/^TEMP/;

sub entry {
    my ($dn, @lines) = @_;
    return join("\n", "dn: $dn", @lines) . "\n\n";
}

sub person {
    my ($uid, @lines) = @_;
    return entry("uid=$uid,$HR", 'objectClass: inetOrgPerson', 'objectClass: postroadAccount',
        "uid: $uid", "cn: $uid", "sn: $uid", "mail: $uid\@a.example", @lines);
}

sub domain {
    my ($name, @lines) = @_;
    return entry("dc=$name,ou=domains,o=corp", 'objectClass: domain', 'objectClass: postroadDomain',
        "dc: $name", "associatedDomain: $name", 'postroadHomeSite: hebei', @lines);
}

my $tree = entry('o=corp', 'objectClass: organization', 'o: corp')
    . entry('cn=services,o=corp', 'objectClass: organizationalRole', 'cn: services')
    . entry($POLICYD_DN, 'objectClass: organizationalRole', 'objectClass: simpleSecurityObject',
        'cn: policyd', 'userPassword: open')
    . entry('ou=else,o=corp', 'objectClass: organizationalUnit', 'ou: else')
    . entry('uid=1,ou=else,o=corp', 'objectClass: account', 'uid: 1')
    . entry('uid=2,ou=else,o=corp', 'objectClass: account', 'uid: 2')
    . entry('ou=domains,o=corp', 'objectClass: organizationalUnit', 'ou: domains')
    . domain('a.example') . domain('all.example', 'postroadCatchAll: h1@a.example')
    . entry($HR, 'objectClass: organizationalUnit', 'objectClass: postroadDepartment', 'ou: hr')
    . join('', map { person("h$_") } 1 .. 20)
    . person('gone', 'postroadState: disabled')
    . entry("cn=team,$HR", 'objectClass: groupOfNames', 'objectClass: postroadList', 'cn: team',
        'mail: team@a.example', "member: uid=h1,$HR", 'postroadMember: h2@a.example')
    . entry("cn=old,$HR", 'objectClass: groupOfNames', 'objectClass: postroadList', 'cn: old',
        'mail: old@a.example', "member: uid=h1,$HR", 'postroadMember: left@a.example');

# --- the two sites

sub escaped { my ($path) = @_; $path =~ s{/}{%2F}g; return $path }

sub site {
    my ($name, $sid, $provider) = @_;
    slapd_conf($name, sid => $sid,
        database => "limits dn.exact=\"$POLICYD_DN\" size=unlimited time=unlimited\n"
            . 'access to * by dn.exact="cn=root,o=corp" read by * read',
        last => 'syncrepl rid=00' . $sid . ' provider=ldapi://' . escaped($provider)
            . ' searchbase=o=corp type=refreshAndPersist retry="1 +" bindmethod=simple'
            . " binddn=cn=root,o=corp credentials=secret\nmultiprovider on");
}

# Passes bytes between one connection after another at $path and $to: stopped, the line hangs.
sub line {
    my ($path, $to) = @_;
    my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 5) or die "$path: $!";
    return spawn_sub(sub {
        my $all = IO::Select->new($listener);
        my %peer;
        $SIG{PIPE} = 'IGNORE'; # one end may have gone when the other one writes
        for (;;) {
            for my $s ($all->can_read) {
                if ($s == $listener) {
                    my $in = $listener->accept or next;
                    my $out = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $to) or next;
                    @peer{$in, $out} = ($out, $in);
                    $all->add($in, $out);
                    next;
                }
                next unless $peer{$s};
                my $n = sysread $s, my $bytes, 65536;
                next if $n && syswrite $peer{$s}, $bytes;
                my $other = delete $peer{$s};
                delete $peer{$other};
                $all->remove($s, $other);
                close $_ for $s, $other;
            }
        }
    });
}

site('here', 1, "$dir/line");
site('there', 2, "$dir/here/sock");
slapd_add('here', $tree);
my $line = line("$dir/line", "$dir/there/sock");
my %door = map { $_ => line("$dir/door.$_", "$dir/$_/sock") } qw(here there); # policyd's way to them
my %slapd = map { $_ => slapd_start($_) } qw(here there);
my $has = sub { my ($at, $uid) = @_; ldap_search($at, '-b', $HR, '-s', 'one', "(uid=$uid)", 'dn') =~ /uid=$uid/ };
ok(wait_for(30, sub { $has->('there', 'gone') }), 'two providers agree');

sub uri { return '"ldapi://' . escaped("$dir/door.$_[0]") . '"' }

spew("$dir/secret", "open\n");
chmod 0600, "$dir/secret";

sub directory {
    my (@providers) = @_;
    my $providers = @providers ? 'providers = (' . join(', ', map { uri($_) } @providers) . ');' : '';
    return 'uri = (' . uri('here') . "); $providers base = \"ou=domains,o=corp\"; "
        . "bind_dn = \"$POLICYD_DN\"; password_file = \"$dir/secret\"; "
        . 'timeout = 20; heartbeat = 1; retry_min = 1; retry_max = 2;';
}

# Where a lookup must not wait in vain it may wait for long, and "at once" is much less than that: so nothing here
# depends on how busy the machine is.
my $PATIENT = 'unknown_wait = 25;';
my $SOON = 12;

sub proof { return status()->{proof} // {} }
sub away { my ($name) = @_; return sub { grep { $_->{state} eq 'unreachable' && $_->{uri} =~ /door\.$name$/ } @{ proof()->{providers} // [] } } }
sub parked { return status()->{connections}{parked} // -1 }

# A proof for a moment after this one.
sub becomes_proven {
    my ($what) = @_;
    my $began = time;
    my $proven = sub { my $p = proof(); return defined $p->{as_of_s} && $p->{as_of_s} < time - $began && !$p->{unreachable} };
    ok(wait_for(60, $proven), $what) or diag(explain(proof()), policyd_log() =~ s/[^\n]*asked verb[^\n]*\n//gr);
}

# The answer and how long it took.
sub timed {
    my ($map, $key) = @_;
    my $start = time;
    return (lookup($map, $key), time - $start);
}

sub netstring { return length($_[0]) . ":$_[0]," }

# A question whose answer is not waited for: its connection.
sub question {
    my (@requests) = @_;
    my $s = connected("$dir/map") or die "no map socket: $!";
    syswrite $s, join '', map { netstring($_) } @requests;
    return $s;
}

# The first $n answers that come on it within $seconds.
sub answers {
    my ($s, $n, $seconds) = @_;
    my ($got, $end, @answers) = ('', time + $seconds);
    while (@answers < $n && time < $end) {
        if ($got =~ /^(\d+):/ && length $got >= length($1) + $1 + 2) {
            push @answers, substr $got, length($1) + 1, $1;
            substr $got, 0, length($1) + $1 + 2, '';
            next;
        }
        next unless IO::Select->new($s)->can_read(0.1);
        sysread($s, $got, 65536, length $got) or last;
    }
    return @answers;
}

sub answer { my ($s, $seconds) = @_; return (answers($s, 1, $seconds))[0] // '' }
sub silent { my (@s) = @_; return !IO::Select->new(@s)->can_read(0) }

# --- all is well
ok(policyd_start(directory('here', 'there'), $PATIENT), 'policyd starts');
becomes_proven('both providers agree with the mirror');
{
    my @took;
    for (1 .. 5) {
        my ($got, $took) = timed('mailbox', "nobody$_\@a.example");
        like($got, $NONE, 'an address that nobody has');
        push @took, $took;
        sleep 0.13;
    }
    my ($most) = sort { $b <=> $a } @took;
    cmp_ok($most, '<', $SOON, sprintf 'after at most %.2f s', $most);
    like(lookup('mailbox', 'gone@a.example'), $NONE, 'a disabled one');
    like(lookup('sender', 'nobody@a.example'), $NONE, 'nobody as a sender');
    like(lookup('alias', 'x@all.example'), qr/^OK h1\@a\.example/, 'a catch-all takes what is proven to be nobody\'s');
    is(lookup('alias', 'old@a.example'), 'OK h1@a.example', 'a member proven to be nobody is left out');
    my $s = question('mailbox nobody@a.example', 'mailbox h1@a.example', 'mailbox none@a.example', 'transport h1@a.example');
    is(join('|', map { s/ .*//sr } answers($s, 4, 60)), 'NOTFOUND|OK|NOTFOUND|OK', 'answers come in the order of the questions');
    my $explained = control(verb => 'explain', address => 'nobody@a.example');
    is($explained->{verdict}, 'unknown', 'explain needs no wait');
    like(join(' ', map { $_->{input} } @{ $explained->{steps} }), qr/proven current as of [\d.]+ s ago/, 'and says for which moment');
}

# --- created at the other site, an instant before the question
{
    my @answers;
    for my $i (1 .. 12) {
        ldap_change('there', person("n$i"));
        push @answers, lookup('mailbox', "n$i\@a.example");
    }
    is(scalar(grep { /^NOTFOUND/ } @answers), 0, 'an address created there just before is never called unknown');
    is(scalar(grep { $_ eq 'OK OK' } @answers), 12, 'and found');
}

# --- the line between the sites hangs: this provider answers, and does not know
{
    kill 'STOP', $line;
    ldap_change('there', person('late'));
    ok(wait_for(30, sub { grep { $_->{state} eq 'ahead' } @{ proof()->{providers} } }), 'status says who knows more');
    my $s = question('mailbox late@a.example');
    ok(wait_for(30, sub { parked() == 1 }), 'a question waits');
    is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'known addresses do not wait');
    kill 'CONT', $line;
    is(answer($s, 30), 'OK OK', 'and is answered when the change has come');
    becomes_proven('the mirror is proven again');

    policyd_stop();
    policyd_start(directory('here', 'there'), 'unknown_wait = 2;');
    becomes_proven('with a shorter wait');
    kill 'STOP', $line;
    ldap_change('there', person('later'));
    my ($got, $took) = timed('mailbox', 'later@a.example');
    like($got, $TEMP, 'what the other provider knows and ours does not is not called unknown');
    like($got, qr/no proof came in time/, 'and why');
    cmp_ok($took, '>', 1.8, 'unknown_wait was waited for');
    cmp_ok($took, '<', $SOON, 'and not much longer');
    like(lookup('alias', 'later@a.example'), $NONE, 'the alias map leaves that to the mailbox map');
    kill 'CONT', $line;
    becomes_proven('the mirror is proven again');

    # without the other one among the providers the proof reaches no further
    policyd_stop();
    policyd_start(directory(), $PATIENT);
    becomes_proven('our own provider alone');
    kill 'STOP', $line;
    ldap_change('there', person('latest'));
    like(lookup('mailbox', 'latest@a.example'), $NONE, 'would call it unknown: that is what directory.providers is for');
    kill 'CONT', $line;
    ok(wait_for(30, sub { lookup('mailbox', 'latest@a.example') =~ $OK }), 'until it came');
    policyd_stop();
    policyd_start(directory('here', 'there'), $PATIENT);
    becomes_proven('both again');
}

# --- the other provider is away
{
    slapd_stop('there', $slapd{there});
    ok(wait_for(30, away('there')), 'a provider that is away is noticed');
    my ($got, $took) = timed('mailbox', 'nobody@a.example');
    like($got, qr/^TEMP not proven: a provider does not answer/, 'then nobody is unknown');
    cmp_ok($took, '<', $SOON, 'and nobody waits for nothing');
    is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'known addresses are answered');
    like(lookup('mailbox', 'gone@a.example'), $TEMP, 'a disabled one may have been enabled there');
    like(lookup('alias', 'x@all.example'), $TEMP, 'and a catch-all might take somebody\'s mail');
    like(lookup('alias', 'old@a.example'), qr/left\@a\.example/, 'a member is not left out by doubt');
    my ($p) = away('there')->();
    like($p->{uri} // '', qr/there/, 'status names it');
    like($p->{unreachable_since} // '', qr/^20\d\d-/, 'and since when');
    like(policyd_log(), qr/provider does not answer[^\n]*there/, 'and the log');
    $slapd{there} = slapd_start('there');
    becomes_proven('when it is back');
    like(lookup('mailbox', 'nobody@a.example'), $NONE, 'nobody is nobody again');
}

# --- many wait, as the line hangs; then the other provider does, too
{
    kill 'STOP', $line;
    ldap_change('there', person('many'));
    my $start = time;
    my @waiting = map { question("mailbox nobody$_\@a.example") } 1 .. 200;
    ok(wait_for(20, sub { parked() == 200 }), 'many questions wait') or diag(parked());
    my $known = grep { lookup('mailbox', "h$_\@a.example") eq 'OK OK' } map { ($_) x 5 } 1 .. 20;
    is($known, 100, 'known addresses are answered meanwhile');
    ok(time - $start > 24 || silent(@waiting), 'while the others wait');
    kill 'STOP', $door{there};
    ok(wait_for(30, away('there')), 'a provider that hangs counts as unreachable');
    is(scalar(grep { answer($_, 30) =~ $TEMP } @waiting), 200, 'then all who wait are told to try again');
    is(parked(), 0, 'none is left');
    my ($got, $took) = timed('mailbox', 'nobody@a.example');
    like($got, $TEMP, 'then the answer is no other');
    cmp_ok($took, '<', $SOON, 'but comes at once');
    kill 'CONT', $line, $door{there};
    becomes_proven('it goes on');
    like(lookup('mailbox', 'nobody@a.example'), $NONE, 'and so do we');
}

# --- our own provider hangs
{
    kill 'STOP', $door{here};
    like(lookup('mailbox', 'nobody@a.example'), $TEMP, 'our own one hangs: nobody is unknown');
    is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'known ones are known');
    kill 'CONT', $door{here};
    becomes_proven('it goes on');
}

# --- clients that leave
{
    my $before = status()->{connections}{open};
    kill 'STOP', $line;
    ldap_change('there', person('held'));
    my @leaving = map { question("mailbox nobody$_\@a.example", "mailbox more$_\@a.example") } 1 .. 20;
    ok(wait_for(30, sub { parked() == 20 }), 'twenty wait');
    close $_ for @leaving;
    is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'they leave');
    kill 'CONT', $line;
    becomes_proven('the line goes on');
    ok(wait_for(60, sub { parked() == 0 && status()->{connections}{open} <= $before }), 'and nothing is left of them')
        or diag(explain(status()->{connections}));
}

# --- a change that moves contextCSN and of which slapd 2.5 tells us nothing: a deletion outside our base
{
    ldap_change('here', "dn: uid=1,ou=else,o=corp\nchangetype: delete\n");
    my $start = time;
    ok(wait_for(60, sub { lookup('mailbox', 'nobody@a.example') =~ $NONE }), 'a deletion outside the base does not stop the proof for long');
    note(sprintf 'it took %.1f s, searches begun anew: %d', time - $start, proof()->{stalls});
}

# --- limits, and the end
policyd_stop();
policyd_start(directory('here', 'there'), "$PATIENT\nanswer: { workers = 1; max_parked = 3; };");
becomes_proven('with other limits');
{
    kill 'STOP', $line;
    ldap_change('there', person('last'));
    my @waiting = map { question("mailbox nobody$_\@a.example") } 1 .. 3;
    ok(wait_for(30, sub { parked() == 3 }), 'as many wait as may');
    my ($got, $took) = timed('mailbox', 'nobody@a.example');
    like($got, qr/^TEMP not proven: too many lookups wait/, 'one more is told to try again');
    cmp_ok($took, '<', $SOON, 'at once');
    is(status()->{connections}{parked_refused}, 1, 'and counted');
    is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'known addresses are known');
    ok(silent(@waiting), 'the others wait on');
    is(policyd_stop(), 0, 'policyd ends in order meanwhile');
    is(scalar(grep { answer($_, 30) =~ $TEMP } @waiting), 3, 'and who waits is told to try again');
    kill 'CONT', $line;
}
policyd_start(directory('here', 'there'), 'unknown_wait = 0;');
becomes_proven('unknown_wait = 0');
like(lookup('mailbox', 'nobody@a.example'), $TEMP, 'nobody is ever called unknown');
is(policyd_stop(), 0, 'policyd ends in order');

done_testing;
