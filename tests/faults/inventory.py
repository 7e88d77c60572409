# SPDX-License-Identifier: LGPL-2.1-or-later
"""What there is of a home on this host, in three parts of one line a thing:

  run     what a VM that runs has: processes, devices, elements of nft sets, sockets, rows of the journal
  shared  what all VMs share: the bridge, the nft tables
  kept    what stays when nothing runs: records, leases, files, pins

Ids and numbers that differ from one VM to the next are replaced by words, so that two can be compared. Of a file that
is kept its size belongs to it where that is always the same, and what it holds where that is: images and kernels
whole, and of a disk the file MARK that its image has."""
import hashlib
import json
import os
import re
import socket
import sqlite3
import stat
import struct
import subprocess
import time

HELPER, HELPER_S = "banger-plugin", 20
OWN_LINKS = {"lo", "uplink0", "inet0"}  # worker.py's
DNS_PORTS = (42069, 53)  # this host's, the guests'
SHARED_SETS = re.compile(r"uplinks$|owner-")
IDS = [(re.compile(pattern), word) for pattern, word in (
    (r"\b[0-9a-f]{32}\b", "ID"), (r"\b[0-9a-f]{8}\b", "SHORT"), (r"tap-fc-pool\d+", "POOL"),
    (r'"counter": {[^}]*}', "a counter"))]
# The store's own files, the test's, a cache, and the console of the run before.
NOT_OURS = re.compile(r"^(state/banger\.db.*|parts|bangerd\.log|config\.lua|passes|cache|.*/console\.log\.1)$")
SIZED = re.compile(r"^state/vms/.*\.(img|cow|tail)$")
WHOLE = re.compile(r"^state/(images|kernels)/.*")
DISK = re.compile(r"^file state/vms/.*rootfs\.")
MARK = "mark"
# What is behind a row of the journal, and the row's kind. What has no line here may not stay: it has no row of its own,
# nor is it given back with another's.
JOURNALED = [(re.compile(pattern), kind) for pattern, kind in (
    (r"process ", "process"), (r"link tap-fc-", "tap"), (r"nft \S+ has ", "(tap|nat|publish)"), (r"cgroup ", "cgroup"),
    (r"(loop device|device|node|cookie)\b", "snapshot"), (r"(folder|file|socket) run/vms/", "dir"),
    (r"(folder|file) state/(images|kernels)/", "staging"),
    # What the daemon serves for a VM, and the switch that NAT needs: until its network's rows are gone.
    (r"probe\.vm is |tcp 127\.0\.0\.1:", "(tap|nat|publish)"), (r"ip_forward 1|file run/ip_forward", "(nat|publish)"))]
SERVED = re.compile(r"- (probe\.vm is|tcp 127\.0\.0\.1:)")
SWITCHES = {"ip_forward 0", "ip_forward 1"}
STAYING = {"run/vms", "state/vms"}  # once the first VM has made them
SPEC = ("nat", "publish", "memory_mib", "disk_mib")
QUERIES = {
    "run": [("journal", "SELECT owner, kind, key, state FROM resources")],
    "kept": [("VM", "SELECT name, state FROM vms"), ("lease", "SELECT owner, pool, number FROM leases"),
             ("image", "SELECT name FROM images"), ("kernel", "SELECT name FROM kernels")],
}


def take(home):
    """{part: sorted lines}"""
    parts = {"run": [], "shared": [], "kept": []}
    for source in (_processes, _links, _rules, _ports, _devices, _forwarding, _cgroups, _rows, _specs, _files,
                   _pins):
        for part, line in source(home):
            for pattern, word in IDS:
                line = pattern.sub(word, line)
            parts[part].append(line)
    return {part: sorted(lines) for part, lines in parts.items()}


def differences(found, wanted, parts=("run", "shared", "kept")):
    """The lines of one and not of the other, "+" and "-", warm TAP devices apart: a thread makes those."""
    lines = []
    for part in parts:
        have, want = ([line for line in side[part] if "POOL" not in line] for side in (found, wanted))
        lines += [f"+ {line}" for line in _without(have, want)] + [f"- {line}" for line in _without(want, have)]
    return lines


def _without(lines, others):
    lines = list(lines)
    for line in others:
        if line in lines:
            lines.remove(line)
    return lines


def unserved(found, before, parts):
    """What differs, but for what is missing of the daemon's own services."""
    return [line for line in differences(found, before, parts) if not SERVED.match(line)]


def misrecorded(found, may_be_left=False):
    """A record that says of its VMM what is not so, in a line: none, or the one that says so. A zombie has ended.
    `may_be_left`: a VMM that nothing ends, and a record that says "error"."""
    runs = any(line.startswith("process ") and not line.endswith("(zombie)") for line in found["run"])
    records = [line for line in found["kept"] if line.startswith("VM ")]
    if runs == ("VM probe running" in records) or (runs and may_be_left and "VM probe error" in records):
        return []
    return [f"the record's state is not what is: {', '.join(records) or 'no VM'} with {'a' if runs else 'no'} VMM"]


def warm_taps(found):
    return sum(line.startswith("link POOL ") for line in found["shared"])


def _is_held(line, rows):
    kinds = [kind for pattern, kind in JOURNALED if pattern.match(line)]
    return bool(kinds) and all(any(re.fullmatch(kind, row[2]) for row in rows) for kind in kinds)


def unheld(found, prepared, clean, parts):
    """What is neither there when it is clean, nor left of what was prepared with a row of the journal that will have it
    released. A row may be there alone."""
    rows = [line.split() for line in found["run"] if line.startswith("journal ")]
    wrong = []
    for part in parts:
        have, want = ([line for line in side[part] if "POOL" not in line] for side in (found, clean))
        for line in _without(have, want):
            if not line.startswith("journal ") and (line not in prepared[part] or not _is_held(line, rows)):
                wrong.append(f"+ {line}")
        wrong += [f"- {line}" for line in _without(want, have) if line not in SWITCHES]
    return wrong


def grown(before, after):
    """As before, but with the disk as after."""
    disk = [line for line in after["kept"] if DISK.match(line)]
    return dict(before, kept=sorted([line for line in before["kept"] if not DISK.match(line)] + disk))


def _json(*argv):
    return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)


def reap_orphans(home):
    """Of a daemon that was killed: they are the first process's, which is us."""
    while True:
        try:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if info is None or (home.daemon and info.si_pid == home.daemon.pid):
            return
        os.waitpid(info.si_pid, 0)


def processes(home):
    """Every process of the namespace that is neither this one nor the daemon, nor a plugin's helper of the daemon's:
    those are its own affair, and end with it."""
    reap_orphans(home)
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if pid in (os.getpid(), home.daemon and home.daemon.pid):
            continue
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        if name != HELPER or home.daemon is None or int(parent) != home.daemon.pid:
            yield pid, name, state


def _processes(home):
    """The helper of a daemon that was killed takes a moment to notice."""
    end = time.monotonic() + HELPER_S
    while any(name == HELPER for _, name, _ in processes(home)) and time.monotonic() < end:
        time.sleep(0.02)
    for _, name, state in processes(home):
        yield "run", f"process {name}{' (zombie)' if state == 'Z' else ''}"


def _links(_home):
    links = [link for link in _json("ip", "-j", "address", "show") if link["ifname"] not in OWN_LINKS]
    shown = _json("ip", "-j", "link", "show") if links else []  # the aliases are shown here only
    aliases = {link["ifname"]: link.get("ifalias", "") for link in shown}
    for link in links:
        alias = aliases.get(link["ifname"], "")
        part = "shared" if alias.endswith((":bridge", ":pool")) else "run"
        name = "POOL" if alias.endswith(":pool") else link["ifname"]
        addresses = " ".join(info["local"] for info in link["addr_info"] if info["scope"] == "global")
        yield part, f"link {name} of {link.get('master', 'no bridge')} {alias} {addresses}"


def _rules(_home):
    for entry in _json("nft", "-j", "list", "ruleset")["nftables"]:
        kind, what = next(iter(entry.items()))
        if kind == "metainfo":
            continue
        elements = what.pop("elem", []) if kind in ("set", "map") else []
        what.pop("handle", None)
        yield "shared", f"nft {kind} {json.dumps(what, sort_keys=True)}"
        part = "shared" if SHARED_SETS.search(what.get("name", "")) else "run"
        for element in elements:
            yield part, f"nft {what['name']} has {json.dumps(element, sort_keys=True)}"


def _ports(_home):
    """What listens in this network namespace. Not the plugin dns, which is the daemon's as long as that lives: of it
    the VM's name, if it knows it."""
    for protocol, listening in (("tcp", "0A"), ("udp", "07")):
        with open(f"/proc/net/{protocol}", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        for row in rows:
            address, port = (int(text, 16) for text in row[1].split(":"))
            text = socket.inet_ntoa(struct.pack("<I", address))
            if row[3] == listening and port not in DNS_PORTS:
                yield "run", f"{protocol} {text}:{port}"
            known = _ask_name("probe.vm") if protocol == "udp" and port == DNS_PORTS[0] else None
            if known:
                yield "run", f"probe.vm is {known}"


def _ask_name(name):
    question = b"".join(bytes([len(word)]) + word.encode() for word in name.split(".")) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(10)
        asking.sendto(struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + question, ("127.0.0.1", DNS_PORTS[0]))
        answer = asking.recv(512)
    return socket.inet_ntoa(answer[-4:]) if struct.unpack(">H", answer[6:8])[0] else None


def _devices(home):
    """Device-mapper, its nodes and cookies, and loop devices: all that the testbed has, else only ours."""
    for name in sorted(os.listdir("/sys/block")):
        try:
            with open(f"/sys/block/{name}/loop/backing_file", encoding="utf-8") as file:
                backing = file.read().strip()
        except OSError:
            continue
        if home.stack.in_testbed or backing.startswith(home.path):
            yield "run", f"loop device over {backing}"
    if not home.stack.in_testbed:
        return
    told = subprocess.run(["dmsetup", "info", "-c", "--noheadings", "-o", "name,uuid"], check=True,
                          capture_output=True, text=True).stdout
    yield from (("run", f"device {line}") for line in told.splitlines() if line != "No devices found")
    yield from (("run", f"node {name}") for name in os.listdir("/dev/mapper") if name != "control")
    with open("/proc/sysvipc/sem", encoding="ascii") as file:
        yield from (("run", "cookie") for _ in list(file)[1:])


def _forwarding(_home):
    with open("/proc/sys/net/ipv4/ip_forward", encoding="ascii") as file:
        yield "run", f"ip_forward {file.read().strip()}"


def _cgroups(_home):
    folder = "/sys/fs/cgroup/banger"
    if os.path.isdir(folder):
        yield from (("run", f"cgroup {name}") for name in os.listdir(folder)
                    if os.path.isdir(f"{folder}/{name}"))


def _rows(home):
    database = sqlite3.connect(f"file:{home.path}/state/banger.db?mode=ro", uri=True)
    try:
        for part, queries in QUERIES.items():
            for what, query in queries:
                for row in database.execute(query):
                    yield part, f"{what} {' '.join(map(str, row))}"
    finally:
        database.close()


def _specs(home):
    if home.client:
        for vm in home.call("vm.list", {"all": True}):
            yield "kept", "spec " + " ".join(f"{key}={vm['spec'].get(key)}" for key in SPEC)


def _files(home):
    """Of `run` also who listens there: a socket that is a file, or a file that nobody has bound."""
    for folder, folders, names in os.walk(home.path):
        at = os.path.relpath(folder, home.path)
        folders[:] = [name for name in folders if not NOT_OURS.match(os.path.normpath(f"{at}/{name}"))]
        for name in names + folders:
            path = os.path.normpath(f"{at}/{name}")
            if NOT_OURS.match(path) or path in STAYING:
                continue
            try:
                yield ("run" if path.startswith("run/") else "kept"), _file(home, path)
            except FileNotFoundError:
                pass  # the daemon cleans up meanwhile, and has just removed it


def _file(home, path):
    mode = os.lstat(f"{home.path}/{path}").st_mode
    kind = "socket" if stat.S_ISSOCK(mode) else "folder" if stat.S_ISDIR(mode) else "file"
    holds = _content(home, path) if kind == "file" else ""
    return f"{kind} {path}{holds}"


digests = {}  # of images and kernels, which nobody writes to


def _content(home, path):
    file = f"{home.path}/{path}"
    status = os.stat(file)
    if WHOLE.match(path):
        key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in digests:
            with open(file, "rb") as stream:
                digests[key] = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        return f" of {status.st_size} bytes, {digests[key]}"
    if not SIZED.match(path):
        return ""
    marked = ""
    if not home.stack.guests and path.endswith("/rootfs.img"):
        told = subprocess.run(["debugfs", "-R", f"cat /{MARK}", file], check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        marked = f", {len(told)} bytes of {MARK}: {hashlib.sha256(told).hexdigest()[:16]}"
    return f" of {status.st_size} bytes{marked}"


def _pins(home):
    try:
        with open(f"{home.path}/state/ssh/known_hosts", encoding="utf-8") as file:
            yield from (("kept", f"pin {line.split()[0]}") for line in file)
    except FileNotFoundError:
        return
