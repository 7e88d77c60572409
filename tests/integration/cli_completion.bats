#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completions, as the three shells take them.

load cli_common

setup() {
  cli_setup
}

teardown() {
  cli_teardown
}

# What bash offers for the words of a line, on one line.
offers() {
  bash -c 'source <(banger completion bash)
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _banger
    echo "${COMPREPLY[*]}"' bash "$@"
}

@test "cli: completion: bash" {
  is "$(offers banger vm res)" "restart resume"
  [[ " $(offers banger '') " == *" vm "*"daemon"* ]]
  [[ " $(offers banger vm run --) " == *" --publish "*" --json "* ]]
  is "$(offers banger vm run --vmm q)" qemu
  is "$(offers banger vm run --vmm = q)" qemu
  is "$(offers banger vm kill -s KI)" KILL
  is "$(offers banger image build '')" "tiny debian"
  is "$(offers banger vm run -- --n)" "" # the guest's own
}

@test "cli: completion: names come from a running daemon and start none" {
  is "$(offers banger vm start '')" ""
  [ ! -e "$BANGER_HOME/starts" ]
  banger daemon start --quiet >/dev/null
  is "$(offers banger vm start '')" "web db"
  is "$(offers banger vm rm web d)" db
  is "$(offers banger vm exec '')" "web db"
  is "$(offers banger vm exec web l)" ""
  is "$(offers banger image show '')" tiny
  is "$(offers banger vm cp w)" web:
}

@test "cli: completion: zsh" {
  command -v zsh >/dev/null || skip "zsh is not installed"
  banger completion zsh >"$BATS_TEST_TMPDIR/_banger"
  zsh -n "$BATS_TEST_TMPDIR/_banger"
  run -0 zsh -c 'autoload -U compinit; compinit -D -u; source "$1"
    _banger_options "vm run"; _banger_value "vm run" --vmm; _banger_argument "vm rm" 3' zsh "$BATS_TEST_TMPDIR/_banger"
  has "--publish"
  has "words auto firecracker qemu"
  has "list vm list --all"
}

@test "cli: completion: fish" {
  command -v fish >/dev/null || skip "fish is not installed"
  banger completion fish >"$BATS_TEST_TMPDIR/banger.fish"
  fish -n "$BATS_TEST_TMPDIR/banger.fish"
  fish_offers() {
    HOME=$BATS_TEST_TMPDIR fish -c "source $BATS_TEST_TMPDIR/banger.fish; complete -C '$1'" | cut -f1 | paste -sd' ' -
  }
  is "$(fish_offers 'banger vm re')" restart
  is "$(fish_offers 'banger vm run --vmm q')" qemu
  is "$(fish_offers 'banger image rm --qui')" --quiet
}
