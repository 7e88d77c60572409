#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# No shell, ever: what client, daemon and all that they start execute on this host, by strace, in the whole
# life of a VM with a real guest (whose own programs are its own affair), on a bridge with NAT and a published
# port where there can be one. Two programs that we start have a
# shell of their own, and are not traced here: mmdebstrap (`image build debian`), whose packages' maintainer
# scripts are for sh, and OpenSSH (`vm ssh`), which hands its ProxyCommand to the user's shell.

load common
load netns

setup_file() { setup_network; }
teardown_file() { teardown_network; }

setup() {
  strace -f --seccomp-bpf -qq -o /dev/null -e trace=execve true 2>/dev/null || skip "strace may not trace here"
  calls=$BATS_TEST_TMPDIR/calls
  banger daemon stop --quiet
}

teardown() {
  explain_failure
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  for image in $(banger image list -q); do [ "$image" = tiny ] || banger image delete "$image"; done
  banger daemon stop --quiet
  assert_nothing_left
  ! can_make_namespaces || is "$(network_left)" ""
}

# Without namespaces in the suite's home, whose network is `user`.
in_network() { if can_make_namespaces; then in_host "$@"; else "$@"; fi; }
banger() { in_network "$BANGER_BUILD/bin/banger" "$@"; }

# Its system calls are stopped for nothing but these two (--seccomp-bpf), so that QEMU is as fast as ever.
tracing="-f --seccomp-bpf -qq -A -e trace=execve,execveat"
# shellcheck disable=SC2086  # words
traced() { in_network strace $tracing -o "$calls" "$BANGER_BUILD/bin/banger" "$@"; }

# By path and by what they are called, as a busybox may be both.
programs() {
  grep -o 'execve\(at\)\?([^"]*"[^"]*", \["[^"]*"' "$calls" | grep -o '"[^"]*"' | tr -d '"' | sed 's|.*/||' | sort -u
}

@test "no shell: a VM's whole life executes none" {
  # Followed into all that the daemon starts, by a tracer that does not keep us waiting for it (-DDD).
  tracing="$tracing -DDD" traced daemon start >/dev/null 2>&1 3>&-
  traced image build tiny --name second
  mke2fs -q -t ext4 "$BATS_TEST_TMPDIR/root" 4M
  traced image register --rootfs "$BATS_TEST_TMPDIR/root" --name third
  network=user connected=()
  ! can_make_namespaces || network=bridge connected=(--nat --publish 8080:80)
  traced vm create --name web --image second "${connected[@]}"
  traced vm start web
  is "$(banger vm show web --json | json 'data["providers"]["network"]')" "$network"
  is "$(traced vm exec web -- echo alive)" alive
  traced vm cp "$BATS_TEST_FILENAME" web:/tmp/file
  traced vm cp web:/tmp/file "$BATS_TEST_TMPDIR/back"
  cmp "$BATS_TEST_FILENAME" "$BATS_TEST_TMPDIR/back"
  traced vm logs web >/dev/null
  traced vm stop web
  traced vm set web --disk-size 3G
  traced vm delete web
  traced doctor >/dev/null || true
  traced daemon stop
  programs
  for shell in sh ash bash dash ksh zsh fish; do
    run -1 grep -qx "$shell" <(programs)
  done
  run -1 grep 'busybox", "\(sh\|ash\)"' "$calls" # an image's list of its applets is asked for
  for seen in banger bangerd resize2fs; do programs | grep -qx "$seen"; done # it was followed
  programs | grep -q '^qemu-system-'
}

# The agent's programs are the guest's, and so is the shell of `vm exec` without a command and of the tiny image.
@test "no shell: nothing in the sources would start one" {
  cd "$repo"
  run -1 grep -rnE '\b(system|popen|execl|execle|execlp|execvp|execvpe|posix_spawnp|wordexp)\(' core plugins lua hooks \
    include --include='*.[ch]' --exclude-dir=agent
  run -1 grep -rnE '\b(os\.execute|io\.popen)\b' core plugins lua hooks include --include='*.lua'
  run -0 grep -rlE '/bin/(ba|da|a|k|z|fi)?sh\b' core plugins lua hooks --include='*.[ch]' --include='*.lua' --exclude-dir=agent
  is "$(sort <<<"$output")" "$(printf '%s\n' core/cli/exec.c core/image/image_tiny.c)"
}
