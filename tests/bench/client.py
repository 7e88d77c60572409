# SPDX-License-Identifier: LGPL-2.1-or-later
"""The control protocol, as small as tests and benchmarks need it (core/rpc/protocol.h)."""
import array
import json
import socket


class Refused(RuntimeError):
    """An answer that is an error."""

    def __init__(self, method, error):
        super().__init__(f"{method}: {error['message']}")
        self.name = error["data"]["name"]
        self.said = error["message"]


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.pending = b""
        self.fd = None
        self.last_id = 0

    def close(self):
        self.socket.close()

    def _line(self):
        while b"\n" not in self.pending:
            data, ancillary, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
            if not data:
                raise EOFError("bangerd closed the connection")
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self.fd = array.array("i", payload)[0]
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def _send(self, message):
        self.socket.sendall(json.dumps(dict(message, jsonrpc="2.0")).encode() + b"\n")

    def begin(self, method, params):
        """Sends a request, whose number it returns."""
        self.last_id += 1
        self._send({"id": self.last_id, "method": method, "params": params})
        return self.last_id

    def cancel(self, number):
        self._send({"method": "cancel", "params": {"id": number}})

    def heard(self):
        """The next message, whatever it is."""
        return self._line()

    def call(self, method, params):
        number = self.begin(method, params)
        while True:
            answer = self._line()
            if answer.get("id") == number and "method" not in answer:
                return taken(method, answer)

    def stream(self, method, params):
        """A call whose answer passes a descriptor: the socket."""
        self.fd = None
        self.call(method, params)
        return socket.socket(fileno=self.fd)


def taken(method, answer):
    if "error" in answer:
        raise Refused(method, answer["error"])
    return answer["result"]
