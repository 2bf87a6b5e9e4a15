/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * import: `postroad user import FILE.csv`. See import.h for the order of things;
 * nothing is asked before the file makes sense, nothing written before all is asked.
 */
#include <string.h>

#include "claim.h"
#include "import.h"
#include "password.h"

/* Passwords in clear go to the server only where it is one operation with the add. */
static int
check_passwords(const struct import *im)
{
    for (size_t i = 0; i < im->n; i++)
        if (im->lines[i].password && !password_ours(im->ctl->conf))
            return ctl_usage("a column \"password\" can't be with admin.password_scheme "
                             "\"server\"");
    return CTL_DONE;
}

static int
with_directory(struct import *im)
{
    struct dir *d;
    int code = dir_open(im->ctl, &d);

    if (code != CTL_DONE)
        return code;
    code = import_check_directory(im, d);
    if (code == CTL_DONE && im->no_mirror)
        claim_say_without_mirror(im->ctl);
    if (code == CTL_DONE)
        code = import_write(im, d);
    code = import_report(im, code, code == CTL_DONE ? "" : dir_error(d));
    dir_close(&d);
    return code;
}

int
verb_user_import(struct ctl *ctl)
{
    struct import im = {.ctl = ctl};
    int code;

    if (ctl->argc != 1)
        return ctl_usage("user import takes one file: postroad user import people.csv");
    if (ctl_needs_preset(ctl, "people", "postroad") != CTL_DONE)
        return CTL_USAGE;
    im.file = ctl->argv[0];
    code = import_read(&im);
    if (code == CTL_DONE)
        code = check_passwords(&im);
    if (code == CTL_DONE) {
        import_check_file(&im);
        code = with_directory(&im);
    }
    import_free(&im);
    return code;
}
