/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounts: makes the directories that the bench measures with: o=corp in the
 * shape of the manual, with N accounts in nested departments at two sites.
 *
 * Account i (1..N) is <i>u@corp.example, since smtp-source -N counts its
 * recipients that way; it has one alias and one of ten has a home site of its
 * own. Every tenth department has ten departments below it, each for 100 people.
 * The same N gives the same bytes each time.
 *
 * usage: accounts [-h NEXTHOP] [-n KEYS] FORMAT N
 *   ldif  for slapadd or policyd     text  "address<TAB>next hop" for postmap
 *   keys  KEYS random addresses
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE      "o=corp"
#define DOMAIN    "corp.example"
#define DOMAIN_DN "dc=" DOMAIN ",ou=domains," BASE
#define TEAM      100 /* people */
#define DIVISION  10  /* teams */

static const char *const sites[] = {"hebei", "shandong"};

static void
put_head(const char *hop)
{
    printf("dn: " BASE "\nobjectClass: organization\no: corp\n\n"
           "dn: cn=services," BASE "\nobjectClass: organizationalRole\ncn: services\n\n"
           "dn: cn=policyd,cn=services," BASE "\nobjectClass: organizationalRole\n"
           "objectClass: simpleSecurityObject\ncn: policyd\nuserPassword: bench\n\n"
           "dn: cn=sites," BASE "\nobjectClass: organizationalRole\ncn: sites\n\n");
    for (unsigned i = 0; i < 2; i++)
        printf("dn: cn=%s,cn=sites," BASE "\nobjectClass: postroadSite\ncn: %s\n"
               "postroadNextHop: 10 %s\n\n",
               sites[i], sites[i], hop);
    printf("dn: ou=domains," BASE "\nobjectClass: organizationalUnit\nou: domains\n\n"
           "dn: " DOMAIN_DN "\nobjectClass: domain\nobjectClass: postroadDomain\ndc: " DOMAIN "\n"
           "associatedDomain: " DOMAIN "\npostroadHomeSite: hebei\n"
           "postroadQuota: 10737418240\n\n");
}

/* Divisions change sites by turns; a team takes over its division's. */
static void
put_division(unsigned long division)
{
    printf("dn: ou=division%lu," DOMAIN_DN "\nobjectClass: organizationalUnit\n"
           "objectClass: postroadDepartment\nou: division%lu\npostroadHomeSite: %s\n\n",
           division, division, sites[division % 2]);
}

static void
put_team(unsigned long team)
{
    printf("dn: ou=team%lu,ou=division%lu," DOMAIN_DN "\nobjectClass: organizationalUnit\n"
           "objectClass: postroadDepartment\nou: team%lu\n\n",
           team, team / DIVISION, team);
}

static void
put_account(unsigned long i)
{
    unsigned long team = i / TEAM;

    printf("dn: uid=%luu,ou=team%lu,ou=division%lu," DOMAIN_DN "\n"
           "objectClass: inetOrgPerson\nobjectClass: postroadAccount\n"
           "uid: %luu\ncn: Given%lu Family%lu\nsn: Family%lu\ngivenName: Given%lu\n"
           "mail: %luu@" DOMAIN "\npostroadAlias: given%lu.family%lu@" DOMAIN "\n"
           "telephoneNumber: +86 311 %08lu\nuserPassword: {SSHA}%032lu\n",
           i, team, team / DIVISION, i, i, i % 997, i % 997, i, i, i, i % 997, i, i);
    if (i % 10 == 0)
        printf("postroadHomeSite: %s\n", sites[i / 10 % 2]);
    putchar('\n');
}

static void
put_ldif(unsigned long n, const char *hop)
{
    put_head(hop);
    for (unsigned long i = 0; i <= n; i++) {
        if (i % (TEAM * DIVISION) == 0)
            put_division(i / TEAM / DIVISION);
        if (i % TEAM == 0)
            put_team(i / TEAM);
        if (i > 0)
            put_account(i);
    }
}

static void
put_text(unsigned long n, const char *hop)
{
    for (unsigned long i = 1; i <= n; i++)
        printf("%luu@" DOMAIN "\t%s\n", i, hop);
}

/* xorshift64* (Vigna 2016): the same keys each time, and rand() is too coarse. */
static uint64_t
next_random(uint64_t *x)
{
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return *x * UINT64_C(2685821657736338717) >> 16;
}

static void
put_keys(unsigned long n, unsigned long keys)
{
    uint64_t seed = 88172645463325252u;

    for (unsigned long k = 0; k < keys; k++)
        printf("%luu@" DOMAIN "\n", (unsigned long)(next_random(&seed) % n) + 1);
}

int
main(int argc, char **argv)
{
    const char *hop = "relay:[127.0.0.1]:10026";
    unsigned long keys = 100000, n;
    int opt;

    while ((opt = getopt(argc, argv, "h:n:")) != -1) {
        if (opt == 'h')
            hop = optarg;
        else if (opt == 'n')
            keys = strtoul(optarg, NULL, 10);
        else
            argc = 0;
    }
    n = argc == optind + 2 ? strtoul(argv[optind + 1], NULL, 10) : 0;
    if (n > 0 && strcmp(argv[optind], "ldif") == 0)
        put_ldif(n, hop);
    else if (n > 0 && strcmp(argv[optind], "text") == 0)
        put_text(n, hop);
    else if (n > 0 && strcmp(argv[optind], "keys") == 0)
        put_keys(n, keys);
    else {
        fprintf(stderr, "usage: accounts [-h NEXTHOP] [-n KEYS] ldif|text|keys N\n");
        return 2;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
