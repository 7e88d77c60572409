# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boots to a first exec, through banger and bare, with the agent's wire of core/agent/frame.h."""
import os
import socket
import struct
import subprocess
import tempfile
import time

MAGIC, TAIL = 0xB6, 0x6B
HELLO, WELCOME, OPEN, EXIT = 1, 2, 3, 11
PAYLOAD_MAX = 32768
SERVICE_EXEC = 1


def frame(kind, stream, payload):
    return struct.pack("<BBII", MAGIC, kind, stream, len(payload)) + payload + bytes([TAIL])


def receive(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError("the channel ended")
        data += more
    return data


def next_frame(sock):
    _, kind, stream, length = struct.unpack("<BBII", receive(sock, 10))
    payload = receive(sock, length + 1)[:-1]
    return kind, stream, payload


def exec_payload(*argv):
    fields = ["", "", *argv]
    return struct.pack("<BHHHH", 0, 0, 0, len(argv), 0) + b"".join(f.encode() + b"\0" for f in fields)


def until_exit(sock):
    while True:
        kind, _, payload = next_frame(sock)
        if kind == EXIT:
            return struct.unpack("<i", payload[:4])[0]


def banger_boot_to_exec(client, name):
    start = time.monotonic_ns()
    client.call("vm.start", {"vm": name})
    with client.stream("vm.exec", {"vm": name, "argv": ["true"]}) as stream:
        assert until_exit(stream) == 0
    return (time.monotonic_ns() - start) / 1e6


def hello(sock):
    """Sends HELLO until somebody answers; QEMU keeps what comes before the guest listens."""
    nonce = os.urandom(16)
    sock.sendall(bytes(PAYLOAD_MAX + 16) + frame(HELLO, 0, nonce + struct.pack("<I", 1)))
    while True:
        kind, _, payload = next_frame(sock)
        if kind == WELCOME and payload[:16] == nonce:
            return


def connect(path, process):
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
            return sock
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            if process.poll() is not None:
                raise RuntimeError("the bare VMM ended")
            time.sleep(0.001)


def bare_boot_to_exec(argv):
    """The same command line, in a folder of its own for its (relative) sockets."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic_ns()
        process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(f"{folder}/agent.sock", process) as sock:
                hello(sock)
                sock.sendall(frame(OPEN, 1, bytes([SERVICE_EXEC]) + exec_payload("true")))
                assert until_exit(sock) == 0
            return (time.monotonic_ns() - start) / 1e6
        finally:
            process.kill()
            process.wait()
