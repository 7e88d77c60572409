#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
load common

teardown() {
  explain_failure
  assert_nothing_left
}

one_round() {
  banger vm run -d --name "$1" >/dev/null 2>&1 &&
    [ "$(banger vm exec "$1" -- hostname)" = "$1" ] &&
    banger vm stop "$1" >/dev/null 2>&1 &&
    banger vm delete "$1" >/dev/null 2>&1
}

@test "concurrency: 4 VMs at once start, exec, stop and delete, ${ROUNDS:-10} rounds" {
  for round in $(seq "${ROUNDS:-10}"); do
    pids=()
    for i in 1 2 3 4; do
      one_round "round$round-vm$i" &
      pids+=($!)
    done
    for pid in "${pids[@]}"; do
      wait "$pid" || { echo "round $round failed"; banger ps -a; return 1; }
    done
    assert_nothing_left
  done
}
