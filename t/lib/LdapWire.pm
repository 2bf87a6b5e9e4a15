# SPDX-License-Identifier: BSD-2-Clause
#
# LdapWire: one connection to a slapd over a UNIX socket: bind, search, add, modify,
# delete, rename, password change. Each returns the server's result code as it is,
# so that a test can make thousands of writes a second and look at each answer.
# BER by hand (RFC 4511), since core Perl has no LDAP. One request at a time.
package LdapWire;
use strict;
use warnings;
use IO::Socket::UNIX;

my %MODIFY = (add => 0, delete => 1, replace => 2);
my %SCOPE = (base => 0, one => 1, sub => 2);

sub ber {
    my ($tag, @parts) = @_;
    my $body = join '', @parts;
    my $n = length $body;
    return chr($tag) . ($n < 128 ? chr $n : pack('CN', 0x84, $n)) . $body;
}

sub octets     { return ber(0x04, $_[0]) }
sub integer    { return ber(0x02, pack 'N', $_[0]) }
sub enumerated { return ber(0x0a, chr $_[0]) }
sub boolean    { return ber(0x01, $_[0] ? "\xff" : "\0") }
sub set        { return ber(0x31, map { octets($_) } @_) }

# Tag, value and what follows of the element in front; nothing while it is not whole.
sub element {
    my ($in) = @_;
    return if length $in < 2;
    my ($tag, $len) = unpack 'CC', $in;
    my $head = 2;
    if ($len > 127) {
        my $n = $len - 128;
        return if length $in < 2 + $n;
        $len = 0;
        $len = $len * 256 + $_ for unpack 'C*', substr $in, 2, $n;
        $head += $n;
    }
    return if length $in < $head + $len;
    return ($tag, substr($in, $head, $len), substr $in, $head + $len);
}

sub elements {
    my ($in) = @_;
    my @all;
    while (length $in) {
        my ($tag, $value, $rest) = element($in) or die "broken BER\n";
        push @all, [$tag, $value];
        $in = $rest;
    }
    return @all;
}

# dn and password: a simple bind at once, dies unless it succeeds.
sub new {
    my ($class, $socket, $dn, $password) = @_;
    my $fh = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!\n";
    my $self = bless { fh => $fh, id => 0, in => '', dn => $dn // '' }, $class;
    if (defined $dn) {
        my $rc = $self->bind_as($dn, $password);
        die "bind as $dn: $rc\n" if $rc;
    }
    return $self;
}

sub message {
    my ($self) = @_;
    while (1) {
        if (my (undef, $message, $rest) = element($self->{in})) {
            $self->{in} = $rest;
            return $message;
        }
        sysread($self->{fh}, $self->{in}, 65536, length $self->{in}) or die "slapd hung up\n";
    }
}

# RFC 4370: what is asked is asked in the name of that dn.
sub proxied { my ($dn) = @_; return ber(0x30, octets('2.16.840.1.113730.3.4.18'), boolean(1), octets("dn:$dn")) }

# From now on.
sub act_for { my ($self, $dn) = @_; $self->{for} = $dn; return $self }

# Send one request; (result code, diagnostic text, the responses before the result).
sub request {
    my ($self, $op) = @_;
    my $message = ber(0x30, integer(++$self->{id}), $op, defined $self->{for} ? ber(0xa0, proxied($self->{for})) : ());
    my @before;

    syswrite($self->{fh}, $message) == length $message or die "write to slapd: $!\n";
    while (1) {
        my (undef, $response) = elements($self->message);
        my ($tag, $body) = @$response;
        if ($tag == 0x64 || $tag == 0x73) {
            push @before, [$tag, $body];
            next;
        }
        my @result = elements($body);
        @$self{qw(code text)} = (ord $result[0][1], $result[2][1]);
        return ($self->{code}, $self->{text}, @before);
    }
}

sub code { my ($self, $op) = @_; return ($self->request($op))[0] }

sub bind_as {
    my ($self, $dn, $password) = @_;
    return $self->code(ber(0x60, integer(3), octets($dn), ber(0x80, $password)));
}

# attributes: { name => [values] }
sub add {
    my ($self, $dn, $attributes) = @_;
    my @list = map { ber(0x30, octets($_), set(@{ $attributes->{$_} })) } sort keys %$attributes;
    return $self->code(ber(0x68, octets($dn), ber(0x30, @list)));
}

# changes: [ 'add' | 'delete' | 'replace', name, values... ]
sub modify {
    my ($self, $dn, @changes) = @_;
    my @list;
    for (@changes) {
        my ($how, $name, @values) = @$_;
        push @list, ber(0x30, enumerated($MODIFY{$how}), ber(0x30, octets($name), set(@values)));
    }
    return $self->code(ber(0x66, octets($dn), ber(0x30, @list)));
}

sub delete {
    my ($self, $dn) = @_;
    return $self->code(ber(0x4a, $dn));
}

# 5: it is not so, 6: it is.
sub compare {
    my ($self, $dn, $name, $value) = @_;
    return $self->code(ber(0x6e, octets($dn), ber(0x30, octets($name), octets($value))));
}

sub rename {
    my ($self, $dn, $rdn, $superior, $keep_old) = @_;
    return $self->code(ber(0x6c, octets($dn), octets($rdn), boolean(!$keep_old),
        defined $superior ? ber(0x80, $superior) : ()));
}

# RFC 3062.
sub password {
    my ($self, $dn, $new) = @_;
    my $value = ber(0x30, ber(0x80, $dn), ber(0x82, $new));
    return $self->code(ber(0x77, ber(0x80, '1.3.6.1.4.1.4203.1.11.1'), ber(0x81, $value)));
}

# Entries as [ dn, { name in lower case => [values] } ]; filter: (name=value) or presence as [name].
sub search {
    my ($self, $base, $scope, $filter, @attributes) = @_;
    my ($name, $value) = ref $filter ? @$filter : ('objectClass');
    my $test = defined $value ? ber(0xa3, octets($name), octets($value)) : ber(0x87, $name);
    my ($code, undef, @before) = $self->request(ber(0x63, octets($base), enumerated($SCOPE{$scope}), enumerated(0),
        integer(0), integer(0), boolean(0), $test, ber(0x30, map { octets($_) } @attributes)));
    my @found;
    for (grep { $_->[0] == 0x64 } @before) {
        my ($dn, $list) = elements($_->[1]);
        my %entry;
        for (elements($list->[1])) {
            my ($type, $values) = elements($_->[1]);
            $entry{ lc $type->[1] } = [map { $_->[1] } elements($values->[1])];
        }
        push @found, [$dn->[1], \%entry];
    }
    return @found;
}

1;
