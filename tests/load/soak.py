#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""soak.py: VMs are created, started, executed in, stopped and deleted for SOAK_SECONDS (1800), and nothing grows.

Stub VMs, whose agent runs on this host, at a high rate; beside them a real guest (QEMU), one after the other. As
root in a network namespace of its own, with a bridge and a TAP a stub VM. A capability of a process of its own is
called at each start. The store's log and its events are at their bounds from the beginning.

What is flat: each figure is sampled once a second. The first third is for warming up; in the last third the
median is not above that of the second by more than the margin in the table, which is printed."""
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # nothing generated in the tree
from home import SPEC, Home  # noqa: E402
from guest import until_exit  # noqa: E402  (home says where it is)

SECONDS = int(os.environ.get("SOAK_SECONDS") or 1800)
WORKERS = int(os.environ.get("SOAK_WORKERS") or 2)
GUEST = {"name": "guest", "vcpu": 1, "memory_mib": 128, "image": "guest", "kernel": "linux-image-cloud-amd64", "vmm": "qemu",
         "network": "user"}
SAMPLES_LEAST = 15
LIVES_LEAST = 50  # of stub VMs in a third: one thing left behind in so many lives is found

# figure: (unit, absolute margin, relative margin)
MARGINS = {
    "descriptors": ("", 3, 0),
    "resident": ("KiB", 1536, 0.03),  # the allocator's fragments come together in steps of up to 1.3 MiB, at any time
    "threads": ("", 3, 0),
    "processes": ("", 3, 0),
    "journal": ("rows", 5, 0),
    "records": ("rows", 3, 0),
    "leases": ("rows", 3, 0),
    "log": ("rows", 0, 0.01),
    "database": ("KiB", 512, 0.03),
    "run folders": ("", 3, 0),
    "VM folders": ("", 3, 0),
    "links": ("", 3, 0),
}


# -- Work --------------------------------------------------------------------------------------------


class Worker(threading.Thread):
    """One VM's whole life, again and again, until it is told to end."""

    def __init__(self, home, spec, stop):
        super().__init__()
        self.client, self.spec, self.stop = home.connect(), spec, stop
        self.is_over = threading.Event()
        self.cycles, self.failure = 0, None

    def run(self):
        try:
            while not self.is_over.is_set():
                self.cycle()
                self.cycles += 1
        except Exception as error:  # a thread's end must not be its secret
            self.failure = f"{self.spec['name']}: {type(error).__name__}: {error}"
        self.client.close()

    def cycle(self):
        vm = {"vm": self.spec["name"]}
        self.client.call("vm.create", self.spec)
        self.client.call("vm.start", vm)
        with self.client.stream("vm.exec", dict(vm, argv=["true"])) as stream:
            if until_exit(stream) != 0:
                raise RuntimeError("'true' fails")
        self.client.call("vm.stop", dict(vm, **self.stop))
        self.client.call("vm.delete", vm)


def fill(home):
    """The log and the events up to their bounds, with copies of real rows; the triggers cut what is too much."""
    database = sqlite3.connect(f"{home.path}/state/banger.db")
    for table, bound in (("operations", 20000), ("events", 10000)):
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        names = ", ".join(columns)
        # One VM's log has a bound of its own: each copy is another VM's.
        values = ", ".join("lower(hex(randomblob(16)))" if name == "vm_id" else name for name in columns)
        rows = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for _ in range(bound // rows + 1):
            database.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} ORDER BY id LIMIT {rows}")
    database.commit()
    database.close()


# -- Figures -----------------------------------------------------------------------------------------


def status_of(pid, *names):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        found = dict(line.split(":", 1) for line in file)
    return [int(found[name].split()[0]) for name in names]


def descendants(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
        except OSError:
            continue  # it has just ended
    return found


def sample(home):
    def rows(table):
        return int(home._rows(f"SELECT count(*) FROM {table}")[0])
    resident, threads = status_of(home.daemon.pid, "RssAnon", "Threads")
    folder = f"{home.path}/state"
    in_home = {pid for pid, _ in home._processes()}
    links = json.loads(subprocess.run(["ip", "-j", "link", "show"], check=True, capture_output=True).stdout)
    return {
        "descriptors": home.descriptors(),
        "resident": resident,
        "threads": threads,
        "processes": len(in_home.union(descendants(home.daemon.pid))),
        "journal": rows("resources"),
        "records": rows("vms"),
        "leases": rows("leases"),
        "log": rows("operations") + rows("events"),
        "database": sum(os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder)
                        if name.startswith("banger.db")) // 1024,
        "run folders": len(os.listdir(f"{home.path}/run/vms")),
        "VM folders": len(os.listdir(f"{folder}/vms")),
        "links": len(links),
    }


def judge(samples):
    """Prints the table; the figures that grow."""
    third = len(samples) // 3
    parts = samples[:third], samples[third:2 * third], samples[2 * third:]
    print(f"{'median of a third':<20}{'first':>10}{'second':>10}{'last':>10}{'allowed':>10}")
    grown = []
    for name, (unit, absolute, relative) in MARGINS.items():
        first, second, last = (statistics.median(row[name] for row in part) for part in parts)
        allowed = second + max(absolute, relative * second)
        text = f"{name}, {unit}" if unit else name
        print(f"{text:<20}{first:>10.0f}{second:>10.0f}{last:>10.0f}{allowed:>10.0f}{'  GROWS' if last > allowed else ''}")
        if last > allowed:
            grown.append(name)
    return grown


# -- The run -----------------------------------------------------------------------------------------


def settings(home, network):
    home.configure(stub=f'agent = "{home.build}/bin/banger-agent"', plugins="bridge = { pool = 2 },",
                   dirs=("stub", "hang"), more='boot_timeout = "3m"')
    return dict(SPEC, network=network)


def warm_up(home, spec):
    """Real rows for the log; at their bounds, the daemon begins anew."""
    worker = Worker(home, dict(spec, name="first"), {"timeout_ms": 0})
    for _ in range(20):
        worker.cycle()
    worker.client.close()
    home.close()
    fill(home)
    home.open()


def soak(home, spec):
    workers = [Worker(home, dict(spec, name=f"stub{i}"), {"timeout_ms": 0}) for i in range(WORKERS)]
    workers.append(Worker(home, GUEST, {}))
    for worker in workers:
        worker.start()
    samples, begin = [], time.monotonic()
    while time.monotonic() < begin + SECONDS and not any(worker.failure for worker in workers):
        samples.append(sample(home))
        time.sleep(1)
    for worker in workers:
        worker.is_over.set()
    for worker in workers:
        worker.join()
    took = time.monotonic() - begin
    *stubs, guests = [worker.cycles for worker in workers]
    print(f"{took:.0f} s, {len(samples)} samples: {sum(stubs)} lives of stub VMs, {guests} of real guests")
    wrong = [worker.failure for worker in workers if worker.failure]
    return samples, wrong or worked(sum(stubs), guests)


def worked(stubs, guests):
    """What was done is enough to say that nothing grows."""
    third = stubs // 3
    print(f"found is what {MARGINS['links'][1] + 1} of {third} lives leave behind (a third's)")
    wrong = [] if guests else ["no real guest has had a whole life"]
    if third < LIVES_LEAST:
        wrong.append(f"only {third} lives of stub VMs in a third, of {LIVES_LEAST} at least")
    return wrong


def inside(home):
    """In the namespace, if there is one."""
    network = "bridge" if os.environ.get("SOAK_NETWORK") == "bridge" else "user"
    spec = settings(home, network)
    home.open()
    warm_up(home, spec)
    samples, wrong = soak(home, spec)
    if len(samples) < SAMPLES_LEAST:
        wrong.append(f"only {len(samples)} samples")
    elif not wrong:
        wrong += [f"{name} grows" for name in judge(samples)]
    home.settle()
    wrong += home.held(vms=True)
    home.close()
    return wrong


def provide(home):
    """With the network of this machine, before there is none."""
    settings(home, "user")
    home.open()
    home.provide()
    home.call("kernel.import", {"deb": "linux-image-cloud-amd64", "name": "linux-image-cloud-amd64"})
    home.call("image.build", {"kind": "tiny", "name": "guest"})
    home.close()


def main():
    build = os.environ["BANGER_BUILD"]
    if len(sys.argv) == 2:
        home = Home(build, sys.argv[1])
        try:
            wrong = inside(home)
        finally:
            home.abandon()
        print(*wrong, sep="\n")
        return 1 if wrong else 0
    path = tempfile.mkdtemp(prefix="banger-soak-")
    home = Home(build, path)
    try:
        provide(home)
        command = [sys.executable, os.path.abspath(__file__), path]
        can = os.geteuid() == 0 and subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0
        if can:
            command = ["unshare", "--net", "--", *command]
        environment = dict(os.environ, SOAK_NETWORK="bridge" if can else "user")
        return subprocess.run(command, check=False, env=environment).returncode
    finally:
        home.abandon()
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
