#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Sending rights on the policy socket of a real postroad-policyd: the rows of t/tables/sending.tbl,
# the limits at DATA and END-OF-MESSAGE, counters through kill -9 and reload, odd requests.
use strict;
use warnings;
use lib 't';
use Cwd qw(getcwd);
use Policyd;
use Test::More;

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';

my $d = Policyd->new(settings => { directory => '{ ldif = "' . getcwd() . '/t/tables/sending.ldif"; }' });
my $socket = "$d->{dir}/run/policy";
$d->{settings}{sockets} =~ s{policy = ""}{policy = "unix:$socket"};
$d->{settings}{inside_networks} = '[ "198.51.100.0/24" ]';
$d->write_conf;
ok($d->start, 'it starts') or BAIL_OUT($d->log_text);

sub request {
    my (%change) = @_;
    my %a = (
        request => 'smtpd_access_policy', protocol_state => 'RCPT', client_address => '192.0.2.77',
        sender => 'anna@a.example', recipient => 'carl@c.example', recipient_count => 0, size => 0,
        instance => '5a1c.68ef.0', sasl_username => '', policy_context => '', %change,
    );
    return join('', map { defined $a{$_} ? "$_=$a{$_}\n" : () } sort keys %a) . "\n";
}

sub said {
    my ($text) = @_;
    my $fh = $d->connection($socket) or die "connect: $!\n";
    syswrite $fh, $text;
    return Policyd::action($fh);
}

sub asked {
    my (%change) = @_;
    return said(request(%change));
}

# --- the table ---
open my $table, '<', 't/tables/sending.tbl' or die "t/tables/sending.tbl: $!\n";
my %seen;
while (my $row = <$table>) {
    chomp $row;
    next if $row =~ /^#|^$/;
    my ($login, $sender, $recipient, $besides, $rule, $begins) = map { s/^\s+|\s+$//gr } split /\|/, $row, 6;
    my %more;
    $more{size} = $1 if $besides =~ /size=(\d+)/;
    $more{client_address} = $1 if $besides =~ /from=(\S+)/;
    $d->mark;
    my $got = asked(sasl_username => $login eq '-' ? '' : $login, sender => $sender eq '<>' ? '' : $sender, recipient => $recipient, %more);
    if ($rule == 0) {
        is($got, 'DUNNO', $row);
    } else {
        is(substr($got, 0, length $begins), $begins, $row);
        ok($d->wait_log(qr/mail not let pass verdict=\w+ rule=$rule name=/), "by rule $rule") or diag $d->log_text if !$seen{$rule}++;
    }
}
is(join(' ', sort { $a <=> $b } keys %seen), '2 3 4 5 6 7 8 9', 'the rules that need no counting');

# --- limits: counted at DATA, looked at before ---
sub login { my ($who, %more) = @_; return (sasl_username => "$who\@a.example", sender => "$who\@a.example", %more) }
sub data { my ($who, $n, %more) = @_; return asked(login($who, protocol_state => 'DATA', recipient => '', recipient_count => $n, %more)) }

like(data('hilda', 5), qr{^554 5\.5\.3 too many recipients in one message \(rule recipients/message 4, set at ou=hr\)}, 'five in one message');
is(data('hilda', 4), 'DUNNO', 'four are right');
is(data('hilda', 1), 'DUNNO', 'a second message') for 1 .. 2;
like(data('hilda', 1), qr{^450 4\.7\.1 .* \(rule rate, messages/hour 3, set at ou=hr, room again in \d+ minutes\)}, 'the fourth within an hour');
like(asked(login('hilda')), qr{^450 4\.7\.1 .*messages/hour 3}, 'at RCPT already');
is(asked(login('hilda', protocol_state => 'END-OF-MESSAGE', size => 5, recipient_count => 1)), 'DUNNO', 'what was counted is let end');
like(asked(login('harry', protocol_state => 'END-OF-MESSAGE', size => 1001)), qr{^552 5\.3\.4}, 'larger than it was announced');
is(data('harry', 4), 'DUNNO', 'another one has his own') for 1 .. 3;
like(data('harry', 3), qr{^450 4\.7\.1 all together .* \(rule total, total recipients/day 20, set at ou=hr, room again in \d+ minutes\)}, 'all together have theirs');
like(data('paula', 3), qr{^450 4\.7\.1 all together}, 'in a department below it, too');
is(data('paula', 2), 'DUNNO', 'up to the very last');
like(data('paula', 1), qr{^450}, 'and no more');
is(data('anna', 1000), 'DUNNO', 'nobody else minds');

# --- what lasts ---
ok(Policyd::wait_for(sub { -s "$d->{dir}/state/traffic" }), 'the counters are on disk');
ok(Policyd::wait_for(sub { (stat "$d->{dir}/state/traffic")[7] == 64 + 5 * 192 }), 'of four people and the department');
is((stat "$d->{dir}/state/traffic")[2] & 0777, 0600, 'and nobody else\'s to read');
my ($policy) = $d->pids('policy');
ok(kill('KILL', $policy), 'the role is killed');
ok(Policyd::wait_for(sub { my ($p) = $d->pids('policy'); $p && $p != $policy }), 'and there again');
like(data('hilda', 1), qr{^450 4\.7\.1 .*messages/hour 3}, 'it remembers the account');
like(data('paula', 1), qr{^450 4\.7\.1 all together}, 'and the department');
($policy) = $d->pids('policy');
kill 'HUP', $d->{pid};
is(data('anna', 1), 'DUNNO', 'sent while it reloads');
ok(Policyd::wait_for(sub { my @p = $d->pids('policy'); @p == 1 && $p[0] != $policy }), 'reloaded');
ok(Policyd::wait_for(sub { data('hilda', 1) =~ /^450/ }), 'it remembers after a reload') or diag data('hilda', 1);

# --- explained ---
sub explained {
    open my $out, '-|', 'ctl/postroad', '-c', $d->{conf}, 'explain', @_ or die "postroad: $!\n";
    local $/;
    return scalar <$out>;
}
like(explained(qw(--from hilda@a.example --to bob@else.example)), qr{^hilda\@a\.example to bob\@else\.example: refused, because of rule 6: .*\n  logged in +hilda\@a\.example\n  send-external withheld at +ou=hr\n  limits +messages/hour 3 of 3 \(set at ou=hr\), recipients/message 4 \(set at ou=hr\), size 1000000 \(set at dc=a\.example\)\n  for all together +recipients/day 20 of 20 \(set at ou=hr\)\n  recipient is inside +no\n  Postfix is told +550 5\.7\.1 }, 'explain: refused');
like(explained(qw(--from anna@a.example --to carl@c.example --size 5)), qr/: nothing against it, because of rule 14: /, 'explain: nothing against it');
like(explained(qw(--from bob@else.example --to all@a.example)), qr/: refused, because of rule 7: .*\n  nobody is logged in: .*\n  recipient is inside +yes\n  may write to the list +no\n/, 'explain: nobody logged in');
like(explained(qw(--json --from harry@a.example --to anna@a.example --size 1001)), qr/"rule": ?"9"/, 'explain: as JSON');
like(explained(qw(--from harry@a.example --to anna@a.example)), qr/later, because of rule 12: /, 'explain: later');

# --- what is odd ---
is(asked(sasl_username => 'anna@a.example', protocol_state => $_), 'DUNNO', "nothing is said at $_") for qw(CONNECT EHLO MAIL VRFY ETRN NONSENSE);
is(asked(protocol_state => 'DATA', recipient_count => 3), 'DUNNO', 'nor at DATA of somebody without a login');
is(asked(login('anna', recipient => '')), 'DUNNO', 'no recipient');
is(asked(login('anna', size => $_)), 'DUNNO', "a size of '$_'") for '', '-5', 'x';
like(asked(login('anna', protocol_state => 'DATA', recipient_count => '99999999999999999999')), qr/^(?:DUNNO|450)/, 'a count that is none');
like(asked(login('x' x 400)), qr/^554 5\.7\.1/, 'a login that is too long');
like(asked(sasl_username => "anna\x01\xff\@a.example"), qr/^554 5\.7\.1/, 'or holds anything');
unlike($d->log_text, qr/[\x00-\x08\x0b-\x1f]/, 'the log stays legible');
is(said(request(login('susp')) =~ s/\n\n\z/\nsasl_username=anna\@a.example\n\n/r), asked(login('susp')), 'the first of two logins counts');

is($d->stop, 0, 'it ends');
done_testing;
