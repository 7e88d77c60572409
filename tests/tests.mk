# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests: one program a file of tests/unit, linked with the core and cmocka.
# Fixtures: one .so a file of tests/fixtures/plugins and tests/fixtures/hostile, and the stub VMM.
# Fuzz targets: one program a file of tests/fuzz, by clang's libFuzzer.

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
UNIT_SHARED := $(filter-out tests/unit/test_%.c tests/unit/fake_%.c,$(wildcard tests/unit/*.c))
FIXTURE_PLUGINS := $(patsubst tests/fixtures/plugins/%.c,$(BUILD)/tests/plugins/%.so,$(wildcard tests/fixtures/plugins/*.c))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CC ?= clang-14

# Nearly a hundred programs with the whole core in each, three times over: gold links them in a fifth of bfd's time.
TEST_LDFLAGS := $(if $(shell command -v ld.gold),-fuse-ld=gold)

TEST_CPPFLAGS = $(CPPFLAGS) -Itests -Itests/unit $(CORE_CFLAGS)

$(BUILD)/tests/test_%: tests/unit/test_%.c $(UNIT_SHARED) $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(TEST_CPPFLAGS) $< $(UNIT_SHARED) $(BASE_LDFLAGS) $(TEST_LDFLAGS) $(CORE_LIB) $(CORE_LIBS) -lcmocka -o $@

# With failpoints, which the core of this build need not have: one object of its own, in front of it.
$(BUILD)/tests/test_failpoint: tests/unit/test_failpoint.c core/base/failpoint.c core/base/failpoint.h $(UNIT_SHARED) $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(TEST_CPPFLAGS) -UBANGER_FAULTS -DBANGER_FAULTS \
	  $(filter %.c,$^) $(BASE_LDFLAGS) $(CORE_LIB) $(CORE_LIBS) -lcmocka -o $@

$(BUILD)/tests/plugins/%.so: tests/fixtures/plugins/%.c $(wildcard include/banger/*.h)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) -D_GNU_SOURCE -Iinclude -fPIC -shared $(BASE_LDFLAGS) $< -o $@ $(shell pkg-config --cflags --libs jansson)

# What must not take the daemon along. Nothing of a sanitizer is wanted in them: they do it on purpose.
HOSTILE_PLUGINS := $(patsubst tests/fixtures/hostile/%,$(BUILD)/tests/hostile/%.so,$(basename $(wildcard tests/fixtures/hostile/*.c tests/fixtures/hostile/*.cc)))
FIXTURE_PLUGINS += $(HOSTILE_PLUGINS)
CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
HOSTILE_FLAGS = -O1 -g -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -fPIC -shared -pthread
$(BUILD)/tests/hostile/%.so: tests/fixtures/hostile/%.c $(wildcard include/banger/*.h)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) -std=gnu11 $(HOSTILE_FLAGS) $< -o $@
$(BUILD)/tests/hostile/%.so: tests/fixtures/hostile/%.cc $(wildcard include/banger/*.h)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CXX) -std=c++17 $(HOSTILE_FLAGS) $< -o $@

# Preloaded into a daemon; without a sanitizer, whose runtime would have to come first.
CLOCK_JUMP := $(BUILD)/tests/clock-jump.so
FIXTURE_PLUGINS += $(CLOCK_JUMP)
$(CLOCK_JUMP): tests/fixtures/clock-jump/jump.c
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) -std=gnu11 -O2 -D_GNU_SOURCE $(WARN) -fPIC -shared $< -o $@

# The core of a fuzz target is instrumented as a whole.
FUZZ_CORE := $(BUILD)/fuzz/core/libcore.a
$(FUZZ_CORE): $(CORE_SRC)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz/core CC=$(FUZZ_CC) SANITIZE=fuzzer-no-link,address,undefined CFLAGS="-O1 -g" $@

$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_CORE)
	@mkdir -p $(@D)
	$(call say,FUZZ    $@)$(FUZZ_CC) -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined $(TEST_CPPFLAGS) $< $(FUZZ_CORE) $(CORE_LIBS) -pthread -o $@

# What tries or measures a plugin is built with the plugin's own files, without the core.
# $(1): the plugin
plugin_parts = $(call plugin_src,$(1)) $(wildcard plugins/$(1)/*.h include/banger/*.h)
plugin_flags = -D_GNU_SOURCE -DBANGER_VERSION='"$(VERSION)"' -Iinclude -Iplugins/$(1) -Iplugins/common
plugin_libs = $(shell pkg-config --cflags --libs $(shell cat plugins/$(1)/libs))

$(BUILD)/fuzz/fuzz_dns: tests/fuzz/fuzz_dns.c $(call plugin_parts,dns)
	@mkdir -p $(@D)
	$(call say,FUZZ    $@)$(FUZZ_CC) -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined $(call plugin_flags,dns) $(filter %.c,$^) $(call plugin_libs,dns) -pthread -o $@

$(BUILD)/fuzz/fuzz_qmp: tests/fuzz/fuzz_qmp.c $(call plugin_parts,qemu)
	@mkdir -p $(@D)
	$(call say,FUZZ    $@)$(FUZZ_CC) -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined $(call plugin_flags,qemu) $(filter %.c,$^) $(call plugin_libs,qemu) -pthread -o $@

# The fake host, not instrumented, passes it its folder.
$(BUILD)/fuzz/fuzz_firecracker: tests/fuzz/fuzz_firecracker.c $(call plugin_parts,firecracker) $(KIT_LIB)
	@mkdir -p $(@D)
	$(call say,FUZZ    $@)$(FUZZ_CC) -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined $(call plugin_flags,firecracker) $(filter %.c,$^) $(KIT_LIB) $(call plugin_libs,firecracker) -pthread -o $@

include tests/unit/plugin_tests.mk
include tests/fixtures/stub-vmm/stub_vmm.mk

.PHONY: tests unit asan tsan fuzz faults faults-build
tests: $(UNIT_TESTS) $(FIXTURE_PLUGINS)

unit: all tests
	tests/run.sh unit

asan:
	$(MAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined CFLAGS="-O1 -g" all tests
tsan:
	$(MAKE) BUILD=$(BUILD)/tsan SANITIZE=thread CFLAGS="-O1 -g" all tests
fuzz: $(FUZZ_TARGETS)

# A build with failpoints, and all of its rounds. FULL=1: those too that choose.py leaves out.
faults-build:
	$(MAKE) BUILD=$(BUILD)/faults FAULTS=1 faults-programs
faults-programs: all $(STUB_VMM) $(BUILD)/tests/tsc_khz
faults:
	@share/build/packages.sh build run images test
	@$(MAKE) --no-print-directory -s -j2 faults-build
	@BANGER_BUILD=$(BUILD)/faults FULL=$(FULL) tests/faults/matrix.py

CORE_BENCHES := $(BUILD)/tests/bench_hooks $(BUILD)/tests/bench_host $(BUILD)/tests/bench_isolate
$(CORE_BENCHES): $(BUILD)/tests/%: tests/bench/%.c $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(TEST_CPPFLAGS) $< $(BASE_LDFLAGS) $(CORE_LIB) $(CORE_LIBS) -o $@
tests: $(CORE_BENCHES)

$(BUILD)/tests/bench_dns: tests/bench/bench_dns.c $(call plugin_parts,dns)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(call plugin_flags,dns) $(filter %.c,$^) $(BASE_LDFLAGS) $(call plugin_libs,dns) -o $@
tests: $(BUILD)/tests/bench_dns
