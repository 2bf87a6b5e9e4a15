# SPDX-License-Identifier: BSD-2-Clause
#
# RuleMutants: the access rules of a slapd.conf, and what each becomes when one clause of it is taken
# out or changed, each with a name of its own: a whole rule; of its "to" the filter, the values, the attributes, one of each of these,
# or how much of the tree it is for; a whole "by"; of a "by" one of its conditions, one of what a set
# joins, how far a set looks upwards, and what is allowed, more or less of it. Of some of these nothing can be seen: why.
package RuleMutants;
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Exporter qw(import);

our @EXPORT_OK = qw(all_mutants);

# [what is done, and the rule; why nothing can be seen of it]
my @same = (
    [qr/postroad-rules-/, 'the two marks fit no entry'],
    [qr/\| limits /, 'no rules'],
    [qr/^to dn\.exact="cn=edit,\S+" for /, 'auth lets nobody read or write'],
    [qr/^to dn\.subtree="cn=edit,/, 'nothing stands below it, and nobody but a system administrator can put something there'],
    [qr/^to dn\.subtree="cn=held,\S+ attrs=children for /, 'the rules behind it say the same of what stands below'],
    [qr/^to dn\.subtree="cn=held,\S+ for .* by set="\(user/, 'the rules before and behind it say the same of where held mail is'],
    [qr/^to dn\.subtree="cn=held,\S+ attrs=entry,.* by \* read$/, 'its own rules end for each entry below'],
    [qr/^to dn\.subtree="cn=held,\S+ attrs=postroadHeld/, 'where held mail is holds no verdict'],
    [qr/^by \* write for by \* \+a \| \S+ \S+ \S+ attrs=postroadHeldVerdict filter=/, 'there is no verdict then that could be read, replaced or taken away'],
    [qr/^to (?:\*|attrs=\S+) for to dn\.subtree="o=corp"(?: attrs=\S+)? \|/, 'nothing is outside the base'],
    [qr/^to dn\.children="o=corp" for to dn\.subtree="o=corp" \| \S+ to \S+ by self set=/, 'a state at the base would stop everybody'],
    [qr/ val\.regex="\.\+@\(\S+\)\$" for /, 'what is before an @ may be anything'],
    [qr/ attrs=objectClass .*val\.regex="(?:\^postroad\(\S+\)|postroad\(\S+\)\$)" for /, 'no other class has a name that holds that of one of these'],
    [qr/^to dn\.children="o=corp" attrs=\S+ for \S+ \S+ \S+ \| access to \S+ attrs=\S+ by \* none$/, 'the last rule gives nobody that of the base either'],
    [qr/^by (?:users |\* )?set="\(this.* \[forward\]" break for /, 'others go on as well'],
    [qr/^by anonymous set=.* break for by anonymous/, 'the last rule of 3 gives anonymous nothing either'],
    [qr/^by (?:users |\* )?group\S+ set="\(this\S* & \[password\]" break for /, 'who is in the gate goes on as well'],
    [qr/^by self set="\(this\S* & \[password\]" none for /, 'who binds is anonymous while he does, so for himself auth is of no use'],
    [qr/^by \* break for by \* none \| access to .* by (?:users|self) read by \* none$/, 'anonymous, or nobody, is left, whom the last rule of 3 stops'],
    [qr/^by (?:users|\*) break for by (?:\* none|group\S+ break) \| access to dn\.subtree="\S+" attrs=userPassword by anonymous /, 'the rules of 3 give nobody a password'],
    [qr/^by \* break for by \* none \| access to \S+ attrs=userPassword filter=/, 'the next rule gives nobody a password'],
    [qr/^to dn\.subtree=\S+ (?:attrs=\S+ )?filter=\(&\(objectClass=postroadAccount\)\(!\(postroadRole=\*\)\)\)/, 'what domains stand in is no account'],
    [qr/^by \* read for by users read \| access to (?:dn|attrs)\S+(?: (?:attrs|filter|val)\S+)* by users read by \* none$/, 'anonymous is stopped by the last rule of 3'],
    [qr/^to dn\.children="o=corp" attrs=postroadRole,/, 'the base is no account, and has none'],
    [qr/^to dn\.subtree="\S+" attrs=postroadRole,postroadScope,postroadRight for .* by users read by \* none$/, 'what domains stand in is no account, and has none'],
    [qr/^to dn\.children="ou=domains,\S+ for to \S+ \| access to \S+ by self read by \* none$/, 'what domains stand in is no administrator'],
    [qr/^to dn\.subtree=.* \| access to dn\.children\S+ attrs=\S+(?: val\S+)? by users read by \* none$/, 'there nobody writes, and 17 lets all read these'],
    [qr/^to dn\.subtree=\S+ attrs=(?:mail|postroadAlias) filter=\S+\(postroadRole=domain\)/, 'above what domains stand in is no domain'],
    [qr/^to \S+ attrs=objectClass filter=\(!\(\|\(postroadRole=system\)\(postroadRole=super\)\(objectClass=postroadSite\)\(objectClass=postroadServer\)\)\) for /,
        'other values 16 lets him write'],
    [qr/^to \S+ attrs=entry,objectClass,cn,(?!\S*,mail,postroadAlias,\S*,associatedDomain,).* \| access to \S+ attrs=\S+ by users read by \* none$/,
        'the last rules of 10 and 11 let everybody read these'],
    [qr/^by \* break for by \* none \| access to dn\.subtree="ou=domains,\S+ attrs=children /, '16 lets nobody else write'],
    [qr/^by (?:\* break for by \* none|(?:users|\*) write for by dn\.exact="cn=moderation,\S+ write) \| access to dn\.exact="cn=held,\S+ attrs=children /, 'nobody else may write what stands there'],
    [qr/^to \S+ attrs=member val\.regex="\(\[\^\]\[\]\+\)\$" for /, 'what follows a bracket in a name is no name'],
    [qr/^to attrs=children for to dn\.subtree="ou=domains,/, '16 lets nobody write an entry elsewhere'],
    [qr/^to dn\.subtree="cn=admins,/, 'nothing stands below the gate, and nobody but a system administrator can put something there'],
    [qr/^(?:without the rule|to \S+ attrs=\w+ for .*) \| access to \S+ attrs=mail,postroadAlias by users read by \* none$/,
        'saves time: who passed 10 fits no set of 16, which has the same ones, and those of 17 let all read addresses'],
);

# What is allowed instead: first the more.
my %other = (write => ['read'], read => [qw(write none)], '=zrscd' => [qw(write read)], '=w' => [qw(write none)], '=xw' => [qw(write =x)],
    auth => [qw(read none)], disclose => ['break'], none => ['break'], '+0' => ['write'], '+a' => [qw(write +0)],
    break => [], '=rscd break' => ['=rscd', 'write break', '+0 break'], '=rscd continue' => ['=rscd', 'write continue', '+0 continue']);

# Rules and other lines: { rule, line: where it begins, part: the number above it }.
sub lines_of {
    my ($text) = @_;
    my ($n, $part, @all) = (0, 0);
    for (split /\n/, $text) {
        $n++;
        if (/^#(?: (\d+)\. )?/) {
            $part = $1 // $part;
        } elsif (s/^[ \t]+/ /) {
            $all[-1]{rule} .= $_;
        } elsif (/\S/) {
            push @all, { rule => $_, line => $n, part => $part };
        }
    }
    return @all;
}

sub why_same {
    my ($text) = @_;
    my ($first) = grep { $text =~ $_->[0] } @same;
    return $first && $first->[1];
}

# Of the rules of a slapd.conf, in their order: { name, number: of the rule, access: its number among those
# that are access to something, rule, line, part, what: is done, now: what stands there then, text: of all rules
# then, same: why nothing can be seen of it }.
sub all_mutants {
    my ($text) = @_;
    my ($access, @lines, @all) = (0, lines_of($text));
    for my $i (0 .. $#lines) {
        my $rule = $lines[$i]{rule};
        my $is_access = $rule =~ /^access /;
        for (mutants_of($rule)) {
            my ($what, $now) = @$_;
            my @then = (map({ $_->{rule} } @lines[0 .. $i - 1]), $now eq '' ? () : $now, map { $_->{rule} } @lines[$i + 1 .. $#lines]);
            push @all, { %{ $lines[$i] }, number => $i, access => $is_access ? $access : undef, what => $what, now => $now, text => join('', map { "$_\n" } @then),
                name => 'm' . substr(md5_hex("$rule\n$what"), 0, 6), same => scalar why_same("$what | $rule") };
        }
        $access++ if $is_access;
    }
    return @all;
}

# [what is done, the rule then; '': none]
sub mutants_of {
    my ($rule) = @_;
    return (['without', '']) if $rule !~ s/^access //;
    my ($to, @by) = split / (?=by )/, $rule;
    my @all = (['without the rule', '']);
    my $make = sub { join ' ', 'access', @_ };
    for my $i (0 .. $#by) {
        my $ends = $i == $#by && $by[$i] eq 'by * none'; # as slapd ends each rule
        my @rest = @by;
        splice @rest, $i, 1;
        push @all, ["without $by[$i]", $make->($to, @rest)] if @rest && !$ends;
        for my $changed (changed_by($by[$i])) {
            my @others = @by;
            $others[$i] = $changed;
            push @all, ["$changed for $by[$i]", $make->($to, @others)];
        }
    }
    push @all, map { ["$_ for $to", $make->($_, @by)] } changed_to($to);
    my %seen;
    return grep { !$seen{ $_->[1] }++ } @all;
}

# Each with one match of the pattern replaced.
sub each_changed {
    my ($text, $pattern, $with) = @_;
    my @all;
    push @all, "$`$with$'" while $text =~ /$pattern/g;
    return @all;
}

sub changed_by {
    my ($by) = @_;
    my @all;
    if ($by =~ /^(by .*?)(set(?:\.expand)?=")(.*)" (.*)$/) {
        my ($before, $head, $set, $allowed) = ($1, $2, $3, $4);
        my @parts = split / \+ /, $set;
        push @all, map { my $i = $_; join(' + ', @parts[grep { $_ != $i } 0 .. $#parts]) } @parts > 1 ? 0 .. $#parts : ();
        push @all, each_changed($set, qr{/-1/-\*}, '/-*'), each_changed($set, qr{(?<!-1)/-\*}, '');
        push @all, map { each_changed($set, $_, '') } qr{(?<=\()[]\w/[]+ \| }, qr{ \| []\w/[]+(?= \|)}, qr{ \| []\w/[]+(?=\))};
        $_ = "$before$head$_\" $allowed" for @all;
        push @all, map { "by $_ $allowed" =~ s/ +/ /gr } $before =~ /^by (\S+) (\S+) $/ ? ("$1 $2", map { "$_ $head$set\"" } $1, $2)
            : $before =~ /^by (\S+) $/ ? ($1, "$head$set\"") : ();
    }
    push @all, changed_pattern($by) if $by =~ /dn\.regex/;
    push @all, map { "by $_$'" } $by =~ /^by (?:self|users|anonymous|group\S+|(?:real)?dn\.exact=\S+)(?= )/ ? $& eq 'by users' || $& eq 'by anonymous' ? '*' : qw(users *) : ();
    my ($allowed) = $by =~ / (=\S+ \S+|\S+)$/;
    push @all, map { substr($by, 0, -length $allowed) . $_ } @{ $other{$allowed} or die "$by: what is $allowed?\n" };
    return @all;
}

# One alternative of a pattern less, no matter what is before or behind, or any letters.
sub changed_pattern {
    my ($text) = @_;
    my ($before, $pattern, $after) = $text =~ /^(.*(?:val|dn)\.regex=")(.*?)(".*)$/ or return;
    my @all = map { each_changed($pattern, $_, '') } qr/\[\+\]\|/, qr/\|\(\^\|,\).*=/, qr/(?<=[(|])(?:\w|\[a-z\]\+)+\|/, qr/\|\w+(?=\))/, qr/^\^/, qr/\$$/;
    push @all, map { each_changed($pattern, @$_) } [qr/\(\^\|,\)/, '^'], [qr/\(\^\|,\)/, ','], [qr/(?:\[\^\]\[\]|\[a-z0-9\.-\]|\[a-z-\])\+/, '.+'], [qr/\.\+(?=@)/, '.*'];
    my %seen;
    return map { "$before$_$after" } grep { !$seen{$_}++ } @all;
}

sub changed_to {
    my ($to) = @_;
    my @all = map { $to =~ s/ $_=\S+//r } grep { $to =~ / $_=/ } qw(filter val\.regex);
    push @all, $to =~ s/ (?:attrs|val\.regex)=\S+//gr =~ s/^to$/to */r if $to =~ / attrs=/; # values are those of one attribute
    if ($to =~ /^(.* filter=)(\S+)(.*)$/) {
        my ($before, $filter, $after) = ($1, $2, $3);
        push @all, map { "$before$_$after" } grep { !/\(\|\)|\(!\)|\(&\)/ }
            each_changed($filter, qr/\((?:postroadRole|objectClass)=[\w*]+\)/, ''), each_changed($filter, qr/\(!\(postroadRole=\*\)\)/, '');
    }
    if ($to =~ /^(.* attrs=)([^! ]\S*,\S+)(.*)$/) {
        my ($before, $names, $after) = ($1, $2, $3);
        my @names = split /,/, $names;
        push @all, map { my $not = $_; $before . join(',', grep { $_ ne $not } @names) . $after } @names;
    }
    push @all, changed_pattern($to);
    if ($to =~ /dn\.(children|exact|base|subtree)=/) {
        my $other = $1 eq 'subtree' ? 'children' : 'subtree';
        push @all, "$`dn.$other=$'", $to =~ s/ dn\.\w+="[^"]*"//r =~ s/^to$/to */r;
    }
    return @all;
}

1;
