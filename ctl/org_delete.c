/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org, deleting: an entry goes only when nothing stands below it and whoever asks
 * for it was told what follows. What points to it is named, and taken away.
 */
#include <stdio.h>
#include <string.h>

#include "org.h"

int
org_delete(struct org *o, const char *dn, const char *what, const char *name, const char *follows)
{
    char first[ORG_DN_MAX];
    size_t n = 0;
    int code = org_count(o, dn, DIR_ONE, "(objectClass=*)", &n, first);

    if (code == CTL_DONE && n > 0)
        return ctl_fail(o->ctl, CTL_NO,
                        "%s %s is not empty: %zu %s directly below it, %s among them. "
                        "Move or delete them first",
                        what, name, n, n == 1 ? "entry stands" : "entries stand", first);
    if (code == CTL_DONE)
        code = org_confirm(o, "Delete %s %s (%s)? %s", what, name, dn, follows);
    if (code == CTL_DONE)
        code = org_references(o, dn, NULL);
    if (code != CTL_DONE)
        return code;
    code = dir_delete(o->d, dn);
    return code == CTL_DONE ? org_done(o, dn, "deleted %s %s", what, name) : org_fail(o, code);
}
