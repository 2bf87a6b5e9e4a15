#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What role edit changes in a real slapd under the real access rules: with the rights of the
# administrator in whose name it asks, and no others; that the credential can do nothing else; what it
# says while slapd is down, hangs, does not know the credential, or was not told of authzTo.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time);
use Trial;

my $TRY = "$top/t/tools/edit_try";
plan(skip_all => 'not built: make all tests') if grep { !-x } $TRY, "$top/policyd/postroad-policyd";
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami ldapdelete));

my $CORP = 'dc=corp.example,ou=domains,o=corp';
my $EDIT = 'cn=edit,cn=services,o=corp';
my %dn = (
    system => "uid=zhangwei,ou=it,$CORP",     super => "uid=liuyang,ou=it,$CORP",
    domain => "uid=lina,ou=hr,$CORP",         department => "uid=wangfang,ou=sales,$CORP",
    user   => "uid=bob,ou=east,ou=sales,$CORP", foreign => 'uid=zhoujie,ou=jinan,dc=post.example,ou=domains,o=corp',
    alice  => "uid=alice,ou=sales,$CORP",     nobody => "uid=nobody,$CORP", root => 'cn=root,o=corp',
);

my ($rules) = map { s/^#.*\n//mgr } slurp("$top/ldap-schema/postroad-access.conf");
my $sample = slurp("$top/ldap-schema/two-sites.ldif");

sub begin {
    my ($name, $global, $tree) = @_;
    slapd_conf($name, global => $global, database => $rules);
    slapd_add($name, $tree);
    return slapd_start($name);
}

sub conf {
    my ($uri, %o) = @_;
    spew("$dir/edit.secret", ($o{password} // 'sample-edit') . "\n");
    spew("$dir/edit.conf", <<"CONF");
site = "hebei"; state_dir = "$dir";
directory: { uri = "ldapi://%2Fnonexistent"; base = "o=corp"; };
edit: { uri = $uri; bind_dn = "$EDIT"; password_file = "$dir/edit.secret"; timeout = @{[ $o{timeout} // 15 ]}; };
CONF
    return;
}

sub uri { my ($name) = @_; (my $path = "$dir/$name/sock") =~ s{/}{%2F}g; return "\"ldapi://$path\"" }

# [verdict, text, log]
sub try_edit {
    my ($actor, $target, $bytes) = @_;
    my (undef, $out) = run('', $TRY, "$dir/edit.conf", $dn{$actor} // $actor, $dn{$target} // $target, $bytes);
    chomp $out;
    return split /\t/, $out, 3;
}

sub quota { my ($who) = @_; return ldap_search('a', '-b', $dn{$who}, '-s', 'base', 'postroadQuota') =~ /^postroadQuota: (\d+)/m ? $1 : '' }

my $n = 1000;

sub is_edit {
    my ($want, $actor, $target, $what) = @_;
    my $before = quota($target);
    my ($verdict, $text, $log) = try_edit($actor, $target, ++$n);
    is($verdict, $want, "$actor sets the quota of $target: $want" . ($what ? ", $what" : '')) or diag($text, ' | ', $log);
    is(quota($target), $want eq 'done' ? $n : $before, $want eq 'done' ? ' and it is set' : ' and it is as it was');
    return $text // '';
}

my $slapd = begin('a', 'authz-policy to', $sample);
conf(uri('a'));

# --- with his rights
is_edit('done', $_, 'alice') for qw(system super domain department);
like(is_edit('no', 'user', 'alice'), qr/does not let you/, 'a text for people');
is_edit('no', 'alice', 'alice', 'his own');
is_edit('no', 'foreign', 'alice');
is_edit('no', 'department', 'domain', 'above himself');
is_edit('no', 'nobody', 'alice', 'who has no entry');
is_edit('unsure', 'root', 'alice', 'in whose name nobody may act');
ok(ldap_change('a', "dn: $dn{domain}\nchangetype: modify\nadd: postroadState\npostroadState: suspended\n"), 'suspended');
is_edit('no', 'domain', 'alice', 'suspended');
ok(ldap_change('a', "dn: $dn{domain}\nchangetype: modify\ndelete: postroadState\n"), 'not any more');
is_edit('done', 'domain', 'alice');
is((try_edit('', 'alice', 5))[0], 'unsure', 'in nobody\'s name: nothing is sent');
is((try_edit('domain', "uid=gone,$CORP", 5))[0], 'no', 'an entry that is not there');
is((try_edit('domain', 'alice', '18446744073709551615'))[0], 'done', 'the largest number there is');

# --- through policyd, as the Dovecot plugin asks
spew("$dir/mirror.secret", "sample-policyd\n");
spew("$dir/edit.secret", "sample-edit\n");
my $directory = 'uri = ' . uri('a') . qq(; base = "o=corp"; bind_dn = "cn=policyd,cn=services,o=corp"; password_file = "$dir/mirror.secret"; retry_max = 1;);
my $edit = qq(edit: { bind_dn = "$EDIT"; password_file = "$dir/edit.secret"; timeout = 4; };\n);

# One line for each request; "" once none comes any more.
sub dialogue {
    my @requests = @_;
    my $s = connected("$dir/access") or return ('no socket');
    syswrite $s, join '', map { join("\t", @$_) . "\n" } @requests;
    my ($got, $end) = ('', time + 60);
    while ($got =~ tr/\n// < @requests && time < $end) {
        next unless IO::Select->new($s)->can_read(1);
        sysread($s, $got, 65536, length $got) or last;
    }
    return map { tr/\t/ /r } split /\n/, $got;
}

sub session { my ($actor) = @_; return ['session', "actor=$actor\@corp.example", 'target=alice@corp.example', 'service=imap', 'session=s1', 'master=yes'] }
sub audit_log { return join '', map { slurp($_) } sort glob "$dir/state/audit/audit-*.jsonl" }

ok(policyd_start($directory, $edit), 'policyd follows slapd');
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' && -S "$dir/access" }), 'all of it') or diag(policyd_log());
my @said = dialogue(session('lina'), ['quota', 'bytes=4242'], ['record', 'action=read', 'uid=1'], ['quota', 'bytes=4343'], ['record', 'action=read', 'uid=2']);
like($said[0], qr/^yes mode=/, 'lina opens the mailbox of alice') or diag(@said);
is("@said[1 .. 4]", 'ok ok ok ok', 'and sets the quota, twice; what she asked meanwhile is answered in its order') or diag(join "\n", @said, policyd_log());
is(quota('alice'), 4343, 'and it is set');
like(audit_log(), qr/"action":"quota".*"detail":"bytes=4242".*\n.*"action":"read".*"uid":"1".*\n.*bytes=4343.*\n.*"uid":"2"/, 'each is in the audit log, in the same order');
is((dialogue(['quota', 'bytes=1']))[0], 'error text=there is no session', 'nobody without a session');
like((dialogue(session('lina'), ['quota', 'bytes=-1']))[1], qr/^error text=bytes is no number/, 'no number');

like((dialogue(session('lina'), ['quota', 'bytes=' . '9' x 30]))[1], qr/^no .*more than any mailbox/, 'too large a number');

# The mirror believes in a right that slapd does not give any more: slapd has the last word.
ok(ldap_change('a', "dn: $EDIT\nchangetype: modify\ndelete: authzTo\n"), 'slapd does not let us act for anybody');
@said = dialogue(session('lina'), ['quota', 'bytes=4444'], ['record', 'action=read', 'uid=3']);
like($said[1], qr/^unsure why=The directory does not let this server act for you/, 'unsure, with the reason') or diag(@said);
is($said[2], 'ok', 'and the session goes on');
like(audit_log(), qr/bytes=4444.*\n.*"action":"quota-unsure"/, 'that it was not done is in the audit log');
like(policyd_log(), qr/directory not changed for an administrator/, 'and in the log');
ok(ldap_change('a', "dn: $EDIT\nchangetype: modify\nadd: authzTo\nauthzTo: dn.regex:^uid=[^,]+,.+,ou=domains,o=corp\$\n"), 'it does again');

my ($role) = grep { ($_->{role} // $_->{name} // '') eq 'edit' } @{ status()->{roles} // [] };
ok($role && $role->{pid} && kill('STOP', $role->{pid}), 'role edit stands still') or diag(explain(status()->{roles}));
is((dialogue(session('lina'), ['quota', 'bytes=4544']))[1], 'ok', 'the one that replaces it finds what was asked');
($role) = grep { ($_->{role} // $_->{name} // '') eq 'edit' } @{ status()->{roles} // [] };
is(kill('STOP', Trial::policyd_pid(), $role->{pid}), 2, 'it stands still, and nobody replaces it');
@said = dialogue(session('lina'), ['quota', 'bytes=4545']);
like($said[1], qr/^unsure why=The directory did not answer in time/, 'unsure after its time') or diag(@said);
kill 'CONT', Trial::policyd_pid(), $role->{pid};
ok(wait_for(30, sub { (dialogue(session('lina'), ['quota', 'bytes=4646']))[1] eq 'ok' }), 'it works again');
is(quota('alice'), 4646, 'and nothing from before comes after it');
is(policyd_stop(), 0, 'policyd ends');

ok(policyd_start($directory), 'policyd without edit.bind_dn');
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' && -S "$dir/access" }), 'all of it');
like((dialogue(session('lina'), ['quota', 'bytes=4747']))[1], qr/^no .*text=Quotas are not changed this way here/, 'a clear no');
is(quota('alice'), 4646, 'and nothing changes');
is(policyd_stop(), 0, 'policyd ends');

# --- what the credential is good for otherwise
sub refused {
    my ($what, @change) = @_;
    my ($rc, $out) = run(join("\n", @change) . "\n", 'ldapmodify', '-x', '-H', uri('a') =~ tr/"//dr, '-D', $EDIT, '-w', 'sample-edit',
        '-e', "!authzid=dn:$dn{system}");
    is($rc, 50, "not $what") or diag($out);
    return;
}
refused('a password', "dn: $dn{alice}", 'changetype: modify', 'replace: userPassword', 'userPassword: x');
refused('a role', "dn: $dn{alice}", 'changetype: modify', 'add: postroadRole', 'postroadRole: super');
refused('a state', "dn: $dn{alice}", 'changetype: modify', 'replace: postroadState', 'postroadState: disabled');
refused('a home site', "dn: $dn{alice}", 'changetype: modify', 'replace: postroadHomeSite', 'postroadHomeSite: shandong');
refused('the gate', 'dn: cn=admins,cn=roles,o=corp', 'changetype: modify', 'add: member', "member: $dn{alice}");
refused('in whose name it may act', "dn: $EDIT", 'changetype: modify', 'add: authzTo', 'authzTo: dn.regex:.*');
refused('deleting', "dn: $dn{alice}", 'changetype: delete');
refused('renaming', "dn: $dn{alice}", 'changetype: modrdn', 'newrdn: uid=eve', 'deleteoldrdn: 1');
refused('adding', "dn: uid=eve,$CORP", 'changetype: add', 'objectClass: inetOrgPerson', 'uid: eve', 'cn: e', 'sn: e');
my (undef, $seen) = run('', 'ldapsearch', '-x', '-LLL', '-H', uri('a') =~ tr/"//dr, '-D', $EDIT, '-w', 'sample-edit',
    '-e', "!authzid=dn:$dn{system}", '-b', 'o=corp', '(uid=alice)', 'userPassword', 'mail', 'postroadQuota');
unlike($seen, qr/^(?:dn|userPassword|mail|postroadQuota):/m, 'nor reading anything');

# --- trouble
conf(uri('a'), password => 'wrong');
like((try_edit('domain', 'alice', 7))[2], qr/bind: Invalid credentials/, 'a wrong password is for the log') or diag(join '|', try_edit('domain', 'alice', 7));
is_edit('unsure', 'domain', 'alice', 'a wrong password');
unlike(join('', try_edit('domain', 'alice', 7)), qr/wrong/, 'and is in no text');
conf('["ldapi://%2Fnonexistent", ' . uri('a') . ']');
is_edit('done', 'domain', 'alice', 'at the second server');

my $hung = "$dir/hung";
my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $hung, Listen => 5) or die "$hung: $!";
(my $path = $hung) =~ s{/}{%2F}g;
conf("\"ldapi://$path\"", timeout => 1);
my $start = time;
is_edit('unsure', 'domain', 'alice', 'a server that says nothing');
cmp_ok(time - $start, '<', 15, 'within its time');

conf(uri('a'));
my $without = ldap_search('a', '-b', $EDIT, '-s', 'base', 'authzTo') =~ /^(authzTo: .*)/m ? $1 : '';
ok(ldap_change('a', "dn: $EDIT\nchangetype: modify\ndelete: authzTo\n"), 'without authzTo');
like(is_edit('unsure', 'domain', 'alice', 'no authzTo'), qr/does not let this server act for you/, 'says what is wrong');
ok(ldap_change('a', "dn: $EDIT\nchangetype: modify\nadd: authzTo\n$without\n"), 'with it');
is_edit('done', 'domain', 'alice');
is(slapd_stop('a', $slapd), 0, 'slapd goes away');
my ($verdict, $text, $log) = try_edit('domain', 'alice', 9);
is($verdict, 'unsure', 'slapd is down: unsure');
like($text, qr/can't be changed at the moment/, 'for people');
like($log, qr/connect/, 'for the log');

$slapd = begin('b', '', $sample);
conf(uri('b'));
($verdict, $text, $log) = try_edit('domain', 'alice', 9);
is($verdict, 'unsure', 'a slapd without authz-policy: unsure');
like($log, qr/not authorized to assume identity.*see edit in postroad\.conf/, 'and says where to look');
is(slapd_stop('b', $slapd), 0, 'the end');
done_testing();
