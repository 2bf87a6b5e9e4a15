# SPDX-License-Identifier: BSD-2-Clause
#
# Lab::Ledger: which messages were offered and what was said to them, what has become of them, and
# whether that is right; for t/random.t. What is right follows from Lab::Truth, and from nothing that
# a program under test has said, but for the answers that are judged.
package Lab::Ledger;
use strict;
use warnings;
use JSON::PP 'decode_json';

# What must hold; complaints carry the number.
my %rule = (
    1 => 'nobody is refused for good who was there all the while he was asked about',
    2 => 'nobody is accepted whom no site can have taken for somebody',
    3 => 'who was accepted has the message once, or it waits in a queue if he is gone',
    4 => 'nobody else has it, nor has anybody what was not accepted',
    5 => 'it lies at a site that was, as that site could see, his home or the standby of it',
    6 => 'it was handed over once, and once more at most for each time his home was another one',
    7 => 'no site returns a message; a server outside does when a site refused it, and rightly so',
);
sub rules { return %rule }

# Postfix keeps its last answer for half a minute; deliveries take a little.
my $memory = 35;

# forwards: {name => [names]}; lists: {address => [names]}; catch_all: {domain => name}.
sub new {
    my ($class, %self) = @_;
    return bless { %self, message => {}, copies => {}, waiting => {}, handed => {}, again => {}, returned => {}, complaints => [] }, $class;
}

# A message: {mark, by => "site: way", queued => true when a server outside asks for us, begun, ended,
# outcome => accepted|refused|unclear, rcpt => {address => {from, till, reply}}}.
sub add {
    my ($self, $message) = @_;
    $self->{message}{ $message->{mark} } = $message;
    return;
}

sub messages { my ($self) = @_; return values %{ $self->{message} } }

# --- what has become of them

# The names behind an address: whose it is, first; then those who get a copy.
sub reach {
    my ($self, $address) = @_;
    my $plain = lc($address) =~ s/\+[^@]*//r;
    return @{ $self->{lists}{$plain} } if $self->{lists}{$plain};
    my ($domain) = $plain =~ /@(.*)/;
    my $name = $self->{truth}->owner($plain) // $self->{catch_all}{$domain} // return;
    return ($name, @{ $self->{forwards}{$name} // [] });
}

# Whether no queue holds anything but for those who are gone.
sub waits_for_nobody {
    my ($self, $lab) = @_;
    $self->{waiting} = {};
    $self->read_queue($lab, $_, {}) for $lab->sites;
    my %name = map { $_ => 1 } map { keys %$_ } values %{ $self->{waiting} };
    return !grep { !$self->{truth}{history}{$_} || $self->{truth}->is_there($_) } keys %name;
}

# What was read is to be read anew.
sub forget {
    my ($self) = @_;
    $self->{$_} = {} for qw(copies waiting handed again returned);
    return;
}

sub read_all {
    my ($self, $lab) = @_;
    for my $site ($lab->sites) {
        $self->read_mailboxes($lab, $site);
        my $mark_of = $self->read_log($lab, $site);
        $self->read_queue($lab, $site, $mark_of);
    }
    return;
}

# Each message lies in a file, which is named after the moment it came.
sub read_mailboxes {
    my ($self, $lab, $site) = @_;
    for my $file (glob $lab->root($site) . '/var/vmail/*/*/Maildir/{new,cur}/*') {
        my ($domain, $user, $seconds, $micro) = $file =~ m{/vmail/([^/]+)/([^/]+)/.*/(\d+)\.[^.M]*M(\d+)} or die "what is $file?\n";
        my ($head) = split /\n\n/, Inside::slurp($file) =~ s/\r//gr;
        my ($mark) = $head =~ /^Message-ID: <([^@]+)\@lab\.example>/mi or next;
        my $address = "$user\@$domain";
        push @{ $self->{copies}{$mark}{ $self->{truth}->owner($address) // $address } },
          { site => $site, address => $address, when => "$seconds." . sprintf('%06d', $micro), head => $head };
    }
    return;
}

# Which queue id stood for which message, last; and on the way the hand-overs, doubts and returns.
sub read_log {
    my ($self, $lab, $site) = @_;
    my %mark_of;
    for my $line (split /\n/, $lab->log_text($site)) {
        my ($service, $id, $text) = $line =~ m{ postfix/(\S+)\[\d+\]: ([0-9A-Za-z]+): (.*)} or next;
        $mark_of{$id} = $1 if $text =~ /^message-id=<([^@>]*)/;
        my $mark = $mark_of{$id} // next;
        $self->{again}{$mark}++ if $text =~ /may be sent more than once/;
        my ($to, $status) = $text =~ /^to=<([^>]*)>.* status=(\w+)/ or next;
        my $name = $self->{truth}->owner($to) // $to;
        $self->{handed}{$mark}{$name}++ if $service =~ /^relay/ && $status eq 'sent';
        push @{ $self->{returned}{$mark}{$name} }, { site => $site, text => $text } if $status =~ /bounced|expired/;
    }
    return \%mark_of;
}

sub read_queue {
    my ($self, $lab, $site, $mark_of) = @_;
    for my $line (split /\n/, $lab->run($site, qw(postqueue -j))) {
        my $item = decode_json($line);
        my $mark = $mark_of->{ $item->{queue_id} } // $item->{queue_id};
        for my $recipient (@{ $item->{recipients} }) {
            my $name = $self->{truth}->owner($recipient->{address}) // $recipient->{address};
            push @{ $self->{waiting}{$mark}{$name} },
              { site => $site, why => $recipient->{delay_reason} // $item->{queue_name} };
        }
    }
    return;
}

# --- whether that is right

# All complaints, as texts.
sub judge {
    my ($self, $now) = @_;
    $self->{complaints} = [];
    for my $message (sort { $a->{begun} <=> $b->{begun} } $self->messages) {
        $self->judge_answers($message);
        $self->judge_outcome($message, $now);
    }
    return @{ $self->{complaints} };
}

sub complain {
    my ($self, $message, $number, $what) = @_;
    push @{ $self->{complaints} }, { mark => $message->{mark}, number => $number, text => "$number $what" };
    return;
}

# 1, 2: what was said at RCPT. A server outside takes all, and asks for itself later.
sub judge_answers {
    my ($self, $message) = @_;
    return if $message->{queued};
    for my $to (sort keys %{ $message->{rcpt} }) {
        my ($from, $till, $reply) = @{ $message->{rcpt}{$to} }{qw(from till reply)};
        my @always = $self->{truth}->owner($to) ? () : $self->reach($to);
        $self->complain($message, 1, "$message->{by}: $to was told $reply")
          if $reply =~ /^5/ && (@always || $self->{truth}->surely_received($to, $from, $till));
        $self->complain($message, 2, "$message->{by}: $to was told $reply, and is nobody")
          if $reply =~ /^2/ && !@always && !$self->{truth}->maybe_received($to, $from, $till);
    }
    return;
}

# Who must have the message, and who may: {name => 1 or 0}.
sub due {
    my ($self, $message, $now) = @_;
    my %due;
    return \%due if $message->{outcome} eq 'refused';
    my $last = $message->{queued} ? $now : $message->{ended};
    for my $to (grep { $message->{rcpt}{$_}{reply} =~ /^2/ } keys %{ $message->{rcpt} }) {
        my ($first, @copies) = $self->reach($to);
        my $list = $self->{lists}{$to};
        my $there = $list || $first && $self->{truth}->surely_there($first, $message->{begun}, $last);
        $due{$first} = 1 if $first && !$list;
        for my $name ($list ? ($first, @copies) : @copies) {
            $due{$name} ||= $there && $self->{truth}->surely_there($name, $message->{begun}, $last) ? 1 : 0;
        }
    }
    return \%due;
}

# 3 to 7: what has become of it.
sub judge_outcome {
    my ($self, $message, $now) = @_;
    my $mark = $message->{mark};
    my $due = $self->due($message, $now);
    my %name = map { $_ => 1 } keys %$due, map { keys %{ $_->{$mark} // {} } } @{$self}{qw(copies waiting returned)};
    for my $name (sort keys %name) {
        my %is = map { $_ => $self->{$_}{$mark}{$name} // [] } qw(copies waiting returned);
        if (defined $due->{$name}) {
            $self->judge_count($message, $name, $due->{$name}, \%is);
        } elsif (@{ $is{copies} } || @{ $is{waiting} }) {
            $self->complain($message, 4, "$name has it: " . in_words(\%is));
        }
        $self->judge_returned($message, $name, $now, $is{returned});
        $self->judge_ways($message, $name, $now, $is{copies}) if $self->{truth}{history}{$name};
    }
    return;
}

sub judge_count {
    my ($self, $message, $name, $must, $is) = @_;
    my $mark = $message->{mark};
    my ($copies, $waiting, $returned) = map { scalar @{ $is->{$_} } } qw(copies waiting returned);
    my $n = $copies + $waiting + $returned;
    my $sure = $must && $message->{outcome} eq 'accepted';
    my $more = $n > 1 ? $self->may_be_more($mark, $is) : 0;
    my $why = in_words($is);
    $self->complain($message, 3, "$name has it nowhere") if $sure && $n == 0;
    $self->complain($message, 3, "$name has it more than once: $why") if $n > 1 + $more;
    $self->complain($message, 3, "$name is there, but it waits: $why") if $waiting && $self->{truth}->is_there($name);
    return;
}

# How many copies the programs may have made without fault: a server that was cut off, or stopped, after
# it had the last byte and before the other one had its answer, leaves the other one no choice.
sub may_be_more {
    my ($self, $mark, $is) = @_;
    my $stops = grep { $self->{trouble}->stopped_near($_->{when}) } @{ $is->{copies} };
    return ($self->{again}{$mark} // 0) + $stops;
}

# 5, 6
sub judge_ways {
    my ($self, $message, $name, $now, $copies) = @_;
    for my $copy (@$copies) {
        my @place = $self->{truth}->places($name, $copy->{when} - $memory, $copy->{when});
        $self->complain($message, 5, "$name has it at $copy->{site}, not at @place")
          if !grep { $_ eq $copy->{site} } @place;
    }
    my $handed = $self->{handed}{ $message->{mark} }{$name} // 0;
    my $may = 1 + $self->{truth}->relocations($name, $message->{begun}, $now);
    $self->complain($message, 6, "to $name it was handed over $handed times, more than $may") if $handed > $may;
    return;
}

# 7
sub judge_returned {
    my ($self, $message, $name, $now, $returned) = @_;
    for my $return (@$returned) {
        my ($to) = $return->{text} =~ /^to=<([^>]*)>/;
        next if $return->{site} eq 'outside' && $message->{queued}
          && !$self->{truth}->surely_received($to, $message->{begun}, $now);
        $self->complain($message, 7, "$return->{site} has returned it to the sender: $return->{text}");
    }
    return;
}

sub in_words {
    my ($is) = @_;
    return join '; ', (map { "$_->{site}: mailbox $_->{address}" } @{ $is->{copies} }),
      (map { "$_->{site}: in the queue: $_->{why}" } @{ $is->{waiting} }),
      (map { "$_->{site}: $_->{text}" } @{ $is->{returned} });
}

# --- figures

sub count {
    my ($self, $what) = @_;
    my $n = 0;
    for my $names (values %{ $self->{$what} }) {
        $n += ref $_ ? @$_ : $_ for values %$names;
    }
    return $n;
}

# What it was all about, in one line.
sub figures {
    my ($self) = @_;
    my %outcome;
    $outcome{ $_->{outcome} }++ for $self->messages;
    my $said = join ', ', map { "$outcome{$_} $_" } sort keys %outcome;
    return "messages: $said; " . join ', ', map { $self->count($_) . " $_" } qw(copies waiting handed returned);
}

1;
