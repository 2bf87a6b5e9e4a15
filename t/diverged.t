#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Directories that differ and do not know it: two slapd in replication say the same
# contextCSN, and one of them has what the other lost. Nobody whom either has is called
# unknown, the difference is shown, and once it is healed the unknown are unknown again.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

plan(skip_all => "$_ is not built") for grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(slapd slapadd slapcat ldapmodify ldapsearch ldapwhoami));

my $OK = qr/^OK OK$/;
my $NONE = qr/^NOTFOUND/;
my $DIFFERS = qr/^TEMP not proven: a provider has it, though contextCSN is equal/;

sub entry {
    my ($dn, @lines) = @_;
    return join("\n", "dn: $dn", @lines) . "\n\n";
}

sub person {
    my ($uid, @lines) = @_;
    return entry("uid=$uid,dc=a.example,o=corp", 'objectClass: inetOrgPerson', 'objectClass: postroadAccount',
        "uid: $uid", "cn: $uid", "sn: $uid", @lines);
}

sub domain {
    my ($name, @lines) = @_;
    return entry("dc=$name,o=corp", 'objectClass: domain', 'objectClass: postroadDomain', "dc: $name",
        "associatedDomain: $name", 'postroadHomeSite: hebei', @lines);
}

# The entries that differ: [what both have, what only the second one has], by hand below.
my $tree = entry('o=corp', 'objectClass: organization', 'o: corp')
    . domain('a.example', 'associatedDomain: alias.example') . domain('some.example')
    . join('', map { person($_, "mail: $_\@a.example") } qw(anna bob chen))
    . person('off', 'mail: off@a.example', 'postroadState: disabled')
    . person('gone', 'mail: gone@a.example', 'postroadState: disabled')
    . entry('cn=team,dc=a.example,o=corp', 'objectClass: groupOfNames', 'objectClass: postroadList', 'cn: team',
        'mail: team@a.example', 'member: uid=anna,dc=a.example,o=corp', 'postroadMember: lost@a.example',
        'postroadMember: nobody@a.example');

sub escaped { my ($path) = @_; $path =~ s{/}{%2F}g; return $path }

sub site {
    my ($name, $sid, $other) = @_;
    slapd_conf($name, sid => $sid,
        database => 'index mail,postroadAlias,associatedDomain eq',
        last => "syncrepl rid=00$sid provider=ldapi://" . escaped("$dir/$other/sock")
            . ' searchbase=o=corp type=refreshAndPersist retry="1 +" bindmethod=simple'
            . " binddn=cn=root,o=corp credentials=secret\nmultiprovider on");
}

site('here', 1, 'there');
site('there', 2, 'here');
slapd_add('here', $tree);
my %slapd = map { $_ => slapd_start($_) } qw(here there);

sub cookie { return join '', sort grep { /^contextCSN/ } split /^/, ldap_search($_[0], '-s', 'base', '-b', 'o=corp', 'contextCSN') }
sub same_cookie { my $c = cookie('here'); return $c =~ /#00/ && $c eq cookie('there') }
sub has { my ($at, $filter) = @_; return ldap_search($at, '-b', 'o=corp', $filter, 'dn') =~ /^dn:/m }

ok(wait_for(30, sub { has('there', '(cn=team)') && same_cookie() }), 'two providers agree');

# --- what the second one has besides, with no CSN that would tell

sub dump_of {
    my ($name) = @_;
    my (undef, $dump) = run('', 'slapcat', '-f', "$dir/$name/slapd.conf", '-b', 'o=corp');
    return $dump;
}

sub restore {
    my ($name, $dump) = @_;
    unlink glob "$dir/$name/db/*";
    spew("$dir/$name/dump.ldif", $dump);
    my ($rc, $out) = run('', 'slapadd', '-q', '-b', 'o=corp', '-f', "$dir/$name/slapd.conf", '-l', "$dir/$name/dump.ldif");
    BAIL_OUT($out) if $rc;
    return;
}

my $lost_number = 0;

# anna's entry again, as somebody else with these addresses.
sub another {
    my ($dump, $uid, @addresses) = @_;
    my ($anna) = $dump =~ /^(dn: uid=anna,.*?\n)\n/ms;
    $lost_number++;
    $anna =~ s/anna/$uid/g;
    $anna =~ s/^mail: .*\n/join '', map { "$_\n" } @addresses/me;
    $anna =~ s/^(entryUUID: ........)/sprintf 'entryUUID: %08x', $lost_number/me;
    return "$anna\n";
}

stop_pid($slapd{$_}) for qw(here there);
unlink "$dir/$_/sock" for qw(here there);
my $dump = dump_of('there');
my $more = another($dump, 'lost', 'mail: lost@a.example', 'postroadAlias: astray@a.example')
    . another($dump, 'Shout', 'mail: SHOUT@A.Example');
$dump =~ s/^(mail: bob\@a\.example\n)/$1postroadAlias: robert\@a.example\n/m or BAIL_OUT($dump);
$dump =~ s/(uid: off\n(?:.+\n)*?)postroadState: disabled\n/$1/ or BAIL_OUT($dump);
$dump =~ s/^(associatedDomain: some\.example\n)/$1postroadCatchAll: anna\@a.example\n/m or BAIL_OUT($dump);
restore('there', "$dump$more");
$slapd{$_} = slapd_start($_) for qw(here there);
ok(wait_for(30, \&same_cookie), 'the second has more than the first, and contextCSN is equal');
ok(ldap_settled('o=corp', qw(here there)) && wait_for(30, \&same_cookie), 'changes travel both ways');
ok( has('there', '(uid=lost)') && !has('here', '(uid=lost)'), 'and stays so');

# --- policyd follows the first

# A question whose answer is not waited for: its connection.
sub question {
    my ($request) = @_;
    my $s = connected("$dir/map") or die "no map socket: $!";
    syswrite $s, length($request) . ":$request,";
    return $s;
}

sub answer {
    my ($s) = @_;
    my $answer = '';
    sysread $s, $answer, 4096 if IO::Select->new($s)->can_read(20);
    return $answer =~ s/^\d+:(.*),\z/$1/sr;
}

spew("$dir/secret", "secret\n");
chmod 0600, "$dir/secret";

sub directory {
    my ($more) = @_;
    return 'uri = ("' . Trial::uri_of('here') . '"); providers = (' . join(', ', map { '"' . Trial::uri_of($_) . '"' } qw(here there))
        . "); base = \"o=corp\"; bind_dn = \"cn=root,o=corp\"; password_file = \"$dir/secret\"; "
        . 'timeout = 3; heartbeat = 1; retry_min = 1; retry_max = 2; ' . ($more // '');
}

sub proof { return status()->{proof} // {} }
sub proven { my $p = proof(); return defined $p->{as_of_s} && $p->{as_of_s} < 1.5 && !$p->{unreachable} }
sub differing { return @{ proof()->{differs} // [] } }

sub up {
    my ($what, @directory) = @_;
    policyd_start(directory(@directory), 'unknown_wait = 15;');
    ok(wait_for(30, \&proven), $what) or diag(policyd_log());
    return;
}

up('proven by contextCSN alone, and wrong', 'verify_unknown = false;');
like(lookup('mailbox', 'lost@a.example'), $NONE, 'somebody the second has is called unknown: that is what directory.verify_unknown is for');
policyd_stop();

up('proven, by the address too');
my @asked = (
    ['mailbox', 'lost@a.example',     'somebody only the second provider has'],
    ['mailbox', 'lost+ext@a.example', 'with an extension'],
    ['mailbox', 'LOST@A.Example',     'in capitals'],
    ['mailbox', 'lost@alias.example', 'in an alias domain'],
    ['mailbox', 'astray@a.example',   'by his alias'],
    ['mailbox', 'shout@a.example',    'written in capitals over there'],
    ['mailbox', 'robert@a.example',   'a new alias of somebody both have'],
    ['mailbox', 'off@a.example',      'somebody who is disabled only here'],
    ['mailbox', 'who@some.example',   'whom a catch-all over there would take'],
    ['sender',  'lost@a.example',     'as a sender'],
);
my $start = time;
my @question = map { question("$_->[0] $_->[1]") } @asked;
for my $i (0 .. $#asked) {
    like(answer($question[$i]), $DIFFERS, $asked[$i][2]);
}
note(sprintf 'told after %.1f s', time - $start);
is(lookup('alias', 'team@a.example'), 'OK lost@a.example, anna@a.example', 'as a member of a list, that loses only whom nobody has');
is(lookup('mailbox', $_), 'OK OK', "known: $_") for qw(anna@a.example bob@a.example team@a.example);
{
    my @took = map { my $s = time; like(lookup('mailbox', "nobody$_\@a.example"), $NONE, 'whom nobody has'); time - $s } 1 .. 4;
    my ($most) = sort { $b <=> $a } @took;
    cmp_ok($most, '<', 10, sprintf 'after at most %.2f s', $most);
}
like(lookup('mailbox', 'gone@a.example'), $NONE, 'who is disabled everywhere');
like(lookup('mailbox', "a)(uid=*\@a.example"), $NONE, 'an address that looks like a filter');
like(lookup('mailbox', '*@a.example'), $NONE, 'or like a pattern');

# --- it is shown

like(policyd_log(), qr/directories differ though contextCSN is equal.*there.*entry="uid=lost,[^"]*".*address=lost\@a\.example/, 'the log names provider, entry and address');
my @differs = differing();
my ($lost) = grep { $_->{address} eq 'lost@a.example' } @differs;
like($lost->{uri} // '', qr/there/, 'status says which provider has it') or diag(explain(\@differs));
like($lost->{since} // '', qr/^20\d\d-/, 'since when');
like($lost->{entry} // '', qr/^uid=lost,/, 'and which entry it is');
is(scalar(@differs), 5, 'each entry once') or diag(explain(\@differs));
my ($code, $text) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'status');
like($text, qr/lost\@a\.example differs at .*there/, 'so does postroad status');
like($text, qr/directories differ and do not know it/, 'which calls for attention');
($code, $text) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'explain', 'lost@a.example');
like($text, qr/though contextCSN is equal/, 'postroad explain says why');
is(control(verb => 'explain', address => 'nobody@a.example')->{verdict}, 'unknown', 'and is as sure as before of whom nobody has');

# --- healed: written anew where it is right, and taken away where it is wrong

sub modify { my ($uid) = @_; return "dn: uid=$uid,dc=a.example,o=corp\nchangetype: modify\nreplace: description\ndescription: written anew\n" }
ldap_change('there', modify('lost'));
ok(wait_for(30, sub { lookup('mailbox', 'lost@a.example') =~ $OK }), 'written anew over there: known');
ldap_change('there', "dn: uid=Shout,dc=a.example,o=corp\nchangetype: delete\n");
ok(wait_for(30, sub { lookup('mailbox', 'shout@a.example') =~ $NONE }), 'deleted over there: unknown');
ldap_change('there', modify($_)) for qw(bob off);
ldap_change('there', "dn: dc=some.example,o=corp\nchangetype: modify\nreplace: description\ndescription: anew\n");
ok(wait_for(30, sub { !differing() }), 'nothing differs any more') or diag(explain([differing()]));
like(policyd_log(), qr/directories no longer differ.*address=lost\@a\.example/, 'the log says so');
unlike((run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'status'))[1], qr/directories differ/, 'and status that all is well');
like(lookup('mailbox', 'nobody@a.example'), $NONE, 'nobody is nobody');
is(lookup('alias', 'x@some.example'), 'OK anna@a.example', 'the catch-all takes whom nobody has');

# --- many at once: all get an answer, and known ones don't wait for that
{
    my @s = map { question("mailbox flood$_\@a.example") } 1 .. 700;
    my ($before, @slow) = (time);
    for (1 .. 50) {
        my $began = time;
        is(lookup('mailbox', 'anna@a.example'), 'OK OK', 'known') if $_ == 1;
        lookup('mailbox', 'bob@a.example') eq 'OK OK' or push @slow, 'wrong';
        push @slow, time - $began if time - $began > 5;
    }
    is("@slow", '', 'known addresses are answered while 700 unknown ones are asked for');
    my $none = 0;
    $none += answer($_) =~ $NONE for @s;
    is($none, 700, sprintf 'all 700 were found to be unknown, after %.1f s', time - $before);
}
is(policyd_stop(), 0, 'policyd ends in order');
done_testing;
