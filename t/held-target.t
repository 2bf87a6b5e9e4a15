#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# An entry of held mail names whose administrators decide, also when that was not right at first: the mirror had not
# heard of a change when the entry was made, or a policyd was killed before it could put it right. Role held at a
# real slapd with overlay refint, under the real access rules; role sync follows it by a relay that can be stopped.
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

my ($alice, $alicia) = ($dn{alice}, "uid=alicia,ou=hr,$CORP");
my $slapd = slapd_begin();
ok(policyd_start(directory_settings(), held_settings('')), 'policyd follows slapd');
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' && (status()->{held}{directory} // '') eq 'told' }), 'all of it') or diag(policyd_log());

sub is_there { my ($id) = @_; return wait_for(30, sub { entry($id) =~ /^postroadHeldState: held/m }) }
sub is_about { my ($id, $dn) = @_; return wait_for(40, sub { target($id) eq $dn }) }
sub put_right { my ($id) = @_; return scalar(() = policyd_log() =~ /target of a held message put right in its entry id=\Q$id\E /g) }

my $person = sub { my ($name, $ou, $mail) = @_; return "dn: uid=$name,ou=$ou,$CORP\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\nuid: $name\ncn: $name\nsn: $name\nmail: $mail\@corp.example\n" };
ok(ldap_change('a', $person->('leaver', 'sales', 'desk')), 'somebody');
ok(wait_for(30, sub { lookup('mailbox', 'desk@corp.example') =~ /^OK/ }), 'of whom the mirror hears');
my $known = hold();
ok(is_there($known) && target($known) eq $alice, 'a message of alice\'s');

# --- the mirror is behind when an entry is made
my ($late, $new, $judged, $desk);
mirror_behind(sub {
    ok(moved($alice, 'uid=alicia', "ou=hr,$CORP"), 'alice has another name and department, which nobody here has heard of');
    ok(ldap_change('a', $person->('newcomer', 'hr', 'newcomer')), 'somebody is new');
    ok(ldap_change('a', "dn: uid=leaver,ou=sales,$CORP\nchangetype: delete\n\n" . $person->('follower', 'hr', 'desk')), 'somebody has somebody else\'s address, who is gone');
    ok(is_about($known, $alicia), 'refint takes the message along that was there');
    ($late, $new, $judged) = (hold(), hold(target => 'newcomer@corp.example', sender => 'newcomer@corp.example', login => ''), hold());
    $desk = hold(target => 'desk@corp.example', sender => 'desk@corp.example', login => '');
    ok(is_there($late) && is_there($new) && is_there($judged) && is_there($desk), 'more messages');
    is(target($late), $alice, 'one of hers is shown as whose she was');
    is(target($new), '', 'and one of the newcomer\'s as nobody\'s');
    is(target($desk), "uid=leaver,ou=sales,$CORP", 'and one of that address as of who is gone');
    ok(!on_disk($new)->{target_uuid}, 'whom nobody knows');
    ok(forged($judged, 'approve'), 'one has a verdict by nobody');
});
ok(is_about($late, $alicia), 'the mirror has heard of it: hers is whose she is') or diag(policyd_log());
ok(is_about($new, "uid=newcomer,ou=hr,$CORP"), 'and the newcomer\'s is his') or diag(policyd_log());
ok(is_about($desk, "uid=follower,ou=hr,$CORP"), 'and that of the address is of who has it') or diag(policyd_log());
like(on_disk($new)->{target_uuid}, qr/^[0-9a-f-]{36}$/, 'who is known for good now');
ok(wait_for(30, sub { audit_log() =~ /"action":"refused"[^\n]*id=\Q$judged\E/ }), 'the verdict is refused');
like(audit_log(), qr/"action":"refused","actor":"cn=root,o=corp"[^\n]*id=\Q$judged\E/, 'as the one\'s who gave it, for nothing else changed its entry');
ok(is_about($judged, $alicia), 'then that is put right, too') or diag(policyd_log());
is(verdict('lina', $late, 'approve', 'fine'), 0, 'whose administrator decides');
ok(state_is($late, 'approved'), 'which counts') or diag(policyd_log());
is(join(' ', map { put_right($_) } $known, $late, $new, $judged), '0 1 1 1', 'each was changed once, and not what refint had changed');

# --- the mirror is behind when entries are compared
my $marker;
mirror_behind(sub {
    ok(moved($alicia, 'uid=alice', "ou=sales,$CORP"), 'she goes back');
    ok(is_about($known, $alice), 'refint takes her message along');
    my $connected = sub { scalar(() = policyd_log() =~ /held mail is shown in the directory/g) };
    my $before = $connected->();
    slapd_stop('a', $slapd);
    $slapd = slapd_start('a');
    ok(wait_for(30, sub { $connected->() > $before }) && polls_pass(2), 'slapd was away: role held compares, and knows older names only');
    is(target($known), $alice, 'the newer one stays');
    $marker = hold();
    ok(is_there($marker) && target($marker) eq $alicia, 'one more message has the older one');
});
ok(is_about($marker, $alice), 'which is put right when the mirror has heard') or diag(policyd_log());
is(target($known), $alice, 'and the newer one stays still');
is(put_right($known), 0, 'for nobody has touched it');

# --- killed before it was put right
ok(ldap_change('a', "dn: postroadHeldId=$marker,cn=held,o=corp\nchangetype: modify\nreplace: postroadHeldTarget\npostroadHeldTarget: $alicia\n"
          . "\ndn: postroadHeldId=$known,cn=held,o=corp\nchangetype: modify\ndelete: postroadHeldTarget\n"), 'entries as a policyd leaves them that is killed at once');
ok(role_kill(), 'killed');
ok(is_about($marker, $alice) && is_about($known, $alice), 'the next one puts them right') or diag(policyd_log());
ok(ldap_change('a', "dn: $alice\nchangetype: delete\n"), 'alice goes for good');
ok(is_about($known, 'cn=nobody,o=corp'), 'and so do the names of her in entries');
is(policyd_stop(), 0, 'policyd ends');

# --- the mirror is a file's
unlink glob "$dir/state/mirror/*";
ok(policyd_start(qq(ldif = "$top/ldap-schema/two-sites.ldif"; base = "o=corp";), held_settings('')), 'policyd knows people by a file');
my $file = hold();
ok(is_there($file) && forged($file, 'approve'), 'a verdict by nobody');
ok(wait_for(30, sub { !has_verdict($file) }), 'is taken away, though nobody looks at targets again') or diag(policyd_log());
is(policyd_stop(), 0, 'policyd ends');
unlike(policyd_log(), qr/not kept up in the directory[^\n]*what=target|Sanitizer/, 'nobody complains');
done_testing;
