#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad user import and export with a real slapd: every line has a fate, a rerun
# changes nothing twice, bad files are refused before anything is done, and what
# happens when a department vanishes or slapd stops in the middle.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Exit;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Trial;
use Tty;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami setsid));

my $CORP  = 'dc=corp.example,ou=domains,o=corp';
my $LINA  = "uid=lina,ou=hr,$CORP";
my $EAST  = "ou=east,ou=sales,$CORP";
my $MANY  = 3000;

my $rules = "$top/ldap-schema/postroad-access.conf";
my $access = -e $rules ? "include $rules" : <<"ACCESS";
access to attrs=userPassword by dn.exact="$LINA" write by anonymous auth by * none
access to dn.subtree="$CORP" by dn.exact="$LINA" write by users read
access to * by users read
ACCESS
sub start_slapd { return slapd_start('a') }
slapd_conf('a', database => "index uid,mail,postroadAlias,associatedDomain eq\n$access",
    global => qq{authz-regexp "gidNumber=[0-9]+\\\\+uidNumber=$>,cn=peercred,cn=external,cn=auth" "$LINA"\n});
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = start_slapd();
my $uri = Trial::uri_of('a');
spew("$dir/pw", "secret\n");
chmod 0600, "$dir/pw";
policyd_start(qq{uri = "$uri"; base = "o=corp"; bind_dn = "cn=root,o=corp"; password_file = "$dir/pw"; retry_max = 1;});
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), 'policyd follows the directory');

my $csv = "$dir/people.csv";
my @command = ("$top/ctl/postroad", '-c', "$dir/postroad.conf", 'user');

# (exit code, stdout, stderr) of user …
sub user {
    my ($code, $out) = run('', 'sh', '-c', 'exec setsid -w "$@" 2>"$0"', "$dir/stderr", @command, @_);
    return ($code, $out, slurp("$dir/stderr"));
}

# Import these bytes.
sub import_is {
    my ($bytes, $want, $out, $err, $what, @options) = @_;
    spew($csv, $bytes);
    my @got = user('import', $csv, @options);
    ok($got[0] == $want && $got[1] =~ $out && $got[2] =~ $err, $what)
        or diag("exit $got[0], want $want\nstdout: " . substr($got[1], 0, 2000) . "\nstderr: $got[2]");
    return $got[1];
}
my $nothing = qr/\A\z/;
sub mail_count { my ($filter) = @_; my @dn = ldap_search('a', '-b', 'o=corp', $filter, '1.1') =~ /^dn:/mg; return scalar @dn }

# --- files that are refused as a whole
my $ok_line = "address,name\nok1\@corp.example,Ok\n";
for (
    ["\xff\xfea\0", 1, 'this is UTF-16', 'UTF-16'],
    ["${ok_line}b\@corp.example,M\xfcller\n", 3, 'no UTF-8', 'Latin-1'],
    ["${ok_line}b\@corp.example,\xed\xa0\x80\n", 3, 'no UTF-8', 'a surrogate in UTF-8'],
    ["${ok_line}b\@corp.example,\"open\nc\@corp.example,x\n", 3, 'quote is never closed', 'a quote that never ends'],
    ["${ok_line}b\@corp.example,M\"ller\n", 3, 'quote inside a field', 'a stray quote'],
    ["${ok_line}b\@corp.example,a\0b\n", 3, 'NUL', 'a NUL byte'],
    ["name,department\nx,y\n", 1, 'no column "address"', 'no addresses'],
    ["address,nmae\nx\@corp.example,y\n", 1, '"nmae" is no column I know, which are: address name', 'a column nobody knows'],
    ["address,name,name\nx\@corp.example,y,z\n", 1, '"name" is there twice', 'a column twice'],
    ['', 1, 'first line must name the columns', 'an empty file'],
) {
    my ($bytes, $line, $why, $what) = @$_;
    import_is($bytes, 2, $nothing, qr/people\.csv:$line: .*\Q$why\E.*\n  Nothing was done/s, "refused: $what");
}
is(mail_count('(mail=ok1@corp.example)'), 0, 'and nothing of them was done');
is((user('import', "$dir/none"))[0], 2, 'no such file');
is((user('import'))[0], 2, 'no file');

# --- every line's fate
my $mixed = "\xef\xbb\xbf" . join "\r\n",
    'Address;Name;department;alias;quota;deny;phone;password;',
    'One@Corp.example;"Eins, ""die"" Erste";sales/north;"o1@corp.example o2@corp.example";5G;imap, pop;\'+86 1;Wort 1;',
    '',
    'one@corp.example;again;;;;;;;',
    'two@corp.example;=cmd|x;研发部;;;;;;',
    'bad;no address;;;;;;;',
    'alice@corp.example;there;;;;;;;',
    'three@corp.example;list\'s address;;all@corp.example;;;;;',
    'four@corp.example;alias above;;O2@corp.example;;;;;',
    'five@corp.example;nowhere;sales/nowhere;;;;;;',
    'six@elsewhere.example;no domain;;;;;;;',
    'seven@corp.example;quota;;;many;;;;',
    'eight@corp.example;short',
    'nine@post.example;not hers;;;;;;;',
    '"ten' . "\n" . '"@corp.example;',
    'x@corp.example;' . 'y' x (1 << 20) . ';;;;;;;',
    'x2@corp.example;value without heading;;;;;;;z',
    "x3\@corp.example;a\x07bell;;;;;;;",
    'Wang.Fang@corp.example;her own;hr;wf@corp.example;;;;;', '';
$mixed =~ s/^"ten\n"\@corp.example;\r\n//m; # a quote followed by text refuses the file: above
my $out = import_is($mixed, 1, qr/\A(?:line \d+: (?:added|refused|there already)[ :].*\n)+\z/, qr/^16 people: 3 added, 1 there already, 12 refused$/m, 'a mixed file');
my %fate;
$fate{$1} = $2 while $out =~ /^line (\d+): (.*)$/mg;
my @want = (
    2 => qr/^added one\@corp\.example: uid=one,ou=north,/, 4 => qr/^refused .*is in line 2 of the file too/, 5 => qr/^added two/,
    6 => qr/^refused: .*"bad" is no mail address/, 7 => qr/^there already alice\@corp\.example: uid=alice/, 8 => qr/^refused .*all\@corp\.example is taken already, by the list/,
    9 => qr/^refused .*o2\@corp\.example is in line 2 of the file too/, 10 => qr{^refused .*no department "sales/nowhere"}, 11 => qr/^refused .*no domain elsewhere/,
    12 => qr/^refused .*"many" is no size/, 13 => qr/^refused .*has 2 fields, the heading 9/, 14 => qr/^refused .*access rules do not allow/,
    15 => qr/^refused .*longer than 256 bytes/, 16 => qr/^refused .*column without a heading/, 17 => qr/^refused .*control characters/, 18 => qr/^added wang\.fang/,
);
while (my ($line, $like) = splice @want, 0, 2) {
    like($fate{$line} // 'none', $like, "line $line");
}
my $one = ldap_search('a', '-b', "uid=one,ou=north,ou=sales,$CORP", '-s', 'base');
like($one, qr/^$_$/m, "written: $_") for 'cn: Eins, "die" Erste', 'postroadAlias: o1@corp.example', 'postroadQuota: 5368709120', 'postroadDeny: pop', 'telephoneNumber: \+86 1';
like(ldap_search('a', '-b', "$CORP", '(mail=two@corp.example)', 'displayName'), qr/^displayName: =cmd\|x$/m, 'a formula is taken as it is written');
{
    my ($code) = run('', 'ldapwhoami', '-x', '-H', $uri, '-D', "uid=one,ou=north,ou=sales,$CORP", '-w', 'Wort 1');
    is($code, 0, 'the password of the file opens the directory');
}
my $before = mail_count('(mail=*)');
$out = import_is($mixed, 1, qr/^line 2: there already one\@corp\.example: uid=one/m, qr/: 0 added, 4 there already, 12 refused$/m, 'a rerun changes nothing');
is(mail_count('(mail=*)'), $before, 'really');
import_is("address;department\nnew\@corp.example;hr\n", 0, qr/\Adn: uid=new,ou=hr,\Q$CORP\E\nchangetype: add\n(?:\w+: .*\n)+\n\z/, qr/1 would be added/, '--dry-run is LDIF', '--dry-run');
is(mail_count('(mail=new@corp.example)'), 0, 'and adds nobody');
my $json = decode_json(import_is("address\nnew\@corp.example\nbad\n", 1, qr/./, $nothing, 'as JSON', '--json'));
is_deeply([@$json{qw(ok added refused)}, $json->{lines}[0]{fate}, $json->{lines}[1]{line}], [JSON::PP::false, 1, 1, 'added', 3], 'with numbers and lines');

# --- export, and the round trip
my ($code, $export, $err) = user('export', '--domain', 'corp.example');
is($code, 0, 'export') or diag($err);
like($export, qr/\Aaddress,name,given,surname,department,alias,.*\r\n/, 'with a heading');
like($export, qr/^one\@corp\.example,"Eins, ""die"" Erste",.*sales\/north,o1\@corp\.example o2\@corp\.example,.*'\+86 1/m, 'quoted as need be');
like($export, qr/^two\@corp\.example,'=cmd/m, 'no formula for a spreadsheet');
unlike($export, qr/(?:^|,)"?[=+\@-]/m, 'none at all');
unlike($export, qr/Wort|\{CRYPT\}/, 'no passwords');
{
    my $dump = sub {
        my $ldif = ldap_search('a', '-b', $CORP, '(&(objectClass=inetOrgPerson)(!(postroadRole=*))(!(postroadState=moving)))', @{[qw(mail givenName postroadAlias postroadQuota postroadDeny postroadHomeSite postroadForward postroadState telephoneNumber uid)]});
        return join "\n\n", sort map { join "\n", sort split /\n/ } split /\n\n/, $ldif;
    };
    my $was = $dump->();
    my @dns = grep { !/^uid=frank/ } ldap_search('a', '-b', $CORP, '(&(objectClass=inetOrgPerson)(!(postroadRole=*)))', '1.1') =~ /^dn: (.*)$/mg;
    my @encoded = map { "dn:: $_" } ldap_search('a', '-b', $CORP, '(&(objectClass=inetOrgPerson)(!(postroadRole=*)))', '1.1') =~ /^dn:: (.*)$/mg;
    ldap_change('a', join '', map { "$_\nchangetype: delete\n\n" } (map { "dn: $_" } @dns), @encoded);
    my @gone = map { /^mail: (.*)$/m ? $1 : () } grep { /^uid: (?!frank)/m } split /\n\n/, $was;
    ok(wait_for(30, sub { my $taken = control(verb => 'taken', addresses => \@gone)->{taken}; $taken && !@$taken }), 'the mirror has heard that they are gone');
    import_is($export, 0, qr/line 2: there already/, qr/: \d+ added, \d+ there already, 0 refused/, 'what was exported and deleted is imported again');
    my $now = $dump->();
    is($now, $was, 'and is as it was');
}
is((user('export', '--domain', 'nowhere.example'))[0], 1, 'no such domain: 1');

# --- a bar at a terminal
SKIP: {
    spew($csv, "address\n" . join '', map { "bar$_\@corp.example\n" } 1 .. 50);
    my ($shown, $exit) = at_terminal([], @command, 'import', $csv);
    skip 'no terminal can be made here', 2 if !defined $shown;
    is($exit, 0, 'at a terminal');
    like($shown, qr/\radding +\[#+\.*\] \d+\/50/, 'there is a bar') or diag(substr $shown, 0, 500);
}

# --- in the middle: a department vanishes, then slapd stops
sub start_import {
    my $pid = fork // die;
    if (!$pid) {
        open STDIN, '<', '/dev/null'; open STDOUT, '>', "$dir/report"; open STDERR, '>', "$dir/sum";
        exec @command, 'import', $csv;
    }
    return $pid;
}
sub there { my ($uid) = @_; return wait_for(30, sub { ldap_search('a', '-s', 'base', '-b', "uid=$uid,$EAST", '1.1') =~ /^dn/m }) }

ldap_change('a', "dn: ou=gone,$CORP\nobjectClass: organizationalUnit\nobjectClass: postroadDepartment\nou: gone\n");
spew($csv, "address,department\n" . join('', map { "g$_\@corp.example,sales/east\n" } 1 .. $MANY) . "last\@corp.example,gone\n");
my $pid = start_import();
ok(there('g100'), 'an import runs');
ldap_change('a', "dn: ou=gone,$CORP\nchangetype: delete\n");
waitpid $pid, 0;
is($? >> 8, 1, 'a department vanishes meanwhile: 1');
like(slurp("$dir/report"), qr/^line @{[$MANY + 2]}: refused last\@corp\.example: the department is there no more/m, 'the line says so');
like(slurp("$dir/sum"), qr/$MANY added, 0 there already, 1 refused/, 'all others are added');

spew($csv, "address,department,alias\n" . join('', map { "s$_\@corp.example,sales/east,t$_\@corp.example\n" } 1 .. $MANY));
$pid = start_import();
ok(there('s200'), 'an import runs');
slapd_stop('a', $slapd, 'KILL');
waitpid $pid, 0;
is($? >> 8, 75, 'slapd is killed in the middle: 75');
my $report = slurp("$dir/report");
my %n;
$n{$1}++ while $report =~ /^line \d+: (added|there already|refused|not known|not tried) /mg;
cmp_ok($n{added} // 0, '>=', 100, 'what was added is reported');
is(($n{added} // 0) + ($n{'not known'} // 0) + ($n{'not tried'} // 0), $MANY, 'and of each line what is known') or diag(explain \%n);
like(slurp("$dir/sum"), qr/Run the same again/, 'and what to do');
$slapd = start_slapd();
my @added = $report =~ /^line \d+: added s(\d+)\@/mg;
my $kept = mail_count('(mail=s*@corp.example)');
wait_for(30, sub { (source()->{phase} // '') eq 'persist' });
is((user('import', $csv))[0], 0, 'a rerun completes');
like(slurp("$dir/stderr"), qr/$MANY people: \d+ added, \d+ there already, 0 refused/, 'without a refusal');
is(mail_count('(mail=s*@corp.example)'), mail_count('(|(mail=s?@corp.example)(mail=s*@corp.example))'), 'nobody is there twice');
my %uid = map { $_ => 1 } ldap_search('a', '-b', $EAST, '(uid=s*)', '1.1') =~ /^dn: uid=s(\d+),/mg;
is(scalar(grep { $uid{$_} } 1 .. $MANY), $MANY, 'everybody is there');

# --- it is killed itself; and two at once
sub uids { my ($letter) = @_; return scalar(() = ldap_search('a', '-b', $EAST, "(uid=$letter*)", '1.1') =~ /^dn: uid=$letter\d+,/mg) }
spew($csv, "address,department\n" . join '', map { "k$_\@corp.example,sales/east\n" } 1 .. $MANY);
$pid = start_import();
ok(there('k200'), 'an import runs');
kill 'KILL', $pid;
waitpid $pid, 0;
is((user('import', $csv))[0], 0, 'an import that was killed is run again, and completes') or diag(slurp("$dir/stderr"));
like(slurp("$dir/stderr"), qr/$MANY people: \d+ added, [1-9]\d* there already, 0 refused/, 'with what was there');
is(uids('k'), $MANY, 'and everybody is there once');

spew($csv, "address,department\n" . join '', map { "w$_\@corp.example,sales/east\n" } 1 .. $MANY);
my @pids = map { start_import() } 1 .. 2;
my @codes = map { waitpid $_, 0; exit_code() } @pids;
ok(!(grep { $_ != 0 && $_ != 1 } @codes), 'two administrators import the same at once: both come to an end') or diag("@codes");
is(uids('w'), $MANY, 'and everybody is there once');
is((user('import', $csv))[0], 0, 'a rerun has nothing to do');

# --- the mirror is behind
my ($sync) = map { $_->{pid} } grep { $_->{name} eq 'sync' } @{ status()->{roles} };
kill 'STOP', Trial::policyd_pid(), $sync; # the parent, too: it would start another one
ldap_change('a', "dn: uid=late,$EAST\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\nuid: late\ncn: l\nsn: l\nmail: late\@corp.example\n");
import_is("address,alias\nother\@corp.example,late\@corp.example\n", 1, qr/refused other.*late\@corp\.example is taken already/, qr/1 refused/,
    'what a mirror that is behind does not know, the server does');
ldap_change('a', "dn: uid=s9,$EAST\nchangetype: delete\n");
import_is("address,department\ns9\@corp.example,sales/east\ns8\@corp.example,sales/east\n", 1,
    qr/refused s9.*taken already as the mirror has it, by uid=s9,.*which the server does not show.*line 3: there already s8/s, qr/1 there already, 1 refused/,
    'who is only in the mirror any more is not called there');
kill 'CONT', $sync, Trial::policyd_pid();
ok(wait_for(30, sub { my $taken = control(verb => 'taken', addresses => ['s9@corp.example'])->{taken}; $taken && !@$taken }), 'the mirror has heard of it');
import_is("address,department\ns9\@corp.example,sales/east\n", 0, qr/added s9/, qr/1 added/, 'and he is added');

# --- without the daemon
policyd_stop();
import_is("address,alias\nz1\@corp.example,\nz2\@corp.example,t7\@corp.example\ns8\@corp.example,\n", 1, qr/added z1.*refused z2.*t7\@corp\.example is taken.*there already s8/s,
    qr/note: postroad-policyd can't be asked/, 'without the daemon the server is asked, and that is said');
slapd_stop('a', $slapd);
import_is($ok_line, 75, $nothing, qr/can't be reached; nothing was changed/, 'no server: 75');
done_testing();
