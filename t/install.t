#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# make install puts everything where the usual variables say, never touches an
# administrator's postroad.conf, and make uninstall takes it all out again.
use strict;
use warnings;
use Test::More;
use File::Copy qw(copy);
use File::Find;
use File::Path qw(make_path);
use File::Temp qw(tempdir);

delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
plan skip_all => 'programs are not built: run make first' unless -x 'policyd/postroad-policyd' && -x 'ctl/postroad';

my $root = tempdir(CLEANUP => 1);
umask 0022;

sub slurp {
    open my $fh, '<', $_[0] or return '';
    local $/;
    return scalar <$fh>;
}

sub make {
    my $out = `make @_ DESTDIR='$root' 2>&1`;
    return $? == 0 ? 1 : do { diag($out); 0 };
}

# What make takes from config.mk, references to other variables followed.
my %var = slurp('config.mk') =~ /^(\w+) = (.*)$/mg;
sub var {
    my $v = $var{ $_[0] };
    1 while $v =~ s/\$[({](\w+)[)}]/$var{$1}/;
    return $v;
}

sub installed {
    my @found;
    find({ no_chdir => 1, wanted => sub { push @found, substr $_, length $root if -f } }, $root);
    return sort @found;
}

my $confdir = var('sysconfdir') . '/postroad';
make_path("$root$confdir");
open my $conf, '>', "$root$confdir/postroad.conf" or die;
print $conf "# mine\n";
close $conf;

ok(make('install'), 'make install');
my @files = installed();
my %have  = map { $_ => 1 } @files;
my $sbin  = var('sbindir') . '/postroad-policyd';
my $bin   = var('bindir') . '/postroad';

for ([$sbin, 0755], [$bin, 0755], [var('unitdir') . '/postroad-policyd.service', 0644],
    [var('unitdir') . '/postroad-policyd.socket', 0644], [var('unitdir') . '/postroad-access.socket', 0644], [var('sysusersdir') . '/postroad.conf', 0644],
    [var('tmpfilesdir') . '/postroad.conf', 0644], ["$confdir/postroad.conf.sample", 0644],
    [var('docdir') . '/README.md', 0644], [var('datadir') . '/postroad/schema/postroad.schema', 0644],
    [var('datadir') . '/postroad/schema/postroad.ldif', 0644])
{
    my ($file, $mode) = @$_;
    is(sprintf('%04o', $have{$file} ? (stat "$root$file")[2] & 07777 : 0), sprintf('%04o', $mode), $file);
}
for my $page (glob 'man/*.[1-8]') {
    my ($name, $section) = $page =~ m{([^/]+\.(\d))$};
    ok($have{ var('mandir') . "/man$section/$name" }, "manual page $name");
}
for my $example (grep { -f } glob 'examples/{two-sites,single-site}/*') {
    ok($have{ var('docdir') . "/$example" }, $example);
}
my $ours = join '|', map { quotemeta } grep { length } map { var($_) } qw(dovecot_moduledir sbindir bindir mandir datadir docdir unitdir sysusersdir tmpfilesdir);
is_deeply([grep { !m{^(?:$ours|\Q$confdir\E)/} } @files], [], 'and nothing anywhere else');

my $unit = slurp($root . var('unitdir') . '/postroad-policyd.service');
like($unit, qr{^ExecStart=\Q$sbin\E -c \Q$confdir\E/postroad\.conf$}m, 'the unit starts what was installed');
SKIP: {
    my $verb = 'security --offline=yes --threshold=20 --no-pager';
    my $milter = -e $root . var('unitdir') . '/postroad-milter.service' ? 'postroad-milter.service' : '';
    skip 'no systemd-analyze that reads files here', 4 if system("systemd-analyze --help 2>&1 | grep -q -e --offline");
    my $words = `systemd-analyze --root='$root' verify postroad-policyd.service postroad-policyd.socket postroad-access.socket $milter 2>&1`;
    unlike($words, qr/Unknown|Invalid|parse|ignoring/i, 'systemd knows all words of the units');
    my $more = $root . var('unitdir') . '/postroad-policyd.service.d';
    mkdir $more;
    copy('examples/systemd/postroad-policyd-queue.conf', "$more/queue.conf") or die;
    $words = `systemd-analyze --root='$root' verify postroad-policyd.service 2>&1`;
    unlike($words, qr/Unknown|Invalid|parse|ignoring/i, 'nor is one of the drop-in for queue.manage strange to it');
    unlink "$more/queue.conf";
    rmdir $more;
    my $verdict = `systemd-analyze --root='$root' $verb postroad-policyd.service 2>&1`;
    is($?, 0, 'and finds the service well locked in') or diag($verdict);
    $verdict = $milter ? `systemd-analyze --root='$root' $verb $milter 2>&1` : '';
    ok(!$milter || $? == 0, 'the milter, too') or diag($verdict);
}
is(slurp("$root$confdir/postroad.conf"), "# mine\n", "the administrator's postroad.conf is left alone");

# The user and the folders it names aren't there yet; others have to do. The checker looks with
# that user's eyes, who need not be able to see this tree.
copy('ldap-schema/two-sites.ldif', "$root/directory.ldif") or die;
(my $sample = slurp("$root$confdir/postroad.conf.sample")) =~ s{"[^"]*/directory\.ldif"}{"$root/directory.ldif"};
chmod 0755, $root;
open $conf, '>', "$root/checked.conf" or die;
print $conf $sample, map { "$_;\n" } 'user = "nobody"', "state_dir = \"$root/state\"",
    map { $_ . ' = "' . getgrgid((getpwnam 'nobody')[3]) . '"' } qw(group socket_group);
close $conf;
my $checked = `'$root$sbin' -t -c '$root/checked.conf' 2>&1`;
unlink "$root/checked.conf", "$root/directory.ldif";
is($?, 0, 'the sample configuration is one') or diag($checked);

ok(make('install'), 'make install once more');
is_deeply([installed()], \@files, 'changes nothing');
ok(make('uninstall'), 'make uninstall');
is_deeply([installed()], ["$confdir/postroad.conf"], "takes out all but the administrator's own file");

done_testing();
