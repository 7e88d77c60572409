#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""matrix.py [STACK[/OPERATION]...]: the fault matrix, as TAP, with a table and a count at its end.

BANGER_BUILD is a build by `make FAULTS=1`. Needs root, for namespaces. A test is an operation on a stack; JOBS run at a
time (as many as there are processors), each in namespaces of its own. FULL=1 plays all rounds (choose.py)."""
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from choose import NOT_HERE  # noqa: E402
from operations import OPERATIONS, can_be  # noqa: E402
from stacks import STACKS  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.realpath(os.environ.get("BANGER_BUILD", "build/faults"))
FULL = os.environ.get("FULL", "") not in ("", "0")
JOB_S = 24 * 3600 if FULL else 3000
AT_A_TIME = int(os.environ.get("JOBS") or max(2, os.cpu_count()))
BUDGET_S, BUDGET_CORES = 1200, 2  # what a run may take
ALONE = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")

# What one worker plays in turn, the longest first; on dm-snapshot one machine has all. With FULL every operation that
# a stack can have has a worker of its own.
JOBS = [("dm-snapshot", "start stop delete restart set kill create doctor daemon-take-up daemon-clean-up daemon-stop"),
        ("stub", "start"), ("qemu", "start"),
        ("qemu", "stop kill restart delete"), ("stub", "stop delete kill restart run"),
        ("stub", "set-on set-off set create daemon-take-up"),
        ("qemu", "set-on set create daemon-take-up daemon-clean-up daemon-stop"),
        ("stub", "daemon-clean-up daemon-stop network-remove image-register image-delete kernel-import kernel-delete "
                 "doctor")]


class Tap:
    """From any thread."""

    def __init__(self, count):
        self.lock, self.number, self.failed = threading.Lock(), 0, 0
        print(f"1..{count}", flush=True)

    def say(self, good, name, comments=()):
        with self.lock:
            self.number += 1
            self.failed += not good
            print(f"{'ok' if good else 'not ok'} {self.number} {name}", flush=True)
            for line in comments:
                print(f"#   {line}", flush=True)


def why_not(stack):
    """The reason why a stack cannot be had here; "": it can."""
    if os.getuid() != 0 or subprocess.run([*ALONE, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        return "namespaces need root here"
    if STACKS[stack].in_testbed:
        told = subprocess.run([f"{HERE}/../testbed/machine.py", "--check"], env=dict(os.environ, BUILD=BUILD),
                              capture_output=True, text=True, check=False)
        return " ".join(told.stderr.split()[-20:]) if told.returncode else ""
    return ""


def make_guests(home):
    """A kernel and an image that boot: made here, where there is a network. Downloads are kept. What went wrong, in
    lines: none, all is well."""
    os.makedirs(home, exist_ok=True)
    subprocess.run(["rm", "-rf", f"{home}/state", f"{home}/run"], check=True)
    environment = dict(os.environ, BANGER_HOME=home)
    try:
        for command in ("kernel import --deb linux-image-cloud-amd64 --name kernel", "image build tiny --name image"):
            done = subprocess.run([f"{BUILD}/bin/banger", *command.split()], env=environment, check=False, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode:
                return [f"banger {command}: status {done.returncode}", *done.stdout.splitlines()[-30:]]
    finally:  # also of a signal: the daemon that they have started
        subprocess.run([f"{BUILD}/bin/banger", "daemon", "stop"], env=environment, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return []


def command_of(stack, home, names):
    worker = [*ALONE, sys.executable, f"{HERE}/worker.py", stack, home, *names]
    return [f"{HERE}/../testbed/machine.py", " ".join(worker)] if STACKS[stack].in_testbed else worker


class Matrix:
    def __init__(self, jobs):
        self.jobs = jobs
        self.lock = threading.Lock()
        self.rows = []  # what workers print
        self.skipped = set()  # stacks that cannot be had here
        self.unplayed = 0  # operations that were not, or not to their end
        self.ends = {}  # of each worker that runs, what ends it
        self.tap = Tap(sum(len(names) for _, names in jobs) + 2 * (not sys.argv[1:]))

    def play(self, stack, names, home):
        environment = dict(os.environ, BANGER_BUILD=BUILD, BUILD=BUILD, BANGER_FULL=str(int(FULL)),
                           TESTBED_TIMEOUT=str(JOB_S))
        told = []
        process = subprocess.Popen(command_of(stack, home, names), env=environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        # unshare blocks TERM, and takes the namespaces with it when it is killed; the testbed takes its machine.
        self.ends[process.pid] = process.terminate if STACKS[stack].in_testbed else process.kill
        guard = threading.Timer(JOB_S, self.ends[process.pid])
        guard.start()
        rows, left = {name: [] for name in names}, list(names)
        for line in process.stdout:
            try:
                row = json.loads(line)
                if "done" in row:
                    left.remove(row["done"])
                    self.judge(stack, row["done"], rows[row["done"]], [])
                else:
                    rows[row["operation"]].append(row)
            except ValueError:
                told.append(line.rstrip())
        status = process.wait()
        guard.cancel()
        del self.ends[process.pid]
        for name in left:
            self.judge(stack, name, rows[name], [f"the worker ended before it was done, with {status}", *told[-30:]])

    def judge(self, stack, name, rows, early):
        counts = ", ".join(f"{row['runs']} {row['mode']}" for row in rows)
        wrong = [text for row in rows for text in row["wrong"]]
        with self.lock:
            self.rows += rows
            self.unplayed += bool(early)
        self.tap.say(rows and not wrong and not early, f"faults: {stack} {name}: {counts or 'nothing'}", wrong + early)

    def end(self, number, _frame):
        """On a signal: nothing that was started outlives this."""
        self.jobs = []
        for end in list(self.ends.values()):
            end()
        sys.exit(128 + number)

    def serve(self, homes, no_guests):
        while True:
            with self.lock:
                if not self.jobs:
                    return
                stack, names = self.jobs.pop(0)
            reason = why_not(stack)
            if STACKS[stack].guests and no_guests:
                self.leave_out(False, stack, names, ": no guests", no_guests)
            elif reason:
                self.skipped.add(stack)
                self.leave_out(True, stack, names, f" # skip {reason}", [])
            else:
                self.play(stack, names, homes[STACKS[stack].guests])

    def leave_out(self, good, stack, names, why, comments):
        with self.lock:
            self.unplayed += len(names)
        for name in names:
            self.tap.say(good, f"faults: {stack} {name}{why}", comments)


# Of a mode, what each place that can have it is struck with once at least.
ACTS = {"kill": "kill", "again": "kill", "error": "error", "enospc": "enospc"}


def listed():
    """{(place, act)} that the build has."""
    told = subprocess.run([f"{BUILD}/bin/bangerd", "--failpoints"], check=True, capture_output=True, text=True).stdout
    rows = [line.split()[1:] for line in told.splitlines()]
    return {(place, act) for place, *acts in rows for act in acts if act in ACTS.values()}


def processors_s():
    """Of all that was started and has ended: what else the machine does, or how long one waits, is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def judge_all(matrix):
    """Over all stacks: nothing that the build lists is left out without a reason."""
    struck = {(place, ACTS[row["mode"]]) for row in matrix.rows if row["mode"] in ACTS for place in row["places"]}
    missed = sorted(f"{place}:{act}" for place, act in listed() - struck)
    name = "faults: every failpoint is struck, killed, failed and without room, or it is said why not"
    if matrix.skipped:
        matrix.tap.say(True, f"{name} # skip without {', '.join(sorted(matrix.skipped))}")
    else:
        unexplained = [place for place in missed if not NOT_HERE.match(place)]
        matrix.tap.say(not unexplained, name, unexplained)
    print(f"# not struck: {' '.join(missed) or 'none'}")


def judge_time(matrix):
    """By the processors' time, since what the machine has to do beside this is not to be judged."""
    name = f"faults: fits {BUDGET_S // 60} minutes of {BUDGET_CORES} processors"
    used, may = processors_s(), BUDGET_S * BUDGET_CORES
    if FULL:
        matrix.tap.say(True, f"{name} # skip with FULL")
    else:
        matrix.tap.say(used <= may, name, [] if used <= may else [f"{used:.0f} s of processors' time, and not {may}"])


def print_table(rows):
    print(f"# {'stack':12} {'operation':16} {'places':>6} {'runs':>5} {'leaks':>5} {'seconds':>7}")
    for stack in STACKS:
        for name in OPERATIONS:
            of = [row for row in rows if (row["stack"], row["operation"]) == (stack, name)]
            if of:
                places = set().union(*(row["places"] for row in of))
                print(f"# {stack:12} {name:16} {len(places):6} {sum(row['runs'] for row in of):5} "
                      f"{sum(len(row['wrong']) for row in of):5} {sum(row['seconds'] for row in of):7.1f}")


def closing(matrix):
    """A worker that has died found nothing any more: that is no count of 0."""
    struck = {place for row in matrix.rows for place in row["places"]}
    return (f"{len(struck)} failpoints, {sum(row['runs'] for row in matrix.rows)} runs, "
            f"{sum(len(row['wrong']) for row in matrix.rows)} leaks"
            + (f", {matrix.unplayed} operations not played to their end" if matrix.unplayed else ""))


def all_jobs():
    return [(stack, name) for stack in STACKS for name in OPERATIONS if can_be(name, STACKS[stack])]


def select(wanted):
    for stack, names in all_jobs() if FULL else JOBS:
        chosen = [name for name in names.split() if not wanted or stack in wanted or f"{stack}/{name}" in wanted]
        if chosen:
            yield stack, chosen


def main():
    matrix = Matrix(list(select(sys.argv[1:])))
    began = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, matrix.end)
    with tempfile.TemporaryDirectory(prefix="faults.") as folder:
        homes = {False: f"{folder}/home", True: f"{BUILD}/home"}
        guests = any(STACKS[stack].guests for stack, _ in matrix.jobs)
        no_guests = make_guests(homes[True]) if guests else []
        threads = [threading.Thread(target=matrix.serve, args=(homes, no_guests)) for _ in range(AT_A_TIME)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print_table(matrix.rows)
    if not sys.argv[1:]:  # a part of it strikes a part of them
        judge_all(matrix)
        judge_time(matrix)
    print(f"# {time.monotonic() - began:.0f} s, {processors_s():.0f} s of processors' time")
    print(closing(matrix))
    return 1 if matrix.tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
