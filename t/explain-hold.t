#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# `postroad explain --from --to` about moderation: each kind of rule that holds and that does not, whose
# approve decides, and that what was not told of a message is never taken for a no.
use strict;
use warnings;
use utf8;
use lib 't', 't/lib';
use Exit;
use Cwd qw(getcwd);
use Encode 'encode_utf8';
use JSON::PP;
use Policyd;
use Test::More;

-x $Policyd::program or plan skip_all => 'postroad-policyd is not built: make';
$SIG{PIPE} = 'IGNORE';
binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output;

sub explained {
    open my $out, '-|', 'sh', '-c', 'ctl/postroad -c "$0" explain "$@" 2>&1', $_[0]{conf}, map { encode_utf8($_) } @_[ 1 .. $#_ ] or die "sh: $!\n";
    local $/;
    my $text = <$out>;
    close $out;
    return ($text, exit_code());
}

# A daemon with these rules.
sub daemon_with {
    my ($rules, $directory) = @_;
    my $d = Policyd->new(settings => {
        directory => '{ ldif = "' . ($directory // getcwd() . '/t/tables/sending.ldif') . '"; }',
        milter => encode_utf8('{ moderate = [ ' . join(', ', map { qq("$_") } @$rules) . ' ]; }') });
    $d->{settings}{sockets} =~ s{policy = ""}{policy = "unix:$d->{dir}/run/policy"};
    $d->write_conf;
    $d->start or BAIL_OUT($d->log_text);
    return $d;
}

my $d = daemon_with([ 'hr-out: from=a.example/hr direction=outbound', 'all: to=all@a.example', 'huge: size>20K direction=handoff',
    'rival: to=rival.example', 'lists: list-members>1', 'programs: attachment=exe,js to=c.example', 'open-news: to=open@a.example subject=news', 'zips: size>1K attachment=zip to=boss@a.example', 'words: subject=confidential,机密 direction=inside', 'hr-big: size>1M from=a.example/hr', 'susp: from=susp@a.example' ]);

# What is told, then: verdict, step, rule and target of what is sure; then each "rule<on,on>target" that may hold it.
sub row {
    my ($text, $code) = explained($d, '--json', @_);
    my $m = eval { decode_json($text)->{moderation} } or return "no answer: $text";
    my @may = map { "$_->{rule}<" . join(',', @{ $_->{on} }) . '>' . ($_->{target} // '-') . ($_->{then} eq 'held' ? '' : " $_->{then}") } @{ $m->{depends} };
    return join ' ', $m->{verdict}, $m->{else}, map({ $_ // '-' } @$m{qw(step rule target)}), @may, $code ? "exit $code" : ();
}

sub between { my ($from, $to, @more) = @_; return ('--from', $from, '--to', $to, @more) }
my ($anna, $hilda, $carl, $guest) = ('anna@a.example', 'hilda@a.example', 'carl@c.example', 'guest@else.example');
my @none = ('--size', 500, '--subject', '', '--attachment', '');
for my $case (
    [ 'a department, to the outside', 'held held 4 hr-out hilda@a.example', between($hilda, $guest) ],
    [ 'one of a department below it', 'held held 4 hr-out paula@a.example', between('paula@a.example', $guest) ],
    [ 'an alias of another department', 'passes passes 6 - -', between('a.anna@a.example', $guest) ],
    [ 'a list that is named decides itself', 'held held 4 all all@a.example', between($anna, 'all@a.example') ],
    [ 'also by its other domain, with an extension', 'held held 4 all all@a.example', between($hilda, 'all+x@b.example') ],
    [ 'and for mail from outside', 'held held 4 all all@a.example', between($guest, 'all@a.example') ],
    [ 'an address outside', 'held held 4 rival anna@a.example', between($anna, 'x@rival.example') ],
    [ 'by the members of a list', 'held held 4 lists board@a.example', between($anna, 'board@a.example') ],
    [ 'a small list', 'depends passes 6 - - open-news<subject>open@a.example words<subject>anna@a.example', between($anna, 'open@a.example') ],
    [ 'two conditions, none told', 'depends passes 6 - - zips<size,attachment>hilda@a.example hr-big<size>hilda@a.example', between($hilda, 'boss@a.example', '--subject', '') ],
    [ 'one told as yes', 'depends passes 6 - - zips<attachment>hilda@a.example', between($hilda, 'boss@a.example', '--subject', '', '--size', 2000) ],
    [ 'in the name of a list: nobody logs in as one', 'held held 4 programs carl@c.example', between('team@a.example', $carl, '--size', 1, '--attachment', 'a.js') ],
    [ 'nothing told', 'depends passes 6 - - huge<size>anna@a.example programs<attachment>anna@a.example words<subject>anna@a.example', between($anna, $carl) ],
    [ 'a small message', 'depends passes 6 - - programs<attachment>anna@a.example words<subject>anna@a.example', between($anna, $carl, '--size', 20480) ],
    [ 'a large one: what comes behind does not matter', 'held held 4 huge anna@a.example', between($anna, $carl, '--size', 20481) ],
    [ 'an attachment: a rule before it still depends', 'depends held 4 programs anna@a.example huge<size>anna@a.example', between($anna, $carl, '--attachment', 'Invoice.EXE') ],
    [ 'another type', 'depends passes 6 - - huge<size>anna@a.example words<subject>anna@a.example', between($anna, $carl, '--attachment', 'a.exe.pdf') ],
    [ 'a subject, folded', 'held held 4 words anna@a.example', between($anna, $carl, '--size', 1, '--attachment', '', '--subject', 'Re: ＣＯＮＦＩdential') ],
    [ 'in Chinese', 'held held 4 words anna@a.example', between($anna, $carl, '--size', 1, '--attachment', '', '--subject', '这是机密文件') ],
    [ 'all is told, nothing holds', 'passes passes 6 - -', between($anna, $carl, @none) ],
    [ 'two conditions, one told as no', 'passes passes 6 - -', between($hilda, 'anna@a.example', @none) ],
    [ 'from outside, the recipient decides', 'depends passes 6 - - programs<attachment>carl@c.example', between($guest, $carl) ],
    [ 'what comes from outside is not from whom it says', 'passes passes 6 - -', between($guest, $hilda, @none) ],
    [ 'a sure rule behind one that depends', 'depends held 4 susp susp@a.example huge<size>susp@a.example', between('susp@a.example', $carl, '--subject', 'x', '--attachment', 'x') ],
    [ 'a notice', 'passes passes 3 - -', between('<>', 'all@a.example') ],
) {
    my ($what, $want, @argv) = @$case;
    is(row(@argv), $want, $what);
}

# --- as text ---
my ($text, $code) = explained($d, between($anna, $carl, '--size', 5));
like($text, qr/^anna\@a\.example to carl\@c\.example: nothing against it, .*^Moderation: would depend on the message\n  rule programs: held or not would depend on attachment\n    its conditions +attachment=exe,js to=c\.example\n  who decides +whoever may approve for anna\@a\.example\n  rule words: held or not would depend on subject\n.*^  else: passes, because of step 6: no rule holds: it passes\n/ms, 'what it would depend on, in words');
is($code, 0, 'exit code');
like((explained($d, between($anna, 'all@a.example')))[0], qr/^Moderation: held, because of step 4, by rule all: a rule holds, and none before it does: held by that rule\n  its conditions +to=all\@a\.example\n  who decides +whoever may approve for all\@a\.example\n/m, 'held, in words');
is((explained($d, between($anna, $carl, @$_)))[1], 2, substr("refused: @$_", 0, 40)) for [ '--size', 'x' ], [ '--size', '-1' ], [ '--client', '192.0.2.9', '--subject', 'x' ], [ '--subject', 'x' x 1500 ];

# --- the role that can tell does not answer ---
{
    my $text = do { local (@ARGV, $/) = $d->{conf}; <> };
    Policyd::spew("$d->{dir}/elsewhere.conf", $text =~ s{run/control"}{run/elsewhere"}r);
    my $other = { conf => "$d->{dir}/elsewhere.conf" };
    my ($said, $code) = explained($other, between($hilda, $guest));
    like($said, qr/^hilda\@a\.example to guest\@else\.example: refused, .*^Moderation: can't be told: postroad-policyd does not answer/ms, 'what is known is shown, and that the rest is not');
    is($code, 75, 'and the exit code says so');
    ok(!decode_json((explained($other, '--json', between($hilda, $guest)))[0])->{moderation}{ok}, 'as JSON, too');
}
is($d->stop, 0, 'it ends');

# --- the rules are none, or nobody can tell ---
$d = daemon_with([]);
is(row(between($anna, $carl)), 'passes passes 6 - -', 'no rules');
like((explained($d, between($anna, $carl)))[0], qr/^  milter\.moderate has no rules$/m, 'and that is said');
is($d->stop, 0, 'it ends, too');
my $ldif = "$d->{dir}/broken.ldif";
Policyd::spew($ldif, "dn: o=t\nthis is no LDIF\n");
$d = daemon_with([ 'big: size>1K', 'hr: from=a.example/hr', 'rest: size>0' ], $ldif);
is(row(between($anna, $carl)), 'depends later 5 hr - big<size>-', 'no directory yet: a rule that needs it says later, one before it still depends');
is($d->stop, 0, 'so does this one');
done_testing();
