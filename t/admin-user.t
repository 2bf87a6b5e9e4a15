#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad user …, as administrators of four levels, with a real slapd and our access
# rules: what is written, what is refused and how that is said, that --dry-run
# changes nothing and is LDIF, that no password shows up anywhere, and what happens
# when the daemon or the server is away.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Trial;
use Tty;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami setsid));
my $rules = "$top/ldap-schema/postroad-access.conf";
plan(skip_all => "$rules is not there") unless -e $rules;

my $CORP  = 'dc=corp.example,ou=domains,o=corp';
my $SALES = "ou=sales,$CORP";

slapd_conf('a', database => "include $rules\nindex uid,mail,postroadAlias,member eq\nlastmod on",
    global => qq{authz-regexp "gidNumber=[0-9]+\\\\+uidNumber=$>,cn=peercred,cn=external,cn=auth" "uid=lina,ou=hr,$CORP"\n});
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = slapd_start('a');
my $uri = Trial::uri_of('a');

sub secret_file { my ($name, $text) = @_; spew("$dir/$name", $text); chmod 0600, "$dir/$name"; return "$dir/$name" }
secret_file("pw-$_", "sample-$_\n") for qw(zhangwei liuyang lina wangfang alice zhoujie dave);
my $rootpw = secret_file('pw-root', "secret\n");

my $directory = qq{uri = "$uri"; base = "o=corp"; bind_dn = "cn=root,o=corp"; password_file = "$rootpw"; timeout = 3;};
policyd_start($directory);
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), 'policyd follows the directory');

my $conf = "$dir/postroad.conf";

# (exit code, stdout, stderr); no terminal.
sub postroad {
    my ($code, $out) = run('', 'sh', '-c', 'exec setsid -w "$@" 2>"$0"', "$dir/stderr", "$top/ctl/postroad", '-c', $conf, @_);
    return ($code, $out, slurp("$dir/stderr"));
}

# As somebody, by the address of his corp.example account.
sub as { my ($who, @args) = @_; return postroad(@args, '-D', "$who\@corp.example", '--password-file', "$dir/pw-$who") }

sub is_run {
    my ($got, $want, $out, $err, $what) = @_;
    my $ok = $got->[0] == $want && $got->[1] =~ $out && $got->[2] =~ $err;
    ok($ok, $what) or diag("exit $got->[0], want $want\nstdout: $got->[1]\nstderr: $got->[2]");
    return $got->[1];
}
my $nothing = qr/\A\z/;

# The values of one attribute, as root sees them.
sub values_of {
    my ($dn, $attr) = @_;
    my $ldif = ldap_search('a', '-s', 'base', '-b', $dn, '(objectClass=*)', $attr);
    return join ' ', sort $ldif =~ /^\Q$attr\E: (.*)$/mg;
}
sub exists_dn { my ($dn) = @_; return ldap_search('a', '-s', 'base', '-b', $dn, '1.1') =~ /^dn:/m }
sub in_mirror { my ($address) = @_; return wait_for(30, sub { @{ control(verb => 'taken', addresses => [$address])->{taken} // [] } > 0 }) }

# --- who
is_run([as('lina', 'whoami')], 0, qr/you are +uid=lina,ou=hr,.*role +domain\n.*scope +\Q$CORP\E/s, $nothing, 'by address, password from a file');
is_run([postroad('whoami')], 0, qr/you are +uid=lina/, $nothing, 'over ldapi without a name: who the socket says');
is_run([postroad('whoami', '-D', "uid=alice,$SALES", '--password-file', "$dir/pw-lina")], 1, $nothing, qr/could not bind as uid=alice.*wrong name or password/, 'a wrong password');
is_run([postroad('whoami', '-D', 'nobody@corp.example', '--password-file', "$dir/pw-lina")], 1, $nothing, qr/who is nobody\@corp\.example\?/, 'an address nobody has');
is_run([postroad('whoami', '-D', 'lina')], 2, $nothing, qr/neither a DN nor a mail address/, 'no address');
is_run([postroad('whoami', '-D', 'lina@corp.example')], 2, $nothing, qr/no terminal.*--password-file/, 'no terminal and no file: says so');
is_run([postroad('whoami', '-D', 'lina@corp.example', '--password-file', "$dir/none")], 2, $nothing, qr{$dir/none: No such file}, 'no such password file');
is_run([postroad('whoami', '--external', '-D', 'lina@corp.example')], 2, $nothing, qr/can't go together/, 'two ways at once');
{
    chmod 0644, secret_file('pw-open', "sample-lina\n");
    is_run([postroad('whoami', '-D', 'lina@corp.example', '--password-file', "$dir/pw-open")], 0, qr/uid=lina/, qr/warning: .*can be read by everybody/, 'a password everybody can read');
}

# --- add
my @new = ('user', 'add', 'Chen.Li@Corp.Example', '--name', '陈丽', '--department', 'sales/north', '--alias', 'cl@corp.example', '--alias', '丽@corp.example',
    '--quota', '5G', '--deny', 'pop', '--site', 'hebei', '--phone', '+86 311 1', '--title', 'Clerk');
my $CHEN = "uid=chen.li,ou=north,$SALES";
my $ldif = is_run([as('lina', @new, '--generate', '--dry-run')], 0, qr/\Adn: \Q$CHEN\E\nchangetype: add\n.*# userPassword: .*not shown/s, $nothing, 'add --dry-run is LDIF');
unlike($ldif, qr/^userPassword/m, 'without a password');
ok(!exists_dn($CHEN), 'and adds nobody');
my $password;
{
    my $out = is_run([as('lina', @new, '--generate')], 0, qr/\AAdded chen\.li\@corp\.example: \Q$CHEN\E\nPassword: (\S+)\n\z/, $nothing, 'a domain administrator adds somebody');
    ($password) = $out =~ /Password: (\S+)/;
}
is(values_of($CHEN, 'objectClass'), 'inetOrgPerson postroadAccount', 'a person with a mail account');
is(values_of($CHEN, $_->[0]), $_->[1], "$_->[0] is written")
    for ['mail', 'chen.li@corp.example'], ['postroadQuota', 5 << 30], ['postroadDeny', 'pop'], ['postroadHomeSite', 'hebei'], ['telephoneNumber', '+86 311 1'], ['uid', 'chen.li'];
like(ldap_search('a', '-b', $CHEN, '-s', 'base', 'postroadAlias'), qr/^postroadAlias: cl\@corp\.example\npostroadAlias:: /m, 'further addresses, one of them UTF-8');
{
    my ($ok) = run('', 'ldapwhoami', '-x', '-H', $uri, '-D', $CHEN, '-w', $password);
    is($ok, 0, 'the generated password opens the directory');
}
like(ldap_search('a', '-b', $CHEN, '-s', 'base', 'userPassword'), qr/^userPassword:: /m, 'it is stored as a hash');
unlike(`grep -c . $dir/a/log; cat $dir/a/log $dir/policyd.log`, qr/\Q$password\E/, 'and in no log');
$ldif =~ s/^#.*\n//mg;
is_run([as('lina', 'user', 'delete', 'chen.li@corp.example', '--yes')], 0, qr/Deleted chen\.li.*mailbox stays/, $nothing, 'deleted');
ok(ldap_change('a', $ldif) && exists_dn($CHEN), 'the LDIF of --dry-run does the same in ldapmodify');

ok(in_mirror('cl@corp.example'), 'the mirror has seen him');
is_run([as('lina', 'user', 'add', 'CL@corp.example')], 1, $nothing, qr/cl\@corp\.example is taken already, by the account \Q$CHEN\E/, 'an address somebody has as alias');
is_run([as('lina', 'user', 'add', 'new@corp.example', '--alias', 'ALL@corp.example')], 1, $nothing, qr/all\@corp\.example is taken already, by the list/, "a list's address as alias");
is_run([as('lina', 'user', 'add', 'new@corp.example', '--alias', '丽@corp.example')], 1, $nothing, qr/taken already/, 'a UTF-8 address');
is_run([as('lina', 'user', 'add', 'x@elsewhere.example')], 1, $nothing, qr/no domain elsewhere\.example/, 'a domain that is not there');
is_run([as('zhangwei', 'user', 'add', 'x@posts.example')], 1, $nothing, qr/posts\.example is another name of post\.example/, "a domain's other name");
is_run([as('lina', 'user', 'add', 'x@corp.example', '--department', 'sales/nowhere')], 1, $nothing, qr{no department "sales/nowhere"}, 'a department that is not there');
is_run([as('lina', 'user', 'add', 'x@corp.example', '--department', 'ou=jinan,dc=post.example,ou=domains,o=corp')], 1, $nothing, qr/is not below the domain/, 'a department of another domain');
is_run([as('lina', 'user', 'add', 'x@corp.example', '--site', 'atlantis')], 1, $nothing, qr/no site "atlantis"/, 'a site that is not there');
for (['--quota', '5X', 'no size'], ['--deny', 'dancing', 'none of: imap'], ['--alias', 'a@b@c', 'no mail address'], ['--phone', 'ring;me', 'no telephone'], ['--name', "a\nb", 'control characters'],
    ['--state', 'moving', 'none of'], ['--name', "\xff", 'no UTF-8'], ['--site', 'a b', 'no name of a site']) {
    my ($option, $value, $say) = @$_;
    is_run([as('lina', 'user', 'add', 'x@corp.example', $option, $value)], 2, $nothing, qr/\Q$option\E: .*$say/, "$option with nonsense: 2");
}
is_run([as('lina', 'user', 'add', 'x')], 2, $nothing, qr/no mail address/, 'an address without domain');
is_run([as('lina', 'user', 'add', '陈@corp.example')], 2, $nothing, qr/give such an address as alias/, 'a primary address that mail can not hold');
is_run([as('lina', 'user', 'add', 'x@corp.example', '--remove-alias', 'y@corp.example')], 2, $nothing, qr/user add does not take --remove-alias/, 'an option of another verb');

# Names with everything in them that DNs quote.
ldap_change('a', "dn: ou=R\\2C D \\22x\\22 ]研\\2B,$CORP\nobjectClass: organizationalUnit\nobjectClass: postroadDepartment\nou: R, D \"x\" ]研+\n");
is_run([as('lina', 'user', 'add', '"o, \"dd] "@corp.example', '--department', 'R, D "x" ]研+')], 0, qr/Added/, $nothing, 'odd names of department and address');
is_run([as('lina', 'user', 'show', '"o, \"dd] "@corp.example')], 0, qr/^uid +o, "dd\]/m, $nothing, 'he is found');
is_run([as('lina', 'user', 'list', '--domain', 'corp.example', '--department', 'R, D "x" ]研+')], 0, qr/R, D "x" \]研\+/, $nothing, 'and listed with his department');
is_run([as('lina', 'user', 'move', '"o, \"dd] "@corp.example', '')], 0, qr/Moved/, $nothing, 'and moved to the top of the domain');
is_run([as('lina', 'user', 'delete', '"o, \"dd] "@corp.example', '--yes')], 0, qr/Deleted/, $nothing, 'and deleted');

# --- the directory's rules decide
is_run([as('wangfang', 'user', 'add', 'below@corp.example', '--department', 'sales/north')], 0, qr/Added/, $nothing, 'a department administrator adds below his department');
is_run([as('wangfang', 'user', 'add', 'x@corp.example', '--department', 'hr')], 1, $nothing, qr/could not add uid=x,ou=hr.*access rules do not allow.*\n  By rule \d+: .*scopes/, 'but not in another one, and why');
is_run([as('wangfang', 'user', 'suspend', 'lina@corp.example')], 1, $nothing, qr/access rules do not allow.*\n  By rule \d+: .*level/, 'nor touches a higher administrator, and why');
is_run([as('lina', 'user', 'modify', 'sunli@post.example', '--quota', '1G')], 1, $nothing, qr/access rules do not allow/, "nor a domain administrator another domain's people");
is_run([as('alice', 'user', 'modify', 'alice@corp.example', '--quota', '9G')], 1, $nothing, qr/access rules do not allow.*\n  By rule \d+: /, 'nor anybody his own quota');
is_run([as('alice', 'user', 'modify', 'alice@corp.example', '--mobile', '+86 1')], 0, qr/Changed alice/, $nothing, 'but his own telephone');
is_run([as('wangfang', 'user', 'password', 'lina@corp.example', '--generate')], 1, $nothing, qr/access rules do not allow/, 'no new password for a higher administrator');

# --- modify
is_run([as('lina', 'user', 'modify', 'cl@corp.example', '--mail', 'li.chen@corp.example', '--quota', '', '--deny', 'imap', '--allow', 'pop', '--remove-alias', 'CL@corp.example')], 0,
    qr/Changed chen\.li/, $nothing, 'modify: a new address, no own quota, functions, an alias less');
is(values_of($CHEN, $_->[0]), $_->[1], "$_->[0] afterwards")
    for ['mail', 'li.chen@corp.example'], ['postroadQuota', ''], ['postroadDeny', 'imap'], ['postroadAlias', 'chen.li@corp.example'];
is_run([as('lina', 'user', 'modify', 'li.chen@corp.example', '--deny', 'imap', '--site', 'HEBEI')], 0, qr/Nothing to change/, $nothing, 'what is so already is not written');
is_run([as('lina', 'user', 'modify', 'li.chen@corp.example', '--remove-alias', 'no@corp.example')], 1, $nothing, qr/has no alias "no\@corp/, 'taking away what is not there');
is_run([as('lina', 'user', 'modify', 'li.chen@corp.example', '--mail', 'alice@corp.example')], 1, $nothing, qr/alice\@corp\.example is taken already/, "somebody else's address");
is_run([as('lina', 'user', 'modify', 'li.chen@corp.example', '--mail', 'chen.li@corp.example', '--drop-old')], 0, qr/Changed/, $nothing, 'an own alias becomes the address');
like(values_of($CHEN, 'postroadAlias') . values_of($CHEN, 'mail'), qr/\Achen\.li\@corp\.example\z/, 'and the old one goes with --drop-old');
is_run([as('lina', 'user', 'modify', 'alice@corp.example', '--dry-run', '--title', 'Boss ')], 0, qr/\Adn: uid=alice,\Q$SALES\E\nchangetype: modify\nreplace: title\ntitle: Boss\n-\n\n\z/, $nothing, 'modify --dry-run');
is(values_of("uid=alice,$SALES", 'title'), '', 'changes nothing');
my $json = decode_json((as('lina', 'user', 'show', 'alice@corp.example', '--json'))[1]);
is_deeply([$json->{ok}, $json->{address}, $json->{alias}], [JSON::PP::true, 'alice@corp.example', ['alice.wang@corp.example', 'a.wang@corp.example']], 'show as JSON');

# --- suspend, resume
is_run([as('lina', 'user', 'suspend', 'alice@corp.example')], 0, qr/Suspended .*alice/, $nothing, 'suspend');
is(values_of("uid=alice,$SALES", 'postroadState'), 'suspended', 'is written');
is_run([as('alice', 'whoami')], 1, $nothing, qr/could not bind/, 'who is suspended gets in no more');
is_run([as('lina', 'user', 'resume', 'alice@corp.example')], 0, qr/Resumed .*alice/, $nothing, 'resume');
is(values_of("uid=alice,$SALES", 'postroadState'), '', 'is written');
is_run([as('lina', 'user', 'suspend', 'frank@corp.example')], 1, $nothing, qr/frank\@corp\.example is moving to another site/, 'nobody is stopped half way to another site');

# --- password
my $new = secret_file('new', "Neues Wört!\n");
is_run([as('lina', 'user', 'password', 'alice@corp.example', '--new-password-file', $new)], 0, qr/Set the password of alice/, $nothing, 'a new password from a file');
is_run([postroad('whoami', '-D', 'alice@corp.example', '--password-file', $new)], 0, qr/uid=alice/, $nothing, 'opens the directory');
is_run([as('lina', 'user', 'password', 'dave@corp.example', '--new-password-file', $new)], 0, qr/Set the password/, qr/stored, but the directory does not open with it/, 'of somebody suspended: says that it opens nothing');
is_run([as('lina', 'user', 'password', 'alice@corp.example', '--generate', '--dry-run')], 0, qr/\A# dn: uid=alice.*\n# userPassword: .*\n\n\z/, $nothing, 'password --dry-run');
is_run([as('lina', 'user', 'password', 'alice@corp.example')], 2, $nothing, qr/no terminal/, 'nowhere to ask for one');
is_run([as('lina', 'user', 'password', 'alice@corp.example', '--prompt', '--generate')], 2, $nothing, qr/only one of/, 'two ways at once');
spew("$dir/server.conf", slurp($conf) . "admin: { password_scheme = \"server\"; };\n");
{
    my ($code) = run('', "$top/ctl/postroad", '-c', "$dir/server.conf", 'user', 'password', 'alice@corp.example', '--new-password-file', $new, '-D', 'lina@corp.example', '--password-file', "$dir/pw-lina");
    is($code, 0, 'hashed by the server');
    is_run([postroad('whoami', '-D', 'alice@corp.example', '--password-file', $new)], 0, qr/uid=alice/, $nothing, 'opens the directory too');
}

# --- move, delete: lists follow
is_run([as('lina', 'user', 'move', 'bob@corp.example', 'hr')], 0, qr/Moved bob\@corp\.example: uid=bob,ou=hr,.*Changed in 1 list/s, $nothing, 'move to another department');
like(values_of("cn=all,$CORP", 'member'), qr/uid=bob,ou=hr,/, 'the list follows');
is_run([as('lina', 'user', 'move', 'bob@corp.example', 'hr')], 0, qr/There already is bob/, $nothing, 'again: he is there');
is_run([as('lina', 'user', 'move', 'alice@corp.example', 'hr')], 0, qr/Moved/, qr/1 entry still names the old entry: .*cn=couriers,dc=post/, 'a list that may not be changed is named');
is_run([as('wangfang', 'user', 'move', 'chenjing@corp.example', 'hr')], 1, $nothing, qr/access rules do not allow/, 'nobody is moved out of reach');
is_run([as('lina', 'user', 'delete', 'bob@corp.example')], 2, $nothing, qr/Delete bob.*say --yes/, 'delete asks, and nobody is there');
is_run([as('lina', 'user', 'delete', 'bob@corp.example', '--dry-run')], 0, qr/\Adn: uid=bob.*\nchangetype: delete\n\n\z/, $nothing, 'delete --dry-run');
is_run([as('lina', 'user', 'delete', 'bob@corp.example', '--yes')], 0, qr/Deleted bob.*Taken off 1 list/s, $nothing, 'delete --yes');
unlike(values_of("cn=all,$CORP", 'member'), qr/uid=bob/, 'he is off the list');
is_run([as('lina', 'user', 'delete', 'bob@corp.example', '--yes')], 1, $nothing, qr/nobody has the address bob/, 'and can not be deleted twice');

# --- list
is_run([as('lina', 'user', 'list', '--domain', 'POSTS.example')], 0, qr/^sunli\@post\.example/m, $nothing, "list by the domain's other name");
is_run([as('lina', 'user', 'list', '--state', 'suspended')], 0, qr/\A.*\n\S+\@corp/, $nothing, 'list by state');
is_run([as('lina', 'user', 'list', '--domain', 'corp.example', '--department', 'finance', '--json')], 0, qr/"address":"huangli\@corp\.example".*"department":"finance"/, $nothing, 'list as JSON');
is_run([as('lina', 'user', 'list', '--department', 'hr')], 2, $nothing, qr/of which --domain/, 'a department of no domain');

# --- in ps
SKIP: {
    skip 'no /proc', 1 unless -d "/proc/$$";
    my $fifo = "$dir/fifo";
    POSIX::mkfifo($fifo, 0600);
    my $pid = fork // die;
    if (!$pid) { open STDOUT, '>', '/dev/null'; exec "$top/ctl/postroad", '-c', $conf, 'whoami', '-D', 'lina@corp.example', '--password-file', $fifo; }
    open my $to, '>', $fifo;
    my $seen = slurp("/proc/$pid/cmdline") . slurp("/proc/$pid/environ");
    print $to "sample-lina\n";
    close $to;
    waitpid $pid, 0;
    ok($? == 0 && $seen =~ /whoami/ && $seen !~ /sample-lina/, 'no password in ps');
}

# --- a prompt at a terminal, without echo
SKIP: {
    my @lines = ("sample-lina\n", "Drei Worte\n", "Drei Wote\n", "Vier Worte\n", "Vier Worte\n");
    my ($shown, $code) = at_terminal(\@lines, "$top/ctl/postroad", '-c', $conf, 'user', 'password', 'alice@corp.example', '-D', 'lina@corp.example');
    skip 'no terminal can be made here', 3 if !defined $shown;
    is($code, 0, 'passwords typed at a terminal') or diag($shown);
    like($shown, qr/Password of uid=lina.*New password of alice.*The same again.*not the same.*Set the password/s, 'each asked for; what differs, again');
    unlike($shown, qr/sample|Worte/, 'and not echoed');
}

# --- the daemon is away
policyd_stop();
is_run([postroad('user', 'add', 'x1@corp.example', '--department', 'hr')], 0, qr/Added/, qr/note: postroad-policyd can't be asked/, 'without the daemon the server alone is asked, and that is said');
is_run([postroad('user', 'add', 'y1@corp.example', '--alias', 'x1@corp.example')], 1, $nothing, qr/x1\@corp\.example is taken already/, 'which knows a lot too');

# --- the server is away, or says nothing
slapd_stop('a', $slapd);
is_run([postroad('whoami')], 75, $nothing, qr/can't be reached; nothing was changed\n  ldapi:/, 'no server: 75');
is_run([postroad('user', 'show', 'alice@corp.example', '--json')], 75, qr/\A\{"ok":false,"error":.*"code":75\}\n\z/, $nothing, 'and as JSON');
{
    my $silent = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$dir/silent", Listen => 5) or die;
    (my $path = "$dir/silent") =~ s{/}{%2F}g;
    my $start = time;
    is_run([postroad('whoami', '--uri', "ldapi://$path")], 75, $nothing, qr/did not answer in time/, 'a server that says nothing: 75');
    my $tcp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die;
    is_run([postroad('whoami', '--external', '--uri', 'ldaps://127.0.0.1:' . $tcp->sockport)], 75, $nothing, qr/can't be reached/, 'nor in TLS');
    cmp_ok(time - $start, '<', 20, 'both in bounded time');

    # SIGPIPE, as when the server ends the connection while we write to it: only who reads our output may end us by it.
    my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die;
    my @hurt = map {
        pipe my $reader, my $writer or die "pipe: $!";
        close $reader if $_;
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            open STDOUT, '>&', $writer;
            open STDERR, '>', "$dir/stderr";
            exec("$top/ctl/postroad", '-c', $conf, 'whoami', '--external', '--uri', 'ldaps://127.0.0.1:' . $server->sockport) or POSIX::_exit(127);
        }
        close $writer;
        my $asked = $server->accept;
        kill PIPE => $pid;
        close $asked;
        waitpid $pid, 0;
        $?;
    } 0, 1;
    is($hurt[0], 75 << 8, 'a connection that breaks while we write: 75 as well') or diag("status $hurt[0]");
    is($hurt[1] & 127, POSIX::SIGPIPE(), 'but nobody is left to read our output: ended by SIGPIPE, as usual') or diag("status $hurt[1]");
}
done_testing();
