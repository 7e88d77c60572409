# SPDX-License-Identifier: LGPL-2.1-or-later
"""A home for a daemon under load: stub VMs on no network of the host's, so that no namespace is needed.
What a daemon holds there, counted."""
import os
import signal
import sqlite3
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../faults", f"{HERE}/../bench"]
import host  # noqa: E402
from client import Client  # noqa: E402
from stacks import STACKS  # noqa: E402

SPEC = {"kernel": "kernel", "image": "image", "vmm": "stub", "memory_mib": 64, "disk_mib": 64}
PATIENCE_S = 300  # a loaded machine, a daemon with a sanitizer; what has not come by then never will
RETRY_S = 0.02


class Home(host.Home):
    def __init__(self, build, path, **configuration):
        super().__init__(build, path, STACKS["stub"])
        self.configure(**configuration)

    def configure(self, stub="", plugins="", dirs=("stub",), more=""):
        """For the daemon's next start. `stub`: more keys of the stub's, `plugins`, `more`: more items of the
        configuration, all in Lua; `dirs`: folders of build/tests."""
        folders = ", ".join(f'"{self.build}/tests/{name}"' for name in dirs)
        with open(f"{self.path}/config.lua", "w", encoding="utf-8") as config:
            config.write('return { vm = { network = "user", vmm = "stub" }, '
                         f'plugins = {{ stub = {{ isolate = false, {stub} }}, {plugins} }}, '
                         f'plugin_dirs = {{ {folders} }}, {more} }}\n')

    def open(self, fault=None, log=None):
        super().open(fault, log)
        self.client.socket.settimeout(PATIENCE_S)

    def abandon(self):
        """After a test that failed: no process outlives it, so that nobody waits for what it has open."""
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None
        for pid, _ in self._processes():
            os.kill(pid, signal.SIGKILL)

    def connect(self):
        client = Client(f"{self.path}/run/bangerd.sock")
        client.socket.settimeout(PATIENCE_S)
        return client

    def held(self, vms=False, network=False):
        left = [f"journal: {row}" for row in self._rows("SELECT owner, kind, key, state FROM resources")]
        left += [text for _, text in self._processes()]
        left += [f"run folder {name}" for name in _list(f"{self.path}/run/vms")]
        if vms:
            left += [f"VM {row}" for row in self._rows("SELECT name, state FROM vms")]
            left += [f"lease {row}" for row in self._rows("SELECT owner, pool, number FROM leases")]
            left += [f"folder {name}" for name in _list(f"{self.path}/state/vms")]
        return left

    def _rows(self, query):
        database = sqlite3.connect(f"file:{self.path}/state/banger.db?mode=ro", uri=True)
        try:
            return [" ".join(map(str, row)) for row in database.execute(query)]
        finally:
            database.close()

    def _processes(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                folder = os.readlink(f"/proc/{pid}/cwd")  # a VMM's is its VM's run folder
            except OSError:
                continue
            if folder.startswith(f"{self.path}/"):
                yield int(pid), f"process {pid} in {folder}"

    def settle(self, pids=()):
        """Until nothing is under way any more: every request answered or given up, every end of a VMM
        (`pids`: those that were killed) noticed. Then all VMs."""
        for pid in pids:
            until(lambda: not os.path.exists(f"/proc/{pid}"), f"nobody has taken the killed process {pid} away")
        until(self._is_idle, "the daemon does not come to rest")
        return self.call("vm.list", {"all": True})

    def _is_idle(self):
        return self.call("daemon.status", {})["jobs"] == 1

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def complaints(self):
        """What sanitizers have said."""
        with open(f"{self.path}/bangerd.log", encoding="utf-8", errors="replace") as log:
            text = log.read()
        return text if "Sanitizer" in text or "runtime error:" in text else ""


def _list(path):
    return os.listdir(path) if os.path.isdir(path) else []


def until(condition, text):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(text)
        time.sleep(RETRY_S)
