#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad input: the message names the value and the rule, the status is 2 (1 for what does not exist),
# and nothing has changed.

load common

setup() {
  banger daemon start >/dev/null
  unchanged=$(everything)
}

teardown() {
  explain_failure
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  for image in $(banger image list -q); do
    [ "$image" = tiny ] || banger image delete "$image"
  done
  assert_nothing_left
}

# All that is kept: the rows of every table (the log of operations and the events as well), and every
# file. Not the counters, nor the times of folders: a kernel can only be judged once it is unpacked.
everything() {
  python3 - "$BANGER_HOME/state/banger.db" <<'PYTHON'
import sqlite3, sys
for line in sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).iterdump():
    if line.startswith("INSERT") and "sqlite_sequence" not in line:
        print(line)
PYTHON
  find "$BANGER_HOME" -type d -printf '%p %m\n' | sort
  find "$BANGER_HOME" -type f ! -name 'banger.db*' ! -name 'bangerd.*' -printf '%p %m %s %T@\n' | sort
}

assert_unchanged() {
  diff <(echo "$unchanged") <(everything)
}

vms() {
  banger ps -a --json
}

# refused STATUS TEXT ARGUMENT...: banger ends with it, and says so.
refused() {
  local status=$1 text=$2
  shift 2
  run "-$status" banger "$@"
  has "$text"
}

# declined NAME TEXT METHOD PARAMS: the daemon answers with that error.
declined() {
  local name=$1 text=$2
  shift 2
  run -0 python3 "$BATS_TEST_DIRNAME/rpc.py" "$@"
  [[ "$output" == "$name: "* ]] || { echo "not '$name': $output"; return 1; }
  has "$text"
}

@test "errors: wrong names, sizes, paths and flags" {
  refused 2 "invalid --name 'Not-Good'" vm run --rm --name Not-Good -- true
  refused 2 "lower-case letters" vm create --name under_score
  refused 2 "invalid --name '$(printf 'x%.0s' {1..64})'" vm create --name "$(printf 'x%.0s' {1..64})"
  refused 2 "from 64M to 1T" vm create --memory 63M
  refused 2 "from 1 to 32" vm create --vcpu 33
  refused 2 "from 64M to 64T" vm create --disk-size 65T
  refused 2 "IPv4 address" vm create -p 256.0.0.1:80:80
  refused 2 "white space" vm create --boot-arg $'two\nlines'
  refused 2 "invalid --image '../tiny'" vm create --image ../tiny
  refused 2 "--rm" vm run --rm --detach
  refused 2 "No such file" image register --rootfs /does/not/exist --name spare
  refused 2 "invalid package name 'Linux Image'" kernel import --deb 'Linux Image'
  refused 2 "must be VM:PATH" vm cp /etc/passwd /tmp
  assert_unchanged
}

@test "errors: what only the daemon knows is refused as early" {
  refused 2 "auto, firecracker, qemu" vm create --vmm qemo
  has "did you mean 'qemu'"
  refused 2 "auto, dm-snapshot, reflink, copy" vm run --rm --rootfs-driver raid -- true
  refused 2 "auto, bridge, user, none" vm create --network bridges
  refused 2 "'8080:80' takes port 8080" vm run --rm -p 8080:80 -p 0.0.0.0:8080:81 -- true
  assert_unchanged
}

@test "errors: the daemon does not rely on the CLI's checks" {
  declined invalid "invalid VM name 'A'" vm.create '{"name": "A"}'
  declined invalid "from 1 to 32" vm.create '{"vcpu": 0}'
  declined invalid "whole number" vm.create '{"vcpu": "2"}'
  declined invalid "from 64 to" vm.create '{"memory_mib": 63}'
  declined invalid "from 64 to" vm.create '{"disk_mib": 99999999999}'
  declined invalid "HOST-PORT:GUEST-PORT" vm.create '{"publish": ["80"]}'
  declined invalid "IPv4" vm.create '{"publish": ["256.0.0.1:80:80"]}'
  declined invalid "white space" vm.create '{"boot_args": ["a b"]}'
  declined invalid "ASCII" vm.create '{"boot_args": ["x\u00a0init=/bin/sh"]}' # which the kernel would cut in two
  declined invalid "control character" vm.create '{"boot_args": ["x\ninit=/bin/sh"]}'
  declined invalid "lower-case letters" vm.create '{"name": "a\nb"}'
  declined invalid "invalid package name" kernel.import '{"deb": "-o=x"}'
  declined invalid "NAME=VALUE" vm.create '{"env": ["=x"]}'
  declined invalid "invalid label" vm.create '{"labels": {"../": "x"}}'
  declined invalid "invalid image '../x'" vm.create '{"image": "../x"}'
  declined invalid "unknown key 'nome'" vm.create '{"nome": "x"}'
  declined invalid "true or false" vm.run '{"rm": 1}'
  declined invalid "absolute path" image.register '{"path": "relative", "name": "x"}'
  declined invalid "'..'" image.register '{"path": "/etc/../etc/passwd", "name": "x"}'
  declined invalid "'name' is missing" image.register '{"path": "/etc/passwd"}'
  declined invalid "tiny or debian" image.build '{"kind": "windows"}'
  declined invalid "exactly one" kernel.import '{}'
  declined invalid "console" vm.log '{"vm": "x", "which": "../../banger"}'
  declined invalid "absolute path" vm.tar '{"vm": "x", "direction": "in", "path": "x"}'
  declined unsupported "unknown method" vm.nothing '{}'
  assert_unchanged
}

@test "errors: what does not exist: status 1, and the nearest name" {
  banger vm create --name winter
  unchanged=$(everything)
  refused 1 "did you mean 'winter'" vm start winterr
  refused 1 "did you mean 'winter'" vm exec winte -- true
  refused 1 "did you mean 'winter'" vm delete wimter
  refused 1 "no VM named 'summer'" vm show summer
  refused 1 "did you mean 'tiny'" vm run --rm --image tinny -- true
  refused 1 "did you mean 'tiny'" image delete tny
  refused 1 "did you mean 'linux-image-cloud-amd64'" vm create --kernel linux-image-cloud
  refused 1 "did you mean 'linux-image-cloud-amd64'" kernel delete linux-image-cloud-amd46
  refused 1 "did you mean 'hostname'" plugin show hostnam
  assert_unchanged
}

@test "errors: names that are taken" {
  banger vm create --name winter
  unchanged=$(everything)
  refused 1 "a VM named 'winter' exists" vm create --name winter
  refused 125 "a VM named 'winter' exists" vm run --rm --name winter -- true
  refused 1 "an image named tiny exists" image build tiny
  refused 1 "an image named tiny exists" image build debian --name tiny
  refused 1 "a kernel named linux-image-cloud-amd64 exists" \
    kernel import --vmlinuz /etc/passwd --name linux-image-cloud-amd64
  assert_unchanged
}

@test "errors: images and kernels that are in use stay" {
  banger vm create --name winter
  unchanged=$(everything)
  refused 1 "image 'tiny' is used by 'winter'" image delete tiny
  refused 1 "kernel 'linux-image-cloud-amd64' is used by 'winter'" kernel delete linux-image-cloud-amd64
  assert_unchanged
}

@test "errors: an image that is not ext4" {
  cd "$BATS_TEST_TMPDIR"
  head -c 1M /dev/urandom >random
  : >empty
  mke2fs -q -t ext2 ext2 8M
  mke2fs -q -t ext4 whole 8M
  head -c 4M whole >short
  cp whole mounted && debugfs -w -R 'feature needs_recovery' mounted 2>/dev/null
  refused 2 "there is no ext4 superblock" image register --rootfs random --name spare
  has "mke2fs -t ext4"
  refused 2 "it is cut off" image register --rootfs empty --name spare
  refused 2 "ext2 or ext3" image register --rootfs ext2 --name spare
  refused 2 "is cut off: its file system has" image register --rootfs short --name spare
  refused 2 "not unmounted cleanly" image register --rootfs mounted --name spare
  refused 2 "not a regular file" image register --rootfs . --name spare
  refused 2 "not a regular file" image register --rootfs /dev/null --name spare
  assert_unchanged
}

@test "errors: a kernel without virtio, and files that are no kernels" {
  cd "$BATS_TEST_TMPDIR"
  python3 "$BATS_TEST_DIRNAME/fake_kernel.py" fake
  mkdir modules
  touch modules/modules.{dep,builtin,order}
  refused 1 "kernel 6.1.0-fake has no virtio" kernel import --vmlinuz fake --name spare
  has "virtio_mmio"
  has "linux-image-cloud-amd64"
  refused 1 "kernel 6.1.0-fake cannot run guests" kernel import --vmlinuz fake --modules modules --name spare
  has "virtio_mmio"
  refused 2 "no usable kernel" kernel import --vmlinuz /bin/true --name spare
  refused 2 "no usable kernel" kernel import --vmlinuz /etc/passwd --name spare
  refused 2 "no usable kernel" kernel import --vmlinuz . --name spare
  refused 2 "no Debian package" kernel import --deb ./fake --name spare
  refused 1 "apt knows no package" kernel import --deb linux-image-nobody-has --name spare
  assert_unchanged
}

@test "errors: a VM that does not run" {
  banger vm create --name winter
  unchanged=$(everything)
  refused 125 "'winter' is not running" vm exec winter -- true
  has "banger vm start winter"
  refused 1 "'winter' is not running" vm cp /etc/passwd winter:/root
  refused 1 "'winter' is not running" vm cp winter:/etc/passwd "$BATS_TEST_TMPDIR"
  refused 1 "'winter' is not running" vm stats winter
  refused 1 "'winter' is not running" vm ports winter
  refused 1 "no console log" vm logs winter
  assert_unchanged
}

@test "errors: an image whose file has gone" {
  banger vm create --name winter
  path=$(banger image show tiny --json | json 'data["path"]')
  mv "$path" "$path.away"
  refused 1 "$path" vm start winter
  has "put the file back"
  refused 125 "image 'tiny' cannot be read" vm run --rm -- true
  mv "$path.away" "$path"
  is "$(banger vm show winter --json | json 'data["state"]')" error
  banger vm start winter
  is "$(banger vm show winter --json | json 'data["last_error"]')" None
}

@test "errors: a host port that is taken" {
  coproc HOLDER {
    exec python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True); input()' 3>&-
  }
  read -r port <&"${HOLDER[0]}"
  unchanged=$(vms)
  refused 125 "127.0.0.1:$port/tcp: Address already in use" vm run --rm -p "$port:80" -- true
  has "--publish"
  kill "$HOLDER_PID"
  is "$(vms)" "$unchanged"
}
