#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Domains, departments, lists, administrators and sites, changed by `postroad` in a real slapd: what
# each verb does, what it refuses and which rule it names, that --dry-run changes nothing and prints
# LDIF that could be loaded, that nothing is destroyed without being asked, and that what was
# interrupted half way is mended by doing it again.
use strict;
use warnings;
use File::Basename qw(dirname);
use IO::Socket::UNIX;
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use Socket qw(MSG_DONTWAIT);
use Test::More;
use Trial;

plan(skip_all => 'ctl/postroad is not built') unless -x "$top/ctl/postroad";
needs(qw(slapd slapadd ldapmodify ldapsearch));

slapd_conf('a', global => 'sizelimit unlimited');
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = slapd_start('a');
my $uri = Trial::uri_of('a');
spew("$dir/password", "secret\n");
chmod 0600, "$dir/password";
spew("$dir/postroad.conf", qq(site = "hebei"; directory: { uri = "$uri"; base = "o=corp"; };\n)
    . qq(sockets: { control = "unix:$dir/none"; };\n));

my ($rc, $out);
sub postroad {
    my @who = ('-D', 'cn=root,o=corp', '--password-file', "$dir/password");
    ($rc, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", @who, @_);
    return $out;
}

# A call, its exit code, and what it says.
sub does {
    my ($code, $says, @call) = @_;
    my $name = join ' ', @call;
    postroad(@call);
    is($rc, $code, "$name: exit code") or diag($out);
    like($out, $says, "$name: what it says");
    return;
}

sub json { return decode_json(postroad(@_, '--json')) }
sub whole { return ldap_search('a', '-b', 'o=corp') }
sub entry { my ($dn) = @_; return ldap_search('a', '-b', $dn, '-s', 'base') }

# With --dry-run nothing changes; loaded, what it prints does.
sub dry {
    my (@call) = @_;
    my $before = whole();
    my $ldif = postroad(@call, '--dry-run');
    is($rc, 0, "@call --dry-run");
    is(whole(), $before, "@call --dry-run: changes nothing");
    ok(ldap_change('a', $ldif), "@call: the LDIF can be loaded") or diag($ldif);
    return;
}

# --- domains
does(0, qr/^added domain new\.example$/m, qw(domain add New.Example --site hebei --quota 10G --alias), '驿.example');
like(entry('dc=new.example,ou=domains,o=corp'), qr/^associatedDomain: xn--ng6a\.example$/m, 'an alias domain, in the form DNS uses');
like(entry('dc=new.example,ou=domains,o=corp'), qr/^postroadQuota: 10737418240$/m, 'the quota in bytes');
does(1, qr/new\.example is taken: dc=new\.example,/, qw(domain add new.example));
does(1, qr/posts\.example is taken: dc=post\.example,.*belongs to one entry only/, qw(domain modify new.example --alias posts.example));
does(1, qr/is the domain itself, only alias domains/, qw(domain modify new.example --remove-alias new.example));
does(2, qr/is no domain name/, qw(domain add not_a..name));
does(1, qr/there is no site "nowhere"/, qw(domain modify new.example --site nowhere));
does(2, qr/--quota takes bytes/, qw(domain modify new.example --quota 1x));
does(2, qr/"fax" can't be withheld: known are imap pop/, qw(domain modify new.example --deny fax));
does(2, qr/moving.*user move-site|takes active, suspended or disabled; "user move-site"/, qw(domain modify new.example --state moving));
does(2, qr/what is to be changed/, qw(domain modify new.example));
dry(qw(domain modify new.example --deny pop --deny imap --catch-all), 'Bob@Corp.example');
is(json(qw(domain show new.example))->{catch_all}, 'bob@corp.example', 'the catch-all, in its canonical form');
does(0, qr/changed domain/, qw(domain modify new.example --allow pop --quota), '');
does(0, qr/changed domain/, qw(domain modify new.example --spoof Reject));
is(json(qw(domain show new.example))->{forged_senders}, 'reject', 'what becomes of forged senders');
does(2, qr/--spoof is off, tag, quarantine or reject, not maybe/, qw(domain modify new.example --spoof maybe));
does(0, qr/changed domain/, qw(domain modify new.example --spoof), '');
is(json(qw(domain show new.example))->{forged_senders}, undef, 'nothing any more');
does(0, qr/changed domain/, qw(domain modify new.example --limit messages/hour=100 --limit size=10M --limit), 'total messages/day=5000');
does(0, qr/changed domain/, qw(domain modify new.example --limit messages/hour=50 --limit size=));
is_deeply([ sort @{ json(qw(domain show new.example))->{limits} } ], ['messages/hour 50', 'total messages/day 5000'], 'one limit of a kind takes the place of the other');
does(2, qr/--limit "messages\/minute=1": known are messages\/hour, /, qw(domain modify new.example --limit messages/minute=1));
does(2, qr/that kind was given before/, qw(domain modify new.example --limit size=1 --limit size=2));
does(0, qr/changed domain/, qw(domain modify new.example --limit messages/hour= --limit), 'total messages/day=');
is_deeply(json(qw(domain show new.example))->{withheld}, ['imap'], 'one function is given back');
is(json(qw(domain show new.example))->{quota}, undef, 'an empty value takes the setting away');
is_deeply([map { $_->{name} } @{ json(qw(domain list))->{domains} }], [qw(corp.example post.example new.example)], 'all domains');

# A home site that changes above mailboxes does not move them.
does(2, qr/The mail of 14 accounts will go to shandong.*mailboxes stay at hebei.*move-site.*nothing was changed/s,
    qw(domain modify corp.example --site shandong));
does(0, qr/changed domain/, qw(domain modify corp.example --site HEBEI));

# --- departments
does(0, qr/^added department/, 'department', 'add', 'new.example/部门');
does(0, qr/^added department/, 'department', 'add', 'new.example/部门/a, b+c', '--site', 'shandong');
like(postroad('department', 'show', 'new.example/部门/a, b+c'), qr/^home site +shandong$/m, 'a name that needs escapes');
does(1, qr/already/, 'department', 'add', 'new.example/部门');
does(1, qr/there is no domain "none\.example"/, 'department', 'add', 'none.example/x');
does(2, qr/write DOMAIN\/NAME/, 'department', 'add', 'x');
like(postroad(qw(department show corp.example/jinan)), qr/^dn +ou=jinan,ou=east,.*^home site +shandong, from corp\.example\/sales\/east$/ms,
    'found by its name alone, with what it inherits and from where');
does(1, qr/not empty: 1 entry stands directly below it, ou=a/, 'department', 'delete', 'new.example/部门', '--yes');
does(2, qr/Delete department.*Nobody can be asked here: nothing was changed/s, 'department', 'delete', 'new.example/部门/a, b+c');
like(postroad(qw(department list new.example)), qr/a, b\+c/, 'it is still there');
does(0, qr/deleted department/, 'department', 'delete', 'new.example/部门/a, b+c', '--yes');

# What names people below follows them.
dry(qw(department move corp.example/sales/east corp.example/hr));
ldap_change('a', "dn: ou=east,ou=hr,dc=corp.example,ou=domains,o=corp\nchangetype: modrdn\nnewrdn: ou=east\n"
    . "deleteoldrdn: 1\nnewsuperior: ou=sales,dc=corp.example,ou=domains,o=corp\n");
ldap_change('a', "dn: cn=all,dc=corp.example,ou=domains,o=corp\nchangetype: modify\n"
    . "add: member\nmember: uid=bob,ou=east,ou=sales,dc=corp.example,ou=domains,o=corp\n-\n"
    . "delete: member\nmember: uid=bob,ou=east,ou=hr,dc=corp.example,ou=domains,o=corp\n");
does(2, qr/corp\.example\/sales becomes corp\.example\/Vertrieb, with 8 accounts and 0 lists/, qw(department rename corp.example/sales Vertrieb));
does(0, qr/is corp\.example\/Vertrieb now/, qw(department rename corp.example/sales Vertrieb --yes));
unlike(whole(), qr/ou=sales/, 'nothing names the old place any more');
like(entry('cn=admins,cn=roles,o=corp'), qr/^member: uid=wangfang,ou=Vertrieb,/m, 'the gate group follows');
is(json(qw(admin list))->{trouble}[0], undef, 'and so do scopes: nothing is wrong with administrators');
does(1, qr/can't be moved into itself/, qw(department move corp.example/Vertrieb corp.example/Vertrieb/east));
does(1, qr/4 accounts of corp\.example\/hr|accounts of corp\.example\/hr have their home site "hebei" from above; at the new place it would be "shandong".*--site hebei/s,
    qw(department move corp.example/hr post.example --yes));
does(0, qr/changed department/, qw(department modify corp.example/hr --site hebei));
does(0, qr/is post\.example\/hr now/, qw(department move corp.example/hr post.example --yes));
does(0, qr/is corp\.example\/hr now/, qw(department move post.example/hr corp.example --yes));

# --- lists
does(0, qr/^added list new\@corp\.example$/m, qw(list add New@corp.example --member bob@corp.example --member y@z.example),
    qw(--owner lina@corp.example --sender members --alias), '新@corp.example');
my $list = json(qw(list show new@corp.example));
like($list->{members}[0], qr/^uid=bob,/, 'a member of ours, by entry');
is_deeply($list->{addresses}, ['y@z.example'], 'one from outside, by address');
is_deeply($list->{aliases}, ["\x{65b0}\@corp.example"], 'a UTF-8 alias');
does(1, qr/new\@corp\.example (?:is taken|belongs)/, qw(list add new@corp.example));
does(1, qr/alice\@corp\.example (?:is taken|belongs)/, qw(list modify new@corp.example --alias ALICE@corp.example));
does(2, qr/is no mail address/, qw(list add new));
does(1, qr/there is no domain "z\.example"/, qw(list add all@z.example));
does(2, qr/a primary address is ASCII/, 'list', 'add', '新@corp.example');
does(1, qr/nobody has the address none\@corp\.example, but its domain is ours/, qw(list member add new@corp.example none@corp.example));
does(0, qr/^added 2 to/, qw(list member add new@corp.example alice@corp.example x@z.example));
does(0, qr/nothing to do/, qw(list member add new@corp.example alice@corp.example));
does(0, qr/^alice\@corp\.example +Alice Wang$/m, qw(list member list new@corp.example));
does(0, qr/^removed 4 from/, qw(list member remove new@corp.example), map { "$_.example" } qw(alice@corp bob@corp x@z y@z));
does(1, qr/bob\@corp\.example is no member of/, qw(list member remove new@corp.example bob@corp.example));
does(0, qr/^changed list/m, qw(list modify new@corp.example --mail newer@corp.example --sender anyone --remove-owner lina@corp.example));
does(1, qr/there is no list "new\@corp\.example"/, qw(list delete new@corp.example --yes));
does(2, qr/nothing was changed/, qw(list delete newer@corp.example));
does(0, qr/^deleted list/, qw(list delete newer@corp.example --yes));

# --- administrators
does(2, qr/is no role/, qw(admin grant bob@corp.example boss));
does(2, qr/needs at least one --scope/, qw(admin grant bob@corp.example domain));
does(2, qr/no --scope/, qw(admin grant bob@corp.example system --scope corp.example));
does(2, qr/"all" is no right/, qw(admin grant bob@corp.example domain --scope corp.example --right all));
does(1, qr/there is no account "none\@corp\.example"/, qw(admin grant none@corp.example system));
does(1, qr/is no entry/, 'admin', 'grant', 'bob@corp.example', 'domain', '--scope', 'dc=none,ou=domains,o=corp');
does(0, qr/is a department administrator now/, qw(admin grant bob@corp.example department),
    '--scope', 'corp.example/hr', '--scope', 'corp.example/it', '--right', 'read-mail');
like(entry('cn=admins,cn=roles,o=corp'), qr/^member: uid=bob,/m, 'he is in the gate group');
my ($bob) = grep { $_->{address} eq 'bob@corp.example' } @{ json(qw(admin list))->{admins} };
is_deeply([sort @{ $bob->{scopes} }], [map { "ou=$_,dc=corp.example,ou=domains,o=corp" } qw(hr it)], 'with two scopes');
does(2, qr/is a department administrator already and becomes a domain one/, qw(admin grant bob@corp.example domain --scope corp.example));
does(0, qr/is a domain administrator now/, qw(admin grant bob@corp.example domain --scope corp.example --yes));
($bob) = grep { $_->{address} eq 'bob@corp.example' } @{ json(qw(admin list))->{admins} };
is_deeply([@$bob{qw(role scopes rights)}], ['domain', ['dc=corp.example,ou=domains,o=corp'], []], 'what was not said again is gone');
my $bob_dn = 'uid=bob,ou=east,ou=Vertrieb,dc=corp.example,ou=domains,o=corp';
my $gate = 'cn=admins,cn=roles,o=corp';

# Interrupted half way: seen, and mended by doing it again.
ldap_change('a', "dn: $gate\nchangetype: modify\ndelete: member\nmember: $bob_dn\n");
does(1, qr/uid=bob,.* has a role, but is not in the gate group.*mend it: postroad admin grant bob/s, qw(admin list));
does(0, qr/now/, qw(admin grant bob@corp.example domain --scope corp.example));
does(0, qr/^bob\@corp\.example +domain +corp\.example/m, qw(admin list));
ldap_change('a', "dn: $bob_dn\nchangetype: modify\ndelete: postroadRole\n-\ndelete: postroadScope\n");
does(1, qr/uid=bob,.* is in the gate group, but has no role.*mend it: postroad admin revoke '\Q$bob_dn\E'/s, qw(admin list));
does(0, qr/administers nothing any more/, 'admin', 'revoke', $bob_dn, '--yes');
unlike(entry($gate), qr/uid=bob/, 'he is out of the gate group');
ldap_change('a', "dn: $gate\nchangetype: modify\nadd: member\nmember: uid=gone,o=corp\n");
does(1, qr/uid=gone,o=corp is in the gate group, but has no role, or is gone/, qw(admin list));
does(0, qr/is in the gate group no more/, 'admin', 'revoke', 'uid=gone,o=corp', '--yes');
ldap_change('a', "dn: uid=zhoujie,ou=jinan,dc=post.example,ou=domains,o=corp\nchangetype: modify\n"
    . "add: postroadScope\npostroadScope: dc=gone,o=corp\n");
does(1, qr/has the scope dc=gone,o=corp, which is no entry/, qw(admin list));
does(0, qr/now/, qw(admin grant zhoujie@post.example domain --scope post.example));
dry(qw(admin grant alice@corp.example department --scope corp.example/hr));
does(0, qr/^alice\@corp\.example +department/m, qw(admin list));
does(2, qr/Take the role "department".*nothing was changed/s, qw(admin revoke alice@corp.example));
dry(qw(admin revoke alice@corp.example));
does(0, qr/^(?!.*alice)/s, qw(admin list));

# --- sites
like(postroad(qw(site list)), qr/^  hebei\/mx2 +down +mx2\.hebei\.example/m, 'sites and their servers');
does(2, qr/delivered at their standby site \(shandong.*nothing was changed/s, qw(site failover hebei));
dry(qw(site failover hebei));
does(0, qr/failed-over already/, qw(site failover hebei));
does(1, qr/hebei is failed over itself: restore it first/, qw(site failover shandong --yes));
does(2, qr/bring it home with doveadm sync/, qw(site restore hebei));
does(0, qr/^hebei: up$/m, qw(site restore hebei --yes));
does(2, qr/No other server of the site is up/, qw(site drain hebei/mx1));
does(0, qr/^hebei\/mx2: up$/m, qw(site up hebei/mx2));
does(0, qr/^hebei\/mx1: drain$/m, qw(site drain hebei/mx1));
does(0, qr/^hebei\/mx1: up$/m, qw(site up hebei/mx1));
does(2, qr/write SITE\/SERVER/, qw(site drain mx1));
does(1, qr/there is no server "hebei\/mx9"/, qw(site drain hebei/mx9));
is(json(qw(site show hebei))->{standby_site}, 'shandong', 'one site');

# Whoever looks next finds since when, by whom and why; what others wrote at the entry stays.
does(0, qr/^hebei\/mx1: drain$/m, qw(site drain hebei/mx1 --reason), 'a disk is replaced, 周一');
my $since = qr/drain since \d{4}-\d\d-\d\d \d\d:\d\d UTC by cn=root,o=corp: a disk is replaced, 周一/;
like(postroad(qw(site list)), qr/^  hebei\/mx1 +drain .*$since$/m, 'the reason in the list');
like(json(qw(site show hebei/mx1))->{why}, qr/^drain since .* a disk is replaced/, 'in JSON');
does(0, qr/^hebei\/mx1: drain$/m, qw(site drain hebei/mx1 --reason later));
unlike(postroad(qw(site list)), qr/disk/, 'one reason at a time');
does(0, qr/changed site hebei\/mx1/, qw(site modify hebei/mx1 --description), 'In the cellar');
is_deeply([sort map { s/ since.*: / since … /r } @{ json(qw(site show hebei/mx1))->{description} }],
    ['In the cellar', 'postroad: drain since … later'], 'a description of ours and one of theirs');
does(0, qr/^hebei\/mx1: up$/m, qw(site up hebei/mx1));
is_deeply(json(qw(site show hebei/mx1))->{description}, ['In the cellar'], 'up again, nothing is to be explained');
does(2, qr/at most 500 bytes/, qw(site drain hebei/mx1 --reason), '');
does(2, qr/one line/, qw(site drain hebei/mx1 --reason), "a\nb");

SKIP: {
    skip 'to look at /dev/log needs root and unshare(1)', 2 unless $> == 0 && (run('', qw(unshare -m true)))[0] == 0;
    my $log = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/syslog") or die "$dir/syslog: $!";
    my $inside = 'mount -t tmpfs none /dev && mknod /dev/null c 1 3 && ln -s "$0" /dev/log && exec "$@"';
    ($rc, $out) = run('', qw(unshare -m sh -c), $inside, "$dir/syslog", "$top/ctl/postroad", '-c', "$dir/postroad.conf", '-D', 'cn=root,o=corp',
        '--password-file', "$dir/password", qw(site up hebei/mx1 --reason), 'the disk is in');
    is($rc, 0, 'with a log to look at') or diag($out);
    my $line = '';
    $log->recv($line, 4096, MSG_DONTWAIT);
    like($line, qr/postroad\b.*: site up dn="cn=mx1,cn=hebei,cn=sites,o=corp" by="cn=root,o=corp" reason="the disk is in"/, 'the reason is in the log');
    does(0, qr/./, qw(site drain hebei/mx1));
    does(0, qr/^hebei\/mx1: up$/m, qw(site up hebei/mx1));
}

# Sites and servers themselves.
my $print = join ':', ('ab') x 32;
does(0, qr/^added site henan$/m, qw(site add Henan --standby hebei --place), '河南', '--certificate', $print);
does(1, qr/there is a site henan already/, qw(site add henan));
does(2, qr/is no name for a site/, qw(site add he+nan));
does(2, qr/--host is for a server/, qw(site modify henan --host x.example));
does(2, qr/--standby is for a site/, qw(site add henan/mx1 --standby hebei));
dry(qw(site add henan/mx1 --host MX1.henan.example), '--next-hop', '10 relay:[192.0.2.3]:25', '--next-hop', '20  relay:[192.0.2.4]:25');
my $mx1 = json(qw(site show henan/mx1));
is_deeply([$mx1->{host}, @{ $mx1->{next_hops} }], ['mx1.henan.example', '10 relay:[192.0.2.3]:25', '20 relay:[192.0.2.4]:25'], 'a server');
is_deeply(json(qw(site show henan))->{certificates}, [uc $print], 'a certificate, as it is compared');
does(1, qr/there is no site "hainan"/, qw(site add hainan/mx1));
does(2, qr/is no next hop: write priority/, qw(site modify henan/mx1 --next-hop), '192.0.2.1');
does(2, qr/is no fingerprint: openssl/, qw(site modify henan --certificate ab:cd));
does(1, qr/belongs to another site already: cn=mx1,cn=hebei,/, qw(site modify henan/mx1 --next-hop), '5 smtp:[10.77.0.1]:2525');
does(1, qr/belongs to another site already: cn=mx1,cn=hebei,/, qw(site modify henan/mx1 --host MX1.hebei.example));
does(1, qr/belongs to another site already: cn=henan,/, qw(site modify hebei --certificate), $print);
does(0, qr/changed site henan/, 'site', 'modify', 'henan/mx1', '--certificate', $print, '--remove-next-hop', '20 relay:[192.0.2.4]:25');
does(2, qr/No next hop of the site is left.*nothing was changed/s, qw(site modify henan/mx1 --remove-next-hop), '10 relay:[192.0.2.3]:25');
does(0, qr/changed site/, qw(site modify henan/mx1 --next-hop), '7 relay:[192.0.2.7]:25', '--remove-next-hop', '10 relay:[192.0.2.3]:25');
does(2, qr/what is to be changed/, qw(site modify henan));
does(0, qr/changed site henan$/m, qw(site modify henan --remove-certificate), $print, '--place', '');
is_deeply([@{ json(qw(site show henan)) }{qw(place certificates)}], [undef, []], 'taken away again');
does(0, qr/changed domain/, qw(domain modify new.example --site henan));
does(1, qr/site henan is not empty: 1 entry stands directly below it|1 entries name henan as their home or standby site, dc=new\.example/,
    qw(site delete henan --yes));
does(2, qr/No next hop of the site is left|Delete server henan\/mx1/, qw(site delete henan/mx1));
does(0, qr/deleted server henan\/mx1/, qw(site delete henan/mx1 --yes));
does(1, qr/entries name henan as their home or standby site, dc=new\.example/, qw(site delete henan --yes));
does(0, qr/changed domain/, qw(domain modify new.example --site hebei));
does(1, qr/entries name shandong as their/, qw(site delete shandong --yes));
does(1, qr/is the site that this configuration is for/, qw(site delete hebei --yes));
does(0, qr/deleted site henan/, qw(site delete henan --yes));

# --- where domains go, and directories of other kinds
{
    my $conf = slurp("$dir/postroad.conf");
    spew("$dir/postroad.conf", $conf . qq(rights: { domains = "ou=mail,o=corp"; };\n));
    does(0, qr/added domain placed\.example/, qw(domain add placed.example));
    like(entry('dc=placed.example,ou=mail,o=corp'), qr/^associatedDomain: placed\.example$/m, 'a domain goes where rights.domains says, which is made');
    does(0, qr/ou=domains,o=corp is not below ou=mail,o=corp \(rights\.domains\): only system administrators.*added/s,
        qw(domain add other.example --under), 'ou=domains,o=corp');
    does(0, qr/deleted/, qw(domain delete other.example --yes));
    does(0, qr/deleted/, qw(domain delete placed.example --yes));
    for my $preset (qw(iredmail univention)) {
        spew("$dir/postroad.conf", $conf =~ s/directory: \{/directory: { preset = "$preset";/r);
        does(2, qr/directory\.preset is $preset: new $_->[0] are made by the tools of that directory.*postroad user modify/s, @$_[1 .. $#$_])
            for [qw(people user add x@a.example)], [qw(people user import none.csv)], [qw(domains domain add x.example)], [qw(lists list add x@a.example)];
    }
    spew("$dir/postroad.conf", $conf);
}

# --- the end of a domain
does(1, qr/domain new\.example is not empty/, qw(domain delete new.example --yes));
does(0, qr/deleted/, 'department', 'delete', 'new.example/部门', '--yes');
does(0, qr/deleted domain new\.example/, qw(domain delete new.example --yes));

# --- the server has the last word
{
    my @who = ('-D', 'uid=alice,ou=Vertrieb,dc=corp.example,ou=domains,o=corp', '--password-file', "$dir/alice");
    spew("$dir/alice", "sample-alice\n");
    chmod 0600, "$dir/alice";
    ($rc, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", @who, qw(domain modify corp.example --quota 1));
    is($rc, 1, 'somebody without a role changes nothing');
    like($out, qr/could not change .*: .*allow/i, 'and is told so') or diag($out);
}
# --- under the directory's own access rules: whoever may, may, and doing half of it is no way around
{
    slapd_conf('b', global => 'sizelimit unlimited', database => "include $top/ldap-schema/postroad-access.conf");
    slapd_add('b', slurp("$top/ldap-schema/two-sites.ldif"));
    my $other = slapd_start('b');
    my ($uri_b, $domains) = (Trial::uri_of('b'), 'dc=corp.example,ou=domains,o=corp');
    my $as = sub {
        my ($uid, $department, @call) = @_;
        spew("$dir/$uid", "sample-$uid\n");
        chmod 0600, "$dir/$uid";
        ($rc, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", '--uri', $uri_b, '-D', "uid=$uid,ou=$department,$domains",
            '--password-file', "$dir/$uid", @call);
        return $rc;
    };
    my @grant = qw(admin grant alice@corp.example department --scope corp.example/sales);
    is($as->('lina', 'hr', @grant), 0, 'a domain administrator makes a department administrator') or diag($out);
    is($as->('lina', 'hr', qw(admin list)), 0, 'and all is whole') or diag($out);
    is($as->('lina', 'hr', qw(admin revoke alice@corp.example --yes)), 0, 'and takes it from her') or diag($out);
    is($as->('lina', 'hr', qw(admin list)), 0, 'and all is whole') or diag($out);
    is($as->('lina', 'hr', qw(admin grant alice@corp.example domain --scope corp.example)), 1, 'but makes no domain administrator');
    like($out, qr/access rules do not allow/, 'and is told so');
    is($as->('lina', 'hr', qw(admin grant alice@corp.example department --scope post.example)), 1, 'nor one of another domain');
    is($as->('wangfang', 'sales', @grant), 1, 'a department administrator makes none');
    is($as->('alice', 'sales', @grant), 1, 'least of all herself');
    is($as->('lina', 'hr', qw(department add corp.example/new)), 0, 'a domain administrator makes a department') or diag($out);
    is($as->('wangfang', 'sales', qw(department add corp.example/sales/new)), 1, 'a department administrator does not');
    is($as->('lina', 'hr', qw(list add new@corp.example --member bob@corp.example)), 0, 'a list') or diag($out);
    is($as->('lina', 'hr', qw(domain modify corp.example --quota 1)), 1, 'but not the own domain');
    is($as->('lina', 'hr', qw(site failover hebei --yes)), 1, 'nor sites');
    is($as->('lina', 'hr', qw(site add henan)), 1, 'nor makes any');
    is($as->('zhangwei', 'it', qw(site add henan)), 0, 'a system administrator does') or diag($out);
    is($as->('zhangwei', 'it', qw(site failover hebei --yes --reason flood)), 0, 'a system administrator does') or diag($out);
    slapd_stop('b', $other);
}
slapd_stop('a', $slapd);
does(75, qr/server|connect/, qw(domain list));
done_testing;
