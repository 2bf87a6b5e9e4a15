#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Holds the sources to the rules the folders are built on: who may include whom,
# which library belongs to which file, what a pure file may do, how long files
# and functions get, and what each file starts with. Reads sources, and the
# objects of the pure half when they were built. Needs nothing but perl and nm.
use strict;
use warnings;
use Test::More;
use File::Find;

my @pure = qw(account accounting_line addr attrs attrs_take attrs_text audit_chain audit_filter audit_line auth_results auth_vouch base64 byte_marks cidr csv digest direction filter fold_text freshness fnv from_header guard_handoff guard_hold guard_send guard_spoof held_id held_words hold_parse hold_rule limits mime_names mime_scan mime_text mime_type mime_words named nearest netstring plain_text policy queue_line rights rights_words route routed site socketmap spoof_judge tabline uuid window x509);

# Pure files and what they may take from elsewhere nevertheless.
my %pure_may_include = (
    byte_marks => { 'emmintrin.h' => 'many bytes compared at once' },
    attrs => { 'conf.h' => 'the shape of directory.map', 'stdlib.h' => 'attrs_wanted gives an array away' },
    cidr => { map { $_ => 'addresses as text, and as a socket has them' } qw(arpa/inet.h netinet/in.h sys/socket.h) },
);
my %pure_may_call = (attrs => { map { $_ => 1 } qw(malloc calloc realloc free strdup) });

# A program may use lib/ and itself.
my @programs = qw(policyd ctl milter dovecot-plugin);

# Third-party header => the files it belongs to.
my @homes = (
    [qr/^lmdb\.h$/         => qr{^lib/(?:mirror\w*|cold_table)\.[ch]$|^policyd/hook_store\.c$|^bench/}],
    [qr/^(ldap|lber|ldif|ldap_(?:cdefs|features|schema|utf8))\.h$/ => qr{^policyd/(dn|ldif|syncrepl|edit_ldap|held_ldap)\w*\.[ch]$|^lib/ldap_(?:bounds|tls)\.c$|^ctl/dir(_\w+)?\.[ch]$}],
    [qr/^libconfig\.h$/    => qr{^lib/conf\w*\.c$}],
    [qr/^jansson\.h$/      => qr{^policyd/(control|explain|held|hook|http|trouble|duplicates|moving)\w*\.[ch]$|^lib/held_json\.c$|^ctl/|^t/}],
    [qr/^event2\/|^event\.h$/ => qr{^policyd/|^t/(?:tools/queue_ask|questions_test|access_client_test|transfers_test)\.c$}],
    [qr/^nettle\//         => qr{^lib/(base64|digest|uuid)\.c$|^ctl/(?:password_hash|doctor_cert)\.c$|^policyd/(homes_table|hook_sign)\.c$}],
    [qr/^(?:crypt|argon2)\.h$/ => qr{^ctl/password_hash\.c$}],
    [qr/^(idn2|uni(case|norm|str|types|ctype|conv))\.h$/ => qr{^lib/(addr\w*|fold_text)\.c$}],
    [qr/^curl\//           => qr{^policyd/transfers\.[ch]$}],
    [qr/^seccomp\.h$/      => qr{^lib/sandbox\.c$}],
    [qr/^libmilter\//      => qr{^milter/|^bench/null_milter\.c$}],
    [qr/^systemd\//        => qr{^policyd/}],
    [qr/^(mail-(storage|user|namespace)|mailbox-list|module-dir|settings-parser|doveadm|imap-comm|pop3-comm|istream|ostream)[\w-]*\.h$/ => qr{^dovecot-plugin/}],
);

my $FUNCTION_MAX = 100;
my $FILE_MAX     = 600;

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# All that belongs to the tree: what git lists, or in a tarball what looks like source.
sub tree_files {
    my @files;
    if (-e '.git' && open my $git, '-|', 'git ls-files -z --cached --others --exclude-standard 2>/dev/null') {
        local $/ = "\0";
        chomp(@files = <$git>);
    }
    if (!@files) {
        find({ no_chdir => 1, wanted => sub {
            $File::Find::prune = 1 if m{/(autom4te\.cache|\.git)$};
            push @files, s{^\./}{}r if -f && !m{\.(o|d|a|gz|log)$} && !m{/config\.(h|h\.in|mk|status)$} && !m{^\./configure};
        } }, '.');
    }
    return sort grep { -f && -T } @files;
}

# C without comments and the insides of strings, newlines kept.
sub code_of {
    my ($text) = @_;
    $text =~ s{(/\*.*?\*/)|//[^\n]*|"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'}
              { defined $1 ? "\n" x ($1 =~ tr/\n//) : defined $2 ? '""' : defined $3 ? "' '" : '' }gse;
    return $text;
}

sub includes {
    my ($text) = @_;
    return $text =~ /^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]/mg;
}

# [name, first line, lines] of each function: the format puts its braces into column one.
sub functions {
    my ($text) = @_;
    my (@found, $name, $start, $n);
    for my $line (split /\n/, $text) {
        $n++;
        if ($line =~ /^(\w+)\(/) { $name = $1 }
        elsif ($line eq '{') { $start = $n }
        elsif ($line =~ /^\}/ && $start) {
            push @found, [$name || '?', $start, $n - $start + 1];
            ($name, $start) = ();
        }
    }
    return @found;
}

sub holds {
    my ($what, @bad) = @_;
    ok(!@bad, $what) or diag(map { "  $_\n" } @bad);
}

my @files = tree_files();
my @c     = grep { /\.[ch]$/ } @files;
my %text  = map { $_ => slurp($_) } @files;
my %code  = map { $_ => code_of($text{$_}) } @c;
my %is_pure = map { ("lib/$_.c" => $_, "lib/$_.h" => $_) } @pure;
my %lib_header = map { m{^lib/(.+\.h)$} ? ($1 => 1) : () } @c;

cmp_ok(scalar @c, '>', 10, 'there are sources to look at');

# Dovecot's own config.h is the one its headers mean.
my @config = grep { m{^dovecot-plugin/} && $text{$_} =~ /^#\s*include\s*[<"](\.\.\/)?(config|lib\/.*)\.h/m } @c;
my @version = grep { m{^dovecot-plugin/} && !/-2\.[34]\.[ch]$/ && $code{$_} =~ /DOVECOT_(VERSION|PREREQ)|^#\s*if(?!ndef POSTROAD_\w+_H)/m } @c;

# --- who includes whom ---
my (@up, @across, @pure_inc, @foreign);
for my $file (@c) {
    my ($dir) = $file =~ m{^([^/]+)/};
    for my $inc (includes($text{$file})) {
        my ($of) = grep { $inc =~ m{^(\.\./)?\Q$_\E/} || (-e "$_/$inc" && $_ ne $dir && !-e "$dir/$inc" && !-e "lib/$inc") } @programs;
        push @up, "$file: $inc" if $dir eq 'lib' && $of;
        push @across, "$file: $inc" if $of && $of ne $dir && grep { $_ eq $dir } @programs;
        for (@homes) {
            my ($header, $home) = @$_;
            push @foreign, "$file: <$inc>" if $inc =~ $header && $file !~ $home;
        }
        my $p = $is_pure{$file} or next;
        next if $pure_may_include{$p}{$inc};
        my $fine = $lib_header{$inc} ? $inc =~ /^(span|@{[join '|', @pure]})\.h$/
            : $inc =~ m{^(stddef|stdint|stdbool|string|strings|limits|inttypes|ctype|stdarg|stdio)\.h$|^(idn2|uni(case|norm|str|types|ctype|conv))\.h$|^nettle/};
        push @pure_inc, "$file: $inc" unless $fine;
    }
}
holds('the Dovecot plugins include nothing of ours from elsewhere', @config);
holds('they differ between versions of Dovecot by file only', @version);
holds('lib includes nothing of the programs', @up);
holds('no program includes another', @across);
holds('each third-party header stays where it belongs', @foreign);
holds('pure files include nothing that does I/O, tells the time, logs or allocates', @pure_inc);

# --- what pure files call, in the source and in the object ---
my @calls = qw(malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf printf fprintf
    vprintf vfprintf puts fputs putchar fwrite fopen fclose perror open openat read write close socket
    time gettimeofday clock_gettime localtime gmtime strerror getenv syslog exit _exit);
my $calls = join '|', @calls;
my @impure;
for my $file (grep { $is_pure{$_} && /\.c$/ } @c) {
    my $may = $pure_may_call{ $is_pure{$file} } || {};
    push @impure, "$file: $_()" for grep { !$may->{$_} } $code{$file} =~ /(?<![\w.>])($calls|errno|log_\w+|conf_\w+|mirror_\w+|ask_\w+)\s*(?:\(|\b(?=errno))/g;
    push @impure, "$file: errno" if $code{$file} =~ /\berrno\b/;
    (my $object = $file) =~ s/\.c$/.o/;
    next unless -e $object;
    my @undefined = map { /\bU (\w+)/ ? $1 : () } `nm -u $object 2>/dev/null`;
    s/^__(\w+)_chk$/$1/ for @undefined;
    push @impure, "$object: $_" for grep { !$may->{$_} && /^($calls|__errno_location|(log|conf|mirror|ask)_\w+)$/ } @undefined;
}
holds('pure files call nothing that does I/O, tells the time, logs or allocates', @impure);

# --- length and shape ---
my (@long, @long_file, @guard, @head, @typedef);
for my $file (@c) {
    push @long, map { "$file:$_->[1] $_->[0]() has $_->[2] lines" } grep { $_->[2] > $FUNCTION_MAX } functions($code{$file});
    my $least = $file =~ m{^(lib|policyd|ctl|milter|dovecot-plugin)/} ? 3 : 1;
    my ($opening) = $text{$file} =~ m{\A/\* SPDX-License-Identifier: BSD-2-Clause \*/\n(/\*.*?\*/)}s;
    push @head, $file if !defined $opening || $opening =~ tr/\n// < $least - 1;
    push @typedef, "$file: $1" if $code{$file} =~ /^\s*(typedef\s+(?:struct|union)\b[^;\n]*)/m;
    next unless $file =~ m{([\w-]+)\.h$};
    (my $guard = uc "POSTROAD_$1_H") =~ tr/-/_/;
    push @guard, "$file: $guard" unless $text{$file} =~ /^#ifndef (POSTROAD_\w+_H)\n#define \1\n/m;
}
for my $file (grep { !/\.(md|ldif|tbl|schema|[1-8])$/ && $_ ne 'LICENSE' } @files) {
    my $lines = $text{$file} =~ tr/\n//;
    push @long_file, "$file has $lines lines" if $lines > $FILE_MAX;
}
holds("no function has more than $FUNCTION_MAX lines", @long);
holds("no file has more than $FILE_MAX lines", @long_file);
holds('each C file says at its top what it is for', @head);
holds('each header has its guard', @guard);
holds('no typedef hides a struct', @typedef);

# --- scripts, and what must not be in any file ---
my (@spdx, @mode, @syntax, @path);
my $host = join '|', map { quotemeta } map { join '.', @$_ }
    ([qw(deb debian org)], [qw(security debian org)], [qw(snapshot debian org)], [qw(archive ubuntu com)]);
for my $file (@files) {
    my $script = $text{$file} =~ /\A#!(.*)/ ? $1 : '';
    if ($script || $file =~ m{\.(c|h|pl|pm|sh|ac|in|mk)$|(^|/)Makefile$|^\.clang-format$}) {
        push @spdx, $file unless $text{$file} =~ /\A(#!.*\n)?.{0,4}SPDX-License-Identifier: BSD-2-Clause\b/;
    }
    push @mode, $file if $script && !-x $file;
    push @mode, "$file: no #!" if $file =~ m{^t/[^/]+\.t$} && !$script;
    if ($script =~ m{/(ba|da)?sh\b}) {
        my $sh = $script =~ /bash/ ? 'bash' : 'sh';
        my $out = `$sh -n '$file' 2>&1`;
        push @syntax, $out if $?;
    }
    while ($text{$file} =~ m{(?<![\w.\$\}/-])((?:/work/|/tmp/\w|/home/(?!\$|%|\{|vmail|<)|/root/|/Users/)[\w/.-]*)|(\b(?:$host)\b)}g) {
        my $hit = defined $1 ? $1 : $2;
        push @path, "$file: $hit" unless $file eq 't/layers.t' || $hit =~ m{^/tmp/[\w.-]+X{6}$};
    }
}
holds('each source and script names its license', @spdx);
holds('each script can be run', @mode);
holds('each shell script can be parsed', @syntax);
holds('no file knows a path or package host of some machine', @path);

done_testing();
