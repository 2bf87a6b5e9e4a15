/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_sign: what a receiver can check with the shared key: HMAC-SHA-256 (RFC 2104) of
 * the time of sending, a dot, and the event's bytes.
 */
#include <nettle/hmac.h>
#include <string.h>

#include "hook.h"

void
hook_sign(const char *key, size_t key_n, const char *time, const char *event, size_t n,
          char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_SIZE];
    struct hmac_sha256_ctx ctx;

    hmac_sha256_set_key(&ctx, key_n, (const uint8_t *)key);
    hmac_sha256_update(&ctx, strlen(time), (const uint8_t *)time);
    hmac_sha256_update(&ctx, 1, (const uint8_t *)".");
    hmac_sha256_update(&ctx, n, (const uint8_t *)event);
    hmac_sha256_digest(&ctx, sizeof sum, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    hex[64] = '\0';
}
