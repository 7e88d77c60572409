# SPDX-License-Identifier: LGPL-2.1-or-later
"""The operations that are struck, one class each; OPERATIONS at the end is the table.

`prepare` in one daemon, `settle` without one, `act` in the one that is struck, `again` in the next or the same.
After `again` all must be as after an operation that nobody disturbed. What is asked before that:

  kill    what may be there once the next daemon has reconciled: "before", "after", "none" (no run's part), "grown" (as
          before, but for the size of the disk), "unserved" (as before, but without what the daemon itself serves for
          the VM: its name, its ports on this host's own address)
  error   the same, in the daemon that told of the failure; "held" too: what could not be given back has its row in
          the journal, and nothing else is there (inventory.py)
  whole   asked of what is kept too; else of the part of runs only
"""
import json
import os
import select
import signal

import inventory

VM = "probe"
SPEC = {"name": VM, "kernel": "kernel", "image": "image", "memory_mib": 64, "disk_mib": 64,
        "nat": True, "publish": ["8080:80"]}


class Operation:
    kill, error, whole = ("before", "after"), ("before",), False
    own_start = False  # the daemon's own: nobody asked for it, so that nobody is told of a failure
    answers = False  # a failure may be nobody's: it has another way, or it belongs to the answer
    from_nothing = False  # no bridge, no table and no warm TAP is there at first
    network = None  # the one that it needs

    @classmethod
    def error_at(cls, place):
        """What may be there after a failure at that place."""
        return cls.error

    @staticmethod
    def prepare(home):
        pass

    @staticmethod
    def settle(home):
        pass

    @classmethod
    def again(cls, home):
        cls.act(home)


def create(home, **changes):
    home.call("vm.create", dict(SPEC, **home.stack.spec, **changes))


def start(home):
    home.call("vm.start", {"vm": VM})


def create_and_start(home, **changes):
    create(home, **changes)
    start(home)


class Start(Operation):
    kill, error = ("none", "after"), ("none",)
    from_nothing = True
    prepare = staticmethod(create)
    act = staticmethod(start)


class Stop(Operation):
    """A VM that the daemon which is struck has taken up from an earlier one."""
    kill, error = ("before", "none"), ("before", "none", "held")
    prepare = staticmethod(create_and_start)

    @staticmethod
    def act(home):
        home.call("vm.stop", {"vm": VM})


class Kill(Stop):
    @staticmethod
    def act(home):
        home.call("vm.kill", {"vm": VM})


class Restart(Stop):
    @staticmethod
    def act(home):
        home.call("vm.restart", {"vm": VM})


class Delete(Stop):
    """With a pin of its key, as a client of ssh makes one."""
    @staticmethod
    def prepare(home):
        create_and_start(home)
        home.pin(f"{VM}.vm")

    @staticmethod
    def act(home):
        if home.state():
            home.call("vm.delete", {"vm": VM})


class Run(Operation):
    """`vm run --rm`: whoever asked has left with the daemon, or was told of the failure."""
    kill, error, whole = ("before",), ("before",), True
    from_nothing = True

    @staticmethod
    def again(home):
        if not home.state():
            Run.act(home)

    @staticmethod
    def act(home):
        home.call("vm.run", dict(SPEC, **home.stack.spec, rm=True))


class Create(Operation):
    whole = True

    @staticmethod
    def act(home):
        if not home.state():
            create(home)


class Set(Operation):
    """Of a VM that does not run: its disk grows, and more. A disk cannot shrink again, so that one which has grown may
    be larger than its record says, until the set is repeated (core/lifecycle/set.c)."""
    kill, error, whole = ("before", "grown", "after"), ("before", "grown"), True

    @staticmethod
    def prepare(home):
        create_and_start(home)
        home.call("vm.stop", {"vm": VM})

    @staticmethod
    def act(home):
        disk = home.stack.spec.get("disk_mib", SPEC["disk_mib"]) + 32
        ports = {"nat": False, "publish": ["8081:80"]} if home.stack.network == "bridge" else {}
        home.call("vm.set", dict(ports, vm=VM, disk_mib=disk))


class Connect(Operation):
    """NAT and a port for a VM that runs. Half of it is as bad as something left: what is recorded, and
    shown, must be what is."""
    whole, network = True, "bridge"
    first, then = {"nat": False, "publish": []}, {"nat": True, "publish": ["8081:80"]}

    @classmethod
    def prepare(cls, home):
        create_and_start(home, **cls.first)

    @classmethod
    def act(cls, home):
        home.call("vm.set", dict(cls.then, vm=VM))


class Disconnect(Connect):
    first, then = Connect.then, Connect.first


def has(home, kind, name):
    return any(item["name"] == name for item in home.call(f"{kind}.list", {}))


class ImageRegister(Operation):
    whole = True

    @staticmethod
    def act(home):
        if not has(home, "image", "extra"):
            home.register_image("extra")


def reopen(home):
    home.close()
    home.open()


class ImageDelete(Operation):
    """The record goes first. Files that cannot be removed are the next daemon's to remove."""
    error, whole = ("before", "after", "held"), True
    prepare = ImageRegister.act

    @classmethod
    def again(cls, home):
        cls.act(home)
        reopen(home)

    @staticmethod
    def act(home):
        if has(home, "image", "extra"):
            home.call("image.delete", {"image": "extra"})


class KernelImport(Operation):
    whole = True

    @staticmethod
    def act(home):
        if not has(home, "kernel", "extra"):
            home.import_kernel("extra")


class KernelDelete(ImageDelete):
    prepare = KernelImport.act

    @staticmethod
    def act(home):
        if has(home, "kernel", "extra"):
            home.call("kernel.delete", {"kernel": "extra"})


class RemoveNetwork(Operation):
    """When no VM is there any more."""
    kill, error = ("none",), ("none",)
    from_nothing, network = True, "bridge"

    @staticmethod
    def prepare(home):
        create_and_start(home)
        home.call("vm.delete", {"vm": VM})

    @staticmethod
    def act(home):
        home.call("network.remove", {"network": "bridge"})


class TakeUp(Operation):
    """The daemon's own start, with a VM that runs: it goes on, whatever becomes of the daemon. A capability that fails
    is asked a second time, and then serves all; where nobody is asked at all, none can (core/lifecycle/reconcile.c)."""
    kill, error = ("before",), ("before",)
    own_start = True
    asks_nobody = ("reconcile:vm", "reconcile:adopted")

    @classmethod
    def error_at(cls, place):
        return ("unserved",) if place in cls.asks_nobody else cls.error

    prepare = staticmethod(create_and_start)

    @staticmethod
    def act(home):
        pass  # opening it was

    @staticmethod
    def again(home):
        if home.state() != "running":
            raise RuntimeError(f"the VM is {home.state()}")
        reopen(home)


class CleanUp(TakeUp):
    """The daemon's own start, with a VM whose VMM has ended meanwhile."""
    kill, error = ("none",), ("none", "held")

    @classmethod
    def error_at(cls, place):
        return ("unknown",) if place == "reconcile:vm" else cls.error

    @staticmethod
    def settle(home):
        vmms = [pid for pid, _, state in inventory.processes(home) if state != "Z"]
        for pid in vmms:
            handle = os.pidfd_open(pid)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], home.stack.patience_s)
            os.close(handle)

    @staticmethod
    def again(home):
        home.call("vm.stop", {"vm": VM})


class DaemonStop(Operation):
    """With a VM that runs."""
    kill, whole = ("before",), True
    prepare = staticmethod(create_and_start)

    @staticmethod
    def act(home):
        reopen(home)


class Doctor(Operation):
    """It changes nothing. A check that fails is in the answer, or "auto" has another provider."""
    kill, error, whole, answers = ("before",), ("before",), True, True
    prepare = staticmethod(create)

    @staticmethod
    def act(home):
        said = json.dumps(home.call("doctor", {}))
        if "failpoint" in said:
            raise RuntimeError(said)


OPERATIONS = {
    "start": Start, "stop": Stop, "kill": Kill, "restart": Restart, "delete": Delete, "run": Run, "create": Create,
    "set": Set, "set-on": Connect, "set-off": Disconnect, "image-register": ImageRegister,
    "image-delete": ImageDelete, "kernel-import": KernelImport, "kernel-delete": KernelDelete,
    "network-remove": RemoveNetwork, "daemon-take-up": TakeUp, "daemon-clean-up": CleanUp,
    "daemon-stop": DaemonStop, "doctor": Doctor,
}


def can_be(operation, stack):
    return OPERATIONS[operation].network in (None, stack.network)


def clear(home, network):
    """All that any of them makes, away."""
    if home.state():
        home.call("vm.delete", {"vm": VM})
    for kind in ("image", "kernel"):
        if has(home, kind, "extra"):
            home.call(f"{kind}.delete", {kind: "extra"})
    if network and home.stack.network == "bridge":
        home.call("network.remove", {"network": "bridge"})
