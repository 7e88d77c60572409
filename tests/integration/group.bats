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
  run -0 banger ps
  run -1 as 65534 65534 banger ps
}

@test "group: a member of socket_group is let in, others are not" {
  echo 'return { socket_group = "games" }' >"$BANGER_HOME/config.lua"
  serve
  run -0 as 65534 "$(getent group games | cut -d: -f3)" banger ps
  run -1 as 65534 65534 banger ps
}

@test "group: a group that does not exist is said" {
  echo 'return { socket_group = "no-such-group" }' >"$BANGER_HOME/config.lua"
  run -1 bangerd
  has "no group named 'no-such-group'"
}
