#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A wall clock that jumps by hours, to and fro, whenever it is asked (tests/fixtures/clock-jump): no wait of
# the daemon, its plugins or the client is on it. One that were would be over at once, or in hours.

load common
load stub

jump=$BANGER_BUILD/tests/clock-jump.so

setup_file() { stub_home "$BATS_FILE_TMPDIR/home"; }
teardown_file() { banger daemon stop; }

setup() {
  if nm -D "$BANGER_BUILD/bin/bangerd" | grep -q '__asan_\|__tsan_'; then skip "a sanitizer's runtime has to be preloaded first"; fi
  banger daemon stop --quiet
  configure "boot_timeout = '20s', plugins = { stub = { agent = '$BANGER_BUILD/bin/banger-agent' } }"
}

teardown() {
  explain_failure
  for name in $(jumping ps -a -q); do jumping vm delete "$name"; done
  assert_nothing_left
}

# Nothing here takes a second by itself.
jumping() { timeout 60 env LD_PRELOAD="$jump" "$BANGER_BUILD/bin/banger" "$@"; }

@test "clock: it does jump, in the daemon that is tried" {
  jumping daemon start
  grep -q clock-jump.so "/proc/$(daemon_pid)/maps"
  LD_PRELOAD=$jump python3 -c 'import time
assert max(time.time() for _ in range(9)) - min(time.time() for _ in range(9)) > 36 * 3600'
}

@test "clock: jumps neither end a wait nor prolong it" {
  jumping vm create --name web --label stub=run
  jumping vm create --name deaf --label stub=ignore-term
  jumping vm start web # which waits for an agent
  jumping vm start deaf
  is "$(jumping vm exec web -- echo alive)" alive
  jumping vm stop web
  run -0 jumping vm stop deaf # by KILL, behind both deadlines
  has "did not end within 200 ms: sending TERM"
  took=$(jumping vm logs deaf --ops --json | json '[s["took_us"] for o in data if o["kind"] == "vm.stop" for s in o["stages"] if s["name"] == "graceful_shutdown"][0]')
  [ "$took" -ge 2200000 ] # stop_timeout and term_timeout of them have passed
  jumping vm start web
  vmm=$(vmm_of web)
  jumping daemon stop
  is "$(jumping vm show web --json | json 'data["pid"]')" "$vmm" # taken up
  is "$(jumping vm exec web -- echo again)" again
  jumping vm restart web
  jumping vm kill web
  jumping vm delete web
}

# What the run above does not come by.
@test "clock: the wall clock is read for records alone" {
  cd "$repo"
  # Allowed: the clock's own file, the guest's clock, a zone's serial number, the age of a script's file.
  run -1 grep -rnE 'CLOCK_REALTIME|gettimeofday|[^_a-z]time\(NULL\)' core plugins lua --include='*.c' \
    --exclude-dir=agent --exclude=clock.c --exclude=zone.c --exclude=source.c
  for file in $(grep -rlE 'pthread_cond_timedwait' core plugins lua --include='*.c'); do
    grep -q 'pthread_condattr_setclock(.*CLOCK_MONOTONIC)' "$file" || { echo "$file waits on the wall clock"; false; }
  done
  # A deadline is never made of it.
  run -1 grep -rnE 'clock_wall_ms\(\) *\+|deadline_in\(.*wall' core --include='*.c'
}
