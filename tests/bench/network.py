#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the network `bridge`, as root, in network namespaces that it makes itself: what a start
costs with all of it on, and each host operation in turn with the same steps done by processes of
`ip`, `sysctl` and `nft`.

    network.py --build build [--quick]     (bench.py does it too)
"""
import argparse
import json
import os
import subprocess
import sys

from harness import STUB, Bench, header, timed

# Its peer keeps the uplink up. Whose first argument is "-" gets the rest executed there.
UPLINK = """ip link set lo up &&
ip link add uplink0 type veth peer name inet0 &&
ip address add 10.99.0.1/24 dev uplink0 &&
ip link set uplink0 up && ip link set inet0 up &&
ip route add default via 10.99.0.2 && exec "$@" """
INSIDE = ("unshare", "--net", "sh", "-c", UPLINK, "-")

STAGES = ("preflight", "bridge", "prepare", "tap", "contributeMachineConfig", "guest_config",
          "launch", "postStart", "persist", "cleanup_runtime")


def refusal():
    """Why it cannot be measured here; None: it can."""
    if os.geteuid() != 0:
        return "the network `bridge` needs root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return None if subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0 \
        else "no network namespace can be made"


# -- Starts ------------------------------------------------------------------------------------------


def spec(name, port):
    return dict(STUB, name=name, nat=True, publish=[f"{port}:80"])


def bench_stages(bench, name, kind, rounds):
    """Where the time went, from the daemon's own operation log."""
    operations = [row for row in bench.client.call("ops.list", {"vm": name, "limit": 2 * rounds + 2})
                  if row["kind"] == f"vm.{kind}"][:rounds]
    for stage in STAGES:
        took = [found["took_us"] / 1000 for row in operations for found in row["stages"]
                if found["name"] == stage]
        if took:
            bench.row(f"  {kind}: {stage}", "ms", took)


def start_and_stop(bench, name):
    return (timed(bench.client.call, "vm.start", {"vm": name}),
            timed(bench.client.call, "vm.stop", {"vm": name, "timeout_ms": 0}))


def bench_starts(bench, others):
    """In turn with the network `user`, of which the host makes nothing."""
    rounds = 20 if bench.quick else 200
    bench.client.call("vm.create", spec("probe", 8080))
    bench.client.call("vm.create", dict(STUB, name="plain", network="user"))
    bridge, plain = [], []
    for _ in range(rounds + 1):
        bridge.append(start_and_stop(bench, "probe"))
        plain.append(start_and_stop(bench, "plain"))
    del bridge[0], plain[0] # these made the disks
    for i, (kind, budget) in enumerate((("start", "p50 10"), ("stop", None))):
        bench.row(f"{kind} on the bridge, {others}", "ms", [pair[i] for pair in bridge], budget)
        bench_stages(bench, "probe", kind, rounds)
        bench.row(f"  {kind} in the network user", "ms", [pair[i] for pair in plain])
    bench.client.call("vm.delete", {"vm": "probe"})
    bench.client.call("vm.delete", {"vm": "plain"})


def bench_daemon(bench):
    # Links are told to systemd-resolved by their number, which in a namespace is none of the host's.
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent"
    bench.reopen(network="bridge", inside=INSIDE)
    bench_starts(bench, "alone")
    if not bench.quick:
        for i in range(800):
            bench.client.call("vm.create", dict(STUB, name=f"known{i}"))
        for i in range(200):
            bench.client.call("vm.run", spec(f"running{i}", 9000 + i))
        bench_starts(bench, "200 running, 1000 known")
        bench.clear()
    bench.reopen()


# -- Operations ----------------------------------------------------------------------------------------


class Host:
    """bench_host: operations and processes, timed in the same way."""

    def __init__(self, build):
        self.process = subprocess.Popen([f"{build}/tests/bench_host"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _ask(self, job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["ns"] / 1e6, answer["result"]

    def op(self, name, vm=None, **args):
        return self._ask({"op": name, "vm": vm, "args": args})

    def run(self, *lines):
        return self._ask({"run": lines})[0]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


BRIDGE = "br-fc"
TABLE = f"banger-{BRIDGE}"
VM = "11112222333344445555666677778888"
OURS = {"tap": "tap-fc-11112222", "mac": "02:fc:ac:10:00:02", "address": "172.16.0.2"}
# The tools' guest: the same things under names that are none of banger's.
TOOLS = {"tap": "tap-tools", "mac": "02:fc:ac:10:00:03", "address": "172.16.0.3"}


def nft(*lines):
    return ["nft", "; ".join(lines)]


def admission(verb):
    guest = TOOLS
    return nft(f"{verb} element bridge {TABLE} macs {{ {guest['tap']} . {guest['mac']} }}",
               f"{verb} element bridge {TABLE} guests "
               f"{{ {guest['tap']} . {guest['mac']} . {guest['address']} }}")


TOOLS_ACQUIRE = (
    admission("add"),
    ["ip", "tuntap", "add", TOOLS["tap"], "mode", "tap", "vnet_hdr", "user", "0"],
    ["ip", "link", "set", TOOLS["tap"], "alias", "tools:11112222"],
    ["sysctl", "-qw", f"net.ipv6.conf.{TOOLS['tap']}.disable_ipv6=1"],
    ["ip", "link", "set", TOOLS["tap"], "master", BRIDGE, "up"],
)
TOOLS_RELEASE = (["ip", "link", "delete", TOOLS["tap"]], admission("delete"))


def element(verb, where, what):
    return nft(f"{verb} element inet {TABLE} {where} {{ {what} }}")


TOOLS_NAT = [element(verb, "nat", TOOLS["address"]) for verb in ("add", "delete")]
TOOLS_PORTS = [element("add", "publish_any", f"tcp . 8081 : {TOOLS['address']} . 80"),
               element("delete", "publish_any", "tcp . 8081")]


def ensure(host, pool):
    host.op("network.ensure", bridge=BRIDGE, address="172.16.0.1/24", isolate=True, pool=pool)


def bench_pairs(bench, name, pairs):
    """`pairs`: (ours, the tools'), in ms, one after the other each time."""
    bench.row(name, "ms", [ours for ours, _ in pairs])
    bench.row("  by processes of ip, sysctl, nft", "ms", [tools for _, tools in pairs])
    bench.row("  the tools' time over ours", "x", [tools / ours for ours, tools in pairs])


def bench_taps(bench, host, pooled, rounds):
    acquired, released = [], []
    ensure(host, 16 if pooled else 0)
    while len(acquired) < rounds:
        took, result = host.op("tap.acquire", VM, bridge=BRIDGE, **OURS)
        tools = host.run(*TOOLS_ACQUIRE)
        gone = host.op("tap.release", VM, bridge=BRIDGE, tap=OURS["tap"])[0]
        tools_gone = host.run(*TOOLS_RELEASE)
        if result["pooled"] == pooled: # the pool may have been empty for a moment
            acquired.append((took, tools))
            released.append((gone, tools_gone))
    bench_pairs(bench, f"tap.acquire {'from the pool' if pooled else 'without a pool'}", acquired)
    bench_pairs(bench, "tap.release", released)


def bench_switch(bench, name, pairs_on, pairs_off):
    bench_pairs(bench, f"{name} on", pairs_on)
    bench_pairs(bench, f"{name} off", pairs_off)


def bench_nat(bench, host, rounds):
    guest = {"bridge": BRIDGE, "address": OURS["address"]}
    on, off = [], []
    for _ in range(rounds):
        on.append((host.op("nat.on", VM, uplink="auto", **guest)[0], host.run(TOOLS_NAT[0])))
        off.append((host.op("nat.off", VM, **guest)[0], host.run(TOOLS_NAT[1])))
    bench_switch(bench, "nat", on, off)
    ports = [{"proto": "tcp", "host_ip": "0.0.0.0", "host_port": 8080, "guest_port": 80}]
    on, off = [], []
    for _ in range(rounds):
        on.append((host.op("publish.set", VM, ports=ports, **guest)[0], host.run(TOOLS_PORTS[0])))
        off.append((host.op("publish.set", VM, ports=[], **guest)[0], host.run(TOOLS_PORTS[1])))
    bench_switch(bench, "one published port", on, off)


def bench_operations(bench):
    rounds = 20 if bench.quick else 100
    host = Host(bench.build)
    try:
        host.run(*[["sh", "-c", UPLINK, "-", "true"]])
        bench_taps(bench, host, False, rounds)
        bench_taps(bench, host, True, rounds)
        bench_nat(bench, host, rounds)
    finally:
        host.close()


def bench_dns(bench):
    values = []
    for _ in range(3):
        program = [f"{bench.build}/tests/bench_dns", "1" if bench.quick else "3"]
        values.append(json.loads(subprocess.run(program, check=True, capture_output=True).stdout)["value"])
    bench.row("dns queries by UDP, server on one core", "/s", values, "50000")


def bench_network(bench):
    bench_dns(bench)
    why = refusal()
    if why is not None:
        print(f"(the bridge is not measured: {why})", file=sys.stderr)
        return
    bench_operations(bench)
    bench_daemon(bench)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    bench = Bench(options.build, options.quick)
    header()
    bench.open()
    try:
        bench.provide()
        bench_network(bench)
    finally:
        bench.close()
    bench.print()


if __name__ == "__main__":
    main()
