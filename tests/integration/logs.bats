#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The console, the VMM's log, the log of operations, and events.

load common

teardown() {
  explain_failure
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  assert_nothing_left
}

# Writes to the guest's console, as its kernel and its init do.
console() { # console VM TEXT
  banger vm exec "$1" -- sh -c 'cat >/dev/console' <<<"$2"
}

# Waits until the console's file has a text: between the guest's write and the file is a UART.
console_has() {
  says "$(banger vm show "$1" --json | json 'data["dir"]')/console.log" "$2"
}

# As json, for every line of stdin.
json_lines() {
  python3 -c "
import json, sys
for line in sys.stdin:
    data = json.loads(line)
    print($1)"
}

@test "logs: -f follows the console across the boot, to the VM's end" {
  banger vm create --name talker --boot-arg loglevel=7
  banger vm start talker 2>"$BATS_TEST_TMPDIR/progress" 3>&- &
  local starter=$!
  says "$BATS_TEST_TMPDIR/progress" wait_agent
  banger vm logs -f talker >"$BATS_TEST_TMPDIR/followed" 3>&- &
  local follower=$!
  says "$BATS_TEST_TMPDIR/followed" "Linux version"
  wait "$starter"
  console talker "a word from the guest"
  says "$BATS_TEST_TMPDIR/followed" "a word from the guest"
  kill -0 "$follower"
  banger vm stop talker
  ended "$follower"
  wait "$follower"
  says "$BATS_TEST_TMPDIR/followed" "reboot:" # its last words too
  is "$(banger vm logs talker | tr -d '\r' | md5sum)" "$(tr -d '\r' <"$BATS_TEST_TMPDIR/followed" | md5sum)"
}

@test "logs: the last lines, as JSON, and nothing of the run before" {
  banger vm run -d --name talker
  console talker $'one\ntwo\nthree'
  console_has talker three
  is "$(banger vm logs -n 2 talker | tr -d '\r')" $'two\nthree'
  is "$(banger vm logs -n 0 talker)" ""
  is "$(banger vm logs -n 1 --json talker | json 'data["line"].strip()')" three
  banger vm restart talker
  run -0 banger vm logs talker
  [[ "$output" != *three* ]]
}

@test "logs: a guest's escapes do not reach a terminal" {
  banger vm run -d --name talker
  console talker $'\e[31mred\e]0;title\a \x9b2J\x07 \e[2Jend'
  console_has talker end
  run -0 env TERM=xterm script -qec "banger vm logs -n 1 talker" /dev/null
  has red
  has end
  [[ "$output" != *$'\e'* && "$output" != *$'\a'* && "$output" != *$'\x9b'* ]]
  banger vm logs -n 1 talker | grep -q $'\e\\[31mred' # elsewhere it is what it was
  # The name of a process in the list of ports is the guest's word as well.
  banger vm exec talker -- sh -c 'evil=$(printf "/tmp/busybox\033[31m") && cp /bin/busybox "$evil" && "$evil" httpd -p 8080'
  is "$(banger vm ports --json talker | json 'ascii(data["listeners"][0]["process"])')" "'busybox\\x1b[31m'"
  run -0 env TERM=xterm script -qec "banger vm ports talker" /dev/null
  has 8080
  [[ "$output" != *$'\e[31m'* ]]
}

@test "logs: --vmm has what the VMM said, --ops every stage and its time" {
  banger vm create --name talker
  run -1 banger vm logs talker
  has "once it has been started"
  is "$(banger vm logs --ops --json talker)" "[]"
  banger vm start talker
  banger vm logs --vmm talker
  banger vm stop talker
  run -2 banger vm logs --ops --vmm talker
  banger vm logs --ops --json talker | python3 -c '
import json, sys
start, stop = json.load(sys.stdin)
assert [start["kind"], stop["kind"]] == ["vm.start", "vm.stop"], (start, stop)
for operation in start, stop:
    assert operation["outcome"] == "done" and operation["vm"], operation
    stages = operation["stages"]
    assert all(stage["outcome"] == "done" and stage["took_us"] >= 0 for stage in stages), stages
    took = sum(stage["took_us"] for stage in stages) / 1000
    assert took <= operation["took_ms"] + 1, (took, operation)
names = [stage["name"] for stage in start["stages"]]
assert names[0] == "preflight" and names[-1] == "persist", names
assert names.index("prepare") < names.index("contributeMachineConfig") < names.index("launch") < names.index("postStart")'
  is "$(banger vm logs --ops -n 1 --json talker | json '[o["kind"] for o in data]')" "['vm.stop']"
  run -0 banger vm logs --ops talker
  has "wait_agent"
}

@test "logs: events tell what happened, in order, and from a place on" {
  banger vm create --name eventful
  banger vm set eventful --label a=b
  run -2 banger vm set eventful --vcpu 99
  banger vm delete eventful
  run -0 banger events --json
  is "$(echo "$output" | grep '"eventful"' | json_lines 'data["type"]' | paste -sd' ')" "vm.create vm.set vm.delete"
  last=$(echo "$output" | tail -1 | json 'data["id"]')
  is "$(banger events --json --after "$last")" ""
  is "$(banger events --json --after "$((last - 1))" | json 'data["type"]')" vm.delete
  is "$(echo "$output" | json_lines 'data["id"]' | sort -n -c && echo sorted)" sorted
}
