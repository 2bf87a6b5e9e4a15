#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Role held by itself: finds records, lists and shows them by the control socket, and leaves alone what it
# can't read.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Trial;

-x "$top/policyd/postroad-policyd" or plan skip_all => 'not built: make';

my $held = "$dir/state/held";
my @digits = ('0' .. '9', 'a' .. 'z');

sub base36 {
    my ($n) = @_;
    my $text = '';
    do { $text = $digits[$n % 36] . $text; $n = int($n / 36) } while $n;
    return $text;
}

# The record of a message that came $age seconds ago, as postroad-milter writes it.
sub record {
    my ($queue, %more) = @_;
    my $ms = int((time - ($more{age} // 0)) * 1000);
    my $id = 'hebei-' . base36($ms) . "-$queue";
    delete $more{age};
    my %r = (id => $id, site => 'hebei', queue => $queue, time_ms => $ms, expires_ms => $ms + 432_000_000, on_expire => 'reject',
        rule => 'hr-out', why => 'from, direction', sender => 'alice@corp.example', login => 'alice@corp.example',
        target => 'alice@corp.example', recipients => ['a@outside.example', 'b@outside.example'], recipient_count => 2, size => 12345,
        subject => "\x{5831}\x{8868}", attachments => ['list.xlsx'], direction => 'outbound', state => 'held', %more);
    mkdir "$dir/state";
    mkdir $held;
    spew("$held/$id.json", JSON::PP->new->utf8->encode(\%r));
    return $id;
}

sub on_disk { my ($id) = @_; return JSON::PP->new->utf8->decode(slurp("$held/$id.json") || '{}') }
sub list { return @{ control(verb => 'held-list', @_)->{messages} // [] } }

my $first = record('3F2A9');
my $second = record('4ZbSqR1Xyz', subject => '', attachments => []);
ok(policyd_start(qq(ldif = "$top/t/tables/maps.ldif";)), 'policyd, which finds a folder of held messages');
ok(wait_for(20, sub { list() == 2 }), 'both are listed') or diag(explain(control(verb => 'held-list')), policyd_log());
is(join(' ', map { $_->{id} } list()), "$first $second", 'the older one first');
is((list())[0]{subject}, "\x{5831}\x{8868}", 'with what is known of it');
ok(!exists((list())[0]{noticed}), 'but for what is nobody\'s business');

my $third = record('5AAAA');
ok(wait_for(5, sub { list() == 3 }), 'a new one is there at once');
is(control(verb => 'held-show', id => $third)->{message}{size}, 12345, 'one of them');
is(control(verb => 'held-show', id => '5aaaa')->{message}{id}, $third, 'by its queue id');
is(control(verb => 'held-show', id => 'nothing')->{code}, 1, 'one that is not there');
my $fourth = record('X5AAAA');
ok(wait_for(5, sub { list() == 4 }), 'one more');
is(control(verb => 'held-show', id => '5AAAA')->{code}, 2, 'an end of two is nobody\'s');
my $early = control(verb => 'held-decide', id => $third, verdict => 'approve', reason => 'x');
is($early->{code}, 75, 'no verdict before Postfix was seen to have it') or diag(explain($early));
is(on_disk($third)->{state}, 'held', 'and none is on disk');
is(control(verb => 'held-decide', id => $third, verdict => 'maybe')->{code}, 2, 'no other words');
is(control(verb => 'held-decide', id => $third, verdict => 'reject')->{code}, 2, 'no rejection without a reason');

# --- what can't be read
spew("$held/hebei-abc-BAD1.json", '{"id":');
spew("$held/README.json", 'x');
ok(wait_for(10, sub { policyd_log() =~ /record of a held message can't be used.*BAD1/ }), 'a damaged record is logged');
is(list(), 4, 'and not shown');
ok(-e "$held/hebei-abc-BAD1.json", 'it stays');

# --- pages
record(sprintf('B%04d', $_), recipients => [map { ('r' x 60) . "$_\@outside.example" } 1 .. 100], recipient_count => 3000) for 1 .. 250;
ok(wait_for(20, sub { (status()->{held}{held} // 0) == 254 || 1 }), 'many more');
my ($after, %seen, $pages);
wait_for(20, sub {
    ($after, $pages, %seen) = ('', 0);
    do {
        my $page = control(verb => 'held-list', after => $after);
        $seen{ $_->{id} }++ for @{ $page->{messages} };
        $after = $page->{next};
        $pages++;
    } while defined $after && $pages < 50;
    keys %seen == 254;
});
is(keys %seen, 254, 'all of them, in pages');
cmp_ok($pages, '>', 2, 'of which there are some');
ok(!grep({ $_ > 1 } values %seen), 'none twice');

# --- killed
my ($role) = grep { ($_->{role} // $_->{name} // '') eq 'held' } @{ status()->{roles} };
ok($role && kill('KILL', $role->{pid}), 'role held is killed');
ok(wait_for(20, sub { list() > 0 && control(verb => 'held-show', id => $first)->{ok} }), 'the next one knows them all');
unlink "$held/$fourth.json";
unlink glob("$held/hebei-*-B0*.json");
is(policyd_stop(), 0, 'policyd ends');
is(scalar(() = glob("$held/*.json")), 5, 'and all that was there is') or diag(join "\n", glob "$held/*");
done_testing;
