#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# `vm run`: a guest, a command in it, its streams and its status.

load common

teardown() {
  explain_failure
  assert_nothing_left
}

@test "run: streams are apart and the status is the guest's" {
  run --separate-stderr -7 banger vm run --rm -- sh -c 'echo out; echo err >&2; exit 7'
  is "$output" out
  [[ "$stderr" == *err* ]]
}

@test "run: stdin reaches the command" {
  run --separate-stderr -0 bash -c 'echo hi | banger vm run --rm -- cat'
  is "$output" hi
}

@test "run: a megabyte each way arrives whole" {
  head -c 1048576 /dev/urandom >"$BATS_TEST_TMPDIR/in"
  banger vm run --rm -- cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
  cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
}

@test "run: it is a Linux of its own, named as the VM" {
  run --separate-stderr -0 banger vm run --rm --name lonely -- sh -c 'hostname; uname -r; cat /proc/1/comm'
  is "${lines[0]}" lonely
  [ "${lines[1]}" != "$(uname -r)" ]
}

@test "run: environment, working directory and a missing command" {
  run --separate-stderr -0 banger vm run --rm --env GREETING=hello -w /tmp -- sh -c 'echo $GREETING $PWD'
  is "$output" "hello /tmp"
  run -127 banger vm run --rm -- no-such-command
  has no-such-command
}

@test "run: a killed command says by which signal" {
  run -137 banger vm run --rm -- sh -c 'kill -9 $$'
}

@test "run: a terminal has the size of ours, and follows it" {
  python3 "$BATS_TEST_DIRNAME/terminal.py" banger vm run --rm -t -- \
    sh -c 'trap "stty size" WINCH; stty size; echo ready; while :; do read -r -t 1 x && exit 0; done'
}

@test "run: Ctrl-C while it boots leaves nothing and exits 130" {
  banger vm run --rm -- true 2>"$BATS_TEST_TMPDIR/progress" 3>&- &
  local pid=$! status=0
  says "$BATS_TEST_TMPDIR/progress" wait_agent
  kill -INT "$pid"
  wait "$pid" || status=$?
  is "$status" 130
}

@test "run: a client that is killed takes its --rm VM along" {
  mkfifo "$BATS_TEST_TMPDIR/in"
  banger vm run --rm --name orphan -- sh -c 'echo up; cat' <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- &
  local pid=$!
  exec 9>"$BATS_TEST_TMPDIR/in"
  says "$BATS_TEST_TMPDIR/out" up
  kill -KILL "$pid"
  event 'vm.delete' orphan
  exec 9>&-
}

@test "run: flags that contradict each other change nothing" {
  run -2 banger vm run -d --rm
  run -2 banger vm run -d -- true
  run -2 banger vm run /some/path
  has "repository"
  run -2 banger vm run --memory 3x -- true
  has "3x"
  run -2 banger vm run --name 'Not Good' -- true
  has "Not Good"
}
