# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one VM may answer, and whether what it answered fits.

A VM's name is an object of its own: a history of operations on it is linearizable if they can be put into
one order, each at a moment between its request and its answer, in which the model gives every answer that
was given (Herlihy and Wing 1990). The search is Wing and Gong's, with Lowe's memory of where it has been.

1. Nobody saw the answer of a client that left, or it was a cancellation: then several outcomes are allowed,
   and an operation's function says all states that it may end in.
2. A restart is two steps to those who look, and one to those who change: between its halves only the former go.
3. A VMM that the test kills ends the run at some later moment, or not at all where somebody was first."""
from collections import namedtuple

# None stands for a VM that is not there; an id or a pid that nobody has seen yet is None in it.
State = namedtuple("State", "id state pid number stub half", defaults=[None])

Op = namedtuple("Op", "kind start end args answer number")  # times in ns; answer: ok, error or unknown

READS = ("show", "list")  # without the lock


def fits(state, view):
    """The state, with what the view tells of it; None: it is not what was shown."""
    labels = view["spec"]["labels"]
    shown = (view["state"], labels.get("n"), labels.get("stub"))
    if shown != (state.state, state.number, state.stub) or state.id not in (None, view["id"]):
        return None
    pid = view.get("pid") if state.state == "running" else None
    if None not in (pid, state.pid) and pid != state.pid:
        return None
    return state._replace(id=view["id"], pid=pid or state.pid)


def _shown(state, view):
    state = state and fits(state, view)
    return [state] if state else []


def _not_begun(answer):
    return answer[:2] == ("error", "cancelled") and answer[2].endswith("began")


def _error(state, answer, allowed):
    """An operation that did nothing: it found no VM, or its client had cancelled it before it began."""
    if _not_begun(answer) or (answer[1] == "not-found" and state is None):
        return [state]
    return allowed(answer[1]) if state else []


def _begun(state):
    """Where a start ends, when nobody knows how."""
    ends = [state._replace(state="error", pid=None)]
    return ends if state.stub == "refuse" else [*ends, state._replace(state="running", pid=None)]


def _start(state, answer):
    if answer[0] == "unknown":
        return [state] if state is None or state.state == "running" else [state, *_begun(state)]
    if answer[0] == "ok":
        if state and state.state == "running":
            return _shown(state, answer[1])
        can = state and state.stub != "refuse"
        return _shown(state._replace(state="running", pid=None), answer[1]) if can else []

    def failed(name):
        right = name == "cancelled" or (name == "io" and state.stub == "refuse")
        return [state._replace(state="error", pid=None)] if right and state.state != "running" else []
    return _error(state, answer, failed)


def _create(state, op):
    made = State(None, "created", None, op.args["n"], op.args["stub"])
    if op.answer[0] == "ok":
        return _shown(made, op.answer[1]) if state is None else []
    if op.answer[0] == "unknown":
        return [state, made] if state is None else [state]
    taken = op.answer[1] == "exists" and state is not None
    return [state] if taken or op.answer[1] == "cancelled" else []


def _change(state, op, after):
    """An operation that is whole or has not begun; `after` is what it makes of the state."""
    if op.answer[0] == "unknown":
        return [state] if state is None else [state, after(state)]
    if op.answer[0] == "ok":
        return _shown(after(state), op.answer[1]) if state else []
    return _error(state, op.answer, lambda name: [])


def _ended(state):
    return state._replace(state="stopped", pid=None)


def _set(state, op):
    def change(before):
        return before._replace(number=op.args["n"], stub=op.args["stub"])
    return _change(state, op, change)


def _delete(state, op):
    """Its answer is the VM as it was."""
    if op.answer[0] == "ok":
        return [None] if _shown(state, op.answer[1]) else []
    return _change(state, op, lambda before: None)


def _halves(state, op):
    """(state, whether the operation is over): a restart, and the start of a VM whose VMM has just been killed,
    pass `stopped` on their way."""
    if state and state.half == op.number:
        ends = _start(state._replace(half=None), op.answer)
        return [(end, True) for end in ends if end and end.state != "stopped"]
    if op.kind == "start":
        ends = [(end, True) for end in _start(state, op.answer)]
        first = state and state.state == "error"
    else:
        ends = [(state, True)] if op.answer[0] == "unknown" else []
        if op.answer[0] == "error":
            ends = [(end, True) for end in _error(state, op.answer, lambda name: [])]
        first = state
    if first and not _not_begun(op.answer):
        ends.append((_ended(state)._replace(half=op.number), False))
    return ends


def _crash(state, op):
    """The VMM of that pid was killed."""
    if state and state.state == "running" and state.pid in (None, op.args["pid"]):
        ended = state._replace(state="error", pid=None)
        return [ended] if state.pid else [ended, state]  # nobody has seen which pid it has
    return [state]


def _look(state, op):
    if op.answer[0] == "ok" and op.answer[1] is not None:
        return _shown(state, op.answer[1])
    if op.answer[0] == "ok" or op.answer[1] == "not-found":
        return [state] if state is None else []
    return [state] if op.answer[1] == "cancelled" else []


CHANGES = {
    "create": _create,
    "stop": lambda state, op: _change(state, op, _ended),
    "kill": lambda state, op: _change(state, op, _ended),
    "set": _set,
    "delete": _delete,
    "crash": _crash,
    "show": _look,
    "list": _look,
}


def ends_of(state, op):
    """Every (state, is over) that this operation, done now, may lead to."""
    if op.kind in ("start", "restart"):
        ends = _halves(state, op)
    else:
        ends = [(end, True) for end in CHANGES[op.kind](state, op)]
    if state and state.half not in (None, op.number) and op.kind not in READS:
        # Another's operation is at its half: who was refused need not have had the lock.
        ends = [(end, True) for end, _ in ends if end == state and op.answer[0] != "ok"]
    return ends


class History:
    """The operations on one name, and the search for an order of them."""

    def __init__(self, operations):
        self.operations = sorted(operations, key=lambda op: op.start)
        self.deepest = 0  # a set of bits: the furthest that the search came

    def _next(self, done):
        """Who may be the next: nobody else's answer came before its request."""
        first_end, found = None, []
        for i, op in enumerate(self.operations):
            if done >> i & 1:
                continue
            if first_end is not None and op.start > first_end:
                break
            found.append(i)
            first_end = op.end if first_end is None else min(first_end, op.end)
        return [i for i in found if self.operations[i].start <= first_end]

    def linearize(self, state):
        """Whether there is an order that begins in the state and has every operation."""
        everything = (1 << len(self.operations)) - 1
        seen, stack = set(), [(0, state)]
        while stack:
            done, now = stack.pop()
            if done == everything:
                return True
            if done.bit_count() > self.deepest.bit_count():
                self.deepest = done
            for i in self._next(done):
                for end, is_over in ends_of(now, self.operations[i]):
                    step = (done | 1 << i if is_over else done, end)
                    if step not in seen:
                        seen.add(step)
                        stack.append(step)
        return False

    def explain(self):
        """Around the place beyond which no order goes."""
        left = [op for i, op in enumerate(self.operations) if not self.deepest >> i & 1]
        begin = self.operations[0].start
        near = [op for op in self.operations if op.end >= left[0].start - 10 ** 9 and op.start <= left[0].end]
        lines = [f"no order of these {len(self.operations)} gives the answers that were given; near the first that fits nowhere:"]
        for op in near[:40]:
            mark = "?" if op in left else " "
            lines.append(f"  {mark} {(op.start - begin) / 1e6:9.1f} to {(op.end - begin) / 1e6:9.1f} ms  "
                         f"{op.kind} {op.args or ''}  {_brief(op.answer)}")
        return "\n".join(lines)


def _brief(answer):
    if answer[0] == "ok" and answer[1]:
        view = answer[1]
        return f"-> {view['state']} n={view['spec']['labels'].get('n')} id={view['short_id']} pid={view.get('pid')}"
    return " ".join(["->", *map(str, answer)])
