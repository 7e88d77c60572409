#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""faults.py OPERATION kill|fail: one operation, killed or failed at each of its failpoints in turn.

1. A dry run lists the passes of the operation (core/base/failpoint.h), from a state that every round
   begins in.
2. kill: the daemon dies at pass N. The next one reconciles; nothing that belongs to a run is held unless
   the VM runs, the operation can be repeated, and after a delete nothing at all is left.
3. fail: the operation's error names pass N; then as above, in the same daemon."""
import argparse
import os
import select
import signal
import sys
import time

sys.dont_write_bytecode = True  # nothing generated in the tree
from host import PATIENCE_S, Home, Killed  # noqa: E402

VM = "probe"
SPEC = {"name": VM, "kernel": "fake", "image": "tiny", "vmm": "stub", "network": "bridge", "memory_mib": 64,
        "disk_mib": 64, "nat": True, "publish": ["8080:80"]}


class Left(Exception):
    """What a round found that should not be."""


def expect(condition, text):
    if not condition:
        raise Left(text)


def vm_of(home):
    """None: there is none (any more)."""
    return next(iter(home.call("vm.list", {"all": True})), None)


def state_of(home):
    vm = vm_of(home)
    return vm and vm["state"]


def nothing_held(home, when, **more):
    left = home.held(**more)
    expect(not left, f"{when}: " + "; ".join(left))


def delete(home):
    """The end of every round, and a check of its own."""
    if state_of(home):
        home.call("vm.delete", {"vm": VM})
    nothing_held(home, "after the delete", vms=True)


def remove_network(home):
    """After it there is nothing of us on this host."""
    home.call("network.remove", {"network": "bridge"})
    nothing_held(home, "after the network's removal", vms=True, network=True)


class Operation:
    """prepare in one daemon, settle without one, act in the one that is struck, check in the next."""
    is_own_start = False  # not asked for by anybody, so that nobody is told of a failure
    is_from_nothing = False  # each round; else the bridge stays from one to the next

    @staticmethod
    def settle(home):
        pass


class Start(Operation):
    """With no bridge, no table and no warm TAP there."""
    is_from_nothing = True

    @staticmethod
    def prepare(home):
        home.call("vm.create", SPEC)

    @staticmethod
    def act(home):
        home.call("vm.start", {"vm": VM})

    @staticmethod
    def check(home, mode, place):
        state = state_of(home)
        if mode == "kill" and place in ("record:after", "persist:end") and state == "running":
            return
        expect(state == "error" or (mode == "kill" and state == "created"), f"the state is {state}")
        nothing_held(home, f"in state {state}")
        Start.act(home)
        expect(state_of(home) == "running", "a second start does not bring it up")


class Stop(Operation):
    """A running VM, which the daemon that dies has taken up from an earlier one."""

    @staticmethod
    def prepare(home):
        home.call("vm.create", SPEC)
        home.call("vm.start", {"vm": VM})

    @staticmethod
    def act(home):
        home.call("vm.stop", {"vm": VM})

    @staticmethod
    def check(home, mode, place):
        state = state_of(home)
        expect(state in ("running", "stopped", "error"), f"the state is {state}")
        if mode == "kill" and state != "running":
            nothing_held(home, f"in state {state}")
        Stop.act(home)
        nothing_held(home, "after the second stop")
        expect(state_of(home) == "stopped", "a second stop does not stop it")


class Delete(Operation):
    prepare = Stop.prepare

    @staticmethod
    def act(home):
        home.call("vm.delete", {"vm": VM})

    @staticmethod
    def check(home, mode, place):
        state = state_of(home)
        if mode == "kill" and state != "running":
            nothing_held(home, f"in state {state}")


def connected_as_recorded(home, when):
    spec = vm_of(home)["spec"]
    ports = [int(text.split(":")[0]) for text in spec["publish"]]
    wanted = (spec["nat"], ports, int(spec["nat"] or bool(ports)))
    found = home.connected()
    expect(found == wanted, f"{when}: NAT, ports, ip_forward are {found}, in the record {wanted}")


class Connect(Operation):
    """NAT and a port for a VM that runs. Half of it is as bad as something left: what is recorded, and
    shown, must be what is."""
    before = {"nat": False, "publish": []}
    after = {"nat": True, "publish": ["8081:80"]}

    @classmethod
    def prepare(cls, home):
        home.call("vm.create", dict(SPEC, **cls.before))
        home.call("vm.start", {"vm": VM})

    @classmethod
    def act(cls, home):
        home.call("vm.set", dict(cls.after, vm=VM))

    @classmethod
    def check(cls, home, mode, place):
        expect(state_of(home) == "running", f"the state is {state_of(home)}")
        connected_as_recorded(home, "then")
        cls.act(home)
        connected_as_recorded(home, "after the second set")
        Stop.act(home)
        nothing_held(home, "after the stop")


class Disconnect(Connect):
    before, after = Connect.after, Connect.before


class RemoveNetwork(Operation):
    """The bridge, the tables and the warm TAP, when no VM is there any more."""
    is_from_nothing = True

    @staticmethod
    def prepare(home):
        Stop.prepare(home)
        home.call("vm.delete", {"vm": VM})

    @staticmethod
    def act(home):
        home.call("network.remove", {"network": "bridge"})

    @staticmethod
    def check(home, mode, place):
        nothing_held(home, "then", vms=True)  # the rest is what the second removal finds


class TakeUp(Operation):
    """The daemon's own start, with a VM that runs."""
    is_own_start = True
    prepare = Stop.prepare

    @staticmethod
    def act(home):
        pass  # opening it was

    @staticmethod
    def check(home, mode, place):
        expect(state_of(home) == "running", f"the state is {state_of(home)}")
        Stop.act(home)
        nothing_held(home, "after the stop")


class CleanUp(TakeUp):
    """The daemon's own start, with a VM whose VMM has ended meanwhile."""
    vmm = None

    @classmethod
    def prepare(cls, home):
        Stop.prepare(home)
        cls.vmm = vm_of(home)["pid"]

    @classmethod
    def settle(cls, home):
        handle = os.pidfd_open(cls.vmm)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], PATIENCE_S)
        os.close(handle)

    @staticmethod
    def check(home, mode, place):
        if mode == "fail":
            expect(state_of(home) in ("running", "error", "stopped"), f"the state is {state_of(home)}")
            Stop.act(home)  # what a failed cleanup leaves is given back by the next
        expect(state_of(home) == "stopped", f"the state is {state_of(home)}")
        nothing_held(home, "afterwards")


OPERATIONS = {"start": Start, "stop": Stop, "delete": Delete, "connect": Connect,
              "disconnect": Disconnect, "remove-network": RemoveNetwork, "take-up": TakeUp, "clean-up": CleanUp}


def passes(log):
    with open(log, encoding="utf-8") as file:
        return [line.rstrip("\n").split(" ", 1)[1] for line in file]


def clear(home, operation):
    delete(home)
    if operation.is_from_nothing:
        remove_network(home)


def is_idle(rows, i):
    """Between a stage's end and the next one's begin nothing is done (core/lifecycle/stage.c)."""
    return i > 0 and rows[i][1].endswith(":begin") and rows[i - 1][1].endswith(":end")


def enumerate_passes(home, operation):
    """[(number, place, whether it can fail)] of the operation alone."""
    log = f"{home.path}/passes"
    home.open()
    operation.prepare(home)
    home.close()
    operation.settle(home)
    home.open(log=log)
    before = 0 if operation.is_own_start else len(passes(log))
    operation.act(home)
    home.close()
    rows = [(number, line.removesuffix(" kill-only"), not line.endswith(" kill-only"))
            for number, line in enumerate(passes(log), 1)]
    os.unlink(log)
    home.open()
    clear(home, operation)
    return rows[before:]


def strike(home, operation, mode, number, place):
    """The operation with its failpoint; leaves a daemon running."""
    log = f"{home.path}/passes"
    try:
        home.open(failpoint=f"{number}:{mode}", log=log)
        operation.act(home)
    except Killed:
        home.open()
        expect(mode == "kill", f"bangerd was killed: see {home.path}/bangerd.log")
        last = passes(log)[-1].removesuffix(" kill-only")
        expect(last == place, f"it was killed at {last}: the passes come in another order")
        return
    except RuntimeError as error:
        expect(mode == "fail" and f"failpoint {place}" in str(error), f"said: {error}")
        return
    finally:
        os.unlink(log)
    expect(mode == "fail" and operation.is_own_start, "it succeeded")


def play(home, operation, mode, number, place):
    operation.prepare(home)
    home.close()
    operation.settle(home)
    strike(home, operation, mode, number, place)
    operation.check(home, mode, place)
    clear(home, operation)


def run(home, name, mode):
    operation = OPERATIONS[name]
    rows = enumerate_passes(home, operation)
    rounds = [(number, place) for i, (number, place, can_fail) in enumerate(rows)
              if (can_fail if mode == "fail" else not is_idle(rows, i))]
    expect(rounds, f"a {name} passes no failpoint")
    began = time.monotonic()
    wrong = 0
    for number, place in rounds:
        try:
            play(home, operation, mode, number, place)
        except (Left, RuntimeError) as reason:
            wrong += 1
            print(f"{name}, {mode} at {number} {place}: {reason}", flush=True)
            home.scrub()
    remove_network(home)
    took = time.monotonic() - began
    print(f"{name}, {mode}: {len(rounds)} places, {wrong} wrong, {took:.1f} s, {took / len(rounds):.3f} s each")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("mode", choices=["kill", "fail"])
    parser.add_argument("--list", action="store_true", help="print the places and end")
    options = parser.parse_args()
    home = Home(os.environ["BANGER_BUILD"], os.environ["BANGER_HOME"])
    home.open()
    home.provide()
    home.close()
    try:
        if options.list:
            for number, place, can_fail in enumerate_passes(home, OPERATIONS[options.operation]):
                print(number, place, "" if can_fail else "kill-only")
            return 0
        return 1 if run(home, options.operation, options.mode) else 0
    except Left as reason:
        print(f"{options.operation}, undisturbed: {reason}")
        return 1
    finally:
        if home.daemon:
            home.close()


if __name__ == "__main__":
    sys.exit(main())
