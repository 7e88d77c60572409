#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hostile plugins (tests/fixtures/hostile) under a real daemon: it stays up, each operation ends as the
# policy says, and nothing is left of it. The VMM is the stub, in a process of its own too.

load common
load stub

setup() {
  plugins=$BATS_TEST_TMPDIR/plugins
  install -d -m 755 "$plugins"
  install -m 644 "$BANGER_BUILD"/tests/hostile/{hostile,throws}.so "$plugins"
  common_config="$common_config, plugin_dirs = { '$BANGER_BUILD/tests/stub', '$plugins' }"
  export BANGER_HOME=$BATS_TEST_TMPDIR/home # before anything is configured: the suite's home is others' too
  mkdir "$BANGER_HOME"
  policies abort
  stub_home "$BANGER_HOME"
  daemon=$(daemon_pid)
}

# policies ON_ERROR [TIMEOUT]: of the two, from the daemon's next start on.
policies() {
  local policy="{ on_error = '$1', timeout = '${2:-60s}', process_memory = '128M' }"
  base_config=${base_config:-$common_config}
  common_config="$base_config, plugins = { hostile = $policy, throws = $policy }"
  configure
}

again() { # again ON_ERROR [TIMEOUT]: a daemon with these policies
  policies "$@"
  banger daemon stop
  banger ps >/dev/null
  daemon=$(daemon_pid)
}

teardown() {
  explain_failure
  again warn # for a cleanup that still crashes
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  banger daemon stop
  run ! pgrep -f "banger-plugin [0-9]+ $plugins/" # they end with their daemon
}

# hostile NAME ACT [PLACE [ARGUMENT...]]: a VM to which the plugins do that.
hostile() {
  banger vm create --name "$1" --label "act=$2" --label "in=${3:-prepare}" "${@:4}"
}

# Plays rows `ACT PLACE OUTCOME`: a start with that, whose error says OUTCOME, or which succeeds (started). They come on 4,
# so that no command can take any (3 is bats's own).
play() {
  while read -r -u 4 act place outcome; do
    # shellcheck disable=SC2046  # two words, or none
    hostile victim "$act" "$place" $([[ $place != network.* ]] || echo --network hostile)
    if [ "$outcome" = started ]; then
      run -0 banger vm start victim
      is "$(state_of victim)" running
    else
      run -1 banger vm start victim
      has "$outcome"
      is "$(state_of victim)" error
    fi
    banger vm delete victim
    is "$(inventory)" "$left"
  done
}

@test "isolate: whatever a hook does, the daemon stays up and nothing is left" {
  banger vm create --name calm
  before=$(holdings calm)
  left=$(inventory)
  play 4<<'TABLE'
segfault prepare signal 11 (SIGSEGV)
segfault contributeMachineConfig signal 11 (SIGSEGV)
segfault postStart signal 11 (SIGSEGV)
segfault network.acquire signal 11 (SIGSEGV)
segfault network.contribute signal 11 (SIGSEGV)
exit prepare ended itself with status 3
abort postStart signal 6 (SIGABRT)
leak-memory prepare signal 6 (SIGABRT)
big-allocation prepare signal 11 (SIGSEGV)
throw prepare the vendor's own words
garbage prepare broke the protocol
kill-daemon prepare Operation not permitted
leak-descriptors prepare started
leak-descriptors postStart started
print prepare started
close-stdio prepare started
block-signals prepare started
signals prepare started
TABLE
  is "$(daemon_pid)" "$daemon"
  holds_again "$before" holdings calm
  grep -q "hostile: and  *.*colour" "$BANGER_HOME/state/bangerd.log" # what it printed, without the escape
}

@test "isolate: whatever does not end is ended" {
  again abort 1500ms
  banger vm create --name calm
  before=$(holdings calm)
  left=$(inventory)
  play 4<<'TABLE'
loop prepare did not finish in time
loop postStart did not finish in time
deaf-loop contributeMachineConfig did not finish in time
fork-bomb prepare did not finish in time
TABLE
  is "$(daemon_pid)" "$daemon"
  holds_again "$before" holdings calm
}

# with_broken ON_ERROR FIXTURE: a daemon that has this one too, whose policy that is.
with_broken() {
  rm -f "$plugins"/{wrong,missing}_*.so
  install -m 644 "$BANGER_BUILD/tests/plugins/$2.so" "$plugins"
  common_config="$base_config, plugins = { ['${2//_/-}'] = { on_error = '$1' } }"
  configure
  banger daemon stop
  banger ps >/dev/null
  daemon=$(daemon_pid)
}

# refused NAME WHY: a start of calm is, since that plugin is broken.
refused() {
  run ! banger vm start calm
  has "capability '$1' is broken"
  has "$2"
}

@test "isolate: what is no plugin here is in the way of starts, unless its policy lets them go on" {
  banger vm create --name calm
  banger vm start calm
  banger vm stop calm
  left=$(inventory)
  while IFS='|' read -r -u 4 fixture why; do
    name=${fixture//_/-}
    with_broken abort "$fixture"
    refused "$name" "$why"
    before=$(held)
    refused "$name" "$why"
    holds_again "$before" held
    is "$(daemon_pid)" "$daemon"
    is "$(inventory)" "${left/calm stopped/calm error}"
  done 4<<'TABLE'
wrong_magic|its magic is 0x12345678
wrong_abi|built for ABI 2
missing_symbol|it exports no 'banger_plugin_v1'
TABLE
  for fixture in wrong_magic wrong_abi missing_symbol; do
    with_broken warn "$fixture"
    before=$(holdings calm)
    left=$(inventory)
    run -0 banger vm start calm
    has "${fixture//_/-}"
    is "$(state_of calm)" running
    banger vm stop calm
    holds_again "$before" holdings calm
    is "$(daemon_pid)" "$daemon"
    is "$(inventory)" "$left"
  done
  rm -f "$plugins"/{wrong,missing}_*.so
}

# cleanups: how often the plugin with newer headers was asked to clean up, and in vain.
cleanups() {
  banger plugin show newer-struct --json | json '(data["hooks"]["cleanup"]["calls"], data["hooks"]["cleanup"]["failures"])'
}

@test "isolate: a plugin with newer headers takes part in a run" {
  install -m 644 "$BANGER_BUILD/tests/plugins/newer_struct.so" "$plugins"
  again abort
  banger vm create --name calm
  before=$(holdings calm)
  left=$(inventory)
  banger vm start calm
  is "$(state_of calm)" running
  is "$(cleanups)" "(3, 0)" # before each start, and behind the first
  banger vm stop calm
  is "$(cleanups)" "(4, 0)"
  holds_again "$before" holdings calm
  is "$(daemon_pid)" "$daemon"
  is "$(inventory)" "$left"
}

@test "isolate: check, configure, deleted and reconciled can crash too" {
  run -1 hostile victim segfault check
  has "check: its process was ended by signal 11"
  run -1 banger vm show victim

  hostile victim segfault configure
  banger vm start victim
  run -1 banger vm set victim --nat off
  has "configure: its process was ended by signal 11"
  is "$(state_of victim)" running
  banger vm stop victim
  banger vm delete victim

  hostile victim segfault deleted
  run -1 banger vm delete victim
  has "deleted: its process was ended by signal 11"
  is "$(daemon_pid)" "$daemon"

  hostile survivor segfault reconciled
  banger vm start survivor
  vmm=$(vmm_of survivor)
  banger daemon stop
  is "$(state_of survivor)" running
  is "$(vmm_of survivor)" "$vmm"
  event vm.reconcile survivor '"outcome":"failed"'
  is "$(banger plugin show hostile --json | json 'data["hooks"]["reconciled"]["failures"] > 1')" True # twice, and in later rounds
}

@test "isolate: a cleanup that crashes keeps the VM until it works" {
  hostile victim segfault cleanup
  run -1 banger vm start victim
  has "cleanup: its process was ended by signal 11"
  run -1 banger vm delete victim
  has "cleanup: its process was ended by signal 11"
  is "$(state_of victim)" error
  again warn
  run -0 banger vm delete victim
  has "cleanup: its process was ended by signal 11"
}

@test "isolate: on_error = warn lets all of it pass" {
  again warn 1500ms
  for act in segfault exit loop; do
    hostile "$act" "$act"
    run -0 banger vm start "$act"
    has "capability 'hostile': prepare: "
    is "$(state_of "$act")" running
  done
  run -0 banger plugin show hostile --json
  is "$(json '(data["isolated"], data["ended_badly"], data["state"])' <<<"$output")" "(True, 3, 'ok')"
}

@test "isolate: a hook that hangs keeps nobody else waiting" {
  again abort 120s
  hostile patient wait prepare --label "file=$BATS_TEST_TMPDIR/go"
  banger vm start patient 3>&- &
  starting=$!
  says "$BANGER_HOME/state/bangerd.log" "hostile: waiting"
  hostile quick print
  run -0 banger vm start quick
  kill -0 "$starting"
  touch "$BATS_TEST_TMPDIR/go"
  wait "$starting"
  is "$(state_of patient)" running
}

@test "isolate: the kernel ends the processes of a daemon that was killed" {
  again abort 120s
  hostile victim wait prepare
  banger vm start victim 3>&- &
  says "$BANGER_HOME/state/bangerd.log" "hostile: waiting"
  children=$(pgrep -f "banger-plugin [0-9]+ $plugins/")
  kill -KILL "$daemon"
  for pid in $children; do ended "$pid"; done
  wait || true
  run -0 banger ps -a
  has victim
}
