#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The kit for third parties: plugins that are built outside the tree, against an installed banger and
# nothing else, by the commands that the documentation gives.

load common

# One installation and one home for all tests here. Its VMM is the stub, which answers at once, and its
# kernel and image only look like it: what is tried are hooks, not guests.
setup_file() {
  export PREFIX=$BATS_FILE_TMPDIR/prefix
  make -s -C "$repo" BUILD="$BANGER_BUILD" PREFIX="$PREFIX" install
  export BANGER_HOME=$BATS_FILE_TMPDIR/home PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig
  PATH="$PREFIX/bin:$PATH"
  local parts=$BATS_FILE_TMPDIR/parts
  mkdir -p "$BANGER_HOME/plugins" "$parts/modules"
  with_plugins
  python3 "$BATS_TEST_DIRNAME/fake_kernel.py" "$parts/kernel"
  touch "$parts"/modules/modules.{dep,order}
  printf 'kernel/%s.ko\n' virtio_mmio virtio_blk virtio_console ext4 >"$parts/modules/modules.builtin"
  mke2fs -q -t ext4 "$parts/root" 2M
  banger kernel import --vmlinuz "$parts/kernel" --modules "$parts/modules" --name fake
  banger image register --rootfs "$parts/root" --name plain
  banger vm create --name planned --kernel fake --image plain
}

teardown_file() {
  "$PREFIX/bin/banger" vm kill --signal KILL planned || true
  "$PREFIX/bin/banger" daemon stop
  run ! grep -E 'Sanitizer|runtime error:' -A 25 "$BANGER_HOME/state/bangerd.log"
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
  echo "return { vm = { network = 'user', vmm = 'stub' }, plugins = { $* }," \
    "plugin_dirs = { '$BANGER_BUILD/tests/stub', '$BANGER_HOME/plugins' } }" >"$BANGER_HOME/config.lua"
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
  run -2 banger plugin new core
  has "it is the core's own"
  for name in Motd 7up a_b ../motd "$(printf 'a%.0s' {1..32})"; do
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
    run -0 make -s -C "$name" check
    has "contributeMachineConfig works, and contributes what a machine may have"
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

# faulty FAULT: builds the plugin with that defect.
faulty() {
  # shellcheck disable=SC2046  # a list of flags
  gcc -std=c11 -Wall -Werror -fPIC -shared -DFAULT="$1" $(pkg-config --cflags banger) \
    "$repo/tests/fixtures/kit/faulty.c" -ljansson -o faulty.so
}

@test "kit: plugin check finds defects, each by the hook that has it, and outlives them" {
  export BANGER_HOME=$BATS_TEST_TMPDIR/none BANGER_NO_AUTOSTART=1 # it needs neither
  mkdir empty && cd empty
  while IFS='|' read -r -u 4 fault name text; do
    faulty "$fault"
    run -1 --separate-stderr banger plugin check --json --set timeout=2s faulty.so
    is "$fault: $(json "[(c['name'], '$text' in c['text'] or c['text']) for c in data['checks'] if c['status'] == 'fail']" <<<"$output")" \
      "$fault: [('$name', True)]"
  done 4<<'END'
crash|prepare|signal 11
hang|check|did not finish in time
effects|check|set_json is not allowed in check
section|contributeMachineConfig|unknown machine section
journal|journal|cleanup leaves 1 row; the first is lock /run/lock/x
orphan|journal|it writes into the journal and has no cleanup
wordless|prepare|failed without saying why
positive|prepare|it returned 3
key|configuration|many
END
  for fault in none loud; do
    faulty "$fault"
    run -0 --separate-stderr banger plugin check --json faulty.so
    is "$(json "{c['status'] for c in data['checks']}" <<<"$output")" "{'pass'}"
  done
  is "$(ls)" faulty.so
}

@test "kit: plugin check finds nothing wrong with banger's own plugins" {
  for file in "$PREFIX"/lib/banger/plugins/*.so; do
    run -0 banger plugin check --json "$file"
    is "$file $(json "[c for c in data['checks'] if c['status'] == 'fail']" <<<"$output")" "$file []"
  done
}

@test "kit: plugin check says why a file is no plugin" {
  for fixture in wrong_magic wrong_abi missing_symbol no_descriptor; do
    run -1 banger plugin check "$BANGER_BUILD/tests/plugins/$fixture.so"
    has "fail  load"
  done
  echo "no plugin" >text.so
  run -1 banger plugin check text.so
  has "fail  load"
  run -1 banger plugin check missing.so
  has "cannot read missing.so"
  faulty none
  chmod g+w faulty.so
  run -0 banger plugin check faulty.so
  has "warn  file"
  has "hint: chmod go-w"
  run -1 banger plugin check --set cuont=2 faulty.so
  has "did you mean 'count'"
}

@test "kit: plugin check of a plugin with newer headers says what it will not find here" {
  run -0 --separate-stderr banger plugin check --json "$BANGER_BUILD/tests/plugins/newer_struct.so"
  is "$(json "[(c['status'], c['name']) for c in data['checks']]" <<<"$output")" \
    "[('pass', 'file'), ('pass', 'load'), ('warn', 'abi'), ('warn', 'descriptor'), ('pass', 'configuration'), ('pass', 'cleanup')]"
  has "what came later it will not find here"
  has "newer-struct has no version, no summary or no license"
}

@test "kit: a plugin that was built with the first headers loads and works" {
  gcc -std=c11 -Wall -Werror -fPIC -shared -I"$repo/tests/fixtures/abi-1.0" "$repo/tests/fixtures/abi-1.0/oldest.c" \
    -ljansson -o "$BANGER_HOME/plugins/oldest.so"
  with_plugins "oldest = { text = 'still here' }"
  is "$(banger plugin show oldest --json | json "sorted(data['hooks'])")" "['contributeMachineConfig', 'reconciled']"
  is "$(contributed oldest)" "[('/etc/oldest', 'still here')]"
}

@test "kit: a start is recorded, hook by hook, into a file of the user's own" {
  rm -f "$BANGER_HOME"/plugins/*
  with_plugins
  run -2 banger vm start --record rec.json planned other
  has "--record takes one VM"
  run -1 banger vm start --record missing/rec.json planned
  has "cannot write to missing"
  banger vm start --record rec.json planned
  is "$(stat -c %a rec.json)" 600
  is "$(json "data['format'], data['vm']" <rec.json)" "1 planned"
  # What hostname could see, what it did, and that it went well.
  json "[(h['hook'], h['input']['vm']['name'], h['result'], c['args'][0]) for h in data['hooks'] for c in h['calls']
        if h['capability'] == 'hostname' and c['call'] == 'contribute']" <rec.json | tee have
  grep -q "'contributeMachineConfig', 'planned', 0, 'guest.conf'" have
  json "[h['hook'] for h in data['hooks'] if h['capability'] == 'stub']" <rec.json | grep -q "'check'.*'launch'"
  banger vm kill --signal KILL planned
  banger vm start planned # and one that is not recorded says nothing
  banger vm restart --timeout 1s --record again.json planned
  json "[h['hook'] for h in data['hooks'] if h['capability'] == 'stub']" <again.json | grep -q "'request_stop'.*'launch'"
  banger vm kill --signal KILL planned
  is "$(ls)" $'again.json\nhave\nrec.json'
}

@test "kit: a start that fails is recorded too, with what failed and the cleanup" {
  rm -f "$BANGER_HOME"/plugins/*
  with_plugins
  banger vm create --name refused --kernel fake --image plain --label stub=refuse
  run -1 banger vm start --record rec.json refused
  json "[(h['hook'], h['error']['message']) for h in data['hooks'] if h['result'] != 0]" <rec.json | grep -q "'launch'.*stub"
  json "[h['hook'] for h in data['hooks']]" <rec.json | grep -q "'launch'.*'cleanup'"
  banger vm delete refused
}

@test "kit: the Prometheus exporter is built outside the tree, passes its test and says what it needs" {
  cp -r "$PREFIX/share/banger/examples/prometheus-textfile" .
  run -0 make -C prometheus-textfile CFLAGS="-O1 -Werror" test prometheus-textfile.so
  run ! grep FAILED <<<"$output"
  mkdir "$BATS_TEST_TMPDIR/textfile"
  run -0 banger plugin check --set folder="$BATS_TEST_TMPDIR/textfile" prometheus-textfile/prometheus-textfile.so
  has "cleanup              works where nothing was prepared, after a run, and a second time"
  is "$(ls -A textfile | tr '\n' ' ')" ".banger.lock banger.prom "
  make -s -C prometheus-textfile install
  with_plugins
  run -1 banger doctor
  has "no folder is configured for .prom files"
  with_plugins "['prometheus-textfile'] = { folder = '$BATS_TEST_TMPDIR/textfile' }"
  banger doctor --json | json "[c['status'] for c in data['checks'] if 'prometheus-textfile' in c['name']]" | grep -q "'pass'"

  # A run, its end, and a start that fails.
  rm textfile/banger.prom # what the check has counted
  banger vm start planned
  file=$(echo textfile/banger-planned-*.prom)
  grep -q '^banger_vm_running{vm="planned",id="[0-9a-f]*",image="plain"} 1$' "$file"
  grep -q '^banger_vm_boot_seconds{vm="planned",id="[0-9a-f]*"} [0-9]*[.][0-9]*$' "$file"
  banger vm kill --signal KILL planned
  [ ! -e "$file" ]
  banger vm create --name refused --kernel fake --image plain --label stub=refuse
  run -1 banger vm start refused
  banger vm delete refused
  is "$(grep -v '^#' textfile/banger.prom)" $'banger_starts_total 1\nbanger_start_failures_total 1'
  is "$(ls -A textfile | tr '\n' ' ')" ".banger.lock banger.prom "
}

# -- Hooks in Lua -------------------------------------------------------------------------------------------

@test "kit: hook new writes a script that is in order, takes part at once, and is never written over" {
  run -0 banger hook new site
  has "created $BANGER_HOME/hooks.d/site.lua"
  run -0 banger hook check "$BANGER_HOME/hooks.d/site.lua"
  has "check, prepare, contributeMachineConfig, postStart, cleanup, configure, deleted, reconciled; 1 key"
  is "$(banger hook list --quiet)" site
  is "$(contributed site)" "[('/etc/site', 'planned: hello from site\\n')]"
  echo "return {}" >"$BANGER_HOME/hooks.d/site.lua"
  run -1 banger hook new site
  has "site.lua is there already"
  is "$(cat "$BANGER_HOME/hooks.d/site.lua")" "return {}"
  rm "$BANGER_HOME/hooks.d/site.lua"
  run -2 banger hook new Site
  run -1 banger hook new qemu
  has "a plugin of banger's own"
  is "$(banger hook new other --quiet --output deep/folder/other.lua)" deep/folder/other.lua
  run -0 banger hook check deep/folder/other.lua
}

@test "kit: hook check runs no hook, and tells a mistake with its line" {
  export BANGER_HOME=$BATS_TEST_TMPDIR/none BANGER_NO_AUTOSTART=1 # it needs no daemon
  mkdir lib
  echo "return { text = 'x' }" >lib/util.lua
  printf 'local util = require("util")\nreturn { summary = util.text, check = function() error("run!") end }\n' >good.lua
  run -0 banger hook check good.lua
  has "pass  good.lua"
  while IFS='|' read -r -u 4 name script text; do
    printf '%b' "$script" >"$name.lua"
    run -1 banger hook check --json good.lua "$name.lua"
    run -0 json "[c['text'] for c in data['checks'] if c['status'] == 'fail']" <<<"$output"
    has "$text" || { echo "$name"; return 1; }
  done 4<<'END'
syntax|return {\n  check = func() end\n}|syntax.lua:2:
member|return { chek = function() end }|did you mean 'check'?
value|return { check = 7 }|'check' must be a function
files|local f = io.open("/etc/passwd")\nreturn {}|files.lua:1:
shell|return { summary = os.execute("true") }|shell.lua:1:
module|return require("missing")|missing
key|return { config = { n = { type = "int", default = "many" } } }|many
nothing|local x = 1|table
global|local n = 1\nreturn { summary = bangr.self.name }|global.lua:2: unknown global 'bangr'; did you mean 'banger'?
group|banger.log.inof("x")\nreturn {}|group.lua:1: banger.log: unknown member 'inof'; did you mean 'info'?
END
  run -1 banger hook check missing.lua
  has "cannot find missing.lua"
}

@test "kit: hook test shows what a hook does, without a VM, a daemon, or anything done" {
  export BANGER_HOME=$BATS_TEST_TMPDIR/none BANGER_NO_AUTOSTART=1
  banger hook new site --quiet -o site.lua
  run -0 banger hook test --set text='be nice' site.lua
  has 'contribute guest.files {"content":"sample: be nice\n","path":"/etc/site"}'
  has 'guest_exec {"argv":["cat","/etc/site"]}'
  has '(assumed)'
  cat >careful.lua <<LUA
return {
  prepare = function(vm)
    banger.host.write("$BATS_TEST_TMPDIR/out/file", "x")
    banger.http.request{ url = "http://127.0.0.1:9/", method = "POST" }
    banger.resource.hold("lock", vm.name, {}, function() end)
    banger.runtime.set("token", vm.short_id)
  end,
  contributeMachineConfig = function(vm, machine)
    machine:drive{ path = "relative" }
  end,
  cleanup = function(vm)
    for row in banger.resource.rows() do
      error(row.key .. " cannot be released, " .. banger.runtime.get("token"))
    end
  end,
}
LUA
  run -1 banger hook test --set "lua.write_dirs=[\"$BATS_TEST_TMPDIR/out\"]" careful.lua
  has "banger.host.write $BATS_TEST_TMPDIR/out/file: not done, since this is a test"
  has "banger.http.request http://127.0.0.1:9: not done"
  has "failed  contributeMachineConfig"
  has "careful.lua:13: sample cannot be released, 01234567"
  is "$(ls)" $'careful.lua\nsite.lua'
  run -2 banger hook test --set txet=1 site.lua
  has "did you mean 'text'"
  run -1 banger hook test --recording missing.json site.lua
  echo '{}' >empty.json
  run -2 banger hook test --recording empty.json site.lua
  has "is no recording"
}

@test "kit: hook test plays a recorded start: what was seen, and what programs answered" {
  rm -f "$BANGER_HOME"/plugins/*
  mkdir -p "$BANGER_HOME/hooks.d"
  printf '#!/bin/sh\necho "secret of $1"\n' >vault
  chmod 755 vault
  cat >"$BANGER_HOME/hooks.d/secret.lua" <<LUA
return {
  config = { owner = { type = "string", default = "nobody" } },
  contributeMachineConfig = function(vm, machine)
    local answer = banger.host.run{ "$BATS_TEST_TMPDIR/vault", vm.name .. "/" .. banger.config.owner }
    machine:file{ path = "/run/secret", content = answer.stdout }
  end,
}
LUA
  with_plugins "lua = { programs = { '$BATS_TEST_TMPDIR/vault' } }, secret = { owner = 'me' }"
  banger vm start --record rec.json planned
  banger vm kill --signal KILL planned
  rm vault
  run -0 banger hook test --recording rec.json "$BANGER_HOME/hooks.d/secret.lua"
  has '-> {"status":0,"stderr":"","stdout":"secret of planned/me\n"} (recorded)'
  has 'contribute guest.files {"content":"secret of planned/me\n","path":"/run/secret"}'
  # An answer that was too long for the recording is missed, and that is said.
  python3 - <<'PYTHON'
import json
recording = json.load(open("rec.json"))
for hook in recording["hooks"]:
    for call in hook["calls"]:
        if call["call"] == "run":
            hook["cut"] = True
            del call["result"]
json.dump(recording, open("cut.json", "w"))
PYTHON
  run -1 banger hook test --recording cut.json "$BANGER_HOME/hooks.d/secret.lua"
  has "the recording leaves out answers that secret got in contributeMachineConfig"
  has "its answer was too long for the recording"
  # A script that was not there yet sees what others saw.
  echo 'return { prepare = function(vm) banger.log.info("%s has %d MiB", vm.name, vm.memory_mib) end }' >new.lua
  run -0 banger hook test --recording rec.json new.lua
  has "it was not recorded"
  has "log info: planned has 512 MiB"
  run -0 banger hook test --vm planned new.lua
  has "log info: planned has 512 MiB"
  run -2 banger hook test --vm planned --recording rec.json new.lua
  has "exclude each other"
  rm "$BANGER_HOME/hooks.d/secret.lua"
}
