#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs the Debian packages of the named groups that are missing: packages.sh build run test lint
# One list, used by `make quickstart` and `make check`; it asks apt only when something is missing.
set -eu

build="gcc make pkg-config libc6-dev musl-tools linux-libc-dev
  liblua5.4-dev libsqlite3-dev libjansson-dev libarchive-dev libkmod-dev libext2fs-dev
  libssl-dev libcurl4-openssl-dev liblz4-dev liblzma-dev libzstd-dev
  libnl-3-dev libnl-route-3-dev libnl-nf-3-dev libnftables-dev libdevmapper-dev libldns-dev libsystemd-dev"
run="qemu-system-x86 busybox-static e2fsprogs ca-certificates openssh-client"
images="mmdebstrap"
test="libcmocka-dev bats g++ python3 procps strace git clang-14 libclang-rt-14-dev bash-completion util-linux
  iproute2 nftables bind9-dnsutils openssh-server dbus
  kmod dmsetup xz-utils zstd"
lint="clang-format-14 clang-tidy-14 cppcheck shellcheck"

wanted=""
for group in "$@"; do
  case "$group" in
    build) wanted="$wanted $build" ;;
    run) wanted="$wanted $run" ;;
    images) wanted="$wanted $images" ;;
    test) wanted="$wanted $test" ;;
    lint) wanted="$wanted $lint" ;;
    *) echo "packages.sh: no group '$group' (build run images test lint)" >&2; exit 2 ;;
  esac
done

missing=""
for package in $wanted; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "missing packages:$missing" >&2
  echo "hint: run this as root (sudo make ...), or install them yourself" >&2
  exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of names
apt-get install -y -qq --no-install-recommends $missing >/dev/null
