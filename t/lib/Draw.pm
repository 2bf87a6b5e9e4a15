# SPDX-License-Identifier: BSD-2-Clause
#
# Draw: what a test draws by chance is the same at each run, so that who has it fail can repeat it, and who
# changes nothing sees nothing else. POSTROAD_SEED=N draws others, POSTROAD_SEED=new others each time, as
# t/soak does; what was drawn by is printed.
package Draw;
use strict;
use warnings;
use Digest::MD5 qw(md5);
use Exporter qw(import);
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(draw_seed draw_of);

# The seed of this run, told, and given to rand().
sub draw_seed {
    my ($usual) = @_;
    my $seed = $ENV{POSTROAD_SEED} || $usual;
    $seed = 1 + int(time * 7919) % 1_000_000 if $seed eq 'new';
    srand $seed;
    diag("seed $seed; POSTROAD_SEED=$seed draws the same again, POSTROAD_SEED=new something else");
    return $seed;
}

# From 0 up to 1, always the same for the same words: whatever else is drawn, in whichever order.
sub draw_of { return unpack('N', md5("@_")) / 2**32 }

1;
