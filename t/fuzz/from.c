/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as From, as encoded words and as results of a verifier: what is found is canonical and bounded. */
#include <stdlib.h>
#include <string.h>

#include "auth_vouch.h"
#include "from_header.h"
#include "fuzz.h"
#include "mime_words.h"

static void
fuzz_from_word(const char *text, size_t n)
{
    struct mime_word w;
    size_t len = mime_word_at(text, n, &w);

    must(len <= n && mime_word_gap(text, n) <= n);
    if (len == 0)
        return;
    must(w.text.p >= text && w.text.p + w.text.n + 2 == text + len);
    char *out = malloc(w.text.n ? w.text.n : 1);
    must(mime_word_bytes(&w, out) <= w.text.n);
    free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const sealers[] = {"list.example"};
    struct vouch_settings s = {"mx.corp.example", 2, sealers, 1, 0};
    const char *text = (const char *)data, *cut = memchr(text, '\n', n), *name;
    size_t first = cut ? (size_t)(cut - text) : n;
    char again[ADDR_DOMAIN_MAX + 1];
    struct from_header f;
    struct vouch v;
    enum vouch_by by;

    from_header_begin(&f);
    from_header_add(&f, text, first);
    from_header_add(&f, text + first, n - first);
    must(f.n <= FROM_DOMAINS && f.bytes <= FROM_BYTES && f.fields == 2);
    for (unsigned i = 0; i < f.n; i++) {
        must(addr_domain_canon(f.domain[i].name, strlen(f.domain[i].name), again) > 0);
        must(strcmp(again, f.domain[i].name) == 0);
    }
    fuzz_from_word(text, n);
    vouch_begin(&v);
    vouch_header(&v, &s, "Authentication-Results", text, first);
    vouch_header(&v, &s, "ARC-Seal", text, n);
    vouch_header(&v, &s, "ARC-Authentication-Results", text + first, n - first);
    for (unsigned i = 0; (name = vouch_domain(&v, &i, &by));)
        must(strlen(name) > 0 && strlen(name) <= ADDR_DOMAIN_MAX);
    return 0;
}
