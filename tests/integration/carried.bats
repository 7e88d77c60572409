#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Capabilities that a plugin carries (tests/fixtures/plugins/carrier.c: one a file), seen from outside: they
# come, change, break and go while the daemon runs.

load common
load stub

setup_file() {
  folder=$BATS_FILE_TMPDIR/plugins
  install -d -m 755 "$folder"
  install -m 644 "$BANGER_BUILD/tests/plugins/carrier.so" "$folder"
  stub_home "$BATS_FILE_TMPDIR/home"
  export folder BANGER_HOME
}

teardown_file() {
  banger daemon stop
}

setup() {
  rm -rf "$BANGER_HOME/carried"
  mkdir "$BANGER_HOME/carried"
  site
  banger vm create --name web --label stub=run
}

teardown() {
  explain_failure
  rm -rf "$BANGER_HOME/carried"
  banger vm delete web
  assert_nothing_left
}

# site [LUA]: a daemon that has loaded the carrier, with policies.
site() {
  banger daemon stop
  common_config=${common_config/"plugin_dirs = { '"/"plugin_dirs = { '$folder', '"} configure "plugins = { $* }"
}

# carry NAME MEMBERS: what is there from now on.
carry() {
  echo "{\"name\":\"$1\"${2:+,$2}}" >"$BANGER_HOME/carried/$1.json"
}

hooks() { banger hook list --json | json "$1"; }

# told NAME: the events that it has emitted, "HOOK OPERATION ERROR" a line.
told() {
  banger events --json | python3 -c 'import json, sys
for line in sys.stdin:
    event = json.loads(line)
    name, _, hook = event["type"].partition(".")
    if name == sys.argv[1]:
        print(hook, event["data"]["operation"], event["data"].get("error"))' "$1"
}

@test "carried: a new one takes part in the next start, a changed one in the one after" {
  run -0 banger hook list
  has "NAME"
  carry site '"version":"1","hooks":["prepare","cleanup"]'
  run -0 banger hook list
  has "$BANGER_HOME/carried/site.json"
  banger vm start web
  is "$(hooks '[(h["name"], h["state"], h["hooks"]["prepare"]["calls"]) for h in data]')" "[('site', 'ok', 1)]"
  carry site '"version":"2","hooks":["prepare","cleanup"]'
  banger vm restart web
  is "$(hooks '[(h["version"], h["hooks"]["prepare"]["calls"], h["failures"]) for h in data]')" "[('2', 2, 0)]"
  run -0 banger plugin list
  grep -qE '^ORDER +NAME +VERSION +STATE +ISOLATED +CALLS +FAILED +P50 +P99 +PROVIDES +HOOKS *$' <<<"$output"
  grep -qE '^1 +' <<<"$output"
  has "carrier"
  has "site"
  run -0 banger plugin show site
  has "P99"
  has "carrier" # who carries it
  is "$(banger plugin list --json | json '[p["order"] for p in data] == list(range(1, len(data) + 1))')" True
  run -0 banger plugin list --hooks
  grep -qE '^PLUGIN +HOOK +CALLS +FAILED +P50 +P99 *$' <<<"$output"
  grep -qE '^site +prepare +2 +0 +[0-9.]+[num]?s +[0-9.]+[num]?s *$' <<<"$output"
  is "$(banger plugin list --hooks --json | json '[(r["hook"], r["calls"], r["failures"]) for r in data if r["plugin"] == "site"]')" \
    "[('prepare', 2, 0), ('cleanup', 3, 0)]"
  is "$(banger plugin list --hooks -q | grep ^site)" $'site prepare\nsite cleanup'
  rm "$BANGER_HOME/carried/site.json"
  banger vm stop web
  is "$(hooks data)" "[]"
}

@test "carried: a broken one says why, and is in the way as its policy says" {
  carry site '"error":{"message":"site.lua:3: no =","hint":"mend it"}'
  carry good '"hooks":["prepare"]'
  run -0 banger hook list
  has "site is broken: site.lua:3: no ="
  has "hint: mend it"
  run -1 banger vm start web
  has "capability 'site' is broken: site.lua:3: no ="
  has "hint: mend it"
  run -1 banger doctor
  has "site.lua:3"
  site "site = { on_error = 'warn', of_its_own = 1 }"
  run -0 banger vm start web
  has "capability 'site' is broken"
  run -0 banger vm create --name other
  has "warning: capability 'site' is broken"
  run -0 banger vm set other --nat off
  has "warning: capability 'site' is broken"
  banger vm delete other
  run -0 banger vm run --detach --name other --label stub=run
  is "$(grep -c "capability 'site' is broken" <<<"$output")" 1 # it asks twice
  banger vm delete other
  run banger doctor --json
  is "$(echo "$output" | json '[c["status"] for c in data["checks"] if c["name"] == "site"]')" "['warn']"
  is "$(hooks '[(h["name"], h["state"]) for h in data]')" "[('good', 'ok'), ('site', 'broken')]"
  carry site '"hooks":["prepare"]' # an unknown key of its policy is told now
  run -0 banger hook list
  has "plugins.site: unknown key 'of_its_own'"
}

# The time limit is an hour: whoever waited for it would not be seen here again.
@test "carried: one that hangs when it is asked holds up no stop, kill or delete" {
  site "carrier = { timeout = '1h' }"
  carry site '"hooks":["prepare"]'
  banger vm start web
  banger vm create --name other
  mkfifo "$BANGER_HOME/carried/hang.json" # whoever reads it waits for a writer
  ln "$BANGER_HOME/carried/hang.json" "$BATS_TEST_TMPDIR/gate"
  banger vm stop web
  banger vm delete other
  is "$(state_of web)" stopped
  rm "$BANGER_HOME/carried/hang.json"
  carry late
  echo '{"name":"hang"}' >"$BATS_TEST_TMPDIR/gate" # who has waited goes on
  is "$(banger hook list -q)" $'late\nsite'
  site
}

@test "carried: one that cannot be asked carries what it carried; the daemon comes up without" {
  carry site '"hooks":["prepare"]'
  is "$(banger hook list -q)" site
  echo nonsense >"$BANGER_HOME/carried/wrong.json"
  is "$(banger hook list -q)" site
  run -1 banger doctor
  has "wrong.json:1"
  site "site = { on_error = 'warn' }" # a fresh daemon does not know what there is, and says so
  is "$(banger hook list -q)" carrier-unknown
  run -1 banger vm start web
  has "wrong.json:1"
  rm "$BANGER_HOME/carried/wrong.json"
  is "$(banger hook list -q)" site
}

@test "carried: a table of one that was removed, or is misspelt, is a warning; of a plugin, misspelt, an error" {
  carry site
  site "siet = { on_error = 'warn' }, inventory = { url = 'http://x' }"
  run -0 banger ps
  run -0 banger doctor
  has "plugins.siet"
  has "no plugin or script of that name is loaded"
  has "did you mean 'plugins.site'?"
  has "plugins.inventory"
  has "take its table out of config.lua"
  run -0 grep -c ' warn  plugins\.\(siet\|inventory\): no plugin or script' "$BANGER_HOME/state/bangerd.log"
  is "$output" 2
  carry inventory '"config":[{"name":"url","type":"string"}]' # it is there again
  is "$(banger doctor --json | json '[c["name"] for c in data["checks"] if c["name"].startswith("plugins.")]')" "['plugins.siet']"
  site "carier = { on_error = 'warn' }"
  run -1 banger ps
  has "plugins.carier: no plugin of that name is loaded"
  has "did you mean 'plugins.carrier'?"
  site
}

@test "carried: hooks are told which operation it is, and in the cleanup why it failed" {
  carry site '"hooks":["prepare","cleanup"],"state":{"fails":true}'
  run -1 banger vm start web
  is "$(told site | tail -2)" "prepare start None
cleanup start capability 'site': prepare: it fails, as its state says"
  carry site '"hooks":["cleanup"],"version":"2"'
  banger vm start web
  is "$(told site | tail -1)" "cleanup start None"
  vmm=$(vmm_of web)
  kill -KILL "$vmm"
  event vm.ended web
  is "$(told site | tail -1)" "cleanup ended the VMM was ended by signal KILL"
}

@test "carried: one that fails again and again is disabled, and enabled by hand or by a change" {
  site "site = { disable_after = 2, on_error = 'warn' }"
  carry site '"hooks":["check","prepare","cleanup"],"state":{"fails":true}'
  for _ in 1 2; do
    is "$(hooks 'data[0]["state"]')" ok
    run -0 banger vm start web # check and cleanup succeed each time, which says nothing of prepare
    has "it fails, as its state says"
    banger vm stop web
  done
  is "$(hooks 'data[0]["state"]')" disabled
  event capability.disabled web '"failures": *2'
  run banger doctor
  has "banger plugin enable site"
  run -0 banger vm start web
  run ! has "as its state says"
  banger vm stop web
  is "$(hooks '[data[0]["hooks"][hook]["calls"] for hook in ("check", "prepare", "cleanup")]')" "[2, 2, 6]"
  is "$(banger plugin enable site)" site
  is "$(hooks 'data[0]["state"]')" ok
  for _ in 1 2; do
    run -0 banger vm start web
    banger vm stop web
  done
  is "$(hooks 'data[0]["state"]')" disabled
  carry site '"hooks":["prepare"]'
  is "$(hooks 'data[0]["state"]')" ok
}
