#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rpc.py METHOD PARAMS: one request to the daemon of $BANGER_HOME, past the CLI and its checks.
Prints `done`, or the name of the error and its message. core/rpc/protocol.h describes the protocol."""
import json
import os
import socket
import sys

method, params = sys.argv[1:]
request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": json.loads(params)}
with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(60)
    connection.connect(os.environ["BANGER_HOME"] + "/run/bangerd.sock")
    connection.sendall(json.dumps(request).encode() + b"\n")
    for line in connection.makefile():
        answer = json.loads(line)
        if "id" not in answer:
            continue # a notification
        error = answer.get("error")
        print(f"{error['data']['name']}: {error['message']}" if error else "done")
        sys.exit()
sys.exit("the daemon closed the connection")
