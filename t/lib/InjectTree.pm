# SPDX-License-Identifier: BSD-2-Clause
#
# InjectTree: the small directory that inject.t has in a slapd and inject-ldif.t in a file, and what may
# be answered about it: h1 and h3 are always at hebei, h2 moves to and fro, another x comes each time.
package InjectTree;
use strict;
use warnings;
use Exporter qw(import);
use Test::More;
use Trial;

our @EXPORT = qw(person tree look_at h2_home pid_of restart $soft);

my $PRINT = join ':', ('AB') x 32;
our $soft = qr/^(?:TEMP|no answer)/;
my ($here, $there) = (qr/^OK lmtp:/, qr/^OK relay:\[192\.0\.2\.2\]/);
my @always = (
    [ mailbox   => 'h1@a.example',     qr/^OK OK$/ ],
    [ transport => 'h1@a.example',     $here ],
    [ mailbox   => 'h3+x@a.example',   qr/^OK OK$/ ],
    [ alias     => 'all@a.example',    qr/^OK h1\@a\.example,\s*h2\@a\.example,\s*h3\@a\.example$/ ],
    [ sender    => 'h1@a.example',     qr/^OK h1/ ],
    [ domain    => 'a.example',        qr/^OK OK$/ ],
    [ domain    => 'b.example',        qr/^NOTFOUND/ ],
    [ transport => 'guest@b.example',  qr/^NOTFOUND/ ],
    [ tls       => '[192.0.2.2]:25',   qr/^OK fingerprint match=$PRINT/ ],
);

sub entry { my ($dn, @lines) = @_; return join("\n", "dn: $dn", @lines) . "\n\n" }

sub person {
    my ($uid, @lines) = @_;
    return entry("uid=$uid,dc=a.example,o=corp", 'objectClass: inetOrgPerson', 'objectClass: postroadAccount',
        "uid: $uid", "cn: $uid", "sn: $uid", "mail: $uid\@a.example", @lines);
}

# All but the people.
sub tree {
    return entry('o=corp', 'objectClass: organization', 'o: corp')
        . entry('cn=sites,o=corp', 'objectClass: organizationalRole', 'cn: sites')
        . entry('cn=hebei,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: hebei', 'postroadNextHop: 10 relay:[192.0.2.1]:25')
        . entry('cn=shandong,cn=sites,o=corp', 'objectClass: postroadSite', 'cn: shandong',
            'postroadNextHop: 10 relay:[192.0.2.2]:25', "postroadCertFingerprint: $PRINT")
        . entry('dc=a.example,o=corp', 'objectClass: domain', 'objectClass: postroadDomain', 'dc: a.example',
            'associatedDomain: a.example', 'postroadHomeSite: hebei')
        . entry('cn=all,dc=a.example,o=corp', 'objectClass: groupOfNames', 'objectClass: postroadList', 'cn: all',
            'mail: all@a.example', map { "member: uid=h$_,dc=a.example,o=corp" } 1 .. 3);
}

# What the transport map says of h2.
sub h2_home { my ($moved) = @_; return $moved ? $there : $here }

# The hand-off port's question about a recipient.
sub handoff {
    my ($to) = @_;
    my $asked = Trial::ask("$dir/policy", "request=smtpd_access_policy\nprotocol_state=RCPT\npolicy_context=handoff\n"
        . "recipient=$to\nccert_fingerprint=$PRINT\nccert_pubkey_fingerprint=\n\n", qr/\n\n/);
    return $asked =~ /^action=(.*)/ ? $1 : '';
}

# What is wrong. Strict: as it has to be when nothing fails any more; else nobody may be told what is not so.
sub look_at {
    my ($strict, $moved, @more) = @_;
    my @bad;
    for my $q (@always, @more, [ transport => 'h2@a.example', h2_home($moved) ]) {
        my ($map, $key, $want) = @$q;
        my $got = lookup($map, $key);
        next if $got =~ $want || !$strict && ($got =~ $soft || $key =~ /^h2/ && $got =~ /$here|$there/);
        push @bad, "$map $key: $got";
    }
    my ($known, $unknown) = (handoff('h1@a.example'), handoff('nobody@a.example'));
    push @bad, "hand-off of h1: $known"       if $known !~ ($strict ? qr/^DUNNO/ : qr/^(?:DUNNO|4.*|)$/);
    push @bad, "hand-off of nobody: $unknown" if $unknown !~ ($strict ? qr/^45/ : qr/^(?:4.*|)$/);
    return @bad;
}

sub pid_of {
    my ($r) = @_;
    my ($found) = grep { $_->{name} =~ /^\Q$r\E/ } @{ status()->{roles} // [] };
    return $found && $found->{pid} || 0;
}

sub restart {
    my ($r) = @_;
    my $pid = pid_of($r);
    kill 'KILL', $pid if $pid;
    return;
}

1;
