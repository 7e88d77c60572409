#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The limits of cgroup v2, on a host that enforces them.

load ../integration/common

# restart [LUA]: a daemon with these items of configuration.
restart() {
  banger daemon stop
  configure "$@"
}

teardown() {
  explain_failure
  local left
  mapfile -t left < <(banger ps -aq)
  [ "${#left[@]}" -eq 0 ] || banger vm delete "${left[@]}"
  restart
}

limit() { cat "/sys/fs/cgroup/banger/$id/$1"; }

no_cgroups_left() {
  is "$(find /sys/fs/cgroup/banger -mindepth 1 -type d)" ""
}

@test "the unit test of cgroups skips nothing here" {
  CMOCKA_MESSAGE_OUTPUT=TAP run "$BANGER_BUILD/tests/test_cgroup"
  is "$status" 0
  has "1..3"
  [[ "$output" != *[Ss][Kk][Ii][Pp]* ]]
}

@test "a VM's cgroup has its VMM and its limits, and goes with it" {
  run banger doctor
  has "limits of VMs are enforced"
  restart "plugins = { resources = { cpu_limit = true } }"
  banger vm run -d --name limited --memory 128M --vcpu 2
  id=$(banger vm show limited --json | json 'data["id"]')
  is "$(limit memory.max)" "$(((128 + 512) << 20))" # plugins.resources.memory_overhead
  is "$(limit pids.max)" 66                         # max_processes
  is "$(limit cpu.max)" "200000 100000"
  # Beside it there may be a thread of the kernel's own, for KVM.
  for pid in $(limit cgroup.procs); do tr '\0' ' ' <"/proc/$pid/cmdline"; done | grep -q "guest=limited"
  banger vm delete limited
  no_cgroups_left
}

@test "a VMM that takes more memory than its limit is ended, and the VM says so" {
  restart "plugins = { resources = { memory_overhead = '1M' } }"
  banger vm run -d --name greedy --memory 128M
  run banger vm exec greedy -- sh -c 'mount -t tmpfs -o size=120M none /mnt; dd if=/dev/zero of=/mnt/x bs=1M count=110'
  [ "$status" -ne 0 ]
  dmesg | grep -q 'Memory cgroup out of memory: Killed process.*qemu'
  event vm.ended greedy
  is "$(banger vm show greedy --json | json 'data["state"]')" error
  banger vm delete greedy
  no_cgroups_left
}

@test "a VMM is held to its number of threads" {
  restart "plugins = { resources = { max_processes = 1 } }"
  run banger vm run --rm -- true
  [ "$status" -ne 0 ]
  has "QEMU"
  assert_nothing_left
  no_cgroups_left
}
