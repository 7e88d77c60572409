#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# QEMU's KVM path, where a probe guest really runs.

load ../integration/common

teardown() {
  explain_failure
}

@test "doctor says that qemu will use KVM" {
  run banger doctor
  has "KVM: a probe guest ran"
}

@test "a guest boots under KVM and leaves nothing" {
  run --separate-stderr banger vm run --rm -- sh -c 'uname -s; dmesg | grep -i hypervisor'
  is "$status" 0
  has Linux
  has "Hypervisor detected: KVM"
  assert_nothing_left
}

@test "a guest of two processors under KVM has both, and this host's clock" {
  before=$(date +%s)
  run --separate-stderr banger vm run --rm --vcpu 2 -- sh -c 'nproc; date +%s'
  is "$status" 0
  is "${lines[0]}" 2
  [ "${lines[1]}" -ge "$((before - 1))" ] && [ "${lines[1]}" -le "$(($(date +%s) + 1))" ]
}
