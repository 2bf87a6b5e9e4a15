/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a message, its header and its body, in two pieces: names that are told are within their limits, and
 * where it is cut makes no difference.
 */
#include <string.h>

#include "charset.h"
#include "fold_text.h"
#include "fuzz.h"
#include "mime_scan.h"
#include "plain_text.h"

struct fuzz_mime {
    unsigned names, doubts;
    size_t bytes;
};

static void
fuzz_mime_name(void *ctx, struct span name, int best)
{
    struct fuzz_mime *m = ctx;
    char shown[64], folded[64];
    size_t n = plain_text(shown, sizeof shown, name);
    long len = fold_text(folded, sizeof folded, name);

    (void)best;
    must(name.n <= MIME_FIELD_MAX && n < sizeof shown && shown[n] == '\0');
    must(len < (long)sizeof folded && (len < 0 || folded[len] == '\0'));
    m->names++;
    m->bytes += name.n;
}

static void
fuzz_mime_doubt(void *ctx, const char *why)
{
    must(*why);
    ((struct fuzz_mime *)ctx)->doubts++;
}

static struct fuzz_mime
fuzz_mime_scan(struct span all, size_t cut)
{
    static struct mime_scan scan;
    struct fuzz_mime m = {0, 0, 0};
    struct mime_sink sink = {&m, charset_utf8, fuzz_mime_name, fuzz_mime_doubt};
    size_t half = all.n / 2;

    mime_scan_begin(&scan, &sink);
    mime_scan_header(&scan, span_of("Content-Type"), (struct span){all.p, half});
    mime_scan_headers_end(&scan);
    mime_scan_body(&scan, (struct span){all.p, cut});
    mime_scan_body(&scan, (struct span){all.p + cut, all.n - cut});
    mime_scan_end(&scan);
    return m;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span all = {(const char *)data, n};
    struct fuzz_mime whole = fuzz_mime_scan(all, n);
    struct fuzz_mime cut = fuzz_mime_scan(all, n ? data[0] % n : 0);
    char out[512];
    int doubt = 0;
    long len = mime_text(out, sizeof out, all, charset_utf8, &doubt);

    must(len <= (long)sizeof out);
    must(whole.names == cut.names && whole.doubts == cut.doubts && whole.bytes == cut.bytes);
    return 0;
}
