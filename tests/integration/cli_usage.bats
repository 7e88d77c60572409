#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Help, wrong usage and bad values: nothing of it reaches a daemon.

load cli_common

setup() {
  cli_setup
}

teardown() {
  [ ! -e "$BANGER_HOME/starts" ] # no daemon was started
}

# refused TEXT ARGUMENT...: exit status 2, with TEXT in the message.
refused() {
  local text=$1
  shift
  run -2 banger "$@"
  has "$text"
}

every_command() {
  banger help --man list | sed -n 's/^banger-//p' | sed -E 's/^(vm|image|kernel|network|plugin|hook|daemon)-/\1 /'
}

@test "cli: banger alone shows the everyday commands" {
  run -0 banger
  has "vm run"
  has "banger --help"
}

@test "cli: every command has help with an example and exit statuses" {
  [ "$(every_command | wc -l)" -ge 35 ]
  while read -r -a command; do
    run -0 banger "${command[@]}" --help
    has "Usage: banger ${command[*]}"
    has "--json"
    has "Examples:"
    has "Exit status:"
    run -0 banger help "${command[@]}"
    is "$(awk 'length > 80' <<<"$output")" ""
  done < <(every_command)
}

@test "cli: every command has a manual page that roff takes without a warning" {
  command -v groff >/dev/null || skip "groff is not installed"
  while read -r page; do
    run -0 bash -c "banger help --man '$page' | groff -man -ww -z 2>&1"
    is "$output" ""
  done < <(banger help --man list)
}

@test "cli: unknown commands and options name the nearest" {
  refused "did you mean 'banger vm list'" vm lst
  refused "did you mean 'banger vm run'" run
  refused "did you mean 'banger image'" imag
  refused "banger --help" xyzzyxyzzy
  refused "did you mean '--memory'" vm run --memroy 1G
  refused "unknown option '-Z'" vm list -Z
  refused "unknown option" --frobnicate
  refused "needs a command" vm
}

@test "cli: arguments that are missing, too many or given twice" {
  refused "needs VM" vm start
  refused "unexpected argument 'b'" vm show a b
  refused "--name needs a value" vm create --name
  refused "-n needs a value" vm create -n
  refused "--rm takes no value" vm run --rm=yes
  refused "given twice" vm create --name a --name b
  refused "needs --rootfs" image register
  refused "one of --deb and --vmlinuz" kernel import
  refused "one of --deb and --vmlinuz" kernel import --deb a --vmlinuz b
  refused "--modules goes with --vmlinuz" kernel import --deb linux --modules /lib
  refused "nothing to change" vm set web
}

@test "cli: bad values name the value and what is allowed" {
  refused "invalid --name 'Bad'" vm create --name Bad
  refused "invalid --name ''" vm create --name ''
  refused "'../x'" vm start ../x
  refused "from 64M to 1T" vm create --memory 3x
  refused "from 64M to 1T" vm create --memory 1M
  refused "whole number of MiB" vm create --memory 100000K
  refused "from 64M" vm create --disk-size -5
  refused "from 1 to 32" vm create --vcpu 0
  refused "from 1 to 32" vm create --vcpu 2.5
  refused "use a duration" vm stop --timeout soon web
  refused "TERM or SIGKILL" vm kill -s NOPE web
  refused "TERM or SIGKILL" vm kill -s 0 web
  refused "TERM or SIGKILL" vm kill -s 65 web
  refused "HOST_PORT:GUEST_PORT" vm create -p 80
  refused "HOST_PORT:GUEST_PORT" vm create -p 0:80
  refused "HOST_PORT:GUEST_PORT" vm create -p 80:65536
  refused "HOST_PORT:GUEST_PORT" vm create -p 1.2.3:80:80
  refused "HOST_PORT:GUEST_PORT" vm create -p 80:80/icmp
  refused "use KEY=VALUE" vm create -l nothing
  refused "NAME=VALUE" vm create -e 1A=b
  refused "kernel argument" vm create --boot-arg 'a b'
  refused "use one of on, off" vm set --nat maybe web
  refused "use one of bash, zsh, fish" completion tcsh
  refused "use one of tiny, debian" image build huge
  refused "invalid --user" vm exec -u 'a b' web
  refused "absolute path" vm exec -w tmp web
  refused "No such file" image register --rootfs /does/not/exist
  refused "No such file" kernel import --deb ./missing.deb
  refused "invalid package name" kernel import --deb 'linux;reboot'
  refused "from 0 to" vm logs -n -1 web
  refused "not UTF-8" vm start $'\xff'
  refused "not UTF-8" vm exec web -- $'\xff'
}

@test "cli: vm run: what excludes each other" {
  refused "exclude each other" vm run -d --rm
  refused "takes no command" vm run -d -- true
  refused "repository" vm run .
  refused "exclude each other" vm run -t --no-tty -- true
  refused "exclude each other" vm run -t --json -- true
  refused "needs a command" vm run --json
  refused "--ops goes without" vm logs --ops -f web
  refused "one of the two" vm cp /a /b
  refused "one of the two" vm cp a:/a b:/b
  refused "absolute path" vm cp a web:tmp
}

@test "cli: prune asks, and where nobody can be asked it wants --force" {
  refused "give --force" vm prune
}

@test "cli: with --json an error is one object on stderr" {
  for arguments in "vm lst --json" "--json vm create --name Bad" "vm create --json --memory x"; do
    # shellcheck disable=SC2086  # words
    run -2 --separate-stderr banger $arguments
    is "$output" ""
    is "$(echo "$stderr" | json 'data["error"]["code"], data["error"]["name"]')" "1 invalid"
    [ -n "$(echo "$stderr" | json 'data["error"]["message"]')" ]
  done
}

@test "cli: no colour but on a terminal, and none there with NO_COLOR" {
  run -2 banger vm lst
  [[ "$output" != *$'\e'* ]]
  run -2 env TERM=xterm script -qec "banger vm lst" /dev/null
  has $'\e[31m'
  run -2 env TERM=xterm NO_COLOR=1 script -qec "banger vm lst" /dev/null
  [[ "$output" != *$'\e'* ]]
}

@test "cli: without a daemon: status and version say so, BANGER_NO_AUTOSTART starts none" {
  run -1 banger daemon status --json
  is "$(echo "$output" | json 'data["running"]')" False
  is "$(banger version --json | json 'data["daemon"]')" None
  run -0 banger daemon stop
  run -1 env BANGER_NO_AUTOSTART=1 banger ps
  has "BANGER_NO_AUTOSTART"
}

@test "cli: output that cannot be written is a failure" {
  run -1 bash -c 'banger --help >/dev/full'
  has "No space left"
}
