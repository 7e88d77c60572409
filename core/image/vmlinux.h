/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The uncompressed kernel (vmlinux, ELF) out of what distributions ship (bzImage): VMMs enter it
 * directly, which saves the guest from unpacking itself.
 */
#ifndef IMAGE_VMLINUX_H
#define IMAGE_VMLINUX_H

#include "elf_kernel.h"

/* `from` is a bzImage, or already an ELF kernel; `to` an empty file. `what` names it in errors. */
int vmlinux_extract(const char *what, int from, int to, struct elf_kernel *kernel,
                    banger_error *err);

#endif
