#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Images and kernels as things to list and delete, and a Debian with an init of its own.

load common

teardown() {
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  assert_nothing_left
}

@test "image: register, show, list, delete" {
  path=$(banger image show tiny --json | json 'data["path"]')
  cp --sparse=always "$path" "$BATS_TEST_TMPDIR/copy.ext4"
  banger image register --rootfs "$BATS_TEST_TMPDIR/copy.ext4" --name copied
  is "$(banger image show copied --json | json 'data["digest"]')" \
    "$(sha256sum "$BATS_TEST_TMPDIR/copy.ext4" | cut -d' ' -f1)"
  is "$(banger vm run --rm --image copied -- cat /etc/os-release | head -c 4)" NAME
  banger image delete copied
  run -1 banger image show copied
  is "$(banger image list --json | json '[i["name"] for i in data]')" "['tiny']"
  is "$(banger kernel list --json | json '[k["name"] for k in data]')" "['linux-image-cloud-amd64']"
}

@test "image: Debian, with systemd beside the agent" {
  [ "$(id -u)" -eq 0 ] || skip "mmdebstrap as a user needs subuids"
  banger image build debian
  banger vm run -d --name deb --image debian --memory 768M
  # The agent answers before the image's init has come far: systemd has no bus yet.
  banger vm exec deb -- timeout 120 sh -c \
    'until systemctl is-system-running --wait | grep -E "running|degraded"; do sleep 0.2; done'
  is "$(banger vm exec deb -- cat /proc/1/comm)" systemd
  is "$(banger vm exec deb -- hostname)" deb
  banger vm exec deb -- sh -c 'echo kept >/root/file'
  run -0 banger vm stop --timeout 60s deb
  [[ "$output" != *TERM* ]] # systemd ended by itself
  banger vm start deb
  is "$(banger vm exec deb -- cat /root/file)" kept
  banger vm delete deb
  banger image delete debian
}
