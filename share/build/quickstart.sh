#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make quickstart`: a kernel, an image, one VM, one command in it. Every step says what to type to do
# it by hand; a second run finds kernel and image there.
set -eu
banger="${BUILD:-build}/bin/banger"

step() {
  printf '\n$ %s\n' "$*"
  "$@"
}

if ! "$banger" kernel show linux-image-cloud-amd64 >/dev/null 2>&1; then
  step "$banger" kernel import --deb linux-image-cloud-amd64 --name linux-image-cloud-amd64
fi
if ! "$banger" image show tiny >/dev/null 2>&1; then
  step "$banger" image build tiny
fi
# The network that leaves nothing on this machine: as root, auto would make a bridge.
step "$banger" vm run --rm --network user -- uname -a

cat <<END

That was a Linux guest of its own: booted, used and deleted. What to type next:

  $banger vm run                     a shell in a new VM
  $banger vm run -d --name web       a VM that stays
  $banger vm exec web -- ps          a program in it
  $banger ps                         what runs
  $banger vm delete web
  $banger network list               how VMs are connected (share/doc/network.md)
  $banger --help
END
