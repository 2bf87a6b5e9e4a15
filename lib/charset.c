/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * charset: see charset.h. By iconv(3), which loads what it needs from the C library's own folder.
 *
 * Promises: a stranger's word only ever picks a row of the table: no other converter, path or option is asked
 * for. The C library has some hundreds that no mail program writes, and whose code nobody else runs. Must not
 * write beyond cap, whatever a converter makes of the bytes.
 */
#include "charset.h"

#include <iconv.h>
#include <strings.h>

/*
 * Those of the WHATWG's Encoding Standard, by the names mail programs write, and UTF-7, which some mail programs
 * still read. Where they write more than they say, the larger charset is meant.
 */
static const struct charset {
    const char *names; /* in lower case, blanks around each */
    const char *iconv;
} charsets[] = {
    {" utf-8 utf8 unicode-1-1-utf-8 ", "UTF-8"},
    {" utf-7 unicode-1-1-utf-7 ", "UTF-7"},
    {" utf-16 ", "UTF-16"},
    {" utf-16le ", "UTF-16LE"},
    {" utf-16be ", "UTF-16BE"},
    {" us-ascii ascii ansi_x3.4-1968 iso646-us ", "US-ASCII"},
    {" iso-8859-1 iso8859-1 iso_8859-1 latin1 l1 windows-1252 cp1252 x-cp1252 ", "CP1252"},
    {" iso-8859-2 iso8859-2 iso_8859-2 latin2 l2 ", "ISO-8859-2"},
    {" iso-8859-3 iso8859-3 iso_8859-3 latin3 l3 ", "ISO-8859-3"},
    {" iso-8859-4 iso8859-4 iso_8859-4 latin4 l4 ", "ISO-8859-4"},
    {" iso-8859-5 iso8859-5 iso_8859-5 cyrillic ", "ISO-8859-5"},
    {" iso-8859-6 iso8859-6 iso_8859-6 iso-8859-6-e iso-8859-6-i arabic ", "ISO-8859-6"},
    {" iso-8859-7 iso8859-7 iso_8859-7 greek ", "ISO-8859-7"},
    {" iso-8859-8 iso8859-8 iso_8859-8 iso-8859-8-e iso-8859-8-i hebrew logical ", "ISO-8859-8"},
    {" iso-8859-9 iso8859-9 iso_8859-9 latin5 l5 windows-1254 cp1254 x-cp1254 ", "CP1254"},
    {" iso-8859-10 iso8859-10 iso_8859-10 latin6 l6 ", "ISO-8859-10"},
    {" iso-8859-11 iso8859-11 tis-620 windows-874 cp874 dos-874 ", "CP874"},
    {" iso-8859-13 iso8859-13 iso_8859-13 ", "ISO-8859-13"},
    {" iso-8859-14 iso8859-14 iso_8859-14 ", "ISO-8859-14"},
    {" iso-8859-15 iso8859-15 iso_8859-15 latin9 l9 ", "ISO-8859-15"},
    {" iso-8859-16 iso8859-16 iso_8859-16 ", "ISO-8859-16"},
    {" windows-1250 cp1250 x-cp1250 ", "CP1250"},
    {" windows-1251 cp1251 x-cp1251 ", "CP1251"},
    {" windows-1253 cp1253 x-cp1253 ", "CP1253"},
    {" windows-1255 cp1255 x-cp1255 ", "CP1255"},
    {" windows-1256 cp1256 x-cp1256 ", "CP1256"},
    {" windows-1257 cp1257 x-cp1257 ", "CP1257"},
    {" windows-1258 cp1258 x-cp1258 ", "CP1258"},
    {" koi8-r koi8 koi ", "KOI8-R"},
    {" koi8-u koi8-ru ", "KOI8-U"},
    {" ibm866 cp866 866 ", "CP866"},
    {" macintosh mac x-mac-roman ", "MACINTOSH"},
    {" x-mac-cyrillic x-mac-ukrainian ", "MAC-UK"},
    {" gb2312 gb_2312 gb_2312-80 csgb2312 chinese euc-cn gbk x-gbk cp936 gb18030 ", "GB18030"},
    {" big5 big5-hkscs cn-big5 csbig5 x-x-big5 cp950 ", "BIG5-HKSCS"},
    {" iso-2022-jp csiso2022jp ", "ISO-2022-JP"},
    {" euc-jp x-euc-jp ", "EUC-JP"},
    {" shift_jis shift-jis sjis x-sjis ms_kanji windows-31j cp932 ", "CP932"},
    {" euc-kr ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 korean windows-949 cp949 uhc ",
     "CP949"}};

static int
is_named(const char *names, struct span name)
{
    for (const char *p = names; (p = strchr(p, ' ')) && *++p;)
        if (strncasecmp(p, name.p, name.n) == 0 && p[name.n] == ' ')
            return 1;
    return 0;
}

/* NULL: none of ours. */
static const char *
find(struct span name)
{
    if (name.n == 0)
        return "US-ASCII";
    if (memchr(name.p, '\0', name.n) || memchr(name.p, ' ', name.n))
        return NULL;
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
        if (is_named(charsets[i].names, name))
            return charsets[i].iconv;
    return NULL;
}

long
charset_utf8(struct span charset, struct span in, char *out, size_t cap)
{
    const char *name = find(charset);
    char *from = (char *)in.p, *to = out;
    size_t left = in.n, room = cap;
    iconv_t c;
    int bad;

    c = name ? iconv_open("UTF-8", name) : (iconv_t)-1;
    if (c == (iconv_t)-1)
        return -1;
    bad = (left > 0 && iconv(c, &from, &left, &to, &room) == (size_t)-1) ||
          iconv(c, NULL, NULL, &to, &room) == (size_t)-1;
    iconv_close(c);
    return bad || left > 0 ? -1 : (long)(cap - room);
}
