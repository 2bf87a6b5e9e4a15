#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `postroad ldap-config`: the files beside access.in are what it prints; both forms say the same;
# a slapd with cn=config that people already use gets the rules by diff and apply, keeps its own,
# is left alone the second time, and goes back by the file that apply wrote.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use LdapWire;
use Test::More;
use Trial;

my $S = "$top/ldap-schema";
plan(skip_all => 'postroad is not built') unless -x "$top/ctl/postroad";

spew("$dir/postroad.conf", <<"CONF");
site = "hebei";
state_dir = "$dir";
directory: { uri = "@{[ Trial::uri_of('b') ]}"; base = "o=corp"; };
CONF

sub postroad {
    my (@args) = @_;
    return run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", '--template', "$S/access.in", 'ldap-config', @args);
}

# --- what it prints

mkdir "$dir/made";
my ($rc, $out) = run('', "$S/mkconfig", "$dir/made");
is($rc, 0, 'mkconfig makes the samples') or diag($out);
for my $file (map { s{.*/}{}r } sort glob "$dir/made/*") {
    is(slurp("$S/$file"), slurp("$dir/made/$file"), "$file is what access.in makes");
}

sub rules_of_conf {
    my ($text) = @_;
    $text =~ s/^#.*\n//mg;
    $text =~ s/\n[ \t]+/ /g;
    return [$text =~ /^access (.*)$/mg];
}

sub rules_of_ldif {
    my ($text) = @_;
    $text =~ s/^#.*\n//mg;
    $text =~ s/\n //g;
    return [map { s/ +/ /gr } $text =~ /^olcAccess: \{\d+\}(.*)$/mg];
}

my $rules = rules_of_conf(slurp("$S/postroad-access.conf"));
cmp_ok(scalar @$rules, '>', 40, 'there are rules');
is_deeply(rules_of_ldif(slurp("$S/postroad-access.ldif")), $rules, 'the two forms say the same');

# --- names that are filled in, and such that can't be

($rc, $out) = postroad(qw(print --part access --base), 'DC=Example, dc=COM', '--gate', 'cn=Mail Admins,ou=groups,dc=example,dc=com');
is($rc, 0, 'another tree');
like($out, qr/dn\.children="ou=domains,dc=example,dc=com"/, 'the base is normalised, as text in sets must be');
like($out, qr{member\.exact="cn=mail admins,ou=groups,dc=example,dc=com"}, 'another gate');
unlike($out, qr/corp|\@[A-Z_]+\@/, 'nothing of the sample is left in it');
($rc, $out) = postroad(qw(print --json --format ldif --part index));
is_deeply([$rc, (decode_json($out)->{text} // '') =~ /^add: olcDbIndex/m], [0, 1], '--json');

my %refused = (
    'a base with a bracket' => [['--base', 'o=a]b'], qr/can't stand in an access rule/],
    'a base with a quote' => [['--base', 'o=a"b'], qr/can't stand in an access rule/],
    'a base that is no name' => [['--base', 'corp'], qr/can't stand in an access rule/],
    'a services DN that ends the set' => [['--services', 'cn=x] | user | [o=corp'], qr/can't stand/],
    'a part nobody knows' => [['--part', 'acces'], qr/--part acces: there is none; there are /],
    'a format nobody knows' => [['--format', 'yaml'], qr/conf or ldif/],
    'replication without a number' => [['--peer', '2=ldap://b.example'], qr/--server-id/],
    'replication with nobody' => [['--server-id', '1', '--part', 'replication'], qr/--peer/],
    'a peer without a number' => [['--server-id', '1', '--peer', 'ldap://b.example'], qr/ID=URI/],
    'a peer that is a pattern' => [['--server-id', '1', '--peer', '2=ldap://.*'], qr/no host name/],
    'a server number beyond the limit' => [['--server-id', '5000', '--peer', '2=ldap://b.example'], qr/1 to 4095/],
    'a further argument' => [['access'], qr/no further argument/],
    'an option of another verb' => [['--reason', 'x'], qr/does not take --reason/],
);
for my $what (sort keys %refused) {
    ($rc, $out) = postroad('print', @{ $refused{$what}[0] });
    ok($rc == 2 && $out =~ $refused{$what}[1], "refused: $what") or diag("$rc $out");
}

my %broken = (
    'a name nobody gave' => "[access]\naccess to \@NOBODY\@\n\tby * none\n",
    'a line before the first part' => "access to * by * none\n",
    'a let without a text' => "let X\n",
    'a part without an end' => "[access\n",
);
for my $what (sort keys %broken) {
    spew("$dir/broken.in", "# head\n$broken{$what}");
    ($rc, $out) = run('', "$top/ctl/postroad", qw(ldap-config print -c), "$dir/postroad.conf", '--template', "$dir/broken.in");
    ok($rc == 2 && $out =~ m{broken\.in:[234]: }, "a template with $what: file, line and why") or diag($out);
}
spew("$dir/broken.in", "[access]\nacces to * by * none\n");
($rc, $out) = run('', "$top/ctl/postroad", qw(ldap-config print --part access -c), "$dir/postroad.conf", '--template', "$dir/broken.in");
ok($rc == 2 && $out =~ /no place for: acces to/, 'a directive nobody knows') or diag($out);
($rc, $out) = run('', "$top/ctl/postroad", qw(ldap-config print -c), "$dir/postroad.conf", '--template', "$dir/nowhere.in");
ok($rc == 2 && $out =~ /nowhere\.in: No such file/, 'no template') or diag($out);

# --- a server that is in use

my ($missing) = grep { my $p = $_; !grep { -x "$_/$p" } split /:/, $ENV{PATH} } qw(slapd slapadd slaptest ldapmodify ldapsearch);
if ($missing) {
    note("$missing is not installed: no server is tried");
    done_testing();
    exit;
}

# The schema as it was before held mail.
sub older_schema {
    my $text = slurp("$S/postroad.ldif") =~ s/\n //gr;
    return $text =~ s/^olc(?:AttributeTypes|ObjectClasses): .* NAME 'postroadHeld.*\n//mgr;
}

# Like Debian's, with a session log and a rule of the administrators' own.
sub config_start {
    my ($schemas) = grep { -e "$_/core.ldif" } '/etc/ldap/schema', '/etc/openldap/schema';
    my ($modules) = grep { glob "$_/back_mdb*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap';
    my $me = "gidNumber=" . ($) + 0) . "+uidNumber=$>,cn=peercred,cn=external,cn=auth";
    my $include = join '', map { "include: file://$schemas/$_.ldif\n" } qw(core cosine inetorgperson);
    my $module = $modules ? "dn: cn=module{0},cn=config\nobjectClass: olcModuleList\ncn: module{0}\n"
        . "olcModulePath: $modules\nolcModuleLoad: back_mdb\nolcModuleLoad: syncprov\n\n" : '';
    mkdir "$dir/b";
    mkdir "$dir/b/$_" for qw(db config);
    spew("$dir/b/init.ldif", <<"LDIF");
dn: cn=config
objectClass: olcGlobal
cn: config

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

$include
include: file://$dir/postroad.ldif

${module}dn: olcDatabase=config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: config
olcAccess: to * by dn.exact=$me manage by * break
olcRootDN: cn=admin,cn=config
olcRootPW: secret

dn: olcDatabase=mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: mdb
olcSuffix: o=corp
olcDbDirectory: $dir/b/db
olcRootDN: cn=root,o=corp
olcRootPW: secret
olcDbIndex: objectClass eq
olcDbIndex: cn,uid eq
olcDbIndex: member,ou eq
olcAccess: to attrs=userPassword by self write by anonymous auth by * none
olcAccess: to attrs=description by self write by * read
olcAccess: to * by * read

dn: olcOverlay=syncprov,olcDatabase={1}mdb,cn=config
objectClass: olcSyncProvConfig
olcOverlay: syncprov
olcSpSessionlog: 100
LDIF
    my ($bad, $text) = run('', 'slapadd', '-n0', '-F', "$dir/b/config", '-l', "$dir/b/init.ldif");
    BAIL_OUT("slapadd: $text") if $bad;
    ($bad, $text) = run('', 'slapadd', '-q', '-b', 'o=corp', '-F', "$dir/b/config", '-l', "$S/two-sites.ldif");
    BAIL_OUT("slapadd: $text") if $bad;
    return server_start();
}

sub server_start {
    my $pid = Trial::spawn("$dir/b/log", 'slapd', '-d', '0', '-h', Trial::uri_of('b'), '-F', "$dir/b/config");
    wait_for(30, sub { -S "$dir/b/sock" && (run('', qw(ldapwhoami -x -H), Trial::uri_of('b')))[0] == 0 })
        or BAIL_OUT('slapd does not start: ' . slurp("$dir/b/log"));
    return $pid;
}

# The settings of the database and its overlays, numbers and operational attributes left out.
sub settings {
    my $text = (run('', qw(ldapsearch -LLL -Q -Y EXTERNAL -o ldif_wrap=no -H), Trial::uri_of('b'), '-b',
        'olcDatabase={1}mdb,cn=config'))[1];
    return [sort grep { /^olc/ } map { s/^(\w+: )\{\d+\}/$1/r } split /\n/, $text];
}

my $alice = 'uid=alice,ou=sales,dc=corp.example,ou=domains,o=corp';

# What a department administrator gets for setting a quota, and for taking the highest role.
sub as_administrator {
    my $ldap = LdapWire->new("$dir/b/sock", 'uid=wangfang,ou=sales,dc=corp.example,ou=domains,o=corp', 'sample-wangfang');
    return join ' ', $ldap->modify($alice, [replace => 'postroadQuota', 5]), $ldap->modify($alice, [add => 'postroadRole', 'system']);
}

spew("$dir/postroad.ldif", older_schema());
my $pid = config_start();
my $before = settings();
for my $verb (['diff'], ['apply', '--yes', '--backup', "$dir/never.ldif"]) {
    ($rc, $out) = postroad(@$verb);
    ok($rc == 1 && $out =~ /does not know 'postroadHeld\w+': the schema that is loaded there is of an older version/, "$verb->[0] with an older schema says so") or diag("$rc $out");
}
is_deeply(settings(), $before, 'nothing was changed');
ok(!-e "$dir/never.ldif", 'nothing is to be undone');
my ($schema) = (run('', qw(ldapsearch -LLL -Q -Y EXTERNAL -H), Trial::uri_of('b'), '-b', 'cn=schema,cn=config', '(cn=*postroad)', '1.1'))[1] =~ /^dn: (.*)$/m;
my ($made, $upgrade) = run('', "$S/mkldif", '-u', $schema, "$S/postroad.schema");
($rc, $out) = run($upgrade, qw(ldapmodify -Q -Y EXTERNAL -H), Trial::uri_of('b'));
is("$made $rc", '0 0', 'the schema is brought up to date') or diag($out);

is(as_administrator(), '50 50', 'before, administrators may nothing');

($rc, $out) = postroad('diff');
is($rc, 1, 'diff says that there is something to do');
like($out, qr/^replace: olcAccess\nolcAccess: \{0\}to dn\.exact="cn=postroad-rules-begin/m, 'the rules, ours first');
like($out, qr/^olcAccess: \{\d+\}to \*\s+by \* read$/m, 'and those that were there behind them');
unlike($out, qr/olcSpSessionlog/, 'a session log may stay with a single provider');
like((postroad(qw(diff --server-id 1 --peer 2=ldap://b.example)))[1], qr/^delete: olcSpSessionlog$/m, 'but goes beside several');
like($out, qr/^dn: olcOverlay=refint,olcDatabase=\{1\}mdb,cn=config\nchangetype: add$/m, 'refint comes');
like($out, qr/^olcModuleLoad: refint$/m, 'and its module');
unlike($out, qr/^olcModuleLoad: syncprov$/m, 'the module that is there does not');
like($out, qr/^delete: olcDbIndex\nolcDbIndex: (\{\d+\})?cn,uid eq\n-\nadd: olcDbIndex\nolcDbIndex: uid eq$/m,
    'an index that needs more is taken apart');
is_deeply(settings(), $before, 'diff changes nothing');

($rc, $out) = postroad('apply');
ok($rc == 1 && $out =~ /nothing was changed; with --yes/, 'nor does apply without --yes') or diag($out);
is_deeply(settings(), $before, 'indeed');

($rc, $out) = postroad(qw(apply --yes --backup), "$dir/undo.ldif");
is($rc, 0, 'apply --yes') or diag($out);
is((stat "$dir/undo.ldif")[2] & 0777, 0600, 'what undoes it is for nobody else to read');
is(as_administrator(), '0 50', 'the rules are in force');
my @rules = grep { /^olcAccess/ } @{ settings() };
is(scalar(grep { /rules-begin/ } @rules), 1, 'one block of rules');
is_deeply([postroad('diff')], [0, "postroad: all is as it should be\n"], 'a second time there is nothing to do');
($rc, $out) = postroad(qw(apply --yes --json));
is_deeply(decode_json($out), { ok => JSON::PP::true, changes => 0, ldif => '' }, 'in JSON, too');

# A later version of our rules replaces ours, and nothing else.
spew("$dir/later.in", slurp("$S/access.in") =~ s/preferredLanguage/preferredLanguage,title/r);
my @later = ('-c', "$dir/postroad.conf", '--template', "$dir/later.in");
($rc, $out) = run('', "$top/ctl/postroad", @later, qw(ldap-config apply --yes --backup), "$dir/undo2.ldif");
is($rc, 0, 'a later version') or diag($out);
my @now = grep { /^olcAccess/ } @{ settings() };
is(scalar @now, scalar @rules, 'has as many rules');
is(scalar(grep { /preferredLanguage,title/ } @now), 1, 'the changed one among them');
is((run('', "$top/ctl/postroad", @later, qw(ldap-config diff)))[0], 0, 'and is at rest');

# What was applied can be loaded again.
slapd_stop('b', $pid);
$pid = server_start();
is(as_administrator(), '0 50', 'after a restart the rules are in force');

# Back.
for my $undo ("$dir/undo2.ldif", "$dir/undo.ldif") {
    ($rc, $out) = run('', qw(ldapmodify -Q -Y EXTERNAL -H), Trial::uri_of('b'), '-f', $undo);
    is($rc, 0, 'undo') or diag($out);
}
is_deeply(settings(), $before, 'after undo all is as it was');
is(as_administrator(), '50 50', 'and administrators may nothing again');

# Rules of the version before, which knew of no held mail.
spew("$dir/older.in", slurp("$S/access.in") =~ s/^\[held\]\n.*?(?=^\[)//msr =~ s/^access to \S*\@HELD\@.*\n(?:\t.*\n)+//mgr =~ s/^index postroadHeld.*\n//mgr =~ s/ postroadHeldTarget$//mr);
my @older = ('-c', "$dir/postroad.conf", '--template', "$dir/older.in", 'ldap-config');
($rc, $out) = run('', "$top/ctl/postroad", @older, qw(apply --yes --part), 'limits,services,access,index,refint', '--backup', "$dir/undo0.ldif");
is($rc, 0, 'rules from before held mail') or diag($out);
unlike(join("\n", @{ settings() }), qr/postroadHeld/, 'know nothing of it');
($rc, $out) = postroad(qw(apply --yes --backup), "$dir/undo-held.ldif");
is($rc, 0, 'this version brings them up to date') or diag($out);
my $new = join "\n", @{ settings() };
like($new, $_, "with $_") for qr/^olcRefintAttribute: postroadHeldTarget$/m, qr/^olcDbIndex: postroadHeldVerdict pres,eq$/m, qr/^olcAccess: to dn\.children="cn=held,o=corp" attrs=postroadHeldVerdict filter=/m;
is_deeply([postroad('diff')], [0, "postroad: all is as it should be\n"], 'then there is nothing to do');
for my $undo ("$dir/undo-held.ldif", "$dir/undo0.ldif") {
    ($rc, $out) = run('', qw(ldapmodify -Q -Y EXTERNAL -H), Trial::uri_of('b'), '-f', $undo);
    is($rc, 0, 'undone') or diag($out);
}
is_deeply(settings(), $before, 'all is as it was');

# --- servers that can't be changed

($rc, $out) = postroad(qw(apply --yes --backup), "$dir/undo.ldif");
ok($rc == 75 && $out =~ /undo\.ldif: File exists; nothing was changed/, 'no older undo is written over') or diag($out);
is_deeply(settings(), $before, 'indeed nothing');
($rc, $out) = postroad(qw(diff --base dc=elsewhere));
ok($rc == 1 && $out =~ /no database that holds dc=elsewhere/, 'no such database') or diag($out);
spew("$dir/secret", "secret\n");
($rc, $out) = postroad('diff', '--bind-dn', 'cn=root,o=corp', '--password-file', "$dir/secret");
ok($rc != 0 && $out =~ /cn=config/, 'somebody who may not see cn=config') or diag("$rc $out");
slapd_stop('b', $pid);
($rc, $out) = postroad('diff');
ok($rc == 75 && $out =~ /can't be reached; nothing was changed/, 'no server') or diag("$rc $out");

done_testing();
