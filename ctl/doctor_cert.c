/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, certificates: until when those are valid that the directory connection and
 * Postfix use, and whether the other sites know the one we hand mail over with: its
 * fingerprint must stand in the directory. Reads files only.
 */
#include <errno.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "ask.h"
#include "doctor.h"
#include "x509.h"

#define DER_MAX    16384
#define FILE_MAX   262144
#define DAY        86400
#define SOON_DAYS  30
#define LATE_DAYS  7
#define TIMEOUT_MS 5000

/* The first certificate of a PEM file as DER. Its length, 0: none in it, -1: errno says why. */
static long
read_certificate(const char *path, unsigned char der[DER_MAX])
{
    static char text[FILE_MAX];
    struct base64_decode_ctx base64;
    FILE *f = fopen(path, "r");
    char *begin, *end;
    size_t n, len = DER_MAX;

    if (!f)
        return -1;
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    begin = strstr(text, "-----BEGIN CERTIFICATE-----");
    end = begin ? strstr(begin, "-----END CERTIFICATE-----") : NULL;
    if (!end)
        return 0;
    begin += strlen("-----BEGIN CERTIFICATE-----");
    base64_decode_init(&base64);
    if ((size_t)(end - begin) > BASE64_ENCODE_LENGTH(DER_MAX) ||
        !base64_decode_update(&base64, &len, der, (size_t)(end - begin), begin) ||
        !base64_decode_final(&base64))
        return 0;
    return (long)len;
}

static void
say_end(struct doctor *d, const char *path, int64_t end)
{
    long long left = ((long long)end - (long long)time(NULL)) / DAY;

    if (end < time(NULL))
        doctor_say(d, DOCTOR_TROUBLE, "certificate", "renew it", "%s has ended %lld days ago", path,
                   -left);
    else if (left < SOON_DAYS)
        doctor_say(d, left < LATE_DAYS ? DOCTOR_TROUBLE : DOCTOR_WARNING, "certificate", "renew it",
                   "%s ends in %lld days", path, left);
    else
        doctor_say(d, DOCTOR_OK, "certificate", NULL, "%s is valid for %lld days", path, left);
}

/* Postfix at the other sites asks the same of the same directory. */
static void
check_known(struct doctor *d, const char *path, const unsigned char *der, size_t n)
{
    const char *site = d->ctl->conf->site;
    unsigned char digest[SHA256_DIGEST_SIZE];
    char print[3 * SHA256_DIGEST_SIZE + 1], out[512], error[512], todo[400];
    enum socketmap_status status;
    struct sha256_ctx sha;

    sha256_init(&sha);
    sha256_update(&sha, n, der);
    sha256_digest(&sha, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        sprintf(print + 3 * i, "%02X:", digest[i]);
    print[sizeof print - 2] = '\0';
    snprintf(todo, sizeof todo, "postroad site modify %s --certificate %s", site, print);
    if (ask_map(d->ctl->conf->sockets.map, "peer", print, TIMEOUT_MS, &status, out, sizeof out,
                error, sizeof error) < 0 ||
        (status != SOCKETMAP_OK && status != SOCKETMAP_NOTFOUND))
        return; /* the socket's own check has said it */
    if (status == SOCKETMAP_NOTFOUND)
        doctor_say(d, DOCTOR_TROUBLE, "hand-off", todo,
                   "no site has the fingerprint of %s: other sites would not take mail from us",
                   path);
    else if (strcasecmp(out, site) != 0)
        doctor_say(d, DOCTOR_TROUBLE, "hand-off", todo,
                   "the fingerprint of %s stands at site %s, not at %s", path, out, site);
    else
        doctor_say(d, DOCTOR_OK, "hand-off", NULL, "%s is known to the other sites", path);
}

/* One file: until when it is valid; with hand_off also whether the directory has its fingerprint. */
static void
check_certificate(struct doctor *d, const char *path, int hand_off)
{
    static unsigned char der[DER_MAX];
    long n = read_certificate(path, der);
    int64_t end = n > 0 ? x509_not_after((struct span){(char *)der, (size_t)n}) : -1;

    if (n < 0)
        doctor_say(d, errno == EACCES ? DOCTOR_SKIPPED : DOCTOR_TROUBLE, "certificate",
                   errno == EACCES ? "run it as root" : "make it, or correct the setting", "%s: %s",
                   path, strerror(errno));
    else if (end < 0)
        doctor_say(d, DOCTOR_TROUBLE, "certificate", "put a certificate there, in PEM",
                   "%s holds no certificate", path);
    else
        say_end(d, path, end);
    if (end >= 0 && hand_off)
        check_known(d, path, der, (size_t)n);
}

/* Files of a parameter of main.cf, but the one that was looked at already. */
static void
check_parameter(struct doctor *d, const char *name, int hand_off, char seen[1024])
{
    char value[4096], *argv[] = {(char *)"postconf", (char *)"-xh", (char *)name, NULL},
                      *rest = value;

    if (doctor_run(argv, value, sizeof value) != 0)
        return;
    for (char *word; (word = strsep(&rest, " \t\r\n,"));)
        if (*word == '/' && strcmp(word, seen) != 0) {
            snprintf(seen, 1024, "%s", word);
            check_certificate(d, word, hand_off);
        }
}

void
doctor_certificates(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;
    char seen[1024] = "";

    if (*conf->directory.tls_ca_file)
        check_certificate(d, conf->directory.tls_ca_file, 0);
    if (*conf->directory.tls_cert_file)
        check_certificate(d, conf->directory.tls_cert_file, 0);
    check_parameter(d, "handoff_tls_chain_files", 1, seen); /* as in examples/two-sites */
    check_parameter(d, "smtpd_tls_chain_files", 0, seen);
    check_parameter(d, "smtpd_tls_cert_file", 0, seen);
}
