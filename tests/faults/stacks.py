# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a VM stands on, a row each: which providers, and what a guest is made of.

`guests` are real: a kernel and an image that boot, made by matrix.py outside, where there is a network.
Else both only look like it, so that a round takes a fraction of a second."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stack:
    vmm: str
    rootfs: str
    guests: bool = False
    network: str = "bridge"
    spec: dict = field(default_factory=dict)
    in_testbed: bool = False
    without: tuple = ()  # plugins that have no part in it
    patience_s: int = 60  # what has not come by then never will


STACKS = {
    "stub": Stack("stub", "copy"),
    # One processor: of two, translated on a busy host, one may wait for the other while the guest boots, and for ever.
    "qemu": Stack("qemu", "copy", guests=True, spec={"vcpu": 1, "memory_mib": 128, "disk_mib": 256}, patience_s=240),
    # All of it is translated, the linking of libraries that nobody uses too.
    "dm-snapshot": Stack("stub", "dm-snapshot", network="user", spec={"nat": False, "publish": []}, in_testbed=True,
                         without=("lua", "bridge", "nat", "dns", "qemu", "firecracker"), patience_s=240),
}
