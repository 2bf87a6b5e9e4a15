#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# readme: that the README's first configuration works as it stands, on a Postfix that had tables of its
# own before, and that taking it out leaves that Postfix as it was.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab";
use Lab;
use Lab::Cases qw(post_outside sent_by refused $guest);
use Test::More;

my $root = "$FindBin::Bin/..";
my $readme = Inside::slurp("$root/README.md");

# The first block of text in the README after these words.
sub block {
    my ($words) = @_;
    return $readme =~ /\Q$words\E.*?\n```\w*\n(.*?)```/s ? $1 : die "README: no block after $words\n";
}

my $tree     = block('`/etc/postroad/directory.ldif`:');
my $conf     = block('`/etc/postroad/postroad.conf` at hebei');
my $lines    = block('in `/etc/postfix/main.cf`');
my %examples = ('directory.ldif' => $tree, 'postroad.conf' => $conf, 'main.cf.lines' => $lines);
for my $name (sort keys %examples) {
    my $text = Inside::slurp("$root/examples/single-site/$name") =~ s/^# SPDX.*\n//r;
    is($text, $examples{$name}, "examples/single-site/$name is the README's");
}

my @missing = Lab->missing;
if (@missing) {
    note(join ', ', @missing);
    done_testing;
    exit;
}

my $lab   = Lab->up;
my $main  = $lab->root('hebei') . '/etc/postfix/main.cf';
my $mx    = 'mx1.hebei.example:25';
my $alice = 'alice@corp.example';
my $bob   = 'bob@corp.example';
my $old   = <<'END' . Inside::slurp("$root/t/lab/fast.cf");
compatibility_level = 3.6
myhostname = mx1.hebei.example
mydestination = localhost
inet_protocols = ipv4
alias_maps =
maillog_file = /var/log/mail.log
handoff_tls_chain_files =
peer_networks =
virtual_mailbox_domains = corp.example
virtual_mailbox_maps = inline:{{alice@corp.example = here}}
virtual_transport = lmtp:unix:private/dovecot-lmtp
END

sub configure {
    my ($text) = @_;
    Inside::write_file($main, $text);
    $lab->reload('hebei');
    return;
}

# Alice's mail goes to her mailbox; bob gets an answer like this.
sub serves {
    my ($when, $like) = @_;
    my $mark = post_outside($lab, $alice, $mx);
    ok(eval { $lab->found_in($mark, "hebei $alice") }, "$when alice has her mail") or diag($@);
    ok(eval { refused($lab, $bob, $mx, $like) },       "$when bob is told $like")   or diag($@);
    return;
}

# An existing server: no Postroad, no directory.
$lab->daemon('stop', 'hebei', qw(policyd slapd));
$lab->run('hebei', 'sh', '-c', 'rm -rf /var/lib/postroad/* /etc/postroad/*');
configure($old);
serves('before', qr/^550 5\.1\.1 /);

# The first configuration, and the five lines.
Inside::write_file($lab->root('hebei') . "/etc/postroad/$_", $examples{$_}) for qw(directory.ldif postroad.conf);
ok($lab->try('hebei', 'postroad-policyd', '-t', '-c', '/etc/postroad/postroad.conf'), 'the configuration is good');
$lab->daemon('start', 'hebei', 'policyd');
is($lab->run('hebei', qw(postroad lookup transport), $bob), "relay:[192.0.2.2]:2525\n", 'postroad lookup');
like($lab->run('hebei', qw(postroad explain), $bob), qr/hand-off to shandong/, 'postroad explain');
is($lab->run('hebei', 'postmap', '-q', $alice, 'socketmap:unix:/var/spool/postfix/postroad/map:mailbox'),
    "OK\n", 'postmap');
configure("$old\n$lines");
serves('with Postroad', qr/^250 /);
my $mark = post_outside($lab, $bob, $mx);
my $try = eval { $lab->await_delivery('hebei', $mark, $bob, 'deferred') };
like($try->{text}, qr/connect to 192\.0\.2\.2/, 'mail for bob goes to shandong\'s server') or diag($@);
like($try->{service}, qr/^relay/, 'by the transport the directory names');
ok(eval { refused($lab, 'nobody@corp.example', $mx, qr/^550 5\.1\.1 /) }, 'an unknown address is refused') or diag($@);

# And out again.
configure($old);
$lab->daemon('stop', 'hebei', 'policyd');
serves('afterwards', qr/^550 5\.1\.1 /);
$lab->down;
done_testing;
