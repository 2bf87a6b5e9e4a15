/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_type: types of parts that can't be looked into, by the name of their type alone. Pure.
 */
#ifndef POSTROAD_MIME_TYPE_H
#define POSTROAD_MIME_TYPE_H

#include "span.h"

/*
 * The file that a part of that Content-Type stands for, whatever name it gives itself or none: mail programs
 * open it by its type. "winmail.dat" for Outlook's, "smime.p7m" for S/MIME, "encrypted.pgp" for OpenPGP; NULL
 * for all others. A fixed string.
 */
const char *mime_type_sealed(struct span value);

/* Why a part of that type may hold any file: its content is not in the message. A fixed string, or NULL. */
const char *mime_type_elsewhere(struct span value);

#endif
