/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_send: whether who is logged in may send this message, as this sender, to this
 * recipient, now; and whether the recipient wants mail from there. Numbered as in
 * postroad-sending(7) and t/tables/guard-send.tbl.
 *
 * Pure. Asked at RCPT, DATA and END-OF-MESSAGE of Postfix's policy delegation
 * (SMTPD_POLICY_README); what is not known at a stage is left at the value that
 * says nothing, and the rule about it decides at another one.
 */
#ifndef POSTROAD_GUARD_SEND_H
#define POSTROAD_GUARD_SEND_H

#include <stdint.h>

#include "account.h"

/* Three results, and "nobody asks". */
enum guard_known { GUARD_UNSURE = -1, GUARD_NO = 0, GUARD_YES = 1, GUARD_OPEN = 2 };

enum guard_login {
    LOGIN_NONE,     /* nobody logged in: mail from outside, or from a trusted host */
    LOGIN_ACCOUNT,  /* an account of the directory */
    LOGIN_STRANGER, /* somebody whom the directory does not have, and that is a fact */
    LOGIN_UNSURE    /* can't be told now */
};

struct guard_sending {
    enum guard_login login;
    enum record_state state;                /* of the login, inherited states included */
    int submission_withheld, send_withheld; /* from the login; 1 withheld */
    enum guard_known sender; /* YES the sender's address is the login's to use; OPEN: not asked */
    enum guard_known inside; /* YES the recipient is of our domains; OPEN: no recipient */
    enum guard_known
        may_list; /* the recipient is a list: may this one write to it; OPEN: no list */
    enum guard_known
        receives; /* NO: receive-external is withheld from the recipient; OPEN: not asked */
    uint64_t size, size_most;             /* bytes; most 0: no limit */
    uint64_t recipients, recipients_most; /* of this message, this one included */
    enum guard_known own_room;            /* NO: more than the login's own counters have room for */
    enum guard_known total_room;          /* NO: than those of a department or domain above */
};

enum guard_send_verdict {
    SEND_OK,
    SEND_DEFER, /* 4xx: can't be told, or there will be room later */
    SEND_REJECT /* 5xx: this will not change by trying again */
};

struct guard_send {
    enum guard_send_verdict verdict;
    int rule;         /* 1..GUARD_SEND_RULES */
    const char *code; /* SMTP reply and enhanced status code (RFC 3463): "550 5.7.1" */
    const char *name; /* the rule in one word for people and logs: "send-external" */
    const char *why;  /* a fixed string */
};

#define GUARD_SEND_RULES 14

struct guard_send guard_send(const struct guard_sending *s);

/* The rule in words, as the manual has it; NULL outside 1..GUARD_SEND_RULES. */
const char *guard_send_rule_text(int rule);

#endif
