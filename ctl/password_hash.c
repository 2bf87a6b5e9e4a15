/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_hash: from a password to what may be stored of it. Salts are from the
 * kernel; what was worked with is wiped.
 */
#include "config.h"

#ifdef HAVE_ARGON2
#include <argon2.h>
#endif
#include <crypt.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base64.h"
#include "password.h"

#define SALT 16

static int
hash_crypt(const struct secret *s, char out[PASSWORD_HASH_MAX])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *hash = NULL;

    if (data && crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof salt))
        hash = crypt_r(s->text, salt, data);
    if (hash && *hash != '*')
        snprintf(out, PASSWORD_HASH_MAX, "{CRYPT}%s", hash);
    else
        hash = NULL;
    if (data)
        explicit_bzero(data, sizeof *data);
    free(data);
    return hash && *out ? 0 : -1;
}

static int
hash_ssha512(const struct secret *s, char out[PASSWORD_HASH_MAX])
{
    unsigned char raw[SHA512_DIGEST_SIZE + SALT];
    struct sha512_ctx ctx;

    if (getrandom(raw + SHA512_DIGEST_SIZE, SALT, 0) != SALT)
        return -1;
    sha512_init(&ctx);
    sha512_update(&ctx, s->n, (const uint8_t *)s->text);
    sha512_update(&ctx, SALT, raw + SHA512_DIGEST_SIZE);
    sha512_digest(&ctx, SHA512_DIGEST_SIZE, raw);
    explicit_bzero(&ctx, sizeof ctx);
    strcpy(out, "{SSHA512}");
    base64_write(out + 9, sizeof raw, raw, sizeof raw);
    return 0;
}

#ifdef HAVE_ARGON2
/* What slapd's own module takes from 2.6 on; it stands in the hash, so that any version checks it. */
enum { ARGON2_PASSES = 5, ARGON2_KIB = 7168, ARGON2_LANES = 1, ARGON2_BYTES = 32 };

/* The library wipes what it worked in. */
static int
hash_argon2(const struct secret *s, char out[PASSWORD_HASH_MAX])
{
    static const char name[] = "{ARGON2}";
    unsigned char salt[SALT];

    if (getrandom(salt, sizeof salt, 0) != SALT)
        return -1;
    strcpy(out, name);
    return argon2id_hash_encoded(ARGON2_PASSES, ARGON2_KIB, ARGON2_LANES, s->text, s->n, salt,
                                 sizeof salt, ARGON2_BYTES, out + sizeof name - 1,
                                 PASSWORD_HASH_MAX - sizeof name + 1) == ARGON2_OK
               ? 0
               : -1;
}
#else
static int
hash_argon2(const struct secret *s, char out[PASSWORD_HASH_MAX])
{
    (void)s;
    out[0] = '\0';
    return -1;
}
#endif

int
password_knows(const char *scheme)
{
#ifndef HAVE_ARGON2
    if (strcmp(scheme, "argon2") == 0)
        return 0;
#endif
    return *scheme != '\0';
}

int
password_hash(const char *scheme, const struct secret *s, char out[PASSWORD_HASH_MAX])
{
    out[0] = '\0';
    if (strcmp(scheme, "argon2") == 0)
        return hash_argon2(s, out);
    return strcmp(scheme, "ssha512") == 0 ? hash_ssha512(s, out) : hash_crypt(s, out);
}
