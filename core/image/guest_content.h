/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest configuration (agent/guest_conf.h) as files, wherever they go: into a cpio archive
 * (guest_archive.c) or onto a disk (guest_disk.c). */
#ifndef IMAGE_GUEST_CONTENT_H
#define IMAGE_GUEST_CONTENT_H

#include "base/error.h"

#include <jansson.h>
#include <sys/types.h>

struct guest_owner {
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
};

/* Takes the files. Paths are absolute in the guest, missing folders above them root's, 0755. */
struct guest_sink {
    int (*data)(void *context, const char *path, struct guest_owner owner, const void *data,
                size_t length, banger_error *err);
    int (*file)(void *context, const char *path, struct guest_owner owner, const char *source,
                banger_error *err);
    void *context;
};

/* `guest` is the machine document's "guest" object:
 *   {"conf": {"root": "/dev/vda", "hostname": "web", "interface": ["..."], "env": ["A=b"]},
 *    "files": [{"path": "/etc/hostname", "mode": 420, "uid": 0, "gid": 0, "content": "..."
 *               | "source": "/host/file"}]}
 * The lines of conf's "host" become part of the guest's /etc/hosts. A list under "conf" becomes one line an element. Values with newlines are refused. */
int guest_content_write(const json_t *guest, const struct guest_sink *sink, banger_error *err);

#endif
