#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The user network: ports published from a guest, and what a guest reaches. Nothing here talks to
# anything but this machine's loopback, which guests see as 10.0.2.2.

load common

teardown() {
  explain_failure
  for name in $(banger ps -a -q); do banger vm delete "$name"; done
  assert_nothing_left
}

# A port of loopback on which nobody listens.
free_port() {
  python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# fetch PORT: what an HTTP server there answers.
fetch() {
  python3 - "$1" <<'PYTHON'
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) as connection:
    connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
    answer = b"".join(iter(lambda: connection.recv(4096), b""))
print(answer.split(b"\r\n\r\n", 1)[1].decode(), end="")
PYTHON
}

# Who listens on a port of this machine: addresses, one a line.
listeners() {
  ss -H -ltn "sport = :$1" | awk '{sub(/:[0-9]+$/, "", $4); print $4}'
}

serve() { # serve VM PORT...: a page that names the VM
  local name=$1
  shift
  banger vm exec "$name" -- sh -c 'mkdir -p /root/www; hostname >/root/www/page
    for port; do httpd -p "$port" -h /root/www; done' sh "$@"
}

@test "network: published ports lead to the guest, and to loopback alone" {
  first=$(free_port)
  banger vm run -d --name web -p "127.0.0.1:$first:80"
  serve web 80 8000
  is "$(fetch "$first")" web
  is "$(listeners "$first")" 127.0.0.1
  is "$(banger vm ports --json web | json 'data["published"]')" "['127.0.0.1:$first:80']"

  # Another VM cannot have the port, and its failure leaves the first one alone.
  run -125 banger vm run --rm --name other -p "$first:80" -- true
  has "Address already in use"
  is "$(fetch "$first")" web

  # Without an address it is loopback too; a list replaces the one before.
  second=$(free_port)
  banger vm set web -p "$second:8000"
  banger vm restart web
  serve web 80 8000
  is "$(fetch "$second")" web
  is "$(listeners "$second")" 127.0.0.1
  is "$(listeners "$first")" ""
  banger vm stop web
  is "$(listeners "$second")" ""
}

@test "network: two VMs have the same addresses and do not meet" {
  first=$(free_port) second=$(free_port)
  banger vm run -d --name one -p "$first:80"
  banger vm run -d --name two -p "$second:80"
  serve one 80
  serve two 80
  is "$(fetch "$first")" one
  is "$(fetch "$second")" two
  is "$(banger vm exec one -- sh -c 'ip -4 -o address show eth0' | awk '{print $4}')" \
    "$(banger vm exec two -- sh -c 'ip -4 -o address show eth0' | awk '{print $4}')"
}

# reach VM PORT: what a listener of this machine's loopback says to a guest.
reach() {
  banger vm exec "$1" -- nc -w 4 10.0.2.2 "$2" </dev/null
}

@test "network: nat decides whether a guest reaches out, not whether it is reached" {
  coproc GREETER {
    exec python3 -c '
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"hello\n")' 3>&-
  }
  read -r outside <&"${GREETER[0]}"
  inside=$(free_port)
  banger vm run -d --name web -p "$inside:80"
  is "$(reach web "$outside")" hello # nothing is said of nat: on
  banger vm set web --nat off
  is "$(reach web "$outside")" hello # from the next start on
  banger vm restart web
  run --separate-stderr -1 reach web "$outside"
  is "$output" ""
  serve web 80
  is "$(fetch "$inside")" web
  kill "$GREETER_PID"
}
