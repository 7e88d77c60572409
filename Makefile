# SPDX-License-Identifier: LGPL-2.1-or-later
# make              build everything below build/
# make quickstart   packages, build, kernel, image, one VM      (root)
# make check        packages, build, every test                 (root)
# `make help` lists the rest.

VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
MUSL_CC ?= musl-gcc
# SANITIZE=address,undefined or SANITIZE=thread (with BUILD=build/asan, say) instruments all but the agent.
SANITIZE ?=

LIBS_CORE := lua5.4 sqlite3 jansson libarchive libkmod ext2fs libcrypto liblz4 liblzma libzstd
CPPFLAGS += -D_GNU_SOURCE -DBANGER_VERSION='"$(VERSION)"' -Iinclude -Icore
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
BASE_LDFLAGS = $(LDFLAGS) $(SANFLAGS) -pthread -Wl,-z,relro,-z,now

# -- What is built from what ------------------------------------------------------------------------

CORE_DIRS := base host store config capability image guest lifecycle rpc
CORE_SRC := $(foreach d,$(CORE_DIRS),$(wildcard core/$(d)/*.c)) core/agent/frame.c
DAEMON_SRC := $(wildcard core/daemon/*.c)
CLI_SRC := $(wildcard core/cli/*.c)
AGENT_SRC := $(wildcard core/agent/*.c)
PLUGINS := $(notdir $(patsubst %/,%,$(dir $(wildcard plugins/*/plugin.c))))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
CORE_LIB := $(BUILD)/libcore.a
PROGRAMS := $(BUILD)/bin/banger $(BUILD)/bin/bangerd $(BUILD)/bin/banger-agent
PLUGIN_FILES := $(PLUGINS:%=$(BUILD)/plugins/%.so)

CORE_CFLAGS = $(shell pkg-config --cflags $(LIBS_CORE))
CORE_LIBS = $(shell pkg-config --libs $(LIBS_CORE)) -lm -ldl

.PHONY: all
all: $(PROGRAMS) $(PLUGIN_FILES)

$(BUILD)/obj/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CORE_CFLAGS) -c $< -o $@

$(CORE_LIB): $(call obj,$(CORE_SRC))
	@rm -f $@
	$(AR) rcs $@ $^

# -rdynamic is not given: a plugin gets what it needs through the host table, never by symbol.
$(BUILD)/bin/bangerd: $(call obj,$(DAEMON_SRC)) $(CORE_LIB)
	@mkdir -p $(@D)
	$(CC) $(BASE_LDFLAGS) $(call obj,$(DAEMON_SRC)) $(CORE_LIB) $(CORE_LIBS) -o $@

$(BUILD)/bin/banger: $(call obj,$(CLI_SRC)) $(CORE_LIB)
	@mkdir -p $(@D)
	$(CC) $(BASE_LDFLAGS) $(call obj,$(CLI_SRC)) $(CORE_LIB) $(shell pkg-config --libs jansson) -o $@

# The agent runs in guests of any kind: static, without a libc of the guest's, and small.
# musl's wrapper hides the kernel's headers, which the agent needs (vm_sockets, virtio ids).
AGENT_CFLAGS := -std=gnu11 -Os -static $(WARN) -ffunction-sections -fdata-sections \
  -fno-asynchronous-unwind-tables -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu
$(BUILD)/bin/banger-agent: $(AGENT_SRC) $(wildcard core/agent/*.h)
	@mkdir -p $(@D)
	$(MUSL_CC) $(AGENT_CFLAGS) $(CPPFLAGS) $(AGENT_SRC) -Wl,--gc-sections -s -o $@

# One folder a plugin; plugins/NAME/libs names the pkg-config modules that it links.
define plugin_rule
$(BUILD)/plugins/$(1).so: $(wildcard plugins/$(1)/*.c) $(wildcard plugins/$(1)/*.h) $(wildcard include/banger/*.h)
	@mkdir -p $$(@D)
	$$(CC) $$(filter-out -MMD -MP,$$(BASE_CFLAGS)) -D_GNU_SOURCE -DBANGER_VERSION='"$(VERSION)"' -Iinclude -fPIC -shared \
	  $$(BASE_LDFLAGS) $(wildcard plugins/$(1)/*.c) -o $$@ \
	  $(if $(wildcard plugins/$(1)/libs),$$(shell pkg-config --cflags --libs $(shell cat plugins/$(1)/libs 2>/dev/null)))
endef
$(foreach p,$(PLUGINS),$(eval $(call plugin_rule,$(p))))

include tests/tests.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
