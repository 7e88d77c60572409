#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may talk to the daemon.

load common

as() { # as UID GID COMMAND...
  setpriv --reuid "$1" --regid "$2" --clear-groups -- "${@:3}"
}

setup() {
  [ "$(id -u)" -eq 0 ] || skip "another uid can only be taken on by root"
  own_home
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$BANGER_HOME"
  export BANGER_NO_AUTOSTART=1
}

teardown() {
  explain_failure
  [ -z "${daemon:-}" ] || kill "$daemon"
}

serve() {
  mkfifo "$BATS_TEST_TMPDIR/ready"
  bangerd --ready-fd 9 9>"$BATS_TEST_TMPDIR/ready" 2>"$BATS_TEST_TMPDIR/log" 3>&- &
  daemon=$!
  is "$(cat "$BATS_TEST_TMPDIR/ready")" ready
}

@test "group: a second uid is refused" {
  serve
  is "$(stat -c '%a %u' "$BANGER_HOME/run/bangerd.sock")" "600 0"
  run -0 banger ps
  run -1 as 65534 65534 banger ps
  chmod 755 "$BANGER_HOME/run"
  chmod 666 "$BANGER_HOME/run/bangerd.sock" # as if somebody had opened it: the kernel's word for the peer decides
  run -1 as 65534 65534 banger ps
  has "user 65534 may not use the banger of user 0"
}

@test "group: a member of socket_group is let in, others are not" {
  echo 'return { socket_group = "games" }' >"$BANGER_HOME/config.lua"
  serve
  is "$(stat -c '%a %U %G' "$BANGER_HOME/run/bangerd.sock")" "660 root games"
  run -0 as 65534 "$(getent group games | cut -d: -f3)" banger ps
  run -1 as 65534 65534 banger ps
}

@test "group: a group that does not exist is said" {
  echo 'return { socket_group = "no-such-group" }' >"$BANGER_HOME/config.lua"
  run -1 bangerd
  has "no group named 'no-such-group'"
}

@test "group: a second daemon takes nothing from a live one, and all from a dead one" {
  serve
  before=$(stat -c %i "$BANGER_HOME/run/bangerd.sock")
  run -1 bangerd
  has "another bangerd"
  rm "$BANGER_HOME/run/bangerd.lock" # and by the socket alone it is told as well
  run -1 bangerd
  is "$(stat -c %i "$BANGER_HOME/run/bangerd.sock")" "$before"
  run -0 banger ps
  kill -KILL "$daemon"
  wait "$daemon" || true
  [ -S "$BANGER_HOME/run/bangerd.sock" ]
  rm "$BATS_TEST_TMPDIR/ready"
  serve
  run -0 banger ps
}

crowd='
import socket, sys
crowd = []
def connect(text=b""):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(sys.argv[1])
    peer.sendall(text)
    crowd.append(peer)
    return peer
def ask(number, method="vm.list"):
    return b"{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":{}}\n" % (number, method.encode())
def hear(peer):
    text = b""
    while text.count(b"\n") < 60:
        text += peer.recv(1 << 20) or sys.exit("cut")
    return len(text)
for _ in range(1000):
    connect()
for _ in range(600):
    connect(ask(1)[:20])  # and no more of the line
many = b"".join(ask(number, "plugin.list") for number in range(60))
readers = [connect(many) for _ in range(150)]  # which do not read
print("there", flush=True)
for byte in ask(1):
    crowd[0].sendall(bytes([byte]))
    if sys.stdin.readline() != "more\n":
        break
print(min(map(hear, readers)), flush=True)
'

# Nothing is under way but the question itself.
at_rest() {
  [ "$(banger daemon status --json | json 'data["jobs"]')" -eq 1 ]
}

# Of each kind more clients, or requests, than there are workers: nobody of them is served before they are through.
# And more answers than the kernel takes of the daemon, which has to keep the others.
@test "group: a thousand idle clients, and slow ones, hold up nobody" {
  serve
  coproc CROWD { exec prlimit --nofile=4096 -- python3 -c "$crowd" "$BANGER_HOME/run/bangerd.sock" 3>&-; }
  read -r said <&"${CROWD[0]}"
  is "$said" there
  for _ in {1..500}; do ! at_rest || break; done
  at_rest
  for _ in 1 2 3 4 5 6 7 8; do
    echo more >&"${CROWD[1]}" # one byte more of the slowest line
    timeout 20 "$BANGER_BUILD/bin/banger" ps
    timeout 20 "$BANGER_BUILD/bin/banger" daemon status >/dev/null
  done
  echo enough >&"${CROWD[1]}"
  read -r least <&"${CROWD[0]}"
  [ "$least" -gt $((2 * $(cat /proc/sys/net/core/wmem_default))) ] # each has got all that was kept for it
}
