#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Paused VMs, with QEMU; firecracker.bats has the same for its VMM.

load common

teardown() {
  explain_failure
  banger vm delete still >/dev/null 2>&1 || true
  assert_nothing_left
}

# qemu_status: what QEMU itself calls the VM: running, paused.
qemu_status() {
  python3 - "$BANGER_HOME/run/vms/$(banger vm show still --json | json 'data["short_id"]')/qmp.sock" <<'PYTHON'
import json, socket, sys
link = socket.socket(socket.AF_UNIX)
link.settimeout(30)
link.connect(sys.argv[1])
lines = link.makefile("rw")
for command in ("qmp_capabilities", "query-status"):
    lines.write(json.dumps({"execute": command}) + "\n")
    lines.flush()
for line in lines:
    if json.loads(line).get("return"):
        print(json.loads(line)["return"]["status"])
        break
PYTHON
}

@test "pause: the guest stands still, is shown as paused, and goes on" {
  banger vm run -d --name still
  is "$(banger vm pause still)" still
  is "$(banger vm show still --json | json 'data["state"], data["paused"]')" "running True"
  run banger ps
  has "running (paused)"
  is "$(qemu_status)" paused
  run -125 banger vm exec still -- true
  has "is paused"
  has "banger vm resume still"
  banger vm pause still # again: it is so already
  is "$(banger vm resume still)" still
  is "$(banger vm show still --json | json '"paused" in data')" False
  is "$(qemu_status)" running
  is "$(banger vm exec still -- echo alive)" alive
  banger vm resume still
}

@test "pause: a paused VM is stopped well, killed, restarted and deleted" {
  banger vm run -d --name still
  banger vm exec still -- sh -c 'echo kept >/root/kept'
  banger vm pause still
  banger vm stop --timeout 60s still 2>"$BATS_TEST_TMPDIR/stop"
  run ! grep -q TERM "$BATS_TEST_TMPDIR/stop" # it ended by itself
  banger vm start still
  is "$(banger vm exec still -- cat /root/kept)" kept
  is "$(banger vm show still --json | json '"paused" in data')" False
  banger vm pause still
  banger vm kill still
  is "$(banger vm show still --json | json 'data["state"]')" stopped
  banger vm start still
  banger vm pause still
  banger vm delete still
}

@test "pause: a daemon that comes back knows it" {
  banger vm run -d --name still
  banger vm pause still
  pid=$(daemon_pid)
  kill -KILL "$pid"
  ended "$pid"
  is "$(banger vm show still --json | json 'data["paused"]')" True
  banger vm resume still
  is "$(banger vm exec still -- echo alive)" alive
}

@test "pause: what does not run cannot be paused, nor resumed" {
  banger vm create --name still
  for command in pause resume; do
    run -1 banger vm "$command" still
    has "is not running"
  done
  run -1 banger vm pause nobody
  has nobody
}
