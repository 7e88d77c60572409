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
TEXT = 1500  # letters of what is told about a round
SETTLED_S = 10
WARM = 2  # TAPs that wait for a VM: twice `pool` of host.py's configuration
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


def read_passes(log, skip=0):
    """What `skip` lines say is another operation's, and so is the stage that they left open."""
    rows, stage = [], ""
    with open(log, encoding="utf-8") as file:
        for line in file.readlines()[skip:]:
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

    # -- Undisturbed -----------------------------------------------------------------------------

    def learn(self, pristine):
        """The passes of the operation alone."""
        home, operation = self.home, self.operation
        self.wanted["none"] = pristine
        self.share()
        operation.prepare(home)
        self.wanted["prepared"] = inventory.take(home)
        home.close()
        operation.settle(home)
        home.open()
        self.wanted["before"] = inventory.take(home)
        if operation.own_start:  # that opening has done what is to be learned: once more
            clear(home, False)
            self.arrange()
        else:
            home.close()
        home.open(log=self.log)
        before = 0 if operation.own_start else sum(1 for _ in open(self.log, encoding="utf-8"))
        operation.act(home)
        rows = read_passes(self.log, before)
        self.wanted["after"] = inventory.take(home)
        self.wanted["grown"] = inventory.grown(self.wanted["before"], self.wanted["after"])
        self.finish()
        return rows

    def share(self):
        """What all VMs share is there, or it is not: as every round of the operation begins."""
        create_and_start(self.home)
        clear(self.home, self.operation.from_nothing)

    def arrange(self):
        self.operation.prepare(self.home)
        self.home.close()
        self.operation.settle(self.home)

    def finish(self):
        home, operation = self.home, self.operation
        clear(home, operation.from_nothing)
        parts = ("run", "shared", "kept") if operation.from_nothing else ("run", "kept")
        self.expect_equal("none", "after all was deleted", parts, 0 if operation.from_nothing else WARM)

    # -- Comparing -------------------------------------------------------------------------------

    def look(self, when, warm=WARM):
        found = inventory.take(self.home)
        if inventory.warm_taps(found) > warm:
            raise Left(f"{when} {inventory.warm_taps(found)} TAPs wait, and not {warm} at most")
        return found

    def expect_equal(self, name, when, parts=("run", "shared", "kept"), warm=WARM):
        lines = inventory.differences(self.look(when, warm), self.wanted[name], parts)
        if lines:
            raise Left(f"{when}, compared with {name}: " + "; ".join(lines))

    def expect_one(self, names, when):
        """The daemon goes on by itself with what failed, such as the cleanup behind a VMM that has ended: until that
        is over, a thing and its row are not looked at in one moment."""
        parts = ("run", "kept") if self.operation.whole else ("run",)
        end = time.monotonic() + SETTLED_S
        differences = [[""]]
        while all(differences) and time.monotonic() < end:
            found = self.look(when)
            differences = [self.compare(found, name, parts) for name in names]
        if all(differences):
            raise Left(f"{when} it is none of {', '.join(names)}: " + "; ".join(min(differences, key=len)))

    def compare(self, found, name, parts):
        """Where what is kept is not asked of, the record's state is all the same: it must be that of the VMM."""
        if name in ("held", "unknown"):
            clean = self.wanted["after" if self.operation.whole else "none"]
            lines = inventory.unheld(found, self.wanted["prepared"], clean, parts)
        elif name == "unserved":
            lines = inventory.unserved(found, self.wanted["before"], parts)
        else:
            lines = inventory.differences(found, self.wanted[name], parts)
        return lines if name == "unknown" else lines + inventory.misrecorded(found, name == "held")

    # -- Striking --------------------------------------------------------------------------------

    def strike(self, target, act):
        """"killed" (no daemon is there), "done", or what was said of the failure."""
        said = "done"
        try:
            self.home.open(fault=f"{target}:{act}", log=self.log)
            self.operation.act(self.home)
        except Killed:
            said = "killed"
        except RuntimeError as error:
            said = str(error)
        if str(target) not in map(str, read_passes(self.log)):
            raise Left(f"not passed; said: {said}")
        return said

    def expect_failure(self, target, said):
        """Those that nobody is told of, and the log's, are no failure of the operation."""
        if f"failpoint {target.place}" in said:
            return
        tolerated = target.place in LOG_ONLY or self.operation.own_start or self.operation.answers
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
        if said == "done" and target.place in LOG_ONLY and not self.operation.own_start:
            self.expect_equal("after", "though only the log failed")
        else:
            self.expect_one(self.operation.error_at(target.place), "after the failure")

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
        wrong, slowest, places = [], (0, ""), set()
        began = time.monotonic()
        for target, second in targets:
            since = time.monotonic()
            places |= {row.place for row in (target, second) if row}
            try:
                self.play(mode, target, second)
            except (Left, Killed, RuntimeError, OSError) as reason:  # OSError: no answer in time
                where = f"{target}, then {second}" if second else f"{target}"
                wrong.append(f"{mode} at {where}: {reason or 'the daemon was killed'}"[:TEXT])
                self.home.restore()
                self.share()
            slowest = max(slowest, (round(time.monotonic() - since, 1), str(target)))
        return {"mode": mode, "runs": len(targets), "wrong": wrong, "places": sorted(places),
                "seconds": round(time.monotonic() - began, 1), "slowest": slowest}

