/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The per-VM initramfs: the kernel's own, with the guest configuration appended
 * (agent/guest_conf.h). */
#ifndef IMAGE_GUEST_ARCHIVE_H
#define IMAGE_GUEST_ARCHIVE_H

#include "base/error.h"

#include <jansson.h>

/* Writes `out_path`. `guest` is the machine document's "guest" object:
 *   {"conf": {"root": "/dev/vda", "hostname": "web", "interface": ["..."], "env": ["A=b"]},
 *    "files": [{"path": "/etc/hostname", "mode": 420, "uid": 0, "gid": 0, "content": "..."
 *               | "source": "/host/file"}]}
 * A list under "conf" becomes one line an element. Values with newlines are refused. */
int guest_archive_write(const char *base_initramfs, const json_t *guest, const char *out_path,
                        banger_error *err);

#endif
