# SPDX-License-Identifier: LGPL-2.1-or-later
"""The control protocol, as small as a benchmark needs it (core/rpc/protocol.h)."""
import array
import json
import socket


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

    def call(self, method, params):
        self.last_id += 1
        message = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = self._line()
            if "method" in answer:
                continue
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            return answer["result"]

    def stream(self, method, params):
        """A call whose answer passes a descriptor: the socket."""
        self.fd = None
        self.call(method, params)
        return socket.socket(fileno=self.fd)
