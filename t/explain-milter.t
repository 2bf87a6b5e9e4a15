#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What `postroad explain` says is what happens: the same questions are asked of it, of postroad-milter by
# messages, and of the policy socket as Postfix asks it, and the same rule has to answer. Where explain says that it
# depends, a message that has all of it and one that has nothing of it must come out as it says.
use strict;
use warnings;
use utf8;
use lib 't', 't/lib';
use Cwd qw(getcwd);
use Encode qw(encode_utf8);
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use MilterTalk;
use Policyd;
use Test::More;

my $milter_program = $ENV{POSTROAD_MILTER} // getcwd() . '/milter/postroad-milter';
-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
-x $milter_program or plan skip_all => 'milter/postroad-milter is not built';
$SIG{PIPE} = 'IGNORE';
binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output;

my ($d, $milter, $queue) = (undef, undef, 0);

sub spew { my ($file, $text) = @_; open my $out, '>', $file or die "$file: $!\n"; print $out $text; close $out or die "$file: $!\n"; return }

sub stop_milter {
    kill 'KILL', $milter if $milter;
    waitpid $milter, 0 if $milter;
    $milter = undef;
    return;
}
END { local $?; stop_milter() }

# Both daemons with these settings and this directory.
sub rig {
    my ($ldif, %settings) = @_;
    stop_milter();
    $d = Policyd->new(settings => { directory => qq({ ldif = "$ldif"; }), map { $_ => encode_utf8($settings{$_}) } keys %settings });
    $d->{settings}{sockets} =~ s{policy = ""}{policy = "unix:$d->{dir}/run/policy"; milter = "unix:$d->{dir}/run/milter"};
    $d->write_conf;
    $d->start or BAIL_OUT($d->log_text);
    $milter = fork // die "fork: $!\n";
    if (!$milter) {
        open STDERR, '>>', "$d->{dir}/milter.log" or die;
        exec $milter_program, '-c', $d->{conf} or die "$milter_program: $!\n";
    }
    Policyd::wait_for(sub { MilterTalk->new("$d->{dir}/run/milter", '192.0.2.9') }) or BAIL_OUT('postroad-milter does not start');
    return;
}

sub explained {
    open my $out, '-|', 'sh', '-c', 'ctl/postroad -c "$0" explain --json "$@" 2>&1', $d->{conf}, map { encode_utf8($_) } @_ or die "sh: $!\n";
    my $text = do { local $/; <$out> };
    close $out;
    return eval { decode_json($text) } // { error => $text, code => $? >> 8 };
}

# --- what moderation does with a message ---
sub encoded { my ($text) = @_; return join "\n ", map { '=?UTF-8?B?' . encode_base64(encode_utf8($_), '') . '?=' } $text =~ /(.{1,12})/gs }
sub percent { my ($name) = @_; return join '', map { sprintf '%%%02x', ord } split //, encode_utf8($name) }

# Of a held message, as it was put down, or where role held has put it since.
sub record {
    my ($id) = @_;
    for my $file (glob "$d->{dir}/state/held/new/*-$id.json $d->{dir}/state/held/*-$id.json") {
        open my $in, '<', $file or next;
        my $text = do { local $/; <$in> };
        return eval { decode_json($text) } // next;
    }
    return undef;
}

# With a subject, names of attachments, a size, or undef for as little as can be.
sub sent {
    my ($login, $from, $to, $m) = @_;
    my @header = (['From', $from eq '<>' ? 'x@else.example' : encode_utf8($from)]);
    push @header, ['Subject', encoded($m->{subject})] if length($m->{subject} // '');
    push @header, ['Content-Disposition', "attachment; filename*=UTF-8''" . percent($_)] for @{ $m->{files} // [] };
    push @header, ['Content-Type', $m->{type}] if $m->{type};
    my $bytes = 2;
    $bytes += length($_->[0]) + 1 + 1 + length($_->[1]) + 2 + ($_->[1] =~ tr/\n//) for @header;
    my $body = defined $m->{size} && $m->{size} > $bytes ? 'x' x ($m->{size} - $bytes) : '';
    my $talk = MilterTalk->new("$d->{dir}/run/milter", '192.0.2.9') or return 'no milter';
    my $id = sprintf 'Q%05X', ++$queue;
    my $sender = $from eq '<>' ? '' : encode_utf8($from) =~ s/^<(.*)>$/$1/r;
    my $got = $talk->message(login => $login, from => $sender, to => [ encode_utf8($to) =~ s/^<(.*)>$/$1/r ], header => \@header, body => $body, queue => $id);
    return "later" if $got->{final} =~ /[ty]/;
    return 'passes' if !$got->{held};
    my $r = Policyd::wait_for(sub { record($id) }, 10) // { rule => 'no record' };
    return "held $r->{rule} " . ($r->{target} // '-');
}

sub outcome { my ($verdict, $rule, $target) = @_; return $verdict eq 'held' ? "held $rule " . ($target // '') : $verdict }

my @rules = ('hr-out: from=a.example/hr direction=outbound', 'all: to=all@a.example', 'huge: size>2K direction=handoff', 'rival: to=rival.example',
    'lists: list-members>1', 'programs: attachment=exe,js to=c.example', 'open-news: to=open@a.example subject=news', 'zips: size>1K attachment=zip,p7m to=boss@a.example',
    'words: subject=confidential,机密 direction=inside', 'hr-big: size>3K from=a.example/hr', 'susp: from=susp@a.example', 'any: attachment=* direction=inbound', 'in: direction=inbound size>1000', 'sealed: attachment=dat,p7m,pgp direction=outbound');
# All that any rule asks for, and more of it than any asks for.
my %all = (subject => 'News: confidential', files => [ 'a.exe', 'b.zip', 'c.dat' ], size => 5000);

sub names { my ($v, $what) = @_; return defined $v ? ("--$what", $v) : () }

my (%seen, $wrong, $asked) = ();

sub compare {
    my ($from, $to, $size, $subject, $file) = @_;
    my @argv = ('--from', $from, '--to', $to, names($size, 'size'), names($subject, 'subject'), names($file, 'attachment'));
    my $e = explained(@argv);
    my $m = $e->{moderation};
    $asked++;
    if (!$m || !$m->{ok}) { $wrong++; diag "@argv: " . encode_json($e); return }
    my %told = (defined $size ? (size => $size) : (), defined $subject ? (subject => $subject) : (), defined $file ? (files => [ length $file ? $file : () ]) : ());
    my @may = @{ $m->{depends} };
    my $else = outcome($m->{else}, $m->{rule}, $m->{target});
    my $most = @may ? outcome($may[0]{then}, $may[0]{rule}, $may[0]{target}) : $else;
    my $login = $e->{login} // '';
    my @got = (sent($login, $from, $to, {%told}), sent($login, $from, $to, { %all, %told }));
    $seen{ $_ =~ /^(\w+ ?[\w-]*)/ ? $1 : $_ }++ for @got;
    if ("@got" ne "$else $most") { $wrong++; diag "@argv: explain says $else, or $most; the milter $got[0], or $got[1]" }
    if ($m->{verdict} ne (@may ? 'depends' : $m->{else})) { $wrong++; diag "@argv: $m->{verdict}" }
    my $action = policy($login, $from, $to, $size);
    if ($action ne $e->{action}) { $wrong++; diag "@argv: explain says $e->{action}, the policy socket $action" }
    return;
}

# What smtpd is told at the recipient.
sub policy {
    my ($login, $from, $to, $size) = @_;
    my $fh = $d->connection("$d->{dir}/run/policy") or return 'no connection';
    my %a = (request => 'smtpd_access_policy', protocol_state => 'RCPT', client_address => '192.0.2.9', sender => $from eq '<>' ? '' : $from =~ s/^<(.*)>$/$1/r,
        recipient => $to =~ s/^<(.*)>$/$1/r, recipient_count => 0, size => $size // 0, instance => '1.2.3', sasl_username => $login, policy_context => '');
    syswrite $fh, encode_utf8(join('', map { "$_=$a{$_}\n" } sort keys %a) . "\n");
    my $buf = '';
    while ($buf !~ /\n\n/) { IO::Select->new($fh)->can_read(15) && sysread($fh, $buf, 4096, length $buf) or last }
    return $buf =~ /\Aaction=(.*)\n\n\z/ ? $1 : "nothing ($buf)";
}

rig(getcwd() . '/t/tables/sending.ldif', milter => '{ moderate = [ ' . join(', ', map { qq("$_") } @rules) . ' ]; }');
my @from = ('anna@a.example', 'a.anna@a.example', 'Anna+ext@B.EXAMPLE', 'hilda@a.example', 'paula@a.example', 'susp@a.example', 'mute@a.example', 'boss@a.example', 'carl@c.example',
    'team@a.example', 'nobody@a.example', 'guest@else.example', '张@else.example', '"x y"@else.example', 'x', '@a.example', '<>', '<hilda@a.example>');
my @to = ('anna@a.example', 'A.Anna+x@b.example', 'hilda@a.example', 'boss@a.example', 'carl@c.example', 'all@a.example', 'all+x@b.example', 'open@a.example', 'board@a.example', 'team@a.example',
    'nobody@a.example', 'guest@else.example', 'x@Rival.Example', 'x@sub.rival.example', '"a b"@rival.example', 'x@[192.0.2.1]', 'x', '<carl@c.example>');
compare($from[ $_ % @from ], $to[ ($_ * 7 + int $_ / @from) % @to ]) for 0 .. 89;
my @size = (undef, 999, 1000, 1001, 1024, 1025, 2048, 2049, 3073);
my @subject = (undef, '', 'hello', 'some NEWS', 'Re: ＣＯＮＦＩdential', '这是机密文件', 'confi dential');
my @file = (undef, '', 'a.pdf', 'Invoice.EXE', 'a.exe.pdf', 'a.ｅｘｅ', '机.zip', 'smime.p7m', 'a.js ');
for my $n (0 .. 89) {
    my ($from, $to) = ($from[ [0, 2, 3, 7, 8, 11, 5]->[ $n % 7 ] ], $to[ [0, 3, 4, 7, 2, 11]->[ ($n + int $n / 7) % 6 ] ]);
    compare($from, $to, $size[ ($n * 5 + 1) % @size ], $subject[ ($n * 3) % @subject ], $file[ ($n * 4 + int $n / 9) % @file ]);
}
# What can't be looked into counts by its type, as if it had that name; or as any.
for my $o ([ 'winmail.dat', 'application/ms-tnef' ], [ 'smime.p7m', 'application/pkcs7-mime; smime-type=enveloped-data; name=letter.txt' ],
    [ 'encrypted.pgp', 'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b' ], [ 'any.pgp', 'message/partial; id=x; number=1' ], [ 'any.dat', 'message/external-body; access-type=URL' ],
    [ 'smime.p7s', 'multipart/signed; protocol="application/pkcs7-signature"; boundary=b' ]) {
    my ($name, $type) = @$o;
    my $m = explained('--from', 'anna@a.example', '--to', 'guest@else.example', '--size', 900, '--subject', '', '--attachment', $name)->{moderation};
    is(sent('anna@a.example', 'anna@a.example', 'guest@else.example', { type => $type }), outcome($m->{else}, $m->{rule}, $m->{target}), "$type counts as $name");
}
is($wrong // 0, 0, "explain, the milter and the policy socket say the same of $asked messages");
my @missing = grep { !$seen{$_} } 'passes', map { 'held ' . s/:.*//r } @rules;
is("@missing", '', 'and each rule has held some');
is($d->stop, 0, 'it ends');

# --- no directory yet ---
my $broken = "$d->{dir}/broken.ldif";
spew($broken, "dn: o=t\nthis is no LDIF\n");
rig($broken, milter => '{ moderate = [ "big: size>1K", "hr: from=a.example/hr", "rest: size>0" ]; }');
($wrong, $asked) = (0, 0);
compare('anna@a.example', $_) for 'carl@c.example', 'guest@else.example';
is($wrong, 0, 'without a directory, too');

# --- forged senders ---
sub domain { my ($name, $says, @more) = @_; return join "\n", "\ndn: dc=$name,o=t", 'objectClass: domain', 'objectClass: postroadDomain', "dc: $name", "associatedDomain: $name", (map { "associatedDomain: $_" } @more), 'postroadHomeSite: hebei', $says ? "postroadSpoof: $says" : (), '' }
my $ldif = "$d->{dir}/spoof.ldif";
spew($ldif, "dn: o=t\nobjectClass: organization\no: t\n\ndn: cn=hebei,o=t\nobjectClass: postroadSite\ncn: hebei\n"
      . domain('corp.example', 'reject', 'alias.example', 'xn--dgtz33j.example') . domain('strict.example', 'reject') . domain('held.example', 'quarantine') . domain('marked.example', 'tag') . domain('free.example', 'off') . domain('silent.example'));

# Which rule, as a message shows it: of what passes no more than that.
sub judged {
    my ($from, $client, $header) = @_;
    my $talk = MilterTalk->new("$d->{dir}/run/milter", $client) or return 'no milter';
    my $got = $talk->message(login => '', from => $from =~ s/^<(.*)>$/$1/r, to => [ 'x@corp.example' ], header => [ ['From', $header] ], body => 'x', queue => sprintf 'Q%05X', ++$queue);
    return ($got->{reply} =~ /^550/ ? 'rejected' : 'later') . ($got->{reply} =~ /rule spoof (\d+)(?:, (\S+) in (\S+))?\)/ ? " $1 " . ($2 // '') . ' ' . ($3 // '') : '?') . " $got->{reply}" if $got->{final} eq 'y';
    my $mark = $got->{added}{'postroad-spoof'} // return $got->{held} ? 'held unmarked' : 'passes';
    $mark =~ /domain=(\S+); where=(\S+); rule=(\d+)/ or return "odd mark $mark";
    return ($got->{held} ? 'held' : 'tagged') . " $3 $1 $2";
}

my %rule_seen;

sub compare_spoof {
    my ($from, $client, $header) = @_;
    my @argv = ('--from', $from, '--client', $client, defined $header ? ('--header-from', $header) : ());
    open my $out, '-|', 'sh', '-c', 'ctl/postroad -c "$0" explain --json "$@" 2>&1', $d->{conf}, @argv or die "sh: $!\n";
    my $text = do { local $/; <$out> };
    close $out;
    my $e = eval { decode_json($text) } // {};
    my $says = $e->{verdict} // "no answer: $text";
    $says .= " $e->{rule} " . ($e->{domain} || ($says eq 'tagged' ? 'unknown' : '')) . ' ' . ($e->{where} || ($says eq 'tagged' ? 'From' : '')) if $says =~ /^(?:rejected|held|tagged|later)$/;
    $says .= ($e->{verdict} eq 'later' ? ' 451 4.7.1 ' : ' 550 5.7.1 ') . $e->{reply} if $e->{reply};
    my $got = judged($from, $client, $header // $from);
    $rule_seen{ $e->{rule} // '' }++;
    $asked++;
    if ($got ne $says) { $wrong++; diag "@argv: explain says $says; the milter $got" }
    return;
}

my @headers = map { chomp; /^#|^\s*$|\\x(?:00|ff)| \/\/ |^\(none\)/ ? () : (split /\s*\|/)[0] } do { open my $in, '<', 't/tables/from.tbl' or die; <$in> };
s/\\x([0-9a-f]{2})/chr hex $1/ge for @headers;
for my $o ([ 'tag', 'tag' ], [ 'reject', 'quarantine' ]) {
    $d->stop;
    rig($ldif, spoof => qq({ action = "$o->[0]"; display_name = "$o->[1]"; trusted_forwarders = [ "192.0.2.64/28", "2001:db8:7::/48" ]; subdomains = true; }),
        inside_networks => '[ "198.51.100.0/24", "2001:db8:1::/64" ]');
    ($wrong, $asked) = (0, 0);
    compare_spoof('eve@nowhere.example', '192.0.2.9', $_) for $o->[0] eq 'tag' ? @headers : ();
    for my $name (qw(corp alias hr.corp held marked free silent else xcorp)) {
        compare_spoof("boss\@$name.example", $_) for qw(192.0.2.9 192.0.2.70 192.0.2.80 198.51.100.7 2001:db8::1 2001:db8:7::1 2001:db8:1::1 ::1 127.0.0.1 ::ffff:192.0.2.9);
        compare_spoof('eve@else.example', '192.0.2.9', $_) for "boss\@$name.example", "\"boss\@$name.example\" <eve\@else.example>", "a\@silent.example, b\@$name.example, c\@held.example";
        compare_spoof($_, '2001:db8::2', "x\@$name.example") for '<>', "<boss\@$name.example>", "BOSS+x\@$name.EXAMPLE", '"a@b"@corp.example', "\@$name.example";
    }
    compare_spoof('eve@else.example', '192.0.2.9', join ', ', map { "a\@d$_.example" } 1 .. 40);
    is($wrong, 0, "explain and the milter say the same of $asked messages from outside, spoof.action is $o->[0]");
}
$d->stop;
rig($broken, spoof => '{ action = "reject"; }');
($wrong, $asked) = (0, 0);
compare_spoof('boss@corp.example', '192.0.2.9');
is($wrong, 0, 'and without a directory');
my @none = grep { !$rule_seen{$_} } 1 .. 9, 11;
is("@none", '', 'by each of the rules that explain may give');
$d->stop;
done_testing();
