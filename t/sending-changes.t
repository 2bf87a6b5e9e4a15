#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What departments hand down, on the policy socket of a real postroad-policyd: among more of them
# than are kept, some with rules of their own, some without; and how soon a change above holds.
use strict;
use warnings;
use lib 't';
use Policyd;
use Test::More;

my $DIVISIONS = 12;
my $TEAMS = 100; # in each division

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';

my $d = Policyd->new;
my ($socket, $ldif) = ("$d->{dir}/run/policy", "$d->{dir}/directory.ldif");

sub entry {
    my ($dn, @lines) = @_;
    return join("\n", "dn: $dn", @lines) . "\n\n";
}

sub department {
    my ($ou, $above, @says) = @_;
    return entry("ou=$ou,$above", 'objectClass: organizationalUnit', 'objectClass: postroadDepartment', "ou: $ou", @says);
}

# One account in each team; says: what departments say, by name, and accounts, by "uid=name"; "list=name": a list instead.
sub directory {
    my (%says) = @_;
    my $domain = 'dc=a.example,o=t';
    my $text = entry('o=t', 'objectClass: organization', 'o: t') . entry('cn=hebei,o=t', 'objectClass: postroadSite', 'cn: hebei')
        . entry($domain, 'objectClass: domain', 'objectClass: postroadDomain', 'dc: a.example', 'associatedDomain: a.example', 'postroadHomeSite: hebei');
    for my $division (1 .. $DIVISIONS) {
        my $above = "ou=d$division,$domain";
        $text .= department("d$division", $domain, @{ $says{"d$division"} // [] });
        for my $team (1 .. $TEAMS) {
            my $name = "d${division}t$team";
            my @is = $says{"list=$name"} ? ('groupOfNames', 'postroadList') : ('inetOrgPerson', 'postroadAccount');
            $text .= department($name, $above, @{ $says{$name} // [] })
                . entry("uid=$name,ou=$name,$above", map({ "objectClass: $_" } @is), "uid: $name", "mail: $name\@a.example",
                    "postroadAlias: alias.$name\@a.example", @{ $says{"uid=$name"} // $says{"list=$name"} // [] });
        }
    }
    return $text;
}

sub set_directory { Policyd::spew($ldif, directory(@_)); return }

my $fh;
sub asked {
    my ($who, $sender, $recipient) = @_;
    $sender //= $who;
    $recipient //= 'bob@else.example';
    $fh ||= $d->connection($socket) or die "connect: $!\n";
    syswrite $fh, "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.77\nsender=$sender\@a.example\n"
        . "recipient=$recipient\nrecipient_count=0\nsize=5\nsasl_username=$who\@a.example\npolicy_context=\n\n";
    return Policyd::action($fh);
}

# By whom the account may not send to others; '' he may.
sub barred {
    my ($who) = @_;
    my $said = asked($who);
    return $said eq 'DUNNO' ? '' : $said =~ /^550 5\.7\.1 .*, set at ou=(\w+)/ ? $1 : $said;
}

my $NO = 'postroadDeny: send-external';
my %says = (d2 => [$NO], d3 => ['postroadLimit: size 4']);
$says{"d$_->[0]t$_->[1]"} = [$NO] for map { my $division = $_; map { [$division, 2 * $_] } 1 .. $TEAMS / 2 } 1 .. $DIVISIONS;
set_directory(%says);
$d->{settings}{directory} = qq({ ldif = "$ldif"; });
$d->{settings}{sockets} =~ s{policy = ""}{policy = "unix:$socket"};
$d->write_conf;
ok($d->start, 'it starts') or BAIL_OUT($d->log_text);

# --- who says nothing hands on what comes from above, however many there are ---
my @wrong;
for my $round (1, 2) {
    for my $division (1 .. $DIVISIONS) {
        for my $team (1 .. $TEAMS) {
            my $name = "d${division}t$team";
            my $want = $team % 2 == 0 ? $name : $division == 2 ? 'd2' : '';
            my $got = barred($name);
            $got = '' if $division == 3 && $want eq '' && $got =~ /^552 5\.3\.4 .*set at ou=d3/;
            push @wrong, "$name: $got, not $want" if $got ne $want;
        }
    }
}
is(join("\n", @wrong[0 .. ($#wrong < 9 ? $#wrong : 9)]), '', 'each by his own department, or the one above');
like(asked('d3t1'), qr/^552 5\.3\.4 .*set at ou=d3/, 'a limit comes from above, too');

# --- changes, while it has all of them at hand ---
sub holds_soon {
    my ($name, %want) = @_;
    ok(Policyd::wait_for(sub { !grep { barred($_) ne $want{$_} } keys %want }), $name)
        or diag map { "$_: " . barred($_) . "\n" } sort keys %want;
    return;
}

is(barred('d5t7'), '', 'a department with nothing above it');
is(asked('d5t7', 'alias.d5t7'), 'DUNNO', 'one of his own addresses');
barred("d6t$_") for 1 .. $TEAMS; # so that nearly all is forgotten of the one before
is(asked('d5t7', 'alias.d5t7'), 'DUNNO', 'and so it is after many others');
like(asked('d5t7', 'd5t9'), qr/^5/, 'and somebody else\'s is not');
set_directory(%says, d5 => [$NO]);
holds_soon('the one above it says something now', d5t7 => 'd5', d5t8 => 'd5t8', d6t7 => '');
set_directory(%says, d5 => [$NO], d5t7 => [$NO]);
holds_soon('so does it itself', d5t7 => 'd5t7', d5t9 => 'd5');
set_directory(%says, 'uid=d5t9' => [$NO], 'uid=d5t11' => ['postroadState: suspended']);
ok(Policyd::wait_for(sub { asked('d5t9') =~ /^550 .*set at uid=d5t9/ }), 'somebody himself') or diag asked('d5t9');
like(asked('d5t11'), qr/^5/, 'and one who is suspended');
set_directory(%says, d2 => ['postroadLimit: messages/day 5000']);
holds_soon('another one says something else', d2t1 => '', d2t2 => 'd2t2', d5t7 => '');

# --- of recipients something is at hand, too ---
set_directory(%says, 'uid=d8t1' => [$NO]);
ok(Policyd::wait_for(sub { barred('d8t3') eq '' && barred('d2t1') eq 'd2' }), 'as it was, but for one'); # who has not been asked for
for my $round (1, 2) {
    is(asked('d8t3', 'd8t3', $_), 'DUNNO', "one writes to $_") for 'd8t1@a.example', 'alias.d8t1@a.example', 'd8t5@a.example', 'D8T5@a.example';
}
like(asked('d8t1'), qr/^550 .*set at uid=d8t1/, 'who was written to before he logs in has the rules of his own entry');
is(asked('d8t1', 'd8t1', 'd8t5@a.example'), 'DUNNO', 'and may write to who is inside');
set_directory(%says, 'list=d8t5' => ['postroadMember: d8t7@a.example', 'postroadSender: members']);
ok(Policyd::wait_for(sub { asked('d8t3', 'd8t3', 'd8t5@a.example') =~ /^550 5\.7\.1 .*rule list/ }), 'who has become a list is one')
    or diag asked('d8t3', 'd8t3', 'd8t5@a.example');
is(asked('d8t7', 'd8t7', 'd8t5@a.example'), 'DUNNO', 'its member may write to it');
is(asked('d8t3', 'd8t3', 'd8t1@a.example'), 'DUNNO', 'and everybody to somebody else');

set_directory(%says);
holds_soon('and nobody does', d5t7 => '', d5t9 => '', d5t8 => 'd5t8', d2t1 => 'd2');

is($d->stop, 0, 'it ends');
done_testing;
