/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_type: see mime_type.h.
 *
 * Blanks, quotes and comments are left out wherever they stand: some program may do so. Promises: a type
 * that one of them knows is known here, whatever stands around it. Must not look at parameters: they may lie.
 */
#include "mime_type.h"

#include <string.h>
#include <strings.h>

#define TYPE_MAX 64 /* all that are known are shorter */

/* "type/subtype" of a value alone; what is longer is cut, and then is none of those known. */
static void
plain(struct span value, char out[TYPE_MAX])
{
    size_t n = 0;
    int depth = 0;

    for (size_t i = 0; i < value.n && n < TYPE_MAX - 1; i++) {
        char c = value.p[i];

        if (depth == 0 && (c == ';' || c == ','))
            break;
        if (c == '(')
            depth++;
        else if (c == ')')
            depth -= depth > 0;
        else if (depth == 0 && c && !strchr(" \t\r\n\"", c))
            out[n++] = c;
    }
    out[n] = '\0';
}

static const char *
find(const char *const (*rows)[2], size_t n, struct span value)
{
    char type[TYPE_MAX];

    plain(value, type);
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(rows[i][0], type) == 0)
            return rows[i][1];
    return NULL;
}

const char *
mime_type_sealed(struct span value)
{
    static const char *const rows[][2] = {
        {"application/ms-tnef", "winmail.dat"},   {"application/vnd.ms-tnef", "winmail.dat"},
        {"application/pkcs7-mime", "smime.p7m"},  {"application/x-pkcs7-mime", "smime.p7m"},
        {"multipart/encrypted", "encrypted.pgp"}, {"application/pgp-encrypted", "encrypted.pgp"},
        {"application/pgp", "encrypted.pgp"},
    };

    return find(rows, sizeof rows / sizeof *rows, value);
}

const char *
mime_type_elsewhere(struct span value)
{
    static const char *const rows[][2] = {
        {"message/partial", "it is a part of a message only"},
        {"message/external-body", "a part's content is elsewhere"},
    };

    return find(rows, sizeof rows / sizeof *rows, value);
}
