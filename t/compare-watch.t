#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# policyd compares itself with other sites now and then: what stays different is in status, log
# and metrics until it is equal again; what is on its way is not, and "equal" is never said because
# nobody could be asked. Two daemons with an LDIF file each.
use strict;
use warnings;
use lib 't', 't/lib';
use Cwd qw(getcwd);
use IO::Socket::INET;
use JSON::PP;
use Policyd;
use Ports;
use Test::More;
use Time::HiRes qw(time);

my $postroad = getcwd() . '/ctl/postroad';
-x $_ or plan skip_all => "$_ is not built" for $Policyd::program, $postroad;

my $port = free_port();
my @site = map { Policyd->new(settings => { site => "\"$_\"", answer => '{ workers = 1; }' }) } qw(hebei shandong);

sub ldif {
    my (@uids) = @_;
    return join "\n", "dn: o=t\nobjectClass: organization\no: t\n",
        (map { "dn: dc=$_,o=t\nobjectClass: postroadDomain\ndc: $_\nassociatedDomain: $_\n" } qw(a.example b.example)),
        map { "dn: uid=$_,o=t\nobjectClass: postroadAccount\nuid: $_\nmail: $_\@a.example\n" } @uids;
}

sub give {
    my ($i, @uids) = @_;
    $site[$i]->mark;
    Policyd::spew("$site[$i]{dir}/directory.ldif", ldif(@uids));
    return $site[$i]->wait_log(qr/directory loaded/);
}

sub status {
    my $all = eval { decode_json(scalar `$postroad -c '$site[0]{conf}' --json status 2>/dev/null`) } // {};
    return $all->{compare}[0] // {};
}

sub becomes {
    my ($state, $what) = @_;
    my $now = {};
    Policyd::wait_for(sub { $now = status(); ($now->{state} // '') eq $state }, 20);
    is($now->{state}, $state, $what) or diag(explain($now), $site[0]->log_text);
    return $now;
}

sub metrics {
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 5) or return '';
    print $s "GET /metrics HTTP/1.0\r\n\r\n";
    local $/;
    return scalar <$s> // '';
}

my @people = map { "u$_" } 1 .. 100;
my ($here, $there) = @site;
for my $i (0, 1) {
    Policyd::spew("$site[$i]{dir}/directory.ldif", ldif(@people));
    $site[$i]->write_conf(directory => "{ ldif = \"$site[$i]{dir}/directory.ldif\"; sweep_guard = 100; }");
}
(my $sockets = $here->{settings}{sockets}) =~ s/http = ""/http = "127.0.0.1:$port"/;
my $peers = "(\"hebei=unix:$here->{dir}/run/control\", \"shandong=unix:$there->{dir}/run/control\")";
$here->write_conf(sockets => $sockets, compare => "{ peers = $peers; interval = 1; }");
ok($here->start, 'one site starts') or BAIL_OUT($here->log_text);
like(becomes('unknown', 'the other one is not there: it can not be told')->{why} // 'not yet', qr/not yet|No such file|can't connect/, 'why');
ok($here->wait_log(qr/can't be compared with another site site=shandong/), 'the log says so');
ok($there->start && $there->wait_log(qr/directory loaded/), 'the other site starts') or BAIL_OUT($there->log_text);
becomes('equal', 'both hold the same');
my $text = `$postroad -c '$here->{conf}' status`;
like($text, qr/^Compare +shandong: the same content, looked \d{4}-/m, 'in words') or diag($text);
is(scalar(() = $text =~ /hebei: /g), 0, 'a site does not compare itself with itself');
like(metrics(), qr/^postroad_compare_differing_domains\{site="shandong"\} 0$/m, 'in the metrics');

# --- what stays different
ok(give(1, @people, 'more'), 'the other site has somebody more');
my $now = becomes('differs', 'which is noticed');
is_deeply($now->{domains}, ['a.example'], 'in which domain');
is($here->log_text =~ /error: other content than at another site, though both are current site=shandong domains=1 domain="a\.example"/ ? 1 : 0, 1, 'the log says so');
like(metrics(), qr/^postroad_compare_differing_domains\{site="shandong"\} 1$/m, 'in the metrics');
like(`$postroad -c '$here->{conf}' status`, qr/Needs attention:.*The mirror at shandong holds other content.*postroad compare shandong/s, 'status says what to do');
is($there->stop, 0, 'the other site ends');
ok(Policyd::wait_for(sub { status()->{why} }), 'it can not be asked any more');
is(status()->{state}, 'differs', 'which is no reason to call it equal');
Policyd::spew("$there->{dir}/directory.ldif", ldif(@people));
ok($there->start, 'it starts with the same content');
becomes('equal', 'which is noticed');
ok($here->wait_log(qr/equal to the other site again site=shandong/), 'the log says so');

# --- what changes all the time at one site is on its way, as far as anybody can tell
$here->mark;
$here->write_conf(compare => "{ peers = $peers; interval = 3; }");
kill 'HUP', $here->{pid};
ok($here->wait_log(qr/reloaded/), 'looked at every three seconds');
my ($n, $longest, %looked) = (0, 0);
my $last = time;
my $change = sub {
    give(1, @_);
    my $lasted = time - $last;
    $longest = $lasted if $lasted > $longest;
    $last += $lasted;
};
Policyd::wait_for(sub { $change->(@people, 'n' . ++$n); my $l = status()->{looked}; $looked{$l}++ if $l; keys %looked > 3 }, 10);
$change->(@people);
becomes('equal', 'equal in the end');
SKIP: {
    skip sprintf('one of them lasted for %.1f s, as long as two looks are apart', $longest), 1 if $longest > 2.9;
    unlike($here->log_text, qr/other content than at another site/, "$n changes one after the other raise no alarm");
}

# --- a mirror that is not current, a site that is another one
Policyd::spew("$there->{dir}/directory.ldif", "no directory\n");
ok(Policyd::wait_for(sub { (status()->{why} // '') =~ /its mirror is not proven current/ }), 'a site that can not read its directory is not compared');
Policyd::spew("$there->{dir}/directory.ldif", ldif(@people));
$here->write_conf(compare => "{ peers = (\"jinan=unix:$there->{dir}/run/control\"); interval = 1; }");
kill 'HUP', $here->{pid};
ok(Policyd::wait_for(sub { (status()->{why} // '') =~ /it is another site/ }), 'a tunnel that leads elsewhere is noticed');
$here->write_conf(compare => "{ peers = (\"jinan=inet:localhost:$port\"); interval = 1; }");
kill 'HUP', $here->{pid};
ok(Policyd::wait_for(sub { (status()->{why} // '') =~ /no answer|closed/ }), 'a port on loopback is reached, and what is no site is none')
    or diag(explain(status()));
$here->write_conf(compare => "{ peers = $peers; interval = 0; }");
kill 'HUP', $here->{pid};
ok(Policyd::wait_for(sub { !%{ status() } }), 'turned off, nobody is asked');
is($_->stop, 0, 'it ends in order') for @site;
done_testing;
