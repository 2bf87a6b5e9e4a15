/* SPDX-License-Identifier: BSD-2-Clause */
/* routed: what stands inside addresses that Postfix takes apart, all the way in. */
#include "routed.h"
#include "t/tap.h"

static void
way(const char *in, const char *want)
{
    char out[2][ADDR_MAX + 1], got[1024] = "";
    struct span address = span_of(in);
    size_t n;

    for (int i = 0; i < ROUTED_MOST && routed_inner(address, out[i % 2], &n); i++) {
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? " " : "", out[i % 2]);
        address = (struct span){out[i % 2], n};
    }
    is_str(got, want, in);
}

int
main(void)
{
    char text[ADDR_MAX + 200], out[ADDR_MAX + 1];
    size_t n;

    way("all@a.example", "");
    way("all", "");
    way("", "");
    way("@a.example", "");
    way("a.example!all", "all@a.example");
    way("all%a.example", "all@a.example");
    way("all%a.example@host", "all@a.example");
    way("a.example!all@host", "all@a.example");
    way("all@a.example@host", "all@a.example");
    way("all%a.example@b.example@host", "all%a.example@b.example all@a.example");
    way("b.example!a.example!all", "a.example!all@b.example all@a.example");
    way("all%a.example%b.example@host", "all%a.example@b.example all@a.example");
    way("!all", "all@");
    way("all!", "@all");
    way("%", "@");
    memset(text, 'a', sizeof text);
    text[ADDR_MAX] = '%';
    is_int(routed_inner((struct span){text, sizeof text}, out, &n), 0, "too long");
    memcpy(text + ADDR_MAX, "@", 1);
    text[1] = '!';
    is_int(routed_inner((struct span){text, ADDR_MAX + 1}, out, &n), 1, "as long as can be");
    is_int((int)n, ADDR_MAX, "all of it");
    return tap_done();
}
