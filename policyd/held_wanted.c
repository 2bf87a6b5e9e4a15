/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_wanted: see held_wanted.h. A folder of held messages is enough: who takes his last rule out of
 * the configuration does not want to forget the messages it held.
 */
#include "held_wanted.h"

#include <stdio.h>
#include <sys/stat.h>

int
held_wanted(const struct conf *conf)
{
    char path[4096];
    struct stat st;

    if (*conf->held.bind_dn || *conf->held.sasl_mech)
        return 1;
    snprintf(path, sizeof path, "%s/held", conf->state_dir);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
