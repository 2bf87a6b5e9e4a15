# SPDX-License-Identifier: BSD-2-Clause
# Postroad: one makefile for all folders, for GNU make 4.3 or newer. In a fresh
# clone it runs autoconf and ./configure by itself (with $(CONFIGURE_ARGS)).
# `make help` lists the targets.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL = /bin/sh
# Servers and ip(8) are where users' PATH often doesn't lead.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

WARN = -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
WERROR =
# make check T='t/route_test t/layers.t' runs only these, SKIP='t/two-sites%' all but these; JOBS=4 four at a time, which mostly wait.
T =
SKIP =
JOBS ?= 2
PROVE = prove
PROVE_FLAGS = --timer
FUZZ_SECONDS = 60
DISTDIR = .
INSTALL = install
# make V=1 shows each command in full.
V =
Q = $(if $(V),,@)
say = $(if $(V),,@echo '  $1   $(if $(filter CC,$1),$<,$@)')

# --- what is in the folders ---

PURE_SRCS    := $(wildcard $(addprefix lib/,account.c addr.c attrs.c csv.c digest.c filter.c fold_text.c freshness.c guard_*.c held_id.c held_words.c hold_*.c limits.c mime_*.c named.c nearest.c netstring.c plain_text.c policy.c queue_line.c route.c routed.c site.c socketmap.c tabline.c uuid.c window.c x509.c))
LIB_SRCS     := $(wildcard lib/*.c)
POLICYD_SRCS := $(wildcard policyd/*.c)
CTL_SRCS     := $(wildcard ctl/*.c)
MILTER_SRCS  := $(wildcard milter/*.c)
TEST_SRCS    := $(wildcard t/*_test.c)
PRELOAD_SRCS := $(wildcard t/tools/*_preload.c)
TOOL_SRCS    := $(filter-out $(PRELOAD_SRCS),$(wildcard t/tools/*.c))
BENCH_SRCS   := $(wildcard bench/*.c)
FUZZ_SRCS    := $(wildcard t/fuzz/*.c)
ALL_SRCS     := $(LIB_SRCS) $(POLICYD_SRCS) $(CTL_SRCS) $(MILTER_SRCS) $(TEST_SRCS) $(TOOL_SRCS) $(BENCH_SRCS)
TESTS        := $(TEST_SRCS:.c=)
TOOLS        := $(TOOL_SRCS:.c=)
PRELOADS     := $(PRELOAD_SRCS:.c=.so)
BENCHES      := $(BENCH_SRCS:.c=)
SCRIPTS      := $(wildcard t/*.t)
# What takes longest is begun first when several run side by side: nothing is then waited for at the end.
LONG_SCRIPTS := $(if $(filter-out 1,$(JOBS)),$(filter $(SCRIPTS),$(patsubst %,t/%.t,cuts two-sites handoff proof failures doctor sign-in \
	random held-directory held-verdicts compare replication inject inject-access inject-held queue cold inject-ldif survive hung-provider held-ctl plugin-lab syncrepl-odd held hook \
	bad-mail domain-rename replication-config moderate move-site cold-postfix milter held-role dist)))
# What a test may use of policyd without its main().
POLICYD_OBJS := $(patsubst %.c,%.o,$(filter-out policyd/main.c,$(POLICYD_SRCS)))
PROGRAMS     := policyd/postroad-policyd ctl/postroad

# --- configuration ---

# These goals need nothing of what ./configure finds out.
UNCONFIGURED := schema clean distclean format format-check help check-debian12 check-debian13
ifneq ($(filter-out $(UNCONFIGURED),$(or $(MAKECMDGOALS),all)),)
include config.mk
endif
PROGRAMS += $(if $(MILTER),milter/postroad-milter)
BENCHES := $(if $(MILTER),$(BENCHES),$(filter-out bench/null_milter,$(BENCHES)))

configure config.h.in &: configure.ac
	autoconf -f
	autoheader -f
	@touch configure config.h.in
config.status: configure
	@if test -x config.status; then set -x; ./config.status --recheck; else set -x; ./configure --no-create $(CONFIGURE_ARGS); fi
	@touch $@
config.mk config.h &: config.status config.mk.in config.h.in
	./config.status
	@touch config.mk config.h

# --- programs ---

.PHONY: all
all: $(PROGRAMS) dovecot-plugins

CCALL = $(CC) $(WARN) $(WERROR) -I. -Ilib $(HARDEN_CFLAGS) $(CPPFLAGS) $(LIB_CFLAGS) $(CFLAGS) \
	-DPOSTROAD_SYSCONFDIR='"$(sysconfdir)"' -DPOSTROAD_LOCALSTATEDIR='"$(localstatedir)"' \
	-DPOSTROAD_RUNSTATEDIR='"$(runstatedir)"' -DPOSTROAD_DATADIR='"$(datadir)"'
LINK = $(CC) $(CFLAGS) $(HARDEN_LDFLAGS) $(LDFLAGS)

%.o: %.c config.h config.mk
	$(call say,CC)
	$(Q)$(CCALL) -MMD -MP -c -o $@ $<

lib/libpostroad.a: $(LIB_SRCS:.c=.o)
	$(call say,AR)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

policyd/postroad-policyd: $(POLICYD_SRCS:.c=.o) lib/libpostroad.a
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS) $(POLICYD_LIBS)

ctl/postroad: $(CTL_SRCS:.c=.o) lib/libpostroad.a
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS) $(CTL_LIBS)

milter/postroad-milter: $(MILTER_SRCS:.c=.o) lib/libpostroad.a
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS) $(MILTER_LIBS) $(POLICYD_LIBS)

# --- Dovecot's plugins ---

# Built when ./configure has found Dovecot's headers. What each is made of; undefined symbols are the loading
# process's own. Dovecot's config.h is meant there, never ours: no -I of this tree. And no
# sanitizer, which would have to be in the program that loads them.
PLUGIN_CFLAGS = $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS))
PLUGIN_CCALL = $(CC) $(WARN) -std=gnu11 $(WERROR) -DHAVE_CONFIG_H -isystem $(DOVECOT_INCLUDE) \
	$(HARDEN_CFLAGS) $(CPPFLAGS) $(PLUGIN_CFLAGS) -fPIC
PLUGIN_LINK = $(CC) $(PLUGIN_CFLAGS) -shared -Wl,-Bsymbolic $(filter-out -pie,$(HARDEN_LDFLAGS)) $(LDFLAGS)
plugin_objs = $(addprefix dovecot-plugin/,$(addsuffix .o,$1))
SETTINGS_OBJS = $(call plugin_objs,$(if $(filter 2.4,$(DOVECOT_SERIES)),settings-2.4))
PUSH_SETTINGS_OBJS = $(call plugin_objs,$(if $(filter 2.4,$(DOVECOT_SERIES)),push-settings-2.4))
PLUGINS-2.4 = settings/lib95_postroad_settings.so settings/lib21_push_postroad_settings.so
PLUGINS = $(if $(DOVECOT_SERIES),lib95_postroad_plugin.so lib96_imap_postroad_plugin.so lib96_pop3_postroad_plugin.so \
	lib21_push_postroad_plugin.so doveadm/lib10_doveadm_postroad_plugin.so $(PLUGINS-$(DOVECOT_SERIES)))
PLUGIN_FILES = $(addprefix dovecot-plugin/,$(notdir $(PLUGINS)))

.PHONY: dovecot-plugins
dovecot-plugins: $(PLUGIN_FILES)
	@$(if $(DOVECOT_SERIES),:,echo '  left out: dovecot-plugin/*.so, as ./configure found no dovecot-config (package dovecot-dev or dovecot-devel)')

dovecot-plugin/%.o: dovecot-plugin/%.c config.mk
	$(call say,CC)
	$(Q)$(PLUGIN_CCALL) -MMD -MP -c -o $@ $<
dovecot-plugin/lib95_postroad_plugin.so: $(call plugin_objs,plugin session record box mail question answer compat-$(DOVECOT_SERIES)) $(SETTINGS_OBJS)
dovecot-plugin/lib96_imap_postroad_plugin.so: $(call plugin_objs,imap-plugin imap-change imap-share imap-quota)
dovecot-plugin/lib96_pop3_postroad_plugin.so: $(call plugin_objs,pop3-plugin pop3-deleted-$(DOVECOT_POP3))
dovecot-plugin/lib10_doveadm_postroad_plugin.so: $(call plugin_objs,doveadm-plugin question answer doveadm-compat-$(DOVECOT_SERIES)) $(SETTINGS_OBJS)
dovecot-plugin/lib21_push_postroad_plugin.so: $(call plugin_objs,push-plugin question push-compat-$(DOVECOT_SERIES)) $(PUSH_SETTINGS_OBJS)
dovecot-plugin/lib95_postroad_settings.so: $(SETTINGS_OBJS)
dovecot-plugin/lib21_push_postroad_settings.so: $(PUSH_SETTINGS_OBJS)
$(PLUGIN_FILES): dovecot-plugin/%.so:
	$(call say,LD)
	$(Q)$(PLUGIN_LINK) -o $@.new $^ && mv $@.new $@

# --- archives for tests ---

# As an archive, so that a test takes only what it uses.
policyd/policyd.a: $(POLICYD_OBJS)
	$(call say,AR)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(TESTS): %: %.o policyd/policyd.a lib/libpostroad.a
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS) $(POLICYD_LIBS)
# What this one tries is of the command.
t/move_test: ctl/move_copy.o ctl/move_record.o
t/move_compare_test: ctl/move_compare.o
t/move_test t/move_compare_test: LIB_LIBS := lib/libpostroad.a $(LIB_LIBS)
$(TOOLS) $(BENCHES): %: %.o policyd/policyd.a lib/libpostroad.a
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS) $(POLICYD_LIBS) -lpthread

bench/null_milter: LIB_LIBS += $(MILTER_LIBS)

# What a test puts in the way of a program, with LD_PRELOAD.
$(PRELOADS): %.so: %.c $(wildcard t/tools/*.inc) config.mk
	$(call say,LD)
	$(Q)$(CC) $(WARN) $(WERROR) $(CPPFLAGS) -g -O1 -fPIC -shared -o $@ $< -ldl

-include $(wildcard $(ALL_SRCS:.c=.d) dovecot-plugin/*.d)

# --- tests ---

.PHONY: tests check unit soak mutants fuzz check-debian12 check-debian13
tests: $(TESTS) $(TOOLS) $(PRELOADS) $(BENCHES)
# Everything. Scripts that need root, namespaces or a server skip themselves and say why.
check: all tests
	$(PROVE) --exec '' -j$(JOBS) $(PROVE_FLAGS) $(or $(T),$(filter-out $(SKIP),$(LONG_SCRIPTS) $(TESTS) $(filter-out $(LONG_SCRIPTS),$(SCRIPTS))))
# The C programs only: no root, no network, no server.
unit: all tests
	$(PROVE) --exec '' -j$(JOBS) $(PROVE_FLAGS) $(TESTS)
# What takes about three hours, drawn anew each time: calls that can fail do so, one at a time, a thousand kills, a long random life of two sites.
soak: all tests
	t/soak
# Each clause of the access rules and each step of rights_decide() changed in turn: a test must notice. Some minutes;
# what is done is kept in MUTANTS_DONE, so that a pass that was broken off goes on.
MUTANTS_DONE = $(CURDIR)/t/mutants-done
mutants: all tests
	POSTROAD_SOAK=1 POSTROAD_MUTANTS_DONE='$(MUTANTS_DONE)' $(PROVE) --exec '' $(PROVE_FLAGS) t/matrix-mutants.t t/rights-mutants.t
# Each parser for FUZZ_SECONDS; `make check` only runs the inputs that are kept. Needs clang.
fuzz: config.h
	@for f in $(filter-out driver,$(basename $(notdir $(FUZZ_SRCS)))); do t/fuzz/run $$f $(FUZZ_SECONDS) || exit 1; done
# The demonstration and all tests on a bare Debian, in a folder of its own; needs root and debootstrap.
check-debian12:
	t/debian bookworm
check-debian13:
	t/debian trixie

# --- the lab and the figures ---

.PHONY: demo lab bench bench-quick
demo: all $(TOOLS)
	t/lab/demo
lab: all $(TOOLS)
	t/lab/lab up
bench: all $(BENCHES)
	bench/run
bench-quick: all $(BENCHES)
	bench/run --quick

# --- schema ---

.PHONY: schema
# postroad.ldif is kept in git and compared by t/schema.t, so building never needs this.
schema:
	ldap-schema/mkldif ldap-schema/postroad.schema >ldap-schema/postroad.ldif.new
	mv ldap-schema/postroad.ldif.new ldap-schema/postroad.ldif
# The same: postroad-*.conf and .ldif are kept in git and compared by t/ldap-config.t.
.PHONY: ldap-config
ldap-config: ctl/postroad
	ldap-schema/mkconfig ldap-schema

# --- format ---

FORMAT_FILES = $(wildcard dovecot-plugin/*.[ch] lib/*.[ch] policyd/*.[ch] ctl/*.[ch] milter/*.[ch] t/*.[ch] t/*/*.[ch] bench/*.[ch])
.PHONY: format format-check
format:
	clang-format -i $(FORMAT_FILES)
format-check:
	clang-format --dry-run --Werror $(FORMAT_FILES)

# --- install ---

MAN_PAGES   := $(wildcard man/*.[1-8])
COMPLETIONS := $(wildcard ctl/*.bash-completion)
UNITS       := $(filter-out $(if $(MILTER),,%/postroad-milter.service),$(wildcard examples/systemd/*.service examples/systemd/*.socket))
SAMPLE_CONF := examples/postroad.conf
EXAMPLES     = $(shell find examples -type f ! -path 'examples/systemd/*' | LC_ALL=C sort) examples/systemd/postroad-policyd-queue.conf
SCHEMA       = $(shell find ldap-schema -maxdepth 1 -type f | LC_ALL=C sort)
confdir      = $(sysconfdir)/postroad

# FILE:TARGET, put there by a rename, as Dovecot may have its plugins mapped; what is executable stays so. An administrator's postroad.conf is never among them.
AS_IT_IS = policyd/postroad-policyd:$(sbindir)/postroad-policyd ctl/postroad:$(bindir)/postroad \
	$(foreach f,$(PLUGINS),dovecot-plugin/$(notdir $f):$(dovecot_moduledir)/$f) \
	$(if $(MILTER),milter/postroad-milter:$(sbindir)/postroad-milter) \
	$(foreach f,README.md FAILURE-MODES.md LICENSE $(EXAMPLES),$f:$(docdir)/$f) \
	$(foreach f,$(SCHEMA),$f:$(datadir)/postroad/schema/$(notdir $f)) \
	$(foreach f,$(COMPLETIONS),$f:$(datadir)/bash-completion/completions/$(basename $(notdir $f)))
# The same, but the usual paths in them become the configured ones.
WITH_PATHS = $(foreach f,$(MAN_PAGES),$f:$(mandir)/man$(subst .,,$(suffix $f))/$(notdir $f)) \
	$(foreach f,$(UNITS),$f:$(unitdir)/$(notdir $f)) \
	examples/systemd/sysusers.conf:$(sysusersdir)/postroad.conf \
	examples/systemd/tmpfiles.conf:$(tmpfilesdir)/postroad.conf \
	$(SAMPLE_CONF):$(confdir)/postroad.conf.sample
PATHS = sed -e 's,/usr/sbin/postroad,$(sbindir)/postroad,g' -e 's,/usr/bin/postroad,$(bindir)/postroad,g' \
	-e 's,/etc/postroad,$(sysconfdir)/postroad,g' -e 's,/var/lib/postroad,$(localstatedir)/lib/postroad,g' \
	-e 's,/run/postroad,$(runstatedir)/postroad,g' \
	-e 's,/usr/share/doc/postroad,$(docdir),g' -e 's,/usr/share/postroad,$(datadir)/postroad,g'

.PHONY: install uninstall
install: all
	@umask 022; for pair in $(AS_IT_IS) $(WITH_PATHS); do \
		from=$${pair%%:*}; to=$(DESTDIR)$${pair#*:}; mode=644; test ! -x $$from || mode=755; \
		echo "  INSTALL $$to"; { $(INSTALL) -D -m $$mode $$from $$to.new && mv -f $$to.new $$to; } || exit 1; done
	@umask 022; for pair in $(WITH_PATHS); do $(PATHS) $${pair%%:*} >$(DESTDIR)$${pair#*:} || exit 1; done
	@$(if $(DESTDIR),,echo "Next, with systemd: systemd-sysusers; systemd-tmpfiles --create; systemctl daemon-reload;"; \
		echo "copy $(confdir)/postroad.conf.sample to postroad.conf and fit it to your site; systemctl enable --now postroad-policyd")
# Takes out what install put in; configuration and state stay.
uninstall:
	@for pair in $(AS_IT_IS) $(WITH_PATHS); do rm -f $(DESTDIR)$${pair#*:} || exit 1; done
	@for dir in $(datadir)/postroad $(docdir) $(confdir); do \
		test ! -d $(DESTDIR)$$dir || find $(DESTDIR)$$dir -depth -type d -exec rmdir {} + 2>/dev/null || :; done

# --- dist ---

# All that git has, and ./configure and config.h.in with it: builds without autoconf and without network.
DIST = postroad-$(PACKAGE_VERSION)
.PHONY: dist
dist: configure config.h.in
	@git rev-parse --git-dir >/dev/null 2>&1 || { echo "make dist needs a git checkout: it packs what git lists" >&2; exit 2; }
	rm -rf $(DISTDIR)/$(DIST) && mkdir $(DISTDIR)/$(DIST)
	git ls-files -z | tar --null --no-recursion -cf - -T - configure config.h.in | tar -xf - -C $(DISTDIR)/$(DIST)
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$$(git log -1 --format=%ct) -C $(DISTDIR) -cf - $(DIST) | gzip -9n >$(DISTDIR)/$(DIST).tar.gz
	rm -rf $(DISTDIR)/$(DIST)
	@echo made $(DISTDIR)/$(DIST).tar.gz

# --- the rest ---

.PHONY: clean distclean help
clean:
	rm -f dovecot-plugin/*.so $(PROGRAMS) milter/postroad-milter $(TESTS) $(TOOLS) $(PRELOADS) $(BENCHES) lib/libpostroad.a policyd/policyd.a
	rm -f $(foreach d,dovecot-plugin lib policyd ctl milter t t/tools t/fuzz bench,$d/*.o $d/*.d)
distclean: clean
	rm -f config.mk config.h config.h.in config.log config.status configure configure~ postroad-*.tar.gz t/mutants-done
	rm -rf autom4te.cache
help:
	@echo 'all            programs (default)'
	@echo 'demo           two sites on this machine route mail as one; a table of what was asked for and what happened (root)'
	@echo 'lab            the same two sites, left running for you to look around (root)'
	@echo 'check          all tests; T="t/x.t t/y_test" some of them, JOBS=4 four at a time (2)'
	@echo '               what is drawn by chance is the same each time: POSTROAD_SEED=N something else, POSTROAD_SEED=new whatever'
	@echo 'unit           the tests in C only'
	@echo 'soak           calls that can fail do so, a thousand kills, a long life of two sites: about three hours, SOAK_JOBS=6'
	@echo 'mutants        each clause of the access rules and step of rights_decide() changed in turn; a test must notice: minutes'
	@echo 'fuzz           libFuzzer on each parser for FUZZ_SECONDS'
	@echo 'bench          our figures beside their limits; bench-quick: in a minute'
	@echo 'check-debian12 check-debian13: demo and check on a bare Debian in a folder (root, debootstrap)'
	@echo 'schema         ldap-schema/postroad.ldif out of postroad.schema'
	@echo 'ldap-config    access rules, indices, replication samples in ldap-schema/ out of access.in'
	@echo 'install        with DESTDIR, prefix, sysconfdir, … as usual; uninstall'
	@echo 'dist           postroad-VERSION.tar.gz, builds without autoconf'
	@echo 'format format-check clean distclean'
