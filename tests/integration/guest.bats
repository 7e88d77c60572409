#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What reaches into a running guest: exec, cp, stats, ports; and what the guest was told of itself.
# One guest serves the whole file.

load common

setup_file() {
  banger vm run -d --name guest --env FROM_VM=vm
}

teardown_file() {
  banger vm delete guest
  assert_nothing_left
}

guest() {
  banger vm exec guest -- "$@"
}

# shortly COMMAND...: what is over in a second, or hangs; a busy machine gets more.
shortly() {
  timeout 30 "$@"
}

# -- exec ---------------------------------------------------------------------------------------

@test "guest: environment, working directory, user" {
  is "$(banger vm exec -e A=1 -e 'B=two words' -e A=3 guest -- sh -c 'echo "$A,$B,$FROM_VM,$HOME"')" \
    "3,two words,vm,/root"
  is "$(banger vm exec -w /var guest -- pwd)" /var
  is "$(guest pwd)" /root
  is "$(banger vm exec -u nobody guest -- sh -c 'id -u; id -g; id -G' | paste -sd' ')" "65534 65534 65534"
  is "$(banger vm exec -u 1234 guest -- id -u)" 1234
  run -126 banger vm exec -u stranger guest -- true
  has "no user stranger"
  run -126 banger vm exec -w /does/not/exist guest -- true
  has "/does/not/exist"
  run -126 banger vm exec guest -- /etc/passwd
  has "Permission denied"
  run -127 banger vm exec guest -- does-not-exist
  has "does-not-exist"
}

@test "guest: arguments arrive as they are" {
  run -0 banger vm exec guest -- printf '[%s]\n' '' 'a b' '$HOME' '*' $'new\nline' "it's" 'ünïcode'
  is "$output" $'[]\n[a b]\n[$HOME]\n[*]\n[new\nline]\n[it\'s]\n[ünïcode]'
}

@test "guest: streams, status, and stdin that ends" {
  run --separate-stderr -3 banger vm exec guest -- sh -c 'echo out; echo err >&2; exit 3'
  is "$output" out
  is "$stderr" err
  is "$(printf 'one\ntwo' | guest wc -c)" 7
  is "$(guest cat </dev/null)" ""
  run -0 banger vm exec --json guest -- sh -c 'printf "\377"; echo err >&2'
  is "$(echo "$output" | json 'ascii([data["status"], data["stdout"], data["stderr"]])')" "[0, '\\ufffd', 'err\\n']"
}

@test "guest: a signal for the client is one for the command" {
  local out=$BATS_TEST_TMPDIR/out status
  for signal in INT TERM HUP; do
    status=0
    : >"$out"
    banger vm exec guest -- sh -c "trap 'echo caught $signal; exit 9' $signal; echo ready; while :; do sleep 0.1; done" \
      >"$out" 3>&- &
    local client=$!
    says "$out" ready
    kill "-$signal" "$client"
    wait "$client" || status=$?
    is "$status" 9
    is "$(tail -1 "$out")" "caught $signal"
  done
}

@test "guest: a command that dies of the signal says so" {
  local out=$BATS_TEST_TMPDIR/out status=0
  banger vm exec guest -- sh -c 'echo ready; exec sleep 100' >"$out" 3>&- &
  local client=$!
  says "$out" ready
  kill -TERM "$client"
  wait "$client" || status=$?
  is "$status" 143
}

@test "guest: a client that is killed takes its command along" {
  local out=$BATS_TEST_TMPDIR/out
  banger vm exec guest -- sh -c 'echo ready; exec sleep 4321' >"$out" 3>&- &
  local client=$!
  says "$out" ready
  kill -KILL "$client"
  shortly banger vm exec guest -- sh -c 'while pgrep -f "^sleep 4321" >/dev/null; do sleep 0.05; done'
}

@test "guest: twenty commands at once" {
  local pids=()
  for i in {1..20}; do
    banger vm exec guest -- sh -c "read -r line; echo $i \$line" <<<"line $i" >"$BATS_TEST_TMPDIR/out.$i" 3>&- &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
  for i in {1..20}; do is "$(cat "$BATS_TEST_TMPDIR/out.$i")" "$i line $i"; done
}

@test "guest: a reader that stalls holds up nobody else" {
  mkfifo "$BATS_TEST_TMPDIR/stalled"
  exec 9<>"$BATS_TEST_TMPDIR/stalled" # open, and never read
  banger vm exec guest -- sh -c 'echo $$ >/tmp/staller; exec yes' >"$BATS_TEST_TMPDIR/stalled" 3>&- 9>&- &
  local client=$!
  # Nothing moves any more: `yes` sleeps in write.
  shortly banger vm exec guest -- sh -c 'until grep -q "^State:.S" "/proc/$(cat /tmp/staller)/status"; do :; done' 2>/dev/null
  is "$(shortly banger vm exec guest -- echo on)" on
  is "$(shortly banger vm exec guest -- head -c 1000000 /dev/zero | wc -c)" 1000000
  kill -0 "$client"
  exec 9<&- # the reader goes: so does the client, and with it the command
  wait "$client" || true
  shortly banger vm exec guest -- sh -c 'while [ -d "/proc/$(cat /tmp/staller)" ]; do sleep 0.05; done'
}

@test "guest: 20 MB each way arrive whole" {
  head -c 20000000 /dev/urandom >"$BATS_TEST_TMPDIR/data"
  digest=$(sha256sum <"$BATS_TEST_TMPDIR/data")
  is "$(guest sh -c 'tee /tmp/data | sha256sum' <"$BATS_TEST_TMPDIR/data")" "$digest"
  is "$(guest cat /tmp/data | sha256sum)" "$digest"
  guest rm /tmp/data
}

@test "guest: a terminal for a command" {
  python3 "$BATS_TEST_DIRNAME/terminal.py" banger vm exec -t guest -- \
    sh -c 'trap "stty size" WINCH; stty size; echo ready; while :; do read -r -t 1 x && exit 0; done'
  is "$(banger vm exec -t guest -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo all' </dev/null | tr -d '\r')" all
  run -1 banger vm exec -T guest -- test -t 1
}

# -- cp -----------------------------------------------------------------------------------------

# tree DIR: what a copy must keep, one line each.
tree() {
  (cd "$1" && find . -mindepth 1 ! -type d -printf '%P %y %m %l\n' -o -mindepth 1 -printf '%P %y %m\n' | sort)
}

make_tree() {
  mkdir -p "$1"/sub/{deep,empty}
  echo content >"$1/file"
  head -c 3000000 /dev/urandom >"$1/sub/deep/large"
  printf '#!/bin/sh\n' >"$1/sub/program"
  : >"$1/a name with spaces"
  echo content >"$1/sub/ünïcode" # a copy is of bytes, whatever the locale
  ln -s ../file "$1/sub/link"
  ln -s /does/not/exist "$1/sub/dangling"
  chmod 640 "$1/file"
  chmod 755 "$1/sub/program"
  chmod 700 "$1/sub/empty"
}

@test "guest: cp takes a folder there and back, with modes, links and empty folders" {
  cd "$BATS_TEST_TMPDIR"
  make_tree tree
  banger vm cp tree guest:/root
  is "$(guest sh -c 'cd /root/tree && find . | wc -l')" "$(cd tree && find . | wc -l)"
  is "$(guest stat -c %a /root/tree/file)" 640
  is "$(guest readlink /root/tree/sub/dangling)" /does/not/exist
  mkdir back
  banger vm cp guest:/root/tree back
  diff -r --no-dereference tree back/tree
  is "$(tree back/tree)" "$(tree tree)"
  banger vm cp guest:/root/tree renamed
  is "$(tree renamed)" "$(tree tree)"
  guest rm -r /root/tree
}

@test "guest: cp takes files, into folders and under new names" {
  cd "$BATS_TEST_TMPDIR"
  head -c 5000000 /dev/urandom >data
  chmod 600 data
  banger vm cp data guest:/root
  banger vm cp data guest:/root/other
  is "$(guest sh -c 'sha256sum </root/data; sha256sum </root/other' | uniq | wc -l)" 1
  is "$(guest stat -c '%a %u' /root/other)" "600 0"
  mkdir into
  banger vm cp guest:/root/data into
  banger vm cp guest:/root/data again
  cmp data into/data
  cmp data again
  echo short >data
  banger vm cp data guest:/root/data # over the larger one
  is "$(guest cat /root/data)" short
  guest rm /root/data /root/other
}

@test "guest: cp of what is not there" {
  cd "$BATS_TEST_TMPDIR"
  run -1 banger vm cp guest:/does/not/exist .
  has "/does/not/exist"
  run -2 banger vm cp does-not-exist guest:/root
  has "does-not-exist"
  echo x >file
  run -1 banger vm cp file guest:/does/not/exist/file
  has "/does/not/exist"
  run -2 banger vm cp guest:/etc/passwd /does/not/exist/file
  has "/does/not/exist"
  run -2 banger vm cp file guest:relative
  is "$(ls)" file
}

# -- stats, ports, configuration ----------------------------------------------------------------

@test "guest: stats" {
  run -0 banger vm stats --json guest
  echo "$output" | python3 -c '
import json, sys
[stats] = json.load(sys.stdin)
assert stats["name"] == "guest", stats
assert 300 << 20 < stats["memory"]["total"] <= 512 << 20, stats
assert 0 < stats["memory"]["available"] <= stats["memory"]["total"], stats
assert 1 << 30 < stats["disk"]["total"] <= 2 << 30, stats
assert stats["uptime_ms"] > 0 and stats["processes"] > 10 and len(stats["load"]) == 3, stats
assert stats["rss_bytes"] > 50 << 20 and stats["cpu_ms"] > 100, stats'
}

@test "guest: ports" {
  is "$(banger vm ports --json guest | json 'data["listeners"]')" "[]"
  guest sh -c 'httpd -p 8080; httpd -p 127.0.0.1:8081'
  run -0 banger vm ports --json guest
  is "$(echo "$output" | json 'sorted((p["proto"], p["address"], p["port"], p["process"]) for p in data["listeners"])')" \
    "[('tcp', '127.0.0.1', 8081, 'httpd'), ('tcp6', '::', 8080, 'httpd')]"
  run -0 banger vm ports guest
  has 8080
  guest killall httpd
  guest sh -c 'while netstat -ltn | grep -q -E ":(8080|8081) "; do sleep 0.05; done'
  is "$(banger vm ports --json guest | json 'data["listeners"]')" "[]"
}

@test "guest: name, hosts, resolver, network" {
  is "$(guest hostname)" guest
  is "$(guest cat /etc/hostname)" guest
  is "$(guest cat /etc/hosts | grep -w guest)" $'127.0.1.1\tguest'
  is "$(guest grep -w localhost /etc/hosts | head -1)" $'127.0.0.1\tlocalhost'
  is "$(guest cat /etc/resolv.conf)" "nameserver 10.0.2.3"
  is "$(guest ip -4 -o address show eth0 | awk '{print $4}')" 10.0.2.15/24
  is "$(guest ip route | awk '/^default/ {print $3}')" 10.0.2.2
}

@test "guest: its clock is ours, and runs as fast" {
  for round in 1 2; do
    before=$(date +%s)
    there=$(guest date +%s)
    after=$(date +%s)
    [ "$there" -ge "$((before - 2))" ] && [ "$there" -le "$((after + 2))" ]
    [ "$round" = 2 ] || guest sleep 2 # long enough to see a clock that runs at a wrong rate
  done
}

@test "guest: the agent's connection may be cut again and again" {
  boot=$(guest cat /proc/sys/kernel/random/boot_id)
  for round in 1 2 3; do
    banger daemon stop --quiet
    is "$(shortly banger vm exec guest -- cat /proc/sys/kernel/random/boot_id)" "$boot"
  done
  banger vm stats guest
}
