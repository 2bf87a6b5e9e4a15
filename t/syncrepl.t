#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Following a provider, with a real slapd and the running daemon: refresh, changes
# as they happen, resume, what happened while away, a provider that lost its
# memory, hangs or dies, the sweep guard, and two providers. Everything on UNIX
# sockets in a temporary directory.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan(skip_all => 'postroad-policyd is not built') unless -x "$top/policyd/postroad-policyd";
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

my $HR = 'ou=hr,dc=a.example,ou=domains,o=corp';
my $POLICYD_DN = 'cn=policyd,cn=services,o=corp';

sub entry {
    my ($dn, @lines) = @_;
    return join("\n", "dn: $dn", @lines) . "\n\n";
}

sub person {
    my ($uid, $where, @lines) = @_;
    return entry("uid=$uid,$where", 'objectClass: inetOrgPerson', 'objectClass: postroadAccount',
        "uid: $uid", "cn: $uid", "sn: $uid", "mail: $uid\@a.example", @lines);
}

my $tree = entry('o=corp', 'objectClass: organization', 'o: corp')
    . entry('cn=services,o=corp', 'objectClass: organizationalRole', 'cn: services')
    . entry($POLICYD_DN, 'objectClass: organizationalRole', 'objectClass: simpleSecurityObject',
        'cn: policyd', 'userPassword: open')
    . entry('cn=sites,o=corp', 'objectClass: organizationalRole', 'cn: sites')
    . entry('cn=hebei,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: hebei',
        'postroadNextHop: 10 relay:[192.0.2.1]:25')
    . entry('cn=shandong,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: shandong',
        'postroadNextHop: 10 relay:[192.0.2.2]:25')
    . entry('ou=domains,o=corp', 'objectClass: organizationalUnit', 'ou: domains')
    . entry('dc=a.example,ou=domains,o=corp', 'objectClass: domain', 'objectClass: postroadDomain',
        'dc: a.example', 'associatedDomain: a.example', 'postroadHomeSite: hebei')
    . entry($HR, 'objectClass: organizationalUnit', 'objectClass: postroadDepartment', 'ou: hr')
    . entry("ou=pay,$HR", 'objectClass: organizationalUnit', 'objectClass: postroadDepartment', 'ou: pay',
        'postroadHomeSite: shandong')
    . join('', map { person("h$_", $HR) } 1 .. 40)
    . join('', map { person("p$_", "ou=pay,$HR") } 1 .. 40);
my $ENTRIES = () = $tree =~ /^dn:/mg;

# What the service identity may read; $hidden are lines before it.
sub acl {
    my ($hidden) = @_;
    return join "\n", $hidden // (), "limits dn.exact=\"$POLICYD_DN\" size=unlimited time=unlimited",
        'access to attrs=userPassword by anonymous auth by * none', "access to * by dn.exact=\"$POLICYD_DN\" read by * none";
}

sub uri { my ($name) = @_; (my $path = "$dir/$name/sock") =~ s{/}{%2F}g; return "\"ldapi://$path\"" }

spew("$dir/secret", "open\n");
chmod 0600, "$dir/secret";

# How long it waits for an answer: for long, so that a busy machine is not taken for a provider that hangs.
my $timeout = 20;

sub directory {
    my (@names) = @_;
    return 'uri = (' . join(', ', map { uri($_) } @names) . '); base = "o=corp"; '
        . qq{bind_dn = "$POLICYD_DN"; password_file = "$dir/secret"; timeout = $timeout; heartbeat = 1; retry_min = 1; retry_max = 2;};
}

sub phase_is { my ($phase) = @_; return sub { (source()->{phase} // '') eq $phase } }

sub becomes {
    my ($map, $key, $want, $what) = @_;
    my $got = '';
    wait_for(30, sub { ($got = lookup($map, $key)) =~ $want });
    like($got, $want, $what);
}

sub in_persist {
    my ($what) = @_;
    ok(wait_for(30, phase_is('persist')), $what)
        or diag(explain_source()), diag(policyd_log() =~ s/.*?((?:[^\n]*\n){12})\z/$1/sr);
}

sub explain_source { my $s = source(); return join ' ', map { "$_=" . ($s->{$_} // '-') } sort keys %$s }

# The last "directory refreshed" line as a hash.
sub refreshed {
    my ($line) = policyd_log() =~ /.*\n[^\n]*directory refreshed ([^\n]*)/s;
    return { map { split /=/, $_, 2 } split / /, $line // '' };
}

# Searches that were begun for another reason than that a change was late, as is possible on a busy machine.
sub refreshes { my $log = policyd_log(); return (() = $log =~ /directory refreshed/g) - (() = $log =~ /did not come, asking anew/g) }

my $RELAY2 = qr/^OK relay:\[192\.0\.2\.2\]:25/;
my $OK = qr/^OK OK$/;
my $NONE = qr/^NOTFOUND/;
my $TEMP = qr/^TEMP/;
my $LOCAL = qr/^OK lmtp:/;

slapd_conf('a', database => acl());
slapd_add('a', $tree);
my $slapd = slapd_start('a');

# --- refresh
ok(policyd_start(directory('a')), 'policyd starts');
in_persist('the refresh is completed');
ok(wait_for(30, sub { (status()->{mirror}{entries} // 0) == $ENTRIES }), 'all entries are there')
    or diag(explain status()->{mirror});
is(refreshed()->{kind}, 'full', 'by a full refresh');
becomes('mailbox', 'h1@a.example', $OK, 'an address');
like(lookup('transport', 'h1@a.example'), $LOCAL, 'lives here');
like(lookup('transport', 'p1@a.example'), $RELAY2, 'its colleague at the other site');
becomes('mailbox', 'new@a.example', $NONE, 'one that nobody has');

# --- changes as they happen
ldap_change('a', person('new', $HR));
becomes('mailbox', 'new@a.example', $OK, 'added');
ldap_change('a', "dn: uid=new,$HR\nchangetype: modify\nreplace: postroadHomeSite\npostroadHomeSite: shandong\n");
becomes('transport', 'new@a.example', $RELAY2, 'modified');
ldap_change('a', "dn: uid=new,$HR\nchangetype: modrdn\nnewrdn: uid=old\ndeleteoldrdn: 1\n");
becomes('transport', 'new@a.example', $RELAY2, 'renamed: still there');
ldap_change('a', "dn: uid=old,$HR\nchangetype: delete\n");
becomes('mailbox', 'new@a.example', $NONE, 'deleted');
ldap_change('a', "dn: ou=pay,$HR\nchangetype: modify\nreplace: postroadHomeSite\npostroadHomeSite: hebei\n");
becomes('transport', 'p7@a.example', $LOCAL, 'a department moves to another site');
ldap_change('a', "dn: ou=pay,$HR\nchangetype: modify\nreplace: postroadHomeSite\npostroadHomeSite: shandong\n");
becomes('transport', 'p7@a.example', $RELAY2, 'and back');
ldap_change('a', "dn: ou=pay,$HR\nchangetype: modrdn\nnewrdn: ou=wages\ndeleteoldrdn: 1\n");
ldap_change('a', person('w1', "ou=wages,$HR"));
becomes('transport', 'w1@a.example', $RELAY2, 'an entry below a renamed department inherits');
like(lookup('transport', 'p7@a.example'), $RELAY2, 'so do those that came along');
is(status()->{mirror}{entries}, $ENTRIES + 1, 'and no entry is there twice');
my $dn = control(verb => 'explain', address => 'p7@a.example');
like(JSON::PP->new->encode($dn), qr/uid=p7,ou=wages/, 'its name is the new one');
ldap_change('a', "dn: ou=wages,$HR\nchangetype: modrdn\nnewrdn: ou=wages\ndeleteoldrdn: 1\nnewsuperior: dc=a.example,ou=domains,o=corp\n");
ldap_change('a', "dn: $HR\nchangetype: modify\nreplace: postroadState\npostroadState: disabled\n");
becomes('mailbox', 'h1@a.example', $NONE, 'a disabled department');
is(lookup('mailbox', 'p7@a.example'), 'OK OK', 'one that was moved out of it is not');
ldap_change('a', "dn: $HR\nchangetype: modify\ndelete: postroadState\n");
becomes('mailbox', 'h1@a.example', $OK, 'and enabled again');
is(refreshes(), 1, 'all that without a second refresh');

# --- a burst, and how soon one change is seen
{
    my @late;
    for my $i (1 .. 40) {
        my $site = $i % 2 ? 'shandong' : 'hebei';
        ldap_change('a', "dn: uid=h2,$HR\nchangetype: modify\nreplace: postroadHomeSite\npostroadHomeSite: $site\n");
        my $start = time;
        my $want = $i % 2 ? $RELAY2 : $LOCAL;
        1 until lookup('transport', 'h2@a.example') =~ $want || time - $start > 20;
        push @late, 1000 * (time - $start);
    }
    @late = sort { $a <=> $b } @late;
    cmp_ok($late[20], '<', 250, sprintf('changes are seen at once, not at the next second (median %.1f, worst %.1f)', $late[20], $late[-1]));
    ldap_change('a', join '', map { person("b$_", $HR) } 1 .. 500);
    becomes('mailbox', 'b500@a.example', $OK, 'a burst of 500');
    is(status()->{mirror}{entries}, $ENTRIES + 501, 'arrives whole');
    ldap_change('a', join "\n", map { "dn: uid=b$_,$HR\nchangetype: delete\n" } 1 .. 500);
    becomes('mailbox', 'b500@a.example', $NONE, 'and goes again');
}

# --- the daemon restarts: resume by cookie
is(policyd_stop(), 0, 'policyd ends in order');
ldap_change('a', person('away', $HR) . "dn: uid=w1,ou=wages,dc=a.example,ou=domains,o=corp\nchangetype: delete\n");
policyd_start(directory('a'));
in_persist('policyd comes back');
is(refreshed()->{kind}, 'resume', 'and resumes');
cmp_ok(refreshed()->{changed}, '<=', 2, 'only what changed is sent');
is(lookup('mailbox', 'away@a.example'), 'OK OK', 'what was added meanwhile is there');
becomes('mailbox', 'w1@a.example', $NONE, 'what was deleted meanwhile is gone');
is(status()->{mirror}{entries}, $ENTRIES + 1, 'everything else is untouched');

# --- the provider is away
slapd_stop('a', $slapd);
ok(wait_for(30, sub { (source()->{phase} // '') ne 'persist' }), 'a provider that ends is noticed');
is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'known addresses are answered');
like(lookup('mailbox', 'nobody@a.example'), $TEMP, 'unknown ones are not called unknown');
policyd_stop();
ok(policyd_start(directory('a')), 'policyd starts without a provider');
is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'and answers from the mirror');
like(lookup('mailbox', 'nobody@a.example'), $TEMP, 'and calls nobody unknown');
ok(wait_for(30, sub { (source()->{error} // '') =~ /connect/ }), 'and says why');
$slapd = slapd_start('a');
in_persist('it finds the provider when that is back');
is(refreshed()->{kind}, 'resume', 'and resumes');
becomes('mailbox', 'nobody@a.example', $NONE, 'nobody is nobody again');

# --- the provider hangs
policyd_stop();
$timeout = 2;
policyd_start(directory('a'));
in_persist('with a short timeout');
my $start = time;
ok(wait_for(30, sub { kill 'STOP', $slapd; (source()->{phase} // '') ne 'persist' }), 'a provider that hangs is noticed');
cmp_ok(time - $start, '<', 15, 'by the heart-beat');
like(policyd_log(), qr/directory not read[^\n]*no answer for 2 s/, 'which says so');
is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'the mirror answers');
like(lookup('mailbox', 'nobody@a.example'), $TEMP, 'but says of nobody that he is unknown');
kill 'CONT', $slapd;
in_persist('it goes on when the provider does');
my ($role) = grep { $_->{name} eq 'sync' } @{ status()->{roles} };
is($role->{restarts}, 0, 'the role itself never hung');
$timeout = 20;

# --- deletions while away, and no session log: present phase
policyd_stop();
slapd_stop('a', $slapd);
$slapd = slapd_start('a');
ldap_change('a', "dn: uid=away,$HR\nchangetype: delete\n\ndn: uid=h3,$HR\nchangetype: modify\nreplace: sn\nsn: three\n");
policyd_start(directory('a'));
in_persist('after deletions in our absence');
is_deeply([@{ refreshed() }{qw(kind swept deleted)}], ['resume', 'yes', 1], 'the present phase sweeps one entry');
becomes('mailbox', 'away@a.example', $NONE, 'which is gone');
is(status()->{mirror}{entries}, $ENTRIES, 'everything else is there');

# --- the provider comes back from a backup: it knows less than we do (53)
my $backup = do { policyd_stop(); slapd_stop('a', $slapd); (run('', 'slapcat', '-f', "$dir/a/slapd.conf"))[1] };
$slapd = slapd_start('a');
policyd_start(directory('a'));
in_persist('once more');
ldap_change('a', person('lost', $HR));
becomes('mailbox', 'lost@a.example', $OK, 'a change that the backup has not');
slapd_stop('a', $slapd);
unlink glob "$dir/a/db/*";
$backup =~ s/\A.*?(?=^dn:)//ms;
slapd_add('a', $backup);
$slapd = slapd_start('a');
becomes('mailbox', 'lost@a.example', $NONE, 'a provider restored from a backup is read anew');
in_persist('and followed');
like(policyd_log(), qr/cookie forgotten[^\n]*no provider knows as much/, 'because it answers 53');
is(refreshed()->{kind}, 'full', 'by a full refresh');
is(status()->{mirror}{entries}, $ENTRIES, 'which leaves what the provider has');

# --- the sweep guard: an ACL hides half of the tree
policyd_stop();
slapd_stop('a', $slapd);
slapd_conf('a', database => acl("access to dn.subtree=\"$HR\" by * none"));
$slapd = slapd_start('a');
ldap_change('a', "dn: uid=p1,ou=wages,dc=a.example,ou=domains,o=corp\nchangetype: modify\nreplace: sn\nsn: one\n");
policyd_start(directory('a'));
ok(wait_for(30, phase_is('refused')), 'a refresh that would remove half is refused') or diag(explain_source());
is(source()->{would_sweep}, 41, 'it says how many would go');
is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'none has gone');
like(lookup('mailbox', 'nobody@a.example'), $TEMP, 'unknown addresses are not called unknown');
ldap_change('a', person('during', 'ou=wages,dc=a.example,ou=domains,o=corp'));
becomes('mailbox', 'during@a.example', $OK, 'changes go on');
policyd_stop();
policyd_start(directory('a'));
ok(wait_for(30, phase_is('refused')), 'a restart does not forget the doubt');
ldap_change('a', person('doubt', 'ou=wages,dc=a.example,ou=domains,o=corp'));
becomes('mailbox', 'doubt@a.example', $OK, 'and changes go on again');
ok(control(verb => 'sweep-accept', reason => 'a test')->{ok}, 'an administrator accepts');
in_persist('and the sweep is done');
becomes('mailbox', 'h1@a.example', $NONE, 'they are gone');
is(lookup('mailbox', 'during@a.example'), 'OK OK', 'what came meanwhile is not');
is(lookup('mailbox', 'doubt@a.example'), 'OK OK', 'nor what came after the refresh');
is(source()->{would_sweep}, 0, 'nothing is waiting');
slapd_stop('a', $slapd);
slapd_conf('a', database => acl());
$slapd = slapd_start('a');
policyd_stop();

# --- a cookie that means something else: the map is another one
policyd_start(directory('a') . ' map: { account: { alias = ("postroadAlias", "l"); }; };');
in_persist('another map');
is(refreshed()->{kind}, 'full', 'is a full refresh');
is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'which finds what an ACL had hidden');
policyd_stop();

# --- errors of the provider
spew("$dir/secret", "wrong\n");
policyd_start(directory('a'));
ok(wait_for(30, sub { (source()->{error} // '') =~ /bind: Invalid credentials/ }), 'a wrong password is said') or diag(explain_source());
is(lookup('mailbox', 'h1@a.example'), 'OK OK', 'and the mirror answers');
policyd_stop();
unlike(policyd_log(), qr/\bwrong\b/, 'the password is in no log');
spew("$dir/secret", "open\n");
policyd_start(directory('a') =~ s/base = "o=corp"/base = "o=none"/r);
ok(wait_for(30, sub { (source()->{error} // '') =~ /32 No such object/ }), 'a base that is not there is said') or diag(explain_source());
policyd_stop();

# --- two providers: fail-over, and cookies of both
sub replica {
    my ($sid, $peer) = @_;
    (my $path = "$dir/$peer/sock") =~ s{/}{%2F}g;
    return (sid => $sid, database => acl(),
        last => "syncrepl rid=00$sid provider=ldapi://$path searchbase=o=corp type=refreshAndPersist retry=\"1 +\" "
            . "bindmethod=simple binddn=cn=root,o=corp credentials=secret\nmultiprovider on");
}
slapd_stop('a', $slapd);
slapd_conf('b', replica(1, 'c'));
slapd_conf('c', replica(2, 'b'));
slapd_add('b', $tree);
my %pid = map { $_ => slapd_start($_) } qw(b c);
ok(wait_for(30, sub { ldap_search('c', '-b', $HR, '-s', 'one', '(uid=h40)', 'dn') =~ /uid=h40/ }), 'two providers agree');
policyd_start(directory('b', 'c'));
in_persist('the first one is followed');
ldap_change('b', person('fromb', $HR));
ldap_change('c', person('fromc', $HR));
becomes('mailbox', 'fromb@a.example', $OK, 'what was written at the first');
becomes('mailbox', 'fromc@a.example', $OK, 'and at the second');
slapd_stop('b', delete $pid{b});
ok(wait_for(30, sub { source()->{name} =~ /%2Fc%2F/ && source()->{phase} eq 'persist' }), 'the second takes over') or diag(explain_source());
is(refreshed()->{kind}, 'resume', 'with the cookie of the first');
cmp_ok(refreshed()->{changed}, '<=', 1, 'hardly anything is sent again') or diag(explain refreshed());
ldap_change('c', person('fromc2', $HR));
becomes('mailbox', 'fromc2@a.example', $OK, 'what is written there now is seen');
$pid{b} = slapd_start('b');
ok(wait_for(30, sub { ldap_search('b', '-b', $HR, '-s', 'one', '(uid=fromc2)', 'dn') =~ /uid=fromc2/ }), 'the first is back');
ldap_change('b', person('fromb2', $HR));
becomes('mailbox', 'fromb2@a.example', $OK, 'what is written at the first comes through the second');
slapd_stop('c', delete $pid{c});
ok(wait_for(30, sub { source()->{name} =~ /%2Fb%2F/ && source()->{phase} eq 'persist' }), 'fail-back') or diag(explain_source());
is(refreshed()->{kind}, 'resume', 'resumes');
cmp_ok(refreshed()->{changed}, '<=', 1, 'with the changes of both known');
is(status()->{mirror}{entries}, $ENTRIES + 4, 'and all entries');
is(policyd_stop(), 0, 'policyd ends in order');

done_testing;
