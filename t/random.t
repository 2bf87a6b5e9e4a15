#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# random: two sites at work, and whatever comes: people are made, renamed, moved, removed and made
# anew at either directory; the line is cut; directories, policyd and Postfix end, hang and come
# back; a site is declared failed over; and all the while mail is written to everybody, from
# outside and by people of both sites. Then all is put right, and the mailboxes are compared with
# what was accepted: t/lab/Lab/Ledger.pm says what must hold, t/lab/Lab/Truth.pm who was where when.
#
# What happens, and in which order, is drawn from a seed, which is printed, and the same at each run;
# how long each thing takes is the machine's. t/lib/Draw.pm says how to draw something else. It ends after so many steps, or 20
# seconds; POSTROAD_STEPS=N takes N steps, however long, POSTROAD_SOAK=1 thousands.
# POSTROAD_TRACE=1 tells each step as it is made.
#
# It was seen to fail, by the rule that stands there, when the mailbox map refused whom it is unsure of
# (1), when any proof was fresh enough for freshness_decide() and no provider was asked for the address
# itself (directory.verify_unknown; 1), when only the own directory was asked (2), when the hand-off
# port had no policy check (6), when it expanded addresses (3), and when the transport map said "not
# found" of who has vanished (5).
use strict;
use warnings;
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lab", "$FindBin::Bin/lib";
use Draw;
use Lab;
use Lab::Ledger;
use Lab::People;
use Lab::Trouble;
use Lab::Truth;
use POSIX ();
use Storable ();
use Test::More;
use Time::HiRes qw(time sleep);

my @missing = Lab->missing;
plan skip_all => join ', ', @missing if @missing;

my $seed = draw_seed(7);
my $steps = $ENV{POSTROAD_STEPS} || ($ENV{POSTROAD_SOAK} ? 5000 : 200);
my $seconds = $ENV{POSTROAD_STEPS} || $ENV{POSTROAD_SOAK} ? 86_400 : 20;
my @sites = Lab::Trouble->sites;
my %other = (hebei => 'shandong', shandong => 'hebei', outside => '');
my %mx = map { $_ => "mx1.$_.example:25" } @sites;
my $begin = time;
my @diary;

sub pick { return $_[ int rand @_ ] }
sub chance { return rand() < $_[0] }

sub jot {
    push @diary, sprintf '%6.2f %s', time - $begin, join ' ', @_;
    print STDERR "# $diary[-1]\n" if $ENV{POSTROAD_TRACE};
    return;
}

my $lab = Lab->up;
my $truth = Lab::Truth->new;
my $trouble = Lab::Trouble->new($lab);

# --- the people. Those who are named stay as the sample directory has them; the others come and go.

my @names = map { "p$_" } 1 .. 12;
my @twins = map { "t$_" } 1 .. 9;
my %forwards = (p1 => [qw(p2 adviser)], p3 => ['p4']);
my @members = (qw(bob lina p5 p6 p7 p8 adviser));
my %steady = (alice => 'hebei', lina => 'hebei', bob => 'shandong', huangli => 'shandong');
my $people = Lab::People->new(lab => $lab, truth => $truth, trouble => $trouble, names => \@names, forwards => \%forwards, jot => \&jot);
my $ledger = Lab::Ledger->new(
    truth     => $truth,
    trouble   => $trouble,
    forwards  => \%forwards,
    lists     => { 'crowd@corp.example' => \@members },
    catch_all => { 'post.example' => 'sunli' },
);

# --- mail

my @recent;     # who was changed last
my %flying;     # pid => the message that is being sent
my $written = 0;
my $drop = File::Temp::tempdir('postroad-random.XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub address_of {
    my ($name) = @_;
    my $address = pick($people->addresses($name));
    return chance(0.2) ? ucfirst $address : chance(0.2) ? $address =~ s/@/+ext@/r : $address;
}

sub some_address {
    my $kind = rand;
    return address_of(@recent && chance(0.6) ? pick(@recent) : pick(@names)) if $kind < 0.65;
    return address_of(pick(sort keys %steady)) if $kind < 0.78;
    return 'crowd@corp.example' if $kind < 0.86;
    return "who-$written\@post.example" if $kind < 0.92;
    return "nobody-$written\@corp.example";
}

# One to three, of whom nobody gets it by two ways.
sub some_recipients {
    my (@to, %reached);
    for (1 .. pick(1, 1, 2, 3)) {
        my $address = some_address();
        my @reach = $ledger->reach($address);
        push @to, $address if !grep { $reached{$_}++ } @reach ? @reach : $address;
    }
    return @to;
}

sub some_way {
    my $site = pick(@sites);
    my $way = rand;
    return (site => 'outside', server => $mx{$site}) if $way < 0.7;
    return (site => 'outside', queued => 1) if $way < 0.8;
    my $name = pick('alice', 'bob');
    return (site => $site, from => "$name\@corp.example", login => "$name\@corp.example", password => "sample-$name");
}

sub mail_is_written {
    my (%fixed) = @_;
    $written++;
    my %plan = (from => "guest+$written\@outside.example", %fixed ? %fixed : (some_way(), to => [ some_recipients() ]),
        mark => Lab::Mail::new_mark(), clock => 1);
    land() while keys %flying >= 10;
    $plan{begun} = time;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $sent = eval { $lab->send(%plan) } // { dialog => "E: $@" };
        Storable::nstore({ %$sent, ended => time }, "$drop/$$");
        POSIX::_exit(0);
    }
    $flying{$pid} = \%plan;
    jot("$plan{mark} by", $plan{server} // ($plan{queued} ? 'a server outside' : $plan{site}), "to @{ $plan{to} }");
    return;
}

# Wait for one message to be sent, and take down what was said.
sub land {
    my ($options) = @_;
    my $pid = waitpid -1, $options // 0;
    my $plan = delete $flying{$pid} // return 0;
    my $sent = Storable::retrieve("$drop/$pid");
    unlink "$drop/$pid";
    my $dot = $sent->{dialog} =~ /^C: \.\n(?:S: \d+-.*\n)*(?:S: (.*))?/m;
    my $reply = $1 // '';
    my $outcome = !$dot || $reply =~ /^[45]/ ? 'refused' : $reply =~ /^2/ ? 'accepted' : 'unclear';
    $ledger->add({ mark => $plan->{mark}, by => $plan->{server} // $plan->{site}, queued => $plan->{queued},
            begun => $plan->{begun}, ended => $sent->{ended}, outcome => $outcome, rcpt => questions($sent->{dialog}) });
    jot("$plan->{mark} $outcome:", $sent->{dialog} =~ /^S: ([45].*)/mg);
    return 1;
}

# From when till when each recipient was asked about, and the answer.
sub questions {
    my ($dialog) = @_;
    my (%rcpt, $time, $to);
    for my $line (split /\n/, $dialog) {
        my ($who, $text) = $line =~ /^(\w): (.*)/ or next;
        $rcpt{$to}{till} = $text if $who eq 'T' && $to;
        ($time, $to) = ($text, undef) if $who eq 'T';
        $to = $1, $rcpt{$to} = { from => $time, till => time, reply => '' } if $who eq 'C' && $text =~ /^RCPT TO:<(.*?)>/;
        $rcpt{$to}{reply} = $text if $who eq 'S' && $to;
    }
    return \%rcpt;
}

# --- what may happen

my %until; # what is to be put right => the step when it is

sub something_breaks {
    my ($step) = @_;
    my ($name, $site) = (pick(Lab::Trouble->names), pick(@sites));
    my $thing = Lab::Trouble::thing($name, $site);
    my $lasts = 3 + int rand pick(8, 16, 40);
    return if $trouble->things >= 3 || !$trouble->is_well($thing);
    jot("$name at $site");
    $trouble->begin($name, $site);
    $until{$thing} = $step + $lasts;
    return;
}

sub something_is_put_right {
    my ($step) = @_;
    for my $thing (grep { $until{$_} <= $step } sort keys %until) {
        delete $until{$thing};
        jot("$thing: well again");
        $trouble->end($thing);
    }
    return;
}

sub somebody_changes {
    return twins_appear() if $twins[0] && cut_off() && chance(0.1);
    my $name = pick(@names);
    $people->change($name, rand, pick(@sites));
    remember($name);
    return;
}

# Two at work, neither of whom hears of the other one.
sub cut_off { return !$trouble->is_well('line') && !grep { !$trouble->is_well("slapd $_") } @sites }

sub twins_appear {
    my $name = shift @twins;
    $people->twins_appear($name);
    mail_is_written(site => 'outside', server => $mx{$_}, to => [ $people->addresses($name) ]) for @sites;
    remember($name);
    return;
}

sub remember {
    my ($name) = @_;
    @recent = ($name, @recent[ 0 .. ($#recent < 1 ? $#recent : 1) ]);
    return;
}

sub one_step {
    my ($step) = @_;
    something_is_put_right($step);
    1 while land(POSIX::WNOHANG());
    my $what = rand;
    return mail_is_written() if $what < 0.58;
    return somebody_changes() if $what < 0.80;
    return something_breaks($step) if $what < 0.90;
    return $trouble->can_agree ? $people->agree : () if $what < 0.94;
    return $people->site_changes(pick(@sites)) if $what < 0.96;
    my ($signal, $site, $role) = (pick(qw(KILL KILL STOP)), pick(@sites), pick(Lab::Trouble->roles));
    jot("$role of policyd at $site: SIG$signal");
    return $trouble->role_signal($signal, $site, $role);
}

# --- beginning and end

sub set_out {
    $truth->change($_, $begin, $begin, standby => $other{$_}, failed_over => 0) for @sites, 'outside';
    for my $name (@names, @twins) {
        $truth->change($name, $begin, $begin, addresses => []);
        $truth->reserve($name, Lab::People::mail_of($name));
    }
    my %home = (%steady, sunli => 'shandong', adviser => 'outside');
    for my $name (keys %home) {
        my $mail = $name eq 'sunli' ? 'sunli@post.example' : Lab::People::mail_of($name);
        $truth->change($name, $begin, $begin, addresses => [$mail], homes => [ $home{$name} ], moving => 0);
    }
    $lab->modify('hebei', join "\n", 'dn: cn=crowd,dc=corp.example,ou=domains,o=corp', 'changetype: add',
        'objectClass: organizationalRole', 'objectClass: postroadList', 'cn: crowd', 'mail: crowd@corp.example',
        (map { 'postroadMember: ' . Lab::People::mail_of($_) } @members), '');
    $people->appears(pick(@sites), $_, pick(@sites)) for @names[ 0 .. 8 ];
    return $people->agree;
}

# No trouble any more, nobody on the move, and the sites agree.
sub put_right {
    $trouble->end($_) for $trouble->things;
    $people->agree;
    $people->arrive;
    $people->agree;
    return;
}

# Queue managers keep their last answer for half a minute: give each another question.
sub stir {
    mail_is_written(site => 'outside', server => $mx{$_}, to => ['lina@corp.example']) for @sites;
    land() while %flying;
    return;
}

# Until no queue holds anything for somebody who is there; twice, as mail may be between two queues.
sub settle {
    my ($clean, $looked) = (0, 0);
    my $settled = sub {
        if (time > $looked + 3) {
            $lab->run($_, qw(postqueue -f)) for $lab->sites;
            $looked = time;
        }
        $clean = $ledger->waits_for_nobody($lab) ? $clean + 1 : 0;
        return $clean == 2;
    };
    stir();
    eval { $lab->wait_for('all is delivered', 90, $settled) };
    $ledger->forget;
    $ledger->read_all($lab);
    jot('settled');
    return;
}

# One test for each of the rules.
sub report {
    my ($when) = @_;
    my @complaints = $ledger->judge(time);
    my %rule = Lab::Ledger::rules();
    for my $number (sort keys %rule) {
        my @broken = grep { $_->{number} == $number } @complaints;
        is(scalar @broken, 0, "$when: $rule{$number}");
        explain_complaint($_) for @broken[ 0 .. (@broken > 3 ? 2 : $#broken) ];
    }
    return;
}

sub explain_complaint {
    my ($complaint) = @_;
    my $mark = $complaint->{mark};
    my %name = map { $_ => 1 } map { $ledger->reach($_) } keys %{ $ledger->{message}{$mark}{rcpt} };
    diag("seed $seed: message $mark: $complaint->{text}");
    diag(map { $truth->story($_, $begin) } sort keys %name);
    for my $site ($lab->sites) {
        diag(map { "  $site $_->{id} $_->{text}\n" } $lab->trail($site, $mark));
    }
    return;
}

my $step = 0;
my $lived = eval {
    set_out();
    one_step(++$step) while $step < $steps && time < $begin + $seconds;
    put_right();
    1;
};
ok($lived, 'all could be done, and put right') or diag("seed $seed: $@");
land() while %flying;
settle();
report('who is gone has his mail in a queue');
note($ledger->figures);
$people->return_all;
$people->agree;
settle();
report('all are there again');
note(map { "$_\n" } @diary);
diag(sprintf '%d steps in %.0f s; %s', $step, time - $begin, $ledger->figures);
$lab->down;
done_testing;
