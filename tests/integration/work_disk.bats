#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The work disk, the host's files in guests, and kernels that boot without an initramfs: real guests, each
# test in a home of its own.

load common

setup() {
  own_home
}

teardown() {
  explain_failure
  for name in $(banger ps -a -q); do banger vm delete "$name" 2>/dev/null || true; done
  assert_nothing_left
  banger daemon stop 2>/dev/null || true
}

with_disk() {
  configure "plugins = { ['work-disk'] = { $1 } }"
}

exec_in() {
  banger vm exec "$@"
}

disk_of() {
  echo "$BANGER_HOME/state/vms/$(banger vm show --json "$1" | json 'data["id"]')/work.img"
}

# size_at VM FOLDER: of the file system that is mounted there, in MiB.
size_at() {
  exec_in "$1" -- df -m "$2" | awk 'END {print $2}'
}

@test "work disk: is at /root before the keys are, and is kept, grown and deleted with its VM" {
  with_disk "size = '128M'"
  banger vm run -d --name work --disk-size 256M
  run -0 exec_in work -- sh -c 'grep " /root " /proc/mounts; stat -c %a /root; cat /root/.ssh/authorized_keys'
  has "/dev/vdb /root ext4 rw"
  has 700
  has ssh-ed25519
  exec_in work -- sh -c 'echo mine >/root/file; sync'
  before=$(size_at work /root)
  [ "$before" -gt 200 ]

  banger vm kill work -s KILL # the journal is replayed by the guest
  banger vm start work
  is "$(exec_in work -- cat /root/file)" mine
  run -1 banger vm set work --disk-size 512M
  has "cannot grow while it runs"

  banger vm stop work
  disk=$(disk_of work)
  e2fsck -f -n "$disk" # the agent has unmounted it
  banger vm set work --disk-size 512M
  banger vm start work
  is "$(exec_in work -- cat /root/file)" mine
  [ "$(size_at work /root)" -gt $((before + 200)) ]
  [ "$(size_at work /)" -gt $((before + 200)) ]

  banger vm delete work
  [ ! -e "$disk" ]
}

@test "work disk: a copy of a seed, elsewhere, through a link of the image's" {
  truncate -s 64M "$BATS_TEST_TMPDIR/seed"
  mkdir "$BATS_TEST_TMPDIR/content"
  echo "from the seed" >"$BATS_TEST_TMPDIR/content/note"
  mke2fs -q -t ext4 -d "$BATS_TEST_TMPDIR/content" "$BATS_TEST_TMPDIR/seed"
  sum=$(sha256sum <"$BATS_TEST_TMPDIR/seed")
  with_disk "seed = '$BATS_TEST_TMPDIR/seed', mount = '/srv/deep/work'"
  banger vm run -d --name seeded --disk-size 256M
  is "$(exec_in seeded -- cat /srv/deep/work/note)" "from the seed"
  [ "$(size_at seeded /srv/deep/work)" -gt 200 ] # it has grown to the VM's size
  exec_in seeded -- sh -c 'echo changed >/srv/deep/work/note; rm -rf /srv/link; ln -s /srv/deep /srv/link'
  banger vm stop seeded
  is "$(sha256sum <"$BATS_TEST_TMPDIR/seed")" "$sum"

  banger daemon stop
  with_disk "seed = '$BATS_TEST_TMPDIR/seed', mount = '/srv/link/work'"
  banger vm start seeded
  is "$(exec_in seeded -- cat /srv/deep/work/note)" changed
}

# image_with_init: the tiny image (its /sbin is a link to /bin) with an init of its own, registered as `own`.
# It tells through a pipe, which whoever comes first makes, what it has found mounted.
image_with_init() {
  printf '#!/bin/sh\nmkfifo /told\ngrep " /root " /proc/mounts >/told\nwhile :; do sleep 1000; done\n' >"$BATS_TEST_TMPDIR/init"
  chmod 755 "$BATS_TEST_TMPDIR/init"
  banger image build tiny
  cp --sparse=always "$(banger image show tiny --json | json 'data["path"]')" "$BATS_TEST_TMPDIR/own.ext4"
  debugfs -w -R "write $BATS_TEST_TMPDIR/init /bin/init" "$BATS_TEST_TMPDIR/own.ext4" 2>/dev/null
  banger image register --rootfs "$BATS_TEST_TMPDIR/own.ext4" --name own
}

told_by_init() {
  exec_in "$1" -- timeout 60 sh -c 'mkfifo /told 2>/dev/null; cat /told; tr "\0" " " </proc/1/cmdline'
}

@test "work disk: an image with an init of its own finds it mounted" {
  with_disk "size = '128M'"
  image_with_init
  banger vm run -d --name own --image own
  run -0 told_by_init own
  has /sbin/init
  has "/dev/vdb /root ext4"
}

@test "work disk: a mount point that cannot be one ends the daemon's start" {
  for point in root / /proc/x /a/../b; do
    with_disk "size = '128M', mount = '$point'"
    run -1 banger ps
    has "invalid mount '$point'"
  done
}

@test "file-sync: files and folders with their modes, at every start; what is missing is passed over" {
  mkdir -p "$BATS_TEST_TMPDIR/tree/sub"
  echo one >"$BATS_TEST_TMPDIR/tree/sub/one"
  chmod 0750 "$BATS_TEST_TMPDIR/tree/sub/one"
  chmod 0711 "$BATS_TEST_TMPDIR/tree/sub"
  ln -s sub/one "$BATS_TEST_TMPDIR/tree/link"
  head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/large"
  configure "plugins = { ['file-sync'] = { entries = {
    { host = '$BATS_TEST_TMPDIR/tree', guest = '/root/made/tree' },
    { host = '$BATS_TEST_TMPDIR/large', guest = '~/large', mode = '0600' },
    { host = '$BATS_TEST_TMPDIR/missing', guest = '/root/missing' } } } }"
  run -0 banger vm run -d --name sync
  has "missing is not there"
  run -0 exec_in sync -- sh -c 'cd /root/made && find tree | sort && stat -c "%a %u" tree/sub tree/sub/one ../large && readlink tree/link'
  is "$output" $'tree\ntree/link\ntree/sub\ntree/sub/one\n711 0\n750 0\n600 0\nsub/one'
  is "$(exec_in sync -- sha256sum /root/large | cut -d' ' -f1)" "$(sha256sum <"$BATS_TEST_TMPDIR/large" | cut -d' ' -f1)"
  exec_in sync -- sh -c 'echo beside >/root/made/tree/beside; sync'
  echo two >"$BATS_TEST_TMPDIR/tree/sub/one"
  banger vm restart sync
  is "$(exec_in sync -- sh -c 'cd /root/made/tree && cat sub/one beside && ls')" $'two\nbeside\nbeside\nlink\nsub'
}

@test "file-sync: bad entries end the daemon's start, a place outside of the disk the VM's" {
  configure "plugins = { ['file-sync'] = { entries = {
    { host = '/etc/hosts', guest = '/root/hosts' }, { host = '/etc/hosts', guest = '/root/../etc/x' } } } }"
  run -1 banger ps
  has "entries[2]: invalid guest"
  configure "plugins = { ['file-sync'] = { entries = { { host = '/etc/hosts', guest = '/root/h', mode = 644 } } } }"
  run -1 banger ps
  has "entries[1]: invalid mode 644"
  configure "plugins = {
    ['work-disk'] = { size = '128M', mount = '/work' },
    ['file-sync'] = { entries = { { host = '/etc/hosts', guest = '/root/hosts' } } } }"
  run ! banger vm run -d --name outside
  has "entries[1]: invalid guest \"/root/hosts\""
}

# A kernel with virtio and ext4 built in; Debian has none. One is made of linux-source by `make tinyconfig`
# and the options VIRTIO_{MMIO,BLK,NET,CONSOLE}, EXT4_FS, DEVTMPFS, IP_PNP, PVH and what they need.
need_direct_kernel() {
  [ -n "${BANGER_TEST_VMLINUX:-}" ] || skip "BANGER_TEST_VMLINUX names no kernel with virtio built in"
  banger kernel import --vmlinuz "$BANGER_TEST_VMLINUX" --name direct
}

@test "direct boot: without an initramfs, from the VM's disk, and anew at each start" {
  with_disk "size = '128M'"
  need_direct_kernel
  image_with_init
  image=$(banger image show tiny --json | json 'data["path"]')
  sum=$(sha256sum <"$image")
  banger vm run -d --name direct --kernel direct --env FROM=vm
  run -0 exec_in direct -- sh -c 'cat /proc/cmdline; hostname; echo $FROM; grep " /root " /proc/mounts; ip route; cat /etc/hostname'
  has "init=/banger/agent"
  has " ip=10.0.2.15::10.0.2.2:255.255.255.0:direct:eth0:off"
  has "/dev/vdb /root ext4"
  has "default via 10.0.2.2"
  has $'direct\nvm'
  run ! grep -c "banger-agent: " "$BANGER_HOME/state/vms/"*/console.log # it has nothing to complain of
  is "$(exec_in direct -- stat -c '%a %u' /banger /banger/guest.conf)" $'700 0\n600 0'

  # Killed with a journal to be replayed, and with what is not banger's in its folder.
  exec_in direct -- sh -c 'echo kept >/kept; echo x >/banger/overlay/etc/stale; ln -s /etc /banger/link; sync; echo y >/late'
  banger vm kill direct -s KILL
  banger vm start direct
  is "$(exec_in direct -- sh -c 'cat /kept; find /banger /etc -name stale -o -name link')" kept
  banger vm stop direct
  e2fsck -f -n "$BANGER_HOME/state/vms/"*/rootfs.img
  is "$(sha256sum <"$image")" "$sum"

  banger vm run -d --name init --kernel direct --image own
  run -0 told_by_init init
  has /sbin/init
  has "/dev/vdb /root ext4"
}
