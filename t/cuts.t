#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# cuts: the line between the sites is cut, slow, or lets through one way only, a directory hangs, a
# site is down; and meanwhile somebody writes, and accounts are made, renamed, moved and removed at
# both sites. Whatever was accepted is found in the end in one mailbox, once; nobody who is in some
# site's directory is turned away for good.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use Lab;
use Lab::Cases qw(post post_outside refused afterwards);
use Test::More;

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my %other = (hebei => 'shandong', shandong => 'hebei');
my %mx = map { $_ => "mx1.$_.example:25" } keys %other;
my $east = 'ou=east,ou=sales,dc=corp.example,ou=domains,o=corp';
my $hr = 'ou=hr,dc=corp.example,ou=domains,o=corp';
my $lab = Lab->up;

sub case {
    my ($name, $do) = @_;
    my @happened = eval { $do->() };
    my $error = $@;
    ok(!$error, $name);
    $error ? diag($error) : note(map { "  $_\n" } @happened);
    return;
}

# While the line is cut at that site's end; healed afterwards, and the directories have met.
sub cut_off {
    my ($end, $do) = @_;
    $lab->cut($end);
    return afterwards(\&heal, sub {
        my @happened = eval { $do->() };
        die $@ . join '', map { "the line at $_: " . $lab->run($_, qw(ip -br link show line)) } sort keys %other if $@;
        return @happened;
    });
}

sub heal {
    $lab->heal;
    $lab->await_directory(keys %other);
    return;
}

sub account {
    my ($uid, $where, @lines) = @_;
    return join("\n", "dn: uid=$uid,$where", 'changetype: add', 'objectClass: inetOrgPerson', 'objectClass: postroadAccount',
        "uid: $uid", "cn: $uid", "sn: $uid", @lines) . "\n";
}

sub removed { my ($uid, $where) = @_; return "dn: uid=$uid,$where\nchangetype: delete\n" }

sub changed { my ($uid, $where, $attribute, $value) = @_; return "dn: uid=$uid,$where\nchangetype: modify\nreplace: $attribute\n" . ($value ? "$attribute: $value\n" : '') }

# Until a map at a site says so.
sub says {
    my ($site, $map, $address, $like) = @_;
    my $got = '';
    eval { $lab->wait_for('', 60, sub { ($got = lookup($site, $map, $address)) =~ $like }) }
        or die "$site: $map $address: $got, should be $like\n";
    return "$site: $map $address: $got";
}

# What a map answers, in words; exit codes 1 and 75 are answers too.
sub lookup {
    my ($site, $map, $address) = @_;
    my $text = $lab->run($site, 'sh', '-c', 'postroad lookup "$@" 2>&1 || echo "exit $?"', 'sh', $map, $address);
    chomp $text;
    return $text;
}

# Both sites know the address, or neither does.
sub both_say {
    my ($map, $address, %like) = @_;
    return $lab->at_once(sub { says($_[0], $map, $address, $like{ $_[0] } // $like{both}) }, sort keys %other);
}

my $known = qr/^OK/;
my $unknown = qr/exit 1\b/;

# Queue managers remember their last question for half a minute: give each another one to ask.
sub stir {
    for my $site (@_) {
        $lab->found_in(post_outside($lab, 'carol@corp.example', $mx{$site}), 'hebei carol@corp.example');
        $lab->run($site, qw(postqueue -f));
    }
    return;
}

sub deferred {
    my ($site, $mark, $to) = @_;
    return Lab::Mail::in_words($lab->await_delivery($site, $mark, $to, 'deferred'));
}

# --- a directory that hangs

case 'slapd hangs: known addresses are served, unknown ones may wait', sub {
    my ($pid) = $lab->processes_at('hebei', qr/^slapd /);
    $lab->run('hebei', 'kill', '-STOP', $pid);
    my @happened = afterwards(sub { $lab->run('hebei', 'kill', '-CONT', $pid); $lab->await_directory(keys %other) }, sub {
        $lab->wait_for('it is noticed', 60, sub { lookup('hebei', 'mailbox', 'nobody@corp.example') =~ /exit 75/ });
        return (
            $lab->found_in(post_outside($lab, 'alice@corp.example', $mx{hebei}), 'hebei alice@corp.example'),
            $lab->found_in(post_outside($lab, 'bob@corp.example', $mx{hebei}), 'shandong bob@corp.example'),
            (map { refused($lab, 'nobody@corp.example', $mx{$_}, qr/^4/) } sort keys %other)
        );
    });
    return (@happened, map { refused($lab, 'nobody2@corp.example', $mx{$_}, qr/^550 /) } sort keys %other);
};

case 'slapd killed right after a change: the other site hears of it', sub {
    my $to = 'crash@corp.example';
    my @happened = cut_off('hebei', sub {
        # With an orderly stop slapd writes its contextCSN down, and then may not for another minute.
        $lab->daemon($_, 'hebei', 'slapd') for qw(stop start);
        $lab->modify('hebei', account('crash', $hr, "mail: $to"));
        $lab->daemon($_, 'hebei', 'slapd') for qw(crash start);
        return ();
    });
    push @happened, both_say('mailbox', $to, both => $known);
    $lab->modify('hebei', removed('crash', $hr));
    return (@happened, both_say('mailbox', $to, both => $unknown));
};

# --- accounts, while the line is cut, at one end or the other

for my $end (qw(hebei shandong)) {
    case "line cut at $end: created at shandong, not refused at hebei", sub {
        my $to = "new$end\@corp.example";
        my ($here, @happened);
        push @happened, cut_off($end, sub {
            $lab->modify('shandong', account("new$end", $east, "mail: $to"));
            my @seen = (says('shandong', 'mailbox', $to, $known), refused($lab, $to, $mx{hebei}, qr/^4/),
                refused($lab, 'nobody@corp.example', $mx{shandong}, qr/^4/));
            $here = post_outside($lab, $to, $mx{shandong});
            return (@seen, $lab->found_in($here, "shandong $to"));
        });
        push @happened, both_say('mailbox', $to, both => $known);
        push @happened, $lab->found_in(post_outside($lab, $to, $mx{hebei}), "shandong $to");
        $lab->modify('hebei', removed("new$end", $east));
        return (@happened, both_say('mailbox', $to, both => $unknown));
    };

}

# For the rest one end is enough, now this one, now that.

for my $end ('hebei') {
    case "line cut at $end: renamed at hebei, his mail follows", sub {
        my ($old, $new) = ('carol@corp.example', "carol.$end\@corp.example");
        my $mark;
        my @happened = cut_off($end, sub {
            $lab->modify('hebei', changed('carol', $east, 'mail', $new) . "-\nadd: postroadAlias\npostroadAlias: $old\n");
            says('hebei', 'mailbox', $new, $known);
            $mark = post_outside($lab, $old, $mx{shandong});
            return (deferred('shandong', $mark, $old), refused($lab, $new, $mx{shandong}, qr/^4/));
        });
        push @happened, both_say('mailbox', $new, both => $known), $lab->found_in($mark, "hebei $old");
        $lab->modify('shandong', changed('carol', $east, 'mail', $old) . "-\nreplace: postroadAlias\n");
        return (@happened, both_say('mailbox', $new, both => $unknown));
    };

}

for my $end ('shandong') {
    case "line cut at $end: deleted and made anew elsewhere, his mail follows", sub {
        my $to = "again$end\@corp.example";
        my $mark;
        $lab->modify('hebei', account("again$end", $hr, "mail: $to"));
        both_say('mailbox', $to, both => $known);
        my @happened = cut_off($end, sub {
            $lab->modify('hebei', removed("again$end", $hr));
            $mark = post_outside($lab, $to, $mx{shandong}); # which has not heard of it
            return (deferred('shandong', $mark, $to), says('hebei', 'mailbox', $to, qr/exit 75/));
        });
        push @happened, both_say('mailbox', $to, both => $unknown);
        push @happened, says('shandong', 'transport', $to, qr/postroad-wait:/);
        die "it was returned\n" if $lab->whereabouts($mark)->{"hebei $to"} || !$lab->queued('shandong');
        $lab->modify('hebei', account("again$end", $east, "mail: $to"));
        push @happened, both_say('mailbox', $to, both => $known);
        stir('shandong');
        push @happened, $lab->found_in($mark, "shandong $to");
        $lab->modify('hebei', removed("again$end", $east));
        return @happened;
    };

}

for my $end ('hebei') {
    case "line cut at $end: both sites make one address", sub {
        my $to = "twin$end\@corp.example";
        my %mark;
        my @happened = cut_off($end, sub {
            $lab->modify('hebei', account("twin1$end", $hr, "mail: $to"));
            says('hebei', 'mailbox', $to, $known);
            my $made = time; # the older one is to have it, by the second
            $lab->wait_for('another second', 3, sub { time > $made + 1 });
            $lab->modify('shandong', account("twin2$end", $east, "mail: $to"));
            says('shandong', 'mailbox', $to, $known);
            $mark{$_} = post_outside($lab, $to, $mx{$_}) for keys %mx;
            return map { $lab->found_in($mark{$_}, "$_ $to") } sort keys %mark;
        });
        push @happened, both_say('transport', $to, hebei => qr/lmtp:/, shandong => qr/relay:\[10\.77\.0\.1\]/);
        stir(keys %other);
        push @happened, map { $lab->found_in(post_outside($lab, $to, $mx{$_}), "hebei $to") } sort keys %mx;
        for my $site (sort keys %other) {
            my $status = $lab->run($site, 'sh', '-c', 'postroad status || true');
            $status =~ /\Q$to\E/ or die "status at $site does not show it:\n$status\n";
        }
        $lab->modify('hebei', removed("twin1$end", $hr));
        $lab->modify('hebei', removed("twin2$end", $east));
        return (@happened, both_say('mailbox', $to, both => $unknown));
    };

}

for my $end ('shandong') {
    case "line cut at $end: a mailbox moves with mail in flight", sub {
        my $to = 'huangli@corp.example';
        my $where = 'ou=finance,dc=corp.example,ou=domains,o=corp';
        my $mark;
        my @happened = cut_off($end, sub {
            $mark = post_outside($lab, $to, $mx{hebei});
            my @seen = deferred('hebei', $mark, $to);
            $lab->modify('hebei', changed('huangli', $where, 'postroadState', 'moving'));
            return (@seen, says('hebei', 'transport', $to, qr/postroad-wait:/));
        });
        push @happened, both_say('transport', $to, both => qr/postroad-wait:/);
        $lab->modify('shandong', changed('huangli', $where, 'postroadHomeSite', 'hebei') . "-\nreplace: postroadState\n");
        push @happened, both_say('transport', $to, hebei => qr/lmtp:/, shandong => qr/relay:/);
        stir('hebei');
        push @happened, $lab->found_in($mark, "hebei $to");
        $lab->modify('hebei', changed('huangli', $where, 'postroadHomeSite', undef));
        return (@happened, both_say('transport', $to, hebei => qr/relay:/, shandong => qr/lmtp:/));
    };
}

# --- other bad lines

case 'line that lets through one way only: mail waits, and arrives', sub {
    my %mark;
    $lab->run('hebei', qw(ip route add blackhole 10.77.0.2/32));
    my $undo = sub { $lab->run('hebei', qw(ip route del blackhole 10.77.0.2/32)); $lab->await_directory(keys %other) };
    my @happened = afterwards($undo, sub {
        $mark{bob} = post_outside($lab, 'bob@corp.example', $mx{hebei});
        $mark{alice} = post_outside($lab, 'alice@corp.example', $mx{shandong});
        return (deferred('hebei', $mark{bob}, 'bob@corp.example'), deferred('shandong', $mark{alice}, 'alice@corp.example'),
            map { refused($lab, 'nobody@corp.example', $mx{$_}, qr/^4/) } sort keys %other);
    });
    return (@happened, $lab->found_in($mark{bob}, 'shandong bob@corp.example'),
        $lab->found_in($mark{alice}, 'hebei alice@corp.example'));
};

case 'slow line that loses packets: mail arrives', sub {
    my $server = 'cn=mx1,cn=shandong,cn=sites,o=corp';
    my $hop = sub { "dn: $server\nchangetype: modify\nreplace: postroadNextHop\npostroadNextHop: 10 relay:[$_[0]]:$_[1]\n" };
    $lab->run('hebei', 'sh', '-c', 'slow 10.77.0.1:2626 10.77.0.2:2525 150 2 >/dev/null 2>&1 </dev/null & echo $! >/run/slow.pid');
    my $undo = sub {
        $lab->modify('hebei', $hop->('10.77.0.2', 2525));
        $lab->run('hebei', 'sh', '-c', 'kill $(cat /run/slow.pid)');
        says('hebei', 'transport', 'bob@corp.example', qr/10\.77\.0\.2\]:2525/);
    };
    return afterwards($undo, sub {
        $lab->modify('hebei', $hop->('10.77.0.1', 2626));
        says('hebei', 'transport', 'bob@corp.example', qr/10\.77\.0\.1\]:2626/);
        my @marks = map { post_outside($lab, 'bob@corp.example', $mx{hebei}) } 1 .. 3;
        return map { $lab->found_in($_, 'shandong bob@corp.example') } @marks;
    });
};

# --- a whole site

my @all = qw(postfix policyd slapd dovecot);

sub site_back {
    my ($site) = @_;
    # policyd before Postfix, as systemd has it: an smtpd keeps what it could not look up for as long as it lives.
    $lab->daemon('start', $site, qw(slapd policyd postfix dovecot));
    $lab->await_directory(keys %other);
    return;
}

case 'site down: its mail waits at the other one, and arrives', sub {
    my ($bob, $mark) = 'bob@corp.example';
    $lab->daemon('crash', 'shandong', @all);
    my @happened = afterwards(sub { site_back('shandong') }, sub {
        $mark = post_outside($lab, $bob);
        return (deferred('hebei', $mark, $bob), refused($lab, 'nobody@corp.example', $mx{hebei}, qr/^4/),
            $lab->found_in(post_outside($lab, 'alice@corp.example'), 'hebei alice@corp.example'));
    });
    stir('hebei');
    return (@happened, $lab->found_in($mark, "shandong $bob"));
};

case 'site down and declared failed over: its standby receives', sub {
    my ($bob, $site) = ('bob@corp.example', 'cn=shandong,cn=sites,o=corp');
    my $declare = sub { "dn: $site\nchangetype: modify\nreplace: postroadDesiredState\npostroadDesiredState: $_[0]\n" };
    my $mark;
    $lab->daemon('crash', 'shandong', @all);
    my $undo = sub { $lab->modify('hebei', $declare->('up')); site_back('shandong'); both_say('transport', $bob, hebei => qr/relay:/, shandong => qr/lmtp:/) };
    return afterwards($undo, sub {
        $mark = post_outside($lab, $bob);
        my @seen = deferred('hebei', $mark, $bob);
        $lab->modify('hebei', $declare->('failed-over'));
        push @seen, says('hebei', 'transport', $bob, qr/lmtp:/);
        stir('hebei');
        return (@seen, $lab->found_in($mark, "hebei $bob"));
    });
};

is_deeply([ map { $lab->queued($_) } $lab->sites ], [], 'nothing is left in any queue');
$lab->down;
done_testing;
