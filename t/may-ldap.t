#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad may, with the sample tree in a real slapd: the group of administrators,
# roles, states and functions are followed as they change there, whole departments
# that get another name or place included.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(slapd slapadd ldapmodify ldapsearch ldapwhoami));

my $CORP   = 'dc=corp.example,ou=domains,o=corp';
my $ADMINS = 'cn=admins,cn=roles,o=corp';

slapd_conf('hebei', database => 'access to attrs=userPassword by anonymous auth by * none', last => "access to dn.base=\"ou=finance,$CORP\" by * none\naccess to * by * read");
slapd_add('hebei', slurp("$top/ldap-schema/two-sites.ldif"));
my $slapd = slapd_start('hebei');
(my $path = "$dir/hebei/sock") =~ s{/}{%2F}g;
ok(policyd_start(qq(uri = "ldapi://$path"; base = "o=corp"; retry_max = 1;)), 'policyd follows the directory');
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), 'all of it') or diag(policyd_log());

sub may {
    my ($code, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'may', '--json', @_);
    my $got = eval { decode_json($out) } || {};
    return ($got->{rule} // "? $out") . " $code";
}

sub is_may { my ($want, @question) = @_; return is(may(@question), $want, "@question: $want") }

# Until a change has arrived.
sub becomes {
    my ($want, @question) = @_;
    wait_for(30, sub { may(@question) eq $want });
    return is_may($want, @question);
}

sub set_to {
    my ($dn, @lines) = @_;
    return ldap_change('hebei', join("\n", "dn: $dn", 'changetype: modify', @lines) . "\n");
}

my @over_alice = map { ["$_\@corp.example", 'password', 'alice@corp.example'] } qw(zhangwei liuyang lina wangfang);
is_may('8 0',  @{ $over_alice[0] });
is_may('20 0', @$_) for @over_alice[1 .. 3];
is_may('12 1', 'zhoujie@post.example',   'password', 'alice@corp.example');
is_may('6 1',  'alice@corp.example',     'password', 'bob@corp.example');
is_may('11 1', 'wangfang@corp.example',  'password', 'lina@corp.example');
is_may('12 1', 'wangfang@corp.example',  'quota',    'huangli@corp.example');
is_may('20 0', 'lina@corp.example',      'read-mail', 'alice@corp.example');
is_may('14 1', 'wangfang@corp.example',  'read-mail', 'alice@corp.example');
is_may('3 1',  'dave@corp.example',      'manage:person', 'dave@corp.example');
is_may('20 0', 'lina@corp.example',      'password', "uid=yangmin,ou=研发部,$CORP");

is_may('1 75', 'huangli@corp.example',  'read-mail', 'huangli@corp.example'); # his department is hidden from us

set_to($ADMINS, 'delete: member', "member: uid=wangfang,ou=sales,$CORP");
becomes('7 1', @{ $over_alice[3] });
set_to($ADMINS, 'add: member', "member: UID=wangfang, ou=Sales,$CORP");
becomes('20 0', @{ $over_alice[3] });

set_to("ou=hr,$CORP", 'add: postroadState', 'postroadState: suspended');
becomes('3 1', @{ $over_alice[2] });
set_to($CORP, 'add: postroadState', 'postroadState: moving');
becomes('20 0', @{ $over_alice[1] });
is_may('3 1', @{ $over_alice[2] });
set_to("ou=hr,$CORP", 'delete: postroadState');
becomes('20 0', @{ $over_alice[2] });

set_to("ou=sales,$CORP", 'add: postroadDeny', 'postroadDeny: password');
becomes('5 1', 'bob@corp.example', 'password', 'bob@corp.example');
is_may('20 0', 'lina@corp.example', 'password', 'bob@corp.example');

# A scope is a name: with the department's it has to change, in the directory and so here.
ldap_change('hebei', "dn: ou=sales,$CORP\nchangetype: modrdn\nnewrdn: ou=trade\ndeleteoldrdn: 1\n");
becomes('7 1', 'wangfang@corp.example', 'quota', 'bob@corp.example');
set_to($ADMINS, 'add: member', "member: uid=wangfang,ou=trade,$CORP");
becomes('12 1', 'wangfang@corp.example', 'quota', 'bob@corp.example');
set_to("uid=wangfang,ou=trade,$CORP", 'replace: postroadScope', "postroadScope: ou=trade,$CORP");
becomes('20 0', 'wangfang@corp.example', 'quota', 'bob@corp.example');

set_to("uid=bob,ou=east,ou=trade,$CORP", 'add: postroadRole', 'postroadRole: Domain');
becomes('11 1', 'wangfang@corp.example', 'quota', 'bob@corp.example');
ldap_change('hebei', "dn: uid=bob,ou=east,ou=trade,$CORP\nchangetype: delete\n");
becomes('4 1', 'wangfang@corp.example', 'quota', 'bob@corp.example');

is(slapd_stop('hebei', $slapd), 0, 'the directory goes away');
is_may('20 0', 'lina@corp.example', 'password', 'alice@corp.example');
is(policyd_stop(), 0, 'policyd ends');
done_testing();
