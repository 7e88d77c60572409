#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether the inventory sees what it is there for: one that sees nothing finds no leak."""
import os
import sys
import tempfile
import unittest
from types import SimpleNamespace

sys.dont_write_bytecode = True
import inventory  # noqa: E402
import worker  # noqa: E402

ALL = ("run", "shared", "kept")
TAP = "link tap-fc-SHORT of br-fc banger:I:ID "


def found(run=(), shared=(), kept=()):
    return {"run": list(run), "shared": list(shared), "kept": list(kept)}


class Content(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.home = SimpleNamespace(path=self.folder.name, stack=SimpleNamespace(guests=True))

    def told(self, path, data):
        os.makedirs(os.path.dirname(f"{self.home.path}/{path}"), exist_ok=True)
        with open(f"{self.home.path}/{path}", "wb") as file:
            file.write(data)
        return [line for _, line in inventory._files(self.home) if path in line and line.startswith("file ")]

    def test_a_truncated_disk(self):
        for name in ("img", "cow", "tail"):
            path = f"state/vms/1/rootfs.{name}"
            self.assertNotEqual(self.told(path, bytes(8192)), self.told(path, bytes(4096)))

    def test_a_half_copied_image(self):
        path = "state/images/1/rootfs.img"
        self.assertNotEqual(self.told(path, b"x" * 8192), self.told(path, b"x" * 4096 + bytes(4096)))

    def test_what_a_guest_writes_differs(self):
        path = "state/vms/1/rootfs.img"
        self.assertEqual(self.told(path, b"x" * 4096), self.told(path, b"y" * 4096))


class Comparing(unittest.TestCase):
    def test_a_thing_with_its_row_is_held(self):
        prepared = found(run=[TAP, "journal bridge tap tap-fc-SHORT held"])
        self.assertEqual(inventory.unheld(prepared, prepared, found(), ("run",)), [])
        self.assertEqual(inventory.unheld(found(run=[TAP]), prepared, found(), ("run",)), [f"+ {TAP}"])

    def test_what_no_row_can_release_is_not_held(self):
        rows = [f"journal core {kind} key held" for kind in ("process", "tap", "nat", "publish", "dir", "staging")]
        for part, line in (("kept", "image extra"), ("kept", "kernel extra"), ("kept", "pin probe.vm"),
                           ("kept", "VM probe running"), ("kept", "lease bridge address 2"),
                           ("kept", "file state/vms/ID/rootfs.img of 1 bytes"), ("run", "udp 127.0.0.1:5353")):
            left = found(run=rows)
            left[part] = left[part] + [line]
            self.assertEqual(inventory.unheld(left, left, found(), ALL), [f"+ {line}"])

    def test_what_is_served_is_held_with_the_network_only(self):
        process = "journal core process /bin/vmm held"
        for line in ("probe.vm is 172.16.0.2", "tcp 127.0.0.1:8080", "ip_forward 1", "file run/ip_forward.found"):
            for row, wrong in (("journal nat nat 172.16.0.2 held", []), (process, [f"+ {line}"])):
                left = found(run=[row, line])
                self.assertEqual(inventory.unheld(left, left, found(run=["ip_forward 0"]), ("run",)), wrong)

    def test_a_stranger_is_not_held(self):
        rows = ["journal bridge tap tap-fc-SHORT held"]
        self.assertTrue(inventory.unheld(found(run=[TAP, *rows]), found(run=rows), found(), ("run",)))

    def test_what_is_lost_is_not_held(self):
        self.assertTrue(inventory.unheld(found(), found(), found(kept=["image image"]), ("kept",)))

    def test_a_record_that_is_not_true(self):
        for vmm, state, good in (("process stub-vmm", "running", True), ("process stub-vmm", "stopped", False),
                                 ("process stub-vmm (zombie)", "running", False), ("", "running", False),
                                 ("process stub-vmm (zombie)", "stopped", True), ("", "error", True)):
            lines = inventory.misrecorded(found(run=[vmm], kept=[f"VM probe {state}"]))
            self.assertEqual(lines == [], good, (vmm, state, lines))
        self.assertTrue(inventory.misrecorded(found(run=["process stub-vmm"])))

    def test_of_what_is_held_a_vmm_may_be_left(self):
        for vmm, state, good in (("process stub-vmm", "error", True), ("process stub-vmm", "running", True),
                                 ("process stub-vmm", "stopped", False), ("", "running", False)):
            lines = inventory.misrecorded(found(run=[vmm], kept=[f"VM probe {state}"]), True)
            self.assertEqual(lines == [], good, (vmm, state, lines))

    def test_warm_taps_are_counted(self):
        self.assertEqual(inventory.warm_taps(found(shared=["link POOL of br-fc a:pool "] * 3)), 3)
        self.assertEqual(inventory.differences(found(shared=["link POOL of br-fc a:pool "]), found(), ALL), [])

    def test_a_disk_that_has_grown(self):
        before = found(kept=["VM probe stopped", "file state/vms/ID/rootfs.img of 1 bytes"])
        after = found(kept=["VM probe running", "file state/vms/ID/rootfs.img of 2 bytes"])
        self.assertEqual(inventory.grown(before, after)["kept"], sorted([before["kept"][0], after["kept"][1]]))

    def test_only_what_the_daemon_serves_may_be_missing(self):
        before = found(run=["probe.vm is 172.16.0.2", "tcp 127.0.0.1:8080", TAP])
        self.assertEqual(inventory.unserved(found(run=[TAP]), before, ("run",)), [])
        self.assertEqual(inventory.unserved(found(), before, ("run",)), [f"- {TAP}"])


class Seeing(unittest.TestCase):
    def test_what_is_not_seen_of_a_running_vm_is_said(self):
        for stack, starts in worker.SEEN.items():
            worker.expect_seen(stack, found(run=[f"{start}x" for start in starts]))
            for missing in starts:
                lines = [f"{start}x" for start in starts if start != missing]
                with self.assertRaisesRegex(RuntimeError, missing.strip()):
                    worker.expect_seen(stack, found(run=lines))


if __name__ == "__main__":
    unittest.main()
