# SPDX-License-Identifier: BSD-2-Clause
#
# HeldDirectory: what tests of role held at a real slapd share: slapd with the real access rules and overlay
# refint, the settings of a policyd that follows it by a relay, entries below cn=held, and verdicts in them.
package HeldDirectory;
use strict;
use warnings;
use Exporter qw(import);
use HeldTrial;
use Trial;

our @EXPORT = qw($CORP %dn slapd_begin slapd_rules directory_settings held_settings entry entries state target has_verdict verdict forged moved);

our $CORP = 'dc=corp.example,ou=domains,o=corp';
our %dn = (lina => "uid=lina,ou=hr,$CORP", wangfang => "uid=wangfang,ou=sales,$CORP", alice => "uid=alice,ou=sales,$CORP");

# slapd's configuration: the access rules as they are, or changed.
sub slapd_rules {
    my ($change) = @_;
    my $rules = slurp("$top/ldap-schema/postroad-access.conf");
    my $refint = grep { glob "$_/refint*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap';
    slapd_conf('a', database => $change ? $change->($rules) : $rules, global => $refint ? "moduleload refint\n" : '',
        overlay => "overlay refint\nrefint_attributes member owner postroadScope postroadHeldTarget\nrefint_nothing \"cn=nobody,o=corp\"\n");
    return;
}

sub slapd_begin {
    slapd_rules();
    slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
    return slapd_start('a');
}

# Role sync goes by the relay, role held straight to slapd. Call it once.
sub directory_settings {
    spew("$dir/mirror.secret", "sample-policyd\n");
    my $relay = relay_start("$dir/a/sock");
    return qq(uri = "$relay"; base = "o=corp"; bind_dn = "cn=policyd,cn=services,o=corp"; password_file = "$dir/mirror.secret"; retry_max = 1; heartbeat = 1;);
}

sub held_settings {
    my ($more) = @_;
    spew("$dir/held.secret", "sample-moderation\n");
    my $uri = Trial::uri_of('a');
    return queue_settings() . qq(held: { uri = "$uri"; bind_dn = "cn=moderation,cn=services,o=corp"; password_file = "$dir/held.secret"; $more };\n);
}

sub entry { my ($id) = @_; return ldap_search('a', '-b', "postroadHeldId=$id,cn=held,o=corp", '-s', 'base', '*') }
sub entries { return scalar(() = ldap_search('a', '-b', 'cn=held,o=corp', '-s', 'one', '1.1') =~ /^dn:/mg) }
sub state { my ($id) = @_; return entry($id) =~ /^postroadHeldState: (\w+)/m ? $1 : '' }
sub target { my ($id) = @_; return entry($id) =~ /^postroadHeldTarget: (.*)/m ? $1 : '' }
sub has_verdict { my ($id) = @_; return entry($id) =~ /^postroadHeld(?:Verdict|Reason):/m ? 1 : 0 }

# A verdict by an administrator, as any LDAP client writes it; the exit code.
sub verdict {
    my ($who, $id, $verdict, $reason) = @_;
    my ($rc) = run("dn: postroadHeldId=$id,cn=held,o=corp\nchangetype: modify\nadd: postroadHeldVerdict\npostroadHeldVerdict: $verdict\n"
          . "-\nadd: postroadHeldReason\npostroadHeldReason: $reason\n", 'ldapmodify', '-x', '-H', Trial::uri_of('a'), '-D', $dn{$who}, '-w', "sample-$who");
    return $rc;
}

# As nobody of the mirror: what slapd's rules would not have let pass.
sub forged { my ($id, $verdict) = @_; return ldap_change('a', "dn: postroadHeldId=$id,cn=held,o=corp\nchangetype: modify\nadd: postroadHeldVerdict\npostroadHeldVerdict: $verdict\n") }

# Somebody has another name and place.
sub moved { my ($from, $rdn, $to) = @_; return ldap_change('a', "dn: $from\nchangetype: modrdn\nnewrdn: $rdn\ndeleteoldrdn: 1\nnewsuperior: $to\n") }

1;
