#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What fails and is put right by the daemon itself, in one of its rounds (core/lifecycle/rounds.h), as soon as it can be. The
# matrix plays without any, so that a round comes between nothing there.

load ../integration/common
load ../integration/stub

setup_file() {
  export PATH="$BANGER_BUILD/faults/bin:$PATH" BANGER_BUILD=$BANGER_BUILD/faults
}

setup() {
  BATS_TEST_DIRNAME=$BATS_TEST_DIRNAME/../integration stub_home "$BATS_TEST_TMPDIR/home"
}

teardown() {
  explain_failure
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  banger daemon stop --quiet
}

# refuse STATEMENT: the store does none of it on VMs until `allow`, as on a disk that is full just then.
refuse() { database "CREATE TRIGGER refusal BEFORE $1 ON vms BEGIN SELECT RAISE(ABORT, 'no room, says the test'); END"; }
allow() { database "DROP TRIGGER refusal"; }

# outcomes EVENT: of all of them, oldest first.
outcomes() { banger events --json | python3 -c 'import json, sys
print(*(event["data"]["outcome"] for event in map(json.loads, sys.stdin) if event["type"] == sys.argv[1]))' "$1"; }

@test "made good: the end of a VM that could not be recorded" {
  stub_run web
  vmm=$(vmm_of web)
  refuse UPDATE
  run -1 banger vm stop web
  has "no room, says the test"
  ended "$vmm"
  is "$(state_of web)" running # nobody could write anything else
  event vm.reconcile web '"outcome":"failed"'
  allow
  event vm.reconcile web '"outcome":"done"'
  is "$(state_of web)" stopped
  is "$(inventory | grep -v "^vm \|/state/vms/")" ""
  banger vm start web
}

@test "made good: a VM that the daemon's start could not take up" {
  stub_run web
  vmm=$(vmm_of web)
  banger daemon stop --quiet
  BANGER_FAULT=reconcile:vm:error banger daemon start --quiet
  event vm.reconcile web '"outcome":"done"'
  is "$(outcomes vm.reconcile)" "failed done"
  is "$(vmm_of web)" "$vmm"
  is "$(state_of web)" running
  kill -KILL "$vmm"
  event vm.ended web
  is "$(state_of web)" stopped
}

@test "made good: an ephemeral VM that could not be deleted when its client ended" {
  refuse DELETE
  run banger vm run --rm --name gone --label stub=run -- true # it has no agent
  has "no room, says the test"

  is "$(banger ps -a -q)" gone
  until [[ "$(outcomes vm.delete)" == "failed failed"* ]]; do # its own, and that of its lease
    [ "$SECONDS" -lt 60 ]
  done
  allow
  event vm.delete gone '"outcome":"done"'
  is "$(banger ps -a -q)" ""
  is "$(inventory)" ""
}

@test "made good: what a VM that ended by itself could not give back" {
  stub_run web
  refuse_row="CREATE TRIGGER refusal BEFORE DELETE ON resources WHEN OLD.kind = 'dir' BEGIN SELECT RAISE(ABORT, 'no room, says the test'); END"
  database "$refuse_row"
  kill -KILL "$(vmm_of web)"
  event vm.ended web '"outcome":"failed"'
  is "$(state_of web)" error
  allow
  event vm.ended web '"outcome":"done"'
  is "$(banger vm show web --json | json '(data["state"], data["last_error"])')" "('error', 'the VMM was ended by signal KILL')"
  is "$(inventory | grep -v "^vm \|/state/vms/")" ""
}
