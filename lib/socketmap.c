/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socketmap: requests and replies of socketmap_table(5) over bytes.
 *
 * Promises: a request's spans point into the caller's buffer; a reply is framed
 * right or not written at all, and nothing the directory holds can break its
 * framing or put a control byte into Postfix's log. Must not read, log or
 * allocate. Both functions are called for every lookup: no formatting calls.
 */
#include <stdint.h>

#include "socketmap.h"

#define NAME_MAX_LEN 64

static const struct span status_words[] = {
    [SOCKETMAP_OK] = {"OK ", 3},
    [SOCKETMAP_NOTFOUND] = {"NOTFOUND ", 9},
    [SOCKETMAP_TEMP] = {"TEMP ", 5},
    [SOCKETMAP_PERM] = {"PERM ", 5},
};

static int
is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

long
socketmap_parse(const char *buf, size_t n, struct socketmap_request *req)
{
    struct span all;
    size_t i = 0;
    long used = netstring_parse(buf, n, SOCKETMAP_REQUEST_MAX, &all);

    if (used <= 0)
        return used;
    *req = (struct socketmap_request){{NULL, 0}, {NULL, 0}};
    while (i < all.n && i <= NAME_MAX_LEN && is_name_byte(all.p[i]))
        i++;
    if (i == 0 || i > NAME_MAX_LEN || i == all.n || all.p[i] != ' ')
        return used;
    if (memchr(all.p + i, '\0', all.n - i))
        return used;
    req->name = (struct span){all.p, i};
    req->key = (struct span){all.p + i + 1, all.n - i - 1};
    return used;
}

/* Not 0 when one of the eight bytes is below 0x20 or is 0x7f. */
static uint64_t
any_control(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t del = eight ^ (ones * 0x7f);

    return (((eight - ones * 0x20) & ~eight) | ((del - ones) & ~del)) & tops;
}

static void
copy_clean(char *out, const char *s, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint64_t eight;

        memcpy(&eight, s + i, 8);
        if (any_control(eight))
            break;
        memcpy(out + i, &eight, 8);
    }
    for (; i < n; i++)
        out[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i];
}

long
socketmap_reply(char *out, size_t cap, enum socketmap_status status, struct span data)
{
    struct span word = status_words[status];
    char head[NETSTRING_HEAD_MAX];
    size_t len = word.n + data.n, n;

    if (data.n > SOCKETMAP_REPLY_MAX || len > SOCKETMAP_REPLY_MAX)
        return -1;
    n = netstring_head(len, head);
    if (n + len + 1 > cap)
        return -1;
    memcpy(out, head, n);
    memcpy(out + n, word.p, word.n);
    copy_clean(out + n + word.n, data.p, data.n);
    out[n + len] = ',';
    return (long)(n + len + 1);
}

int
socketmap_reply_parse(struct span payload, enum socketmap_status *status_r, struct span *data_r)
{
    const char *blank = payload.n > 0 ? memchr(payload.p, ' ', payload.n) : NULL;
    size_t len = blank ? (size_t)(blank - payload.p) : payload.n;
    struct span word = {payload.p, len};

    *data_r = blank ? (struct span){blank + 1, payload.n - len - 1} : (struct span){NULL, 0};
    if (span_same(word, span_of("TIMEOUT"))) {
        *status_r = SOCKETMAP_TEMP;
        return 0;
    }
    for (int s = SOCKETMAP_OK; s <= SOCKETMAP_PERM; s++) {
        if (span_same(word, span_of(socketmap_status_word((enum socketmap_status)s)))) {
            *status_r = (enum socketmap_status)s;
            return 0;
        }
    }
    return -1;
}

const char *
socketmap_status_word(enum socketmap_status s)
{
    static const char *const words[] = {
        [SOCKETMAP_OK] = "OK",
        [SOCKETMAP_NOTFOUND] = "NOTFOUND",
        [SOCKETMAP_TEMP] = "TEMP",
        [SOCKETMAP_PERM] = "PERM",
    };

    return words[s];
}
