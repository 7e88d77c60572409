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

# Lists of packages grow old, and the archive keeps no old kernels: once more with fresh ones. apt's
# user may write into the folder, or apt says on every call that it is not sandboxed.
package_download() {
  if [ "$(id -u)" -eq 0 ]; then chown _apt "$1" 2>/dev/null || true; fi
  (cd "$1" && apt-get download -qq "$2") >&2 && return
  [ "$(id -u)" -eq 0 ] || return 1
  apt-get update -qq >&2
  (cd "$1" && apt-get download -qq "$(package_wanted)") >&2
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

kernel_make() { # whole in FOLDER/staging
  package_download "$1" "$2"
  package_unpack "$1"
  vmlinux_extract "$1"/boot/vmlinuz-* >"$1/vmlinux"
  basename "$1"/lib/modules/* >"$1/release"
  depmod -b "$1" "$(cat "$1/release")"
  rm -r "$1"/*.deb "${1:?}/boot"
}

folder=$1
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
wanted=$(package_wanted)
if [ -z "$wanted" ]; then
  echo "apt knows of no $meta (apt-get update?)" >&2
  exit 1
fi
kernel=$folder/${wanted/=/_}
if [ ! -d "$kernel" ]; then
  rm -rf "$folder/staging" "$folder"/linux-image-*
  mkdir "$folder/staging"
  kernel_make "$folder/staging" "$wanted"
  mv "$folder/staging" "$kernel"
fi
echo "$kernel"
