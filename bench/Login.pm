# SPDX-License-Identifier: BSD-2-Clause
#
# Login: what our plugins cost Dovecot. One of it with them and a policyd, one without any, and one
# with its own plugins for quota take turns on one CPU: logins by IMAP that end at once, and a long
# session of one user that reads, marks and copies mail. Each Dovecot is started by t/lib/Dovecot.pm,
# in a process of its own.
package Login;
use strict;
use warnings;
use File::Basename qw(dirname);
use Figures;
use IO::Select;
use IO::Socket::INET;
use Rig;
use Time::HiRes qw(sleep time);

my $LIB = dirname(__FILE__) . '/../t/lib';
my @KINDS = qw(ours plain quota);
my $ACCOUNTS = 1000; # those who log in, or as many as there are
my $LOGINS = 200;    # in one burst
my $PARALLEL = 4;    # connections of the client
my $MAILS = 200;     # in the mailbox of the long session
my $PORT = 10143;    # as t/lib/Dovecot.pm has it

# Why this can't be measured here; undef when it can.
sub missing {
	my $said = `'$^X' -I'$LIB' -MTrial -MDovecot -e dovecot_needs 2>&1`;
	return $1 if $said =~ /SKIP (.*)/;
	return $? ? 'Dovecot was not found' : undef;
}

# --- a process that holds one Dovecot: in it, until TERM

sub serve {
	my ($ready, $kind, $accounts, $access) = @_;
	require Trial;
	require Dovecot;
	local $SIG{TERM} = sub { exit 0 };
	symlink $access, "$Trial::dir/access" or die "access: $!\n";
	my %users = map { ("${_}u\@corp.example" => '') } 1 .. $accounts;
	# Were policyd not asked, or in doubt, nobody would get in.
	my %has = (
		ours => { settings => { postroad_owner_on_doubt => 'refuse' } },
		plain => { plugin => 0 },
		quota => { plugin => 0, plugins => { all => 'quota', imap => 'imap_quota' } }, # of which none is set
	);
	Dovecot::dovecot_start(users => \%users, %{ $has{$kind} }) or die Dovecot::dovecot_log();
	Rig::spew("$ready.new", Dovecot::address());
	rename "$ready.new", $ready or die "$ready: $!\n";
	sleep 1 while 1;
	return;
}

# Its processes inherit the CPU.
sub start {
	my ($d, $kind, $cpu, $accounts) = @_;
	my ($log, $ready) = ("$d/$kind.log", "$d/$kind.ready");
	local $ENV{TMPDIR} = $d;
	my $pid = Rig::spawn($log, 'taskset', '-c', $cpu, $^X, '-I' . dirname(__FILE__), "-I$LIB", '-MLogin', '-e',
		'Login::serve(@ARGV)', $ready, $kind, $accounts, "$d/policyd/access");
	Rig::await($pid, $log, 60, sub { -e $ready });
	return { pid => $pid, log => $log, next => 0, host => Rig::slurp($ready) };
}

# --- the client

sub connected {
	my ($server) = @_;
	return IO::Socket::INET->new(PeerAddr => $server->{host}, PeerPort => $PORT) || die "bench: no IMAP at $server->{host}: $!\n";
}

# What to say to what was heard: the greeting, then that we are in. Dies when we aren't.
sub next_words {
	my ($heard, $user) = @_;
	return qq{a LOGIN "$user" secret\r\n} if $heard =~ /^\* OK/ && $heard !~ /^a /m;
	return "b LOGOUT\r\n" if $heard =~ /^a OK/m;
	die "bench: $user can't log in: $heard\n";
}

# What a connection of a burst has to say or tell now; true when it is over.
sub go_on {
	my ($c) = @_;
	if (sysread $c->{socket}, $c->{heard}, 4096, length $c->{heard}) {
		my $waits_for = (qr/\n\z/, qr/^a .*\n/m)[ $c->{said} ];
		return 0 if !$waits_for || $c->{heard} !~ $waits_for;
		syswrite $c->{socket}, next_words($c->{heard}, $c->{user});
		$c->{said}++;
		return 0;
	}
	die "bench: $c->{user} was hung up on: $c->{heard}\n" if $c->{heard} !~ /^b OK/m;
	return 1;
}

# $LOGINS from greeting to hang-up, $PARALLEL at a time, one user after the other; per second.
sub burst {
	my ($server, $accounts) = @_;
	my ($left, %open) = ($LOGINS);
	my $select = IO::Select->new;
	my $start = time;
	while ($left || %open) {
		while ($left && keys %open < $PARALLEL) {
			my $fh = connected($server);
			$open{$fh} = { socket => $fh, user => ($server->{next}++ % $accounts + 1) . "u\@corp.example", heard => '', said => 0 };
			$select->add($fh);
			$left--;
		}
		my @ready = $select->can_read(30) or die "bench: Dovecot is silent\n";
		for my $fh (grep { go_on($open{$_}) } @ready) {
			$select->remove($fh);
			delete $open{$fh};
		}
	}
	return $LOGINS / (time - $start);
}

# A session of its own: { socket, tag }.
sub session {
	my ($server, $user) = @_;
	my $c = { socket => connected($server), tag => 0 };
	sysread $c->{socket}, my $greeting, 4096;
	command($c, qq{LOGIN "$user" secret});
	return $c;
}

# One command, whose tagged answer must be OK. Tags have one length, so that the end is found fast.
sub command {
	my ($c, $words) = @_;
	my $tag = sprintf 'a%07d', ++$c->{tag};
	my $in = '';
	syswrite $c->{socket}, "$tag $words\r\n";
	while (index($in, "$tag ") < 0 || substr($in, -1) ne "\n") {
		sysread $c->{socket}, $in, 262144, length $in or die "bench: hung up after $words\n";
	}
	die "bench: $words: " . substr($in, -200) . "\n" if $in !~ /^$tag OK [^\n]*\n\z/m;
	return;
}

# A mailbox to work with, the same on both sides.
sub fill {
	my ($c) = @_;
	command($c, 'CREATE Work');
	for my $n (1 .. $MAILS) {
		my $mail = "From: a\@outside.example\r\nTo: 1u\@corp.example\r\nSubject: number $n\r\nMessage-ID: <$n\@outside.example>\r\n\r\n"
			. ("This line is number $n of many.\r\n" x 100);
		command($c, 'APPEND INBOX {' . length($mail) . "+}\r\n$mail");
	}
	return;
}

# Reads, marks and copies all, and leaves the mailbox as it was; commands per second.
sub work {
	my ($c) = @_;
	my @commands = ('SELECT INBOX', 'FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE)',
		(map { ("FETCH $_ BODY[]", "STORE $_ +FLAGS (\\Flagged)") } 1 .. $MAILS), 'STORE 1:* -FLAGS (\Flagged \Seen)',
		(map { "COPY $_ Work" } 1 .. $MAILS / 4), 'SELECT Work', 'FETCH 1:* (FLAGS BODY.PEEK[])',
		'STORE 1:* +FLAGS (\Deleted)', 'EXPUNGE', 'CLOSE');
	my $start = time;
	command($c, $_) for @commands;
	return @commands / (time - $start);
}

# --- the sections

# All Dovecots, and the policyd that one of them asks, on $cpu; the client is on another one if there is.
sub start_all {
	my ($d, $bench, $size, $cpu) = @_;
	my $accounts = $size->{n} < $ACCOUNTS ? $size->{n} : $ACCOUNTS;
	my $group = getgrgid((getpwnam 'nobody')[3]);
	system("'$bench/accounts' ldif $size->{n} >$d/ldif") == 0 or die "bench: accounts failed\n";
	Rig::prepare_policyd("$d/policyd", qq{ldif = "$d/ldif";}, 1);
	my $conf = "$d/policyd/postroad.conf";
	Rig::spew($conf, Rig::slurp($conf) . qq{access: { socket_group = "$group"; };\n});
	my $policyd = Rig::start_policyd("$d/policyd", "$bench/../policyd/postroad-policyd");
	Rig::await_complete($policyd, 120);
	Rig::await($policyd->{pid}, $policyd->{log}, 20, sub { Rig::connects($policyd->{access}) });
	Rig::pin($cpu, Rig::role($policyd->{pid}, 'access'));
	Rig::hurry(1, Rig::role($policyd->{pid}, 'access')); # what we start now inherits it
	my %server = map { $_ => start($d, $_, $cpu, $accounts) } @KINDS;
	my ($other) = ((grep { $_ != $cpu } Rig::cpus()), $cpu);
	Rig::pin($other, $$);
	return ($policyd, $accounts, \%server);
}

sub take_turns {
	my ($rounds, $do) = @_;
	my (%rate, @turns);
	@turns = @KINDS;
	$do->($_) for @turns; # warm up
	for (1 .. $rounds) {
		push @{ $rate{$_} }, $do->($_) for @turns;
		push @turns, shift @turns;
	}
	return \%rate;
}

sub note {
	my ($figure, $unit, $goal, $rate) = @_;
	Figures::note($figure, unit => $unit, goal => $goal, ours => $rate->{ours}, against => 'Dovecot alone', reference => $rate->{plain});
	Figures::note("$figure.to-quota", unit => $unit, ours => $rate->{ours}, against => 'with its quota plugins', reference => $rate->{quota});
	return;
}

# A long session has many short turns, as it is the quieter the shorter they are.
sub measure {
	my ($d, $bench, $what, $size, $cpu, $rounds) = @_;
	my ($policyd, $accounts, $server) = start_all($d, $bench, $size, $cpu);
	if ($what->{login}) {
		note('login', 'logins/s', '>= 0.97', take_turns(4 * $rounds, sub { burst($server->{ $_[0] }, $accounts) }));
	}
	if ($what->{imap}) {
		my %session = map { $_ => session($server->{$_}, '1u@corp.example') } @KINDS;
		fill($session{$_}) for @KINDS;
		note('imap', 'commands/s', '>= 0.99', take_turns(16 * $rounds, sub { work($session{ $_[0] }) }));
	}
	my $asked = Rig::status($policyd)->{access}{questions}{session}{yes};
	die "bench: policyd was asked $asked times only\n" if $asked < ($what->{login} ? $LOGINS * 4 * $rounds : 1);
	Rig::stop($policyd->{pid}, map { $_->{pid} } values %$server);
	return;
}

# $what: { login => 1, imap => 1 }, what is wanted of both.
sub section {
	my ($dir, @measure) = @_;
	my $d = "$dir/login";
	mkdir $d;
	system("mount -t tmpfs -o mode=755 tmpfs $d") == 0 or die "bench: no tmpfs\n";
	my $done = eval { measure($d, @measure); 1 };
	my $why = $@;
	Rig::pin(undef, $$);
	Rig::hurry(0);
	system("umount -l $d") == 0 or die "bench: can't unmount $d\n";
	die $why unless $done;
	return;
}

1;
