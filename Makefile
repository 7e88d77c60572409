# SPDX-License-Identifier: LGPL-2.1-or-later
# make              build everything below build/
# make quickstart   packages, build, kernel, image, one VM      (root)
# make check        packages, build, every test                 (root)
# `make help` lists the rest.

VERSION := 0.1.0
# FAULTS=1 builds failpoints in (core/base/failpoint.h), for tests/faults, into a folder of their own.
FAULTS ?=
BUILD ?= $(if $(FAULTS),build/faults,build)
PREFIX ?= /usr/local
DESTDIR ?=
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
MUSL_CC ?= musl-gcc
# SANITIZE=address,undefined or SANITIZE=thread (with BUILD=build/asan, say) instruments all but the agent.
SANITIZE ?=

# `make V=1` shows whole commands.
say = $(if $(V),,@echo '  $(1)';)

LIBS_CORE := lua5.4 sqlite3 jansson libarchive libkmod ext2fs libcrypto liblz4 liblzma libzstd \
             libnl-3.0 libnl-route-3.0 libnl-nf-3.0 libnftables devmapper
LIBS_LUA := lua5.4 jansson libcurl libcrypto
CPPFLAGS += -D_GNU_SOURCE -DBANGER_VERSION='"$(VERSION)"' -Iinclude -Icore
ifneq ($(FAULTS),)
CPPFLAGS += -DBANGER_FAULTS
endif
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
        -Wpointer-arith -Wwrite-strings -Wvla -Wno-missing-field-initializers
HARDEN := -fstack-protector-strong -fno-strict-aliasing -fvisibility=hidden
ifeq ($(SANITIZE),)
HARDEN += -D_FORTIFY_SOURCE=2
else
SANFLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
endif
BASE_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(HARDEN) $(SANFLAGS) -MMD -MP -pthread
BASE_LDFLAGS = $(LDFLAGS) $(SANFLAGS) -pthread -Wl,-z,relro,-z,now,--as-needed

# -- What is built from what ------------------------------------------------------------------------

CORE_DIRS := base host store config capability image guest lifecycle rpc
CORE_SRC := $(foreach d,$(CORE_DIRS),$(wildcard core/$(d)/*.c)) core/agent/frame.c
DAEMON_SRC := $(wildcard core/daemon/*.c)
CLI_SRC := $(wildcard core/cli/*.c)
ISOLATE_SRC := $(wildcard core/isolate/*.c)
AGENT_SRC := $(wildcard core/agent/*.c)
PLUGINS := $(notdir $(patsubst %/,%,$(dir $(wildcard plugins/*/plugin.c))))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
CORE_LIB := $(BUILD)/libcore.a
PROGRAMS := $(BUILD)/bin/banger $(BUILD)/bin/bangerd $(BUILD)/bin/banger-agent $(BUILD)/bin/banger-plugin
LUA_FILE := $(BUILD)/plugins/lua.so
PLUGIN_FILES := $(PLUGINS:%=$(BUILD)/plugins/%.so) $(LUA_FILE)
KIT_LIB := $(BUILD)/lib/libbanger-test.a

CORE_CFLAGS = $(shell pkg-config --cflags $(LIBS_CORE))
CORE_LIBS = $(shell pkg-config --libs $(LIBS_CORE)) -lm -ldl

.PHONY: all
all: $(PROGRAMS) $(PLUGIN_FILES) $(KIT_LIB) $(BUILD)/share

# Templates, seen from the programs as they are where they have been installed.
$(BUILD)/share:
	@mkdir -p $(@D)
	@ln -sfnr share $@

$(BUILD)/obj/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(call say,CC      $@)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CORE_CFLAGS) -c $< -o $@

$(CORE_LIB): $(call obj,$(CORE_SRC))
	@rm -f $@
	$(call say,AR      $@)$(AR) rcs $@ $^

# -rdynamic is not given: a plugin gets what it needs through the host table, never by symbol.
$(BUILD)/bin/bangerd: $(call obj,$(DAEMON_SRC)) $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,LD      $@)$(CC) $(BASE_LDFLAGS) $(call obj,$(DAEMON_SRC)) $(CORE_LIB) $(CORE_LIBS) -o $@

$(BUILD)/bin/banger: $(call obj,$(CLI_SRC)) $(CORE_LIB) $(KIT_LIB)
	@mkdir -p $(@D)
	$(call say,LD      $@)$(CC) $(BASE_LDFLAGS) $(call obj,$(CLI_SRC)) $(CORE_LIB) $(KIT_LIB) $(shell pkg-config --libs jansson libarchive) -o $@

# The process of an isolated plugin has little of ours, so that what it maps is the plugin's.
$(BUILD)/bin/banger-plugin: $(call obj,$(ISOLATE_SRC)) $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,LD      $@)$(CC) $(BASE_LDFLAGS) $(call obj,$(ISOLATE_SRC)) $(CORE_LIB) $(shell pkg-config --libs jansson) -ldl -o $@

# The agent runs in guests of any kind: static, without a libc of the guest's, and small.
# musl's wrapper hides the kernel's headers, which the agent needs (vm_sockets, virtio ids).
AGENT_CFLAGS := -std=gnu11 -Os -static $(WARN) -ffunction-sections -fdata-sections \
  -fno-asynchronous-unwind-tables -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu
$(BUILD)/bin/banger-agent: $(AGENT_SRC) $(wildcard core/agent/*.h)
	@mkdir -p $(@D)
	$(call say,LD      $@)$(MUSL_CC) $(AGENT_CFLAGS) $(CPPFLAGS) $(AGENT_SRC) -Wl,--gc-sections -s -o $@

# One folder a plugin; plugins/NAME/libs names the pkg-config modules that it links, plugins/NAME/shared
# the files of plugins/common that it is built with.
plugin_src = $(wildcard plugins/$(1)/*.c) $(addprefix plugins/common/,$(shell cat plugins/$(1)/shared 2>/dev/null))
define plugin_rule
$(BUILD)/plugins/$(1).so: $(call plugin_src,$(1)) $(wildcard plugins/$(1)/*.h plugins/common/*.h include/banger/*.h)
	@mkdir -p $$(@D)
	$$(call say,PLUGIN  $$@)$$(CC) $$(filter-out -MMD -MP,$$(BASE_CFLAGS)) -D_GNU_SOURCE -DBANGER_VERSION='"$(VERSION)"' -Iinclude -Iplugins/common -fPIC -shared \
	  $$(BASE_LDFLAGS) $(call plugin_src,$(1)) -o $$@ \
	  $(if $(wildcard plugins/$(1)/libs),$$(shell pkg-config --cflags --libs $(shell cat plugins/$(1)/libs 2>/dev/null)))
endef
$(foreach p,$(PLUGINS),$(eval $(call plugin_rule,$(p))))

# The Lua host is a plugin like these, with a folder of its own.
LUA_SRC := $(wildcard lua/*.c)
LUA_CFLAGS = -D_GNU_SOURCE -DBANGER_VERSION='"$(VERSION)"' -Iinclude -Ilua $(shell pkg-config --cflags $(LIBS_LUA))
LUA_LIBS = $(shell pkg-config --libs $(LIBS_LUA))
$(LUA_FILE): $(LUA_SRC) $(wildcard lua/*.h include/banger/*.h)
	@mkdir -p $(@D)
	$(call say,PLUGIN  $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(LUA_CFLAGS) -fPIC -shared $(BASE_LDFLAGS) $(LUA_SRC) -o $@ $(LUA_LIBS)

# What third parties' tests are linked with, and those of plugins/ too.
$(BUILD)/obj/core/kit/%.o: core/kit/%.c
	@mkdir -p $(@D)
	$(call say,CC      $@)$(CC) $(BASE_CFLAGS) -fPIC -D_GNU_SOURCE -Iinclude $(shell pkg-config --cflags jansson) -c $< -o $@

$(KIT_LIB): $(call obj,$(wildcard core/kit/*.c))
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR      $@)$(AR) rcs $@ $^

include tests/tests.mk
include tests/testbed/testbed.mk

# -- For people ---------------------------------------------------------------------------------------

.PHONY: help quickstart check lint bench soak install uninstall format

help:
	@echo 'make              build everything below $(BUILD)/'
	@echo 'make quickstart   install packages, build, boot a guest and run a command in it (root)'
	@echo 'make check        install packages, build, run every test (root)'
	@echo 'make unit         the unit tests alone, without root'
	@echo 'make asan, tsan   build with sanitizers into $(BUILD)/asan, $(BUILD)/tsan'
	@echo 'make faults       strike every operation at every failpoint (root); FULL=1: every round'
	@echo 'make fuzz         build the fuzz targets into $(BUILD)/fuzz'
	@echo 'make testbed      CMD="...": as root in a virtual machine with KVM, device-mapper, cgroups'
	@echo 'make soak         VMs come and go for SOAK_SECONDS (1800), and nothing grows (root)'
	@echo 'make bench        measure, as JSON and a table'
	@echo 'make lint         format, static analysis, layering'
	@echo 'make format       rewrite the sources in the house format'
	@echo 'make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'

quickstart:
	@share/build/packages.sh build run
	@$(MAKE) --no-print-directory -s -j2 all
	@BUILD=$(BUILD) share/build/quickstart.sh

# The long ones first: what is short fills the gaps (tests/run.sh).
CHECK_GROUPS ?= headers arrows integration testbed integration-asan integration-tsan faults soak load load-tsan unit asan tsan fuzz
check:
	@share/build/packages.sh build run images test
	@$(MAKE) --no-print-directory -s -j2 all tests
	@$(MAKE) --no-print-directory -s -j2 asan
	@$(MAKE) --no-print-directory -s -j2 tsan
	@$(MAKE) --no-print-directory -s -j2 fuzz
	@$(MAKE) --no-print-directory -s -j2 faults-build
	@BUILD=$(BUILD) tests/run.sh $(CHECK_GROUPS)

lint:
	@share/build/packages.sh build lint
	@share/build/lint.sh

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

soak: all $(FIXTURE_PLUGINS)
	@share/build/packages.sh build run test
	@BUILD=$(BUILD) SOAK_SECONDS=$${SOAK_SECONDS:-1800} tests/run.sh soak

bench: all tests
	@share/build/packages.sh build run
	@BUILD=$(BUILD) tests/bench/run.sh

# -- Installation ---------------------------------------------------------------------------------------

LIBEXECDIR = $(PREFIX)/libexec/banger
PLUGINDIR = $(PREFIX)/lib/banger/plugins
MANDIR = $(PREFIX)/share/man

DOCDIR = $(PREFIX)/share/doc/banger
SHAREDIR = $(PREFIX)/share/banger
UNITDIR = $(PREFIX)/lib/systemd
COMPLETIONS := bash:bash-completion/completions/banger zsh:zsh/site-functions/_banger \
               fish:fish/vendor_completions.d/banger.fish
fill = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' -e 's|@PLUGINDIR@|$(PLUGINDIR)|g' \
           -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' -e 's|@BINDIR@|$(PREFIX)/bin|g'

# The man pages and the completions are what the commands' table says: the program itself writes them.
install: all
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin $(LIBEXECDIR) $(PLUGINDIR) $(PREFIX)/include/banger \
	  $(PREFIX)/lib/pkgconfig $(DOCDIR) $(MANDIR)/man1 $(UNITDIR)/system $(UNITDIR)/user)
	install -m 755 $(BUILD)/bin/banger $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(BUILD)/bin/bangerd $(BUILD)/bin/banger-agent $(BUILD)/bin/banger-plugin $(DESTDIR)$(LIBEXECDIR)/
	install -m 644 $(PLUGIN_FILES) $(DESTDIR)$(PLUGINDIR)/
	install -m 644 include/banger/*.h $(DESTDIR)$(PREFIX)/include/banger/
	install -D -m 644 lua/library.lua $(DESTDIR)$(SHAREDIR)/library.lua
	install -d $(DESTDIR)$(DOCDIR)/hooks
	install -m 644 hooks/*.lua $(DESTDIR)$(DOCDIR)/hooks/
	install -m 644 README.md CHANGELOG.md COPYING share/doc/*.md share/config/config.lua $(DESTDIR)$(DOCDIR)/
	install -m 644 $(KIT_LIB) $(DESTDIR)$(PREFIX)/lib/
	cd share && find templates examples -type f -exec install -D -m 644 {} $(abspath $(DESTDIR)$(SHAREDIR))/{} \;
	for module in banger banger-test; do \
	  $(fill) share/pkgconfig/$$module.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/$$module.pc || exit 1; done
	$(fill) share/systemd/system/bangerd.service.in > $(DESTDIR)$(UNITDIR)/system/bangerd.service
	$(fill) share/systemd/user/bangerd.service.in > $(DESTDIR)$(UNITDIR)/user/bangerd.service
	for page in $$($(BUILD)/bin/banger help --man list); do \
	  $(BUILD)/bin/banger help --man $$page > $(DESTDIR)$(MANDIR)/man1/$$page.1 || exit 1; done
	for pair in $(COMPLETIONS); do \
	  install -d $(DESTDIR)$(PREFIX)/share/$$(dirname $${pair#*:}) && \
	  $(BUILD)/bin/banger completion $${pair%%:*} > $(DESTDIR)$(PREFIX)/share/$${pair#*:} || exit 1; done

uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/banger lib/libbanger-test.a lib/pkgconfig/banger.pc \
	  lib/pkgconfig/banger-test.pc lib/systemd/system/bangerd.service \
	  lib/systemd/user/bangerd.service $(foreach c,$(COMPLETIONS),share/$(lastword $(subst :, ,$(c)))))
	rm -f $(DESTDIR)$(MANDIR)/man1/banger.1 $(DESTDIR)$(MANDIR)/man1/banger-*.1
	rm -rf $(addprefix $(DESTDIR),$(LIBEXECDIR) $(PREFIX)/lib/banger $(PREFIX)/include/banger $(DOCDIR) $(SHAREDIR))

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
