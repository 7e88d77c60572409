# SPDX-License-Identifier: LGPL-2.1-or-later
"""A home with a kernel and an image that only look like it, its daemon, and what there is of it on the
host. Runs in a network namespace of the suite's own, as root."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../bench")
from client import Client  # noqa: E402

PATIENCE_S = 60  # what has not come by then never will
SHARED = re.compile(r"banger:[0-9a-f]+:(bridge|pool)$")  # aliases: core/host/alias.h
IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"
SHARED_SETS = re.compile(r"uplinks$|owner-")
# What a guest looks like to an import: tests/integration/fake_kernel.py.
BUILTIN = ["kernel/virtio_mmio.ko", "kernel/virtio_blk.ko", "kernel/virtio_console.ko", "kernel/ext4.ko"]


class Killed(Exception):
    """The daemon ended by SIGKILL."""


class Home:
    def __init__(self, build, path):
        self.build, self.path = build, path
        self.daemon = self.client = None
        os.makedirs(path, exist_ok=True)
        with open(f"{path}/config.lua", "w", encoding="utf-8") as config:
            config.write('return { vm = { network = "bridge", vmm = "stub" }, '
                         'plugins = { bridge = { pool = 1 }, stub = { isolate = false } }, '
                         f'plugin_dirs = {{ "{build}/tests/stub" }} }}\n')

    def provide(self):
        parts = f"{self.path}/parts"
        os.makedirs(f"{parts}/modules", exist_ok=True)
        subprocess.run([sys.executable, f"{HERE}/../integration/fake_kernel.py", f"{parts}/kernel"], check=True)
        for name in ("dep", "order", "builtin"):
            with open(f"{parts}/modules/modules.{name}", "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in BUILTIN if name == "builtin"))
        subprocess.run(["mke2fs", "-q", "-t", "ext4", f"{parts}/root", "2M"], check=True, stdout=subprocess.DEVNULL)
        self.call("kernel.import", {"vmlinuz": f"{parts}/kernel", "modules": f"{parts}/modules", "name": "fake"})
        self.call("image.register", {"path": f"{parts}/root", "name": "tiny"})

    # -- The daemon ------------------------------------------------------------------------------

    def open(self, failpoint=None, log=None):
        """Killed: by its failpoint, before it was ready."""
        environment = dict(os.environ, BANGER_HOME=self.path)
        if failpoint:
            environment["BANGER_FAILPOINT"] = failpoint
        if log:
            environment["BANGER_FAILPOINT_LOG"] = log
        ready, told = os.pipe()
        with open(f"{self.path}/bangerd.log", "ab") as errors:
            self.daemon = subprocess.Popen([f"{self.build}/bin/bangerd", "--ready-fd", str(told)], cwd="/",
                                           pass_fds=[told], stderr=errors, env=environment)
        os.close(told)
        with os.fdopen(ready) as pipe:
            said = pipe.read()
        if said != "ready\n":
            self.reap()
            raise RuntimeError(f"bangerd did not start: {said}")
        self.client = Client(f"{self.path}/run/bangerd.sock")
        self.client.socket.settimeout(PATIENCE_S)

    def reap(self):
        status = self.daemon.wait(PATIENCE_S)
        self.daemon = None
        if self.client:
            self.client.close()
            self.client = None
        if status == -signal.SIGKILL:
            raise Killed
        return status

    def call(self, method, params):
        try:
            return self.client.call(method, params)
        except (EOFError, ConnectionError):
            status = self.reap()
            raise RuntimeError(f"{method}: bangerd ended with {status}") from None

    def close(self):
        self.daemon.terminate()
        status = self.reap()
        if status != 0:
            raise RuntimeError(f"bangerd ended with {status}")

    def scrub(self):
        """After a round that left something: takes it away by force, so that the next one is its own."""
        if self.daemon:
            self.close()
        for pid, _ in self._processes():
            os.kill(pid, signal.SIGKILL)
        for name, _ in self._links(True):
            subprocess.run(["ip", "link", "delete", name], check=True)
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        with open(IP_FORWARD, "w", encoding="ascii") as file:
            file.write("0\n")
        for name in ("run/vms", "state/vms", "run/ip_forward.found"):
            subprocess.run(["rm", "-rf", f"{self.path}/{name}"], check=True)
        with sqlite3.connect(f"{self.path}/state/banger.db") as database:
            for table in ("resources", "leases", "vms"):
                database.execute(f"DELETE FROM {table}")
        database.close()
        self.open()

    # -- What there is ---------------------------------------------------------------------------

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

    @staticmethod
    def _links(network):
        for link in _json("ip", "-j", "link", "show"):
            alias = link.get("ifalias", "")
            if alias.startswith("banger:") and (network or not SHARED.match(alias)):
                yield link["ifname"], f"link {link['ifname']} ({alias})"

    @staticmethod
    def _rules(network):
        for entry in _json("nft", "-j", "list", "ruleset")["nftables"]:
            kind, what = next(iter(entry.items()))
            if kind == "table" and network:
                yield f"nft table {what['family']} {what['name']}"
            if kind in ("set", "map") and not SHARED_SETS.match(what["name"]) and what.get("elem"):
                yield f"nft {kind} {what['name']} has {what['elem']}"

    def connected(self):
        """(whether a VM has NAT, its published ports on this host, ip_forward)"""
        nat, ports = False, []
        for entry in _json("nft", "-j", "list", "ruleset")["nftables"]:
            kind, what = next(iter(entry.items()))
            if kind == "set" and what["name"] == "nat":
                nat = bool(what.get("elem"))
            if kind == "map" and what["name"] == "publish":
                ports += [key["elem"]["val"]["concat"][2] for key, _ in what.get("elem", [])]
        with open(IP_FORWARD, encoding="ascii") as file:
            return nat, ports, int(file.read())

    def held(self, vms=False, network=False):
        """What is there of runs of VMs; with `vms` of VMs at all, with `network` of what they share."""
        left = [f"journal: {row}" for row in self._rows("SELECT owner, kind, key, state FROM resources")]
        left += [text for _, text in (*self._processes(), *self._links(network))]
        left += self._rules(network)
        left += [f"run folder {name}" for name in _list(f"{self.path}/run/vms")]
        with open(IP_FORWARD, encoding="ascii") as file:
            if file.read() != "0\n" or os.path.exists(f"{self.path}/run/ip_forward.found"):
                left.append("ip_forward is not as it was found")
        if vms:
            left += [f"VM {row}" for row in self._rows("SELECT name, state FROM vms")]
            left += [f"lease {row}" for row in self._rows("SELECT owner, pool, number FROM leases")]
            left += [f"folder {name}" for name in _list(f"{self.path}/state/vms")]
        return left


def _json(*argv):
    return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)


def _list(path):
    return os.listdir(path) if os.path.isdir(path) else []
