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
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time);
use Trial;

my $TRY = "$top/t/tools/edit_try";
plan(skip_all => 't/tools/edit_try is not built: make tests') unless -x $TRY;
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
edit: { uri = $uri; bind_dn = "$EDIT"; password_file = "$dir/edit.secret"; timeout = 1; };
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
conf("\"ldapi://$path\"");
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
