/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null_milter: a milter that does nothing, as the limit that postroad-milter is
 * measured against: the same library, the same steps of the protocol, and with -i the
 * header that it puts in as well. With -a it takes every step and answers each, as
 * milters do that ask for nothing less.
 *
 * Serves until SIGTERM. Must not be used for anything but measuring.
 *
 * usage: null_milter [-a] [-i] SOCKET
 */
#include <stdio.h>
#include <unistd.h>

#include "milter/steps.h"

#define TRACE "site=hebei; id=4hC1Yd3wz1z1q; time=2026-11-22T06:46:30.000Z"

static int all, inserts;

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long reserved0,
             unsigned long reserved1, unsigned long *actions_r, unsigned long *steps_r,
             unsigned long *reserved0_r, unsigned long *reserved1_r)
{
    (void)reserved0;
    (void)reserved1;
    *actions_r = actions & (SMFIF_ADDHDRS | SMFIF_SETSYMLIST);
    *steps_r = all ? 0 : steps & (STEPS_NOT_WANTED | STEPS_NO_REPLY | SMFIP_HDR_LEADSPC);
    *reserved0_r = *reserved1_r = 0;
    if (!all && actions & SMFIF_SETSYMLIST) {
        smfi_setsymlist(ctx, SMFIM_CONNECT, (char *)"{daemon_name}");
        smfi_setsymlist(ctx, SMFIM_ENVFROM, (char *)"{auth_authen}");
        smfi_setsymlist(ctx, SMFIM_EOM, (char *)"i");
    }
    return SMFIS_CONTINUE;
}

static sfsistat
answer(void)
{
    return all ? SMFIS_CONTINUE : SMFIS_NOREPLY;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    (void)ctx;
    (void)host;
    (void)address;
    return answer();
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
    (void)ctx;
    (void)name;
    return answer();
}

static sfsistat
on_envelope(SMFICTX *ctx, char **argv)
{
    (void)ctx;
    (void)argv;
    return answer();
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx;
    (void)name;
    (void)value;
    return answer();
}

static sfsistat
on_step(SMFICTX *ctx)
{
    (void)ctx;
    return answer();
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *bytes, size_t n)
{
    (void)ctx;
    (void)bytes;
    (void)n;
    return answer();
}

static sfsistat
on_end(SMFICTX *ctx)
{
    if (inserts)
        smfi_insheader(ctx, 0, (char *)"Postroad-Trace", (char *)TRACE);
    return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
    struct smfiDesc d = {.xxfi_name = (char *)"null_milter",
                         .xxfi_version = SMFI_VERSION,
                         .xxfi_flags = SMFIF_ADDHDRS | SMFIF_SETSYMLIST,
                         .xxfi_connect = on_connect,
                         .xxfi_helo = on_helo,
                         .xxfi_envfrom = on_envelope,
                         .xxfi_envrcpt = on_envelope,
                         .xxfi_header = on_header,
                         .xxfi_eoh = on_step,
                         .xxfi_body = on_body,
                         .xxfi_eom = on_end,
                         .xxfi_abort = on_close,
                         .xxfi_close = on_close,
                         .xxfi_negotiate = on_negotiate};
    char address[512];
    int opt;

    while ((opt = getopt(argc, argv, "ai")) != -1) {
        all |= opt == 'a';
        inserts |= opt == 'i';
        if (opt == '?')
            return 2;
    }
    if (optind + 1 != argc)
        return 2;
    snprintf(address, sizeof address, "unix:%s", argv[optind]);
    if (smfi_register(d) != MI_SUCCESS || smfi_setconn(address) != MI_SUCCESS ||
        smfi_opensocket(1) != MI_SUCCESS)
        return 1;
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
