#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The testbed's kernel: kernel.sh FOLDER leaves Debian's generic kernel in FOLDER/NAME_VERSION and prints
# that path: `vmlinux`, the parts of `lib/modules` that a server without hardware needs, and `release`.
# The package comes from apt, is unpacked and not installed; what is there already is taken as it is.
set -euo pipefail
meta=linux-image-amd64

# The package that the meta-package stands for today, as NAME=VERSION; nothing when apt knows of none.
package_wanted() {
  apt-cache show --no-all-versions "$meta" 2>/dev/null |
    sed -nE 's/^Depends: (linux-image-[^ ,]+) \(= ([^)]+)\).*/\1=\2/p' | head -n 1
}

# apt's user may write into the folder, or apt says on every call that it is not sandboxed.
package_download() {
  if [ "$(id -u)" -eq 0 ]; then chown _apt "$1" 2>/dev/null || true; fi
  (cd "$1" && apt-get download -qq "$2") >&2
}

# Most of a kernel package drives hardware that this machine does not have.
package_unpack() {
  local modules='./lib/modules/*' parts=(arch block crypto fs lib mm net virt)
  parts+=(drivers/{block,char,crypto/ccp,dax,md,nvdimm,vhost,virtio,'net/*.ko','net/vxlan','scsi/*mod.ko'})
  dpkg --fsys-tarfile "$1"/*.deb | tar -x -C "$1" --wildcards --no-wildcards-match-slash \
    './boot/vmlinuz-*' "$modules/modules.*" "${parts[@]/#/$modules/kernel/}"
}

number_at() { od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# The ELF kernel in a bzImage, which QEMU starts without unpacking anything under translation. Offsets:
# setup_sects, payload_offset and payload_length of Documentation/x86/boot.rst; the payload's last four
# bytes are its unpacked size.
vmlinux_extract() {
  local start=$((($(number_at "$1" $((0x1f1)) 1) + 1) * 512 + $(number_at "$1" $((0x248)) 4)))
  local length=$(($(number_at "$1" $((0x24c)) 4) - 4)) unpack
  case $(number_at "$1" "$start" 4) in
    $((0x587a37fd))) unpack=xz ;;
    $((0xfd2fb528))) unpack=zstd ;;
    *) echo "$1: packed neither by xz nor by zstd" >&2; return 1 ;;
  esac
  tail -c +$((start + 1)) "$1" | { head -c "$length"; cat >/dev/null; } | "$unpack" -dc
}

kernel_make() { # FOLDER PACKAGE: whole, or not there
  local staging=$1/staging
  rm -rf "$staging"
  mkdir "$staging" && # `set -e` is off in a condition, where this is called
    package_download "$staging" "$2" &&
    package_unpack "$staging" &&
    vmlinux_extract "$staging"/boot/vmlinuz-* >"$staging/vmlinux" &&
    basename "$staging"/lib/modules/* >"$staging/release" &&
    depmod -b "$staging" "$(cat "$staging/release")" &&
    rm -r "$staging"/*.deb "${staging:?}/boot" &&
    rm -rf "$1"/linux-image-* &&
    mv "$staging" "$1/${2/=/_}"
}

# The one that apt stands for today, made when it is not there.
kernel_ready() {
  local wanted
  wanted=$(package_wanted)
  [ -n "$wanted" ] || return
  [ -d "$1/${wanted/=/_}" ] || kernel_make "$1" "$wanted"
}

folder=$1
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
# Lists of packages may be missing or too old (the archive keeps no old kernels): once more with fresh ones.
if ! (kernel_ready "$folder") && [ "$(id -u)" -eq 0 ]; then
  apt-get update -qq >&2 || true
  (kernel_ready "$folder") || true
fi
# Without a network an older one will do.
for kernel in "$folder"/linux-image-*; do
  if [ -d "$kernel" ]; then
    echo "$kernel"
    exit
  fi
done
echo "apt cannot get $meta, of which a kernel would be made" >&2
exit 1
