#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What may be wrong with the host, the configuration, the database, a plugin, a VMM or a guest: the
# message says what and what to do, running VMs go on, nothing is left behind.

load common

teardown() {
  configure
  banger daemon stop --quiet
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  assert_nothing_left
  banger daemon stop --quiet
  if mountpoint -q "$BANGER_HOME/state"; then umount "$BANGER_HOME/state"; fi
}

# site LUA: what the next start of the daemon reads, which the next command brings about.
site() {
  echo "$1" >"$BANGER_HOME/config.lua"
  banger daemon stop --quiet
}

# no_daemon TEXT...: it refuses to start, and every text is in what the CLI says.
no_daemon() {
  run -1 banger ps
  has "the daemon does not start"
  for text in "$@"; do has "$text"; done
}

state_of() {
  banger vm show "$1" --json | json 'data["state"]'
}

boot_id() {
  banger vm exec "$1" -- cat /proc/sys/kernel/random/boot_id
}

# -- Plugins ------------------------------------------------------------------------------------

plugin_folder() { # plugin_folder FIXTURE...: one with these, and configured
  folder=$BATS_TEST_TMPDIR/plugins
  install -d -m 755 "$folder"
  for fixture in "$@"; do
    install -m 644 "$BANGER_BUILD/tests/plugins/$fixture.so" "$folder"
  done
  configure "plugin_dirs = { '$folder' }"
  banger daemon stop --quiet
}

# broken NAME TEXT...: the daemon is there, and says everywhere that this plugin is not.
broken() {
  local name=$1
  run -0 banger plugin list -q
  has "$name"
  run banger doctor
  has "$name"
  for text in "$@"; do has "$text"; done
}

@test "errors: a plugin of another ABI is broken, and nothing else is" {
  banger vm run -d --name winter
  before=$(boot_id winter)
  plugin_folder good wrong_abi
  broken wrong-abi "$folder/wrong_abi.so" "built for ABI 2" "has ABI 1" "build the plugin with the headers"
  grep -q "built for ABI 2" "$BANGER_HOME/state/bangerd.log"
  run -0 banger plugin show good # of the same folder
  is "$(boot_id winter)" "$before"
  run -1 banger vm create --name summer
  has "capability 'wrong-abi' is broken"
  has "built for ABI 2"
  configure "plugin_dirs = { '$folder' }, plugins = { ['wrong-abi'] = { on_error = 'warn' } }"
  banger daemon stop --quiet
  banger vm create --name summer
}

@test "errors: what is no plugin, and what does not want to be one" {
  plugin_folder wrong_magic missing_symbol no_descriptor refusing_start good duplicate_name
  echo "not a shared object" >"$folder/text.so"
  broken wrong-magic "its magic is 0x12345678"
  broken missing-symbol "it exports no 'banger_plugin_v1'"
  broken no-descriptor "returned no descriptor"
  broken refusing-start "there is no moon on this host" "install the moon"
  broken good-2 "named 'good' is loaded already, from $folder/duplicate_name.so"
  broken text "$folder/text.so" "cannot be loaded"
}

@test "errors: plugins that others can write to" {
  plugin_folder good
  chmod g+w "$folder"
  no_daemon "$folder can be written by others" "chmod go-w $folder"
  chmod g-w "$folder"
  chmod o+w "$folder/good.so"
  broken good "$folder/good.so can be written by others"
  chmod o-w "$folder/good.so"
  banger daemon stop --quiet
  run -0 banger plugin show good
  has "isolated     true"
}

# -- Configuration ------------------------------------------------------------------------------

@test "errors: a wrong configuration" {
  file=$BANGER_HOME/config.lua
  site 'return { boot_timout = "5s" }'
  no_daemon "$file: unknown key 'boot_timout'" "did you mean 'boot_timeout'"
  site 'return { vm = { memroy = "1G" } }'
  no_daemon "unknown key 'vm.memroy'" "did you mean 'vm.memory'"
  site 'return { vm = { memory = "1K" } }'
  no_daemon "vm.memory" "'1K'" "from 64M to 1T"
  site 'return { plugins = { qemu = { acel = "kvm" } } }'
  no_daemon "plugins.qemu: unknown key 'acel'" "did you mean 'accel'"
  site 'return { plugins = { hostnam = { on_error = "warn" } } }'
  no_daemon "plugins.hostnam" "did you mean 'plugins.hostname'"
  site 'return { plugin_dirs = { "/does/not/exist" } }'
  no_daemon "/does/not/exist: No such file"
  site $'return {\n  vm = {\n    memory = ,\n} }'
  no_daemon "$file:3: unexpected symbol near ','"
  site $'local site\nreturn { vm = site.vm }'
  no_daemon "$file:2: attempt to index a nil value (local 'site')"
  site 'while true do end'
  no_daemon "runs for too long"
  site 'return os.execute("true")'
  no_daemon "$file:1: " "execute"
  site 'return 5'
  no_daemon "must return one table"
}

# -- The database -------------------------------------------------------------------------------

# damaged TEXT HINT: refused with these, and not a byte of it is written.
damaged() {
  local before
  before=$(sha256sum "$BANGER_HOME"/state/banger.db*)
  no_daemon "$BANGER_HOME/state/banger.db" "$1" "$2"
  is "$(sha256sum "$BANGER_HOME"/state/banger.db*)" "$before"
  cp -a "$BATS_TEST_TMPDIR/whole.db" "$database"
}

# edited PYTHON: the database as `file`, or as `db` of SQLite.
edited() {
  python3 - "$database" "$1" <<'PYTHON'
import sqlite3, sys
with open(sys.argv[1], "r+b") as file:
    size = file.seek(0, 2)
    db = sqlite3.connect(sys.argv[1])
    exec(sys.argv[2])
    db.close()
PYTHON
}

@test "errors: a damaged database is refused and not touched" {
  database=$BANGER_HOME/state/banger.db
  banger vm run -d --name winter
  before=$(boot_id winter)
  banger daemon stop
  cp -a "$database" "$BATS_TEST_TMPDIR/whole.db"
  edited 'for at in range(4096, size, 4096): file.seek(at); file.write(b"\xff" * 64)'
  damaged "is damaged: " "put a backup in its place"
  edited 'file.write(b"\xff" * 100) if file.seek(0) == 0 else None'
  damaged "file is not a database" ".recover"
  edited 'file.truncate(size // 2)'
  damaged "malformed" "put a backup in its place"
  edited 'file.truncate(0)'
  damaged "it is empty" "put a backup in its place"
  is "$(boot_id winter)" "$before"
}

@test "errors: a database of a newer banger, and somebody else's" {
  database=$BANGER_HOME/state/banger.db
  banger ps
  banger daemon stop
  cp -a "$database" "$BATS_TEST_TMPDIR/whole.db"
  edited 'db.execute("PRAGMA user_version = 99")'
  damaged "has schema version 99, and this banger knows versions up to" "use the banger that wrote it"
  edited 'db.execute("PRAGMA application_id = 99")'
  damaged "not one of banger's" "move it away"
}

# -- The disk -----------------------------------------------------------------------------------

# fill KIB: leaves that much.
fill() {
  local room
  room=$(df --output=avail -k "$BANGER_HOME/state" | tail -1)
  fallocate -l "$((room - $1))K" "$BANGER_HOME/state/filler"
}

@test "errors: a full disk" {
  [ "$(id -u)" = 0 ] || skip "only root can mount a small disk"
  deb=$(echo "$BANGER_HOME"/cache/packages/*.deb)
  BANGER_HOME=$BATS_TEST_TMPDIR/small
  mkdir -p "$BANGER_HOME/state"
  configure
  mount -t tmpfs -o size=160M,mode=0700 banger-test "$BANGER_HOME/state" || skip "mounts are not allowed here"
  banger kernel import --deb "$deb" --name linux-image-cloud-amd64
  banger image build tiny
  fill 1024
  run -125 banger vm run --rm --json -- true
  has '"name":"full"'
  has "a copy of the image needs"
  has "banger vm prune"
  run -1 banger image build tiny --name second
  has "No space left"
  rm "$BANGER_HOME/state/filler"
  fill 0
  run -125 banger vm run --rm -- true
  has "disk is full"
  has "free some space"
  run -1 banger vm create --name second
  is "$(banger ps -a -q)" ""
  rm "$BANGER_HOME/state/filler"
  assert_nothing_left
  is "$(banger vm run --rm -- echo again)" again
}

# -- VMMs and guests ----------------------------------------------------------------------------

@test "errors: a VMM that cannot start" {
  qemu=$BATS_TEST_TMPDIR/qemu
  site "return { vm = { network = 'user' }, plugins = { qemu = { binary = '$qemu' } } }"
  run -125 banger vm run --rm -- true
  has "$qemu cannot be executed"
  ln -s /bin/false "$qemu"
  run -125 banger vm run --rm -- true
  has "$qemu does not say which version"
  run -1 banger doctor
  has "does not say which version"
  rm "$qemu"
  cat >"$qemu" <<'SHELL'
#!/bin/sh
case "$*" in
  *-version*) echo "QEMU emulator version 7.2.0" ;;
  *help*) printf 'Supported machines are:\nmicrovm test\n' ;;
  *) echo "no machine today" >&2; exit 3 ;;
esac
SHELL
  chmod +x "$qemu"
  run -125 banger vm run --name winter -- true
  has "QEMU ended at once: no machine today"
  is "$(state_of winter)" error
  is "$(banger vm logs --vmm winter)" "no machine today"
  is "$(inventory | grep -v '^vm winter error' | grep -v /state/vms/)" ""
}

@test "errors: a guest that never answers" {
  site 'return { vm = { network = "user" }, boot_timeout = "15s" }'
  # Without its init the kernel panics, and without a restart it stays so.
  run -125 banger vm run --name winter --boot-arg rdinit=/none --boot-arg panic=0 -- true
  has "did not answer within 15 s: Kernel panic - not syncing"
  has "console: "
  has "banger vm logs winter"
  is "$(state_of winter)" error
  run -0 banger vm show winter
  has "did not answer within 15 s"
  run -0 banger vm logs winter
  has "Kernel panic - not syncing"
  is "$(inventory | grep -v '^vm winter error' | grep -v /state/vms/)" ""
}

@test "errors: a guest that ends before it answers, with --rm" {
  run -125 banger vm run --rm --boot-arg rdinit=/none -- true
  has "the guest ended before its agent answered: Kernel panic"
  has "without --rm"
  assert_nothing_left
}
