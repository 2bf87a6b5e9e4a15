# SPDX-License-Identifier: BSD-2-Clause
#
# Ldap: one connection to a slapd over a UNIX socket that can bind and replace
# one attribute's value; enough to measure how soon a change is seen. BER by
# hand (RFC 4511), since core Perl has no LDAP and ldapmodify can't be timed.
package Ldap;
use strict;
use warnings;
use IO::Socket::UNIX;

sub ber {
	my ($tag, @parts) = @_;
	my $body = join '', @parts;
	my $n = length $body;
	my $len = $n < 128 ? chr $n : $n < 65536 ? pack('Cn', 0x82, $n) : die 'too long';
	return chr($tag) . $len . $body;
}

sub octets { return ber(0x04, $_[0]) }
sub integer { return ber(0x02, pack 'N', $_[0]) }
sub enumerated { return ber(0x0a, chr $_[0]) }

sub new {
	my ($class, $socket, $dn, $password) = @_;
	my $fh = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!\n";
	my $self = bless { fh => $fh, id => 0 }, $class;
	$self->request(ber(0x60, integer(3), octets($dn), ber(0x80, $password)));
	return $self;
}

# Send one request, wait for its response; dies unless the result is success.
sub request {
	my ($self, $op) = @_;
	my $message = ber(0x30, integer(++$self->{id}), $op);
	my $in = '';

	syswrite($self->{fh}, $message) == length $message or die "write to slapd: $!\n";
	while (1) {
		sysread($self->{fh}, $in, 4096, length $in) or die "slapd hung up\n";
		my $code = result_code($in);
		next unless defined $code;
		die "slapd: result $code\n" if $code;
		return;
	}
}

# Tag and value of the element in front, and what follows it; nothing while it is not whole.
sub element {
	my ($in) = @_;
	return if length $in < 2;
	my ($tag, $len) = unpack 'CC', $in;
	my $head = 2;
	if ($len > 128) {
		my $n = $len - 128;
		return if length $in < 2 + $n;
		$len = 0;
		$len = $len * 256 + $_ for unpack 'C*', substr $in, 2, $n;
		$head += $n;
	}
	return if length $in < $head + $len;
	return ($tag, substr($in, $head, $len), substr $in, $head + $len);
}

# resultCode of the LDAPMessage, undef while it is not whole.
sub result_code {
	my ($in) = @_;
	my (undef, $message) = element($in) or return;
	my (undef, undef, $rest) = element($message);
	my (undef, $response) = element($rest);
	my (undef, $code) = element($response);
	return ord $code;
}

# Replace the attribute's values; none: take it away.
sub replace {
	my ($self, $dn, $attribute, @values) = @_;
	my $set = ber(0x31, map { octets($_) } @values);
	my $change = ber(0x30, enumerated(2), ber(0x30, octets($attribute), $set));
	return $self->request(ber(0x66, octets($dn), ber(0x30, $change)));
}

1;
