#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hung.py vmm|hook|hook-in-daemon: what hangs, hangs alone.

vmm: one of 50 VMMs, with its agent, stands still (SIGSTOP). A stop of it waits, an exec in it waits; `banger ps`
answers as before, and all others are stopped, started, executed in and deleted meanwhile, none of them much slower than
some were before.
hook: a capability's hook does not return for one VM, before its deadline and behind it; the same of the others."""
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing generated in the tree
from home import PATIENCE_S, SPEC, Home  # noqa: E402
from guest import until_exit  # noqa: E402  (home says where it is)

VMS, PS_RUNS = 50, 20
PS_BUDGET_MS = 100  # of the median; on a machine with more to do than it has processors, if that is more:
PS_FACTOR = 2  # as compared to the median before
USED_BEFORE = 5  # VMs, each used as the others are later
USE_FACTOR, USE_SLACK_S = 3, 1  # as compared to the slowest of them: one processor's share may change meanwhile
FOR_EVER = "10m"  # what waits is let go long before


class Wrong(Exception):
    pass


class Pending:
    """A request whose answer must not come yet."""

    def __init__(self, home, method, params):
        self.client = home.connect()
        self.method, self.number = method, self.client.begin(method, params)

    def until_stage(self, stage):
        while self.client.heard().get("params", {}).get("stage") != stage:
            pass
        return self

    def expect_none(self):
        while select.select([self.client.socket], [], [], 0)[0] or self.client.pending:
            message = self.client.heard()
            if "method" not in message:
                raise Wrong(f"{self.method} of what hangs was answered: {message}")

    def answer(self):
        while True:
            message = self.client.heard()
            if "method" not in message:
                self.client.close()
                return message


def median_of_ps(home):
    times = []
    environment = dict(os.environ, BANGER_HOME=home.path, BANGER_NO_AUTOSTART="1")
    for _ in range(PS_RUNS):
        begin = time.monotonic()
        subprocess.run([f"{home.build}/bin/banger", "ps"], env=environment, check=True,
                       stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
        times.append((time.monotonic() - begin) * 1000)
    return statistics.median(times)


def expect_quick_ps(before, after, what):
    allowed = PS_BUDGET_MS
    if os.getloadavg()[0] > os.cpu_count():
        allowed = max(allowed, PS_FACTOR * before)
    if after > allowed:
        raise Wrong(f"ps waits for the {what} that hangs: {after:.1f} ms, and not {allowed:.1f}")


def families(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid, *map(int, file.read().split())]


def use(home, name, executes):
    """All that one does with a VM, while something else hangs."""
    home.call("vm.show", {"vm": name})
    if executes:
        with home.client.stream("vm.exec", {"vm": name, "argv": ["true"]}) as stream:
            if until_exit(stream) != 0:
                raise Wrong(f"'true' fails in {name}")
    home.call("vm.stop", {"vm": name, "timeout_ms": 0})
    home.call("vm.start", {"vm": name})
    home.call("vm.delete", {"vm": name})


def slowest_use(home, names, executes):
    """Of each in turn, in seconds."""
    times = []
    for name in names:
        begin = time.monotonic()
        use(home, name, executes)
        times.append(time.monotonic() - begin)
    return max(times)


def expect_no_delay(before, after, what):
    print(f"the slowest use of a VM: {before:.2f} s; with a {what} that hangs {after:.2f} s")
    if after > USE_FACTOR * before + USE_SLACK_S:
        raise Wrong(f"the {what} that hangs delays another VM")


def ends(pending):
    """Its stream, of an exec, is passed at once; with the VM it comes to its end, whatever it had to say."""
    answer = pending.answer()
    if "error" in answer:
        raise Wrong(f"{pending.method} in the VM that hung: {answer}")
    with socket.socket(fileno=pending.client.fd) as stream:
        stream.settimeout(PATIENCE_S)
        while stream.recv(1 << 16):
            pass


def hung_vmm(home):
    names = [f"vm{i}" for i in range(VMS + USED_BEFORE)]
    for name in names:
        home.call("vm.run", dict(SPEC, name=name))
    before = median_of_ps(home)
    used_before = slowest_use(home, names[VMS:], True)
    hung = families(home.call("vm.show", {"vm": names[0]})["pid"])
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    try:
        waiting = [Pending(home, "vm.exec", {"vm": names[0], "argv": ["true"]}),
                   Pending(home, "vm.stop", {"vm": names[0]}).until_stage("graceful_shutdown"),
                   Pending(home, "vm.start", {"vm": names[0]})]
        after = median_of_ps(home)
        used_after = slowest_use(home, names[1:VMS], True)
        for pending in waiting[1:]:
            pending.expect_none()
    finally:
        for pid in hung:
            os.kill(pid, signal.SIGCONT)
    print(f"banger ps with {VMS} VMs: median of {PS_RUNS} {before:.1f} ms; with one VMM stopped {after:.1f} ms")
    expect_quick_ps(before, after, "VMM")
    expect_no_delay(used_before, used_after, "VMM")
    for pending in waiting[1:]:
        answer = pending.answer()
        if "error" in answer:
            raise Wrong(f"{pending.method} of the VM that hung, afterwards: {answer}")
    ends(waiting[0])
    home.call("vm.delete", {"vm": names[0]})


def hung_hook(home):
    gate = f"{home.path}/gate"
    home.call("vm.create", dict(SPEC, name="stuck", labels={"hang": gate}))
    names = [f"vm{i}" for i in range(10 + USED_BEFORE)]
    for name in names:
        home.call("vm.run", dict(SPEC, name=name))
    before = median_of_ps(home)
    used_before = slowest_use(home, names[10:], False)
    with open(gate, "w", encoding="ascii"):
        pass
    waiting = Pending(home, "vm.start", {"vm": "stuck"}).until_stage("prepare")
    after = median_of_ps(home)
    used_after = slowest_use(home, names[:5], False)
    waiting.expect_none()
    print(f"banger ps: median of {PS_RUNS} {before:.1f} ms; with a hook that hangs {after:.1f} ms")
    expect_quick_ps(before, after, "hook")
    expect_no_delay(used_before, used_after, "hook")
    return gate, waiting, names[5:10]


def behind_its_deadline(home, names, warns):
    """The hook of `stuck` has just been given up."""
    answer = Pending(home, "vm.start", {"vm": "stuck"}).answer()
    if warns != ("error" not in answer):
        raise Wrong(f"the hook that hangs was waited for: {answer}")
    for name in names:
        use(home, name, False)


def play_vmm(home):
    home.configure(stub=f'agent = "{home.build}/bin/banger-agent"', more=f'stop_timeout = "{FOR_EVER}"')
    home.open()
    home.provide()
    hung_vmm(home)


def play_hook(home, more):
    """Two daemons: one with all the time, one whose patience ends."""
    home.configure(plugins=f'hang = {{ timeout = "{FOR_EVER}", {more} }},', dirs=("stub", "hang"))
    home.open()
    home.provide()
    gate, waiting, names = hung_hook(home)
    os.unlink(gate)
    waiting.answer()
    home.call("vm.stop", {"vm": "stuck"})
    home.close()
    home.configure(plugins=f'hang = {{ timeout = "500ms", {more} }},', dirs=("stub", "hang"))
    home.open()
    with open(gate, "w", encoding="ascii"):
        pass
    behind_its_deadline(home, names, "warn" in more)
    os.unlink(gate)
    home.call("vm.delete", {"vm": "stuck"})


PLAYS = {
    "vmm": play_vmm,
    "hook": lambda home: play_hook(home, ""),
    # There nothing ends it, and nothing is asked of its capability until it returns: that is the site's policy.
    "hook-in-daemon": lambda home: play_hook(home, 'isolate = false, on_error = "warn"'),
}


def main():
    home = Home(os.environ["BANGER_BUILD"], os.environ["BANGER_HOME"])
    try:
        PLAYS[sys.argv[1]](home)
        home.settle()
        left = home.held(vms=True)
        home.close()
    finally:
        home.abandon()
    for text in left:
        print(text)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
