#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad domain rename, in a real slapd with a policyd that mirrors it: what becomes of people's
# addresses, what names them, and who may. The changes are made one by one, as --dry-run prints
# them, and between any two every address that ever worked still does.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(slapd slapadd ldapmodify ldapsearch));

my $sample = slurp("$top/ldap-schema/two-sites.ldif");
my ($rc, $out, $slapd, $conf);

# A fresh directory with a mirror of it.
sub begin {
    my ($name, %more) = @_;
    slapd_conf($name, global => 'sizelimit unlimited', %more);
    slapd_add($name, $sample);
    $slapd = slapd_start($name);
    my $uri = Trial::uri_of($name);
    run('', 'rm', '-rf', "$dir/state");
    spew("$dir/password", "secret\n");
    chmod 0600, "$dir/password";
    policyd_start(qq{uri = "$uri"; base = "o=corp"; bind_dn = "cn=root,o=corp"; password_file = "$dir/password"; timeout = 5; });
    ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), "$name: policyd follows the directory");
    return;
}

sub finish { my ($name) = @_; policyd_stop(); slapd_stop($name, $slapd); return }

sub postroad {
    my ($who, @call) = @_;
    my $file = "$dir/password";
    if ($who =~ /uid=(\w+)/) {
        spew($file = "$dir/$1", "sample-$1\n");
        chmod 0600, $file;
    }
    ($rc, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", '-D', $who, '--password-file', $file, @call);
    return $out;
}
my $root = 'cn=root,o=corp';
sub does {
    my ($code, $says, @call) = @_;
    postroad($root, @call);
    is($rc, $code, "@call: exit code") or diag($out);
    like($out, $says, "@call: what it says");
    return;
}
sub whole { my ($name) = @_; return ldap_search($name, '-b', 'o=corp', '*') }

# What has no address is only answered once the mirror holds everything written before.
# Proven current, for a domain that it has: of one that is not ours nothing has to be proven.
sub current {
    my ($domain) = @_;
    return wait_for(30, sub { lookup('domain', $domain) =~ /^OK/ && lookup('mailbox', "nobody-at-all\@$domain") =~ /^NOTFOUND/ });
}

# All but who is disabled.
my @people = grep { !/^erin/ } $sample =~ /^(?:mail|postroadAlias): (\S+\@corp\.example)$/mg;
my @new    = map { s/\@corp\.example/\@trade.example/r } @people;
cmp_ok(scalar @people, '>', 20, 'the sample has people');
sub broken { return grep { lookup('mailbox', $_) !~ /^OK/ } @_ }

# --- what is said before anything is changed
begin('a');
my $before = whole('a');
does(2, qr/addresses are in corp\.example\. What becomes of them\?.*--addresses new .*Logins change.*--addresses keep/s,
    qw(domain rename corp.example trade.example --yes));
does(2, qr/takes new or keep/, qw(domain rename corp.example trade.example --addresses all));
does(2, qr/corp\.example becomes trade\.example, with 18 accounts and 3 lists.*\d+ addresses become those of trade\.example, and so do logins.*still arrives, as it becomes an alias domain.*nothing was changed/s,
    qw(domain rename corp.example trade.example --addresses new));
does(2, qr/addresses that are kept need corp\.example/, qw(domain rename corp.example trade.example --addresses keep --drop-old));
does(1, qr/posts\.example is taken: dc=post\.example,/, qw(domain rename corp.example posts.example --addresses new --yes));
does(2, qr/both names are/, qw(domain rename corp.example CORP.example));
does(2, qr/is no domain name/, qw(domain rename corp.example x));
does(1, qr/there is no domain "none\.example"/, qw(domain rename none.example x.example));
is(whole('a'), $before, 'nothing was changed by all that');

# --- one change after the other
my $ldif = postroad($root, qw(domain rename corp.example trade.example --addresses new --dry-run));
is($rc, 0, '--dry-run') or diag($out);
is(whole('a'), $before, '--dry-run changes nothing');
my @changes = map { "$_\n" } grep { /\S/ } split /\n\n/, $ldif;
cmp_ok(scalar @changes, '>', 40, 'it prints the changes');
is_deeply([broken(@people)], [], 'to begin with, everybody has mail');
my ($renamed, @bad, @late) = (0);
for my $i (0 .. $#changes) {
    ldap_change('a', $changes[$i]) or last;
    $renamed ||= $changes[$i] =~ /^changetype: modrdn/m;
    # A proof takes a second: one around the renaming, and now and then. Else what has come so far.
    current('corp.example') if $i % 10 == 0 || $i == $#changes || grep { /^changetype: modrdn/m } @changes[$i, $i + 1 > $#changes ? $i : $i + 1];
    push @bad, map { "$_ after change $i" } broken(@people);
    push @late, map { "$_ after change $i" } broken(@new) if $renamed;
    last if @bad || @late;
}
is_deeply(\@bad, [], 'after each change, mail to each old address arrives');
is_deeply(\@late, [], 'and to each new one, once the domain has its name');
ok(current('trade.example'), 'the domain has the new name');
unlike(whole('a'), qr/\@corp\.example/, 'no entry has an old address any more');
unlike(whole('a'), qr/dc=corp\.example/, 'and none names an entry by its old name');
is(lookup('alias', 'heidi@corp.example'), lookup('alias', 'heidi@trade.example'), 'the alias domain leads to the same people');
like(lookup('alias', 'heidi@trade.example'), qr/^OK .*bob\@trade\.example/, 'a forward names the new address');
finish('a');

# --- the same by itself; what is in the way is left, and told
begin('b');
ldap_change('b', "dn: uid=stranger,dc=post.example,ou=domains,o=corp\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\n"
    . "uid: stranger\ncn: S\nsn: S\nmail: bob\@trade.example\n");
does(1, qr/^bob\@corp\.example: left as it is: it belongs to uid=stranger,.*^alice\@corp\.example is now alice\@trade\.example$|^alice.*^bob\@corp/ms,
    qw(domain rename corp.example trade.example --addresses new --drop-old --yes));
like($out, qr/corp\.example stays an alias domain: 1 addresses still need it/, 'the old name is not dropped while somebody needs it');
like($out, qr/addresses done, 1 left$/m, 'the sum');
ok(current('corp.example'), 'the mirror follows');
is_deeply([broken(@people)], [], 'all mail arrives');
ldap_change('b', "dn: uid=stranger,dc=post.example,ou=domains,o=corp\nchangetype: delete\n");
postroad($root, qw(domain rename corp.example trade.example --addresses new --drop-old --yes --json));
my $json = decode_json($out);
is($rc, 0, 'doing it again does the rest') or diag($out);
is_deeply([map { "$_->{old} $_->{fate}" } @{ $json->{addresses} }], ['bob@corp.example done'], 'and nothing else');
ok(current('trade.example'), 'the mirror follows');
is_deeply([broken(@new)], [], 'all new addresses have mail');
is(lookup('domain', 'corp.example'), 'NOTFOUND ', 'the old name is gone');
does(1, qr/there is no domain "corp\.example"/, qw(domain rename corp.example trade.example --addresses new --yes));

# Kept addresses get one of the new name besides.
does(0, qr/^alice\@trade\.example is also alice\@third\.example$/m, qw(domain rename trade.example third.example --addresses keep --yes));
ok(current('third.example'), 'the mirror follows');
is_deeply([broken(@new, map { s/trade/third/r } @new)], [], 'both work');
is(decode_json(postroad($root, qw(user show alice@third.example --json)))->{address}, 'alice@trade.example', 'her address is what it was')
    or diag($out);
finish('b');

# --- the directory has the last word, and before anything is done
begin('c', database => "include $top/ldap-schema/postroad-access.conf");
$before = whole('c');
postroad('uid=zhangwei,ou=it,dc=corp.example,ou=domains,o=corp', qw(domain rename corp.example trade.example --addresses new --yes));
is($rc, 1, 'nobody renames the domain he is in, because his own rights hang on it') or diag($out);
like($out, qr/your own entry is in corp\.example/, 'and is told so');
my $jie = 'uid=zhoujie,ou=jinan,dc=post.example,ou=domains,o=corp';
postroad($jie, qw(domain rename corp.example trade.example --addresses new --yes));
is($rc, 1, 'nor does the administrator of another domain') or diag($out);
like($out, qr/access rules do not allow you that/, 'and is told so');
is(whole('c'), $before, 'nothing was changed');
ldap_change('c', "dn: $jie\nchangetype: modify\nreplace: postroadRole\npostroadRole: super\n-\nreplace: postroadScope\npostroadScope: ou=domains,o=corp\n");
postroad($jie, qw(domain rename corp.example trade.example --addresses new --yes));
is($rc, 1, 'a super administrator does, but for administrators of his own level and above') or diag($out);
is_deeply([sort $out =~ /^(\S+): left as it is: could not change/mg], [map { "$_\@corp.example" } qw(abuse liuyang postmaster zhangwei)],
    'whose addresses are left') or diag($out);
ok(current('trade.example'), 'the mirror follows');
is_deeply([broken(@people, grep { !/^(?:abuse|liuyang|postmaster|zhangwei)/ } @new)], [], 'all mail arrives');
finish('c');
done_testing;
