/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim: who has an address already: in the mirror, which knows every site's
 * entries whatever the caller may see, and at the server he changes, which is
 * newer. Both are asked.
 */
#ifndef POSTROAD_CLAIM_H
#define POSTROAD_CLAIM_H

#include "dir.h"

/* One entry that claims the address, which is the one given. how: "primary" or "alias". */
typedef void claim_fn(void *ctx, const char *address, const char *dn, const char *kind,
                      const char *how);

/*
 * Every claim the mirror knows on one of n canonical addresses. 1; 0: it could not be asked, and fn
 * may have been called for some.
 */
int claim_each_mirror(const struct ctl *ctl, const char *const addresses[], size_t n, claim_fn *fn,
                      void *ctx);
/* The same of the server, as far as the caller may see. Results as in dir.h. */
int claim_each_server(struct dir *d, const char *const addresses[], size_t n, claim_fn *fn,
                      void *ctx);
/*
 * CTL_DONE when nobody but the entry own_dn (NULL: nobody) has one of them; CTL_NO, and dir_error
 * says who has which. Tells on stderr when the daemon could not be asked.
 */
int claim_free(struct dir *d, const char *const addresses[], size_t n, const char *own_dn);

/* A filter for the accounts that have this address, by the configured attributes. -1: too long. */
int claim_account_filter(const struct conf *conf, const char *address, char *out, size_t cap);
/* Say once that the mirror was not asked. */
void claim_say_without_mirror(const struct ctl *ctl);

#endif
