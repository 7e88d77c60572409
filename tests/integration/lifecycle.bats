#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# create, start, stop, restart, kill, set, delete: the semantics that the earlier system had.

load common

teardown() {
  explain_failure
  banger vm prune --force >/dev/null 2>&1 || true
  for name in $(banger ps -q); do banger vm delete "$name"; done
  assert_nothing_left
}

boot_id() {
  banger vm exec "$1" -- cat /proc/sys/kernel/random/boot_id
}

state_of() {
  banger vm show "$1" --json | json 'data["state"]'
}

@test "lifecycle: create, start, stop, restart, kill, delete" {
  banger vm create --name life
  is "$(state_of life)" created
  banger vm start life
  is "$(state_of life)" running
  run -0 banger vm start life # a success that changes nothing
  first=$(boot_id life)
  banger vm restart life
  second=$(boot_id life)
  [ "$first" != "$second" ]
  banger vm exec life -- sh -c 'echo kept >/root/file; sync'
  banger vm stop life
  is "$(state_of life)" stopped
  run -0 banger vm stop life # of a dead VM: stopped
  banger vm start life
  is "$(banger vm exec life -- cat /root/file)" kept
  banger vm kill -s KILL life
  is "$(state_of life)" stopped
  banger vm delete life
  run -1 banger vm show life
}

@test "lifecycle: stop is graceful, and quick" {
  banger vm run -d --name polite
  banger vm exec polite -- sh -c 'echo here >/root/unsynced'
  run -0 banger vm stop polite
  [[ "$output" != *TERM* ]]
  banger vm start polite
  is "$(banger vm exec polite -- cat /root/unsynced)" here
  banger vm delete polite
}

@test "lifecycle: the operation log has every stage" {
  banger vm run -d --name logged
  run -0 banger vm logs --ops logged
  for stage in preflight cleanup_runtime bridge socket_dir system_overlay root_device prepare tap \
    metrics_file contributeMachineConfig guest_config launch socket_access wait_agent postStart persist; do
    has "$stage"
  done
  banger vm logs --ops --json logged | json 'data[-1]["outcome"]' | grep -q done
  banger events --json | grep -q '"vm.start"'
  banger vm delete logged
}

@test "lifecycle: set changes what the next start uses, and a disk only grows" {
  banger vm create --name sized --vcpu 1 --memory 256M
  banger vm set sized --vcpu 2 --memory 384M --label role=test
  banger vm start sized
  is "$(banger vm exec sized -- nproc)" 2
  is "$(banger vm show sized --json | json 'data["spec"]["labels"]["role"]')" test
  banger vm stop sized
  run -2 banger vm set sized --disk-size 64M
  has "never shrunk"
  banger vm set sized --disk-size 3G
  banger vm start sized
  [ "$(banger vm exec sized -- df -m / | awk 'NR==2 {print $2}')" -gt 2500 ]
  banger vm delete sized
}

@test "lifecycle: a guest that powers off is cleaned up after" {
  banger vm run -d --name off
  banger vm exec off -- poweroff -f || true
  event vm.ended off
  is "$(state_of off)" stopped
  banger vm delete off
}

@test "lifecycle: a VMM that is killed leaves an error that says so, and nothing else" {
  banger vm run -d --name crash
  kill -KILL "$(banger vm show crash --json | json 'data["pid"]')"
  event vm.ended crash
  is "$(state_of crash)" error
  run -0 banger vm show crash
  has "signal KILL"
  banger vm start crash
  is "$(state_of crash)" running
  banger vm delete crash
}

@test "lifecycle: plan prints the machine without starting it" {
  banger vm create --name planned
  run -0 banger vm plan planned --json
  echo "$output" | json 'data["machine"]["vcpu"], data["providers"]["vmm"]' | grep -q qemu
  echo "$output" | json '[c["by"] for c in data["contributions"]]' | grep -q hostname
  is "$(state_of planned)" created
  banger vm delete planned
}

@test "lifecycle: prune deletes what does not run" {
  banger vm create --name one
  banger vm run -d --name two
  banger vm prune --force
  run -1 banger vm show one
  is "$(state_of two)" running
  banger vm delete two
}
