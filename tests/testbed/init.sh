#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash
# The testbed's initramfs, first part: modules, then a root made of the host's, read-only over 9p, and a
# tmpfs that takes what is written. Ends in inside.sh, in that root. What fails here is a panic ("Attempted
# to kill init"), which machine.py reports with the console's last lines.
set -e
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /dev /proc /lower /upper /new /hold
mount -t devtmpfs dev /dev
mount -t proc proc /proc
exec >/dev/console 2>&1
set +e
while read -r module; do
  insmod "/modules/$module" || echo "testbed: $module could not be loaded"
done </modules/order
set -e

mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /lower
mount -t tmpfs -o mode=755,size=75% upper /upper
mkdir /upper/upper /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work root /new

# /tmp and /run are new; what the command needs below them (a build folder in /tmp, say) is kept.
while read -r folder; do
  mkdir -p "/hold$folder"
  mount --bind "/new$folder" "/hold$folder"
done </testbed/visible
mount -t tmpfs -o mode=1777,size=75% tmp /new/tmp
mount -t tmpfs -o mode=755 run /new/run
while read -r folder; do
  mkdir -p "/new$folder"
  mount --bind "/hold$folder" "/new$folder"
done </testbed/visible

# So that modprobe, the kernel's own calls of it included, finds the rest.
release=$(uname -r)
mkdir -p "/new/lib/modules/$release"
mount --bind "/new$(cat /testbed/kernel)/lib/modules/$release" "/new/lib/modules/$release"

cp -r /testbed /bin/busybox /new/run/
mount --move /dev /new/dev
mount --move /proc /new/proc
exec switch_root /new /run/busybox sh /run/testbed/inside.sh
