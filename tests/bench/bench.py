#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures banger. On the stub VMM, which answers at once, what is measured is banger itself; beside
real guests, the same QEMU command line is run bare, in turn, in the same run.

    bench.py --build build [--quick]

Prints a table on stderr and one JSON object on stdout. Asserts nothing: machines differ."""
import argparse
import subprocess

from guest import bare_boot_to_exec, banger_boot_to_exec
from harness import STUB, Bench, header, timed
from network import bench_network
from snapshot import bench_snapshot


def bench_start_stop(bench, known):
    """start and stop of one stub VM whose disk is there, with `known` other VMs in the store."""
    name = f"probe{known}"
    bench.client.call("vm.create", dict(STUB, name=name))
    bench.client.call("vm.start", {"vm": name})
    bench.client.call("vm.stop", {"vm": name, "timeout_ms": 0})
    starts, stops = [], []
    for _ in range(20 if bench.quick else 200):
        starts.append(timed(bench.client.call, "vm.start", {"vm": name}))
        stops.append(timed(bench.client.call, "vm.stop", {"vm": name, "timeout_ms": 0}))
    bench.row(f"start overhead, {known} VMs known", "ms", starts, "p50 10, p99 25")
    bench.row(f"stop, {known} VMs known", "ms", stops, "5")
    bench.client.call("vm.delete", {"vm": name})


def bench_ps(bench, known):
    banger = f"{bench.build}/bin/banger"
    rounds = 10 if bench.quick else 50
    for arguments, budget in ((["ps"], "5"), (["ps", "-a"], None)):
        times = [timed(lambda: subprocess.run([banger, *arguments], stdout=subprocess.DEVNULL, check=True))
                 for _ in range(rounds)]
        bench.row(f"banger {' '.join(arguments)} (process), {known} VMs known", "ms", times, budget)


def bench_memory(bench):
    bench.row("bangerd resident, idle", "KiB", [bench.rss_kib()], "10240")
    count = 10 if bench.quick else 50
    before = bench.rss_kib()
    for i in range(count):
        bench.client.call("vm.run", dict(STUB, name=f"running{i}"))
    bench.row(f"bangerd resident a running VM (of {count})", "KiB",
              [(bench.rss_kib() - before) / count], "32")
    for i in range(count):
        bench.client.call("vm.delete", {"vm": f"running{i}"})


def bench_known(bench):
    made = 0
    for known in (0, 100) if bench.quick else (0, 100, 1000):
        for i in range(made, known):
            bench.client.call("vm.create", dict(STUB, name=f"known{i}"))
        made = known
        bench_start_stop(bench, known)
        bench_ps(bench, known)


def bench_hooks(bench):
    program = f"{bench.build}/tests/bench_hooks"
    for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        hooks, nanoseconds = line.split()
        bench.row(f"dispatch of {hooks} in-process hook(s), each", "us", [float(nanoseconds) / 1000],
                  "1" if hooks == "100" else None)


def bench_isolate(bench):
    """A dispatch of one hook each: with the handover to a thread, which both have."""
    command = [f"{bench.build}/tests/bench_isolate", f"{bench.build}/bin/banger-plugin",
               f"{bench.build}/tests/plugins/measured.so"]
    times = {}
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        place, hook, nanoseconds = line.split()
        times.setdefault((place, hook), []).append(int(nanoseconds) / 1000)
    for (place, hook), values in times.items():
        bench.row(f"one {place} hook, {'reads a key' if hook == 'key' else 'does nothing'}", "us", values,
                  "p50 300" if place == "isolated" else None)


LUA_BUDGETS = {"hook in-process": "50", "contribute in-process": "50", "hook isolated": "300",
               "contribute isolated": "300"}
LUA_NAMES = {"expand": "finding 20 unchanged Lua hooks", "hook": "an empty Lua hook, warm",
             "contribute": "a Lua hook that contributes twice, warm"}


def bench_lua(bench):
    program = f"{bench.build}/tests/bench_lua"
    for line in subprocess.run([program, bench.build], check=True, capture_output=True, text=True).stdout.splitlines():
        name, where, microseconds = line.split()
        bench.row(f"{LUA_NAMES[name]}, {where}", "us", [float(microseconds)], LUA_BUDGETS.get(f"{name} {where}"))


def bench_guest(bench):
    """Time to the first exec: `banger` and the bare VMM, in turn, same kernel, initramfs and disk."""
    bench.client.call("vm.create", {"name": "guest"})
    bench.client.call("vm.start", {"vm": "guest"})
    vm = bench.client.call("vm.show", {"vm": "guest"})
    with open(f"/proc/{vm['pid']}/cmdline", encoding="utf-8") as cmdline:
        argv = cmdline.read().split("\0")[:-1]
    bench.client.call("vm.stop", {"vm": "guest"})
    ours, bare, ratios = [], [], []
    for _ in range(3 if bench.quick else 15):
        ours.append(banger_boot_to_exec(bench.client, "guest"))
        bench.client.call("vm.stop", {"vm": "guest"})
        bare.append(bare_boot_to_exec(argv))
        ratios.append(ours[-1] / bare[-1])
    bench.row("first exec through banger", "ms", ours)
    bench.row("first exec of the bare VMM", "ms", bare)
    bench.row("ratio of the two, pair by pair", "x", ratios, "1.05")
    bench.client.call("vm.delete", {"vm": "guest"})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    bench = Bench(options.build, options.quick)
    header()
    bench.open()
    try:
        bench_hooks(bench)
        bench_isolate(bench)
        bench_lua(bench)
        bench.provide()
        bench.reopen() # a fresh daemon: what an import leaves in the heap is not idle memory
        bench_memory(bench)
        bench_network(bench)
        bench_snapshot(bench, options.build, 10 if options.quick else 50)
        bench_known(bench)
        bench_guest(bench)
    finally:
        bench.close()
    bench.print()


if __name__ == "__main__":
    main()
