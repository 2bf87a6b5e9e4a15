#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Mail that goes to others than the sender wrote, with a real Postfix: forwards of an account, and
# that they end where the function is withheld, by whomever; lists, which are one recipient to the
# limits on sending; journal copies, whose bounces no sender hears of.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use Lab;
use Test::More;

my @missing = Lab->missing;
push @missing, 'needs milter/postroad-milter' if !-x "$FindBin::Bin/../milter/postroad-milter";
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my ($alice, $lina, $bob, $guest) = ('alice@corp.example', 'lina@corp.example', 'bob@corp.example', 'guest@outside.example');
my $domain = 'dc=corp.example,ou=domains,o=corp';
my $dn = "uid=alice,ou=sales,$domain";
$lab->await_directory('hebei');

sub change {
    my ($entry, @lines) = @_;
    $lab->modify('hebei', join '', "dn: $entry\nchangetype: modify\n", map { "$_\n" } @lines);
    return;
}

# Wait until what Postfix is told of her is like this.
sub await_alias {
    my ($like) = @_;
    $lab->wait_for("alias is $like", 60, sub {
        my $said = join '', Inside::must($lab->at('hebei', 'sh', '-c', "postroad lookup alias $alice 2>&1; :"));
        return $said =~ $like;
    });
    return;
}

sub to_alice { return $lab->send(site => 'outside', from => 'news@outside.example', to => $alice, server => 'mx1.hebei.example:25')->{mark} }

# --- forwards ---
change($dn, 'add: postroadForward', "postroadForward: $guest", "postroadForward: $bob");
await_alias(qr/guest\@outside/);
like($lab->found_in(to_alice(), "hebei $alice", "shandong $bob", "outside $guest"), qr/guest/, 'mail is forwarded, inside and outside');

my %by = ($dn => 'account', "ou=sales,$domain" => 'department', $domain => 'domain');
for my $entry ($dn, "ou=sales,$domain", $domain) {
    change($entry, 'add: postroadDeny', 'postroadDeny: forward');
    await_alias(qr/^(?!.*guest\@outside)/s);
    is(eval { $lab->found_in(to_alice(), "hebei $alice") } // $@, "mailboxes that hold it: hebei $alice", "withheld by the $by{$entry}: it stays in her mailbox");
    my $said = $lab->run('hebei', 'postroad', 'explain', $alice);
    like($said, qr/^  forward +withheld  \(from the $by{$entry} \Q$entry\E\)$/m, 'explain says by whom');
    like($said, qr/^  alias .*NOTFOUND .*\(the function forward is withheld from the account\)/m, 'and what follows');
    change($entry, 'delete: postroadDeny', 'postroadDeny: forward');
    await_alias(qr/guest\@outside/);
}
unlike($lab->run('hebei', 'postroad', 'explain', $alice), qr/withheld/, 'given back, nothing is said');
change($dn, 'delete: postroadForward');
await_alias(qr/^(?!.*guest\@outside)/s);

# --- a list is one recipient ---
change($dn, 'add: postroadLimit', 'postroadLimit: recipients/message 1', 'postroadLimit: recipients/hour 2');
my %as = (site => 'hebei', from => $alice, login => $alice, password => 'sample-alice');
# What was sent before it is known would count.
$lab->wait_for('the limit is known', 60, sub {
    return $lab->run('hebei', 'sh', '-c', "postroad explain --from $alice --to $lina 2>&1; :") =~ m{recipients/hour \d+ of 2};
});
my $sent = $lab->send(%as, to => [ $lina, $bob ]);
like($sent->{dialog}, qr{^S: 554 5\.5\.3 .*recipients/message 1}m, 'two recipients are too many');
my @members = split /, /, $lab->run('hebei', qw(postroad lookup alias all@corp.example));
cmp_ok(scalar(@members), '>', 2, 'a list of several');
$sent = $lab->send(%as, to => 'all@corp.example');
ok($sent->{accepted}, 'is one recipient of a message') or diag $sent->{dialog};
ok($lab->send(%as, to => 'all@corp.example')->{accepted}, 'and one of an hour');
like($lab->send(%as, to => 'all@corp.example')->{dialog}, qr{^S: 450 4\.7\.1 .*recipients/hour 2}m, 'each time');

# --- a journal copy that can't be delivered ---
$lab->run('hebei', 'sh', '-c', q{cat >>/etc/postroad/postroad.conf <<'END'
milter: { journal = [ "corp.example/hr=no-journal@corp.example", "lina@corp.example=no-journal@outside.example" ]; };
END
});
$lab->daemon('start', 'hebei', 'milter');
$lab->run('hebei', 'postconf', '-e', 'smtpd_milters={unix:postroad/milter,default_action=tempfail}', 'non_smtpd_milters=$smtpd_milters');
$lab->reload('hebei');
for my $from ($guest, $bob) {
    my $mark = $lab->send(site => $from eq $guest ? 'outside' : 'hebei', from => $from, to => $lina, $from eq $guest ? (server => 'mx1.hebei.example:25') : ())->{mark};
    $lab->await_delivery('hebei', $mark, 'no-journal@outside.example', 'bounced');
    is($lab->await_delivery('hebei', $mark, $lina, 'sent')->{status}, 'sent', "mail of $from: a copy bounces, the message arrives");
    # One that nobody of ours has waits until it is too old: now, then.
    my $id = $lab->await_delivery('hebei', $mark, 'no-journal@corp.example', 'deferred')->{id};
    $lab->run('hebei', qw(postsuper -e), $id);
    $lab->run('hebei', qw(postqueue -i), $id);
    $lab->await_settled($mark);
    my @told = grep { $_->{text} =~ /notification/ } $lab->trail('hebei', $mark);
    is_deeply([ map { $_->{text} } @told ], [], 'and Postfix tells nobody');
    is_deeply([ grep { /$from/ } keys %{ $lab->whereabouts($mark) } ], [], 'the sender least of all');
}
my $mark = $lab->send(site => 'hebei', from => $bob, to => 'nobody@outside.example')->{mark};
$lab->await_delivery('hebei', $mark, 'nobody@outside.example', 'bounced');
$lab->wait_for('a bounce of his own', 60, sub { grep { /$bob/ } keys %{ $lab->whereabouts($mark) } });
pass('what bounces otherwise he does hear of');
done_testing();
