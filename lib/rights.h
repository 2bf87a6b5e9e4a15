/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights: who may do what to whom. The one rule behind the directory's access rules, the
 * administrators' commands, IMAP and mail; numbered as in postroad-rights(7) and t/tables/rights.tbl.
 *
 * Pure: everything it needs is in struct rights_input. All DNs are normalised (as the mirror holds
 * them), so that equal DNs are equal bytes; "below" is decided at unescaped commas only.
 *
 * What slapd decides too: all actions that rights_in_directory() says 1 to, from the same facts.
 * Each is visible to a set rule there, inherited ones through the ancestors:
 *   state, withheld   user/-x/postroadState and this/-x/postroadDeny, where -x stands for -*
 *   gate              group/groupOfNames/member
 *   level of target   filter= on postroadRole; upon Add the filter sees the entry to be
 *   scope, parent     user/postroadScope & this/-x (strictly: this/-1/-x), attrs=children
 *   values given      val.regex with set.expand
 * Only here, because slapd never sees them: the actions on mail (read-mail, write-mail, share,
 * audit, usage). Of approve it sees the verdict: the rules for cn=held say the same, as t/held-acl.t
 * shows. Only there: whether an entry exists already, has children, fits the schema.
 */
#ifndef POSTROAD_RIGHTS_H
#define POSTROAD_RIGHTS_H

#include <stddef.h>

#include "account.h"
#include "span.h"

enum rights_verdict { RIGHTS_UNSURE = -1, RIGHTS_REFUSED = 0, RIGHTS_ALLOWED = 1 };

/* As many as DESIGN's: whoever holds no role is a user. */
enum rights_level { LEVEL_USER, LEVEL_DEPARTMENT, LEVEL_DOMAIN, LEVEL_SUPER, LEVEL_SYSTEM };

enum rights_kind {
    RIGHTS_ACCOUNT,
    RIGHTS_LIST,
    RIGHTS_DEPARTMENT,
    RIGHTS_CONTAINER, /* any entry that is none of the others: ou=people, cn=admins, cn=policyd, o=corp */
    RIGHTS_DOMAIN,
    RIGHTS_SITE, /* or a server */
    RIGHTS_KIND_LAST = RIGHTS_SITE
};

enum rights_action {
    /* in the directory */
    ACT_MANAGE, /* attributes that none of the following names */
    ACT_ADD,    /* target: the entry to be; its attributes are decided one by one besides */
    ACT_DELETE,
    ACT_MOVE, /* to another parent, or to another name below the same: value dn is the parent to be */
    ACT_PERSON,    /* displayName, mobile, telephoneNumber, jpegPhoto, preferredLanguage */
    ACT_ADDRESS,   /* mail, postroadAlias: value address */
    ACT_FORWARD,   /* postroadForward */
    ACT_PLACEMENT, /* postroadHomeSite, postroadStandbySite, postroadMove */
    ACT_STATE,     /* postroadState */
    ACT_MEMBERS,   /* member, postroadMember, owner of a list */
    ACT_SENDERS,   /* postroadSender */
    ACT_NAMES,     /* associatedDomain: the names of a domain */
    ACT_CLASS,     /* objectClass: value kind */
    ACT_PASSWORD,
    ACT_QUOTA,
    ACT_FUNCTIONS, /* postroadDeny */
    ACT_ROLE,      /* postroadRole: value level */
    ACT_SCOPE,     /* postroadScope: value dn */
    ACT_RIGHT,     /* postroadRight: value right */
    ACT_GATE,      /* make the target a member of the gate group, or end it */
    /* with mail only */
    ACT_READ_MAIL,
    ACT_WRITE_MAIL,
    ACT_SHARE,   /* let others into folders of the target's mailbox */
    ACT_APPROVE, /* release or refuse held mail of the target */
    ACT_AUDIT,   /* read the records of who did what to the target */
    ACT_USAGE,   /* read the target's counters */
    ACT_LAST = ACT_USAGE
};

/* Bits of postroadRight, and of the functions that rights look at. */
enum { RIGHT_READ_MAIL = 1, RIGHT_WRITE_MAIL = 2, RIGHT_APPROVE = 4, RIGHT_AUDIT = 8 };
enum { WITHHELD_FORWARD = 1, WITHHELD_PASSWORD = 2, WITHHELD_SHARE = 4 };

struct rights_actor {
    int known;  /* 1 an account; 0 there is none, or it is no account; -1 can't tell */
    int active; /* 0: he or a department or domain above is suspended or disabled; -1 */
    int gate;   /* 1: member of the gate group (cn=admins); -1 can't tell */
    enum rights_level level;   /* by his role */
    unsigned rights, withheld; /* bits; withheld: from him and from all above */
    const struct span *scopes;
    size_t nscopes;
    struct span dn;
};

struct rights_target {
    int known; /* 1 there (for ACT_ADD: to be); 0 there is none; -1 can't tell */
    enum rights_kind kind;
    enum rights_level level; /* by its role, which for ACT_ADD is the role it is to have */
    int in_tree;             /* as rights_in_tree says */
    struct span dn;
};

/* What is given. Left zero: something is taken away, or the question is a general one. */
struct rights_value {
    enum rights_level level;
    unsigned right; /* one bit */
    struct span dn;
    int dn_in_tree; /* ACT_MOVE: 1 when dn is the container of the domains or below it */
    int kind;       /* enum rights_kind + 1 that the class makes of the target */
    int address;    /* 1: an address is given; -1: one is, and its domain can't be told */
    int own_domain; /* 1: of a domain the target is below, by any name of it */
    struct span address_domain; /* DN of the domain's entry that is named so by its RDN; or empty */
};

struct rights_input {
    struct rights_actor actor;
    struct rights_target target;
    enum rights_action action;
    struct rights_value value;
};

struct rights {
    enum rights_verdict verdict;
    int rule;        /* 1..RIGHTS_RULES */
    const char *why; /* a fixed string: log, audit, `postroad may` */
};

#define RIGHTS_RULES 20

/* Where the group of administrators and the domains are below the base, unless the configuration says. */
#define RIGHTS_ADMINS  "cn=admins,cn=roles"
#define RIGHTS_DOMAINS "ou=domains"

struct rights rights_decide(const struct rights_input *in);

/* The rule's text in words, for `postroad may` and the manual; NULL outside 1..RIGHTS_RULES. */
const char *rights_rule_text(int rule);
/* 1 when the directory decides it as well. */
int rights_in_directory(enum rights_action a);

/* Words. -1: no such word; level and right words without case. */
int rights_action_parse(struct span word);
const char *rights_action_word(enum rights_action a);
int rights_level_parse(struct span word); /* "user" is none of the directory's */
const char *rights_level_word(enum rights_level l);
int rights_right_parse(struct span word);
const char *rights_kind_word(enum rights_kind k);
const char *rights_verdict_word(enum rights_verdict v);

/* Whether dn is top or below it, and what it stands below ("" at the end); both of normalised DNs. */
int rights_below(struct span dn, struct span top);
struct span rights_parent(struct span dn);
/*
 * Whether a name in it has several parts ("uid=x+cn=y"), or is one of our own attributes. A rename can
 * put any value there, and no access rule of the directory sees it: such entries are for system
 * administrators, and no role counts at them.
 */
int rights_odd_name(struct span dn);
/*
 * Whether an entry is where administrators other than those of the system have a say: below the
 * container of the domains; what is none of our kinds, below something else there.
 */
int rights_in_tree(enum rights_kind kind, struct span dn, struct span domains);

#endif
