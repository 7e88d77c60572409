# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which rounds are played. With FULL=1 every one; else, always the same ones:

  stub         every place that the operation passes
  qemu, dm-snapshot
               every place in the stages where another code runs than on the stub, or of that name;
               of the others one of RARELY; killed and failed, since what follows is the stub's code. In operations
               that repeat the places of others (REPEATING) each is killed or failed, in turn
  run, restart one of SELDOM of these places: they are a create and a start, a stop and a start, which are there by
               themselves
  delay        one of RARELY places
  again        of AGAIN on the stub every place of the reconcile that has most to do, and for every place of the
               operation one of its reconcile's, each time the next

A place of `set` and `create` alone is in focus everywhere: there are few, and on each stack the disk that grows is
another one."""
import re

# What no operation of the matrix passes, and why:
NOT_HERE = re.compile(r"(tap\.lend:"  # only Firecracker's jail has a TAP of another user
                      r"|snapshot\.status:"  # `health` alone asks, from a thread of its own; it acquires nothing
                      r")")

RARELY, SELDOM = 16, 4
COMPOSED = ("run", "restart")
# On the slow stacks: they pass the places of a start or a stop once more.
REPEATING = ("kill", "restart", "delete", "daemon-take-up", "daemon-clean-up")
AGAIN = ("start", "stop", "restart", "delete", "set")
# By stack: the stages of which every place is played, and the places.
FOCUS = {
    "qemu": (re.compile(r"(launch|socket_access|wait_agent|graceful_shutdown|send_signal|wait_for_exit|"
                        r"kill_running_vm)$"),
             re.compile(r"(spawn|reconcile|set|create):")),
    "dm-snapshot": (re.compile(r"root_device$"), re.compile(r"(snapshot\.|dm\.|spawn:.*cgroup|set:|create:)")),
}


def is_idle(rows, i):
    """Between a stage's end and the next one's begin nothing is done (core/lifecycle/stage.c): a kill at one is a kill
    at the other, and that is played on the stub alone."""
    return i > 0 and rows[i].place.endswith(":begin") and rows[i - 1].place.endswith(":end")


def chosen(rows, stack):
    """Of the rows those in focus, and of the others every so many."""
    (stages, places), rare = FOCUS[stack], 0
    for row in rows:
        if places.match(row.place) or stages.match(row.stage):
            yield row
        else:
            rare += 1
            if rare % RARELY == RARELY // 2:
                yield row


def killable(rows):
    return [row for i, row in enumerate(rows) if not is_idle(rows, i)]


def in_turn(rows, idle):
    """[(row, mode)]: killed or failed, each time the other, where both can be."""
    mode = "kill"
    for row in rows:
        if "error" not in row.acts or row in idle:
            yield row, "error" if row in idle else "kill"
        else:
            yield row, mode
            mode = "error" if mode == "kill" else "kill"


def on_slow(mode, rows, stack, operation):
    """Of a stack on which a round takes seconds."""
    idle = {row for i, row in enumerate(rows) if is_idle(rows, i)}
    rows = list(chosen(rows, stack)) or rows[len(rows) // 2:][:1]
    if operation in COMPOSED:
        rows = rows[::SELDOM]
    if operation in REPEATING:
        return [row for row, its in in_turn(rows, idle) if its == mode]
    return [row for row in rows
            if (mode == "error" and mode in row.acts) or (mode == "kill" and row not in idle)]


def on_stub(mode, rows, operation):
    rows = [row for row in rows if mode in row.acts]
    return rows[::RARELY] if mode == "delay" else rows[::SELDOM] if operation in COMPOSED else rows


def singles(mode, rows, stack, operation, full):
    if full:
        rows = [row for row in rows if mode in row.acts]
    else:
        rows = on_stub(mode, rows, operation) if stack == "stub" else on_slow(mode, rows, stack, operation)
    return [(row, None) for row in rows]


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
