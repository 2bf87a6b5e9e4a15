#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# make dist packs all that git has, the same bytes each time; the tarball builds
# with no autoconf and no network, and its programs run.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);

delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
plan skip_all => 'make dist needs git and a git checkout'
    unless -e '.git' && system('git rev-parse --git-dir >/dev/null 2>&1') == 0;
plan skip_all => 'not configured: run make first' unless -e 'config.mk';

my $dir  = tempdir(CLEANUP => 1);
my $tree = getcwd();

sub run {
    my ($command, $what) = @_;
    my $out = `( $command ) 2>&1`;
    my $good = $? == 0;
    ok($good, $what) or diag($out);
    return $good ? $out : undef;
}

sub slurp {
    open my $fh, '<:raw', $_[0] or return undef;
    local $/;
    return scalar <$fh>;
}

mkdir "$dir/again" or die;
run("make dist DISTDIR='$dir'", 'make dist') or do { done_testing(); exit 1 };
my ($tarball) = glob "$dir/postroad-*.tar.gz";
run("make dist DISTDIR='$dir/again'", 'make dist again');
my ($again) = glob "$dir/again/postroad-*.tar.gz";
ok(slurp($tarball) eq slurp($again), 'the same bytes both times');

my %packed = map { chomp; m{^[^/]+/(.+[^/])$} ? ($1 => 1) : () } `tar -tzf '$tarball'`;
my %known = map { chomp; -f $_ ? ($_ => 1) : () } `git ls-files`;
is_deeply([sort grep { !$packed{$_} } keys %known], [], 'holds all files of the tree');
is_deeply([sort grep { !$known{$_} && !-d "$tree/$_" } keys %packed], [qw(config.h.in configure)],
    'and besides them what autoconf makes');

# An autoconf that gives us away, and no way out where we may cut it off.
mkdir "$dir/bin" or die;
for my $tool (qw(autoconf autoheader autoreconf)) {
    open my $fh, '>', "$dir/bin/$tool" or die;
    print $fh "#!/bin/sh\necho '$tool was called' >&2\nexit 1\n";
    chmod 0755, $fh;
}
my $offline = system('unshare -n true 2>/dev/null') == 0 ? 'unshare -n' : '';
run("tar -xzf '$tarball' -C '$dir'", 'the tarball unpacks');
my ($unpacked) = grep { -d } glob "$dir/postroad-*";
run("cd '$unpacked' && PATH='$dir/bin':\$PATH $offline make -j2 CONFIGURE_ARGS=CFLAGS=-O0 all t/route_test",
    'it builds without autoconf' . ($offline ? ' and without network' : ''));
run("cd '$unpacked' && t/route_test", 'a test of it passes');
for my $program (qw(policyd/postroad-policyd ctl/postroad)) {
    ok(-x "$unpacked/$program", "$program is there");
}

done_testing();
