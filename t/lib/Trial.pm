# SPDX-License-Identifier: BSD-2-Clause
#
# Trial: what tests with a running postroad-policyd and slapd share: start and stop
# both in a temporary directory, ask the sockets, wait for what is expected to
# happen. Ends only processes it has started; leaves nothing behind.
package Trial;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exit;
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw($top $dir spew slurp run needs wait_for policyd_start policyd_stop policyd_log lookup
    connected control status source slapd_conf slapd_add slapd_start slapd_stop ldap_change ldap_search ldap_settled stop_pid spawn_sub);

our $top = abs_path(dirname(__FILE__) . '/../..');
our $dir = tempdir('postroad-trial.XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{KEEP});
my $POLICYD = "$top/policyd/postroad-policyd";
my %children; # pid => 1
my $policyd;
my $owner = $$;

$ENV{PATH} .= ':/usr/sbin:/sbin:/usr/local/sbin:/usr/libexec/openldap';
# A peer that has gone must not end a test without a word. What a test starts has the default again.
$SIG{PIPE} = sub { };
$ENV{LDAPNOINIT} = 1;
chmod 0755, $dir;

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}

sub spew {
    my ($file, $text) = @_;
    open my $out, '>', "$file.new" or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
    rename "$file.new", $file or die "$file: $!";
}

# (exit code, or 128 and a signal's number; output of both kinds); $in is what it reads.
sub run {
    my ($in, @cmd) = @_;
    spew("$dir/stdin", $in);
    my $pid = open(my $from, '-|') // die "fork: $!";
    if (!$pid) {
        open STDIN, '<', "$dir/stdin";
        open STDERR, '>&', \*STDOUT;
        exec @cmd or print "$cmd[0]: $!\n";
        POSIX::_exit(127);
    }
    local $/;
    my $out = <$from>;
    close $from;
    return (exit_code(), $out // '');
}

# Skip the whole file unless these programs are there.
sub needs {
    my @missing = grep { my $p = $_; !($p =~ m{^/} ? -x $p : grep { -x "$_/$p" } split /:/, $ENV{PATH}) } @_;
    plan(skip_all => "not found: @missing") if @missing;
}

# Until $what->() is true, at most $seconds; returns its last value. Rests as long as a look took, within
# bounds, so that many who wait leave the machine to what they wait for.
sub wait_for {
    my ($seconds, $what) = @_;
    my $end = time + $seconds;
    for (;;) {
        my $began = time;
        my $got = $what->();
        my $now = time;
        return $got if $got || $now > $end;
        my $took = $now - $began;
        sleep($took < 0.02 ? 0.02 : $took > 0.1 ? 0.1 : $took);
    }
}

# Run a function in a process of its own, until stop_pid.
sub spawn_sub {
    my ($run) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{TERM} = 'DEFAULT';
        $run->();
        POSIX::_exit(0);
    }
    $children{$pid} = 1;
    return $pid;
}

sub spawn {
    my ($log, @cmd) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        exec @cmd or POSIX::_exit(127);
    }
    $children{$pid} = 1;
    return $pid;
}

# End one of ours and wait for it, at most thirty seconds; its exit status, undef when it had to be killed.
sub stop_pid {
    my ($pid, $signal) = @_;
    return undef unless delete $children{$pid};
    kill $signal // 'TERM', $pid;
    kill 'CONT', $pid;
    my $status;
    return $status if wait_for(30, sub { my $r = waitpid($pid, WNOHANG); $status = $?; $r == $pid });
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return undef;
}

END {
    if ($$ == $owner) {
        my $exit = $?;
        stop_pid($_) for keys %children;
        $? = $exit;
    }
}

# --- policyd

# Settings of directory: { … }; more adds top-level lines, answer: among them; http: an address.
sub policyd_start {
    my ($directory, $more, $http) = @_;
    $http //= '';
    my $user = getpwuid($>);
    my $group = getgrgid($));
    my $answer = ($more // '') =~ /^answer:/m ? '' : 'answer: { workers = 1; };';
    mkdir "$dir/state";
    spew("$dir/postroad.conf", <<"CONF" . ($more // ''));
site = "hebei";
state_dir = "$dir/state";
user = "$user"; group = "$group"; socket_group = "$group";
directory: { $directory };
sockets: { map = "unix:$dir/map"; policy = "unix:$dir/policy"; access = "unix:$dir/access";
           control = "unix:$dir/control"; hook = "unix:$dir/hook"; http = "$http"; };
$answer
log: { level = "debug"; };
CONF
    $policyd = spawn("$dir/policyd.log", $POLICYD, '-c', "$dir/postroad.conf");
    my $up;
    wait_for(30, sub { ($up = -S "$dir/map" && connected("$dir/map")) || slurp("/proc/$policyd/stat") =~ /\) Z / });
    return $up;
}

sub policyd_stop {
    my $status = stop_pid($policyd, @_);
    unlink "$dir/map", "$dir/control";
    return $status;
}

sub policyd_pid { return $policyd }

sub policyd_log { return slurp("$dir/policyd.log") }

# A connection; undef when nobody takes it for twenty seconds, as when a queue is full before one who hangs.
sub connected {
    my ($path) = @_;
    my $s = eval {
        local $SIG{ALRM} = sub { die "nobody takes it\n" };
        alarm 20;
        IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path);
    };
    alarm 0;
    return $s;
}

# Bytes until $done matches, at most thirty seconds: more than any question may wait for its answer.
sub ask {
    my ($path, $request, $done) = @_;
    my $s = connected($path) or return '';
    my $got = '';
    my $end = time + 30;
    syswrite $s, $request;
    while ($got !~ $done && time < $end) {
        next unless IO::Select->new($s)->can_read(0.5);
        sysread($s, $got, 65536, length $got) or last;
    }
    return $got;
}

# "OK …", "NOTFOUND ", "TEMP …"
sub lookup {
    my ($map, $key) = @_;
    my $request = "$map $key";
    my $reply = ask("$dir/map", length($request) . ":$request,", qr/,\z/);
    $reply =~ s/^\d+:(.*),\z/$1/s or return "no answer: $reply";
    return $reply;
}

sub control {
    my (%request) = @_;
    my $reply = ask("$dir/control", encode_json(\%request) . "\n", qr/\n\z/);
    return eval { decode_json($reply) } // {};
}

sub status { return control(verb => 'status') }
sub source { return status()->{source} // {} }

# --- slapd

# One database below o=corp. more: lines for its section; sid: server id; global: lines above it.
sub slapd_conf {
    my ($name, %o) = @_;
    my $d = "$dir/$name";
    my ($schemas) = grep { -e "$_/core.schema" } '/etc/ldap/schema', '/etc/openldap/schema';
    my ($modules) = grep { glob "$_/back_mdb*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap';
    mkdir $d;
    mkdir "$d/db";
    my $load = $modules ? "modulepath $modules\nmoduleload back_mdb\nmoduleload syncprov\n" : '';
    spew("$d/slapd.conf", <<"CONF");
include $schemas/core.schema
include $schemas/cosine.schema
include $schemas/inetorgperson.schema
include $top/ldap-schema/postroad.schema
pidfile $d/pid
${load}@{[ $o{sid} ? "serverID $o{sid}" : '' ]}
@{[ $o{global} // '' ]}
database mdb
suffix o=corp
rootdn cn=root,o=corp
rootpw secret
directory $d/db
maxsize 1073741824
dbnosync
index objectClass,entryCSN,entryUUID eq
@{[ $o{database} // '' ]}
overlay syncprov
@{[ $o{overlay} // '' ]}
@{[ $o{last} // '' ]}
CONF
    return $d;
}

sub slapd_add {
    my ($name, $ldif) = @_;
    spew("$dir/$name/add.ldif", $ldif);
    my ($rc, $out) = run('', 'slapadd', '-q', '-w', '-S', '1', '-b', 'o=corp', '-f', "$dir/$name/slapd.conf", '-l', "$dir/$name/add.ldif");
    BAIL_OUT("slapadd: $out") if $rc;
}

sub uri_of { my ($name) = @_; (my $path = "$dir/$name/sock") =~ s{/}{%2F}g; return "ldapi://$path" }

# Returns its pid once it answers. more: further URIs to listen on.
sub slapd_start {
    my ($name, $more) = @_;
    my $uri = uri_of($name) . ($more ? " $more" : '');
    my $pid = spawn("$dir/$name/log", 'slapd', '-d', '0', '-h', $uri, '-f', "$dir/$name/slapd.conf");
    my $up = wait_for(30, sub {
        -S "$dir/$name/sock" && (run('', 'ldapwhoami', '-x', '-H', uri_of($name)))[0] == 0;
    });
    BAIL_OUT("slapd $name does not start: " . slurp("$dir/$name/log")) unless $up;
    return $pid;
}

sub slapd_stop {
    my ($name, $pid, $signal) = @_;
    my $status = stop_pid($pid, $signal);
    unlink "$dir/$name/sock";
    return $status;
}

# LDIF with or without changetype.
sub ldap_change {
    my ($name, $ldif) = @_;
    my ($rc, $out) = run($ldif, 'ldapmodify', '-a', '-x', '-H', uri_of($name), '-D', 'cn=root,o=corp', '-w', 'secret');
    ok(0, "ldapmodify at $name") || diag("$out$ldif") if $rc;
    return $rc == 0;
}

sub ldap_search {
    my ($name, @args) = @_;
    return (run('', 'ldapsearch', '-LLL', '-o', 'ldif-wrap=no', '-x', '-H', uri_of($name), '-D', 'cn=root,o=corp', '-w', 'secret', @args))[1];
}

# Write at each of these slapd, which follow one another, and wait until all have it: what was written
# before, and what replication had to say of it, has arrived by then.
sub ldap_settled {
    my ($dn, @names) = @_;
    for my $at (@names) {
        my $mark = sprintf 'written at %s %.6f', $at, time;
        ldap_change($at, "dn: $dn\nchangetype: modify\nreplace: description\ndescription: $mark\n");
        wait_for(30, sub { !grep { ldap_search($_, '-b', $dn, '-s', 'base', 'description') !~ /\Q$mark\E/ } @names }) or return 0;
    }
    return 1;
}

1;
