#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# All of t/plugin.t on sdbox, where messages and their flags are kept in another way.
use strict;
use warnings;
use FindBin qw($Bin);

$ENV{PLUGIN_STORAGE} = 'sdbox';
exec $^X, "$Bin/plugin.t" or die "plugin.t: $!\n";
