# SPDX-License-Identifier: LGPL-2.1-or-later
# make testbed [CMD="..."]: a command, or a shell, in a machine with what this one may lack.

TSC_KHZ := $(BUILD)/tests/tsc_khz
$(TSC_KHZ): tests/testbed/tsc_khz.c plugins/qemu/tsc.c plugins/qemu/qemu.h
	@mkdir -p $(@D)
	$(call say,TEST    $@)$(CC) $(filter-out -MMD -MP,$(BASE_CFLAGS)) -D_GNU_SOURCE -Iinclude -Iplugins/qemu \
	  $(filter %.c,$^) $(BASE_LDFLAGS) -o $@
tests: $(TSC_KHZ)

.PHONY: testbed
testbed: all $(TSC_KHZ)
	@share/build/packages.sh build run test
	@BUILD=$(BUILD) tests/testbed/machine.py $(if $(CMD),'$(subst ','\'',$(CMD))')
