#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# ssh to VMs: connections to a guest's ports, OpenSSH's own client and server, and what a VM leaves
# behind in known_hosts. The tiny image has no server, so each guest gets this machine's sshd.

load common
load sshd

setup_file() {
  make_server "$BATS_FILE_TMPDIR/server"
  banger vm run -d --name web
  serve_ssh web
}

teardown_file() {
  banger vm delete web
  assert_nothing_left
}

setup() {
  export HOME=$BATS_TEST_TMPDIR/home # ssh goes by the passwd entry, so it is told the file by -F
  mkdir -p "$HOME"
}

guest() {
  banger vm exec web -- "$@"
}

known_hosts() {
  cat "$BANGER_HOME/state/ssh/known_hosts"
}

# -- vm connect ---------------------------------------------------------------------------------

@test "ssh: a connection carries bytes, and each end by itself" {
  local data=$BATS_TEST_TMPDIR/data
  head -c 3000000 /dev/urandom >"$data"
  guest nc -l -p 7001 </dev/null >"$BATS_TEST_TMPDIR/got" 3>&- &
  local server=$!
  listening 7001
  banger vm connect web 7001 <"$data"
  wait "$server"
  cmp "$data" "$BATS_TEST_TMPDIR/got"
  # Our input stays open: the output ends when the guest's does.
  open_input
  guest nc -l -p 7002 -e /bin/echo from the guest 3>&- 8>&- &
  server=$!
  listening 7002
  banger vm connect web.vm 7002 <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- 8>&- &
  local client=$!
  timeout 60 cat "$BATS_TEST_TMPDIR/out" >"$BATS_TEST_TMPDIR/text"
  is "$(cat "$BATS_TEST_TMPDIR/text")" "from the guest"
  echo "from here" >&8
  exec 8>&-
  wait "$client" "$server"
}

# listening PORT: waits until something in the guest does.
listening() {
  guest timeout 60 sh -c "until netstat -ltn | grep -q ':$1 '; do :; done"
}

# A pipe as input that has no end until 8 is closed, and one for the output.
open_input() {
  mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
  exec 8<>"$BATS_TEST_TMPDIR/in"
}

@test "ssh: a connection that is refused says so" {
  run -1 banger vm connect web 7003 </dev/null
  has "nothing listens on port 7003 in the guest"
  has "banger vm ports web"
  run -2 banger vm connect web 0
  run -2 banger vm connect web 65536
  run -2 banger vm connect 'we b.vm' 22
  run -1 banger vm connect nobody.vm 22
  has "no VM named 'nobody'"
}

@test "ssh: a signal ends a connection" {
  local status=0 greeting
  open_input
  banger vm connect web 22 <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- 8>&- &
  local client=$!
  read -r -t 60 greeting <"$BATS_TEST_TMPDIR/out"
  [[ "$greeting" == SSH-2.0-* ]]
  kill -TERM "$client"
  wait "$client" || status=$?
  is "$status" 143
}

# -- vm ssh -------------------------------------------------------------------------------------

@test "ssh: vm ssh runs commands, with their words, streams and status" {
  is "$(banger vm ssh web -- echo hi)" hi
  is "$(banger vm ssh web 'echo $((6 * 7)) | cat')" 42
  is "$(banger vm ssh web -- printf '[%s]' 'a b' '$HOME' '*' "it's" '' -x)" "[a b][\$HOME][*][it's][][-x]"
  is "$(echo input | banger vm ssh web -- cat)" input
  run --separate-stderr -7 banger vm ssh web 'echo out; echo err >&2; exit 7'
  is "$output" out
  has_error err
  is "$(banger vm ssh -o LogLevel=ERROR web.vm whoami)" root
}

has_error() {
  [[ "$stderr" == *"$1"* ]] || { echo "not found: $1, in: $stderr"; return 1; }
}

@test "ssh: what cannot work is said before ssh runs" {
  run -125 banger vm ssh --port 7004 web true
  has "nothing listens on port 7004 in VM 'web'"
  has "banger vm exec web"
  run -1 banger vm ssh nobody true
  banger vm create --name idle
  run -125 banger vm ssh idle true
  has "VM 'idle' is not running"
  banger vm delete idle
  run -125 env PATH="$BANGER_BUILD/bin" banger vm ssh web true
  has "no ssh on this machine"
}

@test "ssh: --print shows the command, which is the one that runs" {
  run -0 banger vm ssh --print -u www -L 8080:localhost:80 web 'echo a b'
  has "-F none"
  has "User=www"
  has "StrictHostKeyChecking=accept-new"
  has "HostKeyAlias=web.vm"
  has "-L 8080:localhost:80 web.vm -- 'echo a b'"
  is "$(banger vm ssh --json web true | json 'data["argv"][-1]')" true
  run -0 sh -c "$(banger vm ssh --print -o LogLevel=ERROR web 'echo "two  words"')"
  is "$output" "two  words"
}

# -- ssh-config ---------------------------------------------------------------------------------

@test "ssh: ssh-config makes NAME.vm a host, again after its VM was made anew" {
  local config=$HOME/.ssh/config
  banger ssh-config --install
  is "$(ssh -F "$config" web.vm echo hi 2>"$BATS_TEST_TMPDIR/err")" hi
  known_hosts | grep -q '^web.vm ssh-ed25519 '
  banger vm run -d --name again
  serve_ssh again
  is "$(ssh -F "$config" again.vm hostname)" again
  is "$(ssh -F "$config" -o BatchMode=yes again.vm hostname 2>&1)" again # its key is known now
  local first
  first=$(known_hosts | grep '^again.vm ')
  banger vm delete again
  run -1 grep again "$BANGER_HOME/state/ssh/known_hosts"
  [ ! -e "$BANGER_HOME/state/ssh/known_hosts.old" ]
  banger vm run -d --name again
  serve_ssh again
  run -0 ssh -F "$config" -o BatchMode=yes again.vm hostname
  is "${lines[-1]}" again
  [[ "$output" != *CHANGED* ]]
  [ "$(known_hosts | grep '^again.vm ')" != "$first" ]
  banger vm delete again
  known_hosts | grep -q '^web.vm ' # others stay
}

@test "ssh: ssh-config gives the user's file back byte for byte" {
  local dir=$HOME/.ssh config=$HOME/.ssh/config ours=$BANGER_HOME/state/ssh/config before
  # None there: it is made, private, and goes again.
  banger ssh-config --install
  is "$(stat -c %a "$dir" "$config" | paste -sd' ')" "700 600"
  is "$(grep -c '^Include ' "$config")" 1
  banger ssh-config --uninstall
  [ ! -e "$config" ] && [ ! -e "$ours" ]
  banger ssh-config --uninstall # nothing to do
  [ ! -e "$config" ]
  for before in '' '\n' 'Host a\n  User b\n' 'Host a\n  User b' 'Host a\r\n  User b\r\n' 'Host \xff\n\n# end'; do
    printf '%b' "$before" >"$config"
    chmod 640 "$config"
    cp -p "$config" "$BATS_TEST_TMPDIR/before"
    is "$(banger ssh-config --install --json | json 'data["changed"]')" True
    is "$(banger ssh-config --install --json | json 'data["changed"]')" False
    is "$(grep -ac "^Include $ours" "$config")" 1
    is "$(tail -c +$(($(stat -c %s "$config") - $(stat -c %s "$BATS_TEST_TMPDIR/before") + 1)) "$config" | sha256sum)" \
      "$(sha256sum <"$BATS_TEST_TMPDIR/before")"
    is "$(stat -c '%a %u %g' "$config")" "$(stat -c '%a %u %g' "$BATS_TEST_TMPDIR/before")"
    banger ssh-config --uninstall
    cmp "$config" "$BATS_TEST_TMPDIR/before"
    is "$(stat -c %a "$config")" 640
  done
  # Behind a symbolic link, which stays one.
  mv "$config" "$HOME/dotfile"
  ln -s ../dotfile "$config"
  banger ssh-config --install
  [ -L "$config" ] && grep -q Include "$HOME/dotfile"
  banger ssh-config --uninstall
  [ -L "$config" ] && cmp "$HOME/dotfile" "$BATS_TEST_TMPDIR/before"
  rm "$HOME/dotfile"
  run -1 banger ssh-config --install # a link to nowhere
  run -2 banger ssh-config --install --uninstall
}
