/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What banger has to know of an uncompressed Linux kernel (ELF, x86-64). */
#ifndef IMAGE_ELF_KERNEL_H
#define IMAGE_ELF_KERNEL_H

#include "base/error.h"

#include <stdbool.h>

#define KERNEL_VERSION_MAX 64 /* __NEW_UTS_LEN, linux/utsname.h */

struct elf_kernel {
    bool pvh;                             /* has the Xen note by which QEMU enters an ELF kernel */
    char version[KERNEL_VERSION_MAX + 1]; /* of its banner: "6.1.0-56-cloud-amd64" */
};

/* Checks that `fd` is a 64-bit x86-64 ELF executable with Linux's banner, and fills `kernel`. */
int elf_kernel_inspect(int fd, struct elf_kernel *kernel, banger_error *err);
/* 1 when the kernel's data hold `text` as a whole string, 0 when not, -1 on failure. A driver that
 * is built in has its name there. */
int elf_kernel_mentions(int fd, const char *text, banger_error *err);

#endif
