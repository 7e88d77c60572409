# SPDX-License-Identifier: LGPL-2.1-or-later
# What every integration test shares: one home for the suite, with a kernel and the tiny image in it.
# Tests make VMs of their own names and delete them.

repo=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
: "${BANGER_BUILD:=$repo/build}"
export BANGER_BUILD
PATH="$BANGER_BUILD/bin:$PATH"
bats_require_minimum_version 1.5.0

# The suite's home, or one of a test's own after `own_home`.
export BANGER_HOME=${BANGER_HOME:-$BATS_SUITE_TMPDIR/home}

# shellcheck source=tests/integration/config.bash
source "$repo/tests/integration/config.bash"

# configure [LUA]: more items of the configuration of the daemon's next start.
# shellcheck disable=SC2120  # without an argument, just these
configure() {
  echo "return { $common_config, $* }" >"$BANGER_HOME/config.lua"
}

# A home of this test's own, with nothing in it but what it asks for.
own_home() {
  BANGER_HOME=$BATS_TEST_TMPDIR/home
  mkdir -p "$BANGER_HOME"
  configure
  if [ -d "$BATS_SUITE_TMPDIR/home/cache" ]; then # the downloaded package, not its import
    cp -a "$BATS_SUITE_TMPDIR/home/cache" "$BANGER_HOME/cache"
  fi
}

daemon_pid() {
  banger daemon status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["pid"])'
}

# json EXPRESSION: of the JSON on stdin, as `data`.
json() {
  python3 -c "import json,sys; data = json.load(sys.stdin); print($1)"
}

# ended PID [SECONDS]: waits for the end of a process that need not be our child.
ended() {
  timeout "${2:-30}" tail --pid="$1" -f /dev/null
}

# says FILE TEXT: waits until a file that is being written has a text.
says() {
  timeout 90 bash -c 'tail -n +1 -F "$1" 2>/dev/null | grep -q -m1 -- "$2"' - "$1" "$2"
}

# event TYPE NAME [TEXT]: waits for an event of a VM, past ones included.
event() {
  timeout 90 bash -c 'banger events --follow --json | grep -m1 "\"$1\".*\"$2\".*$3\|\"$2\".*\"$1\".*$3"' - "$1" "$2" "${3:-}" >/dev/null
}

# Everything that a VM can leave behind on this host, one line each; empty when nothing is left.
inventory() {
  local pid
  for pid in $(pgrep -f "$BANGER_HOME/(run|state)/vms/" || true); do
    [ "$pid" = "$$" ] || tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | sed "s/^/process $pid: /;s/\$/\n/"
  done
  find "$BANGER_HOME/run/vms" "$BANGER_HOME/state/vms" -mindepth 1 2>/dev/null
  find "$BANGER_HOME/state" -name '*.staging' 2>/dev/null
  python3 - "$BANGER_HOME/state/banger.db" <<'PYTHON'
import sqlite3, sys
database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
for row in database.execute("SELECT vm_id, owner, kind, key, state FROM resources"):
    print("resource", *row)
for row in database.execute("SELECT name, state FROM vms"):
    print("vm", *row)
PYTHON
}

assert_nothing_left() {
  local left
  left=$(inventory)
  if [ -n "$left" ]; then
    echo "left behind:"
    echo "$left"
    return 1
  fi
}

# For a teardown: of a test that failed, what its last `run` kept for itself, the daemon has logged, and the consoles of
# the VMs that are there show.
explain_failure() {
  [ -z "${BATS_TEST_COMPLETED:-}" ] || return 0
  echo "the last run: status ${status:-none}"
  echo "its output: ${output:-}"
  echo "its stderr: ${stderr:-}"
  echo "the end of the daemon's log:"
  tail -n 20 "$BANGER_HOME/state/bangerd.log" || true
  for console in "$BANGER_HOME"/state/vms/*/console.log; do
    [ -e "$console" ] || continue
    echo "the end of $console:"
    tail -n 12 "$console" || true
  done
}

# has TEXT: in $output.
has() {
  if [[ "$output" != *"$1"* ]]; then
    echo "not found: $1"
    echo "in: $output"
    return 1
  fi
}

is() {
  if [ "$1" != "$2" ]; then
    echo "have: $1"
    echo "want: $2"
    return 1
  fi
}
