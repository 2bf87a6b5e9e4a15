#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# README's first configuration, taken from the text as it stands and run: a new
# administrator who follows it must see what it promises.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);

my $readme = slurp("$top/README.md");
my ($ldif) = $readme =~ /^```ldif\n(.*?)^```$/ms;
my ($conf) = $readme =~ /^```\n(site = .*?)^```$/ms;
my ($main) = $readme =~ /^```\n(virtual_mailbox_domains.*?)^```$/ms;
my ($says) = $readme =~ /postroad lookup transport bob\@corp\.example +# (\S+)/;

spew("$dir/directory.ldif", $ldif);
(my $here = $conf) =~ s{/etc/postroad/}{$dir/}g;
my ($user, $group) = (scalar getpwuid $>, scalar getgrgid $));
spew("$dir/postroad.conf", <<"CONF");
$here
state_dir = "$dir/state"; user = "$user"; group = "$group"; socket_group = "$group";
sockets: { map = "unix:$dir/map"; policy = ""; access = ""; control = "unix:$dir/control"; http = ""; };
CONF
my @c = ('-c', "$dir/postroad.conf");
is((run('', "$top/policyd/postroad-policyd", '-t', @c))[0], 0, 'the configuration is right');
Trial::spawn("$dir/log", "$top/policyd/postroad-policyd", @c);
ok(wait_for(10, sub { status()->{mirror}{complete} }), 'the daemon loads the directory');
is(status()->{mirror}{entries}, scalar(() = $ldif =~ /^dn:/mg), 'all of it');
is_deeply(status()->{bad}, { count => 0, list => [] }, 'and finds nothing odd in it');
is((run('', "$top/ctl/postroad", @c, 'lookup', 'transport', 'bob@corp.example'))[1], "$says\n", 'bob: as the README says');
is((run('', "$top/ctl/postroad", @c, 'lookup', 'transport', 'alice@corp.example'))[1], "lmtp:unix:private/dovecot-lmtp\n", 'alice is here');
is((run('', "$top/ctl/postroad", @c, 'lookup', 'mailbox', 'carol@corp.example'))[0], 1, 'nobody else is anywhere');
my @lines = grep { /\S/ } split /\n/, $main;
is(scalar @lines, 5, 'five lines of main.cf');
is(scalar(grep { -e "$top/$_" } $readme =~ /^\| `(\w[\w-]*)\/`/mg), scalar(() = $readme =~ /^\| `\w[\w-]*\/`/mg), 'the folders exist');
my %maps = map { $_->{name} => 1 } @{ status()->{maps} };
ok(!(grep { /socketmap:unix:postroad\/map:(\w+)/ && !$maps{$1} } @lines), 'they name maps that exist');
done_testing();
