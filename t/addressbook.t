#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The address book: as ordinary users of both sites, under the access rules, with a real slapd: each
# filter of ADDRESSBOOK.md finds who it should, nothing private is readable or can be searched for; and
# what `postroad addressbook export` writes can be read by others, whatever names people have.
use strict;
use warnings;
use Encode qw(decode_utf8);
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use MIME::Base64;
use Test::More;
use Trial;

plan(skip_all => 'ctl/postroad is not built') unless -x "$top/ctl/postroad";
needs(qw(slapd slapadd ldapmodify ldapsearch));

my $tree = slurp("$top/ldap-schema/two-sites.ldif");
slapd_conf('a', database => "include $top/ldap-schema/postroad-access.conf\nindex cn,sn,mail,displayName eq,sub");
slapd_add('a', $tree);
my $slapd = slapd_start('a');
my $uri = Trial::uri_of('a');
my %dn = (
    alice => 'uid=alice,ou=sales,dc=corp.example,ou=domains,o=corp',   # hebei
    wuhao => 'uid=wuhao,ou=qingdao,dc=post.example,ou=domains,o=corp', # shandong
);

sub as {
    my ($uid, @search) = @_;
    my ($rc, $out) = run('', 'ldapsearch', '-LLL', '-o', 'ldif-wrap=no', '-x', '-H', $uri,
        ($uid ? ('-D', $dn{$uid}, '-w', "sample-$uid") : ()), @search);
    return $out;
}

sub mails {
    my ($uid, $filter) = @_;
    my $out = as($uid, '-b', 'ou=domains,o=corp', $filter, 'mail');
    return join ' ', sort $out =~ /^mail: (.*)$/mg;
}

# --- the filters of the document, as the clients send them
my @rows = slurp("$top/ADDRESSBOOK.md") =~ /^\| ([^|]+?) \| [^\n]+? \| `([^`]*%s[^`]*)` \| (yes|no) \|$/mg;
cmp_ok(scalar @rows, '>=', 3 * 7, 'filters were found in ADDRESSBOOK.md');
while (my ($client, $filter, $chinese) = splice @rows, 0, 3) {
    $filter =~ s/\\\|/|/g;
    my $find = sub { my ($uid, $typed) = @_; return mails($uid, $filter =~ s/%s/$typed/gr) };
    for my $uid (sort keys %dn) {
        is($find->($uid, 'wuhao'), 'wuhao@post.example',   "$client: $uid finds shandong's people");
        is($find->($uid, 'Xu'),    'carol@corp.example xulan@post.example', "$client: $uid finds people of both by the beginning of a name") if $filter =~ /\(sn=%s\*\)/;
        like($find->($uid, 'ali'), qr/\balice\@corp\.example\b.*\balice\@post\.example\b/, "$client: $uid finds one name in two domains");
        my $name = $find->($uid, "\xe9\x99\x88"); # 陈
        is($name, $chinese eq 'yes' ? 'chenjing@corp.example' : '', "$client: $uid " . ($chinese eq 'yes' ? 'finds' : 'does not find') . ' a Chinese name');
    }
    is($find->('alice', 'nobody-is-called-so'), '', "$client: nobody");
    is($find->(undef, 'wuhao'), '', "$client: without a name and password nothing is found");
}
is(mails('alice', '(cn=*iu Ya*)'), 'liuyang@corp.example', 'a part of a name');
like(mails('wuhao', '(objectClass=postroadList)'), qr/all\@corp\.example/, 'lists are in it');

# --- nothing private
my %public = map { lc, 1 } qw(dn objectClass cn sn givenName displayName mail postroadAlias telephoneNumber mobile title ou o dc l uid
  member associatedDomain departmentNumber jpegPhoto description postroadRole postroadScope postroadRight);
for my $uid (sort keys %dn) {
    my $all = as($uid, '-b', 'o=corp', "(!(uid=$uid))", '*', '+');
    my %seen = map { lc, 1 } $all =~ /^([\w-]+):/mg;
    is_deeply([grep { !$public{$_} } sort keys %seen], [], "$uid reads no attribute that is not public");
    unlike($all, qr/cn=policyd|cn=mx1/, "$uid does not see services and servers");
    is(mails($uid, $_), '', "$uid can't search by $_")
      for '(postroadState=suspended)', '(postroadHomeSite=shandong)', '(postroadForward=*)', '(postroadDeny=pop)', '(postroadQuota=*)';
    like(as($uid, '-b', $dn{$uid}, '-s', 'base'), qr/^uid: $uid$/m, "$uid reads the own entry");
}
my ($rc, $out) = run("dn: $dn{wuhao}\nchangetype: modify\nreplace: title\ntitle: boss\n", 'ldapmodify', '-x', '-H', $uri, '-D', $dn{alice}, '-w', 'sample-alice');
is($rc, 50, 'nobody changes somebody else');

# --- export, with names that mean something to the formats
my %odd = (
    comma   => 'Comma, Semi; Back\\slash',
    formula => "=cmd|' /C calc'!A0",
    quote   => '"Q" says',
    long    => ("\xe5\xbe\x88\xe9\x95\xbf\xe7\x9a\x84\xe5\x90\x8d\xe5\xad\x97" x 12), # 很长的名字 ...
    inject  => "Ann\r\nEND:VCARD\r\nBEGIN:VCARD",
);
my $root = sub { ldap_change('a', $_[0]) };
for my $uid (sort keys %odd) {
    $root->("dn: uid=$uid,ou=hr,dc=corp.example,ou=domains,o=corp\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\n"
        . "uid: $uid\nsn: $uid\ncn: $uid\nmail: $uid\@corp.example\ntelephoneNumber: +86 10 1234\ndisplayName:: " . encode_base64($odd{$uid}, ''));
}
spew("$dir/postroad.conf", qq(site = "hebei"; directory: { uri = "$uri"; base = "o=corp"; };\n));
spew("$dir/password", "sample-wuhao\n");
chmod 0600, "$dir/password";

sub export {
    my (@args) = @_;
    my ($code, $text) = run('', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh', "$top/ctl/postroad", '-c', "$dir/postroad.conf",
        '-D', $dn{wuhao}, '--password-file', "$dir/password", qw(addressbook export), @args);
    is($code, 0, "export @args");
    return $text;
}

my $vcf = export('corp.example/hr');
is($vcf =~ s/\r\n//gr =~ tr/\r\n//, 0, 'vCard: each line ends with CRLF');
my @lines = split /\r\n/, $vcf;
is_deeply([grep { length > 75 } @lines], [], 'no line has more than 75 octets');
is_deeply([grep { !defined eval { decode_utf8($_, Encode::FB_CROAK | Encode::LEAVE_SRC) } } @lines], [], 'none is cut inside a character');
my $unfolded = $vcf =~ s/\r\n //gr;
is(scalar(() = $unfolded =~ /^BEGIN:VCARD\r\nVERSION:4\.0\r\n(?:[A-Z].*\r\n)+?END:VCARD\r$/mg), 7, 'seven cards, and no name makes an eighth');
like($unfolded, qr/^FN:Comma\\, Semi\\; Back\\\\slash\r$/m, 'commas, semicolons and backslashes are escaped');
like($unfolded, qr/^FN:Ann\\nEND:VCARD\\nBEGIN:VCARD\r$/m, 'and line ends');
like($unfolded, qr/^FN:\Q$odd{long}\E\r$/m, 'a long name is whole again when unfolded');
like($unfolded, qr/^EMAIL;PREF=1:lina\@corp\.example\r\nEMAIL:hr\@corp\.example\r\n/m, 'addresses');
like($unfolded, qr/^ORG:corp\.example;hr\r$/m, 'domain and department');
unlike($unfolded, qr/post\.example/, 'nobody else');

my $csv = export('--format', 'csv');
like($csv, qr/\Akind,name,given,surname,address,aliases,title,phone,mobile,department\r\n/, 'CSV: a header line');
like($csv, qr/^person,"'=cmd\|' \/C calc'!A0",,formula,/m, 'a formula is none any more');
like($csv, qr/^person,"""Q"" says",/m, 'quotes are doubled');
like($csv, qr/,\+86 10 1234,,corp\.example\/hr\r$/m, 'a telephone number stays as it is');
like($csv, qr/^list,couriers,,,couriers\@post\.example,/m, 'lists');
like($csv, qr/^person,\xe5\x90\xb4\xe6\x98\x8a,Hao,Wu,wuhao\@post\.example,.*post\.example\/qingdao\r$/m, 'everybody of both domains');

my $ldif = export('--format', 'ldif', 'post.example');
spew("$dir/out.ldif", $ldif);
is((run('', 'ldapmodify', '-n', '-a', '-x', '-H', $uri, '-f', "$dir/out.ldif"))[0], 0, 'LDIF: ldapmodify can read it');
is(scalar(() = $ldif =~ /^dn:/mg), 6, 'six entries');
($rc, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", qw(addressbook export --format xml));
is($rc, 2, 'an unknown format');
slapd_stop('a', $slapd);
done_testing;
