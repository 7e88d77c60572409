# SPDX-License-Identifier: LGPL-2.1-or-later
# A host network of the suite's own, and an "internet" beside it, so that no test touches the
# machine's: two network namespaces, joined by a veth pair. bangerd runs in the first.
#
#   host      uplink0 10.99.0.1/24, default route by 10.99.0.2
#   internet  inet0   10.99.0.2/24, where a test lets something listen

# hold_namespace VARIABLE: a process that keeps a new network namespace; its pid in the variable.
hold_namespace() {
  local ready=$BATS_FILE_TMPDIR/$1.ready
  mkfifo "$ready"
  unshare --net sh -c 'echo >"$1"; exec sleep infinity' - "$ready" 3>&- &
  printf -v "$1" %s $!
  timeout 30 cat "$ready" >/dev/null
}

in_host() { nsenter --net="/proc/$host_ns/ns/net" -- "$@"; }
in_internet() { nsenter --net="/proc/$internet_ns/ns/net" -- "$@"; }

# What every command of these tests is: the client starts the daemon, and so both are in the namespace.
banger() { in_host "$BANGER_BUILD/bin/banger" "$@"; }

can_make_namespaces() {
  [ "$(id -u)" -eq 0 ] && unshare --net true 2>/dev/null && [ -c /dev/net/tun ]
}

# shellcheck disable=SC2034,SC2154  # common.bash's
common_config="$patient, vm = { vcpu = 1 }"

make_namespaces() {
  can_make_namespaces || return 0
  hold_namespace host_ns
  hold_namespace internet_ns
  in_host ip link set lo up
  in_internet ip link set lo up
  in_host ip link add uplink0 type veth peer name inet0 netns "/proc/$internet_ns/ns/net"
  in_host ip address add 10.99.0.1/24 dev uplink0
  in_host ip link set uplink0 up
  in_internet ip address add 10.99.0.2/24 dev inet0
  in_internet ip link set inet0 up
  in_host ip route add default via 10.99.0.2
  export host_ns internet_ns
}

drop_namespaces() {
  can_make_namespaces || return 0
  kill "$host_ns" "$internet_ns"
  wait "$host_ns" "$internet_ns" 2>/dev/null || true
}

# The namespaces, and a home with a kernel and the tiny image in it.
setup_network() {
  can_make_namespaces || return 0
  make_namespaces
  BANGER_HOME=$BATS_FILE_TMPDIR/home
  mkdir -p "$BANGER_HOME"
  cp -a --reflink=auto "$BATS_SUITE_TMPDIR/home/cache" "$BANGER_HOME/" 2>/dev/null || true
  export BANGER_HOME
  configure
  banger kernel import --deb linux-image-cloud-amd64 --name linux-image-cloud-amd64
  banger image build tiny
}

teardown_network() {
  can_make_namespaces || return 0
  banger daemon stop
  drop_namespaces
}

# serve_internet PORT TEXT: a server there that says the text, and who asked, to each connection.
serve_internet() {
  local ready=$BATS_TEST_TMPDIR/served.$1
  mkfifo "$ready"
  # Not by in_internet: a function's $! would be a shell, whose end leaves the server behind.
  nsenter --net="/proc/$internet_ns/ns/net" -- python3 - "$1" "$2" "$ready" >/dev/null 2>&1 3>&- <<'PYTHON' &
import socket, sys
server = socket.create_server(("10.99.0.2", int(sys.argv[1])))
open(sys.argv[3], "w").close()
while True:
    connection, peer = server.accept()
    connection.sendall(f"{sys.argv[2]} {peer[0]}\n".encode())
    connection.close()
PYTHON
  servers+=($!)
  timeout 30 cat "$ready"
}

stop_servers() {
  [ "${#servers[@]}" -eq 0 ] || kill "${servers[@]}"
  servers=()
}

# ask ADDRESS PORT: what the server there says; run it by in_host or in_internet.
ask() {
  python3 -c 'import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as connection:
    sys.stdout.write(connection.makefile().read())' "$@"
}
asks() { "$1" python3 -c 'import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as connection:
    sys.stdout.write(connection.makefile().read())' "$2" "$3"; }

# guest_ask VM ADDRESS PORT: the same from a guest; fails when there is no answer within 5 seconds.
guest_ask() { banger vm exec "$1" -- nc -w 5 "$2" "$3" </dev/null; }

# Everything of ours in the host's network but what all VMs share; empty when nothing is left.
network_left() {
  in_host ip -o link show | grep -o 'tap-fc-[0-9a-f]\{8\}\b' || true
  in_host nft list ruleset | grep -E 'comment "[0-9a-f]{8}"|elements = .*(172\.16\.0\.|tap-fc-)' || true
}
