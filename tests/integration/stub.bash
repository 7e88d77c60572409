# SPDX-License-Identifier: LGPL-2.1-or-later
# A home whose VMs are processes that run no guest (tests/fixtures/stub-vmm), with a kernel and an image
# that only look like it: for tests that look at the daemon alone. A start takes a moment, and the
# process behaves as the label `stub` says.

# shellcheck disable=SC2034,SC2154  # common.bash's
common_config="plugin_dirs = { '$BANGER_BUILD/tests/stub' }, stop_timeout = '200ms', term_timeout = '2s', \
health_interval = '200ms', \
vm = { vmm = 'stub', rootfs = 'copy', network = 'none', memory = '64M', disk = '64M' }"

# stub_home FOLDER: makes it, and it is BANGER_HOME from then on.
stub_home() {
  local parts=$1/parts
  export BANGER_HOME=$1
  mkdir -p "$parts/modules"
  configure
  python3 "$BATS_TEST_DIRNAME/fake_kernel.py" "$parts/kernel"
  : >"$parts/modules/modules.dep"
  : >"$parts/modules/modules.order"
  printf '%s\n' kernel/virtio_{mmio,blk,console}.ko kernel/ext4.ko >"$parts/modules/modules.builtin"
  mke2fs -q -t ext4 "$parts/root" 2M
  banger kernel import --vmlinuz "$parts/kernel" --modules "$parts/modules" --name linux-image-cloud-amd64
  banger image register --rootfs "$parts/root" --name tiny
}

# stub_run NAME [BEHAVIOUR]: one that runs.
stub_run() {
  banger vm create --name "$1" --label "stub=${2:-run}"
  banger vm start "$1"
}

vmm_of() { banger vm show "$1" --json | json 'data["pid"]'; }
state_of() { banger vm show "$1" --json | json 'data["state"]'; }

# held_now: what the daemon of $daemon holds: descriptors, and its children by their last argument, zombies marked.
held_now() {
  find "/proc/$daemon/fd" -mindepth 1 2>/dev/null | wc -l
  ps --ppid "$daemon" -o stat=,args= | sed -E 's/^(Z?).* /\1 /' | sort
}

# held: the same, seen twice: the last command's connection may be about to be closed.
held() {
  local have before
  have=$(held_now)
  until [ "$have" = "${before:-}" ]; do
    before=$have
    have=$(held_now)
  done
  echo "$have"
}

# holdings VM: the same after a run of that VM, when one process of each plugin is idle.
holdings() {
  banger vm start "$1" >/dev/null
  banger vm stop "$1" >/dev/null
  held
}

# holds_again HELD COMMAND...: waits until the command, which ends with held, says so again.
holds_again() {
  local have end=$((SECONDS + 30))
  have=$("${@:2}")
  until [ "$have" = "$1" ] || [ "$SECONDS" -gt "$end" ]; do
    have=$("${@:2}")
  done
  is "$have" "$1"
}

# database SQL: the daemon's, while none runs or to read.
database() {
  python3 -c 'import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for row in database.execute(sys.argv[2]): print(*row)
database.commit()' "$BANGER_HOME/state/banger.db" "$1"
}
