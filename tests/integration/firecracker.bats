#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The firecracker provider with real guests, in a host network of the suite's own. The VMM is the contract
# double (tests/fixtures/firecracker), which boots them in QEMU: what passes here keeps Firecracker's
# contract. The last part runs a real Firecracker where there is one, and is skipped elsewhere.

# shellcheck disable=SC2034 # common.bash's and netns.bash's variables
load common
load netns

# A folder with the double as `firecracker`, and beside it how it is to behave.
double_folder=$BATS_FILE_TMPDIR/double
common_config="$patient, vm = { vmm = 'firecracker' }, plugins = { firecracker = {
  binary = '$double_folder/firecracker', require_kvm = false } }"

# behave JSON: what the next double does (tests/fixtures/firecracker/misbehave.py).
behave() { echo "$1" >"$double_folder/behave.json"; }

setup_file() {
  mkdir -p "$BATS_FILE_TMPDIR/double"
  ln -s "$repo/tests/fixtures/firecracker/firecracker" "$BATS_FILE_TMPDIR/double/firecracker"
  setup_network
}

teardown_file() { teardown_network; }

setup() {
  can_make_namespaces || skip "network namespaces and TAP devices need root here"
  servers=()
  behave '{}'
}

# QEMU goes a moment after a double that was killed.
teardown() {
  can_make_namespaces || return 0
  explain_failure
  stop_servers
  umount "$BATS_TEST_TMPDIR/base" 2>/dev/null || true
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  for pid in $(pgrep -f "qemu.*$BANGER_HOME/state/vms/" || true); do ended "$pid" 30; done
  assert_nothing_left
  is "$(network_left)" ""
}

of() { banger vm show "$1" --json | json "$2"; }
vmm_log() { cat "$BANGER_HOME/state/vms/$(of "$1" 'data["id"]')/vmm.log"; }

@test "firecracker: a guest boots, execs over vsock, reaches the network, and stops when asked" {
  serve_internet 7100 hello
  banger vm run -d --name fire
  is "$(of fire 'data["providers"]["vmm"], data["providers"]["network"]')" "firecracker bridge"
  is "$(banger vm exec fire -- sh -c 'echo out; echo err >&2; exit 7' 2>/dev/null || echo "status $?")" $'out\nstatus 7'
  head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/blob"
  is "$(banger vm exec fire -- sha256sum <"$BATS_TEST_TMPDIR/blob" | cut -d' ' -f1)" \
    "$(sha256sum <"$BATS_TEST_TMPDIR/blob" | cut -d' ' -f1)"
  is "$(guest_ask fire 10.99.0.2 7100)" "hello 10.99.0.1"
  banger vm exec fire -- sh -c 'echo kept >/root/kept; echo said >/dev/console'
  says "$BANGER_HOME/state/vms/$(of fire 'data["id"]')/console.log" said
  is "$(stat -c %a "$BANGER_HOME"/run/vms/*/api.sock "$BANGER_HOME"/run/vms/*/v.sock | paste -sd' ')" "600 600"
  banger vm stop --timeout 60s fire 2>"$BATS_TEST_TMPDIR/stop"
  run ! grep -q TERM "$BATS_TEST_TMPDIR/stop"
  is "$(of fire 'data["state"]')" stopped
  banger vm start fire
  is "$(banger vm exec fire -- cat /root/kept)" kept
}

@test "firecracker: killed, it leaves nothing; by itself ended, the VM says so" {
  banger vm run -d --name fire
  pid=$(of fire 'data["pid"]')
  banger vm kill -s KILL fire
  is "$(of fire 'data["state"]')" stopped
  run ! kill -0 "$pid"
  banger vm start fire
  kill -SEGV "$(of fire 'data["pid"]')"
  event vm.ended fire
  is "$(of fire 'data["state"]')" error
  has_error=$(of fire 'data["last_error"]')
  [[ "$has_error" == *SEGV* ]]
}

@test "firecracker: a guest that does not hear Ctrl-Alt-Del is ended all the same" {
  behave "{\"ignore_ctrl_alt_del\": true, \"record\": \"$BATS_TEST_TMPDIR/requests\"}"
  banger vm run -d --name fire
  victim=$(daemon_pid)
  kill -KILL "$victim"
  ended "$victim"
  rm "$BANGER_HOME"/run/vms/*/v.sock # the next daemon cannot ask the agent: the keys are what is left
  banger vm stop --timeout 1s fire 2>"$BATS_TEST_TMPDIR/stop"
  grep -q SendCtrlAltDel "$BATS_TEST_TMPDIR/requests"
  grep -q "did not end within 1000 ms: sending TERM" "$BATS_TEST_TMPDIR/stop"
  is "$(of fire 'data["state"]')" stopped
}

@test "firecracker: paused and resumed" {
  banger vm run -d --name fire
  banger vm pause fire
  is "$(of fire 'data["state"], data["paused"]')" "running True"
  run -125 banger vm exec fire -- true
  has "is paused"
  banger vm resume fire
  is "$(banger vm exec fire -- echo alive)" alive
  banger vm pause fire
  banger vm stop --timeout 60s fire 2>"$BATS_TEST_TMPDIR/stop"
  run ! grep -q TERM "$BATS_TEST_TMPDIR/stop"
  grep -c . <(vmm_log fire)
}

@test "firecracker: a daemon that was killed finds it again, and its guest" {
  banger vm run -d --name fire
  pid=$(of fire 'data["pid"]')
  victim=$(daemon_pid)
  kill -KILL "$victim"
  ended "$victim"
  is "$(banger vm exec fire -- echo alive)" alive
  is "$(of fire 'data["pid"]')" "$pid"
  run ! grep -q "its VMM does not answer" "$BANGER_HOME/state/bangerd.log"
  banger vm stop fire
}

@test "firecracker: killed while it launches, nothing is left but the record" {
  behave '{"on": {"PUT /actions": "slow"}}'
  banger vm create --name fire
  banger vm start fire >/dev/null 2>"$BATS_TEST_TMPDIR/progress" 3>&- &
  client=$!
  says "$BATS_TEST_TMPDIR/progress" launch
  timeout 60 bash -c 'until [ -S "$(echo "$1"/run/vms/*/v.sock)" ]; do :; done' - "$BANGER_HOME"
  victim=$(daemon_pid)
  kill -KILL "$victim"
  ended "$victim"
  wait "$client" || true
  is "$(of fire 'data["state"]')" error
  is "$(find "$BANGER_HOME/run/vms" -mindepth 1)" ""
  behave '{}'
  banger vm start fire
  is "$(banger vm exec fire -- echo alive)" alive
}

@test "firecracker: what it refuses, and how it ends, is in the error; nothing is left" {
  banger vm create --name fire
  behave '{"on": {"PUT /network-interfaces/net0": {"fault": "Open tap device failed"}}}'
  run -1 banger vm start fire
  has "PUT /network-interfaces/net0: Firecracker refused it (400): Open tap device failed"
  has "vmm.log"
  for code in 1 2 148 149 150 151 152 153 154 156 157; do
    behave "{\"exit\": $code}"
    run -1 banger vm start fire
    has "Firecracker ended at once: the double ends at once, as told"
    has "status $code"
    is "$(find "$BANGER_HOME/run/vms" -mindepth 1)" ""
  done
  is "$(of fire 'data["state"]')" error
}

@test "firecracker: a guest that ends at once" {
  banger vm create --name fire --boot-arg init=/none --boot-arg rdinit=/none
  run -1 banger vm start fire
  has "the guest ended before its agent answered"
}

@test "firecracker: auto takes it only where it can work" {
  banger daemon stop
  echo "return { $patient, plugins = { firecracker = { binary = '$double_folder/firecracker' } } }" >"$BANGER_HOME/config.lua"
  run banger doctor --json
  if [ "$(json 'data["providers"]["vmm"]' <<<"$output")" != firecracker ]; then
    has "needs KVM" # and QEMU is taken
    is "$(json 'data["providers"]["vmm"]' <<<"$output")" qemu
    run -125 banger vm run --rm --vmm firecracker -- true
    has "needs KVM"
  fi
  banger daemon stop
  echo "return { $patient, plugins = { firecracker = { binary = '$double_folder/firecracker', require_kvm = false } } }" >"$BANGER_HOME/config.lua"
  banger vm run -d --name user --network user # which Firecracker does not have
  is "$(of user 'data["providers"]["vmm"]')" qemu
  run -125 banger vm run --rm --vmm firecracker --network user -- true
  has "needs nic:user, which vmm 'firecracker' does not offer"
  banger vm delete user
  banger daemon stop
  configure
}

@test "firecracker: doctor names the version" {
  run banger doctor
  has "Firecracker v1.13.0 (contract double)"
}

# -- Jailed: a chroot, another user --------------------------------------------------------------------

jail_uid=61234

# use_jailer [LUA]: the jailer's double, with more keys of the plugin.
use_jailer() {
  rm -f "$BATS_TEST_TMPDIR/device"
  unshare --mount mknod "$BATS_TEST_TMPDIR/device" c 1 3 2>/dev/null || skip "the jail needs devices and mounts"
  banger daemon stop
  ln -sf "$repo/tests/fixtures/firecracker/jailer" "$double_folder/jailer"
  echo "return { $patient, vm = { vmm = 'firecracker' }, plugins = { firecracker = {
    binary = '$double_folder/firecracker', require_kvm = false,
    jailer = true, jailer_uid = $jail_uid, jailer_gid = $jail_uid, $* } } }" >"$BANGER_HOME/config.lua"
}

leave_jailer() {
  banger daemon stop
  configure
}

@test "firecracker: jailed, it is another user in a chroot of this VM's files alone" {
  use_jailer
  serve_internet 7101 hello
  banger vm run -d --name fire
  pid=$(of fire 'data["pid"]')
  dir=$(of fire 'data["dir"]')
  is "$(stat -c '%u %g' "/proc/$pid")" "$jail_uid $jail_uid"
  root=$dir/jail/firecracker/$(of fire 'data["id"]')/root
  is "$(readlink "/proc/$pid/root")" "$root"
  is "$(stat -c '%i %u' "$root/drive0")" "$(stat -c '%i' "$dir/rootfs.img") $jail_uid"
  is "$(stat -c %a "$root/api.sock" "$root/v.sock" | paste -sd' ')" "600 600"
  # The kernel is other VMs' too: it was not given to this one's user.
  is "$(stat -c '%u %A' "$(banger kernel show linux-image-cloud-amd64 --json | json 'data["path"]')" | sed 's/r/-/g;s/x/-/g')" "0 --w-------"
  is "$(banger vm exec fire -- echo alive)" alive
  is "$(guest_ask fire 10.99.0.2 7101)" "hello 10.99.0.1"
  grep -q "Running Firecracker" "$dir/vmm.log"
  banger vm pause fire
  banger vm resume fire
  banger vm exec fire -- sh -c 'echo kept >/root/kept'

  victim=$(daemon_pid)
  kill -KILL "$victim"
  ended "$victim"
  is "$(banger vm exec fire -- cat /root/kept)" kept
  banger vm stop fire
  run ! test -e "$dir/jail"
  leave_jailer
  banger vm start fire # its disk is its own again
  is "$(banger vm exec fire -- cat /root/kept)" kept
}

@test "firecracker: jailed, a kill at any place leaves no chroot" {
  use_jailer
  banger vm create --name fire
  behave '{"never_ready": true}'
  banger vm start fire >/dev/null 2>"$BATS_TEST_TMPDIR/progress" 3>&- &
  client=$!
  timeout 60 bash -c 'until [ -e "$1"/jail/firecracker/*/root/dev/null ]; do :; done' - "$(of fire 'data["dir"]')"
  victim=$(daemon_pid)
  kill -KILL "$victim"
  ended "$victim"
  wait "$client" || true
  is "$(of fire 'data["state"]')" error
  run ! test -e "$(of fire 'data["dir"]')/jail"

  behave '{"exit": 148}'
  run -1 banger vm start fire
  has "status 148"
  run ! test -e "$(of fire 'data["dir"]')/jail"
  leave_jailer
}

@test "firecracker: jailed, what cannot be is refused with a reason" {
  use_jailer "jailer_binary = '/nonexistent/jailer'"
  run -125 banger vm run --rm -- true
  has "the jailer /nonexistent/jailer cannot be executed"
  use_jailer "jailer_uid = 0"
  run -2 banger vm run --rm -- true
  has "jailer_uid and jailer_gid must be set"
  mkdir "$BATS_TEST_TMPDIR/base"
  if mount -t tmpfs -o nodev tmpfs "$BATS_TEST_TMPDIR/base" 2>/dev/null; then
    use_jailer "chroot_base = '$BATS_TEST_TMPDIR/base'"
    run -125 banger vm run --rm -- true
    umount "$BATS_TEST_TMPDIR/base"
    has "is mounted nodev"
    mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/base"
    run -125 banger vm run --rm -- true
    is "$(find "$BATS_TEST_TMPDIR/base/firecracker" -mindepth 1 2>/dev/null)" ""
    umount "$BATS_TEST_TMPDIR/base"
    has "is on another file system than"
  fi
  leave_jailer
}

# -- A real one ----------------------------------------------------------------------------------------

@test "firecracker: a real one, where there is one and KVM runs guests" {
  real=${BANGER_FIRECRACKER:-$(command -v firecracker || true)}
  [ -n "$real" ] || skip "no firecracker in PATH, nor BANGER_FIRECRACKER"
  banger daemon stop
  echo "return { $patient, vm = { vmm = 'firecracker' }, plugins = { firecracker = { binary = '$real' } } }" >"$BANGER_HOME/config.lua"
  run banger doctor --json
  json '[c["text"] for c in data["checks"] if c["name"] == "vmm: firecracker"][0]' <<<"$output" >&3
  if grep -q "needs KVM" <<<"$output"; then
    configure
    banger daemon stop
    skip "this host's KVM runs no guests"
  fi
  serve_internet 7102 hello
  banger vm run -d --name fire
  is "$(banger vm exec fire -- uname -s)" Linux
  is "$(guest_ask fire 10.99.0.2 7102)" "hello 10.99.0.1"
  banger vm pause fire
  banger vm resume fire
  victim=$(daemon_pid)
  kill -KILL "$victim"
  ended "$victim"
  is "$(banger vm exec fire -- echo alive)" alive
  banger vm stop --timeout 60s fire 2>"$BATS_TEST_TMPDIR/stop"
  run ! grep -q TERM "$BATS_TEST_TMPDIR/stop"
  banger vm start fire
  banger vm kill fire
  banger daemon stop
  configure
}
