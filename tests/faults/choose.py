# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which rounds are played. With FULL=1 every one; else, always the same ones:

  stub         every place that the operation passes
  qemu, dm-snapshot
               every place in the stages where another code runs than on the stub, or of that name;
               of the others one of RARELY; killed and failed, since what follows is the stub's code
  run, restart one of SELDOM places: they are a create and a start, a stop and a start, which are there by themselves
  delay        one of RARELY places
  again        of AGAIN on the stub every place of the reconcile that has most to do, and for every place of the
               operation one of its reconcile's, each time the next

A place of `set` and `create` alone is in focus everywhere: there are few, and on each stack the disk that grows is
another one."""
import re

RARELY, SELDOM = 16, 4
COMPOSED = ("run", "restart")
AGAIN = ("start", "stop", "restart", "delete", "set")
FOCUS = {
    "stub": re.compile(""),
    "qemu": re.compile(r"(launch|socket_access|wait_agent|graceful_shutdown|send_signal|wait_for_exit|kill_running_vm|"
                       r"spawn|reconcile|set|create)\b"),
    "dm-snapshot": re.compile(r"(root_device|snapshot\.|dm\.|spawn:.*cgroup|set:|create:)"),
}


def is_idle(rows, i):
    """Between a stage's end and the next one's begin nothing is done (core/lifecycle/stage.c)."""
    return i > 0 and rows[i].place.endswith(":begin") and rows[i - 1].place.endswith(":end")


def chosen(rows, stack, full):
    """Of the rows those in focus, and of the others every so many."""
    focus, rare = FOCUS[stack], 0
    for row in rows:
        if full or focus.match(row.place) or focus.match(row.stage):
            yield row
        else:
            rare += 1
            if rare % RARELY == 1:
                yield row


def killable(rows):
    return [row for i, row in enumerate(rows) if not is_idle(rows, i)]


def singles(mode, rows, stack, operation, full):
    if mode not in ("kill", "error") and stack != "stub" and not full:
        return []
    if mode == "kill":
        rows = killable(rows)
    rows = [row for row in rows if mode in row.acts]
    if mode == "delay" and not full:
        rows = rows[::RARELY]
    elif operation in COMPOSED and not full:
        rows = rows[::SELDOM]
    return [(row, None) for row in chosen(rows, stack, full)]


def pairs(reconciles, stack, operation, full):
    """[(killed at, then in the reconcile at)] of {killed at: the reconcile's passes}."""
    if not full and (stack != "stub" or operation not in AGAIN):
        return
    targets = {target: killable(rows) for target, rows in reconciles.items()}
    most = max(targets, key=lambda target: len(targets[target]), default=None)
    for i, (target, rows) in enumerate(targets.items()):
        if full or target is most:
            yield from ((target, row) for row in rows)
        elif rows:
            yield target, rows[i % len(rows)]

# What no operation of the matrix passes, and why:
NOT_HERE = re.compile(r"(tap\.lend:"  # only Firecracker's jail has a TAP of another user
                      r"|snapshot\.status:"  # `health` alone asks, from a thread of its own; it acquires nothing
                      r")")
