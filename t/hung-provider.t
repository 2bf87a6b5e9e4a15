#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A library that does not come back, in the thread that asks a provider: it runs in a circle, or
# sleeps. It is noticed, role sync begins anew, and then the unknown are unknown again; those who
# are known are answered all the while.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Ports;
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";
my $shim = "$top/t/tools/spin_preload.so";
plan(skip_all => 'no t/tools/spin_preload.so') unless -e $shim;
plan(skip_all => 'a sanitizer wants to be loaded first') if index(slurp("$top/policyd/postroad-policyd"), '__asan_init') >= 0;
needs(qw(slapd slapadd ldapwhoami));

my ($SYNC, $NAMES, $NAMES_ASLEEP) = (2, 4, 5); # of spin_preload

# A port that nobody has; below those that are given to clients.
my $port = free_port();

slapd_conf('a', database => 'access to * by dn.exact="cn=root,o=corp" read by * read');
slapd_add('a', "dn: o=corp\nobjectClass: organization\no: corp\n\n"
    . "dn: dc=a.example,o=corp\nobjectClass: domain\nobjectClass: postroadDomain\ndc: a.example\n"
    . "associatedDomain: a.example\npostroadHomeSite: hebei\n\n"
    . "dn: uid=anna,dc=a.example,o=corp\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\n"
    . "uid: anna\ncn: anna\nsn: anna\nmail: anna\@a.example\n");
slapd_start('a', "ldap://127.0.0.1:$port");

sub syncs { return map { $_->{pid} } grep { $_->{name} eq 'sync' } @{ status()->{roles} // [] } }

sub becomes {
    my ($key, $want, $what) = @_;
    my $got = '';
    wait_for(30, sub { ($got = lookup('mailbox', $key)) =~ $want });
    return like($got, $want, $what);
}

sub order {
    my ($place) = @_;
    open my $out, '+<:raw', "$dir/spin" or die;
    sysseek $out, 8 * $SYNC, 0;
    syswrite $out, pack 'V2', $place, 0;
    return;
}

sub taken {
    my $number = unpack 'V', substr slurp("$dir/spin"), 8 * $SYNC + 4, 4;
    return $number;
}

spew("$dir/spin", pack 'V10', (0) x 10);
my $uri = '"' . Trial::uri_of('a') . '"';
{
    local @ENV{qw(LD_PRELOAD SPIN_BLOCK)} = ($shim, "$dir/spin");
    ok(policyd_start("uri = $uri; providers = ($uri, \"ldap://127.0.0.1:$port\"); base = \"o=corp\"; "
        . 'timeout = 1; heartbeat = 1; retry_min = 1; retry_max = 1;'), 'policyd starts');
}
becomes('anna@a.example', qr/^OK OK$/, 'who is there is answered');
becomes('ghost@a.example', qr/^NOTFOUND/, 'who is not there is unknown');

for my $how ([$NAMES, 'runs in a circle'], [$NAMES_ASLEEP, 'sleeps']) {
    my ($place, $what) = @$how;
    my ($before) = syncs();
    order($place);
    kill 'KILL', $before; # the next one has to connect
    ok(wait_for(30, \&taken), "the library $what");
    my $hung = taken();
    like(lookup('mailbox', 'ghost@a.example'), qr/^TEMP/, "$what: who is not there can't be called unknown");
    my ($asked, $right) = (0, 0);
    my $gone = wait_for(90, sub {
        $asked++;
        $right++ if lookup('mailbox', 'anna@a.example') eq 'OK OK';
        sleep 0.1;
        return policyd_log() =~ /asking a provider hangs.*\n(?:.*\n)*?.*role died, starting it anew role=sync pid=$hung by="exit code 75"/;
    });
    ok($gone, "$what: the role notices, and ends");
    is($right, $asked, "$what: who is there is answered all the while");
    becomes('ghost@a.example', qr/^NOTFOUND/, "$what: then who is not there is unknown again");
}
is(policyd_stop(), 0, 'policyd ends in order');
done_testing();
