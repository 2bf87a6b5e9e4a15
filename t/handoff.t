#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# handoff: the port between the sites, with real Postfix at both ends. Two sites that disagree about
# a mailbox's home never send a message to and fro; nobody but a site gets in; what goes wrong there
# costs time, never mail; and one grep follows a message over both sites.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use Lab;
use Lab::Cases qw(post_outside afterwards $guest);
use Test::More;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my @sites = qw(hebei shandong);
my %mx = map { $_ => "mx1.$_.example:25" } @sites;
my %other = (hebei => 'shandong', shandong => 'hebei');
my %line = (hebei => '10.77.0.1', shandong => '10.77.0.2');
my $bob = 'bob@corp.example';
my $lab = Lab->up;
$lab->await_directory(@sites);

# What it returns is shown when somebody looks, what it dies with when it failed.
sub case {
    my ($name, $do) = @_;
    my @happened = eval { $do->() };
    my $error = $@;
    ok(!$error, $name);
    $error ? diag($error) : note(map { "  $_\n" } @happened);
    return;
}

sub await_transport {
    my ($site, $to, $like) = @_;
    $lab->wait_for("$site sends $to by $like", 60, sub { $lab->run($site, qw(postroad lookup transport), $to) =~ $like });
    return;
}

# The attempts of a site to hand the message for somebody to the other one that ended so.
sub attempts {
    my ($site, $mark, $to, $text) = @_;
    return grep { $_->{to} eq $to && $_->{service} =~ /^relay/ && $_->{status} eq 'deferred' && $_->{text} =~ $text }
        $lab->deliveries($site, $mark);
}

# Three times the other site says no; it never has the message, and the first one still does.
sub refused_again {
    my ($site, $mark, $to, $text) = @_;
    $lab->wait_for("$site tried three times", 60, sub { attempts($site, $mark, $to, $text) >= 3 });
    die "$other{$site} took it\n" if grep { $_->{to} eq $to } $lab->deliveries($other{$site}, $mark);
    my ($last) = reverse attempts($site, $mark, $to, $text);
    die "it is not in the queue of $site\n" if !grep { $_ eq $last->{id} } $lab->queued($site);
    return Lab::Mail::in_words($last);
}

# A queue manager remembers its last question for half a minute: let each ask another one.
sub forget_last_question {
    $lab->send(site => $_, from => $guest, to => 'lina@corp.example') for @sites;
    return;
}

# --- one grep over both sites

case 'XFORWARD: the queue id and the client of the first site are in the log of the second', sub {
    my $mark = post_outside($lab, $bob, $mx{hebei});
    my $found = $lab->found_in($mark, "shandong $bob");
    my ($first) = map { $_->{id} } $lab->trail('hebei', $mark);
    my ($line) = grep { /orig_queue_id=$first\b/ } split /\n/, $lab->log_text('shandong');
    $line // die "no orig_queue_id=$first in the log of shandong\n";
    $line =~ /orig_client=\S*\[203\.0\.113\.25\]/ or die "no orig_client: $line\n";
    return ($found, $line);
};

# --- who gets in

sub handoff {
    my (%option) = @_;
    my $to = $option{to} // 'nobody@corp.example';
    my $sent = $lab->send(site => 'hebei', from => $guest, check => 1, server => "$line{shandong}:2525", %option, to => $to);
    return $sent->{rcpt}{$to} // $sent->{dialog};
}

my $pem = '/etc/postfix/tls/handoff.pem';
my $stranger = '/run/lab/stranger.pem';

# A certificate at hebei that is in no directory; its fingerprint.
sub new_certificate {
    $lab->run('hebei', qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=stranger -keyout),
        $stranger, '-out', "$stranger.crt");
    $lab->run('hebei', 'sh', '-c', "cat $stranger.crt >>$stranger");
    return $lab->run('hebei', qw(openssl x509 -noout -fingerprint -sha256 -in), $stranger) =~ /=([0-9A-F:]+)/ ? $1 : die;
}

my $print = new_certificate();
like(handoff(to => $bob),                       qr/^S: 530 /m,         'not without TLS');
like(handoff(to => $bob, tls => 1),             qr/^454 4\.7\.0 /,     'not without a certificate, and not refused for good');
like(handoff(to => $bob, cert => $stranger),    qr/^454 4\.7\.0 /,     'not with any certificate, and not refused for good');
like(handoff(to => $bob, cert => $pem),         qr/^250 /,             'a site gets in');
like(handoff(cert => $pem),                     qr/^451 4\.1\.1 .*hebei hands it over, but shandong does not know it/,
    'it is told to try later, never that somebody is unknown');
like(handoff(cert => $pem, to => $guest),       qr/^451 4\.4\.4 /,     'it may not use the other site as a relay to the outside');
like(handoff(cert => $pem, to => 'all@corp.example'), qr/^451 4\.4\.4 /, 'nor hand lists over');

# --- sites that disagree

# Let slapd at each site follow nobody, or the other one again.
sub replication {
    my ($on) = @_;
    for my $site (@sites) {
        my ($from, $to) = ("ldap://$line{$other{$site}}", 'ldap://127.0.0.1:9');
        ($from, $to) = ($to, $from) if $on;
        $lab->daemon('stop', $site, 'slapd');
        $lab->run($site, 'sed', '-i', "s,provider=$from\$,provider=$to,", '/etc/ldap/slapd.conf');
        $lab->daemon('start', $site, 'slapd');
    }
    $lab->await_directory(@sites);
    return;
}

my $dn = 'uid=bob,ou=east,ou=sales,dc=corp.example,ou=domains,o=corp';
my %mark;

case 'each site holds that Bob is at the other one', sub {
    replication(0);
    $lab->modify('shandong', "dn: $dn\nchangetype: modify\nreplace: postroadHomeSite\npostroadHomeSite: hebei\n");
    await_transport($_, $bob, qr/^relay:\[\Q$line{$other{$_}}\E\]/) for @sites;
    return map { "$_: " . $lab->run($_, qw(postroad lookup transport), $bob) } @sites;
};

for my $site (@sites) {
    my $other = $other{$site};
    my $told = qr/451 4\.4\.6 .*$site hands it over, but $other would send it to $site \(home is elsewhere; mirror as of /;
    case "by $site: not handed to and fro, but kept", sub {
        $mark{$site} = post_outside($lab, [ $bob, 'alice@corp.example' ], $mx{$site});
        my $alice = $lab->await_delivery($site, $mark{$site}, 'alice@corp.example', 'sent');
        return (Lab::Mail::in_words($alice), refused_again($site, $mark{$site}, $bob, $told));
    };
}

case 'postroad status at both sites counts what was deferred', sub {
    return map {
        my ($site, $n) = ($_, 0);
        $lab->wait_for("$site has counted three", 60, sub { ($n) = $lab->run($site, qw(postroad status)) =~ /^Hand-off .* (\d+) deferred/m; $n >= 3 });
        "$site: $n";
    } @sites;
};

case 'once they agree it is delivered, once', sub {
    replication(1);
    await_transport('hebei', $bob, qr/^lmtp:/);
    await_transport('shandong', $bob, qr/^relay:/);
    forget_last_question();
    return map { $lab->found_in($mark{$_}, 'hebei alice@corp.example', "hebei $bob") } @sites;
};

# --- a site with a new certificate, which the other one has not heard of

sub fingerprint {
    my ($change) = @_;
    $lab->modify('hebei', "dn: cn=hebei,cn=sites,o=corp\nchangetype: modify\n$change: postroadCertFingerprint\n"
          . "postroadCertFingerprint: $print\n");
    return;
}

case 'a new certificate of hebei: its mail waits until it is in the directory', sub {
    my $to = 'huangli@corp.example';
    my $mark;
    $lab->run('hebei', 'cp', $pem, "$pem.old");
    $lab->run('hebei', 'cp', $stranger, $pem);
    $lab->reload('hebei');
    my @words = afterwards(sub { fingerprint('add') }, sub {
        $mark = post_outside($lab, $to, $mx{hebei});
        return refused_again('hebei', $mark, $to, qr/454 4\.7\.0 .*shandong takes mail here only from sites it knows/);
    });
    return (@words, $lab->found_in($mark, "shandong $to"));
};

# --- policyd away: doubt is never permission

case 'policyd of shandong is away: what is handed over waits', sub {
    my $to = 'huangli@corp.example';
    my $mark;
    $lab->daemon('stop', 'shandong', 'policyd');
    my @words = afterwards(sub { $lab->daemon('start', 'shandong', 'policyd'); $lab->await_directory('shandong') }, sub {
        $mark = post_outside($lab, $to, $mx{hebei});
        return refused_again('hebei', $mark, $to, qr/ 45\d 4\.\d\.\d /);
    });
    return (@words, $lab->found_in($mark, "shandong $to"));
};

is(scalar(() = $lab->log_text($_) =~ /status=bounced/g), 0, "$_ has returned nothing") for @sites;
$lab->down;
done_testing;
