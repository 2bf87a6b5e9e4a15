#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The administrator's command over TLS: by StartTLS and ldaps, with a password and with a certificate
# of his own (SASL EXTERNAL); and servers that must not be trusted: of an unknown authority, for
# another host, ended. No password is sent to one of those.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Certificates;
use Ports;
use Test::More;
use Time::HiRes qw(time);
use Trial;

plan(skip_all => 'ctl/postroad is not built') unless -x "$top/ctl/postroad";
needs(qw(slapd slapadd slapcat openssl));

my $CORP = 'dc=corp.example,ou=domains,o=corp';
authority('ca');
authority('stranger');
certificate('ca', 'server', '/CN=localhost', 'DNS:localhost,IP:127.0.0.1');
certificate('ca', 'elsewhere', '/CN=elsewhere.example', 'DNS:elsewhere.example');
certificate('ca', 'lina', '/O=corp/CN=lina', 'email:lina@corp.example');
certificate('ca', 'nobody', '/O=corp/CN=nobody', 'email:nobody@corp.example');
certificate('stranger', 'forged', '/O=corp/CN=lina', 'email:lina@corp.example');
spew("$dir/both.pem", slurp("$dir/lina.crt") . slurp("$dir/lina.key"));
spew("$dir/password", "sample-lina\n");
chmod 0600, "$dir/password", "$dir/both.pem", glob "$dir/*.key";
# Not for us to make with a calendar: one that ended a year ago.
run('', 'openssl', qw(x509 -req -CAcreateserial -days -365), '-in', "$dir/server.csr", '-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key",
    '-extfile', "$dir/server.ext", '-out', "$dir/ended.crt");
run('', 'cp', "$dir/server.key", "$dir/ended.key");

my ($ldap, $ldaps) = (free_port(), free_port());
my $loaded;
sub server {
    my ($certificate) = @_;
    slapd_conf('a', global => <<"GLOBAL", database => "include $top/ldap-schema/postroad-access.conf");
TLSCACertificateFile $dir/ca.crt
TLSCertificateFile $dir/$certificate.crt
TLSCertificateKeyFile $dir/$certificate.key
TLSVerifyClient try
security simple_bind=128
authz-regexp "^cn=lina,o=corp\$" "uid=lina,ou=hr,$CORP"
GLOBAL
    slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif")) unless $loaded++;
    return slapd_start('a', "ldap://127.0.0.1:$ldap/ ldaps://127.0.0.1:$ldaps/");
}

my ($rc, $out);
sub postroad {
    my ($directory, @call) = @_;
    spew("$dir/postroad.conf", qq(site = "hebei"; directory: { base = "o=corp"; timeout = 5; $directory };\nsockets: { control = "unix:$dir/none"; };\n));
    ($rc, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", @call);
    return $out;
}
sub says {
    my ($what, $code, $text, @how) = @_;
    my $start = time;
    postroad(@how);
    is($rc, $code, "$what: exit code") or diag($out);
    like($out, $text, $what);
    cmp_ok(time - $start, '<', 20, "$what: in time");
    unlike($out, qr/sample-lina|PRIVATE/, "$what: no secret is told");
    return;
}

my $ca  = qq{tls_ca_file = "$dir/ca.crt";};
my $tls = qq{uri = "ldap://127.0.0.1:$ldap"; starttls = "yes";};
my $own = qq{uri = "ldaps://127.0.0.1:$ldaps";};
my @password = ('-D', "uid=lina,ou=hr,$CORP", '--password-file', "$dir/password");
my @certificate = ('--external', '--tls-cert', "$dir/lina.crt", '--tls-key', "$dir/lina.key");
my $lina = qr/uid=lina,ou=hr,\Q$CORP\E/;

my $slapd = server('server');
says('a password by StartTLS', 0, $lina, "$tls $ca", 'whoami', @password);
says('a password by ldaps', 0, $lina, "$own $ca", 'whoami', @password);
says('a certificate by StartTLS', 0, $lina, "$tls $ca", 'whoami', @certificate);
says('a certificate by ldaps', 0, $lina, "$own $ca", 'whoami', @certificate);
says('certificate and key in one file', 0, $lina, "$own $ca", 'whoami', '--external', '--tls-cert', "$dir/both.pem");
says('what the certificate allows', 0, qr/^Changed alice/, "$tls $ca", qw(user modify alice@corp.example --title Clerk), @certificate);
says('and what not', 1, qr/access rules do not allow you that/, "$tls $ca", qw(domain modify corp.example --quota 1), @certificate);
says('without TLS', 1, qr/the server wants TLS first: use ldapi:\/\/, ldaps:\/\/ or StartTLS/, qq{uri = "ldap://127.0.0.1:$ldap"; starttls = "no";}, 'whoami', @password);
says('no certificate of his own', 1, qr/could not bind as whom the connection names/, "$own $ca", 'whoami', '--external');
says('a certificate of somebody the directory does not know', 1, qr/access rules do not allow|there is no|wrong/, "$own $ca", qw(user modify alice@corp.example --title x),
    '--external', '--tls-cert', "$dir/nobody.crt", '--tls-key', "$dir/nobody.key");
postroad("$own $ca", 'whoami', '--external', '--tls-cert', "$dir/forged.crt", '--tls-key', "$dir/forged.key");
ok($rc == 1 || $rc == 75, 'a forged certificate makes nobody lina') or diag("$rc $out");
unlike($out, $lina, 'nor does it say so');
says('a file that is not there', 75, qr/\Q$dir\E\/none\.crt: No such file/, "$own $ca", 'whoami', '--external', '--tls-cert', "$dir/none.crt");
my $must = qr/can't be reached; nothing was changed.*It must show a certificate for 127\.0\.0\.1 that is valid now, by an authority in \Q$dir\E\/stranger\.crt/s;
says('an authority we do not know, by StartTLS', 75, $must, qq{$tls tls_ca_file = "$dir/stranger.crt";}, 'whoami', @password);
says('an authority we do not know, by ldaps', 75, $must, qq{$own tls_ca_file = "$dir/stranger.crt";}, 'whoami', @password);
slapd_stop('a', $slapd);

$must = qr/can't be reached; nothing was changed.*It must show a certificate for 127\.0\.0\.1 that is valid now, by an authority in \Q$dir\E\/ca\.crt/s;
for (['elsewhere', 'a certificate of another host'], -s "$dir/ended.crt" ? ['ended', 'a certificate that has ended'] : ()) {
    my ($certificate, $what) = @$_;
    $slapd = server($certificate);
    says("$what, by StartTLS", 75, $must, "$tls $ca", 'whoami', @password);
    says("$what, by ldaps", 75, $must, "$own $ca", qw(user modify alice@corp.example --title Boss), @certificate);
    slapd_stop('a', $slapd);
}
like((run('', 'slapcat', '-f', "$dir/a/slapd.conf", '-a', '(uid=alice)'))[1], qr/^title: Clerk$/m, 'nothing was changed there');
done_testing;
