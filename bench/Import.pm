# SPDX-License-Identifier: BSD-2-Clause
#
# Import: how fast `postroad user import` adds people, questions about their
# addresses included, beside ldapadd of the same entries: at a new slapd with our
# indices, followed by a policyd. Both take turns.
package Import;
use strict;
use warnings;
use Figures;
use Rig;
use Time::HiRes qw(time);

my $EAST = 'ou=east,ou=sales,dc=corp.example,ou=domains,o=corp';

# The same people for both, under names of their own.
sub write_people {
	my ($dir, $name, $n) = @_;
	my ($csv, $ldif) = ("address,name,given,surname,department,alias,uid\n", '');
	for (1 .. $n) {
		my $u = "$name$_";
		$csv .= "c$u\@corp.example,Given$_ Sur$_,Given$_,Sur$_,sales/east,c.$u\@corp.example,c$u\n";
		$ldif .= "dn: uid=l$u,$EAST\nobjectClass: inetOrgPerson\nobjectClass: postroadAccount\nuid: l$u\n"
			. "cn: Given$_ Sur$_\nsn: Sur$_\nmail: l$u\@corp.example\ndisplayName: Given$_ Sur$_\ngivenName: Given$_\n"
			. "postroadAlias: l.$u\@corp.example\n\n";
	}
	Rig::spew("$dir/people.csv", $csv);
	Rig::spew("$dir/people.ldif", $ldif);
	return;
}

sub timed {
	my ($log, @cmd) = @_;
	my $start = time;
	Rig::must($log, @cmd);
	return time - $start;
}

# A slapd with the sample tree and a policyd that follows it, new for each turn:
# the more entries there are below a parent, the slower every add becomes.
sub fresh {
	my ($dir, $top) = @_;
	mkdir $dir;
	Rig::fill_slapd("$dir/slapd", "$top/ldap-schema", "$top/ldap-schema/two-sites.ldif");
	my $slapd = Rig::start_slapd("$dir/slapd");
	Rig::spew("$dir/secret", "bench\n");
	chmod 0644, "$dir/secret"; # policyd runs as nobody
	Rig::prepare_policyd("$dir/policyd", qq{uri = "$slapd->{uri}"; base = "o=corp"; bind_dn = "cn=root,o=corp"; password_file = "$dir/secret"}, 1);
	my $policyd = Rig::start_policyd("$dir/policyd", "$top/policyd/postroad-policyd");
	Rig::await_complete($policyd, 60);
	return ($slapd, $policyd);
}

sub section {
	my ($dir, $top, $rounds, $n) = @_;
	my %rate;
	my @who = ('-D', 'cn=root,o=corp');
	my %cmd = (
		ours => sub { my ($d) = @_; ("$top/ctl/postroad", '-c', "$d/policyd/postroad.conf", 'user', 'import', "$d/people.csv", @who, '--password-file', "$d/secret") },
		ldapadd => sub { my ($d, $uri) = @_; ('ldapadd', '-x', '-H', $uri, @who, '-w', 'bench', '-f', "$d/people.ldif") },
	);
	my @turns = sort keys %cmd;
	mkdir "$dir/import";
	for my $round (1 .. $rounds) {
		for my $turn (@turns) {
			my $d = "$dir/import/$turn$round";
			my ($slapd, $policyd) = fresh($d, $top);
			write_people($d, "r$round.", $n);
			push @{ $rate{$turn} }, $n / timed("$d/log", $cmd{$turn}->($d, $slapd->{uri}));
			Rig::stop($policyd->{pid}, $slapd->{pid});
		}
		@turns = reverse @turns;
	}
	Figures::note("import.$n", unit => 'users/s', ours => $rate{ours}, against => 'ldapadd', reference => $rate{ldapadd}, goal => '>= 0.70');
	return;
}

1;
