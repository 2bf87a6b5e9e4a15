# SPDX-License-Identifier: BSD-2-Clause
#
# Dovecot: a real Dovecot, 2.3 or 2.4, in Trial's temporary directory, with our plugins out of this
# tree or without them; and the clients to talk to it. It listens on an address of its own below
# 127.0.0.0/8, runs in a mount namespace in which our plugins lie among its modules, and ends with
# the test. Needs root.
package Dovecot;
use strict;
use warnings;
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Ports;
use Test::More;
use Time::HiRes qw(sleep time);
use Trial;

our @EXPORT = qw(dovecot_needs dovecot_series dovecot_write dovecot_start dovecot_stop dovecot_log dovecot_logs
    dovecot_pid dovecot_check doveadm imap pop3 sieve submission talk ask_imap fetch_lines lmtp);

my $MODULES = '/usr/lib/dovecot/modules';
my ($pid, $host);
my $group = getgrgid((getpwnam 'nobody')[3]);
my %port = (imap => 10143, pop3 => 10110, sieve => 10419, submission => 10587, relay => 10025);

sub dovecot_series {
    my ($series) = (`dovecot --version 2>/dev/null` // '') =~ /^(2\.[34])/;
    return $series // '';
}

# Skip the whole file unless a Dovecot can run here with our plugins.
sub dovecot_needs {
    plan(skip_all => 'needs root') if $> != 0;
    needs(qw(dovecot doveadm unshare mount));
    plan(skip_all => 'plugins are not built: dovecot-dev, then make') if !-e "$top/dovecot-plugin/lib95_postroad_plugin.so";
    my ($built) = slurp("$top/config.mk") =~ /^DOVECOT_SERIES = (\S+)/m;
    plan(skip_all => 'plugins are built for another Dovecot') if ($built // '') ne dovecot_series();
    plan(skip_all => 'may not make a mount namespace') if system('unshare --mount true 2>/dev/null') != 0;
    return;
}

sub address { return $host //= free_address() }

# What both versions write alike: services that listen, and nothing for TLS or old processes.
sub listeners {
    my (%o) = @_;
    my $lmtp = "service lmtp {\n  unix_listener lmtp {\n    mode = 0666\n  }\n}\n";
    my @login = (['imap-login', 'imap', 'imaps'], ['pop3-login', 'pop3', 'pop3s'],
        $o{sieve} ? (['managesieve-login', 'sieve', '']) : (),
        $o{submission} ? (['submission-login', 'submission', 'submissions']) : ());
    for (@login) {
        my ($service, $name, $tls) = @$_;
        $lmtp .= "service $service {\n  inet_listener $name {\n    port = $port{$name}\n  }\n"
            . ($tls ? "  inet_listener $tls {\n    port = 0\n  }\n" : '') . "}\n";
    }
    return $lmtp;
}

sub common {
    my (%o) = @_;
    my $protocols = 'imap pop3 lmtp' . ($o{sieve} ? ' sieve' : '') . ($o{submission} ? ' submission' : '');
    my $relay = $o{submission} ? "submission_relay_host = $host\nsubmission_relay_port = $port{relay}\nhostname = here.example\n" : '';
    return <<"CONF";
${relay}base_dir = $dir/dovecot/run
state_dir = $dir/dovecot/state
log_path = $dir/dovecot.log
protocols = $protocols
listen = $host
ssl = no
auth_mechanisms = plain
auth_master_user_separator = *
auth_failure_delay = 0
auth_username_chars = abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+@
first_valid_uid = 1
login_greeting = ready
CONF
}

# How long our plugins wait for an answer: longer than any machine is busy, unless a test says otherwise.
my %patient = (postroad_timeout => '20s');

# settings: of plugins (2.3: inside plugin { }); extra: any lines; plugins: { all, imap, lmtp => names };
# plugin: 0 for none of ours; parts: 'storage' for none but lib95; storage: maildir or sdbox; sieve, submission: 1.
sub conf_23 {
    my (%o) = @_;
    my ($store, $ours) = ($o{storage} // 'maildir', $o{plugin} // 1);
    my %plugins = (all => $o{plugins}{all} // '', imap => $o{plugins}{imap} // '', lmtp => $o{plugins}{lmtp} // '');
    my $all = $ours ? 'postroad' : '';
    my ($imap, $pop3) = $ours && ($o{parts} // '') ne 'storage' ? ('imap_postroad', 'pop3_postroad') : ('', '');
    my %settings = (%patient, %{ $o{settings} // {} });
    my $settings = join '', map { "  $_ = $settings{$_}\n" } sort keys %settings;
    return common(%o) . listeners(%o) . <<"CONF";
disable_plaintext_auth = no
mail_location = $store:~/mail
passdb {
  driver = passwd-file
  master = yes
  args = scheme=plain username_format=%Lu $dir/dovecot/masters
  result_success = continue
}
passdb {
  driver = passwd-file
  args = scheme=plain username_format=%Lu $dir/dovecot/users
}
userdb {
  driver = passwd-file
  args = username_format=%Lu $dir/dovecot/users
  default_fields = uid=nobody gid=$group home=$dir/mail/%Ld/%Ln
}
namespace inbox {
  inbox = yes
  separator = /
}
mail_plugins = $plugins{all} $all
protocol imap {
  mail_plugins = \$mail_plugins $plugins{imap} $imap
}
protocol pop3 {
  mail_plugins = \$mail_plugins $pop3
}
protocol lmtp {
  mail_plugins = \$mail_plugins $plugins{lmtp}
}
plugin {
  postroad_socket = $dir/access
$settings}
@{[ $o{extra} // '' ]}
CONF
}

sub conf_24 {
    my (%o) = @_;
    my ($store, $ours) = ($o{storage} // 'maildir', $o{plugin} // 1);
    my %plugin;
    push @{ $plugin{$_} }, split ' ', $o{plugins}{$_} // '' for qw(all imap lmtp);
    if ($ours) {
        push @{ $plugin{all} }, 'postroad';
    }
    if ($ours && ($o{parts} // '') ne 'storage') {
        push @{ $plugin{imap} }, 'imap_postroad';
        push @{ $plugin{pop3} }, 'pop3_postroad';
    }
    my %on = map { my $p = $_; $p => join '', map { "  $_ = yes\n" } @{ $plugin{$p} // [] } } qw(all imap pop3 lmtp);
    my %settings = ($ours ? %patient : (), %{ $o{settings} // {} }, $ours ? (postroad_socket => "$dir/access") : ());
    my $settings = join '', map { "$_ = $settings{$_}\n" } sort keys %settings;
    return "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" . common(%o) . listeners(%o) . <<"CONF";
auth_allow_cleartext = yes
mail_driver = $store
mail_path = ~/mail
mail_uid = nobody
mail_gid = $group
passdb masters {
  driver = passwd-file
  master = yes
  default_password_scheme = plain
  auth_username_format = %{user | lower}
  passwd_file_path = $dir/dovecot/masters
  result_success = continue
}
passdb users {
  driver = passwd-file
  default_password_scheme = plain
  auth_username_format = %{user | lower}
  passwd_file_path = $dir/dovecot/users
}
userdb passwd-file {
  auth_username_format = %{user | lower}
  passwd_file_path = $dir/dovecot/users
  fields {
    home:default = $dir/mail/%{user | domain | lower}/%{user | username | lower}
  }
}
namespace inbox {
  inbox = yes
  separator = /
}
mail_plugins {
$on{all}}
protocol imap {
  mail_plugins {
$on{imap}  }
}
protocol pop3 {
  mail_plugins {
$on{pop3}  }
}
protocol lmtp {
  mail_plugins {
$on{lmtp}  }
}
$settings@{[ $o{extra} // '' ]}
CONF
}

# The folder that takes the place of Dovecot's modules: theirs as links to where they are bound, and ours.
sub link_modules {
    my $to = "$dir/dovecot/modules";
    mkdir $_ for "$dir/dovecot/theirs", $to, map { "$to/$_" } qw(doveadm settings);
    for my $from (glob "$MODULES/* $MODULES/doveadm/* $MODULES/settings/*") {
        my $name = substr $from, length "$MODULES/";
        symlink "$dir/dovecot/theirs/$name", "$to/$name" unless -d "$to/$name";
    }
    for my $ours (glob "$top/dovecot-plugin/*.so") {
        my ($name) = $ours =~ m{([^/]+)$};
        my $where = $name =~ /_doveadm_/ ? "$to/doveadm" : $name =~ /_settings/ ? "$to/settings" : $to;
        unlink "$where/$name";
        symlink $ours, "$where/$name" or die "$where/$name: $!";
    }
    return;
}

# users => { address => { password, extra fields } }, masters => [ address ].
sub dovecot_write {
    my (%o) = @_;
    $host = address();
    mkdir $_ for "$dir/dovecot", "$dir/mail";
    chmod 0755, "$dir/dovecot";
    chown((getpwnam 'nobody')[2, 3], "$dir/mail");
    my %users = %{ $o{users} };
    spew("$dir/dovecot/users", join '', map { "$_:secret::::::$users{$_}\n" } sort keys %users);
    spew("$dir/dovecot/masters", join '', map { "$_:secret\n" } @{ $o{masters} // [] });
    spew("$dir/dovecot.conf", dovecot_series() eq '2.4' ? conf_24(%o) : conf_23(%o));
    link_modules();
    return;
}

sub dovecot_start {
    dovecot_write(@_) if @_;
    my $d = "$dir/dovecot";
    $pid = Trial::spawn("$dir/dovecot.out", qw(unshare --mount sh -ec), <<"SH");
mount --bind $MODULES $d/theirs
mount --bind $d/modules $MODULES
exec dovecot -F -c $dir/dovecot.conf
SH
    my $up = wait_for(30, sub {
        slurp("/proc/$pid/stat") =~ /\) Z / || -S "$d/run/lmtp" && IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port{imap});
    });
    return ref $up ? 1 : do { diag(dovecot_log(), slurp("$dir/dovecot.out")); 0 };
}

sub dovecot_stop {
    stop_pid($pid);
    unlink "$dir/dovecot/run/lmtp";
    return;
}

sub dovecot_pid { return $pid }
sub dovecot_log { return slurp("$dir/dovecot.log") }

# Whether the log says it behind its first $from bytes; Dovecot writes it after it has answered.
sub dovecot_logs {
    my ($like, $from) = @_;
    return wait_for(30, sub { substr(dovecot_log(), $from // 0) =~ $like }) || do { diag(substr dovecot_log(), $from // 0); 0 };
}

# Whether it likes its configuration: (exit code, what it said).
sub dovecot_check {
    my $d = "$dir/dovecot";
    return run('', qw(unshare --mount sh -ec),
        "mount --bind $MODULES $d/theirs; mount --bind $d/modules $MODULES; exec doveconf -c $dir/dovecot.conf -n");
}

# (exit code, what it printed)
sub doveadm {
    return run('', 'nsenter', '--target', $pid, '--mount', 'doveadm', '-c', "$dir/dovecot.conf", @_);
}

# --- clients: a hash of socket and what has come of it. All time-outs are generous.

sub connected_to {
    my ($what) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port{$what}) or return;
    return bless { socket => $s, buffer => '', tag => 0 }, 'Dovecot::Client';
}

# The next line without its end; undef at the end of the connection or after $seconds.
sub Dovecot::Client::line {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // 30);
    while ($self->{buffer} !~ /\n/) {
        my $left = $end - time;
        return undef if $left <= 0 || !IO::Select->new($self->{socket})->can_read($left);
        return undef if !sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
    }
    $self->{buffer} =~ s/\A(.*?)\r?\n//;
    return $1;
}

sub Dovecot::Client::say {
    my ($self, $text) = @_;
    local $SIG{PIPE} = 'IGNORE';
    return syswrite $self->{socket}, $text;
}

# An IMAP command; all lines of the answer, the tagged one last without its tag. {bytes} in the
# command are sent as literals: pass further pieces.
sub Dovecot::Client::imap {
    my ($self, @pieces) = @_;
    my $tag = 'a' . ++$self->{tag};
    my (@lines, $piece);
    $self->say("$tag " . shift(@pieces) . "\r\n");
    while (defined(my $line = $self->line)) {
        if ($line =~ /^\+/ && defined($piece = shift @pieces)) { $self->say("$piece\r\n"); next }
        push @lines, $line;
        return @lines if $lines[-1] =~ s/^$tag //;
    }
    return (@lines, 'EOF');
}

# The tagged line only, or what came instead of it.
sub Dovecot::Client::says { return ($_[0]->imap(@_[1 .. $#_]))[-1] }

# user or target*actor. Returns (client, answer): the tagged line, or BYE.
sub imap {
    my ($login, $password) = @_;
    my $c = connected_to('imap') or return (undef, 'no connection');
    $c->line;
    my @lines = $c->imap(qq{LOGIN "$login" @{[ $password // 'secret' ]}});
    my ($bye) = grep { /^\* BYE/ } @lines;
    $lines[-1] =~ s/\[CAPABILITY [^\]]*\] //;
    return ($c, $bye // $lines[-1]);
}

# SASL PLAIN with an authorization identity.
sub Dovecot::imap_as {
    my ($target, $actor) = @_;
    my $c = connected_to('imap') or return (undef, 'no connection');
    $c->line;
    my @lines = $c->imap('AUTHENTICATE PLAIN ' . encode_base64("$target\0$actor\0secret", ''));
    my ($bye) = grep { /^\* BYE/ } @lines;
    $lines[-1] =~ s/\[CAPABILITY [^\]]*\] //;
    return ($c, $bye // $lines[-1]);
}

sub ask_imap { my ($c, @command) = @_; return $c->says(@command) }

sub fetch_lines { my ($c, @command) = @_; return $c->imap(@command) }

sub pop3 {
    my ($login, $password) = @_;
    my $c = connected_to('pop3') or return (undef, 'no connection');
    $c->line;
    talk($c, "USER $login");
    return ($c, talk($c, 'PASS ' . ($password // 'secret')));
}

# One line out, one line back.
sub talk {
    my ($c, $line) = @_;
    $c->say("$line\r\n");
    return $c->line // 'EOF';
}

# ManageSieve. Returns (client, answer).
sub sieve {
    my ($login, $password) = @_;
    my $c = connected_to('sieve') or return (undef, 'no connection');
    sieve_answer($c);
    my ($target, $actor) = split /\*/, $login;
    my $plain = encode_base64(join("\0", $actor ? ($target, $actor) : ('', $target), $password // 'secret'), '');
    $c->say(qq{AUTHENTICATE "PLAIN" "$plain"\r\n});
    return ($c, sieve_answer($c));
}

# To where submission relays: takes every mail, keeps none.
sub relay_session {
    my ($c) = @_;
    $c->say("220 relay.example\r\n");
    while (defined(my $line = $c->line(600))) {
        if ($line =~ /^EHLO/i) { $c->say("250-relay.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"); next }
        if ($line =~ /^DATA/i) {
            $c->say("354 go on\r\n");
            while (defined($line = $c->line)) { last if $line eq q(.) }
        }
        $c->say($line =~ /^QUIT/i ? "221 2.0.0 bye\r\n" : "250 2.0.0 ok\r\n");
        return if $line =~ /^QUIT/i;
    }
    return;
}

# Ends with the test, or with stop_pid.
sub relay_start {
    my $listen = IO::Socket::INET->new(LocalAddr => address(), LocalPort => $port{relay}, Listen => 20, ReuseAddr => 1) or die "relay: $!";
    return spawn_sub(sub {
        local $SIG{CHLD} = 'IGNORE';
        while (my $s = $listen->accept) {
            next if fork;
            relay_session(bless { socket => $s, buffer => '' }, 'Dovecot::Client');
            POSIX::_exit(0);
        }
    });
}

# The last line of an answer of SMTP.
sub Dovecot::Client::smtp {
    my ($self, $line) = @_;
    $self->say("$line\r\n") if defined $line;
    while (defined(my $answer = $self->line)) { return $answer if $answer !~ /^\d\d\d-/ }
    return 'EOF';
}

# Returns (client, the answer to AUTH).
sub submission {
    my ($login, $password) = @_;
    my $c = connected_to('submission') or return (undef, 'no connection');
    $c->smtp;
    $c->smtp('EHLO client.example');
    my ($target, $actor) = split /\*/, $login;
    my $plain = encode_base64(join("\0", $actor ? ($target, $actor) : ('', $target), $password // 'secret'), '');
    return ($c, $c->smtp("AUTH PLAIN $plain"));
}

sub sieve_answer {
    my ($c) = @_;
    while (defined(my $line = $c->line)) {
        return $line if $line =~ /^(OK|NO|BYE)/;
    }
    return 'EOF';
}

sub Dovecot::put_script {
    my ($c, $verb, $script) = @_;
    $c->say(defined $script ? "$verb {" . length($script) . "+}\r\n$script\r\n" : "$verb\r\n");
    my $answer = sieve_answer($c);
    if ($answer =~ /\{(\d+)\}$/) {
        my $text = '';
        while (length $text < $1 && defined(my $line = $c->line)) { $text .= "$line\r\n" }
        $answer .= " $text";
        $c->line if length $text == $1;
    }
    return $answer;
}

# Delivers; the answer of LMTP for the recipient.
sub lmtp {
    my ($to, $body, $from) = @_;
    my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => "$dir/dovecot/run/lmtp") or return 'no connection';
    my $c = bless { socket => $s, buffer => '' }, 'Dovecot::Client';
    $c->line;
    $c->say("LHLO test\r\n");
    while (defined(my $line = $c->line)) { last if $line =~ /^250 / }
    for ('MAIL FROM:<' . ($from // 'sender@outside.example') . '>', "RCPT TO:<$to>", 'DATA') {
        my $answer = talk($c, $_);
        return $answer if $answer !~ /^[23]/;
    }
    $body =~ s/\r?\n/\r\n/g;
    return talk($c, "$body\r\n.");
}

1;
