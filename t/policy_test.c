/* SPDX-License-Identifier: BSD-2-Clause */
/* policy: requests as Postfix sends them, and as nobody should. */
#include "byte_marks.h"
#include "policy.h"
#include "t/tap.h"

#define REQUEST "request=smtpd_access_policy\n"

static const char handoff[] =
    REQUEST "protocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=10.77.0.2\n"
            "sender=\nrecipient=bob+a=b@corp.example\nqueue_id=\nstress=\n"
            "ccert_subject=\nccert_fingerprint=AA:BB:CC\npolicy_context=handoff\n\n";

static char big[POLICY_REQUEST_MAX + 64];

static void
is_span(struct span s, const char *want, const char *what)
{
    char got[256];

    snprintf(got, sizeof got, "%.*s", (int)s.n, s.p ? s.p : "");
    is_str(s.p ? got : NULL, want, what);
}

static void
test_whole(void)
{
    struct policy_request r;
    size_t n = sizeof handoff - 1;
    int early = 0;

    is_int(policy_parse(handoff, n, &r), (long long)n, "a request of Postfix is taken whole");
    is_span(r.request, "smtpd_access_policy", "request");
    is_span(r.protocol_state, "RCPT", "protocol_state");
    is_span(r.policy_context, "handoff", "policy_context");
    is_span(r.client_address, "10.77.0.2", "client_address");
    is_span(r.sender, "", "an empty value is a value");
    is_span(r.recipient, "bob+a=b@corp.example", "a value may hold \"=\"");
    is_span(r.ccert_fingerprint, "AA:BB:CC", "ccert_fingerprint");
    for (size_t i = 0; i < n; i++)
        early += policy_parse(handoff, i, &r) != 0;
    is_int(early, 0, "no beginning of it is taken, nor refused");
}

static void
test_row(const char *text, long want, const char *what)
{
    struct policy_request r;

    is_int(policy_parse(text, strlen(text), &r), want < 1 ? want : (long)strlen(text), what);
}

static void
test_words(void)
{
    struct policy_request r;
    const char *two = REQUEST "\n" REQUEST "sender=x\n\n",
               *twice = "sender=a\n" REQUEST "sender=b\n\n";

    is_int(policy_parse(two, strlen(two), &r), (long long)sizeof REQUEST,
           "the first of two requests");
    is_span(r.sender, NULL, "and nothing of the second");
    policy_parse(twice, strlen(twice), &r);
    is_span(r.sender, "a", "sent twice: the first counts");
    test_row(REQUEST "color=red\n\n", 1, "an attribute we don't know");
    test_row(REQUEST "\n", 1, "nothing but a request");
    test_row("\n", -1, "an empty request");
    test_row("sender=x\n\n", -1, "no request attribute");
    test_row("requests=x\n\n", -1, "nearly a request attribute");
    test_row("request=x\nsender\n", -1, "a line without \"=\"");
    test_row("request=x\n=y\n", -1, "a line without a name");
    test_row("GET / HTTP/1.0\r\n", -1, "another protocol");
    test_row("request=x\r\n\r\n", -1, "lines that end otherwise");
    test_row("GET / HTTP", 0, "a line may still get its \"=\"");
    is_int(policy_parse("request=x\na=\0b\n\n", 16, &r), -1, "a NUL byte");
    is_int(policy_parse("", 0, &r), 0, "nothing yet");
}

/* Wherever the lines lie in the blocks that are looked at at once. */
static void
test_blocks(void)
{
    static const char rest[] =
        "\n" REQUEST "a==b\nsender=x=y\nsize=\nrecipient=a@b.example\n\nmore=";
    int wrong = 0, early = 0;
    struct policy_request r;

    for (size_t shift = 2; shift < 3 * BYTE_MARKS; shift++) {
        size_t n = shift + sizeof rest - 1, whole = n - strlen("more=");

        memset(big, 'v', shift);
        big[shift / 2] = '=';
        memcpy(big + shift, rest, sizeof rest - 1);
        wrong += policy_parse(big, n, &r) != (long)whole || !span_same(r.sender, span_of("x=y")) ||
                 !span_same(r.recipient, span_of("a@b.example")) || !r.size.p || r.size.n != 0;
        for (size_t i = 0; i < whole; i++)
            early += policy_parse(big, i, &r) != 0;
        big[shift + 1 + strlen(REQUEST "a")] = 'a';
        wrong += policy_parse(big, n, &r) != (long)whole;
        big[shift + 1 + strlen(REQUEST "a=")] = 'a'; /* a line without any */
        wrong += policy_parse(big, n, &r) != -1;
    }
    is_int(wrong, 0, "wherever a line begins");
    is_int(early, 0, "and wherever it was cut");
}

static void
test_marks(void)
{
    int wrong = 0;

    for (int c = 0; c < 256; c++)
        big[c] = (char)(c * 7);
    for (int c = 0; c < 256; c++)
        for (int at = 0; at <= 256 - BYTE_MARKS; at++)
            wrong += byte_marks(big + at, (char)c) != byte_marks_plain(big + at, (char)c);
    is_int(wrong, 0, "each byte is found in each place");
}

/* A line of n bytes, its newline included. */
static size_t
put_line(char *p, size_t n)
{
    memset(p, 'x', n - 1);
    p[1] = '=';
    p[n - 1] = '\n';
    return n;
}

static void
test_limits(void)
{
    struct policy_request r;
    size_t head = sizeof REQUEST - 1, n = head;

    memcpy(big, REQUEST, head);
    n += put_line(big + n, POLICY_LINE_MAX);
    big[n++] = '\n';
    is_int(policy_parse(big, n, &r), (long long)n, "the longest line");
    is_int(policy_parse(big, head + POLICY_LINE_MAX - 1, &r), 0, "it may still end");
    put_line(big + head, POLICY_LINE_MAX + 1);
    is_int(policy_parse(big, head + POLICY_LINE_MAX, &r), -1,
           "a longer one, before its end is seen");

    for (n = head; n + POLICY_LINE_MAX < POLICY_REQUEST_MAX;)
        n += put_line(big + n, POLICY_LINE_MAX);
    n += put_line(big + n, POLICY_REQUEST_MAX - 1 - n);
    big[n] = '\n';
    is_int(policy_parse(big, n, &r), 0, "the longest request, but for its end");
    is_int(policy_parse(big, n + 1, &r), POLICY_REQUEST_MAX, "the longest request");
    is_int(policy_parse(big, sizeof big, &r), POLICY_REQUEST_MAX, "with more behind it");
    big[n] = 'a';
    is_int(policy_parse(big, n + 1, &r), -1, "a longer one, as soon as it can't end any more");
    is_int(policy_parse(big, sizeof big, &r), -1, "with more behind it");
}

int
main(void)
{
    test_whole();
    test_words();
    test_blocks();
    test_marks();
    test_limits();
    return tap_done();
}
