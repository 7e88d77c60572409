#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Root disks on device-mapper: with real guests where a guest has to see it, else on the stub VMM, where this
# script writes to the disk as a VMM would.

load ../integration/common

setup_file() {
  snapshot_daemon
}

teardown_file() {
  banger daemon stop
  configure
}

setup() {
  image=$(echo "$BANGER_HOME"/state/images/*/rootfs.ext4)
}

teardown() {
  local name
  explain_failure
  for name in $(banger ps --all --json | json '" ".join(vm["name"] for vm in data)'); do
    banger vm delete "$name" || true
  done
  [ -n "${BATS_TEST_COMPLETED:-}" ] || dmsetup remove_all
}

# snapshot_daemon [CONFIGURATION [PLUGIN_KEYS]]: a daemon that has started with it.
snapshot_daemon() {
  banger daemon stop
  configure "plugin_dirs = { '$BANGER_BUILD/tests/stub' }, ${1:-health_interval = '200ms'}," \
    "plugins = { ['dm-snapshot'] = { ${2:-} } }"
  banger ps
}

stub_create() {
  banger vm create --name "$1" --vmm stub --rootfs-driver dm-snapshot --label stub=run --memory 64M \
    --disk-size "${2:-256M}"
}

device_of() {
  echo "/dev/mapper/banger-$(instance)-$(banger vm show "$1" --json | json 'data["id"][:8]')"
}

instance() {
  python3 -c 'import sqlite3, sys
print(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute(
  "SELECT value FROM meta WHERE key = '"'instance'"'").fetchone()[0])' "$BANGER_HOME/state/banger.db"
}

# Writes MIB at SEEK, through to the device.
fill() {
  dd if=/dev/urandom of="$1" bs=1M count="$2" seek="${3:-0}" oflag=direct conv=notrunc status=none
}

# Every dm device, loop device and cookie that could be ours.
assert_no_device_left() {
  assert_nothing_left
  is "$(dmsetup ls)" "No devices found"
  is "$(losetup --list --noheadings)" ""
  is "$(ls /dev/mapper)" control
  is "$(ipcs -s | grep -c '^0x')" 0
}

@test "doctor says that auto takes dm-snapshot" {
  run banger doctor
  has "rootfs     dm-snapshot"
}

@test "the host operations, and a thousand cycles that leave nothing" {
  BANGER_TEST_CYCLES=1000 run "$BANGER_BUILD/tests/test_host_snapshot"
  is "$status" 0
  [[ "$output" != *SKIPPED* ]]
  assert_no_device_left
}

@test "a guest lives on it: written files stay, and the disk grows" {
  before=$(sha256sum "$image")
  run --separate-stderr banger vm run -d --name web --rootfs-driver dm-snapshot --memory 256M
  is "$status" 0
  banger vm exec web -- sh -c 'echo kept >/file; sync'
  banger vm stop web
  is "$(dmsetup ls)" "No devices found"
  banger vm set web --disk-size 3G
  run banger vm set web --disk-size 1G
  is "$status" 2
  banger vm start web
  is "$(banger vm exec web -- cat /file)" kept
  [ "$(banger vm exec web -- stat -f -c '%b' /)" -gt $((2600 * 256)) ] # blocks of 4 KiB; some are the file system's own
  banger vm delete web
  is "$(sha256sum "$image")" "$before"
  assert_no_device_left
}

@test "ten VMs of one image share it, and none sees another's disk" {
  before=$(sha256sum "$image")
  names="vm1 vm2 vm3 vm4 vm5 vm6 vm7 vm8 vm9 vm10"
  for name in $names; do
    banger vm run -d --name "$name" --vmm stub --rootfs-driver dm-snapshot --label stub=run --memory 64M --disk-size 300M
  done
  is "$(losetup --list --noheadings --output RO,BACK-FILE | grep -c "^ *1 .*rootfs.ext4")" 1
  is "$(losetup --list --noheadings | wc -l)" 21
  is "$(dmsetup info --noheadings -c -o uuid | grep -c "^BANGER-$(instance)-")" 10
  for disk in /dev/mapper/banger-*; do
    echo "this is $disk" | dd of="$disk" bs=4096 count=1 seek=1000 conv=sync oflag=direct status=none
  done
  for disk in /dev/mapper/banger-*; do
    is "$(dd if="$disk" bs=4096 count=1 skip=1000 iflag=direct status=none | tr -d '\0')" "this is $disk"
  done
  # shellcheck disable=SC2086  # a list of names
  banger vm delete $names
  is "$(sha256sum "$image")" "$before"
  assert_no_device_left
}

@test "two guests of one image at the same time" {
  before=$(sha256sum "$image")
  for name in one two; do
    banger vm run -d --name $name --rootfs-driver dm-snapshot --memory 128M --disk-size 256M
    banger vm exec $name -- sh -c "echo $name >/who; sync"
  done
  is "$(banger vm exec one -- cat /who)" one
  is "$(banger vm exec two -- cat /who)" two
  banger vm delete one two
  is "$(sha256sum "$image")" "$before"
  assert_no_device_left
}

@test "a full disk ends the VM with a message; larger, it goes on" {
  snapshot_daemon "health_interval = '200ms'" "cow_size = '16M'"
  before=$(sha256sum "$image")
  stub_create web
  banger vm start web
  disk=$(device_of web)
  echo "written before it was full" | dd of="$disk" bs=4096 count=1 conv=sync oflag=direct status=none
  fill "$disk" 13 1
  event dm-snapshot.filling web
  is "$(banger vm show web --json | json 'data["state"]')" running
  run fill "$disk" 10 20
  [ "$status" -ne 0 ]
  event vm.health web
  run banger vm show web --json
  is "$(json 'data["state"]' <<<"$output")" error
  has "its root disk is full: the 16 MiB of "
  has "cow_size in config.lua"
  is "$(dmsetup ls)" "No devices found"
  is "$(sha256sum "$image")" "$before"
  snapshot_daemon
  banger vm start web
  is "$(head -c 26 "$disk")" "written before it was full"
  fill "$disk" 10 20
  banger vm delete web
  assert_no_device_left
}

@test "a guest whose disk is full is ended, and its files are there afterwards" {
  snapshot_daemon "health_interval = '500ms'" "cow_size = '16M'"
  banger vm run -d --name web --rootfs-driver dm-snapshot --memory 128M --disk-size 256M
  banger vm exec web -- sh -c 'echo kept >/file; sync'
  run banger vm exec web -- sh -c 'dd if=/dev/urandom of=/big bs=1M count=40; sync'
  event vm.health web
  run banger vm show web --json
  has "its root disk is full"
  snapshot_daemon
  banger vm start web
  is "$(banger vm exec web -- cat /file)" kept
  banger vm delete web
  assert_no_device_left
}

@test "a file system without room ends the VM; with room it goes on" {
  mkdir -p "$BATS_TEST_TMPDIR/small"
  stub_create web
  folder=$BANGER_HOME/state/vms/$(banger vm show web --json | json 'data["id"]')
  mkdir -p "$folder"
  mount -t tmpfs -o size=4M small "$folder"
  banger vm start web
  disk=$(device_of web)
  echo "written before" | dd of="$disk" bs=4096 count=1 conv=sync oflag=direct status=none
  run fill "$disk" 8 1
  event vm.health web
  run banger vm show web --json
  is "$(json 'data["state"]' <<<"$output")" error
  has "could not write to rootfs.cow"
  mount -o remount,size=400M "$folder"
  banger vm start web
  is "$(head -c 14 "$disk")" "written before"
  fill "$disk" 8 1
  banger vm stop web
  umount "$folder"
  banger vm delete web
  assert_no_device_left
}

@test "an image that was replaced is refused, and one that was restored is not" {
  stub_create web
  banger vm start web
  banger vm stop web
  cp --sparse=always "$image" "$image.copy"
  mv "$image" "$image.first"
  mv "$image.copy" "$image"
  banger vm start web # the same content in another file
  banger vm stop web
  printf x | dd of="$image" bs=1 seek=70000 conv=notrunc status=none
  run banger vm start web
  is "$status" 1
  has "was replaced after the VM's disk was made over it (it has another content)"
  truncate -s +4096 "$image"
  run banger vm start web
  has "it has another size"
  is "$(dmsetup ls)" "No devices found"
  mv "$image.first" "$image"
  banger vm start web
  banger vm delete web
  assert_no_device_left
}

@test "a foreign device of our name is neither used nor removed" {
  stub_create web
  name=$(basename "$(device_of web)")
  DM_DISABLE_UDEV=1 dmsetup create "$name" --uuid FOREIGN --table '0 8 error'
  run banger vm start web
  is "$status" 1
  has "is not this VM's"
  banger vm stop web
  is "$(dmsetup info --noheadings -c -o uuid "$name")" FOREIGN
  DM_DISABLE_UDEV=1 dmsetup remove "$name"
  banger vm start web
  banger vm delete web
  assert_no_device_left
}
