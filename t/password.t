#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# How passwords are hashed (admin.password_scheme), each kind checked by a real slapd:
# what is made opens the directory; and "auto" makes {ARGON2} only where the server is
# seen to check it, so that nobody is locked out by a hash no server knows.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use MIME::Base64;
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') unless -x "$top/ctl/postroad";
needs(qw(slapd slapadd ldapsearch ldapwhoami setsid));
my ($modules) = grep { glob "$_/back_mdb*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap';
my $built = slurp("$top/config.h") =~ /^#define HAVE_ARGON2 1$/m;
my $module = $modules && glob "$modules/argon2.*";

my $CORP  = 'dc=corp.example,ou=domains,o=corp';
my $ALICE = "uid=alice,ou=sales,$CORP";
my $rules = "include $top/ldap-schema/postroad-access.conf\nindex uid,mail,postroadAlias,member eq";

# Two servers of the same content; cn=root may read the configuration of both, and lina nothing of it.
sub server {
    my ($name, @load) = @_;
    slapd_conf($name, database => $rules, global => join('', map { "moduleload $_\n" } @load),
        last => qq{database config\naccess to * by dn.exact="cn=root,o=corp" read by * none});
    slapd_add($name, slurp("$top/ldap-schema/two-sites.ldif"));
    return slapd_start($name);
}
server('with', grep { $modules && glob "$modules/$_.*" } qw(argon2 pw-sha2));
server('without');

sub secret_file { my ($name, $text) = @_; spew("$dir/$name", "$text\n"); chmod 0600, "$dir/$name"; return "$dir/$name" }
my %who = (lina => ["uid=lina,ou=hr,$CORP", secret_file('pw-lina', 'sample-lina')], root => ['cn=root,o=corp', secret_file('pw-root', 'secret')]);

# (exit code, stdout, stderr) of the command with that scheme, at that server, as that person.
sub postroad {
    my ($scheme, $server, $who, $more, @args) = @_;
    my $uri = Trial::uri_of($server);
    spew("$dir/conf", qq{site = "hebei"; state_dir = "$dir/state"; directory: { uri = "$uri"; base = "o=corp"; $more };
        admin: { password_scheme = "$scheme"; };});
    my ($dn, $file) = @{ $who{$who} };
    my ($code, $out) = run('', 'sh', '-c', 'exec setsid -w "$@" 2>"$0"', "$dir/stderr", "$top/ctl/postroad", '-c', "$dir/conf", @args,
        '-D', $dn, '--password-file', $file);
    return ($code, $out, slurp("$dir/stderr"));
}

sub hash_of {
    my ($server, $dn) = @_;
    my ($rc, $ldif) = run('', 'ldapsearch', '-x', '-LLL', '-o', 'ldif-wrap=no', '-H', Trial::uri_of($server), '-D', 'cn=root,o=corp', '-w', 'secret', '-s', 'base', '-b', $dn, 'userPassword');
    my ($base64) = $ldif =~ /^userPassword:: (\S+)/m;
    return defined $base64 ? decode_base64($base64) : '';
}

sub opens { my ($server, $dn, $password) = @_; return (run('', 'ldapwhoami', '-x', '-H', Trial::uri_of($server), '-D', $dn, '-w', $password))[0] == 0 }

my $n = 0;
# A new password for alice: its hash looks so, and it opens the directory.
sub sets {
    my ($scheme, $server, $who, $more, $like, $what) = @_;
    my $password = 'new-' . ++$n . '-' . ('x' x (20 * $n)) . ' 春';
    my ($code, $out, $err) = postroad($scheme, $server, $who, $more, qw(user password alice@corp.example --new-password-file), secret_file('new', $password));
    my $hash = hash_of($server, $ALICE);
    ok($code == 0 && $err eq '' && $hash =~ $like, $what) or diag("exit $code\n$out$err$hash");
    ok(opens($server, $ALICE, $password), '- it opens the directory');
    ok(!opens($server, $ALICE, "$password "), '- and another does not');
    unlike("$out$err", qr/\Q$password\E/, '- and is not shown');
}

my $argon2 = qr/^\{ARGON2\}\$argon2id\$v=19\$m=7168,t=5,p=1\$[A-Za-z0-9+\/]{22}\$[A-Za-z0-9+\/]{43}$/;
my $crypt = qr/^\{CRYPT\}\$y\$/;

sets('crypt', 'without', 'lina', '', $crypt, 'crypt');
sets('auto', 'without', 'root', '', $crypt, 'auto, at a server seen to have no module: crypt');
SKIP: {
    skip('slapd has no module pw-sha2 here', 4) unless $modules && glob "$modules/pw-sha2.*";
    sets('ssha512', 'with', 'lina', '', qr/^\{SSHA512\}/, 'ssha512');
}
SKIP: {
    skip('this postroad was built without libargon2', 24) unless $built;
    skip('slapd has no module argon2 here', 24) unless $module;
    sets('argon2', 'with', 'lina', '', $argon2, 'argon2');
    my $first = hash_of('with', $ALICE);
    sets('argon2', 'with', 'lina', '', $argon2, 'argon2 once more');
    isnt((split /\$/, hash_of('with', $ALICE))[4], (split /\$/, $first)[4], 'with other salt');
    sets('auto', 'with', 'root', '', $argon2, 'auto, as somebody who sees the module in cn=config: argon2');
    sets('auto', 'with', 'lina', '', $crypt, 'auto, as somebody who may not look there: crypt');
    my $providers = sprintf 'providers = ("%s", "%s");', map { Trial::uri_of($_) } qw(with without);
    sets('auto', 'with', 'root', $providers, $crypt, 'auto, with a second server whose modules nobody sees: crypt');

    # --- where no server can check it, it is said at once
    my ($code, $out, $err) = postroad('argon2', 'without', 'lina', '', qw(user password alice@corp.example --new-password-file), secret_file('new', 'lost'));
    like($err, qr/stored, but the directory does not open with it.*admin\.password_scheme/s, 'argon2 where slapd lacks the module: said');
    spew("$dir/people.csv", "address,name,password\n" . join '', map { "p$_\@corp.example,P $_,pass-word-$_\n" } 1 .. 3);
    ($code, $out, $err) = postroad('argon2', 'without', 'lina', '', qw(user import), "$dir/people.csv");
    is(() = $err =~ /does not open with it/g, 1, 'an import tries the first password, and says it once') or diag("$out$err");
    ($code, $out, $err) = postroad('argon2', 'with', 'lina', '', qw(user import), "$dir/people.csv");
    is($code, 0, 'an import with argon2') or diag("$out$err");
    unlike($err, qr/does not open/, '- says nothing where it opens');
    my ($dn) = `ldapsearch -x -LLL -H '@{[ Trial::uri_of('with') ]}' -D cn=root,o=corp -w secret -b o=corp uid=p3 1.1` =~ /^dn: (.*)/m;
    like(hash_of('with', $dn), $argon2, '- hashes them all so');
    ok(opens('with', $dn, 'pass-word-3'), '- and they open the directory');
}
# --- "auto" was misled: a module is named argon2, and checks no {ARGON2}
sub misled {
    my ($name, $global, $like, $what) = @_;
    mkdir "$dir/misnamed";
    symlink "$modules/refint.so", "$dir/misnamed/argon2.so";
    slapd_conf($name, database => $rules, global => "modulepath $modules\nmoduleload $dir/misnamed/argon2.so\n$global",
        last => qq{database config\naccess to * by dn.exact="cn=root,o=corp" read by * none});
    slapd_add($name, slurp("$top/ldap-schema/two-sites.ldif"));
    slapd_start($name);
    my ($code, $out, $err) = postroad('auto', $name, 'root', '', qw(user password alice@corp.example --new-password-file), secret_file('new', 'misled-pass'));
    ok($code == 0 && $out =~ /^Set the password/, "$what: done") or diag("exit $code\n$out$err");
    is($err, '', '- and nothing is said of what was tried before');
    like(hash_of($name, $ALICE), $like, '- by a hash');
    ok(opens($name, $ALICE, 'misled-pass'), '- that opens the directory');
    return;
}
SKIP: {
    skip('this postroad was built without libargon2', 8) unless $built;
    skip('slapd has no module to misname', 8) unless $modules && -e "$modules/refint.so";
    misled('made', '', qr/^\{(?!ARGON2)/, 'the server makes the hash');
    misled('refuses', "restrict extended=1.3.6.1.4.1.4203.1.11.1", $crypt, 'the server refuses to');
}
SKIP: {
    skip('this postroad was built with libargon2', 1) if $built;
    my ($code, $out, $err) = postroad('argon2', 'with', 'lina', '', qw(user password alice@corp.example --new-password-file), secret_file('new', 'x'));
    ok($code == 2 && $err =~ /built without libargon2/, 'built without libargon2: says so');
}
done_testing();
