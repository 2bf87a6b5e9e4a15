#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad may, against a running policyd: the facts behind a decision come from the
# directory as it is, by whatever name an entry is called, inherited ones included;
# what can't be known is "can't tell"; three exit codes; text and JSON say the same.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);

my $D = 'ou=domains,o=corp';
my ($A, $B) = ("dc=a.example,$D", "dc=b.example,$D");
my $file = "$dir/directory.ldif";

# --- the directory ---
sub entry {
    my ($dn, @lines) = @_;
    my $out = '';
    for ("dn: $dn", map { ref ? @$_ : $_ } @lines) {
        my ($type, $value) = /^([\w-]+): (.*)$/s or die "no line: $_";
        $out .= $value =~ /^[ :<]|[^\x20-\x7e]| $/ ? "${type}:: " . encode_base64($value, '') . "\n" : "$_\n";
    }
    return "$out\n";
}

sub person {
    my ($dn, @lines) = @_;
    my ($uid) = $dn =~ /^(?:uid|cn)=((?:[^,\\]|\\.)+)/;
    return entry($dn, 'objectClass: inetOrgPerson', 'objectClass: postroadAccount', "cn: x", 'sn: x', @lines);
}

sub department { my ($dn, @lines) = @_; return entry($dn, 'objectClass: organizationalUnit', 'objectClass: postroadDepartment', @lines) }

my @admins = ("UID=Dom, OU=hr,$A", "uid=dep,ou=hr,$A", "uid=sup,ou=it,$A", "uid=sys,ou=it,$A", "uid=gone,ou=hr,$A", "uid=idle,ou=idle,$A",
    "uid=deep,ou=deep,ou=moving,$A", "uid=twin,ou=it,$A", "uid=off,ou=it,$A", "uid=many,ou=it,$A", "uid=comma,ou=hr\\, pay,$A",
    "cn=Wang \\\"Q\\\" [x],ou=hr\\, pay,$A", "uid=\xe6\x9d\xa8,ou=\xe7\xa0\x94,$A");

sub directory {
    my (%with) = @_;
    return join '',
        entry('o=corp', 'objectClass: organization', 'o: corp'),
        entry('cn=roles,o=corp', 'objectClass: organizationalRole', 'cn: roles'),
        entry('cn=admins,cn=roles,o=corp', 'objectClass: groupOfNames', 'cn: admins', map { "member: $_" } @{ $with{admins} || \@admins }),
        entry('cn=helpers,cn=roles,o=corp', 'objectClass: groupOfNames', 'cn: helpers', "member: uid=dep,ou=hr,$A"),
        entry('cn=services,o=corp', 'objectClass: organizationalRole', 'cn: services'),
        entry('cn=policyd,cn=services,o=corp', 'objectClass: organizationalRole', 'cn: policyd'),
        entry('cn=sites,o=corp', 'objectClass: organizationalRole', 'cn: sites'),
        entry('cn=hebei,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: hebei'),
        entry($D, 'objectClass: organizationalUnit', 'ou: domains'),
        entry($A, 'objectClass: domain', 'objectClass: postroadDomain', 'dc: a.example', 'associatedDomain: a.example', 'associatedDomain: also-a.example'),
        entry($B, 'objectClass: domain', 'objectClass: postroadDomain', 'dc: b.example', 'associatedDomain: b.example'),
        department("ou=hr,$A", 'ou: hr', 'postroadDeny: forward'), department("ou=pay,ou=hr,$A", 'ou: pay'), department("ou=it,$A", 'ou: it'),
        department("ou=idle,$A", 'ou: idle', 'postroadState: Suspended'), department("ou=moving,$A", 'ou: moving', 'postroadState: moving'),
        department("ou=deep,ou=moving,$A", 'ou: deep', 'postroadState: suspended'), department("ou=hr\\, pay,$A", 'ou: hr, pay'),
        department("ou=\xe7\xa0\x94,$A", "ou: \xe7\xa0\x94"), department("ou=hr,$B", 'ou: hr'),
        person("uid=dom,ou=hr,$A", 'mail: dom@a.example', 'postroadRole: Domain', "postroadScope: DC=A.example, $D", 'postroadRight: read-mail'),
        person("uid=dep,ou=hr,$A", 'mail: dep@a.example', 'postroadRole: department', "postroadScope: ou=hr,$A"),
        person("uid=sup,ou=it,$A", 'mail: sup@a.example', 'postroadRole: super', "postroadScope: $D"),
        person("uid=sys,ou=it,$A", 'mail: sys@a.example', 'postroadRole: system', 'postroadRight: write-mail'),
        person("uid=out,ou=hr,$A", 'mail: out@a.example', 'postroadRole: department', "postroadScope: ou=hr,$A"),
        person("uid=off,ou=it,$A", 'mail: off@a.example', 'postroadRole: domain', "postroadScope: $A", 'postroadState: disabled'),
        person("uid=idle,ou=idle,$A", 'mail: idle@a.example', 'postroadRole: domain', "postroadScope: $A"),
        person("uid=deep,ou=deep,ou=moving,$A", 'mail: deep@a.example', 'postroadRole: domain', "postroadScope: $A"),
        person("uid=glue,ou=no entry,ou=moving,$A", 'mail: glue@a.example'),
        person("uid=mover,ou=moving,$A", 'mail: mover@a.example'),
        person("uid=many,ou=it,$A", 'mail: many@a.example', 'postroadRole: domain', map { "postroadScope: ou=$_,$A" } 1 .. 257),
        person("uid=twin,ou=it,$A", 'mail: twin@a.example', 'postroadRole: domain', "postroadScope: $A"),
        person("uid=evil,ou=hr,$A", 'mail: evil@a.example', 'postroadAlias: twin@a.example'),
        person("uid=alice,ou=hr,$A", 'mail: alice@a.example', 'postroadAlias: al@a.example'),
        person("uid=pam,ou=pay,ou=hr,$A", 'mail: pam@a.example', 'postroadDeny: password'),
        person("uid=bob,ou=it,$A", 'mail: bob@a.example'), person("uid=carol,ou=hr,$B", 'mail: carol@b.example'),
        person("uid=comma,ou=hr\\, pay,$A", 'mail: comma@a.example', 'postroadRole: department', "postroadScope: ou=hr\\2C pay,$A"),
        person("cn=Wang \\\"Q\\\" [x],ou=hr\\, pay,$A", 'mail: wang@a.example'),
        person("uid=\xe6\x9d\xa8,ou=\xe7\xa0\x94,$A", 'mail: yang@a.example', 'postroadRole: department', "postroadScope: ou=\xe7\xa0\x94,$A"),
        person("uid=lei,ou=\xe7\xa0\x94,$A", 'mail: lei@a.example'),
        entry("cn=all,$A", 'objectClass: groupOfNames', 'objectClass: postroadList', 'cn: all', 'mail: all@a.example', "member: uid=alice,ou=hr,$A");
}

# --- asking ---
my %exit = (allowed => 0, refused => 1, "can't tell" => 75);

sub may { return run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'may', '--json', @_) }

# One row: rule, verdict, a pattern for why, and the question.
sub row {
    my ($rule, $verdict, @question) = @_;
    my ($code, $out) = may(@question);
    my $got = eval { decode_json($out) } || {};
    is(($got->{rule} // $got->{error} // $out) . ' ' . ($got->{verdict} // '') . " $code", "$rule $verdict $exit{$verdict}", "@question");
    return $got;
}

# --- before there is anything ---
spew($file, "dn: broken\nthis is no LDIF\n");
ok(policyd_start(qq(ldif = "$file";)), 'policyd begins without a directory');
is((may('dom@a.example', 'manage', 'alice@a.example'))[0], 75, 'nothing was ever loaded: 75');

spew($file, directory());
ok(wait_for(30, sub { (source()->{phase} // '') eq 'loaded' }), 'the directory is loaded') or diag(policyd_log());

# --- by whatever name ---
row(20, 'allowed', 'dom@a.example', 'password', $_)
    for 'alice@a.example', 'ALICE@A.EXAMPLE', 'al@a.example', 'alice@also-a.example', 'alice+x@a.example', "uid=alice,ou=hr,$A",
    "UID=Alice, OU=HR, dc=A.example, $D";
row(20, 'allowed', "uid=dom,ou=hr,$A", 'password', 'alice@a.example');
row(20, 'allowed', 'dom@also-a.example', 'password', 'alice@a.example');
row(2, 'refused', $_, 'password', 'alice@a.example')
    for 'dom+x@a.example', 'ghost@a.example', 'dom@elsewhere.example', "uid=dom,ou=it,$A", 'uid=dom,o=elsewhere', 'dom', 'a.example',
    'all@a.example', 'cn=policyd,cn=services,o=corp', 'x y', '@';
row(4, 'refused', 'dom@a.example', 'password', $_) for 'ghost@a.example', "uid=ghost,ou=hr,$A", 'uid=alice,o=elsewhere', 'c.example';
is(row(4, 'refused', 'sys@a.example', 'manage', 'ghost@a.example')->{target}{note}, 'nobody has the address', 'and why it was not found');

# --- kinds and places ---
row(20, 'allowed', 'sup@a.example', 'manage:placement', 'a.example');
row(10, 'refused', 'dom@a.example', 'manage:placement', 'also-a.example');
row(20, 'allowed', 'dom@a.example', 'manage:members', 'all@a.example');
row(10, 'refused', 'dep@a.example', 'manage:members', "cn=all,$A");
row(20, 'allowed', 'dom@a.example', 'manage', "ou=hr,$A");
row(12, 'refused', 'dom@a.example', 'manage', "ou=hr,$B");
row(9, 'refused', 'sup@a.example', 'manage', $_) for 'cn=hebei,cn=sites,o=corp', 'cn=policyd,cn=services,o=corp', 'cn=admins,cn=roles,o=corp', 'o=corp', $D;
row(8, 'allowed', 'sys@a.example', 'manage', $_) for 'cn=hebei,cn=sites,o=corp', 'cn=admins,cn=roles,o=corp', 'o=corp', 'sup@a.example';
row(11, 'refused', 'dep@a.example', 'password', 'dom@a.example');
row(20, 'allowed', 'dep@a.example', 'quota', 'pam@a.example');
row(12, 'refused', 'dep@a.example', 'quota', 'bob@a.example');

# --- the group of administrators, whichever way its members are written ---
row(7, 'refused', 'out@a.example', 'quota', 'alice@a.example');
row(5, 'allowed', 'out@a.example', 'read-mail', 'out@a.example');

# --- state and functions, one's own and inherited ---
row(3, 'refused', $_, 'quota', 'alice@a.example') for 'off@a.example', 'idle@a.example', 'deep@a.example';
row(3, 'refused', 'idle@a.example', 'read-mail', 'idle@a.example');
row(5, 'allowed', 'mover@a.example', 'read-mail', 'mover@a.example');
row(5, 'allowed', 'glue@a.example', 'read-mail', 'glue@a.example');
row(5, 'refused', 'alice@a.example', 'manage:forward', 'alice@a.example');
row(5, 'refused', 'pam@a.example', 'manage:forward', 'pam@a.example');
row(5, 'refused', 'pam@a.example', 'password', 'pam@a.example');
row(5, 'allowed', 'alice@a.example', 'password', 'alice@a.example');
row(5, 'allowed', 'bob@a.example', 'manage:forward', 'bob@a.example');
row(6, 'refused', 'bob@a.example', 'manage', 'bob@a.example');

# --- mail ---
row(20, 'allowed', 'dom@a.example', 'read-mail', 'alice@a.example');
row(14, 'refused', 'dom@a.example', 'write-mail', 'alice@a.example');
row(14, 'refused', 'dep@a.example', 'read-mail', 'alice@a.example');
row(20, 'allowed', 'sys@a.example', 'read-mail', 'carol@b.example');
row(20, 'allowed', 'dep@a.example', 'usage', "ou=hr,$A");

# --- what is given ---
row(20, 'allowed', 'dom@a.example', 'manage:address', 'alice@a.example', $_) for 'new@a.example', 'new@also-a.example', 'New@ALSO-A.example';
row(19, 'refused', 'dom@a.example', 'manage:address', 'alice@a.example', $_) for 'new@b.example', 'new@elsewhere.example', 'nonsense';
row(20, 'allowed', 'sup@a.example', 'manage:address', 'alice@a.example', 'new@b.example');
row(19, 'refused', 'sup@a.example', 'manage:address', 'carol@b.example', 'new@also-a.example');
row(20, 'allowed', 'dom@a.example', 'grant', 'alice@a.example', 'Department');
row(16, 'refused', 'dom@a.example', 'grant', 'alice@a.example', 'domain');
row(20, 'allowed', 'dom@a.example', 'grant', 'dep@a.example');
row(20, 'allowed', 'dom@a.example', 'grant:scope', 'dep@a.example', "OU=pay, ou=hr, $A");
row(20, 'allowed', 'dom@a.example', 'grant:scope', 'dep@a.example', "ou=not-yet,$A");
row(17, 'refused', 'dom@a.example', 'grant:scope', 'dep@a.example', $_) for 'a.example', "ou=hr,$B", 'o=corp';
row(20, 'allowed', 'dom@a.example', 'grant:right', 'dep@a.example', 'read-mail');
row(18, 'refused', 'dom@a.example', 'grant:right', 'dep@a.example', 'audit');
row(20, 'allowed', 'dom@a.example', 'grant:gate', 'out@a.example');
row(16, 'refused', 'dom@a.example', 'grant:gate', 'alice@a.example');
row(20, 'allowed', 'dom@a.example', 'manage:move', 'alice@a.example', "ou=it,$A");
row(13, 'refused', 'dom@a.example', 'manage:move', 'alice@a.example', $_) for "ou=hr,$B", 'b.example', 'o=corp';
row(20, 'allowed', 'dom@a.example', 'manage:add', "uid=new,ou=hr,$A");
row(20, 'allowed', 'dom@a.example', 'manage:add', "ou=new,$A", 'department');
row(10, 'refused', 'dep@a.example', 'manage:add', "ou=new,ou=hr,$A", 'postroadDepartment');
row(12, 'refused', 'dom@a.example', 'manage:add', "dc=c.example,$D", 'list');
row(10, 'refused', 'dom@a.example', 'manage:add', "dc=c.example,ou=hr,$A", 'domain');
row(20, 'allowed', 'sup@a.example', 'manage:add', "dc=c.example,$D", 'domain');
row(9, 'refused', 'sup@a.example', 'manage:add', "ou=c,$D", 'container');
row(10, 'refused', 'dom@a.example', 'manage:class', 'alice@a.example', 'postroadServer');

# --- names that are not plain ---
row(20, 'allowed', 'comma@a.example', 'password', 'wang@a.example');
row(20, 'allowed', 'comma@a.example', 'password', "cn=Wang \\22Q\\22 [x],ou=hr\\2c pay,$A");
row(12, 'refused', 'dep@a.example', 'password', 'wang@a.example');
row(12, 'refused', 'comma@a.example', 'password', 'alice@a.example');
row(20, 'allowed', 'yang@a.example', 'password', 'lei@a.example');
row(20, 'allowed', "uid=\xe6\x9d\xa8,ou=\xe7\xa0\x94,$A", 'password', "uid=lei,ou=\\E7\\A0\\94,$A");
row(12, 'refused', 'yang@a.example', 'password', 'alice@a.example');

# --- doubt ---
is(row(1, "can't tell", 'twin@a.example', 'quota', 'alice@a.example')->{actor}{note}, 'several entries claim the address', 'an address of two: nobody acts with it');
row(1, "can't tell", 'dom@a.example', 'quota', 'twin@a.example');
row(20, 'allowed', "uid=twin,ou=it,$A", 'quota', 'alice@a.example');
row(1, "can't tell", 'many@a.example', 'quota', 'alice@a.example');

# --- usage, text, other spellings ---
for (
    [qr/which takes|takes an actor/, 'dom@a.example', 'quota'],
    [qr/no such action/, 'dom@a.example', 'dance', 'alice@a.example'],
    [qr/no role/, 'dom@a.example', 'grant', 'alice@a.example', 'king'],
    [qr/no right/, 'dom@a.example', 'grant:right', 'alice@a.example', 'fly'],
    [qr/no kind/, 'dom@a.example', 'manage:add', "uid=x,$A", 'horse'],
    [qr/takes no value/, 'dom@a.example', 'quota', 'alice@a.example', '5'],
    [qr/new parent/, 'dom@a.example', 'manage:move', 'alice@a.example'],
    [qr/no DN, address or domain/, 'dom@a.example', 'grant:scope', 'alice@a.example', 'nonsense'],
    [qr/needs the DN/, 'dom@a.example', 'manage:add', 'new@a.example'],
    [qr/who, what, and to whom/, '', 'quota', 'alice@a.example'],
    [qr/UTF-8/, "\xff", 'quota', 'alice@a.example'],
  ) {
    my ($want, @question) = @$_;
    my ($code, $out) = may(@question);
    ok($code == 2 && $out =~ $want, "usage: $want") or diag("exit $code: $out");
}
my ($code, $text) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'may', 'dep@a.example', 'quota', 'dom@a.example');
is($code, 1, 'text: the same exit code');
is($text, <<"TEXT", 'text: what was decided, by which rule, on which facts');
refused, because of rule 11: of the same or a higher level

  actor   uid=dep,ou=hr,$A (department administrator)
  scope   ou=hr,$A
  action  quota (the directory decides it, too)
  target  uid=dom,ou=hr,$A (account, domain administrator)
  rule 11 the target is of the actor's level or a higher one: refused
TEXT
my $all = row(20, 'allowed', 'dom@a.example', 'read-mail', 'alice@a.example');
is_deeply([@{$all}{qw(action directory allowed)}, @{ $all->{actor} }{qw(level active in_group scopes rights)}, @{ $all->{target} }{qw(kind level known)}],
    ['read-mail', JSON::PP::false, JSON::PP::true, 'domain', JSON::PP::true, JSON::PP::true, [$A], ['read-mail'], 'account', 'user', JSON::PP::true],
    'JSON: the facts');

# --- changes arrive ---
spew($file, directory(admins => ["uid=sys,ou=it,$A", "uid=out,ou=hr,$A"]));
ok(wait_for(30, sub { (may('out@a.example', 'quota', 'alice@a.example'))[0] == 0 }), 'let into the group');
row(7, 'refused', 'dom@a.example', 'quota', 'alice@a.example');

# --- a mirror nobody confirms any more ---
is(policyd_stop(), 0, 'policyd ends');
ok(policyd_start(qq(ldif = "$file";), qq(rights: { max_age = 2; };\n)), 'and starts with a mirror that grows old soon');
ok(wait_for(30, sub { (may('out@a.example', 'quota', 'alice@a.example'))[0] == 0 }), 'which is new while somebody confirms it');
spew($file, "dn: broken\nthis is no LDIF\n");
ok(wait_for(30, sub { (may('out@a.example', 'quota', 'alice@a.example'))[0] == 75 }), 'older than rights.max_age: 75');
like((may('out@a.example', 'quota', 'alice@a.example'))[1], qr/older than rights\.max_age/, 'and why');
row(5, 'allowed', 'alice@a.example', 'read-mail', 'alice@a.example');
row(5, 'refused', 'pam@a.example', 'password', 'pam@a.example');
is(policyd_stop(), 0, 'policyd ends');

# --- places that are configured ---
spew($file, directory());
ok(policyd_start(qq(ldif = "$file";), <<"CONF"), 'policyd with another group, and domains elsewhere');
rights: { admins = "CN=Helpers, cn=roles,o=corp"; domains = "$B"; };
CONF
ok(wait_for(30, sub { (source()->{phase} // '') eq 'loaded' }), 'loaded');
row(7, 'refused', 'dom@a.example', 'quota', 'alice@a.example');
row(9, 'refused', 'dep@a.example', 'quota', 'alice@a.example');
is(policyd_stop(), 0, 'policyd ends');
spew("$dir/bad.conf", slurp("$dir/postroad.conf") =~ s/domains = "[^"]*"/domains = "nonsense"/r);
($code, $text) = run('', "$top/policyd/postroad-policyd", '-t', '-c', "$dir/bad.conf");
ok($code == 2 && $text =~ /bad\.conf:\d+: rights\.domains: "nonsense" is no distinguished name/, 'what is no DN stops the start') or diag($text);
done_testing();
