# SPDX-License-Identifier: LGPL-2.1-or-later
"""A home, its daemon, and the failpoints that are set in it. Runs in namespaces of its own (worker.py), whose
first process this is: orphans are its children."""
import json
import os
import random
import signal
import subprocess
import sys

import inventory

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../bench")
from client import Client  # noqa: E402

# What a guest looks like to an import: tests/integration/fake_kernel.py.
BUILTIN = ["kernel/virtio_mmio.ko", "kernel/virtio_blk.ko", "kernel/virtio_console.ko", "kernel/ext4.ko"]
CONFIG = """return {{ health_interval = 0, boot_timeout = '3m',
  vm = {{ network = '{network}', vmm = '{vmm}', rootfs = '{rootfs}' }},
  plugins = {{ bridge = {{ pool = 1 }}, stub = {{ isolate = false }}{off} }},
  plugin_dirs = {{ '{build}/tests/stub' }} }}
"""


class Killed(Exception):
    """The daemon ended by SIGKILL."""


class Home:
    def __init__(self, build, path, stack):
        self.build, self.path, self.stack = build, path, stack
        self.daemon = self.client = None
        os.makedirs(path, exist_ok=True)
        off = "".join(f", ['{name}'] = {{ enabled = false }}" for name in stack.without)
        with open(f"{path}/config.lua", "w", encoding="utf-8") as config:
            config.write(CONFIG.format(build=build, network=stack.network, vmm=stack.vmm,
                                       rootfs=stack.rootfs, off=off))

    # -- What guests are made of -----------------------------------------------------------------

    def provide(self):
        parts = self.parts
        os.makedirs(f"{parts}/modules", exist_ok=True)
        subprocess.run([sys.executable, f"{HERE}/../integration/fake_kernel.py", f"{parts}/kernel"], check=True)
        for name in ("dep", "order", "builtin"):
            with open(f"{parts}/modules/modules.{name}", "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in BUILTIN if name == "builtin"))
        os.makedirs(f"{parts}/tree", exist_ok=True)
        with open(f"{parts}/tree/{inventory.MARK}", "wb") as file:
            file.write(random.Random(1).randbytes(1 << 20))
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", f"{parts}/tree", f"{parts}/root", "4M"], check=True,
                       stdout=subprocess.DEVNULL)
        if not self.stack.guests:
            self.import_kernel("kernel")
            self.register_image("image")

    @property
    def parts(self):
        return f"{self.path}/parts"

    def import_kernel(self, name):
        self.call("kernel.import", {"vmlinuz": f"{self.parts}/kernel", "modules": f"{self.parts}/modules",
                                    "name": name})

    def register_image(self, name):
        self.call("image.register", {"path": f"{self.parts}/root", "name": name})

    def pin(self, name):
        """As a client of ssh does."""
        with open(f"{self.path}/state/ssh/known_hosts", "a", encoding="utf-8") as file:
            file.write(f"{name} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA0KDQoNCg0KDQoNCg0KDQoNCg0KDQoNCg0KDQoNCg0K\n")

    # -- The daemon ------------------------------------------------------------------------------

    def open(self, fault=None, log=None):
        """Killed: by its failpoint, before it was ready."""
        environment = dict(os.environ, BANGER_HOME=self.path)
        if fault:
            environment["BANGER_FAULT"] = fault
        if log:
            environment["BANGER_FAULT_LOG"] = log
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
        self.client.socket.settimeout(self.stack.patience_s)

    def reap(self):
        status = self.daemon.wait(self.stack.patience_s)
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

    # -- By force --------------------------------------------------------------------------------

    def save(self):
        subprocess.run(["cp", "-a", "--sparse=always", f"{self.path}/state", f"{self.path}/parts/state"], check=True)

    def restore(self):
        """After a round that left something, so that the next one is its own."""
        if self.daemon:
            self.daemon.kill()
            try:
                self.reap()
            except Killed:
                pass
        for pid, _, _ in inventory.processes(self):
            os.kill(pid, signal.SIGKILL)
        for link in json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True).stdout):
            if link["ifname"] not in inventory.OWN_LINKS:
                subprocess.run(["ip", "link", "delete", link["ifname"]], check=True)
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
            file.write("0\n")
        if self.stack.in_testbed:
            subprocess.run(["dmsetup", "remove_all"], check=True)
        subprocess.run(["rm", "-rf", f"{self.path}/run", f"{self.path}/state"], check=True)
        subprocess.run(["cp", "-a", "--sparse=always", f"{self.path}/parts/state", f"{self.path}/state"], check=True)
        self.open()

    # -- Its VM ----------------------------------------------------------------------------------

    def vm(self):
        """None: there is none (any more)."""
        return next(iter(self.call("vm.list", {"all": True})), None)

    def state(self):
        vm = self.vm()
        return vm and vm["state"]
