#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures root disks on device-mapper: the host operations, in turn with the same devices made by
processes of `losetup` and `dmsetup`. Needs device-mapper and root, so most often:

    make testbed CMD="tests/bench/snapshot.py --build build"
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

from harness import Figures, header

VM = "11112222333344445555666677778888"
MIB = 1 << 20
IMAGE, COW, TAIL = 256 * MIB, 260 * MIB, 1792 * MIB
BUDGET = {"attach": 10, "detach": 45}  # ms, in the testbed

# Numbers that nobody else has here, so that processes need not be asked for them.
LOOPS = {"base": "/dev/loop50", "cow": "/dev/loop51"}
NAME = "bench-snapshot"


class Host:
    """bench_host, which times what it is told to do."""

    def __init__(self, build, state):
        # Without udevd dmsetup makes no node unless it is told so.
        environment = dict(os.environ, DM_DISABLE_UDEV="1")
        self.process = subprocess.Popen([f"{build}/tests/bench_host", state], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment)

    def work(self, **job):
        """Milliseconds."""
        print(json.dumps(job), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit("snapshot.py: bench_host has ended")
        return json.loads(line)["ns"] / 1e6

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def make_files(state):
    folder = f"{state}/vms/{VM}"
    os.makedirs(folder)
    os.makedirs(f"{state}/images")
    paths = {"base": f"{state}/images/base", "cow": f"{folder}/cow", "tail": f"{folder}/tail"}
    for name, size in (("base", IMAGE), ("cow", COW), ("tail", TAIL)):
        with open(paths[name], "wb") as file:
            file.truncate(size)
    return paths


def arguments(paths, tail):
    status = os.stat(paths["base"])
    args = {"base": paths["base"], "base_size": status.st_size, "base_inode": status.st_ino,
            "cow": paths["cow"], "chunk": 4096}
    return dict(args, tail=paths["tail"]) if tail else args


def by_operations(host, paths, tail):
    return (host.work(op="snapshot.attach", vm=VM, args=arguments(paths, tail)),
            host.work(op="snapshot.detach", vm=VM, args={}))


def by_processes(host, paths):
    table = f"0 {IMAGE // 512} snapshot {LOOPS['base']} {LOOPS['cow']} PO 8"
    return (host.work(run=[["losetup", "--read-only", LOOPS["base"], paths["base"]],
                           ["losetup", LOOPS["cow"], paths["cow"]],
                           ["dmsetup", "create", NAME, "--table", table]]),
            host.work(run=[["dmsetup", "remove", NAME],
                           ["losetup", "--detach", LOOPS["cow"]],
                           ["losetup", "--detach", LOOPS["base"]]]))


WAYS = {
    "operations": lambda host, paths: by_operations(host, paths, False),
    "operations, disk larger than its image": lambda host, paths: by_operations(host, paths, True),
    "losetup and dmsetup": by_processes,
}


def measure(figures, host, paths, rounds):
    took = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, run in WAYS.items():
            took[way].append(run(host, paths))
    for number, what in enumerate(("attach", "detach")):
        for way, pairs in took.items():
            budget = BUDGET[what] if way.startswith("operations") else None
            figures.row(f"{what}: {way}", "ms", [pair[number] for pair in pairs], budget)


def refusal():
    if os.geteuid() != 0:
        return "device-mapper needs root"
    missing = next((name for name in ("dmsetup", "losetup") if not shutil.which(name)), None)
    if missing:
        return f"{missing} is not installed"
    asked = subprocess.run(["dmsetup", "targets"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return None if asked.returncode == 0 \
        else "there is no device-mapper (tests/bench/snapshot.py says how it is done in the testbed)"


def bench_snapshot(figures, build, rounds):
    """Whether it could be measured here."""
    why = refusal()
    if why:
        print(f"root disks on device-mapper are not measured: {why}", file=sys.stderr)
        return False
    state = tempfile.mkdtemp(prefix="bench-snapshot-")
    host = Host(os.path.realpath(build), state)
    try:
        measure(figures, host, make_files(state), rounds)
    finally:
        host.close()
        shutil.rmtree(state)
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    figures = Figures()
    header()
    if not bench_snapshot(figures, options.build, options.rounds):
        sys.exit(1)
    figures.print()


if __name__ == "__main__":
    main()
