#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The schema, its numbers and the sample tree: consistent by themselves, and accepted by a real
# slapd in both forms (slapd.conf and cn=config). Runs private slapds on UNIX sockets in a
# temporary directory, as any user; leaves nothing behind.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

my $S = abs_path(dirname(abs_path($0)) . '/../ldap-schema');
my $ARC = '2.25.52567715340633365628480039044261483495';
my $SAMPLE = "$S/two-sites.ldif";
$ENV{PATH} .= ':/usr/sbin:/sbin:/usr/local/sbin:/usr/libexec/openldap';
$ENV{LDAPNOINIT} = 1;
my @servers; # pids of the slapds that run

sub slurp {
	my ($file) = @_;
	open(my $in, '<', $file) or die "$file: $!";
	local $/;
	return scalar <$in>;
}

sub spew {
	my ($file, $text) = @_;
	open(my $out, '>', $file) or die "$file: $!";
	print $out $text;
	close $out or die "$file: $!";
}

# Run a program, return (exit code, output of both kinds).
sub run {
	my (@cmd) = @_;
	my $pid = open(my $from, '-|') // die "fork: $!";
	if (!$pid) {
		open(STDERR, '>&', \*STDOUT);
		exec(@cmd) or print "$cmd[0]: $!\n";
		exit 127;
	}
	local $/;
	my $out = <$from>;
	close $from;
	return ($? >> 8, $out // '');
}

sub runs_ok {
	my ($name, @cmd) = @_;
	my ($rc, $out) = run(@cmd);
	ok($rc == 0, $name) or diag("exit $rc: $out");
	return $out;
}

# LDIF as a list of { dn => , attribute => [values] }, folding and base64 undone.
sub ldif_records {
	my ($text) = @_;
	my @records;

	$text =~ s/^#.*(?:\n .*)*\n//mg;
	$text =~ s/\n //g;
	for my $block (split /\n\n+/, $text) {
		my %r;
		for my $line (split /\n/, $block) {
			my ($name, $b64, $value) = $line =~ /^([\w;-]+):(:?)\s*(.*)$/ or next;
			push @{ $r{ lc $name } }, $b64 ? decode_base64($value) : $value;
		}
		push @records, \%r if %r;
	}
	return @records;
}

# --- without a server

sub elements {
	my ($file) = @_;
	my @e;
	for my $v (map { (@{ $_->{olcattributetypes} }, @{ $_->{olcobjectclasses} }) } ldif_records(slurp($file))) {
		my ($oid, $name) = $v =~ /^\( (\S+) NAME '([^']+)'/ or die "no definition: $v";
		push @e, { oid => $oid, name => $name, text => $v };
	}
	return @e;
}

sub test_source {
	is(scalar `$S/mkldif $S/postroad.schema`, slurp("$S/postroad.ldif"),
		'postroad.ldif is what mkldif makes of postroad.schema');
	my (%registry, %names, %in_schema);
	for (grep { !/^#/ } split /\n/, slurp("$S/OIDS")) {
		my ($number, $name, $kind, $since, $retired) = split /\t/;
		ok(!$registry{$number} && !$names{ lc $name }, "OIDS: $number $name is there once");
		like($since, qr/^\d+\.\d+\.\d+$/, "OIDS: $name says since when");
		is($kind, $number =~ /^1\./ ? 'attribute' : 'class', "OIDS: $name is of the kind of its branch");
		$registry{$number} = $name unless $retired;
		$names{ lc $name } = 1;
	}
	for (elements("$S/postroad.ldif")) {
		ok(!$in_schema{ $_->{oid} }, "$_->{name}: its number is used once");
		$in_schema{ $_->{oid} } = $_->{name};
		like($_->{text}, qr/ DESC '[^']+'/, "$_->{name} has a description");
		like($_->{text}, qr/ EQUALITY /, "$_->{name} can be compared") if $_->{oid} =~ /^\Q$ARC\E\.1\./;
	}
	is_deeply(\%in_schema, { map { ("$ARC.$_" => $registry{$_}) } keys %registry },
		'schema and OIDS hold the same numbers and names');
}

sub test_mkldif_refuses {
	my ($dir) = @_;
	my %bad = (
		'an unknown directive' => "attributetypo ( 1.2 NAME 'x' )\n",
		'a macro nobody defined' => "attributetype ( Nobody:1 NAME 'x' )\n",
		'a definition without an end' => "objectclass ( 1.2.3 NAME 'x'\n",
		'bytes beyond ASCII' => "attributetype ( 1.2.3 NAME 'x' DESC '\xe9' )\n",
	);
	for my $what (sort keys %bad) {
		spew("$dir/bad.schema", $bad{$what});
		my ($rc, $out) = run("$S/mkldif", "$dir/bad.schema");
		ok($rc != 0 && $out =~ /bad\.schema:1/, "mkldif refuses $what and says where");
	}
}

# What stands in base64 is readable in the comment above it, and is what the comment says.
sub test_sample_text {
	my @lines = split /\n/, slurp($SAMPLE);
	my $bad = '';
	for my $i (1 .. $#lines) {
		my ($name, $value) = $lines[$i] =~ /^(\w+):: (\S+)$/ or next;
		$bad .= "line " . ($i + 1) . "\n" if $lines[ $i - 1 ] ne "# $name: " . decode_base64($value);
	}
	is($bad, '', 'each base64 value of the sample stands in clear above it');
	my @foreign = grep { !/\.(example|test)$/ } slurp($SAMPLE) =~ /\@([\w.-]+)/g;
	is("@foreign", '', 'the sample uses reserved domain names only');
	my @members = map { @{ $_->{member} || [] }, @{ $_->{owner} || [] } } ldif_records(slurp($SAMPLE));
	my %dns = map { $_->{dn}[0] => 1 } ldif_records(slurp($SAMPLE));
	is(join("\n", grep { !$dns{$_} } @members), '', 'every member and owner in the sample exists');
}

# Debian's database has some of them already, which the .ldif must not add again.
sub test_index_files {
	my %conf = map { ($_->[0] => $_->[1]) }
		map { my ($names, $kinds) = @$_; map { [$_, $kinds] } split /,/, $names }
		map { [/^index (\S+) (\S+)$/] } grep { /^index/ } split /\n/, slurp("$S/postroad-index.conf");
	my %ldif = map { ($_->[0] => $_->[1]) }
		map { my ($names, $kinds) = split ' '; map { [$_, $kinds] } split /,/, $names }
		@{ (ldif_records(slurp("$S/postroad-index.ldif")))[0]{olcdbindex} };
	delete @conf{qw(objectClass uid member cn)};
	is_deeply(\%ldif, \%conf, 'both index files hold the same');
}

# --- with slapd

sub find_dir {
	my ($file, @dirs) = @_;
	return (grep { -e "$_/$file" } @dirs)[0];
}

sub uri {
	my ($socket) = @_;
	$socket =~ s{/}{%2F}g;
	return "ldapi://$socket";
}

# Start a slapd and wait until it answers.
sub start_slapd {
	my ($dir, @config) = @_;
	my $uri = uri("$dir/ldapi");
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open(STDOUT, '>', "$dir/log");
		open(STDERR, '>&', \*STDOUT);
		exec('slapd', '-d', '0', '-h', $uri, @config) or exit 127;
	}
	push @servers, $pid;
	for (1 .. 500) {
		my ($rc) = run('ldapsearch', '-x', '-LLL', '-H', $uri, '-s', 'base', '-b', '', 'supportedControl');
		return $uri if $rc == 0;
		last if waitpid($pid, 1) == $pid; # WNOHANG
		select(undef, undef, undef, 0.02);
	}
	BAIL_OUT("slapd @config doesn't start: " . slurp("$dir/log"));
}

sub stop_slapds {
	for my $pid (@servers) {
		kill 'TERM', $pid;
		waitpid($pid, 0);
	}
	@servers = ();
}

sub search {
	my ($uri, @args) = @_;
	my ($rc, $out) = run('ldapsearch', '-Q', '-Y', 'EXTERNAL', '-LLL', '-o', 'ldif_wrap=no', '-H', $uri, @args);
	return $rc ? "exit $rc: $out" : $out;
}

# Definitions as the server itself shows them.
sub subschema {
	my ($uri) = @_;
	my ($r) = ldif_records(search($uri, '-s', 'base', '-b', 'cn=Subschema', 'attributeTypes', 'objectClasses'));
	return [ sort grep { /^\( \Q$ARC\E/ } @{ $r->{attributetypes} }, @{ $r->{objectclasses} } ];
}

sub config_ldif {
	my ($dir, $schemas, $modules) = @_;
	my $me = "gidNumber=" . ($) + 0) . "+uidNumber=$>,cn=peercred,cn=external,cn=auth";
	my $include = join '', map { "include: file://$schemas/$_.ldif\n" } qw(core cosine inetorgperson);
	my $module = $modules ? "dn: cn=module,cn=config\nobjectClass: olcModuleList\ncn: module\n"
		. "olcModulePath: $modules\nolcModuleLoad: back_mdb\n\n" : '';
	return <<"LDIF";
dn: cn=config
objectClass: olcGlobal
cn: config

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

$include
${module}dn: olcDatabase=config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: config
olcAccess: to * by dn.exact=$me manage by * break
olcRootDN: cn=admin,cn=config

dn: olcDatabase=mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: mdb
olcSuffix: o=corp
olcDbDirectory: $dir/db
olcRootDN: $me
olcDbIndex: objectClass eq
olcDbIndex: cn,uid eq
olcDbIndex: member eq
olcAccess: to attrs=userPassword by anonymous auth by * none
olcAccess: to * by self read
LDIF
}

sub slapd_conf {
	my ($dir, $schemas, $modules) = @_;
	my $me = "gidNumber=" . ($) + 0) . "+uidNumber=$>,cn=peercred,cn=external,cn=auth";
	my $conf = join '', map { "include $schemas/$_.schema\n" } qw(core cosine inetorgperson);
	$conf .= "include $S/postroad.schema\n";
	$conf .= "modulepath $modules\nmoduleload back_mdb\n" if $modules;
	return $conf . <<"CONF";
database mdb
suffix o=corp
rootdn "$me"
directory $dir/db
include $S/postroad-index.conf
include $S/postroad-services.conf
access to attrs=userPassword by anonymous auth by * none
access to * by self read
CONF
}

sub modify {
	my ($uri, $dir, $ldif) = @_;
	spew("$dir/change.ldif", $ldif);
	return run('ldapmodify', '-Q', '-Y', 'EXTERNAL', '-H', $uri, '-f', "$dir/change.ldif");
}

sub test_lookups {
	my ($uri, $form) = @_;
	my %want = (
		'(mail=Alice@CORP.example)' => 'uid=alice,ou=sales,dc=corp.example,ou=domains,o=corp',
		'(postroadAlias=A.Wang@corp.example)' => 'uid=alice,ou=sales,dc=corp.example,ou=domains,o=corp',
		"(postroadAlias=\xe9\x99\x88\xe9\x9d\x99\@Corp.Example)" =>
			'uid=chenjing,ou=north,ou=sales,dc=corp.example,ou=domains,o=corp',
		'(&(objectClass=postroadDomain)(associatedDomain=XN--rt3a90w.example))' => 'dc=corp.example,ou=domains,o=corp',
		'(postroadScope=dc=Post.Example, ou=domains, o=corp)' =>
			'uid=zhoujie,ou=jinan,dc=post.example,ou=domains,o=corp',
		'(postroadCertFingerprint=53:68:61:6e:64:6f:6e:67' . ':00' x 23 . ':02)' => 'cn=shandong,cn=sites,o=corp',
		'(&(objectClass=postroadDomain)(postroadQuota>=10737418240))' => 'dc=corp.example,ou=domains,o=corp',
		'(postroadCatchAll=SunLi@post.example)' => 'dc=post.example,ou=domains,o=corp',
	);
	for my $filter (sort keys %want) {
		my @found = map { $_->{dn}[0] } ldif_records(search($uri, '-b', 'o=corp', $filter, '1.1'));
		is("@found", $want{$filter}, "$form: $filter");
	}
}

# What the schema must keep out.
sub test_refusals {
	my ($uri, $dir) = @_;
	my $dn = 'uid=alice,ou=sales,dc=corp.example,ou=domains,o=corp';
	my %bad = (
		'two home sites' => "add: postroadHomeSite\npostroadHomeSite: hebei\npostroadHomeSite: shandong",
		'a quota that is no number' => "add: postroadQuota\npostroadQuota: 5G",
		'a scope that is no DN' => "add: postroadScope\npostroadScope: corp.example",
		'a next hop at a person' => "add: postroadNextHop\npostroadNextHop: 10 relay:[192.0.2.1]:25",
		'a home site beyond ASCII' => "add: postroadHomeSite\npostroadHomeSite:: " . encode_base64("\xc3\xa9", ''),
	);
	for my $what (sort keys %bad) {
		my ($rc, $out) = modify($uri, $dir, "dn: $dn\nchangetype: modify\n$bad{$what}\n");
		ok($rc != 0 && $out =~ /\((?:19|20|21|65)\)/, "refused: $what") or diag($out);
	}
	my ($rc) = modify($uri, $dir, "dn: cn=x,dc=corp.example,ou=domains,o=corp\nchangetype: add\n"
		. "objectClass: organizationalRole\nobjectClass: postroadList\ncn: x\n");
	is($rc, 65, 'refused: a list without an address');
}

# An administrator loads a later version of the schema over the one that runs.
sub test_upgrade {
	my ($uri, $dir) = @_;
	my $later = slurp("$S/postroad.schema");
	$later =~ s/(?=# --- classes)/attributetype ( PostroadAttr:999 NAME 'postroadLater' DESC 'x'\n\tEQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n\n/;
	$later =~ s/(?=postroadScope \$ postroadRight)/postroadLater \$ /;
	spew("$dir/postroad.schema", $later);
	my ($dn) = map { $_->{dn}[0] } ldif_records(search($uri, '-b', 'cn=schema,cn=config', '(cn=*postroad)', '1.1'));
	my ($rc, $change) = run("$S/mkldif", '-u', $dn, "$dir/postroad.schema");
	my ($changed, $out) = modify($uri, $dir, $change);
	ok($rc == 0 && $changed == 0, 'mkldif -u makes a change a running slapd takes') or diag($out);
	($rc, $out) = modify($uri, $dir, "dn: uid=alice,ou=sales,dc=corp.example,ou=domains,o=corp\n"
		. "changetype: modify\nadd: postroadLater\npostroadLater: x\n");
	is($rc, 0, 'the new attribute can be used, on an entry from before') or diag($out);
}

sub test_passwords {
	my ($uri) = @_;
	my $bad = '';
	for my $r (grep { $_->{userpassword} } ldif_records(slurp($SAMPLE))) {
		my ($dn, $name) = ($r->{dn}[0], ($r->{uid} || $r->{cn})->[0]);
		my ($rc) = run('ldapwhoami', '-x', '-H', $uri, '-D', $dn, '-w', "sample-$name");
		$bad .= "$dn\n" if $rc;
	}
	is($bad, '', 'the password of each sample entry is as its head says');
}

sub test_services {
	my ($uri, $form) = @_;
	my @as = ('-x', '-LLL', '-H', $uri, '-b', 'o=corp', '-o', 'ldif_wrap=no');
	my @wanted = qw(mail userPassword entryUUID entryCSN);
	my $count = () = slurp($SAMPLE) =~ /^dn:/mg;
	my (undef, $out) = run('ldapsearch', @as, '-D', 'cn=policyd,cn=services,o=corp', '-w', 'sample-policyd',
		'(objectClass=*)', @wanted);
	my @seen = ldif_records($out);
	is(scalar(grep { $_->{entryuuid} && $_->{entrycsn} } @seen), $count, "$form: policyd sees every entry");
	is(scalar(grep { $_->{userpassword} } @seen), 0, "$form: policyd sees no password");
	(undef, $out) = run('ldapsearch', @as, '-D', 'cn=replicator,cn=services,o=corp', '-w', 'sample-replicator',
		'(uid=bob)', @wanted);
	like($out, qr/^userPassword::/m, "$form: the replicator sees passwords");
	my ($rc) = run('ldapsearch', @as, '(uid=bob)', 'mail');
	isnt($rc, 0, "$form: the rules that were there before still hold for others");
}

sub test_slapd {
	my ($dir, $schemas, $modules) = @_;
	mkdir "$dir/$_" for qw(a a/db b b/db b/config);

	spew("$dir/a/slapd.conf", slapd_conf("$dir/a", $schemas, $modules));
	runs_ok('slaptest takes postroad.schema', 'slaptest', '-u', '-f', "$dir/a/slapd.conf");
	runs_ok('slapadd takes the sample tree', 'slapadd', '-f', "$dir/a/slapd.conf", '-l', $SAMPLE);
	my $a = start_slapd("$dir/a", '-f', "$dir/a/slapd.conf");

	spew("$dir/b/init.ldif", config_ldif("$dir/b", $schemas, $modules));
	runs_ok('a cn=config to begin with', 'slapadd', '-n0', '-F', "$dir/b/config", '-l', "$dir/b/init.ldif");
	my $b = start_slapd("$dir/b", '-F', "$dir/b/config");
	my @as_root = ('-Q', '-Y', 'EXTERNAL', '-H', $b, '-f');
	runs_ok('ldapadd takes postroad.ldif', 'ldapadd', @as_root, "$S/postroad.ldif");
	runs_ok('ldapmodify takes postroad-index.ldif', 'ldapmodify', @as_root, "$S/postroad-index.ldif");
	runs_ok('ldapmodify takes postroad-services.ldif', 'ldapmodify', @as_root, "$S/postroad-services.ldif");
	runs_ok('ldapadd takes the sample tree', 'ldapadd', @as_root, $SAMPLE);

	my $loaded = subschema($a);
	is(scalar @$loaded, scalar(elements("$S/postroad.ldif")), 'slapd shows all our definitions');
	is_deeply(subschema($b), $loaded, 'both forms define the same');
	test_lookups($a, 'slapd.conf');
	test_lookups($b, 'cn=config');
	test_services($a, 'slapd.conf');
	test_services($b, 'cn=config');
	test_passwords($a);
	test_refusals($b, $dir);
	test_upgrade($b, $dir);
	stop_slapds();
}

my $tmp = tempdir('postroad-schema-XXXXXX', TMPDIR => 1, CLEANUP => 1);
END { my $rc = $?; stop_slapds(); $? = $rc }
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

test_source();
test_mkldif_refuses($tmp);
test_sample_text();
test_index_files();
my @missing = grep { my $p = $_; !grep { -x "$_/$p" } split /:/, $ENV{PATH} } qw(slapd slapadd slaptest ldapadd ldapsearch);
my $schemas = find_dir('core.ldif', qw(/etc/ldap/schema /etc/openldap/schema /usr/local/etc/openldap/schema));
my $modules = find_dir('back_mdb.so', qw(/usr/lib/ldap /usr/lib64/openldap /usr/libexec/openldap));
SKIP: {
	skip "not installed: @missing", 1 if @missing;
	skip 'no core.ldif of OpenLDAP found', 1 unless $schemas;
	test_slapd($tmp, $schemas, $modules);
}
done_testing();
