#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""one_home.py: many daemons are started on one home at the same moment. One serves, the others say so."""
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True  # nothing generated in the tree
from home import PATIENCE_S, Home  # noqa: E402

ROUNDS, DAEMONS = 5, 8


def start(home):
    ready, told = os.pipe()
    daemon = subprocess.Popen([f"{home.build}/bin/bangerd", "--ready-fd", str(told)], pass_fds=[told],
                              stderr=subprocess.DEVNULL, env=dict(os.environ, BANGER_HOME=home.path))
    os.close(told)
    return daemon, os.fdopen(ready)


def play(home):
    """What is wrong; empty: nothing."""
    started = [start(home) for _ in range(DAEMONS)]
    said = [(daemon, pipe.read()) for daemon, pipe in started]
    serving = [daemon for daemon, text in said if text == "ready\n"]
    wrong = [] if len(serving) == 1 else [f"{len(serving)} of {DAEMONS} daemons serve one home"]
    for daemon, text in said:
        if daemon in serving:
            continue
        status = daemon.wait(PATIENCE_S)
        if status != 1 or "another bangerd runs" not in text:
            wrong.append(f"a daemon that was too many ended with {status} and said: {text}")
    client = home.connect()
    pid = client.call("daemon.status", {})["pid"]
    client.close()
    if [daemon.pid for daemon in serving] != [pid]:
        wrong.append(f"the socket is the one of process {pid}")
    for daemon in serving:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(PATIENCE_S)
    return wrong


def main():
    home = Home(os.environ["BANGER_BUILD"], os.environ["BANGER_HOME"])
    wrong = [text for _ in range(ROUNDS) for text in play(home)]
    print(f"{ROUNDS} times {DAEMONS} daemons on one home", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
