#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The tests of this folder in one testbed, as TAP. A kernel and an image are made here, outside, for want of
# a network inside. Where there can be no machine every test is told as skipped, with the reason.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
here=tests/testbed
export BUILD=${BUILD:-build}
home=$BUILD/testbed/home

# Anew, but for downloads: what is tested is this build's agent.
home_make() {
  local banger=$BUILD/bin/banger
  rm -rf "${home:?}/state" "$home/run"
  mkdir -p "$home"
  "$banger" kernel import --deb linux-image-cloud-amd64 --name linux-image-cloud-amd64 &&
    "$banger" image build tiny
  local status=$?
  "$banger" daemon stop
  return "$status"
}

# A Firecracker that was given, and its jailer, where the machine sees them.
firecracker_take() {
  local real=${BANGER_FIRECRACKER:-$(command -v firecracker)} folder=$BUILD/testbed/firecracker
  rm -rf "$folder"
  [ -x "$real" ] || return 0
  mkdir -p "$folder"
  cp "$real" "$folder/firecracker"
  [ ! -x "$(dirname "$real")/jailer" ] || cp "$(dirname "$real")/jailer" "$folder/jailer"
}

skip_all() {
  local file name number=0
  echo "1..$(bats --count "$here")"
  for file in "$here"/*.bats; do
    while IFS= read -r name; do
      echo "ok $((number += 1)) $name # skip $1"
    done < <(sed -nE 's/^@test "(.*)" \{$/\1/p' "$file")
  done
}

said=$(mktemp)
trap 'rm -f "$said"' EXIT
if ! "$here/machine.py" --check 2>"$said"; then
  cat "$said"
  skip_all "$(tail -n 2 "$said" | paste -sd' ')"
  exit
fi
firecracker_take
BANGER_HOME=$home home_make >"$said" 2>&1 || { cat "$said"; exit 1; }
TESTBED_TIMEOUT=${TESTBED_TIMEOUT:-1800} "$here/machine.py" "bats --tap $here"
