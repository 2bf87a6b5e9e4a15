# SPDX-License-Identifier: BSD-2-Clause
#
# MatrixRun: a slapd with given access rules and the tree of Matrix.pm, one connection for everybody
# who acts, and the comparison of its answers with those of t/tools/rights_cells.
package MatrixRun;
use strict;
use warnings;
use LdapWire;
use Matrix qw(tree_ldif questions perform undo actor_dn actor_names password_of);
use Trial;

# Result codes that say: not allowed. 32: may not even know that it is there. 8: not without a name. 123: not
# in that name.
my %refused = map { $_ => 1 } 8, 32, 50, 123;

# What a server that was there before may have behind our rules: it must decide nothing.
my $BEHIND = "access to *\n\tby * write\n";

my $servers = 0;

sub new {
    my ($class, $rules) = @_;
    my $name = 'matrix' . $servers++;
    my $self = bless { name => $name }, $class;
    slapd_conf($name, global => "authz-policy to\ndatabase config\nrootpw secret", database => "$rules\n$BEHIND");
    slapd_add($name, tree_ldif());
    $self->{pid} = slapd_start($name);
    $self->{socket} = "$dir/$name/sock";
    $self->{root} = LdapWire->new($self->{socket}, 'cn=root,o=corp', 'secret');
    eval { $self->connect_all; 1 } or do {
        my $why = $@;
        $self->stop;
        die $why;
    };
    $self->{before} = $self->dump;
    return $self;
}

# While the server runs, put another rule in place of one, or none; or add one. It is or will be number i of
# all "access to", from 0 on, and is written "to ...". Each returns the result code; not 0: nothing was changed.
sub change_access {
    my ($self, $i, $rule) = @_;
    return $self->configure([delete => 'olcAccess', "{$i}"], defined $rule ? [add => 'olcAccess', "{$i}$rule"] : ());
}

sub add_access { my ($self, $i, $rule) = @_; return $self->configure([add => 'olcAccess', "{$i}$rule"]) }

sub configure {
    my ($self, @changes) = @_;
    $self->{config} //= LdapWire->new($self->{socket}, 'cn=config', 'secret');
    return $self->{config}->modify('olcDatabase={1}mdb,cn=config', @changes);
}

# Who is suspended can't bind: he did so before he was.
sub connect_all {
    my ($self) = @_;
    my @states = map { [$_->[0], $_->[1]{postroadstate}[0]] } $self->{root}->search('o=corp', 'sub', ['postroadState'], 'postroadState');
    $self->{root}->modify($_->[0], ['delete', 'postroadState']) for @states;
    for my $actor (actor_names()) {
        my $dn = actor_dn($actor);
        $self->{as}{$actor} = $actor =~ /^edit / ? LdapWire->new($self->{socket}, actor_dn('edit'), 'sample-edit')->act_for($dn)
            : LdapWire->new($self->{socket}, $dn, password_of($dn));
    }
    $self->{root}->modify($_->[0], ['add', 'postroadState', $_->[1]]) for @states;
}

sub dump {
    my ($self) = @_;
    my @all;
    for ($self->{root}->search('o=corp', 'sub', ['objectClass'])) {
        my ($dn, $e) = @$_;
        push @all, join "\n", $dn, map { my $n = $_; map { "$n: $_" } sort @{ $e->{$n} } } sort keys %$e;
    }
    return join "\n\n", sort @all;
}

# What rights_decide() says, for each cell: [allowed, rule and why of what refused].
sub decide {
    my (undef, $cells) = @_;
    my (@lines, @of);
    for my $i (0 .. $#$cells) {
        my @asked = questions($cells->[$i]);
        push @lines, @asked;
        push @of, ($i) x @asked;
    }
    my ($rc, $out) = run(join('', map { "$_\n" } @lines), "$top/t/tools/rights_cells");
    my @answers = split /\n/, $out;
    die "rights_cells: $rc, " . @answers . ' answers to ' . @lines . " questions\n$out" if $rc || @answers != @lines;
    my @said = map { [1, ''] } @$cells;
    for my $i (0 .. $#answers) {
        my ($verdict, $rule, $why) = split /\t/, $answers[$i];
        $said[ $of[$i] ] = [0, "rule $rule, $why"] if $verdict ne 'allowed' && $said[ $of[$i] ][0];
    }
    return \@said;
}

# The result code of one write; a success is undone.
sub try_cell {
    my ($self, $cell) = @_;
    my $code = perform($self->{as}{ $cell->{actor} }, $cell->{op});
    return $code if $code;
    my $undone = undo($self->{root}, $cell->{op});
    die "$cell->{actor}: $cell->{name}: can't be undone: $undone $self->{root}{text}\n" if $undone;
    return 0;
}

# Whether slapd and what decide() said of it differ about a cell: then how.
sub differs {
    my ($self, $cell, $said) = @_;
    my $code = $self->try_cell($cell);
    return if ($refused{$code} ? 0 : 1) == $said->[0];
    return "$cell->{actor}: $cell->{name}: slapd $code, rights_decide " . ($said->[0] ? 'allowed' : "refused: $said->[1]");
}

# (number of cells, texts of those that differ)
sub compare {
    my ($self, $cells) = @_;
    my $said = $self->decide($cells);
    return (scalar @$cells, map { $self->differs($cells->[$_], $said->[$_]) // () } 0 .. $#$cells);
}

# What is read, and by which of these; the rest reads nothing of it.
my @readers = (qw(sys sup supa dom dep alice sunli wang domsus syssus domlea domung nopw usrsus depnop odd policyd dovecot replicator edit anonymous), 'edit sys', qw(place base));
my ($A, $B, $O) = ($Matrix::A, $Matrix::B, $Matrix::O);
# Entry, attributes; one value of it, where not any will do; whether it is asked for by comparing.
my @book = qw(objectClass cn sn givenName displayName mail postroadAlias telephoneNumber mobile title ou o dc l uid member associatedDomain departmentNumber jpegPhoto description);
my %reads = (
    'the address of wuhao' => ["uid=wuhao,ou=qingdao,$B", 'mail'],
    'the role of lina' => ["uid=lina,ou=hr,$A", 'postroadRole'],
    'the role of wangfang' => ["uid=wangfang,ou=sales,$A", 'postroadRole'],
    'the quota of depnop (none)' => ["uid=depnop,ou=sales,$A", 'postroadQuota'],
    'the functions of depnop' => ["uid=depnop,ou=sales,$A", 'postroadDeny'],
    'the functions of nopw' => ["uid=nopw,ou=sales,$A", 'postroadDeny'],
    'the state of frank' => ["uid=frank,ou=hr,$A", 'postroadState'],
    'the password of alice' => ["uid=alice,ou=sales,$A", 'userPassword'],
    'when alice was changed' => ["uid=alice,ou=sales,$A", 'entryCSN'],
    'the next hop of mx1' => ["cn=mx1,cn=hebei,cn=sites,$O", 'postroadNextHop'],
    'the state of site hebei' => ["cn=hebei,cn=sites,$O", 'postroadDesiredState'],
    'who is in the gate' => [$Matrix::GATE, 'member'],
    'the password of a service' => ["cn=policyd,cn=services,$O", 'userPassword'],
    'the password of odd' => ["postroadRole=domain+uid=odd,ou=hr,$A", 'userPassword'],
    'the password of wangfang' => ["uid=wangfang,ou=sales,$A", 'userPassword'],
    (map { ("the password of $_" => [actor_dn($_), 'userPassword']) } qw(nopw odd1 odd2 odd3 odd4)),
    'where held mail is' => ["cn=held,$O", [qw(objectClass cn)]],
    'the description of where held mail is' => ["cn=held,$O", 'description'],
    'that odd is in the gate' => [$Matrix::GATE, 'member', "postroadRole=domain+uid=odd,ou=hr,$A"],
    'the name of all domains' => [$Matrix::D, 'ou'],
    'the password of the base' => [$O, 'userPassword'],
    'the role of wangfang, by comparing' => ["uid=wangfang,ou=sales,$A", 'postroadRole', 'department', 1],
    'the role of out, by comparing' => ["uid=out,ou=people,$O", 'postroadRole', 'department', 1],
    'the address of plain, by comparing' => ["uid=plain,ou=people,$O", 'mail', 'plain@corp.example', 1],
    'the name of people, by comparing' => ["ou=people,$O", 'associatedDomain', 'people.example', 1],
    'the class of a site among them, by comparing' => ["cn=there,ou=people,$O", 'objectClass', 'postroadSite', 1],
    'the class of a list among them, by comparing' => ["cn=team,ou=people,$O", 'objectClass', 'postroadList', 1],
    'where sites are' => ["cn=sites,$O", 'cn'],
    'the postal code of all domains' => [$Matrix::D, 'postalCode'],
    'the address of odd' => ["postroadRole=domain+uid=odd,ou=hr,$A", 'mail'],
    'the class of a service' => ["cn=policyd,cn=services,$O", 'objectClass'],
    'that there are services' => ["cn=policyd,cn=services,$O", 'cn'],
    'the base' => [$O, 'objectClass'],
    'the description of the base' => [$O, 'description'],
    'the home site of corp' => [$A, 'postroadHomeSite'],
    'the home site of post' => [$B, 'postroadHomeSite'],
    'the names of post' => [$B, 'associatedDomain'],
    'the class of a site among people' => ["cn=here,ou=sales,$A", 'objectClass'],
    'the alias of alice' => ["uid=alice,ou=sales,$A", 'postroadAlias'],
    'that team is a list' => ["cn=team,ou=sales,$A", 'objectClass', 'postroadList'],
    'that post is a domain' => [$B, 'objectClass', 'postroadDomain'],
    'that lina is in the gate' => [$Matrix::GATE, 'member', "uid=lina,ou=hr,$A"],
    'the password of a printer' => ["cn=printers,ou=sales,$A", 'userPassword'],
    'the scope of wang' => ["uid=wang,ou=hr,$A", 'postroadScope'],
    'the right of lina' => ["uid=lina,ou=hr,$A", 'postroadRight'],
    'the standby site of corp' => [$A, 'postroadStandbySite'],
    'all of the address book' => ["uid=booked,ou=hr,$A", \@book],
    'what is told of site hebei' => ["cn=hebei,cn=sites,$O", [qw(objectClass cn l description postroadDesiredState)]],
    'the certificate of site hebei' => ["cn=hebei,cn=sites,$O", 'postroadCertFingerprint'],
    'the password of dom2, by comparing' => ["uid=dom2,ou=sales,$A", 'userPassword', 'sample-dom2', 1],
    'in whose name edit acts, by comparing' => ["cn=edit,cn=services,$O", 'authzTo', "dn.regex:^uid=[^,]+,.+,ou=domains,o=corp\$", 1],
    'in whose name edit acts' => ["cn=edit,cn=services,$O", 'authzTo'],
    'the senders of list team' => ["cn=team,ou=sales,$A", 'postroadSender'],
);

# Everybody who is bound; who is in the gate, and the services.
my $users = 'sys sup supa dom dep alice sunli wang domung nopw usrsus depnop policyd dovecot replicator place base';
my $gate = 'sys sup supa dom dep wang depnop policyd dovecot replicator';

# [what is read, by whom]
sub reads {
    return (
        ['the address of wuhao', $users],
        ['the address of odd', $users],
        ['the role of lina', $users],
        ['the role of wangfang', $users],
        ['the quota of depnop (none)', ''],
        ['the functions of depnop', 'sys sup supa dom depnop policyd dovecot replicator'],
        ['the functions of nopw', 'sys sup supa dom dep nopw depnop policyd dovecot replicator'],
        ['the state of frank', 'sys sup supa dom policyd dovecot replicator'],
        ['the password of alice', 'sys replicator'],
        ['when alice was changed', 'sys sup supa dom dep alice depnop policyd dovecot replicator'],
        ['the next hop of mx1', 'sys policyd dovecot replicator'],
        ['the state of site hebei', $gate],
        ['who is in the gate', $gate],
        ['the password of a service', 'sys replicator'],
        ['the password of odd', 'sys replicator'],
        ['the password of wangfang', 'sys replicator'],
        (map { ["the password of $_", 'sys replicator'] } qw(nopw odd1 odd2 odd3 odd4)),
        ['that there are services', 'sys policyd dovecot replicator'],
        ['the class of a service', 'sys policyd dovecot replicator'],
        ['the base', $users],
        ['binding', 'sys sup supa dom dep alice sunli wang domung nopw depnop odd policyd dovecot replicator edit place base'],
        ['the description of the base', 'sys policyd dovecot replicator'],
        ['the home site of corp', $gate],
        ['the home site of post', 'sys sup policyd dovecot replicator'],
        ['the names of post', $users],
        ['the class of a site among people', $users],
        ['the alias of alice', $users],
        ['that team is a list', $users],
        ['that post is a domain', $users],
        ['that lina is in the gate', $gate],
        ['where held mail is', $users],
        ['the description of where held mail is', 'sys policyd dovecot replicator'],
        ['that odd is in the gate', $gate],
        ['the name of all domains', $users],
        ['the password of the base', 'sys replicator'],
        ['the role of wangfang, by comparing', $users],
        ['the role of out, by comparing', $gate],
        ['the address of plain, by comparing', 'sys policyd dovecot replicator'],
        ['the name of people, by comparing', 'sys policyd dovecot replicator'],
        ['the class of a site among them, by comparing', 'sys policyd dovecot replicator'],
        ['the class of a list among them, by comparing', 'sys policyd dovecot replicator'],
        ['where sites are', $gate],
        ['the postal code of all domains', 'sys policyd dovecot replicator place'],
        ['the password of a printer', 'sys replicator'],
        ['the scope of wang', $users],
        ['the right of lina', $users],
        ['the standby site of corp', $gate],
        ['all of the address book', $users],
        ['what is told of site hebei', $gate],
        ['the certificate of site hebei', 'sys policyd dovecot replicator'],
        ['the password of dom2, by comparing', 'sys replicator'],
        ['in whose name edit acts, by comparing', 'sys policyd dovecot replicator'],
        ['in whose name edit acts', 'sys policyd dovecot replicator'],
        ['the senders of list team', $gate],
    );
}

sub binds {
    my ($self, $actor) = @_;
    my $dn = actor_dn($actor);
    return $dn ne '' && $actor !~ / / && LdapWire->new($self->{socket})->bind_as($dn, password_of($dn)) == 0;
}

sub who_reads {
    my ($self, $what) = @_;
    return join ' ', grep { $self->binds($_) } @readers if $what eq 'binding';
    my ($dn, $names, $value, $compare) = @{ $reads{$what} };
    return join ' ', grep { $self->{as}{$_}->compare($dn, $names, $value) == 6 } @readers if $compare;
    my @names = ref $names ? @$names : $names;
    return join ' ', grep {
        my ($found) = $self->{as}{$_}->search($dn, 'base', ['objectClass'], @names);
        $found && !grep { my $values = $found->[1]{ lc $_ }; !$values || defined $value && !grep { $_ eq $value } @$values } @names;
    } @readers;
}

sub stop {
    my ($self) = @_;
    slapd_stop($self->{name}, $self->{pid});
}

1;
