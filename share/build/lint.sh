#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make lint`: everything that can be said about the sources without running them. Every check runs,
# whatever the ones before it found; the summary at the end counts them.
#   lint.sh [CHECK...]   arrows headers sizes format shell cppcheck tidy (default: all)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

# tool NAME: its program; Debian has it with and without the version.
tool() {
  command -v "$1-14" || command -v "$1" || {
    echo "lint.sh: $1 is not installed (share/build/packages.sh lint)" >&2
    return 1
  }
}

sources() { # sources DIR...: the C files of those that exist
  local dir
  for dir in "$@"; do
    [ ! -d "$dir" ] || find "$dir" -name '*.[ch]'
  done | LC_ALL=C sort
}

# What the compiler is told, so that the checkers see the same code.
compile_flags() {
  printf '%s\n' -std=gnu11 -D_GNU_SOURCE '-DBANGER_VERSION="0"' -Iinclude -Icore -Iplugins/common
  pkg-config --cflags lua5.4 sqlite3 jansson libarchive libkmod libnl-3.0 libnl-route-3.0 libnl-nf-3.0 | xargs -n 1
}

check_arrows() { share/build/arrows.sh; }
check_headers() { share/build/headers.sh; }

# A file that outgrows this holds two things.
readonly lines_max=650
check_sizes() {
  local file lines failed=0
  while IFS= read -r file; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt "$lines_max" ]; then
      echo "$file: $lines lines; split it ($lines_max are allowed)"
      failed=1
    fi
  done < <(sources core plugins lua include tests share/examples)
  return "$failed"
}

check_format() {
  local format
  format=$(tool clang-format) || return
  sources core plugins lua include tests share/examples | xargs "$format" --dry-run -Werror
}

check_shell() {
  local shellcheck scripts=() bats=()
  shellcheck=$(tool shellcheck) || return
  mapfile -t scripts < <(find share tests -name '*.sh')
  # SC2154: bats sets $output, $lines and $stderr. SC1010: `run banger ... done` is no loop.
  mapfile -t bats < <(find tests -name '*.bats' -o -name '*.bash')
  "$shellcheck" -S warning "${scripts[@]}" .ci/run || return
  "$shellcheck" -S warning -s bats -e SC2154,SC1010 "${bats[@]}"
}

# Of cppcheck, what neither gcc nor clang says. It does not know __attribute__((cleanup)), so its
# word on leaks is wrong here (the ASan and valgrind runs have the right one); of null pointers the
# clang analyzer knows more; of an index before its check it cannot tell a string from an array.
check_cppcheck() {
  local cppcheck dirs=() dir
  cppcheck=$(tool cppcheck) || return
  for dir in core plugins lua; do
    [ ! -d "$dir" ] || dirs+=("$dir")
  done
  "$cppcheck" -q -j "$(nproc)" --std=c11 --enable=performance,portability --inline-suppr \
    --error-exitcode=1 --suppress=missingIncludeSystem --suppress=resourceLeak --suppress=memleak \
    --suppress=nullPointer --suppress=arrayIndexThenCheck -D_GNU_SOURCE '-DBANGER_VERSION="0"' \
    -DJANSSON_THREAD_SAFE_REFCOUNT=1 -Iinclude -Icore "${dirs[@]}"
}

# One process a file: clang-tidy 14 carries the analyzer's state from one file to the next and then
# reports va_list wrongly. Tests are left out: cmocka's macros are not ours.
check_tidy() {
  local tidy
  tidy=$(tool clang-tidy) || return
  mapfile -t flags < <(compile_flags)
  # shellcheck disable=SC2016  # the inner shell's arguments
  sources core plugins lua | grep '\.c$' | xargs -P "$(nproc)" -I{} \
    bash -c 'out=$("$@" 2>/dev/null) || { printf "%s\n" "$out"; exit 1; }' tidy \
    "$tidy" --quiet {} -- "${flags[@]}"
}

all="arrows headers sizes format shell cppcheck tidy"
passed=0 failed=()
# shellcheck disable=SC2086  # a list of names
[ "$#" -gt 0 ] || set -- $all
for name in "$@"; do
  case " $all " in
    *" $name "*) ;;
    *) echo "lint.sh: no check '$name' ($all)" >&2; exit 2 ;;
  esac
  begun=$SECONDS
  if "check_$name"; then
    passed=$((passed + 1)) outcome=ok
  else
    failed+=("$name") outcome=FAILED
  fi
  printf '%-9s %-7s %3d s\n' "$name" "$outcome" "$((SECONDS - begun))"
done
printf '\n%d passed, %d failed%s\n' "$passed" "${#failed[@]}" "${failed:+: ${failed[*]}}"
[ "${#failed[@]}" -eq 0 ]
