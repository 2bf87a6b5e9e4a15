#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# One address, two entries: what slapd can't refuse when it happens at two sites at once. With real
# replication of two sites: told in the log of both within a second or so, decided alike at both,
# shown with the command that mends it, and told again when it is mended. Also: who is moving is shown.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lab";
use Lab;
use Test::More;
use Time::HiRes 'time';

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my @sites = qw(hebei shandong);
my $address = 'twice@corp.example';
my $appeared = qr/address claimed by several entries address=(\S+) has="([^"]*)" wants="([^"]*)"/;
my $gone = qr/address claimed by one entry at most again address=(\S+)/;

sub status { return decode_json($lab->run($_[0], qw(postroad status --json))) }
sub log_of { return Inside::slurp($lab->root($_[0]) . '/var/log/postroad.log') }

# Until the log at a site tells something of the address; [what, has, wants] of the last time it did.
sub told {
    my ($site, $what, $of) = @_;
    my @last;
    $lab->wait_for("$site tells of $of", 60, sub {
        my $log = log_of($site);
        @last = ();
        while ($log =~ /$what/g) { @last = ($1, $2, $3) if $1 eq $of }
        return @last;
    });
    return @last;
}

sub person {
    my ($uid, @lines) = @_;
    return join "\n", "dn: uid=$uid,ou=hr,dc=corp.example,ou=domains,o=corp", 'changetype: add',
      'objectClass: inetOrgPerson', 'objectClass: postroadAccount', "uid: $uid", "cn: $uid", "sn: $uid", @lines, '';
}

is(status($_)->{duplicates}{count}, 0, "$_: no address is claimed twice") for @sites;

# --- made at two sites while neither hears of the other
$lab->cut('hebei');
$lab->modify('hebei', person('twice1', "mail: $address"));
select undef, undef, undef, 1.1; # createTimestamp counts whole seconds
$lab->modify('shandong', person('twice2', 'mail: twice2@corp.example', "postroadAlias: $address"));
for my $site (@sites) {
    $lab->wait_for("$site knows its own", 60, sub { $lab->try($site, qw(postroad lookup mailbox), $address) });
    is(status($site)->{duplicates}{count}, 0, "$site: each site knows of one");
}
$lab->heal;
my %said = map { $_ => [told($_, $appeared, $address)] } @sites;
is_deeply($said{hebei}, $said{shandong}, 'both sites tell of it, and say the same');
like($said{hebei}[1], qr/^uid=twice1,/, 'the oldest entry has it');
like($said{hebei}[2], qr/^uid=twice2,/, 'the other one wants it');
for my $site (@sites) {
    my $dup = status($site)->{duplicates};
    is($dup->{count}, 1, "$site: status counts it");
    my ($row) = grep { $_->{address} eq $address } @{ $dup->{list} };
    like($row->{winner}, qr/^uid=twice1,/, "$site: status names who has it");
    is($row->{losers}[0]{name}, 'twice2@corp.example', "$site: and who wants it");
    is($row->{losers}[0]{how}, 'alias', "$site: as an alias");
    like($lab->run($site, qw(postroad status)),
        qr/mend it: postroad user modify twice2\@corp\.example --remove-alias \Q$address\E$/m,
        "$site: and how to mend it");
    like($lab->run($site, qw(sh -c), 'curl -s http://127.0.0.1:8527/metrics || wget -qO- http://127.0.0.1:8527/metrics'),
        qr/^postroad_mirror_duplicate_addresses 1$/m, "$site: /metrics too")
      if $lab->try($site, 'sh', '-c', 'command -v curl || command -v wget');
}

# --- mended
my $begin = time;
$lab->modify('hebei', "dn: uid=twice2,ou=hr,dc=corp.example,ou=domains,o=corp\nchangetype: modify\n"
    . "delete: postroadAlias\npostroadAlias: $address\n");
told($_, $gone, $address) for @sites;
note(sprintf 'told after %.1f s', time - $begin);
is(status($_)->{duplicates}{count}, 0, "$_: none is left") for @sites;

# --- at one site, in one go: told soon
$begin = time;
$lab->modify('hebei', person('thrice', 'mail: thrice@corp.example', 'postroadAlias: alice@corp.example'));
like((told('hebei', $appeared, 'alice@corp.example'))[1], qr/^uid=alice,ou=sales,/, 'who was there first keeps it');
my $took = time - $begin;
note(sprintf 'told after %.1f s', $took);
cmp_ok($took, '<', 10, 'soon');

# --- a domain name
$lab->modify('shandong', "dn: dc=post.example,ou=domains,o=corp\nchangetype: modify\n"
    . "add: associatedDomain\nassociatedDomain: corp.example\n");
my @said = told('shandong', $appeared, 'corp.example');
like($said[1], qr/^dc=corp\.example,/, 'a domain name claimed twice: the oldest has it');
like($said[2], qr/^dc=post\.example,/, 'the other one wants it');
like($lab->run('shandong', qw(postroad status)),
    qr/mend it: postroad domain modify post\.example --remove-alias corp\.example$/m, 'and how to mend it');

# --- who is moving
my $moving = status('hebei')->{moving};
is($moving->{count}, 1, 'one account is moving');
is($moving->{list}[0]{mail}, 'frank@corp.example', 'and it is named');
like($lab->run('hebei', qw(postroad status)), qr/^  \* 1 account is in state moving, its mail waits:\n    frank\@corp\.example/m,
    'status shows it');
$lab->modify('hebei', "dn: uid=frank,ou=hr,dc=corp.example,ou=domains,o=corp\nchangetype: modify\ndelete: postroadState\n");
$lab->wait_for('nobody is moving any more', 60, sub { status('shandong')->{moving}{count} == 0 });
unlike($lab->run('shandong', qw(postroad status)), qr/moving/, 'and nobody is, when he has moved');

$lab->down;
done_testing;
