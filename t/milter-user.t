#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad-milter as a user of its own, with a real Postfix: what whoever has taken it over tries, as
# that user and with the descriptors it has, is refused; records that are not to be believed are not; and
# moderation, accounting, journal, trace and figures work as before. An installation that had one
# user for both becomes one with two by a restart.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use JSON::PP;
use Lab;
use Test::More;
use Time::HiRes 'time';

my @missing = Lab->missing;
push @missing, 'needs milter/postroad-milter' if !-x "$FindBin::Bin/../milter/postroad-milter";
push @missing, 'needs setpriv' if !grep { -x "$_/setpriv" } split /:/, $ENV{PATH};
plan skip_all => join ', ', @missing if @missing;

my $lab = Lab->up;
my $root = $lab->root('hebei');
my $state = '/var/lib/postroad';
my ($alice, $lina, $guest) = map { "$_.example" } 'alice@corp', 'lina@corp', 'guest@outside';
my ($daemon, $milter, $vmail) = map { $lab->run('hebei', 'id', '-u', $_) =~ /(\d+)/ } qw(postroad postroad-milter vmail);

sub settings {
    my ($more) = @_;
    my $file = "$root/etc/postroad/postroad.conf";
    my $first = "$root/etc/postroad/first";
    Inside::must('cp', $file, $first) if !-e $first;
    open my $to, '>', $file or die "$file: $!\n";
    print {$to} Inside::slurp($first), <<"CONF";
held: { keep = 86400; };
queue: { manage = true; };
milter: { $more journal = [ "corp.example/hr=lina\@corp.example" ];
  moderate = [ "words: subject=confidential", "sales-out: from=corp.example/sales direction=outbound" ]; };
CONF
    close $to or die "$file: $!\n";
    return;
}

sub sent { return $lab->send(site => 'hebei', from => $alice, to => $guest, login => $alice, password => 'sample-alice') }
sub held { return @{ decode_json($lab->run('hebei', qw(postroad held list --local --json --state all)))->{messages} // [] } }
sub on_hold { return map { $_->{queue_name} eq 'hold' ? $_->{queue_id} : () } map { decode_json($_) } split /\n/, $lab->run('hebei', qw(postqueue -j)) }
sub counted { return map { decode_json($_) } map { split /\n/, Inside::slurp($_) } sort glob "$root$state/accounting/*.jsonl" }
sub owners { return $lab->run('hebei', 'stat', '-c', '%n %a %U:%G', map { "$state/$_" } @_) =~ s/\Q$state\E\///gr }
sub milter_pid { return Inside::slurp("$root/run/postroad-milter.pid") =~ /(\d+)/ ? $1 : 0 }
sub policyd_log { return Inside::slurp("$root/var/log/postroad.log") }

sub waits {
    my ($what, $seconds, $test) = @_;
    return ok(eval { $lab->wait_for($what, $seconds, $test); 1 }, $what);
}

# One more held message: its id.
sub holds {
    my %before = map { $_->{id} => 1 } held();
    sent();
    my $id;
    $lab->wait_for('one is held', 60, sub { ($id) = grep { !$before{$_} } map { $_->{id} } grep { $_->{seen} } held(); $id });
    return $id;
}

# --- as it was: one user for both
settings('user = "";');
$lab->daemon('stop', 'hebei', 'policyd');
$lab->daemon('start', 'hebei', qw(policyd milter));
$lab->await_directory('hebei');
$lab->run('hebei', 'postconf', '-e', 'smtpd_milters={unix:postroad/milter,connect_timeout=5s,command_timeout=30s,default_action=tempfail}');
$lab->reload('hebei');
my $old = holds();
like(Inside::slurp("$root/proc/" . milter_pid() . '/status'), qr/^Uid:\s+$daemon\s/m, 'one user for both');
like($lab->run('hebei', qw(sh -c), 'postroad-milter -t -c /etc/postroad/postroad.conf 2>&1'), qr/warning: milter\.user is that of postroad-policyd/, '-t warns of it');
like($lab->run('hebei', 'sh', '-c', 'postroad doctor 2>&1 || :'), qr/^warning +.*milter\.user is that of/m, 'so does doctor');
$lab->run('hebei', 'mv', "$state/milter/figures", "$state/milter-figures");
$lab->run('hebei', 'touch', "$state/accounting/old");
$lab->run('hebei', qw(chown postroad: ), "$state/accounting/old");

# --- and now two
settings('');
$lab->daemon('crash', 'hebei', 'milter');
$lab->daemon('start', 'hebei', 'milter');
is(owners(qw(accounting accounting/old accounting/state journal milter milter/figures held held/new mirror)), <<'END', 'what it writes is its own, and the rest is not');
accounting 2750 postroad-milter:postroad
accounting/old 644 postroad-milter:postroad
accounting/state 640 postroad-milter:postroad
journal 700 postroad-milter:postroad-milter
milter 750 postroad-milter:postroad
milter/figures 644 postroad-milter:postroad
held 700 postroad:postroad
held/new 1730 postroad:postroad-milter
mirror 700 postroad:postroad
END
$lab->run('hebei', 'rm', "$state/accounting/old");
my $early = sent();
waits('a policyd that does not know the new user leaves its records alone', 30, sub { policyd_log() =~ /record from postroad-milter is refused.*why="it is none of milter\.user's/ });
$lab->daemon('stop', 'hebei', 'policyd');
$lab->daemon('start', 'hebei', 'policyd');
waits('when it does, it takes them over', 60, sub { 2 == grep { $_->{seen} } held() });
my $status = Inside::slurp("$root/proc/" . milter_pid() . '/status');
like($status, qr/^Uid:(\s+$milter){4}$/m, 'it is another user');
like($status, qr/^Gid:(\s+$milter){4}$/m, 'of another group');
like($status, qr/^Groups:\s*$milter\s*$/m, 'and no other one');
like($status, qr/^Cap(?:Prm|Eff|Bnd):\s+0+$/m, 'without capabilities');
my ($reader) = $lab->processes_at('hebei', qr/^postroad-people/);
like(Inside::slurp("$root/proc/$reader/status"), qr/^Uid:(\s+$daemon){4}$/m, 'who reads the mirror is the daemon\'s user');
my @opens = map { readlink($_) // () } glob "$root/proc/$reader/fd/*";
is_deeply([ grep { !m{^socket:|/mirror/|^/dev/null|/log/|^pipe:|anon_inode} } @opens ], [], 'and has a socket, the mirror and the log');
is_deeply([ grep { m{/mirror/} } map { readlink($_) // () } glob "$root/proc/" . milter_pid() . '/fd/*' ], [], 'the milter has nothing of the mirror');
like($lab->run('hebei', 'sh', '-c', 'postroad doctor 2>&1 || :'), qr/^ok +.*postroad-milter is user postroad-milter, apart from postroad/m, 'doctor is content');
$lab->run('hebei', 'sh', '-c', 'cp /etc/group /etc/group.before; sed -i "s/^postroad:.*:$/&postroad-milter/" /etc/group; chmod 0770 /var/lib/postroad/held; chown postroad: /var/lib/postroad/journal');
my $sick = $lab->run('hebei', 'sh', '-c', 'postroad doctor 2>&1 || :');
like($sick, qr/^trouble +milter-user +user postroad-milter is in group postroad/m, 'it is not when that user is in a group of the daemon\'s');
like($sick, qr{^trouble +milter-user +/var/lib/postroad/held may be used by others, mode 0770}m, 'nor when a folder is open to others');
like($sick, qr{^warning +milter-user +/var/lib/postroad/journal is not yet that of user postroad-milter}m, 'nor when one of its own is not');
$lab->run('hebei', 'sh', '-c', 'cat /etc/group.before >/etc/group; chmod 0700 /var/lib/postroad/held; chown postroad-milter: /var/lib/postroad/journal');

# --- it works
my $id = holds();
is(owners("held/$id.json"), "held/$id.json 600 postroad:postroad\n", 'a record is taken over');
is($lab->run('hebei', 'ls', "$state/held/new"), '', 'and none is left');
my $record = Inside::slurp("$root$state/held/$id.json");
is(decode_json($record)->{rule}, 'sales-out', 'by a rule that asks the directory who somebody is');
my @held = grep { $_->{result} eq 'held' } counted();
is(scalar @held, 3, 'each is counted as held');
is(scalar(keys %{ { map { $_->{log} => 1 } counted() } }), 1, 'all in the log that was there');
my $journaled = $lab->send(site => 'outside', from => $guest, to => [$lina], server => 'mx1.hebei.example:25');
$lab->await_settled($journaled->{mark});
like(join('', map { Inside::slurp($_) } glob "$root$state/journal/*.jsonl"), qr/\Q$lina\E/, 'who is journaled is in the journal');
like(join('', $lab->mailbox('hebei', $lina, $journaled->{mark})), qr/^Postroad-Trace: site=hebei/m, 'the trace is in the message');
waits('the figures go on, with what was counted before', 60, sub { decode_json($lab->run('hebei', qw(postroad status --json)))->{flow}{total}{held} >= 2 });

# --- what whoever has taken it over tries: as that user, with a descriptor of held/new, as the milter has
# one; groups: further ones, which an administrator may have given to it by mistake.
sub tries {
    my ($perl, @groups) = @_;
    my $script = 'use Socket; $SIG{PIPE} = "IGNORE"; sub ask { my ($path, $line) = @_; socket my $s, AF_UNIX, SOCK_STREAM, 0 or die; connect $s, pack_sockaddr_un($path) or return "no: $!";'
      . ' syswrite $s, $line; sysread $s, my $got, 4000; return $got // "nothing" }'
      . ' sub is_open { my ($how, $file) = @_; return open(my $f, $how, $file) ? "opened" : "no: $!" }'
      . " my \$new = '/proc/self/fd/9'; print do { $perl };";
    return $lab->run('hebei', 'sh', '-c', 'd=$1; shift; exec "$@" 9<"$d"', 'sh', "$state/held/new", 'setpriv', "--reuid=$milter", "--regid=$milter",
        @groups ? '--groups=' . join(',', $milter, @groups) : '--clear-groups', qw(--no-new-privs --bounding-set=-all), 'perl', '-e', $script);
}

my $denied = qr/^no: Permission denied$/;
my $approve = qq(qq({"verb":"held","do":"approve","id":"$id","reason":"x"}\\n));
like(tries("ask('/run/postroad/control', $approve)"), $denied, 'approve by the control socket: refused');
like(tries("ask('/run/postroad/control', $approve)", $daemon), qr/"ok":false.*you may not use the control socket/, 'in group postroad, too');
like(tries(qq(ask('/run/postroad/control', qq({"verb":"status"}\\n))), $daemon), qr/you may not use the control socket/, 'whatever it asks');
my $word = qq(qq(held\\taction=approve\\tactor=lina\\\@corp.example\\ttarget=alice\\\@corp.example\\tid=$id\\n));
like(tries("ask('/run/postroad/access', $word)"), $denied, 'the audit log\'s word held: refused');
like(tries("ask('/run/postroad/access', $word)", $vmail), qr/^(?:nothing)?$/, 'in Dovecot\'s group, too');
unlike(join('', map { Inside::slurp($_) } glob "$root$state/audit/audit-*.jsonl"), qr/\Q$id\E/, 'and nothing is in the audit log');
like(tries(qq(is_open('+<', '$state/held/$id.json'))), $denied, 'change a record that was taken over: refused');
like(tries(qq(is_open('+<', "\$new/../$id.json"))), $denied, 'from the folder that it has open, too');
like(tries(qq(rename("\$new/../$id.json", "\$new/x") ? 'renamed' : "no: \$!")), $denied, 'or take it away');
like(tries(qq(opendir(my \$d, \$new) ? 'listed' : "no: \$!")), $denied, 'list the folder for new ones');
like(tries(qq(is_open('<', '$state/mirror/$_'))), $denied, "read the mirror's $_: refused") for qw(data.mdb lock.mdb);
like(tries(qq(is_open('+<', '$state/mirror/$_'))), $denied, "write it: refused") for qw(data.mdb lock.mdb);
like(tries(qq(is_open('<', '/etc/postroad/$_'))), $denied, "read $_: refused") for qw(ldap.secret edit.secret login.key);
like(tries(qq(opendir(my \$d, '$state') ? 'listed' : "no: \$!")), $denied, 'look into state_dir');
like(tries(qq(kill(9, $reader) ? 'killed' : "no: \$!")), qr/^no: Operation not permitted$/, 'end who reads the mirror');
is(tries(qq(is_open('<', '/proc/$reader/mem')) . '=~ /^no/ ? "no" : "opened"'), 'no', 'or read its memory');
is(Inside::slurp("$root$state/held/$id.json"), $record, 'the record is as it was');

# --- records that are not to be believed
# The log names the first few in a minute only.
sub refused {
    my ($id, $why, $is_logged) = @_;
    waits("refused: $why", 30, sub { !-e "$root$state/held/new/$id.json" && !-l "$root$state/held/new/$id.json" });
    ok(!-e "$root$state/held/$id.json", 'and is not there');
    waits('which the log says', 30, sub { policyd_log() =~ /record from postroad-milter is refused.*id=\Q$id\E why="[^"]*\Q$why\E/ }) if $is_logged;
    return;
}

# Put down as the milter does: written beside, and renamed.
sub put_down {
    my ($name, $text) = @_;
    $text = q(pack 'H*', ') . unpack('H*', encode_json($text)) . q(') if ref $text;
    is(tries(qq(open(my \$f, '>', "\$new/$name.new") or die "\$!\n"; chmod 0644, \$f; print {\$f} $text; close \$f; rename("\$new/$name.new", "\$new/$name.json") ? 'there' : "no: \$!")),
        'there', "$name: put down");
    return;
}

sub id_of {
    my ($site, $ms, $queue) = @_;
    my $text = '';
    for (my $n = $ms; $n > 0; $n = int($n / 36)) { $text = ('0' .. '9', 'a' .. 'z')[$n % 36] . $text }
    return "$site-$text-$queue";
}
my $now = int(time * 1000);
sub forged {
    my ($queue, %o) = @_;
    my %r = (%{ decode_json($record) }, queue => $queue, time_ms => $now, expires_ms => $now - 1000, on_expire => 'approve', state => 'held',
        seen => JSON::PP::false, published => JSON::PP::false, shown => JSON::PP::false, noticed => JSON::PP::false, target_uuid => '', %o);
    $r{id} = $o{id} // id_of($r{site}, $r{time_ms}, $queue);
    return \%r;
}

for ([ { site => 'shandong' }, 'another site' ], [ { state => 'approved', by => 'uid=lina,o=corp' }, 'it says what became of it' ], [ { decided_ms => 1 }, 'it says what became of it' ], [ { audited => JSON::PP::true }, 'it says what became of it' ],
    [ { target_uuid => '00000000-0000-0000-0000-000000000001' }, 'it says what became of it' ], [ { time_ms => $now + 3_600_000 }, 'ahead' ], [ { id => id_of('hebei', 1, 'AAA6') }, 'ID is not' ]) {
    my $r = forged('AAA' . ++$now % 10 , %{ $_->[0] });
    $r = forged('AAA6', %{ $_->[0] }) if $_->[0]{id};
    put_down($r->{id}, $r);
    refused($r->{id}, $_->[1], $_->[1] =~ /site/);
}
my $large = id_of('hebei', $now, 'BBB1');
put_down($large, q('x' x 300_000));
refused($large, 'File too large');
my $link = id_of('hebei', $now, 'BBB2');
is(tries(qq(symlink('/etc/postroad/ldap.secret', "\$new/x.new"); rename("\$new/x.new", "\$new/$link.json") ? 'there' : "no: \$!")), 'there', 'a link');
refused($link, 'Too many levels of symbolic links');
my $hard = id_of('hebei', $now, 'BBB3');
is(tries(qq(open(my \$f, '>', "\$new/y") or die; link("\$new/y", "\$new/z"); rename("\$new/z", "\$new/$hard.json") ? 'there' : "no: \$!")), 'there', 'a file with two names');
refused($hard, 'Operation not permitted');

# A second end for what is held already; one of its own, with an end that no rule says.
my $second = forged($1) if $id =~ /-(\w+)$/;
put_down($second->{id}, $second);
my $own = forged('CCC1');
put_down($own->{id}, $own);
waits('what says nothing wrong is taken over', 30, sub { -e "$root$state/held/$own->{id}.json" });
my $taken = decode_json(Inside::slurp("$root$state/held/$own->{id}.json"));
is("$taken->{on_expire}", 'keep', 'but it ends as its rule says, not more laxly');
cmp_ok($taken->{expires_ms} - $taken->{time_ms}, '>=', 5 * 86_400_000, 'nor earlier');
ok(!-e "$root$state/held/$second->{id}.json", 'what is held already is not held again, by another end');
ok((grep { $id =~ /-\Q$_\E$/ } on_hold()), 'the message is still on hold');

# --- who decides does so as before
$lab->run('hebei', qw(postroad held approve --local --wait 60), $id);
waits('who may approves it', 60, sub { !grep { $id =~ /-\Q$_\E$/ } on_hold() });
$lab->run('hebei', qw(postroad held approve --local --wait 60), $old);
waits('also one of before', 60, sub { my $queue = $old =~ /-(\w+)$/ ? $1 : ''; !grep { $_ eq $queue } on_hold() });

# --- who reads the mirror ends
my ($pid) = milter_pid();
$lab->run('hebei', 'kill', '-9', $reader);
waits('without the reader the milter ends, too', 60, sub { !-e "$root/proc/$pid/exe" });
like(Inside::slurp("$root/var/log/postroad-milter.log"), qr/who reads the mirror has ended, so this ends, too/, 'and says so');
$lab->daemon('start', 'hebei', 'milter');
like(sent()->{dialog}, qr/queued as/, 'started anew it works');
($reader) = $lab->processes_at('hebei', qr/^postroad-people/);
$lab->daemon('crash', 'hebei', 'milter');
waits('the milter is killed: who reads the mirror ends', 30, sub { !-e "$root/proc/$reader/exe" });

done_testing();
