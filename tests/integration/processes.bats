#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whom the daemon signals, and when: its VMMs, and nobody who only has the PID of one now. A bystander, which
# is a stranger's process, notes every signal that it gets.

load common
load netns
load stub

setup_file() {
  stub_home "$BATS_FILE_TMPDIR/home"
  make_namespaces
}

teardown_file() {
  "$BANGER_BUILD/bin/banger" daemon stop
  drop_namespaces
}

# Not in the network namespace, but for the one test that has a bridge.
banger() { "$BANGER_BUILD/bin/banger" "$@"; }

setup() {
  mkfifo "$BATS_TEST_TMPDIR/ready"
  setsid python3 - "$BATS_TEST_TMPDIR" >/dev/null 2>&1 3>&- <<'PYTHON' &
import os, signal, sys
def note(number, frame):
    with open(f"{sys.argv[1]}/signals", "a") as file:
        print(signal.Signals(number).name, file=file)
    os._exit(0)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
    signal.signal(number, note)
open(f"{sys.argv[1]}/ready", "w").close()
while True:
    signal.pause()
PYTHON
  bystander=$!
  timeout 30 cat "$BATS_TEST_TMPDIR/ready" >/dev/null
  : >"$BATS_TEST_TMPDIR/signals"
}

teardown() {
  explain_failure
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  kill -KILL "$bystander" 2>/dev/null || true
  wait "$bystander" 2>/dev/null || true # or the shell has a word about it
  assert_nothing_left
}

start_ticks() { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; } # field 22, past a name with spaces

# names PID TICKS BOOT_ID ROW: the journal's row names that process. Signs as attributes are written.
names() {
  database "UPDATE resources SET attrs = json_set(attrs, '\$.pid', $1, '\$.start_ticks', $2, '\$.boot_id', '$3') WHERE $4"
}

unharmed() {
  kill -0 "$bystander"
  is "$(cat "$BATS_TEST_TMPDIR/signals")" ""
}

of() { echo "vm_id = (SELECT id FROM vms WHERE name = '$1')"; }
vmm_row="kind = 'process' AND json_extract(attrs, '\$.role') = 'vmm'"

@test "processes: a daemon that comes back takes no stranger with a VMM's PID for it" {
  boot=$(cat /proc/sys/kernel/random/boot_id)
  ticks=$(start_ticks "$bystander")
  for name in reused other-boot a-tick-later; do stub_run "$name"; done
  vmms=$(database "SELECT json_extract(attrs, '\$.pid') FROM resources WHERE $vmm_row")
  reused_ticks=$(start_ticks "$(vmm_of reused)")
  banger daemon stop
  for vmm in $vmms; do
    kill -KILL "$vmm"
    ended "$vmm"
  done
  names "$bystander" "$reused_ticks" "$boot" "$vmm_row AND $(of reused)" # the kernel gave the PID to another since
  names "$bystander" "$ticks" 00000000-0000-0000-0000-000000000000 "$vmm_row AND $(of other-boot)"
  names "$bystander" $((ticks + 1)) "$boot" "$vmm_row AND $(of a-tick-later)"
  banger daemon start
  is "$(banger ps -a --json | json 'sorted({vm["state"] for vm in data})')" "['stopped']"
  is "$(database 'SELECT count(*) FROM resources')" 0
  unharmed
}

@test "processes: a stop and a delete signal no stranger; whom the row names exactly, they do" {
  boot=$(cat /proc/sys/kernel/random/boot_id)
  ticks=$(start_ticks "$bystander")
  for operation in "stop web" "delete web"; do
    stub_run web
    vm=$(banger vm show web --json | json 'data["id"]')
    for row in "$((ticks - 1)) $boot" "$ticks 00000000-0000-0000-0000-000000000000"; do
      database "INSERT INTO resources (vm_id, owner, kind, key, attrs, state) VALUES ('$vm', 'core', 'process', '/helper', '{}', 'held')"
      names "$bystander" ${row% *} "${row#* }" "key = '/helper' AND attrs = '{}'"
    done
    # shellcheck disable=SC2086  # two words
    banger vm $operation
    unharmed
    is "$(database 'SELECT count(*) FROM resources')" 0
    banger vm delete web 2>/dev/null || true
  done
  stub_run web
  vm=$(banger vm show web --json | json 'data["id"]')
  database "INSERT INTO resources (vm_id, owner, kind, key, attrs, state) VALUES ('$vm', 'core', 'process', '/helper', '{}', 'held')"
  names "$bystander" "$ticks" "$boot" "key = '/helper'"
  banger vm stop web
  wait "$bystander" # ours to reap
  is "$(cat "$BATS_TEST_TMPDIR/signals")" SIGTERM
}

# in_order LOG TEXT...: each for the first time in a line behind the one before.
in_order() {
  local log=$1 last=0 line
  shift
  for text in "$@"; do
    line=$(grep -n -m1 -- "$text" "$log" | cut -d: -f1)
    [ "${line:-0}" -gt "$last" ] || { echo "not behind line $last: $text"; cut -c1-160 "$log"; return 1; }
    last=$line
  done
}

@test "processes: an ignored Ctrl-Alt-Del: TERM, KILL, reaped, and only then is the TAP released" {
  can_make_namespaces || skip "network namespaces and TAP devices need root here"
  banger daemon stop
  banger() { in_host "$BANGER_BUILD/bin/banger" "$@"; }
  configure "term_timeout = '300ms', plugins = { bridge = { pool = 0 }, stub = { isolate = false } }" # all in one process
  banger vm create --name deaf --network bridge --label stub=ignore-term
  banger vm start deaf
  vmm=$(vmm_of deaf)
  tap=$(in_host ip -o link show | grep -o 'tap-fc-[0-9a-f]\{8\}\b')
  strace -f -o "$BATS_TEST_TMPDIR/calls" -e trace=write,pidfd_send_signal,waitid,sendto -p "$(daemon_pid)" \
    2>"$BATS_TEST_TMPDIR/strace" 3>&- &
  strace=$!
  says "$BATS_TEST_TMPDIR/strace" attached
  banger vm stop deaf
  kill "$strace"
  wait "$strace" || true
  # waitid may be in two lines; 0x11 is RTM_DELLINK.
  in_order "$BATS_TEST_TMPDIR/calls" '"q", 1' SIGTERM SIGKILL "waitid.*si_pid=$vmm,.*= 0" 'nlmsg_type=0x11 '
  run -1 in_host ip link show "$tap"
  is "$(state_of deaf)" stopped
}
