#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad compare between two policyd with an LDIF file each: thousands of entries, several
# pages of them; the order of entries and values, which does not count; what is only at one site.
use strict;
use warnings;
use lib 't', 't/lib';
use Exit;
use Cwd qw(getcwd);
use JSON::PP;
use Policyd;
use Test::More;

my $postroad = getcwd() . '/ctl/postroad';
-x $_ or plan skip_all => "$_ is not built" for $Policyd::program, $postroad;

my @site = map { Policyd->new(settings => { site => "\"$_\"" }) } qw(hebei shandong);

sub entry {
    my ($rdn, $class, @lines) = @_;
    my ($type, $value) = $rdn =~ /^(\w+)=([^,]+)/;
    return join '', "dn: $rdn,o=t\n", "objectClass: $class\n", "$type: $value\n", map { "$_\n" } @lines, '';
}

# Give both sites their files: functions that make the list of entries.
sub files {
    my (@make) = @_;
    for my $i (0, 1) {
        Policyd::spew("$site[$i]{dir}/directory.ldif", join "\n", "dn: o=t\nobjectClass: organization\no: t\n",
            entry('dc=a.example', 'postroadDomain', 'associatedDomain: a.example'),
            entry('dc=b.example', 'postroadDomain', 'associatedDomain: b.example'), $make[$i]->());
    }
    return;
}

sub compare {
    my (@more) = @_;
    my @command = ($postroad, '-c', $site[0]{conf}, 'compare', 'shandong', '--at', "unix:$site[1]{dir}/run/control", '--wait', '0', @more);
    my $pid = open(my $out, '-|') // die;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or exit 127;
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return (exit_code(), $text);
}

# Load both files, and compare: exit code and text.
sub load {
    my (@make) = @_;
    $_->mark for @site;
    files(@make);
    $_->wait_log(qr/directory loaded/) or BAIL_OUT($_->log_text) for @site;
    return compare();
}

my @people = map { entry("uid=u$_", 'postroadAccount', "mail: u$_\@a.example", "postroadAlias: x$_\@b.example", "postroadAlias: y$_\@b.example") } 1 .. 6000;
my @member = map { "postroadMember: m$_\@x.example" } 1 .. 5000;

for my $i (0, 1) {
    $site[$i]->write_conf(directory => "{ ldif = \"$site[$i]{dir}/directory.ldif\"; sweep_guard = 100; }");
}
files((sub { @people, entry('cn=all', 'postroadList', 'mail: all@b.example', @member) }) x 2);
for my $d (@site) {
    $d->start && $d->wait_log(qr/directory loaded/) or BAIL_OUT($d->log_text);
}
my ($code, $text) = compare();
is("$code $text", "0 hebei and shandong hold the same: 2 domains, 6003 entries.\n", 'the same files');

my $swap = sub { my @l = split /\n/, $_[0]; return join '', map { "$_\n" } @l[0 .. $#l - 2], @l[-1, -2] };
($code, $text) = load(sub { @people, entry('cn=all', 'postroadList', 'mail: all@b.example', @member) },
    sub { entry('cn=all', 'postroadList', 'mail: all@b.example', reverse @member), map { $swap->($_) } reverse @people });
is($code, 0, 'the same in another order, a list of 5,000 included') or diag $text;

($code, $text) = load(sub { @people }, sub {
    my @p = @people;
    $p[0] =~ s/^mail/postroadQuota: 5\nmail/m;
    $p[4000] =~ s/^mail: u4001\@a/mail: u4001\@b/m;
    splice @p, 2999, 1;
    return (@p, entry('uid=more', 'postroadAccount', 'mail: more@a.example'), entry('ou=hr', 'postroadDepartment', 'postroadHomeSite: hebei'));
});
is($code, 1, 'some differ');
like($text, qr/^hebei and shandong differ in 6 entries:/, 'how many');
like($text, qr/^  a\.example: 6001 entries at hebei, 6000 at shandong$/m, 'in which domain');
like($text, qr/^    differs: uid=u1,o=t in: quota$/m, 'differs: uid=u1, and in what');
like($text, qr/^    $_,o=t$/m, $_) for 'only at hebei: uid=u3000', 'only at shandong: uid=more', 'only at hebei: uid=u4001',
    'only at shandong: uid=u4001', 'only at shandong: ou=hr';
like($text, qr/^  b\.example: 1 entries at hebei, 2 at shandong\n    only at shandong: uid=u4001,o=t$/m, 'who has his address elsewhere counts there');
like($text, qr/^  \(outside any domain\): 0 entries at hebei, 1 at shandong$/m, 'a department');
($code, $text) = compare('--json');
my $r = decode_json($text);
is(scalar @{ $r->{differ} }, 6, 'in JSON');
is_deeply([ map { $_->{here} && $_->{there} ? 1 : 0 } grep { $_->{dn} =~ /u1,/ } @{ $r->{differ} } ], [1], 'with both hashes');
is_deeply([ map { @{ $_->{attributes} // [] } } @{ $r->{differ} } ], ['quota'], 'and what differs');

($code, $text) = load(sub { @people }, sub { @people[ 0 .. 2999 ] });
is($code, 1, 'half of them gone');
like($text, qr/differ in 3000 entries:.*\n    and 2950 more\n/s, 'not all of them are listed');

# What a control socket says to requests that make no sense.
for ([ '{"verb":"digest"}', qr/of which domain/ ], [ '{"verb":"parts"}', qr/of which entries/ ],
    [ '{"verb":"parts","uuids":[1,"x",null]}', qr/"entries":\s*\{\}/ ],
    [ '{"verb":"parts","uuids":[' . join(',', ('"x"') x 101) . ']}', qr/more than 100/ ], [ '{"verb":"digest","domain":"a.example","after":"x"}', qr/after is no UUID/ ]) {
    my $fh = $site[0]->connection("$site[0]{dir}/run/control");
    syswrite $fh, "$_->[0]\n";
    my $line = <$fh> // '';
    like($line, $_->[1], $_->[0]);
}

$site[1]->stop;
is((compare())[0], 75, 'no daemon at the other site: can\'t tell');
done_testing();
