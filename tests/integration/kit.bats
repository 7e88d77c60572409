#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The kit for third parties: plugins that are built outside the tree, against an installed banger and
# nothing else, by the commands that the documentation gives.

load common

# One installation, one home and one VM that is never started, for all tests here.
setup_file() {
  export PREFIX=$BATS_FILE_TMPDIR/prefix
  make -s -C "$repo" BUILD="$BANGER_BUILD" PREFIX="$PREFIX" install
  export BANGER_HOME=$BATS_FILE_TMPDIR/home PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig
  mkdir -p "$BANGER_HOME/plugins"
  if [ -d "$BATS_SUITE_TMPDIR/home/cache" ]; then # the downloaded package, not its import
    cp -a "$BATS_SUITE_TMPDIR/home/cache" "$BANGER_HOME/cache"
  fi
  echo "return { vm = { network = 'user' } }" >"$BANGER_HOME/config.lua"
  "$PREFIX/bin/banger" vm create --name planned
}

teardown_file() {
  "$PREFIX/bin/banger" daemon stop
}

setup() {
  PATH="$PREFIX/bin:$PATH"
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  explain_failure
}

# with_plugins [LUA]: a daemon that has read the folder of plugins, and their configuration.
with_plugins() {
  banger daemon stop
  echo "return { vm = { network = 'user' }, plugin_dirs = { '$BANGER_HOME/plugins' }, plugins = { $* } }" >"$BANGER_HOME/config.lua"
}

# contributed PLUGIN: what it contributes to the planned VM's guest files.
contributed() {
  banger vm plan planned --json | json "[(v['path'], v['content']) for c in data['contributions'] if c['by'] == '$1' and c['section'] == 'guest.files' for v in (c['value'] if isinstance(c['value'], list) else [c['value']])]"
}

@test "kit: plugin new writes a folder, and never over what is there" {
  run -0 banger plugin new motd
  has "cd motd"
  has "make test"
  has "plugin_dirs = { \"$BANGER_HOME/plugins\" }"
  is "$(cd motd && find . -type f | LC_ALL=C sort | tr '\n' ' ')" "./.gitignore ./Makefile ./README.md ./motd.c ./test_motd.c "
  run ! grep -r '@[A-Z]*@' motd
  echo mine >motd/motd.c
  run -1 banger plugin new motd
  has "motd is there already"
  is "$(cat motd/motd.c)" mine
  for name in Motd 7up a_b core ../motd "$(printf 'a%.0s' {1..32})"; do
    run -2 banger plugin new "$name"
    has "use a lower-case letter"
  done
  run -1 banger plugin new qemu
  has "a plugin of banger's own is called 'qemu'"
  mkdir readonly
  is "$(ls)" $'motd\nreadonly'
}

@test "kit: what cannot be written whole is not left in parts" {
  mv "$PREFIX/share/banger/templates/plugin/README.md" "$BATS_TEST_TMPDIR/kept"
  run -1 banger plugin new motd
  mv "$BATS_TEST_TMPDIR/kept" "$PREFIX/share/banger/templates/plugin/README.md"
  has "plugin/README.md"
  has "hint: it is a part of banger's installation"
  is "$(ls)" ""
}

@test "kit: a new plugin in C and one in C++ are built, tested, installed and take part in a start" {
  banger plugin new motd
  banger plugin new --cxx motd-plus
  for name in motd motd-plus; do
    run -0 make -C "$name" CFLAGS="-O1 -Werror" CXXFLAGS="-O1 -Werror" test "$name.so"
    has "ok     its content"
    run ! grep FAILED <<<"$output"
    make -s -C "$name" install
  done
  with_plugins "['motd-plus'] = { text = 'be nice' }"
  run -0 banger plugin show motd
  has "hello from motd"
  is "$(contributed motd)" "[('/etc/motd', 'planned: hello from motd\\n')]"
  is "$(contributed motd-plus)" "[('/etc/motd-plus', 'planned: be nice\\n')]"
}

@test "kit: a new plugin's test fails when the plugin is wrong" {
  banger plugin new motd
  sed -i 's|%s: %s|%s; %s|' motd/motd.c
  run ! make -s -C motd test
  has "FAILED its content: 'web; be nice"
}

@test "kit: a plugin that was built with the first headers loads and works" {
  gcc -std=c11 -Wall -Werror -fPIC -shared -I"$repo/tests/fixtures/abi-1.0" "$repo/tests/fixtures/abi-1.0/oldest.c" \
    -ljansson -o "$BANGER_HOME/plugins/oldest.so"
  with_plugins "oldest = { text = 'still here' }"
  is "$(banger plugin show oldest --json | json "sorted(data['hooks'])")" "['contributeMachineConfig', 'reconciled']"
  is "$(contributed oldest)" "[('/etc/oldest', 'still here')]"
}

@test "kit: the Prometheus exporter is built outside the tree, passes its test and says what it needs" {
  cp -r "$PREFIX/share/banger/examples/prometheus-textfile" .
  run -0 make -C prometheus-textfile CFLAGS="-O1 -Werror" test
  run ! grep FAILED <<<"$output"
  make -s -C prometheus-textfile install
  with_plugins
  run -1 banger doctor
  has "no folder is configured for .prom files"
  mkdir "$BATS_TEST_TMPDIR/textfile"
  with_plugins "['prometheus-textfile'] = { folder = '$BATS_TEST_TMPDIR/textfile' }"
  banger doctor --json | json "[c['status'] for c in data['checks'] if 'prometheus-textfile' in c['name']]" | grep -q "'pass'"
}
