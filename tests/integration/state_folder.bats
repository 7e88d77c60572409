#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A state folder that is full, or read-only: clear errors, nothing half-made, running VMs untouched. It is a
# small tmpfs in a mount namespace of the suite's own, which the daemon and all that looks at it are in.

load common
load stub

in_space() { nsenter --mount="/proc/$space/ns/mnt" -- "$@"; }
banger() { in_space "$BANGER_BUILD/bin/banger" "$@"; }

setup() {
  if [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
    skip "a mount namespace needs root here"
  fi
  local ready=$BATS_TEST_TMPDIR/ready
  BANGER_HOME=$BATS_TEST_TMPDIR/home
  mkdir -p "$BANGER_HOME/state"
  mkfifo "$ready"
  # shellcheck disable=SC2016  # the inner shell's
  unshare --mount sh -c 'mount -t tmpfs -o size=8M,mode=0700 banger-test "$1" && echo >"$2" && exec sleep infinity' \
    - "$BANGER_HOME/state" "$ready" 3>&- &
  space=$!
  timeout 30 cat "$ready" >/dev/null
  stub_home "$BANGER_HOME"
}

teardown() {
  explain_failure
  [ -n "${space:-}" ] || return 0
  [ -n "${BATS_TEST_COMPLETED:-}" ] || in_space tail -n 20 "$BANGER_HOME/state/bangerd.log" || true
  in_space rm -f "$BANGER_HOME/state/filler"
  in_space mount -o remount,bind,rw "$BANGER_HOME/state"
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  banger daemon stop
  kill "$space"
}

# fill KIB: leaves that much, and as many files more.
fill() {
  in_space rm -f "$BANGER_HOME/state/filler"
  in_space bash -c 'fallocate -l "$(($(df --output=avail -k "$1" | tail -1) - $2))K" "$1/filler"' - "$BANGER_HOME/state" "$1"
}

# What is held, and what half-made things lie about: all but the records, the disks and the logs.
held() {
  in_space bash -c "$(declare -f inventory); inventory" | grep -v "^vm \|/state/vms/" || true
  in_space find "$BANGER_HOME/state" -name '*.new' -o -name '*.tmp*' -o -name '*.staging'
}

# full ARGUMENT...: refused for want of room, with what to do.
full() {
  run -1 banger "$@" --json
  has '"name":"full"'
  has '"hint":"free some space'
}

records() { banger ps -a --json | json '[(vm["name"], vm["state"], vm["spec"]["vcpu"]) for vm in data]'; }

@test "state folder: full, nothing is changed or half-made, and running VMs go on" {
  stub_run web
  vmm=$(vmm_of web)
  running=$(held)
  banger vm create --name late
  before=$(records)
  fill 0
  full vm create --name more
  full vm set late --vcpu 3
  full vm start late
  full image register --rootfs "$BANGER_HOME/parts/root" --name second
  full kernel import --vmlinuz "$BANGER_HOME/parts/kernel" --modules "$BANGER_HOME/parts/modules" --name second
  is "$(records)" "$before"
  is "$(held)" "$running"
  is "$(banger image list -q)" tiny
  is "$(vmm_of web)" "$vmm"
  kill -0 "$vmm"
  in_space rm "$BANGER_HOME/state/filler"
  banger vm create --name more
  banger vm set late --vcpu 3
  banger vm start late
  banger image register --rootfs "$BANGER_HOME/parts/root" --name second
}

# So much room that it ends in another stage each time, until there is enough.
@test "state folder: a start that runs out of room anywhere can be repeated" {
  banger vm create --name late
  before=$(held)
  failures=0
  for room in $(seq 0 80 2000); do
    fill "$room"
    if banger vm start late 2>"$BATS_TEST_TMPDIR/said"; then break; fi
    grep -q 'hint: free some space' "$BATS_TEST_TMPDIR/said" || { cat "$BATS_TEST_TMPDIR/said"; false; }
    is "$(held)" "$before"
    [ "$(state_of late)" != running ]
    failures=$((failures + 1))
  done
  [ "$failures" -gt 2 ]
  is "$(state_of late)" running
}

@test "state folder: full, a stop ends the VM, and what could not be recorded is as soon as there is room" {
  stub_run web
  stub_run db
  vmm=$(vmm_of web)
  fill 0
  full vm stop web
  ended "$vmm"
  vmm=$(vmm_of db)
  kill -KILL "$vmm" # nobody asks for this one
  full vm delete db
  in_space rm "$BANGER_HOME/state/filler"
  event vm.ended web
  event vm.ended db
  is "$(records)" "[('web', 'stopped', 2), ('db', 'stopped', 2)]" # how db ended was not to be recorded
  is "$(held)" ""
  banger vm start web
}

@test "state folder: full, a daemon that starts says so or serves, and VMs run on" {
  stub_run web
  vmm=$(vmm_of web)
  statuses=
  for room in 0 8 16 24 32 40; do # without room for SQLite's files, for the log of what it does, for all
    banger daemon stop --quiet
    fill "$room"
    run banger ps
    [ "$status" -eq 0 ] || has "hint: free some space"
    statuses+=$status
    kill -0 "$vmm"
  done
  echo "$statuses" | grep -qx '1*0*'
  [[ "$statuses" == *10* ]]
  is "$(vmm_of web)" "$vmm"
  is "$(state_of web)" running
}

@test "state folder: read-only, a daemon that starts says so, and VMs run on" {
  stub_run web
  vmm=$(vmm_of web)
  banger daemon stop
  in_space mount -o bind "$BANGER_HOME/state" "$BANGER_HOME/state"
  in_space mount -o remount,bind,ro "$BANGER_HOME/state"
  run -1 banger ps
  has "Read-only file system"
  has "hint: its file system is mounted read-only"
  run -1 in_space "$BANGER_BUILD/bin/bangerd"
  has "cannot be written"
  kill -0 "$vmm"
  in_space umount "$BANGER_HOME/state"
  is "$(vmm_of web)" "$vmm"
  is "$(state_of web)" running
}
