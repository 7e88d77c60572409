# SPDX-License-Identifier: LGPL-2.1-or-later
# A plugin's unit test is linked with the plugin's own files and the fake host:
# tests/unit/test_plugin_NAME.c, or test_plugin_NAME.PART.c, with plugins/NAME/*.c and its libs.

PLUGIN_TESTS := $(patsubst tests/unit/test_plugin_%.c,%,$(wildcard tests/unit/test_plugin_*.c))
FAKE_HOST := $(KIT_LIB)

# $(1): NAME or NAME.PART; $(2): NAME
define plugin_test_rule
$(BUILD)/tests/test_plugin_$(1): tests/unit/test_plugin_$(1).c $(FAKE_HOST) $(call plugin_src,$(2)) \
  $(wildcard tests/unit/*.h plugins/$(2)/*.h plugins/common/*.h include/banger/*.h)
	@mkdir -p $$(@D)
	$$(call say,TEST    $$@)$$(CC) $$(filter-out -MMD -MP,$$(BASE_CFLAGS)) -D_GNU_SOURCE -DBANGER_VERSION='"$(VERSION)"' -Iinclude -Iplugins/$(2) -Iplugins/common \
	  $$(filter %.c,$$^) $(FAKE_HOST) $$(BASE_LDFLAGS) $(if $(wildcard plugins/$(2)/libs),$$(shell pkg-config --cflags --libs $(shell cat plugins/$(2)/libs 2>/dev/null))) \
	  -ljansson -lcmocka -o $$@
endef
$(foreach p,$(PLUGIN_TESTS),$(eval $(call plugin_test_rule,$(p),$(firstword $(subst ., ,$(p))))))

# The fake host's own test.
$(BUILD)/tests/test_fake_host: tests/unit/test_fake_host.c $(FAKE_HOST) include/banger/test.h
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) -D_GNU_SOURCE -Iinclude $< $(FAKE_HOST) \
	  $(BASE_LDFLAGS) -ljansson -lcmocka -o $@

# The Lua host's tests, and what measures it, have its own files too.
LUA_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_lua_*.c))
LUA_PARTS := $(LUA_SRC) $(KIT_LIB)
$(LUA_TESTS): $(BUILD)/tests/%: tests/unit/%.c $(LUA_PARTS) $(wildcard tests/unit/*.h lua/*.h include/banger/*.h)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(LUA_CFLAGS) -Itests/unit $< $(LUA_PARTS) \
	  $(BASE_LDFLAGS) $(LUA_LIBS) -lcmocka -o $@

$(BUILD)/tests/bench_lua: tests/bench/bench_lua.c $(LUA_PARTS) $(CORE_LIB) $(wildcard lua/*.h include/banger/*.h)
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) $(LUA_CFLAGS) -Icore $< $(LUA_PARTS) $(BASE_LDFLAGS) \
	  $(CORE_LIB) $(CORE_LIBS) $(LUA_LIBS) -o $@
tests: $(BUILD)/tests/bench_lua
