# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rounds of one operation on one stack: where it is struck, how, and what must be there afterwards.

1. The operation is played undisturbed, with a log of the places that it passes. What there is before, after,
   and without any VM is what every round is compared with.
2. kill: the daemon dies at the place; the next one reconciles.
   again: the same, and the next one dies in its reconcile; the one after it reconciles.
   error, enospc: the operation fails there, and says so. delay: it takes longer, and nothing else.
3. Each round ends with the operation done again, and with all of it taken away again."""
import os
import time
from dataclasses import dataclass

import inventory
from host import Killed
from operations import clear, create_and_start

MODES = ("kill", "again", "error", "enospc", "delay")
# What is written there is told to people, and nothing is decided by it: the operation goes on.
LOG_ONLY = ("oplog.begin:before", "oplog.end:before", "reconcile:begin")


class Left(Exception):
    """What a round found that should not be."""


@dataclass(frozen=True)
class Pass:
    place: str
    number: int
    acts: tuple
    stage: str  # in which it lies

    def __str__(self):
        return f"{self.place}@{self.number}"


def read_passes(log):
    rows, stage = [], ""
    with open(log, encoding="utf-8") as file:
        for line in file:
            where, *acts = line.split()
            place, number = where.split("@")
            name, moment = place.split(":")
            stage = name if moment == "begin" else stage
            rows.append(Pass(place, int(number), tuple(acts), stage))
            stage = "" if moment == "end" else stage
    os.unlink(log)
    return rows


class Rounds:
    def __init__(self, home, operation):
        self.home, self.operation = home, operation
        self.log = f"{home.path}/passes"
        self.wanted, self.reconciles = {}, {}
        self.places = set()

    # -- Undisturbed -----------------------------------------------------------------------------

    def learn(self, pristine):
        """The passes of the operation alone."""
        home, operation = self.home, self.operation
        self.wanted["none"] = pristine
        self.arrange()
        home.open()
        self.wanted["before"] = inventory.take(home)
        home.close()
        home.open(log=self.log)
        before = 0 if operation.own_start else sum(1 for _ in open(self.log, encoding="utf-8"))
        operation.act(home)
        rows = read_passes(self.log)[before:]
        self.wanted["after"] = inventory.take(home)
        self.finish()
        return rows

    def arrange(self):
        self.operation.prepare(self.home)
        self.home.close()
        self.operation.settle(self.home)

    def finish(self):
        home, operation = self.home, self.operation
        clear(home, operation.from_nothing)
        parts = ("run", "shared", "kept") if operation.from_nothing else ("run", "kept")
        self.expect_equal("none", "after all was deleted", parts)

    # -- Comparing -------------------------------------------------------------------------------

    def expect_equal(self, name, when, parts=("run", "shared", "kept")):
        lines = inventory.differences(inventory.take(self.home), self.wanted[name], parts)
        if lines:
            raise Left(f"{when}, compared with {name}: " + "; ".join(lines))

    def expect_one(self, names, when):
        parts = ("run", "kept") if self.operation.whole else ("run",)
        found = inventory.take(self.home)
        differences = [inventory.differences(found, self.wanted[name], parts) for name in names]
        if names and all(differences):
            raise Left(f"{when} it is none of {', '.join(names)}: " + "; ".join(min(differences, key=len)))

    # -- Striking --------------------------------------------------------------------------------

    def strike(self, target, act):
        """"killed" (no daemon is there), "done", or what was said of the failure."""
        try:
            self.home.open(fault=f"{target}:{act}")
            self.operation.act(self.home)
        except Killed:
            return "killed"
        except RuntimeError as error:
            return str(error)
        return "done"

    def expect_failure(self, target, said):
        """Those that nobody is told of, and the log's, are no failure of the operation."""
        if f"failpoint {target.place}" in said:
            return
        tolerated = target.place in LOG_ONLY or self.operation.own_start
        if said != "done" or not tolerated:
            raise Left(f"said: {said}")

    def after_kill(self, target, second):
        said = self.strike(target, "kill")
        if said != "killed":
            raise Left(f"not killed there, but: {said}")
        if second is None:
            self.home.open(log=self.log)
            self.reconciles[target] = read_passes(self.log)
        else:
            try:
                self.home.open(fault=f"{second}:kill")
                raise Left(f"the reconcile did not pass {second}")
            except Killed:
                self.home.open()
        self.expect_one(self.operation.kill, "after the reconcile")

    def after_error(self, target, act):
        said = self.strike(target, act)
        if said == "killed":
            raise Left("the daemon was killed")
        self.expect_failure(target, said)
        if self.home.daemon is None:
            self.home.open()
        if said != "done":
            self.expect_one(self.operation.error, "after the failure")

    def after_delay(self, target):
        said = self.strike(target, "delay")
        if said != "done":
            raise Left(f"said: {said}")
        self.expect_equal("after", "though it only took longer")

    def play(self, mode, target, second=None):
        self.arrange()
        if mode == "delay":
            self.after_delay(target)
        else:
            if mode in ("kill", "again"):
                self.after_kill(target, second)
            else:
                self.after_error(target, mode)
            self.operation.again(self.home)
            self.expect_equal("after", "done again")
        self.finish()

    # -- All of a mode ---------------------------------------------------------------------------

    def run(self, mode, targets):
        """[(Pass, Pass or None)] in turn; what was found wrong, a line each."""
        wrong, slowest = [], (0, "")
        began = time.monotonic()
        for target, second in targets:
            since = time.monotonic()
            self.places |= {row.place for row in (target, second) if row}
            try:
                self.play(mode, target, second)
            except (Left, Killed, RuntimeError) as reason:
                where = f"{target}, then {second}" if second else f"{target}"
                wrong.append(f"{mode} at {where}: {reason or 'the daemon was killed'}")
                self.home.restore()
                create_and_start(self.home)
                clear(self.home, self.operation.from_nothing)
            slowest = max(slowest, (round(time.monotonic() - since, 1), str(target)))
        return {"mode": mode, "runs": len(targets), "wrong": wrong, "places": sorted(self.places),
                "seconds": round(time.monotonic() - began, 1), "slowest": slowest}

