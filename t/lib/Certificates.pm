# SPDX-License-Identifier: BSD-2-Clause
#
# Certificates: authorities and what they sign, for a test, in its directory.
package Certificates;
use strict;
use warnings;
use Exporter qw(import);
use Test::More;
use Trial;

our @EXPORT = qw(openssl authority certificate);

sub openssl {
    my (@args) = @_;
    my ($rc, $out) = run('', 'openssl', @args);
    BAIL_OUT("openssl @args: $out") if $rc;
    return;
}

# $name.crt and $name.key
sub authority {
    my ($name) = @_;
    return openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2), '-subj', "/CN=$name",
        '-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', "$dir/$name.key", '-out', "$dir/$name.crt");
}

# The same, signed by $ca.
sub certificate {
    my ($ca, $name, $subject, $san) = @_;
    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes), '-subj', $subject,
        '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
    spew("$dir/$name.ext", "subjectAltName=$san\n");
    return openssl(qw(x509 -req -days 2 -CAcreateserial), '-in', "$dir/$name.csr", '-CA', "$dir/$ca.crt", '-CAkey', "$dir/$ca.key",
        '-extfile', "$dir/$name.ext", '-out', "$dir/$name.crt");
}

1;
