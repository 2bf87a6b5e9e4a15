#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# inject-held: inject.t for the roles held and queue, with programs in the place of Postfix's, a mail server for
# notices, and a slapd under the real access rules: each call that can fail fails in turn while messages come,
# are shown, decided at the control socket and in the directory, and released or deleted. Nothing is released
# or deleted without its verdict, nor before that is in the audit log; no verdict that was taken is lost, or turns
# into another one; no message is forgotten; nobody is told twice, and who is not told, there is a line of it in
# the log; and a little later all is right again.
#
# How to take all of them, or a certain one: see t/lib/Inject.pm.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use HeldTrial;
use Inject;
use InjectTree qw(pid_of restart);
use Trial;

my $POINTS = 8; # of some thousands
my @mine = qw(held queue);
$> == 0 or plan skip_all => 'needs root, as role queue does';
inject_needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

# --- the directory

my $LINA = 'uid=lina,ou=hr,dc=corp.example,ou=domains,o=corp';
my ($rules) = map { s/^#.*\n//mgr } slurp("$top/ldap-schema/postroad-access.conf");
slapd_conf('a', database => $rules);
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = slapd_start('a');

sub entry { my ($id) = @_; return ldap_search('a', '-b', "postroadHeldId=$id,cn=held,o=corp", '-s', 'base', 'postroadHeldState', 'postroadHeldVerdict') }
sub shown { my ($id) = @_; return entry($id) =~ /^postroadHeldState: (\w+)/m ? $1 : '' }

# A verdict in the directory, as any LDAP client writes it.
sub lina_rejects {
    my ($id) = @_;
    my ($rc) = run("dn: postroadHeldId=$id,cn=held,o=corp\nchangetype: modify\nadd: postroadHeldVerdict\npostroadHeldVerdict: reject\n"
          . "-\nadd: postroadHeldReason\npostroadHeldReason: no\n", 'ldapmodify', '-x', '-H', Trial::uri_of('a'), '-D', $LINA, '-w', 'sample-lina');
    return $rc == 0;
}

# --- policyd, and a postsuper that looks whether its order is in the audit log already

my $smtp = sink_start();
my $queue = queue_settings() =~ s/manage = true;/manage = true; timeout = 5;/r;
spew("$dir/postsuper", slurp("$dir/postsuper") =~ s{^at before$}{grep -qE "\\"(approve|reject)\\".*-\$2 " "\$dir"/state/audit/audit-*.jsonl || echo "\$2" >>"\$dir/unrecorded"}mr);
chmod 0755, "$dir/postsuper";
spew("$dir/mirror.secret", "sample-policyd\n");
spew("$dir/held.secret", "sample-moderation\n");

sub start_policyd {
    my $uri = Trial::uri_of('a');
    return inject_start(qq(uri = "$uri"; base = "o=corp"; bind_dn = "cn=policyd,cn=services,o=corp"; password_file = "$dir/mirror.secret";)
            . ' timeout = 2; heartbeat = 1; retry_min = 1; retry_max = 1;',
        $queue . qq(held: { submit = "smtp://127.0.0.1:$smtp"; bind_dn = "cn=moderation,cn=services,o=corp"; password_file = "$dir/held.secret";)
            . " timeout = 2; notices = 1000; };\n");
}

# --- what there is: id => what is to become of it

my %fate; # "waits", "approve" or "reject", from before the verdict is given
my $waits; # the message that waits

sub file_of { my ($id) = @_; return (split /-/, $id)[2] }
# By turns of all, as one sender is told of so many an hour only.
my @senders = map { "$_\@corp.example" } qw(alice bob lina wangfang liuyang zhangwei);
sub come { my ($fate) = @_; my $id = hold(sender => $senders[ keys(%fate) % @senders ]); $fate{$id} = $fate; return $id }

# What must never be, of any message.
sub look_always {
    my @bad = map { "postsuper was called for $_, which is not in the audit log" } split /\n/, slurp("$dir/unrecorded");
    for my $order (split /\n/, slurp("$dir/postsuper.log")) {
        my ($option, $file) = split / /, $order;
        my ($id) = grep { file_of($_) eq $file } keys %fate;
        push @bad, "order nobody gave: $order" if !$id || $option ne { approve => '-H', reject => '-d', waits => 'none' }->{ $fate{$id} };
    }
    for my $id (sort keys %fate) {
        for my $kind (qw(begin end)) {
            my $n = notices($id, $kind);
            push @bad, "$id: $n notices, $kind" if $n > 1;
        }
    }
    return @bad;
}

# What is not yet as it must be.
sub look_at {
    my ($id) = @_;
    my ($fate, $file, $r) = ($fate{$id}, file_of($id), on_disk($id));
    if ($fate eq 'waits') {
        return "$id: record says $r->{state}" if ($r->{state} // '') ne 'held' || !$r->{seen};
        return "$id is not in the queue" if !-e "$dir/queue/$file";
        return grep({ $_->{id} eq $id } list()) ? () : "$id is not listed";
    }
    my ($state, $folder) = $fate eq 'approve' ? qw(approved released) : qw(rejected deleted);
    return "$id: record says " . ($r->{state} // 'nothing') . ($r->{done} ? ', done' : '') . ", not $state" if ($r->{state} // '') ne $state || !$r->{done};
    return "$id is not in $folder" if !-e "$dir/$folder/$file";
    my $n = () = audit_log() =~ /"action":"$fate"[^\n]*id=\Q$id\E/g;
    return $n == 1 ? () : "$id: $n times in the audit log";
}

sub look_directory {
    my ($id) = @_;
    my $want = { waits => 'held', approve => 'approved', reject => 'rejected' }->{ $fate{$id} };
    my $is = shown($id);
    return $is eq $want ? () : "$id is shown as $is";
}

# Who was not told: the log has a line of that, or the process was killed that was about to.
sub look_notices {
    my ($was_killed, $log, @ids) = @_;
    my @untold = grep { !notices($_, 'begin') && !notices($_, 'end') && $log !~ /could not be told id=\Q$_\E / } @ids;
    return $was_killed ? () : map { "$_: nobody was told, and nothing is said of it" } @untold;
}

# --- a session: one message that waits already is approved, one that comes is rejected in the directory, one waits

my %taken; # id => "approve": policyd said that it took the verdict

sub approve {
    my ($id) = @_;
    my $answer = decide($id, 'approve');
    my $said = $answer->{error} // '';
    return "verdict on $id refused: $said" if ($answer->{code} // 75) == 1 && $said !~ /is approved already/ && $taken{$id};
    $taken{$id} ||= $answer->{ok} || $said =~ /is approved already/;
    return ();
}

sub session {
    my ($kind, $role) = @_;
    my $at = length policyd_log();
    restart($role) if $kind eq 'start';
    my ($reject, $next) = (come('reject'), come('waits'));
    $fate{$waits} = 'approve';
    my @wrong = (approve($waits), look_always());
    my ($told, @bad);
    wait_for(100, sub {
        push @wrong, approve($waits) if !$taken{$waits};
        $told ||= shown($reject) eq 'held' && lina_rejects($reject);
        @bad = map { look_at($_) } $waits, $reject, $next;
        return !@bad;
    });
    wait_for(100, sub { @bad = map { look_directory($_) } $waits, $reject, $next; !@bad }) if !@bad;
    my @silent;
    my $killed = sub { substr(policyd_log(), $at) =~ /role died[^\n]*role=(?:held|queue)/ || $kind eq 'start' };
    wait_for(100, sub { @silent = look_notices($killed->(), policyd_log(), $reject, $next); !@silent });
    push @bad, 'the parent is gone' if !kill 0, Trial::policyd_pid();
    push @wrong, look_always();
    $waits = $next;
    return (@bad, @silent, @wrong);
}

$waits = come('waits');
ok(start_policyd(), 'policyd starts') or BAIL_OUT(policyd_log());
my @bad;
ok(wait_for(60, sub { @bad = (look_at($waits), look_directory($waits)); !@bad }), 'it knows a message') or BAIL_OUT("@bad\n" . policyd_log());
session('plain');
my %mine = map { $_ => 1 } @mine;
my @points = grep { $mine{ $_->[0] } } inject_points(\&session, ['plain'], map { [ 'start', $_ ] } @mine);
inject_all($POINTS, \&session, @points);
is(policyd_stop(), 0, 'policyd ends in order');
slapd_stop('a', $slapd);
done_testing;
