#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""order.py: operations on one VM come in the order of their requests, though workers overtake one another.

Several connections send all their requests at once; each request adds a label to those that it finds. VMs are
started and stopped beside them, for disorder."""
import os
import sys
import threading

sys.dont_write_bytecode = True  # nothing generated in the tree
from home import SPEC, Home  # noqa: E402

ROUNDS, CONNECTIONS, PIPELINED = 5, 4, 15  # labels: at most 64 (core/lifecycle/spec.c)


class Disturber(threading.Thread):
    """Starts and stops another VM until it is told to end."""

    def __init__(self, home, name):
        super().__init__()
        self.client, self.name = home.connect(), name
        self.client.call("vm.create", dict(SPEC, name=name))
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.is_set():
            self.client.call("vm.start", {"vm": self.name})
            self.client.call("vm.stop", {"vm": self.name})

    def end(self):
        self.is_over.set()
        self.join()
        self.client.call("vm.delete", {"vm": self.name})
        self.client.close()


def label(sender, number):
    return f"{sender}.{number}"


def send_all(home, sender):
    client = home.connect()
    for i in range(PIPELINED):
        client.begin("vm.set", {"vm": "probe", "labels": {label(sender, i): ""}})
    return client


def overtaken_of(client, sender):
    """The answer to a request (their numbers begin with 1) shows what was set before it and with it."""
    overtaken = answers = 0
    while answers < PIPELINED:
        message = client.heard()
        if "method" not in message:
            answers += 1
            labels = message["result"]["spec"]["labels"]
            shown = [i for i in range(PIPELINED) if label(sender, i) in labels]
            overtaken += shown != list(range(message["id"]))
    client.close()
    return overtaken


def play(home):
    clients = [send_all(home, sender) for sender in range(CONNECTIONS)]
    overtaken = sum(overtaken_of(client, sender) for sender, client in enumerate(clients))
    nothing = {label(sender, i): None for sender in range(CONNECTIONS) for i in range(PIPELINED)}
    home.call("vm.set", {"vm": "probe", "labels": nothing})
    return overtaken


def main():
    home = Home(os.environ["BANGER_BUILD"], os.environ["BANGER_HOME"])
    home.open()
    home.provide()
    home.call("vm.create", dict(SPEC, name="probe"))
    disturbers = [Disturber(home, f"other{i}") for i in range(4)]
    for disturber in disturbers:
        disturber.start()
    overtaken = sum(play(home) for _ in range(ROUNDS))
    for disturber in disturbers:
        disturber.end()
    home.call("vm.delete", {"vm": "probe"})
    left = home.held(vms=True)
    home.close()
    print(f"{ROUNDS * CONNECTIONS * PIPELINED} operations on one VM, {overtaken} overtaken", *left, sep="\n")
    return 1 if overtaken or left else 0


if __name__ == "__main__":
    sys.exit(main())
