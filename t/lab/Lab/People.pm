# SPDX-License-Identifier: BSD-2-Clause
#
# Lab::People: people of corp.example who come, go, move and change their names, by changes at either
# site's directory; for t/random.t. Each change is told to Lab::Truth.
#
# Promises: what was changed at one site is changed there again until the sites have agreed, so two
# directories never make different things of one entry, but where agree() says so. Random choices
# are the caller's, but for the site; must not send mail or judge anything.
package Lab::People;
use strict;
use warnings;
use Time::HiRes 'time';

my @sites = qw(hebei shandong);
my %other = (hebei => 'shandong', shandong => 'hebei');
my %department = (hebei => 'ou=hr', shandong => 'ou=east,ou=sales');
my $domain = 'dc=corp.example,ou=domains,o=corp';

# names: who may come; forwards: {name => [names]}; lab, truth, trouble; jot: called with what happens.
sub new {
    my ($class, %self) = @_;
    return bless { %self, entry => {}, writer => {}, addresses => {}, diverged => 0 }, $class;
}

sub dn_of { my ($uid, $home) = @_; return "uid=$uid,$department{$home},$domain" }
sub mail_of { my ($name) = @_; return $name eq 'adviser' ? 'adviser@outside.example' : "$name\@corp.example" }

# All addresses somebody ever had; of who never was, the one he would have.
sub addresses {
    my ($self, $name) = @_;
    return @{ $self->{addresses}{$name} // [ mail_of($name) ] };
}

# --- writing

# A site where the thing may be changed now; undef: nowhere.
sub place_to_write {
    my ($self, $name) = @_;
    my $wish = $sites[ int rand @sites ];
    my $site = !$self->{writer}{$name} || $self->{truth}->is_agreed($name) ? $wish : $self->{writer}{$name};
    return $self->{trouble}->is_well("slapd $site") ? $site : undef;
}

# Change the directory at that site, and let the truth know it.
sub write_at {
    my ($self, $site, $name, $ldif, %state) = @_;
    my $from = time;
    $self->{lab}->modify($site, $ldif);
    $self->{truth}->change($name, $from, time, %state);
    $self->{writer}{$name} = $site;
    $self->{jot}->("$name at $site:", map { ref $state{$_} ? "$_=@{$state{$_}}" : "$_=$state{$_}" } sort keys %state);
    return;
}

sub state_of {
    my ($self, $name) = @_;
    my $e = $self->{entry}{$name} // return (addresses => []);
    return (homes => [ $e->{home} ], moving => $e->{state} eq 'moving' ? 1 : 0,
        addresses => $e->{state} eq 'disabled' ? [] : [ @{ $self->{addresses}{$name} } ]);
}

sub modify {
    my ($self, $site, $name, @lines) = @_;
    return $self->write_at($site, $name, join("\n", "dn: $self->{entry}{$name}{dn}", 'changetype: modify', @lines) . "\n",
        $self->state_of($name));
}

# --- what may happen to somebody, written at a site

sub entry_ldif {
    my ($name, $dn, $mail, @lines) = @_;
    return join("\n", "dn: $dn", 'changetype: add', 'objectClass: inetOrgPerson', 'objectClass: postroadAccount', "uid: $name",
        "cn: $name", "sn: $name", "mail: $mail", @lines) . "\n";
}

# Made, or made anew: under the first address again, with all the others as aliases.
sub appears {
    my ($self, $site, $name, $home) = @_;
    my $mail = mail_of($name);
    my $all = $self->{addresses}{$name} //= [ $mail, "$name.alias\@corp.example" ];
    my $dn = dn_of($name, $home);
    $self->{entry}{$name} = { dn => $dn, home => $home, own => '', mail => $mail, state => '' };
    my @lines = map { 'postroadForward: ' . mail_of($_) } @{ $self->{forwards}{$name} // [] };
    push @lines, map { "postroadAlias: $_" } grep { $_ ne $mail } @$all;
    return $self->write_at($site, $name, entry_ldif($name, $dn, $mail, @lines), $self->state_of($name));
}

# While the sites don't hear of one another, each makes an entry of its own with the same address. They
# stay; one of them has it in the end.
sub twins_appear {
    my ($self, $name) = @_;
    my ($mail, @home) = mail_of($name);
    $self->{addresses}{$name} = [$mail];
    for my $site (@sites) {
        push @home, $site;
        $self->write_at($site, $name, entry_ldif("$name.$site", dn_of("$name.$site", $site), $mail),
            homes => [@home], moving => 0, addresses => [$mail]);
    }
    return;
}

sub disappears {
    my ($self, $site, $name) = @_;
    my $e = delete $self->{entry}{$name};
    return $self->write_at($site, $name, "dn: $e->{dn}\nchangetype: delete\n", addresses => []);
}

# A new primary address; the old one stays an alias.
sub is_renamed {
    my ($self, $site, $name) = @_;
    my $all = $self->{addresses}{$name};
    my ($old, $new) = ($self->{entry}{$name}{mail}, sprintf '%s.%d@corp.example', $name, scalar @$all);
    push @$all, $new;
    $self->{entry}{$name}{mail} = $new;
    return $self->modify($site, $name, 'replace: mail', "mail: $new", '-', 'add: postroadAlias', "postroadAlias: $old");
}

# moving, disabled; empty: receives.
sub has_state {
    my ($self, $site, $name, $state) = @_;
    $self->{entry}{$name}{state} = $state;
    return $self->modify($site, $name, 'replace: postroadState', $state ? "postroadState: $state" : ());
}

# At once, as nobody should do it; or at the end of a move, which the state "moving" has begun.
sub lives_elsewhere {
    my ($self, $site, $name) = @_;
    my $e = $self->{entry}{$name};
    ($e->{home}, $e->{state}) = ($other{ $e->{home} }, '');
    $e->{own} = $e->{home};
    return $self->modify($site, $name, 'replace: postroadHomeSite', "postroadHomeSite: $e->{home}", '-',
        'replace: postroadStandbySite', "postroadStandbySite: $other{$e->{home}}", '-', 'replace: postroadState');
}

# To the department whose people live at the other site, which makes him one of them unless he has a
# home of his own.
sub is_transferred {
    my ($self, $site, $name) = @_;
    my $e = $self->{entry}{$name};
    my $to = $e->{dn} =~ /$department{hebei}/ ? 'shandong' : 'hebei';
    my $ldif = "dn: $e->{dn}\nchangetype: modrdn\nnewrdn: uid=$name\ndeleteoldrdn: 0\nnewsuperior: $department{$to},$domain\n";
    $e->{dn} = dn_of($name, $to);
    $e->{home} = $to if !$e->{own};
    return $self->write_at($site, $name, $ldif, $self->state_of($name));
}

# One of these, out of what he is and a number below 1. Who moves arrives when all know that he does.
sub change {
    my ($self, $name, $fate, $home) = @_;
    my $site = $self->place_to_write($name) // return;
    my $e = $self->{entry}{$name} // return $self->appears($site, $name, $home);
    return $self->disappears($site, $name) if $fate < 0.25;
    if ($e->{state} eq 'moving') {
        return $self->{truth}->is_agreed($name) ? $self->lives_elsewhere($site, $name) : undef;
    }
    return $self->has_state($site, $name, '') if $e->{state} eq 'disabled';
    return $self->is_renamed($site, $name) if $fate < 0.4;
    return $self->has_state($site, $name, 'moving') if $fate < 0.6;
    return $self->has_state($site, $name, 'disabled') if $fate < 0.68;
    return $self->is_transferred($site, $name) if $fate < 0.82;
    return $self->lives_elsewhere($site, $name);
}

# A site is declared failed over, or is back. One at a time, or nobody is left to receive.
sub site_changes {
    my ($self, $name) = @_;
    my ($failed) = grep { $self->{truth}->now($_)->{failed_over} } @sites;
    $name = $failed // $name;
    my $site = $self->place_to_write($name) // return;
    my $is = $failed ? 'up' : 'failed-over';
    return $self->write_at($site, $name, "dn: cn=$name,cn=sites,o=corp\nchangetype: modify\nreplace: postroadDesiredState\n"
          . "postroadDesiredState: $is\n", standby => $other{$name}, failed_over => $failed ? 0 : 1);
}

# Nobody on the move, no site failed over.
sub arrive {
    my ($self) = @_;
    $self->site_changes if grep { $self->{truth}->now($_)->{failed_over} } @sites;
    $self->lives_elsewhere($self->place_to_write($_), $_) for grep { $self->state_is($_, 'moving') } @{ $self->{names} };
    return;
}

# All are there.
sub return_all {
    my ($self) = @_;
    $self->appears($self->place_to_write($_), $_, 'hebei') for grep { !$self->{entry}{$_} } @{ $self->{names} };
    $self->has_state($self->place_to_write($_), $_, '') for grep { $self->state_is($_, 'disabled') } @{ $self->{names} };
    return;
}

sub state_is { my ($self, $name, $state) = @_; return $self->{entry}{$name} && $self->{entry}{$name}{state} eq $state }

# --- what the directories have made of it

# Each site says of somebody who never was that he is not: then both know what was done before.
sub agree {
    my ($self) = @_;
    my $when = time;
    $self->{jot}->('the sites agree ...');
    $self->{lab}->await_directory(@sites);
    $self->compare;
    $self->{truth}->agreed($when, time);
    $self->{jot}->('... by now');
    return;
}

# A directory that was cut off may bring back what was removed at the other one, or lose what was
# written there: that is slapd's doing. Both agree about it, so it is the truth from now on.
sub compare {
    my ($self) = @_;
    my ($here, $there) = map { $self->directory($_) } @sites;
    for my $name (@{ $self->{names} }) {
        my ($is, $is_there) = map { text_of($_->{$name}) } $here, $there;
        die "the directories differ about $name: hebei has $is, shandong $is_there\n" if $is ne $is_there;
        next if $is eq text_of($self->{entry}{$name});
        $self->{jot}->("the directories have made of $name: $is");
        $self->{diverged}++;
        $self->{entry}{$name} = $here->{$name};
        delete $self->{entry}{$name} if !$here->{$name};
        $self->{truth}->amend($name, time, $self->state_of($name));
    }
    return;
}

sub text_of {
    my ($entry) = @_;
    return $entry ? join ' ', map { "$_=$entry->{$_}" } sort keys %$entry : 'nothing';
}

# All of them, as a site's directory has them.
sub directory {
    my ($self, $site) = @_;
    my $text = $self->{lab}->run($site, qw(ldapsearch -x -LLL -o ldif-wrap=no -H ldapi:/// -D), 'cn=admin,o=corp', qw(-w sample-admin -b),
        $domain, '(uid=p*)', qw(uid mail postroadHomeSite postroadState));
    my %entry;
    for my $block (split /\n\n+/, $text) {
        my %value = $block =~ /^(\w+): (.*)$/mg;
        my $own = $value{postroadHomeSite} // '';
        my $home = $own || ($value{dn} =~ /ou=east/ ? 'shandong' : 'hebei');
        $entry{ $value{uid} } = { dn => $value{dn}, home => $home, own => $own, mail => $value{mail}, state => $value{postroadState} // '' };
    }
    return \%entry;
}

1;
