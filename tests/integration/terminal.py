#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a command on a pseudo terminal of 33x99, waits for "ready", makes it 44x111, expects the
command to say both sizes, then types a line and expects its status to be 0."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def expect(fd, seen, text, deadline):
    while text not in seen:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit(f"no {text!r} in {seen!r}")
        try:
            data = os.read(fd, 4096)
        except OSError:
            data = b""
        if not data:
            sys.exit(f"ended without {text!r}: {seen!r}")
        seen += data
    return seen


pid, fd = pty.fork()
if pid == 0:
    # The size is set before the program looks at it.
    resize(0, 33, 99)
    os.execvp(sys.argv[1], sys.argv[1:])
deadline = time.monotonic() + 90
seen = expect(fd, b"", b"33 99", deadline)
seen = expect(fd, seen, b"ready", deadline)
resize(fd, 44, 111)
seen = expect(fd, seen, b"44 111", deadline)
os.write(fd, b"done\n")
while True:
    try:
        if not os.read(fd, 4096):
            break
    except OSError:
        break
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
