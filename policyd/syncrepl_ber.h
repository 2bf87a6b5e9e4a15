/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_ber: the controls and messages of content synchronisation (RFC 4533),
 * written and read. libldap's own ldap_sync_* loses updates when several are
 * queued, and can't tell the two kinds of refresh apart; so this is done by hand.
 */
#ifndef POSTROAD_SYNCREPL_BER_H
#define POSTROAD_SYNCREPL_BER_H

#include <ldap.h>

#include "account.h"
#include "span.h"

/*
 * The Sync Request control, refreshAndPersist, critical; cookie.n 0: none. Returns 0 and
 * control->ldctl_value to be freed with ber_memfree, or -1.
 */
int syncrepl_request(struct span cookie, LDAPControl *control);

/* Sync State: what one entry of the answer means. state is LDAP_SYNC_PRESENT, _ADD, _MODIFY or _DELETE. */
struct syncrepl_state {
    int state;
    unsigned char uuid[UUID_LEN];
    struct span cookie; /* into the control; n 0: none */
};
/* 1; 0 no such control; -1 malformed. */
int syncrepl_state_read(LDAPControl *const *controls, struct syncrepl_state *out);

enum syncrepl_info_kind { INFO_NEW_COOKIE, INFO_REFRESH_DELETE, INFO_REFRESH_PRESENT, INFO_ID_SET };

/* Sync Info: what is said between entries. */
struct syncrepl_info {
    enum syncrepl_info_kind kind;
    struct span cookie; /* into the value; n 0: none */
    int flag;           /* refreshDone of the phases, refreshDeletes of an id set */
};
/*
 * 0, or -1 malformed or fn gave up. Each UUID of an id set is handed to fn, after *out is complete;
 * fn returns 0 to go on. A malformed set may have been handed out in part.
 */
int syncrepl_info_read(const struct berval *value, struct syncrepl_info *out,
                       int (*fn)(void *ctx, const struct syncrepl_info *info,
                                 const unsigned char uuid[UUID_LEN]),
                       void *ctx);

#endif
