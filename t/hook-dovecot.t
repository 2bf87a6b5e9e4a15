#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# News of new mail out of a real Dovecot: by its own event export over HTTP, and by our driver for
# push_notification. Delivery is as fast and as sure without policyd, or with one that hangs.
use strict;
use warnings;
use Test::More;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Ports;
use Trial;
use Dovecot;
use IO::Socket::UNIX;
use JSON::PP;
use Time::HiRes qw(sleep time);

dovecot_needs();
-e "$top/dovecot-plugin/lib21_push_postroad_plugin.so" or plan skip_all => 'the push driver is not built';

my $wang = 'wang@a.example';
my $group = getgrgid((getpwnam 'nobody')[3]);
my $new = dovecot_series() eq '2.4';

# A port nobody listens on: what is sent there waits in the queue, where we look at it.
my ($http, $target) = (free_port(), free_port());

spew("$dir/directory.ldif", "dn: o=t\nobjectClass: organization\no: t\n");
chmod 0755, $dir;
policyd_start("ldif = \"$dir/directory.ldif\"", <<"CONF", "127.0.0.1:$http") or BAIL_OUT('policyd does not start: ' . policyd_log());
hook: { targets = [ "t=http://127.0.0.1:$target/" ]; socket_group = "$group"; subject = true; };
CONF

# What waits: all events, as the targets would get them. They are looked for in the store, whose rows are
# whole JSON objects.
sub events {
    my $store = slurp("$dir/state/hook/data.mdb");
    my %event;
    while ($store =~ /(\{"id":"(hebei-\d+)".*?\})(?=[^"]|\z)/sg) {
        my ($json, $id) = ($1, $2);
        $event{$id} = eval { decode_json($json) } // next;
    }
    return map { $event{$_} } sort { ($a =~ /(\d+)/)[0] <=> ($b =~ /(\d+)/)[0] } keys %event;
}
sub event_of { my ($subject) = @_; return grep { ($_->{subject} // '') eq $subject } events() }
sub await_event { my ($subject) = @_; my $e; wait_for(30, sub { ($e) = event_of($subject); $e }); return $e // {} }

my $exporter = $new ? "driver = http-post\n  format = json\n  time_format = rfc3339\n  http_post_url = http://127.0.0.1:$http/events\n  http_client_request_absolute_timeout = 30s\n"
    : "format = json\n  format_args = time-rfc3339\n  transport = http-post\n  transport_args = http://127.0.0.1:$http/events\n  transport_timeout = 30s\n";
my $export = "event_exporter postroad {\n  $exporter}\nmetric new_mail {\n  exporter = postroad\n  filter = event=mail_delivery_finished\n}\n";
my %push = (
    plugins => { lmtp => 'notify push_notification push_postroad', imap => 'notify push_notification push_postroad' },
    settings => { postroad_hook_socket => "$dir/hook", $new ? (postroad_hook_subject => 'yes') : (push_notification_driver => 'postroad', postroad_hook_subject => 'yes') },
    extra => $new ? "push_notification postroad {\n  push_notification_driver = postroad\n}\n" : '');
my @common = (users => { $wang => '' }, masters => [], plugin => 0);

# --- Dovecot's own events

dovecot_start(@common, extra => $export) or BAIL_OUT('Dovecot does not start');
like(lmtp($wang, "From: Li <li\@b.example>\nSubject: one\nMessage-ID: <1\@b.example>\n\nhello", 'li@b.example'), qr/^250/, 'mail is delivered');
my $event = await_event('one');
is($event->{account}, $wang, 'event export: the account') or diag(dovecot_log(), policyd_log());
is("$event->{sender} $event->{message_id}", 'li@b.example <1@b.example>', 'sender and Message-ID');
like($event->{from} // '', qr/li\@b\.example/, 'and From');
dovecot_stop();

# --- our driver

my %settings = %{ $push{settings} };
dovecot_start(@common, %push, settings => { %settings, postroad_hook_timeout => '20s' }) or BAIL_OUT('Dovecot does not start');
like(lmtp($wang, "From: Li <li\@b.example>\nSubject: two\nMessage-ID: <2\@b.example>\n\nhello"), qr/^250/, 'mail is delivered');
($event) = event_of('two');
is($event->{account}, $wang, 'driver: the event is stored when the delivery ends') or diag(dovecot_log());
is("$event->{mailbox} $event->{message_id}", 'INBOX <2@b.example>', 'with mailbox and Message-ID');
ok($event->{uid} > 0 && $event->{uidvalidity} > 0, 'with its UID');
my ($c) = imap($wang);
ask_imap($c, 'APPEND INBOX {16+}' . "\r\nSubject: three\r\n");
ok(!event_of('three'), 'what is appended by IMAP is no news');

# policyd hangs, then is away: mail is delivered all the same.
dovecot_stop();
dovecot_start(@common, %push) or BAIL_OUT('Dovecot does not start');
# Stopped again and again: something else may have it go on.
my @hung = hook_pids();
my $stopper = spawn_sub(sub { while (1) { kill 'STOP', @hung; sleep 0.005 } });
wait_for(30, sub { !grep { slurp("/proc/$_/stat") !~ /\) T / } @hung });
my $begun = time;
like(lmtp($wang, "Subject: four\n\nhello"), qr/^250/, 'role hook hangs: mail is delivered');
cmp_ok(time - $begun, '<', 20, 'and is not held up');
ok(wait_for(30, sub { dovecot_log() =~ /postroad: news of 1 new messages could not be told: no answer in time/ }), 'which is logged') or diag(dovecot_log());
stop_pid($stopper);
kill 'CONT', @hung;
policyd_stop();
like(lmtp($wang, "Subject: five\n\nhello"), qr/^250/, 'policyd is away: mail is delivered');
ok(wait_for(30, sub { dovecot_log() =~ /postroad: news of 1 new messages could not be told: can't connect/ }), 'which is logged') or diag(dovecot_log());
($c) = imap($wang);
like(ask_imap($c, 'STATUS INBOX (MESSAGES)'), qr/^OK/, 'and all of it is there');
like(join(' ', fetch_lines($c, 'STATUS INBOX (MESSAGES)')), qr/MESSAGES [56]\b/, 'every message');
dovecot_stop();

sub hook_pids {
    my @found;
    for my $file (glob '/proc/[0-9]*/cmdline') {
        my $line = join ' ', split /\0/, slurp($file);
        push @found, $file =~ /(\d+)/ if $line =~ /-x hook:.*\Q$dir\E/;
    }
    return @found;
}
done_testing;
