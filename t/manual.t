#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# The manual against the code: every setting with its type, range, default and
# meaning, both ways; the numbered rules word by word; every verb, option, map
# and metric. And mandoc finds nothing to complain about.
use strict;
use warnings;
use Test::More;

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

# Text of mdoc lines: macros dropped, sentences joined.
sub plain {
    my ($text) = @_;
    $text =~ s/^\.(?:Ic|Li|Cm|Sy|Fl|Pa|Dv|Xr|Ar|Vt)\s+//mg;
    $text =~ s/\\e/\\/g;
    $text =~ s/\s+/ /g;
    $text =~ s/^ | $//g;
    return $text;
}

-e $_ or plan skip_all => "no $_" for qw(policyd/main.c policyd/maps_answer.c);
-x 't/tools/conf_dump' or plan skip_all => 't/tools/conf_dump is not built: make tests';

my (%setting, %rule, %right, %send, %hold, %spoof, %direction, %action, %dir);
for (split /\n/, `t/tools/conf_dump`) {
    my ($what, @f) = split /\t/, $_, -1;
    $dir{ $f[0] } = $f[1] if $what eq 'dir';
    $rule{ $f[0] } = $f[1] if $what eq 'rule';
    $direction{ $f[0] } = $f[1] if $what eq 'direction';
    $right{ $f[0] } = $f[1] if $what eq 'right';
    $send{ $f[0] } = $f[1] if $what eq 'send';
    $hold{ $f[0] } = $f[1] if $what eq 'hold';
    $spoof{ $f[0] } = $f[1] if $what eq 'spoof';
    $action{ $f[0] } = $f[1] if $what eq 'action';
    $setting{ $f[0] } = [@f[1 .. 6]] if $what eq 'setting';
}

# --- mandoc ---
my @pages = sort glob 'man/*.[1-9]';
SKIP: {
    skip 'mandoc is not installed', 1 unless grep { -x "$_/mandoc" } split /:/, $ENV{PATH};
    is(`mandoc -T lint -W warning @pages 2>&1`, '', 'mandoc has nothing to say');
}

# --- settings ---
# The manual says where things are by default, not where this build has them.
sub usual {
    my ($value) = @_;
    $value =~ s{^(=(?:unix:)?)\Q$dir{localstatedir}\E/}{$1/var/};
    $value =~ s{^(=(?:unix:)?)\Q$dir{runstatedir}\E/}{$1/run/};
    return $value;
}

sub in_words {
    my ($type, $preset, $min, $max, $words) = @_;
    my $what =
        $type eq 'integer' ? "integer, $min to $max"
      : $type eq 'boolean' ? 'boolean'
      : $type eq 'list'    ? "list of at most $max strings"
      : $type eq 'word'    ? ($words =~ / / ? 'one of ' . join(', ', split / /, $words) : "empty or $words")
      :                      "$type of " . ($min ? "$min to" : 'at most') . " $max bytes";
    my $default = $preset eq '-' ? 'required' : $preset eq '=' ? 'default empty' : 'default ' . substr $preset, 1;
    return "$what; $default";
}

my $conf = slurp('man/postroad.conf.5');
my %manual;
for (split /^(?=\.It Ic )/m, $conf) {
    /\A\.It Ic (\S+)(?: Ns Ar CLASS Ns Ic (\.\w+))?\n\.Pq ([^\n]+)\n(.*?)(?=^\.(?:Pp|El|Ss|Sh)\b|\z)/ms or next;
    my ($name, $rest, $shape, $help) = ($1, $2, $3, $4);
    my @keys = defined $rest ? map { "$name$_$rest" } qw(account list domain department) : ($name);
    $manual{$_} = [$shape, plain($help)] for @keys;
}
is_deeply([sort keys %manual], [sort keys %setting], 'the manual has all settings and no other');
for my $key (sort keys %setting) {
    my ($type, $preset, $min, $max, $words, $help) = @{ $setting{$key} };
    my $want = [in_words($type, usual($preset), $min, $max, $words), $help];
    is_deeply($manual{$key}, $want, "$key: type, range, default and meaning");
}

# --- rules and maps ---
my $maps = slurp('man/postroad-maps.7');
my %said;
$said{$1} = plain($2) while $maps =~ /^\.It Sy (\d)\n(.*?)(?=^\.(?:It|El))/msg;
is_deeply(\%said, \%rule, 'the rules are those of route_rule_text()');

my $rights = slurp('man/postroad-rights.7');
%said = ();
$said{$1} = plain($2) while $rights =~ /^\.It Sy (\d+)\n(.*?)(?=^\.(?:It|El))/msg;
is_deeply(\%said, \%right, 'the rules of rights are those of rights_rule_text()');
my $sending = slurp('man/postroad-sending.7');
%said = ();
$said{$1} = plain($2) while $sending =~ /^\.It Sy (\d+)\n(.*?)(?=^\.(?:It|El))/msg;
is_deeply(\%said, \%send, 'the rules of sending are those of guard_send_rule_text()');

my $forged = slurp('man/postroad-spoof.7');
%said = ();
$said{$1} = plain($2) while $forged =~ /^\.It Sy (\d+)\n(.*?)(?=^\.(?:It|El))/msg;
is_deeply(\%said, \%spoof, 'the rules of forged senders are those of guard_spoof_rule_text()');

my ($list) = slurp('man/postroad-accounting.5') =~ /^\.Ss Directions\n.*?^\.Bl -enum[^\n]*\n(.*?)^\.El/ms;
my @directions = map { plain($_) } grep { /\S/ } split /^\.It\n/m, $list;
is_deeply(\@directions, [ map { $direction{$_} } sort keys %direction ], 'the rules of directions are those of direction_rule_text()');
my ($table)  = $rights =~ /^\.Ss Actions\n(.*?)^\.Ss /ms;
my ($in_directory, $with_mail) = split /^With mail only:\n/m, $table;
my %acts = map { $_ => 0 } $with_mail =~ /^\.It Cm ([\w:-]+) Ta /mg;
$acts{$_} = 1 for $in_directory =~ /^\.It Cm ([\w:-]+) Ta /mg;
is_deeply(\%acts, \%action, 'the manual has all actions and no other, each at its place');

my %in_code  = map { $_ => 1 } slurp('policyd/maps_answer.c') =~ /\[MAP_\w+\]\s*=\s*\{"(\w+)"/g;
my %in_table = map { $_ => 1 } $maps =~ /^\.It Cm (\w+) Ta /mg;
is_deeply(\%in_table, \%in_code, 'the manual has all maps and no other');

# --- verbs and options ---
my $postroad = slurp('man/postroad.8') . slurp('man/postroad-admin.8') . slurp('man/postroad-ldap-config.8');
my $main     = slurp('ctl/options.c');
my %verbs = map { $_ => 1 } slurp('ctl/verbs.c') =~ /^\s*\{"(\w[\w -]*)",.*?verb_\w+\}/msg;
cmp_ok(scalar keys %verbs, '>=', 5, 'verbs were found in the code');
like($postroad, qr/^\.It Cm $_\b/m, "postroad(8) has the verb $_") for sort keys %verbs;
like($postroad, qr/\bFl -$_\b/, "postroad(8) has the option --$_")
    for grep { $_ ne 'help' } $main =~ /\{"([\w-]+)", (?:no|required)_argument/g;

my $policyd = slurp('man/postroad-policyd.8');
my ($letters) = slurp('policyd/main.c') =~ /getopt\w*\([^"]*"([^"]+)"/;
like($policyd, qr/^\.It Fl $_\b/m, "postroad-policyd(8) has the option -$_")
    for grep { /\w/ && !/[xh]/ } split //, $letters || '';

# --- metrics ---
my %metric     = map { $_ => 1 } join('', map { slurp($_) } glob 'policyd/metrics*.c') =~ /"(postroad_\w+)"/g;
my %documented = map { $_ => 1 } $policyd =~ /\b(postroad_\w+)\b/g;
is_deeply(\%documented, \%metric, 'postroad-policyd(8) has all metrics and no other');

# --- messages ---
# What a message begins with, before the first value.
sub head_of {
    my ($format) = @_;
    $format =~ s/\\"/"/g;
    $format =~ s/(?:[ :]*%|[ ]\w+=|: \w+=).*//s;
    return $format;
}

sub messages {
    my ($page, $name, @files) = @_;
    my %logged;
    for my $file (@files) {
        my $code = slurp($file);
        while ($code =~ /\blog_(?:error|warning|notice)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)/g) {
            my $format = $1 =~ s/"\s*"//gr =~ s/^"|"\s*$//gr;
            $logged{ head_of($format) } = $file if length head_of($format);
        }
    }
    my ($diagnostics) = $page =~ /^\.Sh DIAGNOSTICS\n(.*?)^\.Sh /ms;
    my %explained = map { s/\\-/-/gr =~ s/ ([:;])/$1/gr => 1 } $diagnostics =~ /^\.It Li ([^\n]+)$/mg;
    is_deeply([grep { !$explained{$_} } sort keys %logged], [], "$name explains all messages")
        or diag(map { "  $_: $logged{$_}\n" } grep { !$explained{$_} } sort keys %logged);
    is_deeply([grep { !$logged{$_} } sort keys %explained], [], 'and no others');
}
messages($policyd, 'postroad-policyd(8)', glob 'policyd/*.c');

my $milter = slurp('man/postroad-milter.8');
my ($its_letters) = slurp('milter/main.c') =~ /getopt\(argc, argv, "([^"]+)"/;
like($milter, qr/^\.It Fl $_\b/m, "postroad-milter(8) has the option -$_") for grep { /\w/ && !/h/ } split //, $its_letters;
messages($milter, 'postroad-milter(8)', glob 'milter/*.c');
%said = ();
$said{$1} = plain($2) while $milter =~ /^\.It Sy (\d+)\n(.*?)(?=^\.(?:It|El))/msg;
is_deeply(\%said, \%hold, 'the steps of moderation are those of guard_hold_step_text()');

done_testing();
