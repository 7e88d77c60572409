#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the testbed promises is there and works; the other files rest on it.

load ../integration/common

misc() { grep -q " $1\$" /proc/misc; }

@test "device-mapper and loop devices: a snapshot takes what is written" {
  cd "$BATS_TEST_TMPDIR"
  export DM_DISABLE_UDEV=1 # there is none
  truncate -s 8M base cow
  base=$(losetup --show -rf base) cow=$(losetup --show -f cow)
  dmsetup create testbed-snapshot --table "0 16384 snapshot $base $cow N 8"
  echo written | dd of=/dev/mapper/testbed-snapshot conv=fsync status=none
  run head -c 7 /dev/mapper/testbed-snapshot
  dmsetup remove testbed-snapshot
  losetup -d "$base" "$cow"
  is "$output" written
  cmp -n 4096 base /dev/zero
}

@test "a network namespace with a bridge, a TAP device and nftables' masquerade" {
  ip netns add testbed
  ip -n testbed link add br0 type bridge
  ip -n testbed tuntap add tap0 mode tap
  ip -n testbed link set tap0 master br0
  ip netns exec testbed nft -f - <<'RULES'
table ip t {
  chain c {
    type nat hook postrouting priority srcnat
    oifname "br0" ct state established masquerade
  }
}
RULES
  run ip -n testbed link show tap0
  ip netns del testbed
  has "master br0"
}

@test "KVM, TUN and vhost-vsock are there" {
  misc kvm
  misc tun
  misc vhost-vsock
  for device in kvm net/tun vhost-vsock; do
    python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR)' "/dev/$device"
  done
}

@test "cgroup v2 offers cpu, memory and pids" {
  is "$(stat -fc %T /sys/fs/cgroup)" cgroup2fs
  for controller in cpu memory pids; do
    grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers
  done
}
