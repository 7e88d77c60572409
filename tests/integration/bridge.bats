#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The bridge network with real guests: real netlink, TAP devices and nft, in namespaces of our own.

load common
load netns
load sshd

setup_file() { setup_network; }
teardown_file() { teardown_network; }

setup() {
  can_make_namespaces || skip "network namespaces and TAP devices need root here"
  servers=()
}

teardown() {
  explain_failure
  can_make_namespaces || return 0
  stop_servers
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  assert_nothing_left
  is "$(network_left)" ""
}

address_of() { banger vm show "$1" --json | json 'data["addresses"][0].split("/")[0]'; }

@test "bridge: auto takes it here; guests reach the outside by NAT, and not each other" {
  serve_internet 7000 hello
  banger vm run -d --name a
  banger vm run -d --name b
  is "$(banger vm show a --json | json 'data["providers"]["network"]')" bridge
  is "$(address_of a) $(address_of b)" "172.16.0.2 172.16.0.3"
  is "$(guest_ask a 10.99.0.2 7000)" "hello 10.99.0.1" # by this host's address
  is "$(guest_ask b 10.99.0.2 7000)" "hello 10.99.0.1"
  run banger vm exec a -- ping -c 1 -W 2 172.16.0.3
  [ "$status" -ne 0 ]
  banger vm exec a -- ping -c 1 -W 5 172.16.0.1 # the gateway answers
}

@test "bridge: nat goes off and on while the guest runs" {
  serve_internet 7001 hello
  banger vm run -d --name a --nat
  is "$(guest_ask a 10.99.0.2 7001)" "hello 10.99.0.1"
  banger vm set a --nat off
  run ! guest_ask a 10.99.0.2 7001
  has "timed out"
  in_host nft list table inet banger-br-fc >"$BATS_TEST_TMPDIR/off"
  run ! grep -q 172.16.0.2 "$BATS_TEST_TMPDIR/off"
  banger vm set a --nat on
  is "$(guest_ask a 10.99.0.2 7001)" "hello 10.99.0.1"
}

@test "bridge: a guest that lies about its address is not heard" {
  serve_internet 7002 hello
  banger vm run -d --name a
  is "$(guest_ask a 10.99.0.2 7002)" "hello 10.99.0.1"
  banger vm exec a -- ip address add 172.16.0.99/24 dev eth0
  run banger vm exec a -- ping -c 1 -W 2 -I 172.16.0.99 172.16.0.1
  [ "$status" -ne 0 ]
  banger vm exec a -- sh -c 'ip link set eth0 down; ip link set eth0 address 02:fc:ac:10:00:63
    ip link set eth0 up; ip route add default via 172.16.0.1'
  run banger vm exec a -- ping -c 1 -W 2 172.16.0.1
  [ "$status" -ne 0 ]
}

@test "bridge: published ports lead to the guest, from this host and from outside" {
  banger vm run -d --name web -p 8080:80 -p 10.99.0.1:8081:80 -p 0.0.0.0:8082:80
  banger vm exec web -- sh -c 'mkdir -p /root/www; hostname >/root/www/page; httpd -p 80 -h /root/www'
  for place in "in_host 127.0.0.1 8080" "in_internet 10.99.0.1 8081" "in_host 10.99.0.1 8082" \
    "in_internet 10.99.0.1 8082" "in_host 127.0.0.1 8082"; do
    set -- $place
    is "$("$1" python3 -c 'import sys, urllib.request
print(urllib.request.urlopen(f"http://{sys.argv[1]}:{sys.argv[2]}/page", timeout=10).read().decode().strip())' "$2" "$3")" web
  done
  run in_internet timeout 3 bash -c '</dev/tcp/10.99.0.1/8080' # for this host alone
  [ "$status" -ne 0 ]
  in_host ss -Hltn 'sport = :8082' | grep -q 8082

  # Taken, by another VM or by a program: refused by name, and nothing is made.
  run -125 banger vm run --rm --name other -p 8080:80 -- true
  has "8080"
  in_host python3 -c 'import signal, socket
s = socket.create_server(("127.0.0.1", 8090)); print("up", flush=True); signal.pause()' >"$BATS_TEST_TMPDIR/up" 3>&- &
  servers+=($!)
  says "$BATS_TEST_TMPDIR/up" up
  run ! banger vm create --name other -p 8090:80
  has "8090"
  is "$(banger ps -a -q)" web

  banger vm set web -p 8083:80 # replaces them all, live
  run in_host timeout 3 bash -c '</dev/tcp/127.0.0.1/8080'
  [ "$status" -ne 0 ]
  is "$(in_host python3 -c 'import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8083/page", timeout=10).read().decode().strip())')" web
}

# Nothing in the tiny image serves UDP: the guest's own refusal, which finds its way back, shows that the
# port leads there. bangerd's socket, which holds the port, would answer nothing.
@test "bridge: published UDP ports lead to the guest too" {
  banger vm run -d --name udp -p 5300:69/udp -p 10.99.0.1:5301:69/udp
  for place in "in_host 127.0.0.1 5300" "in_internet 10.99.0.1 5301"; do
    # shellcheck disable=SC2086  # words
    set -- $place
    run ! "$1" python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect((sys.argv[1], int(sys.argv[2])))
s.send(b"x")
s.recv(1)' "$2" "$3"
    has ConnectionRefusedError
  done
  is "$(banger vm exec udp -- awk '/^Udp:/ {ports = $3} END {print ports}' /proc/net/snmp)" 2
}

@test "bridge: a guest reaches none of this host's services" {
  in_host python3 -c 'import signal, socket
s = socket.create_server(("0.0.0.0", 8070)); print("up", flush=True); signal.pause()' >"$BATS_TEST_TMPDIR/up" 3>&- &
  servers+=($!)
  says "$BATS_TEST_TMPDIR/up" up
  banger vm run -d --name a
  for address in 172.16.0.1 10.99.0.1; do
    run banger vm exec a -- nc -w 2 -z "$address" 8070
    [ "$status" -ne 0 ]
  done
}

@test "bridge: the daemon may go and come" {
  serve_internet 7003 hello
  banger vm run -d --name a -p 8084:80
  pid=$(daemon_pid)
  kill -KILL "$pid"
  ended "$pid"
  is "$(guest_ask a 10.99.0.2 7003)" "hello 10.99.0.1"
  banger vm set a --nat off
  run ! guest_ask a 10.99.0.2 7003
  has "timed out"
  in_host ss -Hltn 'sport = :8084' | grep -q 8084 # taken again
}

@test "bridge: deleting gives everything back, and forwarding is as it was found" {
  is "$(in_host cat /proc/sys/net/ipv4/ip_forward)" 0
  banger vm run -d --name a -p 8085:80
  is "$(in_host cat /proc/sys/net/ipv4/ip_forward)" 1
  banger vm delete a
  is "$(in_host cat /proc/sys/net/ipv4/ip_forward)" 0
  is "$(network_left)" ""
  in_host ip -o link show type tun | grep -c tap-fc-pool # the pool is no leak
}

# What somebody who makes a VM expects of it, and of its end.
@test "bridge: a VM has a name, a port and ssh, and its end takes all of it away" {
  export HOME=$BATS_TEST_TMPDIR/home
  mkdir -p "$HOME"
  make_server "$BATS_FILE_TMPDIR/server"
  banger ssh-config --install
  for key in first second; do
    banger vm run -d --nat --publish 8086:80 --name web
    echo "# the $key host key"
    serve_ssh web
    banger vm exec web -- sh -c 'mkdir -p /root/www; echo page >/root/www/page; httpd -p 80 -h /root/www'
    is "$(in_host dig +short @127.0.0.1 -p 42069 web.vm)" 172.16.0.2
    is "$(in_host dig +short @127.0.0.1 -p 42069 -x 172.16.0.2)" web.vm.
    is "$(banger vm exec web -- nslookup web.vm | awk '/^Address/ {a = $NF} END {print a}')" 172.16.0.2
    is "$(in_host python3 -c 'import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8086/page", timeout=10).read().decode().strip())')" page
    run -0 in_host ssh -F "$HOME/.ssh/config" -o BatchMode=yes web.vm 'echo "$SSH_CONNECTION" as $(id -un)'
    has "172.16.0.1"
    has "as root"
    is "$(banger vm ssh web -- hostname)" web
    grep -q '^web.vm ' "$BANGER_HOME/state/ssh/known_hosts"
    banger vm delete web
    run ! grep -E '^web|172.16.0.2' "$BANGER_HOME/state/ssh/known_hosts"
    is "$(in_host dig +short @127.0.0.1 -p 42069 web.vm)" ""
    in_host dig @127.0.0.1 -p 42069 web.vm | grep -q 'status: NXDOMAIN'
    is "$(network_left)" ""
    is "$(in_host ss -Hltn 'sport = :8086')" ""
  done
  banger ssh-config --uninstall
}

@test "bridge: what has our names but is not ours is left alone" {
  banger daemon stop
  banger network remove
  in_host ip link add br-fc type bridge
  run ! banger vm run --rm --network bridge -- true
  has "br-fc"
  in_host ip link delete br-fc
  in_host nft add table inet banger-br-fc
  in_host nft list ruleset >"$BATS_TEST_TMPDIR/before"
  run ! banger vm run --rm --network bridge -- true
  has "banger-br-fc"
  in_host nft list ruleset | diff "$BATS_TEST_TMPDIR/before" -
  in_host nft delete table inet banger-br-fc
  in_host nft add table ip filter '{ chain FORWARD { type filter hook forward priority 0; policy drop; }; }'
  run banger doctor
  has "ip filter FORWARD"
  in_host nft delete table ip filter
}

@test "bridge: wrong values are refused before anything changes" {
  banger daemon stop
  in_host ip route add 172.16.0.0/16 via 10.99.0.2
  run -2 banger vm run --rm -- true
  has "172.16.0.0/16"
  run ! banger vm create --name x
  has "172.16.0.0/16"
  in_host ip route delete 172.16.0.0/16
  run -2 banger vm create --name x -p 0:80
  run -2 banger vm create --name x --network none -p 8080:80
  has "without a network"
  banger daemon stop
  configure 'plugins = { nat = { uplink = "eth7" } }'
  run ! banger vm create --name x --nat
  has eth7
  banger daemon stop
  configure 'plugins = { bridge = { subnet = "172.16.0.1/24" } }'
  run -2 banger vm create --name x
  has "172.16.0.1/24"
  banger daemon stop
  configure
  is "$(banger ps -a -q)" ""
}

# As `systemctl restart nftables` does on Debian, and as somebody who tidies up.
@test "bridge: what another program removes is named, and mended by the next start" {
  serve_internet 7004 hello
  banger vm run -d --name a -p 8087:80
  banger vm exec a -- sh -c 'mkdir -p /root/www; echo page >/root/www/page; httpd -p 80 -h /root/www'
  in_host nft flush ruleset
  in_host ip link delete br-fc
  run banger doctor
  has "under 1 running VM"
  run ! banger vm set a --nat on # says why, and has it mended
  has "br-fc"
  is "$(guest_ask a 10.99.0.2 7004)" "hello 10.99.0.1"
  in_host nft flush ruleset
  in_host ip link delete br-fc
  banger vm run -d --name b
  event vm.reconcile a
  is "$(guest_ask a 10.99.0.2 7004)" "hello 10.99.0.1"
  is "$(guest_ask b 10.99.0.2 7004)" "hello 10.99.0.1"
  is "$(in_host python3 -c 'import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8087/page", timeout=10).read().decode().strip())')" page
  run banger vm exec a -- ping -c 1 -W 2 "$(address_of b)"
  [ "$status" -ne 0 ]
  run banger network list
  has "br-fc, 172.16.0.1/24"
  in_host nft flush ruleset
  banger daemon stop
  is "$(guest_ask a 10.99.0.2 7004)" "hello 10.99.0.1"
  is "$(guest_ask b 10.99.0.2 7004)" "hello 10.99.0.1"
}

@test "bridge: the range stays while VMs run" {
  banger vm run -d --name a
  banger daemon stop
  configure 'plugins = { bridge = { subnet = "10.7.0.0/24" } }'
  run ! banger vm create --name b
  has "172.16.0.1/24"
  banger vm exec a -- ping -c 1 -W 5 172.16.0.1
  banger vm delete a
  banger vm run -d --name b
  is "$(address_of b)" 10.7.0.2
  banger vm delete b
  banger daemon stop
  configure
}

@test "bridge: the first VMs of a host may start at the same time" {
  banger network remove
  local i clients=()
  for i in 1 2 3; do
    banger vm run -d --name "first$i" 3>&- &
    clients+=($!)
  done
  for i in "${clients[@]}"; do wait "$i"; done
  is "$(for i in 1 2 3; do address_of "first$i"; done | sort | paste -sd' ')" "172.16.0.2 172.16.0.3 172.16.0.4"
}

@test "bridge: killed while a VM starts, nothing is left but the record" {
  banger vm create --name half
  banger vm start half >/dev/null 2>"$BATS_TEST_TMPDIR/progress" 3>&- &
  client=$!
  says "$BATS_TEST_TMPDIR/progress" wait_agent
  pid=$(daemon_pid)
  kill -KILL "$pid"
  ended "$pid"
  wait "$client" || true
  is "$(banger vm show half --json | json 'data["state"]')" error
  is "$(network_left)" ""
  banger vm start half
  is "$(banger vm exec half -- echo alive)" alive
}

@test "bridge: guests that are not isolated reach each other; IPv6 by a prefix of our own" {
  banger daemon stop
  configure 'plugins = { bridge = { isolate_guests = false, ipv6 = true } }'
  banger vm run -d --name a
  banger vm run -d --name b
  banger vm exec a -- ping -c 1 -W 5 "$(address_of b)"
  six=$(banger vm show b --json | json 'data["addresses"][1].split("/")[0]')
  [[ "$six" == fd* ]]
  banger vm exec a -- ping -c 1 -W 5 "$six"
  banger vm delete a
  banger vm delete b
  configure
  banger daemon stop
}
