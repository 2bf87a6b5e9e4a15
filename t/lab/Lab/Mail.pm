# SPDX-License-Identifier: BSD-2-Clause
#
# Lab::Mail: what a test does with mail in the lab: send it, find it in mailboxes, read its way
# out of the logs. Each message carries a mark of its own by which it is found again.
# It only reports what it finds; what that should be is the caller's business.
package Lab::Mail;
use strict;
use warnings;

my $sent = 0;

# Send a message from a host of the site. Options: site, from, to (one or several), server ("host:port"
# as the site knows it; default its own port 25), login and password (then over TLS to port 587), tls,
# cert (a file there), utf8, check (leave after RCPT), clock (tell the time in the dialog), mark. Returns {mark, rcpt => {address => reply}, reply,
# accepted, dialog}.
sub send {
    my ($self, %option) = @_;
    my $mark = $option{mark} // new_mark();
    my @to = ref $option{to} ? @{ $option{to} } : $option{to};
    my @command = ('send', '--mark', $mark, map { ('--to', $_) } @to);
    for my $key (qw(from server login password cert)) {
        push @command, "--$key", $option{$key} if defined $option{$key};
    }
    push @command, map { "--$_" } grep { $option{$_} } qw(tls utf8 check clock);
    open my $out, '-|', $self->at($option{site}, @command) or die "send: $!\n";
    my $dialog = do { local $/; <$out> };
    close $out;
    return { mark => $mark, accepted => $? == 0, dialog => $dialog, replies($dialog) };
}

sub new_mark { return sprintf 'lab-%d-%d-%d', $$, time, ++$sent }

# Out of a dialog: the answer to each recipient, and the last one to the message.
sub replies {
    my ($dialog) = @_;
    my %rcpt;
    $rcpt{$1} = $2 while $dialog =~ /^C: RCPT TO:<(.*?)>.*\n(?:S: \d+-.*\n)*S: (.*)$/mg;
    my ($reply) = $dialog =~ /^C: \.\n(?:S: \d+-.*\n)*S: (.*)$/m;
    return (rcpt => \%rcpt, reply => $reply);
}

# The messages with this mark (or all) in somebody's mailbox at a site, as texts.
sub mailbox {
    my ($self, $site, $address, $mark) = @_;
    my ($user, $domain) = split /@/, $address;
    my @found;
    for my $file (glob $self->root($site) . "/var/vmail/$domain/$user/Maildir/{new,cur}/*") {
        my $text = eval { Inside::slurp($file) } // next;
        push @found, $text if !defined $mark || index($text, $mark) >= 0;
    }
    return @found;
}

# Every mailbox of all sites that holds the mark: {"site address" => how often}.
sub whereabouts {
    my ($self, $mark) = @_;
    my %found;
    for my $site ($self->sites) {
        for my $file (glob $self->root($site) . '/var/vmail/*/*/Maildir/{new,cur}/*') {
            my $text = eval { Inside::slurp($file) } // next;
            my ($domain, $user) = $file =~ m{/var/vmail/([^/]+)/([^/]+)/};
            $found{"$site $user\@$domain"}++ if index($text, $mark) >= 0;
        }
    }
    return \%found;
}

sub log_text {
    my ($self, $site) = @_;
    return eval { Inside::slurp($self->root($site) . '/var/log/mail.log') } // '';
}

# The log lines of the message with this mark at a site: pairs of queue id and text, in order.
sub trail {
    my ($self, $site, $mark) = @_;
    my (%ours, @trail);
    for my $line (split /\n/, $self->log_text($site)) {
        my ($service, $id, $text) = $line =~ m{ postfix/(\S+)\[\d+\]: ([0-9A-Za-z]+): (.*)} or next;
        $ours{$id} = 1 if index($text, "message-id=<$mark\@") == 0;
        push @trail, { service => $service, id => $id, text => $text } if $ours{$id};
    }
    return @trail;
}

# What a site's Postfix did with the message: a list of {id, service, to, orig_to, relay, dsn,
# status, text}; one for each attempt at each recipient.
sub deliveries {
    my ($self, $site, $mark) = @_;
    my @done;
    for my $step (grep { $_->{text} =~ /^to=</ } $self->trail($site, $mark)) {
        my %field = (site => $site, id => $step->{id}, service => $step->{service});
        $field{$1} = $2 while $step->{text} =~ /(\w+)=<?([^,>]*)>?,/g;
        ($field{status}, $field{text}) = $step->{text} =~ /status=(\w+) \((.*)\)$/;
        push @done, \%field;
    }
    return @done;
}

# Wait until the last attempt for a recipient at a site ended so (sent, deferred, bounced); that attempt.
sub await_delivery {
    my ($self, $site, $mark, $to, $status) = @_;
    my $last;
    my $ended = sub {
        ($last) = reverse grep { lc $_->{to} eq lc $to } $self->deliveries($site, $mark);
        return $last && $last->{status} eq $status;
    };
    return $last if eval { $self->wait_for('', 60, $ended) };
    my $is = $last ? in_words($last) : 'nothing was done';
    my $log = join '', map { "  $_->{id} $_->{text}\n" } $self->trail($site, $mark);
    die "$site should have $status it to $to, but: $is\n$log";
}

# One attempt, in words.
sub in_words {
    my ($try) = @_;
    return "$try->{site}'s $try->{service}: $try->{to} by $try->{relay}: $try->{status} ($try->{text})";
}

# Wait until no site has the message in its queue any more, nor is it on its way between two.
sub await_settled {
    my ($self, $mark) = @_;
    my $settled = sub {
        my (%seen, %removed, %next);
        for my $site ($self->sites) {
            for my $step ($self->trail($site, $mark)) {
                $seen{ $step->{id} } = 1;
                $removed{ $step->{id} } = 1 if $step->{text} eq 'removed';
                $next{$1} = 1 if $step->{text} =~ /status=sent \(.* queued as (\w+)\)/;
            }
        }
        return %seen && !grep { !$removed{$_} } keys %seen, keys %next;
    };
    return if eval { $self->wait_for("the message $mark has left all queues", 60, $settled) };
    my $text = $@;
    for my $site ($self->sites) { $text .= "  $site $_->{service} $_->{id} $_->{text}\n" for $self->trail($site, $mark) }
    die $text;
}

# Wait until the message is at rest, then: it must be in these mailboxes, once in each, and in
# no others. Written as "hebei alice@corp.example".
sub found_in {
    my ($self, $mark, @expected) = @_;
    $self->await_settled($mark);
    my $found = $self->whereabouts($mark);
    my $is = join ', ', map { $found->{$_} == 1 ? $_ : "$_ ($found->{$_} times)" } sort keys %$found;
    my $should = join ', ', sort @expected;
    die "found in the mailboxes: $is; should be: $should\n" if $is ne $should;
    return "mailboxes that hold it: $is";
}

# The ids of messages that are still in a site's queue.
sub queued {
    my ($self, $site) = @_;
    my $text = $self->run($site, qw(postqueue -j));
    return $text =~ /"queue_id": ?"(\w+)"/g;
}

1;
