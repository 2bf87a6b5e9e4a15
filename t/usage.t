#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad usage: records of several milters added up exactly once, whatever files they are in;
# what is missing, repeated or in doubt is said. Then two sites with real Postfix, mail in all
# directions and a milter that is killed again and again: sums as the logs of Postfix have them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use JSON::PP;
use Trial;
use Test::More;
use Time::HiRes qw(time sleep);

-x "$top/ctl/postroad" or plan skip_all => 'ctl/postroad is not built: run make';
spew("$dir/postroad.conf", qq(site = "hebei"; state_dir = "$dir/state"; directory: { ldif = "/nonexistent"; };\n));
mkdir "$dir/$_" for qw(state state/accounting two);
my ($A, $B) = ('a' x 16, 'b' x 16);

# One record; the rest of what it says.
sub record {
    my ($log, $seq, %more) = @_;
    my %r = (what => 'mail', queue => "Q$log$seq", part => 1, parts => 1, direction => 'local', account => 'a@a.example', login => '',
        domain => 'a.example', department => 'hr', recipients => 1, bytes => 100, result => 'accepted', %more);
    my $time = delete $r{time} // '2026-01-10T12:00:00.000Z';
    return qq({"log":"$log","seq":$seq,"time":"$time","site":"hebei",) . substr(JSON::PP->new->canonical->encode(\%r), 1) . "\n";
}

sub usage {
    my @args = @_;
    my ($code, $out) = run('', "$top/ctl/postroad", '-c', "$dir/postroad.conf", 'usage', @args);
    return ($code, $out);
}

# As JSON; rows as "key direction messages recipients bytes".
sub sums {
    my ($code, $out) = usage('--json', @_);
    my $o = eval { decode_json($out) } or die "no JSON: $out";
    my $by = $o->{by};
    $o->{rows} = [ sort map { "$_->{$by} $_->{direction} $_->{messages} $_->{recipients} $_->{bytes}" } @{ $o->{rows} } ];
    return { %$o, code => $code };
}

sub name { return sprintf 'accounting-2026-01-10-%s-%012d.jsonl', @_ }

# --- files ---
spew("$dir/state/accounting/" . name($A, 1), join '', map { record($A, $_) } 1 .. 3);
spew("$dir/state/accounting/" . name($A, 4),
    record($A, 4, part => 1, parts => 2, recipients => 2) . record($A, 5, queue => "Q${A}4", part => 2, parts => 2, direction => 'outbound', bytes => 1000)
  . record($A, 6, account => 'b@a.example', department => '', direction => 'inbound') . record($A, 7, direction => 'transit', account => '', domain => '', department => ''));
spew("$dir/state/accounting/other", "not ours\n");
my $o = sums();
is_deeply($o->{rows}, ['a@a.example local 4 5 400', 'a@a.example outbound 1 1 1000', 'b@a.example inbound 1 1 100'], 'by account');
is("$o->{code} $o->{transit}{messages} $o->{records}", '0 1 7', 'transit is apart, and nothing is wrong');
is_deeply(sums('--by', 'department')->{rows}, ['a.example inbound 1 1 100', 'a.example/hr local 4 5 400', 'a.example/hr outbound 1 1 1000'], 'by department');
is_deeply(sums('--by', 'domain')->{rows}, ['a.example inbound 1 1 100', 'a.example local 4 5 400', 'a.example outbound 1 1 1000'], 'by domain');
my ($code, $out) = usage();
is($code, 0, 'as a table');
like($out, qr/^account\s+inside\s+outbound\s+inbound\s+unknown\s+recipients\s+bytes\na\@a\.example\s+4\s+1\s+0\s+0\s+6\s+1\.4 KiB\nb\@a\.example\s+0\s+0\s+1\s+0\s+1\s+100 B?/, 'with a row for each');
($code, $out) = usage('--format', 'csv', '--by', 'domain');
is($out, join("\r\n", 'domain,direction,messages,recipients,bytes', 'a.example,inbound,1,1,100', 'a.example,local,4,5,400', 'a.example,outbound,1,1,1000', ''), 'as CSV');
(usage('--by', 'color'))[0] == 2 && (usage('--from', 'yesterday'))[0] == 2 ? pass('wrong options') : fail('wrong options');

spew("$dir/two/" . name($B, 1), record($B, 1, account => 'c@c.example', domain => 'c.example') . record($B, 2, time => '2026-02-01T00:00:00.000Z'));
my @both = ("$dir/state/accounting", "$dir/two");
$o = sums(@both, @both, "$dir/two/" . name($B, 1));
is_deeply($o->{rows}, ['a@a.example local 5 6 500', 'a@a.example outbound 1 1 1000', 'b@a.example inbound 1 1 100', 'c@c.example local 1 1 100'],
    'two milters, and files that are named twice');
is("$o->{repeated} $o->{code}", '11 0', 'what was repeated is said, and is no fault');
is_deeply(sums(@both, '--to', '2026-01-31')->{rows}, ['a@a.example local 4 5 400', 'a@a.example outbound 1 1 1000', 'b@a.example inbound 1 1 100', 'c@c.example local 1 1 100'], 'up to a day');
is_deeply(sums(@both, '--from', '2026-02-01')->{rows}, ['a@a.example local 1 1 100'], 'from a day on');
is_deeply(sums(reverse(@both), '--from', '2026-01-10T12:00:00.001Z', '--to', '2026-02-01T00:00:00.000Z')->{rows}, [], 'times, to the millisecond');

spew("$dir/two/" . name($B, 6), record($B, 6) . record($B, 9) . record($B, 8) . "rubbish\n" . record($B, 12) =~ s/\n//r);
$o = sums("$dir/two");
is_deeply([ map { "$_->{first}-$_->{last}" } @{ $o->{gaps} } ], ['3-5', '7-7'], 'numbers that are missing');
is("$o->{code} $o->{unreadable}", '1 1', 'and a line that is no record; one that is being written is left out');
like((usage("$dir/two"))[1], qr/^postroad: records 3 to 5 of log $B are missing$/m, 'in words, too');
(usage("$dir/none"))[0] == 75 ? pass('no such folder') : fail('no such folder');

# Its folder is postroad-milter's, who may have been taken over, and who asks may be root.
unlink glob "$dir/two/*";
symlink "$dir/postroad.conf", "$dir/two/" . name($B, 1);
(usage("$dir/two"))[0] == 75 ? pass('a link is not followed') : fail('a link is not followed');
unlink glob "$dir/two/*";
require POSIX;
POSIX::mkfifo("$dir/two/" . name($B, 1), 0644) or die "mkfifo: $!";
(usage("$dir/two"))[0] == 75 ? pass('a pipe is not waited for') : fail('a pipe is not waited for');

# --- doubts ---
unlink glob "$dir/two/*";
my $doubt = sub { my ($seq, $what, $first, $last) = @_; return qq({"log":"$B","seq":$seq,"time":"2026-01-10T12:00:00.000Z","site":"hebei","what":"$what","queue":"x","first":$first,"last":$last}\n) };
spew("$dir/two/" . name($B, 1), record($B, 1, queue => 'TOOK') . record($B, 2, queue => 'KILLED') . record($B, 3, queue => 'KILLED', part => 2)
  . $doubt->(4, 'uncertain', 2, 3) . record($B, 5, queue => 'HALF') . $doubt->(6, 'void', 5, 5) . record($B, 7, queue => 'FAILED')
  . qq({"log":"$B","seq":8,"time":"2026-01-10T12:00:00.000Z","site":"hebei","what":"gap","since":"2026-01-10T11:00:00.000Z","messages":5,"recipients":6,"bytes":7}\n));
$o = sums("$dir/two");
is_deeply($o->{rows}, ['a@a.example local 2 2 200'], 'what is in doubt is not added up');
is("$o->{code} $o->{uncertain}{messages} $o->{uncertain}{recipients} $o->{refused}{messages} $o->{uncounted}{messages}", '1 1 2 1 5', 'but told, as is what was let through');
my $log = "Jan 10 12:00:00 mx1 postfix/smtpd[1]: TOOK: client=x[192.0.2.1]\nJan 10 12:00:00 mx1 postfix/qmgr[2]: TOOK: from=<a>, size=1, nrcpt=1 (queue active)\n"
  . "Jan 10 12:00:00 mx1 postfix/submission/smtpd[1]: FAILED: client=x[192.0.2.1]\n2026-01-10T12:00:00.000000+00:00 mx1 postfix/smtpd[3]: LOST: client=x[y]: HALF: from=<, size=\n"
  . "2026-01-10T12:00:00.000000+00:00 mx1 postfix/qmgr[3]: LOST: from=<a>, size=1, nrcpt=1 (queue active)\n"
  . "Jan 10 12:00:00 mx1 postfix/qmgr[3]: BOUNCE: from=<>, size=1, nrcpt=1 (queue active)\n"
  . "Jan 10 12:00:00 mx1 postfix/handoff/smtpd[3]: PEER: client=x[y], orig_queue_id=AA, orig_client=z\nJan 10 12:00:00 mx1 postfix/scanned/smtpd[3]: AGAIN: client=localhost[127.0.0.1]\nJan 10 12:00:00 mx1 postfix/qmgr[3]: AGAIN: from=<a>, size=1, nrcpt=1 (queue active)\nJan 10 12:00:00 mx1 postfix/qmgr[3]: PEER: from=<a>, size=1, nrcpt=1 (queue active)\n";
spew("$dir/log", $log);
$o = sums("$dir/two", '--maillog', "$dir/log");
is_deeply($o->{rows}, ['a@a.example local 1 1 100'], 'the log of Postfix knows what it did not take');
is("$o->{uncertain}{messages} $o->{refused}{messages} $o->{without_record}", '1 2 1', 'and what has no record');
spew("$dir/log", $log . "Jan 10 12:00:00 mx1 postfix/smtpd[1]: KILLED: client=x[y]\nJan 10 12:00:00 mx1 postfix/qmgr[2]: KILLED: from=<a>, size=1, nrcpt=1 (queue active)\n");
$o = sums("$dir/two", '--maillog', "$dir/log");
is_deeply($o->{rows}, ['a@a.example local 3 3 300'], 'and what it took');
is($o->{uncertain}{messages}, 0, 'no doubt is left');
my $held = "Jan 10 12:00:00 mx1 postfix/smtpd[1]: KILLED: client=x[y]\nJan 10 12:00:00 mx1 postfix/cleanup[2]: KILLED: milter-hold: END-OF-MESSAGE from x[y]: milter triggers HOLD action; from=<a>\n";
spew("$dir/log", $log . $held);
is_deeply(sums("$dir/two", '--maillog', "$dir/log")->{rows}, ['a@a.example local 3 3 300'], 'what is held was taken');
spew("$dir/log", $log . $held . "Jan 10 12:00:00 mx1 postfix/cleanup[2]: KILLED: milter-reject: END-OF-MESSAGE from x[y]: 5.7.1 No; from=<a>\n");
is_deeply(sums("$dir/two", '--maillog', "$dir/log")->{rows}, ['a@a.example local 1 1 100'], 'unless it was refused after that');

# --- two sites ---
SKIP: {
    require Lab;
    my @missing = Lab->missing;
    push @missing, 'needs milter/postroad-milter' if !-x "$top/milter/postroad-milter";
    skip join(', ', @missing), 7 if @missing;
    two_sites(Lab->up);
}

sub two_sites {
    my ($lab) = @_;
    my %from = (hebei => 'alice@corp.example', shandong => 'bob@corp.example');
    my $each = $ENV{POSTROAD_SOAK} ? 1250 : 40; # messages of a session
    for my $site (sort keys %from) {
        $lab->daemon('start', $site, 'milter');
        $lab->run($site, 'postconf', '-e', 'smtpd_milters={unix:postroad/milter,default_action=tempfail}',
            'enable_long_queue_ids=yes', 'smtpd_soft_error_limit=100000', 'smtpd_hard_error_limit=100000');
        $lab->run($site, 'postconf', '-P', '2525/inet/milter_macro_daemon_name=handoff');
        $lab->reload($site);
    }
    my @flood;
    for my $site (sort keys %from) {
        open my $out, '-|', $lab->at($site, 'flood', $from{$site}, 'lina@corp.example,guest@outside.example', 4, $each) or die "flood: $!\n";
        push @flood, [ $site, $out ];
    }
    for (1 .. ($ENV{POSTROAD_SOAK} ? 100 : 6)) {
        sleep 0.2 + rand 0.2;
        $lab->daemon('crash', 'hebei', 'milter');
        $lab->daemon('start', 'hebei', 'milter');
    }
    for my $flood (@flood) {
        my ($site, $out) = @$flood;
        my @queue = map { /^(\w+) / ? $1 : () } <$out>;
        is(@queue, 4 * $each, "$site: all were accepted in the end");
        # The queue manager logs a message after it was accepted.
        $lab->wait_for("$site has them in its log", 60, sub {
            my %active = map { $_ => 1 } $lab->log_text($site) =~ m{qmgr\[\d+\]: (\w+): from=<}g;
            return !grep { !$active{$_} } @queue;
        });
    }
    my (@logs, @folders, %sent);
    for my $site (sort keys %from) {
        spew("$dir/$site.log", my $text = $lab->log_text($site));
        push @logs, '--maillog', "$dir/$site.log";
        push @folders, $lab->root($site) . '/var/lib/postroad/accounting';
        # What came over the line from the other site has its log at the other site.
        my %handed = map { $_ => 1 } $text =~ m{smtpd\[\d+\]: (\w+): client=[^\n]*, orig_queue_id=}g;
        my %taken = map { $_ => 1 } grep { !$handed{$_} } $text =~ m{qmgr\[\d+\]: (\w+): from=<\Q$from{$site}\E>, size=\d+, nrcpt=2 }g;
        $sent{$site} = keys %taken;
    }
    my $o = sums(@logs, @folders, $folders[0]);
    my %row = map { (split)[0, 1, 2] ? ((split)[0] . ' ' . (split)[1] => (split)[2]) : () } @{ $o->{rows} };
    is($row{'alice@corp.example local'}, $sent{hebei}, "hebei: $sent{hebei} messages are in the log, and as many are counted");
    is($row{'alice@corp.example outbound'}, $sent{hebei}, 'both ways');
    is($row{'bob@corp.example handoff'}, $sent{shandong}, 'shandong: so are what it handed to hebei');
    is($row{'bob@corp.example outbound'}, $sent{shandong}, 'and what it sent out');
    is("$o->{code} $o->{without_record} $o->{uncertain}{messages} " . @{ $o->{gaps} }, '0 0 0 0', 'nothing is missing, nothing in doubt')
        or diag(JSON::PP->new->canonical->encode($o));
    note("transit $o->{transit}{messages}, not taken $o->{refused}{messages}, repeated $o->{repeated}");
}
done_testing();
