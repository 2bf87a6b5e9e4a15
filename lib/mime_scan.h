/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_scan: looks through a message, as it comes, for the headers of its parts that may name files. Pure;
 * takes any bytes in any pieces, and a fixed amount of memory for a message of any size.
 */
#ifndef POSTROAD_MIME_SCAN_H
#define POSTROAD_MIME_SCAN_H

#include "mime_names.h"

#define MIME_FIELD_MAX 16384 /* bytes of one header that may name a file; a longer one is a doubt */
#define MIME_FIELDS    2000  /* headers that may name a file; a message with more is a doubt */
#define MIME_LINE_MAX  4096  /* bytes of a line in the body that are looked at */

enum mime_field { MIME_OTHER, MIME_TYPE, MIME_DISPOSITION, MIME_ENCODING };

struct mime_scan {
    struct mime_sink sink;
    int in_header, fields; /* of a part; how many headers there were */
    enum mime_field field; /* the one being read */
    char value[MIME_FIELD_MAX], line[MIME_LINE_MAX];
    size_t value_n, line_n;
    int value_over, line_over, after_cr;
    /* Of the header block being read: */
    int is_message, is_compound, is_encoded, is_typed;
    int skips; /* blank lines in front of it do not end it */
    /* Of the whole message: */
    int looks;       /* the body has parts */
    int is_digest;   /* those without a type are messages */
    unsigned told;   /* fields */
    unsigned broken; /* lines that are no headers, in the field being read */
    int stopped;     /* nothing more is looked at */
};

/* A new message. */
void mime_scan_begin(struct mime_scan *s, const struct mime_sink *sink);
/* One header of the message itself: its value may hold line ends. */
void mime_scan_header(struct mime_scan *s, struct span name, struct span value);
/* Behind the last of them. */
void mime_scan_headers_end(struct mime_scan *s);
/* Some of the body, as it came. */
void mime_scan_body(struct mime_scan *s, struct span bytes);
/* Behind the last of it. */
void mime_scan_end(struct mime_scan *s);

#endif
