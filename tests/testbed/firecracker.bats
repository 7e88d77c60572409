#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Firecracker under KVM, with its jailer, on the bridge and on device-mapper. suite.sh puts the one of
# BANGER_FIRECRACKER (or PATH), and the jailer beside it, where it is seen here.

load ../integration/common

given=$BANGER_BUILD/testbed/firecracker

setup() {
  [ -x "$given/firecracker" ] || skip "no firecracker in PATH, nor BANGER_FIRECRACKER"
}

teardown() {
  explain_failure
  [ -x "$given/firecracker" ] || return 0
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  assert_nothing_left
  banger network remove
  banger daemon stop
  configure
}

# take [KEYS]: VMs of this Firecracker, with more keys of its plugin.
take() {
  banger daemon stop
  # shellcheck disable=SC2154  # common.bash's
  echo "return { $patient, vm = { vmm = 'firecracker' },
    plugins = { firecracker = { binary = '$given/firecracker', $* } } }" >"$BANGER_HOME/config.lua"
}

# A VM's life, from its boot to a kill.
live() {
  banger vm run -d --name fire
  is "$(banger vm show fire --json | json 'data["providers"]["vmm"]')" firecracker
  is "$(banger vm exec fire -- uname -s)" Linux
  banger vm exec fire -- ping -c 1 -W 10 172.16.0.1
  banger vm exec fire -- sh -c 'echo kept >/root/kept; sync'
  banger vm pause fire
  run ! banger vm exec fire -- true
  banger vm resume fire
  is "$(banger vm exec fire -- echo on)" on
  victim=$(daemon_pid)
  kill -KILL "$victim"
  ended "$victim"
  is "$(banger vm exec fire -- cat /root/kept)" kept
  banger vm stop --timeout 2m fire 2>"$BATS_TEST_TMPDIR/stop"
  run ! grep -q "sending TERM" "$BATS_TEST_TMPDIR/stop"
  banger vm start fire
  is "$(banger vm exec fire -- cat /root/kept)" kept
  banger vm kill -s KILL fire
  is "$(banger vm show fire --json | json 'data["state"]')" stopped
}

@test "firecracker: doctor names it, and auto takes it" {
  take
  run banger doctor
  has "Firecracker v"
  echo "# $(grep -o 'Firecracker v[^;( ]*' <<<"$output" | head -1)" >&3
}

@test "firecracker: boot, exec over vsock, pause, a killed daemon, stop, kill" {
  take
  live
}

@test "firecracker: the same in its jail" {
  [ -x "$given/jailer" ] || skip "no jailer beside the firecracker that was given"
  take "jailer = true, jailer_uid = 61234, jailer_gid = 61234"
  live
}
