#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# postroad held …, as moderators and as people whose mail is held, with a real slapd and our access
# rules; the test publishes messages and carries verdicts out as the service would. Then the same verbs for root,
# who asks the daemon of the machine: a stand-in for it that answers from a list.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use IO::Socket::UNIX;
use JSON::PP;
use LdapWire;
use POSIX qw(strftime);
use Test::More;
use Trial;

plan(skip_all => 'the programs are not built') if grep { !-x "$top/$_" } qw(policyd/postroad-policyd ctl/postroad);
needs(qw(slapd slapadd ldapmodify ldapsearch));

my $A = 'dc=corp.example,ou=domains,o=corp';
my $HELD = 'cn=held,o=corp';
my %dn = (zhangwei => "uid=zhangwei,ou=it,$A", liuyang => "uid=liuyang,ou=it,$A", lina => "uid=lina,ou=hr,$A", wangfang => "uid=wangfang,ou=sales,$A",
    alice => "uid=alice,ou=sales,$A", frank => "uid=frank,ou=hr,$A", sunli => 'uid=sunli,ou=jinan,dc=post.example,ou=domains,o=corp');

my $modules = (grep { glob "$_/refint*" } '/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap')[0];
slapd_conf('a', database => slurp("$top/ldap-schema/postroad-access.conf") . slurp("$top/ldap-schema/postroad-index.conf") =~ s/^index objectClass.*\n//mr =~ s/^index entryCSN.*\n//mr . "index uid,member eq\n",
    global => $modules ? "moduleload refint\n" : '', overlay => "overlay refint\nrefint_attributes member owner postroadScope postroadHeldTarget\nrefint_nothing \"cn=nobody,o=corp\"\n");
slapd_add('a', slurp("$top/ldap-schema/two-sites.ldif"));
slapd_start('a');
my $uri = Trial::uri_of('a');
my $root = LdapWire->new("$dir/a/sock", 'cn=root,o=corp', 'secret');
my $service = LdapWire->new("$dir/a/sock", 'cn=moderation,cn=services,o=corp', 'sample-moderation');
$root->modify($dn{$_}, [add => 'postroadRight', 'approve']) for qw(zhangwei lina wangfang);
$root->modify($dn{liuyang}, ['delete', 'postroadRight']);

sub secret_file { my ($name, $text) = @_; spew("$dir/$name", $text); chmod 0600, "$dir/$name"; return "$dir/$name" }
secret_file("pw-$_", "sample-$_\n") for keys %dn;
my $rootpw = secret_file('pw-root', "secret\n");
policyd_start(qq{uri = "$uri"; base = "o=corp"; bind_dn = "cn=root,o=corp"; password_file = "$rootpw"; timeout = 3;});
ok(wait_for(30, sub { (source()->{phase} // '') eq 'persist' }), 'policyd follows the directory');

# (exit code, stdout, stderr)
sub postroad {
    my ($code, $out) = run('', 'sh', '-c', 'exec "$@" 2>"$0"', "$dir/stderr", "$top/ctl/postroad", '-c', "$dir/postroad.conf", @_);
    return ($code, $out, slurp("$dir/stderr"));
}
sub as { my ($who, @args) = @_; return postroad('held', @args, '-D', $dn{$who}, '--password-file', "$dir/pw-$who") }

sub is_run {
    my ($got, $want, $out, $err, $what) = @_;
    my $ok = $got->[0] == $want && $got->[1] =~ $out && $got->[2] =~ $err;
    ok($ok, $what) or diag("exit $got->[0], want $want\nstdout: $got->[1]\nstderr: $got->[2]");
    return $got->[1];
}
my $nothing = qr/\A\z/;

# --- messages, as the service publishes them

my $ago = strftime('%Y%m%d%H%M%SZ', gmtime(time - 600));
my %message = (
    'shandong-mhx3k2f9-4bXyzA' => { target => 'alice', Site => ['shandong'], Rule => ['hr-out'], Sender => ['alice@corp.example'],
        Recipient => ['x@outside.example', 'y@outside.example'], Count => [5], Subject => ["\xe4\xbd\xa0\xe5\xa5\xbd\e[31m " . 'long ' x 20], Attachment => ["a\x07.exe"] },
    'shandong-maaaaaaa-4bXyzA' => { target => 'alice', Site => ['shandong'], Rule => ['old'], State => ['approved'], By => [$dn{lina}], Decided => [$ago], Time => ['20260101000000Z'] },
    'hebei-mhx3k2g0-4bXyzB' => { target => 'frank', Site => ['hebei'], Rule => ['huge'], Sender => ['frank@corp.example'], Subject => ["Plans \xe8\xae\xa1\xe5\x88\x92"] },
    'hebei-mhx3k2g1-4bXyzC' => { target => 'alice', Site => ['hebei'], Rule => ['huge'], Sender => ['dave@corp.example'] },
    'hebei-mhx3k2g2-4bXyzD' => { target => 'sunli', Site => ['hebei'], Rule => ['hr-out'], Sender => ['sunli@post.example'] },
    'hebei-mhx3k2g3-4bXyzE' => { target => 'wangfang', Site => ['hebei'], Rule => ['hr-out'], Sender => ['wangfang@corp.example'] },
);
my $n = 0;

sub publish {
    my ($id) = @_;
    my %m = %{ $message{$id} };
    my $target = $dn{ delete $m{target} };
    my %all = (Id => [$id], Target => [$target], Rule => ['x'], Sender => ['x@corp.example'], Recipient => ['bob@outside.example'], Count => [1], Size => [20480],
        Time => [strftime('%Y%m%d%H%M%SZ', gmtime(time - 300 + $n++))], Expires => ['20991127120000Z'], State => ['held'], %m);
    $service->delete("postroadHeldId=$id,$HELD");
    my $code = $service->add("postroadHeldId=$id,$HELD", { objectClass => ['postroadHeld'], map { ("postroadHeld$_" => $all{$_}) } keys %all });
    BAIL_OUT("publish $id: $code $service->{text}") if $code;
}
publish($_) for sort { ($a =~ /-(\w+)-/)[0] cmp ($b =~ /-(\w+)-/)[0] } keys %message;
my ($one, $huge, $huge2, $post, $own) = map { my $q = $_; (grep { /$q$/ && !/maaa/ } keys %message)[0] } qw(4bXyzA 4bXyzB 4bXyzC 4bXyzD 4bXyzE);

sub of_entry {
    my ($id, $name) = @_;
    my ($e) = $root->search("postroadHeldId=$id,$HELD", 'base', ['objectClass'], $name);
    return join ' ', @{ ($e ? $e->[1] : {})->{ lc $name } // [] };
}

# --- list

sub ids { my ($json) = @_; return join ' ', map { $_->{id} } @{ decode_json($json)->{messages} } }

my $table = is_run([as('wangfang', 'list')], 0, qr/\Aid +age +site +rule +from → to +subject\n/, $nothing, 'a moderator\'s list');
is_deeply([$table =~ /^(\S+)/mg], ['id', '4bXyzA', '4bXyzC', '4bXyzE'], 'oldest first: his, and what he sent himself');
like($table, qr/^4bXyzA +5 min +shandong +hr-out +alice\@corp\.example → x\@outside\.example \+4 +你好\?\[31m (?:long )+lon?g? ?…$/m, 'a line of it; nothing steers the terminal');
is(ids((as('lina', 'list', '--json'))[1]), "$one $huge $huge2 $own", 'a domain administrator sees his domain\'s');
is(ids((as('zhangwei', 'list', '--json'))[1]) =~ tr/ //, 4, 'a system administrator all');
is_run([as('liuyang', 'list')], 0, $nothing, qr/nothing is held, as far as you may see/, 'a super administrator without the right approve nothing');
is(ids((as('alice', 'list', '--json'))[1]), $one, 'who sent it sees it');
is(ids((as('lina', 'list', '--json', @$_[0 .. $#$_ - 1]))[1]), $_->[-1], "list @$_[0 .. $#$_ - 1]")
    for ['--rule', 'HUGE', "$huge $huge2"], ['--sender', 'Frank@corp.example', $huge], ['--sender', '@corp.example', "$one $huge $huge2 $own"], ['--site', 'shandong', $one],
    ['--state', 'approved', 'shandong-maaaaaaa-4bXyzA'], ['--state', 'rejected', ''], ['--rule', 'huge', '--sender', 'dave@corp.example', $huge2];
like((as('lina', 'list', '--state', 'all'))[1], qr/^id +age +site +rule +state +from.*\nshandong-maaaaaaa-4bXyzA.* approved /, 'with their states; the queue ID that two have is not enough of a name');
is_run([as('lina', 'list', '--state', 'new')], 2, $nothing, qr/--state is held, approved/, 'no such state');
my $m = decode_json((as('wangfang', 'list', '--json', '--rule', 'hr-out'))[1])->{messages}[0];
is_deeply([@$m{qw(id site state sender recipients recipient_count size target_dn expires)}],
    [$one, 'shandong', 'held', 'alice@corp.example', ['x@outside.example', 'y@outside.example'], 5, 20480, $dn{alice}, '2099-11-27T12:00:00Z'], 'as JSON');

# --- show

my $shown = is_run([as('wangfang', 'show', '4bxyza')], 0, qr/^id +\Q$one\E$/m, $nothing, 'show, by the queue ID: the one that is held still');
like($shown, $_, "it says $_") for qr/^state +held$/m, qr/^site +shandong$/m, qr/^since +\S+Z \(5 min\)$/m, qr/^about +\Q$dn{alice}\E$/m,
    qr/^to +x\@outside\.example\n +y\@outside\.example\n +and 3 more$/m, qr/^size +20\.0 KiB$/m, qr/^attachment +a\?\.exe$/m, qr/^you +may decide: below the administrator/m;
like((as('alice', 'show', $one))[1], qr/^you +may not decide: holds no role$/m, 'who sent it is told that he may not');
like((as('wangfang', 'show', $own))[1], qr/^you +may not decide: of the same or a higher level$/m, 'nor an administrator about his own');
is_run([as('alice', 'show', '4bXyzB')], 1, $nothing, qr/4bXyzB: there is no such held message, or none that you may see/, 'nobody sees what is not his');
is_run([as('zhangwei', 'show', 'XyzZ')], 1, $nothing, qr/XyzZ: there is no such/, 'no such message');
$message{'hebei-mhx3k2g9-5bXyzB'} = $message{$huge};
publish('hebei-mhx3k2g9-5bXyzB');
is_run([as('zhangwei', 'show', 'bXyzB')], 1, $nothing, qr/bXyzB: 2 held messages have an ID that ends so/, 'an end that means two');
$service->delete("postroadHeldId=hebei-mhx3k2g9-5bXyzB,$HELD");
delete $message{'hebei-mhx3k2g9-5bXyzB'};
is_run([as('zhangwei', 'show')], 2, $nothing, qr/takes the ID of one/, 'of which?');

# --- deciding

is_run([as('wangfang', 'reject', $one)], 2, $nothing, qr/needs --reason/, 'reject needs a reason');
is_run([as('wangfang', 'reject', $one, '--reason', "a\nb")], 2, $nothing, qr/one line/, 'of one line');
is_run([as('wangfang', 'approve', $one, '--reason', 'x' x 1025)], 2, $nothing, qr/at most 1024/, 'that is not too long');
is_run([as('wangfang', 'approve')], 2, $nothing, qr/which messages/, 'of what?');
my $ldif = is_run([as('wangfang', 'approve', $one, '--reason', '可以', '--dry-run')], 0, qr/^dn: postroadHeldId=\Q$one\E.*add: postroadHeldVerdict\n.*: approve\n/s, $nothing, '--dry-run is LDIF');
is(of_entry($one, 'postroadHeldVerdict'), '', 'and nothing was said');
is_run([as('alice', 'approve', $one)], 1, $nothing, qr/^postroad: \Q$one\E: held at shandong since \S+Z by rule hr-out; you may not decide: holds no role$/m, 'who sent it may not decide');
is_run([as('wangfang', 'approve', $own)], 1, $nothing, qr/you may not decide: of the same or a higher level/, 'an administrator not about his own');
is(of_entry($own, 'postroadHeldVerdict'), '', 'nothing was said');
is_run([as('wangfang', 'approve', '4bXyzA', '--reason', '可以')], 0, qr/^\Q$one\E: verdict "approve" noted; shandong carries it out$/m, $nothing, 'approve');
is(of_entry($one, 'postroadHeldVerdict') . ' ' . of_entry($one, 'postroadHeldReason'), 'approve 可以', 'is in the directory, with the reason') ;
like((as('wangfang', 'list'))[1], qr/^4bXyzA .* held, approve /m, 'the list shows that it is said and not yet done');
is_run([as('lina', 'reject', $one, '--reason', 'no')], 1, $nothing, qr/held; \Q$dn{wangfang}\E has said "approve", which shandong has not carried out yet; the first verdict stands/, 'a second opinion is told of the first');
is_run([as('lina', 'approve', $one)], 0, qr/has said "approve"/, $nothing, 'the same one is nothing new');

# The service, here without a daemon: carries out what it finds, but takes verdicts about frank's mail away.
my $carrier = spawn_sub(sub {
    my $ldap = LdapWire->new("$dir/a/sock", 'cn=moderation,cn=services,o=corp', 'sample-moderation');
    while (1) {
        for ($ldap->search($HELD, 'one', ['postroadHeldVerdict'], 'postroadHeldVerdict', 'postroadHeldState', 'postroadHeldTarget', 'modifiersName')) {
            my ($entry, $e) = @$_;
            next if $e->{postroadheldstate}[0] ne 'held' || $entry =~ /4bXyzC/;
            if ($e->{postroadheldtarget}[0] =~ /frank/) { $ldap->modify($entry, ['delete', 'postroadHeldVerdict'], ['delete', 'postroadHeldReason']); next }
            my $state = $e->{postroadheldverdict}[0] eq 'approve' ? 'approved' : 'rejected';
            $ldap->modify($entry, [replace => 'postroadHeldState', $state], [add => 'postroadHeldBy', $e->{modifiersname}[0]], [add => 'postroadHeldDecided', '20261122121500Z']);
        }
        select undef, undef, undef, 0.1;
    }
});
ok(wait_for(30, sub { of_entry($one, 'postroadHeldState') eq 'approved' }), 'the site carries it out');
is_run([as('lina', 'reject', $one, '--reason', 'no')], 1, $nothing, qr/approved at 2026-11-22T12:15:00Z by \Q$dn{wangfang}\E; the first verdict stands/, 'then it is too late');
is_run([as('zhangwei', 'reject', '4bXyzD', '--reason', 'no', '--wait', '20')], 0, qr/^\Q$post\E: rejected at 2026-11-22T12:15:00Z by uid=zhangwei/m, $nothing, '--wait waits until it is done');
is_run([as('lina', 'approve', $huge, '--reason', 'x', '--wait', '20')], 1, $nothing, qr/hebei has taken the verdict away again/, 'or until the site does not take it');
is_run([as('lina', 'approve', $huge2, '--wait', '1')], 75, $nothing, qr/noted, but hebei has not carried it out within 1 s/, 'or until time is over: 75');
stop_pid($carrier);

# --- several

publish($_) for $one, $huge, $huge2, $post;
is_run([as('lina', 'approve', '--all')], 2, $nothing, qr/--all of what/, 'not simply all');
is_run([as('lina', 'approve', '--rule', 'huge')], 2, $nothing, qr/go together with --all/, 'no filter without --all');
is_run([as('lina', 'approve', '--all', '--rule', 'huge', $one)], 2, $nothing, qr/either name messages/, 'one or the other');
is_run([as('lina', 'reject', '--all', '--rule', 'huge', '--reason', 'x')], 1, $nothing, qr/2 messages are held that this names; nothing was decided.*--count 2/s, 'many only with their number');
is_run([as('lina', 'reject', '--all', '--rule', 'huge', '--reason', 'x', '--count', '3')], 1, $nothing, qr/2 messages are held/, 'and the right one');
is_run([as('lina', 'reject', '--all', '--rule', 'none', '--reason', 'x', '--count', '0')], 1, $nothing, qr/nothing is held that this names/, 'none');
is(of_entry($huge, 'postroadHeldVerdict') . of_entry($huge2, 'postroadHeldVerdict'), '', 'nothing was decided');
is_run([as('lina', 'reject', '--all', '--rule', 'huge', '--reason', 'x', '--count', '2')], 0, qr/(?:.*: verdict "reject" noted.*\n){2}/, $nothing, 'with it they are');
is(of_entry($huge, 'postroadHeldVerdict') . of_entry($huge2, 'postroadHeldVerdict'), 'rejectreject', 'both');
is_run([as('wangfang', 'approve', '4bXyzA', '4bXyzE', '4bXyzD')], 1, qr/\Q$one\E: verdict "approve" noted/, qr/\Q$own\E: .*may not.*\n.*^postroad: 4bXyzD: there is no such/m, 'what fails stops nothing');
my $json = decode_json((as('lina', 'approve', $one, '4bXyzZ', '--json'))[1]);
is_deeply([$json->{ok} ? 1 : 0, map { [$_->{id}, $_->{code}] } @{ $json->{messages} }], [0, [$one, 0], ['4bXyzZ', 1]], 'as JSON');

# --- whom it is about moves, or goes

publish($one);
is($root->rename($dn{alice}, 'uid=alice', "ou=hr,$A"), 0, 'alice goes to another department');
ok(wait_for(30, sub { of_entry($one, 'postroadHeldTarget') eq "uid=alice,ou=hr,$A" }), 'refint takes her held mail along');
is_run([as('wangfang', 'approve', $one)], 1, $nothing, qr/no such held message, or none that you may see/, 'and it is no longer his who was her administrator');
is_run([as('lina', 'approve', $one)], 0, qr/noted/, $nothing, 'but whose she is now');

# --- what doctor says of it

sub doctor {
    my ($more, @args) = @_;
    spew("$dir/doctor.conf", slurp("$dir/postroad.conf") . $more);
    my (undef, $text) = run('', "$top/ctl/postroad", '-c', "$dir/doctor.conf", 'doctor', '--json', '-D', 'cn=root,o=corp', '--password-file', $rootpw, @args);
    return { map { ($_->{id} => $_->{mark}) } grep { $_->{id} =~ /^held/ } @{ decode_json($text)->{findings} } };
}
my $rules = 'milter: { moderate = [ "all: to=all@corp.example" ]; };';
my $secret = secret_file('pw-moderation', "sample-moderation\n");
sub held { my ($dn) = @_; return qq(held: { bind_dn = "$dn"; password_file = "$secret"; }; queue: { manage = true; };) }
is_deeply(doctor(''), {}, 'doctor says nothing where no mail is held');
is_deeply(doctor($rules), { 'held-release' => 'warning', 'held-shown' => 'warning' }, 'rules alone: nobody can release, nobody sees');
my $service_dn = 'cn=moderation,cn=services,o=corp';
my %well = map { ("held-$_" => 'ok') } qw(release container service secret);
is_deeply(doctor($rules . held($service_dn)), \%well, 'all is set up');
is_deeply(doctor($rules . held('cn=nobody,cn=services,o=corp')), { %well, 'held-service' => 'trouble' }, 'a service that is not there');

# --- without the container, without the server

is_run([as('alice', 'list', '--uri', 'ldapi://%2Fnowhere')], 75, $nothing, qr/can't be reached/, 'the server is away: 75');
$root->delete("postroadHeldId=$_,$HELD") for keys %message;
$root->delete($HELD);
is_run([as('zhangwei', 'list')], 1, $nothing, qr/there is no cn=held,o=corp: is mail held here at all/, 'without the container it says so');

is_deeply(doctor($rules . held($service_dn)), { %well, 'held-container' => 'trouble' }, 'and so does doctor');

# --- root asks the daemon of the machine

my @records = map { { id => "hebei-mhx3k2g$_-4bXyz$_", site => 'hebei', queue => "4bXyz$_", time_ms => 1795000000000 + $_ * 1000, expires_ms => 1795400000000, on_expire => 'reject',
    rule => $_ < 5 ? 'huge' : 'words', why => 'larger than 20 MiB', sender => 'alice@corp.example', login => 'alice@corp.example', target => 'alice@corp.example',
    recipients => ['x@outside.example'], attachments => [], recipient_count => 1, size => 30 << 20, subject => "\x{8ba1}\x{5212}", direction => 'outbound', state => 'held', by => '', reason => '',
    decided_ms => 0, done => JSON::PP::false } } 1 .. 7;

# Of so many messages forty behind this one.
sub long_page {
    my ($after, $n) = @_;
    my ($from) = $after =~ /Xyz0*(\d+)\z/ ? $1 + 1 : 1;
    my $to = $from + 39 < $n ? $from + 39 : $n;
    my @page = map { +{ %{ $records[5] }, id => sprintf 'hebei-mhx3k2g0-4bXyz%06d', $_ } } $from .. $to;
    return { ok => JSON::PP::true, messages => \@page, $to < $n ? (next => $page[-1]{id}) : () };
}

sub answer {
    my ($q) = @_;
    my ($r) = grep { ($q->{id} // '') eq $_->{id} } @records;
    if ($q->{verb} eq 'held-list') {
        my @all = grep { $_->{id} gt ($q->{after} // '') && ($q->{all} || $_->{state} eq 'held') } @records;
        return long_page($q->{after} // '', $1) if slurp("$dir/long") =~ /(\d+)/;
        return { ok => JSON::PP::true, messages => [@all > 3 ? @all[0 .. 2] : @all], @all > 3 ? (next => $all[2]{id}) : () };
    }
    return { ok => JSON::PP::false, code => 1, error => 'no message with this ID is held here, or was lately' } unless $r;
    if ($q->{verb} eq 'held-show') {
        $r->{done} = JSON::PP::true if $r->{state} ne 'held' && $r->{asked}++;
        return { ok => JSON::PP::true, message => $r };
    }
    return { ok => JSON::PP::false, code => 75, error => 'the verdict could not be written: nothing has changed' } if $r->{id} =~ /7$/;
    @$r{qw(state by reason decided_ms)} = ($q->{verdict} eq 'approve' ? 'approved' : 'rejected', 'root@mx1.hebei.example', $q->{reason} // '', 1795000100000);
    return { ok => JSON::PP::true, id => $r->{id}, state => $r->{state} };
}

my $listen = IO::Socket::UNIX->new(Local => "$dir/fake", Listen => 5) or die "$dir/fake: $!";
spawn_sub(sub {
    while (my $s = $listen->accept) {
        my $line = <$s>;
        print $s encode_json(answer(decode_json($line))), "\n" if defined $line;
        close $s;
    }
});
spew("$dir/file.conf", qq{site = "hebei"; state_dir = "$dir"; directory: { ldif = "$dir/none.ldif"; }; sockets: { control = "unix:$dir/fake"; };});
sub local_ { my ($code, $out) = run('', 'sh', '-c', 'exec "$@" 2>"$0"', "$dir/stderr", "$top/ctl/postroad", '-c', "$dir/file.conf", 'held', @_); return ($code, $out, slurp("$dir/stderr")) }

$table = is_run([local_('list')], 0, qr/^4bXyz1 .* hebei +huge +alice\@corp\.example → x\@outside\.example +计划$/m, $nothing, 'root lists without a directory');
is(scalar(() = $table =~ /^4bXyz/mg), 7, 'page by page');
is_run([local_('show', '4bXyz2')], 0, qr/^until +2026-\S+ \(then: reject\)\n.*^why +larger than 20 MiB\nabout +alice\@corp\.example$/ms, $nothing, 'show');
is_run([local_('approve', '4bXyz1', '--dry-run')], 0, qr/hebei-mhx3k2g1-4bXyz1: would be approved/, $nothing, '--dry-run');
is_run([local_('approve', '4bXyz1', '--wait', '20')], 0, qr/4bXyz1: approved at 2026-\S+ by root\@mx1/, $nothing, 'approve --wait');
is_run([local_('reject', '4bXyz1', '--reason', 'x')], 1, $nothing, qr/approved at .*; the first verdict stands/, 'too late');
is_run([local_('reject', '--all', '--rule', 'huge', '--reason', '不', '--count', '3')], 0, qr/(?:.* noted.*\n){3}/, $nothing, 'several');
is(ids((local_('list', '--state', 'rejected', '--json'))[1]), join(' ', map { "hebei-mhx3k2g$_-4bXyz$_" } 2 .. 4), 'list by state');
is_run([local_('approve', '4bXyz7')], 75, $nothing, qr/could not be written: nothing has changed/, 'what can\'t be done now: 75');
is_run([local_('approve', '4bXyz9')], 1, $nothing, qr/no such held message at this site/, 'no such message');
my $first = decode_json((local_('list', '--json'))[1])->{messages}[0];
is_deeply([@$first{qw(time expires)}, exists $first->{time_ms} ? 1 : 0], ['2026-11-18T11:06:45Z', '2026-11-23T02:13:20Z', 0], 'the same JSON as from the directory') or diag(explain($first));
# In a list so long that all can't be compared with all, each has its whole ID.
spew("$dir/long", 1000);
is(scalar(() = (local_('list'))[1] =~ /^4bXyz\d{6} /mg), 1000, 'a long list, with short IDs');
spew("$dir/long", 2001);
my $long = (local_('list'))[1];
is(scalar(() = $long =~ /^hebei-mhx3k2g0-4bXyz\d{6} /mg), 2001, 'a longer one, with whole ones') or diag(substr $long, 0, 400);
unlink "$dir/long";
is_run([local_('list', '-D', 'uid=x,o=y')], 2, $nothing, qr/which directory server/, 'as somebody, but there is no directory');
done_testing();
