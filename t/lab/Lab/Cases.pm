# SPDX-License-Identifier: BSD-2-Clause
#
# Lab::Cases: what two sites that route mail as one have to do, case by case. `demo` tells them,
# t/two-sites.t holds Postroad to them.
#
# Each case is {name, asked, do}. do is called with a lab, returns what happened as lines taken from
# logs, answers and mailboxes, and dies when that is not what was asked for. It leaves the lab as
# it found it.
package Lab::Cases;
use strict;
use warnings;
use Exporter 'import';
use Time::HiRes 'time';
use Lab::Mail;

# For further cases, in the same words.
our @EXPORT_OK = qw(post post_outside sent_by refused afterwards $guest);

our @cases = (
    {
        name  => 'hebei to hebei stays at hebei',
        asked => 'Alice (hebei) logs in at hebei and writes to Li Na (hebei).',
        do    => \&stays,
    },
    {
        name  => 'hebei to shandong goes straight to shandong\'s server',
        asked => 'Alice (hebei) logs in at hebei and writes to Bob (shandong).',
        do    => sub { across($_[0], 'hebei', 'alice@corp.example', 'shandong', 'bob@corp.example') },
    },
    {
        name  => 'shandong to hebei goes straight to hebei\'s server',
        asked => 'Bob (shandong) logs in at shandong and writes to Alice (hebei).',
        do    => sub { across($_[0], 'shandong', 'bob@corp.example', 'hebei', 'alice@corp.example') },
    },
    {
        name  => 'outside to hebei\'s MX for a user of shandong is handed on',
        asked => 'Somebody outside writes to Bob (shandong); the first MX of corp.example is hebei.',
        do    => \&handed_on,
    },
    {
        name  => 'hebei\'s MX down: shandong takes the mail and hands it over later',
        asked => 'Hebei\'s Postfix stops. Somebody outside writes to Alice (hebei). Hebei\'s Postfix starts.',
        do    => \&other_mx,
    },
    {
        name  => 'each site sends mail to the outside itself',
        asked => 'Alice at hebei and Bob at shandong each write to somebody outside.',
        do    => \&outside_mail,
    },
    {
        name  => 'an address that exists nowhere gets 550 at RCPT',
        asked => 'Somebody outside writes to nobody@corp.example, at both MX hosts.',
        do    => \&unknown,
    },
    {
        name  => 'a list reaches members at both sites and outside',
        asked => 'Alice writes to all@corp.example: people of both sites, a list in the list, somebody outside.',
        do    => \&list,
    },
    {
        name  => 'a user created at shandong receives mail at hebei\'s MX seconds later',
        asked => 'Zhu Xin is added to shandong\'s slapd. Somebody outside writes to him by hebei\'s MX.',
        do    => \&new_user,
    },
    {
        name  => 'slapd stopped at both sites: mail still flows',
        asked => 'Both slapd stop. Somebody outside writes to Alice and Bob, and to an unknown address.',
        do    => \&no_directory,
    },
);

our $guest = 'guest@outside.example';

# Somebody of ours sends, with his password, at a site.
sub post {
    my ($lab, $site, $from, $to) = @_;
    my ($uid) = split /@/, $from;
    my $sent = $lab->send(site => $site, from => $from, to => $to, login => $from, password => "sample-$uid");
    $sent->{accepted} or die "$site did not take it:\n$sent->{dialog}";
    return $sent->{mark};
}

# Somebody outside sends: by his own server, which looks for the MX, or straight to one of ours.
sub post_outside {
    my ($lab, $to, $server) = @_;
    my $sent = $lab->send(site => 'outside', from => $guest, to => $to, server => $server);
    $sent->{accepted} or die "it was not taken:\n$sent->{dialog}";
    return $sent->{mark};
}

# What an address is told at RCPT that must be refused with an answer like this. Where that is for good, a
# site on a slow machine may first say that it has no proof yet.
sub refused {
    my ($lab, $to, $server, $like) = @_;
    my ($reply, $end) = ('', time + 30);
    do {
        my $sent = $lab->send(site => 'outside', from => $guest, to => $to, server => $server, check => 1);
        $reply = $sent->{rcpt}{$to} // 'nothing';
        return "$server: $reply" if $reply =~ $like;
    } while $reply =~ /^451 4\.3\.0 / && time < $end;
    die "$server told $to: $reply\n";
}

# What do returns; undo follows, however it ends.
sub afterwards {
    my ($undo, $do) = @_;
    my @happened = eval { $do->() };
    my $error = $@;
    $undo->();
    die $error if $error;
    return @happened;
}

# Wait until it was sent on, and by the right way; in words.
sub sent_by {
    my ($lab, $site, $mark, $to, $way) = @_;
    my $try = $lab->await_delivery($site, $mark, $to, 'sent');
    my $words = Lab::Mail::in_words($try);
    "$try->{service} $try->{relay}" =~ $way or die "not the way it should go ($way): $words\n";
    return $words;
}

my %line = (hebei => qr/^relay\S* 10\.77\.0\.1\[/, shandong => qr/^relay\S* 10\.77\.0\.2\[/);
my $lmtp = qr/^lmtp .*private.dovecot-lmtp/;

sub stays {
    my ($lab) = @_;
    my $mark = post($lab, 'hebei', 'alice@corp.example', 'lina@corp.example');
    return (sent_by($lab, 'hebei', $mark, 'lina@corp.example', $lmtp),
        $lab->found_in($mark, 'hebei lina@corp.example'), untouched($lab, $mark, 'shandong', 'outside'));
}

sub untouched {
    my ($lab, $mark, @sites) = @_;
    for my $site (@sites) {
        die "$site handled it\n" if $lab->trail($site, $mark);
    }
    return 'not in the log of: ' . join ', ', @sites;
}

sub across {
    my ($lab, $here, $from, $there, $to) = @_;
    my $mark = post($lab, $here, $from, $to);
    return (
        sent_by($lab, $here,  $mark, $to, $line{$there}),
        sent_by($lab, $there, $mark, $to, $lmtp),
        $lab->found_in($mark, "$there $to"),
        untouched($lab, $mark, 'outside')
    );
}

sub handed_on {
    my ($lab) = @_;
    my $to = 'bob@corp.example';
    my $mark = post_outside($lab, $to);
    return (
        sent_by($lab, 'outside',  $mark, $to, qr/ mx1\.hebei\.example\[/),
        sent_by($lab, 'hebei',    $mark, $to, $line{shandong}),
        sent_by($lab, 'shandong', $mark, $to, $lmtp),
        $lab->found_in($mark, "shandong $to")
    );
}

sub other_mx {
    my ($lab) = @_;
    my $to = 'alice@corp.example';
    my $mark;
    $lab->daemon('stop', 'hebei', 'postfix');
    my @happened = afterwards(sub { $lab->daemon('start', 'hebei', 'postfix') }, sub {
        $mark = post_outside($lab, $to);
        return (sent_by($lab, 'outside', $mark, $to, qr/ mx1\.shandong\.example\[/),
            Lab::Mail::in_words($lab->await_delivery('shandong', $mark, $to, 'deferred')));
    });
    return (@happened, 'hebei\'s Postfix is back', sent_by($lab, 'shandong', $mark, $to, $line{hebei}),
        $lab->found_in($mark, "hebei $to"));
}

sub outside_mail {
    my ($lab) = @_;
    my @happened;
    for my $way ([ hebei => 'alice', 'shandong' ], [ shandong => 'bob', 'hebei' ]) {
        my ($site, $uid, $other) = @$way;
        my $mark = post($lab, $site, "$uid\@corp.example", $guest);
        push @happened, sent_by($lab, $site, $mark, $guest, qr/ mx\.outside\.example\[/),
          $lab->found_in($mark, "outside $guest"), untouched($lab, $mark, $other);
    }
    return @happened;
}

sub unknown {
    my ($lab) = @_;
    return map { refused($lab, 'nobody@corp.example', "mx1.$_.example:25", qr/^550 5\.1\.1 /) } qw(hebei shandong);
}

sub list {
    my ($lab) = @_;
    my $mark = post($lab, 'hebei', 'alice@corp.example', 'all@corp.example');
    return $lab->found_in(
        $mark,
        (map { "hebei $_\@corp.example" } qw(alice info lina wangfang)),
        (map { "shandong $_\@corp.example" } qw(bob huangli)),
        'outside adviser@outside.example'
    );
}

my $zhuxin = 'uid=zhuxin,ou=east,ou=sales,dc=corp.example,ou=domains,o=corp';

sub new_user {
    my ($lab) = @_;
    my $to = 'zhuxin@corp.example';
    my $mx = 'mx1.hebei.example:25';
    my $before = refused($lab, $to, $mx, qr/^550 /);
    $lab->modify('shandong', "dn: $zhuxin\nchangetype: add\nobjectClass: inetOrgPerson\n"
          . "objectClass: postroadAccount\nuid: zhuxin\ncn: Zhu Xin\nsn: Zhu\nmail: $to\n");
    my $begin = time;
    return afterwards(sub { $lab->modify('shandong', "dn: $zhuxin\nchangetype: delete\n") }, sub {
        my $mark = $lab->wait_for("$to is known at hebei", 60, sub { post_outside($lab, $to, $mx) });
        my $seconds = sprintf '%.2f', time - $begin;
        return ("before: $before", "accepted at hebei $seconds s after shandong's slapd had him",
            sent_by($lab, 'hebei', $mark, $to, $line{shandong}), $lab->found_in($mark, "shandong $to"));
    });
}

sub no_directory {
    my ($lab) = @_;
    my ($alice, $bob, $mx) = ('alice@corp.example', 'bob@corp.example', 'mx1.hebei.example:25');
    my $back = sub {
        $lab->daemon('start', $_, 'slapd') for qw(hebei shandong);
        $lab->await_directory(qw(hebei shandong));
    };
    $lab->daemon('stop', $_, 'slapd') for qw(hebei shandong);
    return afterwards($back, sub {
        my $mark = post_outside($lab, [ $alice, $bob ], $mx);
        return (
            sent_by($lab, 'hebei',    $mark, $alice, $lmtp),
            sent_by($lab, 'hebei',    $mark, $bob,   $line{shandong}),
            sent_by($lab, 'shandong', $mark, $bob,   $lmtp),
            $lab->found_in($mark, "hebei $alice", "shandong $bob"),
            'an unknown address may wait, and is not turned away:',
            refused($lab, 'nobody@corp.example', $mx, qr/^4/)
        );
    });
}

1;
