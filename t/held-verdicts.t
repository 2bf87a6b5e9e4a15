#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Role held at a real slapd under the real access rules: what it shows there, whose verdicts count and
# whose are taken away again, and what happens while slapd is away, has lost entries, or has too many.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Time::HiRes qw(time);
use Trial;
use HeldTrial;

-x "$top/policyd/postroad-policyd" or plan skip_all => 'not built: make';
$> == 0 or plan skip_all => 'needs root, as role queue does';
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami ldapdelete));

my $CORP = 'dc=corp.example,ou=domains,o=corp';
my %dn = (lina => "uid=lina,ou=hr,$CORP", wangfang => "uid=wangfang,ou=sales,$CORP", alice => "uid=alice,ou=sales,$CORP");
my ($rules) = map { s/^#.*\n//mgr } slurp("$top/ldap-schema/postroad-access.conf");
my $refint = grep { glob "$_/refint*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap';
my @overlay = (global => $refint ? "moduleload refint\n" : '', overlay => "overlay refint\nrefint_attributes member owner postroadScope postroadHeldTarget\nrefint_nothing \"cn=nobody,o=corp\"\n");
slapd_conf('a', database => $rules, @overlay);
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = slapd_start('a');
spew("$dir/mirror.secret", "sample-policyd\n");
spew("$dir/held.secret", "sample-moderation\n");
(my $path = "$dir/a/sock") =~ s{/}{%2F}g;
my $port = sink_start();
my $relay = relay_start("$dir/a/sock"); # for role sync
my $directory = qq(uri = "$relay"; base = "o=corp"; bind_dn = "cn=policyd,cn=services,o=corp"; password_file = "$dir/mirror.secret"; retry_max = 1; heartbeat = 1;);
my $settings = queue_settings() . qq(held: { uri = "ldapi://$path"; submit = "smtp://127.0.0.1:$port"; bind_dn = "cn=moderation,cn=services,o=corp"; password_file = "$dir/held.secret"; timeout = 10; notices = 1000; };\n);

sub entry { my ($id) = @_; return ldap_search('a', '-b', "postroadHeldId=$id,cn=held,o=corp", '-s', 'base', '*') }
sub entries { return scalar(() = ldap_search('a', '-b', 'cn=held,o=corp', '-s', 'one', '1.1') =~ /^dn:/mg) }
sub state { my ($id) = @_; return entry($id) =~ /^postroadHeldState: (\w+)/m ? $1 : '' }
sub has_verdict { my ($id) = @_; return entry($id) =~ /^postroadHeld(?:Verdict|Reason):/m ? 1 : 0 }

# A verdict by an administrator, as any LDAP client writes it; the exit code.
sub verdict {
    my ($who, $id, $verdict, $reason) = @_;
    my ($rc, $out) = run("dn: postroadHeldId=$id,cn=held,o=corp\nchangetype: modify\nadd: postroadHeldVerdict\npostroadHeldVerdict: $verdict\n"
          . "-\nadd: postroadHeldReason\npostroadHeldReason: $reason\n", 'ldapmodify', '-x', '-H', "ldapi://$path", '-D', $dn{$who}, '-w', "sample-$who");
    return $rc;
}

# As nobody of the mirror: what slapd's rules would not have let pass.
sub forged { my ($id, $verdict) = @_; return ldap_change('a', "dn: postroadHeldId=$id,cn=held,o=corp\nchangetype: modify\nadd: postroadHeldVerdict\npostroadHeldVerdict: $verdict\n") }

my $first = hold(attachments => ['list.xlsx', 'LIST.xlsx', "\x{8868}.pdf"]);
ok(policyd_start($directory, $settings), 'policyd follows slapd');
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' && -S "$dir/access" }), 'all of it') or diag(policyd_log());
ok(wait_for(30, sub { state($first) eq 'held' }), 'the message is in the directory') or diag(policyd_log());
my $entry = entry($first);
like($entry, qr/^postroadHeldTarget: uid=alice,ou=sales,dc=corp\.example,ou=domains,o=corp$/m, 'whose administrators decide');
like($entry, qr/^postroadHeldRule: hr-out$/m, 'the rule');
like($entry, qr/^postroadHeldSubject:: 5aCx6KGo$/m, 'the subject');
like($entry, qr/^postroadHeldCount: 2$/m, 'how many recipients');
like($entry, qr/^postroadHeldTime: \d{14}Z$/m, 'since when');
is(status()->{held}{directory}, 'told', 'status says that it works');

# --- verdicts
is(verdict('wangfang', $first, 'approve', 'no right'), 50, 'slapd refuses who has no right to it');
is(verdict('lina', $first, 'approve', 'fine'), 0, 'lina has');
ok(state_is($first, 'approved'), 'it is released') or diag(policyd_log());
ok(wait_for(30, sub { state($first) eq 'approved' }), 'the directory says so');
is(show($first)->{by}, $dn{lina}, 'and the record by whom');
like(audit_log(), qr/"action":"approve","actor":"lina\@corp\.example","target":"alice\@corp\.example".*"reason":"fine"/, 'so does the audit log, by her address');
ok(ldap_change('a', "dn: postroadHeldId=$first,cn=held,o=corp\nchangetype: modify\nreplace: postroadHeldState\npostroadHeldState: held\n-\nreplace: postroadHeldVerdict\npostroadHeldVerdict: reject\n"),
    'another site, which did not hear of that, has its own verdict, and its entry stays');
ok(wait_for(30, sub { state($first) eq 'approved' }), 'the directory hears again what was done');
is(show($first)->{state}, 'approved', 'which stands');
my $bad = hold();
ok(wait_for(30, sub { state($bad) eq 'held' }), 'one more');
is(verdict('lina', $bad, 'reject', 'not this one'), 0, 'lina rejects it');
ok(state_is($bad, 'rejected'), 'it is deleted');
ok(wait_for(30, sub { notices($bad, 'end') }), 'and its sender is told');
like((notices($bad, 'end'))[0]{body}, qr/not this one/, 'why');

# --- no right: slapd let it pass, the mirror doesn't
my $third = hold();
ok(wait_for(30, sub { state($third) eq 'held' }), 'one more');
ok(forged($third, 'approve'), 'a verdict by nobody');
ok(wait_for(30, sub { !has_verdict($third) }), 'is taken away again') or diag(policyd_log());
is(show($third)->{state}, 'held', 'the message waits');
ok(wait_for(30, sub { policyd_log() =~ /verdict about a held message refused id=\Q$third\E verdict=approve by="cn=root,o=corp"/ }), 'it is logged');
ok(wait_for(30, sub { audit_log() =~ /"action":"refused","actor":"cn=root,o=corp".*id=\Q$third\E outcome=approve/ }), 'and in the audit log');
ok(forged($third, 'maybe'), 'a word that is no verdict');
ok(wait_for(30, sub { !has_verdict($third) }), 'is taken away, too');
is(verdict('lina', $third, 'approve', 'now really'), 0, 'then comes a real one');
ok(state_is($third, 'approved'), 'which counts');

# --- the first verdict stands
my $fourth = hold();
ok(wait_for(30, sub { state($fourth) eq 'held' }), 'one more');
is(decide($fourth, 'reject', 'root was faster')->{state}, 'rejected', 'root rejects it at the control socket');
verdict('lina', $fourth, 'approve', 'too late');
ok(state_is($fourth, 'rejected'), 'it is deleted, whatever the directory says');
ok(wait_for(30, sub { state($fourth) eq 'rejected' }), 'and that says so, too');
my ($name) = $fourth =~ /-(\w+)\z/;
ok(-e "$dir/deleted/$name" && !-e "$dir/released/$name", 'once');

# --- whom it is about is somebody else's by name meanwhile, and lives elsewhere in the tree
sub target { my ($id) = @_; return entry($id) =~ /^postroadHeldTarget: (.*)/m ? $1 : '' }
sub moved { my ($from, $rdn, $to) = @_; return ldap_change('a', "dn: $from\nchangetype: modrdn\nnewrdn: $rdn\ndeleteoldrdn: 1\nnewsuperior: $to\n") }
my ($moved, $given) = (hold(), hold());
ok(wait_for(30, sub { state($moved) eq 'held' && state($given) eq 'held' }), 'two more');
like(on_disk($moved)->{target_uuid}, qr/^[0-9a-f-]{36}$/, 'whom they are about is known for good');
my $alicia = "uid=alicia,ou=hr,$CORP";
ok(ldap_change('a', "dn: $dn{alice}\nchangetype: modify\nreplace: mail\nmail: alicia\@corp.example\n-\ndelete: postroadAlias\n"), 'alice has another address');
ok(moved($dn{alice}, 'uid=alicia', "ou=hr,$CORP"), 'another name, and another department');
ok(wait_for(30, sub { target($moved) eq $alicia }), 'the entries follow');
is(verdict('lina', $moved, 'approve', 'still hers'), 0, 'lina approves one');
ok(state_is($moved, 'approved'), 'which counts') or diag(policyd_log());
ok(ldap_change('a', "dn: $alicia\nchangetype: modify\nadd: postroadRole\npostroadRole: domain\n"), 'alicia is of lina\'s level now');
is(verdict('lina', $given, 'approve', 'no more'), 50, 'then slapd refuses her verdict');
ok(ldap_change('a', "dn: $dn{alice}\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\nuid: alice\ncn: Alice\nsn: A\nmail: alice\@corp.example\n"), 'another alice comes');
ok(forged($given, 'approve'), 'one slapd let pass');
ok(wait_for(30, sub { !has_verdict($given) }), 'is taken away');
is(decide($given, 'reject', 'enough')->{state}, 'rejected', 'root decides');
ok(ldap_change('a', "dn: $dn{alice}\nchangetype: delete\n") && moved($alicia, 'uid=alice', "ou=sales,$CORP")
      && ldap_change('a', "dn: $dn{alice}\nchangetype: modify\nreplace: mail\nmail: alice\@corp.example\n-\ndelete: postroadRole\n"), 'all is as it was');

# --- the mirror is behind: what it would refuse may be right
my $later = hold();
ok(wait_for(30, sub { target($later) eq $dn{alice} }), 'one more, whose target has its old name again');
$dn{newcomer} = "uid=newcomer,ou=hr,$CORP";
mirror_behind(sub {
    ok(ldap_change('a', "dn: $dn{newcomer}\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\nuid: newcomer\ncn: N\nsn: N\nmail: newcomer\@corp.example\n"
          . "userPassword: sample-newcomer\npostroadRole: domain\npostroadRight: approve\npostroadScope: $CORP\n")
          && ldap_change('a', "dn: cn=admins,cn=roles,o=corp\nchangetype: modify\nadd: member\nmember: $dn{newcomer}\n"), 'a moderator nobody here has heard of');
    is(verdict('newcomer', $later, 'approve', 'first day'), 0, 'approves it');
    ok(polls_pass(2), 'which is heard');
    ok(has_verdict($later) && show($later)->{state} eq 'held', 'and waits, as nobody can tell yet');
});
ok(state_is($later, 'approved'), 'until the mirror has heard of the moderator') or diag(policyd_log());
like(audit_log(), qr/"actor":"newcomer\@corp\.example"[^\n]*id=\Q$later\E/, 'whose name is in the audit log');

# --- the directory is away
my $fifth = hold();
ok(wait_for(30, sub { state($fifth) eq 'held' }), 'one more');
is(slapd_stop('a', $slapd), 0, 'slapd goes away');
my $sixth = hold();
ok(wait_for(30, sub { notices($sixth, 'begin') }), 'a message is held, and its sender told, without it');
ok(wait_for(30, sub { status()->{held}{directory} eq 'away' }), 'status says that it is away');
is(decide($fifth, 'approve')->{state}, 'approved', 'the control socket works');
ok(state_is($fifth, 'approved'), 'and it is released');
$slapd = slapd_start('a');
ok(wait_for(40, sub { state($fifth) eq 'approved' && state($sixth) eq 'held' }), 'slapd is there: it learns of both') or diag(policyd_log());
kill 'STOP', $slapd;
my ($asked, $slowest) = (status()->{held}{directory}, 0);
ok(wait_for(40, sub {
    my $begin = time;
    my $there = show($sixth)->{id};
    $slowest = time - $begin if time - $begin > $slowest;
    $there && status()->{held}{directory} eq 'away' && rounds_pass(4);
}), 'slapd hangs: the role goes on, and counts it as away') or diag(policyd_log());
cmp_ok($slowest, '<', 10 * 0.9, 'the control socket answers all the while, without waiting for held.timeout');
is(decide($sixth, 'approve')->{state}, 'approved', 'and takes verdicts');
ok(state_is($sixth, 'approved'), 'which are carried out');
kill 'CONT', $slapd;
ok(wait_for(40, sub { state($sixth) eq 'approved' }), 'it goes on: it learns of that');

# --- older access rules: what is refused can't be taken away
sub refusals { my ($id) = @_; return scalar(() = audit_log() =~ /"action":"refused"[^\n]*id=\Q$id\E/g) }
my $stuck = hold();
ok(wait_for(30, sub { state($stuck) eq 'held' }), 'one more');
slapd_stop('a', $slapd);
slapd_conf('a', database => $rules =~ s/=zrscd/=rscd/r, @overlay);
$slapd = slapd_start('a');
ok(forged($stuck, 'approve'), 'a verdict by nobody');
ok(wait_for(40, sub { status()->{held}{directory} eq 'told' }) && polls_pass(3), 'it is seen, again and again');
ok(has_verdict($stuck), 'but it can\'t be taken away');
is(refusals($stuck), 0, 'which is not recorded each time');
slapd_stop('a', $slapd);
slapd_conf('a', database => $rules, @overlay);
$slapd = slapd_start('a');
ok(wait_for(40, sub { !has_verdict($stuck) && refusals($stuck) }), 'now it can') or diag(policyd_log());
is(refusals($stuck), 1, 'and is recorded');
decide($stuck, 'reject', 'enough');
ok(state_is($stuck, 'rejected'), 'the message waited');

# --- entries that are lost, and those of nobody
my $seventh = hold();
ok(wait_for(30, sub { state($seventh) eq 'held' }), 'one more');
ok(ldap_change('a', "dn: postroadHeldId=$seventh,cn=held,o=corp\nchangetype: delete\n"), 'somebody deletes its entry');
ok(ldap_change('a', "dn: postroadHeldId=hebei-0-NOBODY,cn=held,o=corp\nobjectClass: postroadHeld\npostroadHeldId: hebei-0-NOBODY\npostroadHeldSite: hebei\npostroadHeldState: held\n"), 'and makes one that is nobody\'s');
ok(ldap_change('a', "dn: postroadHeldId=shandong-0-OTHER,cn=held,o=corp\nobjectClass: postroadHeld\npostroadHeldId: shandong-0-OTHER\npostroadHeldSite: shandong\npostroadHeldState: held\n"), 'another site has one');
(my $keeper) = entry($fifth) =~ /^postroadHeldKeeper: (.+)/m;
like($keeper, qr/^[\w.-]+-[0-9a-f]{16}$/, 'an entry says who keeps it');
ok(ldap_change('a', "dn: postroadHeldId=hebei-0-RIVAL,cn=held,o=corp\nobjectClass: postroadHeld\npostroadHeldId: hebei-0-RIVAL\npostroadHeldSite: hebei\npostroadHeldState: held\npostroadHeldKeeper: x-0123456789abcdef\n"), 'another machine was given this site\'s name');
my @many = map { hold() } 1 .. 120;
ok(wait_for(60, sub { entries() >= 120 && !grep { !on_disk($_)->{published} } @many }), 'many more');
ok(ldap_change('a', join '', map { "dn: postroadHeldId=$_,cn=held,o=corp\nchangetype: delete\n\n" } @many), 'whose entries are lost');
ok(role_kill(), 'killed: the next one compares');
ok(wait_for(30, sub { state($seventh) eq 'held' && entry('hebei-0-NOBODY') !~ /^dn:/m }), 'what is missing is there, what is nobody\'s is gone');
like(entry('shandong-0-OTHER'), qr/^dn:/m, 'the other site\'s is none of its business');
ok(wait_for(60, sub { !grep { !/^dn:/m } map { entry($_) } @many[0, 60, 119] }), 'the many are there again') or diag(policyd_log());
ok(wait_for(30, sub { entries() >= 123 }), 'all of them');
my @slices = policyd_log() =~ /entries of held messages were missing in the directory, some are made later entries=(\d+)/g;
ok(@slices && !grep({ $_ < 1 || $_ > 100 } @slices), 'in slices') or diag("@slices");
like(entry('hebei-0-RIVAL'), qr/^dn:/m, 'what another policyd keeps is left alone');
is(status()->{held}{rivals}, 1, 'and status says so');
like(policyd_log(), qr/entries of held messages are of this site, and another policyd keeps them.*keeper=x-0123456789abcdef here=\Q$keeper\E/, 'so does the log');
ok(ldap_change('a', "dn: postroadHeldId=hebei-0-RIVAL,cn=held,o=corp\nchangetype: delete\n"), 'it goes');
unlink map { ("$held/$_.json", "$dir/queue/" . (split /-/)[2]) } @many;

# --- killed right after the verdict came, and all of it forgotten at last
is(verdict('lina', $seventh, 'approve', 'killed'), 0, 'a verdict');
role_kill();
ok(state_is($seventh, 'approved', 40), 'is carried out by the next one');
is(policyd_stop(), 0, 'policyd ends');
ok(policyd_start($directory, $settings =~ s/timeout = 10;/timeout = 10; keep = 0;/r), 'and starts with no wish to remember');
ok(wait_for(40, sub { entries() == 1 && !(() = glob "$held/*.json") }), 'entries and records go') or diag(ldap_search('a', '-b', 'cn=held,o=corp'), policyd_log());
is(policyd_stop(), 0, 'policyd ends');
unlike(policyd_log(), qr/sample-moderation/, 'nothing says the password');
done_testing;
