# SPDX-License-Identifier: BSD-2-Clause
#
# Matrix: the cells of t/matrix.t. A cell is one real LDAP write by somebody, and the questions
# rights_decide() is asked about it; the write must be allowed when all of them are. The tree is the
# sample tree with people in the positions it lacks. It is kept in memory, so that each write
# can be undone, and what rights_decide() wants to know is told without asking the server.
package Matrix;
use strict;
use warnings;
use Exporter qw(import);
use MIME::Base64 qw(decode_base64);
use Trial;

our @EXPORT_OK = qw(tree_ldif cells questions perform undo actor_dn actor_names password_of cheats);

our $O = 'o=corp';
our $D = "ou=domains,$O";
our $A = "dc=corp.example,$D";
our $B = "dc=post.example,$D";
our $GATE = "cn=admins,cn=roles,$O";
my $IDN = "ou=\xe7\xa0\x94\xe5\x8f\x91\xe9\x83\xa8";

# --- the tree

# Everybody who acts, or is acted upon because of his place: name, where, role, scopes, more.
my @people = (
    [sys2 => "ou=hr,$A", 'system'],
    [sup2 => "ou=east,ou=sales,$A", 'super', [$D], postroadRight => ['write-mail']],
    [supa => "ou=jinan,$B", 'super', [$A], postroadRight => [qw(approve write-mail)]],
    [dom2 => "ou=sales,$A", 'domain', [$A], postroadRight => ['write-mail']],
    [domab => "ou=hr,$A", 'domain', [$A, "ou=jinan,$B"]],
    [dep2 => "ou=sales,$A", 'department', ["ou=sales,$A"], postroadRight => [qw(read-mail write-mail)]],
    [depn => "ou=east,ou=sales,$A", 'department', ["ou=east,ou=sales,$A"]],
    [depit => "ou=it,$A", 'department', ["ou=it,$A"]],
    [depx => "$IDN,$A", 'department', ["$IDN,$A"]],
    [depa => "ou=it,$A", 'department', [$A]],
    [domd => "ou=it,$A", 'domain', [$D]],
    [domsus => "ou=it,$A", 'domain', [$A], postroadState => ['suspended']],
    [syssus => "ou=it,$A", 'system', undef, postroadState => ['disabled']],
    [domlea => "ou=leavers,$A", 'domain', [$A]],
    [domung => "ou=it,$A", 'domain', [$A]],
    [sysung => "ou=it,$A", 'system'],
    [wang => "ou=hr,$A", undef, [$A]],
    [nopw => "ou=sales,$A", undef, undef, postroadDeny => [qw(password forward)]],
    [depnop => "ou=sales,$A", 'department', ["ou=sales,$A"], postroadDeny => [qw(password forward)]],
    [sysnop => "ou=it,$A", 'system', undef, postroadDeny => [qw(password forward)]],
    [supo => "ou=it,$A", 'super', [$O]],
    [depu => "ou=it,$A", 'department', ["uid=alice,ou=sales,$A"]],
    [domtop => "ou=it,$A", 'domain', ["uid=depn,ou=east,ou=sales,$A"], postroadRight => [qw(approve write-mail)]],
    [domo => "ou=it,$A", 'domain', [$O], postroadRight => [qw(approve write-mail)]],
    [depo => "ou=it,$A", 'department', [$O]],
    [sysq => "ou=quiet,$A", 'system'],
    [usrq => "ou=quiet,$A"],
    [usrsus => "ou=sales,$A", undef, undef, postroadState => ['suspended']],
);
# Whose cells are those of single_cells() only; `edit' and a name: cn=edit in the name of that one.
my %single = map { $_ => 1 } qw(domtop domo depo sysq usrq usrsus place base edit odd1 odd2 odd3 odd4), map { "edit $_" } qw(sys dom alice);
my %ungated = map { $_ => 1 } qw(domung sysung nopw usrq usrsus);

my (%entry, @order, %odd);

sub put {
    my ($dn, %attributes) = @_;
    push @order, $dn;
    $entry{ lc $dn } = { dn => $dn, %attributes };
}

sub read_sample {
    my ($text) = @_;
    $text =~ s/^#.*(?:\n .*)*\n//mg;
    $text =~ s/\n //g;
    for my $block (split /\n\n+/, $text) {
        my ($dn, %a);
        for my $line (split /\n/, $block) {
            my ($name, $b64, $value) = $line =~ /^([\w;-]+):(:?)\s*(.*)$/ or next;
            $value = decode_base64($value) if $b64;
            $name eq 'dn' ? ($dn = $value) : push @{ $a{$name} }, $value;
        }
        put($dn, %a) if defined $dn;
    }
}

sub account {
    my ($name, $where, $role, $scopes, %more) = @_;
    my ($domain) = $where =~ /dc=([^,]+)/;
    $domain //= 'corp.example';
    put("uid=$name,$where", objectClass => [qw(inetOrgPerson postroadAccount)], uid => [$name], cn => [$name], sn => [$name],
        mail => ["$name\@$domain"], userPassword => ["sample-$name"],
        $role ? (postroadRole => [$role]) : (), $scopes ? (postroadScope => $scopes) : (), %more);
}

sub build {
    read_sample(slurp("$top/ldap-schema/two-sites.ldif"));
    put("ou=quiet,$A", objectClass => [qw(organizationalUnit postroadDepartment)], ou => ['quiet'], postroadDeny => [qw(password forward)]);
    account(@$_) for @people;
    @{ $entry{ lc $D } }{qw(userPassword postalCode)} = (['sample-domains'], ['100000']);
    $entry{ lc $O }{userPassword} = ['sample-corp'];
    put("cn=team,ou=sales,$A", objectClass => [qw(groupOfNames postroadList)], cn => ['team'],
        mail => ['team@corp.example'], postroadSender => ['domain'], member => ["uid=alice,ou=sales,$A"]);
    put("cn=printers,ou=sales,$A", objectClass => [qw(organizationalRole simpleSecurityObject)], cn => ['printers'], userPassword => ['x']);
    put("cn=here,ou=sales,$A", objectClass => ['postroadSite'], cn => ['here']);
    put("cn=mx,cn=here,ou=sales,$A", objectClass => ['postroadServer'], cn => ['mx']);
    account('booked', "ou=hr,$A", undef, undef, objectClass => [qw(inetOrgPerson postroadAccount extensibleObject)], member => [$A], associatedDomain => ['booked.example'],
        jpegPhoto => ['x'], map { $_ => ["$_\@corp.example"] } qw(givenName displayName postroadAlias telephoneNumber mobile title ou o dc l departmentNumber description));
    $entry{ lc "cn=held,$O" }{description} = ['x'];
    put("dc=inner.example,$A", objectClass => [qw(domain postroadDomain postroadAccount)], dc => ['inner.example'], associatedDomain => ['inner.example']);
    put("ou=people,$O", objectClass => [qw(organizationalUnit domainRelatedObject)], ou => ['people'], associatedDomain => ['people.example']);
    put("cn=there,ou=people,$O", objectClass => ['postroadSite'], cn => ['there']);
    put("cn=team,ou=people,$O", objectClass => [qw(groupOfNames postroadList)], cn => ['team'], mail => ['team@people.example'], member => ["uid=plain,ou=people,$O"]);
    account('out', "ou=people,$O", 'department');
    account('plain', "ou=people,$O");
    account('named', "ou=sales,$A", undef, undef, objectClass => [qw(inetOrgPerson postroadAccount domainRelatedObject)], associatedDomain => ['post.example']);
    put("postroadRole=domain+uid=odd,ou=hr,$A", objectClass => [qw(inetOrgPerson postroadAccount)], uid => ['odd'], cn => ['odd'], sn => ['odd'],
        mail => ['odd@corp.example'], userPassword => ['sample-odd'], postroadRole => ['domain'], postroadScope => [$A]);
    push @{ $entry{ lc $GATE }{member} }, "postroadRole=domain+uid=odd,ou=hr,$A";
    for (['odd1', "cn=odd1+uid=odd1,ou=hr,$A"], ['odd2', "postroadHomeSite=hebei,ou=hr,$A", postroadHomeSite => ['hebei']],
        ['odd3', "associatedDomain=odd3.example,ou=hr,$A", associatedDomain => ['odd3.example']], ['odd4', "uid=odd4,postroadHomeSite=hebei,ou=hr,$A"]) {
        my ($name, $dn, %more) = @$_;
        put($dn, objectClass => [qw(inetOrgPerson postroadAccount domainRelatedObject)], associatedDomain => ['x.example'], uid => [$name], cn => [$name], sn => [$name],
            userPassword => ["sample-$name"], postroadRole => ['department'], postroadScope => ["ou=sales,$A"], %more);
        $odd{$name} = $dn;
        push @{ $entry{ lc $GATE }{member} }, $dn;
    }
    put("cn=misc,$D", objectClass => ['organizationalRole'], cn => ['misc']);
    push @{ $entry{ lc $GATE }{member} }, map { "uid=$_->[0],$_->[1]" } grep { !$ungated{ $_->[0] } } @people;
}
build();

sub tree_ldif {
    my $text = '';
    for my $dn (@order) {
        my $e = $entry{ lc $dn };
        $text .= "dn: $dn\n";
        for my $name (sort grep { $_ ne 'dn' } keys %$e) {
            $text .= "$name: $_\n" for @{ $e->{$name} };
        }
        $text .= "\n";
    }
    return $text;
}

# --- who acts

my %actor = (
    anonymous => '',
    policyd => "cn=policyd,cn=services,$O",
    dovecot => "cn=dovecot,cn=services,$O",
    replicator => "cn=replicator,cn=services,$O",
    edit => "cn=edit,cn=services,$O",
    place => $D,
    base => $O,
    %odd,
    sunli => "uid=sunli,ou=jinan,$B",
    odd => "postroadRole=domain+uid=odd,ou=hr,$A",
    sys => "uid=zhangwei,ou=it,$A",
    sup => "uid=liuyang,ou=it,$A",
    dom => "uid=lina,ou=hr,$A",
    domb => "uid=zhoujie,ou=jinan,$B",
    dep => "uid=wangfang,ou=sales,$A",
    alice => "uid=alice,ou=sales,$A",
    map { $_->[0] => "uid=$_->[0],$_->[1]" } grep { $_->[0] !~ /^(?:sys2)$/ } @people,
);

sub actor_names { return sort keys %actor }
sub actor_dn    { return $actor{ $_[0] } }

sub password_of { my ($dn) = @_; return $dn eq '' ? '' : 'sample-' . (map { values_of($dn, $_) } qw(uid cn ou o))[0] }
$actor{"edit $_"} = $actor{$_} for qw(sys dom alice);

# --- what rights_decide() wants to know

sub all_dns { return @order }

sub values_of { my ($dn, $name) = @_; return @{ ($entry{ lc $dn } // {})->{$name} // [] } }

sub parent { my ($dn) = @_; return $dn =~ /^[^,]*,(.*)$/ ? $1 : '' }

# The entry and all above it.
sub upwards {
    my ($dn) = @_;
    my @all;
    for (; $dn ne ''; $dn = parent($dn)) { push @all, $dn }
    return @all;
}

sub has_class {
    my ($class, @classes) = @_;
    return scalar grep { lc $_ eq lc $class } @classes;
}

my @kinds = ([postroadAccount => 'account'], [postroadList => 'list'], [postroadDomain => 'domain'],
    [postroadDepartment => 'department'], [postroadSite => 'site'], [postroadServer => 'site']);

# A class is also called by its number.
my $CLASSES = '2.25.52567715340633365628480039044261483495.2';
my @numbers = (undef, map { "postroad$_" } qw(Account Domain Department List Site Server));

sub kind_of {
    my (@classes) = map { /^\Q$CLASSES\E\.(\d)$/ ? $numbers[$1] : $_ } @_;
    for (@kinds) { return $_->[1] if has_class($_->[0], @classes) }
    return 'container';
}

my %fields; # of actors, as they never change

sub actor_fields {
    my ($name) = @_;
    return $fields{$name} //= do {
        my $dn = $actor{$name};
        my $known = has_class('postroadAccount', values_of($dn, 'objectClass')) ? 1 : 0;
        my $inactive = grep { /^(?:suspended|disabled)$/ } map { values_of($_, 'postroadState') } upwards($dn);
        my $gate = grep { lc $_ eq lc $dn } values_of($GATE, 'member');
        join "\t", 'actor.dn=' . lc $dn, "actor.known=$known", 'actor.active=' . ($inactive ? 0 : 1), 'actor.gate=' . ($gate ? 1 : 0),
            'actor.level=' . lc((values_of($dn, 'postroadRole'))[0] // ''),
            (map { 'actor.scope=' . lc } values_of($dn, 'postroadScope')), (map { 'actor.right=' . lc } values_of($dn, 'postroadRight')),
            map { "actor.withheld=$_" } map { values_of($_, 'postroadDeny') } upwards($dn);
    };
}

# new: the attributes of an entry to be.
sub target_fields {
    my ($dn, $new) = @_;
    my $e = $new // $entry{ lc $dn } // {};
    my $level = lc(($e->{postroadRole} // [])->[0] // '');
    return join "\t", 'target.dn=' . lc $dn, 'target.known=' . (%$e ? 1 : 0), 'target.kind=' . kind_of(@{ $e->{objectClass} // [] }),
        "target.level=$level", 'target.in_tree=' . ($dn =~ /,\Q$D\E$/i ? 1 : 0);
}

sub address_fields {
    my ($dn, $address) = @_;
    my ($domain) = lc($address) =~ /\@([^@]+)$/;
    my $own = grep { lc $_ eq $domain } map { values_of($_, 'associatedDomain') } grep { has_class('postroadDomain', values_of($_, 'objectClass')) } upwards($dn);
    my ($entry) = grep { exists $entry{$_} } "dc=$domain,$D";
    return ('value.address=1', 'value.own_domain=' . ($own ? 1 : 0), $entry ? "value.address_domain=$entry" : ());
}

my %action_of = (
    (map { $_ => 'manage:person' } qw(displayName mobile telephoneNumber jpegPhoto preferredLanguage)),
    (map { $_ => 'manage:address' } qw(mail postroadAlias)),
    (map { $_ => 'manage:members' } qw(member postroadMember owner)),
    (map { $_ => 'manage:placement' } qw(postroadHomeSite postroadStandbySite)),
    postroadForward => 'manage:forward', postroadState => 'manage:state', postroadSender => 'manage:senders',
    associatedDomain => 'manage:names', objectClass => 'manage:class', userPassword => 'password',
    postroadQuota => 'quota', postroadDeny => 'functions', postroadRole => 'grant:role', postroadScope => 'grant:scope',
    postroadRight => 'grant:right',
);

# The questions behind values given to an attribute; none given: it is taken away.
sub attribute_questions {
    my ($dn, $name, @values) = @_;
    my $action = $action_of{$name} // 'manage';
    my @asked;
    for my $value (@values ? @values : undef) {
        my @value;
        if (defined $value) {
            @value = $name eq 'postroadRole' ? ('value.level=' . lc $value)
                : $name eq 'postroadScope' ? ('value.dn=' . lc $value)
                : $name eq 'postroadRight' ? ('value.right=' . lc $value)
                : $action eq 'manage:address' ? address_fields($dn, $value)
                : $name eq 'objectClass' && $value =~ /^postroad|^\Q$CLASSES\E\./i ? ('value.kind=' . kind_of($value)) : ();
        }
        push @asked, [$action, @value];
    }
    return @asked;
}

# All questions of a cell, as lines for t/tools/rights_cells.
sub questions {
    my ($cell) = @_;
    my ($how, $dn, @rest) = @{ $cell->{op} };
    my ($target, @asked);
    if ($how eq 'add') {
        $target = target_fields($dn, $rest[0]);
        @asked = (['manage:add'], map { attribute_questions($dn, $_, @{ $rest[0]{$_} }) } grep { !/^(?:uid|cn|sn|ou|dc)$/ } sort keys %{ $rest[0] });
    } elsif ($how eq 'delete') {
        @asked = (['manage:delete']);
    } elsif ($how eq 'rename') {
        my $to = $rest[1] // parent($dn);
        @asked = (['manage:move', 'value.dn=' . lc $to, 'value.dn_in_tree=' . ($to =~ /(?:^|,)\Q$D\E$/i ? 1 : 0)]);
    } elsif ($how eq 'password') {
        @asked = (['password']);
    } elsif ($how eq 'gate') {
        @asked = (['grant:gate']);
    } else {
        @asked = map { attribute_questions($dn, $_->[1], $_->[0] eq 'delete' ? () : @$_[2 .. $#$_]) } @rest;
    }
    $target //= target_fields($dn);
    return map { join "\t", actor_fields($cell->{actor}), $target, "action=$_->[0]", @$_[1 .. $#$_] } @asked;
}

# --- doing and undoing

sub perform {
    my ($ldap, $op) = @_;
    my ($how, $dn, @rest) = @$op;
    return $ldap->add($dn, @rest) if $how eq 'add';
    return $ldap->delete($dn) if $how eq 'delete';
    return $ldap->rename($dn, @rest) if $how eq 'rename';
    return $ldap->password($dn, @rest) if $how eq 'password';
    return $ldap->modify($GATE, [$rest[0], 'member', $dn]) if $how eq 'gate';
    return $ldap->modify($dn, @rest);
}

sub attributes_of { my ($dn) = @_; my %e = %{ $entry{ lc $dn } }; delete $e{dn}; return \%e }

# After success: as it was. Returns the result code.
sub undo {
    my ($root, $op) = @_;
    my ($how, $dn, @rest) = @$op;
    return $root->delete($dn) if $how eq 'add';
    return $root->add($dn, attributes_of($dn)) if $how eq 'delete';
    if ($how eq 'rename') {
        my ($rdn, $parent) = $dn =~ /^([^,]*),(.*)$/;
        return $root->rename("$rest[0]," . ($rest[1] // $parent), $rdn, $parent);
    }
    return $root->modify($GATE, [replace => 'member', values_of($GATE, 'member')]) if $how eq 'gate';
    return $root->modify($dn, [replace => 'userPassword', values_of($dn, 'userPassword')]) if $how eq 'password';
    my %names = map { $_->[1] => 1 } @rest;
    return $root->modify($dn, map { [replace => $_, values_of($dn, $_)] } sort keys %names);
}

# --- the cells

my @accounts = ((map { "uid=$_,ou=sales,$A" } qw(alice dom2 dep2 nopw depnop wangfang)),
    (map { "uid=$_,ou=east,ou=sales,$A" } qw(bob sup2 depn)), "uid=zhaolei,ou=jinan,ou=east,ou=sales,$A",
    (map { "uid=$_,ou=hr,$A" } qw(frank lina sys2 domab)), (map { "uid=$_,ou=it,$A" } qw(zhangwei liuyang depit sysnop)),
    "uid=yangmin,$IDN,$A", "uid=info,$A", "uid=named,ou=sales,$A", "postroadRole=domain+uid=odd,ou=hr,$A", "uid=out,ou=people,$O",
    "uid=domsus,ou=it,$A", "uid=domlea,ou=leavers,$A", "uid=maqiang,ou=leavers,$A", "uid=wuhao,ou=qingdao,$B",
    (map { "uid=$_,ou=jinan,$B" } qw(sunli zhoujie supa)));
my @lists = ("cn=all,$A", "cn=team,ou=sales,$A", "cn=couriers,$B");
my @departments = ("ou=sales,$A", "ou=east,ou=sales,$A", "ou=north,ou=sales,$A", "ou=hr,$A", "$IDN,$A", "ou=jinan,$B");
my @domains = ($A, $B);
my @others = ("cn=printers,ou=sales,$A", "cn=misc,$D", $D, $O, "cn=sites,$O", "cn=hebei,cn=sites,$O", "cn=mx1,cn=hebei,cn=sites,$O",
    "cn=services,$O", "cn=policyd,cn=services,$O", "cn=roles,$O", $GATE);

# op for each account: [name, op]
sub account_ops {
    my ($dn) = @_;
    my ($rdn) = $dn =~ /^([^,]*)/;
    my $place = $dn !~ /^uid=/ || $dn =~ /^uid=info/ ? ['description', 'x'] : ['title', 'x'];
    return (
        ['its attribute' => 'modify', $dn, [replace => @$place]],
        ($dn !~ /^uid=/ || $dn =~ /^uid=info/ ? () : ['its name' => 'modify', $dn, [replace => 'displayName', 'x']]),
        ['its forward' => 'modify', $dn, [replace => 'postroadForward', 'x@outside.example']],
        ['its home site' => 'modify', $dn, [replace => 'postroadHomeSite', 'shandong']],
        ['its state' => 'modify', $dn, [replace => 'postroadState', 'disabled']],
        ['its quota' => 'modify', $dn, [replace => 'postroadQuota', '7']],
        ['its functions' => 'modify', $dn, [replace => 'postroadDeny', 'pop']],
        ['its password' => 'password', $dn, 'new'],
        ['its password hash' => 'modify', $dn, [replace => 'userPassword', '{SSHA}x']],
        ['an address of corp' => 'modify', $dn, [add => 'postroadAlias', 'New@XN--rt3a90w.example']],
        ['an address of post' => 'modify', $dn, [add => 'postroadAlias', 'zhoujie@Post.Example']],
        ['an address of post by its other name' => 'modify', $dn, [add => 'postroadAlias', 'new@posts.example']],
        ['the main address to nowhere' => 'modify', $dn, [replace => 'mail', 'x@nowhere.example']],
        ['one more main address' => 'modify', $dn, [add => 'mail', 'new@corp.example']],
        ['no alias' => 'modify', $dn, [replace => 'postroadAlias']],
        (map { ["role $_" => 'modify', $dn, [replace => 'postroadRole', $_]] } qw(department domain Super SYSTEM)),
        (map { ["role $_, added" => 'modify', $dn, [add => 'postroadRole', $_]] } qw(Department System)),
        ['no role' => 'modify', $dn, [replace => 'postroadRole']],
        ['scope east' => 'modify', $dn, [add => 'postroadScope', "OU=East, ou=sales,$A"]],
        ['scope corp' => 'modify', $dn, [replace => 'postroadScope', $A]],
        ['scope jinan at post' => 'modify', $dn, [add => 'postroadScope', "ou=jinan,$B"]],
        ['scope of all' => 'modify', $dn, [add => 'postroadScope', $O]],
        ['no scope' => 'modify', $dn, [replace => 'postroadScope']],
        (map { ["right $_" => 'modify', $dn, [replace => 'postroadRight', $_]] } qw(read-mail WRITE-mail approve audit)),
        (map { ["right $_, added" => 'modify', $dn, [add => 'postroadRight', $_]] } qw(read-mail audit)),
        ['no right' => 'modify', $dn, [replace => 'postroadRight']],
        (map { ["$_ as a class" => 'modify', $dn, [add => 'objectClass', $_]] } qw(PostroadList postroadDepartment postroadDomain postroadSite)),
        ['names of domains' => 'modify', $dn, [add => 'associatedDomain', 'z.example']],
        ['delete' => 'delete', $dn],
        ['rename' => 'rename', $dn, "${rdn}x"],
        ['move to hr' => 'rename', $dn, $rdn, "ou=hr,$A"],
        ['move to sales' => 'rename', $dn, $rdn, "ou=sales,$A"],
        ['move to post' => 'rename', $dn, $rdn, "ou=qingdao,$B"],
        ['let in' => 'gate', $dn, 'add'],
        ['let out' => 'gate', $dn, 'delete'],
    );
}

sub list_ops {
    my ($dn) = @_;
    my ($rdn) = $dn =~ /^([^,]*)/;
    return (
        ['its description' => 'modify', $dn, [replace => 'description', 'x']],
        ['its senders' => 'modify', $dn, [replace => 'postroadSender', 'anyone']],
        ['its members' => 'modify', $dn, [add => 'member', "uid=bob,ou=east,ou=sales,$A"]],
        ['members outside' => 'modify', $dn, [add => 'postroadMember', 'x@outside.example']],
        ['its state' => 'modify', $dn, [replace => 'postroadState', 'disabled']],
        ['an address of corp' => 'modify', $dn, [add => 'postroadAlias', 'new@corp.example']],
        ['an address of post' => 'modify', $dn, [add => 'postroadAlias', 'new@post.example']],
        ['delete' => 'delete', $dn],
        ['move to sales' => 'rename', $dn, "${rdn}x", "ou=sales,$A"],
    );
}

# Departments, domains and the rest share these.
sub place_ops {
    my ($dn) = @_;
    my ($rdn, $type) = $dn =~ /^((\w+)=[^,]*)/;
    return (
        ['its description' => 'modify', $dn, [replace => 'description', 'x']],
        ['its home site' => 'modify', $dn, [replace => 'postroadHomeSite', 'shandong']],
        ['its quota' => 'modify', $dn, [replace => 'postroadQuota', '7']],
        ['its state' => 'modify', $dn, [replace => 'postroadState', 'active']],
        ['its functions' => 'modify', $dn, [replace => 'postroadDeny', 'pop']],
        ['names of domains' => 'modify', $dn, [add => 'associatedDomain', 'z.example']],
        ['its password hash' => 'modify', $dn, [replace => 'userPassword', '{SSHA}x']],
        ['domain as a class' => 'modify', $dn, [add => 'objectClass', 'postroadDomain'], [add => 'associatedDomain', 'q.example']],
        ['delete' => 'delete', $dn],
        $dn eq $O || $dn eq $GATE ? () : ['move to sales' => 'rename', $dn, $rdn, "ou=sales,$A"],
        $dn eq $O ? () : ['move to post' => 'rename', $dn, $rdn, $B],
        $dn eq $O ? () : ['rename' => 'rename', $dn, "${rdn}x"],
    );
}

sub other_ops {
    my ($dn) = @_;
    my @more = $dn =~ /cn=sites/ ? (['its state' => 'modify', $dn, [replace => 'postroadDesiredState', 'down']],
        ['its next hop' => 'modify', $dn, [replace => 'postroadNextHop', '1 relay:[192.0.2.9]:25']])
        : $dn =~ /^cn=policyd/ ? (['its password' => 'password', $dn, 'new']) : ();
    return (['its description' => 'modify', $dn, [replace => 'description', 'x']], ['delete' => 'delete', $dn], @more);
}

# Entries to be: [name, rdn, attributes], added in many places.
sub new_entries {
    my ($domain) = @_;
    my %account = (objectClass => [qw(inetOrgPerson postroadAccount)], uid => ['new'], cn => ['new'], sn => ['new']);
    my @with = (
        ['an account' => {}],
        ['with all that is usual' => { mail => ["new\@$domain"], displayName => ['New'], userPassword => ['x'], postroadQuota => [5] }],
        ['with the address of another' => { mail => ['zhoujie@post.example'] }],
        (map { ["with role $_" => { postroadRole => [$_] }] } qw(Department domain super System)),
        ['with role and scope sales' => { postroadRole => ['department'], postroadScope => ["ou=sales,$A"] }],
        ['with role and scope at post' => { postroadRole => ['department'], postroadScope => ["ou=jinan,$B"] }],
        ['with a scope' => { postroadScope => [$O] }],
        ['with a right' => { postroadRight => ['audit'] }],
        ['that is a list' => { objectClass => [qw(inetOrgPerson postroadAccount postroadList)], mail => ["new\@$domain"] }],
        ['with names of domains' => { objectClass => [qw(inetOrgPerson postroadAccount domainRelatedObject)], associatedDomain => ['post.example'] }],
    );
    return (
        (map { [$_->[0], 'uid=new', { %account, %{ $_->[1] } }] } @with),
        ['a list', 'cn=new', { objectClass => [qw(groupOfNames postroadList)], cn => ['new'], mail => ["new\@$domain"], member => [$A] }],
        ['a department', 'ou=new', { objectClass => [qw(organizationalUnit postroadDepartment)], ou => ['new'] }],
        ['a container', 'cn=new', { objectClass => ['organizationalRole'], cn => ['new'] }],
        ['a domain', 'dc=new.example', { objectClass => [qw(domain postroadDomain)], dc => ['new.example'], associatedDomain => ['new.example'] }],
        ['a site', 'cn=new', { objectClass => ['postroadSite'], cn => ['new'], postroadNextHop => ['1 relay:[192.0.2.9]:25'] }],
    );
}

# Not a question of rights: below itself nothing can be moved, a move to where it is is none, and nobody but its root deletes a suffix.
sub is_possible {
    my (undef, undef, $how, $dn, undef, $to) = @{ $_[0] };
    $to //= parent($dn);
    return 0 if $how eq 'delete' && $dn eq $O;
    return 0 if $how eq 'rename' && "$_[0][4],$to" eq $dn;
    return !($how eq 'rename' && $to =~ /(?:^|,)\Q$dn\E$/);
}

# What only one actor's write at one target shows: a scope that begins with an account, a right, a scope or
# an address that no other rule gives or takes as well.
sub single_cells {
    my ($alice, $named, $depn, $wuhao) = ("uid=alice,ou=sales,$A", "uid=named,ou=sales,$A", "uid=depn,ou=east,ou=sales,$A", "uid=wuhao,ou=qingdao,$B");
    my @todo = (
        (map { [domtop => $_->[0], 'modify', $depn, [add => @$_[1, 2]]] } ['right approve, added', 'postroadRight', 'approve'],
            ['right read-mail, added', 'postroadRight', 'read-mail'], ['one more main address', 'mail', 'new@corp.example']),
        [domtop => 'let out', 'gate', $depn, 'delete'],
        [domo => 'let in', 'gate', "uid=out,ou=people,$O", 'add'],
        [sys => 'in whose name he may act', 'modify', $actor{sys}, [add => 'authzTo', 'dn:*']],
        [supo => 'names of domains', 'modify', $D, [add => 'associatedDomain', 'z.example']],
        [domo => 'right approve, added', 'modify', $D, [add => 'postroadRight', 'approve']],
        [sup2 => 'right read-mail, added', 'modify', $D, [add => 'postroadRight', 'read-mail']],
        [supa => 'right approve, added', 'modify', $wuhao, [add => 'postroadRight', 'approve']],
        [supa => 'a main address of post', 'modify', $wuhao, [add => 'mail', 'new@post.example']],
        (map { my $class = $_; map { [$_ => "$class as a class", 'modify', $alice, [add => 'objectClass', $class]] } qw(sup dom dep) } 'postroadServer', map { "$CLASSES.$_" } 2 .. 6),
        [sup => 'a main address of post', 'modify', $alice, [add => 'mail', 'new@post.example']],
        [sup => 'a main address of corp by its other name', 'modify', $alice, [add => 'mail', 'new@xn--rt3a90w.example']],
        (map { [$_ => 'a main address of post', 'modify', $named, [add => 'mail', 'new@post.example']] } qw(supa dom dep)),
        [domab => 'one right less', 'modify', "uid=dep2,ou=sales,$A", [delete => 'postroadRight', 'read-mail']],
        [dom => 'one scope less', 'modify', "uid=wang,ou=hr,$A", [delete => 'postroadScope', $A]],
        (map { [alice => "the own $_->[0]", 'modify', $alice, [replace => @$_]] } ['mobile', '1'], ['telephoneNumber', '1'], ['preferredLanguage', 'zh'],
            ['jpegPhoto', "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9"]),
        (map { [$_ => 'another main address', 'modify', $alice, [replace => 'mail', 'new@corp.example']] } qw(sup dom dep)),
        (map { [$_ => 'the own forward', 'modify', $actor{$_}, [replace => 'postroadForward', 'x@outside.example']] } qw(usrq place)),
        [place => 'the own name', 'modify', $D, [replace => 'displayName', 'x']],
        (map { [$_ => 'the own password', 'password', $actor{$_}, 'new'] } qw(usrq sysq)),
        (map { ([$_ => 'a quota', 'modify', $alice, [replace => 'postroadQuota', '7']], [sup => 'its quota', 'modify', $odd{$_}, [replace => 'postroadQuota', '7']],
            [sup => 'let out', 'gate', $odd{$_}, 'delete'], [sup => 'its password', 'password', $odd{$_}, 'new']) } sort keys %odd),
        (map { ["edit $_" => 'its quota', 'modify', $alice, [replace => 'postroadQuota', '7']] } qw(sys dom alice)),
        (map { my $actor = $_; map { [$actor, @$_] } grep { is_possible([$D, @$_]) } account_ops($D) } qw(sup domo depo)),
        [dom => 'a member of an odd name', 'modify', "cn=team,ou=sales,$A", [add => 'member', $actor{odd}]],
        [supo => 'move to people', 'rename', $alice, 'uid=alice', "ou=people,$O"],
        (map { my $actor = $_; map { [$actor => @$_] } account_ops("uid=plain,ou=people,$O"),
            map { ["an address of people ($_)", 'modify', "uid=plain,ou=people,$O", [add => $_, 'new@people.example']] } qw(mail postroadAlias) } qw(supo domo depo)),
    );
    return map { my ($actor, $name, @op) = @$_; +{ actor => $actor, name => "$name: $op[1]", op => \@op } } @todo;
}

# All: { actor, name, op }
sub cells {
    my @todo = ((map { my $dn = $_; map { [$dn, @$_] } account_ops($dn) } @accounts, @lists[0, 1], @departments[0, 1, 5], $others[0], "cn=here,ou=sales,$A", "cn=mx,cn=here,ou=sales,$A"),
        # A domain can have no address, whoever gives it one.
        (map { my $dn = $_; map { [$dn, @$_] } grep { $_->[0] !~ /address/ } account_ops($dn) } @domains),
        (map { my $dn = $_; map { [$dn, @$_] } list_ops($dn) } @lists),
        (map { my $dn = $_; map { [$dn, @$_] } place_ops($dn) } @departments, @domains, $others[0]),
        (map { my $dn = $_; map { [$dn, @$_] } other_ops($dn) } @others[1 .. $#others]));
    for my $place ("ou=sales,$A", "ou=east,ou=sales,$A", "ou=hr,$A", $A, "$IDN,$A", "ou=jinan,$B", $D, "cn=sites,$O", "cn=services,$O") {
        my ($domain) = $place =~ /dc=([^,]+)/;
        push @todo, map { ["$_->[1],$place", "add $_->[0]", 'add', "$_->[1],$place", $_->[2]] } new_entries($domain // 'corp.example');
    }
    my @all = single_cells();
    for my $actor (grep { !$single{$_} } actor_names()) {
        push @all, map { my ($dn, $name, @op) = @$_; +{ actor => $actor, name => "$name: $dn", op => \@op } } grep { is_possible($_) } @todo;
    }
    return @all;
}

sub our_attributes { return slurp("$top/ldap-schema/postroad.schema") =~ /^attributetype \(\s*\S+\s+NAME '(\w+)'/mg }

# Values that are not quite, or more than, what the rules compare with or take into a set: [attribute, values, who tries].
sub odd_values {
    return (
        [postroadRole => [qw(subdomain domains xdepartment departments)], qw(sup)],
        [postroadRole => [qw(xdepartment departments)], qw(dom)],
        [postroadScope => ["ou=x] | user | [ou=y,$D", "ou=a]b,ou=sales,$A", "ou=sales,$A]x"], qw(sup dom)],
        [postroadRight => ['1write-mail', 'write-mail1', 'x] | [write-mail', 'xread-mail', 'read-mailx'], qw(supa dom2)],
        map { [$_ => ['@corp.example', 'x@corp.example/x', 'x@a] | [super'], qw(sup dom dep)] } qw(mail postroadAlias),
    );
}

# Attempts to cheat that are no cell, all of them to be refused: [what, who, op...]
sub cheats {
    my ($alice, $dep) = ("uid=alice,ou=sales,$A", "uid=wangfang,ou=sales,$A");
    my $OID = '2.25.52567715340633365628480039044261483495.1';
    return (
        ['a role under a language', 'dom', 'modify', $alice, [add => 'postroadRole;lang-zh', 'super']],
        ['a role by the number of the attribute', 'dom', 'modify', $alice, [add => "$OID.8", 'Super']],
        ['a role among other changes', 'dom', 'modify', $alice, [replace => 'title', 'x'], [add => 'postroadRole', 'department'], [replace => 'postroadRole', 'super']],
        ['a role in place of a lower one', 'dom', 'modify', $dep, [delete => 'postroadRole', 'department'], [add => 'postroadRole', 'domain']],
        ['a scope under a language', 'dep', 'modify', $alice, [add => 'postroadScope;lang-zh', "ou=sales,$A"]],
        ['a right under a language', 'dom', 'modify', $alice, [add => 'postroadRight;lang-zh', 'audit']],
        ['an address under a language', 'dom', 'modify', $alice, [add => 'postroadAlias;lang-zh', 'x@post.example']],
        ['an address with two @', 'dep', 'modify', $alice, [add => 'postroadAlias', '"x@corp.example"@post.example']],
        ['an address without a domain', 'dep', 'modify', $alice, [add => 'postroadAlias', 'x']],
        ['an address of a pattern', 'dep', 'modify', $alice, [add => 'postroadAlias', 'x@*']],
        (map { my ($name, $values, @who) = @$_; map { my $who = $_; map { ["$name $_", $who, 'modify', $alice, [add => $name, $_]] } @$values } @who } odd_values()),
        (map { my $who = $_; map { ["$_ into the gate", $who, 'modify', $GATE, [add => 'member', $_]] } "$dep]x", "cn=x],$dep", "uid=x] | [department] | [uid=y,$A" } qw(sup dom)),
        ['a right of what is an account and a domain, too', 'dom', 'modify', "dc=inner.example,$A", [add => 'postroadRight', 'approve']],
        ['the right that includes it', 'dom2', 'modify', "dc=inner.example,$A", [add => 'postroadRight', 'read-mail']],
        ['a main address of it', 'dom', 'modify', "dc=inner.example,$A", [add => 'mail', 'new@corp.example']],
        ['an alias of it', 'dom', 'modify', "dc=inner.example,$A", [add => 'postroadAlias', 'new@corp.example']],
        (map { ["$_->[1] in the name of another", 'edit sys', 'modify', $alice, $_] } [replace => 'title', 'x'], [replace => 'userPassword', 'x'],
            [add => 'objectClass', 'extensibleObject'], map { [replace => $_] } grep { $_ ne 'postroadQuota' } our_attributes()),
        ['a class less in the name of another', 'edit dom', 'modify', "ou=north,ou=sales,$A", [delete => 'objectClass', 'postroadDepartment']],
        ['in whose name another may act', 'edit sys', 'modify', "cn=edit,cn=services,$O", [add => 'authzTo', 'dn:*']],
        ['in whose name it may act', 'edit', 'modify', "cn=edit,cn=services,$O", [add => 'authzTo', 'dn:*']],
        ['a quota in the own name', 'edit', 'modify', $alice, [replace => 'postroadQuota', '7']],
        ['a class for the base', 'alice', 'modify', $O, [add => 'objectClass', 'dcObject']],
        ['a class for the base', 'dom', 'modify', $O, [add => 'objectClass', 'dcObject']],
        (map { (['in whose name he may act', $_, 'modify', $alice, [add => 'authzTo', 'dn:*']],
            ['who may act in his name', $_, 'modify', $alice, [add => 'authzFrom', 'dn:*']]) } qw(sup dom dep)),
        ['oneself into the gate, in other letters', 'alice', 'modify', $GATE, [add => 'member', "UID=Alice, OU=Sales,$A"]],
        ['who holds no role into the gate', 'dom', 'modify', $GATE, [add => 'member', $alice]],
        ['all others out of the gate', 'dom', 'modify', $GATE, [replace => 'member', "uid=lina,ou=hr,$A"]],
        ['the gate closed', 'dom', 'delete', $GATE],
        ['out of the own suspension', 'domsus', 'modify', "uid=domsus,ou=it,$A", [replace => 'postroadState', 'active']],
        ['out of the department that is suspended', 'domlea', 'rename', "uid=domlea,ou=leavers,$A", 'uid=domlea', "ou=hr,$A"],
        ['the own name after suspension', 'domsus', 'modify', "uid=domsus,ou=it,$A", [replace => 'displayName', 'x']],
        ['the own name, once disabled', 'syssus', 'modify', "uid=syssus,ou=it,$A", [replace => 'displayName', 'x']],
        ['the own password after suspension', 'domsus', 'password', "uid=domsus,ou=it,$A", 'x'],
        ['an account beside a site', 'sup', 'add', "uid=x,cn=sites,$O", { objectClass => ['account', 'postroadAccount'], uid => ['x'] }],
        ['a role in the name of a new entry', 'dom', 'add', "uid=x+postroadRole=super,ou=hr,$A",
            { objectClass => [qw(inetOrgPerson postroadAccount)], uid => ['x'], cn => ['x'], sn => ['x'], postroadRole => ['super'] }],
        ['the same, not among its attributes', 'dom', 'add', "uid=x+postroadRole=super,ou=hr,$A",
            { objectClass => [qw(inetOrgPerson postroadAccount)], uid => ['x'], cn => ['x'], sn => ['x'] }],
        ['a site by the number of its class', 'dom', 'add', "cn=x,ou=north,ou=sales,$A", { objectClass => ["$CLASSES.5"], cn => ['x'] }],
        (map { ["$_ as a class by its number", 'dom', 'modify', "ou=north,ou=sales,$A", [add => 'objectClass', "$CLASSES.$_"],
            [add => 'associatedDomain', 'q.example']] } 2, 5),
    );
}

1;
