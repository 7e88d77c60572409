/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a kernel image: boot header, payload, ELF headers, notes, banner. */
#include "base/cleanup.h"
#include "image/vmlinux.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLOSE int from = memfd_create("image", MFD_CLOEXEC);
    AUTO_CLOSE int to = memfd_create("vmlinux", MFD_CLOEXEC);
    if (from < 0 || to < 0 || write(from, data, size) != (ssize_t)size) {
        abort();
    }
    struct elf_kernel kernel;
    banger_error err = BANGER_ERROR_INIT;
    if (vmlinux_extract("input", from, to, &kernel, &err) == 0) {
        /* What was accepted has a version that can be shown. */
        if (kernel.version[0] == '\0' || strlen(kernel.version) > KERNEL_VERSION_MAX) {
            abort();
        }
    } else if (err.code == 0 || err.message[0] == '\0') {
        abort();
    }
    return 0;
}
