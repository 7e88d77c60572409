# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon to measure, in a home of its own, and the rows of what was measured."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from client import Client


class Figures:
    """What was measured, as a table on stderr and JSON on stdout."""

    def __init__(self):
        self.rows = []

    def print(self):
        json.dump({"figures": self.rows, "cpus": os.cpu_count()}, sys.stdout, indent=1)
        print()

    def row(self, name, unit, values, budget=None):
        ordered = sorted(values)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        row = {"name": name, "unit": unit, "n": len(values), "min": ordered[0],
               "p50": statistics.median(ordered), "p99": p99, "max": ordered[-1], "budget": budget}
        self.rows.append(row)
        print(f"{name:<44} {row['p50']:>10.3f} {p99:>10.3f} {row['max']:>10.3f} {unit:<6} "
              f"{len(values):>5}  {budget or ''}", file=sys.stderr)


class Bench(Figures):
    def __init__(self, build, quick):
        super().__init__()
        self.build = build
        self.quick = quick
        self.home = tempfile.mkdtemp(prefix="banger-bench-")
        os.environ["BANGER_HOME"] = self.home
        self.daemon = None
        self.client = None

    def open(self, network="user", inside=()):
        """`inside`: a command that ends by executing its arguments, in a place of its own."""
        with open(f"{self.home}/config.lua", "w", encoding="utf-8") as config:
            config.write(f'return {{ vm = {{ network = "{network}" }}, '
                         'plugins = { stub = { isolate = false } }, '
                         f'plugin_dirs = {{ "{self.build}/tests/stub" }} }}\n')
        ready, told = os.pipe()
        log = open(f"{self.home}/bangerd.log", "ab")
        self.daemon = subprocess.Popen([*inside, f"{self.build}/bin/bangerd", "--ready-fd", str(told)],
                                       pass_fds=[told], stderr=log)
        os.close(told)
        with os.fdopen(ready) as pipe:
            if pipe.readline() != "ready\n":
                sys.exit("bangerd did not start: see " + log.name)
        self.client = Client(f"{self.home}/run/bangerd.sock")

    def provide(self):
        """What a VM needs; the package comes from apt."""
        self.client.call("kernel.import", {"deb": "linux-image-cloud-amd64",
                                           "name": "linux-image-cloud-amd64"})
        self.client.call("image.build", {"kind": "tiny"})

    def end(self):
        self.client.close()
        self.daemon.terminate()
        self.daemon.wait()

    def reopen(self, **where):
        self.end()
        self.open(**where)

    def clear(self):
        for vm in self.client.call("vm.list", {"all": True, "brief": True}):
            self.client.call("vm.delete", {"vm": vm["name"]})

    def close(self):
        self.clear()
        self.end()
        shutil.rmtree(self.home)

    def rss_kib(self):
        with open(f"/proc/{self.daemon.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def timed(function, *arguments):
    start = time.monotonic_ns()
    function(*arguments)
    return (time.monotonic_ns() - start) / 1e6


STUB = {"vmm": "stub", "memory_mib": 64, "disk_mib": 256}


def header():
    print(f"{'':<44} {'p50':>10} {'p99':>10} {'max':>10} {'unit':<6} {'n':>5}  budget", file=sys.stderr)
