/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steps: what of libmilter's protocol postroad-milter has no use for; each of the others
 * costs Postfix a packet. In one place, for the bench compares with one that takes the same.
 */
#ifndef POSTROAD_STEPS_H
#define POSTROAD_STEPS_H

#include "libmilter/mfapi.h"

#define STEPS_NOT_WANTED (SMFIP_NOHELO | SMFIP_NOEOH | SMFIP_NOUNKNOWN | SMFIP_NODATA)
/* Only the end of the message has an answer worth waiting for. */
#define STEPS_NO_REPLY \
    (SMFIP_NR_CONN | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_BODY)

#endif
