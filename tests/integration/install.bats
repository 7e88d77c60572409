#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make install`: what it puts where works from there, and a plugin builds against it.

load common

setup() {
  root=$BATS_TEST_TMPDIR/root
  prefix=$BATS_TEST_TMPDIR/prefix
}

@test "install: DESTDIR and PREFIX are kept to" {
  make -s -C "$repo" BUILD="$BANGER_BUILD" PREFIX=/usr DESTDIR="$root" install
  for file in bin/banger libexec/banger/bangerd libexec/banger/banger-agent lib/banger/plugins/qemu.so \
    include/banger/plugin.h include/banger/test.h lib/libbanger-test.a lib/pkgconfig/banger.pc lib/pkgconfig/banger-test.pc share/man/man1/banger.1 \
    share/man/man1/banger-vm-run.1 share/bash-completion/completions/banger \
    lib/systemd/system/bangerd.service share/doc/banger/README.md lib/banger/plugins/lua.so share/banger/library.lua \
    share/doc/banger/hooks/inventory.lua; do
    [ -s "$root/usr/$file" ] || { echo "missing: $file"; return 1; }
  done
  run ! grep -r '@[A-Z]*@' "$root/usr/lib/pkgconfig" "$root/usr/lib/systemd"
  make -s -C "$repo" BUILD="$BANGER_BUILD" PREFIX=/usr DESTDIR="$root" uninstall
  is "$(find "$root" -type f)" ""
}

@test "install: it runs from where it was put, and loads a plugin built out of the tree" {
  make -s -C "$repo" BUILD="$BANGER_BUILD" PREFIX="$prefix" install
  mkdir -p "$BATS_TEST_TMPDIR/home" "$BATS_TEST_TMPDIR/plugins"
  cat >"$BATS_TEST_TMPDIR/hello.c" <<'PLUGIN'
#include <banger/plugin.h>
static int hello_check(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    return 0;
}
static const struct banger_hooks hooks = {.size = sizeof(hooks), .check = hello_check};
static const struct banger_plugin plugin = {BANGER_PLUGIN_HEADER, .name = "hello", .version = "1",
    .summary = "says nothing", .license = "MIT", .hooks = &hooks};
BANGER_PLUGIN(&plugin)
PLUGIN
  flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags banger)
  # shellcheck disable=SC2086  # a list of flags
  gcc -std=c11 -Wall -Werror -fPIC -shared $flags "$BATS_TEST_TMPDIR/hello.c" -o "$BATS_TEST_TMPDIR/plugins/hello.so"
  echo "return { plugin_dirs = { '$BATS_TEST_TMPDIR/plugins' } }" >"$BATS_TEST_TMPDIR/home/config.lua"
  export BANGER_HOME=$BATS_TEST_TMPDIR/home
  run -0 "$prefix/bin/banger" plugin list
  has hello
  has qemu
  "$prefix/bin/banger" daemon stop
}
