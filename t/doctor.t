#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad doctor: a whole site that is well, and then one trouble after the other, brought about for
# real: what it says, which command it names, its exit code; and where a command is named that can be
# run here, that it mends it.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Socket::UNIX;
use JSON::PP;
use Ports;
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(openssl));
my $port = free_port();
my ($rc, $out, %found);

# The findings by id, in lines "mark text | todo".
sub doctor {
    ($rc, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'doctor', '--json', @_);
    my ($json) = $out =~ /^(\{.*\})$/m;
    my $said = eval { decode_json($json) } // { findings => [] };
    %found = ();
    $found{ $_->{id} } .= "$_->{mark} $_->{text} | " . ($_->{todo} // '') . "\n" for @{ $said->{findings} };
    return $said;
}

sub finds {
    my ($what, $code, $id, $says, @args) = @_;
    doctor(@args);
    is($rc, $code, "$what: exit code") or diag($out);
    like($found{$id} // '', $says, $what) or diag($out);
    return;
}

sub certificate {
    my ($file, $days) = @_;
    my ($code, $said) = run('', qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=mx1.hebei.example),
        '-days', $days, '-keyout', "$dir/key", '-out', "$dir/crt");
    BAIL_OUT("openssl: $said") if $code;
    spew($file, slurp("$dir/key") . slurp("$dir/crt"));
    chmod 0600, $file;
    ($code, $said) = run('', qw(openssl x509 -noout -fingerprint -sha256 -in), "$dir/crt");
    return $said =~ /=([0-9A-F:]{95})/ ? $1 : BAIL_OUT("openssl: $said");
}

# --- a site that is well
my $print = certificate("$dir/handoff.pem", 400);
my $ldif = slurp("$top/ldap-schema/two-sites.ldif");
$ldif =~ s/^postroadCertFingerprint: 48:65.*$/postroadCertFingerprint: $print/m or BAIL_OUT('no fingerprint in the sample');
$ldif =~ s/^postroadState: moving\n//mg; # the sample has somebody on his way
sub entries { my ($more) = @_; spew("$dir/people.ldif", $ldif . ($more // '')); return }
entries();
my $postfix = grep { -x "$_/postconf" } split /:/, $ENV{PATH};
my $group = getgrgid($));
my $access = "access: { socket_group = \"$group\"; };";
sub begin {
    my ($more) = @_;
    ok(policyd_start(qq(ldif = "$dir/people.ldif";), "$access\n" . ($more // ''), "127.0.0.1:$port"), 'policyd starts');
    return wait_for(30, sub { status()->{mirror}{complete} });
}
sub main_cf {
    my (%set) = @_;
    my %line = (queue_directory => $dir, defer_transports => 'postroad-wait', mydestination => 'mx1.hebei.example', virtual_alias_domains => '',
        handoff_tls_chain_files => "$dir/handoff.pem", smtpd_tls_chain_files => '$handoff_tls_chain_files',
        virtual_mailbox_domains => 'socketmap:unix:map:domain', virtual_mailbox_maps => 'socketmap:unix:map:mailbox',
        virtual_alias_maps => 'hash:/etc/aliases, socketmap:unix:map:alias', transport_maps => "socketmap:unix:$dir/map:transport",
        smtpd_sender_login_maps => 'socketmap:unix:map:sender', %set);
    mkdir "$dir/postfix";
    spew("$dir/postfix/main.cf", join '', map { "$_ = $line{$_}\n" } sort keys %line);
    spew("$dir/postfix/master.cf", '');
    return;
}
$ENV{MAIL_CONFIG} = "$dir/postfix";
chmod 0750, $dir;
main_cf();
begin();
chmod 0750, "$dir/state";
my $all;
wait_for(30, sub { $all = doctor(); !grep { $_->{mark} ne 'ok' } @{ $all->{findings} } }); # all roles are up, and were heard
is($rc, 0, 'a site that is well') or diag($out);
is_deeply([grep { $_->{mark} ne 'ok' } @{ $all->{findings} }], [], 'nothing to complain about');
like($found{$_} // '', qr/^ok /, "$_ was looked at")
    for qw(configuration state-dir disk socket-map socket-policy socket-access socket-http role source mirror entry),
    $postfix ? qw(postfix-domain postfix-mailbox postfix-alias postfix-transport postfix-sender postfix-wait postfix-local certificate hand-off) : ();
($rc, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'doctor');
like($out, qr/^ok       socket-map +\Q$dir\E\/map answers\n.*\n0 in trouble, 0 warnings, \d+ ok, 0 not looked at\n/ms, 'for people');

# --- files
SKIP: {
    my $user = getpwnam('nobody') // getpwnam('daemon');
    skip 'to be another user needs root', 12 unless $> == 0 && $user;
    my $other = getpwuid($user);
    my $conf = slurp("$dir/postroad.conf");
    my $their = getgrgid((getpwnam $other)[3]);
    spew("$dir/key", "key\n");
    chmod 0600, "$dir/key";
    chmod 0755, $dir;
    # The daemon runs, as root; and another, which does not run, would be that user.
    my $of = sub { my (%c) = @_; spew("$dir/postroad.conf", $conf =~ s/^user = "[^"]*"; group = "[^"]*";/user = "$other"; group = "$their";/mr
        =~ s/control = "unix:[^"]*"/control = "unix:$dir\/@{[ $c{runs} ? 'control' : 'nothing' ]}"/r
        =~ s/^access: \{/access: { http_key_file = "$dir\/key";/mr); return };
    $of->(runs => 1); # 1: its folders are root's, too
    finds('a secret only root can read, where the daemon is started as root', 1, 'http-key', qr/^ok /);
    $of->();
    finds('where it is started as its user', 75, 'http-key', qr/^warning \Q$dir\E\/key: user \Q$other\E, who reads it unless postroad-policyd is started as root, can't: Permission denied \| chgrp \Q$their\E \Q$dir\E\/key && chmod g\+r/);
    run('', 'sh', '-c', $found{'http-key'} =~ /\| (.*?),/);
    finds('mended by what it names', 75, 'http-key', qr/^ok /);
    spew("$dir/closed.ldif", '');
    chmod 0600, "$dir/closed.ldif";
    spew("$dir/postroad.conf", slurp("$dir/postroad.conf") =~ s/people\.ldif/closed.ldif/r);
    finds('what a role reads', 75, 'directory-file', qr/^trouble \Q$dir\E\/closed\.ldif: user \Q$other\E, who reads it, can't/);
    chmod 0600, "$dir/postroad.conf";
    finds('the configuration itself', 75, 'configuration', qr/^warning \Q$dir\E\/postroad\.conf: user \Q$other\E/);
    spew("$dir/postroad.conf", $conf);
    unlink "$dir/key", "$dir/closed.ldif";
    chmod 0750, $dir;
}
my $plain = slurp("$dir/postroad.conf");
spew("$dir/postroad.conf", $plain . qq(move_site: { copy_command = [ "true" ]; list_to_command = [ "true" ]; };\n));
finds('who moves mailboxes, and does not say how to compare', 0, 'move-site', qr/^warning postroad user move-site moves nobody.* \| set them, see "Moving mailboxes" in postroad\.conf\(5\)$/m);
spew("$dir/postroad.conf", $plain);
chmod 0666, "$dir/postroad.conf";
finds('a configuration anybody can write', 1, 'configuration', qr/^trouble .*can be written by others.* \| chmod go-w \Q$dir\E\/postroad\.conf$/);
run('', 'sh', '-c', $found{configuration} =~ /\| (.*)$/m);
finds('mended by what it names', 0, 'configuration', qr/^ok/);
chmod 0777, "$dir/state";
finds('a state directory anybody can write', 1, 'state-dir', qr/^trouble .*can be written by anybody \| install -d .*-m 750/);
chmod 0750, "$dir/state";
SKIP: {
    skip 'to fill a disk needs root and unshare(1)', 2 unless $> == 0 && (run('', qw(unshare -m true)))[0] == 0;
    my $inside = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"';
    ($rc, $out) = run('', qw(unshare -m sh -c), $inside, "$dir/state", "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'doctor');
    is($rc, 1, 'hardly any room: exit code');
    like($out, qr/^trouble  disk +4\.0 MiB are free/m, 'hardly any room') or diag($out);
}

# --- held mail
my $conf = slurp("$dir/postroad.conf");
spew("$dir/postroad.conf", "$conf\nmilter: { moderate = [ \"all: from=corp.example\" ]; };\n");
finds('mail is held, and nobody can release it', 0, 'held-release', qr/^warning rules hold mail, and a verdict can't be carried out but by hand/);
spew("$dir/postroad.conf", $conf);
doctor();
is($found{'held-release'}, undef, 'where none is held, nothing is said of it');

# --- the directory's entries
sub reread { my ($id) = @_; return wait_for(30, sub { doctor(); ($found{$id} // '') =~ /^(?:trouble|warning)/ }) }
my $bob = "dn: uid=bob2,dc=post.example,ou=domains,o=corp\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\nuid: bob2\ncn: B\nsn: B\n";
entries("\n${bob}mail: bob2\@post.example\npostroadAlias: bob\@corp.example\n");
ok(reread('duplicate'), 'an address two claim is found');
like($found{duplicate}, qr/^trouble bob\@corp\.example is claimed by uid=bob2,.* \| postroad user modify bob2\@post\.example --remove-alias bob\@corp\.example$/m,
    'with the command that mends it');
entries("\n${bob}mail: bob2\@post.example\npostroadHomeSite: nowhere\n");
ok(reread('lost-site'), 'a site that is not there is found');
like($found{'lost-site'}, qr/1 entries name the site "nowhere", which there is not: their mail waits/, 'and what follows from it');
entries("\n${bob}mail: bob2\@post.example\npostroadState: moving\npostroadQuota: much\n");
ok(reread('moving'), 'who is being moved is found');
like($found{moving}, qr/^warning bob2\@post\.example is in state moving/, 'and named');
ok(reread('entry'), 'a value that makes no sense is found');
like($found{entry}, qr/^warning .*uid=bob2.*much/, 'and named');
is($rc, 0, 'warnings alone are no failure');
entries();
spew("$dir/people.ldif", "dn: nonsense\n\n");
ok(wait_for(30, sub { doctor(); ($found{source} // '') =~ /^trouble/ }), 'a directory that can not be read is found');
like($found{source}, qr/people\.ldif.* \| mend what it names/, 'and where');
entries();
ok(wait_for(30, sub { doctor(); ($found{source} // '') =~ /^ok/ }), 'until it can');

# --- Postfix
SKIP: {
    skip 'no Postfix here', 36 unless $postfix;
    main_cf(transport_maps => '');
    finds('a map nobody asks', 1, 'postfix-transport', qr/^trouble transport_maps does not ask map transport \| postconf -e 'transport_maps = socketmap:unix:map:transport'; postfix reload$/);
    run('', 'sh', '-c', $found{'postfix-transport'} =~ /\| (postconf .*?);/);
    finds('mended by what it names', 0, 'postfix-transport', qr/^ok/);
    main_cf(virtual_mailbox_maps => 'socketmap:unix:elsewhere/map:mailbox');
    finds('another socket', 1, 'postfix-mailbox', qr/^trouble virtual_mailbox_maps asks another socket/);
    main_cf(smtpd_sender_login_maps => '');
    finds('a map that is for those who send', 0, 'postfix-sender', qr/^warning/);
    main_cf(defer_transports => 'hold');
    finds('nowhere to wait', 1, 'postfix-wait', qr/^trouble defer_transports lacks postroad-wait: mail that has to wait would be returned/);
    main_cf(mydestination => 'localhost, Corp.Example');
    finds('a domain of ours in mydestination', 1, 'postfix-local', qr/^trouble Corp\.Example is in mydestination, and one of our domains/);
    main_cf(virtual_alias_domains => '$virtual_alias_maps');
    finds('the default that asks too much', 0, 'postfix-own-alias', qr/^warning/);
    my ($milter) = (run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'config', '-a'))[1] =~ m{milter = "(unix:/\S+)"};
    main_cf(smtpd_milters => "inet:127.0.0.1:9, { $milter, command_timeout=5s }");
    finds('our milter is the last one', 0, 'postfix-milter', qr/^ok/);
    my ($queue) = $milter =~ m{^unix:(/.*)/[^/]+/[^/]+$};
    main_cf(smtpd_milters => 'unix:' . substr($milter, length "unix:$queue/"), queue_directory => $queue);
    finds('by a path below the queue', 1, 'postfix-milter', qr/^ok/);
    main_cf(smtpd_milters => "$milter, { unix:other, command_timeout=5s }");
    finds('it is not', 0, 'postfix-milter', qr/^warning postroad-milter is not the last milter/);
    main_cf(smtpd_milters => $milter, smtpd_proxy_filter => '127.0.0.1:9');
    finds('a filter that hides messages from it', 1, 'postfix-proxy', qr/^trouble main\.cf has smtpd_proxy_filter: .*not counted/);
    main_cf(smtpd_milters => $milter, content_filter => 'scan:[127.0.0.1]:9');
    my $ports = "25 inet n - n - - smtpd\n2525 inet n - n - - smtpd\n  -o milter_macro_daemon_name=handoff\n";
    spew("$dir/postfix/master.cf", "$ports  -o smtpd_proxy_filter=127.0.0.1:9\n");
    finds('the same in master.cf', 1, 'postfix-proxy', qr/^trouble 2525\/inet has smtpd_proxy_filter/);
    like($found{'postfix-filter'}, qr/^warning 2525\/inet takes content_filter from main\.cf: .* \| postconf -P '2525\/inet\/content_filter='; postfix reload/, 'and a filter that other sites\' mail goes through');
    run('', 'sh', '-c', $found{'postfix-filter'} =~ /\| (postconf .*?);/);
    finds('mended by what it names', 1, 'postfix-filter', qr/^$/);
    spew("$dir/postfix/master.cf", "$ports  -o smtpd_proxy_filter=127.0.0.1:9\n  -o smtpd_milters=\n");
    finds('a port without milters', 0, 'postfix-proxy', qr/^$/);
    main_cf();

    # --- certificates
    certificate("$dir/handoff.pem", 10);
    finds('a certificate the other sites do not know', 1, 'hand-off',
        qr/^trouble no site has the fingerprint of \Q$dir\E\/handoff\.pem: .* \| postroad site modify hebei --certificate (?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    like($found{certificate}, qr/^warning \Q$dir\E\/handoff\.pem ends in (?:9|10) days \| renew it/, 'and that ends soon');
    certificate("$dir/handoff.pem", 3);
    finds('a certificate that ends at once', 1, 'certificate', qr/^trouble .*ends in [23] days/);
    spew("$dir/handoff.pem", "nothing\n");
    finds('no certificate', 1, 'certificate', qr/^trouble \Q$dir\E\/handoff\.pem holds no certificate/);
    unlink "$dir/handoff.pem";
    finds('no file', 1, 'certificate', qr/^trouble \Q$dir\E\/handoff\.pem: No such file/);
    main_cf(handoff_tls_chain_files => '');
    $ENV{PATH} = "$dir/none";
    finds('no Postfix at all', 0, 'postfix', qr/^skipped postconf can't be run here/);
    $ENV{PATH} = '/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/sbin:/usr/libexec/openldap';
}
main_cf(handoff_tls_chain_files => '');

# --- sockets and the daemon
my $mode = (stat "$dir/map")[2] & 07777;
chmod 0600, "$dir/map";
chown $>, 0, "$dir/map";
SKIP: {
    my ($other) = grep { $_ ne $group } map { scalar getgrgid($_) // () } 1 .. 20;
    skip 'no other group', 2 unless $> == 0 && $other;
    my $conf = slurp("$dir/postroad.conf");
    spew("$dir/postroad.conf", $conf =~ s/socket_group = "\Q$group\E"; *$/socket_group = "$other";/mr);
    chmod 0644, "$dir/postroad.conf";
    finds('a folder Postfix can not get into', 1, 'socket-map', qr/^trouble members of group \Q$other\E can't get into \Q$dir\E \| chgrp \Q$other\E \Q$dir\E && chmod g\+x/);
    chmod 0755, $dir;
    finds('a socket Postfix may not use', 1, 'socket-map', qr/^trouble group \Q$other\E may not connect to \Q$dir\E\/map/);
    spew("$dir/postroad.conf", $conf);
}
chmod $mode, "$dir/map";
my $asleep = status()->{roles};
my ($sync) = map { $_->{pid} } grep { $_->{name} eq 'sync' } @$asleep;
kill 'STOP', Trial::policyd_pid(), $sync; # the parent, too: it would start another one
ok(wait_for(30, sub { doctor(); ($found{role} // '') =~ /^trouble role sync gives no sign of life/m }), 'a role that hangs is found')
    or diag($out);
kill 'CONT', $sync, Trial::policyd_pid();
policyd_stop();
finds('nobody there', 75, 'daemon', qr/^trouble postroad-policyd can't be asked at unix:\Q$dir\E\/control \| as root: systemctl status/);
like($found{'socket-map'}, qr/^trouble nobody answers.* \| systemctl start postroad-policyd/, 'the map socket neither');
{
    my $stranger = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$dir/map", Listen => 5);
    chmod 0666, "$dir/map";
    my $pid = Trial::spawn_sub(sub { while (my $c = $stranger->accept) { sysread $c, my $q, 100; syswrite $c, "6:PERM x,"; } });
    finds('a stranger at our socket', 75, 'socket-map', qr/^trouble .*answers, but not as ours would/);
    stop_pid($pid);
    unlink "$dir/map";
}

# --- directory servers
SKIP: {
    my @missing = grep { my $p = $_; !grep { -x "$_/$p" } split /:/, $ENV{PATH} } qw(slapd slapadd slaptest ldapsearch);
    skip "not found: @missing", 8 if @missing;
    slapd_conf('a', global => 'sizelimit unlimited', database => 'access to * by dn.exact="cn=root,o=corp" read by * auth', last => "database monitor\nrootdn cn=root,cn=monitor\naccess to * by dn.exact=\"cn=root,o=corp\" read\n");
    slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
    my $slapd = slapd_start('a');
    my $uri = Trial::uri_of('a');
    spew("$dir/password", "secret\n");
    chmod 0644, "$dir/password";
    my $source = qq(uri = "$uri"; base = "o=corp"; bind_dn = "cn=root,o=corp"; password_file = "$dir/password"; heartbeat = 1; timeout = 2;);
    run('', 'rm', '-rf', "$dir/state");
    ok(policyd_start($source, $access, "127.0.0.1:$port"), 'policyd starts with slapd');
    ok(wait_for(30, sub { doctor(); ($found{provider} // '') =~ /^ok all 1 directory servers answer/ && ($found{mirror} // '') =~ /^ok/ }), 'a provider that answers, and a mirror that is filled') or diag($out);
    like($found{'directory-secret'}, qr/^trouble \Q$dir\E\/password is a secret that others can read or change \| chmod o-rwx,g-w/, 'a secret anybody can read');
    chmod 0600, "$dir/password";
    like($found{directory}, qr/^skipped .*only asked when it is said as whom/, 'the servers are asked as somebody');
    my @who = ('-D', 'cn=root,o=corp', '--password-file', "$dir/password");
    finds('a server', 0, 'directory', qr/^ok .* answers/, @who);
    like($found{clock}, qr/^ok the clock of .* is \d s/, 'its clock') or diag($out);
    like($found{slapd}, qr/^skipped .*cn=config can't be looked at/, 'slapd.conf can not be looked at');
    my @typed = ('-D', 'cn=root,o=corp', '-y', "$dir/password", '-H', $uri);
    finds('told as the tools of OpenLDAP are', 0, 'directory', qr/^ok \Q$uri\E answers/, @typed);
    finds('as whom the socket names', 0, 'clock',
        qr/^ok no change at \Q$uri\E lies in the future/, '-Y', 'EXTERNAL', '-H', $uri);
    unlink "$dir/password";
    finds('where the daemon\'s password is not to be had', 1, 'clock',
        qr/^skipped \Q$uri\E does not let you read cn=Monitor, and its access rules do not show you o=corp: you are gidNumber=\S+ there \| as root, who can read/, '-Y', 'EXTERNAL', '-H', $uri);
    spew("$dir/password", "secret\n");
    chmod 0600, "$dir/password";
    is((run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", qw(whoami -Y GSSAPI)))[0], 2, 'another mechanism: 2');
    slapd_stop('a', $slapd);
    ok(wait_for(30, sub { doctor(@who); ($found{provider} // '') =~ /^trouble .*has not answered since/ }), 'a provider that is away') or diag($out);
    like($found{directory}, qr/^trouble .*reached/, 'the server neither');
    is($rc, 1, 'exit code');

    # With its clock ahead, and with cn=config.
    slapd_conf('b', global => "sizelimit unlimited\n", last => '');
    spew("$dir/b/slapd.conf", slurp("$dir/b/slapd.conf") =~ s/^database mdb/database config\nrootdn cn=root,o=corp\ndatabase mdb/mr);
    slapd_add('b', slurp("$top/ldap-schema/two-sites.ldif"));
    mkdir "$dir/b/d";
    run('', 'slaptest', '-f', "$dir/b/slapd.conf", '-F', "$dir/b/d");
    my $b = Trial::spawn("$dir/b/log", 'slapd', '-d', '0', '-h', Trial::uri_of('b'), '-F', "$dir/b/d");
    wait_for(30, sub { (run('', 'ldapwhoami', '-x', '-H', Trial::uri_of('b')))[0] == 0 });
    my @b = (@who, '--uri', Trial::uri_of('b'), '--template', "$top/ldap-schema/access.in", '--base', 'o=corp');
    finds('a server that was told nothing', 1, 'slapd', qr/^warning .*\d entries of cn=config lack limits, indices or access rules \| postroad ldap-config diff/, @b);
    my @future = gmtime(time + 7200);
    my $csn = sprintf '%04d%02d%02d%02d%02d%02d.000000Z#000000#000#000000', $future[5] + 1900, $future[4] + 1, @future[3, 2, 1, 0];
    stop_pid($b);
    run('', 'sh', '-c', "slapcat -F $dir/b/d -b o=corp | sed 's/^contextCSN: .*/contextCSN: $csn/' >$dir/b/all.ldif; rm -f $dir/b/db/*; slapadd -q -F $dir/b/d -b o=corp -l $dir/b/all.ldif");
    $b = Trial::spawn("$dir/b/log", 'slapd', '-d', '0', '-h', Trial::uri_of('b'), '-F', "$dir/b/d");
    wait_for(30, sub { (run('', 'ldapwhoami', '-x', '-H', Trial::uri_of('b')))[0] == 0 });
    doctor(@b);
    like($found{clock}, qr/^trouble the clock of .* is 7[12]\d\d s ahead of ours \| let chrony/, 'changes from the future') or diag($out);
    stop_pid($b);
    policyd_stop();
}
done_testing;
