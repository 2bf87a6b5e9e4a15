#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# two-sites: what the demo shows, and more of the sample directory's people, with real Postfix,
# Dovecot and slapd at two sites. One lab for all; each case leaves it as it found it.
use strict;
use warnings;
use File::Temp ();
use FindBin;
use IO::Handle;
use lib "$FindBin::Bin/lab";
use Lab;
use Lab::Cases qw(post post_outside sent_by refused afterwards $guest);
use Test::More;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my %mx = map { $_ => "mx1.$_.example:25" } qw(hebei shandong);
my $relay = qr/^relay/;
my $lab = Lab->up;

# One case: what it returns is shown when somebody looks, what it dies with when it failed.
sub case {
    my ($name, $do) = @_;
    my @happened = eval { $do->($lab) };
    my $error = $@;
    ok(!$error, $name);
    $error ? diag($error) : note(map { "  $_\n" } @happened);
    return;
}

# From outside by one site's MX: in these mailboxes it must be, once in each.
sub arrives {
    my ($site, $to, @boxes) = @_;
    return $lab->found_in(post_outside($lab, $to, $mx{$site}), @boxes);
}

# Set the state of somebody, and wait until both sites' policyd say so; "" removes it.
sub state_set {
    my ($dn, $to, $state, $answer) = @_;
    my $change = $state ? "replace: postroadState\npostroadState: $state\n" : "delete: postroadState\n";
    $lab->modify('hebei', "dn: $dn\nchangetype: modify\n$change");
    for my $site (qw(hebei shandong)) {
        $lab->wait_for("$site knows that $to is $state", 60,
            sub { $lab->run($site, qw(postroad lookup transport), $to) =~ $answer });
    }
    return;
}

case $_->{name}, $_->{do} for @Lab::Cases::cases;

# --- addresses

for my $site (qw(hebei shandong)) {
    case "by $site: an alias, in other case", sub { arrives($site, 'Bob.LI@Corp.Example', 'shandong bob@corp.example') };
    case "by $site: user+extension", sub { arrives($site, 'bob+news@corp.example', 'shandong bob@corp.example') };
    case "by $site: an alias domain", sub { arrives($site, 'sunli@posts.example', 'shandong sunli@post.example') };
    case "by $site: an alias domain's A-label", sub { arrives($site, 'lina@xn--rt3a90w.example', 'hebei lina@corp.example') };
    case "by $site: the catch-all of a domain", sub { arrives($site, 'who@post.example', 'shandong sunli@post.example') };
    case "by $site: a department's home site", sub { arrives($site, 'zhaolei@corp.example', 'shandong zhaolei@corp.example') };
    case "by $site: an account's own home site", sub { arrives($site, 'carol@corp.example', 'hebei carol@corp.example') };
    case "by $site: one uid in two domains", sub {
        arrives($site, [ 'alice@corp.example', 'alice@post.example' ], 'hebei alice@corp.example',
            'shandong alice@post.example');
    };
    case "by $site: a U-label and a UTF-8 local part", sub {
        my @to = ("lina\@\xe9\xa9\xbf\xe8\xb7\xaf.example", "\xe9\x99\x88\xe9\x9d\x99\@corp.example");
        my $sent = $lab->send(site => 'outside', from => $guest, to => \@to, server => $mx{$site}, utf8 => 1);
        die $sent->{dialog} if !$sent->{accepted};
        return $lab->found_in($sent->{mark}, 'hebei lina@corp.example', 'hebei chenjing@corp.example');
    };

    # --- forwards and lists: the other site must not expand them once more

    case "by $site: a forward to the outside", sub {
        arrives($site, 'grace@corp.example', 'hebei grace@corp.example', 'outside grace@outside.example');
    };
    case "by $site: a forward to the other site", sub {
        arrives($site, 'heidi@corp.example', 'hebei heidi@corp.example', 'shandong bob@corp.example');
    };
    case "by $site: a list of people outside, from who may write to it", sub {
        my $mark = post($lab, $site, 'alice@corp.example', 'press@corp.example');
        return $lab->found_in($mark, 'outside news@outside.example', 'outside radio@outside.example');
    };
    case "by $site: and nobody else", sub { refused($lab, 'press@corp.example', $mx{$site}, qr/^550 5\.7\.1 .*rule list/) };

    # --- states

    case "by $site: the suspended receive", sub { arrives($site, 'dave@corp.example', 'hebei dave@corp.example') };
    case "by $site: the disabled are unknown", sub { refused($lab, 'erin@corp.example', $mx{$site}, qr/^550 5\.1\.1 /) };
}

# --- what people may send

# What the site says to somebody who has logged in: to a recipient, else to the message.
sub told {
    my ($site, $login, $to, %more) = @_;
    my ($uid) = split /@/, $login;
    my $sent = $lab->send(site => $site, from => $login, to => $to, login => $login, password => "sample-$uid", %more);
    my ($bad) = grep { !/^2/ } values %{ $sent->{rcpt} };
    return $bad // $sent->{reply} // $sent->{dialog};
}

sub says { my ($got, $want) = @_; $got =~ $want or die "told: $got\n"; return $got }

for my $site (qw(hebei shandong)) {
    case "by $site: finance may not write to the outside", sub {
        says(told($site, 'huangli@corp.example', $guest), qr/^550 5\.7\.1 .*rule send-external, set at ou=finance/);
    };
    case "by $site: but inside", sub {
        return $lab->found_in(post($lab, $site, 'huangli@corp.example', 'alice@corp.example'), 'hebei alice@corp.example');
    };
}
case 'who has sent enough is told when there is room again', sub {
    my ($dn, $to) = ('uid=bob,ou=east,ou=sales,dc=corp.example,ou=domains,o=corp', 'alice@corp.example');
    $lab->modify('hebei', "dn: $dn\nchangetype: modify\nadd: postroadLimit\npostroadLimit: messages/hour 2\n");
    my @seen;
    $lab->wait_for('the limit is known', 60, sub {
        push @seen, told('hebei', 'bob@corp.example', $to);
        return $seen[-1] !~ /^2/;
    });
    $lab->modify('hebei', "dn: $dn\nchangetype: modify\ndelete: postroadLimit\n");
    return says($seen[-1], qr{^450 4\.7\.1 .*messages/hour 2, set at uid=bob, room again in \d+ minutes});
};

case 'who is being moved gets his mail afterwards', sub {
    my ($dn, $to) = ('uid=frank,ou=hr,dc=corp.example,ou=domains,o=corp', 'frank@corp.example');
    my @marks = map { post_outside($lab, $to, $mx{$_}) } qw(hebei shandong);
    my @happened = (
        Lab::Mail::in_words($lab->await_delivery('hebei',    $marks[0], $to, 'deferred')),
        Lab::Mail::in_words($lab->await_delivery('shandong', $marks[1], $to, 'deferred'))
    );
    return afterwards(sub { state_set($dn, $to, 'moving', qr/^postroad-wait:/) }, sub {
        state_set($dn, $to, '', qr/^(lmtp|relay):/);
        # A queue manager remembers its last question for half a minute: let it ask another one.
        arrives($_, 'carol@corp.example', 'hebei carol@corp.example') for qw(hebei shandong);
        return (@happened, map { $lab->found_in($_, "hebei $to") } @marks);
    });
};

# --- people at their mailboxes

for my $protocol (qw(imap pop)) {
    case "reading mail by $protocol", sub {
        my $mark = post_outside($lab, 'bob@corp.example', $mx{hebei});
        $lab->await_settled($mark);
        my $text = $lab->run('shandong', 'fetch', $protocol, 'bob@corp.example', 'sample-bob');
        index($text, $mark) >= 0 or die "not there:\n$text";
        return 'it is there';
    };
    case "no $protocol for the suspended", sub {
        $lab->try('hebei', 'fetch', $protocol, 'dave@corp.example', 'sample-dave') and die "he got in\n";
        return 'refused';
    };
}

# Somebody logs in at hebei and wants to send as somebody; the answer at RCPT.
sub sends_as {
    my ($uid, $from) = @_;
    my $to = 'bob@corp.example';
    my $sent = $lab->send(site => 'hebei', from => $from, to => $to, login => "$uid\@corp.example",
        password => "sample-$uid", check => 1);
    return $sent->{rcpt}{$to} // 'no login';
}

like(sends_as('alice', 'alice@corp.example'),      qr/^250 /,        'one may send under the own address');
like(sends_as('alice', 'alice.wang@corp.example'), qr/^250 /,        'and under an alias of it');
like(sends_as('alice', 'lina@corp.example'),       qr/^553 5\.7\.1 /, 'but not as somebody else');
is(sends_as('dave', 'dave@corp.example'), 'no login', 'the suspended may not send');

# --- the port between the sites

sub handoff {
    my (%option) = @_;
    my $sent = $lab->send(site => 'hebei', from => $guest, to => 'nobody@corp.example', check => 1,
        server => '10.77.0.2:2525', %option);
    return $sent->{rcpt}{'nobody@corp.example'} // $sent->{dialog};
}

my $pem = '/etc/postfix/tls/handoff.pem';
my $stranger = '/run/lab/stranger.pem';
$lab->run('hebei', qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=stranger -keyout),
    $stranger, '-out', "$stranger.crt");
$lab->run('hebei', 'sh', '-c', "cat $stranger.crt >>$stranger");
like(handoff(), qr/^S: 530 /m, 'hand-off: not without TLS');
like(handoff(tls => 1), qr/^454 4\.7\.0 /, 'hand-off: not without a certificate');
like(handoff(cert => $pem), qr/^451 4\.1\.1 /, 'hand-off: a site is told to try later, never that somebody is unknown');
like(handoff(cert => $stranger), qr/^454 4\.7\.0 /, 'hand-off: not with any certificate');

# --- what may break

for my $end (qw(hebei shandong)) {
    case "the line cut at $end: mail waits, and arrives", sub {
        my ($alice, $bob) = ('alice@corp.example', 'bob@corp.example');
        my %mark;
        $lab->cut($end);
        my @happened = afterwards(sub { $lab->heal }, sub {
            $mark{alice} = post_outside($lab, $alice, $mx{shandong});
            $mark{bob} = post($lab, 'hebei', $alice, $bob);
            my $here = post($lab, 'hebei', $alice, 'lina@corp.example');
            return (
                Lab::Mail::in_words($lab->await_delivery('hebei',    $mark{bob},   $bob,   'deferred')),
                Lab::Mail::in_words($lab->await_delivery('shandong', $mark{alice}, $alice, 'deferred')),
                $lab->found_in($here, 'hebei lina@corp.example')
            );
        });
        return (@happened, $lab->found_in($mark{alice}, "hebei $alice"), $lab->found_in($mark{bob}, "shandong $bob"));
    };
}

my $worker = qr/^postroad-policyd.* -x answer/;

# Kill all answer workers of hebei at once, once they are all there and serve: Postfix asks a second
# time when its question got no answer, but not a third time. So no question may be under way that has
# seen the kill before: the client has gone on since.
sub kill_workers {
    my ($progress) = @_;
    my @workers;
    my $before = -s $progress // 0;
    $lab->wait_for('the client goes on', 120, sub { (-s $progress // 0) >= $before + 2 });
    $lab->wait_for('both workers run', 60, sub { (@workers = $lab->processes_at('hebei', $worker)) == 2 });
    $lab->run('hebei', qw(postroad lookup mailbox bob@corp.example)) for 1 .. 4;
    $lab->run('hebei', 'sh', '-c', 'kill -9 "$@" || true', 'sh', @workers);
    return;
}

# Ask for one recipient after the other until told to end; exits with 1 when one was refused.
sub ask_on {
    my ($progress) = @_;
    my $end = 0;
    local $SIG{TERM} = sub { $end = 1 };
    for (my $round = 0 ; !$end ; $round++) {
        my @to = map { "bob+$round.$_\@corp.example" } 1 .. 50;
        my $sent = $lab->send(site => 'outside', from => $guest, to => \@to, server => $mx{hebei}, check => 1);
        $progress->syswrite('.');
        next if $sent->{accepted};
        diag(grep { !/^250 / } values %{ $sent->{rcpt} });
        return 1;
    }
    return 0;
}

case 'answer workers killed under use cost no known recipient', sub {
    my $progress = File::Temp->new;
    my $client = fork // die "fork: $!\n";
    POSIX::_exit(ask_on($progress)) if !$client;
    my $good = eval { kill_workers("$progress") for 1 .. 4; 1 };
    my $error = $@;
    kill 'TERM', $client;
    waitpid $client, 0;
    die $error if !$good;
    die "somebody was refused\n" if $?;
    return '4 times killed';
};

# Until hebei takes the message. An smtpd remembers a failed answer for sender and recipient as long
# as it lives, so each attempt has a new sender.
sub taken_again {
    my ($to) = @_;
    my ($n, $sent) = 0;
    $lab->wait_for("$to is taken", 60, sub {
        $sent = $lab->send(site => 'outside', from => 'guest+' . ++$n . '@outside.example', to => $to,
            server => $mx{hebei});
        return $sent->{accepted};
    });
    return $sent->{mark};
}

case 'policyd killed: temporary answers, and all is well when it is back', sub {
    $lab->daemon('crash', 'hebei', 'policyd');
    my @happened = afterwards(sub { $lab->daemon('start', 'hebei', 'policyd'); $lab->await_directory('hebei') },
        sub { refused($lab, 'bob@corp.example', $mx{hebei}, qr/^451 /) });
    return (@happened, $lab->found_in(taken_again('bob@corp.example'), 'shandong bob@corp.example'));
};

case 'policyd starts while slapd is down, and answers from its mirror', sub {
    $lab->daemon('stop', 'hebei', qw(slapd policyd));
    return afterwards(sub { $lab->daemon('start', 'hebei', 'slapd'); $lab->await_directory('hebei') }, sub {
        $lab->daemon('start', 'hebei', 'policyd');
        return (
            $lab->found_in(taken_again('alice@corp.example'), 'hebei alice@corp.example'),
            $lab->found_in(taken_again('bob@corp.example'), 'shandong bob@corp.example'),
            refused($lab, 'nobody@corp.example', $mx{hebei}, qr/^4/)
        );
    });
};

# --- the examples themselves

for my $file (qw(postfix/main.cf postroad/postroad.conf ldap/slapd.conf)) {
    my ($hebei, $shandong) = map { Inside::slurp("$FindBin::Bin/../examples/two-sites/$_/$file") } qw(hebei shandong);
    s/\b(hebei|shandong)\b/SITE/g, s/10\.77\.0\.[12]\b/PEER/g, s/serverID \d|rid=00\d/N/g for $hebei, $shandong;
    is($hebei, $shandong, "$file is the same at both sites but for names and numbers");
}

for my $site (qw(hebei shandong)) {
    my $log = Inside::slurp($lab->root($site) . '/var/log/postroad.log');
    my ($bad) = $log =~ /^(.*(?:Sanitizer|runtime error|\babort).*)$/m;
    is($bad, undef, "policyd at $site says nothing of faults of its own");
    # Nothing but what was done to it: stopped policyd, cut lines, a login refused.
    my ($warning) = grep { !/map|lookup|SASL|10\.77\.0\./ } $lab->log_text($site) =~ /(.*(?:warning|fatal|panic): .*)/g;
    is($warning, undef, "Postfix at $site warns of nothing");
}
$lab->down;
done_testing;
