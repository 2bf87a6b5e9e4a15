/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_bucket: how a bucket of claims lies in the store, for the two files that
 * write buckets: mirror_addr.c one claim at a time, mirror_bulk.c all at once.
 *
 * Bucket: count u32, bytes used u32, then for each claim {hash u32, offset u32} in order of
 * hash, then the rows: address length u16, row length u16, address, row. Offsets count
 * from the end of the slots. Native byte order, as LMDB's own pages.
 */
#ifndef POSTROAD_MIRROR_BUCKET_H
#define POSTROAD_MIRROR_BUCKET_H

#include <stdint.h>

#include "span.h"

#define BUCKET_HEAD 8
#define BUCKET_FULL 4080 /* a page without its header */
#define BUCKET_MIN  2048 /* smaller values LMDB would keep inside the tree's own pages */
#define ROW_HEAD    4
#define HASH_LAST   0xffffffffu

struct slot {
    uint32_t hash, offset;
};

uint32_t mirror_addr_hash(struct span address);

#endif
