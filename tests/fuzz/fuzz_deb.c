/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a Debian package: control fields and the files that are taken out. */
#include "base/cleanup.h"
#include "base/file.h"
#include "image/control.h"
#include "image/deb.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool never_cancelled(void *context)
{
    (void)context;
    return false;
}

static void take_control(const char *path)
{
    AUTO_BUF struct buf text = BUF_INIT;
    banger_error err = BANGER_ERROR_INIT;
    if (deb_read_control(path, &text, &err) < 0) {
        return;
    }
    AUTO_FREE char *package = control_field(text.data, "Package");
    AUTO_FREE char *kernel = control_kernel_dependency(text.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct image_context context = {.cancelled = never_cancelled};
    banger_error err = BANGER_ERROR_INIT;
    char dir[] = "/tmp/banger-fuzz-XXXXXX";
    AUTO_CLOSE int fd = memfd_create("package", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || mkdtemp(dir) == NULL) {
        abort();
    }
    AUTO_FREE char *path = str_format("/proc/self/fd/%d", fd);
    take_control(path);
    (void)deb_extract_kernel(&context, path, dir, &err);
    if (dir_remove(dir, &err) < 0) {
        abort();
    }
    return 0;
}
