# SPDX-License-Identifier: BSD-2-Clause
#
# MutantRecord: what became of each mutant of the access rules, one line each, so that a pass that was broken off
# goes on, and the next one first tries what showed a mutant the last time. The first line says for which
# rules, tests and slapd the lines hold: for others only the attempts are of use, as they are after a pass that came to its end.
package MutantRecord;
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Trial;

# file: undef keeps nothing.
sub new {
    my ($class, $file, $slapd) = @_;
    my $head = 'mutants of ' . md5_hex(map { slurp($_) } "$top/ldap-schema/postroad-access.conf", sort glob "$top/t/lib/{Matrix*,RuleMutants,LdapWire}.pm") . " at $slapd";
    my $self = bless { done => {}, hint => {} }, $class;
    return $self if !defined $file;
    my ($was, @lines) = -e $file ? split /\n/, slurp($file) : '';
    my $goes_on = $was eq $head && (!@lines || $lines[-1] ne 'whole');
    for (grep { /\t/ } @lines) {
        my ($name, $result, $key) = split /\t/;
        $self->{hint}{$name} = $key if $result =~ /^(?:noticed|hint)$/;
        $self->{done}{$name} = [$result, $key] if $goes_on && $result =~ /^(?:noticed|same)$/;
    }
    spew($file, join "", "$head\n", map { "$_\thint\t$self->{hint}{$_}\n" } sort keys %{ $self->{hint} }) if !$goes_on;
    open $self->{fh}, '>>', $file or die "$file: $!\n";
    $self->{fh}->autoflush(1);
    return $self;
}

# [noticed or same, by what], if this pass has been there.
sub done { my ($self, $name) = @_; return $self->{done}{$name} }
sub hint { my ($self, $name) = @_; return $self->{hint}{$name} // () }

sub put {
    my ($self, @fields) = @_;
    print { $self->{fh} } join("\t", @fields) . "\n" if $self->{fh};
}

sub whole { my ($self) = @_; print { $self->{fh} } "whole\n" if $self->{fh} }

1;
