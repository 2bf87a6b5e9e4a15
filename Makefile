# SPDX-License-Identifier: BSD-2-Clause
# Postroad: one makefile for all folders. In a fresh clone it runs autoconf and
# ./configure by itself.

.DEFAULT_GOAL := all
SHELL = /bin/sh

WARN = -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
WERROR =

ifeq ($(filter clean distclean format format-check help,$(MAKECMDGOALS)),)
-include config.mk
endif

PURE_SRCS    := $(addprefix lib/,addr.c account.c attrs.c digest.c filter.c freshness.c netstring.c route.c site.c socketmap.c)
LIB_SRCS     := $(wildcard lib/*.c)
POLICYD_SRCS := $(wildcard policyd/*.c)
CTL_SRCS     := $(wildcard ctl/*.c)
TEST_SRCS    := $(wildcard t/*_test.c)
TOOL_SRCS    := $(wildcard t/tools/*.c)
BENCH_SRCS   := $(wildcard bench/*.c)
ALL_SRCS     := $(LIB_SRCS) $(POLICYD_SRCS) $(CTL_SRCS) $(TEST_SRCS) $(TOOL_SRCS) $(BENCH_SRCS)
TESTS        := $(TEST_SRCS:.c=)
TOOLS        := $(TOOL_SRCS:.c=)
BENCHES      := $(BENCH_SRCS:.c=)
# What a test may use of policyd without its main().
POLICYD_OBJS := $(patsubst %.c,%.o,$(filter-out policyd/main.c,$(POLICYD_SRCS)))

PROGRAMS := $(if $(wildcard policyd/main.c),policyd/postroad-policyd) $(if $(wildcard ctl/main.c),ctl/postroad)

CCALL = $(CC) $(WARN) $(WERROR) -I. -Ilib $(CPPFLAGS) $(LIB_CFLAGS) $(CFLAGS) \
	-DPOSTROAD_SYSCONFDIR='"$(sysconfdir)"' -DPOSTROAD_LOCALSTATEDIR='"$(localstatedir)"' \
	-DPOSTROAD_RUNSTATEDIR='"$(runstatedir)"'

.PHONY: all
all: $(PROGRAMS)

configure: configure.ac
	autoconf
	autoheader
config.mk config.h &: configure config.mk.in
	@test -e config.status && ./config.status --recheck >/dev/null || ./configure $(CONFIGURE_ARGS)
	./config.status

%.o: %.c config.h
	$(CCALL) -MMD -MP -c -o $@ $<

lib/libpostroad.a: $(LIB_SRCS:.c=.o)
	rm -f $@
	$(AR) rcs $@ $^

policyd/postroad-policyd: $(POLICYD_SRCS:.c=.o) lib/libpostroad.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(POLICYD_LIBS)

ctl/postroad: $(CTL_SRCS:.c=.o) lib/libpostroad.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

$(TESTS): %: %.o $(POLICYD_OBJS) lib/libpostroad.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(POLICYD_LIBS)
$(TOOLS) $(BENCHES): %: %.o lib/libpostroad.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(POLICYD_LIBS) -lpthread

.PHONY: tests unit
tests: $(TESTS) $(TOOLS)
# Unit tests only: no root, no network.
unit: all tests
	prove --exec '' $(TESTS)

-include $(ALL_SRCS:.c=.d)

.PHONY: clean
clean:
	rm -f $(PROGRAMS) $(TESTS) $(TOOLS) $(BENCHES) lib/libpostroad.a */*.o */*/*.o */*.d */*/*.d
