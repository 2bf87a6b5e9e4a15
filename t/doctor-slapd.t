#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What postroad doctor finds out about a directory server whose configuration it can't read, by
# what the server does: a slapd.conf that is right, and then one thing after the other missing in it.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(slapd slapadd ldapmodify ldapwhoami));

my $rules = slurp("$top/ldap-schema/postroad-access.conf") =~ s/^#.*\n//mgr;
my $tree = slurp("$top/ldap-schema/two-sites.ldif");
my %dn = (liuyang => 'uid=liuyang,ou=it,dc=corp.example,ou=domains,o=corp', alice => 'uid=alice,ou=sales,dc=corp.example,ou=domains,o=corp');
spew("$dir/pw-$_", "sample-$_\n") for qw(liuyang edit alice);
chmod 0600, glob("$dir/pw-*");

# postconf sleeps over every question when there is no main.cf.
mkdir "$dir/postfix";
spew("$dir/postfix/$_.cf", '') for qw(main master);
local $ENV{MAIL_CONFIG} = "$dir/postfix";

# The daemon follows a file, so that only the servers are in trouble.
spew("$dir/tree.ldif", $tree);
ok(policyd_start(qq{ldif = "$dir/tree.ldif"; timeout = 5;}, qq{admin: { base = "o=corp"; };
    edit: { uri = "ldapi://%2Fnone"; bind_dn = "cn=edit,cn=services,o=corp"; password_file = "$dir/pw-edit"; };}), 'policyd starts');

# The findings at this server, by id, as this person.
my ($n, $code, %found) = (0);
sub doctor_at {
    my ($uri, $who) = @_;
    ($code, my $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'doctor', '--json', '--uri', $uri, '-D', $dn{$who}, '--password-file', "$dir/pw-$who");
    my ($json) = $out =~ /^(\{.*\})$/m;
    %found = ();
    $found{ $_->{id} } .= "$_->{mark} $_->{text} | " . ($_->{todo} // '') . "\n" for @{ (eval { decode_json($json // '') } // {})->{findings} };
    return;
}
sub server {
    my (%o) = @_;
    my $name = 's' . ++$n;
    slapd_conf($name, global => $o{global} // 'authz-policy to', database => $o{rules} // $rules);
    spew("$dir/$name/slapd.conf", slurp("$dir/$name/slapd.conf") =~ s/^(?:overlay|moduleload) syncprov\n//mgr) if $o{alone};
    slapd_add($name, $o{tree} // $tree);
    return ($name, slapd_start($name));
}
sub finds {
    my ($what, $id, $says) = @_;
    like($found{$id} // '', $says, $what) or diag(map { "$_: $found{$_}" } sort keys %found);
    return;
}

my ($right, $pid) = server(tree => $tree =~ s/^(mail: bob\@corp\.example\n)/$1postroadMove: to=shandong from=hebei home=- state=- step=late\n/mr);
doctor_at(Trial::uri_of($right), 'liuyang');
finds('slapd.conf that is right', 'slapd', qr/^skipped .*cn=config can't be looked at.*slapd\.conf.*postroad ldap-config print/);
finds('- its newest change', 'clock', qr/^skipped \S+ has no database monitor, and its access rules do not show you contextCSN: you are \Q$dn{liuyang}\E there/);
finds('- it tells of its changes', 'slapd-sync', qr/^ok .* can tell of its changes/);
finds('- shows nobody to strangers', 'slapd-anonymous', qr/^ok .*shows nobody to strangers/);
finds('- the daemon may act for administrators', 'edit-acts', qr/^ok .*lets cn=edit,\S+ act for administrators/);
finds('a move whose last look is due', 'moving', qr/^warning bob\@corp\.example has moved from hebei to shandong, and the last look .* not done \| postroad user move-site bob\@corp\.example shandong$/m);
finds('- and as nobody else', 'edit-bounds', qr/^ok as nobody else, and reads nothing/);
doctor_at(Trial::uri_of($right), 'alice');
finds('as a user, who sees no roles', 'edit-acts', qr/^(?:skipped .*shows you no administrator|ok )/);
spew("$dir/pw-edit", "wrong\n");
doctor_at(Trial::uri_of($right), 'liuyang');
finds('the daemon\'s password is another', 'edit-service', qr/^trouble .*could not bind as cn=edit.*\| add that entry, or set its password/);
unlink "$dir/pw-edit";
doctor_at(Trial::uri_of($right), 'liuyang');
finds('a password file that is not there', 'edit-service', qr/^skipped edit\.password_file: .*No such file/);
spew("$dir/pw-edit", "sample-edit\n");
chmod 0600, "$dir/pw-edit";
slapd_stop($right, $pid);

($right, $pid) = server(global => '', alone => 1);
doctor_at(Trial::uri_of($right), 'liuyang');
finds('authz-policy was forgotten', 'edit-acts', qr/^trouble cn=edit,\S+ may not act for (\d+) of \1 administrators.*\| see "What slapd needs for it"/);
finds('and syncprov', 'slapd-sync', qr/^trouble .*does not know the control its changes are followed by/);
finds('which also tells when it was changed last', 'clock', qr/^skipped \S+ has no database monitor, and it keeps no contextCSN, without overlay syncprov: you are \Q$dn{liuyang}\E there \| as root/);
is($code, 1, 'it counts as trouble');
slapd_stop($right, $pid);

($right, $pid) = server(tree => $tree =~ s/^authzTo: .*$/authzTo: dn.regex:^uid=[^,]+,ou=it,.+,ou=domains,o=corp\$/mr);
doctor_at(Trial::uri_of($right), 'liuyang');
finds('authzTo leaves some out', 'edit-acts', qr/^trouble .*may not act for [1-9]\d* of \d+ administrators/);
slapd_stop($right, $pid);

($right, $pid) = server(tree => $tree =~ s/^authzTo: .*$/authzTo: dn.regex:.*/mr, rules => $rules =~ s/^\s+by realdn\.exact="cn=edit[^\n]*\n//mgr);
doctor_at(Trial::uri_of($right), 'liuyang');
finds('authzTo names everybody', 'edit-bounds', qr/^warning .*may act for services, such as cn=postroad-doctor/m);
finds('and the rules that bound it are not there', 'edit-bounds', qr/^warning whoever has the password of cn=edit\S* reads the directory/m);
slapd_stop($right, $pid);

($right, $pid) = server(rules => "access to attrs=userPassword by * auth\naccess to * by * read\n");
doctor_at(Trial::uri_of($right), 'liuyang');
finds('people for everybody', 'slapd-anonymous', qr/^warning .*shows people to anybody who asks: \S+/);
slapd_stop($right, $pid);

($right, $pid) = server(rules => '');
doctor_at(Trial::uri_of($right), 'liuyang');
finds('no rules at all', 'slapd-anonymous', qr/^trouble .*shows password hashes to anybody/);
slapd_stop($right, $pid);
done_testing();
