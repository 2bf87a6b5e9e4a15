/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_wanted: see held_wanted.h. A folder of held messages is enough: who takes his last rule out of
 * the configuration does not want to forget the messages it held.
 */
#include "held_wanted.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A rule of this configuration may hold mail; domains may ask for it as well, in the directory. */
static int
held_configured(const struct conf *conf)
{
    return conf->milter.moderate.n > 0 || *conf->held.bind_dn || *conf->held.sasl_mech ||
           strcmp(conf->spoof.action, "quarantine") == 0;
}

int
held_wanted(const struct conf *conf)
{
    char path[4096];
    struct stat st;

    if (held_configured(conf))
        return 1;
    snprintf(path, sizeof path, "%s/held", conf->state_dir);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *
held_unwise(const struct conf *conf)
{
    if (!held_configured(conf))
        return NULL;
    if (!conf->queue.manage)
        return "mail is held by rules, but queue.manage is off: what is held can only be released "
               "by hand, with postsuper";
    if (!*conf->sockets.access)
        return "mail is held, but sockets.access is empty: nobody writes the audit log, so no "
               "verdict is carried out";
    return NULL;
}
