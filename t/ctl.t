#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The command postroad: exit codes and texts of every verb, with and without a
# daemon; that text output is aligned and safe for a terminal, JSON is JSON, and
# that a printed configuration can be loaded again.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);

my $conf = "$dir/postroad.conf";
my $file = "$dir/directory.ldif";

# (exit code, stdout, stderr)
sub postroad {
    my ($code, $out) = run('', 'sh', '-c', 'exec "$@" 2>"$0"', "$dir/stderr", "$top/ctl/postroad", @_);
    return ($code, $out, slurp("$dir/stderr"));
}

# One call: exit code, and what stdout and stderr look like.
sub is_run {
    my ($args, $want, $out, $err, $what) = @_;
    my @got = postroad(@$args);
    my $ok = $got[0] == $want && $got[1] =~ $out && $got[2] =~ $err;
    ok($ok, $what) or diag("postroad @$args: exit $got[0], want $want\nstdout: $got[1]\nstderr: $got[2]");
    return $got[1];
}

my $nothing = qr/\A\z/;

# --- usage, no daemon needed ---
spew($conf, <<"CONF");
site = "hebei";
state_dir = "$dir/state";
directory: { ldif = "$file"; };
sockets: { map = "unix:$dir/map"; control = "unix:$dir/control"; };
log: { level = "debug"; };
CONF
is_run([], 2, $nothing, qr/which verb\?.*postroad help/s, 'no verb: 2');
is_run(['dance'], 2, $nothing, qr/unknown verb "dance"/, 'an unknown verb: 2');
is_run(['--wrong'], 2, $nothing, qr/unrecognized option/, 'an unknown option: 2');
is_run(['help'], 0, qr/lookup MAP KEY.*sweep accept.*Exit codes/s, $nothing, 'help');
is_run(['--version'], 0, qr/\Apostroad \d+\.\d+\.\d+\n\z/, $nothing, 'version');
is_run(['-c', "$dir/none", 'status'], 2, $nothing, qr{\Apostroad: $dir/none: No such file or directory; begin with the sample}, 'no configuration: 2, and which file');
is_run(['-c', $conf, @$_], 2, $nothing, qr/postroad: .*\nTry "postroad help"/, "wrong arguments: @$_")
    for ['lookup', 'transport'], ['explain'], ['explain', 'a@b', 'c@d'], ['status', 'x'], ['config', 'x'], ['sweep'],
    ['sweep', 'accept'], ['sweep', 'accept', '--reason', ''], ['sweep', 'refuse', '--reason', 'x'], ['status', '-a'],
    ['explain', '--reason', 'x', 'a@b'];

# --- config ---
my $shown = is_run(['-c', $conf, 'config'], 0, qr/^    level = "debug";$/m, $nothing, 'config');
like($shown, qr/^directory: \{\n    ldif = "\Q$file\E";\n\};$/m, 'groups as in the file');
unlike($shown, qr/recipient_delimiter/, 'without what is default');
is((postroad('-c', $conf, 'config', '-n'))[1], $shown, '-n is the same');
my $all = is_run(['-c', $conf, 'config', '-a'], 0, qr/^recipient_delimiter = "\+";$/m, $nothing, 'config -a has the rest');
spew("$dir/again.conf", $all);
is((postroad('-c', "$dir/again.conf", 'config'))[1] =~ s/\A#.*\n//r, $shown =~ s/\A#.*\n//r, 'what it prints can be loaded, and means the same');
my $json = decode_json((postroad('-c', $conf, 'config', '-a', '--json'))[1]);
is($json->{'answer.workers'}, 2, 'as JSON: numbers');
is_deeply($json->{'directory.uri'}, [], 'lists');
is($json->{'log.lookups'}, JSON::PP::false, 'and booleans');
is((postroad('--json', 'config', '-a', '-c', $conf))[1], encode_json($json) ? (postroad('-c', $conf, 'config', '-a', '--json'))[1] : '', 'options may stand anywhere');

# --- no daemon ---
for (['status', 'control'], ['explain', 'control', 'alice@corp.example'], ['lookup', 'map', 'transport', 'alice@corp.example']) {
    my ($verb, $socket, @args) = @$_;
    is_run(['-c', $conf, $verb, @args], 75, $nothing, qr{does not answer: .*$dir/$socket.*\n.*Still safe: .*To do: .*postroad-policyd -t -c $conf}s,
        "$verb without a daemon: 75, which socket, what is safe, what to do");
    my $e = decode_json((postroad('-c', $conf, $verb, @args, '--json'))[1]);
    ok(!$e->{ok} && $e->{code} == 75 && $e->{error}, "and as JSON");
}

# --- with the daemon ---
my $evil = encode_base64("cn=red\e[31malert\x{7}\x{c2}\x{9b},o=corp", '');
spew($file, slurp("$top/ldap-schema/two-sites.ldif") . "\n" . <<"LDIF");
dn:: $evil
objectClass: inetOrgPerson
objectClass: postroadAccount
cn: red
sn: red
mail: red\@corp.example
postroadState: sleeping

LDIF
ok(policyd_start(qq(ldif = "$file";)), 'the daemon starts');
ok(wait_for(30, sub { status()->{mirror}{complete} }), 'and has loaded');
is_run(['-c', $conf, 'lookup', 'transport', 'alice@corp.example'], 0, qr/\Almtp:unix:private\/dovecot-lmtp\n\z/, $nothing, 'lookup: found, 0');
is_run(['-c', $conf, 'lookup', 'mailbox', 'nobody@corp.example'], 1, $nothing, qr/mailbox nobody\@corp\.example: NOTFOUND/, 'lookup: NOTFOUND, 1');
is_run(['-c', $conf, 'lookup', 'nomap', 'x'], 2, $nothing, qr/PERM/, 'lookup: no such map, 2');
is_run(['-c', $conf, 'lookup', 'mailbox', '--', '-x@corp.example'], 1, $nothing, qr/NOTFOUND/, 'a key that begins with a dash');
my $l = decode_json(is_run(['-c', $conf, '--json', 'lookup', 'mailbox', 'nobody@corp.example'], 1, qr/\A\{.*\}\n\z/, $nothing, 'lookup --json'));
is_deeply([@$l{qw(map key status data)}], ['mailbox', 'nobody@corp.example', 'NOTFOUND', ''], 'with all members');

$l = decode_json(is_run(['-c', $conf, '--json', 'lookup', 'mailbox', "a\xff\@corp.example"], 1, qr/\A\{.*\}\n\z/, $nothing, 'a key that is no UTF-8'));
is($l->{key}, 'a?@corp.example', 'is shown as far as it can be');
is_run(['-c', $conf, 'explain', "a\xff\@corp.example"], 2, $nothing, qr/not UTF-8/, 'explain refuses it');

my $e = is_run(['-c', $conf, 'explain', 'anything@post.example'], 0, qr/\Aanything\@post\.example: hand-off to shandong, because of rule 8: /, $nothing, 'explain');
like($e, qr/^  home      shandong  \(from the domain dc=post\.example,/m, 'where the home site comes from');
like($e, qr/^-> 8  .*\n      yes: next hops of shandong: relay:/m, 'the rule that decides');
like($e, qr/^  transport  anything\@post\.example +OK +relay:\[/m, 'what Postfix is told');
like($e, qr/^Mirror: complete, /m, 'and how old the mirror is');
is_run(['-c', $conf, 'explain', 'noaddress'], 2, $nothing, qr/not a mail address/, 'explain what is none: 2');
ok(decode_json((postroad('-c', $conf, 'explain', 'x@outside.example', '--json'))[1])->{ok}, 'explain --json');

my $s = is_run(['-c', $conf, 'status'], 0, qr/\ASite      hebei, postroad-policyd /, $nothing, 'status');
like($s, qr/^Mirror    complete, .*\n          \d+ entries, \d+ accounts/m, 'the mirror');
like($s, qr/^  (?:sync|answer 1) +\d+  \d{4}-/m, 'the processes');
like($s, qr/Needs attention:.*sleeping/s, 'what makes no sense');
unlike($s, qr/[\e\x07]|\xc2\x9b/, 'no control characters reach the terminal');
like($s, qr/cn=red\?\[31malert/i, 'they are question marks');
ok(decode_json((postroad('-c', $conf, 'status', '--json'))[1])->{ok}, 'status --json');
is_run(['-c', $conf, 'sweep', 'accept', '--reason', 'test'], 1, $nothing, qr/no sweep was refused/, 'nothing to accept: 1');

# --- wide characters keep their columns ---
{
    require Encode;
    my @rows = grep { /^  \S+ +\S+ +(?:OK|NOTFOUND) / } split /\n/, (postroad('-c', $conf, 'explain', "info\@\xe9\xa9\xbf\xe8\xb7\xaf.example"))[1];
    my %column = map { my $t = Encode::decode('UTF-8', $_); $t =~ /^(.*? )(?:OK|NOTFOUND) /; my $w = length($1) + (() = $1 =~ /\p{Han}/g); ($w => 1) } @rows;
    is(scalar keys %column, 1, 'two columns for each Chinese character') or diag(join "\n", @rows);
}

# --- not allowed ---
SKIP: {
    skip 'needs root', 1 if $> != 0;
    my ($code, $out) = run('', 'setpriv', '--reuid=bin', '--regid=bin', '--clear-groups', "$top/ctl/postroad", '-c', $conf, 'status');
    ok($code == 75 && $out =~ /To do: run it as root, or as a member of group/, 'a stranger is told so') or diag("$code $out");
}
policyd_stop();

# --- completion ---
SKIP: {
    my $bash = (grep { -x } '/bin/bash', '/usr/bin/bash')[0] or skip 'no bash', 3;
    my (undef, $words) = run('', $bash, '-c', ". $top/ctl/postroad.bash-completion; COMP_WORDS=(postroad -c x ''); COMP_CWORD=3; _postroad; echo \${COMPREPLY[\@]}");
    like($words, qr{lookup explain may who status doctor config sweep}, 'bash completes the verbs');
    (undef, $words) = run('', $bash, '-c', ". $top/ctl/postroad.bash-completion; COMP_LINE='postroad may a\@b manage:p'; COMP_POINT=\${#COMP_LINE};"
        . " COMP_WORDS=(postroad may a\@b manage : p); COMP_CWORD=5; _postroad; echo \${COMPREPLY[\@]}");
    is($words, "person placement\n", 'and actions, behind their colon');
    (undef, $words) = run('', $bash, '-c', ". $top/ctl/postroad.bash-completion; COMP_WORDS=(postroad explain --a); COMP_CWORD=2; _postroad; echo \${COMPREPLY[\@]}");
    is($words, "--attachment\n", 'and what explain takes');
}
done_testing();
