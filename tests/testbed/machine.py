#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The testbed: machine.py COMMAND runs it as root in a virtual machine with this host's files and a
kernel that has device-mapper, KVM, nftables, vhost-vsock and cgroups. Without a command: a shell. With
--check it is not booted: only whether it could be is told.

1. kernel.sh provides Debian's generic kernel, once, below BUILD/testbed.
2. The initramfs is made anew for each machine: busybox, the modules, the command.
3. QEMU translates (TCG). The host's root goes in read-only over 9p; what the command prints comes out of
   a virtio-serial port, byte for byte, and ends in a line that only this machine can know, with the status.
4. The machine ends when that line came, at the deadline (124), on SIGINT and SIGTERM (130, 143), and when
   its kernel panicked (125, with the console's last lines). 77: it cannot be made here, and why.

TESTBED_MEMORY (4G; pages that are touched), TESTBED_CPUS (2), TESTBED_TIMEOUT (900 seconds).
"""
import os
import secrets
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.realpath(os.environ.get("BUILD", "build"))
TIMEOUT = float(os.environ.get("TESTBED_TIMEOUT", "900"))
CANNOT, ENDED, TOO_LATE = 77, 125, 124

# Loaded before the root is there, in this order. Others load when the kernel or a test asks for them.
BOOT_MODULES = "virtio_pci virtio_console 9p 9pnet_virtio overlay"
# What the machine is for, and nothing asks for by itself.
HOST_MODULES = "dm_mod dm_snapshot loop tun kvm_amd vhost_vsock"

# Of the caller's environment; the machine is another host, where most of it would mislead.
ENVIRONMENT = ("PATH", "HOME", "LANG", "TERM", "BUILD", "CMOCKA_MESSAGE_OUTPUT")


class Cannot(Exception):
    """The machine cannot be made on this host."""


def output(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Cannot(f"{os.path.basename(argv[0])} failed (status {done.returncode})")
    return done.stdout


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Cannot(f"{name} is not installed (share/build/packages.sh run test)")
    return found


def parts_check(kernel):
    for name in ("qemu-system-x86_64", "busybox", "setpriv"):
        program(name)
    module_files(kernel)


def module_files(kernel):
    """The modules and what they depend on, in the order of loading, each once."""
    with open(f"{kernel}/release", encoding="ascii") as file:
        release = file.read().strip()
    names = (BOOT_MODULES + " " + HOST_MODULES).split()
    lines = output(program("modprobe"), "-d", kernel, "-S", release, "-a", "--show-depends", *names)
    return list(dict.fromkeys(line.split()[1] for line in lines.splitlines() if line.startswith("insmod")))


def visible():
    """Folders below /tmp and /run that have to be seen inside, outermost first."""
    folders = sorted({os.getcwd(), BUILD, os.path.dirname(os.path.dirname(HERE))})
    return [folder for folder in folders if folder.startswith(("/tmp/", "/run/"))]


class Archive:
    """A cpio archive of the kind `newc`, uncompressed (Documentation/driver-api/early-userspace)."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.folders = set()

    def entry(self, name, mode, data):
        fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        self.pad(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")
        self.pad(data)

    def pad(self, data):
        self.file.write(data + bytes(-len(data) % 4))

    def add(self, name, data, mode=0o644):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        folder = os.path.dirname(name)
        if folder and folder not in self.folders:
            self.folders.add(folder)
            self.entry(folder, 0o40755, b"")
        self.entry(name, 0o100000 | mode, data)

    def add_file(self, name, path, mode=0o644):
        with open(path, "rb") as file:
            self.add(name, file.read(), mode)

    def close(self):
        self.entry("TRAILER!!!", 0, b"")
        self.file.close()


def environment():
    lines = [f"export {name}={shlex.quote(os.environ[name])}\n" for name in ENVIRONMENT if name in os.environ]
    lines += [f"export {name}={shlex.quote(value)}\n" for name, value in os.environ.items()
              if name.startswith("BANGER_")]
    return "".join(lines) + f"PATH={shlex.quote(BUILD)}/bin:$PATH:/usr/sbin:/sbin\n"


def initramfs_make(path, kernel, command, marker):
    archive = Archive(path)
    archive.add_file("init", f"{HERE}/init.sh", 0o755)
    archive.add_file("bin/busybox", program("busybox"), 0o755)
    modules = module_files(kernel)
    for module in modules:
        archive.add_file(f"modules/{os.path.basename(module)}", module)
    archive.add("modules/order", "".join(f"{os.path.basename(module)}\n" for module in modules))
    archive.add_file("testbed/inside.sh", f"{HERE}/inside.sh")
    archive.add("testbed/kernel", kernel)
    archive.add("testbed/directory", os.getcwd())
    archive.add("testbed/environment", environment())
    archive.add("testbed/visible", "".join(f"{folder}\n" for folder in visible()))
    archive.add("testbed/marker", marker)
    if command is not None:
        archive.add("testbed/command", command + "\n")
    else:
        size = os.get_terminal_size(0)
        archive.add("testbed/terminal", f"rows {size.lines} cols {size.columns}")
    archive.close()


def qemu_argv(kernel, work, interactive):
    khz = output(f"{BUILD}/tests/tsc_khz").strip()
    # Without the counter's rate, measured, kernels under TCG hang on a busy host.
    line = ("console=ttyS0 panic=-1 quiet cryptomgr.notests mitigations=off "
            f"tsc_early_khz={khz} tsc=reliable no_timer_check")
    port = "virtconsole" if interactive else "virtserialport,name=output"
    return [
        program("qemu-system-x86_64"), "-name", "banger-testbed", "-M", "q35",
        "-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,+npt",
        "-smp", os.environ.get("TESTBED_CPUS", "2"), "-m", os.environ.get("TESTBED_MEMORY", "4G"),
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-kernel", f"{kernel}/vmlinux", "-initrd", f"{work}/initramfs", "-append", line,
        "-serial", f"file:{work}/console",
        "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
        "-device", "virtio-serial-pci",
        "-chardev", "stdio,id=port,signal=off", "-device", f"{port},chardev=port",
    ]


def take_marker(held, marker):
    """Of what came and was not passed on yet: what may be passed on, what may be the marker's
    beginning, and the status behind a whole marker."""
    at = held.find(marker)
    if at >= 0:
        line, end, _ = held[at + len(marker):].partition(b"\n")
        return held[:at], held[at:], int(line) if end else None
    for size in range(min(len(marker) - 1, len(held)), 0, -1):
        if marker.startswith(held[-size:]):
            return held[:-size], held[-size:], None
    return held, b"", None


def relay(machine, marker):
    """Passes the machine's output on until its end; the command's status, or None."""
    deadline = time.monotonic() + TIMEOUT
    held = b""
    while True:
        ready, _, _ = select.select([machine.stdout], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            print(f"testbed: not done after {TIMEOUT:g} s (TESTBED_TIMEOUT)", file=sys.stderr)
            return TOO_LATE
        data = os.read(machine.stdout.fileno(), 65536)
        if not data:
            return None
        text, held, status = take_marker(held + data, marker)
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        if status is not None:
            return status


def explain(work):
    """The machine ended by itself: what its kernel and QEMU said last."""
    print("testbed: the machine ended before the command did", file=sys.stderr)
    for name in ("console", "qemu"):
        with open(f"{work}/{name}", errors="replace", encoding="utf-8") as file:
            lines = [line for line in file if "TCG doesn't support requested feature" not in line]
        for line in lines[-30:]:
            print(f"  {name}: {line.rstrip()}", file=sys.stderr)


def boot(work, kernel, command):
    marker = secrets.token_hex(16)
    initramfs_make(f"{work}/initramfs", kernel, command, marker)
    interactive = command is None
    argv = [program("setpriv"), "--pdeathsig", "KILL", *qemu_argv(kernel, work, interactive)]
    with open(f"{work}/qemu", "wb") as log:
        # A pipe that stays open: at the end of its input QEMU tells the guest that nobody listens.
        pipe = None if interactive else subprocess.PIPE
        machine = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=log)
    try:
        status = machine.wait() if interactive else relay(machine, f"{marker} ".encode())
    finally:
        machine.kill()
        machine.wait()
    if status is None:
        explain(work)
        status = ENDED
    return status


def end_on(number, _frame):
    sys.exit(128 + number)


def main():
    command = " ".join(sys.argv[1:]) or None
    check_only = command == "--check"
    if command is None and not os.isatty(0):
        sys.exit("testbed: no command, and no terminal for a shell")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_on)
    with tempfile.TemporaryDirectory(prefix="banger-testbed-") as work:
        try:
            kernel = output(f"{HERE}/kernel.sh", f"{BUILD}/testbed").strip()
            parts_check(kernel)
            return 0 if check_only else boot(work, kernel, command)
        except Cannot as why:
            print(f"testbed: {why}", file=sys.stderr)
            return CANNOT


if __name__ == "__main__":
    sys.exit(main())
