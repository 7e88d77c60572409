# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests: one program a file of tests/unit, linked with the core and cmocka.
# Fixtures: one .so a file of tests/fixtures/plugins.

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
FIXTURE_PLUGINS := $(patsubst tests/fixtures/plugins/%.c,$(BUILD)/tests/plugins/%.so,$(wildcard tests/fixtures/plugins/*.c))

$(BUILD)/tests/test_%: tests/unit/test_%.c $(CORE_LIB)
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CPPFLAGS) -Itests $(CORE_CFLAGS) $< $(BASE_LDFLAGS) $(CORE_LIB) $(CORE_LIBS) -lcmocka -o $@

$(BUILD)/tests/plugins/%.so: tests/fixtures/plugins/%.c $(wildcard include/banger/*.h)
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) -D_GNU_SOURCE -Iinclude -fPIC -shared $(BASE_LDFLAGS) $< -o $@ $(shell pkg-config --cflags --libs jansson)

.PHONY: unit
unit: $(UNIT_TESTS) $(FIXTURE_PLUGINS) $(PLUGIN_FILES) $(BUILD)/bin/banger-agent
	@status=0; for t in $(UNIT_TESTS); do echo "== $$t"; BANGER_BUILD=$(abspath $(BUILD)) $$t || status=1; done; exit $$status
