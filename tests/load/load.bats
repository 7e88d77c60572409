#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A daemon with many clients and many VMs, none of them with a guest: the VMM is the stub. Each test is a
# program of its own here, with a home of its own. With BANGER_BUILD=build/tsan the daemon is instrumented.

setup() {
  : "${BANGER_BUILD:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build}"
  export BANGER_BUILD BANGER_HOME=$BATS_TEST_TMPDIR/home
}

# On success too, on the terminal (TAP: as comments): seeds and figures.
told() {
  local status=0
  python3 "$BATS_TEST_DIRNAME/$1.py" "${@:2}" >"$BATS_TEST_TMPDIR/said" 2>&1 || status=$?
  sed 's/^/# /' "$BATS_TEST_TMPDIR/said" >&3
  return "$status"
}

@test "load: 50 clients, ${LOAD_OPERATIONS:-10000} operations on 20 VMs: every answer fits one order" {
  told concurrency
}

@test "load: operations on one VM come in the order of their requests" {
  told order
}

@test "load: of many daemons on one home one serves" {
  told one_home
}

@test "load: one of 50 VMMs that hangs delays no other, nor ps" {
  told hung vmm
}

@test "load: a hook that hangs for one VM delays no other, nor ps" {
  told hung hook
}

@test "load: the same of a hook in the daemon" {
  told hung hook-in-daemon
}
