#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What commands ask of the daemon and make of its answers.

load cli_common

setup() {
  cli_setup
}

teardown() {
  cli_teardown
}

@test "cli: four commands at once start one daemon" {
  local pids=()
  for i in 1 2 3 4; do
    banger ps --quiet >"$BATS_TEST_TMPDIR/out.$i" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid"
  done
  is "$(cat "$BATS_TEST_TMPDIR"/out.?)" $'web\nweb\nweb\nweb'
  is "$(wc -l <"$BANGER_HOME/starts")" 1
}

@test "cli: the daemon gets no descriptor of ours, and is in a session of its own" {
  banger ps >/dev/null 9<"$BATS_TEST_FILENAME"
  read -r pid fds <"$BANGER_HOME/starts"
  [[ "$fds" != *9* ]]
  is "$(ps -o ppid=,sid= -p "$pid" | awk -v me="$$" '{print ($2 != me), ($1 != me)}')" "1 1"
}

@test "cli: a daemon that refuses to start is quoted, one that dies leads to its log" {
  touch "$BANGER_HOME/refuse"
  run -1 banger ps
  has "the database is damaged"
  has "hint: restore it"
  rm "$BANGER_HOME/refuse"
  touch "$BANGER_HOME/die"
  run -1 banger ps
  has "bangerd.log"
}

@test "cli: a daemon that is just ending is waited for" {
  mkdir -p "$BANGER_HOME/run"
  exec 8>"$BANGER_HOME/run/bangerd.lock"
  flock 8
  banger ps --quiet >"$BATS_TEST_TMPDIR/out" 8>&- &
  local client=$!
  # It has taken the lock of starting once it waits: its descriptor of the other lock is open.
  timeout 30 bash -c "until ls -l /proc/$client/fd 2>/dev/null | grep -q bangerd.lock; do :; done"
  [ ! -e "$BANGER_HOME/starts" ]
  exec 8>&-
  wait "$client"
  is "$(cat "$BATS_TEST_TMPDIR/out")" web
}

@test "cli: options become the parameters of the protocol" {
  banger vm create --name a --vcpu 2 --memory 1G --disk-size 2048 --image tiny --kernel k --vmm qemu \
    --rootfs-driver copy --network user --nat -p 127.0.0.1:80:8080/udp -p 1:2 -l a=b --env X=1 \
    --boot-arg quiet
  banger vm stop --timeout 1500ms web
  banger vm kill -s SIGKILL web
  banger vm set web --nat off --memory 300 --label x=y --no-label old
  is "$(requests | sed -n 1p | json 'sorted(data["vm.create"].items())')" \
    "[('boot_args', ['quiet']), ('disk_mib', 2048), ('env', ['X=1']), ('image', 'tiny'), ('kernel', 'k'), ('labels', {'a': 'b'}), ('memory_mib', 1024), ('name', 'a'), ('nat', True), ('network', 'user'), ('publish', ['127.0.0.1:80:8080/udp', '1:2']), ('rootfs', 'copy'), ('vcpu', 2), ('vmm', 'qemu')]"
  is "$(requests | sed -n 2p)" '{"vm.stop": {"vm": "web", "timeout_ms": 1500}}'
  is "$(requests | sed -n 3p)" '{"vm.kill": {"vm": "web", "signal": "SIGKILL"}}'
  is "$(requests | sed -n 4p | json 'sorted(data["vm.set"].items())')" \
    "[('labels', {'x': 'y', 'old': None}), ('memory_mib', 300), ('nat', False), ('vm', 'web')]"
}

@test "cli: several names: a failure keeps none from its turn, and makes the status 1" {
  run -1 --separate-stderr banger vm stop web nope db
  is "$output" $'web\ndb'
  [[ "$stderr" == *"no VM named 'nope'"*"did you mean 'web'"* ]]
  run -1 --separate-stderr banger vm stop --json web nope
  is "$(echo "$output" | json 'len(data)')" 1
  is "$(echo "$stderr" | json 'data["error"]["name"]')" not-found
}

@test "cli: lists: a table, names, JSON, labels" {
  run -0 banger vm list --all
  has "NAME"
  has "512M"
  is "$(banger ps -aq)" $'web\ndb'
  is "$(banger ps -aq --label team=red)" web
  is "$(banger ps -a --json | json '[vm["name"] for vm in data]')" "['web', 'db']"
  is "$(banger image ls -q)" tiny
  is "$(banger plugin list -q)" hostname
  is "$(banger hook list -q)" site
  run -0 banger hook list
  has "12.5us"
  has "3.4ms"
  has "site is broken: "
  has "hint: mend it"
  [[ "$output" != *$'\e'* ]]
}

@test "cli: show, plan, stats, ports, doctor, and the shapes of their JSON" {
  run -0 banger vm show web
  has "team=red"
  run -0 banger vm plan web
  has "resources"
  run -0 banger vm stats
  has "128M / 256M"
  is "$(banger vm stats --json | json 'data[0]["name"]')" web
  run -0 banger vm ports web
  has "0.0.0.0"
  [[ "$output" != *$'\e'* ]] # what a guest sent does not reach the terminal as it is
  run -0 banger plugin show hostname
  has "domain"
  run -0 banger doctor
  has "nothing that works here"
  touch "$BANGER_HOME/sick"
  run -1 banger doctor --json
  is "$(echo "$output" | json 'data["checks"][0]["status"]')" fail
}

@test "cli: progress is plain lines elsewhere, live on a terminal, and not there with --quiet" {
  run -0 --separate-stderr banger vm run -d
  is "$output" web
  [[ "$stderr" == *"wait_agent 800ms"*"done in"* && "$stderr" != *preflight* && "$stderr" != *$'\e'* ]]
  run -0 --separate-stderr banger vm run -d --quiet
  [[ "$stderr" != *wait_agent* ]]
  run -0 --separate-stderr banger vm run -d --json
  is "$(echo "$output" | json 'data["name"]')" web
  is "$(echo "$stderr" | json 'sorted(data)')" "['warning']"
  # On a terminal: interrupted once its live line, which has no end, has been drawn.
  local typescript=$BATS_TEST_TMPDIR/typescript pid=$BATS_TEST_TMPDIR/pid status=0
  TERM=xterm NO_COLOR=1 script -qefc "echo \$\$ >'$pid'; exec banger vm run --name slow" "$typescript" >/dev/null 3>&- &
  timeout 30 bash -c 'until grep -q wait_agent "$1" 2>/dev/null; do :; done' - "$typescript"
  kill -INT "$(cat "$pid")"
  wait $! || status=$?
  is "$status" 130
  output=$(cat "$typescript")
  has $'\e[K'
}

@test "cli: exec and run: streams, status, and the VM that is deleted or reminded of" {
  run -7 --separate-stderr banger vm exec web -- sh -c 'exit 7'
  [[ "$stderr" == err ]]
  is "$(echo hi | banger vm exec web cat)" hi
  run -0 --separate-stderr banger vm run --rm -- true
  is "$(requests | tail -2 | head -1)" '{"vm.delete": {"vm": "0123456789abcdef0123456789abcdef"}}'
  run -3 --separate-stderr banger vm run -q -e A=b -- sh -c 'exit 3'
  [[ "$stderr" != *"still running"* ]]
  run -0 --separate-stderr banger vm run -- true
  [[ "$stderr" == *"web is still running"*"banger vm delete web"* ]]
}

@test "cli: exec --json collects the output, repairs it, and bounds it" {
  run -7 banger vm exec web --json -- sh -c 'exit 7'
  is "$(echo "$output" | json 'ascii([data["vm"], data["status"], data["stdout"], data["stderr"]])')" \
    "['web', 7, 'out\\ufffd\\n', 'err\\n']"
  run -125 --separate-stderr banger vm exec web --json -- flood
  is "$(echo "$stderr" | json 'data["error"]["name"]')" full
}

@test "cli: exec ends quietly when its reader has had enough" {
  banger vm exec web -- flood 2>"$BATS_TEST_TMPDIR/err" | head -c 10 >/dev/null
  is "$(cat "$BATS_TEST_TMPDIR/err")" ""
}

@test "cli: cp: to and from a guest" {
  cd "$BATS_TEST_TMPDIR"
  mkdir tree/in
  echo content >tree/in/file
  banger vm cp tree/in web:/srv/
  is "$(requests)" '{"vm.tar": {"vm": "web", "direction": "in", "path": "/srv"}}'
  is "$(tar -tf "$BANGER_HOME/received.tar" | sort | paste -sd' ' -)" "in/ in/file"
  run -0 banger vm cp --json web:/srv/site .
  is "$(echo "$output" | json 'data["source"], data["destination"]')" "web:/srv/site ."
  is "$(cat site/page)" hello
  banger vm cp web:/srv/site renamed
  is "$(cat renamed/page)" hello
  run -1 banger vm cp nope:/etc/passwd .
  run -2 banger vm cp web:/srv/site /does/not/exist/either
  run -2 banger vm cp /does/not/exist web:/srv
}

@test "cli: exit statuses: unknown 1, usage 2, banger's own failure 125" {
  run -1 banger vm exec nope -- true
  run -125 banger vm run --name broken -- true
  has "the guest did not answer"
  run -1 banger vm show nope
}

@test "cli: Ctrl-C cancels, waits for the answer, and exits 130" {
  : >"$BATS_TEST_TMPDIR/err"
  banger vm run --rm --name slow -- true 2>>"$BATS_TEST_TMPDIR/err" &
  local client=$!
  timeout 30 tail -f --pid="$client" "$BATS_TEST_TMPDIR/err" | grep -q -m1 wait_agent
  kill -INT "$client"
  local status=0
  wait "$client" || status=$?
  is "$status" 130
  grep -q "cleaning up" "$BATS_TEST_TMPDIR/err"
}

@test "cli: logs: from a line on, as JSON, made printable on a terminal, followed to the end" {
  printf 'one\ntwo\n\e[31mred' >"$BANGER_HOME/console.log"
  is "$(banger vm logs web | od -c | md5sum)" "$(od -c "$BANGER_HOME/console.log" | md5sum)"
  is "$(banger vm logs -n 2 web | head -1)" two
  is "$(banger vm logs -n 0 web)" ""
  is "$(banger vm logs --json web | wc -l)" 3
  run -0 env TERM=xterm script -qec "banger vm logs web" /dev/null
  has red
  [[ "$output" != *$'\e[31m'* ]]
  : >"$BATS_TEST_TMPDIR/followed"
  banger vm logs -f web >>"$BATS_TEST_TMPDIR/followed" &
  local client=$!
  timeout 30 tail -f --pid="$client" "$BATS_TEST_TMPDIR/followed" | grep -q -m1 two
  printf '\nthree\n' >>"$BANGER_HOME/console.log"
  timeout 30 tail -f --pid="$client" "$BATS_TEST_TMPDIR/followed" | grep -q -m1 three
  banger daemon stop --quiet # the fake's process is also the VM's
  wait "$client"
  run -0 banger vm logs --ops web
  has "launch                      120.2 ms  done"
}

@test "cli: events end when their reader has had enough" {
  is "$(timeout 30 banger events --follow --json | head -1 | json 'data["type"]')" vm.started
}
