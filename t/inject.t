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
use InjectTree;
use Trial;

my $POINTS = 26; # of some ten thousand
my @mine = qw(answer sync control policy access);
inject_needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

# --- the directory

slapd_conf('a', database => 'access to * by * read');
slapd_add('a', tree() . join '', map { person("h$_") } 1 .. 30);
my $slapd = slapd_start('a');

sub start_policyd {
    my $uri = Trial::uri_of('a');
    return inject_start(qq(uri = "$uri"; base = "o=corp"; timeout = 2; heartbeat = 1; retry_min = 1; retry_max = 1;),
        'unknown_wait = 2; sandbox = false;'); # inject-ldif.t has one
}

# --- a session, and what may be answered in it

my @wrong;
my $round = 0;
my $moved = 0; # whether h2 lives at shandong

sub look {
    my ($strict) = @_;
    my @bad = look_at($strict, $moved);
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

# A question whose answer takes a proof, a second or so: asked here, the answer to be fetched later.
sub ask_unknown {
    my $s = Trial::connected("$dir/map") or return;
    syswrite $s, '24:mailbox nobody@a.example,';
    return $s;
}

sub answer_unknown {
    my ($s) = @_;
    my $got = '';
    my $end = time + 30;
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
    wait_for(30, sub {
        my $got = lookup('mailbox', "$uid\@a.example");
        @bad = (look(1), $got =~ /^OK OK$/ ? () : "mailbox $uid\@a.example: $got");
        return !@bad;
    });
    my $got = answer_unknown(shift @unknown);
    push @wrong, "mailbox nobody\@a.example: $got" if $got !~ /^NOTFOUND/ && $got !~ $soft;
    wait_for(30, sub { ($got = answer_unknown(@unknown ? shift @unknown : ask_unknown())) =~ /^NOTFOUND/ });
    push @bad, "mailbox nobody\@a.example: $got" if $got !~ /^NOTFOUND/;
    push @bad, 'the parent is gone' if !kill 0, Trial::policyd_pid();
    return (@bad, @wrong);
}

ok(start_policyd(), 'policyd starts') or BAIL_OUT(policyd_log());
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), 'it follows the directory') or BAIL_OUT(policyd_log());
session('plain');
my @points = inject_points(\&session, ['plain'], map { [ 'start', $_ ] } @mine);
inject_all($POINTS, \&session, @points);
is(policyd_stop(), 0, 'policyd ends in order');
slapd_stop('a', $slapd);
done_testing;
