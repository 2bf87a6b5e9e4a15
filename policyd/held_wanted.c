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

    if (conf->milter.moderate.n > 0 || *conf->held.bind_dn || *conf->held.sasl_mech)
        return 1;
    snprintf(path, sizeof path, "%s/held", conf->state_dir);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *
held_unwise(const struct conf *conf)
{
    if (!held_wanted(conf))
        return NULL;
    if (!conf->queue.manage)
        return "milter.moderate holds mail, but queue.manage is off: what is held can only be "
               "released by hand, with postsuper";
    if (!*conf->sockets.access)
        return "mail is held, but sockets.access is empty: nobody writes the audit log, so no "
               "verdict is carried out";
    return NULL;
}
