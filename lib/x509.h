/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x509: until when a certificate is valid, and nothing else: so that an
 * administrator is told before it ends. Not for deciding whom to trust. Pure.
 */
#ifndef POSTROAD_X509_H
#define POSTROAD_X509_H

#include <stdint.h>

#include "span.h"

/* der: a certificate (RFC 5280) as bytes. Its notAfter as seconds since 1970, or -1: it is none. */
int64_t x509_not_after(struct span der);

#endif
