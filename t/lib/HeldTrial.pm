# SPDX-License-Identifier: BSD-2-Clause
#
# HeldTrial: what tests of role held share: records as postroad-milter leaves them, programs in the place of
# postqueue and postsuper with a queue that is a folder, and a mail server that takes notices.
# Each of them can be told to stop at a point, so that somebody is killed there.
package HeldTrial;
use strict;
use warnings;
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

our @EXPORT = qw($held base36 record hold on_disk in_queue queue_settings sink_start notices list show decide role_pid role_kill
    pause_at reached go_on relay_start mirror_behind state_is audit_log rounds_pass polls_pass);

our $held = "$dir/state/held";
my $json = JSON::PP->new->utf8->canonical;
my @digits = ('0' .. '9', 'a' .. 'z');
my $serial = 0;

sub base36 {
    my ($n) = @_;
    my $text = '';
    do { $text = $digits[$n % 36] . $text; $n = int($n / 36) } while $n;
    return $text;
}

# The record of a message that came $age seconds ago; its ID.
sub record {
    my ($queue, %more) = @_;
    my $age = delete $more{age} // 0;
    my $ms = int((time - $age) * 1000);
    my $id = 'hebei-' . base36($ms) . "-$queue";
    my %r = (id => $id, site => 'hebei', queue => $queue, time_ms => $ms, expires_ms => $ms + 432_000_000, on_expire => 'reject',
        rule => 'hr-out', why => 'from, direction', sender => 'alice@corp.example', login => 'alice@corp.example',
        target => 'alice@corp.example', recipients => ['a@outside.example', 'b@outside.example'], recipient_count => 2, size => 12345,
        subject => "\x{5831}\x{8868}", attachments => ['list.xlsx'], direction => 'outbound', state => 'held', %more);
    mkdir "$dir/state";
    mkdir $held;
    spew("$held/$id.json", $json->encode(\%r));
    return $id;
}

# The message itself, in Postfix's hold queue.
sub in_queue {
    my ($queue, %more) = @_;
    mkdir "$dir/queue";
    spew("$dir/queue/$queue", $json->encode({ queue_name => 'hold', queue_id => $queue, arrival_time => int(time - ($more{age} // 0)),
        message_size => 12345, sender => $more{sender} // 'alice@corp.example', recipients => [{ address => 'a@outside.example' }] }) . "\n");
    return;
}

# Both, of one message; its ID.
sub hold {
    my (%more) = @_;
    my $queue = sprintf '4Zb%07d', ++$serial;
    in_queue($queue, map { $_ => $more{$_} } grep { exists $more{$_} } qw(age sender));
    return record($queue, %more);
}

sub on_disk { my ($id) = @_; return eval { $json->decode(slurp("$held/$id.json")) } // {} }
sub list { return @{ control(verb => 'held-list', @_)->{messages} // [] } }
sub show { my ($id) = @_; return control(verb => 'held-show', id => $id)->{message} // {} }
sub decide { my ($id, $verdict, $reason) = @_; return control(verb => 'held-decide', id => $id, verdict => $verdict, reason => $reason // 'because') }
sub audit_log { return join '', map { slurp($_) } sort glob "$dir/state/audit/audit-*.jsonl" }

# Until the message has this state, and its verdict is carried out.
sub state_is {
    my ($id, $state, $seconds) = @_;
    return wait_for($seconds // 20, sub { my $m = show($id); ($m->{state} // '') eq $state && ($state !~ /approved|rejected|expired/ || $m->{done}) });
}

# Until role held has looked at all that is due so many times more; until it has asked the directory for verdicts.
sub rounds_pass { return counter_passes('rounds', @_) }
sub polls_pass { return counter_passes('polls', @_) }

sub counter_passes {
    my ($what, $n) = @_;
    my $from = status()->{held}{$what};
    return defined $from && wait_for(40, sub { (status()->{held}{$what} // -1) >= $from + $n });
}

# --- points to stop at
sub pause_at { my ($point) = @_; unlink "$dir/at-$point"; spew("$dir/pause-$point", ''); return }
sub reached { my ($point) = @_; return wait_for(30, sub { -e "$dir/at-$point" }) }
sub go_on { my ($point) = @_; unlink "$dir/pause-$point"; return }

my $wait = <<'SH';
at() {
    test -e "$dir/pause-$1" || return 0
    : >"$dir/at-$1"
    while test -e "$dir/pause-$1"; do sleep 0.02; done
}
SH

# Programs that do what Postfix's do with the folder; the settings that name them.
sub queue_settings {
    mkdir "$dir/$_" for qw(queue released deleted);
    spew("$dir/postqueue", "#!/bin/sh\ndir=$dir\n$wait" . <<'SH');
test "$1" = -i && exit 0
at list
test -e "$dir/broken" && { echo "postqueue: fatal: Queue report unavailable" >&2; exit 69; }
cat "$dir"/queue/[0-9A-Za-z]* 2>/dev/null
exit 0
SH
    spew("$dir/postsuper", "#!/bin/sh\ndir=$dir\n$wait" . <<'SH');
at before
case $1 in -H) to=released; what="Released from hold";; -d) to=deleted; what=Deleted;; *) exit 64;; esac
echo "$1 $2" >>"$dir/postsuper.log"
if test -e "$dir/queue/$2"; then
    mv "$dir/queue/$2" "$dir/$to/$2"
    echo "postsuper: $what: 1 message" >&2
fi
at after
SH
    chmod 0755, "$dir/postqueue", "$dir/postsuper";
    return qq(queue: { manage = true; postqueue = "$dir/postqueue"; postsuper = "$dir/postsuper"; };\n);
}

# --- the mail server
# Each session in a process of its own: the answer to RCPT is what stands in the file smtp, that to the message
# what stands in smtp-data, 250 without; the port.
sub sink_start {
    mkdir "$dir/mail";
    my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', Proto => 'tcp', ReuseAddr => 1) or die "listen: $!";
    my $port = $listener->sockport;
    spawn_sub(sub {
        my $n = 0;
        $SIG{CHLD} = 'IGNORE';
        while (my $c = $listener->accept) {
            $n++;
            my $pid = fork // die "fork: $!";
            close $c if $pid;
            next if $pid;
            close $listener;
            session($c, $n);
            POSIX::_exit(0);
        }
    });
    close $listener;
    return $port;
}

sub session {
    my ($c, $n) = @_;
    my ($data, $text, $message) = (0, '', 0);
    local $SIG{PIPE} = 'IGNORE';
    print {$c} "220 sink\r\n";
    while (my $line = <$c>) {
        if ($data) {
            if ($line eq ".\r\n") {
                spew("$dir/mail/$n." . ++$message, $text);
                stop_point('sent');
                ($data, $text) = (0, '');
                print {$c} slurp("$dir/smtp-data") =~ s/\s+\z//r || '250 2.0.0 queued', "\r\n";
            } else { $text .= $line =~ s/^\.\././r }
            next;
        }
        my ($word) = map { uc } $line =~ /^(\w+)/;
        $text .= $line if $word =~ /^(MAIL|RCPT)$/;
        $data = 1 if $word eq 'DATA';
        my $rcpt = slurp("$dir/smtp") =~ s/\s+\z//r || '250 2.1.5 ok';
        print {$c} $word eq 'DATA' ? "354 go\r\n" : $word eq 'QUIT' ? "221 bye\r\n" : $word eq 'RCPT' ? "$rcpt\r\n" : "250 ok\r\n";
        last if $word eq 'QUIT';
    }
    close $c;
    return;
}

sub stop_point {
    my ($point) = @_;
    return if !-e "$dir/pause-$point";
    spew("$dir/at-$point", '');
    sleep 0.02 while -e "$dir/pause-$point";
    return;
}

# --- the way from the directory to the mirror
# A socket that leads to slapd, for role sync alone; its URI.
sub relay_start {
    my ($far) = @_;
    my $near = "$dir/relay";
    my $door = IO::Socket::UNIX->new(Local => $near, Listen => 64) or die "$near: $!";
    spawn_sub(sub { relay($door, $far) });
    close $door;
    return 'ldapi://' . $near =~ s{/}{%2F}gr;
}

sub relay {
    my ($door, $far) = @_;
    my $ready = IO::Select->new($door);
    my %other;
    local $SIG{PIPE} = 'IGNORE';
    while (1) {
        stop_point('relay');
        for my $from ($ready->can_read(0.1)) {
            if ($from == $door) {
                my $near = $door->accept or next;
                my $to = IO::Socket::UNIX->new(Peer => $far) or next;
                @other{$near, $to} = ($to, $near);
                $ready->add($near, $to);
                next;
            }
            my $to = $other{$from} or next;
            my $bytes = "";
            next if sysread($from, $bytes, 65536) && pass_on($to, $bytes);
            $ready->remove($from, $to);
            delete @other{$from, $to};
            $_->shutdown(2) for $from, $to;
        }
    }
}

sub pass_on {
    my ($to, $bytes) = @_;
    while (length $bytes) {
        my $n = syswrite($to, $bytes) or return 0;
        substr $bytes, 0, $n, '';
    }
    return 1;
}

# Do something of which the mirror does not hear before it is done.
sub mirror_behind {
    my ($run) = @_;
    pause_at('relay');
    reached('relay') or die 'the relay does not stop';
    $run->();
    go_on('relay');
    return;
}

# All notices for this message, decoded; kind: "begin" or "end".
sub notices {
    my ($id, $kind) = @_;
    my @found;
    for my $text (map { slurp($_) } sort glob "$dir/mail/*") {
        next unless $text =~ /^Message-ID: <held\.\Q$id\E\.\Q$kind\E\@/m;
        my ($head, $body) = split /\r\n\r\n/, $text, 2;
        $body = unpack 'u', join '', map { my $l = tr{A-Za-z0-9+/}{ -_}r; chr(32 + int(length($l) * 3 / 4)) . "$l\n" } map { s/=+\z//r } split /\r\n/, $body;
        push @found, { head => $head, body => $body };
    }
    return @found;
}

# --- the role
sub role_pid {
    my ($name) = @_;
    my ($role) = grep { ($_->{role} // $_->{name} // '') eq $name } @{ status()->{roles} // [] };
    return $role ? $role->{pid} : undef;
}

# Kill role held, and wait until another one lives.
sub role_kill {
    my $pid = role_pid('held') or return 0;
    kill 'KILL', $pid;
    return wait_for(30, sub { my $now = role_pid('held'); $now && $now != $pid && control(verb => 'held-list')->{ok} });
}

1;
