#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Role held at a real slapd under the real access rules: what it shows there, whose verdicts count and whose are
# taken away again, also while people are renamed, and while the mirror is behind.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Trial;
use HeldTrial;
use HeldDirectory;

-x "$top/policyd/postroad-policyd" or plan skip_all => 'not built: make';
$> == 0 or plan skip_all => 'needs root, as role queue does';
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

slapd_begin();
my $port = sink_start();
my $first = hold(attachments => ['list.xlsx', 'LIST.xlsx', "\x{8868}.pdf"]);
ok(policyd_start(directory_settings(), held_settings(qq(submit = "smtp://127.0.0.1:$port"; timeout = 10; notices = 1000;))), 'policyd follows slapd');
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
my $frank = hold(sender => 'frank@corp.example', target => 'frank@corp.example');
ok(wait_for(30, sub { state($frank) eq 'held' }), 'one of another');
mirror_behind(sub {
    ok(ldap_change('a', "dn: $dn{newcomer}\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\nuid: newcomer\ncn: N\nsn: N\nmail: newcomer\@corp.example\n"
          . "userPassword: sample-newcomer\npostroadRole: domain\npostroadRight: approve\npostroadScope: $CORP\n")
          && ldap_change('a', "dn: cn=admins,cn=roles,o=corp\nchangetype: modify\nadd: member\nmember: $dn{newcomer}\n"), 'a moderator nobody here has heard of');
    is(verdict('newcomer', $later, 'approve', 'first day'), 0, 'approves it');
    ok(polls_pass(2), 'which is heard');
    ok(has_verdict($later) && show($later)->{state} eq 'held', 'and waits, as nobody can tell yet');
    is(verdict('newcomer', $frank, 'approve', 'first day'), 0, 'so does another one');
    ok(moved("uid=frank,ou=hr,$CORP", 'uid=franklin', "ou=hr,$CORP"), 'but whom that is about is renamed');
    ok(wait_for(30, sub { !has_verdict($frank) }), 'which hides whose it is: it is taken away') or diag(entry($frank));
    ok(wait_for(30, sub { audit_log() =~ /"action":"refused"[^\n]*id=\Q$frank\E[^\n]*it can be given again/ }), 'as the audit log says') or diag(audit_log());
    is(show($frank)->{state}, 'held', 'and the message waits');
});
ok(wait_for(30, sub { target($frank) eq "uid=franklin,ou=hr,$CORP" }) && verdict('newcomer', $frank, 'approve', 'again') == 0 && state_is($frank, 'approved'), 'given again it counts') or diag(policyd_log());
ok(state_is($later, 'approved'), 'until the mirror has heard of the moderator') or diag(policyd_log());
like(audit_log(), qr/"actor":"newcomer\@corp\.example"[^\n]*id=\Q$later\E/, 'whose name is in the audit log');
is(policyd_stop(), 0, 'policyd ends');
unlike(policyd_log(), qr/sample-moderation|Sanitizer/, 'nothing says the password');
done_testing;
