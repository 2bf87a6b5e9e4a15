#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The cold tables for what they are there for: no process of policyd lives, and a real Postfix
# that names them takes mail for people it knows, delivers it, and hands it to the other site.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use Lab;
use Lab::Cases qw(post post_outside sent_by refused);
use Test::More;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;
my $lab = Lab->up;
plan skip_all => 'this Postfix has no lmdb' if $lab->run('hebei', qw(postconf -m)) !~ /^lmdb$/m;

my %mx = map { $_ => "mx1.$_.example:25" } qw(hebei shandong);
my $lmtp = qr/^lmtp .*private.dovecot-lmtp/;
my %map = (
    virtual_mailbox_domains => 'domain', virtual_mailbox_maps => 'mailbox', virtual_alias_maps => 'alias',
    transport_maps => 'transport', smtp_tls_policy_maps => 'tls', relay_clientcerts => 'peer',
);

sub case {
    my ($name, $do) = @_;
    my @happened = eval { $do->() };
    my $error = $@;
    ok(!$error, $name);
    $error ? diag($error) : note(map { "  $_\n" } @happened);
    return;
}

sub configure {
    my ($site) = @_;
    $lab->run($site, 'sh', '-c', 'echo \'cold: { dir = "/var/lib/postroad/cold"; };\' >>/etc/postroad/postroad.conf');
    $lab->daemon('stop',  $site, 'policyd');
    $lab->daemon('start', $site, 'policyd');
    $lab->wait_for("tables at $site", 60, sub { $lab->try($site, qw(postmap -q corp.example lmdb:/var/lib/postroad/cold/domain)) });
    $lab->wait_for("people at $site", 60,
        sub { $lab->try($site, qw(postmap -q bob@corp.example lmdb:/var/lib/postroad/cold/alias)) });
    $lab->run($site, 'postconf', '-e', map { "$_ = lmdb:/var/lib/postroad/cold/$map{$_}, socketmap:unix:postroad/map:$map{$_}" } keys %map);
    $lab->reload($site);
    return;
}

configure($_) for qw(hebei shandong);
like($lab->run('hebei', qw(stat -c %a:%U:%G /var/lib/postroad/cold /var/lib/postroad/cold/tls.lmdb)),
    qr/^2750:postroad:postfix\n640:postroad:postfix\n$/, 'the tables are Postfix\'s to read, and nobody else\'s');

case 'with policyd: somebody known, by the table', sub {
    my $mark = post_outside($lab, 'alice@corp.example', $mx{hebei});
    return $lab->found_in($mark, 'hebei alice@corp.example');
};
case 'with policyd: a list, by the socket', sub {
    my $mark = post($lab, 'hebei', 'alice@corp.example', 'press@corp.example');
    return $lab->found_in($mark, map { "outside $_\@outside.example" } qw(news radio));
};

# The roles end when they see that the parent is gone.
sub crash_all {
    my ($site) = @_;
    $lab->daemon('crash', $site, 'policyd');
    return $lab->wait_for("no policyd at $site", 60, sub { !$lab->processes_at($site, qr/^postroad-policyd/) });
}

ok(crash_all('hebei'), 'hebei has no policyd at all');
case 'somebody of this site', sub {
    my $mark = post_outside($lab, 'alice@corp.example', $mx{hebei});
    return (sent_by($lab, 'hebei', $mark, 'alice@corp.example', $lmtp), $lab->found_in($mark, 'hebei alice@corp.example'));
};
case 'by a further address', sub {
    my $mark = post_outside($lab, 'alice.wang@corp.example', $mx{hebei});
    return $lab->found_in($mark, 'hebei alice@corp.example');
};
case 'somebody of the other site: handed over, with both certificates', sub {
    my $mark = post_outside($lab, 'bob.li@corp.example', $mx{hebei});
    return (sent_by($lab, 'hebei', $mark, 'bob@corp.example', qr/^relay\S* 10\.77\.0\.2\[/),
        $lab->found_in($mark, 'shandong bob@corp.example'));
};
case 'an unknown address waits, and is not turned away', sub { refused($lab, 'nobody@corp.example', $mx{hebei}, qr/^4/) };
case 'so does an extension', sub { refused($lab, 'alice+x@corp.example', $mx{hebei}, qr/^4/) };
case 'and a list', sub { refused($lab, 'all@corp.example', $mx{hebei}, qr/^4/) };
case 'mail from here to the outside waits at who sends it', sub {
    my $to = 'guest@outside.example';
    my $sent = $lab->send(site => 'hebei', from => 'alice@corp.example', to => $to, server => '127.0.0.1:25', check => 1);
    $sent->{rcpt}{$to} =~ /^4/ or die $sent->{dialog};
    return $sent->{rcpt}{$to};
};

crash_all('shandong');
case 'no policyd at the other site either: it takes its own people\'s mail', sub {
    my $mark = post_outside($lab, 'bob@corp.example', $mx{shandong});
    return $lab->found_in($mark, 'shandong bob@corp.example');
};

$lab->daemon('start', $_, 'policyd') for qw(hebei shandong);
case 'policyd is back: an unknown address is refused for good', sub {
    $lab->await_directory('hebei');
    my $told;
    my $ask = sub { $told = eval { refused($lab, 'nobody@corp.example', $mx{hebei}, qr/^550 5\.1\.1 /) } };
    $lab->wait_for('it is refused', 60, $ask);
    return $told;
};
done_testing();
