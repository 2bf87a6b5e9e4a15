/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * import_show: what an administrator sees of an import: a bar while it runs, then
 * every line's fate, and the sum with what to do about it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "import.h"
#include "text.h"

#define BAR 30

static const char *const words[FATES] = {[FATE_OPEN] = "not tried",
                                         [FATE_ADDED] = "added",
                                         [FATE_THERE] = "there already",
                                         [FATE_REFUSED] = "refused",
                                         [FATE_UNKNOWN] = "not known"};

void
import_progress(const struct import *im, const char *what, size_t done, size_t all)
{
    static size_t shown;
    size_t step = all / 200 + 1, full = all ? done * BAR / all : BAR;

    if (im->ctl->json || !isatty(STDERR_FILENO) || (done % step && done != all))
        return;
    shown = done;
    fprintf(stderr, "\r%-22s [%.*s%.*s] %zu/%zu", what, (int)full, "##############################",
            (int)(BAR - full), "..............................", shown, all);
    if (done == all)
        fputs("\r\033[K", stderr);
}

static const char *
reason(const struct import_line *l)
{
    switch (l->fate) {
    case FATE_ADDED:
        return l->dn;
    case FATE_THERE:
        return l->there_dn;
    case FATE_REFUSED:
        return l->why ? l->why : "no memory";
    case FATE_UNKNOWN:
        return "the connection broke before the answer";
    default:
        return "";
    }
}

static json_t *
line_json(const struct import_line *l)
{
    const char *address = l->u.value[USER_ADDRESS] ? l->u.value[USER_ADDRESS] : "";
    json_t *why = json_string(reason(l));

    return json_pack("{s:i, s:s, s:s, s:o}", "line", (int)l->line, "address", address, "fate",
                     words[l->fate], l->fate == FATE_ADDED || l->fate == FATE_THERE ? "dn" : "why",
                     why ? why : json_string("not UTF-8"));
}

static int
report_json(const struct import *im, const size_t count[FATES], int code, const char *error)
{
    json_t *list = json_array();

    for (size_t i = 0; i < im->n; i++)
        json_array_append_new(list, line_json(&im->lines[i]));
    ctl_print_json(
        json_pack("{s:b, s:s*, s:i, s:i, s:i, s:i, s:i, s:i, s:o}", "ok", code == CTL_DONE, "error",
                  *error ? error : NULL, "code", code, "added", (int)count[FATE_ADDED], "there",
                  (int)count[FATE_THERE], "refused", (int)count[FATE_REFUSED], "unknown",
                  (int)count[FATE_UNKNOWN], "open", (int)count[FATE_OPEN], "lines", list));
    return code;
}

static void
report_lines(const struct import *im, int dry)
{
    for (size_t i = 0; i < im->n; i++) {
        const struct import_line *l = &im->lines[i];

        if (dry && l->fate == FATE_ADDED)
            continue;
        printf("%sline %u: %s%s", dry ? "# " : "", l->line, words[l->fate],
               l->u.value[USER_ADDRESS] ? " " : "");
        text_put(stdout, l->u.value[USER_ADDRESS] ? l->u.value[USER_ADDRESS] : "");
        if (*reason(l))
            fputs(": ", stdout);
        text_put(stdout, reason(l));
        putchar('\n');
    }
}

int
import_report(const struct import *im, int code, const char *error)
{
    size_t count[FATES] = {0};
    int dry = ctl_value(im->ctl, "dry-run") != NULL;

    for (size_t i = 0; i < im->n; i++)
        count[im->lines[i].fate]++;
    if (code == CTL_DONE && count[FATE_REFUSED] > 0)
        code = CTL_NO;
    if (im->ctl->json && !dry)
        return report_json(im, count, code, error);
    report_lines(im, dry);
    fflush(stdout);
    fprintf(stderr, "%zu people: %zu %s, %zu there already, %zu refused", im->n, count[FATE_ADDED],
            dry ? "would be added" : "added", count[FATE_THERE], count[FATE_REFUSED]);
    if (count[FATE_UNKNOWN] + count[FATE_OPEN] > 0)
        fprintf(stderr, ", %zu not known, %zu not tried", count[FATE_UNKNOWN], count[FATE_OPEN]);
    fputc('\n', stderr);
    if (code == CTL_TEMPORARY)
        fprintf(stderr,
                "postroad: %s\n  Run the same again: what was added stays, the rest is "
                "tried.\n",
                error);
    return code;
}
