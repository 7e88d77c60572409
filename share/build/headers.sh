#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each public header must compile alone, and twice included, as C11 and as C++17, without a warning
# and without a GNU mode. Prints what does not, and fails.
#   CC, CXX: the compilers (default: gcc, g++)
set -eu
cd "$(dirname "$0")/../.."
cc=${CC:-gcc}
cxx=${CXX:-g++}
warnings="-Wall -Wextra -Wpedantic -Werror -Wshadow -Wundef"
failed=0 count=0

# compile HEADER COMPILER FLAGS...: a file that holds nothing but the header, twice.
compile() {
  header=$1
  shift
  count=$((count + 1))
  # shellcheck disable=SC2086  # a list of options
  if ! printf '#include <banger/%s>\n#include <banger/%s>\n' "$header" "$header" |
    "$@" $warnings -Iinclude -fsyntax-only -; then
    printf 'headers.sh: banger/%s does not stand alone: %s\n' "$header" "$*" >&2
    failed=1
  fi
}

for path in include/banger/*.h; do
  header=${path##*/}
  compile "$header" "$cc" -std=c11 -x c -Wstrict-prototypes
  compile "$header" "$cxx" -std=c++17 -x c++
done
[ "$failed" -eq 0 ] || exit 1
echo "$count compilations of public headers are clean"
