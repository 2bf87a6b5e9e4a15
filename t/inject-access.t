#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# inject-access: inject.t for the roles access, edit, hook and homes, with a slapd under the real access rules:
# each call that can fail fails in turn while mailboxes are opened, quotas set, new mail told of, and people move.
# Nobody is let in who may not, nor an administrator without a record of it; a quota that is said to be set
# is, one that is refused is not, and none is set twice or later; an event that was acknowledged arrives, the
# first time in its order; the files of home sites are whole; and a little later all is right again.
#
# How to take all of them, or a certain one: see t/lib/Inject.pm.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Inject;
use InjectTree qw(pid_of restart);
use Trial;

my $POINTS = 14; # of some thousands
my @mine = qw(access edit hook homes);
inject_needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

# --- the directory, and a record of what is changed in it

my $CORP = 'dc=corp.example,ou=domains,o=corp';
my %dn = (alice => "uid=alice,ou=sales,$CORP", bob => "uid=bob,ou=east,ou=sales,$CORP", wangfang => "uid=wangfang,ou=sales,$CORP");
my ($rules) = map { s/^#.*\n//mgr } slurp("$top/ldap-schema/postroad-access.conf");
my $logs_changes = grep { glob "$_/auditlog*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap';
slapd_conf('a', global => "authz-policy to\n" . ($logs_changes ? 'moduleload auditlog' : ''), database => $rules,
    overlay => $logs_changes ? "overlay auditlog\nauditlog $dir/a/changes.ldif" : '');
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = slapd_start('a');

sub set {
    my ($who, $attribute, $value) = @_;
    return ldap_change('a', "dn: $dn{$who}\nchangetype: modify\nreplace: $attribute\n" . (defined $value ? "$attribute: $value\n" : ''));
}

set(wangfang => postroadRight => 'read-mail');

sub quota { return ldap_search('a', '-b', $dn{alice}, '-s', 'base', 'postroadQuota') =~ /^postroadQuota: (\d+)/m ? $1 : '' }

# --- the targets of events: a webhook and a command, each with a file of what it was told

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64) or die "listen: $!\n";
my $port = $listener->sockport;

sub web_answer {
    my ($c) = @_;
    my $got = '';
    while (IO::Select->new($c)->can_read(5)) {
        sysread($c, $got, 65536, length $got) or return;
        my ($head, $body) = $got =~ /^(.*?\r\n)\r\n(.*)/s or next;
        my ($n) = $head =~ /^Content-Length: (\d+)\r/mi;
        next if length $body < $n;
        open my $log, '>>', "$dir/web" or die;
        syswrite $log, "$body\n";
        syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return;
    }
    return;
}

spawn_sub(sub { while (1) { my $c = $listener->accept or next; web_answer($c); close $c } });
close $listener;
spew("$dir/command", "#!/bin/sh\nread -r event\nprintf '%s\\n' \"\$event\" >>$dir/told\n");
chmod 0755, "$dir/command";

sub told { my ($file) = @_; return map { my $e = eval { decode_json($_) }; $e ? "$e->{account} $e->{uid}" : "no event: $_" } split /\n/, slurp($file) }

# --- policyd

mkdir "$dir/homes";
spew("$dir/$_->[0].secret", "$_->[1]\n") for [ mirror => 'sample-policyd' ], [ edit => 'sample-edit' ];
my $group = getgrgid $);

sub start_policyd {
    my $uri = Trial::uri_of('a');
    return inject_start(qq(uri = "$uri"; base = "o=corp"; bind_dn = "cn=policyd,cn=services,o=corp"; password_file = "$dir/mirror.secret";)
            . ' timeout = 2; heartbeat = 1; retry_min = 1; retry_max = 1;', <<"CONF");
edit: { bind_dn = "cn=edit,cn=services,o=corp"; password_file = "$dir/edit.secret"; timeout = 2; };
hook: { targets = [ "web=http://127.0.0.1:$port/", "run=command:$dir/command" ]; timeout = 3; retry_min = 1; retry_max = 1; };
homes: { dir = "$dir/homes"; group = "$group"; };
CONF
}

# --- access

# The answers to some lines on one connection; fewer than lines when it ends.
sub dialogue {
    my ($socket, @lines) = @_;
    my $got = Trial::ask("$dir/$socket", join('', map { "$_\n" } @lines), qr/^(?:[^\n]*\n){@{[ scalar @lines ]}}\z/);
    return split /\n/, $got;
}

my $serial = 0;

sub opens {
    my ($actor, $target, @more) = @_;
    my $master = $actor eq $target ? 'no' : 'yes';
    return dialogue('access', "session\tactor=$actor\@corp.example\ttarget=$target\@corp.example\tservice=imap\tsession=s@{[ ++$serial ]}\tmaster=$master", @more);
}

sub is_recorded { my ($session) = @_; return scalar grep { slurp($_) =~ /"session":"\Q$session\E"/ } glob "$dir/state/audit/audit-*.jsonl" }

my $unsure = qr/^(?:unsure\b|$)/;
my $suspended = 0; # whether wangfang is, as policyd has said already

sub look_access {
    my ($strict) = @_;
    my @bad;
    my @want = ([ alice => 'alice', 'yes' ], [ bob => 'alice', 'no' ], [ wangfang => 'zhangwei', 'no' ],
        [ lina => 'alice', 'yes' ], [ wangfang => 'alice', $suspended ? 'no' : 'yes' ]);
    for (@want) {
        my ($actor, $target, $want) = @$_;
        my $got = (opens($actor, $target))[0] // '';
        my ($word) = $got =~ /^(\w+)/;
        next if !$strict && $got =~ $unsure;
        push @bad, "$actor opens $target: $got" if ($word // '') ne $want && ($strict || $want eq 'no' || $got !~ /^no\b/);
        push @bad, "$actor refused the mailbox of $target: $got" if !$strict && $want eq 'yes' && $got =~ /^no\b/;
        push @bad, "$actor opened $target, and there is no record" if ($word // '') eq 'yes' && $actor ne $target && !is_recorded("s$serial");
    }
    return @bad;
}

# --- edit

my ($bytes, %asked) = 5_000_000;

# Set a quota: the answer must be true.
sub set_quota {
    my ($strict) = @_;
    my $new = ++$bytes;
    my $got = (opens('lina', 'alice', "quota\tbytes=$new"))[1] // '';
    my $is = quota();
    $asked{$new} = $got;
    return "quota: $got" if $strict && $got ne 'ok';
    return "quota: said to be set to $new, is $is" if $got eq 'ok' && $is ne $new;
    return "quota: $got, but it is set" if $got =~ /^no\b/ && $is eq $new;
    return ();
}

# None was set twice, nor one that was refused.
sub look_changes {
    return () if !$logs_changes;
    my %set;
    $set{$_}++ for slurp("$dir/a/changes.ldif") =~ /^postroadQuota: (\d+)$/mg;
    return map { "quota $_, set $set{$_} times: $asked{$_}" }
        grep { $asked{$_} && ($set{$_} > 1 || $asked{$_} =~ /^no\b/) } sort keys %set;
}

# --- hook

my %kept; # account => the events that were acknowledged, in their order

sub tell_of_mail {
    my ($strict) = @_;
    my @bad;
    for my $account (qw(anna bert anna)) {
        my $uid = ++$serial;
        my $got = (dialogue('hook', "event\taccount=$account\@corp.example\tmailbox=INBOX\tuid=$uid"))[0] // '';
        push @{ $kept{$account} }, $uid if $got eq 'ok';
        push @bad, "event: $got" if $got ne 'ok' && ($strict || $got !~ $unsure);
    }
    return @bad;
}

# Strict: all are there. Always: those that were acknowledged came, the first time, in their order.
sub look_events {
    my ($strict) = @_;
    my @bad;
    for my $file ("$dir/web", "$dir/told") {
        my @told = told($file);
        push @bad, grep { /^no event/ } @told;
        for my $account (sort keys %kept) {
            my (%at, @first);
            for (grep { /^\Q$account\E\@/ } @told) { my $uid = (split)[1]; push @first, $uid if !$at{$uid}++ }
            my @lost = grep { !$at{$_} } @{ $kept{$account} };
            push @bad, "$file: $account never heard of @lost" if $strict && @lost;
            push @bad, "$file: $account, not in order: @first[ ($#first > 20 ? $#first - 20 : 0) .. $#first ]" if "@first" ne join ' ', sort { $a <=> $b } @first;
        }
    }
    return @bad if !$strict;
    my $list = (dialogue('hook', 'list'))[0] // '';
    my $queued = eval { decode_json($list)->{queued} } // $list;
    return (@bad, $queued eq '0' ? () : "queued: $queued");
}

# --- homes

my $bob_at = 'shandong';

sub look_homes {
    my ($strict) = @_;
    my @files = glob "$dir/homes/[0-9a-f][0-9a-f]";
    my %text = map { $_ => slurp($_) } @files;
    my @bad = map { "$_ is not whole" } grep { $text{$_} !~ /\A(?:[^:\n]+:::::::noauthenticate=y proxy_maybe=y host=\S+ [^\n]*\n)*\z/ } @files;
    push @bad, scalar(@files) . ' files' if @files != 256;
    my $known = join('', values %text) =~ /^bob\@corp\.example:.* host=\S/m ? 'shandong' : 'hebei';
    push @bad, "bob lives at $known" if $strict && $known ne $bob_at;
    return @bad;
}

# --- a session

sub look { my ($strict) = @_; return (look_access($strict), set_quota($strict), tell_of_mail($strict), look_homes($strict)) }

sub change {
    $bob_at = $bob_at eq 'hebei' ? 'shandong' : 'hebei';
    set(bob => postroadHomeSite => $bob_at);
    set(wangfang => postroadState => $suspended ? undef : 'suspended');
    $suspended ^= 1;
    return;
}

# policyd has heard of wangfang.
sub knows_wangfang { return ((opens('wangfang', 'alice'))[0] // '') =~ ($suspended ? qr/^no\b/ : qr/^yes\b/) }

sub session {
    my ($kind, $role) = @_;
    restart($role) if $kind eq 'start';
    my @wrong = look(0);
    change();
    my @bad;
    wait_for(30, \&knows_wangfang) or push @wrong, "it does not hear that wangfang is suspended or not: $suspended";
    push @wrong, look(0);
    wait_for(40, sub { @bad = (look_access(1), look_homes(1), set_quota(1), tell_of_mail(1)); !@bad });
    my @events;
    wait_for(40, sub { @events = look_events(1); !@events });
    push @bad, 'the parent is gone' if !kill 0, Trial::policyd_pid();
    return (@bad, @events, look_changes(), @wrong);
}

ok(start_policyd(), 'policyd starts') or BAIL_OUT(policyd_log());
my @bad;
ok(wait_for(60, sub { @bad = look_homes(1); push @bad, look_access(1) if !@bad; !@bad }), 'it follows the directory') or BAIL_OUT("@bad\n" . policyd_log());
session('plain');
my %mine = map { $_ => 1 } @mine;
my @points = grep { $mine{ $_->[0] } } inject_points(\&session, ['plain'], map { [ 'start', $_ ] } @mine);
inject_all($POINTS, \&session, @points);
is(policyd_stop(), 0, 'policyd ends in order');
slapd_stop('a', $slapd);
done_testing;
