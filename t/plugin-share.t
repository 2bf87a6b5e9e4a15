#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# What the Dovecot plugins do beside the storage: whom somebody may let into his folders (SETACL),
# quotas that administrators set (SETQUOTA) and the directory's quota as Dovecot shows and holds it,
# forwards by Sieve that are withheld, at ManageSieve and at delivery.
use strict;
use warnings;
use Test::More;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Trial;
use Dovecot;
use FakeAccess;

dovecot_needs();
plan(skip_all => 'needs ManageSieve and Sieve') if !-e '/usr/lib/dovecot/modules/lib90_sieve_plugin.so' || !-e '/usr/lib/dovecot/managesieve';

my ($wang, $adm) = ('wang@a.example', 'adm@a.example');
my $own = "^session actor=$wang .*master=no => yes\\tmode=owner\\tactor=$wang\\ttarget=$wang";
my @usual = (
    "^session actor=$adm => yes\\tmode=write\\trule=15\\tactor=$adm\\ttarget=$wang",
    "^session actor=reader => yes\\tmode=read\\tactor=reader\\ttarget=$wang",
    '^share identifier=li@a\.example$ => yes', '^share identifier=odd => unsure\twhy=the mirror is old',
    '^share => no\ttext=Sharing outside your own domain is not permitted',
    '^quota bytes=(5242880|104857600)$ => ok', '^quota bytes=1048576$ => unsure\twhy=slapd is down',
    '^quota => no\trule=17\ttext=Not your quota to set', '^record => ok',
);

my %settings = dovecot_series() eq '2.4'
    ? (acl_driver => 'vfile', acl_user => '%{user}', quota_storage_grace => 0, sendmail_path => "$dir/sendmail")
    : (acl => 'vfile', acl_user => '%u', acl_anyone => 'allow', quota => 'count:User quota', quota_vsizes => 'yes',
        sieve => 'file:~/sieve;active=~/.dovecot.sieve');
my $extra = dovecot_series() eq '2.4'
    ? "quota \"User quota\" {\n}\nsieve_script personal {\n  driver = file\n  path = ~/sieve\n  active_path = ~/.dovecot.sieve\n}\n"
    : "sendmail_path = $dir/sendmail\n";
spew("$dir/sendmail", "#!/bin/sh\ncat >>$dir/mail/sent\nexit 0\n");
chmod 0755, "$dir/sendmail";

# Delivered by a Dovecot that was told in time what counts for him; where that was late, it delivers without, and
# the message comes once more. The answer, and the subject. What Dovecot logs of a message follows what it warns of.
my $delivered = 0;
sub deliver {
    my ($what, $body) = @_;
    for (1 .. 20) {
        my ($from, $subject) = (length dovecot_log(), "$what " . ++$delivered);
        my $answer = lmtp($wang, "Subject: $subject\nMessage-ID: <share-$delivered\@x>\n\n$body");
        dovecot_logs(qr/<share-$delivered\@x>/, $from);
        return ($answer, $subject) if substr(dovecot_log(), $from) !~ /delivering without asking/;
    }
    return ('never asked in time', $what);
}

fake_start("$own\\tquota=3000000", @usual);
dovecot_start(users => { $wang => '' }, masters => [$adm, 'reader'], settings => \%settings, extra => $extra, sieve => 1,
    plugins => { all => 'acl quota', imap => 'imap_acl imap_quota', lmtp => 'sieve' }) or BAIL_OUT('Dovecot does not start');
like(lmtp($wang, "Subject: x\n\nx"), qr/^250/, 'mail arrives');

# --- letting others in
{
    my ($c) = imap($wang);
    fake_forget();
    like(ask_imap($c, 'SETACL INBOX li@a.example lr'), qr/^OK/, 'SETACL for somebody of the same domain');
    like(fake_heard(), qr/^session .*\nshare identifier=li\@a\.example\n\z/, 'one question for that');
    like(ask_imap($c, $_), qr/^NO \[NOPERM\] Sharing outside your own domain is not permitted/, $_)
        for 'SETACL INBOX li@b.example lr', 'SETACL INBOX "li@b.example" +l', 'SETACL INBOX anyone lr', 'SETACL INBOX $staff lr',
        'SETACL INBOX -li@b.example -r', 'SETACL INBOX -li@b.example ""', 'DELETEACL INBOX -li@b.example', 'SETACL INBOX {12+}' . "\r\nli\@b.example lr", 'setacl INBOX li@b.example lr';
    like(ask_imap($c, 'SETACL INBOX odd lr'), qr/^NO \[UNAVAILABLE\]/, 'SETACL when nobody can say');
    fake_forget();
    like(ask_imap($c, $_), qr/^OK/, $_) for 'SETACL INBOX li@a.example -r', 'SETACL INBOX li@b.example -r', 'DELETEACL INBOX li@a.example', 'DELETEACL INBOX li@b.example';
    is(fake_heard(), '', 'taking away needs no question');
    like(ask_imap($c, $_), qr/^BAD/, "$_: as Dovecot says") for 'SETACL INBOX', 'SETACL', 'SETACL INBOX li@a.example';
    fake_forget();
    my ($d) = imap("$wang*$adm");
    like(ask_imap($d, 'SETACL INBOX li@a.example lr'), qr/^OK/, 'SETACL by an administrator who may write');
    like(fake_heard(), qr/^share identifier=li\@a\.example\nrecord action=setacl mailbox=INBOX detail=li\@a\.example lr$/m, 'is asked about, and recorded');
    like(ask_imap($d, 'SETACL INBOX li@b.example lr'), qr/^NO \[NOPERM\]/, 'the same limits for him');
    my ($r) = imap("$wang*reader");
    like(ask_imap($r, $_), qr/^NO \[NOPERM\] This session may only read/, "reader: $_") for 'SETACL INBOX li@a.example lr', 'DELETEACL INBOX li@a.example';
}

# --- quota
{
    my ($c) = imap($wang);
    my @quota = fetch_lines($c, 'GETQUOTAROOT INBOX');
    ok((grep { /^\* QUOTA "User quota" \(STORAGE \d+ 29(29|30)\)/ } @quota), "the owner sees the directory's quota") or diag(@quota);
    like(ask_imap($c, 'SETQUOTA "User quota" (STORAGE 5120)'), qr/^NO \[NOPERM\] Only an administrator/, 'and may not change it');
    fake_forget();
    my ($d) = imap("$wang*$adm");
    like(ask_imap($d, 'SETQUOTA "User quota" (STORAGE 5120)'), qr/^OK/, 'an administrator may');
    like(fake_heard(), qr/^quota bytes=5242880$/m, 'in bytes');
    like(ask_imap($d, 'setquota "User quota" (storage 102400)'), qr/^OK/, 'in small letters, too');
    like(ask_imap($d, 'SETQUOTA "User quota" (STORAGE 2048)'), qr/^NO \[NOPERM\] Not your quota to set/, 'if policyd says so');
    like(ask_imap($d, 'SETQUOTA "User quota" (STORAGE 1024)'), qr/^NO \[UNAVAILABLE\]/, 'and if it can tell');
    like(ask_imap($d, $_), qr/^NO \[NOPERM\] Only STORAGE can be set/, $_) for 'SETQUOTA "User quota" (MESSAGE 5)', 'SETQUOTA "User quota" ()',
        'SETQUOTA "User quota" (STORAGE 1 MESSAGE 2)', 'SETQUOTA "User quota" (STORAGE -1)', 'SETQUOTA "User quota" (STORAGE 99999999999999999999)',
        'SETQUOTA "User quota" (STORAGE 9007199254740992)';
    like(ask_imap($d, $_), qr/^BAD/, $_) for 'SETQUOTA', 'SETQUOTA x', 'SETQUOTA x y';
}
{
    fake_rules("$own\\tquota=5000", @usual);
    my $large = ('y' x 70 . "\n") x 100;
    like((deliver('large', $large))[0], qr/^[45]5\d .*[Qq]uota/, "a delivery holds to the directory's quota");
    fake_rules($own, @usual);
    like(lmtp($wang, "Subject: large\n\n" . ('y' x 70 . "\n") x 100), qr/^250/, 'and without one takes it');
}

# --- forwards
my $script = "redirect \"out\@outside.example\";\r\n";
{
    my ($s, $answer) = sieve($wang);
    like($answer, qr/^OK/, 'ManageSieve');
    like(Dovecot::put_script($s, 'CHECKSCRIPT', $script), qr/^OK/, 'a script that redirects is fine');
    like(Dovecot::put_script($s, 'PUTSCRIPT "away"', $script), qr/^OK/, 'is kept');
    like(Dovecot::put_script($s, 'SETACTIVE "away"', undef), qr/^OK/, 'and made the active one');
    lmtp($wang, "Subject: forwarded\n\nx");
    ok(wait_for(30, sub { slurp("$dir/mail/sent") =~ /Subject: forwarded/ }), 'mail is redirected') or diag(dovecot_log());
}
{
    fake_rules("$own\\twithheld=imap,forward", @usual);
    my ($s, $answer) = sieve($wang);
    like($answer, qr/^OK/, 'forward is withheld: ManageSieve');
    like(Dovecot::put_script($s, @$_), qr/^OK/, "forward is withheld: $_->[0] of a script that redirects is fine")
        for ['CHECKSCRIPT', $script], ['PUTSCRIPT "again"', "require \"fileinto\";\r\nfileinto \"Trash\";\r\n$script"], ['SETACTIVE "again"', undef];
    ($answer, my $well) = deliver('stays as well', 'x');
    like($answer, qr/^250/, 'forward is withheld: mail arrives for that one');
    unlike(slurp("$dir/mail/sent"), qr/\Q$well\E/, 'forward is withheld: and goes nowhere');
    like(slurp("$dir/mail/a.example/wang/.dovecot.sieve.log"), qr/policy prohibits the use of a redirect/, 'forward is withheld: the log beside his scripts says why');
    like(Dovecot::put_script($s, 'SETACTIVE "away"', undef), qr/^OK/, 'forward is withheld: back to the other');
    like(Dovecot::put_script($s, 'PUTSCRIPT "sorted"', "require \"fileinto\";\r\nfileinto \"Trash\";\r\n"), qr/^OK/, 'forward is withheld: other scripts are');
    ($answer, my $here) = deliver('stays here', 'x');
    like($answer, qr/^250/, 'forward is withheld: mail arrives');
    unlike(slurp("$dir/mail/sent"), qr/\Q$here\E/, 'forward is withheld: the script of old sends none away');
    my ($c) = imap($wang);
    ask_imap($c, 'SELECT INBOX');
    my @inbox = fetch_lines($c, 'FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]');
    for ([$here, 'here'], [$well, 'as well']) {
        my ($subject, $what) = @$_;
        ok((grep { /\Q$subject\E/ } @inbox), "forward is withheld: it stays $what in the INBOX");
    }
}
{
    fake_rules($own, @usual);
    my ($s, $answer) = sieve("$wang*$adm");
    like($answer, qr/^OK/, 'ManageSieve by an administrator who may write');
    ($s, $answer) = sieve("$wang*reader");
    $answer .= ' ' . (Dovecot::put_script($s, 'PUTSCRIPT "evil"', "keep;\r\n") // '');
    unlike($answer, qr/OK$/, 'by one who may only read: there is nothing to read');
    ok(!-e "$dir/mail/a.example/wang/sieve/evil.sieve", 'and nothing changes');
}

dovecot_stop();
fake_stop();
unlike(dovecot_log(), qr/Panic|killed with signal|undefined symbol/, 'no crash');
done_testing();
