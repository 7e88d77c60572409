#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon may go and come; the guests stay.

load common

teardown() {
  explain_failure
  [ -z "${vmm:-}" ] || kill -CONT "$vmm" 2>/dev/null || true # else its stop would be waited for
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  assert_nothing_left
}

@test "daemon: killed with -9, guests run on and are taken up again" {
  banger vm run -d --name survivor
  before=$(banger vm exec survivor -- cat /proc/sys/kernel/random/boot_id)
  vmm=$(banger vm show survivor --json | json 'data["pid"]')
  pid=$(daemon_pid)
  kill -KILL "$pid"
  ended "$pid"
  kill -0 "$vmm"
  run -0 banger ps
  has survivor
  is "$(banger vm exec survivor -- cat /proc/sys/kernel/random/boot_id)" "$before"
  is "$(banger vm show survivor --json | json 'data["pid"]')" "$vmm"
  banger vm stop survivor
  is "$(banger vm show survivor --json | json 'data["state"]')" stopped
}

@test "daemon: killed with -9 while a guest boots, nothing is left but the record" {
  banger vm create --name half
  banger vm start half >/dev/null 2>"$BATS_TEST_TMPDIR/progress" 3>&- &
  client=$!
  says "$BATS_TEST_TMPDIR/progress" wait_agent
  pid=$(daemon_pid)
  kill -KILL "$pid"
  ended "$pid"
  wait "$client" || true
  run -0 banger vm show half --json
  echo "$output" | json 'data["state"]' | grep -q error
  is "$(inventory | grep -v '^vm half error' | grep -v "/state/vms/")" ""
  banger vm start half
  is "$(banger vm exec half -- echo alive)" alive
}

@test "daemon: its end while an exec runs is an error, and the guest's command is hung up" {
  banger vm run -d --name cut
  mkfifo "$BATS_TEST_TMPDIR/in"
  banger vm exec -i cut -- sh -c 'echo on; exec cat' <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- &
  client=$!
  exec 9>"$BATS_TEST_TMPDIR/in"
  says "$BATS_TEST_TMPDIR/out" on
  pid=$(daemon_pid)
  kill -KILL "$pid"
  status=0
  wait "$client" || status=$?
  exec 9>&-
  [ "$status" -ne 0 ]
  is "$(banger vm exec cut -- sh -c 'pgrep -x cat || echo none')" none
}

@test "daemon: stop leaves guests running, status tells" {
  banger vm run -d --name stays
  vmm=$(banger vm show stays --json | json 'data["pid"]')
  banger daemon stop
  kill -0 "$vmm"
  run -1 env BANGER_NO_AUTOSTART=1 banger ps
  run -0 banger ps
  has stays
}

@test "daemon: a VMM that stands still delays no other VM, and is ended when it is told to" {
  banger vm run -d --name hung
  banger vm run -d --name other
  vmm=$(banger vm show hung --json | json 'data["pid"]')
  other=$(banger vm show other --json | json 'data["pid"]')
  kill -STOP "$vmm"
  banger vm stop --timeout 10m hung 2>"$BATS_TEST_TMPDIR/progress" 3>&- &
  stop=$!
  says "$BATS_TEST_TMPDIR/progress" graceful_shutdown
  run -0 banger ps
  has other
  is "$(banger vm exec other -- hostname)" other
  kill -STOP "$other"
  banger vm stop --timeout 1s other
  run ! kill -0 "$other"
  kill -0 "$stop" # it is still waited for, all the while
  kill -CONT "$vmm"
  wait "$stop"
  run ! kill -0 "$vmm"
  is "$(banger vm show hung --json | json 'data["state"]')" stopped
}

@test "daemon: two on one home are refused" {
  banger ps >/dev/null
  run -1 bangerd
  has "another bangerd"
}
