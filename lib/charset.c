/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * charset: see charset.h. By iconv(3), which loads what it needs from the C library's own folder.
 *
 * Promises: a name can't ask for more than a charset: no path, no transliteration. Must not write beyond
 * cap, whatever a converter makes of the bytes.
 */
#include "charset.h"

#include <iconv.h>
#include <strings.h>

#define NAME_LEN 40

static int
copy_name(char out[NAME_LEN + 1], struct span name)
{
    static const char may[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+()";

    if (name.n > NAME_LEN)
        return -1;
    for (size_t i = 0; i < name.n; i++)
        if (!name.p[i] || !strchr(may, name.p[i]))
            return -1;
    memcpy(out, name.p ? name.p : "", name.n);
    out[name.n] = '\0';
    return 0;
}

/* What mailers call charsets that write more than they say: the larger one. */
static const char *
meant(const char *name)
{
    static const char *const larger[][2] = {
        {"", "US-ASCII"},       {"gb2312", "GB18030"},       {"gbk", "GB18030"},
        {"x-gbk", "GB18030"},   {"ks_c_5601-1987", "CP949"}, {"euc-kr", "CP949"},
        {"shift_jis", "CP932"}, {"iso-8859-1", "CP1252"},    {"utf8", "UTF-8"}};

    for (size_t i = 0; i < sizeof larger / sizeof *larger; i++)
        if (strcasecmp(larger[i][0], name) == 0)
            return larger[i][1];
    return name;
}

long
charset_utf8(struct span charset, struct span in, char *out, size_t cap)
{
    char name[NAME_LEN + 1], *from = (char *)in.p, *to = out;
    size_t left = in.n, room = cap;
    iconv_t c;
    int bad;

    if (copy_name(name, charset) < 0)
        return -1;
    c = iconv_open("UTF-8", meant(name));
    if (c == (iconv_t)-1)
        return -1;
    bad = (left > 0 && iconv(c, &from, &left, &to, &room) == (size_t)-1) ||
          iconv(c, NULL, NULL, &to, &room) == (size_t)-1;
    iconv_close(c);
    return bad || left > 0 ? -1 : (long)(cap - room);
}
