/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_take: very many records that postroad-milter has put down are taken over a few seconds' worth at a time,
 * and the others soon after, so that verdicts and other mail don't wait for a flood. The clock is this test's: a
 * step takes as long as it says.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "policyd/beat.h"
#include "policyd/held.h"
#include "tap.h"

#define RECORDS 40
#define STEP_MS 100 /* of one record: a slow disk */

static int64_t now_ms = 1000000;

/* In place of the real ones: each look at the clock is a while later. */
int64_t
beat_now(void)
{
    return now_ms;
}

void
beat_step(void)
{
    now_ms += STEP_MS;
}

static struct held held;

static int
put_down(int drop, int i)
{
    struct held_record r = {.time_ms = (int64_t)time(NULL) * 1000 - 1000,
                            .on_expire = HELD_EXPIRE_REJECT,
                            .site = "hebei",
                            .rule = "all",
                            .sender = "alice@corp.example",
                            .direction = "outbound",
                            .recipients = 1,
                            .recipient_count = 1};
    char error[HELD_ERROR];

    r.expires_ms = r.time_ms + 86400000;
    snprintf(r.queue, sizeof r.queue, "4Zb%07d", i);
    snprintf(r.recipient[0], sizeof r.recipient[0], "bob@outside.example");
    if (held_id_write(r.id, r.site, r.time_ms, r.queue) < 0)
        return -1;
    return held_record_drop(drop, &r, error, sizeof error);
}

static int
count(void *ctx, const char *id)
{
    (void)id;
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned
left(int folder)
{
    char error[HELD_ERROR];
    unsigned n = 0;

    held_record_each(folder, count, &n, error, sizeof error);
    return n;
}

static void
flood(void)
{
    int64_t began = now_ms;
    unsigned n, rounds = 1, all;

    for (int i = 0; i < RECORDS; i++)
        if (put_down(held.drop, i) < 0)
            ok(0, "record %d", i);
    ok(left(held.drop) == RECORDS, "%d records are put down", RECORDS);
    all = n = held_take_all(&held, 0);
    ok(n > 0 && n < RECORDS, "some are taken over (%u)", n);
    ok(now_ms - began <= 2000 + STEP_MS, "for two seconds");
    ok(left(held.folder) == n && left(held.drop) == RECORDS - n, "the others are where they were");
    ok(held.scan_ms > now_ms && held.scan_ms <= now_ms + 1000, "and are looked for in a second");
    while (n > 0 && rounds++ < RECORDS)
        all += n = held_take_all(&held, 0);
    ok(all == RECORDS && left(held.folder) == RECORDS && left(held.drop) == 0,
       "all are taken over at last");
    held.scan_ms = 0;
    held_take_all(&held, 0);
    ok(held.scan_ms == 0, "then nothing is looked for early");
}

static void
clear(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    char path[512];

    while (d && (e = readdir(d))) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_type == DT_DIR && *e->d_name != '.')
            clear(path);
        else
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

int
main(void)
{
    char dir[] = "/tmp/postroad-take.XXXXXX", error[HELD_ERROR];
    static char site[] = "hebei", expire[] = "5d", nobody[] = "";
    static struct conf conf = {.site = site, .user = nobody, .milter.moderate_expire = expire};
    static struct role_env env = {.conf = &conf};

    if (!mkdtemp(dir))
        return 1;
    held.env = &env;
    held.whole = 1;
    held_take_setup(&conf);
    held.folder = held_folder(dir, error, sizeof error);
    if (ok(held.folder >= 0 && held_take_open(&held, error, sizeof error) == 0, "the folders"))
        flood();
    clear(dir);
    return tap_done();
}
