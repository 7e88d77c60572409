#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""worker.py STACK HOME OPERATION[:MODE]...: plays their rounds, and prints a line of JSON for each mode, and one behind
each operation.

Runs as root in namespaces of its own (matrix.py makes them): HOME becomes a file system in memory, with what the
folder had; the network has an uplink that leads nowhere; there are no cgroups, but in the testbed; and whatever it
starts ends with it."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True  # nothing generated in the tree
import choose  # noqa: E402
import inventory  # noqa: E402
from host import Home  # noqa: E402
from operations import OPERATIONS, clear, create_and_start  # noqa: E402
from rounds import MODES, Rounds  # noqa: E402
from stacks import STACKS  # noqa: E402

NETWORK = """
ip link set lo up
ip link add uplink0 type veth peer name inet0
ip address add 10.99.0.1/24 dev uplink0
ip link set uplink0 up
ip link set inet0 up
ip route add default via 10.99.0.2
"""

# How the lines begin that the inventory must have of a VM that runs: one that does not see a thing finds none left.
ANYWHERE = ("process ", "folder run/vms/", "VM probe running", "spec ", "image ", "kernel ",
            "file state/vms/ID/rootfs.", "journal core process ", "journal core dir ")
BRIDGED = ("link tap-fc-", "link br-fc ", "nft table ", "nft guests has ", "nft macs has ", "nft nat has ",
           "nft publish has ", "tcp 127.0.0.1:", "probe.vm is ", "ip_forward 1", "lease bridge address ",
           "journal bridge tap ", "journal nat nat ", "journal nat publish ")
SEEN = {
    "stub": ANYWHERE + BRIDGED,
    "qemu": ANYWHERE + BRIDGED + ("socket run/vms/",),
    "dm-snapshot": ANYWHERE + ("device ", "node ", "loop device ", "cgroup ", "journal dm-snapshot snapshot ",
                               "journal core cgroup "),
}


def run(*argv):
    subprocess.run(argv, check=True)


def make_network():
    for line in NETWORK.strip().splitlines():
        run(*line.split())
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
        file.write("0\n")


def hide_cgroups():
    """Of one hierarchy a host has one only, which workers side by side would see each other's VMs in. The testbed is
    each worker's own."""
    run("mount", "-t", "tmpfs", "-o", "mode=755,size=64k", "no-cgroups", "/sys/fs/cgroup")


def make_home(path):
    template = f"{path}.given"
    os.makedirs(path, exist_ok=True)
    os.makedirs(template, exist_ok=True)
    run("mount", "--bind", path, template)
    run("mount", "-t", "tmpfs", "-o", "mode=700,size=90%", "home", path)
    run("cp", "-a", "--sparse=always", f"{template}/.", path)


def expect_seen(stack, found):
    lines = [line for part in found.values() for line in part]
    unseen = [start for start in SEEN[stack] if not any(line.startswith(start) for line in lines)]
    if unseen:
        raise RuntimeError(f"the inventory of a VM that runs has none of: {', '.join(unseen)}")


def warm_up(home, stack):
    """What the first VM ever makes, such as a key, is there before anything is compared."""
    create_and_start(home)
    expect_seen(stack, inventory.take(home))
    home.pin("a.stranger")
    clear(home, True)
    pristine = inventory.take(home)
    home.close()
    home.save()
    home.open()
    return pristine


def play(home, stack, name, modes, pristine, full):
    """The rows of `pairs` need those of `kill`."""
    rounds = Rounds(home, OPERATIONS[name])
    rows = rounds.learn(pristine)
    for mode in MODES:
        targets = choose.singles(mode, rows, stack, name, full)
        if mode == "again":
            targets = list(choose.pairs(rounds.reconciles, stack, name, full))
        if mode in modes and targets:
            print(json.dumps(dict(rounds.run(mode, targets), stack=stack, operation=name)), flush=True)


def main():
    stack, path, *jobs = sys.argv[1:]
    make_network()
    run("mount", "--make-rprivate", "/")
    if not STACKS[stack].in_testbed:
        hide_cgroups()
    make_home(path)
    home = Home(os.environ["BANGER_BUILD"], path, STACKS[stack])
    home.open()
    home.provide()
    pristine = warm_up(home, stack)
    for job in jobs:
        name, _, mode = job.partition(":")
        play(home, stack, name, ("kill", mode) if mode == "again" else (mode,) if mode else MODES, pristine,
             os.environ.get("BANGER_FULL") == "1")
        if job == jobs[-1]:  # a daemon that then ends badly is told of, too
            home.close()
        print(json.dumps({"done": name}), flush=True)


if __name__ == "__main__":
    main()
