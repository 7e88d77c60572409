/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "initramfs.h"

#include "agent/guest_conf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MODULES_DIR GUEST_CONF_DIR "/mod"

/* Where the agent mounts, and the console that the kernel opens for it before that. Numbers:
 * Documentation/admin-guide/devices.txt. */
static const char *const folders[] = {"/dev", "/proc", "/sys", "/run", "/root", GUEST_CONF_DIR};
static const struct device_node {
    const char *path;
    mode_t mode;
    unsigned int major_number;
    unsigned int minor_number;
} devices[] = {
    {"/dev/console", 0600, 5, 1},
    {"/dev/null", 0666, 1, 3},
};

static int skeleton_add(struct cpio *cpio, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        if (cpio_dir(cpio, folders[i], (struct cpio_owner){.mode = 0755}, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < COUNT_OF(devices); i++) {
        const struct device_node *node = &devices[i];
        if (cpio_char_device(cpio, node->path, (struct cpio_owner){.mode = node->mode},
                             node->major_number, node->minor_number, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int modules_add(struct cpio *cpio, const struct module_list *modules, banger_error *err)
{
    AUTO_BUF struct buf order = BUF_INIT;
    for (size_t i = 0; i < modules->count; i++) {
        AUTO_FREE char *path = str_format(MODULES_DIR "%s", strrchr(modules->paths[i], '/'));
        buf_printf(&order, "%s\n", path);
        if (cpio_file(cpio, path, (struct cpio_owner){.mode = 0644}, modules->paths[i], err) < 0) {
            return -1;
        }
    }
    return cpio_data(cpio, GUEST_CONF_MODULES, (struct cpio_owner){.mode = 0644}, order.data,
                     order.length, err);
}

int initramfs_write(const char *path, const char *agent, const struct module_list *modules,
                    banger_error *err)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_sys(err, errno, "cannot create %s", path);
    }
    AUTO(cpio_drop) struct cpio *cpio = cpio_open(fd, err);
    if (cpio == NULL || skeleton_add(cpio, err) < 0 ||
        cpio_file(cpio, "/init", (struct cpio_owner){.mode = 0755}, agent, err) < 0 ||
        modules_add(cpio, modules, err) < 0) {
        return -1;
    }
    return cpio_finish(cpio, err);
}
