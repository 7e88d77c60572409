#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is shipped has no failpoint (core/base/failpoint.h), and nothing of them.

load ../integration/common

@test "faults: a release build has neither the option nor the names of failpoints" {
  run bangerd --failpoints
  is "$status" 2
  run bangerd --help
  [[ "$output" != *failpoints* ]]
  [ "$(strings -d "$BANGER_BUILD/bin/bangerd" | wc -l)" -gt 1000 ] # so that none found means something
  run grep -c -E 'BANGER_FAULT|failpoint|journal\.intend|uplinks-known' <(strings -d "$BANGER_BUILD/bin/bangerd")
  is "$output" 0
  run nm "$BANGER_BUILD/bin/bangerd"
  [[ "$output" == *daemon_open* ]]
  [[ "$output" != *failpoint* ]]
}

@test "faults: a build for it lists its failpoints, each once, and refuses what is none" {
  export PATH="$BANGER_BUILD/faults/bin:$PATH"
  run bangerd --failpoints
  is "$status" 0
  [ "${#lines[@]}" -gt 120 ]
  is "$(cut -d' ' -f1 <<<"$output")" "$(seq "${#lines[@]}")"
  is "$(cut -d' ' -f2 <<<"$output" | sort -u | wc -l)" "${#lines[@]}"
  export BANGER_HOME=$BATS_TEST_TMPDIR/home
  mkdir "$BANGER_HOME"
  BANGER_FAULT=launch:bgin:kill run bangerd
  is "$status" 1
  has "there is no failpoint 'launch:bgin'; did you mean 'launch:begin'?"
  BANGER_FAULT=launch:end:error run bangerd
  is "$status" 1
  has "at that place there is kill delay"
}

@test "faults: the inventory sees what is lost, left or half there" {
  run python3 "$BATS_TEST_DIRNAME/selftest.py"
  is "$status" 0
}
