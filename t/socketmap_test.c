/* SPDX-License-Identifier: BSD-2-Clause */
/* Socketmap requests and replies as Postfix sends and takes them, and those it never would. */
#include "socketmap.h"
#include "tap.h"

static void
good_requests(void)
{
    static const struct {
        const char *in, *name, *key;
    } row[] = {
        {"25:transport alice@a.example,", "transport", "alice@a.example"},
        {"11:transport *,", "transport", "*"},
        {"8:mailbox ,", "mailbox", ""},
        {"5:a  b ,", "a", " b "},
        {"12:sender a b@x,", "sender", "a b@x"},
        {"15:delivery-status,", NULL, NULL},
        {"0:,", NULL, NULL},
        {"1: ,", NULL, NULL},
        {"4: a b,", NULL, NULL},
        {"3:A b,", NULL, NULL},
        {"5:a_b c,", NULL, NULL},
        {"5:a\tb c,", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct socketmap_request req;
        long n = socketmap_parse(row[i].in, strlen(row[i].in), &req);

        is_int(n, (long)strlen(row[i].in), row[i].in);
        if (row[i].name)
            ok(span_same(req.name, span_of(row[i].name)) && span_same(req.key, span_of(row[i].key)),
               "  map '%s' key '%s'", row[i].name, row[i].key);
        else
            ok(req.name.p == NULL, "  is no request");
    }
}

static void
map_name_of(size_t len, int want)
{
    char in[128];
    struct socketmap_request req;
    int n = snprintf(in, sizeof in, "%zu:", len + 2);

    memset(in + n, 'm', len);
    memcpy(in + n + len, " k,", 3);
    is_int(socketmap_parse(in, (size_t)n + len + 3, &req), n + (long)len + 3, "a long map name");
    is_int(req.name.p != NULL, want, len == 64 ? "  of 64 bytes" : "  of 65 bytes is none");
}

static void
odd_requests(void)
{
    static char big[SOCKETMAP_REQUEST_MAX + 32];
    struct socketmap_request req;

    is_int(socketmap_parse("6:map\0 a,", 9, &req), 9, "NUL in the name");
    is_int(socketmap_parse("7:map a\0b,", 10, &req), 10, "NUL in the key");
    ok(req.name.p == NULL, "  is no request");
    is_int(socketmap_parse("6:map a@b,", 10, &req), -1, "no comma");
    is_int(socketmap_parse("7:map a\x01"
                           "b,",
                           10, &req),
           10, "control byte in the key");
    ok(req.name.n == 3 && req.key.n == 3, "  is the map's business");
    is_int(socketmap_parse("7:map a@", 8, &req), 0, "half a request");
    is_int(socketmap_parse("10001", 5, &req), -1, "a request of 10,001 bytes: refused by its head");
    memcpy(big, "10000:map ", 10);
    memset(big + 10, 'k', 9996);
    big[10006] = ',';
    is_int(socketmap_parse(big, 10007, &req), 10007, "a request of 10,000 bytes");
    is_int((long long)req.key.n, 9996, "  key");
    is_int(socketmap_parse("7:map a@b,7:map c@d,", 20, &req), 10, "two at once");
    ok(span_same(req.key, span_of("a@b")), "  first");
    is_int(socketmap_parse("7:map c@d,", 10, &req), 10, "  second");
}

static void
reply(enum socketmap_status status, const char *data, const char *want)
{
    char out[256];
    long n = socketmap_reply(out, sizeof out - 1, status, span_of(data));

    out[n > 0 ? n : 0] = '\0';
    is_str(out, want, want);
}

static void
replies(void)
{
    reply(SOCKETMAP_OK, "OK", "5:OK OK,");
    reply(SOCKETMAP_OK, "", "3:OK ,");
    reply(SOCKETMAP_NOTFOUND, "", "9:NOTFOUND ,");
    reply(SOCKETMAP_TEMP, "mirror is empty", "20:TEMP mirror is empty,");
    reply(SOCKETMAP_PERM, "no such map", "16:PERM no such map,");
    reply(SOCKETMAP_OK, "relay:[192.0.2.1]:25, [192.0.2.2]:25",
          "39:OK relay:[192.0.2.1]:25, [192.0.2.2]:25,");
    reply(SOCKETMAP_OK, "河北@a.example", "19:OK 河北@a.example,");
    reply(SOCKETMAP_OK, "\n", "4:OK ?,");
    reply(SOCKETMAP_OK,
          "0123456\x7f"
          "89\r\n\t\x1f end",
          "21:OK 0123456?89???? end,");
    reply(SOCKETMAP_OK, "\x80\x9f\xff~ !@", "10:OK \x80\x9f\xff~ !@,");
}

/* The eight-at-a-time copy against the plain meaning, each byte value at each place. */
static void
cleaning(void)
{
    char data[20], out[64];
    int good = 1;

    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < sizeof data; at++) {
            memset(data, 'x', sizeof data);
            data[at] = (char)c;
            socketmap_reply(out, sizeof out, SOCKETMAP_OK, (struct span){data, sizeof data});
            if (c < 0x20 || c == 0x7f)
                data[at] = '?';
            good &= memcmp(out + 6, data, sizeof data) == 0;
        }
    }
    ok(good, "control bytes, and only those, become '?'");
}

static void
reply_limits(void)
{
    static char data[SOCKETMAP_REPLY_MAX + 1], out[SOCKETMAP_WIRE_MAX];

    memset(data, 'a', sizeof data);
    is_int(socketmap_reply(out, sizeof out, SOCKETMAP_OK, (struct span){data, 99997}), 100008,
           "the longest reply");
    is_int(socketmap_reply(out, sizeof out, SOCKETMAP_OK, (struct span){data, 99998}), -1,
           "one byte over");
    is_int(socketmap_reply(out, sizeof out, SOCKETMAP_OK, (struct span){data, (size_t)-1}), -1,
           "a length that wraps");
    is_int(socketmap_reply(out, 8, SOCKETMAP_OK, span_of("OK")), 8, "just fits");
    is_int(socketmap_reply(out, 7, SOCKETMAP_OK, span_of("OK")), -1, "one byte short");
}

static void
client_side(void)
{
    static const struct {
        const char *payload;
        int want;
        const char *data;
    } row[] = {
        {"OK a b", SOCKETMAP_OK, "a b"},
        {"OK ", SOCKETMAP_OK, ""},
        {"OK", SOCKETMAP_OK, ""},
        {"NOTFOUND ", SOCKETMAP_NOTFOUND, ""},
        {"TEMP why", SOCKETMAP_TEMP, "why"},
        {"TIMEOUT why", SOCKETMAP_TEMP, "why"},
        {"PERM why", SOCKETMAP_PERM, "why"},
        {"", -1, NULL},
        {" ", -1, NULL},
        {"ok a", -1, NULL},
        {"OKAY a", -1, NULL},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        enum socketmap_status status;
        struct span data;
        int r = socketmap_reply_parse(span_of(row[i].payload), &status, &data);

        is_int(r < 0 ? r : (int)status, row[i].want, row[i].payload);
        if (row[i].data)
            ok(span_same(data, span_of(row[i].data)), "  data '%s'", row[i].data);
    }
    is_str(socketmap_status_word(SOCKETMAP_NOTFOUND), "NOTFOUND", "status word");
}

int
main(void)
{
    good_requests();
    map_name_of(64, 1);
    map_name_of(65, 0);
    odd_requests();
    replies();
    cleaning();
    reply_limits();
    client_side();
    return tap_done();
}
