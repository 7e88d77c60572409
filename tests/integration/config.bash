# SPDX-License-Identifier: LGPL-2.1-or-later
# What the daemons of the suites are configured with. Time enough for a guest on a machine that is loaded. As root
# `auto` would take the bridge, and with it the network of this machine: only the tests that have a host network of
# their own may (netns.bash). One vcpu each: four guests at once are as many threads as a translated guest can share
# two processors with; a kernel that gets its share too late misjudges its APIC timer, and hangs (share/doc/reliability.md).
# shellcheck disable=SC2034
patient="boot_timeout = '3m'"
common_config="$patient, vm = { network = 'user', vcpu = 1 }"
