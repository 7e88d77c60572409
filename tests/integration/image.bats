#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Images and kernels: those that are made here, and those that are brought along.

load common

teardown() {
  explain_failure
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  for image in $(banger image list -q); do
    [ "$image" = tiny ] || banger image delete "$image"
  done
  for kernel in $(banger kernel list -q); do
    [ "$kernel" = linux-image-cloud-amd64 ] || banger kernel delete "$kernel"
  done
  assert_nothing_left
}

@test "image: list, show, delete, as text and as JSON" {
  run -0 banger image list
  has tiny
  run -0 banger image show --json tiny
  is "$(echo "$output" | json 'data["name"], data["origin"], data["size_bytes"]')" "tiny build tiny 268435456"
  path=$(echo "$output" | json 'data["path"]')
  is "$(sha256sum <"$path" | cut -d' ' -f1)" "$(echo "$output" | json 'data["digest"]')"
  banger image build tiny --name second
  is "$(banger image list --json | json '[i["name"] for i in data]')" "['tiny', 'second']"
  is "$(banger image delete --json second | json '[i["name"] for i in data]')" "['second']"
  is "$(banger image list -q)" tiny
  run -1 banger image show second
}

@test "image: a copy of an image is one of its own, and keeps what its VMs do not write" {
  path=$(banger image show tiny --json | json 'data["path"]')
  cp --sparse=always "$path" "$BATS_TEST_TMPDIR/mine.ext4"
  echo "only in mine" >"$BATS_TEST_TMPDIR/motd"
  debugfs -w -R "write $BATS_TEST_TMPDIR/motd /etc/motd" "$BATS_TEST_TMPDIR/mine.ext4" 2>/dev/null
  banger image register --rootfs "$BATS_TEST_TMPDIR/mine.ext4" --name mine
  rm "$BATS_TEST_TMPDIR/mine.ext4" # not needed any more
  digest=$(banger image show mine --json | json 'data["digest"]')
  is "$(banger vm run --rm --image mine -- sh -c 'cat /etc/motd; echo overwritten >/etc/motd')" "only in mine"
  is "$(banger vm run --rm --image mine -- cat /etc/motd)" "only in mine"
  is "$(sha256sum <"$(banger image show mine --json | json 'data["path"]')" | cut -d' ' -f1)" "$digest"
}

@test "image: kernels: from a package's file; list, show, delete" {
  deb=$(echo "$BANGER_HOME"/cache/packages/linux-image-*.deb)
  banger kernel import --deb "$deb"
  version=$(banger kernel show linux-image-cloud-amd64 --json | json 'data["version"]')
  is "$(banger kernel list --json | json '[k["name"] for k in data]')" "['linux-image-cloud-amd64', '$version']"
  run -0 banger kernel show --json "$version"
  is "$(echo "$output" | json 'data["version"], data["origin"]')" "$version import --deb $deb"
  path=$(echo "$output" | json 'data["path"]')
  is "$(sha256sum <"$path" | cut -d' ' -f1)" "$(echo "$output" | json 'data["digest"]')"
  # The same once more, as a kernel with its modules.
  dpkg-deb -x "$deb" "$BATS_TEST_TMPDIR/unpacked"
  banger kernel import --vmlinuz "$BATS_TEST_TMPDIR/unpacked/boot/vmlinuz-$version" \
    --modules "$BATS_TEST_TMPDIR/unpacked/lib/modules/$version" --name mine
  is "$(banger vm run --rm --kernel mine -- uname -r)" "$version"
  banger kernel delete "$version" mine
  is "$(banger kernel list -q)" linux-image-cloud-amd64
}

# mounted PID: whether a process has something mounted below the home.
mounted() { grep -q "$BANGER_HOME" "/proc/$1/mountinfo" 2>/dev/null; }

@test "image: a debian build that is killed leaves neither files nor mounts" {
  [ "$(id -u)" = 0 ] || skip "mmdebstrap as a user needs subordinate ids"
  banger image build debian --name half >/dev/null 2>&1 3>&- &
  build=$!
  local end=$((SECONDS + 120)) worker=""
  until [ -n "$worker" ] && mounted "$worker"; do
    [ "$SECONDS" -lt "$end" ]
    kill -0 "$build"
    worker=$(pgrep -of "mmdebstrap .*$BANGER_HOME" || true)
  done
  run ! mounted self
  kill -KILL "$(daemon_pid)"
  kill -KILL -- "-$worker" # its session's
  wait "$build" || true
  banger image list >/dev/null
  run ! mounted self
  is "$(find "$BANGER_HOME/state/images" -name '*.staging')" ""
  is "$(find /tmp -maxdepth 1 -name 'mmdebstrap.*' -newer "$BANGER_HOME/config.lua")" ""
  assert_nothing_left
}

@test "image: debian boots with systemd, the agent beside it, and shuts down in order" {
  [ "$(id -u)" = 0 ] || skip "mmdebstrap as a user needs subordinate ids"
  banger image build debian
  banger vm run -d --name deb --image debian --memory 512M --boot-arg systemd.show_status=1
  says "$(banger vm show deb --json | json 'data["dir"]')/console.log" "Reached target.*multi-user"
  run banger vm exec deb -- systemctl is-system-running --wait
  echo "# systemd says: $output" >&3
  [[ "$output" == running || "$output" == degraded ]] || { banger vm exec deb -- systemctl --failed; return 1; }
  is "$(banger vm exec deb -- cat /proc/1/comm)" systemd
  is "$(banger vm exec deb -- sh -c '. /etc/os-release; echo $ID')" debian
  is "$(banger vm exec deb -- hostname)" deb
  is "$(banger vm exec deb -- systemctl is-active ssh)" active
  is "$(banger vm ports deb --json | json '22 in [p["port"] for p in data["listeners"]]')" True
  banger vm stats deb

  banger vm exec deb -- sh -c 'echo kept >/root/file'
  run -0 banger vm stop --timeout 2m deb
  [[ "$output" != *"sending TERM"* ]]
  run -0 banger vm logs deb
  has "reboot.target" # systemd's own way down
  banger vm start deb
  is "$(banger vm exec deb -- cat /root/file)" kept
  # At once, while systemd is being executed: it has no handler for the signal yet.
  run -0 banger vm stop --timeout 2m deb
  [[ "$output" != *"sending TERM"* ]]
}
