#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_kernel.py FILE: an ELF file that is a kernel in all that an import looks at (program headers,
the PVH note, the banner), and that has no driver built in."""
import struct
import sys

NOTE = struct.pack("<III4sQ", 4, 8, 18, b"Xen\0", 0x1000000)  # XEN_ELFNOTE_PHYS32_ENTRY
EHDR, PHDR = 64, 56
header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, EHDR, 0, 0, EHDR, PHDR, 1, 0, 0, 0)
segment = struct.pack("<IIQQQQQQ", 4, 4, EHDR + PHDR, 0, 0, len(NOTE), len(NOTE), 4)
banner = b"Linux version 6.1.0-fake (somebody@somewhere) #1 SMP\0"
with open(sys.argv[1], "wb") as file:
    file.write(header + segment + NOTE + bytes(range(256)) * 400 + banner)
