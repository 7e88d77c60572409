#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""concurrency.py [--seed N]: many clients, random operations on a few VMs, and whether every answer fits.

The clients' choices come from the seed, which is printed. What runs beside what is up to the machine, so that
a seed which failed may need several tries. Rounds end at rest: then each name's operations, with the final
list as the last, must have an order that respects time (model.py), and at the end nothing may be held."""
import argparse
import os
import random
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True  # nothing generated in the tree
from home import SPEC, Home  # noqa: E402
from model import History, Op, State  # noqa: E402

METHODS = {  # weights
    "create": 18, "start": 20, "stop": 9, "kill": 6, "restart": 9, "delete": 7, "set": 12, "show": 10, "list": 5,
    "crash": 4,
}
STUBS = [None] * 6 + ["ignore-stop", "refuse"]
CANCELLED, LEAVING, RUN_AND_LEAVE = 0.08, 0.05, 0.01


class Tester:
    """What the clients share."""

    def __init__(self, home, options):
        self.home, self.options = home, options
        self.names = [f"vm{i}" for i in range(options.vms)]
        self.lock = threading.Lock()
        self.numbers = 0
        self.operations = {name: [] for name in self.names}
        self.killed = []
        self.pids = {}  # of VMMs, as the answers to starts have named them
        self.counts = {}
        self.broken = []

    def number(self):
        with self.lock:
            self.numbers += 1
            return self.numbers

    def note(self, name, operation, outcome):
        with self.lock:
            self.operations[name].append(operation)
            key = (operation.kind, outcome)
            self.counts[key] = self.counts.get(key, 0) + 1


class Caller:
    """One client of one round. Its random numbers are its own: its choices do not depend on the others."""

    def __init__(self, tester, number, seed):
        self.tester, self.number = tester, number
        self.random = random.Random(seed)
        self.client = tester.home.connect()

    def run(self, count):
        try:
            for _ in range(count):
                self.step()
        except Exception as error:  # a thread's end must not be its secret
            self.tester.broken.append(f"client {self.number}: {type(error).__name__}: {error}")
        finally:
            self.client.close()

    def params(self, kind, name):
        params = {"vm": name}
        if kind in ("create", "set"):
            labels = {"n": str(self.tester.number()), "stub": self.random.choice(STUBS)}
            params = dict(SPEC, name=name) if kind == "create" else params
            if kind == "create" and labels["stub"] is None:
                del labels["stub"]
            params["labels"] = labels
        elif kind in ("stop", "restart"):
            params["timeout_ms"] = self.random.choice([0, 30, 2000])
        elif kind == "kill":
            params["signal"] = self.random.choice(["TERM", "KILL"])
        return params

    def step(self):
        kind = self.random.choices(list(METHODS), METHODS.values())[0]
        name = self.random.choice(self.tester.names)
        behaviour = self.random.random()
        patience = self.random.choice([0, 0.001, 0.01, 0.05])
        params = self.params(kind, name)
        if kind == "crash":
            self.crash(name)
        elif kind == "list":
            self.look()
        elif behaviour < CANCELLED:
            self.ask(kind, name, params, patience)
        elif behaviour < CANCELLED + LEAVING:
            self.leave(kind, name, params, patience)
        elif behaviour < CANCELLED + LEAVING + RUN_AND_LEAVE:
            self.run_and_leave()
        else:
            self.ask(kind, name, params)

    # -- What a client does ----------------------------------------------------------------------

    def answer_of(self, number):
        while True:
            message = self.client.heard()
            if message.get("id") == number and "method" not in message:
                break
        if "error" not in message:
            return ("ok", message["result"])
        error = message["error"]
        return ("error", error["data"]["name"], error["message"])

    def ask(self, kind, name, params, patience=None):
        """`patience`: then it is cancelled; the answer is waited for all the same."""
        start = time.monotonic_ns()
        number = self.client.begin(f"vm.{kind}", params)
        if patience is not None:
            self.wait(patience)
            self.client.cancel(number)
        answer = self.answer_of(number)
        self.note(kind, name, params, start, time.monotonic_ns(), answer)
        if kind in ("start", "restart") and answer[0] == "ok":
            self.tester.pids[name] = answer[1].get("pid")

    def leave(self, kind, name, params, patience):
        """Without the answer. When the operation was over is known at the round's end only."""
        start = time.monotonic_ns()
        self.client.begin(f"vm.{kind}", params)
        self.wait(patience)
        self.client.close()
        self.client = self.tester.home.connect()
        if kind != "show":
            self.note(kind, name, params, start, None, ("unknown",))

    def run_and_leave(self):
        """A VM that goes with its client; the model knows nothing of it, the end of the test does."""
        self.client.begin("vm.run", dict(SPEC, name=f"leased{self.tester.number()}", rm=True))
        self.wait(self.random.choice([0, 0.05, 0.2]))
        self.client.close()
        self.client = self.tester.home.connect()

    def crash(self, name):
        """Ends the VMM that an answer has named last, if it still runs."""
        pid = self.tester.pids.pop(name, None)
        if pid is None:
            return
        start = time.monotonic_ns()
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(f"{self.tester.home.path}/run/vms/"):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                self.tester.killed.append(pid)
                self.note("crash", name, {"pid": pid}, start, None, ("unknown",))
        except (FileNotFoundError, ProcessLookupError):
            pass  # somebody was first
        finally:
            os.close(handle)

    def look(self):
        start = time.monotonic_ns()
        vms = self.answer_of(self.client.begin("vm.list", {"all": True}))[1]
        end = time.monotonic_ns()
        shown = {vm["name"]: vm for vm in vms}
        for name in self.tester.names:
            self.note("list", name, {}, start, end, ("ok", shown.get(name)))

    @staticmethod
    def wait(seconds):
        """Not for anything: to be at another place of the operation each time."""
        if seconds:
            time.sleep(seconds)

    def note(self, kind, name, params, start, end, answer):
        args = dict(params.get("labels") or params)
        if "labels" in params:
            args = {"n": params["labels"]["n"], "stub": params["labels"].get("stub")}
        operation = Op(kind, start, end, args, answer, self.tester.number())
        self.tester.note(name, operation, answer[1] if answer[0] == "error" else answer[0])


# -- Rounds ------------------------------------------------------------------------------------------


def state_of(view):
    if view is None:
        return None
    labels = view["spec"]["labels"]
    return State(view["id"], view["state"], view.get("pid"), labels.get("n"), labels.get("stub"))


def play(tester, round_number, count):
    """All clients at once, then rest. The VMs at the end."""
    callers = [Caller(tester, i, f"{tester.options.seed}/{round_number}/{i}") for i in range(tester.options.clients)]
    shares = [count // len(callers) + (i < count % len(callers)) for i in range(len(callers))]
    threads = [threading.Thread(target=caller.run, args=(share,)) for caller, share in zip(callers, shares)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    killed, tester.killed = tester.killed, []
    return {vm["name"]: vm for vm in tester.home.settle(killed)}


def judge(tester, before, after):
    """Whether each name's history fits what there was and what there is."""
    wrong = 0
    for name in tester.names:
        now = time.monotonic_ns()
        operations = [op._replace(end=op.end or now) for op in tester.operations[name]]
        operations.append(Op("list", now + 1, now + 2, {}, ("ok", after.get(name)), -1))
        tester.operations[name] = []
        history = History(operations)
        if not history.linearize(before.get(name)):
            wrong += 1
            print(f"{name}, which was {before.get(name)}: {history.explain()}", flush=True)
    return wrong


def run(tester):
    options = tester.options
    before, wrong, left, rounds = {}, 0, options.operations, 0
    while left > 0 and not wrong:
        count = min(left, options.clients * 10)
        after = play(tester, rounds, count)
        wrong = judge(tester, before, after) + len(tester.broken)
        before = {name: state_of(vm) for name, vm in after.items() if name in tester.names}
        strangers = [name for name in after if name not in tester.names]
        if strangers:
            wrong += 1
            print(f"round {rounds}: the leases of {strangers} have not ended them")
        left, rounds = left - count, rounds + 1
    return wrong, rounds


def close(tester, descriptors):
    """Deletes what there is; then nothing may be there."""
    home = tester.home
    for vm in home.call("vm.list", {"all": True}):
        home.call("vm.delete", {"vm": vm["name"]})
    home.settle()
    left = home.held(vms=True)
    if home.descriptors() > descriptors:
        left.append(f"{home.descriptors() - descriptors} descriptors more than at the beginning")
    home.close()
    complaints = home.complaints()
    return left + ([complaints] if complaints else [])


def table(counts):
    kinds = sorted({kind for kind, _ in counts})
    outcomes = sorted({outcome for _, outcome in counts})
    lines = [f"{'':<8}" + "".join(f"{outcome:>11}" for outcome in outcomes)]
    for kind in kinds:
        lines.append(f"{kind:<8}" + "".join(f"{counts.get((kind, outcome), 0):>11}" for outcome in outcomes))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", default=os.environ.get("LOAD_SEED") or str(random.SystemRandom().randrange(10**9)))
    parser.add_argument("--operations", type=int, default=int(os.environ.get("LOAD_OPERATIONS") or 10000))
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--vms", type=int, default=20)
    options = parser.parse_args()
    home = Home(os.environ["BANGER_BUILD"], os.environ["BANGER_HOME"])
    home.open()
    home.provide()
    home.settle()
    descriptors = home.descriptors()
    tester = Tester(home, options)
    print(f"seed {options.seed}: {options.operations} operations, {options.clients} clients, {options.vms} VMs", flush=True)
    began = time.monotonic()
    try:
        wrong, rounds = run(tester)
        took = time.monotonic() - began
        left = close(tester, descriptors)
    finally:
        home.abandon()
    for text in tester.broken + left:
        print(text)
    print(table(tester.counts))
    print(f"{rounds} rounds in {took:.1f} s, {wrong} wrong, {len(left)} left behind; "
          f"again: LOAD_SEED={options.seed}")
    return 1 if wrong or left else 0


if __name__ == "__main__":
    sys.exit(main())
