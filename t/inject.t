#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# inject: each call that can fail (memory, files, sockets, LMDB, libldap, libevent) fails in turn,
# in each role of postroad-policyd, while it is asked and the directory changes. Nobody who is in the
# directory is called unknown, nobody who is not is known, no process crashes, the parent lives, and a
# little later all is right again. Here the directory is a slapd; inject-ldif.t is the same for a file.
#
# How to take all of them, or a certain one: see t/lib/Inject.pm.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use IO::Select;
use Inject;
use Trial;

my $SECONDS = 24;
my $PRINT = join ':', ('AB') x 32;
inject_needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

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
    my $uri = Trial::uri_of('a');
    return inject_start(qq(uri = "$uri"; base = "o=corp"; timeout = 2; heartbeat = 1; retry_min = 1; retry_max = 1;),
        'unknown_wait = 2; sandbox = false;'); # inject-ldif.t has one
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
    my $may = control(verb => 'may', actor => 'h1@a.example', action => 'usage', target => 'h1@a.example')->{verdict} // '';
    push @bad, "h1 and his own counters: $may" if $may !~ ($strict ? qr/^allowed$/ : qr/^(?:allowed|can't tell|)$/);
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

# Returns what was wrong.
sub session {
    my ($kind, $role) = @_;
    @wrong = ();
    restart($role) if $kind eq 'start';
    my @unknown = ask_unknown();
    push @wrong, look(0);
    my $uid = change();
    push @unknown, ask_unknown();
    push @wrong, look(0);
    my @bad;
    wait_for(20, sub {
        my $got = lookup('mailbox', "$uid\@a.example");
        @bad = (look(1), $got =~ /^OK OK$/ ? () : "mailbox $uid\@a.example: $got");
        return !@bad;
    });
    my $got = answer_unknown(shift @unknown);
    push @wrong, "mailbox nobody\@a.example: $got" if $got !~ /^NOTFOUND/ && $got !~ $soft;
    wait_for(20, sub { ($got = answer_unknown(@unknown ? shift @unknown : ask_unknown())) =~ /^NOTFOUND/ });
    push @bad, "mailbox nobody\@a.example: $got" if $got !~ /^NOTFOUND/;
    push @bad, 'the parent is gone' if !kill 0, Trial::policyd_pid();
    return (@bad, @wrong);
}

ok(start_policyd(), 'policyd starts') or BAIL_OUT(policyd_log());
ok(wait_for(10, sub { (source()->{phase} // '') eq 'persist' }), 'it follows the directory') or BAIL_OUT(policyd_log());
session('plain');
my @points = inject_points(\&session, ['plain'], map { [ 'start', $_ ] } grep { !/^(?:parent|cold)$/ } @roles);
inject_all($SECONDS, \&session, @points);
is(policyd_stop(), 0, 'policyd ends in order');
slapd_stop('a', $slapd);
done_testing;
