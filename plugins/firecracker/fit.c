/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether this host and this kernel suit Firecracker. Refusals about the host have the codes with
 * which `auto` goes on to the next VMM.
 */
#include "cpu.h"
#include "firecracker.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define KVM_DEVICE "/dev/kvm"

static int refuse_device(const struct banger_host *host, struct banger_call *call, int reason)
{
    if (reason == EACCES || reason == EPERM) {
        host->hint(call,
                   "add the user with id %u to the group of " KVM_DEVICE
                   " (usermod -aG kvm USER), log in anew, and start bangerd again",
                   (unsigned)geteuid());
        return host->fail(call, BANGER_EPERMISSION,
                          "Firecracker needs KVM, and " KVM_DEVICE " may not be opened: %s",
                          strerror(reason));
    }
    host->hint(call,
               "enable virtualization in the firmware, and load kvm_intel or kvm_amd; in a VM, "
               "its host must allow nested ones. --vmm qemu works without");
    return host->fail(call, BANGER_EUNSUPPORTED,
                      "Firecracker needs KVM, and " KVM_DEVICE " cannot be opened: %s",
                      strerror(reason));
}

int fit_check_kvm(const struct banger_host *host, struct banger_call *call)
{
    int version = -1;
    int fd;

    if (!host->get_bool(call, "config.require_kvm", 1)) {
        return 0;
    }
    fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return refuse_device(host, call, errno);
    }
    version = ioctl(fd, KVM_GET_API_VERSION, 0UL);
    (void)close(fd);
    if (version != KVM_API_VERSION) {
        return host->fail(call, BANGER_EUNSUPPORTED,
                          KVM_DEVICE " speaks version %d of its interface, not %d", version,
                          KVM_API_VERSION);
    }
    /* Filtered hosts have a device that answers, and runs no guest. */
    if (!cpu_has_virtualization()) {
        host->hint(call, "--vmm qemu works without");
        return host->fail(call, BANGER_EUNSUPPORTED,
                          "Firecracker needs KVM: " KVM_DEVICE
                          " opens, but the CPU shows neither svm nor vmx in /proc/cpuinfo");
    }
    return 0;
}

/* Firecracker takes no bzImage before 1.17. */
int fit_check_kernel(const struct banger_host *host, struct banger_call *call)
{
    const char *path = host->get_string(call, "kernel.path", NULL);
    Elf64_Ehdr header = {0};
    ssize_t got;
    int fd;

    if (path == NULL) {
        return 0;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : pread(fd, &header, sizeof(header), 0);
    if (got < 0) {
        int reason = errno;

        if (fd >= 0) {
            (void)close(fd);
        }
        return host->fail(call, BANGER_EIO, "cannot read the kernel %s: %s", path,
                          strerror(reason));
    }
    (void)close(fd);
    if (got < (ssize_t)sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
        host->hint(call, "banger kernel import takes the vmlinux out of a package or a bzImage");
        return host->fail(call, BANGER_EUNSUPPORTED,
                          "Firecracker boots an ELF vmlinux for x86-64 only, and %s is none", path);
    }
    return 0;
}
