#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every failpoint of an operation in turn (core/base/failpoint.h): the daemon is killed there, or the
# function fails. A VM of the bridge with NAT and a published port; the VMM is the stub, which runs no
# guest, so that a round takes a fraction of a second. Who looks is faults.py.

load ../integration/common
load ../integration/netns

setup_file() { make_namespaces; }
teardown_file() { drop_namespaces; }

setup() {
  can_make_namespaces || skip "network namespaces and TAP devices need root here"
}

faults() {
  BANGER_HOME=$BATS_TEST_TMPDIR/home in_host python3 "$BATS_TEST_DIRNAME/faults.py" "$@"
}

@test "faults: a start, killed anywhere, leaves nothing and can be repeated" { faults start kill; }
@test "faults: a start that fails anywhere leaves nothing and can be repeated" { faults start fail; }
@test "faults: a stop, killed anywhere, can be repeated" { faults stop kill; }
@test "faults: a stop that fails anywhere can be repeated" { faults stop fail; }
@test "faults: a delete, killed anywhere, can be repeated" { faults delete kill; }
@test "faults: a delete that fails anywhere can be repeated" { faults delete fail; }
@test "faults: NAT and ports set live are as recorded, wherever it is killed" { faults connect kill; }
@test "faults: NAT and ports set live are as recorded, wherever it fails" { faults connect fail; }
@test "faults: NAT and ports taken away live are as recorded, wherever it is killed" { faults disconnect kill; }
@test "faults: NAT and ports taken away live are as recorded, wherever it fails" { faults disconnect fail; }
@test "faults: the network's removal, killed anywhere, can be repeated" { faults remove-network kill; }
@test "faults: the network's removal that fails anywhere can be repeated" { faults remove-network fail; }
@test "faults: a daemon that is killed taking a VM up: the next one does" { faults take-up kill; }
@test "faults: a daemon that fails to take a VM up serves all the same" { faults take-up fail; }
@test "faults: a daemon that is killed cleaning up: the next one goes on" { faults clean-up kill; }
@test "faults: a daemon that fails to clean up does so when asked again" { faults clean-up fail; }
